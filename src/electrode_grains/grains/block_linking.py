"""Bodies of neighbouring points of one orientation, block by block; see `link_points`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockSource, Box
from electrode_grains.blocks.boxes import Shape, shape_of
from electrode_grains.grains.block_orientations import BlockOrientations
from electrode_grains.grains.block_spans import block_spans
from electrode_grains.grains.block_work import BlockWork, Integers, renumbered
from electrode_grains.grains.labelling import joined_groups
from electrode_grains.grains.linking import LEAST_LINKED, body_roots
from electrode_grains.grains.settings import SegmentationSettings


@dataclass(frozen=True)
class BlockBodies:
    """Bodies within a block, those that end there and are small left out.

    Attributes
    ----------
    firsts, sizes : ndarray of int64, shape (n,)
        Index in the volume of the first point of each, and its points.
    links_z, links_y, links_x : ndarray of int64, shape (m, 2)
        Bodies that are one by the points on both sides of the block's last plane along an axis;
        those of the block behind it are negative.
    """

    firsts: Integers
    sizes: Integers
    links_z: Integers
    links_y: Integers
    links_x: Integers


def link_by_block(
    orientations: BlockOrientations, settings: SegmentationSettings, work: BlockWork
) -> BlockSource:
    """Number the bodies of linked points as `link_points` does.

    Returns
    -------
    BlockSource of int32, shape (z, y, x)
    """
    within = work.write(
        f"{work.prefix}_within", link_block, lambda box: (orientations, settings, work.shape, box)
    )
    parts = list(work.over(block_bodies, lambda box: (within, orientations, settings, box)))
    tables = _number(parts, work.shape, work.edge)
    place = {box: table for box, table in zip(map(str, work.boxes), tables, strict=True)}
    return work.write(
        f"{work.prefix}_bodies", number_bodies, lambda box: (within, place[str(box)], box)
    )


def link_block(
    orientations: BlockOrientations, settings: SegmentationSettings, shape: Shape, box: Box
) -> NDArray[np.int32]:
    """Bodies within a block, from 1; 0 for those of few points that do not reach its faces."""
    field = orientations.field(box)
    points, _ = field.points()
    roots = body_roots(points, field, settings=settings)
    stays = np.bincount(roots, minlength=roots.size) >= LEAST_LINKED
    planes = roots.reshape(field.shape)
    for axis, (side, size) in enumerate(zip(box, shape, strict=True)):
        if side.start > 0:
            stays[planes.take(0, axis)] = True
        if side.stop < size:
            stays[planes.take(-1, axis)] = True
    number = np.cumsum(stays & np.isfinite(points[:, 0]), dtype=np.int32)
    number[~(stays & np.isfinite(points[:, 0]))] = 0
    linked: NDArray[np.int32] = number[roots].reshape(field.shape)
    return linked


def block_bodies(
    within: BlockSource, orientations: BlockOrientations, settings: SegmentationSettings, box: Box
) -> BlockBodies:
    """Sizes of the bodies of a block, and their links to those behind its last planes."""
    spans, shape = block_spans(within, box), shape_of(within)
    links = []
    for axis in range(3):
        if box[axis].stop == shape[axis]:
            links.append(np.zeros((0, 2), np.int64))
            continue
        z, y, x = (
            slice(side.stop - 1, side.stop + 1) if each == axis else side
            for each, side in enumerate(box)
        )
        links.append(_links((z, y, x), axis, within, orientations, settings))
    return BlockBodies(spans.firsts, spans.sizes, *links)


def _links(
    slab: Box,
    axis: int,
    within: BlockSource,
    orientations: BlockOrientations,
    settings: SegmentationSettings,
) -> Integers:
    """Bodies that the points of two planes make one."""
    field = orientations.field(slab)
    points, _ = field.points()
    roots = body_roots(points, field, settings=settings)
    bodies = np.asarray(within[slab]).astype(np.int64)
    behind = (slice(None),) * axis + (slice(1, None),)
    bodies[behind] *= -1
    pairs = np.stack([bodies.ravel(), bodies.ravel()[roots]], axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _number(parts: Sequence[BlockBodies], shape: Shape, edge: int) -> list[NDArray[np.int32]]:
    """Number in the volume of each body of a block; 0 for those of fewer than 8 points."""
    starts = np.cumsum([0, *(len(part.sizes) for part in parts)])
    cells = [-(-size // edge) for size in shape]
    links = [np.zeros((0, 2), np.int64)]
    for number, part in enumerate(parts):
        steps = (cells[1] * cells[2], cells[2], 1)
        for step, pairs in zip(steps, (part.links_z, part.links_y, part.links_x), strict=True):
            if len(pairs):
                beside = starts[number + step]
                links.append(np.where(pairs > 0, pairs + starts[number], beside - pairs))
    first, second = np.concatenate(links).T
    groups = joined_groups(int(starts[-1]) + 1, first, second)  # 0 is none, alone in its group
    sizes = np.concatenate([[0], *(part.sizes for part in parts)])
    total = np.zeros(int(groups.max()) + 1, np.int64)
    np.add.at(total, groups, sizes)
    firsts = np.concatenate([[0], *(part.firsts for part in parts)])
    table = renumbered(np.where(total[groups] >= LEAST_LINKED, groups + 1, 0), firsts)
    return [
        np.concatenate([[0], table[start + 1 : stop + 1]]).astype(np.int32)
        for start, stop in pairwise(starts.tolist())
    ]


def number_bodies(within: BlockSource, table: NDArray[np.int32], box: Box) -> NDArray[np.int32]:
    """Bodies of a block by their numbers in the whole volume."""
    numbered: NDArray[np.int32] = table[np.asarray(within[box])]
    return numbered
