"""Smoothing of interfaces that keeps the volume of every grain and lets no face cut another one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

from electrode_grains.exports.intersections import (
    bounds_of_quads,
    conflicting_vertices,
    quads_on_lattice,
)
from electrode_grains.exports.lattice import Interfaces, followed_corners, least_around
from electrode_grains.threads import available_cores

PULL = 0.5  # share of the way to the mean of the neighbours in one step
FULL_PULL = 64.0  # voxels of a grain from which on it is smoothed with all of it
FARTHEST = 0.95  # a vertex moves from its place along each axis, in steps of the lattice
CORRECTIONS, LAST_CORRECTIONS = 2, 6  # of volumes after a step, and at the end
ROUNDS = 3  # in which volumes are mended after vertices went back
CLOSE_ENOUGH = 1e-3  # share of its volume that a grain may lack at the end
LEAST_PUSH = 1e-4  # that is worth another look for intersections
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
    moved = wanted_places(interfaces, steps)
    return held_back(interfaces, moved, crossing_test(interfaces))


def wanted_places(interfaces: Interfaces, steps: int) -> Points:
    """Smooth interfaces without looking where they cut each other."""
    places, volumes = interfaces.places, GrainVolumes(interfaces)
    free = interfaces.free
    followed = followed_corners(interfaces.numbers, interfaces.vertex_of, places)
    sizes = volumes.wanted.copy()
    sizes[0] = np.inf
    least = least_around(interfaces.numbers, places, sizes)
    pull = PULL * np.minimum(1.0, (least / FULL_PULL) ** (2 / 3))
    points = places.astype(float)
    for step in range(steps):
        points = _pulled(points, followed, free, pull)
        for _ in range(LAST_CORRECTIONS if step == steps - 1 else CORRECTIONS):
            points = volumes.corrected(points)
    return points


def held_back(interfaces: Interfaces, wanted: Points, conflicts: Conflicts) -> Points:
    """Take of each move the greatest share that is free of conflicts, then mend volumes.

    Parameters
    ----------
    interfaces : Interfaces
    wanted : Points
    conflicts : callable
        Finds nothing to send back where all vertices are at their place in the lattice.

    Returns
    -------
    Points
    """
    volumes = GrainVolumes(interfaces, CLOSE_ENOUGH, LEAST_PUSH)
    valid = _largest_shares(interfaces.places.astype(float), wanted, conflicts)
    for _ in range(ROUNDS):
        lacking = np.abs(volumes.lacking(valid))
        if (lacking <= 2 * CLOSE_ENOUGH * volumes.wanted).all():
            break
        moved = valid
        for _ in range(LAST_CORRECTIONS):
            moved = volumes.corrected(moved)
        valid = _largest_shares(valid, moved, conflicts)
    return valid


def crossing_test(interfaces: Interfaces) -> Conflicts:
    """Test for triangles that cut, touch or fold onto each other, or are nearly lines."""
    quads, places = interfaces.quads, interfaces.places
    quad_at = quads_on_lattice(quads, places, interfaces.vertex_of.shape)

    def conflicts(
        points: Points, moved: NDArray[np.bool_], settled: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        back = np.zeros(len(points), np.bool_)
        changed = moved[quads].any(axis=1)
        bounds = bounds_of_quads(points, quads)
        reach = float(np.abs(points - places).max())
        edges = np.linspace(0, len(quads), 4 * available_cores() + 1).astype(int).tolist()

        def look(first: int, last: int) -> None:
            conflicting_vertices(points, quads, bounds, quad_at, changed, reach, first, last, back)

        with ThreadPoolExecutor(available_cores()) as threads:
            list(threads.map(look, edges[:-1], edges[1:]))
        return back

    return conflicts


def _largest_shares(valid: Points, wanted: Points, conflicts: Conflicts) -> Points:
    """Go back vertex by vertex, all at once, so that no order of them matters."""
    moves = wanted - valid
    tried = np.zeros(len(valid), np.int8)
    moved = (moves != 0).any(axis=1)
    points = wanted
    while moved.any():
        settled = tried == len(SHARES) - 1
        moved = conflicts(points, moved, settled) & ~settled
        tried[moved] += 1
        points = valid + SHARES[tried][:, None] * moves
    return points


@dataclass
class GrainVolumes:
    """Moves interfaces along their normals until every grain has the volume of its voxels.

    Attributes
    ----------
    interfaces : Interfaces
    close_enough : float
        Share of its volume that a grain may lack.
    least_push : float
        Smaller differences of pressure move nothing.

    Notes
    -----
    A pressure p in each grain, 0 outside, that moves vertices by p times the derivative of the
    volume changes volumes by dV if, to first order, the sum over neighbours of area times
    (p - p of the neighbour) is dV.
    """

    interfaces: Interfaces
    close_enough: float = 0.0
    least_push: float = 0.0
    wanted: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.wanted = np.bincount(self.interfaces.numbers.ravel()).astype(float)
        count = len(self.wanted)
        one, two = self.interfaces.pairs.astype(np.int64).T
        areas = csc_array((np.ones(len(one)), (one, two)), shape=(count, count))
        areas = areas + areas.T
        graph = diags_array(np.asarray(areas.sum(axis=1)).ravel()) - areas
        self._solve = splu(csc_array(graph)[1:, 1:].tocsc()).solve

    def lacking(self, points: Points) -> NDArray[np.float64]:
        """Volume that each grain lacks, in voxels; 0 for what is no grain."""
        found = enclosed_volumes(
            points, self.interfaces.quads, self.interfaces.pairs, len(self.wanted)
        )
        lacking: NDArray[np.float64] = self.wanted - found
        lacking[0] = 0.0
        return lacking

    def corrected(self, points: Points) -> Points:
        """Move vertices within the window, and never out of the voxels around their place."""
        lacking = self.lacking(points)
        lacking[np.abs(lacking) <= self.close_enough * self.wanted] = 0.0
        pressures = np.concatenate([[0.0], self._solve(lacking[1:])])
        quads, pairs = self.interfaces.quads, self.interfaces.pairs
        moved = points + self.interfaces.free * _pushes(
            points, quads, pairs, pressures, self.least_push
        )
        places = self.interfaces.places
        clipped: Points = np.clip(moved, places - FARTHEST, places + FARTHEST)
        return clipped


@njit(cache=True, nogil=True)
def _pulled(points: Any, followed: Any, free: Any, pull: Any) -> Any:
    """Move each vertex by a share of the way to the mean of those that it follows."""
    moved = points.copy()
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
        if count:
            if free[vertex, 0]:
                moved[vertex, 0] += pull[vertex] * (x / count - points[vertex, 0])
            if free[vertex, 1]:
                moved[vertex, 1] += pull[vertex] * (y / count - points[vertex, 1])
            if free[vertex, 2]:
                moved[vertex, 2] += pull[vertex] * (z / count - points[vertex, 2])
    return moved


@njit(cache=True, nogil=True)
def enclosed_volumes(points: Any, quads: Any, pairs: Any, count: int) -> Any:
    """Volume within the closed surface of each grain; normals point to the second of a pair."""
    volumes = np.zeros(count)
    for quad in range(len(quads)):
        a, b, c, d = quads[quad]
        p, q, r, s = points[a], points[b], points[c], points[d]
        volume = 0.0
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            # both triangles (a, b, c) and (a, c, d)
            volume += p[i] * (r[k] * (q[j] - s[j]) - r[j] * (q[k] - s[k]))
        volumes[pairs[quad, 0]] += volume / 6
        volumes[pairs[quad, 1]] -= volume / 6
    return volumes


@njit(cache=True, nogil=True)
def _pushes(points: Any, quads: Any, pairs: Any, pressures: Any, least: float) -> Any:
    """Derivative of the sum of pressures times volumes by each vertex."""
    pushes = np.zeros_like(points)
    for quad in range(len(quads)):
        pressure = pressures[pairs[quad, 0]] - pressures[pairs[quad, 1]]
        if abs(pressure) <= least:
            continue
        a, b, c, d = quads[quad]
        p, q, r, s = points[a], points[b], points[c], points[d]
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            # area vectors of the triangles (a, b, c) and (a, c, d), a third for each corner
            one = (q[j] - p[j]) * (r[k] - p[k]) - (q[k] - p[k]) * (r[j] - p[j])
            two = (r[j] - p[j]) * (s[k] - p[k]) - (r[k] - p[k]) * (s[j] - p[j])
            pushes[a, i] += pressure * (one + two) / 6
            pushes[b, i] += pressure * one / 6
            pushes[c, i] += pressure * (one + two) / 6
            pushes[d, i] += pressure * two / 6
    return pushes
