"""Random effects of particles, against the analysis of variance and simulated truths."""

import math

import numpy as np
import pytest
from scipy.stats import t

from electrode_grains.distributions import (
    BivariateCopula,
    Marginal,
    pool_copulas,
    pool_marginals,
    random_effect,
)
from electrode_grains.errors import InputError


def test_equal_errors_give_the_analysis_of_variance():
    means, n, within = np.array([4.0, 5.5, 7.0, 5.0, 6.5]), 40, 2.0
    effect = random_effect(means, np.full(5, within / math.sqrt(n)))
    between_squares = n * means.var(ddof=1)
    assert effect.centre == pytest.approx(5.6)
    assert effect.between**2 == pytest.approx((between_squares - within**2) / n)
    assert effect.standard_error == pytest.approx(math.sqrt(between_squares / (5 * n)))
    half = t.ppf(0.975, 4) * effect.standard_error
    assert effect.interval.high - effect.centre == pytest.approx(half)


def test_particles_that_agree_do_not_scatter():
    effect = random_effect([3.0, 3.01, 2.99], [0.5, 0.5, 0.5])
    assert effect.between == 0.0
    assert effect.standard_error == pytest.approx(0.5 / math.sqrt(3))


def test_a_precise_particle_weighs_more():
    effect = random_effect([1.0, 2.0], [0.01, 1.0])
    assert effect.centre == pytest.approx(1.0, abs=0.05)


def test_normal_particles_have_the_variance_components_they_were_drawn_with():
    rng = np.random.default_rng(4)
    means = rng.normal(10.0, 1.5, 60)
    values = rng.normal(np.repeat(means, 50), 2.0)
    pooled = pool_marginals(values, np.repeat(np.arange(60), 50), ["normal"])[0]
    table = values.reshape(60, 50)
    anova = table.mean(axis=1).var(ddof=1) - table.var(axis=1, ddof=1).mean() / 50
    assert pooled.effects["mu"].between == pytest.approx(math.sqrt(anova), rel=0.02)
    assert pooled.effects["sigma"].centre == pytest.approx(2.0, rel=0.03)
    assert pooled.effects["sigma"].between < 0.06
    ends = pooled.effects["mu"].bootstrap_interval
    # 60 particles, not 3,000 grains, say how well the centre is known
    assert ends.high - ends.low == pytest.approx(2 * 1.96 * 1.5 / math.sqrt(60), rel=0.3)


def test_the_family_of_all_particles_has_the_least_sum_of_aic():
    rng = np.random.default_rng(5)
    samples = [
        Marginal("gumbel_minimum", {"mu": mu, "sigma": 0.05}, (0, 1)).sample(150, rng)
        for mu in (0.78, 0.8, 0.84)
    ]
    names = np.repeat(["a", "b", "c"], 150)
    ranked = pool_marginals(
        np.concatenate(samples), names, ["normal", "gumbel_minimum", "gumbel_maximum"], (0, 1)
    )
    assert ranked[0].family == "gumbel_minimum"
    assert list(ranked[0].fits) == ["a", "b", "c"]
    assert ranked[0].aic == pytest.approx(sum(fit.aic for fit in ranked[0].fits.values()))
    assert 0.77 < ranked[0].effects["mu"].centre < 0.85


def test_copulas_are_pooled_whatever_the_marginals_of_particles():
    rng = np.random.default_rng(6)
    parts = []
    for index, theta in enumerate((1.5, 2.0, 2.5, 3.0)):
        u, v = BivariateCopula("clayton", (theta,)).sample(200, rng)
        parts.append((u * (1 + index), v**3 - index, np.full(200, index)))
    x, y, particle = (np.concatenate(column) for column in zip(*parts, strict=True))
    ranked = pool_copulas(x, y, particle, ["clayton", "frank"], [0])
    assert ranked[0].family == "clayton"
    effect = ranked[0].effects["theta"]
    assert 1.6 < effect.centre < 2.9
    assert effect.prediction.low < effect.interval.low < effect.interval.high


def test_particles_at_a_limit_are_named():
    rng = np.random.default_rng(7)
    clayton = BivariateCopula("clayton", (2.0,))
    pairs = [clayton.sample(100, rng) for _ in range(2)]
    opposed = BivariateCopula("clayton", (2.0,), 90).sample(100, rng)
    x, y = (np.concatenate(column) for column in zip(*pairs, opposed, strict=True))
    pooled = pool_copulas(x, y, np.repeat(["a", "b", "c"], 100), ["clayton"], [0])[0]
    assert pooled.left_out == ("c",)


@pytest.mark.parametrize(
    ("estimates", "errors", "reason"),
    [([1.0], [0.1], "several particles"), ([1.0, 2.0], [0.1, math.nan], "finite")],
)
def test_what_is_no_random_effect_is_refused(estimates, errors, reason):
    with pytest.raises(InputError, match=reason):
        random_effect(estimates, errors)


def test_one_particle_is_not_pooled():
    with pytest.raises(InputError, match="1 particles"):
        pool_marginals(np.arange(50.0), np.zeros(50), ["normal"])
