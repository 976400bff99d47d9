"""The measured region of a volume that is read block by block: what it bounds and what it hides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockExecutor, BlockSource, Box, divide
from electrode_grains.blocks.boxes import Shape, inside, shape_of, widened
from electrode_grains.errors import InputError
from electrode_grains.morphometry.block_statistics import (
    BlockStatistics,
    merge_blocks,
    set_unmeasured_apart,
)
from electrode_grains.morphometry.edges import MOST_TRIALS, _unmeasured_sums, count_places
from electrode_grains.morphometry.volume_statistics import _mark_unmeasured

UNMEASURED = int(np.iinfo(np.uint64).max)  # a label of 64 bits that labels of 32 bits never have
LARGEST_ITEM = 4  # bytes


@dataclass(frozen=True)
class MaskedLabels:
    """Labels, 0 where nothing was measured."""

    labels: BlockSource
    measured: BlockSource

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along z, y, x."""
        return tuple(self.labels.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a label."""
        return self.labels.dtype

    def __getitem__(self, box: Any) -> NDArray[Any]:
        labels = np.asarray(self.labels[box])
        return np.where(np.asarray(self.measured[box], bool), labels, labels.dtype.type(0))


def measure_region(
    labels: MaskedLabels, executor: BlockExecutor, block_edge: int
) -> tuple[BlockStatistics, int]:
    """Statistics of the grains of a measured region, and its number of voxels.

    Parameters
    ----------
    labels : MaskedLabels of integer, shape (z, y, x)
        Of at most 32 bits.
    executor : BlockExecutor
    block_edge : int

    Raises
    ------
    InputError
        If labels are negative or of more bits.
    """
    if labels.dtype.itemsize > LARGEST_ITEM:
        raise InputError(
            "labels of a measured region have at most 32 bits by block", found=str(labels.dtype)
        )
    boxes = divide(shape_of(labels), block_edge)
    parts = list(executor.map(measure_marked_box, ((labels, box) for box in boxes)))
    merged = merge_blocks(part for part, _ in parts)
    # Blocks have dropped the faces of what was not measured already.
    faceless = replace(merged, faces=merged.faces[:0])
    apart = set_unmeasured_apart(faceless, UNMEASURED, np.zeros(0, bool))
    return replace(apart, faces=merged.faces), sum(count for _, count in parts)


def measure_marked_box(labels: MaskedLabels, box: Box) -> tuple[BlockStatistics, int]:
    """Statistics of a block, and how many of its voxels were measured.

    Voxels without measurement have a label of their own, but no face.
    """
    shape = shape_of(labels)
    around = widened(box, 1, shape)
    margin = [
        (side.start - outer.start, outer.stop - side.stop)
        for side, outer in zip(box, around, strict=True)
    ]
    measured = np.asarray(labels.measured[around], bool)
    marked = _mark_unmeasured(np.asarray(labels.labels[around]), measured, UNMEASURED)
    first = (box[0].start, box[1].start, box[2].start)
    found = BlockStatistics.from_block(marked, first, shape, margin)
    voxels, axes = np.divmod(found.faces, 3)
    front = np.array(np.unravel_index(voxels, shape))
    front -= np.array([[side.start] for side in around])
    behind = front + (np.arange(3)[:, None] == axes)
    known = measured[tuple(front)] & measured[tuple(behind)]
    count = int(np.count_nonzero(measured[inside(box, around)]))
    return replace(found, faces=found.faces[known]), count


def inclusion_weights_by_block(
    statistics: BlockStatistics,
    measured: BlockSource,
    measured_count: int,
    executor: BlockExecutor,
    block_edge: int,
) -> NDArray[np.float64]:
    """Weights of `inclusion_weights` in a measured region that is read block by block.

    A block is read with as many voxels behind it as the longest grain has that is not cut.

    Parameters
    ----------
    statistics : BlockStatistics
        Of the region.
    measured : BlockSource of bool, shape (z, y, x)
    measured_count : int
        Its measured voxels.
    executor : BlockExecutor
    block_edge : int
    """
    whole, shape = ~statistics.touches_window, shape_of(measured)
    weights = np.full(len(whole), np.nan)
    extents = (statistics.upper - statistics.lower)[whole] + 2
    if not len(extents):
        return weights
    boxes, grains = np.unique(extents, axis=0, return_inverse=True)
    size = shape[0] * shape[1] * shape[2]
    step = max(int(np.ceil((len(boxes) * size / MOST_TRIALS) ** 0.5)), 1)
    edge = -(-block_edge // step) * step  # rows that are tried lie alike in all blocks
    blocks = divide((shape[0] + 1, shape[1] + 1, shape[2] + 1), edge)
    parts = executor.map(count_block, ((measured, block, boxes, step) for block in blocks))
    places = sum(parts, np.zeros(len(boxes), np.int64))
    weights[whole] = measured_count / np.maximum(places, 1)[grains.ravel()]
    return weights


def count_block(
    measured: BlockSource, block: Box, boxes: NDArray[np.int64], step: int
) -> NDArray[np.int64]:
    """Places of each box (z, y, x) in the measured region whose first corner lies in a block."""
    shape = shape_of(measured)
    reach = _shape(np.minimum([side.stop for side in block] + boxes.max(axis=0), shape))
    z, y, x = (slice(side.start, end) for side, end in zip(block, reach, strict=True))
    sums = _unmeasured_sums(np.asarray(measured[z, y, x], bool))
    counts = np.zeros(len(boxes), np.int64)
    for place, box in enumerate(boxes):
        own = [side.stop - side.start + int(b) for side, b in zip(block, box, strict=True)]
        counts[place] = count_places(sums[: own[0], : own[1], : own[2]], box[None], step)[0]
    return counts


def _shape(sides: NDArray[np.integer[Any]]) -> Shape:
    depth, height, width = (int(side) for side in sides)
    return depth, height, width
