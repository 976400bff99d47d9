"""Figures 1, 2, 4 and 5 of the paper: what each step does to the stack of slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from electrode_grains.classes import CHANNEL_NAMES, FIGURE_COLOURS
from electrode_grains.errors import InputError
from electrode_grains.figures.style import (
    DOUBLE_COLUMN,
    grey_range,
    label_colours,
    letter_panels,
    new_figure,
    outlines,
    show_section,
    styled,
)

PALE = 0.8  # share of white in the colour of regions that do not stay
Spacing = tuple[float, float, float]


@styled
def slice_maps(
    quality_before: NDArray[Any],
    quality_after: NDArray[Any],
    colours_before: NDArray[Any],
    colours_after: NDArray[Any],
    spacing: Spacing,
) -> Figure:
    """Show image quality and orientations of one slice before and after alignment.

    Parameters
    ----------
    quality_before, quality_after : ndarray of float, shape (y, x)
        Image quality as scanned and as aligned.
    colours_before, colours_after : ndarray of float, shape (y, x, 3)
        Inverse pole figure colours in [0, 1], black where nothing is known.
    spacing : (float, float, float)
        Voxel size (dz, dy, dx) in nm.

    Returns
    -------
    Figure
        Left as scanned, right as aligned; above image quality, below orientations.

    Raises
    ------
    InputError
        If the shapes differ.

    Examples
    --------
    >>> grey, colour = np.eye(8, 9), np.ones((8, 9, 3))
    >>> len(slice_maps(grey, grey, colour, colour, (50, 50, 50)).axes)
    4
    """
    if quality_before.shape != quality_after.shape or quality_before.ndim != 2:
        raise InputError(
            "maps of a slice differ in size",
            found=f"{quality_before.shape} and {quality_after.shape}",
            expected="one shape (y, x)",
        )
    rows = [("image quality", quality_before, quality_after)]
    if np.any(colours_before):  # plain images tell nothing of orientations
        rows.append(("orientations (IPF z)", colours_before, colours_after))
    height = panel_height(quality_before[None], spacing, 2)
    figure = new_figure(DOUBLE_COLUMN, min(9.0, (height + 0.4) * len(rows)))
    grid = figure.subplots(len(rows), 2, squeeze=False)
    low, high = grey_range(quality_before)
    for row, (name, *maps) in enumerate(rows):
        for column, (title, values) in enumerate(
            zip(("as scanned", "as aligned"), maps, strict=True)
        ):
            options = {} if values.ndim == 3 else {"cmap": "gray", "vmin": low, "vmax": high}
            show_section(grid[row, column], values, spacing[1:], ("y", "x"), **options)
            grid[row, column].set_title(f"{name}, {title}")
    letter_panels(grid.ravel())
    return figure


@styled
def annotated_slice(
    image_quality: NDArray[Any],
    annotation: NDArray[Any],
    class_probability: NDArray[Any],
    slice_index: int,
    spacing: Spacing,
) -> Figure:
    """Show an annotated slice beside what the network predicts for it (Fig. 2).

    Parameters
    ----------
    image_quality : ndarray of float, shape (z, y, x)
        Aligned image quality.
    annotation : ndarray of int, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    class_probability : ndarray of float, shape (3, z, y, x)
        Predicted probabilities of boundary, interior and background.
    slice_index : int
        Slice to show, from 0.
    spacing : (float, float, float)
        Voxel size (dz, dy, dx) in nm.

    Returns
    -------
    Figure
        Image quality, annotation, the class the network finds most probable, and the
        three probabilities.

    Raises
    ------
    InputError
        If shapes do not match or the slice does not exist.

    Examples
    --------
    >>> volume, classes = np.ones((2, 4, 5)), np.full((2, 4, 5), 2)
    >>> figure = annotated_slice(volume, classes, np.full((3, 2, 4, 5), 1 / 3), 1, (50, 50, 50))
    >>> figure.axes[1].get_title("left").split()[-1]
    'annotation'
    """
    check_volume("image quality", image_quality)
    check_volume("annotation", annotation, image_quality.shape)
    probability = _probability_slice(class_probability, image_quality.shape, slice_index)
    panel = panel_height(image_quality, spacing, columns=3)
    figure = new_figure(DOUBLE_COLUMN, 2 * panel + 1.4)
    grid = figure.subplots(2, 3, squeeze=False)
    pixel = (spacing[1], spacing[2])
    show_quality(grid[0, 0], image_quality, slice_index, spacing)
    _show_classes(grid[0, 1], annotation[slice_index], pixel, "annotation")
    _show_classes(grid[0, 2], probability.argmax(axis=0) + 1, pixel, "most probable class")
    shown = [
        _show_probability(axes, channel, pixel, name)
        for axes, channel, name in zip(grid[1], probability, CHANNEL_NAMES, strict=True)
    ]
    figure.colorbar(shown[-1], ax=grid[1, :], shrink=0.85, label="probability")
    handles = [
        Patch(color=colour, label=name)
        for name, colour in zip(CHANNEL_NAMES, FIGURE_COLOURS, strict=True)
    ]
    handles.append(Patch(facecolor="white", edgecolor="grey", label="not annotated"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    letter_panels(grid.ravel())
    return figure


@styled
def predicted_slice(
    image_quality: NDArray[Any],
    class_probability: NDArray[Any],
    slice_index: int,
    spacing: Spacing,
) -> Figure:
    """Show what the network predicts for a slice that nobody annotated (Fig. 4).

    Parameters
    ----------
    image_quality : ndarray of float, shape (z, y, x)
        Aligned image quality.
    class_probability : ndarray of float, shape (3, z, y, x)
        Predicted probabilities of boundary, interior and background.
    slice_index : int
        Slice to show, from 0.
    spacing : (float, float, float)
        Voxel size (dz, dy, dx) in nm.

    Returns
    -------
    Figure
        Image quality and the three probabilities.

    Raises
    ------
    InputError
        If shapes do not match or the slice does not exist.

    Examples
    --------
    >>> probability = np.full((3, 2, 4, 5), 1 / 3)
    >>> figure = predicted_slice(np.ones((2, 4, 5)), probability, 0, (50, 50, 50))
    >>> figure.axes[1].get_title("left").split()[-1]
    'boundary'
    """
    check_volume("image quality", image_quality)
    probability = _probability_slice(class_probability, image_quality.shape, slice_index)
    panel = panel_height(image_quality, spacing, columns=2)
    figure = new_figure(0.8 * DOUBLE_COLUMN, 1.5 * panel + 0.9)
    grid = figure.subplots(2, 2, squeeze=False).ravel()
    show_quality(grid[0], image_quality, slice_index, spacing)
    for axes, channel, name in zip(grid[1:], probability, CHANNEL_NAMES, strict=True):
        shown = _show_probability(axes, channel, (spacing[1], spacing[2]), name)
    figure.colorbar(shown, ax=grid.tolist(), shrink=0.6, label="probability")
    letter_panels(grid)
    return figure


@styled
def segmentation_slice(
    image_quality: NDArray[Any],
    watershed_labels: NDArray[Any] | None,
    labels: NDArray[Any],
    slice_index: int,
    spacing: Spacing,
) -> Figure:
    """Show the regions of the watershed and the grains made of them (Fig. 5).

    Parameters
    ----------
    image_quality : ndarray of float, shape (z, y, x)
        Aligned image quality.
    watershed_labels : ndarray of int, shape (z, y, x), or None
        Regions before background and false regions were removed.
    labels : ndarray of int, shape (z, y, x)
        Grain labels, 0 = no grain.
    slice_index : int
        Slice to show, from 0.
    spacing : (float, float, float)
        Voxel size (dz, dy, dx) in nm.

    Returns
    -------
    Figure
        Image quality, regions where given (pale where no grain is made of them), and
        grains; a label keeps its colour.

    Raises
    ------
    InputError
        If shapes do not match or the slice does not exist.

    Examples
    --------
    >>> grains = np.arange(40).reshape(2, 4, 5)
    >>> figure = segmentation_slice(np.ones((2, 4, 5)), None, grains, 0, (50, 50, 50))
    >>> [axes.get_title("left").split()[-1] for axes in figure.axes]
    ['quality', 'grains']
    """
    check_volume("image quality", image_quality)
    panels = [("grains", labels)]
    if watershed_labels is not None:
        panels.insert(0, ("watershed regions", watershed_labels))
    for name, volume in panels:
        check_volume(name, volume, image_quality.shape)
    _check_slice(slice_index, image_quality.shape[0])
    columns = len(panels) + 1
    panel = panel_height(image_quality, spacing, columns)
    figure = new_figure(DOUBLE_COLUMN, panel + 0.7)
    grid = figure.subplots(1, columns, squeeze=False)[0]
    show_quality(grid[0], image_quality, slice_index, spacing)
    for axes, (name, volume) in zip(grid[1:], panels, strict=True):
        coloured = label_colours(volume[slice_index])
        if name != "grains":  # what the next step removes is pale
            removed = labels[slice_index] == 0
            coloured[removed, :3] = PALE + (1 - PALE) * coloured[removed, :3]
        coloured[outlines(volume[slice_index])] = to_rgba("black")
        show_section(axes, coloured, (spacing[1], spacing[2]))
        axes.set_title(name)
    letter_panels(grid)
    return figure


def show_quality(
    axes: Axes, image_quality: NDArray[Any], slice_index: int, spacing: Spacing
) -> None:
    """Show the image quality of a slice in grey, without its extremes."""
    low, high = grey_range(image_quality)
    show_section(
        axes,
        image_quality[slice_index],
        (spacing[1], spacing[2]),
        cmap="gray",
        vmin=low,
        vmax=high,
    )
    axes.set_title("image quality")


def _show_classes(
    axes: Axes, classes: NDArray[Any], pixel: tuple[float, float], title: str
) -> None:
    colours = ListedColormap(["white", *FIGURE_COLOURS])
    show_section(axes, classes, pixel, cmap=colours, vmin=-0.5, vmax=3.5)
    axes.set_title(title)


def _show_probability(
    axes: Axes, channel: NDArray[Any], pixel: tuple[float, float], title: str
) -> Any:
    shown = show_section(axes, channel, pixel, cmap="cividis", vmin=0, vmax=1)
    axes.set_title(title)
    return shown


def panel_height(volume: NDArray[Any], spacing: Spacing, columns: int) -> float:
    """Height in inches of a panel of the page's width over the number of columns."""
    width = DOUBLE_COLUMN / columns - 0.55
    ratio = volume.shape[1] * spacing[1] / (volume.shape[2] * spacing[2])
    return float(np.clip(width * ratio, 0.8, 4.5))


def check_volume(name: str, volume: NDArray[Any], shape: tuple[int, ...] | None = None) -> None:
    """Refuse what is no volume, or one of another window."""
    if volume.ndim != 3 or 0 in volume.shape:
        raise InputError(
            f"{name} is not a volume", found=f"shape {volume.shape}", expected="(z, y, x)"
        )
    if shape is not None and volume.shape != shape:
        raise InputError(
            f"{name} does not cover the same window as the image quality",
            found=f"shape {volume.shape}",
            expected=f"shape {shape}",
        )


def _check_slice(slice_index: int, slices: int) -> None:
    if not 0 <= slice_index < slices:
        raise InputError(
            "the stack does not have this slice",
            found=f"slice {slice_index}",
            expected=f"0 to {slices - 1}",
        )


def _probability_slice(
    class_probability: NDArray[Any], shape: tuple[int, ...], slice_index: int
) -> NDArray[Any]:
    expected = (len(CHANNEL_NAMES), *shape)
    if class_probability.shape != expected:
        raise InputError(
            "class probabilities do not fit the image quality",
            found=f"shape {class_probability.shape}",
            expected=f"shape {expected}",
        )
    _check_slice(slice_index, shape[0])
    return class_probability[:, slice_index]
