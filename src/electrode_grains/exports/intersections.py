"""Which triangles of a mesh of voxel faces cut, touch or fold onto each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

CLEARANCE = 0.01  # between triangles without a common vertex, in steps of the lattice
LEAST_HEIGHT = 0.02  # of a triangle over its longest side, in steps of the lattice
LEAST_FOLD = 0.996  # cosine of the least angle (5 degrees) between triangles at a common side
NEARLY_FLAT = 1e-9  # volume over which four points do not lie in one plane


@njit(cache=True, nogil=True)
def quads_on_lattice(quads: Any, places: Any, shape: Any) -> Any:
    """Quad at each lowest corner and axis, shape (3, z, y, x); -1 where there is none."""
    found = np.full((3, shape[0], shape[1], shape[2]), -1, np.int32)
    for quad in range(len(quads)):
        low, high = quads[quad, 0], quads[quad, 2]
        axis = 0
        while places[low, axis] != places[high, axis]:
            axis += 1
        found[axis, places[low, 2], places[low, 1], places[low, 0]] = quad
    return found


@njit(cache=True, nogil=True)
def bounds_of_quads(points: Any, quads: Any) -> Any:
    """Lowest and highest coordinates of each quad, shape (n, 6)."""
    bounds = np.empty((len(quads), 6), np.float32)
    for quad in range(len(quads)):
        for axis in range(3):
            low = high = points[quads[quad, 0], axis]
            for corner in range(1, 4):
                value = points[quads[quad, corner], axis]
                low, high = min(low, value), max(high, value)
            bounds[quad, axis] = low - CLEARANCE
            bounds[quad, 3 + axis] = high + CLEARANCE
    return bounds


@njit(cache=True, nogil=True, error_model="numpy")
def conflicting_vertices(
    points: Any, quads: Any, bounds: Any, quad_at: Any, changed: Any, reach: float,
    first: int, last: int, back: Any,
) -> None:  # fmt: skip
    """Mark the vertices of triangles that conflict with another one, one of them changed.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
        In steps of the lattice.
    quads : ndarray of int32, shape (m, 4)
    bounds : ndarray of float32, shape (m, 6)
    quad_at : ndarray of int32, shape (3, z, y, x)
    changed : ndarray of bool, shape (m,)
        Whether a vertex of a quad has been moved since the last look.
    reach : float
        Greatest distance of a vertex from its place in the lattice, along an axis.
    first, last : int
        Range of quads that are looked at.
    back : ndarray of bool, shape (n,)
        Gets True for vertices in conflict.
    """
    shape = quad_at.shape[1:]
    begin, end = np.empty(3, np.int64), np.empty(3, np.int64)
    for quad in range(first, last):
        if not changed[quad]:
            continue
        for axis in range(3):
            for along in range(3):
                size = 0 if along == axis else 1
                begin[along] = max(0, int(np.ceil(bounds[quad, along] - size - reach)))
                end[along] = min(
                    shape[2 - along], int(np.floor(bounds[quad, 3 + along] + reach)) + 1
                )
            for z in range(begin[2], end[2]):
                for y in range(begin[1], end[1]):
                    for x in range(begin[0], end[0]):
                        other = quad_at[axis, z, y, x]
                        # of two changed quads, the first one looks at the other
                        if other < 0 or (other < quad and changed[other]):
                            continue
                        if (
                            bounds[other, 0] > bounds[quad, 3]
                            or bounds[other, 3] < bounds[quad, 0]
                            or bounds[other, 1] > bounds[quad, 4]
                            or bounds[other, 4] < bounds[quad, 1]
                            or bounds[other, 2] > bounds[quad, 5]
                            or bounds[other, 5] < bounds[quad, 2]
                        ):
                            continue
                        for halves in range(4):
                            i, j = halves & 1, halves >> 1
                            if other == quad and i > j:
                                continue
                            a, b, c = quads[quad, 0], quads[quad, 1 + i], quads[quad, 2 + i]
                            d, e, f = quads[other, 0], quads[other, 1 + j], quads[other, 2 + j]
                            if _conflict(points, a, b, c, d, e, f):
                                back[a] = back[b] = back[c] = True
                                back[d] = back[e] = back[f] = True


@njit(cache=True, nogil=True)
def _at(points: Any, vertex: int) -> Any:
    return points[vertex, 0], points[vertex, 1], points[vertex, 2]


@njit(cache=True, nogil=True)
def _minus(a: Any, b: Any) -> Any:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@njit(cache=True, nogil=True)
def _cross(a: Any, b: Any) -> Any:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@njit(cache=True, nogil=True)
def _dot(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, nogil=True)
def _conflict(points: Any, a: int, b: int, c: int, d: int, e: int, f: int) -> Any:
    """Whether triangles (a, b, c) and (d, e, f) meet elsewhere than at their common vertices."""
    # Turn both until a common vertex comes first; with two of them, until the free one is last.
    shared = (a in (d, e, f)) + (b in (d, e, f)) + (c in (d, e, f))
    if shared == 0:
        return not _separated(
            _at(points, a), _at(points, b), _at(points, c),
            _at(points, d), _at(points, e), _at(points, f),
        )  # fmt: skip
    for _ in range(2):
        in_two = a in (d, e, f)
        if (shared == 1 and not in_two) or (shared == 2 and (c in (d, e, f))):
            a, b, c = b, c, a
    for _ in range(2):
        in_one = d == a or (shared > 1 and d == b)
        if (shared == 1 and not in_one) or (shared == 2 and (f in (a, b))):
            d, e, f = e, f, d
    p = _at(points, a)
    u, v = _minus(_at(points, b), p), _minus(_at(points, c), p)
    if shared == 1:
        return _sectors_meet(u, v, _minus(_at(points, e), p), _minus(_at(points, f), p))
    if shared == 2:
        n, m = _cross(u, v), _cross(u, _minus(_at(points, f), p))
        product = _dot(n, m)
        return product > 0 and product**2 > LEAST_FOLD**2 * _dot(n, n) * _dot(m, m)
    n, w = _cross(u, v), _minus(v, u)  # a triangle and itself: is it thin?
    longest = max(max(_dot(u, u), _dot(v, v)), _dot(w, w))
    return _dot(n, n) <= LEAST_HEIGHT**2 * longest


@njit(cache=True, nogil=True)
def _sectors_meet(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Whether triangles (0, a, b) and (0, c, d) meet elsewhere than at 0."""
    n, m = _cross(a, b), _cross(c, d)
    above_a, above_b = _dot(m, a), _dot(m, b)
    above_c, above_d = _dot(n, c), _dot(n, d)
    if max(abs(above_a), abs(above_b)) < NEARLY_FLAT:
        # In one plane: they meet if a side of one points into the other.
        return (
            _points_into(c, a, b, n)
            or _points_into(d, a, b, n)
            or _points_into(a, c, d, n)
            or _points_into(b, c, d, n)
        )
    if above_a * above_b > 0 or above_c * above_d > 0:
        return False
    # The planes cross in a line through 0, of which each triangle holds a piece that begins at 0:
    # do both lie on one side?
    line = _cross(n, m)
    first = _dot(line, a) * abs(above_b) + _dot(line, b) * abs(above_a)
    second = _dot(line, c) * abs(above_d) + _dot(line, d) * abs(above_c)
    return first * second > 0


@njit(cache=True, nogil=True)
def _points_into(p: Any, a: Any, b: Any, n: Any) -> Any:
    """Whether p lies between a and b, all in the plane with normal n."""
    whole = _dot(n, _cross(a, b))
    one, two = _dot(n, _cross(a, p)), _dot(n, _cross(p, b))
    if whole < 0:
        one, two = -one, -two
    return one > -NEARLY_FLAT and two > -NEARLY_FLAT


@njit(cache=True, nogil=True)
def _separated(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """Whether a plane with some clearance lies between triangles (a, b, c) and (d, e, f)."""
    sides = (_minus(b, a), _minus(c, b), _minus(a, c))
    theirs = (_minus(e, d), _minus(f, e), _minus(d, f))
    n, m = _cross(sides[0], sides[1]), _cross(theirs[0], theirs[1])
    for axis in (n, m):
        if _gap(axis, a, b, c, d, e, f):
            return True
    for normal, own in ((n, sides), (m, theirs)):
        for side in own:
            if _gap(_cross(normal, side), a, b, c, d, e, f):
                return True
    for one in sides:
        for two in theirs:
            if _gap(_cross(one, two), a, b, c, d, e, f):
                return True
    return False


@njit(cache=True, nogil=True)
def _gap(axis: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """Whether triangles lie apart along an axis."""
    p, q, r = _dot(axis, a), _dot(axis, b), _dot(axis, c)
    s, t, u = _dot(axis, d), _dot(axis, e), _dot(axis, f)
    gap = max(min(s, min(t, u)) - max(p, max(q, r)), min(p, min(q, r)) - max(s, max(t, u)))
    return gap > 0 and gap**2 > CLEARANCE**2 * _dot(axis, axis)
