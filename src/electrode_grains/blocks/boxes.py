"""Boxes of a volume, and the voxels around them."""

from __future__ import annotations

from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import SettingsError

Box = tuple[slice, slice, slice]
Shape = tuple[int, int, int]


class BlockSource(Protocol):
    """A volume that is read box by box, such as a numpy or a zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along z, y, x."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        ...

    def __getitem__(self, box: Any, /) -> Any:
        """Voxels of a box."""
        ...


class BlockTarget(BlockSource, Protocol):
    """A volume that is written box by box too."""

    def __setitem__(self, box: Any, values: Any, /) -> None:
        """Write the voxels of a box."""
        ...


def shape_of(source: BlockSource) -> Shape:
    """Voxels along z, y, x."""
    depth, height, width = source.shape
    return int(depth), int(height), int(width)


def divide(shape: Shape, edge: int) -> list[Box]:
    """Divide a volume into blocks, in the order of their first voxel.

    Parameters
    ----------
    shape : (int, int, int)
        Voxels along z, y, x.
    edge : int
        Voxels of a block along each axis; the last ones may be thinner.

    Raises
    ------
    SettingsError
        If the edge is less than 1.

    Examples
    --------
    >>> [box[2] for box in divide((4, 4, 10), 4)]
    [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    """
    if edge < 1:
        raise SettingsError("a block needs voxels", found=f"an edge of {edge}", expected=">= 1")
    axes = [
        [slice(start, min(start + edge, size)) for start in range(0, size, edge)] for size in shape
    ]
    return [(z, y, x) for z, y, x in product(*axes)]


def read_padded(
    source: BlockSource, box: Box, halo: int, beyond: Any, dtype: Any = None
) -> NDArray[Any]:
    """Read a box with the voxels around it, and a value for those beyond the volume.

    Parameters
    ----------
    source : BlockSource, shape (z, y, x)
    box : (slice, slice, slice)
    halo : int
        Voxels on every side.
    beyond : scalar
        Value outside of the volume.
    dtype : data-type, optional
        Of what is returned; that of the volume by default.

    Returns
    -------
    ndarray
        A copy, larger than the box by `halo` on every side.

    Examples
    --------
    >>> read_padded(np.ones((1, 1, 3)), np.s_[0:1, 0:1, 1:3], 1, 7)[1, 1].tolist()
    [1.0, 1.0, 1.0, 7.0]
    """
    around = widened(box, halo, shape_of(source))
    values = np.asarray(source[around])
    padded = np.full(
        [side.stop - side.start + 2 * halo for side in box], beyond, dtype or source.dtype
    )
    place = tuple(
        slice(outer.start - side.start + halo, outer.stop - side.start + halo)
        for side, outer in zip(box, around, strict=True)
    )
    padded[place] = values
    return padded


def widened(box: Box, halo: int, shape: Shape) -> Box:
    """A box with the voxels around it that lie in the volume.

    Examples
    --------
    >>> widened((slice(0, 4), slice(4, 8), slice(8, 9)), 2, (4, 20, 9))
    (slice(0, 4, None), slice(2, 10, None), slice(6, 9, None))
    """
    z, y, x = (
        slice(max(0, side.start - halo), min(size, side.stop + halo))
        for side, size in zip(box, shape, strict=True)
    )
    return z, y, x


def inside(box: Box, outer: Box) -> Box:
    """Place of a box within one that holds it."""
    z, y, x = (
        slice(side.start - around.start, side.stop - around.start)
        for side, around in zip(box, outer, strict=True)
    )
    return z, y, x


def global_index(
    local: NDArray[np.integer], padded: tuple[int, ...], box: Box, halo: int, shape: Shape
) -> NDArray[np.int64]:
    """Index in the volume of voxels of a padded box.

    Parameters
    ----------
    local : ndarray of int, shape (n,)
        Flat indices in the padded box; of voxels in the volume.
    padded : (int, int, int)
        Shape of the padded box.
    box, halo, shape
        The box without its padding, the padding, and the volume's shape.

    Examples
    --------
    >>> global_index(np.array([13]), (3, 3, 3), (slice(1, 2), slice(0, 1), slice(2, 3)), 1,
    ...              (2, 2, 5))
    array([12])
    """
    _, height, width = padded
    z, rest = np.divmod(np.asarray(local, np.int64), height * width)
    y, x = np.divmod(rest, width)
    first = [side.start - halo for side in box]
    z, y, x = z + first[0], y + first[1], x + first[2]
    return np.asarray((z * shape[1] + y) * shape[2] + x, np.int64)


def local_index(
    index: NDArray[np.int64], padded: tuple[int, ...], box: Box, halo: int, shape: Shape
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which voxels of a volume lie in a padded box, and their flat indices there."""
    z, rest = np.divmod(index, shape[1] * shape[2])
    y, x = np.divmod(rest, shape[2])
    z, y, x = (part - side.start + halo for part, side in zip((z, y, x), box, strict=True))
    depth, height, width = padded
    within = (z >= 0) & (z < depth) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return within, ((z * height + y) * width + x)[within]
