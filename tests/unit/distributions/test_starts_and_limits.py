"""Where searches begin, what lies beyond a support, and what errors of studies mean."""

from __future__ import annotations

import math
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import stats

from electrode_grains.distributions import (
    COPULA_FAMILIES,
    MARGINAL_FAMILIES,
    BivariateCopula,
    JointDensity,
    Marginal,
    departures,
    fit_copula,
    fit_marginal,
    likelihood_intervals,
    pool_marginals,
    random_effects,
)
from electrode_grains.distributions.compiled_densities import _fingerprint
from electrode_grains.distributions.copula_densities import clayton
from electrode_grains.distributions.copula_families_bb import _log1m_exp
from electrode_grains.distributions.families_real import _reduced

# Starts of a search come from moments or quantiles of the sample: of one that follows its
# distribution evenly they are its parameters, to the accuracy of the formula they are from.
EXACT = {
    "weibull": (2.2, 3.0),
    "log_logistic": (4.5, 2.0),
    "lognormal": (1.2, 0.4),
    "inverse_gaussian": (5.0, 9.0),
    "normal": (2.0, 0.7),
    "logistic": (2.0, 0.7),
    "gumbel_maximum": (2.0, 0.7),
    "gumbel_minimum": (2.0, 0.7),
}
# Formulas that are approximate, and by how much.
NEAR = [
    ("beta", (2.5, 4.0), 1e-3),
    ("beta", (0.8, 0.6), 1e-3),
    ("beta_cosine", (2.0, 3.0), 1e-3),
    ("logit_normal", (0.4, 0.8), 1e-3),
    ("skew_normal", (1.0, 2.0, 3.0), 2e-3),
    ("skew_normal", (1.0, 2.0, -1.5), 2e-3),
    # Hosking (1985): his shape is that of the distribution within .0009.
    ("generalized_extreme_value", (0.2, 1.0, 2.0), 5e-3),
    ("generalized_extreme_value", (-0.3, 1.0, 2.0), 5e-3),
    ("reflected_generalized_extreme_value", (0.2, 1.0, 2.0), 5e-3),
    ("reflected_generalized_extreme_value", (-0.3, 1.0, 2.0), 5e-3),
    # Best and Fisher (1981): three pieces, within half a percent.
    *(
        (family, (centre, kappa), 5e-3)
        for family in ("von_mises", "axial_von_mises")
        for centre in (0.4, -1.0)
        for kappa in (0.5, 1.5, 5.0, 30.0)
    ),
]


def even_sample(family, values, n=20_000):
    return np.asarray(Marginal(family, values).quantile((np.arange(n) + 0.5) / n))


@pytest.mark.parametrize("family", EXACT)
def test_a_search_begins_at_the_parameters_of_a_sample_that_follows_them(family):
    starts = MARGINAL_FAMILIES[family].starts(even_sample(family, EXACT[family]))
    assert starts[0] == pytest.approx(EXACT[family], rel=0.01)


@pytest.mark.parametrize(("family", "values", "error"), NEAR)
def test_a_search_begins_near_the_parameters_where_moments_give_them_nearly(family, values, error):
    starts = MARGINAL_FAMILIES[family].starts(even_sample(family, values))
    assert starts[0] == pytest.approx(values, rel=error)


@pytest.mark.parametrize("skewness", ["weak", "strong"])
def test_all_starts_of_a_skew_normal_search_have_the_mean_and_the_deviation(skewness):
    sample = even_sample("skew_normal", (1.0, 2.0, 1.2 if skewness == "weak" else -4.0))
    starts = MARGINAL_FAMILIES["skew_normal"].starts(sample)
    moments = [stats.skewnorm.stats(a, xi, omega, moments="mvs") for xi, omega, a in starts]
    own = float(stats.skew(sample))
    for mean, variance, _ in moments:
        assert mean == pytest.approx(sample.mean())
        assert variance == pytest.approx(sample.var())
    expected = [own, own / 2, math.copysign(0.9, own)]
    assert [skew for _, _, skew in moments] == pytest.approx(expected)


@pytest.mark.parametrize("family", ["generalized_extreme_value", "weibull"])
def test_each_start_of_an_extreme_value_search_has_mean_and_spread_and_a_density_everywhere(family):
    """Spread is half of Gini's mean difference; a distribution that ends too early is widened."""
    values = (0.05, 1.0, 2.0) if family != "weibull" else (2.2, 3.0)
    sample = even_sample(family, values, 2000)
    kept = 0
    first, *others = (
        k for k, _, _ in MARGINAL_FAMILIES["generalized_extreme_value"].starts(sample)
    )
    assert others == pytest.approx([first - 0.15, first + 0.15, -0.45, -0.2, 0.1])
    for k, mu, sigma in MARGINAL_FAMILIES["generalized_extreme_value"].starts(sample):
        fitted = stats.genextreme(-k, mu, sigma)
        assert np.isfinite(fitted.logpdf(sample)).all()
        levels = (np.arange(20_000) + 0.5) / 20_000
        own = fitted.ppf(levels)
        gini, wanted = (
            2 * np.mean(x * (np.arange(x.size) + 0.5) / x.size) - x.mean() for x in (own, sample)
        )
        if own.mean() == pytest.approx(sample.mean(), rel=0.01):
            kept += 1
            assert gini == pytest.approx(wanted, rel=0.02)
        else:  # one end lies just beyond the extreme observation
            end = fitted.support()[k < 0]
            outermost = sample[-1 if k < 0 else 0]
            assert 0 < abs(end - outermost) < 0.05 * sigma / abs(k)
    assert kept >= 3


@pytest.mark.parametrize(("place", "b"), [(0, 1.0), (1, 3.0), (2, 10.0)])
def test_each_start_of_a_kumaraswamy_search_is_near_a_distribution_and_best_for_its_power(place, b):
    family = MARGINAL_FAMILIES["kumaraswamy"]
    sample = even_sample("kumaraswamy", (2.0, b))
    starts = family.starts(sample)
    # log(b) + gamma is psi(b + 1) + gamma, the mean of a log(1/x), within 9 % from b = 3 on.
    assert starts[place][0] == pytest.approx(2.0, rel=1e-3 if b == 1 else 0.09)
    for a, best in starts:
        at, below, above = (
            family.log_density(sample, a, best * factor).mean() for factor in (1, 0.99, 1.01)
        )
        assert at > max(below, above)


@pytest.mark.parametrize(("shape", "error"), [(0.3, 0.015), (1, 0.015), (2.5, 4e-3), (40, 1e-4)])
def test_the_search_of_a_gamma_distribution_begins_where_minka_says_and_at_the_moments(
    shape, error
):
    sample = even_sample("gamma", (shape, 1.5))
    first, second = MARGINAL_FAMILIES["gamma"].starts(sample)
    # Minka, "Estimating a Gamma distribution" (2002): within 1.5 % of the maximum, which its
    # expansion approaches as the shape grows.
    best = fit_marginal(sample, "gamma").parameters
    assert first == pytest.approx((best["shape"], best["scale"]), rel=error)
    assert first[0] * first[1] == pytest.approx(sample.mean())
    assert second[0] * second[1] == pytest.approx(sample.mean())
    assert second[0] * second[1] ** 2 == pytest.approx(sample.var())


@pytest.mark.parametrize("family", ["generalized_gamma", "inverse_generalized_gamma"])
def test_each_start_of_a_generalised_gamma_search_has_centre_and_width_of_the_logarithm(family):
    """All lie on the ridge to the lognormal limit: power times root of the shape is 1 / sigma."""
    sample = even_sample("lognormal", (0.7, 0.4))
    starts = MARGINAL_FAMILIES[family].starts(sample)
    assert [shape for shape, _, _ in starts] == [0.5, 2.0, 20.0, 1e3]
    for shape, power, scale in starts:
        assert power * math.sqrt(shape) == pytest.approx(1 / 0.4, rel=0.01)
        sign = -1 if family.startswith("inverse") else 1
        assert math.log(scale) + sign * math.log(shape) / power == pytest.approx(0.7, abs=1e-3)
    far = MARGINAL_FAMILIES[family].log_density(sample, *starts[-1])
    near = MARGINAL_FAMILIES["lognormal"].log_density(sample, 0.7, 0.4)
    assert far.mean() == pytest.approx(near.mean(), abs=2e-3)


def test_the_last_start_of_a_burr_search_is_nearly_the_weibull_law():
    sample = even_sample("weibull", (2.2, 3.0))
    starts = MARGINAL_FAMILIES["burr_xii"].starts(sample)
    assert [d for _, d, _ in starts] == [1e4, 10.0, 2.0]
    shape, scale = MARGINAL_FAMILIES["weibull"].starts(sample)[0]
    np.testing.assert_allclose(
        MARGINAL_FAMILIES["burr_xii"].log_density(sample, *starts[0]),
        MARGINAL_FAMILIES["weibull"].log_density(sample, shape, scale),
        rtol=2e-3, atol=2e-3,
    )  # fmt: skip
    for c, d, middle in starts:
        assert c == shape
        assert middle * d ** (-1 / c) == pytest.approx(scale)


# Limits that a fit may name, of data divided by their standard deviation

USUAL = {
    "shape": (1e-3, 1e5),
    "scale": (1e-4, 1e12),
    "log_location": (-100.0, 100.0),
    "probability": (0.005, 0.995),
}
ANYWHERE = (-math.inf, math.inf)


def limits_told():
    """Limits of parameters by family and name, as the guide has them."""
    text = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    table = text.split("| family as in settings | parameters: limits |")[1].split("\n\n")[0]
    limits = {}
    for row in table.splitlines()[2:]:
        families, told = row.strip("|").split("|")
        for part in told.split(";"):
            names, ends = part.split(":")
            low, high = (float(end) for end in ends.split(" to "))
            for family in re.findall(r"`(\w+)`", families):
                for name in names.split(","):
                    limits[family, name.strip()] = (low, high)
    return limits


def test_a_fit_searches_between_the_limits_that_the_guide_tells():
    limits = limits_told()
    for name, family in {**MARGINAL_FAMILIES, **COPULA_FAMILIES}.items():
        for parameter in family.parameters:
            expected = limits.pop((name, parameter.name), USUAL.get(parameter.kind, ANYWHERE))
            assert parameter.search_range == pytest.approx(expected, rel=1e-5), (name, parameter)
    assert limits == {}


# Probabilities between two ends, where one of them lies in a tail


@pytest.mark.parametrize(
    ("lower", "upper"), [(9.0, 10.0), (-10.0, -9.0), (-1.0, 2.0), (0.2, 30.0), (-30.0, -0.2)]
)
def test_the_mass_of_a_far_interval_keeps_its_digits(lower, upper):
    with mpmath.workdps(60):
        exact = float(mpmath.ncdf(upper) - mpmath.ncdf(lower))
    family = MARGINAL_FAMILIES["normal"]
    assert family.mass_between((0.0, 1.0), lower, upper) == pytest.approx(exact, rel=1e-12, abs=0)


@pytest.mark.parametrize("theta", [-60.0, -2.5, 0.4, 3.0, 25.0, 80.0])
def test_the_frank_copula_is_its_formula_in_high_precision(theta):
    """Where its logarithm is taken in one way, in the other, and at the bound between them."""
    levels = [1e-9, 0.003, 0.1, 0.25, 0.5, 0.7, 0.9, 0.999]
    u, v = (part.ravel() for part in np.meshgrid(levels, levels))
    found = COPULA_FAMILIES["frank"].cdf(u, v, (theta,))
    with mpmath.workdps(80):
        t = mpmath.mpf(theta)
        exact = [
            float(-mpmath.log1p(mpmath.expm1(-t * a) * mpmath.expm1(-t * b) / mpmath.expm1(-t)) / t)
            for a, b in zip(map(mpmath.mpf, u), map(mpmath.mpf, v), strict=True)
        ]
    # Negative dependence by reflection: the difference of two levels keeps 16 digits of them.
    np.testing.assert_allclose(found, exact, rtol=1e-11, atol=3e-16)


SMALL = [1e-9, 1e-6, 3e-5, 9.9e-5, 1.01e-4, 1e-3, 0.5]


@pytest.mark.parametrize("t", [0.0, 3.0, *SMALL, *(-t for t in SMALL)])
@pytest.mark.parametrize("k", [-0.4, 1e-3, 0.3])
def test_extreme_values_near_a_gumbel_distribution_keep_their_digits(t, k):
    """The logarithm over its argument, by a series below a ten-thousandth."""
    x = t / k
    with mpmath.workdps(40):
        exact = float(mpmath.log1p(mpmath.mpf(k) * mpmath.mpf(x)) / mpmath.mpf(k))
    assert _reduced(np.float64(x), k, 0.0, 1.0) == pytest.approx(exact, rel=2e-15, abs=0)


@pytest.mark.parametrize("a", [-1e-300, -1e-17, -1e-9, -0.3, -0.69, -0.7, -1.0, -40.0, -700.0])
def test_the_logarithm_of_what_is_left_of_one_keeps_its_digits(a):
    with mpmath.workdps(400):
        exact = float(mpmath.log(-mpmath.expm1(mpmath.mpf(a))))
    assert _log1m_exp(a) == pytest.approx(exact, rel=1e-14, abs=0)


@pytest.mark.parametrize("family", ["log_logistic", "burr_xii", "inverse_generalized_gamma"])
def test_moments_of_power_tails_are_their_closed_forms(family):
    scale = 2.0
    if family == "log_logistic":
        values, b = (3.1, scale), math.pi / 3.1
        mean = scale * b / math.sin(b)
        square = scale**2 * 2 * b / math.sin(2 * b)
    elif family == "burr_xii":
        c, d = 2.4, 1.6
        values = (c, d, scale)
        mean, square = (
            scale**k * math.gamma(1 + k / c) * math.gamma(d - k / c) / math.gamma(d) for k in (1, 2)
        )
    else:
        shape, power = 1.7, 1.4
        values = (shape, power, scale)
        mean, square = (
            scale**k * math.gamma(shape - k / power) / math.gamma(shape) for k in (1, 2)
        )
    marginal = Marginal(family, values)
    assert marginal.mean() == pytest.approx(mean, rel=1e-7)
    assert marginal.std() == pytest.approx(math.sqrt(square - mean**2), rel=1e-4)


# Errors of particles


def test_departures_are_deviations_in_units_of_their_errors():
    values, errors = np.array([1.0, 1.4, 0.7, 1.1, 3.0]), np.array([0.2, 0.3, 0.25, 0.4, 0.5])
    found = departures(values, errors)
    for index in range(5):
        rest = np.arange(5) != index
        others = random_effects(values[rest], errors[rest])
        mean_variance = 1 / np.sum(1 / (errors[rest] ** 2 + others.between**2))
        assert found.others[index] == pytest.approx(others.mean)
        assert found.difference[index] == pytest.approx(values[index] - others.mean)
        noise = math.sqrt(errors[index] ** 2 + mean_variance)
        scatter = math.sqrt(noise**2 + others.between**2)
        away = abs(values[index] - others.mean)
        assert found.p_value[index] == pytest.approx(2 * stats.t.sf(away / scatter, 3))
        assert found.grain_p_value[index] == pytest.approx(2 * stats.norm.sf(away / noise))


def test_directions_of_particles_are_averaged_over_the_seam_of_the_circle():
    """Means of 170 and -170 degrees lie around 180, not around 0."""
    rng = np.random.default_rng(3)
    centres = np.radians([170.0, -170.0, 175.0, -175.0])
    names = np.repeat(np.arange(4), 150)
    values = (rng.vonmises(centres[names], 40.0) + math.pi) % (2 * math.pi) - math.pi
    support = (-math.pi, math.pi)

    (pooled,) = pool_marginals(values, names, ["von_mises"], support)

    angle = next(p.name for p in MARGINAL_FAMILIES["von_mises"].parameters if p.kind == "angle")
    effect = pooled.effects[angle]
    assert abs(math.remainder(effect.centre - math.pi, 2 * math.pi)) < math.radians(5)
    assert effect.between < math.radians(20)


@pytest.mark.parametrize("turn", [0.0, 1.2, 3.0])
def test_directions_to_both_sides_of_one_have_it_as_their_mean(turn):
    """Also far from it, where a circle that is cut elsewhere would tear one off the others."""
    even = even_sample("von_mises", (0.0, 40.0), 200)
    directions = np.array([-1.7, 0.0, 1.7]) + turn
    values = np.concatenate([even + direction for direction in directions])
    values = (values + math.pi) % (2 * math.pi) - math.pi

    (pooled,) = pool_marginals(
        values, np.repeat(["a", "b", "c"], even.size), ["von_mises"], (-math.pi, math.pi)
    )

    angle = next(p.name for p in MARGINAL_FAMILIES["von_mises"].parameters if p.kind == "angle")
    effect = pooled.effects[angle]
    assert abs(math.remainder(effect.centre - turn, 2 * math.pi)) < 1e-3
    assert effect.between == pytest.approx(1.7, rel=1e-3)  # of -1.7, 0 and 1.7


def test_a_parameter_at_its_limit_within_four_fifths_is_weakly_identified():
    """BB8 of delta 1 is Joe's copula; its likelihood hardly changes below the limit."""
    u, v = BivariateCopula("joe", (3.0,)).sample(150, np.random.default_rng(5))
    uniform = Marginal("uniform", (), (0.0, 1.0))
    at_limit = fit_copula(u, v, "bb8").model
    assert at_limit.parameters[1] > 0.99
    _, is_weak = likelihood_intervals(JointDensity(uniform, uniform, at_limit), u, v)
    assert is_weak


def test_code_of_a_prompt_is_told_by_the_files_of_the_package_alone():
    namespace: dict[str, object] = {}
    exec("def density(u, v, t):\n    return t", namespace)
    typed = namespace["density"]
    assert _fingerprint(typed) == _fingerprint(len)  # neither has a file
    assert _fingerprint(typed) != _fingerprint(clayton)
