"""Mixtures of two components of one family: two populations of grains in one sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from electrode_grains.distributions.family_declaration import (
    Array,
    MarginalFamily,
    Mixture,
    Nested,
    Parameter,
    Point,
)

SHARE = Parameter("lambda", "probability")


def two_components(
    name: str,
    component: MarginalFamily,
    parameters: tuple[Parameter, ...],
    *,
    location: Callable[..., float],
    starts: Callable[[Array], list[Point]],
    default_support: tuple[float, float] | None = None,
) -> MarginalFamily:
    """Declare the mixture of two distributions of a family.

    Parameters
    ----------
    name : str
        Of the mixture.
    component : MarginalFamily
        Of both components.
    parameters : tuple of Parameter
        Those of a component, with the ranges that they are searched in: a component must not
        become so narrow that it sits on a single grain, where the likelihood has no maximum.
    location : callable (*values of a component) -> float
        By which the components are ordered.
    starts : callable (sample) -> list of tuples
        Rough estimates of all parameters of the mixture.
    default_support : (float, float), optional
        Truncation that is part of the family unless another support is given.

    Returns
    -------
    MarginalFamily
        With the parameters of the first and second component in turn, then `lambda`, the
        share of the first, which has the smaller location.
    """
    mixture = Mixture(component.name, location)

    def log_density(x: Array, *values: float) -> Array:
        first, second, share = mixture.split(values)
        one = component.log_density(x, *first) + math.log(share)
        return np.logaddexp(one, component.log_density(x, *second) + math.log1p(-share))

    def tails(x: Array, *values: float) -> tuple[Array, Array]:
        first, second, share = mixture.split(values)
        pairs = zip(component.tails(x, *first), component.tails(x, *second), strict=True)
        below, above = (share * a + (1.0 - share) * b for a, b in pairs)
        return below, above

    def bracket(p: Array, q: Array, *values: float) -> tuple[Array, Array]:
        first, second, _ = mixture.split(values)
        assert component.quantile is not None
        one, other = component.quantile(p, q, *first), component.quantile(p, q, *second)
        return np.minimum(one, other), np.maximum(one, other)

    return MarginalFamily(
        name=name,
        parameters=(
            *(replace(part, name=f"{part.name}{rank}") for part in parameters for rank in (1, 2)),
            SHARE,
        ),
        natural_support=component.natural_support,
        log_density=log_density,
        tails=tails,
        bracket=bracket if component.quantile else None,
        starts=starts,
        nested=(
            Nested(component.name, lambda values: (*(v for v in values for _ in (1, 2)), 0.5)),
        ),
        default_support=default_support,
        is_scalable=component.is_scalable,
        mixture=mixture,
    )
