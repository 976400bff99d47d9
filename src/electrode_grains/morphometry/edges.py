"""Grains at the border of the window: how likely a grain is to be seen whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def inclusion_weights(
    lower: Integers, upper: Integers, window: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Weight each grain that the window does not touch by the inverse chance of that.

    Parameters
    ----------
    lower, upper : ndarray of int64, shape (n, 3)
        Bounding boxes (z, y, x) in voxels, upper end excluded.
    window : (int, int, int)
        Shape of the volume.

    Returns
    -------
    ndarray of float64, shape (n,)
        At least 1; NaN for grains with a voxel on the border of the window. The sum
        estimates the number of grains with a given corner in the window.

    Notes
    -----
    Leaving out grains that the window cuts (the paper's rule) favours small ones. Of the N
    places that a grain's box may have in the window along an axis of N voxels, N - 1 - b keep
    a box of b voxels off the border. The weight is the ratio of both, over the three axes:
    the estimator of Miles and Lantuejoul [1]_, unbiased for a window thrown at random.

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
    places = size - 1 - (upper - lower)
    whole = np.all((lower > 0) & (upper < size), axis=1)
    chance = np.prod(np.where(whole.reshape(-1, 1), places, 1) / np.maximum(size, 1), axis=1)
    weights: NDArray[np.float64] = np.where(whole, 1 / chance, np.nan)
    return weights


def weighted_means(values: pd.DataFrame, weights: pd.Series) -> pd.Series:
    """Mean of each column over grains, weighted by the inverse chance of being seen whole.

    Parameters
    ----------
    values : DataFrame
        One row a grain; nulls are left out.
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
