"""Turns and reflections that carry a voxel lattice onto itself, and free rotations."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class AxisSymmetry:
    """A permutation of the axes z, y, x, then reversals of some of them.

    Attributes
    ----------
    order : tuple of int
        Axis of the input that becomes axis 0, 1, 2 of the output.
    reversed_axes : tuple of int
        Axes of the output that run backwards.
    """

    order: tuple[int, int, int]
    reversed_axes: tuple[int, ...]

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """Transform the last three axes of an array; a view where possible."""
        lead = array.ndim - 3
        turned = array.transpose(*range(lead), *(lead + axis for axis in self.order))
        return _reverse(turned, self.reversed_axes)

    def undo(self, array: NDArray[Any]) -> NDArray[Any]:
        """Transform back what `apply` transformed."""
        lead = array.ndim - 3
        back = np.argsort(self.order)
        unreversed = _reverse(array, self.reversed_axes)
        return unreversed.transpose(*range(lead), *(lead + int(axis) for axis in back))


def _reverse(array: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """Reverse some of the last three axes; a view."""
    steps = [slice(None, None, -1 if axis in axes else None) for axis in range(3)]
    return array[..., *steps]


def axis_symmetries(shape: tuple[int, int, int], spacing: Triple) -> tuple[AxisSymmetry, ...]:
    """List the symmetries of a box of voxels.

    Parameters
    ----------
    shape : (int, int, int)
        Voxels along z, y, x; only axes of equal length are exchanged.
    spacing : (float, float, float)
        Voxel spacing along z, y, x; only axes of equal spacing are exchanged.

    Returns
    -------
    tuple of AxisSymmetry
        48 for a cube, 16 for a square slab, 8 for a general box, reflections included.

    Examples
    --------
    >>> [len(axis_symmetries(shape, (1, 1, 1))) for shape in [(8, 8, 8), (4, 8, 8), (2, 4, 8)]]
    [48, 16, 8]
    >>> len(axis_symmetries((8, 8, 8), (2, 1, 1)))
    16
    """
    sides = [(shape[axis], spacing[axis]) for axis in range(3)]
    return tuple(
        AxisSymmetry((first, second, third), tuple(np.flatnonzero(backwards).tolist()))
        for first, second, third in permutations(range(3))
        if [sides[first], sides[second], sides[third]] == sides
        for backwards in product((False, True), repeat=3)
    )


def random_isometry(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a rotation, uniform over all, and reflect it in half of the cases.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    NDArray of float64, shape (3, 3)
        Orthogonal matrix.

    Examples
    --------
    >>> matrix = random_isometry(np.random.default_rng(3))
    >>> bool(np.allclose(matrix @ matrix.T, np.eye(3)))
    True
    """
    # A normalised Gaussian quaternion is uniform over the rotations.
    matrix: NDArray[np.float64] = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    return -matrix if rng.random() < 0.5 else matrix


def cut_rotated(
    volume: NDArray[Any],
    isometry: NDArray[np.float64],
    *,
    pivot: tuple[int, int, int],
    place: tuple[int, int, int],
    shape: tuple[int, int, int],
    spacing: Triple,
    interpolation: int,
) -> NDArray[Any]:
    """Cut a rotated window out of a volume.

    Parameters
    ----------
    volume : NDArray, shape (z, y, x)
        Image or classes.
    isometry : NDArray of float64, shape (3, 3)
        Orthogonal matrix on physical vectors (z, y, x), from window to volume.
    pivot, place : (int, int, int)
        A voxel of the volume and where it comes to lie in the window.
    shape : (int, int, int)
        Shape of the window.
    spacing : (float, float, float)
        Voxel spacing along z, y, x, kept in the window.
    interpolation : {0, 1}
        0 takes the nearest voxel (classes; 0 outside the volume), 1 is linear
        (images; the nearest voxel outside the volume).

    Returns
    -------
    NDArray, shape `shape`
        Same dtype as the volume.
    """
    lengths = np.asarray(spacing)
    matrix = isometry * lengths[None, :] / lengths[:, None]
    return np.asarray(
        affine_transform(
            volume,
            matrix,
            offset=np.asarray(pivot) - matrix @ np.asarray(place),
            output_shape=shape,
            order=interpolation,
            # "constant" would lose outermost voxels to rounding: -1e-16 is outside for it.
            mode="nearest" if interpolation else "grid-constant",
            cval=0,
        )
    )
