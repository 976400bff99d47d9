"""Cut regions that hold several orientations; join grains that a shifted slice has split."""

from __future__ import annotations

from itertools import count as steps_without_end
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientation_field import OrientationField, as_orientation_field
from electrode_grains.ebsd.orientations import misorientation_angle
from electrode_grains.grains.labelling import (
    Labels,
    check_same_shape,
    compact_labels,
    connected_pieces,
    facing,
    joined_groups,
)
from electrode_grains.grains.linking import LEAST_LINKED, bodies_inside, link_points
from electrode_grains.grains.settings import SegmentationSettings

Integer = TypeVar("Integer", bound=np.integer)


def cut_by_orientation(
    labels: NDArray[Any],
    orientations: OrientationField | NDArray[np.floating],
    *,
    settings: SegmentationSettings,
    linked: Labels | None = None,
) -> tuple[Labels, int]:
    """Cut each region so that it holds points of one body only.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Regions, any ids; 0 takes no part.
    orientations : OrientationField or ndarray
        Arrays as `as_orientation_field` takes them, of the Laue group of the settings.
    settings : SegmentationSettings
        See `link_points`; nothing is cut where `merge_misorientation_degrees` is 0.
    linked : ndarray of int32, shape (z, y, x), optional
        Result of `link_points`, where it is at hand.

    Returns
    -------
    cut : ndarray of int32, shape (z, y, x)
        Regions from 1 in the order of their first voxel.
    count : int
        Regions whose voxels came to lie in several.

    Raises
    ------
    InputError
        If shapes do not fit.

    Notes
    -----
    Bodies are linked through the whole volume (`link_points`) and then divided by the
    regions. Pieces of 8 voxels and more become regions; smaller ones go to the nearest piece
    of their own body, across regions, and what belongs to no body goes to the nearest piece
    within its region. So no region holds two bodies, however the flood ran: merging mends
    what is cut too much, but nothing after it mends a flood that ran through a boundary which
    the network did not see.

    Examples
    --------
    >>> field = np.tile([1.0, 0, 0, 0], (2, 3, 8, 1))
    >>> field[:, :, 5:] = [0.8, 0.6, 0, 0]
    >>> region = np.full((2, 3, 8), 7)
    >>> cut, count = cut_by_orientation(region, field, settings=SegmentationSettings())
    >>> cut[0, 0].tolist(), count
    ([1, 1, 1, 1, 1, 2, 2, 2], 1)
    """
    regions, _ = compact_labels(labels)
    if not settings.misorientation:
        return regions, 0
    if linked is None:
        field = as_orientation_field(orientations, settings.laue_group, regions.shape)
        linked = link_points(field, settings=settings)
    check_same_shape("labels", regions, "orientations", linked)
    bodies = bodies_inside(regions > 0, linked)
    both = np.where(bodies > 0, regions * (bodies.max() + 1) + bodies, 0)
    pieces, count = connected_pieces(both)
    large = (np.bincount(pieces.ravel(), minlength=count + 1) >= LEAST_LINKED)[pieces]
    divided = np.zeros(bodies.max() + 1, bool)
    divided[bodies[large]] = True
    undivided = (bodies > 0) & ~divided[bodies]
    seeds = np.where(large, pieces, 0) + np.where(undivided, count + bodies, 0)
    grown = grow_within(seeds, bodies, bodies > 0)
    grown = grow_within(grown, regions.astype(np.int64), (bodies == 0) & (regions > 0))
    offset = count + int(bodies.max()) + 1
    cut, _ = compact_labels(np.where(grown > 0, grown, np.where(regions > 0, regions + offset, 0)))
    pairs = np.unique(regions.astype(np.int64) * (cut.max() + 1) + cut)
    parts = np.bincount(pairs // (int(cut.max()) + 1))
    return cut, int((parts > 1).sum())


def join_split_grains(
    labels: NDArray[Any],
    orientations: OrientationField | NDArray[np.floating],
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
    field = as_orientation_field(orientations, settings.laue_group, grains.shape)
    known = field.means(grains)
    mean = np.where(known.reliable[:, None], known.mean, np.nan)
    first, second = meeting_pairs(grains, settings.join_reach)
    angle = misorientation_angle(mean[first], mean[second], field.symmetry)
    one = angle < settings.misorientation  # never where a mean is unknown
    groups = joined_groups(len(ids), first[one], second[one])
    joined, left = compact_labels(np.where(grains > 0, groups[grains] + 1, 0))
    return joined, len(ids) - len(left)


def meeting_pairs(labels: Labels, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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


def grow_within(
    seeds: NDArray[Integer],
    regions: NDArray[np.integer],
    room: NDArray[np.bool_],
    steps: int | None = None,
) -> NDArray[Integer]:
    """Let seeds grow over voxel faces through the room, each within its region.

    Parameters
    ----------
    seeds, regions : ndarray of int, shape (z, y, x)
        0 is no seed.
    room : ndarray of bool, shape (z, y, x)
    steps : int, optional
        Voxels by which they grow at most; by default until they are grown.
    """
    grown = seeds
    for _ in steps_without_end() if steps is None else range(steps):
        before = grown
        grown = before.copy()
        for low, high in facing(3):
            joined = (regions[low] == regions[high]) & room[low]
            for to, source in ((low, high), (high, low)):
                free = joined & (grown[to] == 0)
                grown[to][free] = before[source][free]
        if np.array_equal(grown, before):
            break
    return grown
