"""How well a segmentation agrees with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, sparse
from skimage import metrics
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.labelling import facing

IOU_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


class MatchScores(TypedDict):
    """Grains found with enough overlap, see `matched_grain_scores`."""

    precision: float
    recall: float
    f1: float
    matched: int
    found: int
    true: int


class PairScores(TypedDict):
    """Adapted Rand error, and precision and recall of pairs of voxels."""

    adapted_rand_error: float
    adapted_rand_precision: float
    adapted_rand_recall: float


class BoundaryDistances(TypedDict):
    """Distances between found and true boundaries, see `boundary_distances`."""

    boundary_distance_mean: float | None
    boundary_distance_p95: float | None


class LabelScores(PairScores, BoundaryDistances):
    """A segmentation beside the truth, see `score_labels`."""

    variation_of_information: float
    variation_of_information_split: float
    variation_of_information_merge: float
    matched: MatchScores
    f1_by_iou: dict[str, float]
    count_error: float


class VariationOfInformation(NamedTuple):
    """Both parts of the variation of information, in bits.

    Attributes
    ----------
    split : float
        H(labels | truth): grows when true grains are cut into pieces.
    merge : float
        H(truth | labels): grows when true grains are united.
    """

    split: float
    merge: float

    @property
    def total(self) -> float:
        """Sum of both parts, a metric on segmentations."""
        return self.split + self.merge


@dataclass(frozen=True)
class Overlaps:
    """Voxels shared by each found label (row) and true label (column)."""

    found: NDArray[np.int64]
    true: NDArray[np.int64]
    shared: NDArray[np.float64]
    found_ids: NDArray[Any]
    true_ids: NDArray[Any]

    def without_true_zero(self) -> Overlaps:
        """Overlaps inside true grains."""
        inside = self.true_ids[self.true] != 0
        return Overlaps(
            self.found[inside], self.true[inside], self.shared[inside],
            self.found_ids, self.true_ids,
        )  # fmt: skip

    def found_sizes(self) -> NDArray[np.float64]:
        """Voxels of each found label."""
        return np.bincount(self.found, self.shared, len(self.found_ids)).astype(np.float64)

    def true_sizes(self) -> NDArray[np.float64]:
        """Voxels of each true label."""
        return np.bincount(self.true, self.shared, len(self.true_ids)).astype(np.float64)


def overlaps_of(labels: NDArray[Any], truth: NDArray[Any]) -> Overlaps:
    """Count the voxels that each pair of labels shares."""
    one, other = np.asarray(labels), np.asarray(truth)
    if one.shape != other.shape or one.size == 0:
        raise InputError(
            "labels and truth cannot be compared", found=f"shapes {one.shape} and {other.shape}"
        )
    for array in (one, other):
        if array.dtype.kind not in "iu":
            raise InputError("labels are not integers", found=str(array.dtype))
    found, found_ids = pd.factorize(one.ravel())
    true, true_ids = pd.factorize(other.ravel())
    key = found.astype(np.int64) * len(true_ids) + true
    pairs, counts = np.unique(key, return_counts=True)
    return Overlaps(
        pairs // len(true_ids), pairs % len(true_ids), counts.astype(np.float64),
        np.asarray(found_ids), np.asarray(true_ids),
    )  # fmt: skip


def overlaps_inside_truth(labels: NDArray[Any], truth: NDArray[Any]) -> Overlaps:
    """Overlaps without voxels whose truth is 0; there must be others."""
    overlaps = overlaps_of(labels, truth).without_true_zero()
    if len(overlaps.shared) == 0:
        raise InputError("the truth holds no grain, so that there is nothing to compare with")
    return overlaps


def adapted_rand_error(labels: NDArray[Any], truth: NDArray[Any]) -> float:
    r"""One minus the F-score of pairs of voxels that belong together.

    Parameters
    ----------
    labels, truth : ndarray of int, equal shapes
        Any ids. Voxels whose truth is 0 do not count; label 0 inside a true grain
        counts as one region.

    Returns
    -------
    float
        0 for equal partitions, towards 1 as they part.

    Raises
    ------
    InputError
        If shapes differ, or the truth holds no grain.

    Notes
    -----
    With n_ij voxels of label i in true grain j, and A, B the sums of squares of the
    marginals less the number of voxels n,

    .. math:: 1 - \frac{2 (\sum n_{ij}^2 - n)}{A + B}.

    References
    ----------
    .. [1] I. Arganda-Carreras et al., Front. Neuroanat. 9 (2015) 142.

    Examples
    --------
    >>> adapted_rand_error(np.array([7, 7, 3, 3]), np.array([1, 1, 2, 2]))
    0.0
    """
    return pair_scores(overlaps_inside_truth(labels, truth))["adapted_rand_error"]


def pair_scores(overlaps: Overlaps) -> PairScores:
    """Adapted Rand error with its precision and recall."""
    shape = len(overlaps.found_ids), len(overlaps.true_ids)
    table = sparse.csr_array((overlaps.shared, (overlaps.found, overlaps.true)), shape=shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = metrics.adapted_rand_error(table=table)  # type: ignore[no-untyped-call]
    # Without any pair, all grains of one voxel, both partitions agree.
    error, precision, recall = np.where(np.isfinite(scores), scores, (0.0, 1.0, 1.0)).tolist()
    return {
        "adapted_rand_error": error,
        "adapted_rand_precision": precision,
        "adapted_rand_recall": recall,
    }


def variation_of_information(labels: NDArray[Any], truth: NDArray[Any]) -> VariationOfInformation:
    """Information lost and gained from the true to the found partition.

    Parameters
    ----------
    labels, truth : ndarray of int, equal shapes
        Any ids. Voxels whose truth is 0 do not count; label 0 inside a true grain
        counts as one region.

    Returns
    -------
    VariationOfInformation
        `split` and `merge` in bits, and their `total`.

    Raises
    ------
    InputError
        If shapes differ, or the truth holds no grain.

    References
    ----------
    .. [1] M. Meila, J. Multivariate Anal. 98 (2007) 873.

    Examples
    --------
    >>> variation_of_information(np.array([1, 1, 2, 2]), np.array([5, 5, 5, 5]))
    VariationOfInformation(split=1.0, merge=0.0)
    """
    return information_of(overlaps_inside_truth(labels, truth))


def information_of(overlaps: Overlaps) -> VariationOfInformation:
    """Both conditional entropies in bits."""
    shared, voxels = overlaps.shared, overlaps.shared.sum()
    of_true = shared / overlaps.true_sizes()[overlaps.true]
    of_found = shared / overlaps.found_sizes()[overlaps.found]
    split, merge = (
        abs(float(-(shared * np.log2(part)).sum() / voxels)) for part in (of_true, of_found)
    )
    return VariationOfInformation(split, merge)


def matched_grain_scores(
    labels: NDArray[Any], truth: NDArray[Any], iou_threshold: float = 0.5
) -> MatchScores:
    """Count grains found with enough overlap.

    Parameters
    ----------
    labels, truth : ndarray of int, equal shapes
        Any ids, 0 is no grain.
    iou_threshold : float
        A found and a true grain match when their intersection over union exceeds it;
        from 0.5, where a match is unique.

    Returns
    -------
    dict
        `precision` (matched / found), `recall` (matched / true), `f1`, `matched`,
        `found`, `true`. Every grain counts, however small. With no grain found or
        none true the undefined ratio is 0.

    Raises
    ------
    InputError
        If shapes differ.
    SettingsError
        If the threshold is below 0.5 or not below 1.

    Examples
    --------
    >>> matched_grain_scores(np.array([9, 9, 9, 4]), np.array([1, 1, 1, 0]))["precision"]
    0.5
    """
    if not 0.5 <= iou_threshold < 1:
        raise SettingsError(
            "the overlap that makes two grains match is out of range",
            found=str(iou_threshold),
            expected="0.5 or more, where matches are unique, and less than 1",
        )
    return _matches(overlaps_of(labels, truth), iou_threshold)


def _matches(overlaps: Overlaps, threshold: float) -> MatchScores:
    union = (
        overlaps.found_sizes()[overlaps.found]
        + overlaps.true_sizes()[overlaps.true]
        - overlaps.shared
    )
    grains = (overlaps.found_ids[overlaps.found] != 0) & (overlaps.true_ids[overlaps.true] != 0)
    matched = int((grains & (overlaps.shared > threshold * union)).sum())
    found = int((overlaps.found_ids != 0).sum())
    true = int((overlaps.true_ids != 0).sum())
    return {
        "precision": matched / found if found else 0.0,
        "recall": matched / true if true else 0.0,
        "f1": 2 * matched / (found + true) if found + true else 0.0,
        "matched": matched,
        "found": found,
        "true": true,
    }


def boundary_distances(
    labels: NDArray[Any],
    truth: NDArray[Any],
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> BoundaryDistances:
    """Distances between found and true grain boundaries.

    Parameters
    ----------
    labels, truth : ndarray of int, shape (z, y, x)
    spacing : (float, float, float)
        Distance of voxel centres (dz, dy, dx), in nm.

    Returns
    -------
    dict
        `boundary_distance_mean` and `boundary_distance_p95` in the unit of the spacing,
        over the boundary voxels of both, each to the nearest one of the other. None
        where one of them has no boundary.

    Notes
    -----
    Boundary voxels are those with a neighbour of another label over a face, so that a
    boundary is two voxels thick and a shift by one voxel costs about half a voxel.
    """
    found, true = touching_another(np.asarray(labels)), touching_another(np.asarray(truth))
    if not (found.any() and true.any()):
        return {"boundary_distance_mean": None, "boundary_distance_p95": None}
    to_true = ndimage.distance_transform_edt(~true, sampling=spacing)[found]
    to_found = ndimage.distance_transform_edt(~found, sampling=spacing)[true]
    both = np.concatenate([to_true, to_found])
    return {
        "boundary_distance_mean": float(both.mean()),
        "boundary_distance_p95": float(np.quantile(both, 0.95)),
    }


def touching_another(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxels that share a face with a voxel of another label."""
    touching = np.zeros(labels.shape, bool)
    for low, high in facing(labels.ndim):
        apart = labels[low] != labels[high]
        touching[low] |= apart
        touching[high] |= apart
    return touching


def score_labels(
    labels: NDArray[Any],
    truth: NDArray[Any],
    spacing: tuple[float, float, float] | None = None,
) -> LabelScores:
    """Compare a segmentation with the truth in every way this module knows.

    Parameters
    ----------
    labels, truth : ndarray of int, shape (z, y, x)
        Any ids, 0 is no grain.
    spacing : (float, float, float), optional
        Distance of voxel centres (dz, dy, dx) in nm; given, the distances of boundaries
        are measured too, in nm.

    Returns
    -------
    dict
        `adapted_rand_error`, `adapted_rand_precision`, `adapted_rand_recall`,
        `variation_of_information`, `variation_of_information_split`,
        `variation_of_information_merge` (bits), `matched` (scores at intersection over
        union 0.5), `f1_by_iou` (threshold to F1), `count_error` (relative), and
        `boundary_distance_mean`, `boundary_distance_p95` (None without spacing).

    Raises
    ------
    InputError
        If shapes differ, or the truth holds no grain.
    """
    overlaps = overlaps_of(labels, truth)
    inside = overlaps_inside_truth(labels, truth)
    information = information_of(inside)
    matched = _matches(overlaps, IOU_THRESHOLDS[0])
    unmeasured: BoundaryDistances = {"boundary_distance_mean": None, "boundary_distance_p95": None}
    return {
        **pair_scores(inside),
        "variation_of_information": information.total,
        "variation_of_information_split": information.split,
        "variation_of_information_merge": information.merge,
        "matched": matched,
        "f1_by_iou": {str(level): _matches(overlaps, level)["f1"] for level in IOU_THRESHOLDS},
        "count_error": matched["found"] / matched["true"] - 1,
        **(boundary_distances(labels, truth, spacing) if spacing is not None else unmeasured),
    }


def equal_up_to_relabelling(labels: NDArray[Any], others: NDArray[Any]) -> bool:
    """Say whether two label volumes hold the same grains under whatever names.

    Parameters
    ----------
    labels, others : ndarray of int, equal shapes
        Any ids; 0 is no grain in both.

    Returns
    -------
    bool
        True where each label of the one covers exactly a label of the other.

    Raises
    ------
    InputError
        If shapes differ or labels are not integers.

    Examples
    --------
    >>> equal_up_to_relabelling(np.array([4, 4, 0, 2]), np.array([1, 1, 0, 7]))
    True
    >>> equal_up_to_relabelling(np.array([4, 4, 0, 2]), np.array([1, 1, 7, 0]))
    False
    """
    overlaps = overlaps_of(labels, others)
    one_to_one = len(overlaps.shared) == len(overlaps.found_ids) == len(overlaps.true_ids)
    zero = (overlaps.found_ids[overlaps.found] == 0) == (overlaps.true_ids[overlaps.true] == 0)
    return bool(one_to_one and zero.all())
