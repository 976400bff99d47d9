"""Exponential and logarithm without branches, for compiled loops over a sample.

A loop that calls the C library computes one value at a time. These are inlined, so that the
compiler computes as many values at once as a register of the processor holds (four or eight), which
is ten times as fast. Within 1.1 units in the last place of the exact value; infinities, NaN and
zeros as in NumPy. For compiled code alone: Python code has NumPy.

Reduction of the argument and coefficients of the logarithm: fdlibm (Sun Microsystems, 1993).
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba import types
from numba.extending import intrinsic

from electrode_grains.compiling import njit

INLINE: dict[str, Any] = {"forceinline": True, "error_model": "numpy"}
LOG2_E = 1 / math.log(2)
# log 2 in two parts, of which multiples of the first by an exponent are exact.
LOG2_HIGH, LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Added to a number below 2^51, it leaves the nearest integer in the last bits.
ROUNDING = 6755399441055744.0  # 1.5 * 2^52
SMALLEST, LARGEST = -745.2, 709.79  # arguments beyond which exp is 0 or infinite
BIAS, MANTISSA_BITS = 1023, 52
ROOT_HALF_BITS = 0x3FE6A09E667F3BCD  # of sqrt(1/2), where mantissas begin
LEAST_NORMAL, TO_NORMAL = 2.2250738585072014e-308, 54  # subnormals are multiplied by 2^54


def typed_intrinsic(function: Any) -> Any:
    """Declare an operation that is generated, which type checkers take for its arguments."""
    return intrinsic(function)


@typed_intrinsic
def _bits(_typing: Any, _x: Any) -> Any:
    """Bits of a number, as an integer."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@typed_intrinsic
def _from_bits(_typing: Any, _k: Any) -> Any:
    """Return the number of given bits."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@njit(**INLINE)
def _power_of_two(k: int) -> float:
    return _from_bits((k + BIAS) << MANTISSA_BITS)  # type: ignore[no-any-return]


@njit(**INLINE)
def _reduced(x: float) -> tuple[float, int, int]:
    """exp(r) - 1 with x = r + k log 2, and k in two halves, whose powers of 2 are finite."""
    inside = min(max(x, SMALLEST), LARGEST)
    shifted = inside * LOG2_E + ROUNDING
    k = _bits(shifted) - _bits(ROUNDING)
    multiple = shifted - ROUNDING
    r = (inside - multiple * LOG2_HIGH) - multiple * LOG2_LOW
    p = 1 / 6227020800.0  # Taylor to r^13 / 13!: |r| <= log(2) / 2
    p = p * r + 1 / 479001600.0
    p = p * r + 1 / 39916800.0
    p = p * r + 1 / 3628800.0
    p = p * r + 1 / 362880.0
    p = p * r + 1 / 40320.0
    p = p * r + 1 / 5040.0
    p = p * r + 1 / 720.0
    p = p * r + 1 / 120.0
    p = p * r + 1 / 24.0
    p = p * r + 1 / 6.0
    p = p * r + 0.5
    half = k >> 1
    return r + r * r * p, half, k - half


@njit(**INLINE)
def exp(x: float) -> float:
    """Exponential."""
    p, half, rest = _reduced(x)
    y = (1.0 + p) * _power_of_two(half) * _power_of_two(rest)
    y = math.inf if x > LARGEST else y
    y = 0.0 if x < SMALLEST else y
    return x if x != x else y


@njit(**INLINE)
def expm1(x: float) -> float:
    """exp(x) - 1."""
    p, half, rest = _reduced(x)
    scale = _power_of_two(rest)
    y = _power_of_two(half) * (scale * p + (scale - _power_of_two(-half)))
    y = math.inf if x > LARGEST else y
    return x if x != x else y


@njit(**INLINE)
def _split(x: float) -> tuple[float, float]:
    """Mantissa in [sqrt(1/2), sqrt(2)) and exponent of a normal number."""
    pattern = _bits(x)
    exponent = (pattern - ROOT_HALF_BITS) >> MANTISSA_BITS
    mantissa = _from_bits(pattern - (exponent << MANTISSA_BITS))
    return mantissa, _from_bits(exponent + _bits(ROUNDING)) - ROUNDING


@njit(**INLINE)
def _logarithm(mantissa: float, exponent: float, correction: float) -> float:
    f = mantissa - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = 3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01)
    odd = 2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860510158591e-01)
    series = w * even + z * (6.666666666666735130e-01 + w * odd)
    half_square = 0.5 * f * f
    small = s * (half_square + series) + (exponent * LOG2_LOW + correction)
    return exponent * LOG2_HIGH - ((half_square - small) - f)


@njit(**INLINE)
def _at_ends(x: float, y: float) -> float:
    y = -math.inf if x == 0.0 else y
    y = math.nan if x < 0.0 else y
    y = math.inf if x == math.inf else y
    return x if x != x else y


@njit(**INLINE)
def log(x: float) -> float:
    """Logarithm."""
    is_tiny = x < LEAST_NORMAL
    mantissa, exponent = _split(x * 2.0**TO_NORMAL if is_tiny else x)
    exponent = exponent - TO_NORMAL if is_tiny else exponent
    return _at_ends(x, _logarithm(mantissa, exponent, 0.0))  # type: ignore[no-any-return]


@njit(**INLINE)
def log1p(x: float) -> float:
    """log(1 + x)."""
    one_more = 1.0 + x
    mantissa, exponent = _split(one_more)
    lost = (1.0 - (one_more - x)) if x > 1.0 else (x - (one_more - 1.0))
    y = _at_ends(one_more, _logarithm(mantissa, exponent, lost / one_more))
    return x if one_more == 1.0 else y
