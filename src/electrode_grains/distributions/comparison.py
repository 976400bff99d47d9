"""Do two particles differ: permutation tests, and effect sizes with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from electrode_grains.distributions.energy import energy_test, rank_energy_test
from electrode_grains.distributions.records import SampleDifference
from electrode_grains.errors import InputError

Array = NDArray[np.float64]
COVERAGE = 0.95
MINIMUM_SAMPLE = 30


def compare_samples(
    first: Mapping[str, Array],
    second: Mapping[str, Array],
    pairs: Sequence[tuple[str, str]],
    *,
    replicates: int,
    rng: np.random.Generator,
) -> list[SampleDifference]:
    """Compare marginals and dependence of two samples of grains.

    Parameters
    ----------
    first, second : mapping of str to ndarray, shape (n,) and (m,)
        Characteristics of the grains of either particle, one value per grain; values that are
        not finite are left out.
    pairs : sequence of (str, str)
        Pairs whose dependence is compared.
    replicates : int
        Permutations of the tests and resamples of the intervals.
    rng : Generator

    Returns
    -------
    list of SampleDifference
        One for each characteristic: energy distance over the pooled standard deviation, its
        p-value by permutation; as effect size the probability that a grain of the second
        sample exceeds one of the first, ties counted half, with a 95 % interval. One for each
        pair: energy distance of the pseudo-observations, its p-value, and the difference of
        Kendall's tau (second less first) with its interval. `adjusted_p_value` is Holm's
        over all rows; `value_first` and `value_second` are means or Kendall's tau.

    Raises
    ------
    InputError
        If either sample has fewer than 30 grains of a subject.
    """
    rows = [
        _compare_marginals(name, _finite(first[name]), _finite(second[name]), replicates, rng)
        for name in first
    ] + [
        _compare_dependence(x, y, _finite(first[x], first[y]), _finite(second[x], second[y]),
                            replicates, rng)
        for x, y in pairs
    ]  # fmt: skip
    adjusted = holm([row.p_value for row in rows])
    return [
        row.model_copy(update={"adjusted_p_value": p})
        for row, p in zip(rows, adjusted, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number (Holm, Scand. J. Statist. 6, 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    raised = np.maximum.accumulate(np.asarray(p_values, float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(raised, 1.0)
    return [float(value) for value in adjusted]


def probability_of_exceeding(first: Array, second: Array) -> float:
    """Probability that a value of the second sample exceeds one of the first, ties half.

    Examples
    --------
    >>> probability_of_exceeding(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([first, second]))[len(first) :]
    m = len(second)
    return float((ranks.sum() - m * (m + 1) / 2) / (len(first) * m))


def bootstrap_interval(
    statistic: Callable[[Array, Array], float],
    first: Array,
    second: Array,
    replicates: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Percentile interval of 95 % of a statistic of two samples of grains (rows)."""
    values = [
        statistic(
            first[rng.integers(len(first), size=len(first))],
            second[rng.integers(len(second), size=len(second))],
        )
        for _ in range(replicates)
    ]
    low, high = np.quantile(values, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def _compare_marginals(
    name: str, first: Array, second: Array, replicates: int, rng: np.random.Generator
) -> SampleDifference:
    scale = float(np.concatenate([first, second]).std()) or 1.0
    distance, p_value = energy_test(first / scale, second / scale, replicates, rng)

    def effect(one: Array, other: Array) -> float:
        return probability_of_exceeding(one[:, 0], other[:, 0])

    low, high = bootstrap_interval(effect, first, second, replicates, rng)
    return SampleDifference(
        subject=name,
        kind="marginal",
        sample_size_first=len(first),
        sample_size_second=len(second),
        value_first=float(first.mean()),
        value_second=float(second.mean()),
        energy_distance=distance,
        p_value=p_value,
        effect_name="probability of exceeding",
        effect=effect(first, second),
        effect_low=low,
        effect_high=high,
    )


def _compare_dependence(
    x: str, y: str, first: Array, second: Array, replicates: int, rng: np.random.Generator
) -> SampleDifference:
    distance, p_value = rank_energy_test(first, second, replicates, rng)

    def effect(one: Array, other: Array) -> float:
        return float(kendalltau(*other.T).statistic - kendalltau(*one.T).statistic)

    low, high = bootstrap_interval(effect, first, second, replicates, rng)
    return SampleDifference(
        subject=f"{x} ~ {y}",
        kind="dependence",
        sample_size_first=len(first),
        sample_size_second=len(second),
        value_first=float(kendalltau(*first.T).statistic),
        value_second=float(kendalltau(*second.T).statistic),
        energy_distance=distance,
        p_value=p_value,
        effect_name="difference of Kendall's tau",
        effect=effect(first, second),
        effect_low=low,
        effect_high=high,
    )


def _finite(*columns: Array) -> Array:
    """Rows whose values are all finite, shape (n, number of columns)."""
    table = np.column_stack([np.asarray(column, float) for column in columns])
    kept = np.asarray(table[np.isfinite(table).all(axis=1)])
    if len(kept) < MINIMUM_SAMPLE:
        raise InputError(
            "too few grains to compare particles",
            found=f"{len(kept)} grains",
            expected=f"at least {MINIMUM_SAMPLE} of each particle",
        )
    return kept
