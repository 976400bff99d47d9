"""All copulas of a pair of characteristics: fitted, ranked, tested, recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, spearmanr

from electrode_grains.distributions.copula_fitting import fit_copula, select_copula
from electrode_grains.distributions.copula_goodness import copula_goodness_of_fit
from electrode_grains.distributions.copula_intervals import (
    PROBABILITY_MARGIN,
    likelihood_intervals,
)
from electrode_grains.distributions.copulas import BivariateCopula
from electrode_grains.distributions.goodness import bootstrap_samples
from electrode_grains.distributions.joint import JointDensity
from electrode_grains.distributions.marginal_fitting import inside_support
from electrode_grains.distributions.pseudo_observations import pseudo_observations, tie_share
from electrode_grains.distributions.records import (
    Candidate,
    CopulaCandidate,
    CopulaChoice,
    CredibleRegion,
    MarginalFit,
    PairFit,
    RankCheck,
)
from electrode_grains.distributions.results import (
    Fit,
    akaike_weights,
    least_aic,
    rank_by_aic,
    undecided,
    winner,
)
from electrode_grains.distributions.settings import GoodnessSettings, PairSettings

Array = NDArray[np.float64]
CREDIBLE_PROBABILITIES = (0.5, 0.9)


def model_pair(
    x: ArrayLike,
    y: ArrayLike,
    marginal_x: MarginalFit,
    marginal_y: MarginalFit,
    pairs: PairSettings,
    goodness: GoodnessSettings,
    rng: np.random.Generator,
) -> PairFit:
    """Fit all copulas to a pair, check the best, and tell how surely it is the best.

    Parameters
    ----------
    x, y, marginal_x, marginal_y
        As in `fit_pair`.
    pairs : PairSettings
        Families and rotations that compete, and what becomes of ties.
    goodness : GoodnessSettings
        Numbers of bootstrap samples.
    rng : Generator

    Returns
    -------
    PairFit
        As `fit_pair`, `check_pair` and `copula_selection_frequencies` give it.
    """
    candidates = pairs.families, pairs.rotations
    fit = check_pair(
        x,
        y,
        fit_pair(x, y, marginal_x, marginal_y, *candidates),
        marginal_x,
        marginal_y,
        *candidates,
        replicates=goodness.replicates,
        rng=rng,
        break_ties=pairs.ties == "random",
    )
    won = copula_selection_frequencies(fit, goodness.selection_replicates, rng)
    return fit.model_copy(update={"selection_frequencies": won})


def fit_pair(
    x: ArrayLike,
    y: ArrayLike,
    marginal_x: MarginalFit,
    marginal_y: MarginalFit,
    families: Sequence[str],
    rotations: Sequence[int],
) -> PairFit:
    """Fit all copulas to a pair with fixed fitted marginals.

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Values of both characteristics, one pair per grain.
    marginal_x, marginal_y : MarginalFit
        Pairs outside either support are left out and counted. Where either has no best
        family, no copula is fitted.
    families : sequence of str
        Names in `COPULA_FAMILIES`.
    rotations : sequence of int
        Among 0, 90, 180, 270 degrees.

    Returns
    -------
    PairFit
        Empirical and fitted correlation, the best copula, all candidates, best first, and
        the shares of pairs inside the credible regions of the fitted density.

    Notes
    -----
    Inference functions for margins (eq. 15-16 of Furat et al., J. Power Sources 483,
    2021): the copula alone is fitted, at u = F1(x), v = F2(y). Its standard errors hold
    for known marginals.
    """
    first, second, excluded = inside_both(x, y, marginal_x, marginal_y)
    fits: list[Fit[BivariateCopula]] = []
    joint = None
    if marginal_x.best is not None and marginal_y.best is not None:
        models = marginal_x.joint_distribution(), marginal_y.joint_distribution()
        u, v = (
            np.clip(model.cdf(values), PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
            for model, values in zip(models, (first, second), strict=True)
        )
        fits = select_copula(u, v, families, rotations)
        best = winner(fits)
        if best is not None and best.model is not None:
            joint = JointDensity(*models, best.model)
    known = first.size > 2
    tau = kendalltau(first, second) if known else None
    return PairFit(
        sample_size=int(first.size),
        excluded_count=excluded,
        pearson_r=float(np.corrcoef(first, second)[0, 1]) if known else None,
        kendall_tau=None if tau is None else float(tau.statistic),
        independence_p_value=None if tau is None else float(tau.pvalue),
        spearman_rho=float(spearmanr(first, second).statistic) if known else None,
        fitted_correlation=None if joint is None else joint.correlation(),
        fitted_kendall_tau=None if joint is None else joint.copula.kendall_tau(),
        fitted_spearman_rho=None if joint is None else joint.copula.spearman_rho(),
        credible_regions=[] if joint is None else _credible_regions(joint, first, second),
        best=None if joint is None else CopulaChoice.of(joint.copula),
        undecided=[named(fit.model) for fit in undecided(fits) if fit.model],
        candidates=[
            _candidate(fit, least_aic(fits), weight)
            for fit, weight in zip(fits, akaike_weights(fits), strict=True)
        ],
    )


def named(copula: BivariateCopula) -> str:
    """Family and rotation of a copula in a word or two."""
    return f"{copula.family} {copula.rotation}" if copula.rotation else copula.family


def _candidate(fit: Fit[BivariateCopula], least: float, weight: float) -> CopulaCandidate:
    return CopulaCandidate(
        **Candidate.criteria_of(fit, least, weight),
        rotation=fit.model.rotation if fit.model else 0,
        parameters=list(fit.model.parameters) if fit.model else [],
        standard_errors=dict(fit.standard_errors or {}) if fit.model else {},
    )


def check_pair(
    x: ArrayLike,
    y: ArrayLike,
    pair: PairFit,
    marginal_x: MarginalFit,
    marginal_y: MarginalFit,
    families: Sequence[str],
    rotations: Sequence[int],
    replicates: int,
    rng: np.random.Generator,
    break_ties: bool = False,
) -> PairFit:
    """Check the best copula of a pair by ranks, which no misfit of a marginal reaches.

    Parameters
    ----------
    x, y, marginal_x, marginal_y, families, rotations
        As `fit_pair` took them.
    pair : PairFit
        What `fit_pair` returned.
    replicates : int
        Bootstrap samples of the test, see `copula_goodness_of_fit`.
    rng : Generator
    break_ties : bool
        Break ties at random, instead of sharing mean ranks.

    Returns
    -------
    PairFit
        The same with `intervals` and `goodness_of_fit` of the best family (None where there is
        none) and `pseudo_observations`.
    """
    first, second, _ = inside_both(x, y, marginal_x, marginal_y)
    u, v = (pseudo_observations(values, rng if break_ties else None) for values in (first, second))
    fits = select_copula(u, v, families, rotations) if pair.best is not None else []
    chosen = winner(fits)
    ranks = RankCheck(
        tie_share_x=tie_share(first),
        tie_share_y=tie_share(second),
        ties="broken at random" if break_ties else "mean ranks",
        best=None,
        delta_aic=None,
    )
    if chosen is None or chosen.model is None or pair.best is None:
        return pair.model_copy(update={"pseudo_observations": ranks})
    key = pair.best.family, pair.best.rotation
    joint = JointDensity(
        marginal_x.joint_distribution(), marginal_y.joint_distribution(), pair.best.copula()
    )
    intervals, is_ridge = likelihood_intervals(joint, first, second)
    same = next(fit for fit in fits if fit.model and (fit.family, fit.model.rotation) == key)
    return pair.model_copy(
        update={
            "intervals": intervals,
            "is_weakly_identified": is_ridge,
            "goodness_of_fit": copula_goodness_of_fit(u, v, *key, replicates=replicates, rng=rng),
            "pseudo_observations": ranks.model_copy(
                update={
                    "best": CopulaChoice.of(chosen.model),
                    "delta_aic": same.aic - chosen.aic,
                }
            ),
        }
    )


def copula_selection_frequencies(
    pair: PairFit, replicates: int, rng: np.random.Generator
) -> dict[str, float]:
    """Share of samples drawn from the best copula in which each family wins.

    Families more than ten units of AIC behind it have practically no support and do not
    compete again.

    Parameters
    ----------
    pair : PairFit
    replicates : int
        Samples; 0 for none.
    rng : Generator

    Returns
    -------
    dict of str to float
        By family and rotation, the most frequent first; empty without a best copula.
    """
    if pair.best is None or replicates == 0:
        return {}
    copula = pair.best.copula()
    rivals = [row.copula() for row in pair.candidates if row.is_supported]
    won: Counter[str] = Counter()
    draw = partial(copula.sample, rng=rng)
    for sample in bootstrap_samples(draw, pair.sample_size, replicates):
        u, v = map(pseudo_observations, sample)
        best = winner(
            rank_by_aic(
                fit_copula(u, v, rival.family, rival.rotation, start=rival) for rival in rivals
            )
        )
        if best is not None and best.model is not None:
            won[named(best.model)] += 1
    return {name: count / replicates for name, count in won.most_common()}


def inside_both(
    x: ArrayLike, y: ArrayLike, marginal_x: MarginalFit, marginal_y: MarginalFit
) -> tuple[Array, Array, int]:
    """Pairs inside both supports, and how many are not."""
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    inside = inside_support(first, marginal_x.interval) & inside_support(
        second, marginal_y.interval
    )
    return first[inside], second[inside], int((~inside).sum())


def _credible_regions(joint: JointDensity, x: Array, y: Array) -> list[CredibleRegion]:
    """Smallest regions of given probability, and the share of the sample inside each."""
    density = joint.pdf(x, y)
    levels = joint.credible_levels(CREDIBLE_PROBABILITIES)
    return [
        CredibleRegion(
            probability=probability,
            level=level,
            sample_share=float(np.mean(density >= level)),
        )
        for probability, level in zip(CREDIBLE_PROBABILITIES, levels, strict=True)
    ]
