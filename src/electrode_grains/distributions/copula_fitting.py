"""Maximum likelihood fits of copulas and their ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from electrode_grains.distributions.copula_families import CopulaFamily, copula_family_named
from electrode_grains.distributions.copulas import ROTATIONS, BivariateCopula, unrotated
from electrode_grains.distributions.results import Fit, Outcome, rank_by_aic
from electrode_grains.problems import InputProblem

Array = NDArray[np.float64]
LEAST_SAMPLE = 30
GRID_POINTS = {1: 41, 2: 9}
STARTS = 3
BOUND_TOLERANCE = 1e-4
PAPER_FAMILIES = (
    "ali_mikhail_haq",
    "clayton",
    "frank",
    "gumbel",
    "joe",
    "bb1",
    "bb8",
    "bb3",
    "bb5",
)


def fit_copula(u: ArrayLike, v: ArrayLike, family: str, rotation: int = 0) -> Fit[BivariateCopula]:
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

    Returns
    -------
    Fit
        Over the whole range of the parameters, from several starts. `at_bound` where a
        parameter ends at its limit: there a nested family does as well with one parameter
        fewer.

    Raises
    ------
    InputProblem
        If a value is not inside (0, 1) or the lengths differ.
    SettingsProblem
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
    if len(first) < LEAST_SAMPLE:
        reason = f"{len(first)} pairs, at least {LEAST_SAMPLE} are needed"
        return fit(outcome="insufficient", reason=reason)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return fit(outcome="degenerate", reason="one characteristic is constant")
    parameters, likelihood = _maximize(declared, *unrotated(first, second, rotation))
    if not np.isfinite(likelihood):
        return fit(outcome="failed", reason="the likelihood is nowhere finite")
    outcome, reason = _at_bound(declared, parameters)
    model = BivariateCopula(family, parameters, rotation)
    return fit(outcome=outcome, model=model, log_likelihood=likelihood, reason=reason)


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
        Those of the paper by default.
    rotations : sequence of int

    Returns
    -------
    list of Fit
        Best first. Families that are radially symmetric appear once: Frank with a negative
        parameter is its own rotation by 90 degrees, so nine families in four rotations are
        33 models.
    """
    first, second = _checked(u, v)
    fits = []
    for family in PAPER_FAMILIES if families is None else families:
        symmetric = copula_family_named(family).is_radially_symmetric
        for rotation in (0,) if symmetric else rotations:
            fits.append(fit_copula(first, second, family, rotation))
    return rank_by_aic(fits)


def _checked(u: ArrayLike, v: ArrayLike) -> tuple[Array, Array]:
    first, second = np.asarray(u, float), np.asarray(v, float)
    if first.ndim != 1 or first.shape != second.shape:
        raise InputProblem(
            "pairs need two lists of equal length", found=f"{first.shape} and {second.shape}"
        )
    for name, values in (("u", first), ("v", second)):
        outside = ~((values > 0) & (values < 1))
        if outside.any():
            raise InputProblem(
                f"{int(outside.sum())} values of {name} are not inside (0, 1)",
                found=str(values[outside][0]),
                remedy="pass fitted distribution functions, or ranks over n + 1",
            )
    return first, second


def _maximize(declared: CopulaFamily, u: Array, v: Array) -> tuple[tuple[float, ...], float]:
    """Best parameters from a grid over the whole range, refined from its best points."""
    if not declared.bounds:
        return (), float(declared.log_density(u, v, ()).sum())
    lows, highs = np.array(declared.bounds).T

    def unfold(place: Array) -> tuple[float, ...]:
        return tuple(
            float(_from_unit(p, low, high)) for p, low, high in zip(place, lows, highs, strict=True)
        )

    def loss(place: Array) -> float:
        with np.errstate(all="ignore"):
            value = -float(declared.log_density(u, v, unfold(np.clip(place, 0, 1))).sum())
        return value if np.isfinite(value) else 1e12

    axis = np.linspace(0, 1, GRID_POINTS[len(lows)])
    grid = np.array(list(product(axis, repeat=len(lows))))
    losses = np.array([loss(place) for place in grid])
    best, least = grid[losses.argmin()], float(losses.min())
    for start in grid[np.argsort(losses, kind="stable")[:STARTS]]:
        found = minimize(loss, start, method="L-BFGS-B", bounds=[(0, 1)] * len(lows))
        polished = minimize(
            loss,
            found.x,
            method="Nelder-Mead",
            bounds=[(0, 1)] * len(lows),
            options={"xatol": 1e-7, "fatol": 1e-8, "maxiter": 400},
        )
        if polished.fun < least:
            best, least = polished.x, float(polished.fun)
    return unfold(best), -least if least < 1e12 else -np.inf


def _from_unit(place: float, low: float, high: float) -> float:
    """Spread [0, 1] over a range: evenly if it holds 0 inside, else crowded at the low end."""
    if low < 0:
        # Cubic: fine steps near independence.
        signed = 2 * place - 1
        middle = (signed**3 + signed) / 2 if high > 1 else signed
        return min(max(high * middle, low), high)
    if high <= 1:
        return low + (high - low) * place
    return low + math.expm1(place * math.log1p(high - low))


def _at_bound(declared: CopulaFamily, parameters: tuple[float, ...]) -> tuple[Outcome, str]:
    for name, value, (low, high) in zip(
        declared.parameter_names, parameters, declared.bounds, strict=True
    ):
        width = BOUND_TOLERANCE * min(high - low, 10.0)
        for bound in (low, high):
            if abs(value - bound) < width:
                return "at_bound", f"{name} = {value:.6g} is at its limit {bound:g}"
    return "converged", ""
