"""Train the boundary network on a few annotated slices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import get_total_norm

from electrode_grains.boundary.compute import (
    autocast,
    limited_threads,
    resolve_device,
    trainable_precision,
)
from electrode_grains.boundary.inference import Progress, predict_slices
from electrode_grains.boundary.loss import masked_cross_entropy
from electrode_grains.boundary.network import UNet3D, network_from_state, network_state
from electrode_grains.boundary.scores import BoundaryScores, boundary_scores
from electrode_grains.boundary.settings import (
    PredictionSettings,
    TrainingSettings,
    learning_rate_at,
    planned_epochs,
)
from electrode_grains.boundary.starting import initial_network as initial_network_of
from electrode_grains.boundary.symmetries import Triple
from electrode_grains.boundary.training_states import (
    TrainingState,
    training_fingerprint,
)
from electrode_grains.boundary.windows import (
    IntensityJitter,
    Window,
    WindowSampler,
    measured_classes,
    pad_to_lattice,
)
from electrode_grains.errors import ComputationError, InputError, SettingsError

OnEpoch = Callable[[Mapping[str, float], int], None]


@dataclass(frozen=True)
class TrainingResult:
    """A trained network and how it came about.

    Attributes
    ----------
    network : UNet3D
        In evaluation mode, on the CPU.
    history : DataFrame
        A row for each epoch: `epoch` (from 0), `loss`, `learning_rate`, and with held-out
        slices `held_out_loss`, `held_out_boundary_f1`, `held_out_boundary_precision`,
        `held_out_boundary_recall`, `held_out_brier_score`.
    held_out_scores : BoundaryScores, optional
        Of the returned network on all held-out slices; None without such slices.
    best_epoch : int
        Epoch, counted from 0, whose network is returned.
    """

    network: UNet3D
    history: pd.DataFrame
    held_out_scores: BoundaryScores | None
    best_epoch: int


def train_boundary_network(
    contrast: NDArray[np.float32],
    annotation: NDArray[np.integer],
    *,
    settings: TrainingSettings | None = None,
    held_out_slices: Sequence[int] = (),
    spacing: Triple = (1.0, 1.0, 1.0),
    initial_network: UNet3D | None = None,
    resume: TrainingState | None = None,
    on_epoch: OnEpoch | None = None,
    on_state: Callable[[TrainingState], None] | None = None,
    report_progress: Progress | None = None,
) -> TrainingResult:
    """Train a U-Net on windows that cross annotated slices.

    Parameters
    ----------
    contrast : NDArray of float32, shape (channel, z, y, x) or (z, y, x)
        Normalised contrast; NaN in all channels where nothing was measured, from which the
        training learns nothing.
    annotation : NDArray of uint8, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    settings : TrainingSettings, optional
        The defaults where left out.
    held_out_slices : sequence of int
        Annotated slices, from 0, that are judged by instead of trained on. With
        `settings.patience` they decide when to stop, and the best network is returned;
        otherwise the last one is.
    spacing : (float, float, float)
        Voxel spacing along z, y, x; decides which axes a rotation may exchange.
    initial_network : UNet3D, optional
        Start from a copy of its weights (a network of another particle); its
        architecture replaces that of the settings. By default what `settings` names.
    resume : TrainingState, optional
        Go on from here, with the same data and settings.
    on_epoch : callable, optional
        Called after each epoch with its defined scores, by the names of the
        history, and its number, counted from 0.
    on_state : callable, optional
        Called with a `TrainingState` of its own after each epoch.
    report_progress : callable, optional
        Called with (steps done, steps in all, as far as is known).

    Returns
    -------
    TrainingResult
        Network, history and scores.

    Raises
    ------
    InputError
        If the volumes disagree, nothing is left to train on, or the state to go on from
        belongs to other data or settings.
    SettingsError
        If a held-out slice is not annotated.
    ComputationError
        If loss or weights are not finite; names step and window. No state is reported
        from then on, so that the last one is a good one.

    Notes
    -----
    On a CPU, the same data, settings and number of threads give the same network
    to the last bit.

    Examples
    --------
    >>> contrast = np.random.default_rng(1).normal(size=(4, 8, 8)).astype(np.float32)
    >>> annotation = np.zeros((4, 8, 8), dtype=np.uint8)
    >>> annotation[1] = np.where(contrast[1] < 0, 1, 2)
    >>> settings = TrainingSettings(epochs=2, steps_per_epoch=1, base_width=2, depth=1)
    >>> result = train_boundary_network(contrast, annotation, settings=settings)
    >>> list(result.history["epoch"])
    [0, 1]
    """
    settings = settings or TrainingSettings()
    volume, classes = measured_classes(contrast, annotation)
    initial_network = initial_network or initial_network_of(settings, len(volume))
    held_out = tuple(held_out_slices)
    if not held_out:
        settings = settings.model_copy(update={"patience": None})  # nothing to be patient with
    training_part = _without_slices(classes, held_out)
    sampler = WindowSampler(
        volume,
        training_part,
        window_shape=settings.window_shape,
        rotation=settings.rotation,
        jitter=IntensityJitter(settings.gain_jitter, settings.offset_jitter, settings.noise_jitter),
        channel_dropout=settings.channel_dropout,
        spacing=spacing,
    )
    fingerprint = training_fingerprint(
        volume,
        classes,
        settings,
        held_out_slices=held_out,
        spacing=spacing,
        initial_network=initial_network,
    )
    if resume is not None and resume.fingerprint not in ("", fingerprint):
        raise InputError(
            "the training to go on with had other data or settings",
            found=f"fingerprint {resume.fingerprint[:12]}",
            expected=f"{fingerprint[:12]}",
            remedy="train from the beginning, or give that training's network as the initial one",
        )
    with limited_threads(settings.threads):
        trainer = _Trainer(settings, sampler, volume.shape[0], initial_network, resume)
        while not trainer.finished:
            row = trainer.run_epoch(report_progress)
            if held_out:
                row |= _held_out_row(_judge(trainer.network, volume, classes, held_out, settings))
            state = trainer.close_epoch(row, fingerprint)
            if on_epoch is not None:
                on_epoch(*_reported(row))
            if on_state is not None:
                on_state(state)
        network = trainer.chosen_network()
        scores = _judge(network, volume, classes, held_out, settings) if held_out else None
    return TrainingResult(network, pd.DataFrame(trainer.history), scores, trainer.chosen_epoch)


class _Trainer:
    """Network, optimizer and history of one training."""

    def __init__(
        self,
        settings: TrainingSettings,
        sampler: WindowSampler,
        in_channels: int,
        initial_network: UNet3D | None,
        resume: TrainingState | None,
    ) -> None:
        self._settings = settings
        self._sampler = sampler
        self._device = resolve_device(settings.device)
        network = _first_network(settings, in_channels, initial_network, resume)
        # Convolutions over few channels run faster with the channels innermost.
        self.network = network.to(self._device)
        for parameter in self.network.parameters():
            if parameter.ndim == 5:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
        optimizers = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        decay = settings.weight_decay if settings.optimizer == "adamw" else 0.0
        self._optimizer: torch.optim.Optimizer = optimizers[settings.optimizer](
            self.network.parameters(), lr=settings.learning_rate, weight_decay=decay
        )
        self._class_weights = (
            torch.tensor(settings.class_weights, device=self._device)
            if settings.class_weights
            else None
        )
        self.history: list[dict[str, float]] = []
        self._epochs_done = 0
        self._best_epoch: int | None = None
        self._best_weights: dict[str, Tensor] = {}
        if resume is not None:
            self._optimizer.load_state_dict(deepcopy(resume.optimizer))
            # As a run that was not interrupted has them: a file keeps no order of the channels.
            for moments in self._optimizer.state.values():
                for name, tensor in moments.items():
                    if tensor.ndim == 5:
                        moments[name] = tensor.contiguous(memory_format=torch.channels_last_3d)
            self.history = [dict(row) for row in resume.history]
            self._epochs_done, self._best_epoch = resume.epochs_done, resume.best_epoch
            self._best_weights = dict(resume.best_weights)

    @property
    def finished(self) -> bool:
        patience = self._settings.patience
        since_best = self._epochs_done - 1 - (self._best_epoch or 0)
        out_of_patience = patience is not None and since_best >= patience
        return self._epochs_done >= self._planned_epochs or out_of_patience

    @property
    def _planned_epochs(self) -> int:
        return planned_epochs([row["loss"] for row in self.history], self._settings)

    @property
    def chosen_epoch(self) -> int:
        judged = self._settings.patience and self._best_epoch is not None
        return self._best_epoch or 0 if judged else self._epochs_done - 1

    def run_epoch(self, progress: Progress | None) -> dict[str, float]:
        settings = self._settings
        self.network.train()
        epochs = self._planned_epochs
        if self._epochs_done >= round((1 - settings.frozen_statistics) * epochs):
            self.network.freeze_statistics()
        total = epochs * settings.steps_per_epoch
        losses = []
        first = self._epochs_done * settings.steps_per_epoch
        for step in range(first, first + settings.steps_per_epoch):
            losses.append(self._step(step, learning_rate_at(step, total, settings)))
            if progress is not None:
                progress(step + 1, total)
        return {
            "epoch": self._epochs_done,
            "loss": float(np.mean(losses)),
            "learning_rate": learning_rate_at(step, total, settings),
        }

    def close_epoch(self, row: dict[str, float], fingerprint: str) -> TrainingState:
        self.history.append(row)
        weights, network_settings = network_state(self.network)
        if "held_out_loss" in row and row["held_out_loss"] <= min(
            past["held_out_loss"] for past in self.history
        ):
            self._best_epoch, self._best_weights = self._epochs_done, weights
        self._epochs_done += 1
        return TrainingState(
            epochs_done=self._epochs_done,
            weights=weights,
            network_settings=network_settings,
            optimizer=deepcopy(self._optimizer.state_dict()),
            history=[dict(past) for past in self.history],
            best_weights=self._best_weights,
            best_epoch=self._best_epoch,
            fingerprint=fingerprint,
        )

    def chosen_network(self) -> UNet3D:
        weights, network_settings = network_state(self.network)
        if self._settings.patience:
            weights = self._best_weights
        return network_from_state(weights, network_settings)

    def _step(self, step: int, learning_rate: float) -> float:
        rng = np.random.default_rng((self._settings.seed, step))
        windows = [self._sampler.draw(rng) for _ in range(self._settings.batch_size)]
        place = f"step {step}, window around z, y, x = " + ", ".join(
            str(window.voxel) for window in windows
        )
        image, target, mask = self._to_tensors(windows)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        size = min(image.shape[2:]) // self.network.pooling
        precision = trainable_precision(self._settings.precision, self._device, size)
        with autocast(precision, self._device):
            logits = self.network(image)
        loss = masked_cross_entropy(logits.float(), target, mask, class_weights=self._class_weights)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ComputationError(
                "the loss of the training is not finite",
                where=place,
                found=str(value),
                remedy="lower learning_rate, or train in float32",
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        if not bool(torch.isfinite(get_total_norm(self.network.parameters()))):
            raise ComputationError(
                "the weights of the network are not finite after a step of the training",
                where=place,
                found=f"loss {value:.4g}, learning rate {learning_rate:.4g}",
                remedy="lower learning_rate, or train in float32",
            )
        return value

    def _to_tensors(self, windows: list[Window]) -> tuple[Tensor, Tensor, Tensor]:
        pooling = self.network.pooling
        image = np.stack([pad_to_lattice(w.image, pooling, repeat_edge=True) for w in windows])
        target = np.stack([pad_to_lattice(w.target, pooling, repeat_edge=False) for w in windows])
        mask = np.stack([pad_to_lattice(w.mask, pooling, repeat_edge=False) for w in windows])
        return (
            torch.from_numpy(image).to(self._device, memory_format=torch.channels_last_3d),
            torch.from_numpy(target).to(self._device),
            torch.from_numpy(mask).to(self._device),
        )


def _first_network(
    settings: TrainingSettings,
    in_channels: int,
    initial_network: UNet3D | None,
    resume: TrainingState | None,
) -> UNet3D:
    if resume is not None:
        return network_from_state(resume.weights, resume.network_settings)
    if initial_network is not None:
        if initial_network.in_channels != in_channels:
            raise InputError(
                "the initial network reads other channels than the volume has",
                found=f"{initial_network.in_channels} channels",
                expected=f"{in_channels}",
                remedy="choose as many channels in boundary_model.contrast, or start from nothing",
            )
        return network_from_state(*network_state(initial_network))
    # The global generator is borrowed, and given back as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return UNet3D(in_channels, settings.base_width, settings.depth, settings.norm)


def _without_slices(classes: NDArray[np.uint8], held_out: tuple[int, ...]) -> NDArray[np.uint8]:
    annotated = [int(z) for z in np.flatnonzero(classes.any(axis=(1, 2)))]
    for z in held_out:
        if z not in annotated:
            raise SettingsError(
                "a held-out slice is not annotated",
                found=f"slice {z}",
                expected=f"one of {annotated} (0-based)",
            )
    if held_out and set(annotated) <= set(held_out):
        raise SettingsError(
            "all annotated slices are held out, so that none is left to train on",
            found=str(sorted(held_out)),
        )
    rest = classes.copy()
    rest[list(held_out)] = 0
    return rest


def _judge(
    network: UNet3D,
    volume: NDArray[np.float32],
    classes: NDArray[np.uint8],
    held_out: Sequence[int],
    settings: TrainingSettings,
) -> BoundaryScores:
    """Score the held-out slices, predicted as in a pass over the whole volume."""
    prediction = PredictionSettings(
        window_shape=None, precision=settings.precision, device=settings.device
    )
    probability = predict_slices(network, volume, held_out, settings=prediction)
    return boundary_scores(probability, classes[list(held_out)])


def _reported(row: Mapping[str, float]) -> tuple[dict[str, float], int]:
    """Separate an epoch's number from its scores, without those that are undefined."""
    scores = {name: value for name, value in row.items() if name != "epoch"}
    return {name: value for name, value in scores.items() if math.isfinite(value)}, int(
        row["epoch"]
    )


def _held_out_row(scores: BoundaryScores) -> dict[str, float]:
    names = {"log_loss": "held_out_loss"} | {
        name: f"held_out_{name}"
        for name in ("boundary_f1", "boundary_precision", "boundary_recall", "brier_score")
    }
    numbers = scores.numbers()
    return {
        column: math.nan if (value := numbers[name]) is None else float(value)
        for name, column in names.items()
    }


def check_history(table: pd.DataFrame) -> pd.DataFrame:
    """Return the history of a training if it has one finite loss for each epoch.

    Raises
    ------
    InputError
        If a column is missing, an epoch comes twice, or a loss is not finite.
    """
    if missing := {"epoch", "loss"} - set(table.columns):
        raise InputError(
            f"the history of the training lacks {', '.join(sorted(missing))}",
            found=", ".join(map(str, table.columns)) or "nothing",
            remedy="run the pipeline boundary_model again; it was written by another version",
        )
    if not (table["epoch"].is_unique and np.isfinite(table["loss"]).all()):
        raise InputError("a history of training has one finite loss for each epoch")
    return table
