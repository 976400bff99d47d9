"""Do groups of particles differ: particles are permuted between groups, never grains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from electrode_grains.distributions.random_effects import blocks

Array = NDArray[np.float64]
LEAST_PARTICLES = 3
LEAST_TREND = 3  # different numbers that make a trend of a group


@dataclass(frozen=True)
class GroupTest:
    """Whether a statistic depends on the group of a particle.

    Attributes
    ----------
    test : {"levels", "trend"}
        Differences between levels, or a monotonic trend along a number such as a cycle.
    effect : float
        Share of the variance between particles that lies between groups; for a trend
        Spearman's correlation.
    p_value : float
        By permutation of particles; NaN where no group has two particles, or all are one group.
    """

    test: str
    effect: float
    p_value: float


def group_test(
    values: Array,
    errors: Array,
    between: float,
    levels: Sequence[str],
    *,
    replicates: int,
    rng: np.random.Generator,
) -> GroupTest:
    """Test a statistic of particles against a group.

    Parameters
    ----------
    values, errors : ndarray, shape (K,)
        A statistic of each particle, and its standard error.
    between : float
        Spread between particles, which with the errors gives their weights.
    levels : sequence of str, length K
        Group of each particle. Numbers of which there are three or more are tested for a trend.
    replicates : int
    rng : Generator

    Returns
    -------
    GroupTest
    """
    if len(values) < LEAST_PARTICLES or not np.isfinite(between):
        return GroupTest("levels", np.nan, np.nan)
    numbers = as_numbers(levels)
    if numbers is not None and len(set(numbers)) >= LEAST_TREND:
        return _trend(values, numbers, replicates, rng)
    names, index = np.unique(np.asarray(levels, dtype=str), return_inverse=True)
    if len(names) < 2 or len(names) == len(values):
        return GroupTest("levels", np.nan, np.nan)
    weights = 1.0 / (errors**2 + between**2)
    members = (index[:, None] == np.arange(len(names))).astype(float)
    total = weights.sum()
    centred = values - np.average(values, weights=weights)
    variance = float(weights @ centred**2)

    def shares(weighted: Array, products: Array) -> Array:
        return np.asarray(((products @ members) ** 2 / (weighted @ members)).sum(axis=-1))

    if variance <= 0 or total <= 0:
        return GroupTest("levels", 0.0, 1.0)
    observed = float(shares(weights, weights * centred))
    as_large = 0
    for rows in blocks(replicates, len(values)):
        orders = _orders(rows.stop - rows.start, len(values), rng)
        drawn = shares(weights[orders], (weights * centred)[orders])
        as_large += int(np.count_nonzero(drawn >= observed * (1 - 1e-12)))
    return GroupTest("levels", observed / variance, (1 + as_large) / (1 + replicates))


def _trend(values: Array, numbers: Array, replicates: int, rng: np.random.Generator) -> GroupTest:
    ranks, along = _standardized(rankdata(values)), _standardized(rankdata(numbers))
    observed = float(ranks @ along)
    as_large = 0
    for rows in blocks(replicates, len(values)):
        drawn = ranks[_orders(rows.stop - rows.start, len(values), rng)] @ along
        as_large += int(np.count_nonzero(np.abs(drawn) >= abs(observed) * (1 - 1e-12)))
    return GroupTest("trend", observed, (1 + as_large) / (1 + replicates))


def _standardized(ranks: Array) -> Array:
    centred = ranks - ranks.mean()
    return np.asarray(centred / (np.linalg.norm(centred) or 1.0))


def _orders(replicates: int, number: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.argsort(rng.random((replicates, number)), axis=1)


def as_numbers(levels: Sequence[str]) -> Array | None:
    """Levels as numbers, None where one is none.

    Examples
    --------
    >>> as_numbers(["1", "50", "200"]).tolist(), as_numbers(["1", "fresh"])
    ([1.0, 50.0, 200.0], None)
    """
    try:
        numbers = np.array([float(level) for level in levels])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None
