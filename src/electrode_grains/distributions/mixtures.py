"""Mixtures of two components of one family: two populations of grains in one sample."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
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
CUTS = (0.15, 0.35, 0.65, 0.85)
LEAST_PART = 8  # values that a component is first estimated from
# A component narrower than this share of the standard deviation sits on a single grain.
NARROWEST_COMPONENT = 0.05


def two_components(
    name: str,
    component: MarginalFamily,
    parameters: tuple[Parameter, ...],
    *,
    location: Callable[..., float],
    starts: Callable[[Array], list[Point]] | None = None,
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
    starts : callable (sample) -> list of tuples, optional
        Rough estimates of all parameters of the mixture; by default the components of the
        sorted sample cut in two, and of its middle within the whole.
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
        starts=starts or (lambda sample: split_starts(component, sample)),
        nested=(
            Nested(component.name, lambda values: (*(v for v in values for _ in (1, 2)), 0.5)),
        ),
        default_support=default_support,
        is_scalable=component.is_scalable,
        mixture=mixture,
        formula=_mixed(component, parameters),
    )


def _mixed(component: MarginalFamily, parameters: tuple[Parameter, ...]) -> str:
    """Formula of a mixture; empty where the component has none."""
    if not component.formula:
        return ""
    names = "|".join(re.escape(parameter.name) for parameter in parameters)
    first, second = (
        re.sub(rf"\b({names})\b(?!\()", rf"\g<1>{rank}", component.formula) for rank in (1, 2)
    )
    return f"lambda_*({first})+(1-lambda_)*({second})"


def split_starts(component: MarginalFamily, sample: Array) -> list[Point]:
    """Estimates of two components: of either part of the sorted sample, or one in the other."""
    ordered = np.sort(sample)
    n = ordered.size

    def estimate(part: Array) -> Point:
        return component.starts(part)[0]

    starts = []
    for share in CUTS:
        cut = min(max(round(share * n), LEAST_PART), n - LEAST_PART)
        starts.append((estimate(ordered[:cut]), estimate(ordered[cut:]), cut / n))
    middle = ordered[round(0.3 * n) : round(0.7 * n)]
    starts.append((estimate(middle), estimate(ordered), 0.5))
    return [
        (*(value for pair in zip(one, other, strict=True) for value in pair), share)
        for one, other, share in starts
    ]


def of_families(families: Iterable[MarginalFamily]) -> tuple[MarginalFamily, ...]:
    """Mixtures that compete for sizes and shape factors, of the components given.

    A component is at least a twentieth of the standard deviation of the sample wide. Beta
    components have a mode inside (0, 1), so that they are populations and not its ends.
    """
    known = {family.name: family for family in families}
    width = Parameter("sigma", "scale", search=(NARROWEST_COMPONENT, 100.0))
    bump = (
        (Parameter("a", "shape", search=(1.0, 2e4))),
        Parameter("b", "shape", search=(1.0, 2e4)),
    )
    place = Parameter("mu", "location")
    return (
        two_components("normal_mixture", known["normal"], (place, width), location=_first),
        two_components("gumbel_minimum_mixture", known["gumbel_minimum"], (place, width),
                       location=_first),
        two_components("gumbel_maximum_mixture", known["gumbel_maximum"], (place, width),
                       location=_first),
        two_components("lognormal_mixture", known["lognormal"],
                       (Parameter("mu", "log_location"),
                        Parameter("sigma", "shape", search=(NARROWEST_COMPONENT / 3, 10.0))),
                       location=_first),
        two_components("beta_mixture", known["beta"], bump, location=lambda a, b: a / (a + b)),
    )  # fmt: skip


def _first(place: float, _: float) -> float:
    return place
