"""Where the regions of a volume lie, and their mean orientations, block by block.

A mean needs the points of its region in their order, and no others: regions that lie in one block
are one task, those across faces are taken together by the place of their first corner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.blocks import BlockSource, Box
from electrode_grains.blocks.boxes import shape_of
from electrode_grains.ebsd.region_means import RegionOrientations, mean_per_region
from electrode_grains.grains.block_orientations import BlockOrientations
from electrode_grains.grains.block_work import BlockWork, Integers, Relabelled

READ_AT_ONCE = 2**21  # voxels


@dataclass(frozen=True)
class RegionSpans:
    """Regions of a block, or of all, in the order of their first voxels.

    Attributes
    ----------
    labels, firsts, sizes : ndarray of int64, shape (n,)
        Label, index in the volume of its first voxel, voxels.
    low, high : ndarray of int64, shape (n, 3)
        Box that holds the region; `high` is the first voxel behind it.
    changed : int
        Voxels whose label is another one than before.
    """

    labels: Integers
    firsts: Integers
    sizes: Integers
    low: Integers
    high: Integers
    changed: int

    def numbered(self, count: int) -> NDArray[np.int32]:
        """Table that numbers labels 0 to `count` by their first voxels."""
        table = np.zeros(count + 1, np.int32)
        table[self.labels] = np.arange(1, len(self.labels) + 1)
        return table


def block_spans(labels: BlockSource, box: Box, before: BlockSource | None = None) -> RegionSpans:
    """Regions of a block; how many of its voxels changed, where labels before are given."""
    block = np.asarray(labels[box])
    codes, values = pd.factorize(block.ravel())
    first = np.empty(len(values), np.int64)
    first[codes[::-1]] = np.arange(block.size)[::-1]
    corner, shape = np.array([side.start for side in box]), shape_of(labels)
    spans = ndimage.find_objects(codes.reshape(block.shape) + 1)
    sides = np.array([[(side.start, side.stop) for side in span] for span in spans])
    at = np.array(np.unravel_index(first, block.shape)).T + corner
    grains = values != 0
    return RegionSpans(
        labels=np.asarray(values[grains], np.int64),
        firsts=((at[:, 0] * shape[1] + at[:, 1]) * shape[2] + at[:, 2])[grains],
        sizes=np.bincount(codes)[grains].astype(np.int64),
        low=(sides[:, :, 0] + corner)[grains].astype(np.int64),
        high=(sides[:, :, 1] + corner)[grains].astype(np.int64),
        changed=0 if before is None else int((block != np.asarray(before[box])).sum()),
    )


def find_spans(
    labels: BlockSource, work: BlockWork, before: BlockSource | None = None
) -> RegionSpans:
    """Regions of a volume."""
    return add_spans(work.over(block_spans, lambda box: (labels, box, before)))


def add_spans(parts: Iterable[RegionSpans]) -> RegionSpans:
    """Regions of all blocks."""
    parts = list(parts)
    ids, place = np.unique(np.concatenate([part.labels for part in parts]), return_inverse=True)
    most = np.iinfo(np.int64).max
    firsts, low = np.full(ids.size, most), np.full((ids.size, 3), most)
    sizes, high = np.zeros(ids.size, np.int64), np.zeros((ids.size, 3), np.int64)
    np.minimum.at(firsts, place, np.concatenate([part.firsts for part in parts]))
    np.minimum.at(low, place, np.concatenate([part.low for part in parts]))
    np.maximum.at(high, place, np.concatenate([part.high for part in parts]))
    np.add.at(sizes, place, np.concatenate([part.sizes for part in parts]))
    order = np.argsort(firsts)
    changed = sum(part.changed for part in parts)
    return RegionSpans(ids[order], firsts[order], sizes[order], low[order], high[order], changed)


def means_by_block(
    labels: Relabelled, spans: RegionSpans, orientations: BlockOrientations, work: BlockWork
) -> RegionOrientations:
    """Mean orientation of each region, that of `OrientationField.means`.

    Parameters
    ----------
    labels : Relabelled
        Numbered from 1 by first voxels.
    spans : RegionSpans
        Of these labels.
    orientations : BlockOrientations
    work : BlockWork

    Returns
    -------
    RegionOrientations
        Of regions 0 to n.
    """
    groups = list(_groups(spans, work.edge))
    parts = work.executor.map(
        region_means, [(labels, orientations, names, box) for names, box in groups]
    )
    count = len(spans.labels) + 1
    means = RegionOrientations(
        np.full((count, 4), np.nan), np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    )
    for (names, _), part in zip(groups, parts, strict=True):
        for field in fields(RegionOrientations):
            getattr(means, field.name)[names] = getattr(part, field.name)[1:]
    return means


def region_means(
    labels: BlockSource, orientations: BlockOrientations, names: Integers, box: Box
) -> RegionOrientations:
    """Mean orientations of regions that lie in a box, which is read slab by slab.

    Parameters
    ----------
    labels : BlockSource
    orientations : BlockOrientations
    names : ndarray of int64, shape (n,)
        Labels of the regions, sorted.
    box : (slice, slice, slice)

    Returns
    -------
    RegionOrientations
        In the order of the names, from 1.
    """
    # A point without weight of the last region, so that all are counted.
    own, points = [np.array([len(names)], np.int32)], [np.full((1, 4), np.nan, np.float32)]
    weights = [np.zeros(1, np.float32)]
    for slab in _slabs(box):
        values = np.asarray(labels[slab])
        ranks = np.searchsorted(names, values)
        is_named = names[np.minimum(ranks, len(names) - 1)] == values
        if not is_named.any():
            continue
        point, weight = orientations.field(slab, is_named).points()
        own.append((ranks[is_named][weight > 0] + 1).astype(np.int32))
        points.append(point[weight > 0])
        weights.append(weight[weight > 0])
    return mean_per_region(
        np.concatenate(own), np.concatenate(points), np.concatenate(weights), orientations.symmetry
    )


def _groups(spans: RegionSpans, edge: int) -> Iterator[tuple[Integers, Box]]:
    """Labels that are one task, sorted, and the box that holds them.

    A region across faces that is longer than half a block is alone, lest others be sought all
    along it.
    """
    if not len(spans.labels):
        return
    low, high = spans.low, spans.high
    crosses = (low // edge != (high - 1) // edge).any(axis=1)
    is_long = crosses & (high - low > edge // 2).any(axis=1)
    alone = np.where(is_long, np.arange(1, len(low) + 1), 0)
    shifted = low + (crosses * (edge // 2))[:, None]  # so that faces lie in the middle of cells
    keys = np.column_stack([crosses, alone, shifted // edge])
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.ravel()
    for rows in np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1]):
        first, last = low[rows].min(axis=0), high[rows].max(axis=0)
        z, y, x = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        yield np.sort(spans.labels[rows]), (z, y, x)


def _slabs(box: Box) -> Iterator[Box]:
    """Parts of a box along z, in their order, of few voxels."""
    z, y, x = box
    thickness = max(1, READ_AT_ONCE // ((y.stop - y.start) * (x.stop - x.start)))
    for start in range(z.start, z.stop, thickness):
        yield slice(start, min(start + thickness, z.stop)), y, x
