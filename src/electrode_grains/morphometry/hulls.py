"""The discrete convex hull: lattice points in the closed hull of a grain's voxel centres."""

# mypy: disable-error-code="assignment, arg-type, return-value"
# Compiled arithmetic has the types that numba infers, which NumPy's stubs do not follow.

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.compiling import njit
from electrode_grains.errors import InputError
from electrode_grains.morphometry.kernels import mark_chain

Integers = NDArray[Any]  # of int64
# A product of three extents, six times over, must fit 63 bits.
LARGEST_EXTENT = 2**20


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
    InputError
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
    _check_extent(int((given.max(axis=0) - given.min(axis=0)).max()))
    return int(_count_one(given - given.min(axis=0)))


def hull_voxel_counts(
    corners: Integers, starts: Integers, window: tuple[int, int, int], threads: int = 1
) -> Integers:
    """Count the lattice points in the hull of each of many grains.

    Parameters
    ----------
    corners : ndarray of int, shape (p,)
        Flat indices in the window of voxels that span the hulls, by grain.
    starts : ndarray of int64, shape (n + 1,)
        Where the corners of each grain start, and where the last ones end.
    window : (int, int, int)
        Shape (z, y, x) of the volume.
    threads : int
        The result does not depend on it.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    InputError
        If the window spans more than 2**20 voxels along an axis.

    Examples
    --------
    >>> hull_voxel_counts(np.array([0, 6, 9]), np.array([0, 2, 3]), (1, 1, 10))
    array([7, 1])
    """
    _check_extent(max(window) - 1)
    counts = np.zeros(starts.size - 1, np.int64)
    height, width = window[1:]
    with ThreadPoolExecutor(threads) as pool:
        list(
            pool.map(
                lambda first: _count_solids(corners, starts, height, width, first, threads, counts),
                range(threads),
            )
        )
    for grain in np.flatnonzero(counts < 0):
        flat = corners[starts[grain] : starts[grain + 1]].astype(np.int64)
        rows = flat // width
        points = np.stack([rows // height, rows % height, flat % width], axis=1)
        counts[grain] = _count_one(points - points.min(axis=0))
    return counts


def _check_extent(extent: int) -> None:
    if extent > LARGEST_EXTENT:
        raise InputError(
            "points are too far apart for whole-number hulls",
            found=f"{extent} voxels",
            expected=f"at most {LARGEST_EXTENT}",
        )


@njit(cache=True, nogil=True)
def _count_solids(
    corners: Integers,
    starts: Integers,
    height: int,
    width: int,
    first: int,
    step: int,
    counts: Integers,
) -> None:
    """Count for every grain from `first` whose hull has a volume; -1 where it is flat."""
    for grain in range(first, counts.size, step):
        begin, end = starts[grain], starts[grain + 1]
        if begin == end:
            continue
        p = np.empty((end - begin, 3), np.int64)
        for i in range(end - begin):
            row = corners[begin + i] // width
            p[i, 0], p[i, 1], p[i, 2] = row // height, row % height, corners[begin + i] % width
        for axis in range(3):
            least = p[0, axis]
            for i in range(1, len(p)):
                least = min(least, p[i, axis])
            for i in range(len(p)):
                p[i, axis] -= least
        rank, b, c, e = _spanning_points(p)
        if rank < 3:
            counts[grain] = -1
            continue
        size = 2 * len(p) + 4
        facets, planes = np.empty((size, 3), np.int64), np.empty((size, 4), np.int64)
        counts[grain] = _count_between(p, facets, planes, _solid_facets(p, b, c, e, facets, planes))


def _count_one(p: Integers) -> int:
    """Decide the rank of the points, all of them at least 0, and count accordingly."""
    rank, b, c, e = _spanning_points(p)
    if rank == 0:
        return 1
    if rank == 1:
        return _count_line(p, b)
    if rank == 2:
        n0, n1, n2, d = _normal(p, 0, b, c)
        return _count_flat(p, np.array([n0, n1, n2]), d)
    return _count_solid(p, b, c, e)


# What calls these loops is not compiled: numba would compile them again within it.


@njit(cache=True, nogil=True)
def _normal(p: Integers, a: int, b: int, c: int) -> tuple[int, int, int, int]:
    """Normal of the plane through three points and its product with them."""
    u0, u1, u2 = p[b, 0] - p[a, 0], p[b, 1] - p[a, 1], p[b, 2] - p[a, 2]
    v0, v1, v2 = p[c, 0] - p[a, 0], p[c, 1] - p[a, 1], p[c, 2] - p[a, 2]
    n0, n1, n2 = u1 * v2 - u2 * v1, u2 * v0 - u0 * v2, u0 * v1 - u1 * v0
    return n0, n1, n2, n0 * p[a, 0] + n1 * p[a, 1] + n2 * p[a, 2]


@njit(cache=True, nogil=True)
def _spanning_points(p: Integers) -> tuple[int, int, int, int]:
    """Dimension of the hull, and three points that span it together with the first one."""
    origin, b, c, e = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    farthest = np.int64(0)
    for i in range(1, len(p)):
        away = abs(p[i, 0] - p[0, 0]) + abs(p[i, 1] - p[0, 1]) + abs(p[i, 2] - p[0, 2])
        if away > farthest:
            b, farthest = i, away
    if farthest == 0:
        return 0, b, c, e
    farthest = np.int64(0)
    for i in range(1, len(p)):
        n0, n1, n2, d = _normal(p, origin, b, np.int64(i))
        away = abs(n0) + abs(n1) + abs(n2)
        if away > farthest:
            c, farthest = i, away
    if farthest == 0:
        return 1, b, c, e
    n0, n1, n2, d = _normal(p, origin, b, c)
    farthest = np.int64(0)
    for i in range(1, len(p)):
        away = abs(n0 * p[i, 0] + n1 * p[i, 1] + n2 * p[i, 2] - d)
        if away > farthest:
            e, farthest = i, away
    return (2 if farthest == 0 else 3), b, c, e


def _count_line(p: Integers, b: int) -> int:
    direction = p[b] - p[0]
    direction //= np.gcd.reduce(direction)
    places = (p - p[0]) @ direction // (direction @ direction)
    return int(places.max() - places.min()) + 1


def _count_flat(p: Integers, normal: Integers, distance: int) -> int:
    """Count in the projection along the axis in which the plane is steepest."""
    whole = np.gcd.reduce(normal)
    n, distance = normal // whole, distance // whole
    axis = int(np.argmax(np.abs(n)))
    u, v = (axis + 1) % 3, (axis + 2) % 3
    height, width = p[:, [u, v]].max(axis=0) + 1
    least, most = np.full(height, width), np.full(height, -1)
    np.minimum.at(least, p[:, u], p[:, v])
    np.maximum.at(most, p[:, u], p[:, v])
    rows = np.flatnonzero(most >= 0)
    least, most = _fill_between(rows, least[rows], 1), _fill_between(rows, most[rows], -1)
    count = 0
    for row, (first, last) in enumerate(zip(least.tolist(), most.tolist(), strict=True), rows[0]):
        # The third coordinate must be whole for the point to lie on the lattice.
        between = np.arange(first, last + 1)
        count += int(np.count_nonzero((distance - n[u] * row - n[v] * between) % n[axis] == 0))
    return count


def _fill_between(rows: Integers, ends: Integers, sign: int) -> Integers:
    """First (sign 1) or last (-1) whole number in each row inside a chain of corners."""
    keep = np.empty(rows.size, np.bool_)
    mark_chain(rows, ends, rows.size, sign, keep, np.empty(rows.size, np.int64))
    corners = np.flatnonzero(keep)
    filled = np.empty(rows[-1] - rows[0] + 1, np.int64)
    filled[0] = ends[0]
    for a, b in itertools.pairwise(corners):
        rise, run = ends[b] - ends[a], rows[b] - rows[a]
        steps = np.arange(run + 1)
        # Rounded inwards: up for the first, down for the last.
        between = ends[a] - sign * (-sign * rise * steps // run)
        filled[rows[a] - rows[0] : rows[b] - rows[0] + 1] = between
    return filled


def _count_solid(p: Integers, b: int, c: int, e: int) -> int:
    size = 2 * len(p) + 4  # a hull of n points never has more than 2 n - 4 facets
    facets, planes = np.empty((size, 3), np.int64), np.empty((size, 4), np.int64)
    count = _solid_facets(p, b, c, e, facets, planes)
    return int(_count_between(p, facets, planes, count))


@njit(cache=True, nogil=True)
def _count_between(p: Integers, facets: Integers, planes: Integers, count: int) -> int:
    """Count along x, between the first and the last whole x of each row (z, y)."""
    depth, height = np.int64(0), np.int64(0)
    for i in range(len(p)):
        depth, height = max(depth, p[i, 0] + 1), max(height, p[i, 1] + 1)
    first, last = np.empty((depth, height), np.int64), np.empty((depth, height), np.int64)
    for z in range(depth):
        for y in range(height):
            first[z, y], last[z, y] = 0, -1
    for f in range(count):
        n0, n1, n2 = planes[f, 0], planes[f, 1], planes[f, 2]
        if n2 == 0:
            continue
        # Corners in the sense of rotation that makes the inside of all edges positive.
        turn = 1 if n2 > 0 else -1
        za, ya = p[facets[f, 0], 0], p[facets[f, 0], 1]
        zb, yb = p[facets[f, 1], 0], p[facets[f, 1], 1]
        zc, yc = p[facets[f, 2], 0], p[facets[f, 2], 1]
        step_a, step_b, step_c = turn * (zb - za), turn * (zc - zb), turn * (za - zc)
        y_first, y_last = min(ya, min(yb, yc)), max(ya, max(yb, yc))
        for z in range(min(za, min(zb, zc)), max(za, max(zb, zc)) + 1):
            edge_a = step_a * (y_first - ya) - turn * (yb - ya) * (z - za)
            edge_b = step_b * (y_first - yb) - turn * (yc - yb) * (z - zb)
            edge_c = step_c * (y_first - yc) - turn * (ya - yc) * (z - zc)
            room = planes[f, 3] - n0 * z - n1 * y_first
            for y in range(y_first, y_last + 1):
                if (edge_a | edge_b | edge_c) >= 0:
                    if n2 > 0:
                        last[z, y] = room // n2
                    else:
                        first[z, y] = -(room // -n2)
                edge_a, edge_b, edge_c = edge_a + step_a, edge_b + step_b, edge_c + step_c
                room -= n1
    total = 0
    for z in range(depth):
        for y in range(height):
            total += last[z, y] - first[z, y] + 1
    return total


@njit(cache=True, nogil=True)
def _solid_facets(p: Integers, b: int, c: int, e: int, facets: Integers, planes: Integers) -> int:
    """Triangles of the hull, their outward normals and distances; quickhull in whole numbers.

    Written to `facets` and `planes`; returns their number.

    Every point that lies outside is listed with one facet that it sees; the farthest point of
    a list joins the hull, and only the lists of the facets that it removes are dealt out again.
    A point in the plane of a facet does not see it. The triangles that a point sees then form
    one disc all the same, and none of those that replace them is degenerate. A place that no
    facet takes has a normal of 0, which no point sees.
    """
    n = len(p)
    size = len(facets)
    beside = np.empty((size, 3), np.int64)  # facet beyond the edge from corner k to the next
    heads = np.full(size, -1, np.int64)  # first point of each facet's list, the farthest
    following, height = np.arange(1, n + 1), np.zeros(n, np.int64)
    following[n - 1] = -1
    judged, seen = np.full(size, -1, np.int64), np.empty(size, np.bool_)  # by the newest point
    vacant, fresh = np.empty(size, np.int64), np.empty(size, np.int64)
    begins_at = np.empty(size, np.int64)
    rim = np.empty((size, 3), np.int64)  # edges of what is seen, and the facet beyond
    n0, n1, n2, d = _normal(p, np.int64(0), b, c)
    if n0 * p[e, 0] + n1 * p[e, 1] + n2 * p[e, 2] > d:
        b, c = c, b
    # The tetrahedron of facets (0 b c), (0 c e), (0 e b), (c b e).
    tetrahedron = np.array([0, b, c, 0, c, e, 0, e, b, c, b, e])
    neighbours = np.array([2, 3, 1, 0, 3, 2, 1, 3, 0, 0, 2, 1])
    for f in range(4):
        i, j, k = tetrahedron[3 * f], tetrahedron[3 * f + 1], tetrahedron[3 * f + 2]
        _set_facet(p, i, j, k, facets, planes, np.int64(f))
        fresh[f] = f
        for side in range(3):
            beside[f, side] = neighbours[3 * f + side]
    loose, count, fresh_count, vacant_count, at = np.int64(0), 4, 4, 0, np.int64(0)
    while True:
        # Deal out the loose points among the fresh facets, the farthest in front.
        while loose >= 0:
            i, loose = loose, following[loose]
            p0, p1, p2 = p[i, 0], p[i, 1], p[i, 2]
            for k in range(fresh_count):
                f = fresh[k]
                away = planes[f, 0] * p0 + planes[f, 1] * p1 + planes[f, 2] * p2 - planes[f, 3]
                if away > 0:
                    height[i] = away
                    head = heads[f]
                    if head < 0 or away > height[head]:
                        following[i], heads[f] = head, i
                    else:
                        following[i], following[head] = following[head], i
                    break
        while at < count and heads[at] < 0:
            at += 1
        if at == count:
            return count
        top = heads[at]
        p0, p1, p2 = p[top, 0], p[top, 1], p[top, 2]
        # Spread from the facet over which the point is listed to all that it sees.
        kept_vacant, rim_count, v = vacant_count, 0, vacant_count
        vacant[vacant_count], judged[at], seen[at] = at, top, True
        vacant_count += 1
        while v < vacant_count:
            f = vacant[v]
            v += 1
            for k in range(3):
                g = beside[f, k]
                if judged[g] != top:
                    away = planes[g, 0] * p0 + planes[g, 1] * p1 + planes[g, 2] * p2 - planes[g, 3]
                    judged[g], seen[g] = top, away > 0
                    if away > 0:
                        vacant[vacant_count] = g
                        vacant_count += 1
                if not seen[g]:
                    rim[rim_count, 0], rim[rim_count, 1] = facets[f, k], facets[f, (k + 1) % 3]
                    rim[rim_count, 2] = g
                    rim_count += 1
            i, heads[f] = heads[f], -1
            while i >= 0:
                after = following[i]
                if i != top:
                    following[i], loose = loose, i
                i = after
        for v in range(kept_vacant, vacant_count):
            for k in range(4):
                planes[vacant[v], k] = 0
        # A facet over each edge of the rim takes the place of one that left, or a new one.
        fresh_count = rim_count
        for i in range(rim_count):
            if vacant_count > 0:
                vacant_count -= 1
                f = vacant[vacant_count]
            else:
                f = np.int64(count)
                count += 1
            at = f if f < at else at
            begin, end, outer = rim[i, 0], rim[i, 1], rim[i, 2]
            _set_facet(p, begin, end, top, facets, planes, f)
            judged[f] = -1
            fresh[i], begins_at[begin], beside[f, 0] = f, f, outer
            for k in range(3):
                if facets[outer, k] == end:
                    beside[outer, k] = f
        for i in range(rim_count):
            f, after = fresh[i], begins_at[rim[i, 1]]
            beside[f, 1], beside[after, 2] = after, f


@njit(cache=True, nogil=True)
def _set_facet(
    p: Integers, a: int, b: int, c: int, facets: Integers, planes: Integers, place: int
) -> None:
    facets[place, 0], facets[place, 1], facets[place, 2] = a, b, c
    planes[place, 0], planes[place, 1], planes[place, 2], planes[place, 3] = _normal(p, a, b, c)
