"""The boundary network: weights as safetensors, architecture as JSON, never pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.datasets.results import read_json
from electrode_grains.errors import InputError
from electrode_grains.runs.writing import atomic_write

if TYPE_CHECKING:
    from torch import Tensor

    from electrode_grains.boundary import UNet3D

WEIGHTS = "weights.safetensors"
SETTINGS = "settings.json"


class NetworkDataset(AtomicDataset["UNet3D", "UNet3D"]):
    """A trained network in a folder of its own."""

    kind = "network"

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> UNet3D:
        """Rebuild the network from its settings and fill in the weights."""
        self._refuse_missing()
        return read_network(self._path)

    def save(self, data: UNet3D) -> None:
        """Write settings and weights in one step."""
        from electrode_grains.boundary import network_state

        with atomic_write(self._path) as (partial,):
            write_weights(*network_state(data), partial)

    def paths(self) -> tuple[Path, ...]:
        """The folder."""
        return (self._path,)

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


def read_network(folder: Path) -> UNet3D:
    """Rebuild a network from a folder with weights and settings.

    Raises
    ------
    InputError
        If the folder holds no network.
    """
    from electrode_grains.boundary import network_from_state

    if not (folder / WEIGHTS).exists() or not (folder / SETTINGS).exists():
        raise InputError(
            "there is no network to start from",
            where=str(folder),
            expected=f"a folder with {WEIGHTS} and {SETTINGS}",
        )
    return network_from_state(*read_weights(folder))


def read_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and settings of a network."""
    settings = read_json(folder / SETTINGS)
    return read_tensors(folder / WEIGHTS), settings


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file of tensors, which holds numbers and names and can run nothing.

    Raises
    ------
    InputError
        If the file is missing, cut off or damaged in its header.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise InputError(
            "the file of weights cannot be read",
            where=str(path),
            found=str(error),
            remedy="train the network again",
        ) from None


def write_weights(weights: Mapping[str, Tensor], settings: Mapping[str, Any], folder: Path) -> None:
    """Write weights and settings into a folder of their own."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    (folder / SETTINGS).write_text(
        json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
