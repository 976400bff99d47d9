"""Fitted densities of pairs of characteristics (Fig. 8)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from electrode_grains.errors import InputError
from electrode_grains.figures.style import (
    BLUE,
    DOUBLE_COLUMN,
    VERMILION,
    axis_label,
    escape_math,
    family_name,
    letter_panels,
    new_figure,
    styled,
)

CONTOUR_LEVELS = 12


@styled
def bivariate_densities(panels: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the fitted density of each pair over the grains it was fitted to (Fig. 8).

    Parameters
    ----------
    panels : sequence of mappings
        For each pair: ``x_name``, ``y_name``; ``x_grid`` of shape (m,), ``y_grid`` of shape
        (n,) and ``density`` of shape (n, m), whose first axis follows ``y_grid`` (or None
        for all three where no copula was fitted); ``x_sample``, ``y_sample``, ``family`` and
        ``rotation`` of the copula, and ``levels``, the densities by probability that bound
        its credible regions, are optional.

    Returns
    -------
    Figure
        One panel a pair: colour for the density, dots for grains, lines around the credible
        regions (lines of equal density where none are given).

    Raises
    ------
    InputError
        If there is no pair, or a density does not fit its grid.

    Examples
    --------
    >>> pair = {"x_name": "sphericity", "y_name": "elongation", "x_grid": [0.5, 0.75, 1.0],
    ...         "y_grid": [0.2, 0.8], "density": [[1, 2, 1], [1, 3, 1]]}
    >>> bivariate_densities([pair]).axes[0].get_ylabel()
    'Elongation $e$'
    """
    if not panels:
        raise InputError("there is no pair of characteristics to draw", expected="at least one")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(DOUBLE_COLUMN * max(columns, 2) / 3, 2.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, panels, strict=False):
        _draw_density(figure, axes, panel)
        _draw_sample(axes, panel)
        axes.set_xlabel(axis_label(str(panel["x_name"])))
        axes.set_ylabel(axis_label(str(panel["y_name"])))
        axes.set_title(escape_math(_copula_label(panel)))
    for axes in grid[len(panels) :]:
        axes.axis("off")
    letter_panels(grid[: len(panels)])
    return figure


def _copula_label(panel: Mapping[str, Any]) -> str:
    name = family_name(panel.get("family"))
    rotation = panel.get("rotation")
    return f"{name}, {rotation}°" if name and rotation else name


def _draw_density(figure: Figure, axes: Axes, panel: Mapping[str, Any]) -> None:
    if panel.get("density") is None:
        return
    x, y, density = (np.asarray(panel[key], dtype=float) for key in ("x_grid", "y_grid", "density"))
    if density.shape != (y.size, x.size):
        raise InputError(
            f"the density of {panel['x_name']} and {panel['y_name']} does not fit its grid",
            found=f"shape {density.shape}",
            expected=f"shape {(y.size, x.size)}",
        )
    finite = density[np.isfinite(density)]
    if finite.size == 0 or finite.max() <= 0:
        return
    # Densities of some copulas are unbounded in a corner: the scale ends below the spike.
    top = float(np.percentile(finite, 99.8)) or float(finite.max())
    shown = np.ma.masked_invalid(np.clip(density, 0.0, top))
    filled = axes.contourf(
        x, y, shown, levels=np.linspace(0, top, CONTOUR_LEVELS + 1), cmap="Blues"
    )
    regions = panel.get("levels") or {}
    if regions:
        named = {level: f"{100 * p:.0f} %" for p, level in regions.items()}
        lines = axes.contour(x, y, density, levels=sorted(named), colors=BLUE, linewidths=0.6)
        for label in axes.clabel(lines, fmt=named, fontsize=5.5):
            label.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
            label.set_zorder(4)
    else:
        axes.contour(x, y, shown, levels=np.linspace(0, top, 6)[1:-1], colors=BLUE, linewidths=0.4)
    bar: Any = figure.colorbar(filled, ax=axes, pad=0.02, aspect=28)
    bar.ax.tick_params(labelsize=5.5)
    bar.locator = MaxNLocator(5)
    # A power of ten above the bar would lie on the title.
    power = math.floor(math.log10(top))
    power = 0 if -2 < power < 3 else power
    bar.formatter = FuncFormatter(lambda value, _: f"{value / 10**power:g}")
    bar.update_ticks()
    unit = f" / $10^{{{power}}}$" if power else ""
    bar.set_label(f"probability density{unit}", fontsize=6)


def _draw_sample(axes: Axes, panel: Mapping[str, Any]) -> None:
    if panel.get("x_sample") is None or panel.get("y_sample") is None:
        return
    x, y = (np.asarray(panel[key], dtype=float) for key in ("x_sample", "y_sample"))
    limits = axes.get_xlim(), axes.get_ylim()
    axes.scatter(x, y, s=3, color=VERMILION, alpha=0.55, linewidths=0, zorder=3)
    if panel.get("density") is not None:
        axes.set_xlim(*limits[0])
        axes.set_ylim(*limits[1])
