"""From class probabilities to grains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from electrode_grains.classes import BACKGROUND_CHANNEL, CHANNEL_NAMES
from electrode_grains.ebsd.orientation_field import OrientationField, as_orientation_field
from electrode_grains.ebsd.pseudo_cube import variants_as_one
from electrode_grains.ebsd.pseudo_group import Operator
from electrode_grains.errors import InputError
from electrode_grains.grains.agglomeration import MergeReport
from electrode_grains.grains.checks import check_grains, count_cut_by_window
from electrode_grains.grains.cleanup import CleanupReport
from electrode_grains.grains.labelling import Labels, label_sizes
from electrode_grains.grains.linking import link_points
from electrode_grains.grains.passes import (
    CutReport,
    FloodReport,
    JoinReport,
    PlacementReport,
    RefinementReport,
    SegmentationState,
    find_pass,
)
from electrode_grains.grains.pseudo_symmetry import uses_pseudo_symmetry
from electrode_grains.grains.results import JsonResult, kept_as
from electrode_grains.grains.settings import SegmentationSettings

DEFAULTS = SegmentationSettings()
# What "auto" stands for where no annotated slice can choose.
UNCHOSEN_DEPTH, UNCHOSEN_BOUNDARY = 0.005, 0.475  # the latter of both kinds of evidence


class SegmentationReport(JsonResult):
    """What happened between class probabilities and grains.

    Attributes
    ----------
    minima_depth, background_threshold : float
    basins : int
        Basins of the watershed.
    basins_cut_by_orientation : int
        Of them, those that held several orientations.
    merging : MergeReport
        None where nothing was merged.
    interface_voxels_placed : int
        Voxels that went to the grain beside them by the boundaries that this draws.
    interface_voxels_moved : int
        Voxels that went to the grain beside them whose orientation they have.
    joined_count : int
        Grains that went to one of the same orientation which they nearly touch.
    cleanup : CleanupReport
        None where the background was left.
    largest_share : float
        Share of the particle's voxels in its largest grain.
    grains_cut_by_window : int
        Grains with a voxel in the outermost layer of the window.
    pseudo_symmetry : bool
        Whether orientations were compared with their variants counting as one.
    pseudo_symmetry_operators : tuple of Operator
        Those that were given and used; empty for the pseudo-cube of -3m.
    warnings : tuple of str
        What looks wrong, with its numbers; empty where nothing does.
    passes : tuple of (str, report)
        Each pass with its own report, in their order; not in the JSON.
    """

    minima_depth: float
    background_threshold: float
    basins: int
    basins_cut_by_orientation: int
    merging: MergeReport | None
    interface_voxels_placed: int
    interface_voxels_moved: int
    joined_count: int = kept_as("torn_grains_joined")
    cleanup: CleanupReport | None
    largest_share: float
    grains_cut_by_window: int
    pseudo_symmetry: bool = False
    pseudo_symmetry_operators: tuple[Operator, ...] = ()
    warnings: tuple[str, ...] = kept_as("doubts")
    passes: tuple[tuple[str, Any], ...] = Field((), exclude=True)


def segment_grains(
    class_probability: NDArray[np.floating],
    minima_depth: float | None = None,
    background_threshold: float | None = None,
    *,
    settings: SegmentationSettings = DEFAULTS,
    orientations: OrientationField | NDArray[np.floating] | None = None,
    measured: NDArray[np.bool_] | None = None,
) -> Labels:
    """Split the particle into grains.

    Parameters
    ----------
    class_probability : ndarray of float, shape (3, z, y, x)
        Probability of boundary, interior, background.
    minima_depth, background_threshold : float, optional
        In place of those of the settings.
    settings, orientations, measured
        See `segment_grains_with_report`.

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
    >>> tiny = SegmentationSettings(
    ...     minimum_voxels=1, merge_evidence="score", merge_size_weight=0)
    >>> segment_grains(probability, 0.05, 0.5, settings=tiny).tolist()
    [[[1, 1, 1, 2, 2, 0]]]
    """
    changes = {"minima_depth": minima_depth, "background_threshold": background_threshold}
    given = {name: value for name, value in changes.items() if value is not None}
    if given:
        settings = SegmentationSettings.checked(**{**dict(settings), **given})
    return segment_grains_with_report(
        class_probability, settings=settings, orientations=orientations, measured=measured
    )[0]


def segment_grains_with_report(
    class_probability: NDArray[np.floating],
    *,
    settings: SegmentationSettings = DEFAULTS,
    orientations: OrientationField | NDArray[np.floating] | None = None,
    measured: NDArray[np.bool_] | None = None,
    basins: Labels | None = None,
) -> tuple[Labels, SegmentationReport]:
    """Split the particle into grains, and report what was merged and removed.

    Parameters
    ----------
    class_probability : ndarray of float, shape (3, z, y, x)
        Probability of boundary, interior, background.
    settings : SegmentationSettings
        `passes` lists the steps. In `merge_mode` "combined" grains are merged by the boundary
        alone where no point has an orientation, with a warning. Where a value is "auto" a
        depth of 0.005 and a boundary score of 0.475 are taken, with a warning, since only
        annotated slices can choose: see `choose_settings`.
    orientations : OrientationField or ndarray, optional
        Arrays as `as_orientation_field` takes them, of the Laue group of the settings.
    measured : ndarray of bool, shape (z, y, x), optional
        False where there is no measurement: such voxels are no grain.
    basins : ndarray of int32, shape (z, y, x), optional
        Result of `flood_from_minima` on the boundary probability, where it is at hand.

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
        If a pass is unknown, or the mode needs orientations and there are none.
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
    shape = probability.shape[1:]
    for name, volume in (("measured voxels", measured), ("basins", basins)):
        if volume is not None and volume.shape != shape:
            raise InputError(
                f"{name} and class probabilities do not fit each other",
                found=f"shapes {volume.shape} and {probability.shape}",
            )
    settings, field, warnings = usable_settings(settings, orientations, shape)
    pseudo = False
    operators: tuple[Operator, ...] = ()
    if field is not None:
        particle = probability[BACKGROUND_CHANNEL] <= settings.background_threshold
        pseudo = uses_pseudo_symmetry(settings.pseudo_symmetry, particle, field)
        if pseudo:
            operators, field = field.operators, variants_as_one(field)
    state = SegmentationState(
        labels=np.zeros(shape, np.int32) if basins is None else basins,
        class_probability=probability,
        orientations=field,
        linked=None if field is None else link_points(field, settings=settings),
        measured=measured,
    )
    reports: list[tuple[str, JsonResult]] = []
    for name in settings.passes:
        state, report = find_pass(name)(state, settings)
        reports.append((name, report))
    summary = _summarize(state.labels, settings, reports, warnings)
    return state.labels, summary.model_copy(
        update={"pseudo_symmetry": pseudo, "pseudo_symmetry_operators": operators}
    )


def usable_settings(
    settings: SegmentationSettings,
    orientations: OrientationField | NDArray[np.floating] | None,
    shape: tuple[int, ...],
) -> tuple[SegmentationSettings, OrientationField | None, tuple[str, ...]]:
    """Settings without "auto", orientations where they take part, and what to warn of."""
    warnings = []
    if "auto" in (settings.minima_depth, settings.merge_boundary):
        settings = settings.with_choice(UNCHOSEN_DEPTH, UNCHOSEN_BOUNDARY)
        warnings.append(
            f"no annotated slice has chosen the depth of minima ({settings.minima_depth}) or the "
            f"boundary score ({settings.merge_boundary})"
        )
    field = None
    if orientations is not None:
        field = as_orientation_field(orientations, settings.laue_group, shape)
        field = field if field.known.any() else None
    if field is None and settings.merge_mode == "combined":
        settings = settings.replace(merge_mode="iq")
        warnings.append(
            "no point has an orientation: regions are merged by the boundary alone (iq)"
        )
    used = settings.merge_mode in ("orientation", "combined")
    return settings, field if used else None, tuple(warnings)


def _checked_probability(class_probability: NDArray[np.floating]) -> NDArray[np.floating]:
    array = np.asarray(class_probability)
    if array.ndim != 4 or len(array) != 3 or array.size == 0:
        raise InputError(
            "the class probabilities have the wrong shape",
            found=str(array.shape),
            expected=f"(3, z, y, x): {', '.join(CHANNEL_NAMES)}",
        )
    for channel, name in enumerate(CHANNEL_NAMES):
        bad = int((~np.isfinite(array[channel])).sum())
        if bad:
            raise InputError(
                f"the {name} probability is not finite everywhere",
                found=f"{bad} voxels that are not",
                remedy="check the network and the contrast it was applied to",
            )
    return array


def _summarize(
    labels: Labels,
    settings: SegmentationSettings,
    reports: Sequence[tuple[str, JsonResult]],
    warnings: tuple[str, ...],
) -> SegmentationReport:
    """One report of all passes."""
    basins = cut = placed = moved = joined = 0
    merging: MergeReport | None = None
    cleanup: CleanupReport | None = None
    for _, report in reports:
        match report:
            case FloodReport():
                basins = report.basins
            case CutReport():
                cut += report.regions_cut
            case PlacementReport():
                placed += report.voxels_placed
            case RefinementReport():
                moved += report.voxels_moved
            case JoinReport():
                joined += report.joined_count
            case MergeReport():
                merging = report if merging is None else merging.followed_by(report)
            case CleanupReport():
                cleanup = report if cleanup is None else cleanup.followed_by(report)
    if cleanup is not None and joined:
        cleanup = cleanup.model_copy(update={"grains": cleanup.grains - joined})
    warnings = (*warnings, *check_grains(labels))
    sizes = label_sizes(labels)[1:]
    return SegmentationReport(
        minima_depth=settings.number("minima_depth"),
        background_threshold=settings.background_threshold,
        basins=basins,
        basins_cut_by_orientation=cut,
        merging=merging,
        interface_voxels_placed=placed,
        interface_voxels_moved=moved,
        joined_count=joined,
        cleanup=cleanup,
        largest_share=float(sizes.max() / sizes.sum()),
        grains_cut_by_window=count_cut_by_window(labels),
        warnings=warnings,
        passes=tuple(reports),
    )
