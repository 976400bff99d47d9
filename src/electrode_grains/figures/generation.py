"""Virtual particles beside the data and the fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

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

PROFILES = {
    "equivalent_diameter_nm": "diameter of the profile / nm",
    "circularity": "circularity",
    "aspect_ratio": "aspect ratio",
}
VIEW_POINTS = 150  # along the longest edge of a window
VIEW = ((-35.0, (0, 1)), (30.0, (0, 2)))  # turns (degrees, axes) before one looks along z
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
    """Draw the data and a virtual particle, in space and as sections, and their distributions.

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
    figure = new_figure(DOUBLE_COLUMN, 6.6)
    grid = figure.add_gridspec(3, 4, height_ratios=[1.3, 1.3, 1])
    shown = (("data", data_labels), ("virtual", virtual_labels))
    panels = []
    for column, (title, labels) in enumerate(shown):
        axes = figure.add_subplot(grid[0, 2 * column : 2 * column + 2])
        axes.imshow(seen_from_outside(labels, spacing), interpolation="none")
        axes.set_axis_off()
        axes.set_title(title)
        panels.append(axes)
    for column, (_, labels) in enumerate(shown):
        axes = figure.add_subplot(grid[1, 2 * column : 2 * column + 2])
        _show_grains(axes, labels[len(labels) // 2], spacing[1:], "middle section")
        panels.append(axes)
    whole = virtual.loc[~virtual["touches_window"].astype(bool)]
    for column, name in enumerate(SHOWN):
        axes = figure.add_subplot(grid[2, column])
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
    panels[4].legend()
    letter_panels(panels)
    return figure


@styled
def sections(
    data_plane: NDArray[Any],
    data_pixel_nm: float,
    virtual_labels: NDArray[Any],
    virtual_pixel_nm: float,
    data: pd.DataFrame,
    virtual: pd.DataFrame,
    grains: pd.DataFrame,
) -> Figure:
    """Draw a section and one of the virtual grains, distributions of profiles, and grains in space.

    Parameters
    ----------
    data_plane : ndarray of integer, shape (y, x)
        Grains of a section.
    data_pixel_nm, virtual_pixel_nm : float
    virtual_labels : ndarray of integer, shape (z, y, x)
    data, virtual : DataFrame
        Profiles of the sections, and of planes through the virtual grains.
    grains : DataFrame
        The virtual grains.

    Returns
    -------
    Figure
    """
    figure = new_figure(DOUBLE_COLUMN, 5.4)
    grid = figure.add_gridspec(3, 12, height_ratios=[1.6, 1, 1])
    panels = [figure.add_subplot(grid[0, 6 * n : 6 * n + 6]) for n in range(2)]
    middle = virtual_labels[len(virtual_labels) // 2]
    _show_grains(panels[0], data_plane, (data_pixel_nm,) * 2, "section")
    _show_grains(panels[1], middle, (virtual_pixel_nm,) * 2, "section of the virtual grains")
    for column, (name, label) in enumerate(PROFILES.items()):
        axes = figure.add_subplot(grid[1, 4 * column : 4 * column + 4])
        measured, made = (
            table.loc[~table["touches_window"].astype(bool), name].to_numpy(float)
            for table in (data, virtual)
        )
        edges = np.histogram_bin_edges(np.concatenate([measured, made]), 24)
        axes.hist(measured, list(edges), density=True, color=SKY, label="profiles, data")
        axes.hist(made, list(edges), density=True, histtype="step", color=BLACK, label="virtual")
        axes.set_xlabel(label)
        axes.set_yticks([])
        panels.append(axes)
    panels[2].legend()
    whole = grains.loc[~grains["touches_window"].astype(bool)]
    for column, name in enumerate(SHOWN):
        axes = figure.add_subplot(grid[2, 3 * column : 3 * column + 3])
        values = whole[name].dropna().to_numpy(float)
        axes.hist(values, 24, density=True, histtype="step", color=BLACK)
        axes.set_xlabel(axis_label(name))
        axes.set_yticks([])
        panels.append(axes)
    letter_panels(panels)
    return figure


@styled
def scenarios(
    labels: NDArray[Any], spacing: tuple[float, float, float], table: pd.DataFrame
) -> Figure:
    """Draw the middle section of each scenario.

    Parameters
    ----------
    labels : ndarray of integer, shape (scenario, z, y, x)
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    table : DataFrame
        As from `generation.summarize_scenarios`.

    Returns
    -------
    Figure
    """
    columns = min(4, len(labels))
    rows = -(-len(labels) // columns)
    figure = new_figure(DOUBLE_COLUMN, 2.0 * rows)
    grid = figure.add_gridspec(rows, columns)
    panels = []
    for place, (own, row) in enumerate(zip(labels, table.itertuples(), strict=True)):
        axes = figure.add_subplot(grid[divmod(place, columns)])
        told = f"{row.name}: {row.grain_count} grains"
        _show_grains(axes, own[len(own) // 2], spacing[1:], told)
        panels.append(axes)
    letter_panels(panels)
    return figure


def seen_from_outside(
    labels: NDArray[Any], spacing: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Picture of a particle in space: what is nearest along an oblique direction, shaded.

    Parameters
    ----------
    labels : ndarray of integer, shape (z, y, x)
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    ndarray of float64, shape (rows, columns, 4)
        Red, green, blue, opacity.
    """
    step = max(labels.shape[n] * spacing[n] for n in range(3)) / VIEW_POINTS
    cubes = ndimage.zoom(labels, [edge / step for edge in spacing], order=0)
    room = round((np.linalg.norm(cubes.shape) - min(cubes.shape)) / 2) + 1
    seen = np.pad(cubes, room)
    for angle, axes in VIEW:
        seen = ndimage.rotate(seen, angle, axes, reshape=False, order=0)
    hit = seen > 0
    depth = np.argmax(hit, axis=0)
    nearest = np.take_along_axis(seen, depth[None], axis=0)[0]
    smooth = ndimage.gaussian_filter(np.where(nearest > 0, depth, depth.max()).astype(float), 1.2)
    down, right = np.gradient(smooth)
    light = (1 + 0.6 * right + 0.6 * down) / np.sqrt(1 + right**2 + down**2) / 1.31
    colours = label_colours(nearest)
    colours[..., :3] *= np.clip(light, 0.25, 1)[..., None]
    colours[outlines(nearest) & (nearest > 0), :3] *= 0.4
    filled = np.argwhere(nearest > 0)
    if not len(filled):
        return colours
    low, high = filled.min(axis=0), filled.max(axis=0) + 1
    return colours[low[0] : high[0], low[1] : high[1]]


def _show_grains(
    axes: Axes, section: NDArray[Any], spacing: tuple[float, float], title: str
) -> None:
    """Show grains in colours, with their boundaries in black, which leave cracks open."""
    colours = label_colours(section)
    colours[outlines(section) & (section > 0)] = (0.0, 0.0, 0.0, 1.0)
    show_section(axes, colours, spacing)
    axes.set_title(title)
