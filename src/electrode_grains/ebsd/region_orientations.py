"""Mean orientation of each region, for callers that hold plain arrays.

What holds an `OrientationField` calls its `means` and `points` instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientation_field import OrientationField, as_orientation_field
from electrode_grains.ebsd.region_means import (
    MINIMUM_POINTS,
    MINIMUM_SHARE,
    WIDE,
    RegionOrientations,
)

__all__ = [
    "MINIMUM_POINTS",
    "MINIMUM_SHARE",
    "WIDE",
    "RegionOrientations",
    "as_points",
    "region_orientations",
]


def as_points(
    orientations: OrientationField | NDArray[Any],
    shape: tuple[int, ...],
    weights: NDArray[np.floating] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Quaternions (n, 4) and weights (n,) of every voxel, see `OrientationField.points`."""
    return as_orientation_field(orientations, "-1", shape, weights).points()


def region_orientations(
    labels: NDArray[np.int32],
    orientations: OrientationField | NDArray[Any],
    laue: str = "-3m",
    weights: NDArray[np.floating] | None = None,
) -> RegionOrientations:
    """Estimate the orientation that most points of each region agree on.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Compact labels.
    orientations : OrientationField or ndarray of float
        Arrays as `as_orientation_field` takes them.
    laue : str
        Laue group of arrays.
    weights : ndarray of float, shape (z, y, x), optional
        Trust in the points of arrays.

    Returns
    -------
    RegionOrientations
        See `electrode_grains.ebsd.region_means.mean_per_region`.

    Examples
    --------
    >>> field = np.tile([1.0, 0, 0, 0], (1, 1, 5, 1))
    >>> field[0, 0, 4] = [0.6, 0.8, 0, 0]  # wrongly indexed
    >>> known = region_orientations(np.ones((1, 1, 5), np.int32), field)
    >>> known.mean[1].round(6).tolist(), known.points[1].item(), round(known.share[1].item(), 1)
    ([1.0, 0.0, 0.0, 0.0], 4, 0.8)
    """
    return as_orientation_field(orientations, laue, labels.shape, weights).means(labels)
