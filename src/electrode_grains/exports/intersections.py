"""Which triangles of a mesh of voxel faces cut, touch or fold onto each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from electrode_grains.compiling import njit

CLEARANCE = 0.01  # between triangles without a common vertex, in steps of the lattice
LEAST_HEIGHT = 0.02  # of a triangle over its longest side, in steps of the lattice
LEAST_FOLD = 0.996  # cosine of the least angle (5 degrees) between triangles at a common side
CLEAR_HEIGHT = 0.25  # of both quads over a plane through their common side: no fold there
STEP = 4  # corners of the lattice between two entries of its directory
FIELD = 21  # bits of a coordinate in bounds
GUARDS = np.uint64(1 << 20 | 1 << 41 | 1 << 62)
NEARLY_FLAT = 1e-9  # volume over which four points do not lie in one plane


@njit(cache=True, nogil=True)
def starts_of_quads(quads: Any, places: Any, shape: Any) -> Any:
    """First quad from every fourth corner of each row of the lattice on.

    Parameters
    ----------
    quads : ndarray of int32, shape (m, 4)
        Sorted by the place (z, y, x) of their lowest corner.
    places : ndarray of int32, shape (n, 3)
    shape : (int, int, int)
        Of the lattice of corners (z, y, x).

    Returns
    -------
    starts : ndarray of int32, shape (rows * stride + 1,)
    stride : int
        Entries of a row.
    """
    stride = (shape[2] + STEP - 1) // STEP
    starts = np.zeros(shape[0] * shape[1] * stride + 1, np.int32)
    for quad in range(len(quads)):
        low = quads[quad, 0]
        row = places[low, 2] * shape[1] + places[low, 1]
        starts[row * stride + places[low, 0] // STEP + 1] += 1
    for at in range(1, len(starts)):
        starts[at] += starts[at - 1]
    return starts, stride


@njit(cache=True, nogil=True)
def mark_quads_of(
    vertices: Any, quads: Any, places: Any, starts: Any, stride: int, shape: Any, marked: Any
) -> None:
    """Mark the quads that have one of a few vertices as a corner.

    Parameters
    ----------
    vertices : ndarray of int64, shape (k,)
    quads : ndarray of int32, shape (m, 4)
        Sorted by the place of their lowest corner.
    places : ndarray of int32, shape (n, 3)
    starts : ndarray of int32, shape (rows * stride + 1,)
    stride : int
        As from `starts_of_quads`.
    shape : (int, int, int)
        Of the lattice of corners (z, y, x).
    marked : ndarray of bool, shape (m,)
        Gets True for these quads.
    """
    for vertex in vertices:
        x, y, z = places[vertex]
        for low_z in range(max(z - 1, 0), z + 1):
            for low_y in range(max(y - 1, 0), y + 1):
                row = (low_z * shape[1] + low_y) * stride
                begin, end = starts[row + max(x - 1, 0) // STEP], starts[row + x // STEP + 1]
                for quad in range(begin, end):
                    for corner in range(4):
                        if quads[quad, corner] == vertex:
                            marked[quad] = True


@njit(cache=True, nogil=True)
def mark_moved_quads(quads: Any, moved: Any, marked: Any) -> None:
    """Tell for each quad whether one of its corners has moved: what `marked` gets."""
    for quad in range(len(quads)):
        marked[quad] = (
            moved[quads[quad, 0]]
            or moved[quads[quad, 1]]
            or moved[quads[quad, 2]]
            or moved[quads[quad, 3]]
        )


@njit(cache=True, nogil=True)
def update_bounds(points: Any, quads: Any, chosen: Any, scale: float, bounds: Any) -> None:
    """Renew the lowest and highest coordinates of some quads.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
    quads : ndarray of int32, shape (m, 4)
    chosen : ndarray of int64, shape (k,)
        Quads whose bounds are renewed.
    scale : float
        Units of the bounds in a step of the lattice; (size of the lattice + 2) * scale must be
        less than 2**20.
    bounds : ndarray of uint64, shape (m, 2)
        Of these quads: lowest and highest coordinates with the clearance around them. Three
        fields of 21 bits (x, y, z from below), in whole units and off by a step of the lattice,
        so that none is negative; of the highest ones the upper bit of each field is set.
    """
    for quad in chosen:
        a, b, c, d = quads[quad, 0], quads[quad, 1], quads[quad, 2], quads[quad, 3]
        low, high = np.uint64(0), GUARDS
        for axis in range(3):
            p, q, r, s = points[a, axis], points[b, axis], points[c, axis], points[d, axis]
            least = min(min(p, q), min(r, s)) - CLEARANCE + 1
            greatest = max(max(p, q), max(r, s)) + CLEARANCE + 1
            shift = np.uint64(FIELD * axis)
            low |= np.uint64(np.floor(scale * least)) << shift
            high |= np.uint64(np.ceil(scale * greatest)) << shift
        bounds[quad, 0], bounds[quad, 1] = low, high


@njit(cache=True, nogil=True, error_model="numpy")
def conflicting_vertices(
    points: Any, quads: Any, places: Any, bounds: Any, starts: Any, stride: int, shape: Any,
    changed: Any, all_changed: bool, reach: float, chosen: Any, back: Any,
) -> None:  # fmt: skip
    """Mark the vertices of triangles that conflict with another one, one of them changed.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
        In steps of the lattice.
    quads : ndarray of int32, shape (m, 4)
        Sorted by the place of their lowest corner.
    places : ndarray of int32, shape (n, 3)
    bounds : ndarray of uint64, shape (m, 2)
        As from `update_bounds`.
    starts : ndarray of int32, shape (rows * stride + 1,)
    stride : int
        As from `starts_of_quads`.
    shape : (int, int, int)
        Of the lattice of corners (z, y, x).
    changed : ndarray of bool, shape (m,)
        Whether a vertex of a quad has been moved since the last look.
    all_changed : bool
    reach : float
        Greatest distance of a vertex from its place in the lattice, along an axis.
    chosen : ndarray of int64, shape (k,)
        Quads that are looked at; changed ones.
    back : ndarray of bool, shape (n,)
        Gets True for vertices in conflict.
    """
    begin, end = np.empty(3, np.int64), np.empty(3, np.int64)
    own, their, normals = np.empty((4, 3)), np.empty((4, 3)), np.empty((2, 3))
    most = int(5 + 4 * reach)  # corners of the lattice along an axis that are looked at
    near = np.empty(3 * most * most * (most + 2 * STEP), np.int32)
    for quad in chosen:
        for corner in range(4):
            for axis in range(3):
                own[corner, axis] = points[quads[quad, corner], axis]
        _mark_misshapen(quads, quad, own, normals, back)
        for axis in range(3):
            least = min(min(own[0, axis], own[1, axis]), min(own[2, axis], own[3, axis]))
            greatest = max(max(own[0, axis], own[1, axis]), max(own[2, axis], own[3, axis]))
            begin[axis] = max(0, int(np.ceil(least - CLEARANCE - 1 - reach)))
            end[axis] = min(shape[2 - axis], int(np.floor(greatest + CLEARANCE + reach)) + 1)
        low, high = bounds[quad, 0], bounds[quad, 1]
        lowest = quads[quad, 0]
        if all_changed:
            begin[2] = max(begin[2], places[lowest, 2])
        found = 0
        for z in range(begin[2], end[2]):
            y_begin = begin[1]
            if all_changed and z == places[lowest, 2]:
                y_begin = max(y_begin, places[lowest, 1])
            for y in range(y_begin, end[1]):
                row = (z * shape[1] + y) * stride
                # of two changed quads, the first one looks at the other
                begins = max(starts[row + begin[0] // STEP], quad + 1 if all_changed else 0)
                for other in range(begins, starts[row + (end[0] + STEP - 1) // STEP]):
                    # all three fields at once: the upper bits stay if none is negative; a branch
                    # here would be foreseen wrongly each time that it is taken
                    near[found] = other
                    found += (high - bounds[other, 0]) & (bounds[other, 1] - low) & GUARDS == GUARDS
        for at in range(found):
            other = near[at]
            if other <= quad and changed[other]:
                continue
            for corner in range(4):
                for axis in range(3):
                    their[corner, axis] = points[quads[other, corner], axis]
            if _lie_apart(own, their, quads, quad, other):
                continue
            for halves in range(4):
                i, j = halves & 1, halves >> 1
                a, b, c = quads[quad, 0], quads[quad, 1 + i], quads[quad, 2 + i]
                d, e, f = quads[other, 0], quads[other, 1 + j], quads[other, 2 + j]
                if _conflict(points, a, b, c, d, e, f):
                    back[a] = back[b] = back[c] = True
                    back[d] = back[e] = back[f] = True


@njit(inline="always")  # arrays handed to a function have their references counted
def _lie_apart(own: Any, their: Any, quads: Any, quad: int, other: int) -> Any:
    """Whether a plane with clearance lies between two quads, or holds just what they share.

    The plane lies across the line between their centres and, if they have one, along their
    common side, from which it must be so far that no triangles fold.
    """
    g, h, k = 0.0, 0.0, 0.0
    for corner in range(4):
        g += their[corner, 0] - own[corner, 0]
        h += their[corner, 1] - own[corner, 1]
        k += their[corner, 2] - own[corner, 2]
    mine = theirs = 0  # a bit for each corner that they share
    for two in range(4):
        vertex, equal = quads[other, two], 0
        for one in range(4):
            equal |= (quads[quad, one] == vertex) << one
        mine |= equal
        theirs |= (equal > 0) << two
    shared = (mine & 1) + (mine >> 1 & 1) + (mine >> 2 & 1) + (mine >> 3)
    clearance, is_side = CLEARANCE, True
    if shared == 2:
        first = 0 if mine & 1 else 1 if mine & 2 else 2
        last = 3 if mine & 8 else 2 if mine & 4 else 1
        u, v = own[last, 0] - own[first, 0], own[last, 1] - own[first, 1]
        w = own[last, 2] - own[first, 2]
        squared = u * u + v * v + w * w
        is_side = squared >= CLEAR_HEIGHT**2
        share = (g * u + h * v + k * w) / squared
        g, h, k = g - share * u, h - share * v, k - share * w
        clearance = CLEAR_HEIGHT
    high, low, common = -np.inf, np.inf, 0.0
    for corner in range(4):
        p = g * own[corner, 0] + h * own[corner, 1] + k * own[corner, 2]
        q = g * their[corner, 0] + h * their[corner, 1] + k * their[corner, 2]
        high = max(high, -np.inf if mine >> corner & 1 else p)
        common = p if mine >> corner & 1 else common
        low = min(low, np.inf if theirs >> corner & 1 else q)
    gap = min(low - common, common - high) if shared else low - high
    return is_side and gap > 0 and gap**2 > clearance**2 * (g * g + h * h + k * k)


@njit(cache=True, nogil=True)
def _mark_misshapen(quads: Any, quad: int, corners: Any, normals: Any, back: Any) -> None:
    """Mark vertices of triangles that are nearly lines, or folded onto each other.

    `normals` is room for those of both, shape (2, 3).
    """
    for half in range(2):
        for axis in range(3):
            i, j = (axis + 1) % 3, (axis + 2) % 3
            p, q = corners[1 + half, i] - corners[0, i], corners[1 + half, j] - corners[0, j]
            r, s = corners[2 + half, i] - corners[0, i], corners[2 + half, j] - corners[0, j]
            normals[half, axis] = p * s - q * r
    product = one = two = 0.0
    for axis in range(3):
        product -= normals[0, axis] * normals[1, axis]
        one += normals[0, axis] ** 2
        two += normals[1, axis] ** 2
    if product > 0 and product**2 > LEAST_FOLD**2 * one * two:
        for corner in range(4):
            back[quads[quad, corner]] = True
    for half in range(2):
        longest = 0.0
        for start in range(3):
            p, q = start + half * (start > 0), (start + 1 + half) * (start < 2)
            longest = max(
                longest,
                (corners[p, 0] - corners[q, 0]) ** 2
                + (corners[p, 1] - corners[q, 1]) ** 2
                + (corners[p, 2] - corners[q, 2]) ** 2,
            )
        if (two if half else one) <= LEAST_HEIGHT**2 * longest:
            for corner in (0, 1 + half, 2 + half):
                back[quads[quad, corner]] = True


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
