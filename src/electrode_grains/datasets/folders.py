"""Folders with one file per slice: EBSD scans and hand-made annotations."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.ebsd import ReadingOptions, scan_readers, write_scan
from electrode_grains.ebsd.formats import SUFFIXES as SCAN_SUFFIXES
from electrode_grains.ebsd.image_files import opened_image
from electrode_grains.ebsd.images import SUFFIXES as IMAGE_SUFFIXES
from electrode_grains.ebsd.placement import CLASS_COLOURS, check_classes
from electrode_grains.ebsd.points import ScanReader
from electrode_grains.errors import InputError
from electrode_grains.runs.writing import atomic_write

logger = logging.getLogger(__name__)


class _SliceFolder(AtomicDataset[Mapping[str, Any], dict[str, Any]]):
    """A folder that holds one file per slice, keyed by the name without suffix."""

    suffixes: tuple[str, ...]
    remedy: str

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def _files(self) -> list[Path]:
        """Files of the folder with a known suffix in any case, in alphabetical order."""
        return [file for file in _visible(self._path) if file.suffix.lower() in self.suffixes]

    def _found(self) -> dict[str, Path]:
        """Map names without suffix to files.

        Raises
        ------
        InputError
            If the folder holds no such file, or two of one name.
        """
        files = self._files()
        if not files:
            self._refuse_empty(" or ".join(self.suffixes))
        found: dict[str, Path] = {}
        for file in files:
            if file.stem in found:
                raise InputError(
                    f"two files describe slice {file.stem!r}",
                    where=str(self._path.absolute()),
                    found=f"{found[file.stem].name} and {file.name}",
                    remedy="keep one of them",
                )
            found[file.stem] = file
        return found

    def _refuse_empty(self, kinds: str) -> NoReturn:
        raise InputError(
            f"there are no {kinds} files to work on",
            where=str(self._path.absolute()),
            found="an empty folder" if self._path.is_dir() else "no such folder",
            expected="one file per slice, numbered in its name",
            remedy=self.remedy,
        )

    def _replace_all(self, data: Mapping[str, Any], write: Callable[[Any, Path], None]) -> None:
        """Write one file per entry and remove files of an earlier, longer stack."""
        self._path.mkdir(parents=True, exist_ok=True)
        wanted = {f"{name}{self.suffixes[0]}" for name in data}
        for name, value in data.items():
            with atomic_write(self._path / f"{name}{self.suffixes[0]}") as (partial,):
                write(value() if callable(value) else value, partial)
        for file in self._files():
            if file.name not in wanted:
                file.unlink()

    def paths(self) -> tuple[Path, ...]:
        """The files of known kinds, or the folder that should hold them."""
        return tuple(self._files()) or (self._path,)

    def _exists(self) -> bool:
        return bool(self._files())

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "suffixes": self.suffixes}


class ScanFolderDataset(_SliceFolder):
    """EBSD scans: a folder with one file per slice, or one file that holds them all.

    Formats are those of `electrode_grains.ebsd`. Images beside EBSD files are no scans, such
    as an overview; they are passed over, and named in the log.
    """

    suffixes = (".ang",)  # what is written
    remedy = (
        "copy the files that the EBSD software exported there, named like slice_001.ang, "
        "slice_002.ang ...; `make run` shows an example on a virtual particle"
    )

    def load(self) -> dict[str, ScanReader]:
        """Return a reader per slice, which takes `ReadingOptions`.

        What a reader doubts is among the `notes` of its scan; what it refuses, it refuses when
        it is called, so that a stack can tell all problems at once.
        """
        readers: dict[str, ScanReader] = {}
        for file in self._scan_files():
            try:
                found = scan_readers(file)
            except InputError as problem:
                found = {file.stem: ScanReader(partial(_refuse, problem))}
            for name in readers.keys() & found.keys():
                raise InputError(
                    f"two files describe slice {name!r}",
                    where=str(self._path.absolute()),
                    found=f"{file.name} and another file of that name",
                    remedy="keep one of them",
                )
            readers |= found
        return readers

    def save(self, data: Mapping[str, xr.Dataset | Callable[[], xr.Dataset]]) -> None:
        """Write one `.ang` file per slice."""
        self._replace_all(data, write_scan)

    def _exists(self) -> bool:
        return self._path.is_file() or bool(self._known_files())

    def paths(self) -> tuple[Path, ...]:
        """The files of known kinds, or the folder that should hold them."""
        return tuple(self._known_files()) or (self._path,)

    def _known_files(self) -> list[Path]:
        return [file for file in _visible(self._path) if file.suffix.lower() in SCAN_SUFFIXES]

    def _scan_files(self) -> list[Path]:
        """Files of the folder that are scans, all of one kind."""
        if self._path.is_file():
            return [self._path]
        files = self._known_files()
        if not files:
            self._refuse_empty(" or ".join(SCAN_SUFFIXES))
        scans = [file for file in files if file.suffix.lower() not in IMAGE_SUFFIXES] or files
        kinds = Counter(file.suffix.lower() for file in scans)
        if len(kinds) > 1 and scans is not files:
            raise InputError(
                "a folder holds EBSD files of several kinds",
                where=str(self._path.absolute()),
                found=", ".join(f"{count} {suffix}" for suffix, count in kinds.items()),
                expected="one kind",
                remedy="keep the slices of one export there",
            )
        others = [file.name for file in _visible(self._path) if file not in scans]
        if others:
            logger.info("%d files beside the scans are no scans: %s", len(others), _few(others))
        return scans


def _visible(folder: Path) -> list[Path]:
    """Files of a folder in alphabetical order, but for hidden ones; none if it is missing."""
    if not folder.is_dir():
        return []
    return sorted(f for f in folder.iterdir() if f.is_file() and not f.name.startswith("."))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _refuse(problem: InputError, _: ReadingOptions) -> xr.Dataset:
    """Stand in for the reader of a file that cannot be read."""
    raise problem


class AnnotationFolderDataset(_SliceFolder):
    """Annotated slices, one image per slice, with the class of each point as grey value."""

    suffixes = (".png", ".tif", ".tiff")
    remedy = (
        "electrode-grains annotate proposes slices and exports them to be painted with 1 = grain "
        "boundary, 2 = grain interior, 3 = background, 0 = not annotated, as 8-bit PNG with the "
        "number of the scan in the name (slice_025.png for slice_025.ang); without labels, derive "
        "them from the orientations: kedro run --pipelines orientation_annotation"
    )

    def load(self) -> dict[str, NDArray[np.uint8]]:
        """Read the classes of all annotated slices."""
        return {name: read() for name, read in self.readers().items()}

    def readers(self) -> dict[str, Callable[[], NDArray[np.uint8]]]:
        """Return a function per slice that reads its classes."""
        return {name: partial(_read_classes, file) for name, file in self._found().items()}

    def save(self, data: Mapping[str, NDArray[np.uint8]]) -> None:
        """Write one palette image per slice, whose indices are the classes."""
        self._replace_all(data, _write_classes)


PALETTE = tuple(value for colour in CLASS_COLOURS for value in colour)


def _read_classes(file: Path) -> NDArray[np.uint8]:
    with opened_image(file) as image:
        if image.mode not in ("L", "P", "1", "I;16", "I"):
            raise InputError(
                "an annotation image must hold one class number per point",
                where=str(file),
                found=f"colour mode {image.mode}",
                expected="8-bit grey or palette image",
                remedy="save the labels as 8-bit indexed or grey PNG",
            )
        classes = np.asarray(image)
    check_classes(str(file), classes)
    return classes.astype(np.uint8)


def _write_classes(classes: NDArray[np.uint8], file: Path) -> None:
    image = Image.fromarray(classes.astype(np.uint8), mode="P")
    image.putpalette(PALETTE)
    image.save(file, format="PNG")
