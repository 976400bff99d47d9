"""Watershed from the exact h-minima of an image, as a minimum spanning forest.

The volume is a graph: voxels are vertices, faces between voxels are edges. Voxels are
totally ordered by (value, distance to the lower border of their plateau, index), edges by
their greater and then their lesser voxel. In this order the minimum spanning forest rooted
in the minima deeper than h is unique, and its trees are the grains: every voxel belongs to
the minimum from which the flood reaches it first. No result depends on the order in which
voxels are visited, nor on a queue.

The forest grows as in Boruvka's algorithm: each tree takes its least outgoing edge while
that edge, the lowest pass out of it, is at most h above the minimum of the tree. A tree
whose lowest pass is higher has a minimum deeper than h, and keeps it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from electrode_grains.errors import InputError, SettingsError

Labels = NDArray[np.int32]
_LARGEST = 2**31 - 2  # voxel indices are int32


def flood_from_minima(
    image: ArrayLike, depth: float, mask: NDArray[np.bool_] | None = None
) -> Labels:
    r"""Split an image into the catchment basins of its minima deeper than a depth.

    Parameters
    ----------
    image : array_like of float32, shape (z, y, x)
        Landscape to flood, such as the probability of a grain boundary; one or two
        dimensions are accepted too. Float64 is kept as it is.
    depth : float
        The h of the h-minima transform, in the unit of the image: minima from which a
        pass at most this high leads to a lower minimum are no basins of their own.
    mask : ndarray of bool, shape of the image, optional
        Voxels to flood; the others are walls and get label 0.

    Returns
    -------
    ndarray of int32, shape of the image
        Basins from 1, numbered by their first voxel in memory order.

    Raises
    ------
    InputError
        If a voxel inside the mask is not finite, or shapes do not fit.
    SettingsError
        If the depth is negative or not finite.

    Notes
    -----
    Voxels are neighbours when they share a face. With the reconstruction by erosion

    .. math:: R(x) = \min_{y} \max\bigl(f(y) + h, \max_{\text{path } y \to x} f\bigr),

    the basins are those of the regional minima of R, flooded in the order of f. A minimum
    of depth exactly h is filled, and `depth` 0 keeps all regional minima. Sums f + h are
    rounded to the type of the image. On plateaus the flood advances by one voxel a step
    from every side. Voxel spacing plays no part, since only values are compared.

    `skimage.morphology.h_minima` differs: it marks residual plateaus, and finds three
    minima in the example below.

    References
    ----------
    .. [1] J. Cousty et al., "Watershed cuts: minimum spanning forests and the drop of water
       principle", IEEE Trans. Pattern Anal. Mach. Intell. 31 (2009) 1362.
    .. [2] P. Soille, "Morphological Image Analysis", 2nd ed., Springer, 2004, section 6.3.

    Examples
    --------
    >>> flood_from_minima([5, 0, 1, 0, 5, 0, 5], depth=3).tolist()
    [1, 1, 1, 1, 1, 2, 2]
    """
    landscape, step = _walled(image, depth, mask)
    basins, _ = _flood(landscape, step)
    return _without_walls(basins, np.shape(image))


def h_minima_markers(
    image: ArrayLike, depth: float, mask: NDArray[np.bool_] | None = None
) -> Labels:
    """Mark the minima of an image that are deeper than a depth.

    Parameters
    ----------
    image : array_like of float32, shape (z, y, x)
        One or two dimensions are accepted too.
    depth : float
        The h of the h-minima transform.
    mask : ndarray of bool, shape of the image, optional
        Voxels to look at; the others get label 0.

    Returns
    -------
    ndarray of int32, shape of the image
        Regional minima of the reconstruction of f + h over f, numbered like the basins of
        `flood_from_minima`; 0 elsewhere.

    Raises
    ------
    InputError
        If a voxel inside the mask is not finite, or shapes do not fit.
    SettingsError
        If the depth is negative or not finite.

    Examples
    --------
    >>> h_minima_markers([5, 0, 1, 0, 5, 0, 5], depth=3).tolist()
    [0, 1, 1, 1, 0, 2, 0]
    """
    landscape, step = _walled(image, depth, mask)
    basins, minima = _flood(landscape, step)
    return _without_walls(_fill_minima(landscape, basins, minima, step), np.shape(image))


def _walled(
    image: ArrayLike, depth: float, mask: NDArray[np.bool_] | None
) -> tuple[NDArray[Any], Any]:
    """Check the image and surround it, and what the mask leaves out, by infinite walls."""
    values = np.asarray(image)
    if not 1 <= values.ndim <= 3 or values.size == 0 or values.dtype.kind not in "fiub":
        raise InputError(
            "the image cannot be flooded",
            found=f"shape {values.shape} of {values.dtype}",
            expected="real numbers, shape (z, y, x)",
        )
    if not (np.isfinite(depth) and depth >= 0):
        raise SettingsError(
            "the depth of minima is impossible", found=str(depth), expected="0 or more, finite"
        )
    if mask is not None and np.shape(mask) != values.shape:
        raise InputError(
            "mask and image have different shapes", found=f"{np.shape(mask)} and {values.shape}"
        )
    kind = np.float32 if np.can_cast(values.dtype, np.float32) else np.float64
    shape = (1,) * (3 - values.ndim) + values.shape
    padded = tuple(size + 2 for size in shape)
    if int(np.prod(padded)) > _LARGEST:
        raise InputError(
            "the image is too large to be flooded at once",
            found=f"{values.size} voxels",
            expected=f"at most {_LARGEST}",
            remedy="crop the volume to the particle",
        )
    landscape = np.full(padded, np.inf, kind)
    inner = landscape[1:-1, 1:-1, 1:-1]
    inner[...] = values.reshape(shape)
    finite = np.isfinite(inner)
    wanted = np.ones(shape, bool) if mask is None else np.asarray(mask, bool).reshape(shape)
    if not finite[wanted].all():
        bad = np.argwhere(wanted & ~finite)
        raise InputError(
            "the image to be flooded holds values that are not finite",
            where=f"voxel {tuple(bad[0].tolist())} (z, y, x)",
            found=f"{len(bad)} such voxels",
            expected="finite numbers",
            remedy="predict or interpolate these voxels, or leave them out by a mask",
        )
    inner[~wanted] = np.inf
    return landscape, kind(depth)


def _without_walls(padded: Labels, shape: tuple[int, ...]) -> Labels:
    return np.ascontiguousarray(padded[1:-1, 1:-1, 1:-1]).reshape(shape)


def _flood(landscape: NDArray[Any], depth: Any) -> tuple[Labels, Labels]:
    """Basins of a walled image, and the index of each basin's minimum."""
    flat = landscape.reshape(-1)
    _, rows, columns = landscape.shape
    offsets = np.array([1, columns, rows * columns], np.int64)
    lower = _descend(flat, offsets)
    layer = _layer_plateaus(flat, offsets, lower)
    minima = _collapse(flat, lower)
    parent = _grow_forest(flat, offsets, layer, lower, minima, depth)
    kept = _number_basins(flat, lower, minima, parent)
    return lower.reshape(landscape.shape), kept


@njit(cache=True)
def _descend(image, offsets):  # type: ignore[no-untyped-def]
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
    as `_descend` does, which runs before layers are known.
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


def _fill_minima(landscape: NDArray[Any], basins: Labels, minima: Labels, depth: Any) -> Labels:
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
