"""Diagnostic figures: drift, depth of minima, comparison with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.figures.style import (
    BLUE,
    CYCLE,
    DOUBLE_COLUMN,
    GREEN,
    SINGLE_COLUMN,
    VERMILION,
    axis_label,
    characteristic_name,
    escape_math,
    new_figure,
    styled,
)

LARGEST_LINEAR_RATIO = 20  # ratio of depths beyond which small ones would fall together


@styled
def drift_plot(transforms: Mapping[str, Any]) -> Figure:
    """Draw how far alignment moved and turned each slice.

    Parameters
    ----------
    transforms : mapping
        ``shift_x``, ``shift_y`` (pixels) and ``rotation`` (rad), one number a slice or
        None where undefined; ``flags``, a list of texts for each slice, and ``lattice`` with
        ``turns`` and ``errors`` (rad, about x, y, z, of all slices but the first) are optional.

    Returns
    -------
    Figure
        Shifts above, rotation below, and tilts where lattices tell them; flagged slices are
        marked.

    Raises
    ------
    InputError
        If a list is missing or the lists differ in length.

    Examples
    --------
    >>> figure = drift_plot({"shift_x": [0, 1], "shift_y": [0, 2], "rotation": [0, 0.01]})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['shift / pixel', 'rotation / deg']
    """
    shift_x, shift_y, rotation = (
        _per_slice(transforms, name) for name in ("shift_x", "shift_y", "rotation")
    )
    if not len(shift_x) == len(shift_y) == len(rotation):
        raise InputError(
            "shifts and rotations must be given for the same slices",
            found=f"{len(shift_x)}, {len(shift_y)} and {len(rotation)} slices",
            expected="three lists of one length",
        )
    tilts, errors = _tilts(transforms, len(shift_x))
    rows = 3 if np.isfinite(tilts).any() else 2
    figure = new_figure(DOUBLE_COLUMN, 3.0 if rows == 2 else 4.0)
    panels = figure.subplots(rows, 1, sharex=True, height_ratios=(2, 1, 1)[:rows])
    upper, lower = panels[:2]
    slices = np.arange(len(shift_x))
    upper.plot(slices, shift_x, color=BLUE, marker=".", markersize=3, label="$x$")
    upper.plot(slices, shift_y, color=VERMILION, marker=".", markersize=3, ls="--", label="$y$")
    lower.plot(slices, np.degrees(rotation), color=GREEN, marker=".", markersize=3)
    flagged = [n for n, flags in enumerate(transforms.get("flags") or []) if flags]
    if rows == 3:
        for name, color, values, spread in zip("xy", (BLUE, VERMILION), tilts, errors, strict=True):
            panels[2].errorbar(slices, values, spread, fmt=".", markersize=3, color=color,
                               elinewidth=0.6, label=f"about ${name}$")  # fmt: skip
        panels[2].legend(ncols=2)
        panels[2].set_ylabel("tilt / deg")
    for axes in panels:
        axes.axhline(0, color="black", linewidth=0.4)
        for position, index in enumerate(flagged):
            label = "flagged slice" if axes is upper and position == 0 else None
            axes.axvline(index, color="#E69F00", linewidth=2.5, alpha=0.45, zorder=0, label=label)
    upper.legend(ncols=3)
    upper.set_ylabel("shift / pixel")
    lower.set_ylabel("rotation / deg")
    panels[-1].set_xlabel("slice (from 0)")
    return figure


@styled
def depth_curve(table: pd.DataFrame, chosen: float | None = None) -> Figure:
    """Draw what the depth of minima does to the segmentation.

    Parameters
    ----------
    table : DataFrame
        One row per depth: ``minima_depth``, ``grain_count``, and any scores beside them
        (for instance ``adapted_rand_error``).
    chosen : float, optional
        Depth that the run used.

    Returns
    -------
    Figure
        Number of grains over the depth, and the scores where there are any.

    Raises
    ------
    InputError
        If a column is missing or the table is empty.

    Examples
    --------
    >>> table = pd.DataFrame({"minima_depth": [0.05, 0.1], "grain_count": [90, 60]})
    >>> depth_curve(table, chosen=0.1).axes[0].get_xlabel()
    'depth of minima $h$'
    """
    missing = {"minima_depth", "grain_count"} - set(table.columns)
    if missing or table.empty:
        raise InputError(
            "the choice of the depth of minima cannot be drawn",
            found=f"{len(table)} rows with {', '.join(map(str, table.columns))}",
            expected="rows with minima_depth and grain_count",
        )
    ordered = table.sort_values("minima_depth")
    numbers = ordered.select_dtypes("number").dropna(axis=1, how="all")
    scores = [name for name in numbers if name not in ("minima_depth", "grain_count")]
    figure = new_figure(DOUBLE_COLUMN if scores else SINGLE_COLUMN, 2.4)
    panels = figure.subplots(1, 2 if scores else 1, squeeze=False)[0]
    depth = ordered["minima_depth"]
    panels[0].plot(depth, ordered["grain_count"], color=BLUE, marker="o", markersize=3)
    panels[0].set_ylabel("number of grains")
    for position, name in enumerate(scores):
        panels[1].plot(
            depth,
            numbers[name],
            color=CYCLE[position % len(CYCLE)],
            marker="o",
            markersize=3,
            label=escape_math(str(name).replace("_", " ").replace(" f1", " F1")),
        )
    for axes in panels:
        axes.set_xlabel("depth of minima $h$")
        if depth.min() > 0 and depth.max() / depth.min() > LARGEST_LINEAR_RATIO:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        if chosen is not None:
            axes.axvline(chosen, color="black", linestyle=":", linewidth=0.9, label="chosen")
    panels[-1].legend()
    if scores:
        panels[1].set_ylabel("score")
    return figure


@styled
def truth_comparison(table: pd.DataFrame) -> Figure:
    """Set mean and spread of measured characteristics beside the true ones.

    Parameters
    ----------
    table : DataFrame
        Columns ``characteristic``, ``source``, ``mean``, ``std`` and optionally ``count``;
        one row for each characteristic and source.

    Returns
    -------
    Figure
        One panel per characteristic; a point is a mean, its bar reaches one standard
        deviation to either side.

    Raises
    ------
    InputError
        If a column is missing or the table is empty.

    Examples
    --------
    >>> table = pd.DataFrame({"characteristic": ["sphericity"] * 2, "mean": [0.8, 0.9],
    ...                       "std": [0.1, 0.1], "source": ["segmented", "acquired"]})
    >>> truth_comparison(table).axes[0].get_xlabel()
    'Sphericity $s$'
    """
    missing = {"characteristic", "source", "mean", "std"} - set(table.columns)
    if missing or table.empty:
        raise InputError(
            "the comparison with the truth cannot be drawn",
            found=f"{len(table)} rows with {', '.join(map(str, table.columns))}",
            expected="rows with characteristic, source, mean and std",
        )
    names = list(dict.fromkeys(table["characteristic"].astype(str)))
    sources = list(dict.fromkeys(table["source"].astype(str)))
    columns = min(len(names), 4)
    rows = -(-len(names) // columns)
    figure = new_figure(DOUBLE_COLUMN, rows * (0.8 + 0.28 * len(sources)) + 0.2)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, name in zip(panels, names, strict=False):
        of_name = table.loc[table["characteristic"].astype(str) == name]
        for position, source in enumerate(sources):
            row = of_name.loc[of_name["source"].astype(str) == source]
            if row.empty or pd.isna(row["mean"].iloc[0]):
                continue
            spread = row["std"].fillna(0.0).iloc[0]
            axes.errorbar(
                row["mean"].iloc[0],
                position,
                xerr=spread,
                fmt="o",
                markersize=4,
                capsize=2,
                color=CYCLE[position % len(CYCLE)],
            )
        axes.set_xlabel(axis_label(name))
        axes.set_yticks(range(len(sources)), [_source_name(table, s) for s in sources])
        axes.set_ylim(len(sources) - 0.5, -0.5)
        axes.grid(axis="x", linewidth=0.3)
    for axes in panels[len(names) :]:
        axes.axis("off")
    return figure


def _source_name(table: pd.DataFrame, source: str) -> str:
    """Name of a source with its number of grains, where it is known."""
    name = escape_math(characteristic_name(source).lower())
    if "count" not in table:
        return name
    counts = table.loc[table["source"].astype(str) == source, "count"].dropna()
    return name if counts.empty else f"{name} ($n$ = {counts.max():.0f})"


def _tilts(
    transforms: Mapping[str, Any], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tilts about x and y and their errors in degrees, shape (2, n); NaN where unknown."""
    lattice = transforms.get("lattice") or {}
    values = np.full((2, 2, count), np.nan)
    for each, key in zip(values, ("turns", "errors"), strict=True):
        if lattice.get(key):
            each[:, 1:] = np.degrees(np.array(lattice[key], float)[:, :2].T)
    return values[0], values[1]


def _per_slice(transforms: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    if transforms.get(name) is None:
        raise InputError(
            f"the transforms of the slices lack {name}",
            found=", ".join(map(str, transforms)) or "nothing",
            expected="shift_x, shift_y and rotation, one number a slice",
        )
    values = [np.nan if value is None else value for value in transforms[name]]
    return np.asarray(values, dtype=float)
