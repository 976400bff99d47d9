"""Maximum likelihood fits of marginal families and their ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.family_declaration import MarginalFamily, Point
from electrode_grains.distributions.likelihood_search import (
    Optimum,
    covariance,
    derivatives,
    maximize,
)
from electrode_grains.distributions.marginals import Marginal, checked_support
from electrode_grains.distributions.registry import MARGINAL_FAMILIES, family_named
from electrode_grains.distributions.results import Fit, rank_by_aic
from electrode_grains.distributions.rounding import Grid
from electrode_grains.errors import SettingsError

Array = NDArray[np.float64]
Support = tuple[float, float]

MINIMUM_SAMPLE = 30
# Below this share of the mean size, a spread is rounding and not a distribution.
DEGENERATE_SPREAD = 1e-9
# A distribution that keeps less than this inside its support is determined by its tail alone.
MIN_PROBABILITY = 1e-6
STARTS_SEARCHED = 2
LIMIT_REACHED = 1e-2  # nats
MIXTURE_STARTS = 4  # maxima of mixtures are many


class _Cut(NamedTuple):
    """What a sample was cut to and rounded to."""

    support: Support | None
    grid: Grid | None = None


_Done = dict[tuple[str, _Cut], Fit[Marginal]]


@dataclass(frozen=True)
class _Task:
    """Observations in the units of the search, where they have unit standard deviation."""

    sample: Array
    support: Support | None
    factor: float
    cells: tuple[Array, Array] | None = None  # ends of the intervals that were rounded


def fit_marginal(
    sample: ArrayLike,
    family: str,
    support: Support | None = None,
    *,
    start: Marginal | None = None,
    grid: Grid | None = None,
) -> Fit[Marginal]:
    r"""Fit a family by maximum likelihood.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        Values of one characteristic.
    family : str
        Name in `MARGINAL_FAMILIES`.
    support : (float, float), optional
        Interval to truncate to, exclusive of its ends; the family's own without it.
    start : Marginal, optional
        Of the same family: where the search begins as well. A mixture, whose maxima are many,
        is then searched from few other starts, as a bootstrap does that knows the truth.
    grid : Grid, optional
        What the sample was rounded to. Where its cells are wider than a quarter of the
        standard deviation, the likelihood is that of the cells, divided by their widths.

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
    return _describe_exclusions(
        _fit(kept, declaration, _Cut(support, grid), {}, start), values, within
    )


def select_marginal(
    sample: ArrayLike,
    families: Iterable[str] | None = None,
    support: Support | None = None,
    *,
    grid: Grid | None = None,
    starts: Iterable[Marginal] = (),
) -> list[Fit[Marginal]]:
    """Fit several families to the same observations and rank them by AIC.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        Values of one characteristic.
    families : iterable of str, optional
        Names in `MARGINAL_FAMILIES`; by default all those whose range holds every value, with
        mixtures left out.
    support : (float, float), optional
        Interval that all candidates are truncated to. Without it, observations outside
        the natural support of any candidate are left out for all of them, since AIC
        compares likelihoods of equal samples only.
    grid : Grid, optional
        As `fit_marginal` takes it.
    starts : iterable of Marginal, optional
        Where the searches of their families begin as well, as in `fit_marginal`.

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
    values = np.asarray(sample, dtype=float).ravel()
    declarations = (
        _families_that_hold(values, support)
        if families is None
        else [family_named(name) for name in families]
    )
    if support is not None:
        support = within = checked_support(support)
    else:
        own = [family.default_support or family.natural_support for family in declarations]
        within = (max(ends[0] for ends in own), min(ends[1] for ends in own)) if own else (0, 0)
    kept = values[inside_support(values, within)]
    done: _Done = {}
    known = {start.family: start for start in starts}
    fits = [
        _screen(_fit(kept, family, _Cut(support, grid), done, known.get(family.name)))
        for family in declarations
    ]
    return rank_by_aic(_describe_exclusions(fit, values, within) for fit in fits)


def _families_that_hold(values: Array, support: Support | None) -> list[MarginalFamily]:
    """Families that give every value a density, since AIC compares equal samples only."""
    known = values[np.isfinite(values)]
    if support is not None:
        known = known[inside_support(known, checked_support(support))]
    return [
        family
        for family in MARGINAL_FAMILIES.values()
        if family.mixture is None and inside_support(known, family.natural_support).all()
    ]


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
    cut: _Cut,
    done: _Done,
    start: Marginal | None = None,
) -> Fit[Marginal]:
    """Fit one family to observations inside the support, remembering nested fits."""
    key = family.name, cut
    if key not in done:
        done[key] = _refusal(sample, family) or _search(sample, family, cut, done, start)
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
    cut: _Cut,
    done: _Done,
    start: Marginal | None,
) -> Fit[Marginal]:
    factor = _spread(sample) if family.is_scalable else 1.0
    bounds = cut.support or family.default_support
    scaled = None if bounds is None else (bounds[0] / factor, bounds[1] / factor)
    task = _Task(sample / factor, scaled, factor, _coarse_cells(family, sample, cut, factor))
    # At the embedding of a single component the likelihood of a mixture is flat: a search that
    # knows where to begin need not come from there.
    knows = start is not None and family.mixture is not None
    nested = [
        (_fit(sample, family_named(special.family), _Cut(bounds, cut.grid), done), special)
        for special in (() if knows else (*family.nested, *family.limits))
    ]
    embedded = [
        special.embed(_rescaled(fit.model, 1.0 / factor))
        for fit, special in nested
        if fit.model is not None
    ]
    objective = _Objective(family, task)
    lower, upper = _box(family, task.sample)
    known = [] if start is None else [_rescaled(start, 1.0 / factor)]
    optimum = _maximize_likelihood(family, task, objective, (known, embedded), (lower, upper))
    if optimum is None:
        return _failed(family, sample, "no start has a finite likelihood")
    found = _finished(family, sample, cut.support, task, _ordered(family, optimum))
    return _beside_limits(found, [fit for fit, special in nested if special in family.limits])


def _coarse_cells(
    family: MarginalFamily, sample: Array, cut: _Cut, factor: float
) -> tuple[Array, Array] | None:
    """Cells of a coarse grid inside the support, in the units of the search."""
    if cut.grid is None or not cut.grid.is_coarse(sample):
        return None
    low, high = cut.grid.cells(sample)
    start, stop = cut.support or family.default_support or family.natural_support
    start, stop = max(start, family.natural_support[0]), min(stop, family.natural_support[1])
    return np.maximum(low, start) / factor, np.minimum(high, stop) / factor


def _beside_limits(fit: Fit[Marginal], limits: list[Fit[Marginal]]) -> Fit[Marginal]:
    """Say where a fit does no better than a family that its parameters can only approach."""
    reached = [
        limit.family
        for limit in limits
        if limit.is_ranked and limit.log_likelihood >= fit.log_likelihood - LIMIT_REACHED
    ]
    if not reached or fit.model is None:
        return fit
    note = f"does no better than its limit, the {reached[0]} distribution"
    return replace(
        fit,
        outcome="at_bound" if fit.is_ranked else fit.outcome,
        reason="; ".join(part for part in (fit.reason, note) if part),
    )


def _failed(family: MarginalFamily, sample: Array, reason: str) -> Fit[Marginal]:
    return Fit(
        family=family.name,
        outcome="failed",
        sample_size=sample.size,
        parameter_count=len(family.parameters),
        reason=reason,
    )


def _spread(sample: Array) -> float:
    """Standard deviation, whose squares neither vanish nor overflow."""
    largest = float(np.abs(sample).max())
    return largest * float((sample / largest).std())


def _maximize_likelihood(
    family: MarginalFamily,
    task: _Task,
    objective: _Objective,
    given: tuple[list[Point], list[Point]],
    box: tuple[Array, Array],
) -> Optimum | None:
    lower, upper = box
    if not family.parameters:
        value = objective(np.empty(0))
        none = np.empty(0)
        return Optimum(none, value, 0.0, np.empty((0, 0)), np.empty(0, dtype=bool))
    if family.closed_form is not None and objective.is_complete and task.cells is None:
        point = _coordinates(family, family.closed_form(task.sample))
        value = objective(point)
        if math.isfinite(value):
            hessian = derivatives(objective, point, value, lower, upper)[1]
            return Optimum(point, value, 0.0, hessian, np.zeros(point.size, dtype=bool))
    known, embedded = given
    rough = [_coordinates(family, start) for start in (*known, *family.starts(task.sample))]
    special = [_coordinates(family, start) for start in embedded]
    keep = MIXTURE_STARTS if family.is_mixture and not known else STARTS_SEARCHED
    optima = [
        found
        for starts, number in ((rough, keep), (special, len(special)))
        if starts and (found := maximize(objective, starts, lower, upper, number)) is not None
    ]
    return max(optima, key=lambda found: found.value, default=None)


class _Objective:
    """Log-likelihood as a function of the coordinates of the search."""

    def __init__(self, family: MarginalFamily, task: _Task) -> None:
        self.family, self.sample, self.cells = family, task.sample, task.cells
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

    def _log_density(self, values: Point) -> Array:
        """Log-density of the observations, or the mean density of the cells they lie in."""
        if self.cells is None:
            return self.family.log_density(self.sample, *values)
        low, high = self.cells
        (below, above), (below_high, above_high) = (
            self.family.tails(ends, *values) for ends in (low, high)
        )
        share = np.where(below < 0.5, below_high - below, above - above_high)
        return np.asarray(np.log(share) - np.log(high - low))

    def __call__(self, point: Array) -> float:
        with np.errstate(all="ignore"):
            try:
                values = _values(self.family, point)
                mass = self.mass(values)
                if not mass >= MIN_PROBABILITY:
                    return -math.inf
                total = float(np.sum(self._log_density(values)))
            except (OverflowError, ValueError, ZeroDivisionError):
                return -math.inf  # logarithm or exponential beyond the floating range
        total -= self.sample.size * math.log(mass)
        return total if math.isfinite(total) else -math.inf


def _values(family: MarginalFamily, point: Array) -> Point:
    pairs = zip(family.parameters, point, strict=True)
    try:
        values = tuple(parameter.from_coordinate(float(value)) for parameter, value in pairs)
        return family.reparametrization.backward(values) if family.reparametrization else values
    except OverflowError:
        return (math.inf,) * len(family.parameters)


def _coordinates(family: MarginalFamily, values: Point) -> Array:
    if family.reparametrization:
        try:
            values = family.reparametrization.forward(values)
        except OverflowError:
            return np.full(len(values), math.nan)
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
    try:
        model = Marginal(family.name, dict(zip(names, rescaled, strict=True)), support)
    except SettingsError as error:  # the likelihood rises towards a limit that is no number
        return _failed(family, sample, str(error).splitlines()[0])
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
    errors, spread = _covariance(family, task.factor, optimum)
    return Fit(
        family=family.name,
        outcome=outcome if optimum.is_converged else "failed",  # type: ignore[arg-type]
        sample_size=sample.size,
        parameter_count=len(names),
        model=model,
        log_likelihood=(
            float(np.sum(model.log_pdf(sample)))
            if task.cells is None
            else optimum.value - sample.size * math.log(task.factor)
        ),
        reason="; ".join(reasons),
        standard_errors=dict(zip(names, errors.tolist(), strict=True)),
        covariance=spread,
    )


def _covariance(family: MarginalFamily, factor: float, optimum: Optimum) -> tuple[Array, Array]:
    """Standard errors and covariance of the parameters, in the units of the data."""
    inner = covariance(optimum, lambda point: _values(family, point))
    units = np.array(
        [factor if p.kind in ("location", "scale") else 1.0 for p in family.parameters]
    )
    errors = np.sqrt(np.maximum(np.diag(inner), 0.0)) * units
    with np.errstate(over="ignore", invalid="ignore"):
        return errors, np.asarray(inner * np.outer(units, units))
