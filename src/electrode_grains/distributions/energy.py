"""Energy distance between samples in any dimension, and its permutation test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from electrode_grains.distributions.pseudo_observations import pseudo_observations

Array = NDArray[np.float64]


def energy_distance(first: Array, second: Array) -> float:
    """Energy distance of two samples, 0 where they have one distribution.

    Parameters
    ----------
    first, second : ndarray of float, shape (n, k) and (m, k)

    Returns
    -------
    float
        2 E|X - Y| - E|X - X'| - E|Y - Y'|, each mean over pairs of different observations,
        so that its expectation is 0 for one distribution (it may be slightly negative).

    Examples
    --------
    >>> a = np.array([[0.0], [1.0]])
    >>> energy_distance(a, a + 2.0)
    2.0
    """
    n, m = len(first), len(second)
    between = 2 * cdist(first, second).mean()
    within = cdist(first, first).sum() / (n * (n - 1)) + cdist(second, second).sum() / (m * (m - 1))
    return float(between - within)


def rank_energy_test(
    first: Array, second: Array, replicates: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Test by permutation whether two samples have one copula, whatever their marginals.

    Parameters
    ----------
    first, second : ndarray of float, shape (n, k) and (m, k)
    replicates : int
        Random assignments of the ranked observations, each of which is ranked again.
    rng : Generator

    Returns
    -------
    distance, p_value : float
        Energy distance of the pseudo-observations; share of assignments, itself included,
        at least as far apart.
    """
    pooled = np.concatenate([_ranked(first), _ranked(second)])
    n = len(first)
    observed = energy_distance(pooled[:n], pooled[n:])
    exceeded = 0
    for _ in range(replicates):
        order = rng.permutation(len(pooled))
        drawn = energy_distance(_ranked(pooled[order[:n]]), _ranked(pooled[order[n:]]))
        exceeded += drawn >= observed
    return observed, (1 + exceeded) / (1 + replicates)


def _ranked(sample: Array) -> Array:
    return np.column_stack([pseudo_observations(column) for column in sample.T])


def energy_test(
    first: Array, second: Array, replicates: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Test by permutation whether two samples have one distribution.

    Parameters
    ----------
    first, second : ndarray of float, shape (n, k) and (m, k)
    replicates : int
        Random assignments of the observations to the two samples.
    rng : Generator

    Returns
    -------
    distance, p_value : float
        Energy distance; share of assignments, itself included, at least as far apart.
    """
    pooled = np.concatenate([first, second])
    distances = cdist(pooled, pooled)
    member = np.r_[np.ones(len(first)), np.zeros(len(second))]
    assigned = np.stack([member, *(rng.permutation(member) for _ in range(replicates))], axis=1)
    n, m = len(first), len(second)
    towards = distances @ assigned
    inner = np.einsum("ij,ij->j", assigned, towards)
    outer = np.einsum("ij,ij->j", 1 - assigned, towards)
    rest = distances.sum() - inner - 2 * outer
    found = 2 * outer / (n * m) - inner / (n * (n - 1)) - rest / (m * (m - 1))
    # rounding must not decide whether an assignment equals the observed one
    at_least = np.count_nonzero(found[1:] >= found[0] - 1e-12 * distances.mean())
    return float(found[0]), (1 + at_least) / (1 + replicates)
