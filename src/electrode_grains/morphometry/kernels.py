"""Loops over the runs of a label volume, compiled: moments, neighbouring pairs, extreme points.

A run is a stretch of one label along x. Neighbouring rows are compared run by run, not voxel
by voxel: two runs give the overlaps of all three steps along x at once. What calls these loops
is no loop of voxels and not compiled (`electrode_grains.morphometry.scanning`): numba would
compile them again within it.
"""

# mypy: disable-error-code="operator, assignment, arg-type"
# Compiled arithmetic has the types that numba infers, which NumPy's stubs do not follow.

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit

Integers = NDArray[Any]  # of int64
Ranks = NDArray[Any]  # of int32
EMPTY = -1  # of a slot of a hash table, and of a list of rows
ONE = np.uint64(1)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio spreads consecutive keys
# Classes of neighbours by the axes along which they differ; mirror images share a class.
# The class of one step more along x follows that of a step across.
CLASS_X, CLASS_Y, CLASS_YX, CLASS_Z, CLASS_ZX, CLASS_ZY, CLASS_ZYX = range(7)
CLASS_COUNT = 7


# --- hash tables --------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _hash_slot(key: Any, mask: Any) -> Any:
    """Slot at which the search for a key begins, in a table of mask + 1 slots.

    The search itself stands where it is needed: arrays handed to a function with a loop have
    their references counted, which costs more than the search.
    """
    return ((key * GOLDEN) >> np.uint64(32)) & mask


@njit(cache=True, nogil=True)
def _pair_key(a: int, b: int) -> Any:
    return (np.uint64(min(a, b)) << np.uint64(32)) | np.uint64(max(a, b))


@njit(cache=True, nogil=True)
def larger_table(keys: NDArray[np.uint64], used: int, size: int) -> Ranks:
    """Hash table of keys with at least `size` slots, a power of two."""
    slots = np.full(2 ** int(np.ceil(np.log2(size))), EMPTY, np.int32)
    mask = np.uint64(slots.size - 1)
    for place in range(used):
        slot = _hash_slot(keys[place], mask)
        while slots[slot] != EMPTY:
            slot = (slot + ONE) & mask
        slots[slot] = place
    return slots


# --- runs ------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def rank_runs(
    plane: NDArray[Any],
    changes: NDArray[np.uint8],
    words: NDArray[np.uint64],
    first_row: int,
    ends: Ranks,
    ranks: Ranks,
    run_counts: Integers,
    slots: Ranks,
    labels: NDArray[np.uint64],
    label_count: int,
) -> tuple[int, int]:
    """Find the runs of a plane and the ranks of their labels, in order of appearance.

    `changes` has a multiple of 8 bytes, 0 beyond a row; `words` is the same memory. Most words
    hold no change, and the comparison runs on vector registers. Stops before a row for which
    `labels` may be too short, and returns that row and the number of labels. The only loop that
    is compiled for each type of labels.
    """
    mask = np.uint64(slots.size - 1)
    width = plane.shape[1]
    for y in range(first_row, plane.shape[0]):
        for x in range(width - 1):
            changes[x] = plane[y, x] != plane[y, x + 1]
        count = 0
        for word in range(words.size):
            if words[word] != 0:
                for x in range(8 * word, 8 * word + 8):
                    ends[y, count] = x + 1  # overwritten by the next one unless there is a change
                    count += int(changes[x])
        ends[y, count] = width
        count += 1
        if label_count + count > labels.size:
            return y, label_count
        run_counts[y] = count
        for i in range(count):
            value = np.uint64(plane[y, ends[y, i] - 1])
            slot = _hash_slot(value, mask)
            while slots[slot] != EMPTY and labels[slots[slot]] != value:
                slot = (slot + ONE) & mask
            if slots[slot] == EMPTY:
                slots[slot], labels[label_count] = label_count, value
                label_count += 1
            ranks[y, i] = slots[slot]
    return plane.shape[0], label_count


@njit(cache=True, nogil=True)
def _squares_below(n: int) -> int:
    return (n - 1) * n * (2 * n - 1) // 6


@njit(cache=True, nogil=True)
def add_runs(
    ends: Ranks,
    ranks: Ranks,
    run_counts: Integers,
    own: tuple[int, int, int, int],
    origin: tuple[int, int, int],
    window: tuple[int, int, int],
    sums: Integers,
    lower: Integers,
    upper: Integers,
    outside: Integers,
) -> None:
    """Add the own runs of a plane to count, moments and box of their grains.

    Also counts their neighbours outside the window. Arrays are indexed in place: a view of a
    row would cost more than the sums, since its references are counted.
    """
    z = origin[0]
    y_begin, y_end, x_begin, x_end = own
    for j in range(y_begin, y_end):
        y = origin[1] + j
        on_border = z == 0 or y == 0 or z == window[0] - 1 or y == window[1] - 1
        end = x_begin
        for i in range(run_counts[j]):
            begin, end = end, min(np.int64(ends[j, i]), x_end)
            rank = ranks[j, i]
            if end <= begin or rank == 0:
                end = max(begin, end)
                continue
            first, stop = origin[2] + begin, origin[2] + end
            n = end - begin
            sum_x = (first + stop - 1) * n // 2
            sums[rank, 0] += n
            sums[rank, 1] += n * z
            sums[rank, 2] += n * y
            sums[rank, 3] += sum_x
            sums[rank, 4] += n * z * z
            sums[rank, 5] += n * z * y
            sums[rank, 6] += z * sum_x
            sums[rank, 7] += n * y * y
            sums[rank, 8] += y * sum_x
            sums[rank, 9] += _squares_below(stop) - _squares_below(first)
            lower[rank, 0], upper[rank, 0] = min(lower[rank, 0], z), max(upper[rank, 0], z + 1)
            lower[rank, 1], upper[rank, 1] = min(lower[rank, 1], y), max(upper[rank, 1], y + 1)
            lower[rank, 2] = min(lower[rank, 2], first)
            upper[rank, 2] = max(upper[rank, 2], stop)
            if on_border or first == 0 or stop == window[2]:
                _count_outside(z, y, first, stop, window, outside, rank)


@njit(cache=True, nogil=True)
def _count_outside(
    z: int, y: int, begin: int, end: int, window: tuple[int, int, int], outside: Integers, rank: int
) -> None:
    """Count the neighbours of a run that lie outside the window."""
    n, ends = end - begin, int(begin == 0) + int(end == window[2])
    outside[rank, CLASS_X] += ends
    for dz in range(-1, 2):
        for dy in range(-1, 2):
            if dz == 0 and dy == 0:
                continue
            straight = CLASS_Y if dz == 0 else CLASS_Z if dy == 0 else CLASS_ZY
            if 0 <= z + dz < window[0] and 0 <= y + dy < window[1]:
                outside[rank, straight + 1] += ends
            else:
                outside[rank, straight] += n
                outside[rank, straight + 1] += 2 * n


@njit(cache=True, nogil=True)
def record_rows(
    ends: Ranks,
    ranks: Ranks,
    run_counts: Integers,
    own: tuple[int, int, int, int],
    origin: tuple[int, int, int],
    last_record: Ranks,
    rows: Ranks,
) -> int:
    """List (rank, y, first x, last x, previous record of the rank) of every grain and row.

    `last_record` receives the last record of each rank.
    """
    y_begin, y_end, x_begin, x_end = own
    filled = 0
    for j in range(y_begin, y_end):
        end = x_begin
        for i in range(run_counts[j]):
            begin, end = end, min(np.int64(ends[j, i]), x_end)
            rank = ranks[j, i]
            if end <= begin or rank == 0:
                end = max(begin, end)
                continue
            record = last_record[rank]
            if record != EMPTY and rows[record, 1] == origin[1] + j:
                rows[record, 3] = origin[2] + end - 1
                continue
            rows[filled, 0], rows[filled, 1] = rank, origin[1] + j
            rows[filled, 2], rows[filled, 3] = origin[2] + begin, origin[2] + end - 1
            rows[filled, 4] = record
            last_record[rank] = filled
            filled += 1
    return filled


# --- pairs of rows ---------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def count_pairs(
    ends: Ranks,
    ranks: Ranks,
    run_counts: Integers,
    side: int,
    is_last: bool,
    own: tuple[int, int, int, int],
    flat_first: int,
    row_length: int,
    slots: Ranks,
    keys: NDArray[np.uint64],
    counts: Integers,
    used: int,
    faces: Integers,
    face_count: int,
) -> tuple[int, int, int]:
    """Count the neighbours of a plane's own voxels in that plane and in the next.

    `ends` and `ranks` hold the runs of both planes, `side` says which of them is this one.
    Rows are compared run by run: two runs whose ends are known give the numbers of voxels
    that face each other straight across and one step aside along x, ahead and behind.
    Stops before a row for which the tables may be too small, and returns that row and what
    the tables hold. Larger ones are made outside: to replace an array in a loop would have
    its references counted at every turn.
    """
    y_begin, y_end, x_begin, x_end = own
    height, width = run_counts.shape[1], ranks.shape[1]
    mask = np.uint64(slots.size - 1)
    following = np.empty(width, np.int32)
    for j in range(y_begin, y_end):
        here = side * height + j
        count = run_counts[side, j]
        room = used + 16 * count
        for dy in range(-1, 2):
            if 0 <= j + dy < height:
                room += run_counts[side, j + dy] + run_counts[1 - side, j + dy]
        if room > keys.size or 2 * room > slots.size or face_count + 3 * width > faces.size:
            return j, used, face_count
        flat = flat_first + j * row_length
        for i in range(count - 1):
            following[i] = EMPTY
            end = ends[here, i]
            if x_begin < end <= x_end:
                rank, other = ranks[here, i], ranks[here, i + 1]
                key = _pair_key(rank, other)
                slot = _hash_slot(key, mask)
                while slots[slot] != EMPTY and keys[slots[slot]] != key:
                    slot = (slot + ONE) & mask
                if slots[slot] == EMPTY:
                    slots[slot], keys[used] = used, key
                    for kind in range(CLASS_COUNT):
                        counts[used, kind] = 0
                    used += 1
                place = slots[slot]
                counts[place, CLASS_X] += 1
                following[i] = place
                if rank == 0 or other == 0:
                    faces[face_count] = 3 * (flat + end - 1) + 2
                    face_count += 1
        following[count - 1] = EMPTY
        for step in range(4):  # y + 1; then z + 1 with y - 1, y, y + 1
            dy = 1 if step == 0 else step - 2
            if not 0 <= j + dy < height or (step > 0 and is_last):
                continue
            lane = side if step == 0 else 1 - side
            there = lane * height + j + dy
            last = run_counts[lane, j + dy] - 1
            straight = CLASS_Y if step == 0 else CLASS_Z if dy == 0 else CLASS_ZY
            axis = 1 if step == 0 else 0 if dy == 0 else -1
            k, other_begin, begin = 0, 0, x_begin
            for i in range(count):
                end = min(np.int64(ends[here, i]), x_end)
                if end <= begin:
                    continue
                rank = ranks[here, i]
                while True:
                    other_end, other = np.int64(ends[there, k]), ranks[there, k]
                    if other != rank and other_end >= begin:
                        if i > 0 and following[i - 1] != EMPTY and other == ranks[here, i - 1]:
                            place = following[i - 1]
                        elif following[i] != EMPTY and other == ranks[here, i + 1]:
                            place = following[i]
                        else:
                            key = _pair_key(rank, other)
                            slot = _hash_slot(key, mask)
                            while slots[slot] != EMPTY and keys[slots[slot]] != key:
                                slot = (slot + ONE) & mask
                            if slots[slot] == EMPTY:
                                slots[slot], keys[used] = used, key
                                for kind in range(CLASS_COUNT):
                                    counts[used, kind] = 0
                                used += 1
                            place = slots[slot]
                        first, stop = max(begin, other_begin), min(end, other_end)
                        ahead = min(end, other_end - 1) - max(begin, other_begin - 1)
                        behind = min(end, other_end + 1) - max(begin, other_begin + 1)
                        counts[place, straight] += max(stop - first, 0)
                        counts[place, straight + 1] += max(ahead, 0) + max(behind, 0)
                        if axis >= 0 and (rank == 0 or other == 0):
                            for x in range(first, stop):
                                faces[face_count] = 3 * (flat + x) + axis
                                face_count += 1
                    if other_end > end or k == last:
                        break
                    other_begin = other_end
                    k += 1
                # The next run may lie beside the one before the last that was seen.
                while k > 0 and other_begin >= end:
                    k -= 1
                    other_begin = np.int64(ends[there, k - 1]) if k > 0 else 0
                begin = end
    return y_end, used, face_count


# --- extreme points --------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def mark_chain(
    ys: Integers, xs: Integers, n: int, sign: int, keep: NDArray[np.bool_], stack: Integers
) -> None:
    """Mark the strict corners of the lower (sign 1) or upper (-1) chain of n points by rising y."""
    depth = 0
    for i in range(n):
        while depth >= 2:
            a, b = stack[depth - 2], stack[depth - 1]
            turn = (xs[b] - xs[a]) * (ys[i] - ys[a]) - (xs[i] - xs[a]) * (ys[b] - ys[a])
            if sign * turn < 0:
                break
            depth -= 1
        stack[depth] = i
        depth += 1
    for i in range(n):
        keep[i] = False
    for i in range(depth):
        keep[stack[i]] = True


@njit(cache=True, nogil=True)
def collect_corners(
    last_record: Ranks,
    rows: Ranks,
    row_count: int,
    origin: tuple[int, int],
    scratch: Integers,
    keep: NDArray[np.bool_],
    corners: Integers,
    owners: Ranks,
    filled: int,
    hull_count: int,
) -> tuple[int, int]:
    """Append the corners of the flat hull of every grain in a plane, by rising y and x.

    No other voxel of the plane can be a corner of the hull in space. `rows` are records
    (rank, y, first x, last x, previous record of the rank), `last_record` the last one of each
    rank, which is reset; `origin` the flat index of the plane and the length of a row. `owners`
    receives rank and number of corners of each hull. Returns the numbers of corners and of hulls.
    """
    ys, low, high, stack = scratch[0], scratch[1], scratch[2], scratch[3]
    keep_low, keep_high = keep[0], keep[1]
    for record in range(row_count):
        rank = rows[record, 0]
        at = last_record[rank]
        if at == EMPTY:
            continue
        n = 0
        while at != EMPTY:
            n += 1
            at = rows[at, 4]
        i, at = n - 1, last_record[rank]
        while at != EMPTY:
            ys[i], low[i], high[i] = rows[at, 1], rows[at, 2], rows[at, 3]
            i -= 1
            at = rows[at, 4]
        last_record[rank] = EMPTY
        for side in range(2):  # not two calls: each would be compiled
            mark_chain(ys, scratch[1 + side], n, 1 - 2 * side, keep[side], stack)
        before = filled
        for i in range(n):
            row = origin[0] + ys[i] * origin[1]
            if keep_low[i]:
                corners[filled] = row + low[i]
                filled += 1
            if keep_high[i] and not (keep_low[i] and low[i] == high[i]):
                corners[filled] = row + high[i]
                filled += 1
        owners[hull_count, 0], owners[hull_count, 1] = rank, filled - before
        hull_count += 1
    return filled, hull_count


@njit(cache=True, nogil=True)
def append_by_owner(
    values: Integers, owners: Ranks, group: Integers, sorted_values: Integers, ends: Integers
) -> None:
    """Append values to those of the group of their owner, and move the ends of groups."""
    at = 0
    for hull in range(len(owners)):
        own = group[owners[hull, 0]]
        for _ in range(owners[hull, 1]):
            sorted_values[ends[own]] = values[at]
            at += 1
            ends[own] += 1


@njit(cache=True, nogil=True)
def append_corners(
    values: Integers, starts: Integers, ranks: Integers, corners: Integers, ends: Integers
) -> None:
    """Append values by grain to those of the same grains in `corners`, and move their ends."""
    for grain in range(ranks.size):
        for i in range(starts[grain], starts[grain + 1]):
            corners[ends[ranks[grain]]] = values[i]
            ends[ranks[grain]] += 1


@njit(cache=True, nogil=True)
def reduce_corners(
    corners: Integers, starts: Integers, height: int, width: int
) -> tuple[Integers, Integers]:
    """Keep the corners of the flat hulls of points, given by grain, sorted by flat index.

    Sorts the points of each grain in place.
    """
    reduced, bounds = np.empty_like(corners), np.zeros_like(starts)
    longest = 0
    for grain in range(starts.size - 1):
        longest = max(longest, starts[grain + 1] - starts[grain])
    ys, low, high, stack = np.empty((4, longest), np.int64)
    keep_low, keep_high = np.empty((2, longest), np.bool_)
    filled = 0
    for grain in range(starts.size - 1):
        at, end = starts[grain], starts[grain + 1]
        corners[at:end].sort()
        while at < end:
            plane, n = corners[at] // (height * width), 0
            while at < end and corners[at] // (height * width) == plane:
                y, x = corners[at] // width, corners[at] % width
                if n == 0 or ys[n - 1] != y:
                    ys[n], low[n] = y, x
                    n += 1
                high[n - 1] = x
                at += 1
            mark_chain(ys, low, n, 1, keep_low, stack)
            mark_chain(ys, high, n, -1, keep_high, stack)
            for i in range(n):
                if keep_low[i]:
                    reduced[filled] = ys[i] * width + low[i]
                    filled += 1
                if keep_high[i] and not (keep_low[i] and low[i] == high[i]):
                    reduced[filled] = ys[i] * width + high[i]
                    filled += 1
        bounds[grain + 1] = filled
    return reduced[:filled].copy(), bounds
