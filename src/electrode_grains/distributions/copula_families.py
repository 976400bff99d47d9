"""Copula families: log-densities that hold to the corners of the unit square.

Notation of Joe, "Dependence Modeling with Copulas" (2014), and of the paper for parameters:
x = -log u, y = -log v. Every bracket of a log-density is a sum of terms of one sign, so
that nothing cancels. Distribution functions accept a complex u, which gives their
derivative to machine precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import digamma, polygamma

from electrode_grains.distributions import baselines
from electrode_grains.errors import SettingsError

Array = NDArray[Any]
Parameters = tuple[float, ...]


@dataclass(frozen=True)
class CopulaFamily:
    """Declaration of a family.

    Attributes
    ----------
    parameter_names : tuple of str
        In the paper's order.
    bounds : tuple of (float, float)
        Range of each parameter in a fit.
    log_density, cdf : callable
        Of (u, v, parameters).
    kendall_tau : callable or None
        Of the parameters; None where it is integrated numerically.
    tail_dependence : callable
        Of the parameters: (lower, upper).
    is_radially_symmetric : bool
        Whether rotations give nothing that other parameters do not give too.
    conditional : callable or None
        P(V <= v | U = u) of (u, v, parameters); None where the distribution function of a
        complex u tells it.
    """

    parameter_names: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]
    log_density: Callable[[Array, Array, Parameters], Array]
    cdf: Callable[[Array, Array, Parameters], Array]
    kendall_tau: Callable[[Parameters], float] | None
    tail_dependence: Callable[[Parameters], tuple[float, float]]
    is_radially_symmetric: bool = False
    conditional: Callable[[Array, Array, Parameters], Array] | None = None


# --- building blocks --------------------------------------------------------------------------


def _log1p(a: Array) -> Array:
    """log(1 + a), real or with a tiny imaginary part, with which numpy's own loses digits."""
    if np.iscomplexobj(a):
        return np.asarray(np.log1p(np.real(a)) + 1j * np.imag(a) / (1 + np.real(a)))
    return np.asarray(np.log1p(a))


def _log_sum_minus_one(a: Array, b: Array) -> Array:
    """log(exp(a) + exp(b) - 1) for a, b >= 0, real or complex."""
    top = np.maximum(np.real(a), np.real(b))
    large = top > 1
    shift = np.where(large, top, 0.0)
    far = shift + np.log(np.exp(a - shift) + np.exp(b - shift) - np.exp(-shift))
    with np.errstate(over="ignore", invalid="ignore"):
        near = _log1p(np.expm1(a) + np.expm1(b))
    return np.asarray(np.where(large, far, near))


def _log_expm1(a: Array) -> Array:
    """log(exp(a) - 1) for a > 0."""
    with np.errstate(over="ignore"):
        return np.where(np.real(a) > 30, a + _log1p(-np.exp(-a)), np.log(np.expm1(a)))


def _log1m_exp(a: Array) -> Array:
    """log(1 - exp(a)) for a < 0."""
    with np.errstate(divide="ignore"):
        return np.where(a > -np.log(2), np.log(-np.expm1(a)), _log1p(-np.exp(a)))


def _log_add(a: Array, b: Array) -> Array:
    """log(exp(a) + exp(b)), real or complex; exact where one is far below the other.

    For real arrays it is numpy's own `logaddexp`, six times as fast.
    """
    if not (np.iscomplexobj(a) or np.iscomplexobj(b)):
        return np.asarray(np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b))))
    a, b = np.broadcast_arrays(a, b)
    swap = np.real(a) < np.real(b)
    low, high = np.where(swap, a, b), np.where(swap, b, a)
    return np.asarray(high + _log1p(np.exp(low - high)))


def _no_tails(_: Parameters) -> tuple[float, float]:
    return 0.0, 0.0


# --- one parameter ----------------------------------------------------------------------------


def _independence_density(u: Array, v: Array, _: Parameters) -> Array:
    return np.zeros(np.broadcast(u, v).shape)


def _amh_density(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    if t >= 0:
        top = (1 - t) ** 2 + t * (1 - t) * (u + v) + t * (1 + t) * u * v
    else:
        top = (1 + t) * (1 + t * (1 - u) * (1 - v)) - 2 * t * ((1 - u) + (1 - v))
    bottom = (1 - t) + t * (u + v - u * v)
    return np.asarray(np.log(top) - 3 * np.log(bottom))


def _amh_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    return np.asarray(u * v / ((1 - t) + t * (u + v - u * v)))


def _amh_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    bottom = (1 - t) + t * (u + v - u * v)
    return np.asarray(v * (1 - t + t * v) / bottom**2)


def _amh_tau(parameters: Parameters) -> float:
    (t,) = parameters
    if abs(t) < 1e-3:  # the closed form loses all digits here
        return 2 * t / 9 + t**2 / 18 + t**3 / 45
    last = 0.0 if t == 1 else 2 * (1 - t) ** 2 * np.log1p(-t) / (3 * t**2)
    return float((3 * t - 2) / (3 * t) - last)


def _clayton_density(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    x, y = -np.log(u), -np.log(v)
    total = _log_sum_minus_one(t * x, t * y)
    return np.asarray(np.log1p(t) + (t + 1) * (x + y) - (1 / t + 2) * total)


def _clayton_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    return np.exp(-_log_sum_minus_one(-t * np.log(u), -t * np.log(v)) / t)


def _clayton_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    x, y = -np.log(u), -np.log(v)
    return np.exp((t + 1) * x - (1 / t + 1) * _log_sum_minus_one(t * x, t * y))


def _frank_density(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    if abs(t) < 1e-9:
        return _independence_density(u, v, ())
    if t < 0:
        return _frank_density(1 - u, v, (-t,))
    factor = np.log(t) + np.log(-np.expm1(-t))
    return np.asarray(factor - t * np.abs(u - v) - 2 * np.log(sum(_frank_terms(u, v, t))))


def _frank_terms(u: Array, v: Array, t: float) -> tuple[Array, Array]:
    """Terms of the denominator over exp(-t min(u, v)): the larger is of order t or more."""
    least = np.minimum(u, v)
    return (
        -np.exp(t * (least - u)) * np.expm1(-t * v),
        -np.exp(t * (least - v)) * np.expm1(-t * (1 - v)),
    )


def _frank_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    if abs(t) < 1e-9:
        return u * v
    if t < 0:
        return v - _frank_cdf(1 - u, v, (-t,))
    share = np.expm1(-t * u) * np.expm1(-t * v) / np.expm1(-t)
    # 1 + share as a sum of positive terms, where its own terms would cancel
    rest = np.exp(-t * u) * -np.expm1(-t * v) + np.exp(-t * v) * -np.expm1(-t * (1 - v))
    near = np.real(share) > -0.5
    logarithm = np.where(near, _log1p(np.where(near, share, 0)), np.log(rest / -np.expm1(-t)))
    return np.asarray(-logarithm / t)


def _frank_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    if abs(t) < 1e-9:
        return np.broadcast_arrays(v, u)[0] + 0.0
    if t < 0:
        return _frank_conditional(1 - u, v, (-t,))
    first, second = _frank_terms(u, v, t)
    return np.asarray(first / (first + second))


def _frank_tau(parameters: Parameters) -> float:
    t = abs(parameters[0])
    if t < 1e-4:
        return parameters[0] / 9
    debye = quad(lambda s: s / np.expm1(s) if s > 0 else 1.0, 0, t)[0] / t
    return float(np.sign(parameters[0]) * (1 - 4 / t * (1 - debye)))


def _gumbel_density(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    x, y = -np.log(u), -np.log(v)
    lx, ly = np.log(x), np.log(y)
    total = _log_add(t * lx, t * ly)
    s = np.exp(total / t)
    return np.asarray(-s + x + y + (t - 1) * (lx + ly) + (1 / t - 2) * total + np.log(s + t - 1))


def _gumbel_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    return np.exp(-np.exp(_log_add(t * np.log(-np.log(u)), t * np.log(-np.log(v))) / t))


def _gumbel_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    x = -np.log(u)
    lx, ly = np.log(x), np.log(-np.log(v))
    total = _log_add(t * lx, t * ly)
    return np.exp(x - np.exp(total / t) + (t - 1) * lx + (1 / t - 1) * total)


def _joe_density(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    a, b = t * _log1p(-u), t * _log1p(-v)
    total = _log_add(a, b + _log1m_exp(a))
    return np.asarray((1 / t - 2) * total + (1 - 1 / t) * (a + b) + np.log(t - 1 + np.exp(total)))


def _joe_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    a, b = t * _log1p(-u), t * _log1p(-v)
    total = np.exp(a) + np.exp(b) * -np.expm1(a)
    return np.asarray(1 - total ** (1 / t))


def _joe_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    a, b = t * _log1p(-u), t * _log1p(-v)
    total = _log_add(a, b + _log1m_exp(a))
    return -np.expm1(b) * np.exp((1 - 1 / t) * (a - total))


def _joe_tau(parameters: Parameters) -> float:
    (t,) = parameters
    if abs(t - 2) < 1e-5:
        return float(1 - polygamma(1, 2))
    return float(1 + 2 / (2 - t) * (digamma(2) - digamma(2 / t + 1)))


def _upper_tail(t: float) -> float:
    return float(2 - 2 ** (1 / t))


# --- two parameters ---------------------------------------------------------------------------


def _bb1_density(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    x, y = -np.log(u), -np.log(v)
    lx, ly = _log_expm1(t * x), _log_expm1(t * y)
    log_r = _log_add(d * lx, d * ly) / d
    last = math.log(t * d + 1) + log_r
    if d > 1:
        last = _log_add(np.full_like(last, math.log(t * (d - 1))), last)
    return np.asarray(
        -(1 / t + 2) * _log_add(np.zeros_like(log_r), log_r)
        + (1 - 2 * d) * log_r
        + last
        + (d - 1) * (lx + ly)
        + (t + 1) * (x + y)
    )


def _bb1_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    log_r = _log_add(d * _log_expm1(-t * np.log(u)), d * _log_expm1(-t * np.log(v))) / d
    return np.exp(-_log_add(np.zeros_like(log_r), log_r) / t)


def _bb1_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    x, y = -np.log(u), -np.log(v)
    lx, ly = _log_expm1(t * x), _log_expm1(t * y)
    log_r = _log_add(d * lx, d * ly) / d
    outer = _log_add(np.zeros_like(log_r), log_r)
    return np.exp((d - 1) * (lx - log_r) - (1 / t + 1) * outer + (t + 1) * x)


def _bb8_parts(u: Array, v: Array, parameters: Parameters) -> tuple[Array, Array, Array, float]:
    """Terms log p, log q, log R and eta of the Joe-Frank family."""
    t, d = parameters
    log_e = t * math.log1p(-d) if d < 1 else -math.inf
    log_p, log_q = t * _log1p(-d * u), t * _log1p(-d * v)
    eta = -math.expm1(log_e)
    # The larger of p and q is taken out of R = (p (1 - q) + q - e) / eta, lest it underflow.
    larger = np.maximum(np.real(log_p), np.real(log_q))
    inner = np.exp(log_p - larger) * np.expm1(log_q)
    inner = inner + np.exp(log_q - larger) * np.expm1(log_e - log_q)
    return log_p, log_q, larger + np.log(-inner / eta), eta


def _bb8_density(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    log_p, log_q, log_r, eta = _bb8_parts(u, v, parameters)
    return np.asarray(
        math.log(d / eta)
        + (1 / t - 2) * log_r
        + (np.log(t - 1 + np.exp(log_r)) if t > 1 else log_r)
        + (1 - 1 / t) * (log_p + log_q)
    )


def _bb8_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    _, _, log_r, _ = _bb8_parts(u, v, parameters)
    return -np.expm1(log_r / t) / d


def _bb8_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    t, _ = parameters
    log_p, log_q, log_r, eta = _bb8_parts(u, v, parameters)
    return -np.expm1(log_q) / eta * np.exp((1 - 1 / t) * (log_p - log_r))


def _bb8_tau(parameters: Parameters) -> float:
    t, d = parameters
    eta = -np.expm1(t * np.log1p(-d)) if d < 1 else 1.0

    def ratio(s: float) -> float:
        rest = (1 - d * s) ** t
        if s <= 0 or rest <= 0:
            return 0.0
        return float(np.log((1 - rest) / eta) * (1 - rest) / (t * d * (1 - d * s) ** (t - 1)))

    return float(1 + 4 * quad(ratio, 0, 1, limit=200)[0])


def _bb3_density(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    x, y = -np.log(u), -np.log(v)
    lx, ly = np.log(x), np.log(y)
    big_x, big_y = d * np.exp(t * lx), d * np.exp(t * ly)
    w = _log_sum_minus_one(big_x, big_y)
    # X + Y - 2 w without its cancellation where X and Y are large
    larger = np.maximum(big_x, big_y)
    apart = -larger * np.expm1(-t * np.abs(lx - ly))
    balance = -apart - 2 * np.log1p(np.exp(-apart) - np.exp(-larger))
    log_g = (np.log(w) - math.log(d)) / t
    g = np.exp(log_g)
    return np.asarray(
        -g
        + balance
        + 2 * math.log(d * t)
        + (t - 1) * (lx + ly)
        + x
        + y
        + log_g
        - math.log(t)
        - np.log(w)
        + np.log(g / (t * w) + (1 - 1 / t) / w + 1)
    )


def _bb3_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    big_x, big_y = d * (-np.log(u)) ** t, d * (-np.log(v)) ** t
    return np.exp(-((_log_sum_minus_one(big_x, big_y) / d) ** (1 / t)))


def _bb3_tau(parameters: Parameters) -> float:
    t, d = parameters

    def ratio(s: float) -> float:
        if not 0 < s < 1:
            return 0.0
        x = -np.log(s)
        return float(np.expm1(-d * x**t) * s * x ** (1 - t) / (d * t))

    return float(1 + 4 * quad(ratio, 0, 1, limit=200)[0])


def _bb5_parts(
    lx: Array, ly: Array, parameters: Parameters
) -> tuple[Array, Array, Array, Array, Array]:
    """Terms log X, log Y, softplus and log s of the family, from log x and log y."""
    t, d = parameters
    log_x, log_y = t * lx, t * ly
    soft_x = _log_add(np.zeros_like(log_x), d * (log_x - log_y))
    soft_y = _log_add(np.zeros_like(log_y), d * (log_y - log_x))
    smaller = np.real(log_x) < np.real(log_y)
    low, high = np.where(smaller, log_x, log_y), np.where(smaller, log_y, log_x)
    soft = np.where(smaller, soft_x, soft_y)
    log_s = high + _log1p(np.exp(low - high) * -np.expm1(-soft / d))
    return log_x, log_y, soft_x, soft_y, log_s


def _log_share(difference: Array, soft: Array, d: float) -> Array:
    """log(1 - (h / X)^(1 + d)), by its first term where it is tiny."""
    k = (1 + d) / d
    with np.errstate(divide="ignore"):
        usual = np.log(-np.expm1(-k * soft))
    return np.where(difference < -36, np.log(k) + difference, usual)


def _bb5_density(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    x, y = -np.log(u), -np.log(v)
    lx, ly = np.log(x), np.log(y)
    log_x, log_y, soft_x, soft_y, log_s = _bb5_parts(lx, ly, parameters)
    log_h = log_x - soft_x / d
    share_x = _log_share(d * (log_x - log_y), soft_x, d)
    share_y = _log_share(d * (log_y - log_x), soft_y, d)
    g = np.exp(log_s / t)
    mixed = np.log1p(d) + (2 * d + 1) * log_h - (d + 1) * (log_x + log_y)
    bracket = _log_add(np.log(g + t - 1) + share_x + share_y, np.log(t) + log_s + mixed)
    return np.asarray(-g + (1 / t - 2) * log_s + (t - 1) * (lx + ly) + bracket + x + y)


def _bb5_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    t, _ = parameters
    *_, log_s = _bb5_parts(np.log(-np.log(u)), np.log(-np.log(v)) + 0 * u, parameters)
    return np.exp(-np.exp(log_s / t))


COPULA_FAMILIES: Mapping[str, CopulaFamily] = {
    "independence": CopulaFamily(
        (),
        (),
        _independence_density,
        lambda u, v, _: u * v,
        lambda _: 0.0,
        _no_tails,
        True,
        lambda u, v, _: np.broadcast_arrays(v, u)[0] + 0.0,
    ),
    "gaussian": CopulaFamily(
        ("rho",),
        ((-0.9999, 0.9999),),
        baselines.gaussian_log_density,
        baselines.gaussian_cdf,
        lambda p: float(2 / np.pi * np.arcsin(p[0])),
        _no_tails,
        True,
        baselines.gaussian_conditional,
    ),
    "student": CopulaFamily(
        ("rho", "nu"),
        ((-0.9999, 0.9999), (2.05, 100.0)),
        baselines.student_log_density,
        baselines.student_cdf,
        lambda p: float(2 / np.pi * np.arcsin(p[0])),
        baselines.student_tails,
        True,
        baselines.student_conditional,
    ),
    "ali_mikhail_haq": CopulaFamily(
        ("theta",),
        ((-1.0, 1.0),),
        _amh_density,
        _amh_cdf,
        _amh_tau,
        lambda p: (0.5 if p[0] == 1 else 0.0, 0.0),
        conditional=_amh_conditional,
    ),
    "clayton": CopulaFamily(
        ("theta",),
        ((1e-10, 50.0),),
        _clayton_density,
        _clayton_cdf,
        lambda p: p[0] / (p[0] + 2),
        lambda p: (2 ** (-1 / p[0]), 0.0),
        conditional=_clayton_conditional,
    ),
    "frank": CopulaFamily(
        ("theta",),
        ((-80.0, 80.0),),
        _frank_density,
        _frank_cdf,
        _frank_tau,
        _no_tails,
        True,
        _frank_conditional,
    ),
    "gumbel": CopulaFamily(
        ("theta",),
        ((1.0, 50.0),),
        _gumbel_density,
        _gumbel_cdf,
        lambda p: 1 - 1 / p[0],
        lambda p: (0.0, _upper_tail(p[0])),
        conditional=_gumbel_conditional,
    ),
    "joe": CopulaFamily(
        ("theta",),
        ((1.0, 50.0),),
        _joe_density,
        _joe_cdf,
        _joe_tau,
        lambda p: (0.0, _upper_tail(p[0])),
        conditional=_joe_conditional,
    ),
    "bb1": CopulaFamily(
        ("kappa", "delta"),
        ((1e-10, 15.0), (1.0, 30.0)),
        _bb1_density,
        _bb1_cdf,
        lambda p: 1 - 2 / (p[1] * (p[0] + 2)),
        lambda p: (2 ** (-1 / (p[0] * p[1])), _upper_tail(p[1])),
        conditional=_bb1_conditional,
    ),
    "bb8": CopulaFamily(
        ("kappa", "delta"),
        ((1.0, 60.0), (1e-3, 1.0)),
        _bb8_density,
        _bb8_cdf,
        _bb8_tau,
        lambda p: (0.0, _upper_tail(p[0]) if p[1] == 1 else 0.0),
        conditional=_bb8_conditional,
    ),
    "bb3": CopulaFamily(
        ("kappa", "delta"),
        ((1.0, 20.0), (1e-10, 30.0)),
        _bb3_density,
        _bb3_cdf,
        _bb3_tau,
        lambda p: (1.0 if p[0] > 1 else 2 ** (-1 / p[1]), _upper_tail(p[0])),
    ),
    "bb5": CopulaFamily(
        ("kappa", "delta"),
        ((1.0, 20.0), (1e-2, 30.0)),
        _bb5_density,
        _bb5_cdf,
        None,
        lambda p: (0.0, float(2 - (2 - 2 ** (-1 / p[1])) ** (1 / p[0]))),
    ),
}
"""Families by name."""


def copula_family_named(name: str) -> CopulaFamily:
    """Look a family up in the registry.

    Raises
    ------
    SettingsError
        If there is none of that name.
    """
    try:
        return COPULA_FAMILIES[name]
    except KeyError:
        raise SettingsError(
            "unknown copula family", found=repr(name), expected=", ".join(COPULA_FAMILIES)
        ) from None
