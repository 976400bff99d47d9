"""Copula families of no or one parameter, and the elliptical ones.

Notation of Joe, "Dependence Modeling with Copulas" (2014), and of the paper for parameters:
x = -log u, y = -log v. Every bracket of a log-density is a sum of terms of one sign, so
that nothing cancels.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.special import digamma, polygamma

from electrode_grains.distributions import copula_densities, elliptical
from electrode_grains.distributions.copula_terms import (
    Array,
    Parameters,
    log1m_exp,
    log1p,
    log_add,
    log_sum_minus_one,
    upper_tail,
)
from electrode_grains.distributions.family_declaration import CopulaFamily, Parameter


def _independence_density(u: Array, v: Array, _: Parameters) -> Array:
    return np.zeros(np.broadcast(u, v).shape)


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


def _clayton_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    return np.exp(-log_sum_minus_one(-t * np.log(u), -t * np.log(v)) / t)


def _clayton_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    x, y = -np.log(u), -np.log(v)
    return np.exp((t + 1) * x - (1 / t + 1) * log_sum_minus_one(t * x, t * y))


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
    logarithm = np.where(near, log1p(np.where(near, share, 0)), np.log(rest / -np.expm1(-t)))
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


def _gumbel_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    return np.exp(-np.exp(log_add(t * np.log(-np.log(u)), t * np.log(-np.log(v))) / t))


def _gumbel_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    x = -np.log(u)
    lx, ly = np.log(x), np.log(-np.log(v))
    total = log_add(t * lx, t * ly)
    return np.exp(x - np.exp(total / t) + (t - 1) * lx + (1 / t - 1) * total)


def _joe_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    a, b = t * log1p(-u), t * log1p(-v)
    total = np.exp(a) + np.exp(b) * -np.expm1(a)
    return np.asarray(1 - total ** (1 / t))


def _joe_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    (t,) = parameters
    a, b = t * log1p(-u), t * log1p(-v)
    total = log_add(a, b + log1m_exp(a))
    return -np.expm1(b) * np.exp((1 - 1 / t) * (a - total))


def _joe_tau(parameters: Parameters) -> float:
    (t,) = parameters
    if abs(t - 2) < 1e-5:
        return float(1 - polygamma(1, 2))
    return float(1 + 2 / (2 - t) * (digamma(2) - digamma(2 / t + 1)))


CORRELATION = Parameter("rho", "real", search=(-0.9999, 0.9999))
ONE_PARAMETER_FAMILIES = (
    CopulaFamily(
        name="independence",
        formula="u*v",
        parameters=(),
        log_density=_independence_density,
        cdf=lambda u, v, _: u * v,
        kendall_tau=lambda _: 0.0,
        is_radially_symmetric=True,
        conditional=lambda u, v, _: np.broadcast_arrays(v, u)[0] + 0.0,
    ),
    CopulaFamily(
        name="gaussian",
        parameters=(CORRELATION,),
        log_density=elliptical.gaussian_log_density,
        cdf=elliptical.gaussian_cdf,
        kendall_tau=elliptical.kendall_tau,
        is_radially_symmetric=True,
        conditional=elliptical.gaussian_conditional,
    ),
    CopulaFamily(
        name="student",
        parameters=(CORRELATION, Parameter("nu", "excess", search=(2.05, 100.0))),
        log_density=elliptical.student_log_density,
        cdf=elliptical.student_cdf,
        kendall_tau=elliptical.kendall_tau,
        tail_dependence=elliptical.student_tails,
        is_radially_symmetric=True,
        conditional=elliptical.student_conditional,
    ),
    CopulaFamily.with_jets(
        name="ali_mikhail_haq",
        formula="u*v/(1-theta*(1-u)*(1-v))",
        parameters=(Parameter("theta", "real", search=(-1.0, 1.0)),),
        cdf=_amh_cdf,
        kendall_tau=_amh_tau,
        tail_dependence=lambda p: (0.5 if p[0] == 1 else 0.0, 0.0),
        conditional=_amh_conditional,
        jets=copula_densities.ali_mikhail_haq,
    ),
    CopulaFamily.with_jets(
        name="clayton",
        formula="(u**(-theta)+v**(-theta)-1)**(-1/theta)",
        parameters=(Parameter("theta", "excess", search=(1e-10, 50.0)),),
        cdf=_clayton_cdf,
        kendall_tau=lambda p: p[0] / (p[0] + 2),
        tail_dependence=lambda p: (2 ** (-1 / p[0]), 0.0),
        conditional=_clayton_conditional,
        transform=copula_densities.minus_log,
        jets=copula_densities.clayton,
    ),
    CopulaFamily.with_jets(
        name="frank",
        formula="-log(1+(exp(-theta*u)-1)*(exp(-theta*v)-1)/(exp(-theta)-1))/theta",
        parameters=(Parameter("theta", "signed", search=(-80.0, 80.0)),),
        cdf=_frank_cdf,
        kendall_tau=_frank_tau,
        is_radially_symmetric=True,
        conditional=_frank_conditional,
        jets=copula_densities.frank,
    ),
    CopulaFamily.with_jets(
        name="gumbel",
        formula="exp(-((-log(u))**theta+(-log(v))**theta)**(1/theta))",
        parameters=(Parameter("theta", "excess", search=(1.0, 50.0)),),
        cdf=_gumbel_cdf,
        kendall_tau=lambda p: 1 - 1 / p[0],
        tail_dependence=lambda p: (0.0, upper_tail(p[0])),
        conditional=_gumbel_conditional,
        transform=copula_densities.logarithms,
        jets=copula_densities.gumbel,
    ),
    CopulaFamily.with_jets(
        name="joe",
        formula="1-((1-u)**theta+(1-v)**theta-(1-u)**theta*(1-v)**theta)**(1/theta)",
        parameters=(Parameter("theta", "excess", search=(1.0, 50.0)),),
        cdf=_joe_cdf,
        kendall_tau=_joe_tau,
        tail_dependence=lambda p: (0.0, upper_tail(p[0])),
        conditional=_joe_conditional,
        transform=copula_densities.log_rest,
        jets=copula_densities.joe,
    ),
)
