"""One block of a flood: what each task computes, and from what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks.boxes import (
    BlockSource,
    Box,
    global_index,
    local_index,
    read_padded,
    shape_of,
)
from electrode_grains.errors import InputError
from electrode_grains.grains.basins import descend
from electrode_grains.grains.block_kernels import (
    HALO,
    find_ends,
    layer_plateaus,
    least_edges,
    spanning_edges,
)

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Landscape:
    """Image to flood, and the voxels that take part (all where `mask` is None)."""

    image: BlockSource
    mask: BlockSource | None = None

    @property
    def kind(self) -> Any:
        """Type in which values are compared."""
        return np.float32 if np.can_cast(self.image.dtype, np.float32) else np.float64


@dataclass(frozen=True)
class Known:
    """Values at voxels, by their index in the volume."""

    index: Indices
    value: NDArray[Any]

    @classmethod
    def nothing(cls) -> Known:
        """At no voxel."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))

    @classmethod
    def joined(cls, parts: list[Known]) -> Known:
        """All of several."""
        if not parts:
            return cls.nothing()
        return cls(
            np.concatenate([part.index for part in parts]),
            np.concatenate([part.value for part in parts]),
        )

    def equals(self, other: Known) -> bool:
        """Whether both hold the same in the same order."""
        return np.array_equal(self.index, other.index) and np.array_equal(self.value, other.value)


@dataclass(frozen=True)
class BlockBasins:
    """What the blocks around have to know of one.

    Attributes
    ----------
    minima, depths : ndarray, shape (n,)
        Index in the volume, and value, of each minimum.
    ends : Known
        Where the descent from each voxel on the faces to other blocks ends: at a minimum, or at
        a voxel of another block.
    layers : Known
        Distances to the lower border of plateaus, of those voxels on the faces that have one.
    """

    minima: Indices
    depths: NDArray[np.floating]
    ends: Known
    layers: Known


@dataclass(frozen=True)
class BlockPasses:
    """Spanning edges of the basins of a block, and their first voxels.

    Attributes
    ----------
    first, second : ndarray of int64, shape (e,)
        Minima whose basins an edge joins, by their index in the volume.
    greater, lesser : ndarray of int64, shape (e,)
        Voxels of the edge.
    greater_value, greater_layer, lesser_value, lesser_layer : ndarray, shape (e,)
        By which edges are ordered; the layer of a lesser voxel counts on a plateau alone.
    basin_minima, basin_firsts : ndarray of int64, shape (b,)
        Minima whose basins have voxels in the block, and the first of these.
    """

    first: Indices
    second: Indices
    greater: Indices
    lesser: Indices
    greater_value: NDArray[np.floating]
    greater_layer: NDArray[np.int32]
    lesser_value: NDArray[np.floating]
    lesser_layer: NDArray[np.int32]
    basin_minima: Indices
    basin_firsts: Indices

    def order(self) -> Indices:
        """From the least edge to the greatest, see `block_kernels.edge_before`."""
        keys = (
            self.lesser, self.lesser_layer, self.lesser_value,
            self.greater, self.greater_layer, self.greater_value,
        )  # fmt: skip
        return np.lexsort(keys).astype(np.int64)


class _Block:
    """A block with its surroundings, and where each of its voxels descends to."""

    def __init__(self, landscape: Landscape, box: Box, layers: Known) -> None:
        self.box, self.shape = box, shape_of(landscape.image)
        image = read_padded(landscape.image, box, HALO, np.inf, landscape.kind)
        if landscape.mask is not None:
            image[~read_padded(landscape.mask, box, HALO, False, bool)] = np.inf
        self.padded = image.shape
        core = (slice(HALO, -HALO),) * 3
        self._check(landscape, image[core])
        numbers = np.arange(image.size, dtype=np.int32).reshape(image.shape)
        self.inner = np.ascontiguousarray(numbers[core]).ravel()
        self.image = image.ravel()
        plane, row = self.padded[1] * self.padded[2], self.padded[2]
        offsets = np.array([1, row, plane], np.int64)
        self.forward = offsets
        steps = np.array([-plane, -row, -1, 1, row, plane], np.int64)
        is_inner = np.zeros(image.size, bool)
        is_inner[self.inner] = True
        lower = descend(self.image, offsets)
        self.layer = np.zeros(image.size, np.int32)
        within, at = self.local(layers.index)
        self.layer[at] = layers.value[within]
        layer_plateaus(self.image, lower, self.layer, self.inner, is_inner, steps)
        find_ends(self.image, lower, self.layer, self.inner, is_inner, steps)
        self.end = lower
        self.flooded = self.inner[self.image[self.inner] != np.inf]

    def _check(self, landscape: Landscape, core: NDArray[Any]) -> None:
        bad = ~np.isfinite(core)
        if bad.any() and landscape.mask is not None:
            bad &= np.asarray(landscape.mask[self.box], bool)
        if bad.any():
            first = np.argwhere(bad)[0] + [side.start for side in self.box]
            raise InputError(
                "the image to be flooded holds values that are not finite",
                where=f"voxel {tuple(first.tolist())} (z, y, x)",
                found=f"{int(bad.sum())} such voxels in its block",
                expected="finite numbers",
                remedy="predict or interpolate these voxels, or leave them out by a mask",
            )

    def index(self, local: NDArray[Any]) -> Indices:
        """Index in the volume."""
        return global_index(local, self.padded, self.box, HALO, self.shape)

    def local(self, index: Indices) -> tuple[NDArray[np.bool_], Indices]:
        """Which voxels of the volume lie in the padded block, and where."""
        return local_index(index, self.padded, self.box, HALO, self.shape)

    def minima(self) -> NDArray[np.int32]:
        """Voxels that descend to themselves."""
        own: NDArray[np.int32] = self.flooded[self.end[self.flooded] == self.flooded]
        return own

    def faces(self) -> NDArray[np.int32]:
        """Flooded voxels that have another block behind a face."""
        shape = tuple(side.stop - side.start for side in self.box)
        on_face = np.zeros(shape, bool)
        for axis, (side, size) in enumerate(zip(self.box, self.shape, strict=True)):
            plane: list[Any] = [slice(None)] * 3
            for is_cut, place in ((side.start > 0, 0), (side.stop < size, -1)):
                plane[axis] = place
                on_face[tuple(plane)] |= is_cut
        faces: NDArray[np.int32] = self.inner[on_face.ravel()]
        flooded: NDArray[np.int32] = faces[self.image[faces] != np.inf]
        return flooded

    def numbered(self, ends: Known) -> tuple[NDArray[np.int32], Indices]:
        """Number of the basin of each voxel, -1 for walls, and the minimum of each number."""
        own = self.minima()
        within, around = self.local(ends.index)
        minima, number = np.unique(
            np.concatenate([self.index(own), ends.value[within]]), return_inverse=True
        )
        basins = np.full(self.image.size, -1, np.int32)
        basins[own], basins[around] = number[: own.size], number[own.size :]
        basins[self.flooded] = basins[self.end[self.flooded]]
        return basins, minima


def describe_block(landscape: Landscape, box: Box, layers: Known) -> BlockBasins:
    """Descend within a block, given the distances on plateaus around it as far as known."""
    block = _Block(landscape, box, layers)
    minima, faces = block.minima(), block.faces()
    on_plateau = faces[block.layer[faces] > 0]
    return BlockBasins(
        block.index(minima),
        block.image[minima],
        Known(block.index(faces), block.index(block.end[faces])),
        Known(block.index(on_plateau), block.layer[on_plateau]),
    )


def find_passes(landscape: Landscape, box: Box, layers: Known, ends: Known) -> BlockPasses:
    """Spanning edges of the basins of a block, given the minima of the voxels around it."""
    block = _Block(landscape, box, layers)
    basins, minima = block.numbered(ends)
    table = 1 << max(10, int(np.ceil(np.log2(12 * max(minima.size, 1)))))
    count = -1
    while count < 0:
        keys = np.full(table, -1, np.int64)
        greater, lesser = np.empty((2, table), np.int32)
        count = least_edges(
            block.image, block.layer, basins, block.inner, block.forward, keys, greater, lesser
        )
        table *= 2
    used = np.flatnonzero(keys >= 0)
    firsts = np.full(minima.size, -1, np.int64)
    firsts[basins[block.flooded[::-1]]] = block.flooded[::-1]
    present = firsts >= 0
    first_index = block.index(firsts[present])
    passes = _passes(
        block, keys[used], greater[used], lesser[used], minima, minima[present], first_index
    )
    order = passes.order()
    spans = order[
        spanning_edges(keys[used][order] >> 32, keys[used][order] & 0xFFFFFFFF, minima.size)
    ]
    return _passes(
        block, keys[used][spans], greater[used][spans], lesser[used][spans], minima,
        minima[present], first_index,
    )  # fmt: skip


def _passes(
    block: _Block, keys: Indices, greater: NDArray[np.int32], lesser: NDArray[np.int32],
    minima: Indices, basin_minima: Indices, basin_firsts: Indices,
) -> BlockPasses:  # fmt: skip
    lesser_layer = np.where(
        block.image[lesser] == block.image[greater], block.layer[lesser], 0
    ).astype(np.int32)
    return BlockPasses(
        first=minima[keys >> 32],
        second=minima[keys & 0xFFFFFFFF],
        greater=block.index(greater),
        lesser=block.index(lesser),
        greater_value=block.image[greater],
        greater_layer=block.layer[greater],
        lesser_value=block.image[lesser],
        lesser_layer=lesser_layer,
        basin_minima=basin_minima,
        basin_firsts=basin_firsts,
    )


def label_block(landscape: Landscape, box: Box, layers: Known, labels: Known) -> NDArray[np.int32]:
    """Labels of a block, given those of its minima and of the voxels around it."""
    block = _Block(landscape, box, layers)
    label = np.zeros(block.image.size, np.int32)
    within, at = block.local(labels.index)
    label[at] = labels.value[within]
    label[block.flooded] = label[block.end[block.flooded]]
    return label[block.inner].reshape([side.stop - side.start for side in box])
