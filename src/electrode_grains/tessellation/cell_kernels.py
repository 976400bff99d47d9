"""Loops over the voxels of a tessellation that is made: interfaces and moments, compiled.

Vectors and `step` are (x, y, z), lattices (z, y, x).
"""

# mypy: disable-error-code="operator, assignment, arg-type, no-any-return"
# Compiled arithmetic has the types that numba infers, which NumPy's stubs do not follow.

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Labels = NDArray[np.int32]


@njit(cache=True, nogil=True)
def interface_rates(
    labels: Labels, origin: Floats, step: Floats, seeds: Floats, matrices: Floats
) -> tuple[Integers, Integers, Floats]:
    r"""Volume that passes from cell j to cell i for each unit of w_i, by pair i < j.

    The integral of 1 / \|grad (h_i - h_j)\| over their interface, from the faces between
    voxels: a face across axis k counts its area times \|g_k\| / \|g\|^2.
    """
    size = 1
    while size < 64 * seeds.shape[0] + 64:
        size *= 2
    keys, sums = np.zeros(size, np.uint64), np.zeros(size)
    area = np.array([step[1] * step[2], step[0] * step[2], step[0] * step[1]])
    grad, place = np.empty(3), np.empty(3)
    used = 0
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                own = labels[z, y, x]
                if own == 0:
                    continue
                for axis in range(3):
                    x1, y1, z1 = x + (axis == 0), y + (axis == 1), z + (axis == 2)
                    if z1 == labels.shape[0] or y1 == labels.shape[1] or x1 == labels.shape[2]:
                        continue
                    other = labels[z1, y1, x1]
                    if other == own or other == 0:
                        continue
                    i, j = min(own, other) - 1, max(own, other) - 1
                    place[0] = origin[0] + 0.5 * (x + x1) * step[0]
                    place[1] = origin[1] + 0.5 * (y + y1) * step[1]
                    place[2] = origin[2] + 0.5 * (z + z1) * step[2]
                    square = 0.0
                    for r in range(3):
                        grad[r] = 0.0
                        for c in range(3):
                            grad[r] += 2 * matrices[i, r, c] * (place[c] - seeds[i, c])
                            grad[r] -= 2 * matrices[j, r, c] * (place[c] - seeds[j, c])
                        square += grad[r] * grad[r]
                    if square == 0.0:
                        continue
                    key = (np.uint64(i + 1) << np.uint64(32)) | np.uint64(j + 1)
                    slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
                    slot &= np.uint64(size - 1)
                    while keys[slot] != key and keys[slot] != 0:
                        slot = (slot + np.uint64(1)) & np.uint64(size - 1)
                    if keys[slot] == 0:
                        if 2 * used > size:  # absurdly many neighbours: the rest can wait
                            continue
                        keys[slot] = key
                        used += 1
                    sums[slot] += area[axis] * abs(grad[axis]) / square
    first, second, rates = np.empty(used, np.int64), np.empty(used, np.int64), np.empty(used)
    count = 0
    for slot in range(size):
        if keys[slot] != 0:
            first[count] = np.int64(keys[slot] >> np.uint64(32)) - 1
            second[count] = np.int64(keys[slot] & np.uint64(0xFFFFFFFF)) - 1
            rates[count] = sums[slot]
            count += 1
    return first, second, rates


@njit(cache=True, nogil=True)
def cell_moments(labels: Labels, step: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """Voxels, centroids (x, y, z) and covariances of cells; a covariance has a voxel's own.

    Positions are those of the first voxel at the origin. A cell without voxels has zeros.
    """
    sums = np.zeros((count, 10))
    place = np.empty(3)
    for z in range(labels.shape[0]):
        place[2] = z * step[2]
        for y in range(labels.shape[1]):
            place[1] = y * step[1]
            for x in range(labels.shape[2]):
                if labels[z, y, x] == 0:
                    continue
                own = labels[z, y, x] - 1
                place[0] = x * step[0]
                sums[own, 0] += 1
                k = 4
                for i in range(3):
                    sums[own, 1 + i] += place[i]
                    for j in range(i, 3):
                        sums[own, k] += place[i] * place[j]
                        k += 1
    middles, spread = np.zeros((count, 3)), np.zeros((count, 3, 3))
    for n in range(count):
        if sums[n, 0] == 0:
            continue
        k = 4
        for i in range(3):
            middles[n, i] = sums[n, 1 + i] / sums[n, 0]
        for i in range(3):
            for j in range(i, 3):
                second = sums[n, k] / sums[n, 0] - middles[n, i] * middles[n, j]
                spread[n, i, j] = spread[n, j, i] = second
                k += 1
            spread[n, i, i] += step[i] * step[i] / 12
    return sums[:, 0].copy(), middles, spread
