"""All families of one characteristic: fitted, ranked, tested, recorded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.goodness import (
    MINIMUM_AXES,
    axis_uniformity,
    bootstrap_samples,
    goodness_of_fit,
)
from electrode_grains.distributions.marginal_fitting import inside_support, select_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.records import (
    EVERYWHERE,
    AxisUniformity,
    Candidate,
    GoodnessOfFit,
    MarginalCandidate,
    MarginalFit,
    Population,
    Rounding,
)
from electrode_grains.distributions.registry import family_named
from electrode_grains.distributions.results import Fit, akaike_weights, least_aic, undecided, winner
from electrode_grains.distributions.rounding import find_grid
from electrode_grains.distributions.settings import GoodnessSettings, MarginalSettings
from electrode_grains.distributions.smooth_marginals import fit_smooth

LISTED_LABELS = 20


def model_characteristic(
    sample: ArrayLike,
    families: Iterable[str],
    support: tuple[float, float] | None,
    labels: ArrayLike | None,
    marginals: MarginalSettings,
    goodness: GoodnessSettings,
    rng: np.random.Generator,
) -> MarginalFit:
    """Fit all families to one characteristic, test the best, and tell how surely it is the best.

    Parameters
    ----------
    sample, families, support, labels
        As in `fit_characteristic`.
    marginals : MarginalSettings
        When a spline takes the place of the best family in joint models.
    goodness : GoodnessSettings
        Numbers of bootstrap samples.
    rng : Generator

    Returns
    -------
    MarginalFit
        As `fit_characteristic`, `check_characteristic` and `selection_frequencies` give it.
    """
    fit = fit_characteristic(sample, families, support, labels)
    tested = check_characteristic(sample, fit, goodness.replicates, rng)
    smooth = None
    if tested is not None and tested.combined_p_value <= marginals.smooth_at_p:
        values = np.asarray(sample, dtype=float)
        least = next(row.aic for row in fit.candidates if row.family == fit.best)
        smooth = fit_smooth(values[inside_support(values, fit.interval)], support, least)
    return fit.model_copy(
        update={
            "goodness_of_fit": tested,
            "smooth": smooth,
            "selection_frequencies": selection_frequencies(fit, goodness.selection_replicates, rng),
        }
    )


def fit_characteristic(
    sample: ArrayLike,
    families: Iterable[str],
    support: tuple[float, float] | None,
    labels: ArrayLike | None = None,
) -> MarginalFit:
    """Fit all families to one characteristic.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        Values of the characteristic, one per grain.
    families : iterable of str
        Names in `MARGINAL_FAMILIES`.
    support : (float, float) or None
        Range that every candidate is truncated to; values outside it are left out of
        all fits alike, so that AIC compares equal samples, and are counted and named.
    labels : array_like of int, shape (n,), optional
        Labels of the grains, to name those left out.

    Returns
    -------
    MarginalFit
        Moments of the sample, the best family and all candidates, best first.
    """
    values = np.asarray(sample, dtype=float)
    inside = inside_support(values, support or EVERYWHERE)
    kept = values[inside]
    grid = find_grid(kept)
    fits = select_marginal(kept, families, support=support, grid=grid)
    best = winner(fits)
    left_out = [] if labels is None else np.asarray(labels)[~inside][:LISTED_LABELS].tolist()
    return MarginalFit(
        sample_size=int(kept.size),
        mean=float(kept.mean()) if kept.size else None,
        std=float(kept.std(ddof=1)) if kept.size > 1 else None,
        support=support,
        excluded_count=int((~inside).sum()),
        excluded_reason="" if inside.all() else f"not inside the support {support}",
        excluded_labels=left_out,
        best=None if best is None else best.family,
        undecided=[fit.family for fit in undecided(fits)],
        rounding=None
        if grid is None
        else Rounding(step=grid.step, power=grid.power, ties=grid.ties),
        candidates=[
            _candidate(fit, least_aic(fits), weight)
            for fit, weight in zip(fits, akaike_weights(fits), strict=True)
        ],
    )


def _candidate(fit: Fit[Marginal], least: float, weight: float) -> MarginalCandidate:
    mean = std = None
    if fit.model is not None and fit.is_ranked:
        mean, std = fit.model.mean(), fit.model.std()
        # The integral of a symmetric density is 0 up to rounding, which no table should show.
        mean = 0.0 if abs(mean) < 1e-12 * std else mean
    parameters = dict(fit.model.parameters) if fit.model else {}
    return MarginalCandidate(
        **Candidate.criteria_of(fit, least, weight),
        parameters=parameters,
        parameter_order=list(parameters),
        standard_errors=dict(fit.standard_errors or {}),
        mean=mean,
        std=std,
    )


def check_characteristic(
    sample: ArrayLike, fit: MarginalFit, replicates: int, rng: np.random.Generator
) -> GoodnessOfFit | None:
    """Test the best family of a characteristic against its sample.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        The values that were given to `fit_characteristic`.
    fit : MarginalFit
        What it returned.
    replicates : int
        Bootstrap samples, see `goodness_of_fit`.
    rng : Generator

    Returns
    -------
    GoodnessOfFit or None
        None where no family was fitted.
    """
    if fit.best is None:
        return None
    values = np.asarray(sample, dtype=float)
    kept = values[inside_support(values, fit.interval)]
    return goodness_of_fit(
        fit.distribution(), kept, replicates=replicates, rng=rng, grid=find_grid(kept)
    )


def selection_frequencies(
    fit: MarginalFit, replicates: int, rng: np.random.Generator
) -> dict[str, float]:
    """Share of samples drawn from the best family in which each family wins.

    Families more than ten units of AIC behind it have practically no support and do not
    compete again.

    Parameters
    ----------
    fit : MarginalFit
    replicates : int
        Samples; 0 for none.
    rng : Generator

    Returns
    -------
    dict of str to float
        The most frequent first; empty without a best family.
    """
    if fit.best is None or replicates == 0:
        return {}
    rivals = [fit.distribution(row.family) for row in fit.candidates if row.is_supported]
    families = [rival.family for rival in rivals]
    draw = partial(fit.distribution().sample, rng=rng)
    won = Counter(
        best.family
        for (sample,) in bootstrap_samples(draw, fit.sample_size, replicates)
        if (best := winner(select_marginal(sample, families, fit.support, starts=rivals)))
    )
    return {name: count / replicates for name, count in won.most_common()}


def populations(
    sample: ArrayLike, fit: MarginalFit, others: Mapping[str, ArrayLike]
) -> list[Population]:
    """Describe the two populations of grains where the best family is a mixture.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        Values of the characteristic.
    fit : MarginalFit
    others : mapping of str to array_like, shape (n,)
        Columns whose means over either population are wanted.

    Returns
    -------
    list of Population
        That of the smaller location first; empty where the best family is no mixture.
    """
    mixture = None if fit.best is None else family_named(fit.best).mixture
    if mixture is None:
        return []
    model = fit.distribution()
    names = family_named(mixture.component).parameter_names
    first, second, share = mixture.split(tuple(model.parameters.values()))
    posterior = np.asarray(model.posterior(np.asarray(sample, dtype=float)))
    known, probability = np.isfinite(posterior), np.nan_to_num(posterior)
    described = []
    for values, part, weight in (
        (first, share, probability),
        (second, 1.0 - share, 1.0 - probability),
    ):
        parameters = dict(zip(names, values, strict=True))
        component = Marginal(mixture.component, parameters, fit.support)
        described.append(
            Population(
                share=part,
                mean=component.mean(),
                std=component.std(),
                means={
                    name: _weighted_mean(np.asarray(column, dtype=float), weight * known)
                    for name, column in others.items()
                },
            )
        )
    return described


def _weighted_mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    weight = weight * np.isfinite(values)
    total = float(weight.sum())
    return float(np.nansum(values * weight) / total) if total > 0.0 else math.nan


def check_axes(azimuthal_angle: ArrayLike, polar_angle: ArrayLike) -> AxisUniformity | None:
    """Test jointly whether the axes of grains are uniform on the sphere.

    Parameters
    ----------
    azimuthal_angle, polar_angle : array_like of float, shape (n,)
        In rad, one pair per grain; pairs that are not finite are left out.

    Returns
    -------
    AxisUniformity or None
        None for too few axes.
    """
    angles = np.column_stack([azimuthal_angle, polar_angle]).astype(float)
    kept = angles[np.isfinite(angles).all(axis=1)]
    return axis_uniformity(*kept.T) if len(kept) >= MINIMUM_AXES else None
