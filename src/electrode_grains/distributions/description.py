"""Plain descriptions of fitted candidates, as they are kept in JSON and shown in tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, spearmanr

from electrode_grains.distributions.copula_fitting import select_copula
from electrode_grains.distributions.copula_goodness import copula_goodness_of_fit
from electrode_grains.distributions.copulas import BivariateCopula
from electrode_grains.distributions.families import MARGINAL_FAMILIES
from electrode_grains.distributions.goodness import (
    MINIMUM_AXES,
    axis_uniformity,
    goodness_of_fit,
)
from electrode_grains.distributions.joint import JointDensity
from electrode_grains.distributions.marginal_fitting import inside_support, select_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.pseudo_observations import pseudo_observations, tie_share
from electrode_grains.distributions.results import Fit, Model, akaike_weights, rank_by_aic

# Probabilities enter copulas strictly inside (0, 1): half of a part in a billion.
PROBABILITY_MARGIN = 5e-10
LISTED_LABELS = 20
# As for samples: fewer values say nothing about a law.
LEAST_COMPONENT = 30
CREDIBLE_PROBABILITIES = (0.5, 0.9)
EVERYWHERE = (-math.inf, math.inf)


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
        Moments of the sample, the best family and all candidates, best first. Those of
        infinite variance are `inadmissible`, and so are mixtures a component of which stands
        for fewer than 30 grains: with the share of a component near 0 its other parameters
        are free to follow chance, and AIC counts them too low.
    """
    values = np.asarray(sample, dtype=float)
    inside = inside_support(values, support or EVERYWHERE)
    kept = values[inside]
    fits = rank_by_aic(map(_admitted, select_marginal(kept, families, support=support)))
    best = _winner(fits)
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
                "parameter_order": list(fit.model.parameters) if fit.model else [],
                "standard_errors": dict(fit.standard_errors or {}),
                **_fitted_moments(fit),
            }
            for row, fit in zip(_rows(fits), fits, strict=True)
        ],
    }


def describe_goodness(
    sample: ArrayLike, description: Mapping[str, Any], replicates: int, rng: np.random.Generator
) -> dict[str, Any] | None:
    """Test the best family of a characteristic against its sample.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        The values that were given to `describe_marginals`.
    description : mapping
        What it returned.
    replicates : int
        Bootstrap samples, see `goodness_of_fit`.
    rng : Generator

    Returns
    -------
    dict or None
        `statistics` and `p_values` by `kolmogorov_smirnov`, `anderson_darling` and
        `cramer_von_mises`, `replicates` and `bootstrap_errors` of the parameters; None where
        no family was fitted.
    """
    if description["best"] is None:
        return None
    values = np.asarray(sample, dtype=float)
    kept = values[inside_description(values, description)]
    model = marginal_from_description(description)
    return asdict(goodness_of_fit(model, kept, replicates=replicates, rng=rng))


def describe_axis_uniformity(
    azimuthal_angle: ArrayLike, polar_angle: ArrayLike
) -> dict[str, Any] | None:
    """Test jointly whether the axes of grains are uniform on the sphere.

    Parameters
    ----------
    azimuthal_angle, polar_angle : array_like of float, shape (n,)
        In rad, one pair a grain; pairs that are not finite are left out.

    Returns
    -------
    dict or None
        Fields of `AxisUniformity` and `sample_size`; None for too few axes.
    """
    angles = np.column_stack([azimuthal_angle, polar_angle]).astype(float)
    kept = angles[np.isfinite(angles).all(axis=1)]
    if len(kept) < MINIMUM_AXES:
        return None
    return {"sample_size": len(kept), **asdict(axis_uniformity(*kept.T))}


def _admitted(fit: Fit[Marginal]) -> Fit[Marginal]:
    """Take a law out of the ranking that describes no population of grains."""
    if fit.model is None or not fit.is_ranked:
        return fit
    reason = ""
    if not math.isfinite(fit.model.std()):
        reason = "its standard deviation is infinite"
    elif MARGINAL_FAMILIES[fit.family].is_mixture:
        share = fit.model.parameters["lambda"]
        least = min(share, 1 - share) * fit.sample_size
        if least < LEAST_COMPONENT:
            reason = f"one of its components stands for {least:.0f} grains only"
    if not reason:
        return fit
    told = "; ".join(part for part in (fit.reason, reason) if part)
    return replace(fit, outcome="inadmissible", reason=told)


def _fitted_moments(fit: Fit[Marginal]) -> dict[str, float | None]:
    if fit.model is None or not fit.is_ranked:
        return {"mean": None, "std": None}
    mean, std = fit.model.mean(), fit.model.std()
    # The integral of a symmetric law is 0 up to rounding, which no table should show.
    return {"mean": 0.0 if abs(mean) < 1e-12 * std else mean, "std": std}


def marginal_from_description(description: Mapping[str, Any]) -> Marginal:
    """Rebuild the best marginal of a characteristic from its description."""
    best = next(row for row in description["candidates"] if row["family"] == description["best"])
    return Marginal(best["family"], best["parameters"], support=_support(description))


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
        out and counted. Where either has no best family, no copula is fitted.
    families : sequence of str
        Names in `COPULA_FAMILIES`.
    rotations : sequence of int
        Among 0, 90, 180, 270 degrees.

    Returns
    -------
    dict
        Empirical and fitted correlation, the best copula, all candidates, best first, and
        the shares of pairs inside the credible regions of the fitted density.

    Notes
    -----
    Inference functions for margins (eq. 15-16 of Furat et al., J. Power Sources 483,
    2021): the copula alone is fitted, at u = F1(x), v = F2(y). Its standard errors hold
    for known marginals.
    """
    first, second, excluded = _inside_both(x, y, marginal_x, marginal_y)
    fits: list[Fit[BivariateCopula]] = []
    joint = None
    if marginal_x["best"] is not None and marginal_y["best"] is not None:
        models = marginal_from_description(marginal_x), marginal_from_description(marginal_y)
        u, v = (
            np.clip(model.cdf(values), PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
            for model, values in zip(models, (first, second), strict=True)
        )
        fits = select_copula(u, v, families, rotations)
        best = _winner(fits)
        if best is not None and best.model is not None:
            joint = JointDensity(*models, best.model)
    return {
        "sample_size": int(first.size),
        "excluded_count": excluded,
        "pearson_r": float(np.corrcoef(first, second)[0, 1]) if first.size > 2 else None,
        "kendall_tau": float(kendalltau(first, second).statistic) if first.size > 2 else None,
        "spearman_rho": float(spearmanr(first, second).statistic) if first.size > 2 else None,
        "fitted_correlation": None if joint is None else joint.correlation(),
        "fitted_kendall_tau": None if joint is None else joint.copula.kendall_tau(),
        "fitted_spearman_rho": None if joint is None else joint.copula.spearman_rho(),
        "credible_regions": [] if joint is None else _describe_regions(joint, first, second),
        "best": None if joint is None else _describe_copula(joint.copula),
        "candidates": [
            {
                **row,
                **_describe_copula(fit.model),
                "standard_errors": dict(fit.standard_errors or {}),
            }
            if fit.model
            else {**row, "rotation": 0, "parameters": [], "standard_errors": {}}
            for row, fit in zip(_rows(fits), fits, strict=True)
        ],
    }


def describe_dependence(
    x: ArrayLike,
    y: ArrayLike,
    pair: Mapping[str, Any],
    marginal_x: Mapping[str, Any],
    marginal_y: Mapping[str, Any],
    families: Sequence[str],
    rotations: Sequence[int],
    replicates: int,
    rng: np.random.Generator,
    break_ties: bool = False,
) -> dict[str, Any]:
    """Check the best copula of a pair by ranks, which no misfit of a marginal reaches.

    Parameters
    ----------
    x, y, marginal_x, marginal_y, families, rotations
        As `describe_pair` took them.
    pair : mapping
        What `describe_pair` returned.
    replicates : int
        Bootstrap samples of the test, see `copula_goodness_of_fit`.
    rng : Generator
    break_ties : bool
        Break ties at random, instead of sharing mean ranks.

    Returns
    -------
    dict
        `goodness_of_fit` of the best family (None where there is none), and
        `pseudo_observations`: shares of tied values, how ties were treated, the family that
        ranks choose, and what AIC they give away for the family of the fitted marginals.
    """
    first, second, _ = _inside_both(x, y, marginal_x, marginal_y)
    u, v = (pseudo_observations(values, rng if break_ties else None) for values in (first, second))
    fits = select_copula(u, v, families, rotations) if pair["best"] is not None else []
    chosen = _winner(fits)
    ranks: dict[str, Any] = {
        "tie_share_x": tie_share(first),
        "tie_share_y": tie_share(second),
        "ties": "broken at random" if break_ties else "mean ranks",
        "best": None,
        "delta_aic": None,
    }
    if chosen is None or chosen.model is None:
        return {"goodness_of_fit": None, "pseudo_observations": ranks}
    family, rotation = pair["best"]["family"], int(pair["best"]["rotation"])
    same = next(
        fit for fit in fits if fit.model and (fit.family, fit.model.rotation) == (family, rotation)
    )
    tested = copula_goodness_of_fit(u, v, family, rotation, replicates=replicates, rng=rng)
    ranks["best"] = _describe_copula(chosen.model)
    ranks["delta_aic"] = same.aic - chosen.aic
    return {"goodness_of_fit": asdict(tested), "pseudo_observations": ranks}


def _inside_both(
    x: ArrayLike, y: ArrayLike, marginal_x: Mapping[str, Any], marginal_y: Mapping[str, Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Pairs inside both supports, and how many are not."""
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    inside = inside_description(first, marginal_x) & inside_description(second, marginal_y)
    return first[inside], second[inside], int((~inside).sum())


def _describe_regions(
    joint: JointDensity, x: NDArray[np.float64], y: NDArray[np.float64]
) -> list[dict[str, float]]:
    """Smallest regions of given probability, and the share of the sample inside each."""
    density = joint.pdf(x, y)
    return [
        {
            "probability": probability,
            "level": (level := joint.credible_level(probability)),
            "sample_share": float(np.mean(density >= level)),
        }
        for probability in CREDIBLE_PROBABILITIES
    ]


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


def _winner(fits: Sequence[Fit[Model]]) -> Fit[Model] | None:
    """First of ranked fits, None where none may be ranked."""
    return fits[0] if fits and fits[0].is_ranked else None


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
            "aicc": fit.aicc if fit.is_ranked else None,
            "bic": fit.bic if fit.is_ranked else None,
            "delta_aic": fit.aic - least if fit.is_ranked else None,
            "akaike_weight": weight,
        }
        for fit, weight in zip(fits, akaike_weights(fits), strict=True)
    ]


def inside_description(
    values: NDArray[np.float64], description: Mapping[str, Any]
) -> NDArray[np.bool_]:
    """Say which values the support of a described marginal holds."""
    return inside_support(values, _support(description) or EVERYWHERE)


def _support(description: Mapping[str, Any]) -> tuple[float, float] | None:
    """Support of a characteristic; JSON knows no infinity and keeps null for an open end."""
    ends = description.get("support")
    if ends is None:
        return None
    low, high = ends
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)


def _moment(moment: Any, values: NDArray[np.float64], minimum: int) -> float | None:
    return float(moment(values)) if values.size >= minimum else None


def density_panel(
    x: ArrayLike,
    y: ArrayLike,
    pair: Mapping[str, Any],
    marginal_x: Mapping[str, Any],
    marginal_y: Mapping[str, Any],
    resolution: int = 120,
) -> dict[str, Any]:
    """Evaluate the fitted density of a pair where its grains lie (Fig. 8).

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Values of both characteristics.
    pair : mapping
        From `describe_pair`, with `x`, `y`, `best` and, for `levels`, `credible_regions`.
    marginal_x, marginal_y : mapping
        From `describe_marginals`.
    resolution : int
        Points along either axis.

    Returns
    -------
    dict
        `x_name`, `y_name`, `x_sample`, `y_sample`, `family`, `rotation`, `x_grid`, `y_grid`
        and `density` of shape (len(y_grid), len(x_grid)), and `levels`, the densities that
        bound the credible regions; the last six None where no copula was fitted.
    """
    first, second = np.asarray(x, float), np.asarray(y, float)
    panel: dict[str, Any] = {
        "x_name": pair["x"],
        "y_name": pair["y"],
        "x_sample": first,
        "y_sample": second,
    }
    if pair["best"] is None:
        missing = ("family", "rotation", "x_grid", "y_grid", "density", "levels")
        return panel | dict.fromkeys(missing)
    panel |= {name: pair["best"][name] for name in ("family", "rotation")}
    x_grid = span_of(first, marginal_x, resolution)
    y_grid = span_of(second, marginal_y, resolution)
    joint = JointDensity(
        marginal_from_description(marginal_x),
        marginal_from_description(marginal_y),
        copula_from_description(pair["best"]),
    )
    density = joint.pdf(*np.meshgrid(x_grid, y_grid))
    levels = {
        region["probability"]: region["level"] for region in pair.get("credible_regions") or ()
    }
    return {**panel, "x_grid": x_grid, "y_grid": y_grid, "density": density, "levels": levels}


def span_of(
    values: NDArray[np.float64], description: Mapping[str, Any], resolution: int
) -> NDArray[np.float64]:
    """Points over the range of a sample, a little wider, inside the support."""
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low)
    support = _support(description) or EVERYWHERE
    edge = 1e-6 * (high - low)
    return np.linspace(
        max(low - margin, support[0] + edge), min(high + margin, support[1] - edge), resolution
    )
