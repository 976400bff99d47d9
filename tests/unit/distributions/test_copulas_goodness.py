"""Goodness of fit of copulas, and what ranks say about a pair."""

import numpy as np
import pytest
import scipy.stats as st

from electrode_grains.distributions import (
    BivariateCopula,
    Marginal,
    check_pair,
    copula_goodness_of_fit,
    fit_characteristic,
    fit_copula,
    fit_pair,
    pseudo_observations,
    tie_share,
)
from electrode_grains.distributions.copula_goodness import rosenblatt_distance
from electrode_grains.errors import SettingsError
from proofs import proves


def ranked(family, parameters, rotation=0, n=150, seed=0):
    drawn = BivariateCopula(family, parameters, rotation).sample(n, np.random.default_rng(seed))
    return [pseudo_observations(values) for values in drawn]


@proves("copula_fits", "goodness_of_fit", oracle="closed form", by="integral on a grid")
def test_the_distance_is_the_integral_that_it_closes():
    """A fine midpoint rule over the unit square, for ten points."""
    copula = BivariateCopula("clayton", (2.0,), 90)
    u, v = np.random.default_rng(3).random((2, 10))
    e1, e2 = u, copula.conditional_v_given_u(u, v)
    grid = (np.arange(1000) + 0.5) / 1000
    below = (e1[:, None] <= grid).astype(float).T @ (e2[:, None] <= grid) / 10
    integral = 10 * np.mean((below - np.outer(grid, grid)) ** 2)
    assert rosenblatt_distance(copula, u, v) == pytest.approx(integral, rel=5e-3)


def test_p_values_of_a_right_copula_spread_over_the_unit_interval():
    rng = np.random.default_rng(2)
    p_values = [
        copula_goodness_of_fit(
            *ranked("frank", (4.0,), n=80, seed=seed), "frank", replicates=19, rng=rng
        ).p_value
        for seed in range(40)
    ]
    assert st.kstest(p_values, "uniform").pvalue > 0.001


def test_the_bootstrap_of_a_copula_is_what_it_says():
    """Drawn, ranked, refitted and counted once more with the same random numbers."""
    u, v = ranked("clayton", (2.0,), 90, n=30)
    result = copula_goodness_of_fit(
        u, v, "clayton", 90, replicates=19, rng=np.random.default_rng(5)
    )
    fitted = fit_copula(u, v, "clayton", 90).model
    rng, thetas, farther = np.random.default_rng(5), [], 0
    drawn = np.stack(fitted.sample(19 * 30, rng)).reshape(2, 19, 30)
    for first, second in zip(*drawn, strict=True):
        pair = [pseudo_observations(values) for values in (first, second)]
        refit = fit_copula(*pair, "clayton", 90).model
        thetas.append(refit.parameters[0])
        farther += rosenblatt_distance(refit, *pair) >= rosenblatt_distance(fitted, u, v)
    assert result.cramer_von_mises == pytest.approx(rosenblatt_distance(fitted, u, v))
    assert result.replicates == 19
    assert result.p_value == pytest.approx((1 + farther) / 20)
    # bootstrap fits begin at the truth, and end within the tolerance of the search
    assert result.bootstrap_errors["theta"] == pytest.approx(np.std(thetas, ddof=1), rel=1e-4)


def test_a_wrong_copula_is_rejected_and_a_right_one_is_not():
    rng = np.random.default_rng(1)
    pair = ranked("clayton", (3.0,), 180, n=300)
    wrong = copula_goodness_of_fit(*pair, "clayton", 0, replicates=39, rng=rng)
    right = copula_goodness_of_fit(*pair, "clayton", 180, replicates=39, rng=rng)
    assert wrong.p_value == pytest.approx(1 / 40)
    assert right.p_value > 0.1
    assert set(right.bootstrap_errors) == {"theta"}


@proves("copula_fits", "standard_errors", oracle="metamorphic", by="bootstrap against information")
def test_bootstrap_and_information_give_like_errors():
    u, v = BivariateCopula("gumbel", (2.5,)).sample(400, np.random.default_rng(5))
    by_information = fit_copula(u, v, "gumbel").standard_errors["theta"]
    tested = copula_goodness_of_fit(
        *map(pseudo_observations, (u, v)),
        "gumbel",
        replicates=99,
        rng=np.random.default_rng(1),
    )
    # ranks lose information, so their error is the larger one
    assert 0.85 < tested.bootstrap_errors["theta"] / by_information < 1.7


@pytest.mark.parametrize(
    ("family", "parameters"),
    [("clayton", (1.5,)), ("bb1", (0.6, 1.8)), ("frank", (-5.0,)), ("ali_mikhail_haq", (0.6,))],
)
def test_errors_of_copulas_are_the_spread_of_their_estimates(family, parameters):
    fits = [
        fit_copula(*BivariateCopula(family, parameters).sample(300, rng), family)
        for rng in map(np.random.default_rng, range(80))
    ]
    inner = [fit for fit in fits if fit.outcome == "converged"]
    assert len(inner) > 70
    spread = np.std([fit.parameters for fit in inner], axis=0)
    told = np.median([list(fit.standard_errors.values()) for fit in inner], axis=0)
    # 8 % is one standard deviation of a spread over 80 samples
    np.testing.assert_allclose(told, spread, rtol=0.32)


@proves("copula_fits", "pseudo_observations", oracle="closed form", by="ranks of three values")
def test_ranks_take_ties_as_told():
    values = [0.3, 0.1, 0.3, 0.2]
    assert tie_share(values) == 0.5
    assert tie_share([]) == 0
    assert pseudo_observations(values).tolist() == [0.7, 0.2, 0.7, 0.4]
    broken = pseudo_observations(values, np.random.default_rng(0))
    assert sorted(broken) == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert (broken[1], broken[3]) == (0.2, 0.4)
    again = pseudo_observations(values, np.random.default_rng(0))
    assert again.tolist() == broken.tolist()


def test_ranks_find_the_copula_that_a_wrong_marginal_hides():
    """The marginals are fitted by a normal distribution, though they are exponential."""
    rng = np.random.default_rng(4)
    u, v = BivariateCopula("clayton", (2.0,), 180).sample(400, rng)
    x, y = -np.log1p(-u), -np.log1p(-v)
    marginals = [fit_characteristic(values, ["normal"], None) for values in (x, y)]
    candidates = ["clayton", "gumbel", "frank"], [0, 180]
    pair = fit_pair(x, y, *marginals, *candidates)
    checked = check_pair(x, y, pair, *marginals, *candidates, replicates=19, rng=rng)
    ranks = checked.pseudo_observations
    assert (ranks.best.family, ranks.best.rotation) == ("clayton", 180)
    assert ranks.delta_aic > 2
    assert ranks.tie_share_x == 0
    assert checked.goodness_of_fit.p_value <= 0.1


def test_a_pair_tells_its_credible_regions_and_errors():
    rng = np.random.default_rng(6)
    distribution = Marginal("gamma", {"shape": 9.0, "scale": 50.0})
    u, v = BivariateCopula("frank", (6.0,)).sample(500, rng)
    x, y = distribution.quantile(u), distribution.quantile(v)
    marginal = fit_characteristic(x, ["gamma"], (0.0, np.inf))
    pair = fit_pair(x, y, marginal, marginal, ["frank"], [0])
    assert pair.candidates[0].standard_errors["theta"] == pytest.approx(0.36, rel=0.2)
    for region, probability in zip(pair.credible_regions, (0.5, 0.9), strict=True):
        assert region.probability == probability
        assert region.sample_share == pytest.approx(probability, abs=0.07)
    assert pair.fitted_spearman_rho == pytest.approx(pair.spearman_rho, abs=0.05)


def test_too_few_replicates_are_refused():
    with pytest.raises(SettingsError, match="5"):
        copula_goodness_of_fit(
            *ranked("frank", (2.0,)), "frank", replicates=5, rng=np.random.default_rng(0)
        )


def test_what_cannot_be_fitted_cannot_be_tested():
    tested = copula_goodness_of_fit(
        *ranked("frank", (2.0,), n=20), "frank", replicates=19, rng=np.random.default_rng(0)
    )
    assert np.isnan(tested.p_value)
    assert tested.replicates == 0
