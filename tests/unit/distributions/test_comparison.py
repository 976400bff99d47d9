"""Two particles: tests that keep their level, effects that have a sign."""

import numpy as np
import pytest
import scipy.stats as st

from electrode_grains.distributions import BivariateCopula, compare_samples
from electrode_grains.distributions.comparison import bootstrap_interval, probability_of_exceeding
from electrode_grains.distributions.energy import energy_distance, energy_test, rank_energy_test
from electrode_grains.errors import InputError


def grains(theta, shift=0.0, n=150, seed=0):
    u, v = BivariateCopula("frank", (theta,)).sample(n, np.random.default_rng(seed))
    return {"d": st.norm.ppf(u) + shift, "s": np.exp(st.norm.ppf(v))}


def test_energy_distance_is_twice_that_of_the_distribution_functions():
    """In one dimension it is twice the integral of (F - G)^2, biased by the diagonal."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 400), rng.normal(0.7, 1, 500)
    scipys = st.energy_distance(first, second) ** 2
    ours = energy_distance(first[:, None], second[:, None])
    bias = sum(np.abs(np.subtract.outer(x, x)).mean() / (len(x) - 1) for x in (first, second))
    assert ours == pytest.approx(scipys - bias, rel=1e-9)


@pytest.mark.parametrize("test", [energy_test, rank_energy_test])
def test_p_values_of_equal_samples_spread_over_the_unit_interval(test):
    p_values = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        drawn = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 70)
        p_values.append(test(drawn[:30], drawn[30:], 19, rng)[1])
    assert st.kstest(p_values, "uniform").pvalue > 0.001


def test_a_shift_shows_in_its_characteristic_alone():
    rows = compare_samples(
        grains(5.0), grains(5.0, shift=0.8, seed=1), [("d", "s")], replicates=199,
        rng=np.random.default_rng(2),
    )  # fmt: skip
    found = {row.subject: row for row in rows}
    assert found["d"].adjusted_p_value < 0.05
    assert found["d"].effect == pytest.approx(st.norm.cdf(0.8 / np.sqrt(2)), abs=0.1)
    assert found["d"].effect_low > 0.5
    assert found["s"].adjusted_p_value > 0.05
    assert found["d ~ s"].adjusted_p_value > 0.05


def test_dependence_is_compared_whatever_the_marginals():
    weak, strong = grains(1.0), grains(9.0, shift=50.0, seed=1)
    rows = compare_samples(
        {"d": weak["d"], "s": weak["s"]}, strong, [("d", "s")], replicates=199,
        rng=np.random.default_rng(2),
    )  # fmt: skip
    pair = rows[-1]
    assert pair.kind == "dependence"
    assert pair.p_value == pytest.approx(1 / 200)
    assert pair.effect_low > 0.2
    assert pair.value_second - pair.value_first == pytest.approx(pair.effect)


def test_undefined_values_are_left_out():
    first, second = grains(2.0), grains(2.0, seed=3)
    first["d"][:7] = np.nan
    rows = compare_samples(first, second, [("d", "s")], replicates=19, rng=np.random.default_rng(0))
    assert [row.sample_size_first for row in rows] == [143, 150, 143]


def test_exceeding_is_scored_as_by_mann_and_whitney():
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 9, 40), rng.integers(2, 11, 50)
    u = st.mannwhitneyu(second, first).statistic
    assert probability_of_exceeding(first, second) == pytest.approx(u / 2000)


def test_too_few_grains_are_refused():
    with pytest.raises(InputError, match="29 grains"):
        compare_samples(
            grains(2.0), grains(2.0, n=29), [], replicates=19, rng=np.random.default_rng(0)
        )


def test_equal_constants_are_not_told_apart():
    same = {"d": np.full(30, 4.0)}
    (row,) = compare_samples(same, same, [], replicates=19, rng=np.random.default_rng(0))
    assert (row.energy_distance, row.p_value, row.effect) == (0, 1, 0.5)
    assert (row.effect_low, row.effect_high) == (0.5, 0.5)


def test_the_interval_of_an_effect_holds_95_percent_of_its_resamples():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(40, 1)), rng.normal(size=(50, 1))

    def difference(one, other):
        return float(other.mean() - one.mean())

    low, high = bootstrap_interval(difference, first, second, 2000, np.random.default_rng(5))
    error = np.sqrt(first.var() / 40 + second.var() / 50)
    centre = difference(first, second)
    assert low == pytest.approx(centre - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(centre + 1.96 * error, abs=0.1 * error)
