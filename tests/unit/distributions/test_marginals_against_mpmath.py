"""Densities and tails beside those of formulas in 30 digits.

Tails of the skew-normal and of distributions on the circle are differences: they hold to
1e-13 of the whole.
"""

import math

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

from electrode_grains.distributions import Marginal
from electrode_grains.distributions.registry import family_named
from proofs import proves

REAL = (-math.inf, math.inf)


def normal(x, mu, sigma):
    return mp.npdf(x, mu, sigma)


def gumbel(x, mu, sigma):
    z = (x - mu) / sigma
    return mp.exp(-z - mp.exp(-z)) / sigma


def extreme(x, k, mu, sigma):
    base = 1 + k * (x - mu) / sigma
    return base ** (-1 - 1 / k) * mp.exp(-(base ** (-1 / k))) / sigma if base > 0 else mpf(0)


def generalized_gamma(x, shape, power, scale):
    log_density = (
        mp.log(power / scale)
        + (shape * power - 1) * mp.log(x / scale)
        - (x / scale) ** power
        - mp.loggamma(shape)
    )
    return mp.exp(log_density)


def von_mises(x, mu, kappa, period=1):
    return mp.exp(kappa * mp.cos(period * (x - mu))) / (2 * mp.pi * mp.besseli(0, kappa))


def logit_normal(x, mu, sigma):
    return normal(mp.log(x / (1 - x)), mu, sigma) / (x * (1 - x))


def watson(x, kappa):
    return mp.sin(x) * mp.exp(kappa * mp.cos(x) ** 2) / mp.hyp1f1(0.5, 1.5, kappa)


def mixture(component):
    return lambda x, a, b, c, d, share: (
        share * component(x, a, c) + (1 - share) * component(x, b, d)
    )


def beta(x, a, b):
    return x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b)


DENSITIES = {
    "inverse_gaussian": lambda x, mu, lam: (
        mp.sqrt(lam / (2 * mp.pi * x**3)) * mp.exp(-lam * (x - mu) ** 2 / (2 * mu**2 * x))
    ),
    "lognormal": lambda x, mu, sigma: normal(mp.log(x), mu, sigma) / x,
    "gamma": lambda x, shape, scale: generalized_gamma(x, shape, mpf(1), scale),
    "weibull": lambda x, shape, scale: generalized_gamma(x, mpf(1), shape, scale),
    "log_logistic": lambda x, shape, scale: (
        shape / x * (x / scale) ** shape / (1 + (x / scale) ** shape) ** 2
    ),
    "generalized_gamma": generalized_gamma,
    "burr_xii": lambda x, c, d, scale: (
        c * d / x * (x / scale) ** c / (1 + (x / scale) ** c) ** (d + 1)
    ),
    "normal": normal,
    "logistic": lambda x, mu, sigma: mp.sech((x - mu) / (2 * sigma)) ** 2 / (4 * sigma),
    "gumbel_maximum": gumbel,
    "gumbel_minimum": lambda x, mu, sigma: gumbel(-x, -mu, sigma),
    "generalized_extreme_value": extreme,
    "reflected_generalized_extreme_value": lambda x, k, mu, sigma: extreme(-x, k, -mu, sigma),
    "skew_normal": lambda x, xi, omega, alpha: (
        2 * normal(x, xi, omega) * mp.ncdf(alpha * (x - xi) / omega)
    ),
    "gaussian_mixture": mixture(normal),
    "beta": beta,
    "kumaraswamy": lambda x, a, b: a * b * x ** (a - 1) * (1 - x**a) ** (b - 1),
    "logit_normal": logit_normal,
    "uniform": lambda x: 1 / (2 * mp.pi),
    "von_mises": von_mises,
    "axial_von_mises": lambda x, mu, kappa: von_mises(x, mu, kappa, 2),
    "von_mises_mixture": mixture(von_mises),
    "sine": mp.sin,
    "watson": watson,
    "beta_cosine": lambda x, a, b: mp.sin(x) * beta(mp.cos(x), a, b),
}
# Family, parameters, and where to look: the centre, both tails, near ends.
CASES = [
    ("inverse_gaussian", (513.8, 4600.0), (120.0, 500.0, 900.0, 2000.0)),
    ("inverse_gaussian", (2.0, 0.5), (0.01, 0.4, 3.0, 40.0)),
    ("lognormal", (6.2, 0.33), (150.0, 480.0, 800.0, 2500.0)),
    ("gamma", (9.0, 55.0), (60.0, 480.0, 900.0, 2000.0)),
    ("gamma", (0.6, 1.0), (1e-6, 0.3, 2.0, 20.0)),
    ("weibull", (3.1, 577.0), (30.0, 500.0, 900.0, 1300.0)),
    ("log_logistic", (5.3, 488.0), (30.0, 450.0, 800.0, 9000.0)),
    ("generalized_gamma", (2.5, 1.4, 200.0), (10.0, 350.0, 700.0, 1500.0)),
    ("generalized_gamma", (99.9, 0.7, 1.0), (400.0, 700.0, 900.0)),
    ("generalized_gamma", (100.1, 0.7, 1.0), (400.0, 700.0, 900.0)),
    ("generalized_gamma", (160.0, 1.1, 2.0), (120.0, 200.0, 260.0)),
    ("burr_xii", (5.4, 0.9, 484.0), (30.0, 450.0, 800.0, 9000.0)),
    ("burr_xii", (2.0, 3.0, 1.0), (1e-3, 0.5, 2.0, 30.0)),
    ("normal", (1.0, 2.0), (-9.0, 0.5, 3.0, 12.0)),
    ("logistic", (1.0, 2.0), (-30.0, 0.5, 3.0, 50.0)),
    ("gumbel_maximum", (4.0, 1.5), (0.5, 3.5, 6.0, 30.0)),
    ("gumbel_minimum", (4.0, 1.5), (-20.0, 2.0, 4.5, 7.5)),
    ("generalized_extreme_value", (-0.42, 0.72, 0.086), (0.4, 0.7, 0.8, 0.92)),
    ("generalized_extreme_value", (0.3, 0.72, 0.086), (0.55, 0.7, 0.9, 3.0)),
    ("generalized_extreme_value", (9e-5, 4.0, 1.5), (2.0, 5.49, 5.6, 12.0)),  # |k z| about 1e-4
    ("reflected_generalized_extreme_value", (0.2, 0.8, 0.05), (0.2, 0.75, 0.82, 0.9)),
    ("reflected_generalized_extreme_value", (-0.3, 0.8, 0.05), (0.66, 0.75, 0.85, 0.95)),
    ("skew_normal", (0.9, 0.07, -2.2), (0.6, 0.85, 0.93, 1.0)),
    ("skew_normal", (304.0, 274.0, 4.8), (250.0, 400.0, 900.0, 1500.0)),
    ("gaussian_mixture", (-1.7, 1.6, 1.0, 0.8, 0.4), (-6.0, -1.0, 0.2, 1.9, 6.0)),
    ("beta", (40.1, 7.2), (0.4, 0.85, 0.95, 0.999)),
    ("beta", (0.7, 2.5), (1e-8, 0.1, 0.6, 0.99)),
    ("kumaraswamy", (18.4, 11.6), (0.3, 0.85, 0.95, 0.999)),
    ("logit_normal", (1.8, 0.42), (0.4, 0.85, 0.95, 0.995)),
    ("uniform", (), (-3.0, 0.5, 3.1)),
    ("von_mises", (2.5, 1.3), (-3.1, -0.8, 2.4, 3.1)),
    ("von_mises", (-0.4, 30.0), (-1.2, -0.5, 0.1, 1.0)),
    ("axial_von_mises", (-1.5, 0.9), (-3.1, -1.4, 0.2, 2.0)),
    ("von_mises_mixture", (-1.5, 1.6, 1.5, 1.9, 0.4), (-3.0, -1.2, 0.3, 2.5)),
    ("sine", (), (1e-5, 0.7, 1.57)),
    ("watson", (-2.0,), (0.01, 0.7, 1.5)),
    ("watson", (3.0,), (0.01, 0.7, 1.5)),
    ("watson", (0.4,), (0.01, 0.7, 1.5)),
    ("watson", (1e-9,), (0.01, 0.7, 1.5)),
    ("beta_cosine", (1.2, 0.8), (0.01, 0.7, 1.5)),
]
IDS = [f"{family}-{number}" for number, (family, *_) in enumerate(CASES)]


def law_of(family, values):
    declared = family_named(family)
    support = REAL if family == "gaussian_mixture" else None
    return Marginal(family, dict(zip(declared.parameter_names, values, strict=True)), support)


@pytest.mark.parametrize(("family", "values", "places"), CASES, ids=IDS)
@proves("marginal_fits", "log_likelihood", oracle="high precision", by="mpmath, 30 digits")
def test_log_densities_have_twelve_digits(family, values, places):
    distribution = law_of(family, values)
    with mpmath.workdps(40):
        exact = [mp.log(DENSITIES[family](mpf(x), *map(mpf, values))) for x in places]
    np.testing.assert_allclose(
        distribution.log_pdf(np.array(places)), np.array(exact, float), 1e-12, 1e-15
    )


def of_normal(z):
    return mp.ncdf(z), mp.ncdf(-z)


def of_hazard(hazard):
    return -mp.expm1(-hazard), mp.exp(-hazard)


def of_odds(odds):
    return odds / (1 + odds), 1 / (1 + odds)


def of_gamma(shape, x):
    return mp.gammainc(shape, 0, x, regularized=True), mp.gammainc(shape, x, regularized=True)


def of_beta(a, b, x):
    whole = mp.beta(a, b)
    return mp.betainc(a, b, 0, x) / whole, mp.betainc(a, b, x, 1) / whole


def of_inverse_gaussian(x, mu, lam):
    root, mirrored = mp.sqrt(lam / x), mp.exp(2 * lam / mu)
    reflected = mirrored * mp.ncdf(-root * (x / mu + 1))
    return mp.ncdf(root * (x / mu - 1)) + reflected, mp.ncdf(root * (1 - x / mu)) - reflected


def of_gumbel(x, mu, sigma):
    return of_hazard(mp.exp(-(x - mu) / sigma))[::-1]


def of_extreme(x, k, mu, sigma):
    return of_hazard((1 + k * (x - mu) / sigma) ** (-1 / k))[::-1]


def of_skew_normal(x, xi, omega, alpha):
    z = (x - xi) / omega
    wedge = mp.quad(lambda t: mp.exp(-(z**2) * (1 + t**2) / 2) / (1 + t**2), [0, alpha]) / mp.pi
    return mp.ncdf(z) - wedge, mp.ncdf(-z) + wedge


def integrated(family, lower, upper):
    """Tails of a bounded smooth density, whose constant is computed once."""

    def tails(x, *values):
        shape = SHAPES[family]
        constant = DENSITIES[family](mpf(1), *values) / shape(mpf(1), *values)
        return [
            constant * mp.quad(lambda y: shape(y, *values), mp.linspace(*ends, 9))
            for ends in ((lower, x), (x, upper))
        ]

    return tails


SHAPES = {
    "von_mises": lambda y, mu, kappa: mp.exp(kappa * mp.cos(y - mu)),
    "axial_von_mises": lambda y, mu, kappa: mp.exp(kappa * mp.cos(2 * (y - mu))),
    "watson": lambda y, kappa: mp.sin(y) * mp.exp(kappa * mp.cos(y) ** 2),
}
of_von_mises = integrated("von_mises", -mp.pi, mp.pi)


def of_mixture(component):
    def tails(x, a, b, c, d, share):
        first, second = component(x, a, c), component(x, b, d)
        return [share * i + (1 - share) * j for i, j in zip(first, second, strict=True)]

    return tails


TAILS = {
    "inverse_gaussian": of_inverse_gaussian,
    "lognormal": lambda x, mu, sigma: of_normal((mp.log(x) - mu) / sigma),
    "gamma": lambda x, shape, scale: of_gamma(shape, x / scale),
    "weibull": lambda x, shape, scale: of_hazard((x / scale) ** shape),
    "log_logistic": lambda x, shape, scale: of_odds((x / scale) ** shape),
    "generalized_gamma": lambda x, shape, power, scale: of_gamma(shape, (x / scale) ** power),
    "burr_xii": lambda x, c, d, scale: of_hazard(d * mp.log1p((x / scale) ** c)),
    "normal": lambda x, mu, sigma: of_normal((x - mu) / sigma),
    "logistic": lambda x, mu, sigma: of_odds(mp.exp((x - mu) / sigma)),
    "gumbel_maximum": of_gumbel,
    "gumbel_minimum": lambda x, mu, sigma: of_gumbel(-x, -mu, sigma)[::-1],
    "generalized_extreme_value": of_extreme,
    "reflected_generalized_extreme_value": lambda x, k, mu, sigma: of_extreme(-x, k, -mu, sigma)[
        ::-1
    ],
    "skew_normal": of_skew_normal,
    "gaussian_mixture": of_mixture(lambda x, mu, sigma: of_normal((x - mu) / sigma)),
    "beta": lambda x, a, b: of_beta(a, b, x),
    "kumaraswamy": lambda x, a, b: of_hazard(-b * mp.log1p(-(x**a))),
    "logit_normal": lambda x, mu, sigma: of_normal((mp.log(x / (1 - x)) - mu) / sigma),
    "uniform": lambda x: ((x + mp.pi) / (2 * mp.pi), (mp.pi - x) / (2 * mp.pi)),
    "von_mises": of_von_mises,
    "axial_von_mises": integrated("axial_von_mises", -mp.pi, mp.pi),
    "von_mises_mixture": of_mixture(of_von_mises),
    "sine": lambda x: (2 * mp.sin(x / 2) ** 2, mp.cos(x)),
    "watson": integrated("watson", 0, mp.pi / 2),
    "beta_cosine": lambda x, a, b: of_beta(b, a, 1 - mp.cos(x)),
}


@pytest.mark.parametrize(("family", "values", "places"), CASES, ids=IDS)
def test_both_tails_have_nine_digits(family, values, places):
    with mpmath.workdps(30):
        exact = [TAILS[family](mpf(x), *map(mpf, values)) for x in places]
    found = family_named(family).tails(np.array(places), *values)
    np.testing.assert_allclose(np.transpose(found), np.array(exact, float), 1e-9, 1e-13)


@pytest.mark.parametrize(("family", "values", "places"), CASES, ids=IDS)
def test_quantiles_lead_back_from_either_tail(family, values, places):
    distribution = law_of(family, values)
    chances = np.array([1e-12, 1e-4, 0.2, 0.5, 0.7])
    np.testing.assert_allclose(
        distribution.cdf(distribution.quantile(chances)), chances, 1e-7, 1e-14
    )
    upper = family_named(family).tails(distribution.quantile(np.array([1 - 1e-6])), *values)[1]
    np.testing.assert_allclose(upper, 1e-6, rtol=1e-6)
    for x in places:
        if 1e-13 < distribution.cdf(x) < 0.9:
            assert distribution.quantile(distribution.cdf(x)) == pytest.approx(x, rel=1e-6)
