"""Basins of the minima of an image, compiled.

The forest grows as in Boruvka's algorithm: each tree takes its least outgoing edge while
that edge, the lowest pass out of it, is at most h above the minimum of the tree. A tree
whose lowest pass is higher has a minimum deeper than h, and keeps it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit

Labels = NDArray[np.int32]


def flood(landscape: NDArray[Any], depth: Any) -> tuple[Labels, Labels]:
    """Basins of a walled image, and the index of each basin's minimum."""
    flat = landscape.reshape(-1)
    _, rows, columns = landscape.shape
    offsets = np.array([1, columns, rows * columns], np.int64)
    lower = descend(flat, offsets)
    layer = _layer_plateaus(flat, offsets, lower)
    minima = _collapse(flat, lower)
    parent = _grow_forest(flat, offsets, layer, lower, minima, depth)
    kept = _number_basins(flat, lower, minima, parent)
    return lower.reshape(landscape.shape), kept


@njit(cache=True, nogil=True)
def descend(image, offsets):  # type: ignore[no-untyped-def]
    """Least strictly lower neighbour of each voxel, by (value, index); -1 where none is."""
    lower = np.full(image.size, -1, np.int32)
    for voxel in range(offsets[2], image.size - offsets[2]):
        value = image[voxel]
        if value == np.inf:
            continue
        least = value
        chosen = -1
        for step in (-offsets[2], -offsets[1], -offsets[0], offsets[0], offsets[1], offsets[2]):
            if image[voxel + step] < least:
                least = image[voxel + step]
                chosen = voxel + step
        lower[voxel] = chosen
    return lower


@njit(cache=True)
def _layer_plateaus(image, offsets, lower):  # type: ignore[no-untyped-def]
    """Distance to the lower border of each plateau; completes `lower` on plateaus.

    Voxels of a flat minimum, which no lower border reaches, keep distance 0 and descend to
    their neighbour of least index. What is then left without descent points to itself.
    """
    steps = np.array(
        [-offsets[2], -offsets[1], -offsets[0], offsets[0], offsets[1], offsets[2]], np.int64
    )
    layer = np.zeros(image.size, np.int32)
    flat = 0
    for voxel in range(image.size):
        flat += lower[voxel] < 0 and image[voxel] != np.inf
    queue = np.empty(flat, np.int32)  # each flat voxel enters once
    last = 0
    for voxel in range(image.size):  # first layer, from the rim of voxels that descend
        if lower[voxel] < 0 and image[voxel] != np.inf:
            for step in steps:
                near = voxel + step
                if image[near] == image[voxel] and lower[near] >= 0:
                    layer[voxel] = 1
                    queue[last] = voxel
                    last += 1
                    break
    first = 0
    while first < last:
        voxel = queue[first]
        first += 1
        for step in steps:
            near = voxel + step
            if image[near] == image[voxel] and lower[near] < 0 and layer[near] == 0:
                layer[near] = layer[voxel] + 1
                queue[last] = near
                last += 1
    for voxel in range(image.size):
        if lower[voxel] >= 0 or image[voxel] == np.inf:
            continue
        chosen = voxel
        for step in steps:
            near = voxel + step
            if image[near] == image[voxel] and (
                layer[near] < layer[chosen] or (layer[near] == layer[chosen] and near < chosen)
            ):
                chosen = near
        # A negative code keeps "lower < 0" true for neighbours still to be visited.
        lower[voxel] = -2 - chosen
    for voxel in range(image.size):
        if lower[voxel] <= -2:
            lower[voxel] = -2 - lower[voxel]
    return layer


@njit(cache=True)
def _collapse(image, lower):  # type: ignore[no-untyped-def]
    """Replace each voxel's descent by the number of the minimum where it ends."""
    count = 0
    for voxel in range(image.size):
        if image[voxel] == np.inf:
            continue
        end = voxel
        while lower[end] != end:
            lower[end] = lower[lower[end]]
            end = lower[end]
        lower[voxel] = end
        count += end == voxel
    minima = np.empty(count, np.int32)
    count = 0
    for voxel in range(image.size):
        if lower[voxel] == voxel and image[voxel] != np.inf:
            minima[count] = voxel
            count += 1
    for number in range(count):
        lower[minima[number]] = -1 - number
    for voxel in range(image.size):
        if image[voxel] != np.inf and lower[voxel] >= 0:
            lower[voxel] = lower[lower[voxel]]
    for voxel in range(image.size):
        lower[voxel] = -1 if image[voxel] == np.inf else -1 - lower[voxel]
    return minima


@njit(cache=True)
def _after(image, layer, a, b):  # type: ignore[no-untyped-def]
    """Whether voxel a comes after voxel b in the total order."""
    if image[a] != image[b]:
        return image[a] > image[b]
    if layer[a] != layer[b]:
        return layer[a] > layer[b]
    return a > b


@njit(cache=True)
def _edge_before(image, layer, greater, lesser, other_greater, other_lesser):  # type: ignore[no-untyped-def]
    """Whether an edge comes before another in the total order.

    Below the greater voxel's value, ties of the lesser voxels are broken by index alone,
    as `descend` does, which runs before layers are known.
    """
    if greater != other_greater:
        return _after(image, layer, other_greater, greater)
    if image[lesser] != image[other_lesser]:
        return image[lesser] < image[other_lesser]
    if image[lesser] == image[greater] and layer[lesser] != layer[other_lesser]:
        return layer[lesser] < layer[other_lesser]
    return lesser < other_lesser


@njit(cache=True)
def _find(parent, tree):  # type: ignore[no-untyped-def]
    while parent[tree] != tree:
        parent[tree] = parent[parent[tree]]
        tree = parent[tree]
    return tree


@njit(cache=True)
def _lowest_passes(image, offsets, layer, basins, parent, settled, greater, lesser):  # type: ignore[no-untyped-def]
    """Least outgoing edge of every tree that is not settled."""
    greater[:] = -1
    for voxel in range(image.size - offsets[2]):
        if image[voxel] == np.inf:
            continue
        here = parent[basins[voxel]]
        for step in offsets:
            near = voxel + step
            if image[near] == np.inf:
                continue
            there = parent[basins[near]]
            if here == there:
                continue
            high, low = (voxel, near) if _after(image, layer, voxel, near) else (near, voxel)
            for tree in (here, there):
                if not settled[tree] and (
                    greater[tree] < 0
                    or _edge_before(image, layer, high, low, greater[tree], lesser[tree])
                ):
                    greater[tree] = high
                    lesser[tree] = low


@njit(cache=True)
def _grow_forest(image, offsets, layer, basins, minima, depth):  # type: ignore[no-untyped-def]
    """Join trees over their lowest passes; returns the tree of every minimum.

    A tree is named after its least minimum, in the total order.
    """
    count = minima.size
    parent = np.arange(count).astype(np.int32)
    settled = np.zeros(count, np.bool_)
    greater = np.empty(count, np.int32)
    lesser = np.empty(count, np.int32)
    growing = True
    while growing:
        growing = False
        _lowest_passes(image, offsets, layer, basins, parent, settled, greater, lesser)
        for tree in range(count):  # decide by the trees as they are, then join
            if parent[tree] == tree and not settled[tree]:
                settled[tree] = (
                    greater[tree] < 0 or image[greater[tree]] > image[minima[tree]] + depth
                )
                if settled[tree]:
                    greater[tree] = -1
        for tree in range(count):
            if greater[tree] < 0:
                continue
            first = _find(parent, basins[greater[tree]])
            second = _find(parent, basins[lesser[tree]])
            if first != second:
                growing = True
                if _after(image, layer, minima[first], minima[second]):
                    first, second = second, first
                parent[second] = first
                settled[first] = settled[first] or settled[second]
        for tree in range(count):
            parent[tree] = _find(parent, tree)
    return parent


@njit(cache=True)
def _number_basins(image, basins, minima, parent):  # type: ignore[no-untyped-def]
    """Replace minima by labels from 1 in memory order; returns the minimum of each label."""
    label = np.zeros(parent.size, np.int32)
    count = 0
    for tree in range(parent.size):
        count += parent[tree] == tree
    kept = np.empty(count + 1, np.int32)
    kept[0] = -1
    count = 0
    for voxel in range(image.size):
        if basins[voxel] < 0:
            basins[voxel] = 0
            continue
        tree = parent[basins[voxel]]
        if label[tree] == 0:
            count += 1
            label[tree] = count
            kept[count] = minima[tree]
        basins[voxel] = label[tree]
    return kept


def fill_minima(landscape: NDArray[Any], minima: Labels, depth: Any) -> Labels:
    """Fill every minimum of a walled image up to its depth."""
    _, rows, columns = landscape.shape
    steps = np.array([1, columns, rows * columns], np.int64)
    markers: Labels = _fill(landscape.reshape(-1), steps, minima, depth)
    return markers.reshape(landscape.shape)


@njit(cache=True)
def _fill(image, offsets, minima, depth):  # type: ignore[no-untyped-def]
    """Fill every minimum up to its depth, from its least voxel."""
    markers = np.zeros(image.size, np.int32)
    queue = np.empty(image.size, np.int32)
    for label in range(1, minima.size):
        level = image[minima[label]] + depth
        queue[0] = minima[label]
        markers[minima[label]] = label
        first, last = 0, 1
        while first < last:
            voxel = queue[first]
            first += 1
            for offset in offsets:
                for near in (voxel - offset, voxel + offset):
                    if markers[near] == 0 and image[near] <= level:
                        markers[near] = label
                        queue[last] = near
                        last += 1
    return markers
