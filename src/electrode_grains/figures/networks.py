"""Figure 3 of the paper, drawn from the network's settings, and how its training went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.ticker import MaxNLocator

from electrode_grains.classes import CHANNEL_NAMES
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.figures.style import (
    BLUE,
    CYCLE,
    DOUBLE_COLUMN,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    escape_math,
    new_figure,
    styled,
)

Box = tuple[float, float, float, float]
COLUMN_STEP = 2.6
ROW_STEP = 2.1
BLOCK_HEIGHT = 1.25
MAXIMUM_DEPTH = 8


@styled
def network_architecture(settings: Mapping[str, Any]) -> Figure:
    """Draw the U-Net with the feature channels of every level (Fig. 3).

    Parameters
    ----------
    settings : mapping
        ``in_channels`` (default 1) and either ``widths``, the feature channels from the
        finest to the coarsest level, or ``base_width`` and ``depth`` (number of poolings),
        the width doubling with each; optionally ``norm``.

    Returns
    -------
    Figure
        Scheme of the network.

    Raises
    ------
    SettingsError
        If the settings give neither widths nor base width and depth.

    Examples
    --------
    >>> figure = network_architecture({"in_channels": 1, "base_width": 16, "depth": 2})
    >>> [text.get_text() for text in figure.axes[0].texts if text.get_text() == "64, 64"]
    ['64, 64']
    """
    widths = _level_widths(settings)
    depth = len(widths) - 1
    figure = new_figure(DOUBLE_COLUMN, 1.2 + 0.85 * (depth + 1))
    axes = figure.add_subplot()
    encoder = [
        _block(axes, level * COLUMN_STEP, -level * ROW_STEP, f"{width}, {width}", BLUE)
        for level, width in enumerate(widths)
    ]
    last = 2 * depth * COLUMN_STEP
    decoder = [
        _block(axes, last - level * COLUMN_STEP, -level * ROW_STEP, f"{width}, {width}", GREEN)
        for level, width in enumerate(widths[:-1])
    ]
    path = [*decoder, encoder[-1]]
    for level in range(depth):
        _arrow(axes, _bottom(encoder[level]), _left(encoder[level + 1]), VERMILION)
        _arrow(axes, _right(path[level + 1]), _bottom(decoder[level]), ORANGE)
        _arrow(axes, _right(encoder[level]), _left(decoder[level]), GREY, dashed=True)
    inputs = int(settings.get("in_channels", 1))
    head = decoder[0] if decoder else encoder[0]
    _end(axes, -COLUMN_STEP, f"{inputs}", "image quality" if inputs == 1 else "input")
    _end(axes, last + COLUMN_STEP, f"{len(CHANNEL_NAMES)}", "boundary,\ninterior,\nbackground")
    _arrow(axes, (-COLUMN_STEP + 0.3, 0.0), _left(encoder[0]), BLUE)
    _arrow(axes, _right(head), (last + COLUMN_STEP - 0.3, 0.0), BLUE)
    _key(axes, str(settings.get("norm") or ""))
    axes.set_xlim(-COLUMN_STEP - 1.0, last + COLUMN_STEP + 1.6)
    axes.set_ylim(-depth * ROW_STEP - 2.5, 1.2)
    axes.axis("off")
    return figure


VALIDATED: Mapping[str, str] = {
    "boundary_f1": "boundary $F_1$",
    "dice_interior": "interior Dice",
    "dice_background": "background Dice",
    "brier_score": "Brier score",
}


@styled
def validation_plot(validation: Mapping[str, Any]) -> Figure:
    """Draw the scores on slices that were left out in turn, and the calibration.

    Parameters
    ----------
    validation : mapping
        ``slices``, a list of scores with ``slice``; their ``mean``; and ``reliability`` with
        lists ``predicted``, ``observed``, ``count``. Empty where nothing was left out.

    Returns
    -------
    Figure
        Scores over the slices, their means dashed; and how often a voxel is boundary,
        over the predicted probability. A line of text where there is nothing to draw.

    Examples
    --------
    >>> validation = {"slices": [{"slice": 3, "boundary_f1": 0.8}], "mean": {"boundary_f1": 0.8},
    ...               "reliability": {"predicted": [0.1], "observed": [0.2], "count": [9]}}
    >>> [axes.get_xlabel() for axes in validation_plot(validation).axes]
    ['slice left out (from 0)', 'predicted probability of boundary']
    """
    figure = new_figure(DOUBLE_COLUMN, 2.6)
    if not validation.get("slices"):
        figure.text(0.5, 0.5, "no slice was left out to judge the network", ha="center")
        return figure
    scores, calibration = figure.subplots(1, 2)
    rows = pd.DataFrame(validation["slices"])
    for position, (name, label) in enumerate(VALIDATED.items()):
        if name not in rows or validation["mean"].get(name) is None:
            continue
        colour = CYCLE[position]
        values = rows[name].astype(float)
        scores.plot(
            rows["slice"], values, color=colour, marker="o", markersize=4, ls="", label=label
        )
        scores.axhline(validation["mean"][name], color=colour, linewidth=0.7, linestyle="--")
    scores.set_xlabel("slice left out (from 0)")
    scores.set_ylabel("score")
    scores.set_ylim(0, 1.02)
    scores.xaxis.set_major_locator(MaxNLocator(integer=True))
    scores.legend(loc="center left", bbox_to_anchor=(0.0, 0.45))
    curve = validation["reliability"]
    calibration.plot([0, 1], [0, 1], color=GREY, linewidth=0.7)
    calibration.plot(curve["predicted"], curve["observed"], color=BLUE, marker="o", markersize=4)
    calibration.set_xlabel("predicted probability of boundary")
    calibration.set_ylabel("share that is boundary")
    calibration.set_xlim(0, 1)
    calibration.set_ylim(0, 1)
    return figure


@styled
def learning_curves(history: pd.DataFrame) -> Figure:
    """Draw loss and scores over the epochs of training.

    Parameters
    ----------
    history : DataFrame
        One row per epoch: ``epoch`` (from 0; the row number where absent), columns with
        ``loss`` in their name, and any other metric. Columns that do not hold numbers are
        left out.

    Returns
    -------
    Figure
        Losses, and beside them the other metrics where there are any.

    Raises
    ------
    InputError
        If no column holds a number for any epoch.

    Examples
    --------
    >>> history = pd.DataFrame({"epoch": [0, 1], "train_loss": [1.0, 0.5]})
    >>> learning_curves(history).axes[0].get_ylabel()
    'loss / nat per annotated voxel'
    """
    numbers = history.select_dtypes("number").dropna(axis=1, how="all")
    epochs = numbers["epoch"] if "epoch" in numbers else pd.Series(range(len(numbers)))
    ignored = {"epoch", "step", "seconds", "learning_rate"}
    metrics = [str(name) for name in numbers.columns if name not in ignored]
    if not metrics:
        raise InputError(
            "the history of training holds no numbers",
            found=", ".join(map(str, history.columns)) or "no columns",
            expected="one row an epoch with a loss",
        )
    losses = [name for name in metrics if "loss" in name]
    groups = [group for group in (losses, [n for n in metrics if n not in losses]) if group]
    figure = new_figure(DOUBLE_COLUMN, 2.4)
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, group in zip(panels, groups, strict=True):
        for position, name in enumerate(group):
            axes.plot(
                epochs + 1,
                numbers[name],
                color=CYCLE[position % len(CYCLE)],
                linestyle=("-", "--", ":", "-.")[position // len(CYCLE) % 4],
                marker="o" if len(numbers) < 3 else None,
                label=escape_math(name.replace("_", " ")),
            )
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss / nat per annotated voxel" if group == losses else "score")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(ncols=1 if len(group) < 5 else 2)
    return figure


def _level_widths(settings: Mapping[str, Any]) -> list[int]:
    if settings.get("widths"):
        widths = [int(width) for width in settings["widths"]]
    elif settings.get("base_width") and settings.get("depth") is not None:
        widths = [
            int(settings["base_width"]) * 2**level for level in range(int(settings["depth"]) + 1)
        ]
    else:
        raise SettingsError(
            "the settings do not tell the widths of the network",
            found=", ".join(map(str, settings)) or "nothing",
            expected="widths, or base_width and depth",
        )
    if not 1 <= len(widths) <= MAXIMUM_DEPTH + 1:
        raise SettingsError(
            "a network of this depth cannot be drawn",
            found=f"{len(widths) - 1} poolings",
            expected=f"at most {MAXIMUM_DEPTH}",
        )
    return widths


def _block(axes: Axes, x: float, y: float, text: str, colour: str) -> Box:
    """Draw two convolutions as two slabs with their feature channels above."""
    for offset in (-0.30, 0.06):
        axes.add_patch(
            Rectangle(
                (x + offset, y - BLOCK_HEIGHT / 2),
                0.24,
                BLOCK_HEIGHT,
                facecolor=colour,
                edgecolor="black",
                linewidth=0.5,
            )
        )
    axes.text(x, y + BLOCK_HEIGHT / 2 + 0.08, text, ha="center", va="bottom", fontsize=6.5)
    return (x - 0.34, x + 0.34, y - BLOCK_HEIGHT / 2, y)


def _left(box: Box) -> tuple[float, float]:
    return box[0], box[3]


def _right(box: Box) -> tuple[float, float]:
    return box[1], box[3]


def _bottom(box: Box) -> tuple[float, float]:
    return (box[0] + box[1]) / 2, box[2]


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    dashed: bool = False,
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=7,
            color=colour,
            linewidth=1.0,
            linestyle=(0, (3, 2)) if dashed else "-",
            shrinkA=1.5,
            shrinkB=1.5,
        )
    )


def _end(axes: Axes, x: float, channels: str, name: str) -> None:
    axes.add_patch(
        Rectangle(
            (x - 0.12, -BLOCK_HEIGHT / 2),
            0.24,
            BLOCK_HEIGHT,
            facecolor=SKY,
            edgecolor="black",
            linewidth=0.5,
        )
    )
    axes.text(x, BLOCK_HEIGHT / 2 + 0.08, channels, ha="center", va="bottom", fontsize=6.5)
    axes.text(x, -BLOCK_HEIGHT / 2 - 0.12, name, ha="center", va="top", fontsize=6.5)


def _key(axes: Axes, norm: str) -> None:
    normalisation = f"{norm} normalisation, " if norm and norm != "none" else ""
    arrows: tuple[tuple[str, Any, str], ...] = (
        (VERMILION, "-", "max pooling 2 x 2 x 2"),
        (ORANGE, "-", "transposed convolution 2 x 2 x 2"),
        (GREY, (0, (3, 2)), "skip connection (concatenation)"),
    )
    draw_legend: Any = axes.legend  # its stubs do not know the size of the title
    draw_legend(
        handles=[Line2D([], [], color=c, linestyle=line, label=text) for c, line, text in arrows],
        title=f"slab: convolution 3 x 3 x 3, {normalisation}ReLU; number: feature channels; "
        "last arrow: convolution 1 x 1 x 1, softmax",
        title_fontsize=6.5,
        loc="lower center",
        ncols=3,
    )
