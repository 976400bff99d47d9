"""All families of one characteristic: fitted, ranked, tested, recorded."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from electrode_grains.distributions.goodness import MINIMUM_AXES, axis_uniformity, goodness_of_fit
from electrode_grains.distributions.marginal_fitting import inside_support, select_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.records import (
    EVERYWHERE,
    AxisUniformity,
    Candidate,
    GoodnessOfFit,
    MarginalCandidate,
    MarginalFit,
)
from electrode_grains.distributions.results import Fit, akaike_weights, least_aic, winner

LISTED_LABELS = 20


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
    fits = select_marginal(kept, families, support=support)
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
    return goodness_of_fit(fit.distribution(), kept, replicates=replicates, rng=rng)


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
