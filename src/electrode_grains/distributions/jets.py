"""Values with their first and second derivatives by one or two parameters, in compiled code.

A log-density that is written once in the functions of this module takes arrays, for its values, or,
compiled for each observation, parameters that are jets: then it has its gradient and its Hessian
to machine precision for less than the price of two evaluations.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import (
    make_attribute_wrapper,
    models,
    overload,
    register_jitable,
    register_model,
)
from numpy.typing import NDArray

from electrode_grains.distributions import elementary
from electrode_grains.distributions.elementary import INLINE, typed_intrinsic

Array = NDArray[np.float64]
Operand = Any  # array or number; in compiled code also a jet
Function = TypeVar("Function", bound=Callable[..., Any])
LEAST_MAGNITUDE = 1e-9
# Value, slopes by p and q, and second derivatives by both.
FIELDS = {1: ("v", "p", "pp"), 2: ("v", "p", "q", "pp", "pq", "qq")}


class JetType(types.Type):
    """Type of a value with derivatives by so many parameters."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Jet({count})")


ONE, TWO = JetType(1), JetType(2)


@register_model(JetType)
class _JetModel(models.StructModel):
    def __init__(self, manager: Any, jet: JetType) -> None:
        fields = [(name, types.float64) for name in FIELDS[jet.count]]
        super().__init__(manager, jet, fields)  # type: ignore[no-untyped-call, unused-ignore]


for _name in FIELDS[2]:
    make_attribute_wrapper(JetType, _name, _name)


@typed_intrinsic
def jet_by_one(_typing: Any, v: Any, p: Any, pp: Any) -> Any:
    """Jet by one parameter, from its fields."""
    return _constructor(ONE)


@typed_intrinsic
def jet_by_two(_typing: Any, v: Any, p: Any, q: Any, pp: Any, pq: Any, qq: Any) -> Any:
    """Jet by two parameters, from its fields."""
    return _constructor(TWO)


def _constructor(jet: JetType) -> Any:
    names = FIELDS[jet.count]

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        proxy: Any = cgutils.create_struct_proxy
        made = proxy(jet)(context, builder)
        for name, argument in zip(names, arguments, strict=True):
            setattr(made, name, argument)
        return made._getvalue()

    return jet(*[types.float64] * len(names)), generate


def is_jet(a: Any) -> bool:
    """Whether a type is that of jets."""
    return isinstance(a, JetType)


def overload_inline(function: Any) -> Any:
    """Declare what compiled code does where it calls a function, by the types of its arguments."""
    options: Any = INLINE
    return overload(function, jit_options=options, strict=False)  # annotations may differ


def compilable(function: Function) -> Function:
    """Let compiled code call a function that is written in those of this module."""
    return register_jitable(**INLINE)(function)


def differentiable(slopes: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Let compiled code call a function of one value, by its value and first two derivatives."""
    compiled = compilable(slopes)

    def decorate(function: Function) -> Function:
        def of(a: Any) -> Any:
            if is_jet(a):

                def of_jet(a: Any) -> Any:
                    f, slope, bend = compiled(a.v)
                    return _through(a, f, slope, bend)

                return of_jet
            return lambda a: compiled(a)[0]

        overload_inline(function)(of)
        return function

    return decorate


def _through(a: Any, f: float, slope: float, bend: float) -> Any:
    """Jet of a function, from its value and first two derivatives at `a`."""
    raise NotImplementedError  # compiled code alone


@overload_inline(_through)
def _(a: Any, f: Any, slope: Any, bend: Any) -> Any:
    if a.count == 1:
        return lambda a, f, slope, bend: jet_by_one(f, slope * a.p, bend * a.p * a.p + slope * a.pp)
    return lambda a, f, slope, bend: jet_by_two(
        f,
        slope * a.p,
        slope * a.q,
        bend * a.p * a.p + slope * a.pp,
        bend * a.p * a.q + slope * a.pq,
        bend * a.q * a.q + slope * a.qq,
    )


@overload_inline(operator.add)
def _(a: Any, b: Any) -> Any:
    if is_jet(a) and is_jet(b):
        if a.count == 1:
            return lambda a, b: jet_by_one(a.v + b.v, a.p + b.p, a.pp + b.pp)
        return lambda a, b: jet_by_two(
            a.v + b.v, a.p + b.p, a.q + b.q, a.pp + b.pp, a.pq + b.pq, a.qq + b.qq
        )
    if is_jet(a):
        if a.count == 1:
            return lambda a, b: jet_by_one(a.v + b, a.p, a.pp)
        return lambda a, b: jet_by_two(a.v + b, a.p, a.q, a.pp, a.pq, a.qq)
    return (lambda a, b: b + a) if is_jet(b) else None


@overload_inline(operator.neg)
def _(a: Any) -> Any:
    return (lambda a: a * -1.0) if is_jet(a) else None


@overload_inline(operator.sub)
def _(a: Any, b: Any) -> Any:
    return (lambda a, b: a + (-b)) if is_jet(a) or is_jet(b) else None


@overload_inline(operator.mul)
def _(a: Any, b: Any) -> Any:
    if is_jet(a) and is_jet(b):
        if a.count == 1:
            return lambda a, b: jet_by_one(
                a.v * b.v,
                a.p * b.v + a.v * b.p,
                a.pp * b.v + 2.0 * a.p * b.p + a.v * b.pp,
            )
        return lambda a, b: jet_by_two(
            a.v * b.v,
            a.p * b.v + a.v * b.p,
            a.q * b.v + a.v * b.q,
            a.pp * b.v + 2.0 * a.p * b.p + a.v * b.pp,
            a.pq * b.v + a.p * b.q + a.q * b.p + a.v * b.pq,
            a.qq * b.v + 2.0 * a.q * b.q + a.v * b.qq,
        )
    if is_jet(a):
        if a.count == 1:
            return lambda a, b: jet_by_one(a.v * b, a.p * b, a.pp * b)
        return lambda a, b: jet_by_two(a.v * b, a.p * b, a.q * b, a.pp * b, a.pq * b, a.qq * b)
    return (lambda a, b: b * a) if is_jet(b) else None


@overload_inline(operator.truediv)
def _(a: Any, b: Any) -> Any:
    if not is_jet(b):
        return None
    if is_jet(a):
        return lambda a, b: a * (1.0 / b)

    def over_jet(a: Any, b: Any) -> Any:
        inverse = 1.0 / b.v
        square = inverse * inverse
        return _through(b, a * inverse, -a * square, 2.0 * a * square * inverse)

    return over_jet


def choose(where: Any, one: Operand, other: Operand) -> Operand:
    """One of two operands of the same kind at each point."""
    return np.where(where, one, other)


@overload_inline(choose)
def _(where: Any, one: Any, other: Any) -> Any:
    def at_point(where: Any, one: Any, other: Any) -> Any:
        if where:
            return one
        return other

    return at_point


def is_negative(a: Operand) -> Any:
    """Where a value is below 0."""
    return np.asarray(a) < 0


@overload_inline(is_negative)
def _(a: Any) -> Any:
    return (lambda a: a.v < 0) if is_jet(a) else (lambda a: a < 0)


def magnitude(a: Operand) -> Operand:
    """Absolute value, 1e-9 at least, so that limits at 0 are reached."""
    return np.maximum(np.abs(a), LEAST_MAGNITUDE)


@differentiable
def _magnitude(a: float) -> tuple[float, float, float]:
    return max(abs(a), LEAST_MAGNITUDE), -1.0 if a < 0.0 else 1.0, 0.0


_magnitude(magnitude)


@differentiable
def _exp(a: float) -> tuple[float, float, float]:
    e = elementary.exp(a)
    return e, e, e


@_exp
def exp(a: Operand) -> Operand:
    """Exponential."""
    return np.exp(a)


@differentiable
def _expm1(a: float) -> tuple[float, float, float]:
    f = elementary.expm1(a)
    return f, f + 1.0, f + 1.0


@_expm1
def expm1(a: Operand) -> Operand:
    """exp(a) - 1."""
    return np.expm1(a)


@differentiable
def _log(a: float) -> tuple[float, float, float]:
    inverse = 1.0 / a
    return elementary.log(a), inverse, -inverse * inverse


@_log
def log(a: Operand) -> Operand:
    """Logarithm."""
    return np.log(a)


@differentiable
def _log1p(a: float) -> tuple[float, float, float]:
    inverse = 1.0 / (1.0 + a)
    return elementary.log1p(a), inverse, -inverse * inverse


@_log1p
def log1p(a: Operand) -> Operand:
    """log(1 + a)."""
    return np.log1p(a)


@differentiable
def _softplus(a: float) -> tuple[float, float, float]:
    e = elementary.exp(-abs(a))
    rest = 1.0 / (1.0 + e)
    share = rest if a > 0.0 else e * rest
    return max(a, 0.0) + elementary.log1p(e), share, e * rest * rest


@_softplus
def softplus(a: Operand) -> Operand:
    """log(1 + exp(a))."""
    return np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a)))


@compilable
def log_add(a: Operand, b: Operand) -> Operand:
    """log(exp(a) + exp(b))."""
    return b + softplus(a - b)


@differentiable
def _log_expm1(a: float) -> tuple[float, float, float]:
    slope = -1.0 / elementary.expm1(-a)
    return a + elementary.log(1.0 / slope), slope, slope * (1.0 - slope)


@_log_expm1
def log_expm1(a: Operand) -> Operand:
    """log(exp(a) - 1) for a > 0."""
    return a + np.log(-np.expm1(-a))


@differentiable
def _log1m_exp(a: float) -> tuple[float, float, float]:
    rest = -elementary.expm1(a)
    ratio = (1.0 - rest) / rest
    return elementary.log(rest), -ratio, -ratio / rest


@_log1m_exp
def log1m_exp(a: Operand) -> Operand:
    """log(1 - exp(a)) for a < 0."""
    return np.log(-np.expm1(a))


def log_sum_minus_one(a: Operand, b: Operand) -> Operand:
    """log(exp(a) + exp(b) - 1) for a, b >= 0."""
    top, low = np.maximum(a, b), np.minimum(a, b)
    # a + b - 1 over the larger: 1 + (exp(low) - 1) exp(-top), which nothing cancels in
    return top + np.log1p(-np.expm1(-low) * np.exp(low - top))


@overload_inline(log_sum_minus_one)
def _(a: Any, b: Any) -> Any:
    def of_numbers(a: Any, b: Any) -> Any:
        top, low = max(a, b), min(a, b)
        return top + elementary.log1p(-elementary.expm1(-low) * elementary.exp(low - top))

    def of_jets(a: Any, b: Any) -> Any:
        value = log_sum_minus_one(a.v, b.v)
        p, q = elementary.exp(a.v - value), elementary.exp(b.v - value)
        both = _through(a, value, p, p) + _through(b, 0.0, q, q)
        return _less_square(both)

    return of_jets if is_jet(a) and is_jet(b) else of_numbers


def _less_square(a: Any) -> Any:
    """Subtract the products of slopes from the second derivatives, as a logarithm does."""
    raise NotImplementedError  # compiled code alone


@overload_inline(_less_square)
def _(a: Any) -> Any:
    if a.count == 1:
        return lambda a: jet_by_one(a.v, a.p, a.pp - a.p * a.p)
    return lambda a: jet_by_two(a.v, a.p, a.q, a.pp - a.p * a.p, a.pq - a.p * a.q, a.qq - a.q * a.q)


def derivatives(sums: Array, count: int) -> tuple[Array, Array]:
    """Gradient and Hessian by `count` parameters, from the sums of the rows."""
    if count == 1:
        return sums[1:2], sums[2:3].reshape(1, 1).copy()
    return sums[1:3], np.array([[sums[3], sums[4]], [sums[4], sums[5]]])
