import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.integrate import quad

from electrode_grains.distributions.families import candidate_families
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.registry import MARGINAL_FAMILIES
from electrode_grains.errors import SettingsError

# Tables 1 and 2 of Furat, Finegan et al., J. Power Sources 483 (2021) 229148: the printed
# parameters and the moments that they imply. Convexity is a Gumbel distribution of minima (as
# printed, of maxima, its mean would be 0.84 instead of 0.79), and the deviation of the
# azimuth is 1.706 (1.306 is its square root).
TABLE_2 = [
    ("inverse_gaussian", {"mu": 513.8, "lambda": 4600}, None, 513.8, 171.716582),
    ("beta", {"a": 40.1, "b": 7.2}, None, 0.847780, 0.051690),
    (
        "generalized_extreme_value",
        {"k": 0, "mu": 0.82, "sigma": 0.048},
        (0, 1),
        0.842933,
        0.053337,
    ),
    ("gumbel_minimum", {"mu": 0.82, "sigma": 0.048}, (0, 1), 0.792294, 0.061562),
    (
        "generalized_extreme_value",
        {"k": -0.42, "mu": 0.72, "sigma": 0.086},
        (0, 1),
        0.743270,
        0.081130,
    ),
    (
        "gaussian_mixture",
        {"mu1": -1.7, "mu2": 1.6, "sigma1": 1, "sigma2": 0.8, "lambda": 0.4},
        None,
        0.347444,
        1.706398,
    ),
    ("sine", {}, None, 1.0, 0.376288),
]
EXAMPLES = [
    ("inverse_gaussian", {"mu": 513.8, "lambda": 4600}, None),
    ("inverse_gaussian", {"mu": 2.0, "lambda": 0.5}, (0.3, 4.0)),
    ("lognormal", {"mu": 6.2, "sigma": 0.33}, None),
    ("gamma", {"shape": 9.0, "scale": 55.0}, None),
    ("gamma", {"shape": 0.6, "scale": 1.0}, None),
    ("weibull", {"shape": 3.1, "scale": 577.0}, None),
    ("weibull", {"shape": 19.0, "scale": 0.87}, (0, 1)),
    ("normal", {"mu": 0.9, "sigma": 0.1}, (0, 1)),
    ("normal", {"mu": 516.0, "sigma": 170.0}, (0, math.inf)),
    ("logistic", {"mu": 500.0, "sigma": 97.0}, (0, math.inf)),
    ("log_logistic", {"shape": 5.3, "scale": 488.0}, None),
    ("generalized_gamma", {"shape": 2.5, "power": 1.4, "scale": 200.0}, None),
    ("generalized_gamma", {"shape": 4000.0, "power": 0.05, "scale": 1e-70}, None),
    ("burr_xii", {"c": 5.4, "d": 0.97, "scale": 484.0}, None),
    ("inverse_generalized_gamma", (3.7, 1.4, 700.0), None),
    ("normal_mixture", (0.72, 0.81, 0.05, 0.03, 0.26), (0, 1)),
    ("gumbel_minimum_mixture", (0.69, 0.82, 0.03, 0.04, 0.1), (0, 1)),
    ("gumbel_maximum_mixture", (0.69, 0.8, 0.03, 0.02, 0.3), (0, 1)),
    ("lognormal_mixture", (5.5, 6.6, 0.2, 0.15, 0.6), None),
    ("beta_mixture", (15.7, 102.7, 4.6, 17.4, 0.4), None),
    ("gumbel_maximum", {"mu": 438.0, "sigma": 135.0}, (0, math.inf)),
    ("gumbel_minimum", {"mu": 0.82, "sigma": 0.048}, (0, 1)),
    ("generalized_extreme_value", {"k": -0.42, "mu": 0.72, "sigma": 0.086}, (0, 1)),
    ("generalized_extreme_value", {"k": 0.2, "mu": 438.0, "sigma": 135.0}, (0, math.inf)),
    ("generalized_extreme_value", {"k": 1e-7, "mu": 0.7, "sigma": 0.1}, None),
    ("reflected_generalized_extreme_value", {"k": 0.2, "mu": 0.8, "sigma": 0.05}, None),
    ("reflected_generalized_extreme_value", {"k": -0.3, "mu": 0.8, "sigma": 0.05}, (0, 1)),
    ("skew_normal", {"xi": 304.0, "omega": 274.0, "alpha": 4.8}, (0, math.inf)),
    ("skew_normal", {"xi": 0.9, "omega": 0.07, "alpha": -2.2}, (0, 1)),
    (
        "gaussian_mixture",
        {"mu1": -1.7, "mu2": 1.6, "sigma1": 1, "sigma2": 0.8, "lambda": 0.4},
        None,
    ),
    ("beta", {"a": 40.1, "b": 7.2}, None),
    ("beta", {"a": 3.0, "b": 2.0}, (0.2, 0.7)),
    ("kumaraswamy", {"a": 18.4, "b": 11.6}, None),
    ("logit_normal", {"mu": 1.8, "sigma": 0.42}, None),
    ("uniform", {}, None),
    ("uniform", {}, (0, math.pi / 2)),
    ("von_mises", {"mu": 2.5, "kappa": 1.3}, None),
    ("axial_von_mises", {"mu": -1.5, "kappa": 0.9}, None),
    (
        "von_mises_mixture",
        {"mu1": -1.5, "mu2": 1.6, "kappa1": 1.5, "kappa2": 1.9, "lambda": 0.4},
        None,
    ),
    ("sine", {}, None),
    ("watson", {"kappa": -2.0}, None),
    ("watson", {"kappa": 3.0}, None),
    ("beta_cosine", {"a": 1.2, "b": 0.8}, None),
]
NAMES = [f"{family}-{index}" for index, (family, _, _) in enumerate(EXAMPLES)]
SCIPY = [
    ("inverse_gaussian", {"mu": 513.8, "lambda": 4600}, st.invgauss(513.8 / 4600, scale=4600)),
    ("lognormal", {"mu": 6.2, "sigma": 0.33}, st.lognorm(0.33, scale=math.exp(6.2))),
    ("gamma", {"shape": 9.0, "scale": 55.0}, st.gamma(9.0, scale=55.0)),
    ("weibull", {"shape": 3.1, "scale": 577.0}, st.weibull_min(3.1, scale=577.0)),
    ("normal", {"mu": 1.0, "sigma": 2.0}, st.norm(1.0, 2.0)),
    ("logistic", {"mu": 1.0, "sigma": 2.0}, st.logistic(1.0, 2.0)),
    ("log_logistic", {"shape": 5.3, "scale": 488.0}, st.fisk(5.3, scale=488.0)),
    (
        "generalized_gamma",
        {"shape": 2.5, "power": 1.4, "scale": 200.0},
        st.gengamma(2.5, 1.4, scale=200.0),
    ),
    ("burr_xii", {"c": 5.4, "d": 0.9, "scale": 484.0}, st.burr12(5.4, 0.9, scale=484.0)),
    ("gumbel_maximum", {"mu": 4.0, "sigma": 1.5}, st.gumbel_r(4.0, 1.5)),
    ("gumbel_minimum", {"mu": 4.0, "sigma": 1.5}, st.gumbel_l(4.0, 1.5)),
    (
        "generalized_extreme_value",
        {"k": -0.42, "mu": 0.72, "sigma": 0.086},
        st.genextreme(0.42, 0.72, 0.086),
    ),
    (
        "generalized_extreme_value",
        {"k": 0.3, "mu": 0.72, "sigma": 0.086},
        st.genextreme(-0.3, 0.72, 0.086),
    ),
    ("skew_normal", {"xi": 0.9, "omega": 0.07, "alpha": -2.2}, st.skewnorm(-2.2, 0.9, 0.07)),
    ("beta", {"a": 40.1, "b": 7.2}, st.beta(40.1, 7.2)),
    ("von_mises", {"mu": 0.0, "kappa": 1.3}, st.vonmises(1.3)),
]


@pytest.mark.parametrize(("family", "parameters", "support", "mean", "std"), TABLE_2)
def test_table_2_follows_from_the_printed_parameters(family, parameters, support, mean, std):
    marginal = Marginal(family, parameters, support)
    assert marginal.mean() == pytest.approx(mean, abs=6e-7)
    assert marginal.std() == pytest.approx(std, abs=6e-7)


def test_size_has_the_mode_and_median_of_the_printed_distribution_not_400_nm():
    diameter = Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600})
    grid = np.linspace(300, 600, 30001)
    assert grid[np.argmax(diameter.pdf(grid))] == pytest.approx(434.9, abs=0.05)
    assert diameter.quantile(0.5) == pytest.approx(486.8, abs=0.05)


@pytest.mark.parametrize(
    ("family", "parameters", "support", "mass"),
    [
        ("gumbel_maximum", {"mu": 0.82, "sigma": 0.048}, (0, 1), 0.976757),
        (
            "gaussian_mixture",
            {"mu1": -1.7, "mu2": 1.6, "sigma1": 1, "sigma2": 0.8, "lambda": 0.4},
            (-math.pi, math.pi),
            0.953922,
        ),
    ],
)
def test_truncation_renormalises_by_the_mass_inside(family, parameters, support, mass):
    whole = Marginal(family, parameters, (-math.inf, math.inf))
    truncated = Marginal(family, parameters, support)
    assert whole.pdf(0.9) / truncated.pdf(0.9) == pytest.approx(mass, abs=5e-7)
    assert truncated.pdf(support[1] + 0.1) == 0.0


def test_the_mixture_is_truncated_to_the_circle_unless_told_otherwise():
    parameters = {"mu1": -1.7, "mu2": 1.6, "sigma1": 1, "sigma2": 0.8, "lambda": 0.4}
    assert Marginal("gaussian_mixture", parameters).bounds == (-math.pi, math.pi)


def test_every_family_has_an_example():
    assert {family for family, _, _ in EXAMPLES} == set(MARGINAL_FAMILIES)


@pytest.mark.parametrize(("family", "parameters", "support"), EXAMPLES, ids=NAMES)
def test_density_integrates_to_the_distribution_function(family, parameters, support):
    marginal = Marginal(family, parameters, support)
    cuts = marginal.quantile(np.array([1e-3, 0.02, 0.3, 0.7, 0.98, 1 - 1e-6]))
    for left, right in pairwise(cuts):
        area = quad(marginal.pdf, left, right, epsabs=1e-12)[0]
        assert area == pytest.approx(marginal.cdf(right) - marginal.cdf(left), abs=1e-8)


@pytest.mark.parametrize(("family", "parameters", "support"), EXAMPLES, ids=NAMES)
def test_quantile_inverts_the_distribution_function(family, parameters, support):
    marginal = Marginal(family, parameters, support)
    probability = np.array([1e-9, 1e-4, 0.1, 0.5, 0.9, 1 - 1e-4, 1 - 1e-9])
    x = marginal.quantile(probability)
    assert np.all(np.diff(x) > 0)
    np.testing.assert_allclose(marginal.cdf(x), probability, rtol=1e-7, atol=2e-13)


@pytest.mark.parametrize(
    ("family", "parameters", "support"),
    [
        ("beta_mixture", (17.3, 93.7, 5.3, 16.3, 0.39), None),
        ("normal_mixture", (0.6, 0.9, 0.1, 0.01, 0.3), (0.0, 1.0)),
        ("gaussian_mixture", (-1.0, 2.0, 0.4, 0.9, 0.5), None),
        ("skew_normal", (379.0, 196.0, 3.8), (0.0, math.inf)),
    ],
)
def test_many_quantiles_are_those_of_a_few_at_a_time(family, parameters, support):
    marginal = Marginal(family, parameters, support)
    ends = [1e-6, 0.5, 0.5, 1 - 1e-12, 1 - 2.0**-53]  # below, the skew normal has fewer digits
    probability = np.concatenate([np.random.default_rng(4).random(3000), ends])
    few = np.concatenate([marginal.quantile(part) for part in np.array_split(probability, 10)])
    np.testing.assert_allclose(marginal.quantile(probability), few, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("family", "parameters", "support"), EXAMPLES, ids=NAMES)
def test_moments_are_those_of_the_quantile_function(family, parameters, support):
    marginal = Marginal(family, parameters, support)
    # E g(X) is the integral of g(Q(u)); midpoints in a variable that stretches both ends
    t = np.linspace(-4.5, 4.5, 8001)
    u = st.norm.cdf(np.sinh(t))
    weight = st.norm.pdf(np.sinh(t)) * np.cosh(t) * (t[1] - t[0])
    inner = (u > 1e-14) & (u < 1 - 1e-14)
    x, weight = marginal.quantile(u[inner]), weight[inner]
    mean = np.sum(x * weight)
    assert marginal.mean() == pytest.approx(mean, rel=1e-4, abs=1e-6)
    assert marginal.std() == pytest.approx(math.sqrt(np.sum((x - mean) ** 2 * weight)), rel=1e-3)


@pytest.mark.parametrize(("family", "parameters", "reference"), SCIPY)
def test_density_and_distribution_function_equal_scipy(family, parameters, reference):
    marginal = Marginal(family, parameters)
    probability = np.array([1e-6, 0.01, 0.3, 0.5, 0.8, 0.99, 1 - 1e-6])
    x = reference.ppf(probability)
    np.testing.assert_allclose(marginal.log_pdf(x), reference.logpdf(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(marginal.cdf(x), reference.cdf(x), rtol=1e-8)
    np.testing.assert_allclose(marginal.quantile(probability), x, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("family", "parameters", "mean", "std"),
    [
        ("log_logistic", {"shape": 2.3, "scale": 1.0}, st.fisk(2.3).mean(), st.fisk(2.3).std()),
        (
            "generalized_extreme_value",
            {"k": 0.45, "mu": 0, "sigma": 1},
            st.genextreme(-0.45).mean(),
            st.genextreme(-0.45).std(),
        ),
        ("log_logistic", {"shape": 1.5, "scale": 1.0}, st.fisk(1.5).mean(), math.inf),
        (
            "log_logistic",
            {"shape": 2.3, "scale": 1e-7},  # metres
            1e-7 * st.fisk(2.3).mean(),
            1e-7 * st.fisk(2.3).std(),
        ),
        ("burr_xii", {"c": 1.0, "d": 0.9, "scale": 1.0}, math.inf, math.inf),
        (
            "reflected_generalized_extreme_value",
            {"k": 1.2, "mu": 0, "sigma": 1},
            -math.inf,
            math.inf,
        ),
    ],
)
def test_moments_of_heavy_tails_are_exact_or_infinite(family, parameters, mean, std):
    marginal = Marginal(family, parameters)
    assert marginal.mean() == pytest.approx(mean, rel=1e-6)
    assert marginal.std() == pytest.approx(std, rel=1e-5)


@given(
    k=some.floats(-0.95, 0.9),
    mu=some.floats(-5, 5),
    sigma=some.floats(0.05, 20),
    u=some.floats(1e-6, 1 - 1e-6),
)
@settings(max_examples=60, deadline=None)
def test_reflection_turns_one_extreme_value_distribution_into_the_other(k, mu, sigma, u):
    distribution = Marginal("generalized_extreme_value", {"k": k, "mu": mu, "sigma": sigma})
    mirror = Marginal("reflected_generalized_extreme_value", {"k": k, "mu": -mu, "sigma": sigma})
    x = distribution.quantile(u)
    assert distribution.cdf(x) == pytest.approx(u, rel=1e-6)
    assert mirror.log_pdf(-x) == pytest.approx(distribution.log_pdf(x), rel=1e-9, abs=1e-9)
    assert mirror.cdf(-x) == pytest.approx(1 - distribution.cdf(x), abs=1e-9)


@given(k=some.floats(-1e-5, 1e-5), z=some.floats(-2, 8))
@settings(max_examples=60, deadline=None)
def test_extreme_value_distributions_pass_through_gumbel(k, z):
    near = Marginal("generalized_extreme_value", {"k": k, "mu": 1.0, "sigma": 2.0})
    gumbel = Marginal("gumbel_maximum", {"mu": 1.0, "sigma": 2.0})
    assert near.log_pdf(1 + 2 * z) == pytest.approx(gumbel.log_pdf(1 + 2 * z), abs=1e-3)


@given(factor=some.floats(1e-6, 1e6), u=some.floats(0.001, 0.999))
@settings(max_examples=40, deadline=None)
def test_change_of_unit_scales_the_quantiles(factor, u):
    nanometres = Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600})
    other = Marginal("inverse_gaussian", {"mu": 513.8 * factor, "lambda": 4600 * factor})
    assert other.quantile(u) == pytest.approx(factor * nanometres.quantile(u), rel=1e-9)


def test_nested_families_agree_with_their_special_cases():
    x = np.linspace(0.1, 1.5, 15)
    for nested, parameters, family, general in [
        ("gamma", {"shape": 2, "scale": 3}, "generalized_gamma", (2, 1, 3)),
        ("weibull", {"shape": 2, "scale": 3}, "generalized_gamma", (1, 2, 3)),
        ("log_logistic", {"shape": 2, "scale": 3}, "burr_xii", (2, 1, 3)),
        ("normal", {"mu": 1, "sigma": 2}, "skew_normal", (1, 2, 0)),
        ("sine", {}, "watson", (0,)),
        ("sine", {}, "beta_cosine", (1, 1)),
    ]:
        names = MARGINAL_FAMILIES[family].parameter_names
        larger = Marginal(family, dict(zip(names, general, strict=True)))
        np.testing.assert_allclose(
            larger.log_pdf(x), Marginal(nested, parameters).log_pdf(x), atol=1e-12
        )


def test_truncated_far_tail_stays_accurate():
    tail = Marginal("normal", {"mu": 0.0, "sigma": 1.0}, (6.0, math.inf))
    reference = st.truncnorm(6.0, math.inf)
    assert tail.mean() == pytest.approx(reference.mean(), rel=1e-8)
    assert tail.quantile(0.3) == pytest.approx(reference.ppf(0.3), rel=1e-9)
    assert tail.log_pdf(7.0) == pytest.approx(reference.logpdf(7.0), rel=1e-9)


def test_values_outside_the_support_have_no_density_and_sure_probabilities():
    sphericity = Marginal("beta", {"a": 40.1, "b": 7.2})
    np.testing.assert_array_equal(sphericity.pdf([-0.1, 0.0, 1.0, 1.1]), 0.0)
    np.testing.assert_array_equal(sphericity.cdf([-0.1, 0.0, 1.0, 1.1]), [0, 0, 1, 1])
    assert np.isnan(sphericity.cdf(math.nan))
    assert np.isnan(sphericity.quantile(1.1))
    np.testing.assert_array_equal(sphericity.quantile([0.0, 1.0]), [0.0, 1.0])


def test_the_last_quantile_is_the_end_point_of_the_law():
    elongation = Marginal(
        "generalized_extreme_value", {"k": -0.42, "mu": 0.72, "sigma": 0.086}, (0, 1)
    )
    assert elongation.quantile(1.0) == pytest.approx(0.924762, abs=5e-7)


def test_equal_seeds_draw_equal_samples_with_the_moments_of_the_law():
    distribution = Marginal("gumbel_minimum", {"mu": 0.82, "sigma": 0.048}, (0, 1))
    first, second = (distribution.sample(4000, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert abs(first.mean() - distribution.mean()) < 4 * distribution.std() / math.sqrt(4000)
    assert st.kstest(first, distribution.cdf).pvalue > 0.01


def test_marginals_compare_and_travel_between_processes():
    distribution = Marginal("beta", {"b": 7.2, "a": 40.1}, (0, 1))
    assert pickle.loads(pickle.dumps(distribution)) == distribution
    assert list(distribution.parameters) == ["a", "b"]


@pytest.mark.parametrize(
    ("family", "parameters", "support", "message"),
    [
        ("inverse_gauss", {}, None, "'inverse_gauss'"),
        ("beta", {"a": 1.0}, None, "expected: a, b"),
        ("beta", {"a": 1.0, "b": -2.0}, None, "b = -2"),
        ("normal", {"mu": math.nan, "sigma": 1.0}, None, "mu = nan"),
        (
            "gaussian_mixture",
            {"mu1": 0, "mu2": 1, "sigma1": 1, "sigma2": 1, "lambda": 1.4},
            None,
            r"lambda = 1.4[\s\S]*\(0, 1\)",
        ),
        ("normal", {"mu": 0.0, "sigma": 1.0}, (1.0, 0.0), r"\(1, 0\)"),
        ("beta", {"a": 1.0, "b": 2.0}, (2.0, 3.0), "no probability on its support"),
        ("normal", {"mu": 0.0, "sigma": 1.0}, (60.0, 61.0), "no probability on its support"),
    ],
)
def test_impossible_distributions_are_refused(family, parameters, support, message):
    with pytest.raises(SettingsError, match=message):
        Marginal(family, parameters, support)


def test_candidates_of_a_characteristic_share_a_support():
    families, support = candidate_families("sphericity")
    assert "beta" in families
    assert "gumbel_minimum" in families
    assert support == (0.0, 1.0)
    with pytest.raises(SettingsError, match="'roundness'"):
        candidate_families("roundness")
