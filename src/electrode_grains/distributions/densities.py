"""Fitted densities on grids, for figures and pages."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.joint import JointDensity
from electrode_grains.distributions.marginal_fitting import inside_support
from electrode_grains.distributions.pairs import inside_both
from electrode_grains.distributions.records import CopulaCandidate, MarginalFit, PairFit

Array = NDArray[np.float64]


def marginal_candidate_densities(
    values: ArrayLike, fit: MarginalFit, points: int = 161
) -> dict[str, Any]:
    """Evaluate every ranked family of a characteristic over the range of its sample.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Values of the characteristic, one per grain; those outside its support are left out.
    fit : MarginalFit
    points : int
        Points at which each density is evaluated.

    Returns
    -------
    dict
        `sample`, `grid` of shape (points,) and `candidates`, best first: `family`,
        `delta_aic` and `density` of shape (points,).
    """
    given = np.asarray(values, dtype=float)
    sample = given[inside_support(given, fit.interval)]
    if sample.size == 0:
        return {"sample": sample, "grid": np.zeros(0), "candidates": []}
    grid = span_of(sample, fit.interval, points)
    return {
        "sample": sample,
        "grid": grid,
        "candidates": [
            {
                "family": row.family,
                "delta_aic": row.delta_aic,
                "density": fit.distribution(row.family).pdf(grid),
            }
            for row in fit.candidates
            if row.delta_aic is not None
        ],
    }


def candidate_densities(
    x: ArrayLike,
    y: ArrayLike,
    pair: PairFit,
    marginal_x: MarginalFit,
    marginal_y: MarginalFit,
    resolution: int = 61,
) -> dict[str, Any]:
    """Evaluate the fitted density of a pair for every copula family in its best rotation.

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Values of both characteristics, one pair per grain.
    pair, marginal_x, marginal_y : PairFit, MarginalFit, MarginalFit
    resolution : int
        Points along either axis.

    Returns
    -------
    dict
        `x_sample`, `y_sample`, `x_grid`, `y_grid` and `candidates`, best first: `family`,
        `rotation`, `delta_aic`, `density` of shape (len(y_grid), len(x_grid)) and `levels`,
        the densities that bound the smallest regions of probability 0.5 and 0.9.
    """
    first, second, _ = inside_both(x, y, marginal_x, marginal_y)
    ranked: dict[str, CopulaCandidate] = {}
    for row in pair.candidates:
        if row.delta_aic is not None:
            ranked.setdefault(row.family, row)
    panel: dict[str, Any] = {"x_sample": first, "y_sample": second, "candidates": []}
    if not ranked or first.size == 0:
        return panel | {"x_grid": np.zeros(0), "y_grid": np.zeros(0)}
    marginals = marginal_x.joint_distribution(), marginal_y.joint_distribution()
    x_grid = span_of(first, marginal_x.interval, resolution)
    y_grid = span_of(second, marginal_y.interval, resolution)
    for row in ranked.values():
        density = JointDensity(*marginals, row.copula()).pdf(*np.meshgrid(x_grid, y_grid))
        panel["candidates"].append(
            {
                "family": row.family,
                "rotation": row.rotation,
                "delta_aic": row.delta_aic,
                "density": density,
                "levels": region_levels(density, x_grid, y_grid),
            }
        )
    return panel | {"x_grid": x_grid, "y_grid": y_grid}


def fig8_panel(
    x: ArrayLike,
    y: ArrayLike,
    pair: PairFit,
    marginal_x: MarginalFit,
    marginal_y: MarginalFit,
    resolution: int = 120,
) -> dict[str, Any]:
    """Evaluate the fitted density of a pair where its grains lie (Fig. 8).

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Values of both characteristics.
    pair, marginal_x, marginal_y : PairFit, MarginalFit, MarginalFit
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
        "x_name": pair.x,
        "y_name": pair.y,
        "x_sample": first,
        "y_sample": second,
    }
    if pair.best is None:
        missing = ("family", "rotation", "x_grid", "y_grid", "density", "levels")
        return panel | dict.fromkeys(missing)
    x_grid = span_of(first, marginal_x.interval, resolution)
    y_grid = span_of(second, marginal_y.interval, resolution)
    joint = JointDensity(
        marginal_x.joint_distribution(), marginal_y.joint_distribution(), pair.best.copula()
    )
    return panel | {
        "family": pair.best.family,
        "rotation": pair.best.rotation,
        "x_grid": x_grid,
        "y_grid": y_grid,
        "density": joint.pdf(*np.meshgrid(x_grid, y_grid)),
        "levels": {region.probability: region.level for region in pair.credible_regions},
    }


def region_levels(
    density: Array,
    x_grid: Array,
    y_grid: Array,
    probabilities: tuple[float, ...] = (0.5, 0.9),
) -> dict[float, float]:
    """Find densities that bound the smallest regions of given probabilities, on a grid.

    Parameters
    ----------
    density : ndarray of float, shape (len(y_grid), len(x_grid))
    x_grid, y_grid : ndarray of float
        Equally spaced.
    probabilities : tuple of float

    Returns
    -------
    dict
        Density by probability; probabilities that the grid does not hold are left out.

    Examples
    --------
    >>> grid = np.linspace(0.05, 0.95, 10)
    >>> steps = np.repeat([[1.8, 0.2]], 5, axis=1) * np.ones((10, 1))
    >>> region_levels(steps, grid, grid, (0.5, 0.95))
    {0.5: 1.8, 0.95: 0.2}
    """
    cell = float((x_grid[1] - x_grid[0]) * (y_grid[1] - y_grid[0]))
    heights = np.sort(density[np.isfinite(density)], axis=None)[::-1]
    held = np.cumsum(heights) * cell
    return {
        probability: float(heights[np.searchsorted(held, probability)])
        for probability in probabilities
        if held.size and held[-1] > probability
    }


def span_of(values: Array, interval: tuple[float, float], resolution: int) -> Array:
    """Points over the range of a sample, a little wider, inside an interval."""
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low)
    edge = 1e-6 * (high - low)
    first, last = interval
    return np.linspace(max(low - margin, first + edge), min(high + margin, last - edge), resolution)
