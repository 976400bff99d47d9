"""What all datasets share: they know their files, and replace them whole."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from kedro.io import AbstractDataset

from electrode_grains.errors import InputError
from electrode_grains.runs.writing import atomic_write

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class AtomicDataset(AbstractDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A dataset that tells which files and folders it consists of, and replaces them whole."""

    kind: ClassVar[str] = "file"  # what it is called where it is missing

    @abstractmethod
    def paths(self) -> tuple[Path, ...]:
        """Files and folders whose bytes are the dataset, the one that names it first."""

    def _exists(self) -> bool:
        return all(path.exists() for path in self.paths())

    def _refuse_missing(self) -> None:
        """Refuse to load what no run has made.

        Raises
        ------
        InputError
            If a file or folder of the dataset is missing.
        """
        for path in self.paths():
            if not path.exists():
                raise InputError(
                    f"there is no {self.kind}",
                    where=str(path),
                    remedy="run the pipeline that makes it first",
                )


class FileDataset(AtomicDataset[Saved, Loaded]):
    """One file (or folder), or several that differ in the suffix and are replaced together.

    Parameters
    ----------
    filepath : str
        The file; without suffix where there are several.
    metadata : dict, optional
        For Kedro-Viz.
    """

    suffixes: ClassVar[tuple[str, ...]] = ("",)

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Loaded:
        """Read what a run has made.

        Raises
        ------
        InputError
            If it is missing, damaged, or something else.
        """
        self._refuse_missing()
        return self._read(self.paths()[0])

    def save(self, data: Saved) -> None:
        """Write in one step."""
        with atomic_write(*self.paths()) as partials:
            self._write(data, *partials)

    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(Path(f"{self._filepath}{suffix}") for suffix in self.suffixes)

    @abstractmethod
    def _read(self, path: Path) -> Loaded:
        """Read the first file."""

    @abstractmethod
    def _write(self, data: Saved, *paths: Path) -> None:
        """Write all files."""

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.paths()[0])}
