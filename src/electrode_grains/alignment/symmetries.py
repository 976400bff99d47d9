"""Slices that were turned or mirrored as a whole, and how to undo it."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from electrode_grains.base import Settings, setting

Symmetry = Literal[
    "mirror_x",
    "mirror_y",
    "turn_180",
    "turn_90",
    "turn_270",
    "mirror_diagonal",
    "mirror_antidiagonal",
]
SYMMETRIES: tuple[Symmetry, ...] = get_args(Symmetry)
# What lies at p in an upright slice, about its centre, lies at S p in the one that was scanned.
_LINEAR: dict[Symmetry, tuple[tuple[int, int], tuple[int, int]]] = {
    "mirror_x": ((-1, 0), (0, 1)),
    "mirror_y": ((1, 0), (0, -1)),
    "turn_180": ((-1, 0), (0, -1)),
    "turn_90": ((0, -1), (1, 0)),
    "turn_270": ((0, 1), (-1, 0)),
    "mirror_diagonal": ((0, 1), (1, 0)),
    "mirror_antidiagonal": ((0, -1), (-1, 0)),
}
WORDS: dict[Symmetry, str] = {
    "mirror_x": "mirrored along x",
    "mirror_y": "mirrored along y",
    "turn_180": "turned by 180 degrees",
    "turn_90": "turned by 90 degrees, from x towards y",
    "turn_270": "turned by 90 degrees, from y towards x",
    "mirror_diagonal": "mirrored along the diagonal (rows and columns exchanged)",
    "mirror_antidiagonal": "mirrored along the other diagonal",
}


class TurnedSlices(Settings):
    """A range of slices that were scanned turned or mirrored."""

    first: int = setting(0, "first slice of the range, from 0", ge=0)
    last: int | None = setting(None, "last slice of the range; None: the last of the stack", ge=0)
    symmetry: Symmetry = setting("turn_180", "what happened to the slices")
    lattice_turned: bool = setting(
        True,
        "whether the crystals turned with the sample (a mirrored map is one of a sample turned "
        "over); false: software turned only the map",
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> TurnedSlices:
        if self.last is not None and self.last < self.first:
            raise ValueError(f"the last slice, {self.last}, comes before the first, {self.first}")
        return self

    def slices(self, count: int) -> range:
        """Slices of the range, in a stack of so many."""
        return range(self.first, count if self.last is None else self.last + 1)


def possible_symmetries(shape: tuple[int, ...]) -> tuple[Symmetry, ...]:
    """Symmetries of a window of shape (..., y, x): quarter turns need a square."""
    return SYMMETRIES if shape[-1] == shape[-2] else SYMMETRIES[:3]


def symmetry_matrix(symmetry: Symmetry, center: tuple[float, float]) -> NDArray[np.float64]:
    """Map upright pixel coordinates (x, y, 1) to those of the slice as scanned.

    Examples
    --------
    >>> symmetry_matrix("mirror_x", (2.0, 1.0)) @ [0.0, 1.0, 1.0]
    array([4., 1., 1.])
    """
    matrix = np.eye(3)
    matrix[:2, :2] = _LINEAR[symmetry]
    matrix[:2, 2] = np.array(center) - matrix[:2, :2] @ center
    return matrix


def named_symmetry(linear: NDArray[np.float64]) -> Symmetry | None:
    """Name of the symmetry with this matrix, shape (2, 2); None for the identity."""
    return next((name for name in SYMMETRIES if np.array_equal(_LINEAR[name], linear)), None)


def set_upright(image: NDArray[Any], symmetry: Symmetry) -> NDArray[Any]:
    """Undo a turn or a mirror image of one slice of shape (y, x).

    Examples
    --------
    >>> set_upright(np.array([[1, 2], [3, 4]]), "turn_90").tolist()
    [[2, 4], [1, 3]]
    """
    rows, columns = image.shape
    y, x = np.indices(image.shape)
    matrix = symmetry_matrix(symmetry, ((columns - 1) / 2, (rows - 1) / 2))
    sx = np.rint(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]).astype(int)
    sy = np.rint(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]).astype(int)
    return np.asarray(image[sy, sx])
