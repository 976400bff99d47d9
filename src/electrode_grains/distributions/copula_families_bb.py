"""Copula families of two parameters, kappa and delta; notation as in `copula_families_simple`."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.integrate import quad

from electrode_grains.distributions import copula_densities
from electrode_grains.distributions.copula_terms import (
    Array,
    Parameters,
    log1p,
    log_add,
    log_expm1,
    log_sum_minus_one,
    upper_tail,
)
from electrode_grains.distributions.family_declaration import CopulaFamily, Kind, Parameter

TAU_NODES = 200


def _bb1_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    log_r = log_add(d * log_expm1(-t * np.log(u)), d * log_expm1(-t * np.log(v))) / d
    return np.exp(-log_add(np.zeros_like(log_r), log_r) / t)


def _bb1_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    x, y = -np.log(u), -np.log(v)
    lx, ly = log_expm1(t * x), log_expm1(t * y)
    log_r = log_add(d * lx, d * ly) / d
    outer = log_add(np.zeros_like(log_r), log_r)
    return np.exp((d - 1) * (lx - log_r) - (1 / t + 1) * outer + (t + 1) * x)


def _bb8_parts(u: Array, v: Array, parameters: Parameters) -> tuple[Array, Array, Array, float]:
    """Terms log p, log q, log R and eta of the Joe-Frank family."""
    t, d = parameters
    log_e = t * math.log1p(-d) if d < 1 else -math.inf
    log_p, log_q = t * log1p(-d * u), t * log1p(-d * v)
    eta = -math.expm1(log_e)
    # The larger of p and q is taken out of R = (p (1 - q) + q - e) / eta, lest it underflow.
    larger = np.maximum(np.real(log_p), np.real(log_q))
    inner = np.exp(log_p - larger) * np.expm1(log_q)
    inner = inner + np.exp(log_q - larger) * np.expm1(log_e - log_q)
    return log_p, log_q, larger + np.log(-inner / eta), eta


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
    # Powers of 1 - d s are kept as logarithms: beside 1, tiny ones would leave nothing.
    end = _log1m_exp(t * math.log1p(-d)) if d < 1 else 0.0

    def ratio(s: float) -> float:
        if not 0 < d * s < 1:
            return 0.0
        log_rest = math.log1p(-d * s)
        log_inner = _log1m_exp(t * log_rest)
        if log_inner >= end:
            return 0.0
        return -math.exp(math.log(end - log_inner) + log_inner - (t - 1) * log_rest) / (t * d)

    return float(1 + 4 * quad(ratio, 0, 1, limit=200)[0])


def _log1m_exp(a: float) -> float:
    """log(1 - exp(a)) of one number, for which NumPy takes twenty times as long."""
    return math.log(-math.expm1(a)) if a > -math.log(2) else math.log1p(-math.exp(a))


def _bb3_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    t, d = parameters
    big_x, big_y = d * (-np.log(u)) ** t, d * (-np.log(v)) ** t
    return np.exp(-((log_sum_minus_one(big_x, big_y) / d) ** (1 / t)))


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
    soft_x = log_add(np.zeros_like(log_x), d * (log_x - log_y))
    soft_y = log_add(np.zeros_like(log_y), d * (log_y - log_x))
    smaller = np.real(log_x) < np.real(log_y)
    low, high = np.where(smaller, log_x, log_y), np.where(smaller, log_y, log_x)
    soft = np.where(smaller, soft_x, soft_y)
    log_s = high + log1p(np.exp(low - high) * -np.expm1(-soft / d))
    return log_x, log_y, soft_x, soft_y, log_s


def _log_share(difference: Array, soft: Array, d: float) -> Array:
    """log(1 - (h / X)^(1 + d)), by its first term where it is tiny."""
    k = (1 + d) / d
    with np.errstate(divide="ignore"):
        usual = np.log(-np.expm1(-k * soft))
    return np.where(difference < -36, np.log(k) + difference, usual)


def _bb5_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    t, _ = parameters
    *_, log_s = _bb5_parts(np.log(-np.log(u)), np.log(-np.log(v)) + 0 * u, parameters)
    return np.exp(-np.exp(log_s / t))


@cache
def _unit_nodes() -> tuple[Array, Array, Array]:
    """Nodes w = sin^2 on (0, 1), 1 - w and weights: both ends keep their digits."""
    nodes, weights = np.polynomial.legendre.leggauss(TAU_NODES)
    angle = 0.25 * math.pi * (nodes + 1)
    weights = weights * 0.25 * math.pi * np.sin(2 * angle)
    return np.sin(angle) ** 2, np.cos(angle) ** 2, weights


def _bb5_tau(parameters: Parameters) -> float:
    """Of an extreme-value copula: minus the integral of (w (1 - w) / A)' A' over (0, 1)."""
    t, d = parameters
    w, rest, weights = _unit_nodes()
    lx, ly = np.log(w), np.log(rest)
    _, _, soft_x, soft_y, log_s = _bb5_parts(lx, ly, parameters)
    a = np.exp(log_s / t)
    # dA/dw = A / s times what w and 1 - w add to s, each w^(t - 1) (1 - (h / X)^(1 + d))
    share_x = _log_share(d * t * (lx - ly), soft_x, d)
    share_y = _log_share(d * t * (ly - lx), soft_y, d)
    slope = np.exp(log_s * (1 / t - 1)) * (
        np.exp((t - 1) * lx + share_x) - np.exp((t - 1) * ly + share_y)
    )
    bent = (1 - 2 * w) / a - w * rest * slope / a**2
    return float(-np.sum(weights * bent * slope))


def _ranges(kappa: tuple[float, float], delta: tuple[float, float]) -> tuple[Parameter, ...]:
    kind: Kind = "shape" if delta[1] <= 1 else "excess"
    return Parameter("kappa", "excess", search=kappa), Parameter("delta", kind, search=delta)


TWO_PARAMETER_FAMILIES = (
    CopulaFamily.with_jets(
        name="bb1",
        formula="(1+((u**(-kappa)-1)**delta+(v**(-kappa)-1)**delta)**(1/delta))**(-1/kappa)",
        parameters=_ranges((1e-10, 15.0), (1.0, 30.0)),
        cdf=_bb1_cdf,
        kendall_tau=lambda p: 1 - 2 / (p[1] * (p[0] + 2)),
        tail_dependence=lambda p: (2 ** (-1 / (p[0] * p[1])), upper_tail(p[1])),
        conditional=_bb1_conditional,
        transform=copula_densities.minus_log,
        jets=copula_densities.bb1,
    ),
    CopulaFamily.with_jets(
        name="bb8",
        formula="(1-(1-(1-(1-delta*u)**kappa)*(1-(1-delta*v)**kappa)/(1-(1-delta)**kappa))**(1"
        "/kappa))/delta",
        parameters=_ranges((1.0, 60.0), (1e-3, 1.0)),
        cdf=_bb8_cdf,
        kendall_tau=_bb8_tau,
        tail_dependence=lambda p: (0.0, upper_tail(p[0]) if p[1] == 1 else 0.0),
        conditional=_bb8_conditional,
        jets=copula_densities.bb8,
    ),
    CopulaFamily.with_jets(
        name="bb3",
        formula="exp(-(log(exp(delta*(-log(u))**kappa)+exp(delta*(-log(v))**kappa)-1)/delta)**(1"
        "/kappa))",
        parameters=_ranges((1.0, 20.0), (1e-10, 30.0)),
        cdf=_bb3_cdf,
        kendall_tau=_bb3_tau,
        tail_dependence=lambda p: (1.0 if p[0] > 1 else 2 ** (-1 / p[1]), upper_tail(p[0])),
        transform=copula_densities.logarithms,
        jets=copula_densities.bb3,
    ),
    CopulaFamily.with_jets(
        name="bb5",
        formula="exp(-((-log(u))**kappa+(-log(v))**kappa-((-log(u))**(-kappa"
        "*delta)+(-log(v))**(-kappa*delta))**(-1/delta))**(1/kappa))",
        parameters=_ranges((1.0, 20.0), (1e-2, 30.0)),
        cdf=_bb5_cdf,
        kendall_tau=_bb5_tau,
        tail_dependence=lambda p: (0.0, float(2 - (2 - 2 ** (-1 / p[1])) ** (1 / p[0]))),
        transform=copula_densities.logarithms,
        jets=copula_densities.bb5,
    ),
)
