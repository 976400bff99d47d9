"""What a user may choose about the network, with the values of conf/base."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from electrode_grains.base import Settings, setting
from electrode_grains.crystal import LaueGroup

Channel = Literal["image_quality", "confidence_index", "misorientation"]
Shape = tuple[PositiveInt, PositiveInt, PositiveInt]
RotationMode = Literal["none", "quarter_turns", "arbitrary"]
Precision = Literal["auto", "float32", "bfloat16"]
Augmentation = bool | Literal["in_plane", "cube"]

_RISING_STEPS = 10  # Adam's moments settle within them


class ContrastSettings(Settings):
    """What the network sees of each voxel."""

    channels: tuple[Channel, ...] = setting(
        ("image_quality", "confidence_index", "misorientation"),
        "what the network sees; image_quality alone in the paper",
        min_length=1,
    )
    laue_group: LaueGroup = setting("-3m", "decides when two orientations are the same")
    pseudo_symmetry: Literal["auto", "on", "off"] = setting(
        "auto", "count the four axes of the pseudo-cube of R-3m as one; auto: where data show flips"
    )
    boundaries: Literal["auto", "dark", "bright"] = setting(
        "auto",
        "what boundaries are in the image; bright ones, as of stained membranes, the network sees "
        "inverted, since it starts from dark ones; auto: as the labels show them",
    )


class SplitSettings(Settings):
    """Which annotated slices judge the network instead of training it."""

    held_out_slices: tuple[NonNegativeInt, ...] | None = setting(
        None, "slice numbers, from 0, that judge the network; null takes the middle ones"
    )
    held_out_count: int = setting(0, "middle slices held out where none are named", ge=0)


class TrainingSettings(Settings):
    """Architecture and training of the network.

    Examples
    --------
    >>> TrainingSettings(epochs=2).learning_rate
    0.003
    """

    window_shape: Shape = setting(
        (16, 64, 64), "training window along z, y, x; 80, 80, 80 in the paper", unit="voxels"
    )
    base_width: int = setting(
        8, "feature channels of the first level, doubled at each level below", ge=1
    )
    depth: int = setting(2, "number of poolings", ge=1)
    norm: Literal["batch", "group", "none"] = setting(
        "batch", "normalisation after each convolution"
    )
    epochs: int = setting(
        12, "at most so many; the network may be judged, and is stored, after each", ge=1
    )
    steps_per_epoch: int = setting(25, "windows, or batches of them, per epoch", ge=1)
    batch_size: int = setting(
        2, "windows of a step; 1 in the paper, but two are faster than one on a processor", ge=1
    )
    learning_rate: float = setting(0.003, "the largest one", gt=0)
    optimizer: Literal["adam", "adamw"] = setting("adam", "Adam in the paper")
    weight_decay: float = setting(0.01, "of adamw", ge=0)
    schedule: Literal["plateau", "one_cycle", "constant"] = setting(
        "one_cycle",
        "of the learning rate. plateau: rises for ten steps, stays until the loss no longer falls, "
        "then falls to 0 within plateau_epochs; one_cycle: rises for a tenth of all steps, then "
        "falls to 0 along a cosine; constant",
    )
    plateau_epochs: int = setting(
        4, "epochs whose mean loss is compared with that of as many before", ge=1
    )
    plateau_gain: float = setting(
        0.02, "least share by which the mean loss must fall to go on", ge=0, lt=1
    )
    rotation: RotationMode = setting(
        "quarter_turns", "turns and reflections of windows; arbitrary rotations in the paper"
    )
    gain_jitter: float = setting(
        0.0,
        "standard deviation of a window's random gain",
        unit="standard deviations of the contrast",
        ge=0,
    )
    offset_jitter: float = setting(
        0.0,
        "standard deviation of a window's random offset",
        unit="standard deviations of the contrast",
        ge=0,
    )
    noise_jitter: float = setting(
        0.0,
        "largest standard deviation of white noise added to a window",
        unit="standard deviations of the contrast",
        ge=0,
    )
    channel_dropout: float = setting(
        0.0, "share of windows that lose all channels but the first", ge=0, le=1
    )
    class_weights: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = setting(
        None, "of boundary, interior, background in the loss"
    )
    frozen_statistics: float = setting(
        0.25,
        "last share of the epochs in which batch normalisation keeps its running statistics, so "
        "that the weights settle under what inference uses",
        ge=0,
        le=1,
    )
    patience: int | None = setting(
        None, "epochs without a better held-out slice after which training stops", ge=1
    )
    initial_network: str | None = setting(
        "embedded",
        "embedded, mlflow:<run id> or a folder (./network) to start from; null: from nothing",
    )
    seed: int = setting(1, "of weights, windows and jitter", ge=0)
    precision: Precision = setting(
        "auto", "number format of convolutions; auto takes bfloat16 where it is faster"
    )
    device: str = setting("auto", "cpu, cuda, or auto: a graphics card where there is one")
    threads: int | None = setting(None, "at most the number of cores; null for all", ge=1)

    @field_validator("initial_network")
    @classmethod
    def _check_place(cls, place: str | None) -> str | None:
        """A bare word is a misspelt one; a path also lets the content enter the recipe."""
        if place in (None, "embedded") or place.startswith("mlflow:") or os.sep in place:
            return place
        raise ValueError("embedded, mlflow:<run id>, or a folder with its path, such as ./network")


class ValidationSettings(Settings):
    """How long each network trains that is judged by the slice it has not seen."""

    epochs: int = setting(4, "of each training without one annotated slice; 0 for none", ge=0)
    most_trainings: int = setting(
        10, "with more annotated slices than these each leaves out several side by side", ge=2
    )
    test_time_augmentation: Augmentation = setting(
        False, "in_plane or cube: score a second time, to tell the gain"
    )


class PredictionSettings(Settings):
    """How the network is applied to the whole stack."""

    window_shape: Shape | None = setting(
        None,
        "voxels along z, y, x predicted at once; null for as many as memory allows",
        unit="voxels",
    )
    test_time_augmentation: Augmentation = setting(
        False, "average over symmetries: in_plane (16) or cube (48); slower"
    )
    precision: Precision = setting("float32", "number format of convolutions")
    device: str = setting("auto", "cpu, cuda, or auto: a graphics card where there is one")
    threads: int | None = setting(None, "at most the number of cores; null for all", ge=1)


def planned_epochs(losses: Sequence[float], settings: TrainingSettings) -> int:
    """Epochs that a training takes in all, from the losses of those that are done.

    Parameters
    ----------
    losses : sequence of float
        Mean loss of each epoch so far.
    settings : TrainingSettings
        Gives the schedule.

    Returns
    -------
    int
        `settings.epochs`, or less where a plateau was reached: the loss of the last
        `plateau_epochs` has fallen by less than `plateau_gain` against as many before.

    Examples
    --------
    >>> settings = TrainingSettings(schedule="plateau", plateau_epochs=2, epochs=99)
    >>> planned_epochs([1.0, 0.5, 0.3, 0.2], settings), planned_epochs([0.2] * 4, settings)
    (99, 6)
    """
    if settings.schedule != "plateau":
        return settings.epochs
    span = settings.plateau_epochs
    for done in range(2 * span, len(losses) + 1):
        before, after = sum(losses[done - 2 * span : done - span]), sum(losses[done - span : done])
        if after > (1 - settings.plateau_gain) * before:
            return min(settings.epochs, done + span)
    return settings.epochs


def learning_rate_at(step: int, total: int, settings: TrainingSettings) -> float:
    """Learning rate of a step, a function of the step and of their number.

    Parameters
    ----------
    step, total : int
        0-based step and number of steps.
    settings : TrainingSettings
        Gives the largest rate and the schedule.

    Returns
    -------
    float
        Learning rate.

    Examples
    --------
    >>> settings = TrainingSettings(schedule="one_cycle", learning_rate=0.003)
    >>> rates = [learning_rate_at(step, 100, settings) for step in (0, 9, 55, 99)]
    >>> [f"{rate:.6f}" for rate in rates]
    ['0.000300', '0.003000', '0.001474', '0.000001']
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "plateau":
        rising = _RISING_STEPS
        falling = min(total, settings.plateau_epochs * settings.steps_per_epoch)
    else:
        rising = max(1, round(0.1 * total))
        falling = total - rising
    rate = settings.learning_rate * min(1.0, (step + 1) / rising)
    if step < total - falling:
        return rate
    progress = (step + 1 - (total - falling)) / (falling + 1)
    return rate * (1 + math.cos(math.pi * progress)) / 2
