"""Goodness of fit of copulas: Rosenblatt's transform and a parametric bootstrap."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from electrode_grains.distributions.copula_fitting import fit_copula
from electrode_grains.distributions.copulas import BivariateCopula
from electrode_grains.distributions.goodness import bootstrap_samples, checked_replicates
from electrode_grains.distributions.joint import JointDensity
from electrode_grains.distributions.marginal_fitting import fit_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.pseudo_observations import pseudo_observations
from electrode_grains.distributions.records import CopulaGoodness, Interval
from electrode_grains.distributions.registry import copula_family_named

Array = NDArray[np.float64]
# Probabilities enter copulas strictly inside (0, 1): half of a part in a billion.
PROBABILITY_MARGIN = 5e-10
RIDGE = 0.9  # rank correlation of two parameters over refits


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


def joint_bootstrap(
    joint: JointDensity, sample_size: int, *, replicates: int, rng: np.random.Generator
) -> tuple[dict[str, Interval], bool]:
    """Intervals of a copula that was fitted after its marginals, by fitting both again.

    Parameters
    ----------
    joint : JointDensity
        Of fitted marginals and copula.
    sample_size : int
        Pairs that they were fitted to.
    replicates : int
        Samples to draw and fit.
    rng : Generator

    Returns
    -------
    intervals : dict of str to Interval
        Percentiles 2.5 and 97.5 of the parameters, `kendall_tau`, `lower_tail`, `upper_tail`.
    is_weakly_identified : bool
        Whether two parameters move together along a ridge: their logarithms over the refits
        are correlated beyond 0.9, or a tenth of the refits ends at a limit.
    """
    copula = joint.copula
    names = copula_family_named(copula.family).parameter_names
    rows, at_bound = [], 0
    for pairs in bootstrap_samples(partial(joint.sample, rng=rng), sample_size, replicates):
        levels = []
        for marginal, values in zip((joint.marginal_x, joint.marginal_y), pairs, strict=True):
            assert isinstance(marginal, Marginal)
            refit = fit_marginal(values, marginal.family, marginal.support, start=marginal).model
            level = (refit or marginal).cdf(values)
            levels.append(np.clip(level, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN))
        fit = fit_copula(levels[0], levels[1], copula.family, copula.rotation, start=copula)
        if fit.model is None or not fit.is_ranked:
            continue
        at_bound += fit.outcome == "at_bound"
        tails = fit.model.tail_dependence()
        rows.append([*fit.model.parameters, fit.model.kendall_tau(), *tails])
    if len(rows) < 2 or not names:
        return {}, False
    table = np.array(rows)
    low, high = np.quantile(table, [0.025, 0.975], axis=0)
    intervals = {
        name: Interval(low=float(first), high=float(last))
        for name, first, last in zip(
            (*names, "kendall_tau", "lower_tail", "upper_tail"), low, high, strict=True
        )
    }
    if len(names) < 2:
        return intervals, False
    spread = table[:, :2].std(axis=0)
    ridge = (
        bool((spread > 0).all())
        and abs(np.corrcoef(rankdata(table[:, 0]), rankdata(table[:, 1]))[0, 1]) > RIDGE
    )
    return intervals, bool(ridge or at_bound > 0.1 * len(rows))
