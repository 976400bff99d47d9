"""Half-axes and direction of grains from exact second moments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
# Half-axes closer than this, relative, have no longest among them; eigenvalues carry 1e-15.
EQUAL_EIGENVALUES = 1e-9
AXES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # order of second moments, z, y, x


def describe_ellipsoids(sums: Integers, spacing: tuple[float, float, float]) -> dict[str, Any]:
    """Describe each grain by the ellipsoid of its second moments.

    Parameters
    ----------
    sums : ndarray of int64, shape (n, 10)
        Voxels, first and second moments, as in `GrainPartial`.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    dict of ndarray, shape (n,)
        `elongation`, `flatness` (shortest half-axis over the longest, over the middle one),
        `half_axis_short_nm`, `half_axis_middle_nm`, `half_axis_long_nm`, `azimuthal_angle`,
        `polar_angle` and `degenerate_reason`, '' where all of them are defined.

    Notes
    -----
    Equations (11) to (14) of Furat et al., J. Power Sources 483 (2021) 229148: moments of
    voxel centres, without the moment of a voxel itself. Half-axes are those of the solid
    ellipsoid of equal moments. The longest half-axis points to z > 0; where its z is 0, its
    first other component that is not 0 is positive.

    Examples
    --------
    >>> rod = np.array([[3, 0, 0, 3, 0, 0, 0, 0, 0, 5]])  # voxels at x = 0, 1, 2
    >>> described = describe_ellipsoids(rod, (50, 50, 50))
    >>> described["azimuthal_angle"], described["degenerate_reason"]
    (array([0.]), array(['voxels on a line'], dtype=object))
    """
    covariance, rank = _covariances(sums, spacing)
    values, vectors = np.linalg.eigh(covariance)
    # The rank is known exactly, the eigenvalues up to rounding.
    values = np.where(np.arange(3) < 3 - rank[:, None], 0.0, np.maximum(values, 0.0))
    short, middle, long = values.T
    equal = (rank > 0) & (long - middle <= EQUAL_EIGENVALUES * long)
    azimuth, polar = _direction(vectors[:, :, 2])
    undirected = equal | (rank == 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        elongation = np.where(rank > 0, np.sqrt(short / long), np.nan)
        flatness = np.where(rank > 1, np.sqrt(short / middle), np.nan)
    half_axes = np.sqrt(5 * values)
    return {
        "elongation": elongation,
        "flatness": flatness,
        "half_axis_short_nm": half_axes[:, 0],
        "half_axis_middle_nm": half_axes[:, 1],
        "half_axis_long_nm": half_axes[:, 2],
        "azimuthal_angle": np.where(undirected, np.nan, azimuth),
        "polar_angle": np.where(undirected, np.nan, polar),
        "degenerate_reason": _reasons(rank, equal),
    }


def _covariances(
    sums: Integers, spacing: tuple[float, float, float]
) -> tuple[NDArray[np.float64], Integers]:
    """Covariance of positions (x, y, z) in nm^2, and its rank.

    n * second - first * first is formed of Python's unbounded integers, so neither large
    coordinates nor large grains cost a digit, and the rank is exact.
    """
    exact = sums.astype(object)
    count = exact[:, 0]
    whole = np.empty((len(sums), 3, 3), object)
    for place, (i, j) in enumerate(AXES, start=4):
        whole[:, i, j] = whole[:, j, i] = (
            count * exact[:, place] - exact[:, 1 + i] * exact[:, 1 + j]
        )
    minors = sum(
        whole[:, i, i] * whole[:, j, j] - whole[:, i, j] ** 2 for i, j in ((0, 1), (0, 2), (1, 2))
    )
    determinant = (
        whole[:, 0, 0] * (whole[:, 1, 1] * whole[:, 2, 2] - whole[:, 1, 2] ** 2)
        - whole[:, 0, 1] * (whole[:, 0, 1] * whole[:, 2, 2] - whole[:, 1, 2] * whole[:, 0, 2])
        + whole[:, 0, 2] * (whole[:, 0, 1] * whole[:, 1, 2] - whole[:, 1, 1] * whole[:, 0, 2])
    )
    trace = whole[:, 0, 0] + whole[:, 1, 1] + whole[:, 2, 2]
    rank = np.stack([trace != 0, minors != 0, determinant != 0]).astype(np.int64).sum(axis=0)
    per_voxel = (whole / np.maximum(count, 1)[:, None, None] ** 2).astype(float)
    scale = np.array(spacing)
    covariance: NDArray[np.float64] = (per_voxel * scale[:, None] * scale)[:, ::-1, ::-1]
    return covariance, rank


def _reasons(rank: Integers, equal: NDArray[np.bool_]) -> NDArray[Any]:
    shape = np.array(["one voxel", "voxels on a line", "voxels in a plane", ""], object)[rank]
    joint = np.where(equal & (rank == 2), "; ", "")
    reasons: NDArray[Any] = shape + joint + np.where(equal, "no longest half-axis", "")
    return reasons


def _direction(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Azimuth in [-pi, pi) and polar angle in [0, pi/2] of axes (x, y, z)."""
    clean = np.where(np.abs(vectors) < 1e-12, 0.0, vectors)
    # z decides the sign; where it is 0, the first component that is not.
    decisive = np.where(
        clean[:, 2] != 0, clean[:, 2], np.where(clean[:, 0] != 0, clean[:, 0], clean[:, 1])
    )
    upward = np.where(decisive[:, None] < 0, -clean, clean) + 0.0
    azimuth = np.arctan2(upward[:, 1], upward[:, 0])
    azimuth = np.where(azimuth >= np.pi, -np.pi, azimuth)
    return azimuth, np.arctan2(np.hypot(upward[:, 0], upward[:, 1]), upward[:, 2])
