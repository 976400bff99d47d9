"""From class probabilities to grains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.grains.agglomeration import (
    FIVE_DEGREES,
    MEAN_EVIDENCE,
    BoundaryEvidence,
    MergeMode,
    MergeReport,
    merge_regions,
)
from electrode_grains.grains.cleanup import CleanupReport, ParticleRule, isolate_particle
from electrode_grains.grains.cutting import cut_by_orientation, join_torn_grains
from electrode_grains.grains.labelling import Labels, label_sizes
from electrode_grains.grains.placement import place_interfaces
from electrode_grains.grains.refinement import refine_interfaces
from electrode_grains.grains.scores import boundary_agreement
from electrode_grains.grains.watershed import flood_from_minima

BOUNDARY, BACKGROUND = 0, 2  # channels of class probabilities
Criterion = Literal["boundary_f1", "interior_information"]
Preference = Literal["greatest", "middle", "smallest"]
LEAST_BODY = 8  # voxels; fewer agree by chance or stand for nothing
_LARGEST_SHARE = 0.5  # of the particle, beyond which one grain is doubtful


@dataclass(frozen=True)
class SegmentationReport:
    """What happened between class probabilities and grains.

    Attributes
    ----------
    minima_depth, background_threshold : float
    basins : int
        Basins of the watershed.
    basins_cut_by_orientation : int
        Of them, those that held several orientations.
    merging : MergeReport
    interface_voxels_placed : int
        Voxels that went to the grain beside them by the boundaries that this draws.
    interface_voxels_moved : int
        Voxels that went to the grain beside them whose orientation they have.
    torn_grains_joined : int
        Grains that went to one of the same orientation which they nearly touch.
    cleanup : CleanupReport
    largest_share : float
        Share of the particle's voxels in its largest grain.
    grains_cut_by_window : int
        Grains with a voxel in the outermost layer of the window.
    doubts : tuple of str
        What looks wrong, with its numbers; empty where nothing does.
    """

    minima_depth: float
    background_threshold: float
    basins: int
    basins_cut_by_orientation: int
    merging: MergeReport
    interface_voxels_placed: int
    interface_voxels_moved: int
    torn_grains_joined: int
    cleanup: CleanupReport
    largest_share: float
    grains_cut_by_window: int
    doubts: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, for a JSON file."""
        return {**asdict(self), "doubts": list(self.doubts)}


def segment_grains(
    class_probability: NDArray[np.floating],
    minima_depth: float,
    background_threshold: float,
    **options: Any,
) -> Labels:
    """Split the particle into grains.

    Parameters
    ----------
    class_probability : ndarray of float, shape (3, z, y, x)
        Probability of boundary, interior, background.
    minima_depth : float
        Depth h of the h-minima of the boundary probability.
    background_threshold : float
        In (0, 1); voxels of a greater background probability are no grain.
    **options
        Those of `segment_grains_with_report`.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Grains from 1 in the order of their first voxel, 0 elsewhere.

    Raises
    ------
    InputError, SettingsError, ComputationError
        As `segment_grains_with_report`.

    Examples
    --------
    >>> boundary = np.array([[[0.1, 0.0, 0.9, 0.1, 0.0, 0.1]]])
    >>> background = np.array([[[0.0, 0.0, 0.0, 0.0, 0.0, 0.9]]])
    >>> probability = np.stack([boundary, 1 - boundary - background, background])
    >>> segment_grains(probability, 0.05, 0.5, minimum_voxels=1).tolist()
    [[[1, 1, 1, 2, 2, 0]]]
    """
    return segment_grains_with_report(
        class_probability, minima_depth, background_threshold, **options
    )[0]


def segment_grains_with_report(
    class_probability: NDArray[np.floating],
    minima_depth: float,
    background_threshold: float,
    *,
    basins: Labels | None = None,
    orientations: NDArray[np.floating] | None = None,
    weights: NDArray[np.floating] | None = None,
    merge_mode: MergeMode | None = None,
    boundary_threshold: float = 0.3,
    evidence: BoundaryEvidence = MEAN_EVIDENCE,
    misorientation_threshold: float = FIVE_DEGREES,
    laue: str = "-3m",
    place_sweeps: int = 0,
    stiffness: float = 0.4,
    refine_steps: int = 2,
    join_reach: int = 2,
    minimum_voxels: int = 10,
    background_share: float = 0.5,
    rim_voxels: int = 2,
    particle: ParticleRule = "largest",
) -> tuple[Labels, SegmentationReport]:
    """Split the particle into grains, and say what was merged and removed.

    Parameters
    ----------
    class_probability : ndarray of float, shape (3, z, y, x)
        Probability of boundary, interior, background.
    minima_depth : float
        Depth h of the h-minima of the boundary probability.
    background_threshold : float
        In (0, 1); voxels of a greater background probability are no grain.
    basins : ndarray of int32, shape (z, y, x), optional
        Result of `flood_from_minima` on the boundary probability, where it is at hand.
    orientations : ndarray of float, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4), optional
        Quaternions, scalar first, NaN where unknown; a fifth channel is the confidence
        index.
    weights : ndarray of float, shape (z, y, x), optional
        Trust in each orientation.
    merge_mode : {"none", "iq", "orientation", "combined"}, optional
        How basins are merged, see `merge_regions`; "combined" with orientations and "iq"
        without by default. "none" is the paper's way.
        Where no point has an orientation "combined" falls back to "iq", and says so.
    boundary_threshold, evidence, misorientation_threshold, laue
        See `merge_regions`.
    place_sweeps, stiffness
        See `place_interfaces`; with 0 sweeps interfaces stay where the flood has put them.
    refine_steps : int
        Voxels by which an interface may move towards the orientations of its voxels, see
        `refine_interfaces`; only in the modes that use orientations.
    join_reach : int
        Voxels over which grains of one orientation are joined that no face joins, see
        `join_torn_grains`; 0 leaves them apart, so that every grain hangs together.
    minimum_voxels, background_share, rim_voxels, particle
        See `isolate_particle`.

    Returns
    -------
    labels : ndarray of int32, shape (z, y, x)
        Grains from 1 in the order of their first voxel, 0 elsewhere.
    report : SegmentationReport

    Raises
    ------
    InputError
        If shapes do not fit or a probability is not finite.
    SettingsError
        If a setting is out of range.
    ComputationError
        If everything is background or no grain is left.

    Notes
    -----
    Watershed from the h-minima of the boundary probability (section 2.3.3 of Furat,
    Finegan et al., J. Power Sources 483 (2021) 229148), removal of the background before
    regions are merged, so that no grain is merged with what surrounds it, and isolation of
    the particle.
    """
    probability = _checked_probability(class_probability)
    orientations, mode, doubts = _usable_orientations(orientations, merge_mode)
    boundary, background = probability[BOUNDARY], probability[BACKGROUND]
    if basins is None:
        basins = flood_from_minima(boundary, minima_depth)
    # Nothing is small yet: parts of a grain are still to be merged.
    regions, cleared = isolate_particle(
        basins,
        background,
        background_threshold,
        minimum_voxels=0,
        background_share=background_share,
        rim_voxels=rim_voxels,
        particle="all",
    )
    guides = orientations if mode in ("orientation", "combined") else None
    cut = placed = moved = torn = 0
    if guides is not None and misorientation_threshold:
        regions, cut = cut_by_orientation(
            regions,
            guides,
            misorientation_threshold=misorientation_threshold,
            laue=laue,
            minimum_voxels=max(minimum_voxels, LEAST_BODY),
        )
    merge = partial(
        merge_regions,
        mode=mode,
        boundary_threshold=boundary_threshold,
        evidence=evidence,
        misorientation_threshold=misorientation_threshold,
        laue=laue,
        weights=weights,
    )
    merged, merging = merge(regions, boundary, orientations)
    if place_sweeps:
        merged, placed = place_interfaces(
            merged, probability, stiffness=stiffness, sweeps=place_sweeps
        )
    if guides is not None and refine_steps:
        merged, moved = refine_interfaces(
            merged,
            guides,
            misorientation_threshold=misorientation_threshold or FIVE_DEGREES,
            laue=laue,
            weights=weights,
            steps=refine_steps,
        )
    # Interfaces that moved let regions meet that did not before.
    merged, again = merge(merged, boundary, orientations)
    merging = merging.followed_by(again)
    labels, cleanup = isolate_particle(
        merged,
        background,
        background_threshold,
        minimum_voxels=minimum_voxels,
        background_share=background_share,
        rim_voxels=rim_voxels,
        particle=particle,
    )
    if guides is not None and join_reach:
        labels, torn = join_torn_grains(
            labels,
            guides,
            misorientation_threshold=misorientation_threshold,
            laue=laue,
            weights=weights,
            reach=join_reach,
        )
        cleanup = replace(cleanup, grains=cleanup.grains - torn)
    report = _report(labels, minima_depth, background_threshold, merging, cleared, cleanup)
    return labels, replace(
        report,
        basins_cut_by_orientation=cut,
        torn_grains_joined=torn,
        interface_voxels_placed=placed,
        interface_voxels_moved=moved,
        doubts=(*doubts, *report.doubts),
    )


def _usable_orientations(
    orientations: NDArray[np.floating] | None, mode: MergeMode | None
) -> tuple[NDArray[np.floating] | None, MergeMode, tuple[str, ...]]:
    """Orientations or None where all are NaN, the mode that can run, and what to say of it."""
    if orientations is not None and not np.isfinite(orientations).any():
        orientations = None
    if orientations is None and mode == "combined":
        doubt = "no point has an orientation: regions are merged by the boundary alone (iq)"
        return None, "iq", (doubt,)
    return orientations, mode or ("iq" if orientations is None else "combined"), ()


def _checked_probability(class_probability: NDArray[np.floating]) -> NDArray[np.floating]:
    array = np.asarray(class_probability)
    if array.ndim != 4 or len(array) != 3 or array.size == 0:
        raise InputError(
            "the class probabilities have the wrong shape",
            found=str(array.shape),
            expected="(3, z, y, x): boundary, interior, background",
        )
    for channel, name in enumerate(("boundary", "interior", "background")):
        bad = int((~np.isfinite(array[channel])).sum())
        if bad:
            raise InputError(
                f"the {name} probability is not finite everywhere",
                found=f"{bad} voxels that are not",
                remedy="check the network and the contrast it was applied to",
            )
    return array


def _report(
    labels: Labels,
    minima_depth: float,
    background_threshold: float,
    merging: MergeReport,
    cleared: CleanupReport,
    cleanup: CleanupReport,
) -> SegmentationReport:
    sizes = label_sizes(labels)[1:]
    # The background was removed before merging: its counts are those of the first pass.
    removed = (
        "regions",
        "background_voxels",
        "background_regions",
        "background_region_voxels",
        "rim_voxels_joined",
    )
    counts = asdict(cleanup) | {name: getattr(cleared, name) for name in removed}
    counts["split_regions"] += cleared.split_regions
    return SegmentationReport(
        minima_depth=float(minima_depth),
        background_threshold=float(background_threshold),
        basins=cleared.regions,
        merging=merging,
        basins_cut_by_orientation=0,
        torn_grains_joined=0,
        interface_voxels_placed=0,
        interface_voxels_moved=0,
        cleanup=CleanupReport(**counts),
        largest_share=float(sizes.max() / sizes.sum()),
        grains_cut_by_window=_cut_by_window(labels),
        doubts=grain_doubts(labels),
    )


def grain_doubts(labels: NDArray[np.integer]) -> tuple[str, ...]:
    """Say what looks wrong with the grains of a particle.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Any ids, 0 is no grain.

    Returns
    -------
    tuple of str
        With the numbers that lead there: a single grain, a grain of more than half the
        particle, or no grain that the window leaves whole.

    Raises
    ------
    ComputationError
        If there is no grain.

    Examples
    --------
    >>> grain_doubts(np.array([[[3, 3, 3, 5]]]))[0].split(";")[0]
    'the largest grain (3) holds 75% of the particle, 3 of 4 voxels'
    """
    ids, sizes = np.unique(labels[labels > 0], return_counts=True)
    if len(ids) == 0:
        raise ComputationError(
            "no grain is left", found=f"{labels.size} voxels of 0", expected="at least one grain",
            remedy="check the edits and the thresholds of background and voids",
        )  # fmt: skip
    largest, voxels, cut = ids[sizes.argmax()], sizes.sum(), _cut_by_window(labels)
    doubts = []
    if len(ids) == 1:
        doubts.append(
            f"the particle is a single grain of {voxels} voxels; is the depth of minima too great?"
        )
    elif sizes.max() > _LARGEST_SHARE * voxels:
        doubts.append(
            f"the largest grain ({largest}) holds {sizes.max() / voxels:.0%} of the particle, "
            f"{sizes.max()} of {voxels} voxels; a weak boundary may have joined many grains: "
            "lower the depth of minima or the boundary threshold"
        )
    if cut == len(ids):
        doubts.append(f"all {cut} grains are cut by the window, so that none can be measured")
    return tuple(doubts)


def _cut_by_window(labels: NDArray[np.integer]) -> int:
    faces = [np.take(labels, end, axis).ravel() for axis in range(3) for end in (0, -1)]
    touching = np.unique(np.concatenate(faces))
    return int((touching > 0).sum())


def choose_minima_depth(
    class_probability: NDArray[np.floating],
    annotation: NDArray[np.integer],
    candidates: Sequence[float],
    background_threshold: float = 0.5,
    *,
    criterion: Criterion = "boundary_f1",
    tolerance: int = 1,
    slack: float = 0.0,
    prefer: Preference = "greatest",
    **options: Any,
) -> tuple[float, pd.DataFrame]:
    """Choose the depth of minima by agreement with annotated slices.

    Parameters
    ----------
    class_probability : ndarray of float, shape (3, z, y, x)
        Best predicted by a network that has not seen the slices it is compared with.
    annotation : ndarray of int, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    candidates : sequence of float
        Depths to try.
    background_threshold : float
        In (0, 1).
    criterion : {"boundary_f1", "interior_information"}
        What is best: the greatest boundary F1, or the least variation of information
        between the sections of grains and the annotated interiors. The latter sees a
        missing or surplus line by the area it joins or cuts, the former by its length,
        which is little.
    tolerance : int
        Voxels within the slice by which a boundary may be off.
    slack : float
        Candidates that are worse by at most this count as equal to the best.
    prefer : {"greatest", "middle", "smallest"}
        Which one to take among equals. Of depths, the greatest where basins are grains, the
        smallest where regions are merged, since merging can mend a cut and not a union; of
        thresholds the middle of those around the best.
    **options
        Those of `segment_grains_with_report`, which is run for every candidate.

    Returns
    -------
    depth : float
        The best candidate.
    curve : DataFrame
        One row per candidate in increasing order: `minima_depth`, `grain_count`,
        `boundary_precision`, `boundary_recall`, `boundary_f1`, `interior_rand_error`,
        `interior_information`; nothing but the depth where no grain was left.

    Raises
    ------
    SettingsError
        If there is no candidate.
    InputError
        If nothing is annotated or shapes do not fit.
    ComputationError
        If no candidate leaves a grain, or no boundary is annotated.
    """

    def segment(depth: float) -> Labels:
        return segment_grains(class_probability, depth, background_threshold, **options)

    curve = _judge(segment, "minima_depth", candidates, annotation, tolerance)
    return _best(curve, criterion, slack, prefer), curve


def choose_boundary_threshold(
    class_probability: NDArray[np.floating],
    annotation: NDArray[np.integer],
    candidates: Sequence[float],
    minima_depth: float,
    background_threshold: float = 0.5,
    *,
    criterion: Criterion = "boundary_f1",
    tolerance: int = 1,
    slack: float = 0.0,
    prefer: Preference = "middle",
    **options: Any,
) -> tuple[float, pd.DataFrame]:
    """Choose the boundary probability below which neighbours are one grain.

    Parameters
    ----------
    class_probability, annotation, background_threshold, criterion, tolerance, slack, prefer
        As for `choose_minima_depth`.
    candidates : sequence of float
        Thresholds to try, in [0, 1].
    minima_depth : float
        Depth of minima of all candidates; they share one flood.
    **options
        Those of `segment_grains_with_report`, which is run for every candidate.

    Returns
    -------
    threshold : float
        The best candidate.
    curve : DataFrame
        As of `choose_minima_depth`, with `merge_boundary` in the first column.

    Raises
    ------
    SettingsError, InputError, ComputationError
        As `choose_minima_depth`.
    """
    probability = _checked_probability(class_probability)
    basins = flood_from_minima(probability[BOUNDARY], minima_depth)

    def segment(threshold: float) -> Labels:
        return segment_grains(
            probability,
            minima_depth,
            background_threshold,
            basins=basins,
            boundary_threshold=threshold,
            **options,
        )

    curve = _judge(segment, "merge_boundary", candidates, annotation, tolerance)
    return _best(curve, criterion, slack, prefer), curve


def _judge(
    segment: Callable[[float], Labels],
    setting: str,
    candidates: Sequence[float],
    annotation: NDArray[np.integer],
    tolerance: int,
) -> pd.DataFrame:
    """Agreement with the annotation for each value of a setting, in increasing order."""
    if len(candidates) == 0:
        name = {"minima_depth": "depth of minima"}.get(setting, setting.replace("_", " "))
        raise SettingsError(f"no {name} to choose from", expected="at least one candidate")
    rows: list[dict[str, float | int | None]] = []
    for value in sorted(set(map(float, candidates))):
        try:
            labels = segment(value)
        except ComputationError:
            rows.append({setting: value, "grain_count": 0})
            continue
        agreement = boundary_agreement(labels, annotation, tolerance)
        agreement.pop("annotated_slices")
        rows.append({setting: value, "grain_count": int(labels.max()), **agreement})
    return pd.DataFrame(rows)


def _best(curve: pd.DataFrame, criterion: Criterion, slack: float, prefer: Preference) -> float:
    """Value of the first column with the best score, up to the slack."""
    setting = str(curve.columns[0])
    scored = np.array(curve.get(criterion, np.full(len(curve), np.nan)), float)
    if np.isnan(scored).all():
        raise ComputationError(
            f"no {setting.replace('_', ' ')} can be chosen",
            found=f"{len(curve)} candidates, none with a score",
            expected="annotated boundaries and interiors, and grains for at least one candidate",
            remedy="annotate more slices, or set the value yourself",
        )
    worse = np.nan_to_num(-scored if criterion == "boundary_f1" else scored, nan=np.inf)
    best, equal = int(worse.argmin()), worse <= worse.min() + slack
    first, last = np.flatnonzero(equal)[[0, -1]]
    if prefer == "middle":
        unequal = np.flatnonzero(~equal)
        first = max((k + 1 for k in unequal if k < best), default=0)
        last = min((k - 1 for k in unequal if k > best), default=len(equal) - 1)
    chosen = {"greatest": last, "middle": (first + last) // 2, "smallest": first}[prefer]
    return float(curve[setting].iloc[chosen])
