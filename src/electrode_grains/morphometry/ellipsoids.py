"""Half-axes and direction of grains from exact second moments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
# Half-axes closer than this, relative, have no longest among them; eigenvalues carry 1e-15.
EQUAL_EIGENVALUES = 1e-9
LARGEST_EXACT = 2.0**61  # products of moments below it fit 64 bits
AXES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # order of second moments, z, y, x


def describe_ellipsoids(
    sums: Integers, lower: Integers, upper: Integers, spacing: tuple[float, float, float]
) -> dict[str, Any]:
    """Describe each grain by the ellipsoid of its second moments.

    Parameters
    ----------
    sums : ndarray of int64, shape (n, 10)
        Voxels, first and second moments, as in `BlockStatistics`.
    lower, upper : ndarray of int64, shape (n, 3)
        Bounding boxes (z, y, x), upper end excluded.
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
    >>> first, end = np.array([[0, 0, 0]]), np.array([[1, 1, 3]])
    >>> described = describe_ellipsoids(rod, first, end, (50, 50, 50))
    >>> described["azimuthal_angle"], described["degenerate_reason"]
    (array([0.]), array(['voxels on a line'], dtype=object))
    """
    covariance, rank = _covariances(sums, lower, upper, spacing)
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
    sums: Integers, lower: Integers, upper: Integers, spacing: tuple[float, float, float]
) -> tuple[NDArray[np.float64], Integers]:
    """Covariance of positions (x, y, z) in nm^2, and its rank.

    n * second - first * first is formed of whole numbers from the corner of the bounding box,
    so that large coordinates cost no digit; of Python's unbounded ones where 64 bits might
    not suffice. A rank below 3 is decided by whole numbers, too.
    """
    count = sums[:, 0]
    moments = _from_corner(sums, lower)
    extent = np.maximum(upper - lower, 1).max(axis=1, initial=1)
    large = (count.astype(float) * extent) ** 2 > LARGEST_EXACT
    whole = _scatter(count, moments)
    approximate = whole.astype(float)
    if large.any():
        approximate[large] = _scatter(count[large].astype(object), moments[large].astype(object))
    rank = np.full(len(sums), 3)
    flat = ~_surely_solid(approximate)
    if flat.any():
        rank[flat] = _rank(_scatter(count[flat].astype(object), moments[flat].astype(object)))
    per_voxel = approximate / np.maximum(count, 1).astype(float)[:, None, None] ** 2
    scale = np.array(spacing)
    covariance: NDArray[np.float64] = (per_voxel * scale[:, None] * scale)[:, ::-1, ::-1]
    return covariance, rank


def _from_corner(sums: Integers, lower: Integers) -> Integers:
    """First and second moments, shape (n, 9), with coordinates from the bounding box."""
    count, first = sums[:, 0], sums[:, 1:4]
    moved = sums[:, 1:].copy()
    moved[:, :3] -= count[:, None] * lower
    for place, (i, j) in enumerate(AXES, start=3):
        moved[:, place] -= lower[:, i] * first[:, j] + lower[:, j] * moved[:, i]
    return moved


def _scatter(count: NDArray[Any], moments: NDArray[Any]) -> NDArray[Any]:
    """Squared count times the covariance, in the type of the counts, (z, y, x)."""
    whole = np.empty((len(count), 3, 3), count.dtype)
    for place, (i, j) in enumerate(AXES, start=3):
        whole[:, i, j] = whole[:, j, i] = count * moments[:, place] - moments[:, i] * moments[:, j]
    return whole


def _determinant(m: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = (
        m[:, 0, 0] * (m[:, 1, 1] * m[:, 2, 2] - m[:, 1, 2] ** 2)
        - m[:, 0, 1] * (m[:, 0, 1] * m[:, 2, 2] - m[:, 1, 2] * m[:, 0, 2])
        + m[:, 0, 2] * (m[:, 0, 1] * m[:, 1, 2] - m[:, 1, 1] * m[:, 0, 2])
    )
    return found


def _surely_solid(scatter: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the determinant is beyond any rounding, which is below 1e-14 of the diagonal."""
    diagonal = scatter[:, 0, 0] * scatter[:, 1, 1] * scatter[:, 2, 2]
    solid: NDArray[np.bool_] = _determinant(scatter) > 1e-12 * diagonal
    return solid


def _rank(whole: NDArray[Any]) -> Integers:
    minors = sum(
        whole[:, i, i] * whole[:, j, j] - whole[:, i, j] ** 2 for i, j in ((0, 1), (0, 2), (1, 2))
    )
    trace = whole[:, 0, 0] + whole[:, 1, 1] + whole[:, 2, 2]
    found = np.stack([trace != 0, minors != 0, _determinant(whole) != 0])
    rank: Integers = found.astype(np.int64).sum(axis=0)
    return rank


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
