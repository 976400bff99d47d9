"""The pass over a label volume, plane by plane: moments, neighbouring pairs, extreme points."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from electrode_grains.morphometry import kernels
from electrode_grains.morphometry.kernels import CLASS_COUNT, EMPTY

Integers = NDArray[np.int64]

Counts = NDArray[np.int32 | np.int64]

PIECE = 1 << 14  # corners of flat hulls that are kept together
HULL_CORNERS = 4  # of a flat hull at least, in the mean, lest a piece ends early


class BlockScan(NamedTuple):
    """What a pass finds, by rank: labels in order of appearance, label 0 first.

    Attributes
    ----------
    labels, sums, lower, upper, outside : ndarray, shapes (n,), (n, 10), (n, 3), (n, 3), (n, 7)
        Labels, their moments, boxes, and pairs outside the window.
    keys, counts : ndarray, shapes (m,) and (m, 7)
        Pairs of ranks in one number, and how often each class of neighbours occurs.
    faces : ndarray, shape (f,)
        Faces to label 0.
    corners, owners : list of ndarray, shapes (p,) and (h, 2)
        Corners of flat hulls, and rank and number of corners of each hull, piece by piece.

    Counts, faces and corners are of the type that `count_type` tells.
    """

    labels: NDArray[np.uint64]
    sums: Integers
    lower: Integers
    upper: Integers
    outside: Integers
    keys: NDArray[np.uint64]
    counts: Counts
    faces: Counts
    corners: list[Counts]
    owners: list[NDArray[np.int32]]


def count_type(window: tuple[int, int, int]) -> type[np.int32 | np.int64]:
    """Type that holds places, faces and pairs of neighbours in a window: of 32 bits if it can be.

    A voxel has three faces, and four neighbours of the class that has most.
    """
    return np.int32 if 4 * window[0] * window[1] * window[2] < 2**31 else np.int64


def scan_block(
    block: NDArray[Any],
    own: tuple[int, int, int, int, int, int],
    offset: tuple[int, int, int],
    window: tuple[int, int, int],
    with_corners: bool,
) -> BlockScan:
    """Measure the own part (first and end along z, y, x) of a block, in one pass.

    Parameters
    ----------
    block : ndarray of unsigned integers, shape (z, y, x)
        Contiguous.
    own : (int, int, int, int, int, int)
    offset : (int, int, int)
        Place of block[0, 0, 0] in the window.
    window : (int, int, int)
        Shape of the whole volume.
    with_corners : bool
        Whether to collect the corners of flat hulls.
    """
    depth, height, width = block.shape
    z_begin, z_end, y_begin, y_end, x_begin, x_end = own
    labels, label_slots = np.zeros(64, np.uint64), np.full(256, EMPTY, np.int32)
    label_slots[0], label_count = 0, 1  # label 0 has rank 0, and hashes to 0
    sums, outside = np.zeros((64, 10), np.int64), np.zeros((64, CLASS_COUNT), np.int64)
    lower, upper = np.full((64, 3), max(window), np.int64), np.zeros((64, 3), np.int64)
    last_record = np.full(64, EMPTY, np.int32)
    pair_keys, pair_slots = np.zeros(256, np.uint64), np.full(1024, EMPTY, np.int32)
    kind = count_type(window)
    pair_counts, used = np.zeros((256, CLASS_COUNT), kind), 0
    faces: Counts = np.empty(1024, kind)
    face_count = 0
    all_corners: list[Counts] = []  # pieces: one array that grows would need its size again
    all_owners: list[NDArray[np.int32]] = []
    corners, owners = np.empty(0, kind), np.empty((0, 2), np.int32)
    filled, hull_count = 0, 0
    ends, ranks = np.empty((2, height, width + 1), np.int32), np.empty((2, height, width), np.int32)
    flat_ends, flat_ranks = ends.reshape(2 * height, width + 1), ranks.reshape(2 * height, width)
    run_counts = np.zeros((2, height), np.int64)
    changes = np.zeros(8 * ((width + 7) // 8), np.uint8)
    words = changes.view(np.uint64)
    rows = np.empty((max(0, y_end - y_begin) * width, 5), np.int32)  # every voxel its own grain
    scratch, keep = np.empty((4, height + 1), np.int64), np.empty((2, height + 1), np.bool_)
    row_length, plane_size = window[2], window[1] * window[2]
    for below in range(depth + 1):
        # Find the runs of the plane below before the plane above it is compared with it.
        next_row = 0 if below < depth else height
        while next_row < height:
            next_row, label_count = kernels.rank_runs(
                block[below],
                changes,
                words,
                next_row,
                ends[below % 2],
                ranks[below % 2],
                run_counts[below % 2],
                label_slots,
                labels,
                label_count,
            )
            if next_row < height:
                size = _grown(labels.size, label_count + width)
                labels, sums, outside = (_extend(a, size, 0) for a in (labels, sums, outside))
                lower, upper = _extend(lower, size, max(window)), _extend(upper, size, 0)
                last_record = _extend(last_record, size, EMPTY)
                if 2 * size > label_slots.size:
                    label_slots = kernels.larger_table(labels, label_count, 2 * size)
        above = below - 1
        if not z_begin <= above < z_end:
            continue
        side, z = above % 2, offset[0] + above
        plane_own, origin = (y_begin, y_end, x_begin, x_end), (z, offset[1], offset[2])
        kernels.add_runs(
            ends[side],
            ranks[side],
            run_counts[side],
            plane_own,
            origin,
            window,
            sums,
            lower,
            upper,
            outside,
        )
        next_row = y_begin
        while next_row < y_end:
            next_row, used, face_count = kernels.count_pairs(
                flat_ends,
                flat_ranks,
                run_counts,
                side,
                below == depth,
                (next_row, y_end, x_begin, x_end),
                z * plane_size + offset[1] * row_length + offset[2],
                row_length,
                pair_slots,
                pair_keys,
                pair_counts,
                used,
                faces,
                face_count,
            )
            if next_row == y_end:
                break
            room = used + 22 * width  # as many as one row can add
            if room > pair_keys.size:
                size = _grown(pair_keys.size, room)
                pair_keys, pair_counts = _extend(pair_keys, size, 0), _extend(pair_counts, size, 0)
            if 2 * room > pair_slots.size:
                pair_slots = kernels.larger_table(pair_keys, used, 2 * room)
            if face_count + 3 * width > faces.size:
                faces = _extend(faces, _grown(faces.size, face_count + 3 * width))
        if with_corners:
            row_count = kernels.record_rows(
                ends[side], ranks[side], run_counts[side], plane_own, origin, last_record, rows
            )
            if filled + 2 * row_count > corners.size or hull_count + row_count > len(owners):
                all_corners.append(corners[:filled].copy())
                all_owners.append(owners[:hull_count].copy())
                filled, hull_count = 0, 0
                if 2 * row_count > corners.size or row_count > len(owners):
                    size = max(PIECE, _grown(corners.size, 2 * row_count))
                    corners = np.empty(size, kind)
                    owners = np.empty((max(row_count, size // HULL_CORNERS), 2), np.int32)
            filled, hull_count = kernels.collect_corners(
                last_record,
                rows,
                row_count,
                (z * plane_size, row_length),
                scratch,
                keep,
                corners,
                owners,
                filled,
                hull_count,
            )
    return BlockScan(
        labels[:label_count],
        sums[:label_count],
        lower[:label_count],
        upper[:label_count],
        outside[:label_count],
        pair_keys[:used].copy(),  # without the room to grow
        pair_counts[:used].copy(),
        faces[:face_count].copy(),
        [*all_corners, corners[:filled].copy()],
        [*all_owners, owners[:hull_count].copy()],
    )


def _grown(size: int, needed: int) -> int:
    """Size of an array that grows to at least `needed` entries, seldom enough."""
    return max(needed, 3 * size // 2)


def _extend(array: NDArray[Any], size: int, value: int | None = None) -> NDArray[Any]:
    """Copy with room for `size` entries along the first axis, the new ones of one value if any."""
    grown = np.empty((size, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    if value is not None:
        grown[len(array) :] = value
    return grown
