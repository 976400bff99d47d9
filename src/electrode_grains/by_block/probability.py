"""From contrast on disk and a trained network to class probabilities on disk, window by window."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import Box, ExecutorSettings
from electrode_grains.blocks.boxes import inside
from electrode_grains.boundary.settings import PredictionSettings
from electrode_grains.by_block.volumes import (
    StoredChannels,
    digested,
    keeping,
    open_channels,
    write_volume,
)
from electrode_grains.classes import BACKGROUND_CHANNEL, CHANNEL_NAMES
from electrode_grains.datasets.network import SETTINGS, WEIGHTS, read_network
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.executors import open_executor

if TYPE_CHECKING:
    from electrode_grains.boundary import UNet3D

PROBABILITY = "class_probability_volume.ome.zarr"
LIBRARIES = ("numpy", "torch")


@dataclass(frozen=True)
class ProbabilityByBlock:
    """What was predicted, and how much of it had to be computed.

    Attributes
    ----------
    probability : Path
        OME-Zarr volume of boundary, interior, background.
    digest : str
        SHA-256 of the digests of its windows.
    windows : int
    computed, kept : int
        Tasks that were computed, and those whose results were at hand.
    """

    probability: Path
    digest: str
    windows: int
    computed: int
    kept: int


@dataclass(frozen=True)
class StoredNetwork:
    """A network on disk, and the digest of its files."""

    folder: str
    content: str


def predict_by_block(
    contrast: Path,
    network: Path,
    folder: Path,
    *,
    compute: ExecutorSettings | None = None,
    prediction: PredictionSettings | None = None,
) -> ProbabilityByBlock:
    """Apply a network to a volume on disk, with the bytes of `predict_class_probabilities`.

    Parameters
    ----------
    contrast : Path
        OME-Zarr volume (channel, z, y, x), as the pipeline keeps it.
    network : Path
        Folder of weights and settings, as the pipeline keeps it.
    folder : Path
        Gets `class_probability_volume.ome.zarr`; and, in `kept`, what a second call goes on with
        and what may be deleted. All workers must see it.
    compute : ExecutorSettings, optional
        Who computes. The windows are those of `prediction`, not its blocks.
    prediction : PredictionSettings, optional
        As in core, without averages over symmetries.

    Returns
    -------
    ProbabilityByBlock

    Raises
    ------
    InputError
        If a volume or a network is none, or they differ in their channels.
    SettingsError
        If symmetries are averaged, or a window is empty.
    ComputationError
        If the network returns values that are not finite.
    RunError
        If the scheduler cannot be reached, or workers were lost.

    Notes
    -----
    Each window is that of a prediction in core: it starts on the pooling lattice and reads the
    receptive radius around what it predicts. Rounding depends on the shape of windows and on the
    number of threads; the bytes are the same where these and the kind of processor are.
    """
    from electrode_grains import boundary  # torch takes seconds to load
    from electrode_grains.boundary.compute import limited_threads
    from electrode_grains.boundary.division import largest_window

    compute, prediction = compute or ExecutorSettings(), prediction or PredictionSettings()
    if prediction.test_time_augmentation:
        raise SettingsError(
            "averages over symmetries are not computed by block",
            where="boundary_model.prediction.test_time_augmentation",
            found=str(prediction.test_time_augmentation),
            expected="false",
        )
    with limited_threads(prediction.threads) as threads:
        prediction = prediction.replace(threads=threads)  # on workers too
    folder, stored = folder.absolute(), _stored_network(network.absolute())
    trained = _network(stored)
    source, described = open_channels(contrast, "contrast")
    if len(described.channels) != trained.in_channels:
        raise InputError(
            "contrast and network differ in their channels",
            where=str(contrast),
            found=", ".join(described.channels),
            expected=f"{trained.in_channels} channels",
        )
    windows = boundary.plan_windows(
        trained,
        source.shape,
        window_shape=prediction.window_shape,
        largest=largest_window(trained, prediction.device),
    )
    if trained.depends_on_window and len(windows) > 1:
        warnings.warn(
            "group normalisation depends on the window: probabilities change by about 0.01 "
            f"with the division into {len(windows)} windows",
            stacklevel=2,
        )
    first = windows[0][1]
    core = (first[0].stop, first[1].stop, first[2].stop)
    with open_executor(compute) as executor:
        kept = keeping(executor, folder, LIBRARIES)
        source = digested(source, executor, compute.block_edge)
        tasks = [
            (predicted, (source, stored, prediction, read, predicted))
            for read, predicted in windows
        ]
        digest = write_volume(
            kept, folder / PROBABILITY, source.shape, np.float32, core, described.spacing,
            predict_window, tasks, channels=CHANNEL_NAMES,
        )  # fmt: skip
    return ProbabilityByBlock(folder / PROBABILITY, digest, len(windows), kept.computed, kept.kept)


def predict_window(
    contrast: StoredChannels,
    network: StoredNetwork,
    settings: PredictionSettings,
    read: Box,
    predicted: Box,
) -> NDArray[np.float32]:
    """Class probabilities of a window, shape (3, z, y, x); background where nothing is measured."""
    from electrode_grains import boundary
    from electrode_grains.boundary.windows import measured_part

    volume, measured = measured_part(contrast[read])
    inner = inside(predicted, read)
    sides = [side.stop - side.start for side in predicted]
    result = np.zeros((len(CHANNEL_NAMES), *sides), np.float32)
    blocks = boundary.predict_blocks(
        _network(network),
        volume,
        [(inside(read, read), inner)],
        precision=settings.precision,
        device=settings.device,
        threads=settings.threads,
    )
    for box, block in blocks:  # several where the window did not fit into memory
        result[:, *inside(box, inner)] = block
    if measured is not None:
        nothing = ~measured[inner]
        result[:, nothing] = 0
        result[BACKGROUND_CHANNEL, nothing] = 1
    return result


@lru_cache(maxsize=1)
def _network(stored: StoredNetwork) -> UNet3D:
    return read_network(Path(stored.folder))


def _stored_network(folder: Path) -> StoredNetwork:
    total = hashlib.sha256()
    for name in (WEIGHTS, SETTINGS):
        try:
            total.update((folder / name).read_bytes())
        except OSError:
            total.update(b"missing")  # which reading it tells
    return StoredNetwork(str(folder), total.hexdigest())
