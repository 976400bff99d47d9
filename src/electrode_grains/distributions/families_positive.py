"""Families on the positive half-line: sizes of grains."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import (
    expit,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    log_expit,
    log_ndtr,
    ndtr,
)
from scipy.stats import invgauss

from electrode_grains.distributions.family_declaration import (
    Array,
    MarginalFamily,
    Nested,
    Parameter,
    Point,
    Reparametrization,
    minus_log,
    normal_score,
)

LOG_2PI = math.log(2.0 * math.pi)
POSITIVE = (0.0, math.inf)
LARGE_SHAPE = 1e4  # of a generalised gamma distribution that is nearly log-normal
NEARLY_NORMAL = 1e-6  # mean over shape of an inverse Gaussian distribution


def _inverse_gaussian_log_density(x: Array, mu: float, lam: float) -> Array:
    deviation = (x - mu) / mu
    return 0.5 * (math.log(lam) - LOG_2PI - 3.0 * np.log(x)) - 0.5 * lam * deviation**2 / x


def _inverse_gaussian_tails(x: Array, mu: float, lam: float) -> tuple[Array, Array]:
    root = np.sqrt(lam / x)
    reflected = 2.0 * lam / mu + log_ndtr(-root * (x / mu + 1.0))
    argument = root * (x / mu - 1.0)
    upper = log_ndtr(-argument)
    with np.errstate(all="ignore"):
        survival = np.exp(upper + np.log1p(-np.exp(np.minimum(reflected - upper, 0.0))))
    return ndtr(argument) + np.exp(reflected), survival


def _inverse_gaussian_quantile(p: Array, q: Array, mu: float, lam: float) -> Array:
    shape = mu / lam
    if shape < NEARLY_NORMAL:
        # the expansion of Cornish and Fisher about the normal distribution, whose error is of
        # third order in the ratio of deviation to mean; SciPy's inversion ends early here
        s, z = math.sqrt(shape), normal_score(p, q)
        terms = z + 0.5 * s * (z**2 - 1.0) + shape * (0.125 * z**3 - 0.625 * z)
        return np.asarray(mu * (1.0 + s * terms))
    low = invgauss.ppf(np.minimum(p, 0.5), shape, scale=lam)
    high = invgauss.isf(np.minimum(q, 0.5), shape, scale=lam)
    return np.asarray(np.where(p < q, low, high))


def _inverse_gaussian_maximum(sample: Array) -> Point:
    mean = float(sample.mean())
    # mean(1/x) - 1/mean, written without the cancellation of the difference
    return mean, 1.0 / float(np.mean((sample - mean) ** 2 / (sample * mean**2)))


def _lognormal_log_density(x: Array, mu: float, sigma: float) -> Array:
    logarithm = np.log(x)
    score = (logarithm - mu) / sigma
    return np.asarray(-logarithm - math.log(sigma) - 0.5 * LOG_2PI - 0.5 * score**2)


def _lognormal_tails(x: Array, mu: float, sigma: float) -> tuple[Array, Array]:
    score = (np.log(x) - mu) / sigma
    return ndtr(score), ndtr(-score)


def _lognormal_maximum(sample: Array) -> Point:
    logarithm = np.log(sample)
    return float(logarithm.mean()), float(logarithm.std())


def _gamma_log_density(x: Array, shape: float, scale: float) -> Array:
    ratio = x / scale
    return np.asarray((shape - 1.0) * np.log(ratio) - ratio - math.log(scale) - gammaln(shape))


def _gamma_quantile(p: Array, q: Array, shape: float, scale: float) -> Array:
    return np.asarray(scale * np.where(p < q, gammaincinv(shape, p), gammainccinv(shape, q)))


def _gamma_starts(sample: Array) -> list[Point]:
    mean, variance = float(sample.mean()), float(sample.var())
    spread = max(math.log(mean) - float(np.log(sample).mean()), 1e-12)
    shape = (3.0 - spread + math.sqrt((spread - 3.0) ** 2 + 24.0 * spread)) / (12.0 * spread)
    return [(shape, mean / shape), (mean**2 / variance, variance / mean)]


def _weibull_log_density(x: Array, shape: float, scale: float) -> Array:
    exponent = shape * np.log(x / scale)
    return math.log(shape) - np.log(x) + exponent - np.exp(exponent)


def _weibull_tails(x: Array, shape: float, scale: float) -> tuple[Array, Array]:
    hazard = np.exp(shape * np.log(x / scale))
    return -np.expm1(-hazard), np.exp(-hazard)


def _weibull_starts(sample: Array) -> list[Point]:
    mean, sigma = _lognormal_maximum(sample)
    shape = math.pi / (math.sqrt(6.0) * max(sigma, 1e-12))
    return [(shape, math.exp(mean + np.euler_gamma / shape))]


def _log_logistic_log_density(x: Array, shape: float, scale: float) -> Array:
    score = shape * np.log(x / scale)
    return np.asarray(math.log(shape) - np.log(x) + log_expit(score) + log_expit(-score))


def _log_logistic_tails(x: Array, shape: float, scale: float) -> tuple[Array, Array]:
    score = shape * np.log(x / scale)
    return expit(score), expit(-score)


def _log_logistic_starts(sample: Array) -> list[Point]:
    mean, sigma = _lognormal_maximum(sample)
    return [(math.pi / (math.sqrt(3.0) * max(sigma, 1e-12)), math.exp(mean))]


def _stirling(shape: float) -> float:
    """Return shape log(shape) - shape - log Gamma(shape), without its cancellation."""
    if shape < 100.0:
        return shape * math.log(shape) - shape - math.lgamma(shape)
    inverse = 1.0 / shape
    correction = inverse * (1.0 / 12.0 - inverse**2 * (1.0 / 360.0 - inverse**2 / 1260.0))
    return 0.5 * math.log(shape) - 0.5 * LOG_2PI - correction


def _generalized_gamma_log_density(x: Array, shape: float, power: float, scale: float) -> Array:
    # relative to the centre of the distribution, so that large shapes do not cancel
    offset = power * np.log(x / scale) - math.log(shape)
    peak = math.log(power) + _stirling(shape)
    return np.asarray(peak - np.log(x) + shape * (offset - np.expm1(offset)))


def _generalized_gamma_tails(
    x: Array, shape: float, power: float, scale: float
) -> tuple[Array, Array]:
    argument = np.exp(power * np.log(x / scale))
    return gammainc(shape, argument), gammaincc(shape, argument)


def _generalized_gamma_quantile(
    p: Array, q: Array, shape: float, power: float, scale: float
) -> Array:
    return np.asarray(scale * _gamma_quantile(p, q, shape, 1.0) ** (1.0 / power))


def _generalized_gamma_starts(sample: Array) -> list[Point]:
    mean, sigma = _lognormal_maximum(sample)
    # shape to infinity with power * sqrt(shape) = 1 / sigma is the lognormal limit
    return [
        (shape, power, math.exp(mean - math.log(shape) / power))
        for shape in (0.5, 2.0, 20.0, 1e3)
        for power in (1.0 / (max(sigma, 1e-12) * math.sqrt(shape)),)
    ]


def _generalized_gamma_forward(values: Point) -> Point:
    """Width and centre of the logarithm instead of power and scale (Prentice, 1974)."""
    shape, power, scale = values
    return shape, power * math.sqrt(shape), scale * shape ** (1.0 / power)


def _generalized_gamma_backward(values: Point) -> Point:
    shape, sharpness, centre = values
    power = sharpness / math.sqrt(shape)
    return shape, power, centre * shape ** (-1.0 / power)


def _near_lognormal(values: Point) -> Point:
    """Parameters near the limit, as far towards it as the scale is a number."""
    mu, sigma = values
    shape = LARGE_SHAPE
    while sigma * math.sqrt(shape) * math.log(shape) > 500.0 and shape > 2.0:
        shape /= 4.0
    power = 1.0 / (sigma * math.sqrt(shape))
    return shape, power, math.exp(mu - math.log(shape) / power)


def _inverted(values: Point) -> Point:
    """Parameters of 1/X where X has those given."""
    return *values[:-1], 1.0 / values[-1] if values[-1] > 0.0 else math.inf


def _inverse_log_density(x: Array, shape: float, power: float, scale: float) -> Array:
    inner = _generalized_gamma_log_density(1.0 / x, shape, power, 1.0 / scale)
    return np.asarray(inner - 2.0 * np.log(x))


def _burr_log_density(x: Array, c: float, d: float, scale: float) -> Array:
    exponent = c * np.log(x / scale)
    log_term = np.logaddexp(0.0, exponent)
    return math.log(c) + math.log(d) - np.log(x) + exponent - (d + 1.0) * log_term


def _burr_tails(x: Array, c: float, d: float, scale: float) -> tuple[Array, Array]:
    hazard = d * np.logaddexp(0.0, c * np.log(x / scale))
    return -np.expm1(-hazard), np.exp(-hazard)


def _burr_quantile(p: Array, q: Array, c: float, d: float, scale: float) -> Array:
    return np.asarray(scale * np.expm1(minus_log(q, p) / d) ** (1.0 / c))


def _burr_starts(sample: Array) -> list[Point]:
    shape, scale = _weibull_starts(sample)[0]
    # d to infinity with scale^c = d * constant is the Weibull limit
    return [(shape, d, scale * d ** (1.0 / shape)) for d in (1e4, 10.0, 2.0)]


POSITIVE_FAMILIES = (
    MarginalFamily(
        name="inverse_gaussian",
        formula="sqrt(lambda_/(2*pi*x**3))*exp(-lambda_*(x-mu)**2/(2*mu**2*x))",
        parameters=(Parameter("mu", "scale"), Parameter("lambda", "scale", search=(1e-6, 1e18))),
        natural_support=POSITIVE,
        log_density=_inverse_gaussian_log_density,
        tails=_inverse_gaussian_tails,
        quantile=_inverse_gaussian_quantile,
        starts=lambda sample: [_inverse_gaussian_maximum(sample)],
        closed_form=_inverse_gaussian_maximum,
    ),
    MarginalFamily(
        name="lognormal",
        formula="exp(-(log(x)-mu)**2/(2*sigma**2))/(sigma*x*sqrt(2*pi))",
        parameters=(Parameter("mu", "log_location"), Parameter("sigma", "shape")),
        natural_support=POSITIVE,
        log_density=_lognormal_log_density,
        tails=_lognormal_tails,
        quantile=lambda p, q, mu, sigma: np.exp(mu + sigma * normal_score(p, q)),
        starts=lambda sample: [_lognormal_maximum(sample)],
        closed_form=_lognormal_maximum,
    ),
    MarginalFamily(
        name="gamma",
        formula="x**(shape-1)*exp(-x/scale)/(scale**shape*gamma(shape))",
        parameters=(Parameter("shape", "shape", search=(1e-3, 1e9)), Parameter("scale", "scale")),
        natural_support=POSITIVE,
        log_density=_gamma_log_density,
        tails=lambda x, shape, scale: (gammainc(shape, x / scale), gammaincc(shape, x / scale)),
        quantile=_gamma_quantile,
        starts=_gamma_starts,
    ),
    MarginalFamily(
        name="weibull",
        formula="shape/scale*(x/scale)**(shape-1)*exp(-(x/scale)**shape)",
        parameters=(Parameter("shape", "shape"), Parameter("scale", "scale")),
        natural_support=POSITIVE,
        log_density=_weibull_log_density,
        tails=_weibull_tails,
        quantile=lambda p, q, shape, scale: scale * minus_log(q, p) ** (1.0 / shape),
        starts=_weibull_starts,
    ),
    MarginalFamily(
        name="log_logistic",
        formula="shape/scale*(x/scale)**(shape-1)/(1+(x/scale)**shape)**2",
        parameters=(Parameter("shape", "shape"), Parameter("scale", "scale")),
        natural_support=POSITIVE,
        log_density=_log_logistic_log_density,
        tails=_log_logistic_tails,
        quantile=lambda p, q, shape, scale: scale * (p / q) ** (1.0 / shape),
        starts=_log_logistic_starts,
        tail_index=lambda shape, scale: (math.inf, shape),
    ),
    MarginalFamily(
        name="generalized_gamma",
        formula="power/(scale*gamma(shape))*(x/scale)**(shape*power-1)*exp(-(x/scale)**power)",
        parameters=(
            Parameter("shape", "shape", search=(1e-3, LARGE_SHAPE)),
            Parameter("power", "shape"),
            Parameter("scale", "scale"),
        ),
        natural_support=POSITIVE,
        log_density=_generalized_gamma_log_density,
        tails=_generalized_gamma_tails,
        quantile=_generalized_gamma_quantile,
        starts=_generalized_gamma_starts,
        nested=(
            Nested("gamma", lambda values: (values[0], 1.0, values[1])),
            Nested("weibull", lambda values: (1.0, values[0], values[1])),
        ),
        limits=(Nested("lognormal", _near_lognormal),),
        reparametrization=Reparametrization(
            _generalized_gamma_forward, _generalized_gamma_backward
        ),
    ),
    MarginalFamily(
        # the branch of negative power of the generalised gamma distribution: that of 1/X
        name="inverse_generalized_gamma",
        formula="power/(scale*gamma(shape))*(scale/x)**(shape*power+1)*exp(-(scale/x)**power)",
        parameters=(
            Parameter("shape", "shape", search=(1e-3, LARGE_SHAPE)),
            Parameter("power", "shape"),
            Parameter("scale", "scale"),
        ),
        natural_support=POSITIVE,
        log_density=_inverse_log_density,
        tails=lambda x, shape, power, scale: _generalized_gamma_tails(
            1.0 / x, shape, power, 1.0 / scale
        )[::-1],
        quantile=lambda p, q, shape, power, scale: (
            1.0 / _generalized_gamma_quantile(q, p, shape, power, 1.0 / scale)
        ),
        starts=lambda sample: [_inverted(v) for v in _generalized_gamma_starts(1.0 / sample)],
        limits=(
            Nested("lognormal", lambda values: _inverted(_near_lognormal((-values[0], values[1])))),
        ),
        reparametrization=Reparametrization(
            lambda values: _inverted(_generalized_gamma_forward(_inverted(values))),
            lambda values: _inverted(_generalized_gamma_backward(_inverted(values))),
        ),
        tail_index=lambda shape, power, scale: (math.inf, shape * power),
    ),
    MarginalFamily(
        name="burr_xii",
        formula="c*d/scale*(x/scale)**(c-1)/(1+(x/scale)**c)**(d+1)",
        parameters=(
            Parameter("c", "shape"),
            Parameter("d", "shape"),
            Parameter("scale", "scale"),
        ),
        natural_support=POSITIVE,
        log_density=_burr_log_density,
        tails=_burr_tails,
        quantile=_burr_quantile,
        starts=_burr_starts,
        nested=(Nested("log_logistic", lambda values: (values[0], 1.0, values[1])),),
        limits=(
            Nested("weibull", lambda values: (values[0], 1e5, values[1] * 1e5 ** (1 / values[0]))),
        ),
        reparametrization=Reparametrization(
            lambda values: (*values[:2], values[2] * values[1] ** (-1.0 / values[0])),
            lambda values: (*values[:2], values[2] * values[1] ** (1.0 / values[0])),
        ),
        tail_index=lambda c, d, scale: (math.inf, c * d),
    ),
)
