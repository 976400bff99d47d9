"""Cut regions that hold several orientations; join grains that a shifted slice has split."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from electrode_grains.ebsd.orientations import laue_group, misorientation_angle
from electrode_grains.ebsd.region_orientations import as_points, region_orientations
from electrode_grains.grains.labelling import Labels, compact_labels, facing, joined_groups
from electrode_grains.grains.settings import SegmentationSettings


def cut_by_orientation(
    labels: NDArray[Any],
    orientations: NDArray[np.floating],
    *,
    settings: SegmentationSettings,
) -> tuple[Labels, int]:
    """Cut each region into the components of one orientation that it holds.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Regions, any ids; 0 takes no part.
    orientations : ndarray of float, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4)
        Quaternions, scalar first, NaN where unknown.
    settings : SegmentationSettings
        `merge_misorientation_degrees`: neighbouring voxels of a region that are nearer hang
        together; nothing is cut where it is 0. `minimum_voxels`: smaller
        components go to what surrounds them within the region, since wrongly indexed points
        are components of one voxel.

    Returns
    -------
    cut : ndarray of int32, shape (z, y, x)
        Regions from 1 in the order of their first voxel.
    count : int
        Regions that held more than one component.

    Raises
    ------
    InputError
        If shapes do not fit.

    Notes
    -----
    Merging mends what is cut too much, but nothing after it mends a flood that ran through
    a boundary the network did not see.

    Examples
    --------
    >>> field = np.tile([1.0, 0, 0, 0], (2, 3, 8, 1))
    >>> field[:, :, 5:] = [0.8, 0.6, 0, 0]
    >>> region = np.full((2, 3, 8), 7)
    >>> cut, count = cut_by_orientation(
    ...     region, field, settings=SegmentationSettings(minimum_voxels=4))
    >>> cut[0, 0].tolist(), count
    ([1, 1, 1, 1, 1, 2, 2, 2], 1)
    """
    regions, ids = compact_labels(labels)
    threshold = settings.misorientation
    if not threshold:
        return regions, 0
    points, _ = as_points(orientations, regions.shape, None)
    components = _components(regions, points, threshold, settings.laue_group)
    large = (np.bincount(components)[components] >= settings.minimum_voxels) & (regions.ravel() > 0)
    owners = np.column_stack([components[large], regions.ravel()[large]])
    region_of_component = np.unique(owners, axis=0)[:, 1]
    several = np.bincount(region_of_component, minlength=len(ids)) > 1
    to_split = several[regions]
    numbers = components.reshape(regions.shape) + 1
    seeds = np.where(large.reshape(regions.shape) & to_split, numbers, 0)
    grown = _fill_regions(seeds.astype(np.int64), regions, to_split)
    cut = np.where(grown > 0, grown + len(ids), regions)
    return compact_labels(cut)[0], int(several.sum())


def join_split_grains(
    labels: NDArray[Any],
    orientations: NDArray[np.floating],
    *,
    settings: SegmentationSettings,
) -> tuple[Labels, int]:
    """Join grains of one orientation that meet at edges or corners of voxels.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Grains, any ids; 0 takes no part.
    orientations
        See `merge_regions`.
    settings : SegmentationSettings
        `merge_misorientation_degrees`: grains whose mean orientations are nearer are one;
        `join_reach`: voxels, along each axis, over which grains meet.

    Returns
    -------
    joined : ndarray of int32, shape (z, y, x)
        Grains from 1 in the order of their first voxel; a grain may consist of pieces.
    count : int
        Grains less than before.

    Raises
    ------
    InputError
        If shapes do not fit.

    Notes
    -----
    A thin grain that runs across slices which are a voxel out of place hangs together over
    corners alone, or not at all. Two grains at random are within 5 degrees in about one of
    a thousand cases.

    Examples
    --------
    >>> grains = np.kron([[1, 3], [3, 2]], np.ones((4, 4), int))[None]
    >>> field = np.tile([1.0, 0, 0, 0], (1, 8, 8, 1))
    >>> field[grains == 3] = [0.8, 0.6, 0, 0]
    >>> joined, count = join_split_grains(grains, field, settings=SegmentationSettings())
    >>> joined[0, ::4, ::4].tolist(), count
    ([[1, 2], [2, 1]], 1)
    """
    grains, ids = compact_labels(labels)
    if not settings.join_reach:
        return grains, 0
    known = region_orientations(grains, orientations, settings.laue_group)
    mean = np.where(known.reliable[:, None], known.mean, np.nan)
    first, second = _meeting(grains, settings.join_reach)
    angle = misorientation_angle(mean[first], mean[second], laue_group(settings.laue_group))
    one = angle < settings.misorientation  # never where a mean is unknown
    groups = joined_groups(len(ids), first[one], second[one])
    joined, left = compact_labels(np.where(grains > 0, groups[grains] + 1, 0))
    return joined, len(ids) - len(left)


def _meeting(labels: Labels, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of labels that meet within a reach, each once."""
    padded = np.pad(labels, reach).astype(np.int64)
    scale = int(labels.max(initial=0)) + 1
    flat = padded.ravel()
    inside = np.flatnonzero(flat)
    steps = range(-reach, reach + 1)
    offsets = [
        (dz * padded.shape[1] + dy) * padded.shape[2] + dx
        for dz in steps for dy in steps for dx in steps if (dz, dy, dx) > (0, 0, 0)
    ]  # fmt: skip
    meetings = []
    for offset in offsets:
        one, other = flat[inside], flat[inside + offset]
        apart = (one != other) & (other > 0)
        pair = np.minimum(one, other)[apart] * scale + np.maximum(one, other)[apart]
        meetings.append(np.unique(pair))
    pairs = np.unique(np.concatenate(meetings))
    return pairs // scale, pairs % scale


def _components(
    regions: Labels, points: NDArray[np.float32], threshold: float, laue: str
) -> NDArray[np.int32]:
    """Component of each voxel, shape (voxels,): linked over faces of like orientation."""
    index, group = np.arange(regions.size).reshape(regions.shape), laue_group(laue)
    links = []
    for low, high in facing(3):
        inside = (regions[low] == regions[high]) & (regions[low] > 0)
        one, other = index[low][inside], index[high][inside]
        near = misorientation_angle(points[one], points[other], group) < threshold
        links.append(np.column_stack([one[near], other[near]]))
    first, second = np.concatenate(links).T
    graph = sparse.coo_matrix(
        (np.ones(len(first), bool), (first, second)), shape=(regions.size, regions.size)
    )
    _, components = sparse.csgraph.connected_components(graph, directed=False)
    return np.asarray(components, np.int32)


def _fill_regions(
    seeds: NDArray[np.int64], regions: Labels, room: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Let seeds grow over voxel faces through the room, each within its region."""
    grown = seeds
    while True:
        before = grown
        grown = before.copy()
        for low, high in facing(3):
            joined = (regions[low] == regions[high]) & room[low]
            for to, source in ((low, high), (high, low)):
                free = joined & (grown[to] == 0)
                grown[to][free] = before[source][free]
        if np.array_equal(grown, before):
            return grown
