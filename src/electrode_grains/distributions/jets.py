"""Values with their first and second derivatives by one or two parameters.

A likelihood that is written once in the functions of this module has its gradient and its
Hessian to machine precision, for the price of about two evaluations, when its parameters are
jets, and its value alone when they are numbers, or arrays that broadcast against the sample. The
two rules that cost (products, functions of a jet) are compiled; all else is sums of arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit

Array = NDArray[np.float64]
Operand = Any  # Jet, array or number
LEAST_MAGNITUDE = 1e-9


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _product(a: Array, b: Array) -> Array:
    """Rows of a product; an operand of one point stands for all."""
    n = max(a.shape[1], b.shape[1])
    out = np.empty((a.shape[0], n))
    of_a, of_b = min(a.shape[1] - 1, 1), min(b.shape[1] - 1, 1)
    for k in range(n):
        i, j = k * of_a, k * of_b
        p, q = a[0, i], b[0, j]
        out[0, k] = p * q
        if a.shape[0] == 3:
            out[1, k] = a[1, i] * q + p * b[1, j]
            out[2, k] = a[2, i] * q + 2.0 * a[1, i] * b[1, j] + p * b[2, j]
            continue
        out[1, k] = a[1, i] * q + p * b[1, j]
        out[2, k] = a[2, i] * q + p * b[2, j]
        out[3, k] = a[3, i] * q + 2.0 * a[1, i] * b[1, j] + p * b[3, j]
        out[4, k] = a[4, i] * q + a[1, i] * b[2, j] + a[2, i] * b[1, j] + p * b[4, j]
        out[5, k] = a[5, i] * q + 2.0 * a[2, i] * b[2, j] + p * b[5, j]
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _chain(a: Array, f: Array, slope: Array, bend: Array) -> Array:
    """Rows of a function of a jet, from its value and first two derivatives there."""
    out = np.empty(a.shape)
    for k in range(a.shape[1]):
        s, b = slope[k], bend[k]
        out[0, k] = f[k]
        if a.shape[0] == 3:
            out[1, k] = s * a[1, k]
            out[2, k] = b * a[1, k] * a[1, k] + s * a[2, k]
            continue
        p, q = a[1, k], a[2, k]
        out[1, k], out[2, k] = s * p, s * q
        out[3, k] = b * p * p + s * a[3, k]
        out[4, k] = b * p * q + s * a[4, k]
        out[5, k] = b * q * q + s * a[5, k]
    return out


class Jet:
    """An array of values with derivatives.

    Attributes
    ----------
    rows : ndarray of float, shape (3, n) or (6, n)
        Value, gradient and the upper half of the Hessian, by one or two parameters; n is 1
        for what does not depend on the observation.
    """

    __slots__ = ("rows",)
    __array_ufunc__ = None  # an array on the left leaves the operation to the jet

    def __init__(self, rows: Array) -> None:
        self.rows = rows

    @property
    def value(self) -> Array:
        """Values alone, shape (n,)."""
        return np.asarray(self.rows[0])

    def through(self, f: Array, slope: Array, bend: Array) -> Jet:
        """Jet of a function, from its values and first two derivatives at this one."""
        return Jet(_chain(self.rows, f, slope, bend))

    def __add__(self, other: Operand) -> Jet:
        if isinstance(other, Jet):
            return Jet(self.rows + other.rows)
        rows = np.empty((len(self.rows), max(self.rows.shape[1], np.size(other))))
        rows[:] = self.rows
        rows[0] += other
        return Jet(rows)

    def __neg__(self) -> Jet:
        return Jet(-self.rows)

    def __sub__(self, other: Operand) -> Jet:
        return Jet(self.rows - other.rows) if isinstance(other, Jet) else self.__add__(-other)

    def __rsub__(self, other: Operand) -> Jet:
        return (-self).__add__(other)

    def __mul__(self, other: Operand) -> Jet:
        if isinstance(other, Jet):
            return Jet(_product(self.rows, other.rows))
        return Jet(self.rows * other)

    def __rtruediv__(self, other: float) -> Jet:
        inverse = 1.0 / self.value
        square = inverse * inverse
        return self.through(other * inverse, -other * square, 2.0 * other * square * inverse)

    def __truediv__(self, other: Jet) -> Jet:
        return self * (1.0 / other)

    __radd__, __rmul__ = __add__, __mul__


def parameters(values: tuple[float, ...]) -> tuple[Jet, ...]:
    """Jets of the parameters themselves: each has slope 1 by itself."""
    size = {1: 3, 2: 6}[len(values)]
    jets = []
    for index, value in enumerate(values):
        rows = np.zeros((size, 1))
        rows[0], rows[1 + index] = value, 1.0
        jets.append(Jet(rows))
    return tuple(jets)


def derivatives(rows: Array, count: int) -> tuple[Array, Array]:
    """Gradient and Hessian by `count` parameters, from the rows of one jet."""
    if count == 1:
        return rows[1:2], rows[2:3].reshape(1, 1).copy()
    return rows[1:3], np.array([[rows[3], rows[4]], [rows[4], rows[5]]])


def choose(where: NDArray[np.bool_], one: Operand, other: Operand) -> Operand:
    """One of two operands of the same kind at each point."""
    if not isinstance(one, Jet):
        return np.where(where, one, other)
    return Jet(np.where(where, one.rows, other.rows))


def is_negative(a: Operand) -> NDArray[np.bool_]:
    """Where a value is below 0."""
    return np.asarray((a.value if isinstance(a, Jet) else a) < 0)


def magnitude(a: Operand) -> Operand:
    """Absolute value; of a number 1e-9 at least, so that limits at 0 are reached."""
    if not isinstance(a, Jet):
        return np.maximum(np.abs(a), LEAST_MAGNITUDE)
    return a * np.sign(a.value)


def exp(a: Operand) -> Operand:
    """Exponential."""
    if not isinstance(a, Jet):
        return np.exp(a)
    e = np.exp(a.value)
    return a.through(e, e, e)


def expm1(a: Operand) -> Operand:
    """exp(a) - 1."""
    if not isinstance(a, Jet):
        return np.expm1(a)
    f = np.expm1(a.value)
    return a.through(f, f + 1.0, f + 1.0)


def log(a: Operand) -> Operand:
    """Logarithm."""
    if not isinstance(a, Jet):
        return np.log(a)
    inverse = 1.0 / a.value
    return a.through(np.log(a.value), inverse, -inverse * inverse)


def log1p(a: Operand) -> Operand:
    """log(1 + a)."""
    if not isinstance(a, Jet):
        return np.log1p(a)
    inverse = 1.0 / (1.0 + a.value)
    return a.through(np.log1p(a.value), inverse, -inverse * inverse)


def softplus(a: Operand) -> Operand:
    """log(1 + exp(a))."""
    value = a.value if isinstance(a, Jet) else a
    e = np.exp(-np.abs(value))
    f = np.maximum(value, 0.0) + np.log1p(e)
    if not isinstance(a, Jet):
        return f
    rest = 1.0 / (1.0 + e)
    share = np.where(value > 0, rest, e * rest)
    return a.through(f, share, e * rest * rest)


def log_add(a: Operand, b: Operand) -> Operand:
    """log(exp(a) + exp(b))."""
    return b + softplus(a - b)


def log_expm1(a: Operand) -> Operand:
    """log(exp(a) - 1) for a > 0."""
    if not isinstance(a, Jet):
        return a + np.log(-np.expm1(-a))
    slope = -1.0 / np.expm1(-a.value)
    return a.through(a.value + np.log(1.0 / slope), slope, slope * (1.0 - slope))


def log1m_exp(a: Operand) -> Operand:
    """log(1 - exp(a)) for a < 0."""
    if not isinstance(a, Jet):
        return np.log(-np.expm1(a))
    rest = -np.expm1(a.value)
    ratio = (1.0 - rest) / rest
    return a.through(np.log(rest), -ratio, -ratio / rest)


def log_sum_minus_one(a: Operand, b: Operand) -> Operand:
    """log(exp(a) + exp(b) - 1) for a, b >= 0."""
    if not isinstance(a, Jet):
        top, low = np.maximum(a, b), np.minimum(a, b)
        # a + b - 1 over the larger: 1 + (exp(low) - 1) exp(-top), which nothing cancels in
        return top + np.log1p(-np.expm1(-low) * np.exp(low - top))
    value = log_sum_minus_one(a.value, b.value)
    p, q = np.exp(a.value - value), np.exp(b.value - value)
    ones = a.through(value, p, p) + b.through(0.0 * value, q, q)
    return _less_square(ones)


def _less_square(a: Jet) -> Jet:
    """Subtract the products of slopes from the second derivatives, as a logarithm does."""
    rows = a.rows
    if len(rows) == 3:
        rows[2] -= rows[1] * rows[1]
    else:
        rows[3] -= rows[1] * rows[1]
        rows[4] -= rows[1] * rows[2]
        rows[5] -= rows[2] * rows[2]
    return a
