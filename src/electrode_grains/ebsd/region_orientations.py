"""Mean orientation of each region of a labelled volume, robust to wrong indexing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from electrode_grains.ebsd.orientations import laue_group
from electrode_grains.errors import InputError

CANDIDATES = 48  # points of a region among which its mode is sought
WIDE, NARROW = 0.2, 0.1  # rad; around the mode, then around the mean
MINIMUM_POINTS = 4
MINIMUM_SHARE = 0.15  # random orientations gather far less of their weight within 0.2 rad


@dataclass(frozen=True)
class RegionOrientations:
    """Orientations of regions 0 to n; row 0 is not used.

    Attributes
    ----------
    mean : ndarray of float64, shape (n + 1, 4)
        Unit quaternions, scalar first; NaN where nothing is known.
    weight : ndarray of float64, shape (n + 1,)
        Weight of the points that agree with the mean.
    share : ndarray of float64, shape (n + 1,)
        Their share of the weight of all indexed points of the region, in [0, 1].
    points : ndarray of int64, shape (n + 1,)
        Their number.
    """

    mean: NDArray[np.float64]
    weight: NDArray[np.float64]
    share: NDArray[np.float64]
    points: NDArray[np.int64]

    @property
    def reliable(self) -> NDArray[np.bool_]:
        """Regions whose points agree more than wrongly indexed ones would."""
        enough = (self.points >= MINIMUM_POINTS) & (self.share >= MINIMUM_SHARE)
        return enough & np.isfinite(self.mean).all(axis=1)


def as_points(
    orientations: NDArray[Any], shape: tuple[int, ...], weights: NDArray[np.floating] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Quaternions and weights of every voxel in memory order.

    Parameters
    ----------
    orientations : ndarray of float, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4)
        Quaternions, scalar first, NaN where unknown; a fifth channel is the confidence
        index, used as weight where none is given.
    shape : tuple of int
        Shape (z, y, x) of the labels.
    weights : ndarray of float, shape (z, y, x), optional
        Trust in each point; negative or NaN counts as none.

    Returns
    -------
    quaternions : ndarray of float32, shape (n, 4)
        NaN where the weight is 0.
    weights : ndarray of float32, shape (n,)

    Raises
    ------
    InputError
        If shapes do not fit.
    """
    array = np.asarray(orientations)
    if array.ndim == 4 and array.shape[1:] == shape and array.shape[0] in (4, 5):
        if len(array) == 5 and weights is None:
            weights = array[4]
        array = np.moveaxis(array[:4], 0, -1)
    elif array.shape != (*shape, 4):
        raise InputError(
            "orientations and labels do not fit each other",
            found=f"shapes {array.shape} and {shape}",
            expected="(4, z, y, x), (5, z, y, x) or (z, y, x, 4)",
        )
    if weights is not None and np.shape(weights) != shape:
        raise InputError(
            "weights and labels have different shapes", found=f"{np.shape(weights)} and {shape}"
        )
    points = np.array(array, np.float32).reshape(-1, 4)
    trust = np.ones(len(points)) if weights is None else np.asarray(weights).ravel()
    known = np.isfinite(points).all(axis=1) & (trust > 0) & np.isfinite(trust)
    points[~known] = np.nan
    return points, np.where(known, trust, 0).astype(np.float32)


def region_orientations(
    labels: NDArray[np.int32],
    orientations: NDArray[Any],
    laue: str = "-3m",
    weights: NDArray[np.floating] | None = None,
) -> RegionOrientations:
    """Estimate the orientation that most points of each region agree on.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Compact labels.
    orientations : ndarray of float, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4)
        Quaternions, scalar first, NaN where unknown.
    laue : str
        Laue group of the phase.
    weights : ndarray of float, shape (z, y, x), optional
        Trust in each point, such as the confidence index.

    Returns
    -------
    RegionOrientations

    Notes
    -----
    Of up to 48 points, evenly spread over the indexed ones of the region, the one with most
    weight of the others within 0.2 rad is its mode. The mean is the first eigenvector of
    the weighted sum of q q^T over all points near the mode, each replaced by its nearest
    equivalent; once more with 0.1 rad around the first mean. With half of the points
    wrong, the mode still gathers 24 of 48, and a wrong one less than one on average.

    Examples
    --------
    >>> field = np.tile([1.0, 0, 0, 0], (1, 1, 5, 1))
    >>> field[0, 0, 4] = [0.6, 0.8, 0, 0]  # wrongly indexed
    >>> found = region_orientations(np.ones((1, 1, 5), np.int32), field)
    >>> found.mean[1].round(6).tolist(), found.points[1].item(), round(found.share[1].item(), 1)
    ([1.0, 0.0, 0.0, 0.0], 4, 0.8)
    """
    points, trust = as_points(orientations, labels.shape, weights)
    flat = np.ascontiguousarray(labels).ravel()
    count = int(flat.max(initial=0)) + 1
    group = laue_group(laue)
    usable = np.flatnonzero((trust > 0) & (flat > 0))
    members = usable[np.argsort(flat[usable], kind="stable")]
    starts = np.searchsorted(flat[members], np.arange(count + 1)).astype(np.int64)
    mean = _modes(points, trust, members, starts, group, CANDIDATES, np.cos(WIDE / 2))
    for window in (WIDE, NARROW):
        scatter, weight, number = _scatter(
            points, trust, members, starts, group, mean, np.cos(window / 2)
        )
        known = number > 0
        mean[known] = np.linalg.eigh(scatter[known])[1][:, :, -1]
        mean[~known] = np.nan
    total = np.bincount(flat[members], trust[members], count)
    share = np.divide(weight, total, out=np.zeros(count), where=total > 0)
    return RegionOrientations(mean, weight, share, number)


@njit(cache=True)
def _nearest(points, group, one, reference, equivalent):  # type: ignore[no-untyped-def]
    """Equivalent of a point nearest to a reference; returns the cosine of half the angle."""
    w, x, y, z = points[one, 0], points[one, 1], points[one, 2], points[one, 3]
    best = -1.0
    for k in range(len(group)):
        a, b, c, d = group[k, 0], group[k, 1], group[k, 2], group[k, 3]
        e0 = a * w - b * x - c * y - d * z
        e1 = a * x + b * w + c * z - d * y
        e2 = a * y - b * z + c * w + d * x
        e3 = a * z + b * y - c * x + d * w
        overlap = e0 * reference[0] + e1 * reference[1] + e2 * reference[2] + e3 * reference[3]
        if abs(overlap) > best:
            best = abs(overlap)
            sign = 1.0 if overlap >= 0 else -1.0
            equivalent[0], equivalent[1] = sign * e0, sign * e1
            equivalent[2], equivalent[3] = sign * e2, sign * e3
    return best


@njit(cache=True)
def _modes(points, trust, members, starts, group, candidates, cosine):  # type: ignore[no-untyped-def]
    count = len(starts) - 1
    modes = np.full((count, 4), np.nan)
    equivalent = np.empty(4)
    for region in range(1, count):
        first, size = starts[region], starts[region + 1] - starts[region]
        tried = min(size, candidates)
        most = -1.0
        for i in range(tried):
            one = members[first + i * size // tried]
            support = 0.0
            for j in range(tried):
                other = members[first + j * size // tried]
                if _nearest(points, group, other, points[one], equivalent) > cosine:
                    support += trust[other]
            if support > most:
                most = support
                for k in range(4):
                    modes[region, k] = points[one, k]
    return modes


@njit(cache=True)
def _scatter(points, trust, members, starts, group, reference, cosine):  # type: ignore[no-untyped-def]
    count = len(starts) - 1
    scatter = np.zeros((count, 4, 4))
    weight = np.zeros(count)
    number = np.zeros(count, np.int64)
    equivalent = np.empty(4)
    for region in range(1, count):
        for place in range(starts[region], starts[region + 1]):
            one = members[place]
            if _nearest(points, group, one, reference[region], equivalent) <= cosine:
                continue
            weight[region] += trust[one]
            number[region] += 1
            for i in range(4):
                for j in range(4):
                    scatter[region, i, j] += trust[one] * equivalent[i] * equivalent[j]
    return scatter, weight, number
