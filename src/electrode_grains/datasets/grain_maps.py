"""A grain map that another program made, as raw data."""

from __future__ import annotations

from pathlib import Path

from kedro.io import DatasetError

from electrode_grains.datasets.atomic import FileDataset
from electrode_grains.grain_maps import GrainMap, read_grain_map


class GrainMapDataset(FileDataset[None, GrainMap]):
    """A grain map in any of the formats of `electrode_grains.grain_maps`, read only."""

    kind = "grain map"

    def _read(self, path: Path) -> GrainMap:
        return read_grain_map(path)

    def save(self, data: None) -> None:
        """Refuse: another program writes this file."""
        raise DatasetError("a grain map is raw data, which no run writes")

    def _write(self, data: None, *paths: Path) -> None:
        """Never called."""
