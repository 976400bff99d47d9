"""Whole-number statistics of a label volume, which add up exactly over its blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.errors import InputError
from electrode_grains.morphometry import kernels
from electrode_grains.morphometry.checks import check_labels
from electrode_grains.morphometry.crofton import FACE_CLASSES
from electrode_grains.morphometry.scanning import BlockScan, Counts, count_type, scan_block

Integers = NDArray[np.int64]
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class BlockStatistics:
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
    outside_neighbours : ndarray of int64, shape (n, 7)
        Pairs of neighbours whose other end lies outside the window, or was not measured, by
        class of direction.
    pairs : ndarray of int64, shape (m, 2)
        Ranks of touching labels, the smaller first, in lexicographic order; 0 included.
    pair_counts : ndarray of int32 or int64, shape (m, 7)
        Unordered pairs of neighbouring voxels in each class of `NEIGHBOUR_CLASSES`: the 13
        directions, those that mirror one another together, since they weigh the same.
    faces : ndarray of int32 or int64, shape (f,)
        Faces between a grain and measured label 0, sorted: 3 times the flat index of the voxel in
        front of the face, plus the axis (0 for z) that it is normal to.
    corners : ndarray of int32 or int64, shape (p,)
        Flat indices of the corners of each grain's flat hull in each plane, by grain. Of 32 bits,
        like faces and counts of pairs, where the window has less than 2**29 voxels.
    corner_starts : ndarray of int64, shape (n + 1,)
        Where the corners of each grain start, and where the last ones end.
    window : (int, int, int)
        Shape of the whole volume.
    hulls : bool
        False where corners were not asked for.
    """

    labels: NDArray[np.uint64]
    sums: Integers
    lower: Integers
    upper: Integers
    outside_neighbours: Integers
    pairs: Integers
    pair_counts: Counts
    faces: Counts
    corners: Counts
    corner_starts: Integers
    window: Triple
    hulls: bool = True

    @property
    def counts(self) -> Integers:
        """Voxels of each grain."""
        return self.sums[:, 0]

    @property
    def touches_window(self) -> NDArray[np.bool_]:
        """Grains with a face on the border of the window or of the measured region."""
        faces = self.outside_neighbours[:, FACE_CLASSES].sum(axis=1)
        touches: NDArray[np.bool_] = faces > 0
        return touches

    @classmethod
    def from_block(
        cls,
        labels: ArrayLike,
        offset: Triple = (0, 0, 0),
        window: Triple | None = None,
        margin: Sequence[tuple[int, int]] = ((0, 0), (0, 0), (0, 0)),
        hulls: bool = True,
    ) -> BlockStatistics:
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
        hulls : bool
            Whether to collect what the convex hulls need.

        Raises
        ------
        InputError
            If the labels are none, or margin, offset and window contradict one another.

        Examples
        --------
        >>> volume = np.arange(27).reshape(3, 3, 3) // 9
        >>> size, whole = (3, 3, 3), (0, 0)
        >>> top = BlockStatistics.from_block(volume[:2], (0, 0, 0), size, ((0, 1), whole, whole))
        >>> rest = BlockStatistics.from_block(volume, (1, 0, 0), size, ((1, 0), whole, whole))
        >>> top.merge(rest).counts
        array([9, 9])
        """
        block = check_labels(labels)
        window = window or (block.shape[0], block.shape[1], block.shape[2])
        check_place(block.shape, offset, window, margin)
        return measure_block(block, offset, window, margin, hulls)

    def merge(self, other: BlockStatistics) -> BlockStatistics:
        """Add the statistics of another part of the same volume."""
        return merge_blocks([self, other])


def check_place(
    shape: tuple[int, ...], offset: Triple, window: Triple, margin: Sequence[tuple[int, int]]
) -> None:
    """Refuse a block that does not fit into its volume, and a volume beyond 64 bits."""
    for axis, name in enumerate("zyx"):
        before, after = margin[axis]
        first, end = offset[axis], offset[axis] + shape[axis] - before - after
        wanted = (int(first > 0), int(end < window[axis]))
        if first < 0 or end < first or end > window[axis] or (before, after) != wanted:
            raise InputError(
                f"the block does not fit into the volume along {name}",
                found=f"planes {first} to {end} of {window[axis]}, margin {(before, after)}",
                expected=f"planes within 0 to {window[axis]}, margin {wanted}",
            )
    voxels = window[0] * window[1] * window[2]
    if voxels * max(window) ** 2 >= 2**63:
        raise InputError(
            "the volume is too large for sums of squares in 64 bits", found=f"shape {window}"
        )


def measure_block(
    block: NDArray[Any],
    offset: Triple,
    window: Triple,
    margin: Sequence[tuple[int, int]],
    hulls: bool,
) -> BlockStatistics:
    """Measure a block whose labels and place were checked; see `BlockStatistics.from_block`."""
    if block.size == 0:
        return _without_grains(window, hulls)
    # Labels are not negative, so the unsigned type of the same size holds them; one layout and
    # byte order keeps the number of compiled versions small.
    native = np.ascontiguousarray(block, block.dtype.newbyteorder("="))
    (top, bottom), (upper_row, lower_row), (left, right) = margin
    depth, height, width = block.shape
    own = (top, depth - bottom, upper_row, height - lower_row, left, width - right)
    origin = (offset[0] - top, offset[1] - upper_row, offset[2] - left)
    scan = scan_block(native.view(f"u{block.dtype.itemsize}"), own, origin, window, hulls)
    labels, keys, faces = scan.labels, scan.keys, scan.faces
    if np.issubdtype(block.dtype, np.signedinteger) and labels.max() > np.iinfo(block.dtype).max:
        _refuse_negative(block, origin)
    order = np.argsort(labels)  # label 0 stays first
    rank = np.empty(labels.size, np.int64)
    rank[order] = np.arange(labels.size)
    # Grains of the margin take part in pairs only: their own sums are 0 here.
    grains = order[1:]
    first, second = rank[(keys >> np.uint64(32)).astype(np.int64)], rank[keys.astype(np.uint32)]
    ranks = np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1)
    in_order = np.lexsort((ranks[:, 1], ranks[:, 0]))
    faces.sort()
    corners, starts = _corners_by_grain(scan, rank - 1, labels.size - 1)
    return BlockStatistics(
        labels=labels[grains],
        sums=scan.sums[grains],
        lower=scan.lower[grains],
        upper=scan.upper[grains],
        outside_neighbours=scan.outside[grains],
        pairs=ranks[in_order],
        pair_counts=scan.counts[in_order],
        faces=faces,
        corners=corners,
        corner_starts=starts,
        window=window,
        hulls=hulls,
    )


def _corners_by_grain(
    scan: BlockScan, group: Integers, grain_count: int
) -> tuple[Counts, Integers]:
    """Corners of each grain in their order, and where those of each grain start; empties `scan`."""
    starts = np.zeros(grain_count + 1, np.int64)
    for owners in scan.owners:
        np.add.at(starts, group[owners[:, 0]] + 1, owners[:, 1])
    np.cumsum(starts, out=starts)
    corners, ends = np.empty(starts[-1], scan.corners[0].dtype), starts[:-1].copy()
    scan.corners.reverse()
    scan.owners.reverse()
    while scan.corners:
        kernels.append_by_owner(scan.corners.pop(), scan.owners.pop(), group, corners, ends)
    return corners, starts


def _refuse_negative(block: NDArray[Any], origin: Triple) -> None:
    at = np.unravel_index(int(np.argmin(block)), block.shape)
    place = tuple(int(i + first) for i, first in zip(at, origin, strict=True))
    raise InputError(
        "labels are not negative",
        where=f"voxel (z, y, x) = {place}",
        found=f"label {int(block.min())}",
        expected="0 for no grain, grains from 1",
    )


def _without_grains(window: Triple, hulls: bool) -> BlockStatistics:
    none = np.zeros(0, np.int64)
    nowhere = np.zeros(0, count_type(window))
    return BlockStatistics(
        labels=np.zeros(0, np.uint64),
        sums=none.reshape(0, 10),
        lower=none.reshape(0, 3),
        upper=none.reshape(0, 3),
        outside_neighbours=none.reshape(0, kernels.CLASS_COUNT),
        pairs=none.reshape(0, 2),
        pair_counts=nowhere.reshape(0, kernels.CLASS_COUNT),
        faces=nowhere,
        corners=nowhere,
        corner_starts=np.zeros(1, np.int64),
        window=window,
        hulls=hulls,
    )


def merge_blocks(blocks: Iterable[BlockStatistics]) -> BlockStatistics:
    """Add up parts of one volume that do not overlap.

    Parameters
    ----------
    blocks : iterable of BlockStatistics
        At least one.

    Raises
    ------
    InputError
        If there are none, or they were cut from windows of different shape.
    """
    parts = list(blocks)
    windows = sorted({part.window for part in parts})
    if len(windows) != 1:
        raise InputError(
            "parts of one volume share its window", found=f"windows {windows}", expected="one"
        )
    if len(parts) == 1:
        return parts[0]
    labels = np.unique(np.concatenate([part.labels for part in parts]))
    ranks = [np.searchsorted(labels, part.labels) for part in parts]
    sums = np.zeros((labels.size, 10), np.int64)
    outside = np.zeros((labels.size, kernels.CLASS_COUNT), np.int64)
    lower = np.full((labels.size, 3), max(windows[0]), np.int64)
    upper = np.zeros((labels.size, 3), np.int64)
    for part, at in zip(parts, ranks, strict=True):
        sums[at] += part.sums
        outside[at] += part.outside_neighbours
        lower[at] = np.minimum(lower[at], part.lower)
        upper[at] = np.maximum(upper[at], part.upper)
    pairs, pair_counts = _add_pairs(parts, ranks, labels.size + 1)
    corners, starts = _join_corners(parts, ranks, labels.size)
    faces = np.concatenate([part.faces for part in parts])
    faces.sort()  # in place: a copy would count in the peak of memory
    return BlockStatistics(
        labels=labels,
        sums=sums,
        lower=lower,
        upper=upper,
        outside_neighbours=outside,
        pairs=pairs,
        pair_counts=pair_counts,
        faces=faces,
        corners=corners,
        corner_starts=starts,
        window=windows[0],
        hulls=all(part.hulls for part in parts),
    )


def _add_pairs(
    parts: Sequence[BlockStatistics], ranks: Sequence[Integers], base: int
) -> tuple[Integers, Counts]:
    """Pairs of all parts in lexicographic order, each once, and their counts."""
    keys = []
    for part, at in zip(parts, ranks, strict=True):
        rank = np.concatenate([[0], at + 1])
        # Order of labels is order of ranks, so the smaller label stays first.
        keys.append(rank[part.pairs[:, 0]] * base + rank[part.pairs[:, 1]])
    joined = np.unique(np.concatenate(keys))
    counts = np.zeros((joined.size, kernels.CLASS_COUNT), parts[0].pair_counts.dtype)
    for part, key in zip(parts, keys, strict=True):
        counts[np.searchsorted(joined, key)] += part.pair_counts  # a key is once in a part
    return np.stack(np.divmod(joined, base), axis=1), counts


def _join_corners(
    parts: Sequence[BlockStatistics], ranks: Sequence[Integers], grain_count: int
) -> tuple[Counts, Integers]:
    """Corners of all parts by grain; those of flat hulls that were cut are reduced again."""
    filled = sorted(
        (place for place, part in enumerate(parts) if part.corners.size),
        key=lambda place: int(parts[place].corners.min()),
    )
    starts = np.zeros(grain_count + 1, np.int64)
    for place in filled:
        starts[ranks[place] + 1] += np.diff(parts[place].corner_starts)
    np.cumsum(starts, out=starts)
    corners, reached = np.empty(starts[-1], parts[0].corners.dtype), starts[:-1].copy()
    for place in filled:
        kernels.append_corners(
            parts[place].corners, parts[place].corner_starts, ranks[place], corners, reached
        )
    _, height, width = parts[0].window
    plane = height * width
    ends = [int(parts[place].corners.max()) // plane for place in filled[:-1]]
    firsts = [int(parts[place].corners.min()) // plane for place in filled[1:]]
    if all(end < first for end, first in zip(ends, firsts, strict=True)):
        return corners, starts  # slabs of whole planes: no flat hull was cut
    return kernels.reduce_corners(corners, starts, height, width)


def set_unmeasured_apart(
    statistics: BlockStatistics, unmeasured_label: int, measured: NDArray[np.bool_]
) -> BlockStatistics:
    """Treat voxels without measurement like what lies outside the window.

    Parameters
    ----------
    statistics : BlockStatistics
        Of a whole volume whose voxels without measurement have a label of their own.
    unmeasured_label : int
        That label.
    measured : ndarray of bool, shape (z, y, x)

    Returns
    -------
    BlockStatistics
        Without that label: pairs of a grain with it count as neighbours outside, and its
        faces to label 0 are none of the particle.
    """
    place = int(np.searchsorted(statistics.labels, np.uint64(unmeasured_label)))
    if place == statistics.labels.size or statistics.labels[place] != unmeasured_label:
        return statistics
    rank = place + 1
    of_it = (statistics.pairs == rank).any(axis=1)
    touching = statistics.pairs[of_it]
    grains, counts = touching.sum(axis=1) - rank, statistics.pair_counts[of_it]
    outside = statistics.outside_neighbours.copy()
    outside[grains[grains > 0] - 1] += counts[grains > 0]
    pairs = statistics.pairs[~of_it]
    voxels, axes = np.divmod(statistics.faces, 3)
    _, height, width = statistics.window
    behind = voxels + np.array([height * width, width, 1], voxels.dtype)[axes]
    known = measured.ravel()
    first, last = statistics.corner_starts[rank - 1 : rank + 1]
    starts = np.delete(statistics.corner_starts, rank)
    starts[rank:] -= last - first
    kept = {
        name: np.delete(getattr(statistics, name), place, axis=0)
        for name in ("labels", "sums", "lower", "upper")
    }
    return replace(
        statistics,
        **kept,
        outside_neighbours=np.delete(outside, place, axis=0),
        pairs=pairs - (pairs > rank),
        pair_counts=statistics.pair_counts[~of_it],
        faces=statistics.faces[known[voxels] & known[behind]],
        corners=np.delete(statistics.corners, slice(first, last)),
        corner_starts=starts,
    )
