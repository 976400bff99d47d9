"""The watershed of `flood_from_minima` block by block, with the same labels.

The total order of voxels makes the minimum spanning forest unique, so that it can be put together
from parts. In each block every voxel descends to a minimum or to a voxel of another block, which is
followed there. The least edge between two basins lies in some block, and an edge that is the
greatest of a cycle within a block is in no forest: each block returns the edges that span it. On
these few the trees grow in the same rounds as on all voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockExecutor, BlockSource, BlockTarget, divide, write_blocks
from electrode_grains.blocks.boxes import Box, Shape, shape_of
from electrode_grains.blocks.executor import check_reach
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.block_basins import (
    BlockBasins,
    BlockPasses,
    Indices,
    Known,
    Landscape,
    describe_block,
    find_passes,
    label_block,
)
from electrode_grains.grains.block_kernels import grow_forest

LARGEST_LABEL = 2**31 - 1


@dataclass(frozen=True)
class BlockFlood:
    """Result of a flood by block.

    Attributes
    ----------
    basins : int
    digest : str
        SHA-256 of the digests of the label blocks, in their order.
    """

    basins: int
    digest: str


def flood_by_block(
    image: BlockSource,
    depth: float,
    labels: BlockTarget,
    *,
    executor: BlockExecutor,
    block_edge: int,
    mask: BlockSource | None = None,
) -> BlockFlood:
    """Split an image into the basins of its minima deeper than a depth, block by block.

    Parameters
    ----------
    image : BlockSource of float, shape (z, y, x)
        As for `flood_from_minima`; may be larger than memory.
    depth : float
        The h of the h-minima transform.
    labels : BlockTarget of int32, shape (z, y, x)
        Gets the basins, those of `flood_from_minima` voxel by voxel.
    executor : BlockExecutor
    block_edge : int
        Voxels of a block along each axis. The labels do not depend on it.
    mask : BlockSource of bool, shape (z, y, x), optional
        Voxels to flood.

    Returns
    -------
    BlockFlood

    Raises
    ------
    InputError
        If a voxel inside the mask is not finite, or shapes do not fit.
    SettingsError
        If the depth is negative or not finite, or workers cannot reach the volumes.

    Notes
    -----
    The caller holds some 60 bytes for each minimum, and 24 for each voxel on a face between
    blocks; the rest is a matter of one block at a time.

    Examples
    --------
    >>> from electrode_grains.blocks import SerialExecutor
    >>> labels = np.zeros((1, 1, 7), np.int32)
    >>> image = np.array([[[5, 0, 1, 0, 5, 0, 5]]])
    >>> flood_by_block(image, 3, labels, executor=SerialExecutor(), block_edge=2).basins
    2
    >>> labels.tolist()
    [[[1, 1, 1, 1, 1, 2, 2]]]
    """
    _check(image, depth, labels, mask)
    check_reach(executor, image, labels, *([] if mask is None else [mask]))
    landscape, shape = Landscape(image, mask), shape_of(image)
    boxes = divide(shape, block_edge)
    beside = neighbours(shape, block_edge)
    described, layers = _descend_all(landscape, boxes, beside, executor)
    minima, place = _all_minima(described)
    ends = _resolved_ends(described, minima)
    around = [Known.joined([ends[other] for other in beside[own]]) for own in range(len(boxes))]
    passes = list(
        executor.map(
            find_passes,
            [(landscape, *each) for each in zip(boxes, layers, around, strict=True)],
        )
    )
    depths = np.concatenate([part.depths for part in described])[place]
    label = _number(minima, _grow(passes, minima, depths, landscape.kind(depth)), passes)
    tasks = []
    for box, layer, part, near in zip(boxes, layers, described, around, strict=True):
        known = Known(
            np.concatenate([part.minima, near.index]),
            label[np.searchsorted(minima, np.concatenate([part.minima, near.value]))],
        )
        tasks.append((box, (landscape, box, layer, known)))
    return BlockFlood(int(label.max(initial=0)), write_blocks(executor, labels, label_block, tasks))


def _check(image: BlockSource, depth: float, labels: BlockTarget, mask: BlockSource | None) -> None:
    if len(image.shape) != 3 or 0 in image.shape or image.dtype.kind not in "fiub":
        raise InputError(
            "the image cannot be flooded",
            found=f"shape {image.shape} of {image.dtype}",
            expected="real numbers, shape (z, y, x)",
        )
    if not (np.isfinite(depth) and depth >= 0):
        raise SettingsError(
            "the depth of minima is impossible", found=str(depth), expected="0 or more, finite"
        )
    for name, volume in (("labels", labels), ("mask", mask)):
        if volume is not None and tuple(volume.shape) != tuple(image.shape):
            raise InputError(
                f"{name} and image have different shapes",
                found=f"{volume.shape} and {image.shape}",
            )


def neighbours(shape: Shape, edge: int) -> list[list[int]]:
    """Blocks that share a face with each block, in the order of `divide`.

    Examples
    --------
    >>> neighbours((4, 4, 12), 4)
    [[1], [0, 2], [1]]
    """
    counts = [-(-size // edge) for size in shape]
    found = []
    for cell in product(*(range(count) for count in counts)):
        near = []
        for axis, step in product(range(3), (-1, 1)):
            other = list(cell)
            other[axis] += step
            if 0 <= other[axis] < counts[axis]:
                near.append((other[0] * counts[1] + other[1]) * counts[2] + other[2])
        found.append(sorted(near))
    return found


def _descend_all(
    landscape: Landscape, boxes: Sequence[Box], beside: list[list[int]], executor: BlockExecutor
) -> tuple[list[BlockBasins], list[Known]]:
    """Descend in all blocks, again in those around which distances on plateaus have changed."""
    layers = [Known.nothing()] * len(boxes)
    described: list[BlockBasins | None] = [None] * len(boxes)
    pending = list(range(len(boxes)))
    while pending:
        tasks = [(landscape, boxes[own], layers[own]) for own in pending]
        for own, part in zip(pending, executor.map(describe_block, tasks), strict=True):
            described[own] = part
        parts = [part for part in described if part is not None]
        changed = []
        for own in range(len(boxes)):
            known = Known.joined([parts[other].layers for other in beside[own]])
            if not known.equals(layers[own]):
                layers[own] = known
                changed.append(own)
        pending = changed
    return parts, layers


def _all_minima(described: Sequence[BlockBasins]) -> tuple[Indices, Indices]:
    """Minima of all blocks in memory order, and where each stood."""
    minima = np.concatenate([part.minima for part in described])
    place = np.argsort(minima)
    return minima[place], place.astype(np.int64)


def _resolved_ends(described: Sequence[BlockBasins], minima: Indices) -> list[Known]:
    """Minimum where the descent from each voxel on a face ends, across all blocks."""
    known = Known.joined([part.ends for part in described])
    order = np.argsort(known.index)
    index, end = known.index[order], known.value[order]
    while True:
        place = np.minimum(np.searchsorted(index, end), max(index.size - 1, 0))
        further = end[place] if index.size else end
        moves = (index[place] == end) & (further != end) if index.size else np.zeros(0, bool)
        if not moves.any():
            break
        end = np.where(moves, further, end)
    resolved = np.empty_like(end)
    resolved[order] = end
    starts = np.cumsum([0, *(part.ends.index.size for part in described)])
    return [
        Known(part.ends.index, resolved[start:stop])
        for part, start, stop in zip(described, starts[:-1], starts[1:], strict=True)
    ]


def _grow(
    passes: Sequence[BlockPasses], minima: Indices, depths: NDArray[np.floating], depth: np.floating
) -> Indices:
    """Tree of each minimum."""
    fields = {
        name: np.concatenate([getattr(part, name) for part in passes])
        for name in BlockPasses.__dataclass_fields__
    }
    edges = BlockPasses(**fields)
    order = edges.order()
    before = np.empty(minima.size, np.int64)
    before[np.lexsort((minima, depths))] = np.arange(minima.size)
    tree: Indices = grow_forest(
        np.searchsorted(minima, edges.first[order]),
        np.searchsorted(minima, edges.second[order]),
        edges.greater_value[order],
        depths,
        before,
        depth,
    )
    return tree


def _number(minima: Indices, tree: Indices, passes: Sequence[BlockPasses]) -> NDArray[np.int32]:
    """Label of each minimum: trees from 1 by their first voxel in memory order."""
    first = np.full(minima.size, np.iinfo(np.int64).max)
    for part in passes:
        trees = tree[np.searchsorted(minima, part.basin_minima)]
        np.minimum.at(first, trees, part.basin_firsts)
    roots = np.flatnonzero(tree == np.arange(minima.size))
    if roots.size > LARGEST_LABEL:
        raise InputError(
            "there are more basins than labels",
            found=str(roots.size),
            expected=f"at most {LARGEST_LABEL}",
            remedy="raise the depth of minima",
        )
    label = np.zeros(minima.size, np.int32)
    label[roots[np.argsort(first[roots])]] = np.arange(1, roots.size + 1, dtype=np.int32)
    numbered: NDArray[np.int32] = label[tree]
    return numbered
