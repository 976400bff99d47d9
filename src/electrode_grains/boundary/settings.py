"""What a user may choose about a training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from electrode_grains.boundary.compute import PRECISIONS, Precision
from electrode_grains.boundary.windows import ROTATION_MODES, RotationMode, Shape
from electrode_grains.errors import SettingsError


@dataclass(frozen=True)
class TrainingSettings:
    """Everything a user may choose about a training.

    Attributes
    ----------
    window_shape : (int, int, int)
        Training window along z, y, x in voxels; the paper takes (80, 80, 80).
    epochs, steps_per_epoch : int
        The network is judged, and may be stored, after each epoch.
    batch_size : int
        Windows per step; 1 in the paper.
    learning_rate : float
        Largest learning rate.
    optimizer : {"adamw", "adam"}
        The paper uses Adam.
    schedule : {"one_cycle", "constant"}
        "one_cycle" rises for a tenth of the steps and falls to zero along a cosine.
    weight_decay : float
        Of "adamw".
    base_width, depth, norm
        See `UNet3D`.
    rotation : {"quarter_turns", "arbitrary", "none"}
        See `WindowSampler`.
    gain_jitter, offset_jitter, noise_jitter : float
        See `IntensityJitter`.
    class_weights : (float, float, float), optional
        Of boundary, interior and background in the loss.
    frozen_statistics : float
        Last share of the epochs in which batch normalisation keeps its running
        statistics, so that the weights settle under what inference uses.
    held_out_slices : tuple of int
        Annotated slices (0-based) that are judged by instead of trained on.
    patience : int, optional
        Stop after so many epochs without a lower loss on the held-out slices and
        return the best network; without it the last network is returned.
    seed : int
        Of weights, windows and jitter.
    threads : int, optional
        At most the number of cores.
    precision : {"float32", "bfloat16", "auto"}
        Number format of the convolutions. The default gives the same network on
        every run of a machine and nearly the same on others; "auto" tries the
        speed of bfloat16 and may decide differently elsewhere.
    device : str
        "cpu", "cuda" or "auto".

    Raises
    ------
    SettingsError
        If a value is impossible.

    Examples
    --------
    >>> TrainingSettings(epochs=2).learning_rate
    0.003
    """

    window_shape: Shape = (24, 80, 80)
    epochs: int = 20
    steps_per_epoch: int = 20
    batch_size: int = 1
    learning_rate: float = 3e-3
    optimizer: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    weight_decay: float = 1e-2
    base_width: int = 16
    depth: int = 2
    norm: str = "batch"
    rotation: RotationMode = "quarter_turns"
    gain_jitter: float = 0.1
    offset_jitter: float = 0.1
    noise_jitter: float = 0.1
    class_weights: tuple[float, float, float] | None = None
    frozen_statistics: float = 0.25
    held_out_slices: tuple[int, ...] = ()
    patience: int | None = None
    seed: int = 0
    threads: int | None = None
    precision: Precision = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("epochs", "steps_per_epoch", "batch_size", "learning_rate"):
            self._require(name, getattr(self, name) > 0, "a positive number")
        for name in ("gain_jitter", "offset_jitter", "noise_jitter", "weight_decay", "seed"):
            self._require(name, getattr(self, name) >= 0, "zero or more")
        for name, choices in (
            ("optimizer", ("adamw", "adam")),
            ("schedule", ("one_cycle", "constant")),
            ("precision", PRECISIONS),
            ("rotation", ROTATION_MODES),
        ):
            self._require(name, getattr(self, name) in choices, " or ".join(choices))
        self._require("frozen_statistics", 0 <= self.frozen_statistics <= 1, "between 0 and 1")
        self._require("patience", self.patience is None or self.patience > 0, "one or more")
        weights = self.class_weights
        self._require(
            "class_weights",
            weights is None or (len(weights) == 3 and min(weights) > 0),
            "three positive numbers",
        )
        self._require(
            "held_out_slices",
            self.patience is None or len(self.held_out_slices) > 0,
            "at least one slice where patience is set",
        )

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise SettingsError(
                f"{name} of the training is impossible",
                found=repr(getattr(self, name)),
                expected=expected,
            )


def learning_rate_at(step: int, total: int, settings: TrainingSettings) -> float:
    """Learning rate of a step, a function of the step alone.

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
    >>> rates = [learning_rate_at(step, 100, TrainingSettings()) for step in (0, 9, 55, 99)]
    >>> [f"{rate:.6f}" for rate in rates]
    ['0.000300', '0.003000', '0.001474', '0.000001']
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    rising = max(1, round(0.1 * total))
    if step < rising:
        return settings.learning_rate * (step + 1) / rising
    progress = (step + 1 - rising) / (total + 1 - rising)
    return settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2
