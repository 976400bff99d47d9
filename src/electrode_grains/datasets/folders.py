"""Folders with one file per slice: EBSD scans and hand-made annotations."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from kedro.io import AbstractDataset
from numpy.typing import NDArray
from PIL import Image

from electrode_grains.ebsd import read_scan, write_scan
from electrode_grains.problems import InputProblem


class _SliceFolder(AbstractDataset[Mapping[str, Any], dict[str, Any]]):
    """A folder that holds one file per slice, keyed by the name without suffix."""

    suffixes: tuple[str, ...]
    remedy: str

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def _files(self) -> list[Path]:
        """Files of the folder with a known suffix in any case, in alphabetical order."""
        if not self._path.is_dir():
            return []
        return sorted(
            file
            for file in self._path.iterdir()
            if file.suffix.lower() in self.suffixes and not file.name.startswith(".")
        )

    def _found(self) -> dict[str, Path]:
        """Map names without suffix to files.

        Raises
        ------
        InputProblem
            If the folder holds no such file, or two of one name.
        """
        files = self._files()
        kinds = " or ".join(self.suffixes)
        if not files:
            raise InputProblem(
                f"there are no {kinds} files to work on",
                where=str(self._path.absolute()),
                found="an empty folder" if self._path.is_dir() else "no such folder",
                expected=f"one {kinds} file per slice, numbered in its name",
                remedy=self.remedy,
            )
        found: dict[str, Path] = {}
        for file in files:
            if file.stem in found:
                raise InputProblem(
                    f"two files describe slice {file.stem!r}",
                    where=str(self._path.absolute()),
                    found=f"{found[file.stem].name} and {file.name}",
                    remedy="keep one of them",
                )
            found[file.stem] = file
        return found

    def _replace_all(self, data: Mapping[str, Any], write: Callable[[Any, Path], None]) -> None:
        """Write one file per entry and remove files of an earlier, longer stack."""
        self._path.mkdir(parents=True, exist_ok=True)
        wanted = {f"{name}{self.suffixes[0]}" for name in data}
        for name, value in data.items():
            write(value() if callable(value) else value, self._path / f"{name}{self.suffixes[0]}")
        for file in self._files():
            if file.name not in wanted:
                file.unlink()

    def _exists(self) -> bool:
        return bool(self._files())

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "suffixes": self.suffixes}


class ScanFolderDataset(_SliceFolder):
    """EBSD scans, one `.ang` file per slice; each is read when it is called for."""

    suffixes = (".ang",)
    remedy = (
        "copy the .ang files that the EBSD software exported there, named like slice_001.ang, "
        "slice_002.ang ...; `make run` shows an example on a virtual particle"
    )

    def load(self) -> dict[str, Callable[[], xr.Dataset]]:
        """Return a reader per slice; what it doubts is among the `notes` of the scan."""
        return {name: partial(_read_quietly, file) for name, file in self._found().items()}

    def save(self, data: Mapping[str, xr.Dataset | Callable[[], xr.Dataset]]) -> None:
        """Write one scan per slice."""
        self._replace_all(data, write_scan)


def _read_quietly(file: Path) -> xr.Dataset:
    """Read a scan without a warning of its own: a stack tells the notes of all scans once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return read_scan(file)


class AnnotationFolderDataset(_SliceFolder):
    """Annotated slices, one image per slice, with the class of each point as grey value."""

    suffixes = (".png", ".tif", ".tiff")
    remedy = (
        "paint a few slices with 1 = grain boundary, 2 = grain interior, 3 = background, "
        "0 = not annotated, and save each as an 8-bit PNG with the number of its scan in the "
        "name (slice_025.png for slice_025.ang); without labels, derive them from the "
        "orientations: kedro run --pipelines orientation_annotation"
    )

    def load(self) -> dict[str, NDArray[np.uint8]]:
        """Read the classes of all annotated slices."""
        return {name: _read_classes(file) for name, file in self._found().items()}

    def save(self, data: Mapping[str, NDArray[np.uint8]]) -> None:
        """Write one palette image per slice, whose indices are the classes."""
        self._replace_all(data, _write_classes)


# Not annotated, boundary, interior, background: distinguishable without red-green sight.
PALETTE = (0, 0, 0, 230, 159, 0, 86, 180, 233, 90, 90, 90)


def _read_classes(file: Path) -> NDArray[np.uint8]:
    with Image.open(file) as image:
        if image.mode not in ("L", "P", "1", "I;16", "I"):
            raise InputProblem(
                "an annotation image must hold one class number per point",
                where=str(file),
                found=f"colour mode {image.mode}",
                expected="8-bit grey or palette image",
                remedy="save the labels as 8-bit indexed or grey PNG",
            )
        classes = np.asarray(image)
    values, counts = np.unique(classes, return_counts=True)
    unknown = values > 3
    if unknown.any():
        listed = ", ".join(
            f"{value} ({count} points)"
            for value, count in zip(values[unknown][:8], counts[unknown][:8], strict=True)
        )
        raise InputProblem(
            "an annotation image holds unknown classes",
            where=str(file),
            found=listed,
            expected="0 not annotated, 1 boundary, 2 interior, 3 background",
            remedy="switch off antialiasing in the drawing program and save without smoothing",
        )
    return classes.astype(np.uint8)


def _write_classes(classes: NDArray[np.uint8], file: Path) -> None:
    image = Image.fromarray(classes.astype(np.uint8), mode="P")
    image.putpalette(PALETTE)
    partial = file.with_name(f".{file.name}.part")
    image.save(partial, format="PNG")
    os.replace(partial, file)
