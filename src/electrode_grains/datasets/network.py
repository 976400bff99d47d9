"""The boundary network: weights as safetensors, architecture as JSON, never pickled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    from electrode_grains.boundary import UNet3D

WEIGHTS = "weights.safetensors"
SETTINGS = "settings.json"


class NetworkDataset(AbstractDataset["UNet3D", "UNet3D"]):
    """A trained network in a folder of its own."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> UNet3D:
        """Rebuild the network from its settings and fill in the weights."""
        from safetensors.torch import load_file

        from electrode_grains.boundary import network_from_state

        if not self._exists():
            raise DatasetError(f"no network at {self._path}; run the boundary_model pipeline first")
        settings = json.loads((self._path / SETTINGS).read_text(encoding="utf-8"))
        return network_from_state(load_file(self._path / WEIGHTS), settings)

    def save(self, data: UNet3D) -> None:
        """Write settings and weights, each in one step."""
        from safetensors.torch import save_file

        from electrode_grains.boundary import network_state

        state, settings = network_state(data)
        self._path.mkdir(parents=True, exist_ok=True)
        partial = self._path / f".{WEIGHTS}.part"
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, partial)
        (self._path / SETTINGS).write_text(
            json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        os.replace(partial, self._path / WEIGHTS)

    def _exists(self) -> bool:
        return (self._path / WEIGHTS).exists() and (self._path / SETTINGS).exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
