"""Which models compete: independence, mixtures, limits; what p-values and intervals say."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st

from electrode_grains.distributions import (
    MARGINAL_FAMILIES,
    BivariateCopula,
    Marginal,
    copula_selection_frequencies,
    find_grid,
    fit_characteristic,
    fit_marginal,
    fit_pair,
    goodness_of_fit,
    populations,
    select_copula,
    select_marginal,
    selection_frequencies,
)
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.schemas import grain_populations
from proofs import proves

UNIT = (0.0, 1.0)
MIXTURES = {
    "normal_mixture": ("normal", (0.5, 0.8, 0.05, 0.03, 0.3)),
    "beta_mixture": ("beta", (20.0, 60.0, 20.0, 15.0, 0.4)),
    "gumbel_minimum_mixture": ("gumbel_minimum", (0.5, 0.8, 0.03, 0.02, 0.3)),
    "gumbel_maximum_mixture": ("gumbel_maximum", (0.5, 0.8, 0.03, 0.02, 0.3)),
    "lognormal_mixture": ("lognormal", (5.5, 6.6, 0.2, 0.15, 0.6)),
}

# --- independence ----------------------------------------------------------------------------


@proves("copula_fits", "aic", "akaike_weight", oracle="closed form", by="0 of independence")
def test_independence_wins_where_dependence_does_not_earn_its_parameters():
    u, v = np.random.default_rng(901).random((2, 499))
    best, *others = select_copula(u, v)
    assert best.family == "independence"
    assert (best.aic, best.parameters) == (0.0, ())
    assert all(fit.aic > 0 for fit in others if fit.is_ranked)


def test_dependence_wins_where_there_is_some():
    pair = BivariateCopula("gumbel", (1.4,)).sample(300, np.random.default_rng(2))
    ranked = select_copula(*pair, ["independence", "gumbel", "gaussian", "student"])
    better = {fit.family for fit in ranked if fit.is_ranked and fit.aic < -20}
    assert better == {"gumbel", "gaussian", "student"}
    assert next(fit.aic for fit in ranked if fit.family == "independence") == 0


@proves("copula_fits", "independence_p_value", oracle="another program", by="SciPy kendalltau")
def test_a_pair_tells_whether_it_is_independent():
    rng = np.random.default_rng(4)
    x, y = rng.beta(9, 4, 200), rng.beta(3, 6, 200)
    marginals = [fit_characteristic(values, ("beta",), UNIT) for values in (x, y)]
    pair = fit_pair(x, y, *marginals, ("independence", "clayton"), (0, 90))
    assert pair.best.family == "independence"
    assert pair.independence_p_value == pytest.approx(st.kendalltau(x, y).pvalue)
    assert pair.candidates[0].aic == 0
    assert pair.fitted_kendall_tau == 0


# --- mixtures --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_is_the_sum_of_its_components(name):
    component, values = MIXTURES[name]
    support = (0.0, math.inf) if name == "lognormal_mixture" else UNIT
    mixture = Marginal(name, values, support)
    x = np.asarray(mixture.quantile([0.02, 0.3, 0.5, 0.9]))
    first, second = (Marginal(component, values[i:4:2]) for i in (0, 1))
    share = values[4]
    whole = share * first.cdf(support[1]) + (1 - share) * second.cdf(support[1])
    whole -= share * first.cdf(support[0]) + (1 - share) * second.cdf(support[0])
    density = share * first.pdf(x) + (1 - share) * second.pdf(x)
    np.testing.assert_allclose(mixture.pdf(x), density / whole, rtol=1e-9)
    np.testing.assert_allclose(mixture.posterior(x), share * first.pdf(x) / density, rtol=1e-9)


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_is_found_with_its_errors_and_the_smaller_location_first(name):
    component, values = MIXTURES[name]
    support = (0.0, math.inf) if name == "lognormal_mixture" else UNIT
    sample = Marginal(name, values, support).sample(600, np.random.default_rng(7))
    ranked = select_marginal(sample, [component, name], support)
    assert [fit.family for fit in ranked] == [name, component]
    fit = ranked[0]
    for parameter, true in zip(fit.parameters, values, strict=True):
        assert abs(fit.parameters[parameter] - true) < 4 * fit.standard_errors[parameter]
    location = MARGINAL_FAMILIES[name].mixture.location
    first, second, _ = MARGINAL_FAMILIES[name].mixture.split(tuple(fit.parameters.values()))
    assert location(*first) < location(*second)


def test_one_population_is_not_taken_for_two():
    won = [
        select_marginal(
            Marginal("beta", (40.1, 7.2), UNIT).sample(300, np.random.default_rng(seed)),
            ["beta", "beta_mixture", "normal_mixture"],
            UNIT,
        )[0].family
        for seed in range(12)
    ]
    assert won.count("beta") >= 9


@proves("marginal_fits", "populations", oracle="simulated truth", by="grains of two kinds")
def test_populations_tell_which_grains_they_are():
    rng = np.random.default_rng(9)
    belongs = rng.random(500) < 0.3
    shape = np.where(belongs, rng.normal(0.55, 0.04, 500), rng.normal(0.8, 0.03, 500))
    size = np.where(belongs, 300.0, 500.0) + rng.normal(0, 20, 500)
    fit = fit_characteristic(shape, ("normal", "normal_mixture"), UNIT)
    small, large = populations(shape, fit, {"size": size})
    assert small.share == pytest.approx(belongs.mean(), abs=0.02)
    assert (small.mean, large.mean) == pytest.approx((0.55, 0.8), abs=0.02)
    assert small.means["size"] == pytest.approx(size[belongs].mean(), abs=15)
    assert large.means["size"] == pytest.approx(size[~belongs].mean(), abs=15)
    certain = fit.distribution().posterior(shape)
    assert np.mean((certain > 0.5) == belongs) > 0.98
    single = fit_characteristic(shape, ("normal",), UNIT)
    assert populations(shape, single, {"size": size}) == []
    with pytest.raises(SettingsError, match="no mixture"):
        single.distribution().posterior(0.5)


# --- limits, ranges, extreme units -----------------------------------------------------------


@proves("marginal_fits", "outcome", "reason", oracle="closed form", by="the log-normal limit")
def test_a_family_that_does_no_better_than_its_limit_says_so():
    sample = 1 / Marginal("gamma", (2.5, 1.0)).sample(300, np.random.default_rng(5))
    ranked = {f.family: f for f in select_marginal(
        sample, ["generalized_gamma", "inverse_generalized_gamma", "lognormal"], (0.0, math.inf)
    )}  # fmt: skip
    assert ranked["generalized_gamma"].outcome == "at_bound"
    assert "its limit, the lognormal" in ranked["generalized_gamma"].reason
    # Its branch of negative power is the family of the sample.
    best = ranked["inverse_generalized_gamma"]
    assert best.aic < ranked["lognormal"].aic - 10
    assert best.parameters["power"] == pytest.approx(1.0, abs=0.5)


def test_a_power_beyond_the_floating_range_is_no_exception():
    sample = np.exp(4 * np.random.default_rng(0).standard_normal(200))
    for name in ("generalized_gamma", "inverse_generalized_gamma", "burr_xii"):
        assert fit_marginal(sample, name).outcome in ("converged", "at_bound", "failed")


def test_the_skew_normal_family_reaches_the_half_normal_distribution():
    sample = np.abs(np.random.default_rng(3).standard_normal(400))
    fit = fit_marginal(sample, "skew_normal")
    scale = math.sqrt(np.mean(sample**2))
    # With the end of the support free the likelihood is above that of the half-normal itself.
    assert fit.log_likelihood > st.halfnorm(scale=scale).logpdf(sample).sum() - 1e-3
    assert abs(fit.parameters["alpha"]) > 1000


@pytest.mark.parametrize("shape", [1e8, 1e10, 1e12])
def test_a_narrow_inverse_gaussian_distribution_has_the_quartiles_of_a_normal_one(shape):
    marginal = Marginal("inverse_gaussian", (1.0, shape))
    deviation = shape**-0.5
    quartiles = (np.asarray(marginal.quantile([0.25, 0.75])) - 1.0) / deviation
    assert quartiles == pytest.approx([-0.67449, 0.67449], abs=2 * deviation + 1e-5)
    assert marginal.cdf(marginal.quantile(0.3)) == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize("unit", [1e-300, 1e-150, 1e200])
@pytest.mark.parametrize("name", ["gamma", "lognormal", "normal", "generalized_extreme_value",
                                  "weibull", "inverse_gaussian", "normal_mixture"])  # fmt: skip
def test_fits_know_no_unit(name, unit):
    sample = Marginal("gamma", (9.0, 1.0)).sample(120, np.random.default_rng(1))
    plain, extreme = fit_marginal(sample, name), fit_marginal(sample * unit, name)
    assert extreme.outcome == plain.outcome
    shifted = extreme.log_likelihood + sample.size * math.log(unit)
    assert shifted == pytest.approx(plain.log_likelihood, abs=1e-5)
    assert extreme.model.mean() / unit == pytest.approx(plain.model.mean(), rel=1e-6)
    assert extreme.model.std() / unit == pytest.approx(plain.model.std(), rel=1e-5)


@pytest.mark.parametrize(
    ("sample", "absent"),
    [
        (Marginal("inverse_gaussian", (513.8, 4600.0)), ("beta", "von_mises", "sine")),
        (Marginal("uniform", (), (-3.0, 3.0)), ("beta", "gamma", "sine")),
        (Marginal("beta", (40.1, 7.2)), ("gaussian_mixture",)),
    ],
)
def test_without_families_those_compete_that_can_hold_every_value(sample, absent):
    values = sample.sample(150, np.random.default_rng(2))
    fits = select_marginal(values)
    assert {fit.sample_size for fit in fits} == {150}
    assert fits[0].model is not None
    assert not {fit.family for fit in fits} & set(absent)


# --- rounding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "step", "power"),
    [
        (lambda r: np.round(r.beta(40, 7, 239), 2), 0.01, 1),
        (lambda r: 50 * np.round(r.gamma(9, 55, 239) / 50), 50.0, 1),
        (lambda r: 62.0 * np.round(r.gamma(3, 40, 400) + 30) ** (1 / 3), 62.0**3, 3),
    ],
)
@proves("marginal_fits", "rounding", oracle="closed form", by="samples that were rounded")
def test_the_grid_of_a_rounded_sample_is_found(values, step, power):
    sample = values(np.random.default_rng(0))
    grid = find_grid(sample)
    assert grid.power == power
    assert grid.step == pytest.approx(step, rel=1e-6)
    np.testing.assert_allclose(grid.round(sample), sample, rtol=1e-9)
    low, high = grid.cells(sample)
    assert ((low < sample) & (sample < high)).all()


def test_samples_without_ties_or_without_a_step_have_no_grid():
    rng = np.random.default_rng(1)
    assert find_grid(rng.random(400)) is None
    assert find_grid(np.r_[rng.random(100), np.full(20, 0.5)]) is None
    assert find_grid([0.5] * 40) is None


def test_a_rounded_sample_of_the_right_family_is_not_rejected():
    sample = np.round(np.random.default_rng(3).beta(40, 7, 239), 2)
    model = fit_marginal(sample, "beta", UNIT).model
    blind = goodness_of_fit(model, sample, replicates=19, rng=np.random.default_rng(1))
    aware = goodness_of_fit(
        model, sample, replicates=19, rng=np.random.default_rng(1), grid=find_grid(sample)
    )
    assert blind.p_values["kolmogorov_smirnov"] == 0.05  # the least that 19 replicates give
    assert aware.p_values["kolmogorov_smirnov"] > 0.05
    assert aware.combined_p_value > 0.05


def test_coarse_rounding_does_not_widen_a_fit():
    rng = np.random.default_rng(8)
    sample = np.round(rng.normal(10.0, 1.0, 4000) / 2) * 2  # cells of two standard deviations
    fit = fit_marginal(sample, "normal", grid=find_grid(sample))
    assert fit.parameters["sigma"] == pytest.approx(1.0, abs=0.04)
    assert fit_marginal(sample, "normal").parameters["sigma"] > 1.1  # by Sheppard: 1.15


# --- what a choice is worth ------------------------------------------------------------------


def test_p_values_are_never_below_one_over_the_replicates_and_one():
    sample = np.random.default_rng(3).beta(0.5, 0.5, 200)
    model = fit_marginal(sample, "normal", UNIT).model
    tested = goodness_of_fit(model, sample, replicates=19)
    assert set(tested.p_values.values()) == {0.05}
    assert tested.combined_p_value == 0.05


@proves(
    "marginal_fits",
    "undecided",
    "selection_frequencies",
    oracle="closed form",
    by="differences of AIC",
)
def test_families_that_a_sample_does_not_tell_apart_are_named():
    sample = Marginal("gamma", (9.0, 57.0)).sample(60, np.random.default_rng(1))
    fit = fit_characteristic(
        sample, ("gamma", "inverse_gaussian", "lognormal", "normal"), (0, math.inf)
    )
    close = [row.family for row in fit.candidates[1:] if row.delta_aic <= 2]
    assert fit.undecided == close
    assert close
    won = selection_frequencies(fit, 20, np.random.default_rng(2))
    assert sum(won.values()) == pytest.approx(1)
    assert len(won) > 1
    assert selection_frequencies(fit, 0, np.random.default_rng(2)) == {}


@proves(
    "copula_fits",
    "selection_frequencies",
    "undecided",
    oracle="simulated truth",
    by="a strong Clayton copula",
)
def test_selection_among_copulas_is_drawn_again():
    pair = BivariateCopula("clayton", (4.0,)).sample(200, np.random.default_rng(1))
    marginals = [fit_characteristic(values, ("uniform",), UNIT) for values in pair]
    fit = fit_pair(*pair, *marginals, ("independence", "clayton", "gumbel"), (0, 180))
    assert fit.undecided == []
    assert copula_selection_frequencies(fit, 4, np.random.default_rng(2)) == {"clayton": 1.0}


def test_populations_of_grains_are_probabilities():
    kept = pd.DataFrame({"label": [1, 2], "sphericity_first_population": [0.2, np.nan]})
    assert grain_populations(kept) is kept
    for broken in ({"label": [1, 1]}, {"label": [1, 2], "a": [0.2, 1.2]}):
        with pytest.raises(InputError, match="probabilities"):
            grain_populations(pd.DataFrame(broken))


def test_a_search_begun_at_the_truth_ends_no_lower():
    """Bootstraps of the selection begin there, and pay for one search in place of several."""
    truth = Marginal("beta_mixture", (17.3, 93.7, 5.3, 16.3, 0.39))
    for seed in range(3):
        sample = truth.sample(400, np.random.default_rng(seed))
        blind = select_marginal(sample, ["beta_mixture", "beta"], (0, 1))
        begun = select_marginal(sample, ["beta_mixture", "beta"], (0, 1), starts=[truth])
        for before, after in zip(blind, begun, strict=True):
            assert after.family == before.family
            assert after.log_likelihood > before.log_likelihood - 1e-6
