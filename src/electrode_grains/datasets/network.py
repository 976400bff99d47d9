"""The boundary network: weights as safetensors, architecture as JSON, never pickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from electrode_grains.problems import InputProblem

if TYPE_CHECKING:
    from torch import Tensor

    from electrode_grains.boundary import UNet3D

WEIGHTS = "weights.safetensors"
SETTINGS = "settings.json"
EMBEDDED = Path(__file__).with_name("embedded_network")
"""Network that was trained on virtual particles; see docs/boundary_model.md."""


class NetworkDataset(AbstractDataset["UNet3D", "UNet3D"]):
    """A trained network in a folder of its own."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> UNet3D:
        """Rebuild the network from its settings and fill in the weights."""
        if not self._exists():
            raise DatasetError(f"no network at {self._path}; run the boundary_model pipeline first")
        return read_network(self._path)

    def save(self, data: UNet3D) -> None:
        """Write settings and weights, each in one step."""
        from electrode_grains.boundary import network_state

        write_weights(*network_state(data), self._path)

    def _exists(self) -> bool:
        return (self._path / WEIGHTS).exists() and (self._path / SETTINGS).exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


def read_network(folder: Path) -> UNet3D:
    """Rebuild a network from a folder with weights and settings.

    Raises
    ------
    InputProblem
        If the folder holds no network.
    """
    from electrode_grains.boundary import network_from_state

    if not (folder / WEIGHTS).exists() or not (folder / SETTINGS).exists():
        raise InputProblem(
            "there is no network to start from",
            where=str(folder),
            expected=f"a folder with {WEIGHTS} and {SETTINGS}",
        )
    return network_from_state(*read_weights(folder))


def read_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and settings of a network."""
    from safetensors.torch import load_file

    settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return load_file(folder / WEIGHTS), settings


def write_weights(weights: Mapping[str, Tensor], settings: Mapping[str, Any], folder: Path) -> None:
    """Write weights and settings, each in one step."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{WEIGHTS}.part"
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, partial)
    (folder / SETTINGS).write_text(
        json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    os.replace(partial, folder / WEIGHTS)
