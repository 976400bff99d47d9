"""Folders with particles in the formats of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.exports import FORMATS, ExportedParticle, write_exports
from electrode_grains.runs.writing import atomic_write


class ExportFolderDataset(AtomicDataset[ExportedParticle, dict[str, Path]]):
    """Writes a particle; loads the paths of what was written.

    Parameters
    ----------
    path : str
        Folder.
    formats : sequence of str
        Names out of `electrode_grains.exports.FORMATS`.
    smoothing_steps : int
        Of surfaces.
    cohesive : bool
        Whether tetrahedra get elements without thickness between grains.
    metadata : dict, optional
        For Kedro-Viz.
    """

    def __init__(
        self,
        *,
        path: str,
        formats: Sequence[str],
        smoothing_steps: int = 10,
        cohesive: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path, self._formats = Path(path), tuple(formats)
        self._smoothing_steps, self._cohesive = smoothing_steps, cohesive
        self.metadata = metadata

    def load(self) -> dict[str, Path]:
        """Return the files and folders that are there, by format."""
        paths = {name: self._path / file for name, (_, file) in FORMATS.items()}
        return {name: path for name, path in paths.items() if path.exists()}

    def save(self, data: ExportedParticle) -> None:
        """Write all formats, each in one step."""
        write_exports(data, self._path, self._formats, self._smoothing_steps, self._cohesive)

    def paths(self) -> tuple[Path, ...]:
        """The file or folder of each format."""
        return tuple(self._path / FORMATS[name][1] for name in self._formats)

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "formats": self._formats}


class ExportFoldersDataset(AtomicDataset[dict[str, ExportedParticle], dict[str, Path]]):
    """Writes several particles, each into a folder of its name; loads the paths of the folders.

    Parameters
    ----------
    path : str
        Folder of all, which is replaced whole.
    formats, smoothing_steps, metadata
        As for `ExportFolderDataset`.
    """

    kind = "folder"

    def __init__(
        self,
        *,
        path: str,
        formats: Sequence[str],
        smoothing_steps: int = 10,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path, self._formats = Path(path), tuple(formats)
        self._smoothing_steps = smoothing_steps
        self.metadata = metadata

    def load(self) -> dict[str, Path]:
        """Return the folder of each particle."""
        self._refuse_missing()
        return {folder.name: folder for folder in sorted(self._path.iterdir())}

    def save(self, data: dict[str, ExportedParticle]) -> None:
        """Write all particles in one step."""
        with atomic_write(self._path) as (partial,):
            for name, particle in data.items():
                write_exports(particle, partial / name, self._formats, self._smoothing_steps)

    def paths(self) -> tuple[Path, ...]:
        """The folder of all."""
        return (self._path,)

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "formats": self._formats}
