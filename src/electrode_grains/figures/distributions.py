"""Figures 7 and 8 of the paper: fitted distributions over what was measured."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

from electrode_grains.errors import InputError
from electrode_grains.figures.style import (
    BLUE,
    CHARACTERISTICS,
    DOUBLE_COLUMN,
    SINGLE_COLUMN,
    SKY,
    VERMILION,
    axis_label,
    escape_math,
    family_name,
    letter_panels,
    new_figure,
    styled,
)

MAXIMUM_BINS = 400
CURVE_POINTS = 400
LEGEND_WIDTH = 22  # characters that leave room for the number of grains


class Density(Protocol):
    """Anything with a probability density, such as a fitted marginal."""

    def pdf(self, x: Any, /) -> Any:
        """Density at x."""


Curve = tuple[ArrayLike, ArrayLike] | Density


@styled
def nothing_fitted(count: int) -> Figure:
    """Say in place of a figure that a sample is too small for any distribution.

    Parameters
    ----------
    count : int
        Grains of the sample.
    """
    figure = Figure(figsize=(4, 1))
    text = f"No distribution could be fitted to {count} whole grains."
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


@styled
def marginal_histograms(
    sample: pd.DataFrame,
    curves: Mapping[str, Curve] | None = None,
    families: Mapping[str, str | None] | None = None,
    bin_widths: Mapping[str, float] | None = None,
    splines: Mapping[str, Curve] | None = None,
) -> Figure:
    """Draw histograms of the characteristics with their fitted densities (Fig. 7).

    Parameters
    ----------
    sample : DataFrame
        One row per grain; columns named as in `CHARACTERISTICS`. Absent ones are left out,
        values that are not finite are skipped.
    curves : mapping of name to (x, density) or to a model with ``pdf``, optional
        Fitted density of each characteristic.
    families : mapping of name to str, optional
        Family of each fit, for the legend.
    bin_widths : mapping of name to float, optional
        Bin widths that replace those of the paper (36 nm, 0.01, 0.015, 0.014, 0.21, 0.1).
    splines : mapping of name to (x, density) or to a model with ``pdf``, optional
        What joint densities rest on where the family of the fit is rejected; dashed.

    Returns
    -------
    Figure
        One panel per characteristic, histograms normalised to unit area.

    Raises
    ------
    InputError
        If the sample holds none of the characteristics.

    Examples
    --------
    >>> sample = pd.DataFrame({"sphericity": [0.8, 0.85, 0.9]})
    >>> figure = marginal_histograms(sample, {"sphericity": ([0.7, 1.0], [3.0, 3.0])})
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('Sphericity $s$', 'probability density')
    """
    names = [name for name in CHARACTERISTICS if name in sample]
    if not names:
        raise InputError(
            "the sample of grains holds none of the characteristics",
            found=", ".join(map(str, sample.columns)) or "no columns",
            expected=", ".join(CHARACTERISTICS),
        )
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(DOUBLE_COLUMN, 2.05 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        width = (bin_widths or {}).get(name) or CHARACTERISTICS[name].bin_width
        values = _finite(sample[name])
        edges = bin_edges(values, width, CHARACTERISTICS[name].limits)
        if values.size:
            axes.hist(values, edges, density=True, color=SKY, edgecolor="white", linewidth=0.25)
        family = family_name((families or {}).get(name)) or "fit"
        _draw_curve(axes, name, (curves or {}).get(name), edges, family)
        _draw_curve(axes, name, (splines or {}).get(name), edges, "spline", linestyle="--")
        unit = CHARACTERISTICS[name].unit
        per_unit = rf" / $\mathrm{{{unit}^{{-1}}}}$" if unit else ""
        axes.set_xlabel(axis_label(name))
        axes.set_ylabel(f"probability density{per_unit}")
        axes.text(0.98, 0.97, f"$n$ = {values.size}", transform=axes.transAxes, ha="right",
                  va="top", fontsize=6.5)  # fmt: skip
    for axes in panels[len(names) :]:
        axes.axis("off")
    letter_panels(panels[: len(names)])
    return figure


@styled
def probability_plots(
    sample: pd.DataFrame,
    models: Mapping[str, Any],
    families: Mapping[str, str | None] | None = None,
) -> Figure:
    """Draw quantiles and probabilities of the sample against those of the fits.

    Parameters
    ----------
    sample : DataFrame
        One row per grain; columns named as in `CHARACTERISTICS`.
    models : mapping of name to a model with ``cdf`` and ``quantile``
        Fitted distributions; values outside their support are left out.
    families : mapping of name to str, optional
        Family of each fit, for the titles.

    Returns
    -------
    Figure
        Two panels per characteristic: quantiles (QQ) and probabilities (PP). A band holds 95 %
        of the values that each order statistic takes if the distribution is right.

    Raises
    ------
    InputError
        If there is no fitted characteristic.
    """
    names = [name for name in CHARACTERISTICS if name in sample and name in models]
    if not names:
        raise InputError("there is no fitted distribution to draw", expected="at least one")
    columns = 4
    rows = -(-2 * len(names) // columns)
    figure = new_figure(DOUBLE_COLUMN, 1.75 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for rank, name in enumerate(names):
        quantiles, probabilities = panels[2 * rank : 2 * rank + 2]
        model, values = models[name], np.sort(_finite(sample[name]))
        levels = np.asarray(model.cdf(values), dtype=float)
        inside = (levels > 0) & (levels < 1)
        values, levels = values[inside], levels[inside]
        place = np.arange(1, values.size + 1)
        expected = (place - 0.5) / max(values.size, 1)
        low, high = (beta.ppf(p, place, values.size + 1 - place) for p in (0.025, 0.975))
        scale = np.asarray(model.quantile(expected), dtype=float)
        for axes, x, y, band in (
            (quantiles, scale, values, (model.quantile(low), model.quantile(high))),
            (probabilities, expected, levels, (low, high)),
        ):
            axes.fill_between(x, *band, color=SKY, alpha=0.35, linewidth=0)
            axes.plot(x, x, color=VERMILION, linewidth=0.7)
            axes.scatter(x, y, s=1.6, color=BLUE, linewidths=0, zorder=3)
        axis = axis_label(name)
        quantiles.set_xlabel(f"fitted {axis[0].lower()}{axis[1:]}")
        quantiles.set_ylabel("sample quantile")
        quantiles.set_title(
            textwrap.fill(escape_math(family_name((families or {}).get(name))), LEGEND_WIDTH)
        )
        probabilities.set_xlabel("probability, sample")
        probabilities.set_ylabel("probability, fit")
    for axes in panels[2 * len(names) :]:
        axes.axis("off")
    letter_panels(panels[: 2 * len(names)])
    return figure


@styled
def derived_histogram(values: ArrayLike, density: Curve, label: str, family: str | None) -> Figure:
    """Draw a derived quantity of the grains and what the fitted pair implies for it.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Of the grains; those that are not finite are skipped.
    density : (x, density) or model with ``pdf``
        Implied by the fit.
    label : str
        Quantity and unit, for the axis.
    family : str or None
        Copula of the pair, for the legend.

    Returns
    -------
    Figure
    """
    figure = new_figure(SINGLE_COLUMN, 2.3)
    axes = figure.subplots()
    finite = _finite(values)
    edges: Any = np.histogram_bin_edges(finite, "fd") if finite.size else np.array([0.0, 1.0])
    if finite.size:
        axes.hist(finite, edges, density=True, color=SKY, edgecolor="white", linewidth=0.25)
    if isinstance(density, tuple | list):
        x, height = (np.asarray(part, dtype=float) for part in density)
    else:
        x = np.linspace(edges[0], edges[-1], CURVE_POINTS)
        height = np.asarray(density.pdf(x), dtype=float)
    copula = f", {escape_math(family_name(family))} copula" if family else ""
    axes.plot(x, height, color=VERMILION, label=f"implied by the fits{copula}")
    axes.set_xlabel(label)
    axes.set_ylabel("probability density")
    axes.set_ylim(top=1.2 * axes.get_ylim()[1])
    axes.legend(loc="upper right", borderaxespad=0.2)
    return figure


def bin_edges(
    values: NDArray[np.float64], width: float | None, limits: tuple[float, float]
) -> NDArray[np.float64]:
    """Edges of bins of one width that cover a sample.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        Finite values.
    width : float or None
        Width of a bin; taken several times where the sample would need more than
        `MAXIMUM_BINS` bins. None takes that of Freedman and Diaconis.
    limits : (float, float)
        Range of the characteristic; bins start at its lower end, or at 0 if it has none.

    Returns
    -------
    ndarray of float64
        Edges, at least two.

    Examples
    --------
    >>> bin_edges(np.array([75.0, 100.0]), 36.0, (0.0, np.inf)).tolist()
    [72.0, 108.0]
    """
    start = limits[0] if np.isfinite(limits[0]) else 0.0
    if width is None:
        automatic = np.histogram_bin_edges(values, "fd")
        width = float(automatic[1] - automatic[0])
    if values.size == 0:
        return np.array([start, start + width], dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    needed = (high - low) / width
    step = width * max(1, int(np.ceil(needed / MAXIMUM_BINS)))
    first = np.floor((low - start) / step)
    count = int(max(1, np.ceil((high - start) / step) - first))
    # A value on an outer edge belongs to the sample, so rounding must not cut it off.
    edges = start + step * (first + np.arange(count + 1))
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    if edges[-2] < high <= limits[1]:  # no bin reaches where no value can be
        edges[-1] = min(edges[-1], limits[1])
    return np.asarray(edges, dtype=float)


def _finite(values: Any) -> NDArray[np.float64]:
    numbers = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype=float)
    finite: NDArray[np.float64] = numbers[np.isfinite(numbers)]
    return finite


def _draw_curve(
    axes: Axes,
    name: str,
    curve: Curve | None,
    edges: NDArray[np.float64],
    label: str,
    linestyle: str = "-",
) -> None:
    if curve is None:
        return
    if isinstance(curve, tuple | list):
        x, density = (np.asarray(part, dtype=float) for part in curve)
    else:
        limits = CHARACTERISTICS[name].limits
        margin = 0.1 * (edges[-1] - edges[0])
        # Open ends: several densities are 0 or infinite at the very limits.
        x = np.linspace(
            max(edges[0] - margin, limits[0]), min(edges[-1] + margin, limits[1]), CURVE_POINTS + 2
        )[1:-1]
        density = np.asarray(curve.pdf(x), dtype=float)
    axes.plot(
        x,
        np.where(np.isfinite(density), density, np.nan),
        color=VERMILION if linestyle == "-" else "black",
        linestyle=linestyle,
        label=textwrap.fill(escape_math(label), LEGEND_WIDTH),
    )
    axes.set_ylim(top=1.22 * axes.get_ylim()[1])
    axes.legend(loc="upper left", borderaxespad=0.2, handlelength=1.2)
