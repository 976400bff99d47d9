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
    starts_of_quads,
    update_bounds,
)
from electrode_grains.exports.lattice import Interfaces
from electrode_grains.threads import available_cores

PULL = 0.5  # share of the way to the mean of the neighbours in one step
FULL_PULL = 64.0  # voxels of a grain from which on it is smoothed with all of it
FARTHEST = 0.95  # a vertex moves from its place along each axis, in steps of the lattice
CORRECTIONS, LAST_CORRECTIONS = 1, 4  # of volumes after a step, and at the end
ROUNDS = 5  # in which volumes are mended after vertices went back
CLOSE_ENOUGH = 4e-3  # share of its volume that a grain may lack at the end
LEAST_PUSH = 1e-5  # smaller differences of pressure move nothing
SHARES = np.array([1.0, 0.8, 0.6, 0.4, 0.2, 0.0])  # of a move that are tried in turn

Points = NDArray[np.float64]
"""Vertices (x, y, z) in steps of the lattice, shape (n, 3)."""
Conflicts = Callable[[Points, NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.bool_]]
"""Tells which vertices must go back, given all places, which vertices moved since it was last
asked, and which cannot go back any more."""


def smooth_interfaces(interfaces: Interfaces, steps: int) -> Points:
    """Smooth interfaces.

    Parameters
    ----------
    interfaces : Interfaces
    steps : int
        Each moves every vertex half of the way to the mean of those that it follows.

    Returns
    -------
    Points
    """
    volumes = GrainVolumes(interfaces)
    moved = wanted_places(volumes, steps)
    return held_back(volumes, moved, crossing_test(interfaces))


def wanted_places(volumes: GrainVolumes, steps: int) -> Points:
    """Smooth interfaces without looking where they cut each other."""
    interfaces, places = volumes.interfaces, volumes.interfaces.places
    pull = np.minimum(np.float32(1.0), interfaces.smallest / np.float32(FULL_PULL))
    pull = PULL * pull ** np.float32(2 / 3)
    points, other = places.astype(float), np.empty(places.shape)
    for step in range(steps):
        pull_vertices(points, interfaces.followed, places, interfaces.last, pull, other)
        points, other = other, points
        for _ in range(LAST_CORRECTIONS if step == steps - 1 else CORRECTIONS):
            volumes.correct(points)
    return points


def held_back(volumes: GrainVolumes, wanted: Points, conflicts: Conflicts) -> Points:
    """Take of each move the greatest share that is free of conflicts, then mend volumes.

    Parameters
    ----------
    volumes : GrainVolumes
    wanted : Points
        Changed in place.
    conflicts : callable
        Finds nothing to send back where all vertices are at their place in the lattice.

    Returns
    -------
    Points
    """
    valid = _largest_shares(volumes.interfaces.places, wanted, conflicts)
    for _ in range(ROUNDS):
        lacks = volumes.lacks_much(valid)
        if not lacks.any():
            break
        moved = valid.copy()
        volumes.mend(moved, lacks)
        valid = _largest_shares(valid, moved, conflicts)
    return valid


def crossing_test(interfaces: Interfaces) -> Conflicts:
    """Test for triangles that cut, touch or fold onto each other, or are nearly lines."""
    quads, shape = interfaces.quads, interfaces.shape
    starts, stride = starts_of_quads(quads, interfaces.places, shape)
    bounds, changed = np.empty((len(quads), 2), np.uint64), np.empty(len(quads), np.bool_)
    scale = float((1 << FIELD - 1) // (max(shape) + 3))
    edges = np.linspace(0, len(quads), 4 * available_cores() + 1).astype(int).tolist()

    def conflicts(
        points: Points, moved: NDArray[np.bool_], settled: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        back = np.zeros(len(points), np.bool_)
        update_bounds(points, quads, moved, scale, bounds, changed)
        everything = bool(changed.all())

        def look(first: int, last: int) -> None:
            conflicting_vertices(
                points, quads, interfaces.places, bounds, starts, stride, shape, changed,
                everything, FARTHEST, first, last, back,
            )  # fmt: skip

        with ThreadPoolExecutor(available_cores()) as threads:
            list(threads.map(look, edges[:-1], edges[1:]))
        return back

    return conflicts


def _largest_shares(
    valid: Points | NDArray[np.int32], points: Points, conflicts: Conflicts
) -> Points:
    """Let `points` go back vertex by vertex, all at once, so that no order of them matters."""
    tried = np.zeros(len(valid), np.int8)
    moved = (points != valid).any(axis=1)
    while moved.any():
        settled = tried == len(SHARES) - 1
        moved = conflicts(points, moved, settled) & ~settled
        again = np.flatnonzero(moved)
        tried[again] += 1
        share = (SHARES[tried[again]] / SHARES[tried[again] - 1])[:, None]
        points[again] = valid[again] + share * (points[again] - valid[again])
    return points


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
        one, two = interfaces.pairs.T
        areas = coo_array((np.ones(len(one), np.float32), (one, two)), shape=(count, count)).tocsc()
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

    def mend(self, points: Points, grains: NDArray[np.bool_]) -> None:
        """Correct the volumes of some grains, with pressure in these alone.

        Parameters
        ----------
        points : Points
            Changed in place, on the surfaces of these grains alone.
        grains : ndarray of bool, shape (n,)
        """
        interfaces, chosen = self.interfaces, np.flatnonzero(grains)
        graph = self._graph[chosen][:, chosen]
        near = grains[interfaces.pairs].any(axis=1)
        pairs, used = interfaces.pairs[near], np.zeros(len(points), np.bool_)
        used[interfaces.quads[near]] = True
        quads = (np.cumsum(used, dtype=np.int32) - 1)[interfaces.quads[near]]
        own, places = points[used], interfaces.places[used]
        for _ in range(LAST_CORRECTIONS):
            lacking = self.wanted - enclosed_volumes(own, quads, pairs, len(self.wanted))
            pressures = np.zeros(len(self.wanted))
            pressures[chosen] = spsolve(graph, lacking[chosen])
            self._push(own, quads, pairs, places, pressures)
        points[used] = own

    def _push(
        self,
        points: Points,
        quads: NDArray[np.int32],
        pairs: NDArray[np.int32],
        places: NDArray[np.int32],
        pressures: NDArray[np.float64],
    ) -> None:
        pushes = np.zeros_like(points)
        add_pushes(points, quads, pairs, pressures, LEAST_PUSH, pushes)
        push_vertices(points, pushes, places, self.interfaces.last, FARTHEST)


@njit(cache=True, nogil=True)
def pull_vertices(
    points: Any, followed: Any, places: Any, last: Any, pull: Any, moved: Any
) -> None:
    """Move each vertex by a share of the way to the mean of those that it follows.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
    followed : ndarray of int32, shape (n, 6)
    places : ndarray of int32, shape (n, 3)
    last : ndarray of int64, shape (3,)
        As of `Interfaces`; on the window vertices move within it alone.
    pull : ndarray of float32, shape (n,)
    moved : ndarray of float64, shape (n, 3)
        Gets the new points.
    """
    for vertex in range(len(points)):
        x = y = z = 0.0
        count = 0
        for side in range(6):
            other = followed[vertex, side]
            if other >= 0:
                x += points[other, 0]
                y += points[other, 1]
                z += points[other, 2]
                count += 1
        share = pull[vertex] / max(count, 1)
        stay = 1 - share * count
        moved[vertex, 0] = stay * points[vertex, 0] + share * x
        moved[vertex, 1] = stay * points[vertex, 1] + share * y
        moved[vertex, 2] = stay * points[vertex, 2] + share * z
        for axis in range(3):
            if places[vertex, axis] == 0 or places[vertex, axis] == last[axis]:
                moved[vertex, axis] = points[vertex, axis]


@njit(cache=True, nogil=True)
def push_vertices(points: Any, pushes: Any, places: Any, last: Any, farthest: float) -> None:
    """Move points by pushes, within the window and not too far from their places."""
    for vertex in range(len(points)):
        for axis in range(3):
            place = places[vertex, axis]
            if place > 0 and place < last[axis]:
                wanted = points[vertex, axis] + pushes[vertex, axis]
                points[vertex, axis] = min(max(wanted, place - farthest), place + farthest)


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
def add_pushes(
    points: Any, quads: Any, pairs: Any, pressures: Any, least: float, pushes: Any
) -> None:
    """Add the derivative of the sum of pressures times volumes by each vertex to `pushes`."""
    for quad in range(len(quads)):
        pressure = (pressures[pairs[quad, 0]] - pressures[pairs[quad, 1]]) / 6
        if 6 * abs(pressure) <= least:
            continue
        a, b, c, d = quads[quad, 0], quads[quad, 1], quads[quad, 2], quads[quad, 3]
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            # area vectors of the triangles (a, b, c) and (a, c, d), a third for each corner
            cj, ck = points[c, j] - points[a, j], points[c, k] - points[a, k]
            one = (points[b, j] - points[a, j]) * ck - (points[b, k] - points[a, k]) * cj
            two = cj * (points[d, k] - points[a, k]) - ck * (points[d, j] - points[a, j])
            pushes[a, i] += pressure * (one + two)
            pushes[b, i] += pressure * one
            pushes[c, i] += pressure * (one + two)
            pushes[d, i] += pressure * two
