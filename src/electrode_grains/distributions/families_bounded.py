"""Families on the unit interval (shape factors) and on ranges of angles."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import (
    betainc,
    betaincc,
    betainccinv,
    betaincinv,
    betaln,
    dawsn,
    erf,
    expit,
    hyp1f1,
    i0e,
    logit,
    ndtr,
)
from scipy.stats import vonmises

from electrode_grains.distributions.family_declaration import (
    Array,
    MarginalFamily,
    Nested,
    Parameter,
    Point,
    minus_log,
    normal_score,
)
from electrode_grains.distributions.mixtures import two_components

LOG_2PI = math.log(2.0 * math.pi)
UNIT = (0.0, 1.0)
CIRCLE = (-math.pi, math.pi)
POLAR_RANGE = (0.0, 0.5 * math.pi)
SHAPE_A, SHAPE_B = Parameter("a", "shape"), Parameter("b", "shape")
# Above this concentration (width 0.1 rad) a component sits on a handful of grains.
CONCENTRATION_RANGE = (1e-4, 100.0)


def _beta_log_density(x: Array, a: float, b: float) -> Array:
    return np.asarray((a - 1.0) * np.log(x) + (b - 1.0) * np.log1p(-x) - betaln(a, b))


def _beta_tails(x: Array, a: float, b: float) -> tuple[Array, Array]:
    """Probabilities below and above: the costly function gives the tail beside the mean alone."""
    x = np.asarray(x, dtype=float)
    left = x < a / (a + b)
    below = betainc(a, b, x, where=left, out=np.ones_like(x))
    above = betaincc(a, b, x, where=~left, out=np.asarray(1.0 - below))
    return np.where(left, below, 1.0 - above), above


def _beta_quantile(p: Array, q: Array, a: float, b: float) -> Array:
    return np.asarray(np.where(p < q, betaincinv(a, b, p), betainccinv(a, b, q)))


def _beta_starts(sample: Array) -> list[Point]:
    mean, variance = float(sample.mean()), max(float(sample.var()), 1e-12)
    total = max(mean * (1.0 - mean) / variance - 1.0, 0.1)
    return [(mean * total, (1.0 - mean) * total)]


def _kumaraswamy_log_density(x: Array, a: float, b: float) -> Array:
    logarithm = np.log(x)
    rest = np.log(-np.expm1(a * logarithm))
    return np.asarray(math.log(a) + math.log(b) + (a - 1.0) * logarithm + (b - 1.0) * rest)


def _kumaraswamy_tails(x: Array, a: float, b: float) -> tuple[Array, Array]:
    exponent = b * np.log(-np.expm1(a * np.log(x)))
    return -np.expm1(exponent), np.exp(exponent)


def _kumaraswamy_starts(sample: Array) -> list[Point]:
    mean = float(np.mean(np.log(sample)))
    starts: list[Point] = []
    for b in (1.0, 3.0, 10.0):
        a = (np.euler_gamma + math.log(b) if b > 1.0 else 1.0) / -mean
        b_best = -1.0 / float(np.mean(np.log(-np.expm1(a * np.log(sample)))))
        starts.append((a, b_best))
    return starts


def _logit_normal_log_density(x: Array, mu: float, sigma: float) -> Array:
    score = (logit(x) - mu) / sigma
    return np.asarray(-0.5 * score**2 - math.log(sigma) - 0.5 * LOG_2PI - np.log(x) - np.log1p(-x))


def _logit_normal_tails(x: Array, mu: float, sigma: float) -> tuple[Array, Array]:
    score = (logit(x) - mu) / sigma
    return ndtr(score), ndtr(-score)


def _logit_normal_maximum(sample: Array) -> Point:
    score = logit(sample)
    return float(score.mean()), float(score.std())


def _uniform_log_density(x: Array) -> Array:
    return np.full_like(np.asarray(x, dtype=float), -LOG_2PI)


def _uniform_tails(x: Array) -> tuple[Array, Array]:
    return (x + math.pi) / (2.0 * math.pi), (math.pi - x) / (2.0 * math.pi)


def _von_mises_log_density(x: Array, mu: float, kappa: float) -> Array:
    # cos - 1 = -2 sin^2(half), so that large concentrations do not overflow
    return np.asarray(-2.0 * kappa * np.sin(0.5 * (x - mu)) ** 2 - LOG_2PI - math.log(i0e(kappa)))


def _von_mises_tails(x: Array, mu: float, kappa: float) -> tuple[Array, Array]:
    inner = vonmises.cdf(x - mu, kappa)
    first, last = vonmises.cdf(np.array([-math.pi - mu, math.pi - mu]), kappa)
    return np.clip(inner - first, 0.0, 1.0), np.clip(last - inner, 0.0, 1.0)


def _concentration(resultant: float) -> float:
    """Approximate inverse of A(kappa) = I1 / I0 (Best and Fisher, 1981)."""
    r = min(max(resultant, 1e-3), 0.99)
    if r < 0.53:
        return 2.0 * r + r**3 + 5.0 * r**5 / 6.0
    if r < 0.85:
        return -0.4 + 1.39 * r + 0.43 / (1.0 - r)
    return 1.0 / (r**3 - 4.0 * r**2 + 3.0 * r)


def _von_mises_starts(sample: Array) -> list[Point]:
    resultant = complex(np.mean(np.exp(1j * sample)))
    return [(float(np.angle(resultant)), _concentration(abs(resultant)))]


def _axial_log_density(x: Array, mu: float, kappa: float) -> Array:
    return np.asarray(-2.0 * kappa * np.sin(x - mu) ** 2 - LOG_2PI - math.log(i0e(kappa)))


def _axial_tails(x: Array, mu: float, kappa: float) -> tuple[Array, Array]:
    inner = vonmises.cdf(2.0 * (x - mu), kappa)
    first, last = vonmises.cdf(2.0 * np.array([-math.pi - mu, math.pi - mu]), kappa)
    return np.clip(0.5 * (inner - first), 0.0, 1.0), np.clip(0.5 * (last - inner), 0.0, 1.0)


def _axial_starts(sample: Array) -> list[Point]:
    resultant = complex(np.mean(np.exp(2j * sample)))
    return [(0.5 * float(np.angle(resultant)), _concentration(abs(resultant)))]


def _circular_mixture_starts(sample: Array) -> list[Point]:
    """Opposite bumps about the mean direction and the mean axis, and a narrow on a broad one."""
    mean, axis = _von_mises_starts(sample)[0][0], _axial_starts(sample)[0][0]
    opposite = [
        (start, start + math.pi, 1.5, 1.5, share) for start in (mean, axis) for share in (0.4, 0.6)
    ]
    apart = [(mean - turn, mean + turn, 2.0, 2.0, 0.5) for turn in (0.6, 1.2)]
    return [*opposite, *apart, (mean, mean, 6.0, 0.3, 0.3), (axis, mean, 6.0, 0.3, 0.3)]


def _sine_tails(x: Array) -> tuple[Array, Array]:
    return 2.0 * np.sin(0.5 * x) ** 2, np.cos(x)


def _polar_angle(height_below_pole: Array) -> Array:
    """Return the angle whose cosine is 1 minus the argument."""
    return np.asarray(2.0 * np.arcsin(np.sqrt(0.5 * height_below_pole)))


def _log_axial_integral(kappa: float) -> float:
    """Logarithm of the integral of exp(kappa t^2) over t from 0 to 1."""
    if abs(kappa) < 1.0:
        return math.log(hyp1f1(0.5, 1.5, kappa))
    root = math.sqrt(abs(kappa))
    if kappa > 0.0:
        return kappa + math.log(dawsn(root) / root)
    return math.log(0.5 * math.sqrt(math.pi) * erf(root) / root)


def _watson_log_density(x: Array, kappa: float) -> Array:
    return np.asarray(np.log(np.sin(x)) + kappa * np.cos(x) ** 2 - _log_axial_integral(kappa))


def _watson_tails(x: Array, kappa: float) -> tuple[Array, Array]:
    height = np.cos(x)
    root = math.sqrt(abs(kappa))
    if abs(kappa) < 1e-8:
        return _sine_tails(x)
    if kappa > 0.0:
        above = np.exp(kappa * (height**2 - 1.0)) * dawsn(root * height) / dawsn(root)
    else:
        above = erf(root * height) / erf(root)
    return np.clip(1.0 - above, 0.0, 1.0), np.clip(above, 0.0, 1.0)


def _beta_cosine_log_density(x: Array, a: float, b: float) -> Array:
    height, rest = np.cos(x), 2.0 * np.sin(0.5 * x) ** 2
    return np.asarray(
        np.log(np.sin(x)) + (a - 1.0) * np.log(height) + (b - 1.0) * np.log(rest) - betaln(a, b)
    )


def _beta_cosine_tails(x: Array, a: float, b: float) -> tuple[Array, Array]:
    rest = np.clip(2.0 * np.sin(0.5 * x) ** 2, 0.0, 1.0)
    return betainc(b, a, rest), betaincc(b, a, rest)


UNIT_FAMILIES = (
    MarginalFamily(
        name="beta",
        formula="x**(a-1)*(1-x)**(b-1)/beta(a,b)",
        parameters=(SHAPE_A, SHAPE_B),
        natural_support=UNIT,
        log_density=_beta_log_density,
        tails=_beta_tails,
        quantile=_beta_quantile,
        starts=_beta_starts,
        is_scalable=False,
    ),
    MarginalFamily(
        name="kumaraswamy",
        formula="a*b*x**(a-1)*(1-x**a)**(b-1)",
        parameters=(SHAPE_A, SHAPE_B),
        natural_support=UNIT,
        log_density=_kumaraswamy_log_density,
        tails=_kumaraswamy_tails,
        quantile=lambda p, q, a, b: (-np.expm1(-minus_log(q, p) / b)) ** (1.0 / a),
        starts=_kumaraswamy_starts,
        is_scalable=False,
    ),
    MarginalFamily(
        name="logit_normal",
        formula="exp(-(log(x/(1-x))-mu)**2/(2*sigma**2))/(sigma*x*(1-x)*sqrt(2*pi))",
        parameters=(Parameter("mu", "real", search=(-100.0, 100.0)), Parameter("sigma", "shape")),
        natural_support=UNIT,
        log_density=_logit_normal_log_density,
        tails=_logit_normal_tails,
        quantile=lambda p, q, mu, sigma: expit(mu + sigma * normal_score(p, q)),
        starts=lambda sample: [_logit_normal_maximum(sample)],
        closed_form=_logit_normal_maximum,
        is_scalable=False,
    ),
)

VON_MISES = MarginalFamily(
    name="von_mises",
    formula="exp(kappa*cos(x-mu))/(2*pi*besseli(0,kappa))",
    parameters=(
        Parameter("mu", "angle"),
        Parameter("kappa", "shape", search=(1e-6, 1e4)),
    ),
    natural_support=CIRCLE,
    log_density=_von_mises_log_density,
    tails=_von_mises_tails,
    starts=_von_mises_starts,
    is_scalable=False,
)

ANGULAR_FAMILIES = (
    MarginalFamily(
        name="uniform",
        formula="1/(2*pi)",
        parameters=(),
        natural_support=CIRCLE,
        log_density=_uniform_log_density,
        tails=_uniform_tails,
        quantile=lambda p, q: np.where(p < q, -math.pi + 2 * math.pi * p, math.pi * (1 - 2 * q)),
        is_scalable=False,
    ),
    VON_MISES,
    MarginalFamily(
        name="axial_von_mises",
        formula="exp(kappa*cos(2*(x-mu)))/(2*pi*besseli(0,kappa))",
        parameters=(
            Parameter("mu", "angle"),
            Parameter("kappa", "shape", search=(1e-6, 1e4)),
        ),
        natural_support=CIRCLE,
        log_density=_axial_log_density,
        tails=_axial_tails,
        starts=_axial_starts,
        is_scalable=False,
    ),
    two_components(
        "von_mises_mixture",
        VON_MISES,
        (Parameter("mu", "angle"), Parameter("kappa", "shape", search=CONCENTRATION_RANGE)),
        location=lambda mu, kappa: (mu + math.pi) % (2.0 * math.pi) - math.pi,
        starts=_circular_mixture_starts,
    ),
    MarginalFamily(
        name="sine",
        formula="sin(x)",
        parameters=(),
        natural_support=POLAR_RANGE,
        log_density=lambda x: np.log(np.sin(x)),
        tails=_sine_tails,
        quantile=lambda p, q: np.where(p < q, _polar_angle(p), np.arccos(np.clip(q, 0.0, 1.0))),
        is_scalable=False,
    ),
    MarginalFamily(
        name="watson",
        formula="sin(x)*exp(kappa*cos(x)**2)/Integral(exp(kappa*t**2),(t,0,1))",
        parameters=(Parameter("kappa", "real", search=(-300.0, 300.0)),),
        natural_support=POLAR_RANGE,
        log_density=_watson_log_density,
        tails=_watson_tails,
        starts=lambda sample: [(0.0,), (-1.0,), (1.0,)],
        nested=(Nested("sine", lambda values: (0.0,)),),
        is_scalable=False,
    ),
    MarginalFamily(
        name="beta_cosine",
        formula="sin(x)*cos(x)**(a-1)*(1-cos(x))**(b-1)/beta(a,b)",
        parameters=(SHAPE_A, SHAPE_B),
        natural_support=POLAR_RANGE,
        log_density=_beta_cosine_log_density,
        tails=_beta_cosine_tails,
        quantile=lambda p, q, a, b: _polar_angle(_beta_quantile(p, q, b, a)),
        starts=lambda sample: _beta_starts(np.cos(sample)),
        nested=(Nested("sine", lambda values: (1.0, 1.0)),),
        is_scalable=False,
    ),
)
