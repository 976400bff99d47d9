"""Basins of one block of an image that goes on around it, compiled.

A block is surrounded by two voxels of its neighbours, or by infinite walls at the border of the
volume. Flat indices are those of the padded block; their order is that of the whole volume.
"""

from __future__ import annotations

import numpy as np

from electrode_grains.compiling import njit

HALO = 2


@njit(cache=True, nogil=True)
def layer_plateaus(image, lower, layer, inner, is_inner, steps):  # type: ignore[no-untyped-def]
    """Distance of inner voxels to the lower border of their plateau, within what is known.

    `layer` holds the distances of voxels around the block, 0 where none is known. A path may leave
    the block and come back: then the distances around it have to be asked for again.
    """
    flat = 0
    for voxel in inner:
        flat += lower[voxel] < 0 and image[voxel] != np.inf
    queue = np.empty(flat + 1, np.int32)  # a ring: each voxel waits at most once
    waits = np.zeros(image.size if flat else 0, np.bool_)
    first, last = 0, 0
    for voxel in inner:
        if lower[voxel] >= 0 or image[voxel] == np.inf:
            continue
        for step in steps:
            near = voxel + step
            if image[near] != image[voxel] or (lower[near] < 0 and layer[near] == 0):
                continue
            distance = 1 if lower[near] >= 0 else layer[near] + 1
            if layer[voxel] == 0 or distance < layer[voxel]:
                layer[voxel] = distance
        if layer[voxel] > 0:
            queue[last] = voxel
            waits[voxel] = True
            last += 1
    while first != last:
        voxel = queue[first]
        waits[voxel] = False
        first = (first + 1) % queue.size
        for step in steps:
            near = voxel + step
            if image[near] != image[voxel] or lower[near] >= 0 or not is_inner[near]:
                continue
            if layer[near] == 0 or layer[near] > layer[voxel] + 1:
                layer[near] = layer[voxel] + 1
                if not waits[near]:
                    queue[last] = near
                    waits[near] = True
                    last = (last + 1) % queue.size


@njit(cache=True, nogil=True)
def find_ends(image, lower, layer, inner, is_inner, steps):  # type: ignore[no-untyped-def]
    """Follow the descent of each inner voxel to a minimum, or to a voxel around the block.

    Overwrites `lower` of inner voxels by the voxel where their descent ends; that of a minimum
    is itself.
    """
    for voxel in inner:
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
    for voxel in inner:
        if lower[voxel] <= -2:
            lower[voxel] = -2 - lower[voxel]
    for voxel in inner:
        if image[voxel] == np.inf:
            continue
        end = voxel
        while is_inner[end] and lower[end] != end:
            if is_inner[lower[end]]:
                lower[end] = lower[lower[end]]
            end = lower[end]
        lower[voxel] = end


@njit(cache=True, nogil=True)
def after(image, layer, a, b):  # type: ignore[no-untyped-def]
    """Whether voxel a comes after voxel b in the total order."""
    if image[a] != image[b]:
        return image[a] > image[b]
    if layer[a] != layer[b]:
        return layer[a] > layer[b]
    return a > b


@njit(cache=True, nogil=True)
def edge_before(image, layer, greater, lesser, other_greater, other_lesser):  # type: ignore[no-untyped-def]
    """Whether an edge comes before another in the total order, see `basins._edge_before`."""
    if greater != other_greater:
        return after(image, layer, other_greater, greater)
    if image[lesser] != image[other_lesser]:
        return image[lesser] < image[other_lesser]
    if image[lesser] == image[greater] and layer[lesser] != layer[other_lesser]:
        return layer[lesser] < layer[other_lesser]
    return lesser < other_lesser


@njit(cache=True, nogil=True)
def least_edges(image, layer, basins, inner, steps, keys, greater, lesser):  # type: ignore[no-untyped-def]
    """Least edge between each two basins, from inner voxels to their next neighbours.

    Fills a hash table of `keys` (-1 where free); returns the number of entries, or -1 where the
    table is too small.
    """
    count, mask = 0, keys.size - 1
    recent = np.zeros(steps.size, np.int64)  # slot of the pair that each step met last
    for voxel in inner:
        here = basins[voxel]
        if here < 0:
            continue
        for way in range(steps.size):
            near = voxel + steps[way]
            there = basins[near]
            if there < 0 or there == here:
                continue
            key = np.int64(min(here, there)) << 32 | np.int64(max(here, there))
            slot = recent[way]
            if keys[slot] != key:
                slot = (key * np.int64(-7046029254386353131) >> 20) & mask
                while keys[slot] != -1 and keys[slot] != key:
                    slot = (slot + 1) & mask
                recent[way] = slot
            high, low = (voxel, near) if after(image, layer, voxel, near) else (near, voxel)
            if keys[slot] == -1:
                count += 1
                if 4 * count > 3 * keys.size:
                    return -1
                keys[slot] = key
            elif not edge_before(image, layer, high, low, greater[slot], lesser[slot]):
                continue
            greater[slot], lesser[slot] = high, low
    return count


@njit(cache=True, nogil=True)
def _find(parent, tree):  # type: ignore[no-untyped-def]
    while parent[tree] != tree:
        parent[tree] = parent[parent[tree]]
        tree = parent[tree]
    return tree


@njit(cache=True, nogil=True)
def spanning_edges(first, second, count):  # type: ignore[no-untyped-def]
    """Which edges, given from the least on, belong to the minimum spanning forest."""
    parent = np.arange(count)
    spans = np.zeros(first.size, np.bool_)
    for edge in range(first.size):
        one, other = _find(parent, first[edge]), _find(parent, second[edge])
        if one != other:
            parent[other] = one
            spans[edge] = True
    return spans


@njit(cache=True, nogil=True)
def grow_forest(first, second, height, minimum, before, depth):  # type: ignore[no-untyped-def]
    """Join trees over their lowest passes, as `basins._grow_forest` does; the tree of each minimum.

    Edges come from the least on, with the value of their greater voxel in `height`. `minimum` holds
    the values of the minima, `before` their rank in the total order.
    """
    count = minimum.size
    parent = np.arange(count)
    settled = np.zeros(count, np.bool_)
    lowest = np.empty(count, np.int64)
    growing = True
    while growing:
        growing = False
        lowest[:] = -1
        for edge in range(first.size):
            here, there = parent[first[edge]], parent[second[edge]]
            if here != there:
                for tree in (here, there):
                    if not settled[tree] and lowest[tree] < 0:
                        lowest[tree] = edge
        for tree in range(count):  # decide by the trees as they are, then join
            if parent[tree] == tree and not settled[tree]:
                settled[tree] = lowest[tree] < 0 or height[lowest[tree]] > minimum[tree] + depth
                if settled[tree]:
                    lowest[tree] = -1
        for tree in range(count):
            if lowest[tree] < 0:
                continue
            one, other = _find(parent, first[lowest[tree]]), _find(parent, second[lowest[tree]])
            if one != other:
                growing = True
                if before[other] < before[one]:
                    one, other = other, one
                parent[other] = one
                settled[one] = settled[one] or settled[other]
        for tree in range(count):
            parent[tree] = _find(parent, tree)
    return parent
