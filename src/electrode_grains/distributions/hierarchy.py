"""Marginals and copulas of several particles: each its own parameters, and how these scatter.

Grains of one particle are no independent sample of all particles. Every particle is fitted by
itself, and its parameters are taken as drawn from a distribution over particles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from electrode_grains.distributions.copula_fitting import DEFAULT_COPULAS, fit_copula
from electrode_grains.distributions.copulas import ROTATIONS
from electrode_grains.distributions.family_declaration import Parameter
from electrode_grains.distributions.marginal_fitting import fit_marginal
from electrode_grains.distributions.pseudo_observations import pseudo_observations
from electrode_grains.distributions.random_effects import (
    draw_particles,
    estimate,
    interval,
    random_effects,
)
from electrode_grains.distributions.records import Interval
from electrode_grains.distributions.registry import copula_family_named, family_named
from electrode_grains.distributions.results import Fit
from electrode_grains.errors import InputError

Array = NDArray[np.float64]
LEVEL = 0.95
BOOTSTRAP = 999


@dataclass(frozen=True)
class RandomEffect:
    """A quantity that varies from particle to particle.

    Attributes
    ----------
    centre : float
        Of the distribution over particles.
    standard_error : float
        Of the centre.
    between : float
        Standard deviation between particles, without the errors of the single fits.
    interval : Interval
        Of the centre, 95 %: Student's t with one degree of freedom fewer than particles.
    bootstrap_interval : Interval
        The same by percentiles of samples of particles (never of grains); too narrow for
        fewer than about ten particles.
    prediction : Interval
        In which the next particle lies with a probability of 95 %.
    """

    centre: float
    standard_error: float
    between: float
    interval: Interval
    bootstrap_interval: Interval
    prediction: Interval


@dataclass(frozen=True)
class PooledFit:
    """One family fitted to every particle.

    Attributes
    ----------
    family : str
    rotation : int
        0 for marginals.
    aic : float
        Sum over particles, each with parameters of its own; NaN where a particle has no fit.
    fits : dict
        Fit of each particle by its name.
    effects : dict of str to RandomEffect
        By parameter, in the coordinate in which it is searched (`Parameter.to_coordinate`:
        logarithms of scales and shapes), carried back: `centre` and intervals are in the unit of
        the parameter, `standard_error` and `between` in that of the coordinate.
    left_out : tuple of str
        Particles whose fit has no standard error: at a limit or not converged.
    """

    family: str
    rotation: int
    aic: float
    fits: dict[str, Fit[Any]]
    effects: dict[str, RandomEffect]
    left_out: tuple[str, ...]


def random_effect(
    estimates: ArrayLike, standard_errors: ArrayLike, rng: np.random.Generator | None = None
) -> RandomEffect:
    """Centre and scatter of a quantity over particles, from its estimate on each.

    Parameters
    ----------
    estimates, standard_errors : array_like of float, shape (particles,)
        At least two particles.
    rng : Generator, optional
        Of the bootstrap of particles; a fixed seed by default, so that results repeat.

    Returns
    -------
    RandomEffect

    Raises
    ------
    InputError
        If there are fewer than two particles, or values that are not finite.

    Notes
    -----
    See `random_effects`. For equal errors it is the analysis of variance of a one-way layout.

    Examples
    --------
    >>> effect = random_effect([1.0, 2.0, 3.0], [0.1, 0.1, 0.1])
    >>> round(effect.centre, 6), round(effect.between**2, 6)
    (2.0, 0.99)
    """
    y, s = np.asarray(estimates, dtype=float), np.asarray(standard_errors, dtype=float)
    if y.ndim != 1 or y.shape != s.shape or y.size < 2:
        raise InputError(
            "a random effect needs estimates and errors of several particles",
            found=f"{y.shape} estimates and {s.shape} errors",
            expected="the same number of both, at least 2",
        )
    if not (np.isfinite(y).all() and np.isfinite(s).all() and (s > 0).all()):
        raise InputError(
            "estimates must be finite and their errors positive",
            found=f"{y.tolist()} with errors {s.tolist()}",
            remedy="leave out particles whose fit ended at a limit",
        )
    found = random_effects(y, s)
    reach = float(student.ppf(0.5 + LEVEL / 2, y.size - 1)) * math.hypot(
        found.between, found.standard_error
    )
    rng = np.random.default_rng(0) if rng is None else rng
    means, _ = estimate(y, s, draw_particles(y.size, BOOTSTRAP, rng))
    low, high = interval(means)
    return RandomEffect(
        centre=found.mean,
        standard_error=found.standard_error,
        between=found.between,
        interval=Interval(low=found.low, high=found.high),
        bootstrap_interval=Interval(low=low, high=high),
        prediction=Interval(low=found.mean - reach, high=found.mean + reach),
    )


def pool_marginals(
    values: ArrayLike,
    particle: ArrayLike,
    families: Iterable[str],
    support: tuple[float, float] | None = None,
) -> list[PooledFit]:
    """Fit families to every particle and describe how their parameters scatter.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        One characteristic of the grains of all particles.
    particle : array_like, shape (n,)
        Which particle each grain is of.
    families : iterable of str
        Names in `MARGINAL_FAMILIES`.
    support : (float, float), optional
        As `fit_marginal` takes it.

    Returns
    -------
    list of PooledFit
        The least sum of AIC first; families that do not fit every particle come last.

    Raises
    ------
    InputError
        If there are fewer than two particles, or the lengths differ.
    """
    (sample,), names = _by_particle([values], particle)
    return _ranked(
        _pooled(
            family,
            0,
            {name: fit_marginal(sample[name], family, support) for name in names},
            family_named(family).parameters,
        )
        for family in families
    )


def pool_copulas(
    x: ArrayLike,
    y: ArrayLike,
    particle: ArrayLike,
    families: Sequence[str] = DEFAULT_COPULAS,
    rotations: Sequence[int] = ROTATIONS,
) -> list[PooledFit]:
    """Fit copulas to every particle and describe how their parameters scatter.

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Two characteristics of the grains of all particles. They are ranked within each
        particle, so that particles may differ in their marginals.
    particle : array_like, shape (n,)
        Which particle each grain is of.
    families, rotations
        As `select_copula` takes them.

    Returns
    -------
    list of PooledFit
        As `pool_marginals` returns them.

    Raises
    ------
    InputError
        If there are fewer than two particles, or the lengths differ.
    """
    (first, second), names = _by_particle([x, y], particle)
    ranks = {
        name: (pseudo_observations(first[name]), pseudo_observations(second[name]))
        for name in names
    }
    return _ranked(
        _pooled(
            family,
            rotation,
            {name: fit_copula(*ranks[name], family, rotation) for name in names},
            copula_family_named(family).parameters,
        )
        for family in families
        for rotation in ((0,) if copula_family_named(family).is_radially_symmetric else rotations)
    )


def _by_particle(
    columns: Sequence[ArrayLike], particle: ArrayLike
) -> tuple[list[dict[str, Array]], list[str]]:
    """Columns of each particle; rows that are not finite in all columns are left out."""
    labels = np.asarray(particle).astype(str)
    values = [np.asarray(column, dtype=float) for column in columns]
    names = list(dict.fromkeys(labels.ravel().tolist()))
    if any(column.shape != labels.shape for column in values) or len(names) < 2:
        raise InputError(
            "pooling needs grains of several particles",
            found=f"{len(names)} particles, lengths {[column.shape for column in values]} "
            f"and {labels.shape}",
            expected="at least 2 particles, one name per grain",
        )
    known = np.isfinite(values).all(axis=0)
    return [{name: column[known & (labels == name)] for name in names} for column in values], names


def _ranked(pooled: Iterable[PooledFit]) -> list[PooledFit]:
    return sorted(pooled, key=lambda one: (math.isnan(one.aic), one.aic))


def _pooled(
    family: str, rotation: int, fits: dict[str, Fit[Any]], parameters: Sequence[Parameter]
) -> PooledFit:
    usable = {
        name: fit
        for name, fit in fits.items()
        if fit.is_ranked and np.isfinite(list((fit.standard_errors or {}).values())).all()
    }
    complete = all(fit.is_ranked for fit in fits.values())
    return PooledFit(
        family=family,
        rotation=rotation,
        aic=math.fsum(fit.aic for fit in fits.values()) if complete else math.nan,
        fits=fits,
        effects={part.name: _effect(part, list(usable.values())) for part in parameters}
        if len(usable) > 1
        else {},
        left_out=tuple(name for name in fits if name not in usable),
    )


def _effect(parameter: Parameter, fits: Sequence[Fit[Any]]) -> RandomEffect:
    """Random effect of one parameter, in its coordinate, carried back to its unit."""
    by_name = [fit.parameters_by_name[parameter.name] for fit in fits]
    places = np.array([parameter.to_coordinate(value) for value in by_name])
    if parameter.kind == "angle":
        middle = float(np.angle(np.exp(1j * places).mean()))
        places = middle + (places - middle + math.pi) % (2 * math.pi) - math.pi
    errors = [
        (fit.standard_errors or {})[parameter.name] / parameter.slopes(place)[0]
        for fit, place in zip(fits, places.tolist(), strict=True)
    ]
    effect = random_effect(places, errors)
    back: Callable[[float], float] = parameter.from_coordinate
    return RandomEffect(
        centre=back(effect.centre),
        standard_error=effect.standard_error,
        between=effect.between,
        **{
            name: Interval(low=back(ends.low), high=back(ends.high))
            for name, ends in (
                ("interval", effect.interval),
                ("bootstrap_interval", effect.bootstrap_interval),
                ("prediction", effect.prediction),
            )
        },
    )
