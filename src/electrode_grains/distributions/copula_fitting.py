"""Maximum likelihood fits of copulas and their ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.copula_likelihood import (
    CopulaLikelihood,
    coordinate_range,
    parameters_at,
)
from electrode_grains.distributions.copulas import ROTATIONS, BivariateCopula, unrotated
from electrode_grains.distributions.family_declaration import CopulaFamily, Parameter
from electrode_grains.distributions.likelihood_search import (
    Optimum,
    covariance,
    maximize,
)
from electrode_grains.distributions.registry import copula_family_named
from electrode_grains.distributions.results import Fit, Outcome, rank_by_aic
from electrode_grains.errors import InputError

Array = NDArray[np.float64]
MINIMUM_SAMPLE = 30
GRID_POINTS = {1: 13, 2: 9}
# Pairs that tell where on the grid to begin; along one parameter there is one summit.
THINNED_SAMPLE = {1: 100, 2: 400}
STARTS, STARTS_BESIDE_KNOWN = 4, 2
BOUND_TOLERANCE = 1e-4
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
    if first.min() == first.max() or second.min() == second.max():
        return fit(outcome="degenerate", reason="one characteristic is constant")
    known = None if start is None else start.parameters
    optimum = _maximize(declared, *unrotated(first, second, rotation), known)
    if optimum is None:
        return fit(outcome="failed", reason="the likelihood is nowhere finite")
    parameters = parameters_at(declared, optimum.point)
    held = _at_bound(declared, parameters)
    spread = covariance(optimum, partial(parameters_at, declared))
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
        if not len(values) or (values.min() > 0 and values.max() < 1):
            continue
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

    likelihood = CopulaLikelihood(declared, u, v)
    lower, upper = likelihood.box
    slopes = likelihood.exact_slopes
    if known is not None:
        begin = [likelihood.coordinates(known)]
        found = maximize(likelihood.climb, begin, lower, upper, 1, slopes)
        if found is not None and found.is_converged and not found.at_bound.any():
            return found
    # Part of the sample tells where on a grid to begin.
    thinned = slice(None, None, math.ceil(len(u) / THINNED_SAMPLE[len(lower)]))
    rough = CopulaLikelihood(declared, u[thinned], v[thinned])
    grid = _grid(declared.parameters)
    heights = rough.heights(grid).reshape([GRID_POINTS[len(lower)]] * len(lower))
    starts = grid[_local_maxima(heights).ravel()]
    keep = STARTS if known is None else STARTS_BESIDE_KNOWN
    return maximize(likelihood.climb, list(starts), lower, upper, keep, slopes)


@cache
def _grid(parameters: tuple[Parameter, ...]) -> Array:
    """Points of a grid over the whole range of the parameters."""
    number = GRID_POINTS[len(parameters)]
    return np.array(list(product(*(_grid_axis(part, number) for part in parameters))))


def _grid_axis(parameter: Parameter, number: int) -> Array:
    """Coordinates to begin from, crowded at the end where a parameter means independence."""
    low, high = coordinate_range(parameter)
    place = np.linspace(0.0, 1.0, number)
    return np.asarray(low + (high - low) * (place**2 if parameter.kind == "excess" else place))


def _local_maxima(values: Array) -> NDArray[np.bool_]:
    """Points of a grid that no neighbour along an axis exceeds, and the best of each edge.

    A parameter at its end is a nested family, whose own maximum may be another optimum; along one
    parameter a maximum may also hide between an end and its neighbour.
    """
    chosen = np.isfinite(values)
    for part, is_chosen in ((values, chosen), (values.T, chosen.T))[: values.ndim]:
        is_chosen[:-1] &= part[:-1] >= part[1:]
        is_chosen[1:] &= part[1:] >= part[:-1]
    if values.ndim == 1:
        chosen[1] |= chosen[0]
        chosen[-2] |= chosen[-1]
    if values.ndim == 2:
        for edge in (0, -1):
            chosen[edge, values[edge].argmax()] = chosen[values[:, edge].argmax(), edge] = True
    return np.asarray(chosen)


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
