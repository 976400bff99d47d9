"""What all datasets share: they know their files, and replace them whole."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

from kedro.io import AbstractDataset

from electrode_grains.errors import InputError

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class AtomicDataset(AbstractDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A dataset that tells which files and folders it consists of, and replaces them whole."""

    @abstractmethod
    def paths(self) -> tuple[Path, ...]:
        """Files and folders whose bytes are the dataset, the one that names it first."""

    def _exists(self) -> bool:
        return all(path.exists() for path in self.paths())

    def _refuse_missing(self, kind: str) -> None:
        """Refuse to load what no run has made.

        Raises
        ------
        InputError
            If a file or folder of the dataset is missing.
        """
        for path in self.paths():
            if not path.exists():
                raise InputError(
                    f"there is no {kind}",
                    where=str(path),
                    remedy="run the pipeline that makes it first",
                )
