"""Lattices that are related to those of neighbours: low angles and twins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientations import multiply
from electrode_grains.ebsd.pseudo_cube import variants

LOW_ANGLES_DEGREES = (2.0, 9.0)


def relate_to_neighbours(
    orientations: NDArray[np.float64],
    labels: NDArray[np.int32],
    low_angle_share: float,
    special_share: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Give some grains a lattice that is related to that of a grain they touch.

    Parameters
    ----------
    orientations : ndarray of float64, shape (n + 1, 4)
        By label; row 0 is not used.
    labels : ndarray of int32, shape (z, y, x)
    low_angle_share, special_share : float
        Shares of the grains whose lattice is 2 to 9 degrees from the neighbour's, and of those
        where it is another of the four of the pseudo-cube, as in a twin.
    rng : Generator

    Returns
    -------
    ndarray of float64, shape (n + 1, 4)
        The grains that others are related to keep their orientation.
    """
    count = len(orientations) - 1
    low, special = (round(share * count) for share in (low_angle_share, special_share))
    related = orientations.copy()
    if low + special == 0:
        return related
    pairs = rng.permutation(neighbours(labels))
    partner: dict[int, int] = {}
    for grain, beside in pairs.tolist():
        if len(partner) == low + special:
            break
        # A grain changes once, and none changes that another one follows.
        if grain not in partner and beside not in partner and grain not in partner.values():
            partner[grain] = beside
    grains, beside = (np.array(list(each), np.intp) for each in (partner, partner.values()))
    turns = _low_angle_turns(len(grains), rng)
    flips = variants()[rng.integers(1, len(variants()), len(grains))]
    relation = np.where((np.arange(len(grains)) < low)[:, None], turns, flips)
    related[grains] = multiply(relation, orientations[beside])
    return related


def _low_angle_turns(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    axes = rng.standard_normal((count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    half = np.radians(rng.uniform(*LOW_ANGLES_DEGREES, (count, 1))) / 2
    return np.hstack([np.cos(half), np.sin(half) * axes])


def neighbours(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Ordered pairs of grains that share faces of voxels, both ways, shape (n, 2)."""
    found = []
    for axis in range(labels.ndim):
        ordered = np.moveaxis(labels, axis, 0)
        first, second = ordered[:-1], ordered[1:]
        apart = (first != second) & (first > 0) & (second > 0)
        found.append(np.column_stack([first[apart], second[apart]]))
    pairs = np.unique(np.concatenate(found), axis=0)
    both: NDArray[np.int32] = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    return both
