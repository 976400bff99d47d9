"""Goodness of fit of copulas: Rosenblatt's transform and a parametric bootstrap."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.copula_fitting import fit_copula
from electrode_grains.distributions.copulas import BivariateCopula
from electrode_grains.distributions.goodness import bootstrap_samples, checked_replicates
from electrode_grains.distributions.pseudo_observations import pseudo_observations
from electrode_grains.distributions.records import CopulaGoodness

Array = NDArray[np.float64]


def rosenblatt_distance(copula: BivariateCopula, u: ArrayLike, v: ArrayLike) -> float:
    """Cramer-von Mises distance of the Rosenblatt transform from independence.

    Parameters
    ----------
    copula : BivariateCopula
    u, v : array_like of float, shape (n,)
        Inside (0, 1).

    Returns
    -------
    float
        n times the integral of the squared difference between the empirical distribution
        function of (u, P(V <= v | U = u)) and the product of its arguments.
    """
    first = np.asarray(u, float)
    second = copula.conditional_v_given_u(first, v)
    single = np.sum((1 - first**2) * (1 - second**2))
    pairs = 1 - np.maximum.outer(first, first)
    pairs *= 1 - np.maximum.outer(second, second)
    return float(len(first) / 9 - single / 2 + pairs.sum() / len(first))


def copula_goodness_of_fit(
    u: ArrayLike,
    v: ArrayLike,
    family: str,
    rotation: int = 0,
    *,
    replicates: int = 99,
    rng: np.random.Generator | None = None,
) -> CopulaGoodness:
    """Test whether a pair has a copula of a family, whatever its marginals.

    Parameters
    ----------
    u, v : array_like of float, shape (n,)
        Pseudo-observations.
    family : str
        Name in `COPULA_FAMILIES`.
    rotation : int
        0, 90, 180 or 270 degrees.
    replicates : int
        Samples to draw from the fitted copula, to rank and to refit, at least 19.
    rng : Generator, optional
        A fixed seed by default, so that results repeat.

    Returns
    -------
    CopulaGoodness
        The p-value is (1 + number of replicates at least as far away) / (1 + replicates).

    Raises
    ------
    SettingsError
        If there are fewer than 19 replicates.

    Notes
    -----
    The statistic S_n^(B) of Genest, Remillard and Beaudoin, Insurance: Mathematics and
    Economics 44 (2009) 199-213. Replicates are ranked as the data are, so that the p-value
    does not rest on fitted marginals.
    """
    checked_replicates(replicates)
    rng = np.random.default_rng(0) if rng is None else rng
    fitted = fit_copula(u, v, family, rotation)
    if fitted.model is None or not fitted.is_ranked:
        return CopulaGoodness(cramer_von_mises=math.nan, p_value=math.nan, replicates=0)
    observed = rosenblatt_distance(fitted.model, u, v)
    exceeded, refits = 0, []
    draw = partial(fitted.model.sample, rng=rng)
    for pairs in bootstrap_samples(draw, len(np.asarray(u)), replicates):
        first, second = map(pseudo_observations, pairs)
        refit = fit_copula(first, second, family, rotation, start=fitted.model)
        if refit.model is None or not refit.is_ranked:
            continue
        refits.append(refit.model.parameters)
        exceeded += rosenblatt_distance(refit.model, first, second) >= observed
    errors = np.std(refits, axis=0, ddof=1) if len(refits) > 1 else [math.nan] * 2
    names = fitted.standard_errors or {}
    return CopulaGoodness(
        cramer_von_mises=observed,
        p_value=(1 + exceeded) / (1 + len(refits)),
        replicates=len(refits),
        bootstrap_errors={name: float(e) for name, e in zip(names, errors, strict=False)},
    )
