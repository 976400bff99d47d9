"""Annotated slices find their place in the stack by the number in their name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.scan import slice_number
from electrode_grains.problems import InputProblem

NOT_ANNOTATED, BOUNDARY, INTERIOR, BACKGROUND = range(4)


def place_annotations(
    annotations: Mapping[str, NDArray[np.uint8]],
    slice_names: Sequence[str],
    shape: tuple[int, ...],
) -> NDArray[np.uint8]:
    """Build the volume of sparse annotations (eq. 5 of Furat et al., 2021).

    Parameters
    ----------
    annotations : mapping of str to ndarray of uint8, shape (y, x)
        Classes of the points of a slice: 0 not annotated, 1 boundary, 2 interior,
        3 background. The number in the name says which slice it is.
    slice_names : sequence of str
        Names of the scans of the stack, in their order along z.
    shape : (int, int, int)
        Shape (z, y, x) of the stack.

    Returns
    -------
    ndarray of uint8, shape (z, y, x)
        Classes, 0 in every slice that nobody annotated.

    Raises
    ------
    InputProblem
        If an annotation has no scan, another shape than its scan, or no boundary point.

    Examples
    --------
    >>> drawn = np.array([[1, 2]], np.uint8)
    >>> place_annotations({"labels_7": drawn}, ["scan_6", "scan_7"], (2, 1, 2)).tolist()
    [[[0, 0]], [[1, 2]]]
    """
    index_of = {slice_number(name): index for index, name in enumerate(slice_names)}
    placed = np.zeros(shape, np.uint8)
    for name, classes in annotations.items():
        number = slice_number(name)
        if number not in index_of:
            raise InputProblem(
                "an annotation belongs to no slice of the stack",
                where=name,
                found=f"number {number}",
                expected=f"one of {min(index_of)} to {max(index_of)}, as in the scans' names",
                remedy="name the image after the scan it was drawn on",
            )
        if classes.shape != shape[1:]:
            raise InputProblem(
                "an annotation has another size than its scan",
                where=name,
                found=f"{classes.shape} points (y, x)",
                expected=f"{shape[1:]}",
                remedy="export the labels at one pixel a point, without frame or scale bar",
            )
        if not (classes == BOUNDARY).any():
            raise InputProblem(
                "an annotation shows no grain boundary",
                where=name,
                found=f"classes {np.unique(classes).tolist()}",
                expected="some points of class 1",
            )
        placed[index_of[number]] = classes
    return placed
