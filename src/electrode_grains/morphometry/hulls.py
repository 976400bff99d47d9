"""The discrete convex hull: lattice points in the closed hull of a grain's voxel centres."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from electrode_grains.morphometry.kernels import mark_chain
from electrode_grains.problems import InputProblem

Integers = NDArray[np.int64]
# A product of three extents, six times over, must fit 63 bits.
LARGEST_EXTENT = 2**20
LARGEST = np.iinfo(np.int64).max


def hull_voxel_count(points: ArrayLike) -> int:
    """Count the lattice points in the convex hull of lattice points.

    Parameters
    ----------
    points : array_like of int, shape (n, 3)
        Voxel centres.

    Returns
    -------
    int
        Number of lattice points in the closed convex hull, within its affine span for
        points on a line or in a plane; 0 for no points.

    Raises
    ------
    InputProblem
        If the points span more than 2**20 voxels, where 64 bits no longer suffice.

    Notes
    -----
    q(G) of eq. (10) of Furat et al., J. Power Sources 483 (2021). Facets are found by adding
    point after point, with all comparisons between whole numbers: no rounding, no tolerance.
    Hulls that are inflated by half a voxel (the default elsewhere) give balls of five
    voxels radius a convexity of .84 instead of 1.

    Examples
    --------
    >>> hull_voxel_count([(0, 0, 0), (6, 3, 0)])
    4
    """
    given = np.asarray(points, np.int64).reshape(-1, 3)
    if len(given) == 0:
        return 0
    _check_extent(given)
    return int(_count_one(given - given.min(axis=0)))


def hull_voxel_counts(corners: NDArray[np.int32], grain_count: int, threads: int = 1) -> Integers:
    """Count the lattice points in the hull of each of many grains.

    Parameters
    ----------
    corners : ndarray of int32, shape (p, 4)
        (rank, z, y, x) of points that span the hulls, grouped by rank from 1.
    grain_count : int
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of int64, shape (grain_count,)

    Raises
    ------
    InputProblem
        If the points span more than 2**20 voxels.

    Examples
    --------
    >>> hull_voxel_counts(np.array([(1, 0, 0, 0), (1, 0, 0, 6), (2, 5, 5, 5)], np.int32), 2)
    array([7, 1])
    """
    _check_extent(corners[:, 1:])
    starts = np.searchsorted(corners[:, 0], np.arange(1, grain_count + 2)).astype(np.int64)
    counts = np.zeros(grain_count, np.int64)
    if threads == 1 or grain_count < threads:
        _count_some(corners, starts, 0, 1, counts)
        return counts
    with ThreadPoolExecutor(threads) as pool:
        list(
            pool.map(
                lambda turn: _count_some(corners, starts, turn, threads, counts), range(threads)
            )
        )
    return counts


def _check_extent(points: NDArray[np.integer]) -> None:
    extent = int((points.max(axis=0) - points.min(axis=0)).max()) if len(points) else 0
    if extent > LARGEST_EXTENT:
        raise InputProblem(
            "points are too far apart for whole-number hulls",
            found=f"{extent} voxels",
            expected=f"at most {LARGEST_EXTENT}",
        )


@njit(cache=True, nogil=True)
def _count_some(
    corners: NDArray[np.int32], starts: Integers, first: int, step: int, counts: Integers
) -> None:
    for grain in range(first, counts.size, step):
        begin, end = starts[grain], starts[grain + 1]
        if begin == end:
            continue
        points = np.empty((end - begin, 3), np.int64)
        for axis in range(3):
            least = corners[begin:end, axis + 1].min()
            for i in range(begin, end):
                points[i - begin, axis] = corners[i, axis + 1] - least
        counts[grain] = _count_one(points)


@njit(cache=True, nogil=True)
def _normal(p: Integers, a: int, b: int, c: int) -> tuple[int, int, int, int]:
    """Normal of the plane through three points and its product with them."""
    u0, u1, u2 = p[b, 0] - p[a, 0], p[b, 1] - p[a, 1], p[b, 2] - p[a, 2]
    v0, v1, v2 = p[c, 0] - p[a, 0], p[c, 1] - p[a, 1], p[c, 2] - p[a, 2]
    n0, n1, n2 = u1 * v2 - u2 * v1, u2 * v0 - u0 * v2, u0 * v1 - u1 * v0
    return n0, n1, n2, n0 * p[a, 0] + n1 * p[a, 1] + n2 * p[a, 2]


@njit(cache=True, nogil=True)
def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return abs(a)


@njit(cache=True, nogil=True)
def _count_one(p: Integers) -> int:
    """Decide the rank of the points, all of them at least 0, and count accordingly."""
    n = len(p)
    b, far = 0, 0
    for i in range(1, n):
        away = abs(p[i, 0] - p[0, 0]) + abs(p[i, 1] - p[0, 1]) + abs(p[i, 2] - p[0, 2])
        if away > far:
            b, far = i, away
    if far == 0:
        return 1
    for c in range(1, n):
        n0, n1, n2, d = _normal(p, 0, b, c)
        if n0 != 0 or n1 != 0 or n2 != 0:
            for e in range(1, n):
                if n0 * p[e, 0] + n1 * p[e, 1] + n2 * p[e, 2] != d:
                    return _count_solid(p, b, c, e)
            return _count_flat(p, (n0, n1, n2), d)
    return _count_line(p, b)


@njit(cache=True, nogil=True)
def _count_line(p: Integers, b: int) -> int:
    d0, d1, d2 = p[b, 0] - p[0, 0], p[b, 1] - p[0, 1], p[b, 2] - p[0, 2]
    whole = _gcd(_gcd(d0, d1), d2)
    d0, d1, d2 = d0 // whole, d1 // whole, d2 // whole
    square = d0 * d0 + d1 * d1 + d2 * d2
    least: Any = 0
    most: Any = 0
    for i in range(len(p)):
        dot = (p[i, 0] - p[0, 0]) * d0 + (p[i, 1] - p[0, 1]) * d1 + (p[i, 2] - p[0, 2]) * d2
        least, most = min(least, dot // square), max(most, dot // square)
    length: int = most - least + 1
    return length


@njit(cache=True, nogil=True)
def _count_flat(p: Integers, normal: tuple[int, int, int], distance: int) -> int:
    """Count in the projection along the axis in which the plane is steepest."""
    whole = _gcd(_gcd(normal[0], normal[1]), normal[2])
    n = np.array([normal[0] // whole, normal[1] // whole, normal[2] // whole])
    distance //= whole
    axis = np.argmax(np.abs(n))
    u, v = (axis + 1) % 3, (axis + 2) % 3
    height, width = p[:, u].max() + 1, p[:, v].max() + 1
    least, most = np.full(height, width), np.full(height, np.int64(-1))
    for i in range(len(p)):
        least[p[i, u]] = min(least[p[i, u]], p[i, v])
        most[p[i, u]] = max(most[p[i, u]], p[i, v])
    rows = np.flatnonzero(most >= 0)
    least, most = _fill_between(rows, least[rows], 1), _fill_between(rows, most[rows], -1)
    count = 0
    for i in range(least.size):
        for j in range(least[i], most[i] + 1):
            # The third coordinate must be whole for the point to lie on the lattice.
            if (distance - n[u] * (i + rows[0]) - n[v] * j) % n[axis] == 0:
                count += 1
    return count


@njit(cache=True, nogil=True)
def _fill_between(rows: Integers, ends: Integers, sign: int) -> Integers:
    """First (sign 1) or last (-1) whole number in each row inside a chain of corners."""
    keep = np.empty(rows.size, np.bool_)
    mark_chain(rows, ends, sign, keep, np.empty(rows.size, np.int64))
    corners = np.flatnonzero(keep)
    filled = np.empty(rows[-1] - rows[0] + 1, np.int64)
    filled[0] = ends[0]
    for k in range(1, corners.size):
        a, b = corners[k - 1], corners[k]
        rise, run = ends[b] - ends[a], rows[b] - rows[a]
        for row in range(rows[a], rows[b] + 1):
            # Rounded inwards: up for the first, down for the last.
            filled[row - rows[0]] = ends[a] - sign * (-sign * rise * (row - rows[a]) // run)
    return filled


@njit(cache=True, nogil=True)
def _count_solid(p: Integers, b: int, c: int, e: int) -> int:
    facets, planes, count = _solid_facets(p, b, c, e)
    depth, height = p[:, 0].max() + 1, p[:, 1].max() + 1
    first, last = np.full((depth, height), LARGEST), np.full((depth, height), np.int64(-1))
    for f in range(count):
        _bound_rows(p, facets[f], planes[f], first, last)
    total = 0
    for z in range(depth):
        for y in range(height):
            total += max(0, last[z, y] - first[z, y] + 1)
    return total


@njit(cache=True, nogil=True)
def _bound_rows(
    p: Integers, facet: Integers, plane: Integers, first: Integers, last: Integers
) -> None:
    """End the rows (z, y) that a facet covers at the last whole x inside it."""
    nx, distance = plane[2], plane[3]
    if nx == 0:
        return
    a, b, c = facet
    turn = 1 if nx > 0 else -1
    for z in range(min(p[a, 0], p[b, 0], p[c, 0]), max(p[a, 0], p[b, 0], p[c, 0]) + 1):
        for y in range(min(p[a, 1], p[b, 1], p[c, 1]), max(p[a, 1], p[b, 1], p[c, 1]) + 1):
            covered = True
            for i, j in ((a, b), (b, c), (c, a)):
                edge = (p[j, 0] - p[i, 0]) * (y - p[i, 1]) - (p[j, 1] - p[i, 1]) * (z - p[i, 0])
                covered = covered and turn * edge >= 0
            if covered:
                room = distance - plane[0] * z - plane[1] * y
                if nx > 0:
                    last[z, y] = room // nx
                else:
                    first[z, y] = -(room // -nx)


@njit(cache=True, nogil=True)
def _solid_facets(p: Integers, b: int, c: int, e: int) -> tuple[Integers, Integers, int]:
    """Triangles of the hull, their outward normals and distances; incremental construction.

    A point in the plane of a facet does not see it. The triangles that a point sees then form
    one disc all the same, and none of those that replace them is degenerate.
    """
    n = len(p)
    facets, planes = np.empty((2 * n + 4, 3), np.int64), np.empty((2 * n + 4, 4), np.int64)
    edges = np.empty((6 * n + 12, 2), np.int64)
    count = 0
    for i, j, k, opposite in ((0, b, c, e), (0, c, e, b), (0, e, b, c), (b, c, e, 0)):
        n0, n1, n2, d = _normal(p, i, j, k)
        if n0 * p[opposite, 0] + n1 * p[opposite, 1] + n2 * p[opposite, 2] > d:
            j, k = k, j
        count = _add_facet(p, i, j, k, facets, planes, count)
    # A stride near the golden ratio visits the points in a spread order: most lie inside early.
    stride = max(1, int(0.618 * n))
    while _gcd(stride, n) != 1:
        stride += 1
    at = 0
    for _ in range(n):
        at = (at + stride) % n
        p0, p1, p2 = p[at]
        f, seen = 0, 0
        while f < count:
            if planes[f, 0] * p0 + planes[f, 1] * p1 + planes[f, 2] * p2 > planes[f, 3]:
                for k in range(3):
                    edges[seen, 0], edges[seen, 1] = facets[f, k], facets[f, (k + 1) % 3]
                    seen += 1
                count -= 1
                facets[f], planes[f] = facets[count], planes[count]
            else:
                f += 1
        for i in range(seen):
            inner = False
            for j in range(seen):
                if edges[j, 0] == edges[i, 1] and edges[j, 1] == edges[i, 0]:
                    inner = True
                    break
            if not inner:
                count = _add_facet(p, edges[i, 0], edges[i, 1], at, facets, planes, count)
    return facets, planes, count


@njit(cache=True, nogil=True)
def _add_facet(
    p: Integers, a: int, b: int, c: int, facets: Integers, planes: Integers, count: int
) -> int:
    facets[count, 0], facets[count, 1], facets[count, 2] = a, b, c
    planes[count, 0], planes[count, 1], planes[count, 2], planes[count, 3] = _normal(p, a, b, c)
    return count + 1
