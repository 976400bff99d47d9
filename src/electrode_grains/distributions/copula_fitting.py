"""Maximum likelihood fits of copulas and their ranking."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions import jets
from electrode_grains.distributions.copulas import ROTATIONS, BivariateCopula, unrotated
from electrode_grains.distributions.family_declaration import CopulaFamily, Parameter
from electrode_grains.distributions.likelihood_search import (
    Optimum,
    Slopes,
    covariance,
    maximize,
)
from electrode_grains.distributions.registry import copula_family_named
from electrode_grains.distributions.results import Fit, Outcome, rank_by_aic
from electrode_grains.errors import InputError

Array = NDArray[np.float64]
MINIMUM_SAMPLE = 30
GRID_POINTS = {1: 13, 2: 9}
THINNED_SAMPLE = 400  # pairs that tell where on the grid to begin
STARTS, STARTS_BESIDE_KNOWN = 4, 2
BOUND_TOLERANCE = 1e-4
BESIDE, BESIDE_ZERO = 1e-4, 1e-3  # in coordinates
# Independence (AIC 0) competes, lest every pair be called dependent; then those of the paper.
DEFAULT_COPULAS = (
    *("independence", "ali_mikhail_haq", "clayton", "frank", "gumbel", "joe"),
    *("bb1", "bb8", "bb3", "bb5"),
)


def fit_copula(
    u: ArrayLike,
    v: ArrayLike,
    family: str,
    rotation: int = 0,
    *,
    start: BivariateCopula | None = None,
) -> Fit[BivariateCopula]:
    """Fit one family in one rotation by maximum likelihood.

    Parameters
    ----------
    u, v : array_like of float, shape (n,)
        Strictly inside (0, 1): fitted marginal distribution functions of the data, or ranks
        over n + 1.
    family : str
        Name in `COPULA_FAMILIES`.
    rotation : int
        0, 90, 180 or 270 degrees.
    start : BivariateCopula, optional
        Of the same family: where the search begins, as in a bootstrap that knows the truth. The
        whole range is searched, from fewer starts, only where it ends at a limit or nowhere.

    Returns
    -------
    Fit
        Over the whole range of the parameters, from several starts. `at_bound` where a
        parameter ends at its limit: there a nested family does as well with one parameter
        fewer.

    Raises
    ------
    InputError
        If a value is not inside (0, 1) or the lengths differ.
    SettingsError
        If the family is unknown.
    """
    first, second = _checked(u, v)
    declared = copula_family_named(family)
    fit = partial(
        Fit[BivariateCopula],
        family=family,
        sample_size=len(first),
        parameter_count=len(declared.parameter_names),
    )
    if len(first) < MINIMUM_SAMPLE:
        reason = f"{len(first)} pairs, at least {MINIMUM_SAMPLE} are needed"
        return fit(outcome="insufficient", reason=reason)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return fit(outcome="degenerate", reason="one characteristic is constant")
    known = None if start is None else start.parameters
    optimum = _maximize(declared, *unrotated(first, second, rotation), known)
    if optimum is None:
        return fit(outcome="failed", reason="the likelihood is nowhere finite")
    parameters = _parameters(declared, optimum.point)
    held = _at_bound(declared, parameters)
    spread = covariance(optimum, partial(_parameters, declared))
    errors = np.sqrt(np.maximum(np.diag(spread), 0.0)).tolist()
    outcome: Outcome = "at_bound" if held else "converged"
    if not optimum.is_converged:
        held.append(f"a further step promises {optimum.newton_decrement:.2g} nats")
    return fit(
        outcome=outcome if optimum.is_converged else "failed",
        model=BivariateCopula(family, parameters, rotation),
        log_likelihood=optimum.value,
        reason="; ".join(held),
        standard_errors=dict(zip(declared.parameter_names, errors, strict=True)),
        covariance=spread,
    )


def select_copula(
    u: ArrayLike,
    v: ArrayLike,
    families: Sequence[str] | None = None,
    rotations: Sequence[int] = ROTATIONS,
) -> list[Fit[BivariateCopula]]:
    """Fit all families in all rotations and rank them by AIC.

    Parameters
    ----------
    u, v : array_like of float, shape (n,)
    families : sequence of str, optional
        Independence and those of the paper by default; `gaussian` and `student` are there too.
    rotations : sequence of int

    Returns
    -------
    list of Fit
        Best first. Families that are radially symmetric appear once: Frank with a negative
        parameter is its own rotation by 90 degrees, so nine families in four rotations are
        33 models. Independence has no parameter and AIC 0: dependence has to earn its own.

    Examples
    --------
    >>> u, v = np.random.default_rng(901).random((2, 499))
    >>> select_copula(u, v)[0].family
    'independence'
    """
    first, second = _checked(u, v)
    fits = []
    for family in DEFAULT_COPULAS if families is None else families:
        symmetric = copula_family_named(family).is_radially_symmetric
        for rotation in (0,) if symmetric else rotations:
            fits.append(fit_copula(first, second, family, rotation))
    return rank_by_aic(fits)


def _checked(u: ArrayLike, v: ArrayLike) -> tuple[Array, Array]:
    first, second = np.asarray(u, float), np.asarray(v, float)
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(
            "pairs need two lists of equal length", found=f"{first.shape} and {second.shape}"
        )
    for name, values in (("u", first), ("v", second)):
        outside = ~((values > 0) & (values < 1))
        if outside.any():
            raise InputError(
                f"{int(outside.sum())} values of {name} are not inside (0, 1)",
                found=str(values[outside][0]),
                remedy="pass fitted distribution functions, or ranks over n + 1",
            )
    return first, second


def _maximize(
    declared: CopulaFamily, u: Array, v: Array, known: tuple[float, ...] | None
) -> Optimum | None:
    """Search from the best local maxima of a grid over the whole range of the parameters."""
    if not declared.parameters:
        none = np.empty(0)
        value = float(declared.log_density(u, v, ()).sum())
        return Optimum(none, value, 0.0, np.empty((0, 0)), np.empty(0, dtype=bool))

    likelihood = _likelihood(declared, u, v)
    lower, upper = np.array([_coordinate_range(part) for part in declared.parameters]).T
    slopes = _slopes(declared, u, v, lower, upper)
    if known is not None:
        begin = [
            part.to_coordinate(min(max(value, part.search_range[0]), part.search_range[1]))
            for part, value in zip(declared.parameters, known, strict=True)
        ]
        found = maximize(likelihood, [np.array(begin)], lower, upper, 1, slopes)
        if found is not None and found.is_converged and not found.at_bound.any():
            return found
    # Part of the sample tells where on a grid to begin.
    thinned = slice(None, None, math.ceil(len(u) / THINNED_SAMPLE))
    rough = _likelihood(declared, u[thinned], v[thinned])
    number = GRID_POINTS[len(lower)]
    axes = [_grid_axis(part, number) for part in declared.parameters]
    grid = np.array(list(product(*axes)))
    heights = np.array([rough(point) for point in grid])
    starts = grid[_local_maxima(heights.reshape([number] * len(lower))).ravel()]
    keep = STARTS if known is None else STARTS_BESIDE_KNOWN
    return maximize(likelihood, list(starts), lower, upper, keep, slopes)


def _likelihood(declared: CopulaFamily, u: Array, v: Array) -> Callable[[Array], float]:
    def likelihood(point: Array) -> float:
        with np.errstate(all="ignore"):
            density = declared.log_density(u, v, _parameters(declared, point))
        total = float(density.sum())
        return total if math.isfinite(total) else -math.inf

    return likelihood


def _slopes(
    declared: CopulaFamily, u: Array, v: Array, lower: Array, upper: Array
) -> Slopes | None:
    """Gradient and Hessian of the log-likelihood by coordinates, where the family has jets."""
    if declared.jets is None:
        return None
    density, a, b = declared.jets, declared.transform(u), declared.transform(v)
    kinds = [part.kind for part in declared.parameters]
    signed = np.array([kind == "signed" for kind in kinds])
    beside = np.array([BESIDE if kind in ("excess", "shape") else 0.0 for kind in kinds])

    def at(point: Array) -> tuple[Array, Array]:
        # Just inside the box, and beside 0, where terms that cancel there do not yet
        centre = np.clip(point, lower + beside, upper - beside)
        near = signed & (np.abs(centre) < BESIDE_ZERO)
        centre[near] = np.copysign(BESIDE_ZERO, centre[near])
        values = _parameters(declared, centre)
        with np.errstate(all="ignore"):
            sums = density(a, b, *jets.parameters(values)).rows.sum(axis=1)
        by = [part.slopes(z) for part, z in zip(declared.parameters, centre.tolist(), strict=True)]
        first, second = np.array(by).T
        gradient, hessian = jets.derivatives(sums, len(values))
        hessian *= first[:, None] * first
        hessian.flat[:: len(values) + 1] += gradient * second
        return gradient * first + hessian @ (point - centre), hessian

    return at


def _coordinate_range(parameter: Parameter) -> tuple[float, float]:
    low, high = parameter.search_range
    return parameter.to_coordinate(low), parameter.to_coordinate(high)


def _grid_axis(parameter: Parameter, number: int) -> Array:
    """Coordinates to begin from, crowded at the end where a parameter means independence."""
    low, high = _coordinate_range(parameter)
    place = np.linspace(0.0, 1.0, number)
    return np.asarray(low + (high - low) * (place**2 if parameter.kind == "excess" else place))


def _local_maxima(values: Array) -> NDArray[np.bool_]:
    """Points of a grid that no neighbour along an axis exceeds, and the best of each edge.

    A parameter at its end is a nested family, whose own maximum may be another optimum.
    """
    chosen = np.isfinite(values)
    for axis in range(values.ndim):
        walls = np.full_like(values.take([0], axis), -math.inf)
        padded = np.concatenate([walls, values, walls], axis=axis)
        for first in (0, 2):
            neighbour = padded.take(range(first, first + values.shape[axis]), axis)
            chosen &= values >= neighbour
    if values.ndim == 2:
        for edge in (0, -1):
            chosen[edge, values[edge].argmax()] = chosen[values[:, edge].argmax(), edge] = True
    return np.asarray(chosen)


def _parameters(declared: CopulaFamily, point: Array) -> tuple[float, ...]:
    """Parameters at coordinates, kept inside their ranges."""
    return tuple(
        min(max(part.from_coordinate(float(place)), part.search_range[0]), part.search_range[1])
        for place, part in zip(point, declared.parameters, strict=True)
    )


def _at_bound(declared: CopulaFamily, parameters: tuple[float, ...]) -> list[str]:
    """Name the parameters that ended at a limit of their range."""
    return [
        f"{name} = {value:.6g} is at its limit {bound:g}"
        for name, value, bounds in zip(
            declared.parameter_names, parameters, declared.bounds, strict=True
        )
        for bound in bounds
        if abs(value - bound) < BOUND_TOLERANCE * min(bounds[1] - bounds[0], 10.0)
    ]
