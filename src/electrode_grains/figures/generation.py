"""Virtual particles beside the data and the fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from electrode_grains.figures.distributions import Density, bin_edges
from electrode_grains.figures.style import (
    BLACK,
    CHARACTERISTICS,
    DOUBLE_COLUMN,
    SKY,
    VERMILION,
    axis_label,
    label_colours,
    letter_panels,
    new_figure,
    outlines,
    show_section,
    styled,
)

SHOWN = ("equivalent_diameter_nm", "sphericity", "convexity", "elongation")


@styled
def virtual_particles(
    data_labels: NDArray[Any],
    virtual_labels: NDArray[Any],
    spacing: tuple[float, float, float],
    data: pd.DataFrame,
    virtual: pd.DataFrame,
    fits: Mapping[str, Density],
) -> Figure:
    """Draw sections of the data and of a virtual particle, and the distributions of their grains.

    Parameters
    ----------
    data_labels, virtual_labels : ndarray of integer, shape (z, y, x)
        Grains of the data and of one virtual particle.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    data, virtual : DataFrame
        Grains in the sample, and those of all virtual particles.
    fits : mapping of str to Density
        Fitted densities by characteristic.

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE_COLUMN, 4.2)
    grid = figure.add_gridspec(2, 4, height_ratios=[1.25, 1])
    panels = []
    for column, (title, labels) in enumerate((("data", data_labels), ("virtual", virtual_labels))):
        axes = figure.add_subplot(grid[0, 2 * column : 2 * column + 2])
        section = labels[len(labels) // 2]
        colours = label_colours(section)
        colours[outlines(section)] = (0.0, 0.0, 0.0, 1.0)
        show_section(axes, colours, spacing[1:])
        axes.set_title(title)
        panels.append(axes)
    whole = virtual.loc[~virtual["touches_window"].astype(bool)]
    for column, name in enumerate(SHOWN):
        axes = figure.add_subplot(grid[1, column])
        measured, made = (table[name].dropna().to_numpy(float) for table in (data, whole))
        width = CHARACTERISTICS[name].bin_width
        edges = bin_edges(np.concatenate([measured, made]), width, CHARACTERISTICS[name].limits)
        axes.hist(measured, list(edges), density=True, color=SKY, label="data")
        axes.hist(made, list(edges), density=True, histtype="step", color=BLACK, label="virtual")
        if name in fits:
            x = np.linspace(edges[0], edges[-1], 300)[1:-1]
            axes.plot(x, fits[name].pdf(x), color=VERMILION, label="fit")
        axes.set_xlabel(axis_label(name))
        axes.set_yticks([])
        panels.append(axes)
    panels[2].legend()
    letter_panels(panels)
    return figure
