"""Loops over the voxels of a plane, compiled: runs, neighbouring pairs, extreme points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Ranks = NDArray[np.int32]
EMPTY = -1  # of a slot of the pair table
OUTSIDE = -1  # rank of what lies beyond the window
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio spreads consecutive keys


@njit(cache=True, nogil=True)
def collect_values(plane: NDArray[Any], seen: NDArray[np.bool_], found: NDArray[Any]) -> int:
    """Mark the labels of a plane in `seen`, or list one per run in `found` where it is empty."""
    count = 0
    for y in range(plane.shape[0]):
        row = plane[y]
        for x in range(row.size):
            if x == 0 or row[x] != row[x - 1]:
                if seen.size:
                    seen[row[x]] = True
                else:
                    found[count] = row[x]
                    count += 1
    return count


@njit(cache=True, nogil=True)
def rank_plane(plane: NDArray[Any], values: NDArray[Any], lookup: Ranks, out: Ranks) -> None:
    """Write the rank of each label: 0 for label 0, then 1 for `values[0]` and so on."""
    rank = np.int32(0)
    for y in range(plane.shape[0]):
        row = plane[y]
        for x in range(row.size):
            value = row[x]
            if x == 0 or value != row[x - 1]:
                if lookup.size:
                    rank = lookup[value]
                elif value == 0:
                    rank = np.int32(0)
                else:
                    rank = np.int32(np.searchsorted(values, value) + 1)
            out[y, x] = rank


@njit(cache=True, nogil=True)
def _squares_below(n: int) -> int:
    return (n - 1) * n * (2 * n - 1) // 6


@njit(cache=True, nogil=True)
def _add_run(
    z: int,
    y: int,
    begin: int,
    end: int,
    rank: int,
    sums: Integers,
    lower: Integers,
    upper: Integers,
) -> None:
    """Add x in [begin, end) to count, first and second moments and bounding box."""
    n = end - begin
    sum_x = (begin + end - 1) * n // 2
    own = sums[rank]
    own[0] += n
    own[1] += n * z
    own[2] += n * y
    own[3] += sum_x
    own[4] += n * z * z
    own[5] += n * z * y
    own[6] += z * sum_x
    own[7] += n * y * y
    own[8] += y * sum_x
    own[9] += _squares_below(end) - _squares_below(begin)
    lower[rank, 0] = min(lower[rank, 0], z)
    lower[rank, 1] = min(lower[rank, 1], y)
    lower[rank, 2] = min(lower[rank, 2], begin)
    upper[rank, 0] = max(upper[rank, 0], z + 1)
    upper[rank, 1] = max(upper[rank, 1], y + 1)
    upper[rank, 2] = max(upper[rank, 2], end)


@njit(cache=True, nogil=True)
def add_runs(
    here: Ranks,
    origin: tuple[int, int, int],
    sums: Integers,
    lower: Integers,
    upper: Integers,
    newest: Ranks,
    rows: Ranks,
) -> int:
    """Add the runs of a plane to the sums of their grains.

    `rows` receives (rank, y, first x, last x, previous row of the same rank) for every grain
    and row; `newest` holds the last row of each rank, -1 before and after.
    """
    z, y_origin, x_origin = origin
    count = 0
    for j in range(here.shape[0]):
        row = here[j]
        y = y_origin + j
        x = 0
        while x < row.size:
            rank, begin = row[x], x
            while x < row.size and row[x] == rank:
                x += 1
            if rank <= 0:
                continue
            first, last = x_origin + begin, x_origin + x - 1
            _add_run(z, y, first, last + 1, rank, sums, lower, upper)
            record = newest[rank]
            if record >= 0 and rows[record, 1] == y:
                rows[record, 3] = last
            else:
                rows[count, 0], rows[count, 1] = rank, y
                rows[count, 2], rows[count, 3], rows[count, 4] = first, last, record
                newest[rank] = count
                count += 1
    return count


@njit(cache=True, nogil=True)
def mark_chain(
    ys: Integers, xs: Integers, sign: int, keep: NDArray[np.bool_], stack: Integers
) -> None:
    """Mark the strict corners of the lower (sign 1) or upper (-1) chain of points by rising y."""
    depth = 0
    for i in range(ys.size):
        while depth >= 2:
            a, b = stack[depth - 2], stack[depth - 1]
            turn = (xs[b] - xs[a]) * (ys[i] - ys[a]) - (xs[i] - xs[a]) * (ys[b] - ys[a])
            if sign * turn < 0:
                break
            depth -= 1
        stack[depth] = i
        depth += 1
    keep[: ys.size] = False
    for i in range(depth):
        keep[stack[i]] = True


@njit(cache=True, nogil=True)
def extreme_points(newest: Ranks, rows: Ranks, count: int) -> Ranks:
    """Corners (rank, y, x) of the flat hull of every grain in a plane, by rising y and x.

    No other voxel of the plane can be a corner of the hull in space. Resets `newest`.
    """
    points = np.empty((2 * count, 3), np.int32)
    ys, low, high, stack = np.empty((4, count), np.int64)
    keep_low, keep_high = np.empty((2, count), np.bool_)
    filled = 0
    for record in range(count):
        rank = rows[record, 0]
        if newest[rank] < 0:
            continue
        n, at = 0, newest[rank]
        while at >= 0:
            n += 1
            at = rows[at, 4]
        i, at = n - 1, newest[rank]
        while at >= 0:
            ys[i], low[i], high[i] = rows[at, 1], rows[at, 2], rows[at, 3]
            i -= 1
            at = rows[at, 4]
        newest[rank] = -1
        mark_chain(ys[:n], low[:n], 1, keep_low, stack)
        mark_chain(ys[:n], high[:n], -1, keep_high, stack)
        for i in range(n):
            if keep_low[i]:
                points[filled, 0], points[filled, 1], points[filled, 2] = rank, ys[i], low[i]
                filled += 1
            if keep_high[i] and not (keep_low[i] and low[i] == high[i]):
                points[filled, 0], points[filled, 1], points[filled, 2] = rank, ys[i], high[i]
                filled += 1
    return points[:filled].copy()


@njit(cache=True, nogil=True)
def reduce_corners(corners: Ranks) -> NDArray[np.bool_]:
    """Mark the corners that remain of points (rank, z, y, x) in lexicographic order."""
    keep = np.zeros(len(corners), np.bool_)
    size = len(corners)
    ys, low, high, first, last, stack = np.empty((6, size), np.int64)
    keep_low, keep_high = np.empty((2, size), np.bool_)
    start = 0
    while start < size:
        n, i = 0, start
        rank, z = corners[start, 0], corners[start, 1]
        while i < size and corners[i, 0] == rank and corners[i, 1] == z:
            if n == 0 or corners[i, 2] != ys[n - 1]:
                ys[n], low[n], first[n] = corners[i, 2], corners[i, 3], i
                n += 1
            high[n - 1], last[n - 1] = corners[i, 3], i
            i += 1
        mark_chain(ys[:n], low[:n], 1, keep_low, stack)
        mark_chain(ys[:n], high[:n], -1, keep_high, stack)
        for k in range(n):
            if keep_low[k]:
                keep[first[k]] = True
            # Where a row was kept twice (the same voxel), once is enough.
            if keep_high[k] and not (keep_low[k] and low[k] == high[k]):
                keep[last[k]] = True
        start = i
    return keep


@njit(cache=True, nogil=True)
def _find_slot(keys: Integers, key: Any) -> Any:
    mask = np.uint64(keys.size - 1)
    slot = ((np.uint64(key) * GOLDEN) >> np.uint64(20)) & mask
    while keys[slot] != key and keys[slot] != EMPTY:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@njit(cache=True, nogil=True)
def _grow(keys: Integers, counts: Integers) -> tuple[Integers, Integers]:
    more = np.full(2 * keys.size, EMPTY, np.int64)
    moved = np.zeros((2 * keys.size, counts.shape[1]), np.int64)
    for old in range(keys.size):
        if keys[old] != EMPTY:
            slot = _find_slot(more, keys[old])
            more[slot] = keys[old]
            moved[slot] = counts[old]
    return more, moved


@njit(cache=True, nogil=True)
def count_pairs(
    planes: Ranks,
    own: tuple[int, int, int, int],
    offsets: Integers,
    keys: Integers,
    counts: Integers,
    used: int,
    base: int,
) -> tuple[Integers, Integers, int]:
    """Count neighbours of different rank, the first of them in the own part of planes[0].

    `planes` are this plane and the next, `offsets` the steps to 13 neighbours in their flat
    order, `keys` and `counts` a hash table of pairs low * base + high, which may be replaced.
    """
    y_begin, y_end, x_begin, x_end = own
    width = x_end - x_begin
    flat = planes.reshape(planes.size)
    mixed = np.empty(width, np.int32)
    last_key: Any = EMPTY
    slot: Any = 0
    for y in range(y_begin, y_end):
        start = y * planes.shape[2] + x_begin
        row = flat[start : start + width]
        mixed[:] = 0
        for step in offsets:  # whole rows at a time: this loop runs on vector registers
            other = flat[start + step : start + step + width]
            for x in range(width):
                mixed[x] |= row[x] ^ other[x]
        for x in range(width):
            if mixed[x] == 0:
                continue
            rank = np.int64(row[x])
            for k in range(offsets.size):
                neighbour = np.int64(flat[start + x + offsets[k]])
                if neighbour in (rank, OUTSIDE):
                    continue
                key = min(rank, neighbour) * base + max(rank, neighbour)
                if key != last_key:
                    slot, last_key = _find_slot(keys, key), key
                    if keys[slot] == EMPTY:
                        if 2 * (used + 1) > keys.size:
                            keys, counts = _grow(keys, counts)
                            slot = _find_slot(keys, key)
                        keys[slot] = key
                        used += 1
                counts[slot, k] += 1
    return keys, counts, used


@njit(cache=True, nogil=True)
def count_beyond(
    here: Ranks,
    origin: tuple[int, int, int],
    window: tuple[int, int, int],
    directions: Integers,
    beyond: Integers,
) -> None:
    """Count the pairs of each grain of a plane whose other end lies beyond the window."""
    z, y_origin, x_origin = origin
    for j in range(here.shape[0]):
        y = y_origin + j
        whole_row = z == 0 or z == window[0] - 1 or y == 0 or y == window[1] - 1
        for i in range(here.shape[1]):
            x = x_origin + i
            if here[j, i] <= 0 or not (whole_row or x == 0 or x == window[2] - 1):
                continue
            for k in range(len(directions)):
                for sign in (-1, 1):
                    at_z = z + sign * directions[k, 0]
                    at_y = y + sign * directions[k, 1]
                    at_x = x + sign * directions[k, 2]
                    inside = (
                        0 <= at_z < window[0] and 0 <= at_y < window[1] and 0 <= at_x < window[2]
                    )
                    beyond[here[j, i], k] += not inside
