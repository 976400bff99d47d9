"""Surface area by the Crofton formula on 13 lattice directions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import SphericalVoronoi

# Half of the 26 neighbours of a voxel, (z, y, x); the other half points the other way.
DIRECTIONS: tuple[tuple[int, int, int], ...] = tuple(
    (z, y, x) for z in (0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)
)

# Directions that mirror one another at the axes weigh the same: seven classes, (z, y, x).
NEIGHBOUR_CLASSES = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1))
FACE_CLASSES = [k for k, steps in enumerate(NEIGHBOUR_CLASSES) if sum(steps) == 1]


@lru_cache(maxsize=64)
def _fractions(spacing: tuple[float, float, float]) -> tuple[float, ...]:
    half = np.array(DIRECTIONS, float) * np.array(spacing)
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    areas = SphericalVoronoi(np.vstack([half, -half])).calculate_areas() / (4 * np.pi)
    return tuple((areas[:13] + areas[13:]) / 2)


def direction_fractions(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Share of the sphere nearest to each direction.

    Parameters
    ----------
    spacing : (float, float, float)
        (dz, dy, dx), any unit.

    Returns
    -------
    ndarray of float64, shape (13,)
        Voronoi areas of one of the two opposite directions; 26 of them make up the sphere.

    Examples
    --------
    >>> fractions = direction_fractions((1.0, 1.0, 1.0))
    >>> dict(zip(DIRECTIONS, fractions.round(10)))[(0, 0, 1)]
    np.float64(0.0457778912)
    """
    return np.array(_fractions((float(spacing[0]), float(spacing[1]), float(spacing[2]))))


def transition_areas(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Area that one pair of neighbours across a surface stands for.

    Parameters
    ----------
    spacing : (float, float, float)
        (dz, dy, dx).

    Returns
    -------
    ndarray of float64, shape (13,)
        4 c_k vol / |d_k| in the square of the unit of `spacing`.

    Notes
    -----
    S = 4 sum_k c_k (vol / |d_k|) N_k, with N_k the pairs {x, x + k} of which one end lies in
    the body, c_k the Voronoi weights of the lattice directions. The discretised Crofton
    formula of [1]_, in the form with one weight for each pair.

    References
    ----------
    .. [1] K. Schladitz, J. Ohser, W. Nagel, "Measuring intrinsic volumes in digital 3D
       images", DGCI 2006, 247-258.
    """
    lengths = np.linalg.norm(np.array(DIRECTIONS, float) * np.array(spacing), axis=1)
    areas: NDArray[np.float64] = 4 * direction_fractions(spacing) * np.prod(spacing) / lengths
    return areas


def class_areas(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Area that one pair of neighbours across a surface stands for, by class of direction.

    Parameters
    ----------
    spacing : (float, float, float)
        (dz, dy, dx).

    Returns
    -------
    ndarray of float64, shape (7,)
        As from `transition_areas`, in the order of `NEIGHBOUR_CLASSES`.

    Examples
    --------
    >>> class_areas((1.0, 1.0, 1.0)).round(9).tolist()[::2]
    [0.183111565, 0.104597011, 0.104597011, 0.081280848]
    """
    areas = transition_areas(spacing)
    kinds = [NEIGHBOUR_CLASSES.index((abs(z), abs(y), abs(x))) for z, y, x in DIRECTIONS]
    return np.bincount(kinds, areas) / np.bincount(kinds)
