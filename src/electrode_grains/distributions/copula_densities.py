"""Log-densities of copulas, which are compiled with their gradients and Hessians.

Each takes what does not depend on the parameters, computed once for a sample, and parameters that
are numbers, or arrays that broadcast against the sample; compiled, one observation and jets.
Notation of Joe, "Dependence Modeling with Copulas" (2014): x = -log u, y = -log v, theta t, or
kappa t and delta d. Every bracket is a sum of terms of one sign, so that nothing cancels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from electrode_grains.distributions.jets import (
    Operand,
    choose,
    compilable,
    exp,
    expm1,
    is_negative,
    log,
    log1m_exp,
    log1p,
    log_add,
    log_expm1,
    log_sum_minus_one,
    magnitude,
    softplus,
)

Array = NDArray[np.float64]
Logarithms = tuple[Array, Array]


def ali_mikhail_haq(u: Array, v: Array, t: Operand) -> Operand:
    """Ali-Mikhail-Haq, of u and v."""
    both, product = u + v, u * v
    positive = (1 - t) * (1 - t) + t * (1 - t) * both + t * (1 + t) * product
    negative = (1 + t) * (1 + t * ((1 - u) * (1 - v))) - t * (2 * ((1 - u) + (1 - v)))
    top = choose(is_negative(t), negative, positive)
    return log(top) - 3 * log((1 - t) + t * (both - product))


def clayton(x: Array, y: Array, t: Operand) -> Operand:
    """Clayton, of -log u and -log v."""
    return log1p(t) + (t + 1) * (x + y) - (1 / t + 2) * log_sum_minus_one(t * x, t * y)


def frank(u: Array, v: Array, t: Operand) -> Operand:
    """Frank, of u and v."""
    u, t = choose(is_negative(t), 1 - u, u), magnitude(t)
    apart, is_below = abs(u - v), u < v
    near, far = choose(is_below, v, 1 - v), choose(is_below, 1 - v, v)
    inner = expm1(t * -near) + exp(t * -apart) * expm1(t * -far)
    return log(t) + log(-expm1(-t)) - t * apart - 2 * log(-inner)


def gumbel(one: Logarithms, other: Logarithms, t: Operand) -> Operand:
    """Gumbel, of x and log x, y and log y."""
    (x, lx), (y, ly) = one, other
    total = log_add(t * lx, t * ly)
    s = exp(total * (1 / t))
    return (t - 1) * (lx + ly) + (1 / t - 2) * total - s + log(s + t - 1) + (x + y)


def joe(lx: Array, ly: Array, t: Operand) -> Operand:
    """Joe, of log(1 - u) and log(1 - v)."""
    a, b = t * lx, t * ly
    total = log_add(a, b + log1m_exp(a))
    return (1 / t - 2) * total + (1 - 1 / t) * (a + b) + log(t - 1 + exp(total))


def bb1(x: Array, y: Array, t: Operand, d: Operand) -> Operand:
    """BB1, of -log u and -log v."""
    lx, ly = log_expm1(t * x), log_expm1(t * y)
    log_r = log_add(d * lx, d * ly) * (1 / d)
    # r (t d + 1) + t (d - 1) with r taken out, lest a logarithm of d - 1 be needed
    inner = log(exp(-log_r) * (t * (d - 1)) + (t * d + 1))
    return (
        (2 - 2 * d) * log_r
        - (1 / t + 2) * softplus(log_r)
        + inner
        + (d - 1) * (lx + ly)
        + (t + 1) * (x + y)
    )


def bb8(u: Array, v: Array, t: Operand, d: Operand) -> Operand:
    """BB8, of u and v."""
    log_e = t * log1p(-d)
    log_p, log_q = t * log1p(d * -u), t * log1p(d * -v)
    # p (1 - q) + q - e over the larger of p and q, which is that of the smaller of u and v
    larger = choose(u < v, log_p, log_q)
    inner = exp(log_p - larger) * expm1(log_q) + exp(log_q - larger) * expm1(log_e - log_q)
    over_eta = 1 / -expm1(log_e)
    log_r = larger + log(-inner) + log(over_eta)
    return (
        log(d * over_eta)
        + (1 / t - 2) * log_r
        + log(t - 1 + exp(log_r))
        + (1 - 1 / t) * (log_p + log_q)
    )


def bb3(one: Logarithms, other: Logarithms, t: Operand, d: Operand) -> Operand:
    """BB3, of x and log x, y and log y."""
    (x, lx), (y, ly) = one, other
    big_x, big_y = d * exp(t * lx), d * exp(t * ly)
    log_w = log(log_sum_minus_one(big_x, big_y))
    larger = choose(lx > ly, big_x, big_y)
    apart = larger * -expm1(t * -abs(lx - ly))
    balance = -2 * log1p(exp(-apart) - exp(-larger)) - apart
    log_g = (log_w - log(d)) * (1 / t)
    g = exp(log_g)
    last = log1p(exp(-log_w) * (g * (1 / t) + (1 - 1 / t)))
    power = (t - 1) * (lx + ly) + (x + y)
    return balance - g + log(t) + 2 * log(d) + power + log_g - log_w + last


@compilable
def _log_share(difference: Operand, soft: Operand, k: Operand) -> Operand:
    """log(1 - (h / X)^(1 + d)), by its first term where it is tiny."""
    tiny = is_negative(difference + 36)
    return choose(tiny, difference + log(k), log1m_exp(-(k * soft)))


def bb5(one: Logarithms, other: Logarithms, t: Operand, d: Operand) -> Operand:
    """BB5, of x and log x, y and log y."""
    (x, lx), (y, ly) = one, other
    log_x, log_y, over_d = t * lx, t * ly, 1 / d
    apart = d * (t * (lx - ly))
    soft_x, soft_y = softplus(apart), softplus(-apart)
    smaller = lx < ly
    low, high = choose(smaller, log_x, log_y), choose(smaller, log_y, log_x)
    rest = -expm1(-(choose(smaller, soft_x, soft_y) * over_d))
    log_s = high + log1p(exp(low - high) * rest)
    log_h = log_x - soft_x * over_d
    shares = _log_share(apart, soft_x, over_d + 1) + _log_share(-apart, soft_y, over_d + 1)
    g = exp(log_s * (1 / t))
    mixed = log1p(d) + (2 * d + 1) * log_h - (d + 1) * (log_x + log_y)
    bracket = log_add(log(g + t - 1) + shares, log(t) + log_s + mixed)
    return (1 / t - 2) * log_s - g + (t - 1) * (lx + ly) + bracket + (x + y)


def minus_log(u: Array) -> Array:
    """-log u."""
    return np.asarray(-np.log(u))


def logarithms(u: Array) -> Logarithms:
    """-log u and its logarithm."""
    x = minus_log(u)
    return x, np.log(x)


def log_rest(u: Array) -> Array:
    """log(1 - u)."""
    return np.asarray(np.log1p(-u))
