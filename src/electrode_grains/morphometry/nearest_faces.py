"""Distance of points to the nearest face of the particle's surface, without a list of points.

Faces are sorted into cubic cells, and these into blocks of cells; what lies farther away than a
face that was found before is left out as a whole. A tree of points takes fifty times the
memory, and many times longer where a surface is round and its centre equally far from all of it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit

Floats = NDArray[np.float64]
CELL, BLOCK = 4, 6  # bits of a place in half voxels within a cell, within a block
CELLS = 1 << 3 * (BLOCK - CELL)  # in a block


class SortedFaces(NamedTuple):
    """Centres of faces by cell, in half voxels.

    Attributes
    ----------
    places : ndarray of uint8, shape (f, 3)
        Place (z, y, x) of each centre in its cell.
    first : ndarray of int64, shape (c + 1,)
        Where the faces of each cell start, and where the last ones end.
    origins, lower, upper : ndarray of int64, shape (c, 3)
        First place of each cell that has faces; least and greatest ones of its faces.
    blocks : ndarray of int64, shape (b + 1,)
        Where the cells of each block start, and where the last ones end.
    block_lower, block_upper : ndarray of int64, shape (b, 3)
        Least and greatest places of the faces of each block.
    """

    places: NDArray[np.uint8]
    first: NDArray[np.int64]
    origins: NDArray[np.int64]
    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    blocks: NDArray[np.int64]
    block_lower: NDArray[np.int64]
    block_upper: NDArray[np.int64]


def distances_to_surface(
    centroids: Floats,
    faces: NDArray[Any],
    window: tuple[int, int, int],
    spacing: tuple[float, float, float],
    threads: int = 1,
) -> Floats:
    """Distance of each centroid to the nearest centre of a face between grains and label 0.

    Parameters
    ----------
    centroids : ndarray of float64, shape (n, 3)
        (x, y, z) in nm.
    faces : ndarray of int, shape (f,)
        As in `BlockStatistics`.
    window : (int, int, int)
        Shape (z, y, x) of the volume.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (n,)
        In nm; NaN where there is no surface.

    Examples
    --------
    >>> between = np.array([2])  # voxels x = 0 and x = 1
    >>> distances_to_surface(np.zeros((1, 3)), between, (1, 1, 2), (50, 50, 50)).tolist()
    [25.0]
    """
    nearest = np.full(len(centroids), np.nan)
    if len(faces) == 0 or len(centroids) == 0:
        return nearest
    depth, rows, columns = (((2 * size - 1) >> BLOCK) + 1 for size in window)
    ends = np.zeros(depth * rows * columns * CELLS + 1, np.int64)
    places = np.empty((len(faces), 3), np.uint8)
    _sort_faces(faces, window[1], window[2], rows, columns, ends, places)
    found = _bound_cells(places, ends[:-1], (depth, rows, columns))
    halves = np.array(spacing, float) / 2

    def search(first: int) -> None:
        _search(centroids, *found, halves, first, threads, nearest)

    if threads == 1:
        search(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(search, range(threads)))
    return nearest


@njit(cache=True, nogil=True)
def _sort_faces(
    faces: Any, height: int, width: int, rows: int, columns: int, ends: Any, places: Any
) -> None:
    """Sort faces by cell; `ends` gets where each of these ends, and one entry more."""
    keys = np.empty(len(faces), np.int32)
    for turn in range(2):
        for face in range(len(faces)):
            voxel, axis = faces[face] // 3, faces[face] % 3
            row = voxel // width
            z, y = 2 * (row // height) + (axis == 0), 2 * (row % height) + (axis == 1)
            x = 2 * (voxel - row * width) + (axis == 2)
            if turn == 0:
                block = ((z >> BLOCK) * rows + (y >> BLOCK)) * columns + (x >> BLOCK)
                cell = 0
                for place in (z, y, x):
                    cell = cell << BLOCK - CELL | (place >> CELL & (1 << BLOCK - CELL) - 1)
                keys[face] = block * CELLS + cell
                ends[keys[face] + 1] += 1
            else:
                at = ends[keys[face]]
                ends[keys[face]] += 1
                mask = (1 << CELL) - 1
                places[at, 0], places[at, 1], places[at, 2] = z & mask, y & mask, x & mask
        if turn == 0:
            for key in range(len(ends) - 1):
                ends[key + 1] += ends[key]


def _bound_cells(
    places: NDArray[np.uint8], ends: NDArray[np.int64], shape: tuple[int, int, int]
) -> SortedFaces:
    """Cells and blocks that have faces, of `shape` blocks along each axis."""
    keys = np.flatnonzero(np.diff(ends, prepend=0))
    first = np.concatenate([[0], ends[keys]])
    whole, part = np.divmod(keys, CELLS)
    split = (1 << BLOCK - CELL,) * 3
    origins = np.stack(np.unravel_index(whole, shape), axis=1) << BLOCK
    origins += np.stack(np.unravel_index(part, split), axis=1) << CELL
    lower = origins + np.minimum.reduceat(places, first[:-1], axis=0)
    upper = origins + np.maximum.reduceat(places, first[:-1], axis=0)
    blocks = np.append(np.flatnonzero(np.diff(whole, prepend=-1)), len(keys))
    return SortedFaces(
        places,
        first,
        origins,
        lower,
        upper,
        blocks,
        np.minimum.reduceat(lower, blocks[:-1], axis=0),
        np.maximum.reduceat(upper, blocks[:-1], axis=0),
    )


@njit(cache=True, nogil=True)
def _away(point: Any, lower: Any, upper: Any, at: int, halves: Any) -> Any:
    """Square of the distance to a box.

    It is at most that to any face in it as `_search` computes it, since rounding keeps order.
    """
    square = 0.0
    for axis in (2, 1, 0):
        low, high = lower[at, axis] * halves[axis], upper[at, axis] * halves[axis]
        away = max(0.0, max(low - point[axis], point[axis] - high))
        square += away * away
    return square


@njit(cache=True, nogil=True)
def _search(
    centroids: Any, places: Any, first: Any, origins: Any, lower: Any, upper: Any, blocks: Any,
    block_lower: Any, block_upper: Any, halves: Any, start: int, step: int, nearest: Any,
) -> None:  # fmt: skip
    """Distance of every centroid from `start` to the nearest face, in steps."""
    away, point = np.empty(len(blocks) - 1), np.empty(3)
    for grain in range(start, len(centroids), step):
        for axis in range(3):
            point[axis] = centroids[grain, 2 - axis]
        closest = 0
        for block in range(len(away)):
            away[block] = _away(point, block_lower, block_upper, block, halves)
            if away[block] < away[closest]:
                closest = block
        best = np.inf
        # the closest block first, and in each one the closest cell: what follows is left out
        for turn in range(-1, len(away)):
            block = closest if turn < 0 else turn
            if away[block] >= best or turn == closest:
                continue
            begin, end = blocks[block], blocks[block + 1]
            near, least = begin, np.inf
            if turn < 0:
                for cell in range(begin, end):
                    distance = _away(point, lower, upper, cell, halves)
                    if distance < least:
                        near, least = cell, distance
            for other in range(begin - (turn < 0), end):
                cell = near if other < begin else other
                if _away(point, lower, upper, cell, halves) >= best:
                    continue
                for face in range(first[cell], first[cell + 1]):
                    square = 0.0
                    for axis in (2, 1, 0):
                        place = origins[cell, axis] + np.int64(places[face, axis])
                        square += (point[axis] - place * halves[axis]) ** 2
                    best = min(best, square)
        nearest[grain] = np.sqrt(best)
