"""Grains at the border of the measured region: how likely a grain is to be seen whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.compiling import njit

Integers = NDArray[np.int64]
MOST_TRIALS = 4e9  # boxes times places: some seconds


def inclusion_weights(
    lower: Integers,
    upper: Integers,
    window: tuple[int, ...],
    whole: NDArray[np.bool_] | None = None,
    measured: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Weight each grain that the window does not cut by the inverse chance of that.

    Parameters
    ----------
    lower, upper : ndarray of int64, shape (n, 3)
        Bounding boxes (z, y, x) in voxels, upper end excluded; (y, x) in a section.
    window : tuple of int
        Shape of the volume, or of the section.
    whole : ndarray of bool, shape (n,), optional
        Grains that are not cut; by default those whose box stays off the border.
    measured : ndarray of bool, shape (z, y, x), optional
        Voxels that were measured; by default all.

    Returns
    -------
    ndarray of float64, shape (n,)
        At least 1; NaN for grains that are cut. The sum estimates the number of grains with
        a given corner in the measured region.

    Notes
    -----
    Leaving out grains that the window cuts (the paper's rule) favours small ones. Of the N
    places that a grain's box may have in the window along an axis of N voxels, N - 1 - b keep
    a box of b voxels off the border. The weight is the ratio of both, over the three axes:
    the estimator of Miles and Lantuejoul [1]_, unbiased for a window thrown at random. In a
    measured region of any shape it is the number of its voxels over the number of places at
    which the box with a layer of one voxel around it lies inside (of many large volumes'
    places a lattice is counted).

    References
    ----------
    .. [1] C. Lantuejoul, "Computation of the histograms of the number of edges and neighbours
       of cells in a tessellation", Geometrical Probability and Biological Structures, 1978.

    Examples
    --------
    >>> inclusion_weights(np.array([[1, 1, 1]]), np.array([[5, 3, 2]]), (10, 10, 10))
    array([3.57142857])
    """
    size = np.array(window)
    if whole is None:
        whole = np.all((lower > 0) & (upper < size), axis=1)
    weights: NDArray[np.float64]
    if measured is None:
        places = np.where(whole.reshape(-1, 1), size - 1 - (upper - lower), 1)
        chance = np.prod(places / np.maximum(size, 1), axis=1)
        weights = np.where(whole, 1 / chance, np.nan)
        return weights
    weights = np.full(len(lower), np.nan)
    boxes, grains = np.unique((upper - lower)[whole] + 2, axis=0, return_inverse=True)
    # Beyond a few seconds' work only every second, third, ... row of places is tried.
    step = int(np.ceil((len(boxes) * measured.size / MOST_TRIALS) ** 0.5))
    places = count_places(_unmeasured_sums(measured), boxes, max(step, 1))
    # A grain that is not cut has its own place, even where its box has a corner outside.
    weights[whole] = measured.sum() / np.maximum(places, 1)[grains.ravel()]
    return weights


def _unmeasured_sums(measured: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number of voxels without measurement before each corner, shape (z + 1, y + 1, x + 1)."""
    sums = np.zeros(tuple(size + 1 for size in measured.shape), np.int32)
    np.cumsum(~measured, axis=0, out=sums[1:, 1:, 1:])
    np.cumsum(sums, axis=1, out=sums)
    np.cumsum(sums, axis=2, out=sums)
    return sums


@njit(cache=True, nogil=True)
def count_places(sums: NDArray[np.int32], boxes: Integers, step: int = 1) -> Integers:
    """Number of places at which each box (z, y, x) lies in the measured region.

    With a step above 1 every step-th row along z and y stands for those around it.
    """
    counts = np.zeros(len(boxes), np.int64)
    depth, height, width = sums.shape
    for row in range(len(boxes)):
        dz, dy, dx = boxes[row]
        count = 0
        for z in range(step // 2, depth - dz, step):
            for y in range(step // 2, height - dy, step):
                for x in range(width - dx):
                    missing = (
                        sums[z + dz, y + dy, x + dx]
                        - sums[z, y + dy, x + dx]
                        - sums[z + dz, y, x + dx]
                        - sums[z + dz, y + dy, x]
                        + sums[z, y, x + dx]
                        + sums[z, y + dy, x]
                        + sums[z + dz, y, x]
                        - sums[z, y, x]
                    )
                    count += int(missing == 0)
        counts[row] = count * step**2
    return counts


def weighted_means(values: pd.DataFrame, weights: pd.Series) -> pd.Series:
    """Mean of each column over grains, weighted by the inverse chance of being seen whole.

    Parameters
    ----------
    values : DataFrame
        One row per grain; nulls are left out.
    weights : Series
        As from `inclusion_weights`.

    Returns
    -------
    Series
        By column; null where there is nothing to average.

    Examples
    --------
    >>> weighted_means(pd.DataFrame({"d": [1.0, 2.0]}), pd.Series([1.0, 3.0])).tolist()
    [1.75]
    """
    known = values.notna().mul(weights.fillna(0.0), axis=0)
    total = known.sum()
    return values.fillna(0.0).mul(known).sum() / total.where(total > 0)


def thin_by_weight(weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose grains so that large ones are no longer rare for the window's sake.

    Parameters
    ----------
    weights : ndarray of float64, shape (n,)
        As from `inclusion_weights`; NaN is never chosen.
    rng : Generator

    Returns
    -------
    ndarray of bool, shape (n,)
        True with a chance of the weight over the largest weight. Fits that know no weights
        can take such a sample as it is; what it costs is a part of the small grains.

    Examples
    --------
    >>> thin_by_weight(np.array([2.0, np.nan, 2.0]), np.random.default_rng(0))
    array([ True, False,  True])
    """
    known = np.nan_to_num(weights)
    chosen: NDArray[np.bool_] = rng.random(known.size) * known.max(initial=0.0) < known
    return chosen
