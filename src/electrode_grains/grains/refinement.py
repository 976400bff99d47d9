"""Give the voxels along an interface to the grain whose orientation they have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientation_field import OrientationField, as_orientation_field
from electrode_grains.ebsd.orientations import misorientation_angle
from electrode_grains.grains.labelling import Labels, compact_labels, touching_other_grains
from electrode_grains.grains.settings import SegmentationSettings

FIVE_DEGREES = float(np.radians(5.0))


def refine_interfaces(
    labels: NDArray[Any],
    orientations: OrientationField | NDArray[np.floating],
    *,
    settings: SegmentationSettings,
) -> tuple[Labels, int]:
    """Move voxels across an interface where their own orientation asks for it.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Grains, any ids; 0 takes no part.
    orientations : OrientationField or ndarray
        Arrays as `as_orientation_field` takes them, of the Laue group of the settings.
    settings : SegmentationSettings
        `merge_misorientation_degrees` (5 where it is 0): a voxel at least so far from the
        mean of its grain and nearer than that to the mean of a grain behind one of its faces
        goes to the latter, to the nearest in orientation where there are several.
        `refine_steps`: how often all voxels are judged, each time by the labels that the step
        before left, so that an interface moves by at most so many voxels and the result does
        not depend on the order of voxels.

    Returns
    -------
    refined : ndarray of int32, shape (z, y, x)
        Grains from 1 in the order of their first voxel.
    moved : int
        Voxels whose grain is another than before.

    Raises
    ------
    InputError
        If shapes do not fit.

    Notes
    -----
    The boundary probability is flat over the one or two voxels of a boundary, so that the
    flood decides by distance which side gets them; an indexed pattern tells. A wrongly
    indexed voxel is near to a neighbour's orientation by chance in about one of a thousand
    cases, and voxels that match no grain beside them stay.

    Examples
    --------
    >>> field = np.tile([1.0, 0, 0, 0], (1, 1, 10, 1))
    >>> field[0, 0, 4:] = [0.8, 0.6, 0, 0]
    >>> grains = np.array([[[1, 1, 1, 1, 1, 2, 2, 2, 2, 2]]])
    >>> refined, moved = refine_interfaces(grains, field, settings=SegmentationSettings())
    >>> refined.tolist(), moved
    ([[[1, 1, 1, 1, 2, 2, 2, 2, 2, 2]]], 1)
    """
    before, _ = compact_labels(labels)
    field = as_orientation_field(orientations, settings.laue_group, before.shape)
    points, known = field.points()[0], field.means(before)
    mean = np.where(known.reliable[:, None], known.mean, np.nan)
    refined = refine_labels(before, points, mean, field.symmetry, settings)
    moved = int((refined != before).sum())
    return compact_labels(refined)[0], moved


def refine_labels(
    labels: Labels,
    points: NDArray[np.float32],
    mean: NDArray[np.float64],
    group: NDArray[np.float64],
    settings: SegmentationSettings,
) -> Labels:
    """Labels after all steps; a voxel depends on others as far away as there are steps.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
    points : ndarray of float32, shape (voxels, 4)
        NaN where nothing is known.
    mean : ndarray of float64, shape (n + 1, 4)
        Of each label; NaN where it is not reliable.
    group : ndarray of float64, shape (m, 4)
        Rotations of the crystal.
    settings : SegmentationSettings
    """
    threshold = settings.misorientation or FIVE_DEGREES
    indexed, refined = np.isfinite(points[:, 0]), labels
    for _ in range(settings.refine_steps):
        judged = np.flatnonzero(touching_other_grains(refined).ravel() & indexed)
        own = misorientation_angle(points[judged], mean[refined.ravel()[judged]], group)
        apart = judged[own >= threshold]  # never where the mean is unknown
        refined = _to_best_neighbour(refined, apart, points, mean, group, threshold)
    return refined


def _to_best_neighbour(
    labels: Labels,
    apart: NDArray[np.intp],
    points: NDArray[np.float32],
    mean: NDArray[np.float64],
    group: NDArray[np.float64],
    threshold: float,
) -> Labels:
    """Labels after the given voxels went to the grain behind a face that fits them best."""
    padded = np.pad(labels, 1)
    place = np.array(np.unravel_index(apart, labels.shape)) + 1
    target = labels.ravel()[apart]
    least = np.full(len(apart), threshold)
    for axis in range(3):
        for step in (-1, 1):
            beside = place.copy()
            beside[axis] += step
            neighbour = padded[tuple(beside)]
            angle = misorientation_angle(points[apart], mean[neighbour], group)
            better = (neighbour > 0) & (angle < least)
            target = np.where(better, neighbour, target)
            least = np.where(better, angle, least)
    changed = labels.copy()
    changed.ravel()[apart] = target
    return changed
