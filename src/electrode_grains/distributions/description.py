"""Plain descriptions of fitted candidates, as they are kept in JSON and shown in tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau

from electrode_grains.distributions.copula_fitting import select_copula
from electrode_grains.distributions.copulas import BivariateCopula
from electrode_grains.distributions.joint import JointDensity
from electrode_grains.distributions.marginal_fitting import select_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.results import Fit, akaike_weights, rank_by_aic

# Probabilities enter copulas strictly inside (0, 1): half of a part in a billion.
PROBABILITY_MARGIN = 5e-10
LISTED_LABELS = 20


def describe_marginals(
    sample: ArrayLike,
    families: Iterable[str],
    support: tuple[float, float] | None,
    labels: ArrayLike | None = None,
) -> dict[str, Any]:
    """Fit all families to one characteristic and describe what came out.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        Values of the characteristic, one a grain.
    families : iterable of str
        Names in `MARGINAL_FAMILIES`.
    support : (float, float) or None
        Range that every candidate is truncated to; values outside it are left out of
        all fits alike, so that AIC compares equal samples, and are counted and named.
    labels : array_like of int, shape (n,), optional
        Labels of the grains, to name those left out.

    Returns
    -------
    dict
        Moments of the sample, the best family and all candidates, best first.
    """
    values = np.asarray(sample, dtype=float)
    inside = np.isfinite(values)
    if support is not None:
        inside &= (values > support[0]) & (values < support[1])
    kept = values[inside]
    fits = rank_by_aic(select_marginal(kept, tuple(families), support=support))
    best = fits[0] if fits and fits[0].is_ranked else None
    left_out = [] if labels is None else np.asarray(labels)[~inside][:LISTED_LABELS].tolist()
    return {
        "sample_size": int(kept.size),
        "mean": _moment(np.mean, kept, 1),
        "std": _moment(lambda v: np.std(v, ddof=1), kept, 2),
        "support": None if support is None else [float(support[0]), float(support[1])],
        "excluded_count": int((~inside).sum()),
        "excluded_reason": "" if inside.all() else f"not inside the support {support}",
        "excluded_labels": left_out,
        "best": None if best is None else best.family,
        "candidates": [
            {
                **row,
                "parameters": dict(fit.model.parameters) if fit.model else {},
                "mean": fit.model.mean() if fit.is_ranked and fit.model else None,
                "std": fit.model.std() if fit.is_ranked and fit.model else None,
            }
            for row, fit in zip(_rows(fits), fits, strict=True)
        ],
    }


def marginal_from_description(description: Mapping[str, Any]) -> Marginal:
    """Rebuild the best marginal of a characteristic from its description."""
    best = next(row for row in description["candidates"] if row["family"] == description["best"])
    support = description.get("support")
    return Marginal(
        best["family"],
        best["parameters"],
        support=None if support is None else (float(support[0]), float(support[1])),
    )


def describe_pair(
    x: ArrayLike,
    y: ArrayLike,
    marginal_x: Mapping[str, Any],
    marginal_y: Mapping[str, Any],
    families: Sequence[str],
    rotations: Sequence[int],
) -> dict[str, Any]:
    """Fit all copulas to a pair with fixed fitted marginals and describe what came out.

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Values of both characteristics, one pair a grain.
    marginal_x, marginal_y : mapping
        Descriptions from `describe_marginals`; pairs outside either support are left
        out and counted.
    families : sequence of str
        Names in `COPULA_FAMILIES`.
    rotations : sequence of int
        Among 0, 90, 180, 270 degrees.

    Returns
    -------
    dict
        Empirical and fitted correlation, the best copula, all candidates, best first.

    Notes
    -----
    Inference functions for margins (eq. 15-16 of Furat et al., J. Power Sources 483,
    2021): the copula alone is fitted, at u = F1(x), v = F2(y).
    """
    first = np.asarray(x, dtype=float)
    second = np.asarray(y, dtype=float)
    models = marginal_from_description(marginal_x), marginal_from_description(marginal_y)
    inside = _inside(first, marginal_x) & _inside(second, marginal_y)
    first, second = first[inside], second[inside]
    u, v = (
        np.clip(model.cdf(values), PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
        for model, values in zip(models, (first, second), strict=True)
    )
    fits = rank_by_aic(select_copula(u, v, families=tuple(families), rotations=tuple(rotations)))
    best = fits[0] if fits and fits[0].is_ranked else None
    copula = best.model if best is not None else None
    return {
        "sample_size": int(first.size),
        "excluded_count": int((~inside).sum()),
        "pearson_r": float(np.corrcoef(first, second)[0, 1]) if first.size > 2 else None,
        "kendall_tau": float(kendalltau(first, second).statistic) if first.size > 2 else None,
        "fitted_correlation": None
        if copula is None
        else float(JointDensity(*models, copula).correlation()),
        "best": None if copula is None else _describe_copula(copula),
        "candidates": [
            {**row, **_describe_copula(fit.model)}
            if fit.model
            else {**row, "rotation": 0, "parameters": []}
            for row, fit in zip(_rows(fits), fits, strict=True)
        ],
    }


def copula_from_description(description: Mapping[str, Any]) -> BivariateCopula:
    """Rebuild a copula from its description."""
    return BivariateCopula(
        description["family"],
        tuple(description["parameters"]),
        rotation=int(description["rotation"]),
    )


def _describe_copula(copula: BivariateCopula) -> dict[str, Any]:
    return {
        "family": copula.family,
        "rotation": copula.rotation,
        "parameters": [float(value) for value in copula.parameters],
    }


def _rows(fits: Sequence[Fit[Any]]) -> list[dict[str, Any]]:
    least = min((fit.aic for fit in fits if fit.is_ranked), default=math.nan)
    return [
        {
            "family": fit.family,
            "outcome": fit.outcome,
            "reason": fit.reason,
            "parameter_count": fit.parameter_count,
            "log_likelihood": fit.log_likelihood,
            "aic": fit.aic if fit.is_ranked else None,
            "bic": fit.bic if fit.is_ranked else None,
            "delta_aic": fit.aic - least if fit.is_ranked else None,
            "akaike_weight": weight,
        }
        for fit, weight in zip(fits, akaike_weights(fits), strict=True)
    ]


def _inside(values: NDArray[np.float64], description: Mapping[str, Any]) -> NDArray[np.bool_]:
    support = description.get("support") or (-math.inf, math.inf)
    inside: NDArray[np.bool_] = (values > support[0]) & (values < support[1])
    return inside


def _moment(moment: Any, values: NDArray[np.float64], minimum: int) -> float | None:
    return float(moment(values)) if values.size >= minimum else None
