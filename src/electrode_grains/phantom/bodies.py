"""Bodies of known geometry on a voxel grid: a voxel belongs if its centre does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Shape = tuple[int, int, int]


def _offsets(
    shape: Shape, center: Sequence[float], spacing: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Distances z, y, x of the voxel centres to a point."""
    z, y, x = np.meshgrid(
        *(
            np.arange(size) * step - middle
            for size, step, middle in zip(shape, spacing, center, strict=True)
        ),
        indexing="ij",
    )
    return z, y, x


def ball(
    shape: Shape,
    center: Sequence[float],
    radius: float,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> NDArray[np.bool_]:
    """Digitise a ball: volume 4/3 pi r^3, surface 4 pi r^2.

    Parameters
    ----------
    shape : (int, int, int)
        Voxels (z, y, x).
    center : sequence of 3 float
        Centre (z, y, x), in the unit of `spacing`; voxel (0, 0, 0) lies at the origin.
    radius : float
    spacing : sequence of 3 float
        (dz, dy, dx).

    Returns
    -------
    ndarray of bool, shape (z, y, x)

    Examples
    --------
    >>> int(ball((11, 11, 11), (5, 5, 5), 5).sum())
    515
    """
    return ellipsoid(shape, center, (radius, radius, radius), spacing)


def ellipsoid(
    shape: Shape,
    center: Sequence[float],
    half_axes: Sequence[float],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    rotation: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """Digitise an ellipsoid: volume 4/3 pi a b c.

    Parameters
    ----------
    shape, center, spacing
        As for `ball`.
    half_axes : sequence of 3 float
        Along z, y, x before the rotation.
    rotation : array_like, shape (3, 3), optional
        Turns (z, y, x) vectors of the body into those of the grid.

    Returns
    -------
    ndarray of bool, shape (z, y, x)
    """
    offsets = np.stack(_offsets(shape, center, spacing))
    if rotation is not None:
        offsets = np.einsum("ji,j...->i...", np.asarray(rotation, float), offsets)
    scaled = offsets / np.asarray(half_axes, float)[:, None, None, None]
    inside: NDArray[np.bool_] = (scaled**2).sum(axis=0) <= 1.0
    return inside


def box(
    shape: Shape,
    lower: Sequence[float],
    upper: Sequence[float],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> NDArray[np.bool_]:
    """Digitise a box: voxels whose centre lies in [lower, upper), both (z, y, x).

    Examples
    --------
    >>> int(box((5, 5, 5), (1, 1, 1), (4, 3, 2)).sum())
    6
    """
    inside = np.ones(shape, bool)
    for offset, low, high in zip(_offsets(shape, (0, 0, 0), spacing), lower, upper, strict=True):
        inside &= (offset >= low) & (offset < high)
    return inside
