"""What each block tells of its regions, and how that adds up to the whole volume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockSource, Box
from electrode_grains.blocks.boxes import inside, shape_of, widened
from electrode_grains.errors import InputError
from electrode_grains.grains.cleanup import grow_into
from electrode_grains.grains.labelling import Contacts, connected_pieces, measure_faces, summable
from electrode_grains.grains.placement import COLOURS, sweep
from electrode_grains.grains.settings import SegmentationSettings

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class RegionCounts:
    """Regions of a block, or of all.

    Attributes
    ----------
    labels, firsts, sizes, background : ndarray of int64, shape (n,)
        Label, index in the volume of its first voxel, voxels, voxels that are background.
    boundary : ndarray of float64, shape (n,)
        Boundary probability, summed over the voxels.
    """

    labels: Integers
    firsts: Integers
    sizes: Integers
    background: Integers
    boundary: NDArray[np.float64]


def count_regions(
    labels: BlockSource,
    background: BlockSource,
    threshold: float,
    box: Box,
    boundary: BlockSource | None = None,
) -> RegionCounts:
    """Count the regions of a block; their boundary probability is 0 where none is given."""
    block, probability = np.asarray(labels[box]), np.asarray(background[box])
    if not np.isfinite(probability).all():
        raise InputError(
            "the background probability is not finite everywhere",
            where=f"block at z, y, x = {tuple(side.start for side in box)}",
            found=f"{int((~np.isfinite(probability)).sum())} voxels that are not",
            remedy="check the network and the contrast it was applied to",
        )
    ids, first, place, sizes = np.unique(
        block, return_index=True, return_inverse=True, return_counts=True
    )
    outside = (probability > threshold).ravel()
    behind = np.bincount(place.ravel()[outside], minlength=ids.size)
    values = np.zeros(block.size) if boundary is None else summable(boundary[box]).ravel()
    sums = np.bincount(place.ravel(), values, ids.size).astype(np.float64)
    grains = ids > 0
    at = np.unravel_index(first[grains], block.shape)
    z, y, x = (part + side.start for part, side in zip(at, box, strict=True))
    shape = shape_of(labels)
    return RegionCounts(
        ids[grains].astype(np.int64),
        np.asarray((z * shape[1] + y) * shape[2] + x, np.int64),
        sizes[grains].astype(np.int64),
        behind[grains].astype(np.int64),
        sums[grains],
    )


def add_regions(parts: Iterable[RegionCounts]) -> RegionCounts:
    """Regions of all blocks, in the order of their first voxels."""
    parts = list(parts)
    ids, place = np.unique(np.concatenate([part.labels for part in parts]), return_inverse=True)
    firsts = np.full(ids.size, np.iinfo(np.int64).max)
    np.minimum.at(firsts, place, np.concatenate([part.firsts for part in parts]))
    sizes, background = np.zeros((2, ids.size), np.int64)
    np.add.at(sizes, place, np.concatenate([part.sizes for part in parts]))
    np.add.at(background, place, np.concatenate([part.background for part in parts]))
    boundary = np.zeros(ids.size)
    np.add.at(boundary, place, np.concatenate([part.boundary for part in parts]))
    order = np.argsort(firsts)
    return RegionCounts(ids[order], firsts[order], sizes[order], background[order], boundary[order])


def block_contacts(labels: BlockSource, field: BlockSource | None, box: Box) -> Contacts:
    """Contacts over the faces of a block's voxels to their next neighbours."""
    around = widened(box, 1, shape_of(labels))
    z, y, x = (slice(side.start, far.stop) for side, far in zip(box, around, strict=True))
    own = tuple(side.stop - side.start for side in box)
    values = None if field is None else np.asarray(field[z, y, x])
    return measure_faces(np.asarray(labels[z, y, x]), values, own)


def add_contacts(parts: Sequence[Contacts], table: NDArray[np.integer]) -> Contacts:
    """Contacts of all blocks between the labels of a table, without those within one."""
    ends = [table[np.concatenate([getattr(p, n) for p in parts])] for n in ("first", "second")]
    first, second = np.minimum(*ends).astype(np.int64), np.maximum(*ends).astype(np.int64)
    apart = (first != second) & (first > 0)
    scale = int(table.max(initial=0)) + 1
    pairs, place = np.unique(first[apart] * scale + second[apart], return_inverse=True)

    def added(name: str) -> NDArray[Any]:
        values = np.concatenate([getattr(part, name) for part in parts])[apart]
        total = np.zeros((pairs.size, *values.shape[1:]), values.dtype)
        np.add.at(total, place, values)
        return total

    return Contacts(
        (pairs // scale).astype(np.int32), (pairs % scale).astype(np.int32),
        added("faces"), added("between_slices"), added("total"), added("levels"),
    )  # fmt: skip


def clear_background(
    labels: BlockSource,
    background: BlockSource,
    settings: SegmentationSettings,
    is_background_region: NDArray[np.bool_],
    box: Box,
) -> NDArray[np.int32]:
    """Labels of a block without background, and with the rim that joins grains."""
    around = widened(box, settings.rim_voxels + 1, shape_of(labels))
    regions = np.asarray(labels[around])
    outside = np.asarray(background[around]) > settings.background_threshold
    remainder = is_background_region[regions] & ~outside
    cleared = np.where(outside | remainder, 0, regions).astype(np.int32)
    if settings.rim_voxels and remainder.any():
        rim = grow_into(cleared, remainder, settings.rim_voxels)
        cleared = np.where(remainder, rim, cleared)
    return cleared[inside(box, around)]


@dataclass(frozen=True)
class BlockPieces:
    """Connected pieces of the labels of a block.

    Attributes
    ----------
    origins, firsts, sizes : ndarray of int64, shape (n + 1,)
        Label of each piece, index in the volume of its first voxel, voxels; that of no piece first.
    lower, upper : three ndarrays of int32
        Pieces on the first and on the last plane of the block, axis by axis.
    """

    origins: Integers
    firsts: Integers
    sizes: Integers
    lower: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
    upper: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


def block_pieces(labels: BlockSource, box: Box) -> BlockPieces:
    """Connected pieces within a block."""
    block = np.asarray(labels[box])
    pieces, count = connected_pieces(block)
    _, first = np.unique(np.concatenate([[0], pieces.ravel()]), return_index=True)
    at = np.unravel_index(np.maximum(first - 1, 0), block.shape)
    z, y, x = (part + side.start for part, side in zip(at, box, strict=True))
    shape = shape_of(labels)
    origins = block[at].astype(np.int64)
    origins[0] = 0
    return BlockPieces(
        origins,
        np.asarray((z * shape[1] + y) * shape[2] + x, np.int64),
        np.bincount(pieces.ravel(), minlength=count + 1).astype(np.int64),
        (pieces[0].copy(), pieces[:, 0].copy(), pieces[:, :, 0].copy()),
        (pieces[-1].copy(), pieces[:, -1].copy(), pieces[:, :, -1].copy()),
    )


def number_pieces(labels: BlockSource, table: NDArray[np.int32], box: Box) -> NDArray[np.int32]:
    """Pieces of a block by their numbers in the whole volume."""
    pieces, _ = connected_pieces(np.asarray(labels[box]))
    numbered: NDArray[np.int32] = table[pieces]
    return numbered


def place_block(
    labels: BlockSource,
    boundary: BlockSource,
    interior: BlockSource,
    settings: SegmentationSettings,
    box: Box,
    fixed: BlockSource | None = None,
) -> NDArray[np.int32]:
    """Labels of a block after its interfaces were placed, see `place_interfaces`.

    Voxels stay where a volume of bodies, if one is given, is not 0. A voxel is judged by others at
    most two voxels away, so that after all sweeps nothing within the block depends on what was not
    read.
    """
    around = widened(box, 2 * COLOURS * settings.place_sweeps, shape_of(labels))
    regions = np.array(labels[around])  # a copy, since it is changed
    pair = np.stack([np.asarray(each[around], np.float32) for each in (boundary, interior)])
    first = [side.start for side in around]
    stay = np.zeros(regions.shape, bool) if fixed is None else np.asarray(fixed[around]) > 0
    sweep(regions, pair, settings, stay, first[2] + 2 * first[1] + first[0])
    return regions[inside(box, around)]


def exchange(labels: BlockSource, box: Box) -> NDArray[np.int32]:
    """Labels of a block as they are."""
    return np.asarray(labels[box], np.int32)
