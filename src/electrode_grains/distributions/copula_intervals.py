"""Intervals of a copula that was fitted after its marginals, from the shape of its likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from electrode_grains.distributions.copula_likelihood import CopulaLikelihood
from electrode_grains.distributions.copulas import BivariateCopula, unrotated
from electrode_grains.distributions.joint import JointDensity
from electrode_grains.distributions.likelihood_search import maximize
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.records import Interval
from electrode_grains.distributions.registry import copula_family_named
from electrode_grains.errors import SettingsError

Array = NDArray[np.float64]
# Probabilities enter copulas strictly inside (0, 1): half of a part in a billion.
PROBABILITY_MARGIN = 5e-10
LEVEL, NEAR_LEVEL = 0.95, 0.8  # of the region, and of the one that should reach no limit
# Share of its width that an interval keeps, the other parameter held, at a correlation of 0.9.
RIDGE = math.sqrt(1 - 0.9**2)
INFLATION = (0.5, 10.0)  # range of the factor that fitted marginals put on variances
# Of a profile: steps in coordinates, of which each loses less than a share of what may be lost.
FIRST_STEP, SHORTEST_STEP, MAXIMUM_STEPS, LARGEST_DROP = 0.1, 1e-4, 80, 0.35
PLACES, STARTS = 13, 2  # of the search along the second coordinate
TOLERANCE = 5e-3  # nats, at the edge of the region
DIFFERENCE = 1e-5  # relative, of derivatives by parameters of marginals


@dataclass(frozen=True)
class _Region:
    """Points of the edge of a likelihood region, and how it lies in the parameter space."""

    edge: list[Array]
    reaches_limit: bool
    is_ridge: bool


def likelihood_intervals(
    joint: JointDensity, x: ArrayLike, y: ArrayLike
) -> tuple[dict[str, Interval], bool]:
    r"""Intervals of 95 % of a copula that was fitted after its marginals.

    Parameters
    ----------
    joint : JointDensity
        Of fitted marginals, and of the copula fitted with these held.
    x, y : array_like of float, shape (n,)
        The sample, inside both supports.

    Returns
    -------
    intervals : dict of str to Interval
        Of the parameters, `kendall_tau`, `lower_tail` and `upper_tail`.
    is_weakly_identified : bool
        Whether the parameters lie along a ridge, so that their intervals are a set of values
        that do about equally well together, and tau is what is known: holding one of them
        shortens the interval of the other as a correlation of 0.9 does, or the interval of 80 %
        reaches a limit.

    Notes
    -----
    Each interval is the range that a quantity has over the likelihood region

    .. math:: \{\theta : 2 (\ell(\hat\theta) - \ell(\theta)) \leq \lambda \chi^2_{1, 0.95}\},

    which is its profile-likelihood interval, whatever the shape of the surface. The factor
    :math:`\lambda` is the ratio of the variance with fitted marginals (inference functions for
    margins; Joe, J. Multivariate Analysis 94 (2005) 401-419) to that with known ones, of the
    quantity that the marginals disturb most.

    Examples
    --------
    >>> pair = JointDensity(
    ...     Marginal("normal", {"mu": 0, "sigma": 1}),
    ...     Marginal("normal", {"mu": 0, "sigma": 1}),
    ...     BivariateCopula("clayton", (2.0,)),
    ... )
    >>> x, y = pair.sample(400, np.random.default_rng(2))
    >>> intervals, is_weakly_identified = likelihood_intervals(pair, x, y)
    >>> intervals["kendall_tau"].low < 0.5 < intervals["kendall_tau"].high
    True
    """
    copula = joint.copula
    names = copula_family_named(copula.family).parameter_names
    if not names:
        return {}, False
    surface = _surface(joint, np.asarray(x, float), np.asarray(y, float))
    best = surface.coordinates(copula.parameters)
    quantities = _quantities(surface, copula)
    factor = _inflation(joint, surface, best, quantities, (np.asarray(x), np.asarray(y)))
    drop = 0.5 * factor * float(chi2.ppf(LEVEL, 1))
    near = 0.5 * factor * float(chi2.ppf(NEAR_LEVEL, 1))
    region = _trace(surface, best, drop, near)
    values = np.array([quantities(point) for point in [best, *region.edge]])
    return {
        name: Interval(low=float(low), high=float(high))
        for name, low, high in zip(
            (*names, "kendall_tau", "lower_tail", "upper_tail"),
            values.min(axis=0),
            values.max(axis=0),
            strict=True,
        )
    }, region.is_ridge or region.reaches_limit


def _surface(joint: JointDensity, x: Array, y: Array) -> CopulaLikelihood:
    u, v = (
        np.clip(marginal.cdf(values), PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
        for marginal, values in ((joint.marginal_x, x), (joint.marginal_y, y))
    )
    turned = unrotated(u, v, joint.copula.rotation)
    return CopulaLikelihood(copula_family_named(joint.copula.family), *turned)


def _quantities(
    surface: CopulaLikelihood, copula: BivariateCopula
) -> Callable[[Array], list[float]]:
    def at(point: Array) -> list[float]:
        there = replace(copula, parameters=surface.parameters(point))
        return [*there.parameters, there.kendall_tau(), *there.tail_dependence()]

    return at


def _inflation(
    joint: JointDensity,
    surface: CopulaLikelihood,
    best: Array,
    quantities: Callable[[Array], list[float]],
    sample: tuple[Array, Array],
) -> float:
    """Largest factor that fitting the marginals puts on the variance of a quantity."""
    scores = surface.scores(best)
    disturbed = scores.copy()
    for side, marginal in enumerate((joint.marginal_x, joint.marginal_y)):
        if isinstance(marginal, Marginal):
            disturbed += _through_marginal(joint, side, best, sample)
    lower, upper = surface.box
    information = -surface.slopes(best)[1]
    free = (best > lower) & (best < upper)
    if not free.any() or not np.isfinite(disturbed).all():
        return 1.0
    inner = np.zeros_like(information)
    inner[np.ix_(free, free)] = np.linalg.pinv(information[np.ix_(free, free)])
    step = 1e-4
    slopes = np.array(
        [
            np.subtract(quantities(best + unit), quantities(best - unit)) / (2 * step)
            for unit in step * np.eye(best.size)
        ]
    )
    gradients = slopes.T @ inner
    known = np.einsum("qi,ij,qj->q", gradients, np.cov(scores).reshape(inner.shape), gradients)
    fitted = np.einsum("qi,ij,qj->q", gradients, np.cov(disturbed).reshape(inner.shape), gradients)
    moves = known > 1e-12 * known.max()
    ratio = float(np.max(fitted[moves] / known[moves], initial=0.0))
    return min(max(ratio, INFLATION[0]), INFLATION[1]) if ratio > 0 else 1.0


def _through_marginal(
    joint: JointDensity, side: int, best: Array, sample: tuple[Array, Array]
) -> Array:
    """Scores that the errors of one marginal's parameters add to those of the copula."""
    marginal = (joint.marginal_x, joint.marginal_y)[side]
    assert isinstance(marginal, Marginal)
    values = sample[side]
    own: list[Array] = []
    crossed: list[Array] = []
    for parameter, value in marginal.parameters.items():
        step = DIFFERENCE * max(abs(value), 1e-3)
        try:
            high, low = (
                replace(marginal, parameters={**marginal.parameters, parameter: value + move})
                for move in (step, -step)
            )
        except SettingsError:  # at the end of its range: held there
            continue
        own.append((high.log_pdf(values) - low.log_pdf(values)) / (2 * step))
        ends = [
            np.asarray(_surface(_with_marginal(joint, side, moved), *sample).scores(best)).mean(
                axis=1
            )
            for moved in (high, low)
        ]
        crossed.append((ends[0] - ends[1]) / (2 * step))
    if not own or not np.isfinite(own).all():
        return np.zeros((best.size, 1))
    of_marginal = np.array(own)
    influence = np.linalg.pinv(of_marginal @ of_marginal.T / values.size) @ of_marginal
    return np.asarray(np.array(crossed).T @ influence)


def _with_marginal(joint: JointDensity, side: int, marginal: Marginal) -> JointDensity:
    return replace(joint, marginal_y=marginal) if side else replace(joint, marginal_x=marginal)


def _trace(surface: CopulaLikelihood, best: Array, drop: float, near: float) -> _Region:
    """Follow the profile of the first parameter both ways, with the edges of the second."""
    top = surface(best)
    lower, upper = surface.box
    edge = _across(surface, best, top, drop)
    limits = []
    for sign in (1.0, -1.0):
        points, reached = _profile(surface, best, top, drop, sign)
        edge += points
        limits.append(reached is not None and reached <= near)
    if best.size == 1:
        return _Region(edge, any(limits), False)

    def held(z: float) -> float:
        return surface(np.array([z, best[1]]))

    ends = [_edge(held, best[0], top, drop, sign, (lower[0], upper[0])) for sign in (-1.0, 1.0)]
    places = [point[0] for point in edge]
    limits += [top - surface(point) <= near for point in edge if point[1] in (lower[1], upper[1])]
    is_ridge = bool(ends[1] - ends[0] < RIDGE * (max(places) - min(places)))
    return _Region(edge, any(limits), is_ridge)


def _profile(
    surface: CopulaLikelihood, best: Array, top: float, drop: float, sign: float
) -> tuple[list[Array], float | None]:
    """Edge points met while the first coordinate moves one way, and the drop at its limit."""
    lower, upper = surface.box
    bound = upper[0] if sign > 0 else lower[0]
    step = FIRST_STEP
    edge: list[Array] = []
    place, last = best, 0.0
    for _ in range(MAXIMUM_STEPS):
        if place[0] == bound:
            return edge, last
        to = min(max(place[0] + sign * step, lower[0]), upper[0])
        reached = _highest_at(surface, to, place)
        fallen = top - surface(reached)
        if fallen - last > LARGEST_DROP * drop and step > SHORTEST_STEP:
            step *= 0.4
            continue
        if fallen > drop:
            share = (drop - last) / (fallen - last)
            end = _highest_at(surface, place[0] + share * (to - place[0]), place)
            return [*edge, end, *_across(surface, end, top, drop)], None
        if fallen - last < 0.3 * LARGEST_DROP * drop:
            step *= 1.6
        place, last = reached, fallen
        edge += [place, *_across(surface, place, top, drop)]
    return edge, last


def _highest_at(surface: CopulaLikelihood, first: float, near: Array) -> Array:
    """Point of the profile at a first coordinate, searched from a neighbour and from afar."""
    if near.size == 1:
        return np.array([first])
    lower, upper = surface.box

    def whole(part: Array) -> Array:
        return np.array([first, part[0]])

    def slopes(part: Array) -> tuple[Array, Array]:
        gradient, hessian = surface.slopes(whole(part))
        return gradient[1:], hessian[1:, 1:]

    places = np.unique(np.append(_places(surface), near[1]))
    heights = [surface(whole(np.array([place]))) for place in places]
    padded = np.array([-math.inf, *heights, -math.inf])
    is_top = (padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:])
    found = maximize(
        lambda part: surface(whole(part)),
        list(places[is_top][:, None]),
        lower[1:],
        upper[1:],
        STARTS,
        slopes,
    )
    return whole(near[1:] if found is None else found.point)


def _places(surface: CopulaLikelihood) -> Array:
    """Second coordinates over the whole range, since a region may have several parts."""
    lower, upper = surface.box
    return np.linspace(lower[1], upper[1], PLACES)


def _across(surface: CopulaLikelihood, place: Array, top: float, drop: float) -> list[Array]:
    """Outermost edges of the region along the second coordinate."""
    if place.size == 1:
        return []
    first, box = place[0], (surface.box[0][1], surface.box[1][1])

    def along(z: float) -> float:
        return surface(np.array([first, z]))

    inside = [place[1], *(z for z in _places(surface) if top - along(z) <= drop)]
    return [
        np.array([first, _edge(along, begin, top, drop, sign, box)])
        for sign, begin in ((-1.0, min(inside)), (1.0, max(inside)))
    ]


def _edge(
    value: Callable[[float], float],
    inside: float,
    top: float,
    drop: float,
    sign: float,
    box: tuple[float, float],
) -> float:
    """Coordinate at which a likelihood has dropped so far, or the end of the range."""
    lower, upper = box
    bound = upper if sign > 0 else lower
    step, fallen_inside = 0.05, top - value(inside)
    if fallen_inside >= drop or inside == bound:
        return inside
    while True:
        outside = min(max(inside + sign * step, lower), upper)
        fallen = top - value(outside)
        if fallen > drop:
            break
        if outside == bound:
            return bound
        inside, fallen_inside, step = outside, fallen, 2.0 * step
    for _ in range(30):
        # drops grow as squares: interpolate their roots
        a, b, c = (math.sqrt(max(part, 0.0)) for part in (fallen_inside, min(fallen, 1e6), drop))
        share = min(max((c - a) / (b - a), 0.05), 0.95)
        middle = inside + share * (outside - inside)
        at = top - value(middle)
        if abs(at - drop) < TOLERANCE:
            return middle
        if at < drop:
            inside, fallen_inside = middle, at
        else:
            outside, fallen = middle, at
    return inside
