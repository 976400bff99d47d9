"""Cut regions that hold several orientations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from electrode_grains.ebsd.orientations import laue_group, misorientation_angle
from electrode_grains.ebsd.region_orientations import as_points
from electrode_grains.grains.labelling import Labels, compact_labels, facing
from electrode_grains.problems import SettingsProblem


def cut_by_orientation(
    labels: NDArray[Any],
    orientations: NDArray[np.floating],
    *,
    misorientation_threshold: float,
    laue: str = "-3m",
    minimum_voxels: int = 34,
) -> tuple[Labels, int]:
    """Cut each region into the bodies of one orientation that it holds.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Regions, any ids; 0 takes no part.
    orientations : ndarray of float, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4)
        Quaternions, scalar first, NaN where unknown.
    misorientation_threshold : float
        Radians, greater than 0. Neighbouring voxels of a region that are nearer hang
        together.
    laue : str
        Laue group of the phase.
    minimum_voxels : int
        Smaller bodies go to what surrounds them within the region: wrongly indexed points
        are bodies of one voxel.

    Returns
    -------
    cut : ndarray of int32, shape (z, y, x)
        Regions from 1 in the order of their first voxel.
    count : int
        Regions that held more than one body.

    Raises
    ------
    SettingsProblem
        If the threshold is not positive.
    InputProblem
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
    ...     region, field, misorientation_threshold=0.1, minimum_voxels=4)
    >>> cut[0, 0].tolist(), count
    ([1, 1, 1, 1, 1, 2, 2, 2], 1)
    """
    if not misorientation_threshold > 0:
        raise SettingsProblem(
            "regions cannot be cut by orientation",
            found=f"threshold {misorientation_threshold}",
            expected="a positive threshold in radians",
        )
    regions, ids = compact_labels(labels)
    points, _ = as_points(orientations, regions.shape, None)
    bodies = _bodies(regions, points, misorientation_threshold, laue)
    large = (np.bincount(bodies)[bodies] >= minimum_voxels) & (regions.ravel() > 0)
    of_body = np.unique(np.column_stack([bodies[large], regions.ravel()[large]]), axis=0)[:, 1]
    several = np.bincount(of_body, minlength=len(ids)) > 1
    open_ = several[regions]
    seeds = np.where(large.reshape(regions.shape) & open_, bodies.reshape(regions.shape) + 1, 0)
    grown = _fill_regions(seeds.astype(np.int64), regions, open_)
    cut = np.where(grown > 0, grown + len(ids), regions)
    return compact_labels(cut)[0], int(several.sum())


def _bodies(
    regions: Labels, points: NDArray[np.float32], threshold: float, laue: str
) -> NDArray[np.int32]:
    """Number of the body of each voxel, shape (voxels,): linked over faces of like orientation."""
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
    _, bodies = sparse.csgraph.connected_components(graph, directed=False)
    return np.asarray(bodies, np.int32)


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
