"""Densities of all fitted candidates, where a reader wants to see more than the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.description import (
    copula_from_description,
    inside_description,
    marginal_from_description,
    span_of,
)
from electrode_grains.distributions.joint import JointDensity


def marginal_candidates(
    values: ArrayLike, description: Mapping[str, Any], points: int = 161
) -> dict[str, Any]:
    """Evaluate every ranked family of a characteristic over the range of its sample.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Values of the characteristic, one a grain; those outside its support are left out.
    description : mapping
        From `describe_marginals`.
    points : int
        Points at which each density is evaluated.

    Returns
    -------
    dict
        `sample`, `grid` of shape (points,) and `candidates`, best first: `family`,
        `delta_aic` and `density` of shape (points,).
    """
    given = np.asarray(values, dtype=float)
    sample = given[inside_description(given, description)]
    if sample.size == 0:
        return {"sample": sample, "grid": np.zeros(0), "candidates": []}
    grid = span_of(sample, description, points)
    rows = [row for row in description["candidates"] if row["delta_aic"] is not None]
    models = [marginal_from_description({**description, "best": row["family"]}) for row in rows]
    return {
        "sample": sample,
        "grid": grid,
        "candidates": [
            {"family": row["family"], "delta_aic": row["delta_aic"], "density": model.pdf(grid)}
            for row, model in zip(rows, models, strict=True)
        ],
    }


def pair_candidates(
    x: ArrayLike,
    y: ArrayLike,
    pair: Mapping[str, Any],
    marginal_x: Mapping[str, Any],
    marginal_y: Mapping[str, Any],
    resolution: int = 61,
) -> dict[str, Any]:
    """Evaluate the fitted density of a pair for every copula family in its best rotation.

    Parameters
    ----------
    x, y : array_like of float, shape (n,)
        Values of both characteristics, one pair a grain.
    pair, marginal_x, marginal_y : mapping
        From `describe_pair` and `describe_marginals`.
    resolution : int
        Points along either axis.

    Returns
    -------
    dict
        `x_sample`, `y_sample`, `x_grid`, `y_grid` and `candidates`, best first: `family`,
        `rotation`, `delta_aic`, `density` of shape (len(y_grid), len(x_grid)) and `levels`,
        the densities that bound the smallest regions of probability 0.5 and 0.9.
    """
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    inside = inside_description(first, marginal_x) & inside_description(second, marginal_y)
    first, second = first[inside], second[inside]
    ranked: dict[str, Mapping[str, Any]] = {}
    for row in pair["candidates"]:
        if row["delta_aic"] is not None:
            ranked.setdefault(row["family"], row)
    panel: dict[str, Any] = {"x_sample": first, "y_sample": second, "candidates": []}
    if not ranked or first.size == 0:
        return panel | {"x_grid": np.zeros(0), "y_grid": np.zeros(0)}
    marginals = [marginal_from_description(part) for part in (marginal_x, marginal_y)]
    grids = [
        span_of(values, part, resolution)
        for values, part in ((first, marginal_x), (second, marginal_y))
    ]
    for row in ranked.values():
        joint = JointDensity(marginals[0], marginals[1], copula_from_description(row))
        density = joint.pdf(*np.meshgrid(*grids))
        panel["candidates"].append(
            {
                **{name: row[name] for name in ("family", "rotation", "delta_aic")},
                "density": density,
                "levels": region_levels(density, grids[0], grids[1]),
            }
        )
    return panel | {"x_grid": grids[0], "y_grid": grids[1]}


def region_levels(
    density: NDArray[np.float64],
    x_grid: NDArray[np.float64],
    y_grid: NDArray[np.float64],
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
