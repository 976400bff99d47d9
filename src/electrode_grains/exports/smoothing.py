"""Smoothing of interfaces that keeps the volume of every grain and lets no face cut another one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.linalg import splu, spsolve

from electrode_grains.compiling import njit
from electrode_grains.exports.intersections import (
    FIELD,
    conflicting_vertices,
    mark_moved_quads,
    mark_quads_of,
    starts_of_quads,
    update_bounds,
)
from electrode_grains.exports.lattice import Guides, Interfaces
from electrode_grains.threads import available_cores

PULL = 0.5  # share of the way to the mean of the neighbours in one step
FULL_PULL = 64.0  # voxels of a grain from which on it is smoothed with all of it
FARTHEST = 0.95  # a vertex moves from its place along each axis, in steps of the lattice
CORRECTIONS, LAST_CORRECTIONS = 1, 4  # of volumes after a step, and at the end
ROUNDS = 5  # in which volumes are mended after vertices went back
CLOSE_ENOUGH = 4e-3  # share of its volume that a grain may lack at the end
LEAST_PUSH = 1e-5  # smaller differences of pressure move nothing
AT_ONCE = 1 << 20  # quads whose areas are added to the graph together
FEW = 0.02  # share of all vertices up to which quads are found from them
SHARES = np.array([1.0, 0.8, 0.6, 0.4, 0.2, 0.0])  # of a move that are tried in turn

Points = NDArray[np.float64]
"""Vertices (x, y, z) in steps of the lattice, shape (n, 3)."""
Conflicts = Callable[[Points, NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.bool_]]
"""Tells which vertices must go back, given all places, which vertices moved since it was last
asked, and which cannot go back any more."""


def wanted_places(volumes: GrainVolumes, guides: Guides, steps: int) -> Points:
    """Smooth interfaces without looking where they cut each other.

    Parameters
    ----------
    volumes : GrainVolumes
    guides : Guides
    steps : int
        Each moves every vertex half of the way to the mean of those that it follows.

    Returns
    -------
    Points
    """
    places, last = volumes.interfaces.places, volumes.interfaces.last
    pull = guides.smallest / np.float32(FULL_PULL)
    np.minimum(pull, np.float32(1.0), out=pull)
    pull **= np.float32(2 / 3)
    pull *= PULL
    points = places.astype(float)
    for step in range(steps):
        pull_vertices(points, guides, places, last, pull)
        for _ in range(LAST_CORRECTIONS if step == steps - 1 else CORRECTIONS):
            volumes.correct(points)
    return points


def held_back(volumes: GrainVolumes, points: Points, conflicts: Conflicts) -> Points:
    """Take of each move the greatest share that is free of conflicts, then mend volumes.

    Parameters
    ----------
    volumes : GrainVolumes
    points : Points
        Where vertices would go; changed in place.
    conflicts : callable
        Finds nothing to send back where all vertices are at their place in the lattice.

    Returns
    -------
    Points
        The same array.
    """
    places = volumes.interfaces.places
    _take_largest_shares(points, None, places, differing_rows(points, places), conflicts)
    for _ in range(ROUNDS):
        lacks = volumes.lacks_much(points)
        if not lacks.any():
            break
        mended, before = volumes.mend(points, lacks)
        moved = np.zeros(len(points), np.bool_)
        moved[mended] = (points[mended] != before).any(axis=1)
        _take_largest_shares(points, mended, before, moved, conflicts)
    return points


def crossing_test(interfaces: Interfaces) -> Conflicts:
    """Test for triangles that cut, touch or fold onto each other, or are nearly lines."""
    quads, places, shape = interfaces.quads, interfaces.places, interfaces.shape
    starts, stride = starts_of_quads(quads, places, shape)
    bounds, changed = np.empty((len(quads), 2), np.uint64), np.zeros(len(quads), np.bool_)
    scale = float((1 << FIELD - 1) // (max(shape) + 3))
    edges = np.linspace(0, len(quads), 4 * available_cores() + 1).astype(int).tolist()

    def conflicts(
        points: Points, moved: NDArray[np.bool_], settled: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        back = np.zeros(len(points), np.bool_)
        if np.count_nonzero(moved) < FEW * len(points):
            changed[:] = False
            vertices = np.flatnonzero(moved)
            mark_quads_of(vertices, quads, places, starts, stride, shape, changed)
        else:
            mark_moved_quads(quads, moved, changed)
        everything = bool(changed.all())

        def renew(first: int, last: int) -> None:
            chosen = first + np.flatnonzero(changed[first:last])
            update_bounds(points, quads, chosen, scale, bounds)

        def look(first: int, last: int) -> None:
            chosen = first + np.flatnonzero(changed[first:last])
            conflicting_vertices(
                points, quads, places, bounds, starts, stride, shape, changed, everything,
                FARTHEST, chosen, back,
            )  # fmt: skip

        with ThreadPoolExecutor(available_cores()) as threads:
            list(threads.map(renew, edges[:-1], edges[1:]))
            list(threads.map(look, edges[:-1], edges[1:]))
        return back

    return conflicts


def _take_largest_shares(
    points: Points,
    chosen: NDArray[np.int64] | None,
    before: Points | NDArray[np.int32],
    moved: NDArray[np.bool_],
    conflicts: Conflicts,
) -> None:
    """Let points go back vertex by vertex, all at once, so that no order of them matters.

    Parameters
    ----------
    points : Points
        Changed in place.
    chosen : ndarray of int64, shape (k,), optional
        Vertices that can have moved, in rising order; all of them where not given.
    before : ndarray, shape (k, 3)
        Where these were before.
    moved : ndarray of bool, shape (n,)
        Vertices that have moved.
    conflicts : callable
    """
    tried = np.zeros(len(points), np.int8)
    while moved.any():
        settled = tried == len(SHARES) - 1
        moved = conflicts(points, moved, settled) & ~settled
        again = np.flatnonzero(moved)
        tried[again] += 1
        share = SHARES[tried[again]] / SHARES[tried[again] - 1]
        at = again
        if chosen is not None:  # others are where they were
            at = np.searchsorted(chosen, again)
            own = chosen[np.minimum(at, len(chosen) - 1)] == again
            again, at, share = again[own], at[own], share[own]
        points[again] = before[at] + share[:, None] * (points[again] - before[at])


class GrainVolumes:
    """Moves interfaces along their normals until every grain has the volume of its voxels.

    Attributes
    ----------
    interfaces : Interfaces
    wanted : ndarray of float64, shape (n,)
        Voxels of each number.

    Notes
    -----
    A pressure p in each grain, 0 outside, that moves vertices by p times the derivative of the
    volume changes volumes by dV if, to first order, the sum over neighbours of area times
    (p - p of the neighbour) is dV.
    """

    def __init__(self, interfaces: Interfaces) -> None:
        self.interfaces = interfaces
        count = len(interfaces.ids)
        self.wanted = interfaces.voxel_counts.astype(float)
        areas = csc_array((count, count), dtype=np.float32)
        for start in range(0, len(interfaces.pairs), AT_ONCE):
            pairs = interfaces.pairs[start : start + AT_ONCE].T
            areas += coo_array((np.ones(pairs.shape[1], np.float32), pairs), areas.shape).tocsc()
        areas = areas + areas.T
        self._graph = csc_array(diags_array(np.asarray(areas.sum(axis=1)).ravel()) - areas)
        self._graph = self._graph.astype(float)
        self._solve_all = splu(self._graph[1:, 1:].tocsc()).solve

    def lacking(self, points: Points) -> NDArray[np.float64]:
        """Volume that each grain lacks, in voxels; 0 for what is no grain."""
        found = enclosed_volumes(
            points, self.interfaces.quads, self.interfaces.pairs, len(self.wanted)
        )
        lacking: NDArray[np.float64] = self.wanted - found
        lacking[0] = 0.0
        return lacking

    def lacks_much(self, points: Points) -> NDArray[np.bool_]:
        """Grains that lack too much of their volume, or have too much, shape (n,)."""
        lacks: NDArray[np.bool_] = np.abs(self.lacking(points)) > CLOSE_ENOUGH * self.wanted
        return lacks

    def correct(self, points: Points) -> None:
        """Move vertices within the window, and never out of the voxels around their place.

        Parameters
        ----------
        points : Points
            Changed in place.
        """
        pressures = np.zeros(len(self.wanted))
        pressures[1:] = self._solve_all(self.lacking(points)[1:])
        interfaces = self.interfaces
        self._push(points, interfaces.quads, interfaces.pairs, interfaces.places, pressures)

    def mend(self, points: Points, grains: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Points]:
        """Correct the volumes of some grains, with pressure in these alone.

        Parameters
        ----------
        points : Points
            Changed in place, on the surfaces of these grains alone.
        grains : ndarray of bool, shape (n,)

        Returns
        -------
        mended : ndarray of int64, shape (k,)
            Vertices on these surfaces, in rising order.
        before : Points
            Where they were.
        """
        interfaces, chosen = self.interfaces, np.flatnonzero(grains)
        graph = self._graph[chosen][:, chosen]
        near = quads_on(interfaces.pairs, grains)
        pairs, used = interfaces.pairs[near], np.zeros(len(points), np.bool_)
        quads = interfaces.quads[near]
        used[quads] = True
        mended = np.flatnonzero(used)
        renumber_corners(quads, mended, np.empty(len(points), np.int32))
        before, places = points[mended], interfaces.places[mended]
        own = before.copy()
        for _ in range(LAST_CORRECTIONS):
            lacking = self.wanted - enclosed_volumes(own, quads, pairs, len(self.wanted))
            pressures = np.zeros(len(self.wanted))
            pressures[chosen] = spsolve(graph, lacking[chosen])
            self._push(own, quads, pairs, places, pressures)
        points[mended] = own
        return mended, before

    def _push(
        self,
        points: Points,
        quads: NDArray[np.int32],
        pairs: NDArray[np.int32],
        places: NDArray[np.int32],
        pressures: NDArray[np.float64],
    ) -> None:
        ends = ends_of_layers(places)
        push_vertices(
            points, quads, pairs, pressures, LEAST_PUSH, places, self.interfaces.last, FARTHEST,
            ends, _room_for_two_layers(ends),
        )  # fmt: skip


@njit(cache=True, nogil=True)
def differing_rows(one: Any, two: Any) -> Any:
    """Rows of two arrays of shape (n, 3) that are not equal, shape (n,)."""
    differ = np.empty(len(one), np.bool_)
    for row in range(len(one)):
        differ[row] = (
            one[row, 0] != two[row, 0] or one[row, 1] != two[row, 1] or one[row, 2] != two[row, 2]
        )
    return differ


@njit(cache=True, nogil=True)
def quads_on(pairs: Any, grains: Any) -> Any:
    """Quads with one of some grains on a side, in rising order."""
    count = 0
    for quad in range(len(pairs)):
        count += grains[pairs[quad, 0]] or grains[pairs[quad, 1]]
    found = np.empty(count, np.int64)
    count = 0
    for quad in range(len(pairs)):
        if grains[pairs[quad, 0]] or grains[pairs[quad, 1]]:
            found[count] = quad
            count += 1
    return found


@njit(cache=True, nogil=True)
def renumber_corners(quads: Any, vertices: Any, numbers: Any) -> None:
    """Count corners from the first of some vertices on; `numbers` is room, one for each of all."""
    for number in range(len(vertices)):
        numbers[vertices[number]] = number
    for quad in range(len(quads)):
        for corner in range(4):
            quads[quad, corner] = numbers[quads[quad, corner]]


def ends_of_layers(places: NDArray[np.int32]) -> NDArray[np.int64]:
    """End of each layer of vertices that lie in the order of z, shape (layers,)."""
    ends: NDArray[np.int64] = np.searchsorted(places[:, 2], np.arange(places[-1, 2] + 1), "right")
    return ends


def _room_for_two_layers(ends: NDArray[np.int64]) -> Points:
    """Zeros for the vertices of any layer and the next one."""
    starts = np.append(0, ends[:-1])
    return np.zeros(((np.append(ends[1:], ends[-1]) - starts).max(), 3))


def pull_vertices(
    points: Points,
    guides: Guides,
    places: NDArray[np.int32],
    last: NDArray[np.int64],
    pull: NDArray[np.float32],
) -> None:
    """Move each vertex by a share of the way to the mean of those that it follows.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
        Changed in place; where vertices were is kept for two layers of them.
    guides : Guides
    places : ndarray of int32, shape (n, 3)
    last : ndarray of int64, shape (3,)
        As of `Interfaces`; on the window vertices move within it alone.
    pull : ndarray of float32, shape (n,)
    """
    ends = ends_of_layers(places)
    before = _room_for_two_layers(ends)
    last_start = start = 0
    for end in ends.tolist():
        # where vertices of the last layer were, and those of this one are
        kept = start - last_start
        before[kept : kept + end - start] = points[start:end]
        _pull_layer(points, before, last_start, start, end, guides.followed, places, last, pull)
        before[: end - start] = before[kept : kept + end - start]
        last_start, start = start, end


@njit(cache=True, nogil=True)
def _pull_layer(
    points: Any, before: Any, first: int, start: int, end: int, followed: Any, places: Any,
    last: Any, pull: Any,
) -> None:  # fmt: skip
    """Move the vertices from `start` to `end`; `before` begins with vertex `first`."""
    for vertex in range(start, end):
        x = y = z = 0.0
        count = 0
        for side in range(5):
            other = followed[vertex, side] - first
            if other >= 0:
                x += before[other, 0]
                y += before[other, 1]
                z += before[other, 2]
                count += 1
        other = followed[vertex, 5]  # in the next layer, which has not moved
        if other >= 0:
            x += points[other, 0]
            y += points[other, 1]
            z += points[other, 2]
            count += 1
        share = pull[vertex] / max(count, 1)
        stay = 1 - share * count
        x = stay * points[vertex, 0] + share * x
        y = stay * points[vertex, 1] + share * y
        z = stay * points[vertex, 2] + share * z
        if places[vertex, 0] != 0 and places[vertex, 0] != last[0]:
            points[vertex, 0] = x
        if places[vertex, 1] != 0 and places[vertex, 1] != last[1]:
            points[vertex, 1] = y
        if places[vertex, 2] != 0 and places[vertex, 2] != last[2]:
            points[vertex, 2] = z


@njit(cache=True, nogil=True)
def enclosed_volumes(points: Any, quads: Any, pairs: Any, count: int) -> Any:
    """Volume within the closed surface of each grain; normals point to the second of a pair."""
    volumes = np.zeros(count)
    for quad in range(len(quads)):
        a, b, c, d = quads[quad, 0], quads[quad, 1], quads[quad, 2], quads[quad, 3]
        volume = 0.0
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            # both triangles (a, b, c) and (a, c, d)
            volume += points[a, i] * (
                points[c, k] * (points[b, j] - points[d, j])
                - points[c, j] * (points[b, k] - points[d, k])
            )
        volumes[pairs[quad, 0]] += volume / 6
        volumes[pairs[quad, 1]] -= volume / 6
    return volumes


@njit(cache=True, nogil=True)
def push_vertices(
    points: Any, quads: Any, pairs: Any, pressures: Any, least: float, places: Any, last: Any,
    farthest: float, ends: Any, pushes: Any,
) -> None:  # fmt: skip
    """Move each vertex by the derivative of the sum of pressures times volumes by it.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
        Changed in place, within the window.
    quads : ndarray of int32, shape (m, 4)
        Sorted by the layer of their lowest corner.
    pairs : ndarray of int32, shape (m, 2)
    pressures : ndarray of float64, shape (grains + 1,)
    least : float
        Smaller differences of pressure move nothing.
    places : ndarray of int32, shape (n, 3)
        Sorted by their layer z.
    last : ndarray of int64, shape (3,)
        As of `Interfaces`.
    farthest : float
        From its place along an axis.
    ends : ndarray of int64, shape (layers,)
        Of the layers of vertices.
    pushes : ndarray of float64, shape (k, 3)
        Zeros for the vertices of any layer and the next one.

    Notes
    -----
    Quads reach from the layer of their lowest corner into the next one. So a layer is moved when
    its quads are through, and moves of two layers are kept.
    """
    quad = start = 0
    for layer in range(len(ends)):
        end = ends[layer]
        while quad < len(quads) and quads[quad, 0] < end:
            pressure = (pressures[pairs[quad, 0]] - pressures[pairs[quad, 1]]) / 6
            if 6 * abs(pressure) > least:
                a, b, c, d = quads[quad, 0], quads[quad, 1], quads[quad, 2], quads[quad, 3]
                for i in range(3):
                    j, k = (i + 1) % 3, (i + 2) % 3
                    # area vectors of the triangles (a, b, c) and (a, c, d), a third a corner
                    cj, ck = points[c, j] - points[a, j], points[c, k] - points[a, k]
                    one = (points[b, j] - points[a, j]) * ck - (points[b, k] - points[a, k]) * cj
                    two = cj * (points[d, k] - points[a, k]) - ck * (points[d, j] - points[a, j])
                    pushes[a - start, i] += pressure * (one + two)
                    pushes[b - start, i] += pressure * one
                    pushes[c - start, i] += pressure * (one + two)
                    pushes[d - start, i] += pressure * two
            quad += 1
        count = end - start
        kept = ends[min(layer + 1, len(ends) - 1)] - end
        for at in range(count):
            for axis in range(3):
                place = places[start + at, axis]
                if place > 0 and place < last[axis]:
                    wanted = points[start + at, axis] + pushes[at, axis]
                    points[start + at, axis] = min(max(wanted, place - farthest), place + farthest)
        for at in range(kept + count):
            for axis in range(3):
                pushes[at, axis] = pushes[at + count, axis] if at < kept else 0.0
        start = end
