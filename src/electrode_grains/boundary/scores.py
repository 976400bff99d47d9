"""How well predicted class probabilities agree with annotated slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from electrode_grains.boundary.windows import checked_annotation
from electrode_grains.classes import BOUNDARY, BOUNDARY_CHANNEL, CHANNELS
from electrode_grains.errors import InputError, SettingsError

_RELIABILITY_BINS = 10
_SMALLEST_PROBABILITY = 1e-12  # a certain and wrong voxel costs 28 nats, not infinity


@dataclass(frozen=True)
class Reliability:
    """How often voxels are boundary, over the predicted probability.

    Attributes
    ----------
    predicted, observed : tuple of float
        Mean predicted probability and share of boundary voxels in each bin that holds a voxel.
    count : tuple of int
        Voxels of each of these bins.
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    count: tuple[int, ...]

    @property
    def calibration_error(self) -> float:
        """Mean distance of predicted and observed frequency, weighted by voxels."""
        return float(
            np.average(np.abs(np.subtract(self.predicted, self.observed)), weights=self.count)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Value from what `to_dict` returned."""
        return cls(**{name: tuple(values) for name, values in content.items()})


@dataclass(frozen=True)
class BoundaryScores:
    """Agreement of predicted probabilities with annotated voxels; None where undefined.

    Attributes
    ----------
    annotated_voxels : int
        Voxels that count.
    boundary_precision, boundary_recall, boundary_f1 : float, optional
        Of the voxels whose most probable class is boundary.
    dice_boundary, dice_interior, dice_background : float, optional
        Overlap of predicted and annotated voxels of each class.
    accuracy : float
        Share of voxels whose most probable class is the annotated one.
    brier_score : float
        Mean of the squared distance of probabilities from the truth, 0 to 2.
    log_loss : float
        Nats per voxel.
    calibration_error : float
        Of `reliability`.
    reliability : Reliability
        Of the probability of boundary.
    tolerance : int
        Voxels by which a boundary may be off.
    """

    annotated_voxels: int
    boundary_precision: float | None
    boundary_recall: float | None
    boundary_f1: float | None
    dice_boundary: float | None
    dice_interior: float | None
    dice_background: float | None
    accuracy: float
    brier_score: float
    log_loss: float
    calibration_error: float
    reliability: Reliability
    tolerance: int

    def numbers(self) -> dict[str, float | None]:
        """All scores that are a single number, by name."""
        values = asdict(self)
        del values["reliability"]
        return values

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Value from what `to_dict` returned."""
        values = dict(content)
        return cls(reliability=Reliability.from_dict(values.pop("reliability")), **values)


@dataclass(frozen=True)
class HeldOutScores:
    """Scores on the held-out slices of a training; None where none was held out."""

    scores: BoundaryScores | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name; empty where no slice was held out."""
        return {} if self.scores is None else self.scores.to_dict()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Value from what `to_dict` returned."""
        return cls(BoundaryScores.from_dict(content) if content else None)


def boundary_scores(
    probability: NDArray[np.floating], annotation: NDArray[np.integer], tolerance: int = 0
) -> BoundaryScores:
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
        boundary may be off and still count as correct.

    Returns
    -------
    BoundaryScores
        Over all annotated voxels.

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
    >>> scores.boundary_f1, scores.brier_score, scores.annotated_voxels
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
    probabilities = probability[:, annotated].astype(np.float64)
    predicted = probabilities.argmax(axis=0)
    truth = np.eye(len(CHANNELS))[classes].T
    of_true_class = np.take_along_axis(probabilities, classes[None], axis=0)[0]
    reliability = _reliability(probabilities[BOUNDARY_CHANNEL], classes == BOUNDARY_CHANNEL)
    precision, recall, f1 = _boundary_agreement(probability, annotation, tolerance)
    boundary, interior, background = (
        _dice(predicted == channel, classes == channel) for channel in range(len(CHANNELS))
    )
    return BoundaryScores(
        annotated_voxels=int(annotated.sum()),
        boundary_precision=precision,
        boundary_recall=recall,
        boundary_f1=f1,
        dice_boundary=boundary,
        dice_interior=interior,
        dice_background=background,
        accuracy=float((predicted == classes).mean()),
        brier_score=float(((probabilities - truth) ** 2).sum(axis=0).mean()),
        log_loss=float(-np.log(np.maximum(of_true_class, _SMALLEST_PROBABILITY)).mean()),
        calibration_error=reliability.calibration_error,
        reliability=reliability,
        tolerance=int(tolerance),
    )


def _boundary_agreement(
    probability: NDArray[np.floating], annotation: NDArray[np.uint8], tolerance: int
) -> tuple[float | None, float | None, float | None]:
    """Precision, recall and their harmonic mean."""
    predicted = (probability.argmax(axis=0) == BOUNDARY_CHANNEL) & (annotation > 0)
    true = annotation == BOUNDARY
    precision = _ratio((predicted & _thicken(true, tolerance)).sum(), predicted.sum())
    recall = _ratio((true & _thicken(predicted, tolerance)).sum(), true.sum())
    if not true.any():
        return precision, recall, None
    if not precision or not recall:
        return precision, recall, 0.0
    return precision, recall, 2 * precision * recall / (precision + recall)


def _thicken(lines: NDArray[np.bool_], tolerance: int) -> NDArray[np.bool_]:
    """Dilate within each slice only: annotators draw slices."""
    if tolerance == 0:
        return lines
    side = 2 * tolerance + 1
    thick: NDArray[np.bool_] = binary_dilation(lines, np.ones((1, side, side), dtype=bool))
    return thick


def _reliability(probability: NDArray[np.float64], happened: NDArray[np.bool_]) -> Reliability:
    return _binned(probability, happened, np.ones(len(probability)))


def pool_reliability(curves: Sequence[Reliability]) -> Reliability:
    """Join reliability curves of several slices into that of all their voxels.

    Parameters
    ----------
    curves : sequence of Reliability
        Each of the scores of a slice.

    Returns
    -------
    Reliability
        Over the bins that hold a voxel.

    Examples
    --------
    >>> one = Reliability((0.125,), (0.0,), (10,))
    >>> two = Reliability((0.1875, 0.95), (0.5, 1.0), (30, 5))
    >>> pool_reliability([one, two])
    Reliability(predicted=(0.171875, 0.95), observed=(0.375, 1.0), count=(40, 5))
    """
    predicted, observed, count = (
        np.concatenate([np.asarray(getattr(curve, name), dtype=float) for curve in curves])
        for name in ("predicted", "observed", "count")
    )
    return _binned(predicted, observed, count)


def _binned(
    predicted: NDArray[np.float64], observed: NDArray[Any], count: NDArray[np.float64]
) -> Reliability:
    """Weighted means over ten bins of the probability, without the empty ones."""
    bins = np.minimum((predicted * _RELIABILITY_BINS).astype(np.int64), _RELIABILITY_BINS - 1)
    voxels = np.bincount(bins, count, _RELIABILITY_BINS)
    filled = voxels > 0

    def mean(values: NDArray[Any]) -> tuple[float, ...]:
        total = np.bincount(bins, values * count, _RELIABILITY_BINS)
        return tuple((total[filled] / voxels[filled]).tolist())

    return Reliability(
        mean(predicted), mean(observed), tuple(voxels[filled].astype(np.int64).tolist())
    )


def _dice(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float | None:
    return _ratio(2 * (predicted & true).sum(), predicted.sum() + true.sum())


def _ratio(part: np.integer, whole: np.integer) -> float | None:
    return float(part / whole) if whole else None


def _as_volumes(
    probability: NDArray[np.floating], annotation: NDArray[np.integer]
) -> tuple[NDArray[np.floating], NDArray[np.uint8]]:
    volume = np.asarray(probability)
    if volume.ndim not in (3, 4) or volume.shape[0] != len(CHANNELS):
        raise InputError(
            "class probabilities have the wrong shape",
            found=str(volume.shape),
            expected="(3, y, x) or (3, z, y, x): boundary, interior, background",
        )
    classes = checked_annotation(annotation, volume.shape[1:])
    if volume.ndim == 3:
        return volume[:, None], classes[None]
    return volume, classes
