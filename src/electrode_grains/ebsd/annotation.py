"""Annotations from orientations, for stacks that nobody labelled."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from electrode_grains.classes import BACKGROUND, BOUNDARY, INTERIOR
from electrode_grains.ebsd.orientations import neighbour_misorientation

LARGEST_HOLE = 25


def annotate_from_orientations(
    quaternions: ArrayLike,
    indexed: NDArray[np.bool_],
    laue: ArrayLike | str,
    threshold: float,
    largest_hole: int = LARGEST_HOLE,
) -> NDArray[np.uint8]:
    """Classify the points of a slice by the misorientation to their neighbours.

    Parameters
    ----------
    quaternions : array_like of float, shape (y, x, 4)
        Orientations, scalar first.
    indexed : ndarray of bool, shape (y, x)
        Points whose orientation can be trusted.
    laue : str or array_like
        Laue group of the phase.
    threshold : float
        Misorientation in radians beyond which two neighbours are of different grains.
    largest_hole : int
        Connected points without orientation up to this number are filled from the nearest
        indexed point; larger ones are background.

    Returns
    -------
    ndarray of uint8, shape (y, x)
        1 boundary, 2 interior, 3 background.

    Examples
    --------
    >>> left, right = [1, 0, 0, 0], [np.cos(0.2), np.sin(0.2), 0, 0]
    >>> slice_ = np.array([[left, left, right, right]])
    >>> annotate_from_orientations(slice_, np.ones((1, 4), bool), "-3m", 0.1).tolist()
    [[2, 1, 1, 2]]
    """
    field = np.asarray(quaternions, float).copy()
    known = indexed & np.isfinite(field).all(axis=-1)
    holes, count = ndimage.label(~known)
    sizes = np.bincount(holes.ravel(), minlength=count + 1)
    if not known.any():  # nothing to fill the holes from, however small
        return np.full(known.shape, BACKGROUND, np.uint8)
    background = (sizes > largest_hole)[holes] & ~known
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    field = field[tuple(nearest)]
    field[background] = np.nan
    classes = np.full(known.shape, INTERIOR, np.uint8)
    with np.errstate(invalid="ignore"):
        classes[neighbour_misorientation(field, laue) > threshold] = BOUNDARY
    classes[background] = BACKGROUND
    return classes
