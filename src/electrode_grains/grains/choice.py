"""Choose depth of minima and boundary score by annotated slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.classes import BOUNDARY_CHANNEL
from electrode_grains.errors import ComputationError
from electrode_grains.grains.annotation_scores import boundary_agreement
from electrode_grains.grains.grey_evidence import EvidenceComparison, GreyBoundaries
from electrode_grains.grains.labelling import Labels
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.segmentation import segment_grains_with_report
from electrode_grains.grains.settings import (
    BoundaryCandidates,
    DepthCandidates,
    SegmentationSettings,
)
from electrode_grains.grains.watershed import flood_from_minima

Preference = Literal["greatest", "middle", "smallest"]
CURVE_COLUMNS = (
    "grain_count", "boundary_precision", "boundary_recall", "boundary_f1", "interior_rand_error",
    "interior_information",
)  # fmt: skip


class SegmentationChoice(JsonResult):
    """The values that a run takes where settings say "auto", and what chose them.

    Attributes
    ----------
    minima_depth, merge_boundary : float
        What the run takes: the value set, or the best candidate.
    best : dict
        The best candidate of each.
    judged_by_slices : list of int
        Annotated slices that were compared with.
    merge_boundary_curve : dict
        Columns of the curve of `choose_boundary_threshold`.
    evidence : EvidenceComparison
        Grey values beside the network; None where nothing was compared.
    grey : GreyBoundaries
        What the run takes for boundaries in place of the network's probability, if anything.
    """

    minima_depth: float
    merge_boundary: float
    best: dict[str, float]
    judged_by_slices: list[int]
    merge_boundary_curve: dict[str, list[int | float | None]]
    evidence: EvidenceComparison | None = None
    grey: GreyBoundaries | None = None

    @property
    def information(self) -> float:
        """Least variation of information (bits) of all boundary scores compared."""
        column = self.merge_boundary_curve["interior_information"]
        return min(value for value in column if value is not None and not np.isnan(value))

    def warnings(self) -> tuple[str, ...]:
        """What a reader of the results must know."""
        if self.evidence is None:
            return ()
        taken = "grey values" if self.grey else "the network's probability"
        return tuple(f"{each}: this run took {taken}" for each in self.evidence.warnings())

    def applied_to(self, settings: SegmentationSettings) -> SegmentationSettings:
        """Settings with a number for each "auto".

        Grey values are no probability: what supposes one is left out.
        """
        chosen = settings.with_choice(self.minima_depth, self.merge_boundary)
        return without_probability(chosen) if self.grey else chosen


def without_probability(settings: SegmentationSettings) -> SegmentationSettings:
    """Settings for a landscape that is no probability of a boundary."""
    return settings.replace(merge_evidence="score", place_sweeps=0)


def choose_settings(
    class_probability: NDArray[np.floating],
    annotation: NDArray[np.integer],
    settings: SegmentationSettings,
    depths: DepthCandidates = DepthCandidates(),  # noqa: B008, frozen
    boundaries: BoundaryCandidates = BoundaryCandidates(),  # noqa: B008, frozen
    *,
    measured: NDArray[np.bool_] | None = None,
) -> tuple[SegmentationChoice, pd.DataFrame]:
    """Compare depths of minima and boundary scores on annotated slices.

    Parameters
    ----------
    class_probability : ndarray of float, shape (3, z, y, x)
        Best predicted by a network that has not seen the slices it is compared with.
    annotation : ndarray of int, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    settings : SegmentationSettings
        A value that is set is compared with the candidates, and stays.
    depths, boundaries : DepthCandidates, BoundaryCandidates
    measured : ndarray of bool, shape (z, y, x), optional
        See `segment_grains_with_report`.

    Returns
    -------
    choice : SegmentationChoice
    depth_curve : DataFrame
        See `choose_minima_depth`.

    Raises
    ------
    InputError
        If nothing is annotated or shapes do not fit.
    ComputationError
        If no candidate leaves a grain, or no interior is annotated.
    """
    middle = float(np.median(boundaries.candidates))
    meanwhile = settings.replace(merge_boundary=settings.with_choice(0.5, middle).merge_boundary)
    best_depth, depth_curve = choose_minima_depth(
        class_probability, annotation, meanwhile, depths, measured=measured
    )
    chosen = settings.replace(minima_depth=settings.with_choice(best_depth, 0.5).minima_depth)
    best_boundary, curve = choose_boundary_threshold(
        class_probability, annotation, chosen, boundaries, measured=measured
    )
    chosen = chosen.with_choice(best_depth, best_boundary)
    return SegmentationChoice(
        minima_depth=chosen.number("minima_depth"),
        merge_boundary=chosen.number("merge_boundary"),
        best={"minima_depth": best_depth, "merge_boundary": best_boundary},
        judged_by_slices=np.flatnonzero((annotation > 0).any(axis=(1, 2))).tolist(),
        merge_boundary_curve={str(name): column.tolist() for name, column in curve.items()},
    ), depth_curve


def choose_minima_depth(
    class_probability: NDArray[np.floating],
    annotation: NDArray[np.integer],
    settings: SegmentationSettings,
    depths: DepthCandidates = DepthCandidates(),  # noqa: B008, frozen
    *,
    measured: NDArray[np.bool_] | None = None,
) -> tuple[float, pd.DataFrame]:
    """Choose the depth of minima by agreement with annotated slices.

    Parameters
    ----------
    class_probability, annotation, measured
        As for `choose_settings`.
    settings : SegmentationSettings
        Orientations take no part, and interfaces stay where the flood puts them.
    depths : DepthCandidates
        Of those within `slack_bits` of the best the smallest is taken where regions are
        merged, since merging can mend a cut and not a union; the greatest in mode "none".

    Returns
    -------
    depth : float
        The best candidate.
    curve : DataFrame
        One row per candidate in increasing order: `minima_depth`, `grain_count`,
        `boundary_precision`, `boundary_recall`, `boundary_f1`, `interior_rand_error`,
        `interior_information`; NaN where no grain was left.

    Raises
    ------
    InputError, ComputationError
        As `choose_settings`.

    Notes
    -----
    The best has the least variation of information between the sections of grains and the
    annotated interiors. It sees a missing or surplus line by the area that the line joins or
    cuts; the boundary F1 sees it by its length, which is little.
    """
    compared = _without_orientations(settings)

    def segment(depth: float) -> Labels:
        tried = compared.replace(minima_depth=depth)
        return segment_grains_with_report(class_probability, settings=tried, measured=measured)[0]

    candidates = _candidates(depths.candidates, settings.minima_depth)
    curve = _compare(segment, "minima_depth", candidates, annotation)
    prefer: Preference = "greatest" if settings.merge_mode == "none" else "smallest"
    return _best(curve, depths.slack_bits, prefer), curve


def choose_boundary_threshold(
    class_probability: NDArray[np.floating],
    annotation: NDArray[np.integer],
    settings: SegmentationSettings,
    boundaries: BoundaryCandidates = BoundaryCandidates(),  # noqa: B008, frozen
    *,
    measured: NDArray[np.bool_] | None = None,
) -> tuple[float, pd.DataFrame]:
    """Choose the boundary score below which neighbours are one grain.

    Parameters
    ----------
    class_probability, annotation, measured
        As for `choose_settings`.
    settings : SegmentationSettings
        Its `minima_depth` is a number; all candidates share one flood.
    boundaries : BoundaryCandidates
        The middle of those around the best that are within `slack_bits` is taken.

    Returns
    -------
    threshold : float
        The best candidate.
    curve : DataFrame
        As of `choose_minima_depth`, with `merge_boundary` in the first column.

    Raises
    ------
    SettingsError, InputError, ComputationError
        As `choose_settings`; SettingsError where the depth is "auto".
    """
    compared = _without_orientations(settings)
    depth = settings.number("minima_depth")
    basins = flood_from_minima(np.asarray(class_probability)[BOUNDARY_CHANNEL], depth, measured)

    def segment(threshold: float) -> Labels:
        tried = compared.replace(merge_boundary=threshold)
        return segment_grains_with_report(class_probability, settings=tried, basins=basins)[0]

    candidates = _candidates(boundaries.candidates, settings.merge_boundary)
    curve = _compare(segment, "merge_boundary", candidates, annotation)
    return _best(curve, boundaries.slack_bits, "middle"), curve


def _without_orientations(settings: SegmentationSettings) -> SegmentationSettings:
    """For comparing: orientations have a threshold of their own, and placing decides nothing."""
    mode = "none" if settings.merge_mode == "none" else "iq"
    return settings.replace(merge_mode=mode, place_sweeps=0)


def _candidates(candidates: Sequence[float], value: float | Literal["auto"]) -> list[float]:
    """Candidates and the value that is set, in increasing order."""
    return sorted({*candidates, *([] if isinstance(value, str) else [value])})


def _compare(
    segment: Callable[[float], Labels],
    setting: str,
    candidates: Sequence[float],
    annotation: NDArray[np.integer],
) -> pd.DataFrame:
    """Agreement with the annotation for each value of a setting."""
    rows: list[dict[str, Any]] = []
    for value in candidates:
        try:
            labels = segment(value)
        except ComputationError:
            rows.append({setting: value, "grain_count": 0})
            continue
        agreement = boundary_agreement(labels, annotation)
        rows.append({setting: value, "grain_count": int(labels.max()), **agreement})
    return pd.DataFrame(rows).reindex(columns=[setting, *CURVE_COLUMNS])


def _best(curve: pd.DataFrame, slack: float, prefer: Preference) -> float:
    """Value of the first column with the least information, up to the slack."""
    setting = str(curve.columns[0])
    scored = np.array(curve["interior_information"], float)
    if np.isnan(scored).all():
        raise ComputationError(
            f"no {setting.replace('_', ' ')} can be chosen",
            found=f"{len(curve)} candidates, none with a score",
            expected="annotated interiors, and grains for at least one candidate",
            remedy="annotate more slices, or set the value yourself",
        )
    worse = np.nan_to_num(scored, nan=np.inf)
    best, equal = int(worse.argmin()), worse <= worse.min() + slack
    first, last = np.flatnonzero(equal)[[0, -1]]
    if prefer == "middle":
        unequal = np.flatnonzero(~equal)
        first = max((k + 1 for k in unequal if k < best), default=0)
        last = min((k - 1 for k in unequal if k > best), default=len(equal) - 1)
    chosen = {"greatest": last, "middle": (first + last) // 2, "smallest": first}[prefer]
    return float(curve[setting].iloc[chosen])
