"""How well predicted class probabilities agree with annotated slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from electrode_grains.boundary.network import CLASS_NAMES
from electrode_grains.boundary.windows import checked_annotation
from electrode_grains.classes import BOUNDARY, BOUNDARY_CHANNEL
from electrode_grains.errors import InputError, SettingsError

_RELIABILITY_BINS = 10
_SMALLEST_PROBABILITY = 1e-12  # a certain and wrong voxel costs 28 nats, not infinity


def boundary_scores(
    probability: NDArray[np.floating], annotation: NDArray[np.integer], tolerance: int = 0
) -> dict[str, Any]:
    r"""Compare predicted probabilities with annotated classes.

    Parameters
    ----------
    probability : NDArray of float, shape (3, y, x) or (3, z, y, x)
        Boundary, interior, background.
    annotation : NDArray of int, shape (y, x) or (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background. Voxels that are
        not annotated count nowhere.
    tolerance : int
        Voxels within the slice (y, x), diagonal steps included, by which a
        boundary may be off and still count as found.

    Returns
    -------
    dict
        `annotated_voxels`, `boundary_precision`, `boundary_recall`, `boundary_f1`,
        `dice_boundary`, `dice_interior`, `dice_background`, `accuracy`,
        `brier_score`, `log_loss` (nats), `calibration_error`, `tolerance`, and
        `reliability` with lists `predicted`, `observed`, `count` over ten bins of
        the boundary probability (empty bins left out). None where undefined.

    Raises
    ------
    InputError
        If shapes or classes are wrong or nothing is annotated.
    SettingsError
        If the tolerance is negative.

    Notes
    -----
    The predicted class is the most probable one. The Brier score is the mean of
    :math:`\sum_k (p_k - y_k)^2`, from 0 to 2. The calibration error is the mean
    distance of predicted and observed boundary frequency over the bins, weighted
    by their voxels.

    Examples
    --------
    >>> truth = np.array([[1, 2, 3, 0]])
    >>> perfect = np.stack([truth == channel for channel in (1, 2, 3)]).astype(float)
    >>> scores = boundary_scores(perfect, truth)
    >>> scores["boundary_f1"], scores["brier_score"], scores["annotated_voxels"]
    (1.0, 0.0, 3)
    """
    probability, annotation = _as_volumes(probability, annotation)
    if tolerance < 0:
        raise SettingsError(
            "the tolerance of a boundary is negative", found=str(tolerance), expected="0 or more"
        )
    annotated = annotation > 0
    if not annotated.any():
        raise InputError("nothing is annotated, so that there is nothing to compare with")
    classes = annotation[annotated].astype(np.int64) - 1
    chances = probability[:, annotated].astype(np.float64)
    predicted = chances.argmax(axis=0)
    truth = np.eye(len(CLASS_NAMES))[classes].T
    of_true_class = np.take_along_axis(chances, classes[None], axis=0)[0]
    reliability = _reliability(chances[BOUNDARY_CHANNEL], classes == BOUNDARY_CHANNEL)
    return {
        "annotated_voxels": int(annotated.sum()),
        **_boundary_agreement(probability, annotation, tolerance),
        **{
            f"dice_{name}": _dice(predicted == channel, classes == channel)
            for channel, name in enumerate(CLASS_NAMES)
        },
        "accuracy": float((predicted == classes).mean()),
        "brier_score": float(((chances - truth) ** 2).sum(axis=0).mean()),
        "log_loss": float(-np.log(np.maximum(of_true_class, _SMALLEST_PROBABILITY)).mean()),
        "calibration_error": _calibration_error(reliability),
        "reliability": reliability,
        "tolerance": int(tolerance),
    }


def _boundary_agreement(
    probability: NDArray[np.floating], annotation: NDArray[np.uint8], tolerance: int
) -> dict[str, float | None]:
    annotated = annotation > 0
    predicted = (probability.argmax(axis=0) == BOUNDARY_CHANNEL) & annotated
    true = annotation == BOUNDARY
    hits = predicted & _thicken(true, tolerance)
    found = true & _thicken(predicted, tolerance)
    precision = _ratio(hits.sum(), predicted.sum())
    recall = _ratio(found.sum(), true.sum())
    if not true.any():
        f1 = None
    elif not precision or not recall:
        f1 = 0.0
    else:
        f1 = 2 * precision * recall / (precision + recall)
    return {"boundary_precision": precision, "boundary_recall": recall, "boundary_f1": f1}


def _thicken(lines: NDArray[np.bool_], tolerance: int) -> NDArray[np.bool_]:
    """Dilate within each slice only: annotators draw slices."""
    if tolerance == 0:
        return lines
    side = 2 * tolerance + 1
    thick: NDArray[np.bool_] = binary_dilation(lines, np.ones((1, side, side), dtype=bool))
    return thick


def _reliability(chance: NDArray[np.float64], happened: NDArray[np.bool_]) -> dict[str, list[Any]]:
    bins = np.minimum((chance * _RELIABILITY_BINS).astype(np.int64), _RELIABILITY_BINS - 1)
    count = np.bincount(bins, minlength=_RELIABILITY_BINS)
    filled = count > 0
    predicted = np.bincount(bins, chance, _RELIABILITY_BINS)[filled] / count[filled]
    observed = np.bincount(bins, happened, _RELIABILITY_BINS)[filled] / count[filled]
    return {
        "predicted": predicted.tolist(),
        "observed": observed.tolist(),
        "count": count[filled].tolist(),
    }


def pool_reliability(curves: Sequence[Mapping[str, Sequence[Any]]]) -> dict[str, list[Any]]:
    """Join reliability curves of several slices into that of all their voxels.

    Parameters
    ----------
    curves : sequence of mapping
        Each the `reliability` of `boundary_scores`.

    Returns
    -------
    dict
        Lists `predicted`, `observed`, `count` over the bins that hold a voxel.

    Examples
    --------
    >>> one = {"predicted": [0.125], "observed": [0.0], "count": [10]}
    >>> two = {"predicted": [0.1875, 0.95], "observed": [0.5, 1.0], "count": [30, 5]}
    >>> pool_reliability([one, two])
    {'predicted': [0.171875, 0.95], 'observed': [0.375, 1.0], 'count': [40, 5]}
    """
    names = ("predicted", "observed", "count")
    predicted, observed, count = (
        np.concatenate([np.asarray(curve[name], dtype=float) for curve in curves]) for name in names
    )
    bins = np.minimum((predicted * _RELIABILITY_BINS).astype(np.int64), _RELIABILITY_BINS - 1)
    voxels = np.bincount(bins, count, _RELIABILITY_BINS)
    filled = voxels > 0
    return {
        "predicted": (np.bincount(bins, predicted * count, _RELIABILITY_BINS) / voxels.clip(1))[
            filled
        ].tolist(),
        "observed": (np.bincount(bins, observed * count, _RELIABILITY_BINS) / voxels.clip(1))[
            filled
        ].tolist(),
        "count": voxels[filled].astype(np.int64).tolist(),
    }


def _calibration_error(reliability: dict[str, list[Any]]) -> float:
    distance = np.abs(np.subtract(reliability["predicted"], reliability["observed"]))
    return float(np.average(distance, weights=reliability["count"]))


def _dice(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float | None:
    return _ratio(2 * (predicted & true).sum(), predicted.sum() + true.sum())


def _ratio(part: np.integer, whole: np.integer) -> float | None:
    return float(part / whole) if whole else None


def _as_volumes(
    probability: NDArray[np.floating], annotation: NDArray[np.integer]
) -> tuple[NDArray[np.floating], NDArray[np.uint8]]:
    chances = np.asarray(probability)
    if chances.ndim not in (3, 4) or chances.shape[0] != len(CLASS_NAMES):
        raise InputError(
            "class probabilities have the wrong shape",
            found=str(chances.shape),
            expected="(3, y, x) or (3, z, y, x): boundary, interior, background",
        )
    classes = checked_annotation(annotation, chances.shape[1:])
    if chances.ndim == 3:
        return chances[:, None], classes[None]
    return chances, classes
