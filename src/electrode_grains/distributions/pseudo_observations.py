"""Ranks in place of fitted marginals: what a pair says about its copula alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


def pseudo_observations(values: ArrayLike, rng: np.random.Generator | None = None) -> Array:
    """Ranks over n + 1, which lie strictly inside (0, 1).

    Parameters
    ----------
    values : array_like of float, shape (n,)
        One characteristic.
    rng : Generator, optional
        Breaks ties at random; without it equal values share their mean rank.

    Returns
    -------
    ndarray of float64, shape (n,)

    Examples
    --------
    >>> pseudo_observations([0.3, 0.1, 0.3]).tolist()
    [0.625, 0.25, 0.625]
    """
    numbers = np.asarray(values, float)
    if rng is None:
        return np.asarray(rankdata(numbers) / (len(numbers) + 1))
    order = np.lexsort([rng.random(len(numbers)), numbers])
    ranks = np.empty(len(numbers))
    ranks[order] = np.arange(1, len(numbers) + 1)
    return ranks / (len(numbers) + 1)


def tie_share(values: ArrayLike) -> float:
    """Share of the values that equal another one.

    Examples
    --------
    >>> tie_share([0.3, 0.1, 0.3, 0.2])
    0.5
    """
    numbers = np.asarray(values, float)
    if numbers.size == 0:
        return 0.0
    counts = np.unique(numbers, return_counts=True)[1]
    return float(counts[counts > 1].sum() / numbers.size)
