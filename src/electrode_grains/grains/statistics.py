"""Grain statistics beside those of the true grains, and all scores of a run."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from electrode_grains.descriptors import SCORED
from electrode_grains.grains.agreement import OrientationAgreement
from electrode_grains.grains.annotation_scores import AnnotationScores
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.scores import LabelScores

StatisticErrors = dict[str, dict[str, dict[str, float | None]]]


class TruthScores(LabelScores):
    """Scores against the truth, and errors of statistics by the kind of truth."""

    statistics: dict[str, StatisticErrors]


class SegmentationScores(JsonResult):
    """Scores of a segmentation.

    Attributes
    ----------
    grain_count : int
    annotation : AnnotationScores
        Against annotated slices.
    truth : TruthScores
        None where the truth is not known.
    orientations : OrientationAgreement
        Against the orientations of the points; None where there are none.
    """

    grain_count: int
    annotation: AnnotationScores
    truth: TruthScores | None = None
    orientations: OrientationAgreement | None = None


def compare_statistics(found: pd.DataFrame, true: pd.DataFrame) -> StatisticErrors:
    """Errors of grain statistics against those of the true grains.

    Parameters
    ----------
    found, true : DataFrame
        Grain tables of `morphometry.characterize_grains`; grains that the window cuts are
        left out of both.

    Returns
    -------
    dict
        `mean`, `std` of d, s, c, e and `correlation` of their pairs; each entry holds
        `found`, `true` and `error`: found less true, for means and standard deviations of
        d over the true value. None where undefined.

    Examples
    --------
    >>> table = pd.DataFrame({"equivalent_diameter_nm": [1.0, 2.0], "touches_window": False})
    >>> table[["sphericity", "convexity", "elongation"]] = 0.8
    >>> twice = table.assign(equivalent_diameter_nm=[2.0, 4.0])
    >>> compare_statistics(twice, table)["mean"]["equivalent_diameter_nm"]["error"]
    1.0
    """
    scored = [name for name in SCORED if name in found and name in true]
    tables = [table.loc[~table["touches_window"].astype(bool), scored] for table in (found, true)]
    errors: StatisticErrors = {}
    for statistic in ("mean", "std"):
        pair = [getattr(table, statistic)() for table in tables]
        errors[statistic] = {
            name: _error(pair[0][name], pair[1][name], relative=SCORED[name].length_power > 0)
            for name in scored
        }
    with np.errstate(invalid="ignore", divide="ignore"):
        matrices = [table.corr().to_numpy(float) for table in tables]
    errors["correlation"] = {
        f"{scored[i]}:{scored[j]}": _error(*(float(m[i, j]) for m in matrices))
        for i, j in combinations(range(len(scored)), 2)
    }
    return errors


def _error(found: float, true: float, *, relative: bool = False) -> dict[str, float | None]:
    error = (found - true) / true if relative and true else found - true
    values = {"found": found, "true": true, "error": error}
    return {k: float(v) if np.isfinite(v) else None for k, v in values.items()}
