"""Whole-number statistics of a label volume, which add up exactly over its blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.morphometry import kernels
from electrode_grains.morphometry.crofton import DIRECTIONS
from electrode_grains.problems import InputProblem

Integers = NDArray[np.int64]
Triple = tuple[int, int, int]
LARGEST_LOOKUP = 2**22
THINNEST_SLAB = 8  # planes for one thread; thinner ones would read their margins too often


def check_labels(labels: ArrayLike) -> NDArray[Any]:
    """Return a label volume as an array.

    Raises
    ------
    InputProblem
        If it is not three-dimensional, not of whole numbers, or holds a negative label.
    """
    volume = np.asanyarray(labels)
    if volume.ndim != 3:
        raise InputProblem("a label volume has dimensions (z, y, x)", found=f"shape {volume.shape}")
    if not np.issubdtype(volume.dtype, np.integer):
        raise InputProblem("labels are whole numbers", found=f"dtype {volume.dtype}")
    if (
        volume.size
        and np.issubdtype(volume.dtype, np.signedinteger)
        and (least := volume.min()) < 0
    ):
        place = tuple(map(int, np.unravel_index(int(np.argmin(volume)), volume.shape)))
        raise InputProblem(
            "labels are not negative",
            where=f"voxel (z, y, x) = {place}",
            found=f"label {int(least)}",
            expected="0 for no grain, grains from 1",
        )
    return volume


def check_spacing(spacing: Sequence[float]) -> tuple[float, float, float]:
    """Return the spacing as floats.

    Raises
    ------
    InputProblem
        If it is not three positive lengths.
    """
    try:
        steps = tuple(float(step) for step in spacing)
    except (TypeError, ValueError):
        steps = ()
    if len(steps) != 3 or not all(np.isfinite(step) and step > 0 for step in steps):
        raise InputProblem(
            "voxel spacing must be three positive lengths (dz, dy, dx)", found=str(steps or spacing)
        )
    return steps[0], steps[1], steps[2]


@dataclass(frozen=True)
class GrainPartial:
    """Statistics of a part of a label volume: whole numbers, in voxels of the whole volume.

    Parts that do not overlap add up with `merge`, in any order and grouping, to exactly what
    the undivided volume gives.

    Attributes
    ----------
    labels : ndarray of uint64, shape (n,)
        Sorted, without 0. A grain's rank is its place here plus 1; rank 0 is label 0.
        Those of the margin of a block are listed with 0 voxels.
    sums : ndarray of int64, shape (n, 10)
        Voxels, sums of z, y, x, sums of zz, zy, zx, yy, yx, xx.
    lower, upper : ndarray of int64, shape (n, 3)
        Bounding box (z, y, x), upper end excluded.
    beyond : ndarray of int64, shape (n, 13)
        Pairs of neighbours whose other end lies beyond the window, by direction.
    pairs : ndarray of int64, shape (m, 2)
        Ranks of touching labels, the smaller first, in lexicographic order; 0 included.
    pair_counts : ndarray of int64, shape (m, 13)
        Unordered pairs of neighbouring voxels in each direction of `DIRECTIONS`.
    corners : ndarray of int32, shape (p, 4)
        (rank, z, y, x) of the corners of each grain's flat hull in each plane.
    window : (int, int, int)
        Shape of the whole volume.
    """

    labels: NDArray[np.uint64]
    sums: Integers
    lower: Integers
    upper: Integers
    beyond: Integers
    pairs: Integers
    pair_counts: Integers
    corners: NDArray[np.int32]
    window: Triple

    @property
    def counts(self) -> Integers:
        """Voxels of each grain."""
        return self.sums[:, 0]

    @property
    def touches_window(self) -> NDArray[np.bool_]:
        """Grains with a voxel on the border of the window."""
        touches: NDArray[np.bool_] = (self.lower == 0).any(axis=1) | (
            self.upper == np.array(self.window)
        ).any(axis=1)
        return touches

    @classmethod
    def from_block(
        cls,
        labels: ArrayLike,
        offset: Triple = (0, 0, 0),
        window: Triple | None = None,
        margin: Sequence[tuple[int, int]] = ((0, 0), (0, 0), (0, 0)),
    ) -> GrainPartial:
        """Measure a block of a label volume in one pass.

        Parameters
        ----------
        labels : array_like of integer, shape (z, y, x)
            The block with its margin.
        offset : (int, int, int)
            Place of the block's first voxel, margin excluded, in the whole volume.
        window : (int, int, int), optional
            Shape of the whole volume; the block is all of it by default.
        margin : sequence of 3 (int, int)
            Planes before and after the block that `labels` holds of its neighbours: 1 on
            every side on which the volume goes on, 0 at the border of the window.

        Raises
        ------
        InputProblem
            If the labels are none, or margin, offset and window contradict one another.

        Examples
        --------
        >>> volume = np.arange(27).reshape(3, 3, 3) // 9
        >>> size, whole = (3, 3, 3), (0, 0)
        >>> top = GrainPartial.from_block(volume[:2], (0, 0, 0), size, ((0, 1), whole, whole))
        >>> rest = GrainPartial.from_block(volume, (1, 0, 0), size, ((1, 0), whole, whole))
        >>> top.merge(rest).counts
        array([9, 9])
        """
        block = check_labels(labels)
        window = window or (block.shape[0], block.shape[1], block.shape[2])
        _check_place(block.shape, offset, window, margin)
        return _measure_block(block, offset, window, margin)

    def merge(self, other: GrainPartial) -> GrainPartial:
        """Add the statistics of another part of the same volume."""
        return combine([self, other])


def _check_place(
    shape: tuple[int, ...], offset: Triple, window: Triple, margin: Sequence[tuple[int, int]]
) -> None:
    for axis, name in enumerate("zyx"):
        before, after = margin[axis]
        first, end = offset[axis], offset[axis] + shape[axis] - before - after
        wanted = (int(first > 0), int(end < window[axis]))
        if first < 0 or end < first or end > window[axis] or (before, after) != wanted:
            raise InputProblem(
                f"the block does not fit into the volume along {name}",
                found=f"planes {first} to {end} of {window[axis]}, margin {(before, after)}",
                expected=f"planes within 0 to {window[axis]}, margin {wanted}",
            )
    voxels = window[0] * window[1] * window[2]
    if voxels * max(window) ** 2 >= 2**63:
        raise InputProblem(
            "the volume is too large for sums of squares in 64 bits", found=f"shape {window}"
        )


def _distinct_labels(block: NDArray[Any], plane: NDArray[Any]) -> NDArray[Any]:
    """Sorted labels of a block, without 0."""
    largest = int(block.max()) if block.size else 0
    direct = largest < min(LARGEST_LOOKUP, max(4 * block.size, 1024))
    seen = np.zeros(largest + 1 if direct else 0, np.bool_)
    found = np.empty(0 if direct else plane.size, plane.dtype)
    parts = [found[:0]]
    for layer in block:
        np.copyto(plane, layer, casting="unsafe")
        count = kernels.collect_values(plane, seen, found)
        parts.append(np.unique(found[:count]))
    values = np.flatnonzero(seen) if direct else np.unique(np.concatenate(parts))
    labels: NDArray[Any] = values[values != 0].astype(plane.dtype)
    return labels


def _ranked_planes(block: NDArray[Any], values: NDArray[Any], plane: NDArray[Any]) -> Iterator[Any]:
    """Yield pairs of neighbouring planes of ranks, framed by `OUTSIDE`; the last with nothing."""
    largest = int(values[-1]) if values.size else 0
    lookup = np.zeros(0, np.int32)
    if largest < min(LARGEST_LOOKUP, max(4 * block.size, 1024)):
        lookup = np.zeros(largest + 1, np.int32)
        lookup[values.astype(np.int64)] = np.arange(1, values.size + 1)
    planes = np.full((2, block.shape[1] + 2, block.shape[2] + 2), kernels.OUTSIDE, np.int32)
    for z in range(-1, block.shape[0]):
        planes[0] = planes[1]
        if z + 1 < block.shape[0]:
            np.copyto(plane, block[z + 1], casting="unsafe")
            kernels.rank_plane(plane, values, lookup, planes[1, 1:-1, 1:-1])
        else:
            planes[1] = kernels.OUTSIDE
        if z >= 0:
            yield planes


def _measure_block(
    block: NDArray[Any], offset: Triple, window: Triple, margin: Sequence[tuple[int, int]]
) -> GrainPartial:
    # Labels are not negative, so the unsigned type of the same size holds them; one layout and
    # byte order keeps the number of compiled versions small.
    plane = np.empty(block.shape[1:], f"u{block.dtype.itemsize}")
    values = _distinct_labels(block, plane)
    base = values.size + 1
    sums, beyond = np.zeros((base, 10), np.int64), np.zeros((base, 13), np.int64)
    lower, upper = np.full((base, 3), max(window), np.int64), np.zeros((base, 3), np.int64)
    keys, counts, used = np.full(256, kernels.EMPTY), np.zeros((256, 13), np.int64), 0
    newest, directions = np.full(base, -1, np.int32), np.array(DIRECTIONS, np.int64)
    (_, _), (top, bottom), (left, right) = margin
    own = (top + 1, block.shape[1] - bottom + 1, left + 1, block.shape[2] - right + 1)
    height, width = own[1] - own[0], own[3] - own[2]
    steps = directions @ np.array([plane.size + 2 * sum(plane.shape) + 4, block.shape[2] + 2, 1])
    rows = np.empty((max(height * width, 0), 5), np.int32)
    corners = [np.empty((0, 4), np.int32)]
    for z, planes in enumerate(_ranked_planes(block, values, plane), start=-margin[0][0]):
        if not 0 <= z < block.shape[0] - sum(margin[0]):
            continue
        here = planes[0, own[0] : own[1], own[2] : own[3]]
        origin = (offset[0] + z, offset[1], offset[2])
        filled = kernels.add_runs(here, origin, sums, lower, upper, newest, rows)
        points = kernels.extreme_points(newest, rows, filled)
        corners.append(np.insert(points, 1, origin[0], axis=1))
        kernels.count_beyond(here, origin, window, directions, beyond)
        keys, counts, used = kernels.count_pairs(planes, own, steps, keys, counts, used, base)
    slots = np.flatnonzero(keys != kernels.EMPTY)
    slots = slots[np.argsort(keys[slots])]
    joined = np.concatenate(corners)
    # Grains of the margin take part in pairs only: their own sums are 0 here.
    return GrainPartial(
        labels=values.astype(np.uint64),
        sums=sums[1:],
        lower=lower[1:],
        upper=upper[1:],
        beyond=beyond[1:],
        pairs=np.stack(np.divmod(keys[slots], base), axis=1),
        pair_counts=counts[slots],
        corners=joined[np.argsort(joined[:, 0], kind="stable")],
        window=window,
    )


def combine(partials: Iterable[GrainPartial]) -> GrainPartial:
    """Add up parts of one volume that do not overlap.

    Parameters
    ----------
    partials : iterable of GrainPartial
        At least one.

    Raises
    ------
    InputProblem
        If there are none, or they were cut from windows of different shape.
    """
    parts = list(partials)
    windows = sorted({part.window for part in parts})
    if len(windows) != 1:
        raise InputProblem(
            "parts of one volume share its window", found=f"windows {windows}", expected="one"
        )
    if len(parts) == 1:
        return parts[0]
    labels = np.unique(np.concatenate([part.labels for part in parts]))
    sums, beyond = np.zeros((labels.size, 10), np.int64), np.zeros((labels.size, 13), np.int64)
    lower = np.full((labels.size, 3), max(windows[0]), np.int64)
    upper = np.zeros((labels.size, 3), np.int64)
    keys, corners = [], []
    base = labels.size + 1
    for part in parts:
        at = np.searchsorted(labels, part.labels)
        rank = np.concatenate([[0], at + 1])
        sums[at] += part.sums
        beyond[at] += part.beyond
        lower[at] = np.minimum(lower[at], part.lower)
        upper[at] = np.maximum(upper[at], part.upper)
        # Order of labels is order of ranks, so the smaller label stays first.
        keys.append(rank[part.pairs[:, 0]] * base + rank[part.pairs[:, 1]])
        moved = part.corners.copy()
        moved[:, 0] = rank[moved[:, 0]]
        corners.append(moved)
    pair_keys, place = np.unique(np.concatenate(keys), return_inverse=True)
    pair_counts = np.zeros((pair_keys.size, 13), np.int64)
    np.add.at(pair_counts, place, np.concatenate([part.pair_counts for part in parts]))
    joined = np.concatenate(corners)
    joined = joined[np.lexsort(joined.T[::-1])]
    return GrainPartial(
        labels=labels,
        sums=sums,
        lower=lower,
        upper=upper,
        beyond=beyond,
        pairs=np.stack(np.divmod(pair_keys, base), axis=1),
        pair_counts=pair_counts,
        corners=joined[kernels.reduce_corners(joined)],
        window=windows[0],
    )


def available_threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def measure_volume(
    labels: ArrayLike, block_shape: Triple | None = None, threads: int | None = None
) -> GrainPartial:
    """Measure a label volume, block by block.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
        May be memory-mapped.
    block_shape : (int, int, int), optional
        By default one slab of whole planes for each thread.
    threads : int, optional
        By default the processors that this process may use. The result does not depend on it.

    Returns
    -------
    GrainPartial

    Raises
    ------
    InputProblem
        If the labels are none.
    """
    volume = check_labels(labels)
    window = (volume.shape[0], volume.shape[1], volume.shape[2])
    threads = threads or available_threads()
    if block_shape is None:
        slabs = max(1, min(threads, window[0] // THINNEST_SLAB))
        block_shape = (max(1, -(-window[0] // slabs)), max(1, window[1]), max(1, window[2]))

    def measure(offset: Triple) -> GrainPartial:
        margin, cut = [], []
        for first, step, size in zip(offset, block_shape, window, strict=True):
            last = min(first + step, size)
            margin.append((int(first > 0), int(last < size)))
            cut.append(slice(first - margin[-1][0], last + margin[-1][1]))
        return _measure_block(volume[tuple(cut)], offset, window, margin)

    starts = [range(0, max(1, n), step) for n, step in zip(window, block_shape, strict=True)]
    _check_place(window, (0, 0, 0), window, ((0, 0),) * 3)
    with ThreadPoolExecutor(threads) as pool:
        return combine(pool.map(measure, product(*starts)))
