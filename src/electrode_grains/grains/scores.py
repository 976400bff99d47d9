"""How well a segmentation agrees with the truth, or with annotated slices."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.classes import BOUNDARY, INTERIOR
from electrode_grains.descriptors import SCORED
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.labelling import connected_pieces, facing

IOU_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


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
class _Overlaps:
    """Voxels shared by each found label (row) and true label (column)."""

    found: NDArray[np.int64]
    true: NDArray[np.int64]
    shared: NDArray[np.float64]
    found_ids: NDArray[Any]
    true_ids: NDArray[Any]

    def without_true_zero(self) -> _Overlaps:
        inside = self.true_ids[self.true] != 0
        return _Overlaps(
            self.found[inside], self.true[inside], self.shared[inside],
            self.found_ids, self.true_ids,
        )  # fmt: skip

    def found_sizes(self) -> NDArray[np.float64]:
        return np.bincount(self.found, self.shared, len(self.found_ids)).astype(np.float64)

    def true_sizes(self) -> NDArray[np.float64]:
        return np.bincount(self.true, self.shared, len(self.true_ids)).astype(np.float64)


def _overlaps(labels: NDArray[Any], truth: NDArray[Any]) -> _Overlaps:
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
    return _Overlaps(
        pairs // len(true_ids), pairs % len(true_ids), counts.astype(np.float64),
        np.asarray(found_ids), np.asarray(true_ids),
    )  # fmt: skip


def _inside_truth(labels: NDArray[Any], truth: NDArray[Any]) -> _Overlaps:
    overlaps = _overlaps(labels, truth).without_true_zero()
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
    return _pair_scores(_inside_truth(labels, truth))["adapted_rand_error"]


def _pair_scores(overlaps: _Overlaps) -> dict[str, float]:
    voxels = overlaps.shared.sum()
    together = float((overlaps.shared**2).sum() - voxels)
    found = float((overlaps.found_sizes() ** 2).sum() - voxels)
    true = float((overlaps.true_sizes() ** 2).sum() - voxels)
    return {  # without any pair, all grains of one voxel, both partitions agree
        "adapted_rand_error": 1 - 2 * together / (found + true) if found + true else 0.0,
        "adapted_rand_precision": together / found if found else 1.0,
        "adapted_rand_recall": together / true if true else 1.0,
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
    return _information(_inside_truth(labels, truth))


def _information(overlaps: _Overlaps) -> VariationOfInformation:
    shared, voxels = overlaps.shared, overlaps.shared.sum()
    of_true = shared / overlaps.true_sizes()[overlaps.true]
    of_found = shared / overlaps.found_sizes()[overlaps.found]
    split, merge = (
        abs(float(-(shared * np.log2(part)).sum() / voxels)) for part in (of_true, of_found)
    )
    return VariationOfInformation(split, merge)


def matched_grain_scores(
    labels: NDArray[Any], truth: NDArray[Any], iou_threshold: float = 0.5
) -> dict[str, float | int]:
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
    return _matches(_overlaps(labels, truth), iou_threshold)


def _matches(overlaps: _Overlaps, threshold: float) -> dict[str, float | int]:
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
) -> dict[str, float | None]:
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
    found, true = _touching_another(np.asarray(labels)), _touching_another(np.asarray(truth))
    if not (found.any() and true.any()):
        return {"boundary_distance_mean": None, "boundary_distance_p95": None}
    to_true = ndimage.distance_transform_edt(~true, sampling=spacing)[found]
    to_found = ndimage.distance_transform_edt(~found, sampling=spacing)[true]
    both = np.concatenate([to_true, to_found])
    return {
        "boundary_distance_mean": float(both.mean()),
        "boundary_distance_p95": float(np.quantile(both, 0.95)),
    }


def _touching_another(labels: NDArray[Any]) -> NDArray[np.bool_]:
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
) -> dict[str, Any]:
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
        with spacing `boundary_distance_mean`, `boundary_distance_p95`.

    Raises
    ------
    InputError
        If shapes differ, or the truth holds no grain.
    """
    overlaps = _overlaps(labels, truth)
    inside = _inside_truth(labels, truth)
    information = _information(inside)
    matched = _matches(overlaps, IOU_THRESHOLDS[0])
    scores: dict[str, Any] = {
        **_pair_scores(inside),
        "variation_of_information": information.total,
        "variation_of_information_split": information.split,
        "variation_of_information_merge": information.merge,
        "matched": matched,
        "f1_by_iou": {str(level): _matches(overlaps, level)["f1"] for level in IOU_THRESHOLDS},
        "count_error": matched["found"] / matched["true"] - 1,
    }
    if spacing is not None:
        scores |= boundary_distances(labels, truth, spacing)
    return scores


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
    overlaps = _overlaps(labels, others)
    one_to_one = len(overlaps.shared) == len(overlaps.found_ids) == len(overlaps.true_ids)
    zero = (overlaps.found_ids[overlaps.found] == 0) == (overlaps.true_ids[overlaps.true] == 0)
    return bool(one_to_one and zero.all())


def compare_statistics(
    found: pd.DataFrame, true: pd.DataFrame
) -> dict[str, dict[str, dict[str, float | None]]]:
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
    errors: dict[str, dict[str, dict[str, float | None]]] = {}
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


def boundary_agreement(
    labels: NDArray[Any], annotation: NDArray[np.integer], tolerance: int = 1
) -> dict[str, float | int | None]:
    """Compare a segmentation with annotated slices, without any truth.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        0 is no grain.
    annotation : ndarray of int, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    tolerance : int
        Voxels within the slice by which a boundary may be off and still count.

    Returns
    -------
    dict
        `boundary_precision`, `boundary_recall`, `boundary_f1` of the lines that the
        segmentation draws in annotated voxels; `interior_rand_error` and
        `interior_information` (bits), which compare its sections with the connected
        annotated interiors; `annotated_slices`. None where undefined.

    Raises
    ------
    InputError
        If shapes differ or nothing is annotated.
    SettingsError
        If the tolerance is negative.

    Notes
    -----
    As a hand would draw them, boundaries are voxels of a grain beside another label within
    the slice. Interiors are told apart by being connected within the slice, sections of
    grains too, since a slice cannot say that two of its regions are one grain in space.

    Examples
    --------
    >>> slice_ = np.array([[[1, 1, 1, 2, 2, 2]]])
    >>> drawn = np.array([[[2, 2, 1, 1, 2, 2]]])
    >>> boundary_agreement(slice_, drawn, tolerance=0)["boundary_f1"]
    1.0
    """
    array, classes = np.asarray(labels), np.asarray(annotation)
    if array.shape != classes.shape or array.ndim != 3:
        raise InputError(
            "labels and annotation cannot be compared",
            found=f"shapes {array.shape} and {classes.shape}",
            expected="one shape (z, y, x)",
        )
    if tolerance < 0:
        raise SettingsError(
            "the tolerance of a boundary is negative", found=str(tolerance), expected="0 or more"
        )
    slices = np.flatnonzero((classes > 0).any(axis=(1, 2)))
    if len(slices) == 0:
        raise InputError("nothing is annotated, so that there is nothing to compare with")
    array, classes = array[slices], classes[slices]
    lines = np.stack([_touching_another(section) for section in array])
    lines &= (array > 0) & (classes > 0)
    drawn = classes == BOUNDARY
    near = np.ones((1, 2 * tolerance + 1, 2 * tolerance + 1), bool)
    precision = _share(ndimage.binary_dilation(drawn, near), lines)
    recall = _share(ndimage.binary_dilation(lines, near), drawn)
    f1: float | None = None
    if drawn.any():
        summed = (precision or 0.0) + (recall or 0.0)
        f1 = 2 * (precision or 0.0) * (recall or 0.0) / summed if summed else 0.0
    return {
        "boundary_precision": precision,
        "boundary_recall": recall,
        "boundary_f1": f1,
        **_interior_agreement(array, classes == INTERIOR),
        "annotated_slices": len(slices),
    }


def _share(hit: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
    return float(hit[of].mean()) if of.any() else None


def _interior_agreement(
    sections: NDArray[Any], interior: NDArray[np.bool_]
) -> dict[str, float | None]:
    if not interior.any():
        return {"interior_rand_error": None, "interior_information": None}
    regions, cuts = np.zeros(interior.shape, np.int64), np.zeros(interior.shape, np.int64)
    for z in range(len(interior)):
        drawn, _ = connected_pieces(interior[z : z + 1].astype(np.uint8))
        found, _ = connected_pieces(sections[z : z + 1])
        regions[z] = np.where(drawn[0] > 0, drawn[0] + regions.max(), 0)
        cuts[z] = np.where(found[0] > 0, found[0] + cuts.max(), 0)
    overlaps = _inside_truth(cuts, regions)
    return {
        "interior_rand_error": _pair_scores(overlaps)["adapted_rand_error"],
        "interior_information": _information(overlaps).total,
    }
