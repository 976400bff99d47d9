import math

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as some

from electrode_grains.distributions.families import candidate_families, smallest_diameter
from electrode_grains.distributions.marginal_fitting import fit_marginal, select_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.registry import MARGINAL_FAMILIES
from electrode_grains.errors import SettingsError
from proofs import proves

UNIT = (0.0, 1.0)
POLAR = (0.0, math.pi / 2)
MIXTURE = {"mu1": -1.7, "mu2": 1.6, "sigma1": 1, "sigma2": 0.8, "lambda": 0.4}
# Table 1 of Furat, Finegan et al., J. Power Sources 483 (2021) 229148, convexity as a
# Gumbel distribution of minima, with the column that each belongs to.
PAPER = {
    "equivalent_diameter_nm": Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600}),
    "sphericity": Marginal("beta", {"a": 40.1, "b": 7.2}, UNIT),
    "convexity": Marginal("gumbel_minimum", {"mu": 0.82, "sigma": 0.048}, UNIT),
    "elongation": Marginal(
        "generalized_extreme_value", {"k": -0.42, "mu": 0.72, "sigma": 0.086}, UNIT
    ),
    "azimuthal_angle": Marginal("gaussian_mixture", MIXTURE),
    "polar_angle": Marginal("sine", {}),
}
LAWS = [
    *PAPER.values(),
    Marginal("lognormal", {"mu": 6.2, "sigma": 0.33}),
    Marginal("gamma", {"shape": 9.0, "scale": 55.0}),
    Marginal("weibull", {"shape": 3.1, "scale": 577.0}),
    Marginal("normal", {"mu": 0.9, "sigma": 0.1}, UNIT),
    Marginal("logistic", {"mu": 0.85, "sigma": 0.05}, UNIT),
    Marginal("log_logistic", {"shape": 5.3, "scale": 488.0}),
    Marginal("generalized_gamma", {"shape": 2.5, "power": 1.4, "scale": 200.0}),
    Marginal("burr_xii", {"c": 5.4, "d": 0.97, "scale": 484.0}),
    Marginal("gumbel_maximum", {"mu": 438.0, "sigma": 135.0}, (0.0, math.inf)),
    Marginal("generalized_extreme_value", {"k": 0.2, "mu": 438.0, "sigma": 135.0}),
    Marginal("reflected_generalized_extreme_value", {"k": -0.15, "mu": 0.87, "sigma": 0.05}, UNIT),
    Marginal("skew_normal", {"xi": 0.9, "omega": 0.07, "alpha": -2.2}, UNIT),
    Marginal("kumaraswamy", {"a": 18.4, "b": 11.6}, UNIT),
    Marginal("logit_normal", {"mu": 1.8, "sigma": 0.42}),
    Marginal("von_mises", {"mu": 2.5, "kappa": 1.3}),
    Marginal("axial_von_mises", {"mu": -1.5, "kappa": 0.9}),
    Marginal(
        "von_mises_mixture",
        {"mu1": -1.5, "mu2": 1.6, "kappa1": 1.5, "kappa2": 1.9, "lambda": 0.4},
    ),
    Marginal("watson", {"kappa": -2.0}),
    Marginal("beta_cosine", {"a": 1.2, "b": 0.8}),
]


@pytest.mark.parametrize("distribution", LAWS, ids=lambda distribution: distribution.family)
def test_no_fit_lies_below_the_truth(distribution):
    rng = np.random.default_rng(239)
    for _ in range(8):
        sample = distribution.sample(239, rng)
        fit = fit_marginal(sample, distribution.family, distribution.support)
        assert fit.outcome in ("converged", "at_bound"), fit.reason
        assert fit.log_likelihood >= distribution.log_pdf(sample).sum() - 1e-6


@pytest.mark.parametrize("characteristic", ["elongation", "equivalent_diameter_nm"])
def test_no_fit_of_fifty_samples_of_the_paper_lies_below_the_truth(characteristic):
    distribution = PAPER[characteristic]
    for seed in range(50):
        sample = distribution.sample(239, np.random.default_rng(seed))
        fit = fit_marginal(sample, distribution.family, distribution.support)
        assert fit.is_ranked
        assert fit.log_likelihood >= distribution.log_pdf(sample).sum()


@pytest.mark.parametrize("characteristic", PAPER)
def test_no_fit_lies_below_a_nested_one(characteristic):
    families, support = candidate_families(characteristic)
    sample = PAPER[characteristic].sample(300, np.random.default_rng(4))
    fits = {fit.family: fit for fit in select_marginal(sample, families, support)}
    checked = 0
    for name, fit in fits.items():
        for special in MARGINAL_FAMILIES[name].nested:
            nested = fit_marginal(sample, special.family, support)
            assert fit.log_likelihood >= nested.log_likelihood - 1e-7
            checked += 1
    assert checked > 0


@pytest.mark.parametrize("characteristic", PAPER)
def test_the_distribution_of_the_paper_is_named_within_two_units_of_aic(characteristic):
    families, support = candidate_families(characteristic)
    distribution = PAPER[characteristic]
    sample = distribution.sample(1000, np.random.default_rng(1))
    fits = select_marginal(sample, families, support)
    # a mixture one component of which is a few grains is no candidate
    assert {fit.outcome for fit in fits} <= {"converged", "at_bound", "inadmissible"}
    own = next(fit for fit in fits if fit.family == distribution.family)
    assert own.aic - fits[0].aic < 2.0
    for name, value in distribution.parameters.items():
        assert abs(own.parameters[name] - value) < 3 * own.standard_errors[name]


@pytest.mark.parametrize(
    ("family", "reference"),
    [("gamma", st.gamma), ("weibull", st.weibull_min), ("lognormal", st.lognorm)],
)
@proves("marginal_fits", "parameters", "log_likelihood", oracle="another program", by="SciPy fit")
def test_likelihood_reaches_that_of_scipy_with_location_zero(family, reference):
    sample = PAPER["equivalent_diameter_nm"].sample(239, np.random.default_rng(2))
    theirs = reference.logpdf(sample, *reference.fit(sample, floc=0)).sum()
    assert fit_marginal(sample, family).log_likelihood >= theirs - 1e-6


def test_truncation_is_part_of_the_likelihood():
    distribution = Marginal("normal", {"mu": 0.95, "sigma": 0.2}, UNIT)
    scores = []
    for seed in range(20):
        sample = distribution.sample(1000, np.random.default_rng(seed))
        whole, truncated = (fit_marginal(sample, "normal", support) for support in (None, UNIT))
        assert whole.parameters["mu"] == pytest.approx(sample.mean())
        assert whole.parameters["mu"] < 0.85
        scores.append((truncated.parameters["mu"] - 0.95) / truncated.standard_errors["mu"])
    # standard normal scores: 4 standard errors of their mean
    assert abs(np.mean(scores)) < 4 / math.sqrt(20)


def test_standard_errors_are_those_of_the_closed_form():
    sample = PAPER["equivalent_diameter_nm"].sample(500, np.random.default_rng(3))
    fit = fit_marginal(sample, "inverse_gaussian")
    mu, lam = fit.parameters["mu"], fit.parameters["lambda"]
    assert fit.standard_errors["mu"] == pytest.approx(math.sqrt(mu**3 / lam / 500), rel=1e-3)
    assert fit.standard_errors["lambda"] == pytest.approx(lam * math.sqrt(2 / 500), rel=1e-3)


@given(exponent=some.floats(-9, 9))
@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize(
    "family", ["inverse_gaussian", "gamma", "generalized_extreme_value", "burr_xii", "skew_normal"]
)
def test_fit_does_not_depend_on_the_unit(family, exponent):
    factor = 10.0**exponent
    sample = PAPER["equivalent_diameter_nm"].sample(120, np.random.default_rng(6))
    one, other = fit_marginal(sample, family), fit_marginal(factor * sample, family)
    assert other.outcome == one.outcome
    assert other.log_likelihood + 120 * math.log(factor) == pytest.approx(
        one.log_likelihood, abs=1e-5
    )
    assert other.model.quantile(0.3) == pytest.approx(factor * one.model.quantile(0.3), rel=1e-4)


@given(turn=some.floats(-math.pi, math.pi))
@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("family", ["von_mises", "axial_von_mises"])
def test_turning_all_angles_turns_the_mean_direction(family, turn):
    sample = Marginal("von_mises", {"mu": 0.4, "kappa": 2.0}).sample(150, np.random.default_rng(1))
    turned = (sample + turn + math.pi) % (2 * math.pi) - math.pi
    one, other = fit_marginal(sample, family), fit_marginal(turned, family)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
    assert other.parameters["kappa"] == pytest.approx(one.parameters["kappa"], rel=1e-3)


def test_components_of_a_mixture_come_in_ascending_order():
    sample = PAPER["azimuthal_angle"].sample(600, np.random.default_rng(5))
    for family in ("gaussian_mixture", "von_mises_mixture"):
        fit = fit_marginal(sample, family)
        assert fit.parameters["mu1"] < fit.parameters["mu2"]
        assert fit.parameters["lambda"] == pytest.approx(0.4, abs=0.1)


def test_a_mixture_does_not_collapse_onto_one_observation():
    sample = np.append(np.random.default_rng(2).normal(0, 1, 200), [2.5] * 6)
    fit = fit_marginal(sample, "gaussian_mixture")
    assert min(fit.parameters["sigma1"], fit.parameters["sigma2"]) >= 0.049 * sample.std()
    assert math.isfinite(fit.log_likelihood)


def test_extreme_value_shapes_below_minus_one_are_not_sought():
    sample = np.random.default_rng(3).uniform(0, 1, 60) ** 0.3
    fit = fit_marginal(sample, "generalized_extreme_value")
    assert fit.parameters["k"] >= -1.0
    assert math.isfinite(fit.log_likelihood)


@pytest.mark.parametrize("family", MARGINAL_FAMILIES)
def test_constant_samples_are_degenerate(family):
    fit = fit_marginal(np.full(100, 0.7), family)
    assert (fit.outcome, fit.is_ranked, fit.model) == ("degenerate", False, None)
    assert "0.7" in fit.reason


@pytest.mark.parametrize("family", MARGINAL_FAMILIES)
def test_few_observations_are_insufficient(family):
    fit = fit_marginal(np.linspace(0.1, 0.9, 29), family)
    assert fit.outcome == "insufficient"
    assert "29 observations" in fit.reason


def test_an_angular_family_on_nanometres_is_not_ranked():
    sample = PAPER["equivalent_diameter_nm"].sample(100, np.random.default_rng(1))
    fits = select_marginal(sample, ("von_mises", "gamma"), support=(0, math.inf))
    assert [fit.outcome for fit in fits] == ["converged", "inadmissible"]
    assert "100 observations" in fits[1].reason


def test_values_outside_the_support_are_counted_and_left_out_for_all_alike():
    sample = PAPER["sphericity"].sample(200, np.random.default_rng(1))
    spoiled = np.concatenate([sample, [1.0, 1.03, math.nan]])
    for support in (UNIT, None):
        fits = select_marginal(spoiled, ("beta", "normal"), support)
        for fit in fits:
            assert (fit.sample_size, fit.excluded_count) == (200, 3)
            assert "3 of 203 values" in fit.reason
    assert fits[0].log_likelihood == pytest.approx(
        fit_marginal(sample, fits[0].family).log_likelihood
    )


def test_the_circle_keeps_its_lower_end():
    sample = np.append(PAPER["azimuthal_angle"].sample(50, np.random.default_rng(1)), -math.pi)
    fit = fit_marginal(sample, "uniform", (-math.pi, math.pi))
    assert (fit.sample_size, fit.excluded_count) == (51, 0)
    assert fit.log_likelihood == pytest.approx(-51 * math.log(2 * math.pi))


def test_a_limiting_distribution_is_flagged_at_its_bound():
    sample = Marginal("lognormal", {"mu": 6.2, "sigma": 0.33}).sample(
        400, np.random.default_rng(11)
    )
    fits = {f: fit_marginal(sample, f) for f in ("lognormal", "generalized_gamma")}
    limit = fits["generalized_gamma"]
    assert limit.log_likelihood >= fits["lognormal"].log_likelihood - 1.0
    if limit.outcome == "at_bound":
        assert "shape is at the end of its range" in limit.reason
        assert math.isnan(limit.standard_errors["shape"])


@pytest.mark.parametrize("family", ["lognormal", "gamma", "weibull", "inverse_gaussian"])
def test_a_fit_that_ends_well_has_nothing_to_explain(family):
    sample = Marginal("gamma", {"shape": 9.0, "scale": 55.0}).sample(60, np.random.default_rng(3))
    fit = fit_marginal(sample, family)
    assert (fit.outcome, fit.reason, fit.excluded_count) == ("converged", "", 0)
    assert fit.log_likelihood == pytest.approx(float(fit.model.log_pdf(sample).sum()))


def test_unknown_families_and_characteristics_are_refused():
    with pytest.raises(SettingsError, match="'cauchy'"):
        fit_marginal(np.linspace(0.1, 0.9, 50), "cauchy")
    with pytest.raises(SettingsError, match="'cauchy'"):
        select_marginal(np.linspace(0.1, 0.9, 50), ("beta", "cauchy"))
    with pytest.raises(SettingsError, match=r"\(1, 0\)"):
        fit_marginal(np.linspace(0.1, 0.9, 50), "beta", (1.0, 0.0))


def test_same_sample_gives_the_same_fit():
    sample = PAPER["azimuthal_angle"].sample(100, np.random.default_rng(9))
    assert fit_marginal(sample, "gaussian_mixture") == fit_marginal(sample, "gaussian_mixture")


def test_a_sample_cut_at_a_smallest_size_is_fitted_by_the_distribution_of_all_sizes():
    """Ignoring the cut makes grains too equal; truncating the distribution gives the truth back."""
    distribution = PAPER["equivalent_diameter_nm"]
    cut = smallest_diameter(400.0, 268, 200)
    scores = {"mu": [], "lambda": []}
    naive = []
    for seed in range(20):
        sample = distribution.sample(1000, np.random.default_rng(seed))
        kept = sample[sample > cut]
        assert 0.6 < kept.size / sample.size < 0.9
        fit = fit_marginal(kept, distribution.family, (cut, math.inf))
        for name, values in scores.items():
            values.append(
                (fit.parameters[name] - distribution.parameters[name]) / fit.standard_errors[name]
            )
        naive.append(fit_marginal(kept, distribution.family).parameters["lambda"])
    assert np.mean(naive) > 1.5 * distribution.parameters["lambda"]
    for values in scores.values():
        assert abs(np.mean(values)) < 4 / math.sqrt(20)


def test_the_cut_lies_between_two_counts_of_voxels():
    voxel = 50.0**3
    size = [math.cbrt(6 / math.pi * count * voxel) for count in (33, 34, 700)]
    cut = smallest_diameter(size[2], 700, 34)
    assert size[0] < cut < size[1]
    assert cut == pytest.approx(math.cbrt(6 / math.pi * 33.5 * voxel))
