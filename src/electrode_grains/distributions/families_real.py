"""Families on the whole line, which a support may truncate."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit, exprel, log_expit, log_ndtr, ndtr, ndtri, owens_t

from electrode_grains.distributions.family_declaration import (
    Array,
    MarginalFamily,
    Nested,
    Parameter,
    Point,
    minus_log,
    normal_score,
)
from electrode_grains.distributions.mixtures import NARROWEST_COMPONENT, two_components

LOG_2PI = math.log(2.0 * math.pi)
REAL = (-math.inf, math.inf)
LOCATION, SCALE = Parameter("mu", "location"), Parameter("sigma", "scale")
# For k < -1 the likelihood of a generalized extreme value distribution grows without limit as
# its end point approaches the largest observation, so that no maximum exists there.
EXTREME_VALUE_SHAPE = Parameter("k", "real", search=(-1.0, 5.0))


def _normal_log_density(x: Array, mu: float, sigma: float) -> Array:
    return np.asarray(-0.5 * ((x - mu) / sigma) ** 2 - math.log(sigma) - 0.5 * LOG_2PI)


def _normal_tails(x: Array, mu: float, sigma: float) -> tuple[Array, Array]:
    score = (x - mu) / sigma
    return ndtr(score), ndtr(-score)


def _normal_maximum(sample: Array) -> Point:
    return float(sample.mean()), float(sample.std())


def _logistic_log_density(x: Array, mu: float, sigma: float) -> Array:
    score = (x - mu) / sigma
    return np.asarray(log_expit(score) + log_expit(-score) - math.log(sigma))


def _logistic_starts(sample: Array) -> list[Point]:
    return [(float(np.median(sample)), float(sample.std()) * math.sqrt(3.0) / math.pi)]


def _reduced(x: Array, k: float, mu: float, sigma: float) -> Array:
    """Return log(1 + k z) / k for z = (x - mu) / sigma, which is z for k = 0."""
    z = (x - mu) / sigma
    t = np.asarray(k * z, dtype=float)
    with np.errstate(all="ignore"):
        small = np.abs(t) < 1e-4
        ratio = np.where(
            small,
            1.0 - t * (1.0 / 2.0 - t * (1.0 / 3.0 - t * (1.0 / 4.0 - t / 5.0))),
            np.log1p(np.maximum(t, -1.0)) / np.where(small, 1.0, t),
        )
        return np.asarray(z * ratio)


def _gev_log_density(x: Array, k: float, mu: float, sigma: float) -> Array:
    y = _reduced(x, k, mu, sigma)
    with np.errstate(all="ignore"):
        density = -math.log(sigma) - (1.0 + k) * y - np.exp(-y)
    inside = 1.0 + k * (x - mu) / sigma > 0.0
    return np.asarray(np.where(inside, density, -np.inf))


def _gev_tails(x: Array, k: float, mu: float, sigma: float) -> tuple[Array, Array]:
    with np.errstate(over="ignore"):
        hazard = np.exp(-_reduced(x, k, mu, sigma))
    return np.exp(-hazard), -np.expm1(-hazard)


def _gev_quantile(p: Array, q: Array, k: float, mu: float, sigma: float) -> Array:
    y = -np.log(minus_log(p, q))
    finite = np.where(np.isfinite(y), y, np.copysign(1e308, y))
    product = np.where(k == 0.0, 0.0, k * finite)
    return np.asarray(mu + sigma * y * exprel(product))


def _gev_end_points(k: float, mu: float, sigma: float) -> tuple[float, float]:
    if k == 0.0:
        return REAL
    end = mu - sigma / k
    return (end, math.inf) if k > 0.0 else (-math.inf, end)


def _reflected_end_points(k: float, mu: float, sigma: float) -> tuple[float, float]:
    if k == 0.0:
        return REAL
    end = mu + sigma / k
    return (-math.inf, end) if k > 0.0 else (end, math.inf)


def _gev_starts(sample: Array) -> list[Point]:
    """Probability-weighted moments (Hosking, 1985), and distributions on either side of them."""
    ordered = np.sort(sample)
    n = ordered.size
    rank = np.arange(n)
    b0 = float(ordered.mean())
    b1 = float(np.mean(ordered * rank / (n - 1)))
    b2 = float(np.mean(ordered * rank * (rank - 1) / ((n - 1) * (n - 2))))
    skewed = 3.0 * b2 - b0
    c = (2.0 * b1 - b0) / skewed - math.log(2.0) / math.log(3.0) if skewed else 0.0
    moments = -(7.859 * c + 2.9554 * c**2)
    starts: list[Point] = []
    for k in (moments, moments - 0.15, moments + 0.15, -0.45, -0.2, 0.1):
        k = min(max(k, -0.9), 0.9) or 1e-3
        sigma = -(2.0 * b1 - b0) * k / (math.gamma(1.0 - k) * (1.0 - 2.0**k))
        mu = b0 + sigma * (1.0 - math.gamma(1.0 - k)) / k
        # widen until every observation has a density
        worst = float(np.min(k * (ordered[[0, -1]] - mu)))
        starts.append((k, mu, max(sigma, -1.02 * worst)))
    return starts


def _gumbel_maximum_starts(sample: Array) -> list[Point]:
    sigma = math.sqrt(6.0) / math.pi * float(sample.std())
    return [(float(sample.mean()) - np.euler_gamma * sigma, sigma)]


def _reflect(points: list[Point]) -> list[Point]:
    return [(*point[:-2], -point[-2], point[-1]) for point in points]


def _skew_normal_log_density(x: Array, xi: float, omega: float, alpha: float) -> Array:
    score = (x - xi) / omega
    density: Array = (
        math.log(2.0 / omega) - 0.5 * LOG_2PI - 0.5 * score**2 + log_ndtr(alpha * score)
    )
    return density


def _skew_normal_tails(x: Array, xi: float, omega: float, alpha: float) -> tuple[Array, Array]:
    score = (x - xi) / omega
    overlap = 2.0 * owens_t(score, alpha)
    return np.maximum(ndtr(score) - overlap, 0.0), np.maximum(ndtr(-score) + overlap, 0.0)


def _skew_normal_bracket(
    p: Array, q: Array, xi: float, omega: float, alpha: float
) -> tuple[Array, Array]:
    # the density is at most twice the normal one, so each tail is too
    return xi + omega * ndtri(0.5 * p), xi - omega * ndtri(0.5 * q)


def _skew_normal_starts(sample: Array) -> list[Point]:
    mean, sigma = _normal_maximum(sample)
    skewness = float(np.mean(((sample - mean) / sigma) ** 3))
    starts: list[Point] = []
    for target in (skewness, 0.5 * skewness, math.copysign(0.9, skewness)):
        target = min(max(target, -0.98), 0.98)
        root = abs(target) ** (2 / 3)
        delta = math.sqrt(math.pi / 2 * root / (root + ((4 - math.pi) / 2) ** (2 / 3)))
        delta = math.copysign(min(delta, 0.995), target)
        omega = sigma / math.sqrt(1 - 2 * delta**2 / math.pi)
        alpha = delta / math.sqrt(1 - delta**2)
        starts.append((mean - omega * delta * math.sqrt(2 / math.pi), omega, alpha))
    return starts


def _mixture_starts(sample: Array) -> list[Point]:
    """Two bumps at several places, and a narrow bump on a broad one."""
    sigma = float(sample.std())
    at = {share: float(np.quantile(sample, share)) for share in (0.05, 0.1, 0.25, 0.5, 0.75, 0.95)}
    pairs = ((0.25, 0.75), (0.1, 0.75), (0.25, 0.95), (0.05, 0.5), (0.5, 0.95))
    two: list[Point] = [(at[a], at[b], 0.5 * sigma, 0.5 * sigma, 0.5) for a, b in pairs]
    return two + [(at[share], at[0.5], 0.3 * sigma, sigma, 0.3) for share in (0.25, 0.5, 0.75)]


NORMAL = MarginalFamily(
    name="normal",
    formula="exp(-(x-mu)**2/(2*sigma**2))/(sigma*sqrt(2*pi))",
    parameters=(LOCATION, SCALE),
    natural_support=REAL,
    log_density=_normal_log_density,
    tails=_normal_tails,
    quantile=lambda p, q, mu, sigma: mu + sigma * normal_score(p, q),
    starts=lambda sample: [_normal_maximum(sample)],
    closed_form=_normal_maximum,
)

REAL_FAMILIES = (
    NORMAL,
    MarginalFamily(
        name="logistic",
        formula="exp(-(x-mu)/sigma)/(sigma*(1+exp(-(x-mu)/sigma))**2)",
        parameters=(LOCATION, SCALE),
        natural_support=REAL,
        log_density=_logistic_log_density,
        tails=lambda x, mu, sigma: (expit((x - mu) / sigma), expit((mu - x) / sigma)),
        quantile=lambda p, q, mu, sigma: mu + sigma * (np.log(p) - np.log(q)),
        starts=_logistic_starts,
    ),
    MarginalFamily(
        name="gumbel_maximum",
        formula="exp(-(x-mu)/sigma-exp(-(x-mu)/sigma))/sigma",
        parameters=(LOCATION, SCALE),
        natural_support=REAL,
        log_density=lambda x, mu, sigma: _gev_log_density(x, 0.0, mu, sigma),
        tails=lambda x, mu, sigma: _gev_tails(x, 0.0, mu, sigma),
        quantile=lambda p, q, mu, sigma: _gev_quantile(p, q, 0.0, mu, sigma),
        starts=_gumbel_maximum_starts,
    ),
    MarginalFamily(
        name="gumbel_minimum",
        formula="exp((x-mu)/sigma-exp((x-mu)/sigma))/sigma",
        parameters=(LOCATION, SCALE),
        natural_support=REAL,
        log_density=lambda x, mu, sigma: _gev_log_density(-x, 0.0, -mu, sigma),
        tails=lambda x, mu, sigma: _gev_tails(-x, 0.0, -mu, sigma)[::-1],
        quantile=lambda p, q, mu, sigma: -_gev_quantile(q, p, 0.0, -mu, sigma),
        starts=lambda sample: _reflect(_gumbel_maximum_starts(-sample)),
    ),
    MarginalFamily(
        name="generalized_extreme_value",
        formula="(1+k*(x-mu)/sigma)**(-1-1/k)*exp(-(1+k*(x-mu)/sigma)**(-1/k))/sigma",
        parameters=(EXTREME_VALUE_SHAPE, LOCATION, SCALE),
        natural_support=REAL,
        log_density=_gev_log_density,
        tails=_gev_tails,
        quantile=_gev_quantile,
        starts=_gev_starts,
        nested=(Nested("gumbel_maximum", lambda values: (0.0, *values)),),
        end_points=_gev_end_points,
        tail_index=lambda k, mu, sigma: (math.inf, 1.0 / k if k > 0.0 else math.inf),
    ),
    MarginalFamily(
        name="reflected_generalized_extreme_value",
        formula="(1-k*(x-mu)/sigma)**(-1-1/k)*exp(-(1-k*(x-mu)/sigma)**(-1/k))/sigma",
        parameters=(EXTREME_VALUE_SHAPE, LOCATION, SCALE),
        natural_support=REAL,
        log_density=lambda x, k, mu, sigma: _gev_log_density(-x, k, -mu, sigma),
        tails=lambda x, k, mu, sigma: _gev_tails(-x, k, -mu, sigma)[::-1],
        quantile=lambda p, q, k, mu, sigma: -_gev_quantile(q, p, k, -mu, sigma),
        starts=lambda sample: _reflect(_gev_starts(-sample)),
        nested=(Nested("gumbel_minimum", lambda values: (0.0, *values)),),
        end_points=_reflected_end_points,
        tail_index=lambda k, mu, sigma: (1.0 / k if k > 0.0 else math.inf, math.inf),
    ),
    MarginalFamily(
        name="skew_normal",
        formula="exp(-(x-xi)**2/(2*omega**2))/(omega*sqrt(2*pi))*(1+erf(alpha*(x-xi)/(omega"
        "*sqrt(2))))",
        parameters=(
            Parameter("xi", "location"),
            Parameter("omega", "scale"),
            Parameter("alpha", "signed", search=(-1e6, 1e6)),
        ),
        natural_support=REAL,
        log_density=_skew_normal_log_density,
        tails=_skew_normal_tails,
        bracket=_skew_normal_bracket,
        starts=_skew_normal_starts,
        nested=(Nested("normal", lambda values: (*values, 0.0)),),
    ),
    two_components(
        "gaussian_mixture",
        NORMAL,
        (LOCATION, Parameter("sigma", "scale", search=(NARROWEST_COMPONENT, 100.0))),
        location=lambda mu, sigma: mu,
        starts=_mixture_starts,
        default_support=(-math.pi, math.pi),
    ),
)
