"""States of a training: enough to go on from, and the digest of what it depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from electrode_grains.boundary.network import UNet3D, network_state
from electrode_grains.boundary.settings import TrainingSettings
from electrode_grains.boundary.starting import initial_network as initial_network_of
from electrode_grains.boundary.symmetries import Triple
from electrode_grains.boundary.windows import measured_classes


@dataclass
class TrainingState:
    """Where a training stands after an epoch: enough to go on as if it had not been interrupted.

    Every step draws from a generator seeded by (seed, step), so that no state of a
    generator needs to be kept.

    Attributes
    ----------
    epochs_done : int
        Number of epochs completed.
    weights : dict of Tensor
        Of the network, running statistics included.
    network_settings : dict
        Arguments of `UNet3D`.
    optimizer : dict
        State of the optimizer.
    history : list of dict
        A row for each epoch.
    best_weights : dict of Tensor
        Weights after the epoch with the lowest loss on held-out slices.
    best_epoch : int, optional
        That epoch, counted from 0; None before any was judged.
    fingerprint : str
        `training_fingerprint` of data and settings, which must be the same to go on.
    """

    epochs_done: int
    weights: dict[str, Tensor]
    network_settings: dict[str, Any]
    optimizer: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int | None = None
    fingerprint: str = ""


@dataclass
class TrainingStates:
    """Where states of one training are kept; this one keeps the latest, in memory.

    Attributes
    ----------
    fingerprint : str
        `training_fingerprint` of the training that the states belong to.
    """

    fingerprint: str
    kept: list[TrainingState] = field(default_factory=list)
    parts: dict[str, TrainingStates] = field(default_factory=dict, compare=False)

    def latest(self) -> TrainingState | None:
        """State to go on from, None where the training starts from the beginning."""
        return self.kept[-1] if self.kept else None

    def save(self, state: TrainingState) -> None:
        """Keep a state instead of the one before."""
        self.kept[:] = [state]

    def clear(self) -> None:
        """Forget all states, once the training is done."""
        self.kept.clear()

    def part(self, name: str, fingerprint: str) -> TrainingStates:
        """States of another training that belongs to this one, such as a fold."""
        kept = self.parts.get(name)
        if kept is None or kept.fingerprint != fingerprint:
            self.parts[name] = kept = TrainingStates(fingerprint)
        return kept

    def clear_parts(self) -> None:
        """Forget all states of trainings that belong to this one."""
        self.parts.clear()


def training_fingerprint(
    contrast: NDArray[np.float32],
    annotation: NDArray[np.integer],
    settings: TrainingSettings,
    *,
    held_out_slices: Sequence[int] = (),
    spacing: Triple = (1.0, 1.0, 1.0),
    initial_network: UNet3D | None = None,
) -> str:
    """Digest of all that a training depends on.

    Parameters
    ----------
    contrast, annotation, settings, held_out_slices, spacing, initial_network
        As in `train_boundary_network`.

    Returns
    -------
    str
        Hexadecimal; trainings of the same digest give the same network.

    Examples
    --------
    >>> volume, classes = np.zeros((2, 3, 3), np.float32), np.ones((2, 3, 3), np.uint8)
    >>> first, second = (TrainingSettings(seed=seed) for seed in (0, 1))
    >>> digests = {training_fingerprint(volume, classes, chosen) for chosen in (first, second)}
    >>> len(digests)
    2
    """
    volume, classes = measured_classes(contrast, annotation)
    network = initial_network or initial_network_of(settings, len(volume))
    weights, start = ({}, None) if network is None else network_state(network)
    recipe = settings.model_dump(), tuple(held_out_slices), spacing, volume.shape, start
    digest = hashlib.sha256(repr(recipe).encode())
    for array in (volume, classes, *(weights[name].numpy() for name in sorted(weights))):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
