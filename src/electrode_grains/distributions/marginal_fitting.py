"""Maximum likelihood fits of marginal families and their ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.family_declaration import MarginalFamily, Point
from electrode_grains.distributions.likelihood_search import (
    Optimum,
    derivatives,
    maximize,
    standard_errors,
)
from electrode_grains.distributions.marginals import Marginal, checked_support
from electrode_grains.distributions.registry import MARGINAL_FAMILIES, family_named
from electrode_grains.distributions.results import Fit, rank_by_aic

Array = NDArray[np.float64]
Support = tuple[float, float]
_Done = dict[tuple[str, Support | None], Fit[Marginal]]

MINIMUM_SAMPLE = 30
# Below this share of the mean size, a spread is rounding and not a distribution.
DEGENERATE_SPREAD = 1e-9
# A distribution that keeps less than this inside its support is determined by its tail alone.
MIN_PROBABILITY = 1e-6
STARTS_SEARCHED = 2


@dataclass(frozen=True)
class _Task:
    """Observations in the units of the search, where they have unit standard deviation."""

    sample: Array
    support: Support | None
    factor: float


def fit_marginal(sample: ArrayLike, family: str, support: Support | None = None) -> Fit[Marginal]:
    r"""Fit a family by maximum likelihood.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        Values of one characteristic.
    family : str
        Name in `MARGINAL_FAMILIES`.
    support : (float, float), optional
        Interval to truncate to, exclusive of its ends; the family's own without it.

    Returns
    -------
    Fit of Marginal
        With `outcome` `converged` or `at_bound` where the fit may be ranked;
        `excluded_count` values were not finite or not inside the support.

    Raises
    ------
    SettingsError
        If the family is unknown or the support is no interval.

    Notes
    -----
    The normalisation of the truncation is part of the likelihood,

    .. math:: \ell(\theta) = \sum_i \log f_\theta(x_i) - n \log(F_\theta(b) - F_\theta(a)).

    It is maximized from several starts, among them every nested family's own maximum, and
    is never below the latter. Inverse Gaussian, log-normal, normal and logit-normal distributions
    have a closed form unless truncated. The shape k of the generalized extreme value distribution
    is kept above -1, beyond which the likelihood has no maximum; components of mixtures
    are kept wider than 0.05 standard deviations (0.1 rad) for the same reason.

    Examples
    --------
    >>> rng = np.random.default_rng(7)
    >>> distribution = Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600})
    >>> fit = fit_marginal(distribution.sample(239, rng), "inverse_gaussian")
    >>> fit.outcome, fit.parameter_count
    ('converged', 2)
    >>> abs(fit.model.mean() - 513.8) < 40
    True
    """
    declaration = family_named(family)
    support = None if support is None else checked_support(support)
    values = np.asarray(sample, dtype=float).ravel()
    within = support or declaration.default_support or declaration.natural_support
    kept = values[inside_support(values, within)]
    return _describe_exclusions(_fit(kept, declaration, support, {}), values, within)


def select_marginal(
    sample: ArrayLike, families: Iterable[str] | None = None, support: Support | None = None
) -> list[Fit[Marginal]]:
    """Fit several families to the same observations and rank them by AIC.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        Values of one characteristic.
    families : iterable of str, optional
        Names in `MARGINAL_FAMILIES`; all of them by default.
    support : (float, float), optional
        Interval that all candidates are truncated to. Without it, observations outside
        the natural support of any candidate are left out for all of them, since AIC
        compares likelihoods of equal samples only.

    Returns
    -------
    list of Fit of Marginal
        Best first; those that may not be ranked follow in the order given. Distributions of
        infinite variance are `inadmissible`, and so are mixtures a component of which stands
        for fewer than 30 grains: with the share of a component near 0 its other parameters
        are free to follow chance, and AIC counts them too low.

    Raises
    ------
    SettingsError
        If a family is unknown or the support is no interval.

    Examples
    --------
    >>> distribution = Marginal("gumbel_minimum", {"mu": 0.82, "sigma": 0.048}, support=(0, 1))
    >>> sample = distribution.sample(400, np.random.default_rng(3))
    >>> names = ("normal", "gumbel_minimum", "gumbel_maximum")
    >>> [fit.family for fit in select_marginal(sample, names, support=(0, 1))]
    ['gumbel_minimum', 'normal', 'gumbel_maximum']
    """
    declarations = [
        family_named(name) for name in (MARGINAL_FAMILIES if families is None else families)
    ]
    values = np.asarray(sample, dtype=float).ravel()
    if support is not None:
        support = within = checked_support(support)
    else:
        own = [family.default_support or family.natural_support for family in declarations]
        within = (max(ends[0] for ends in own), min(ends[1] for ends in own)) if own else (0, 0)
    kept = values[inside_support(values, within)]
    done: _Done = {}
    fits = [_screen(_fit(kept, family, support, done)) for family in declarations]
    return rank_by_aic(_describe_exclusions(fit, values, within) for fit in fits)


def _screen(fit: Fit[Marginal]) -> Fit[Marginal]:
    """Take a fit out of the ranking that its family says describes no population of grains."""
    if fit.model is None or not fit.is_ranked:
        return fit
    reason = fit.model.why_inadmissible(fit.sample_size)
    if not reason:
        return fit
    notes = "; ".join(part for part in (fit.reason, reason) if part)
    return replace(fit, outcome="inadmissible", reason=notes)


def inside_support(values: Array, within: Support) -> NDArray[np.bool_]:
    """Say which values a distribution on an interval can have; its ends are not among them."""
    inside = np.isfinite(values) & (values > within[0]) & (values < within[1])
    if within == (-math.pi, math.pi):
        # the circle [-pi, pi) has no end, so -pi is an angle like any other
        inside |= values == -math.pi
    return inside


def _describe_exclusions(fit: Fit[Marginal], values: Array, within: Support) -> Fit[Marginal]:
    excluded = int(values.size - np.count_nonzero(inside_support(values, within)))
    if not excluded:
        return fit
    note = f"{excluded} of {values.size} values are not inside ({within[0]:g}, {within[1]:g})"
    return replace(
        fit, excluded_count=excluded, reason="; ".join(part for part in (fit.reason, note) if part)
    )


def _fit(
    sample: Array,
    family: MarginalFamily,
    support: Support | None,
    done: _Done,
) -> Fit[Marginal]:
    """Fit one family to observations inside the support, remembering nested fits."""
    key = family.name, support
    if key not in done:
        done[key] = _refusal(sample, family) or _search(sample, family, support, done)
    return done[key]


def _refusal(sample: Array, family: MarginalFamily) -> Fit[Marginal] | None:
    empty: Fit[Marginal] = Fit(
        family=family.name,
        outcome="insufficient",
        sample_size=sample.size,
        parameter_count=len(family.parameters),
    )
    if sample.size < MINIMUM_SAMPLE:
        reason = f"{sample.size} observations, at least {MINIMUM_SAMPLE} are needed"
        return replace(empty, reason=reason)
    if float(np.ptp(sample)) <= DEGENERATE_SPREAD * float(np.abs(sample).max()):
        reason = f"all {sample.size} observations are {sample[0]:g}"
        return replace(empty, outcome="degenerate", reason=reason)
    misfits = int(np.count_nonzero(~inside_support(sample, family.natural_support)))
    if misfits:
        start, stop = family.natural_support
        reason = f"{misfits} observations have no density on ({start:g}, {stop:g})"
        return replace(empty, outcome="inadmissible", reason=reason)
    return None


def _search(
    sample: Array,
    family: MarginalFamily,
    support: Support | None,
    done: _Done,
) -> Fit[Marginal]:
    factor = float(sample.std()) if family.is_scalable else 1.0
    bounds = support or family.default_support
    scaled = None if bounds is None else (bounds[0] / factor, bounds[1] / factor)
    task = _Task(sample / factor, scaled, factor)
    nested = [
        (_fit(sample, family_named(special.family), bounds, done), special)
        for special in family.nested
    ]
    embedded = [
        special.embed(_rescaled(fit.model, 1.0 / factor))
        for fit, special in nested
        if fit.model is not None
    ]
    objective = _Objective(family, task)
    lower, upper = _box(family, task.sample)
    optimum = _maximize_likelihood(family, task, objective, embedded, (lower, upper))
    if optimum is None:
        return Fit(
            family=family.name,
            outcome="failed",
            sample_size=sample.size,
            parameter_count=len(family.parameters),
            reason="no start has a finite likelihood",
        )
    return _finished(family, sample, support, task, _ordered(family, optimum))


def _maximize_likelihood(
    family: MarginalFamily,
    task: _Task,
    objective: _Objective,
    embedded: list[Point],
    box: tuple[Array, Array],
) -> Optimum | None:
    lower, upper = box
    if not family.parameters:
        value = objective(np.empty(0))
        none = np.empty(0)
        return Optimum(none, value, 0.0, np.empty((0, 0)), np.empty(0, dtype=bool))
    if family.closed_form is not None and objective.is_complete:
        point = _coordinates(family, family.closed_form(task.sample))
        value = objective(point)
        if math.isfinite(value):
            hessian = derivatives(objective, point, value, lower, upper)[1]
            return Optimum(point, value, 0.0, hessian, np.zeros(point.size, dtype=bool))
    rough = [_coordinates(family, start) for start in family.starts(task.sample)]
    special = [_coordinates(family, start) for start in embedded]
    keep = len(rough) if family.is_mixture else STARTS_SEARCHED
    optima = [
        found
        for starts, number in ((rough, keep), (special, len(special)))
        if starts and (found := maximize(objective, starts, lower, upper, number)) is not None
    ]
    return max(optima, key=lambda found: found.value, default=None)


class _Objective:
    """Log-likelihood as a function of the coordinates of the search."""

    def __init__(self, family: MarginalFamily, task: _Task) -> None:
        self.family, self.sample = family, task.sample
        start, stop = family.natural_support
        self.support = task.support
        self.is_complete = task.support is None or (
            task.support[0] <= start and task.support[1] >= stop
        )

    def mass(self, values: Point) -> float:
        """Probability inside the support before truncation."""
        if self.is_complete or self.support is None:
            return 1.0
        return self.family.mass_between(values, *self.support)

    def __call__(self, point: Array) -> float:
        with np.errstate(all="ignore"):
            try:
                values = _values(self.family, point)
                mass = self.mass(values)
                if not mass >= MIN_PROBABILITY:
                    return -math.inf
                total = float(np.sum(self.family.log_density(self.sample, *values)))
            except (OverflowError, ValueError):
                return -math.inf  # logarithm or exponential beyond the floating range
        total -= self.sample.size * math.log(mass)
        return total if math.isfinite(total) else -math.inf


def _values(family: MarginalFamily, point: Array) -> Point:
    pairs = zip(family.parameters, point, strict=True)
    values = tuple(parameter.from_coordinate(float(value)) for parameter, value in pairs)
    return family.reparametrization.backward(values) if family.reparametrization else values


def _coordinates(family: MarginalFamily, values: Point) -> Array:
    if family.reparametrization:
        values = family.reparametrization.forward(values)
    pairs = zip(family.parameters, values, strict=True)
    return np.array([parameter.to_coordinate(value) for parameter, value in pairs])


def _rescaled(model: Marginal, factor: float) -> Point:
    family = MARGINAL_FAMILIES[model.family]
    return tuple(
        parameter.rescale(model.parameters[parameter.name], factor if family.is_scalable else 1.0)
        for parameter in family.parameters
    )


def _box(family: MarginalFamily, sample: Array) -> tuple[Array, Array]:
    """Ranges of the search; a location stays within ten ranges of the data."""
    reach = 10.0 * float(np.ptp(sample))
    ends = []
    for parameter in family.parameters:
        lower, upper = parameter.search_range
        if parameter.kind == "location":
            lower, upper = float(sample.min()) - reach, float(sample.max()) + reach
        ends.append((parameter.to_coordinate(lower), parameter.to_coordinate(upper)))
    box = np.array(ends, dtype=float).reshape(len(ends), 2)
    return box[:, 0], box[:, 1]


def _ordered(family: MarginalFamily, optimum: Optimum) -> Optimum:
    """Name the component with the smaller location first, as the paper does."""
    if family.mixture is None:
        return optimum
    first, second, _ = family.mixture.split(_values(family, optimum.point))
    if family.mixture.location(*first) <= family.mixture.location(*second):
        return optimum
    # the share of the first component, on its logistic scale, changes sign
    size = optimum.point.size
    order = [*np.arange(size - 1).reshape(-1, 2)[:, ::-1].ravel(), size - 1]
    sign = np.r_[np.ones(size - 1), -1.0]
    return replace(
        optimum,
        point=sign * optimum.point[order],
        hessian=np.outer(sign, sign) * optimum.hessian[np.ix_(order, order)],
        at_bound=optimum.at_bound[order],
    )


def _finished(
    family: MarginalFamily, sample: Array, support: Support | None, task: _Task, optimum: Optimum
) -> Fit[Marginal]:
    """State the optimum in the units of the data."""
    values = _values(family, optimum.point)
    names = family.parameter_names
    rescaled = [
        parameter.rescale(value, task.factor)
        for parameter, value in zip(family.parameters, values, strict=True)
    ]
    model = Marginal(family.name, dict(zip(names, rescaled, strict=True)), support)
    held = [name for name, bound in zip(names, optimum.at_bound, strict=True) if bound]
    reasons = [f"{name} is at the end of its range" for name in held]
    if _Objective(family, task).mass(values) < 10.0 * MIN_PROBABILITY:
        reasons.append("the support holds only the far tail of the distribution")
    outcome = "at_bound" if reasons else "converged"
    if not optimum.is_converged:
        reasons.append(
            f"a further step promises {optimum.newton_decrement:.2g} nats"
            if math.isfinite(optimum.newton_decrement)
            else "the likelihood still rose along an edge of the likelihood"
        )
    return Fit(
        family=family.name,
        outcome=outcome if optimum.is_converged else "failed",  # type: ignore[arg-type]
        sample_size=sample.size,
        parameter_count=len(names),
        model=model,
        log_likelihood=float(np.sum(model.log_pdf(sample))),
        reason="; ".join(reasons),
        standard_errors=_standard_errors(family, task.factor, optimum),
    )


def _standard_errors(family: MarginalFamily, factor: float, optimum: Optimum) -> dict[str, float]:
    """Standard errors by parameter, in the units of the data."""
    errors = standard_errors(optimum, lambda point: _values(family, point))
    return {
        parameter.name: error * (factor if parameter.kind in ("location", "scale") else 1.0)
        for parameter, error in zip(family.parameters, errors, strict=True)
    }
