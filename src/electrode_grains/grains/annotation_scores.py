"""How well a segmentation agrees with annotated slices, without any truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from electrode_grains.classes import BOUNDARY, INTERIOR
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.labelling import connected_pieces
from electrode_grains.grains.scores import (
    information_of,
    overlaps_inside_truth,
    pair_scores,
    touching_another,
)


class AnnotationScores(TypedDict):
    """A segmentation beside annotated slices, see `boundary_agreement`."""

    boundary_precision: float | None
    boundary_recall: float | None
    boundary_f1: float | None
    interior_rand_error: float | None
    interior_information: float | None
    annotated_slices: int


def boundary_agreement(
    labels: NDArray[Any], annotation: NDArray[np.integer], tolerance: int = 1
) -> AnnotationScores:
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
    As an annotator would draw them, boundaries are voxels of a grain beside another label within
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
    lines = np.stack([touching_another(section) for section in array])
    lines &= (array > 0) & (classes > 0)
    drawn = classes == BOUNDARY
    near = np.ones((1, 2 * tolerance + 1, 2 * tolerance + 1), bool)
    precision = _share(ndimage.binary_dilation(drawn, near), lines)
    recall = _share(ndimage.binary_dilation(lines, near), drawn)
    f1: float | None = None
    if drawn.any():
        summed = (precision or 0.0) + (recall or 0.0)
        f1 = 2 * (precision or 0.0) * (recall or 0.0) / summed if summed else 0.0
    rand_error, information = _interior_agreement(array, classes == INTERIOR)
    return {
        "boundary_precision": precision,
        "boundary_recall": recall,
        "boundary_f1": f1,
        "interior_rand_error": rand_error,
        "interior_information": information,
        "annotated_slices": len(slices),
    }


def _share(hit: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
    return float(hit[of].mean()) if of.any() else None


def _interior_agreement(
    sections: NDArray[Any], interior: NDArray[np.bool_]
) -> tuple[float, float] | tuple[None, None]:
    """Adapted Rand error and variation of information of sections against interiors."""
    if not interior.any():
        return None, None
    regions, cuts = np.zeros(interior.shape, np.int64), np.zeros(interior.shape, np.int64)
    for z in range(len(interior)):
        drawn, _ = connected_pieces(interior[z : z + 1].astype(np.uint8))
        cut, _ = connected_pieces(sections[z : z + 1])
        regions[z] = np.where(drawn[0] > 0, drawn[0] + regions.max(), 0)
        cuts[z] = np.where(cut[0] > 0, cut[0] + cuts.max(), 0)
    overlaps = overlaps_inside_truth(cuts, regions)
    return pair_scores(overlaps)["adapted_rand_error"], information_of(overlaps).total
