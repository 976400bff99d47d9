"""Loops over the voxels of power diagrams, compiled.

Vectors are (x, y, z), lattices (z, y, x). `step` is the spacing (dx, dy, dz) and `origin` the
position of the first voxel, both along (x, y, z).
"""

# mypy: disable-error-code="operator, assignment, arg-type, no-any-return"
# Compiled arithmetic has the types that numba infers, which NumPy's stubs do not follow.

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Labels = NDArray[np.int32]
FINE, COARSE = 8, 32  # edges of blocks in voxels; cells are chosen for the large ones first
SLACK = 1e-9  # relative rounding that a bound must exceed before it excludes a cell


@njit(cache=True, nogil=True, inline="always")
def _cost(
    x: float, y: float, z: float, i: int, seeds: Floats, weights: Floats, matrices: Floats
) -> float:
    """(p - s)' M (p - s) - w of cell i."""
    a, b, c = x - seeds[i, 0], y - seeds[i, 1], z - seeds[i, 2]
    square = matrices[i, 0, 0] * a * a + matrices[i, 1, 1] * b * b + matrices[i, 2, 2] * c * c
    mixed = matrices[i, 0, 1] * a * b + matrices[i, 0, 2] * a * c + matrices[i, 1, 2] * b * c
    return square + 2 * mixed - weights[i]


@njit(cache=True, nogil=True, inline="always")
def noise_at(noise: Floats, u: float, v: float, w: float) -> float:
    """Trilinear value of a periodic lattice (z, y, x) with edges that are powers of two."""
    mask = noise.shape[0] - 1
    i, j, k = math.floor(u), math.floor(v), math.floor(w)
    f, g, h = u - i, v - j, w - k
    i0, j0, k0 = int(i) & mask, int(j) & mask, int(k) & mask
    i1, j1, k1 = (i0 + 1) & mask, (j0 + 1) & mask, (k0 + 1) & mask
    low = (noise[k0, j0, i0] * (1 - f) + noise[k0, j0, i1] * f) * (1 - g) + (
        noise[k0, j1, i0] * (1 - f) + noise[k0, j1, i1] * f
    ) * g
    high = (noise[k1, j0, i0] * (1 - f) + noise[k1, j0, i1] * f) * (1 - g) + (
        noise[k1, j1, i0] * (1 - f) + noise[k1, j1, i1] * f
    ) * g
    return low * (1 - h) + high * h


@njit(cache=True, nogil=True)
def _keep_candidates(
    center: Floats,
    half: Floats,
    pool: Integers,
    seeds: Floats,
    weights: Floats,
    matrices: Floats,
    reach: Floats,
    kept: Integers,
    values: Floats,
    slopes: Floats,
) -> int:
    """Cells of the pool that can win somewhere in a box; `values`, `slopes` at its centre.

    The difference of two costs is a quadratic: below its value at the centre by no more than
    the absolute terms of its Taylor expansion, which is finite.
    """
    pivot, least = 0, np.inf
    for n in range(pool.size):
        i = pool[n]
        values[n] = _cost(center[0], center[1], center[2], i, seeds, weights, matrices)
        for r in range(3):
            slopes[n, r] = 0.0
            for c in range(3):
                slopes[n, r] += 2 * matrices[i, r, c] * (center[c] - seeds[i, c])
        if values[n] + reach[i] < least:
            pivot, least = n, values[n] + reach[i]
    best, count = pool[pivot], 0
    base = values[pivot]
    top = (slopes[pivot, 0], slopes[pivot, 1], slopes[pivot, 2])
    for n in range(pool.size):
        i = pool[n]
        fall = reach[i] + reach[best]
        for r in range(3):
            fall += abs(slopes[n, r] - top[r]) * half[r]
            for c in range(3):
                fall += abs(matrices[i, r, c] - matrices[best, r, c]) * half[r] * half[c]
        if values[n] - base <= fall + SLACK * (abs(base) + abs(values[n])):
            kept[count] = i
            values[count] = values[n]
            slopes[count] = slopes[n]
            count += 1
    return count


@njit(cache=True, nogil=True)
def label_voxels(
    labels: Labels,
    domain: NDArray[np.bool_],
    origin: Floats,
    step: Floats,
    seeds: Floats,
    weights: Floats,
    matrices: Floats,
    amplitudes: Floats,
    offsets: Floats,
    noise: Floats,
    noise_step: float,
) -> None:
    """Write the number (from 1) of the cell of least cost into each voxel of the domain.

    `domain` has the shape of the labels, or no voxel, which means all. `noise` lies within
    [-1, 1]. The least number wins a tie.
    """
    shape = labels.shape
    count, reach = seeds.shape[0], np.abs(amplitudes)
    everyone = np.arange(count)
    near, few = np.empty(count, np.int64), np.empty(count, np.int64)
    values, slopes = np.empty(count), np.empty((count, 3))
    center, half = np.empty(3), np.empty(3)
    best, who = np.empty(FINE), np.zeros(FINE, np.int64)
    for big in np.ndindex(-(-shape[0] // COARSE), -(-shape[1] // COARSE), -(-shape[2] // COARSE)):
        for axis in range(3):
            first = big[axis] * COARSE
            last = min(first + COARSE, shape[axis]) - 1
            center[2 - axis] = origin[2 - axis] + 0.5 * (first + last) * step[2 - axis]
            half[2 - axis] = 0.5 * (last - first) * step[2 - axis]
        n_near = _keep_candidates(
            center, half, everyone, seeds, weights, matrices, reach, near, values, slopes
        )
        for z0 in range(big[0] * COARSE, min((big[0] + 1) * COARSE, shape[0]), FINE):
            z1 = min(z0 + FINE, shape[0])
            for y0 in range(big[1] * COARSE, min((big[1] + 1) * COARSE, shape[1]), FINE):
                y1 = min(y0 + FINE, shape[1])
                for x0 in range(big[2] * COARSE, min((big[2] + 1) * COARSE, shape[2]), FINE):
                    x1 = min(x0 + FINE, shape[2])
                    if domain.size > 0 and not domain[z0:z1, y0:y1, x0:x1].any():
                        labels[z0:z1, y0:y1, x0:x1] = 0
                        continue
                    center[0] = origin[0] + 0.5 * (x0 + x1 - 1) * step[0]
                    center[1] = origin[1] + 0.5 * (y0 + y1 - 1) * step[1]
                    center[2] = origin[2] + 0.5 * (z0 + z1 - 1) * step[2]
                    half[0] = 0.5 * (x1 - 1 - x0) * step[0]
                    half[1] = 0.5 * (y1 - 1 - y0) * step[1]
                    half[2] = 0.5 * (z1 - 1 - z0) * step[2]
                    n_few = _keep_candidates(
                        center,
                        half,
                        near[:n_near],
                        seeds,
                        weights,
                        matrices,
                        reach,
                        few,
                        values,
                        slopes,
                    )
                    if n_few == 1:
                        labels[z0:z1, y0:y1, x0:x1] = few[0] + 1
                    else:
                        _label_block(
                            labels, z0, z1, y0, y1, x0, x1, origin, step, center, few[:n_few],
                            values, slopes, matrices, amplitudes, offsets, noise, noise_step,
                            best, who,
                        )  # fmt: skip
                    if domain.size > 0:
                        for z in range(z0, z1):
                            for y in range(y0, y1):
                                for x in range(x0, x1):
                                    if not domain[z, y, x]:
                                        labels[z, y, x] = 0


@njit(cache=True, nogil=True)
def _label_block(
    labels: Labels,
    z0: int,
    z1: int,
    y0: int,
    y1: int,
    x0: int,
    x1: int,
    origin: Floats,
    step: Floats,
    center: Floats,
    cells: Integers,
    values: Floats,
    slopes: Floats,
    matrices: Floats,
    amplitudes: Floats,
    offsets: Floats,
    noise: Floats,
    noise_step: float,
    best: Floats,
    who: Integers,
) -> None:
    """Compare the candidates of a block along its rows, as quadratics in x.

    Rough cells are ordered by their cost at the centre, since only what is close to the least
    cost so far needs its height.
    """
    for n in range(1, cells.size):
        m = n
        while m > 0 and amplitudes[cells[m]] != 0 and values[m] < values[m - 1]:
            cells[m], cells[m - 1] = cells[m - 1], cells[m]
            values[m], values[m - 1] = values[m - 1], values[m]
            for r in range(3):
                slopes[m, r], slopes[m - 1, r] = slopes[m - 1, r], slopes[m, r]
            m -= 1
    width = x1 - x0
    left = origin[0] + x0 * step[0] - center[0]
    for z in range(z0, z1):
        c = origin[2] + z * step[2] - center[2]
        for y in range(y0, y1):
            b = origin[1] + y * step[1] - center[1]
            best[:] = np.inf
            for n in range(cells.size):
                i = cells[n]
                level = values[n] + slopes[n, 1] * b + slopes[n, 2] * c
                level += matrices[i, 1, 1] * b * b + matrices[i, 2, 2] * c * c
                level += 2 * matrices[i, 1, 2] * b * c
                slope = slopes[n, 0] + 2 * (matrices[i, 0, 1] * b + matrices[i, 0, 2] * c)
                bend = matrices[i, 0, 0]
                amplitude = amplitudes[i]
                if amplitude == 0:
                    for x in range(width):
                        a = left + x * step[0]
                        cost = level + a * (slope + bend * a)
                        less = cost < best[x]
                        best[x] = cost if less else best[x]
                        who[x] = i if less else who[x]
                else:
                    v = (b + center[1] + offsets[i, 1]) / noise_step
                    w = (c + center[2] + offsets[i, 2]) / noise_step
                    for x in range(width):
                        a = left + x * step[0]
                        cost = level + a * (slope + bend * a)
                        if cost - abs(amplitude) < best[x]:
                            u = (a + center[0] + offsets[i, 0]) / noise_step
                            cost += amplitude * noise_at(noise, u, v, w)
                            if cost < best[x] or (cost == best[x] and i < who[x]):
                                best[x] = cost
                                who[x] = i
            for x in range(width):
                labels[z, y, x0 + x] = who[x] + 1


@njit(cache=True, nogil=True)
def label_points(
    points: Floats,
    seeds: Floats,
    weights: Floats,
    matrices: Floats,
    amplitudes: Floats,
    offsets: Floats,
    noise: Floats,
    noise_step: float,
) -> Integers:
    """Index of the cell of least cost at each point, every cell compared."""
    chosen = np.empty(points.shape[0], np.int64)
    for p in range(points.shape[0]):
        x, y, z = points[p]
        least = np.inf
        for i in range(seeds.shape[0]):
            cost = _cost(x, y, z, i, seeds, weights, matrices)
            if amplitudes[i] != 0 and cost - abs(amplitudes[i]) < least:
                cost += amplitudes[i] * noise_at(
                    noise,
                    (x + offsets[i, 0]) / noise_step,
                    (y + offsets[i, 1]) / noise_step,
                    (z + offsets[i, 2]) / noise_step,
                )
            if cost < least:
                least = cost
                chosen[p] = i
    return chosen
