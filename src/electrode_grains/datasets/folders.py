"""Folders with one file per slice: EBSD scans and hand-made annotations."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from electrode_grains.classes import LABEL_COLOURS
from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.ebsd import ReadingOptions, scan_readers, write_scan
from electrode_grains.ebsd.formats import SUFFIXES as SCAN_SUFFIXES
from electrode_grains.ebsd.formats import companions, export_instead
from electrode_grains.ebsd.image_files import opened_image
from electrode_grains.ebsd.images import SUFFIXES as IMAGE_SUFFIXES
from electrode_grains.ebsd.placement import check_classes
from electrode_grains.ebsd.points import ScanReader
from electrode_grains.ebsd.tiff import ORIENTATION, UPRIGHT
from electrode_grains.errors import InputError
from electrode_grains.runs import Manifest, file_digests
from electrode_grains.runs.manifest import FOLDER
from electrode_grains.runs.writing import atomic_write

logger = logging.getLogger(__name__)


class _SliceFolder(AtomicDataset[Mapping[str, Any], dict[str, Any]]):
    """A folder that holds one file per slice, keyed by the name without suffix.

    Parameters
    ----------
    path : str
        The folder.
    optional : bool
        Whether an empty or missing folder loads as nothing instead of being an error.
    metadata : dict, optional
        For Kedro-Viz.
    """

    suffixes: tuple[str, ...]  # of the files that count, in lower case
    written_suffix: str
    remedy: str

    def __init__(
        self, *, path: str, optional: bool = False, metadata: dict[str, Any] | None = None
    ) -> None:
        self._path = Path(path)
        self._optional = optional
        self.metadata = metadata

    def files(self) -> list[Path]:
        """Files of the folder with a known suffix in any case, in alphabetical order."""
        return [file for file in _visible(self._path) if file.suffix.lower() in self.suffixes]

    def _refuse_empty(self) -> NoReturn:
        raise InputError(
            f"there are no {' or '.join(self.suffixes)} files to work on",
            where=str(self._path.absolute()),
            found=self._describe_folder(),
            expected="one file per slice, numbered in its name",
            remedy=export_instead(other.name for other in _visible(self._path)) or self.remedy,
        )

    def _describe_folder(self) -> str:
        if not self._path.is_dir():
            return "no such folder"
        others = [other.name for other in _visible(self._path)]
        if others:
            return f"{len(others)} files of other kinds: {_few(others)}"
        folders = [other.name for other in self._path.iterdir() if other.is_dir()]
        visible = sorted(name for name in folders if not name.startswith("."))
        return f"only folders: {_few(visible)}" if visible else "an empty folder"

    def _write_all(self, data: Mapping[str, Any], write: Callable[[Any, Path], None]) -> None:
        """Write one file per entry beside the folder, then take its place.

        What else lies in the folder comes along, such as notes.

        Raises
        ------
        InputError
            If a slice there was not written by a run of this project: it would be lost.
        """
        with atomic_write(self._path) as (partial,):
            partial.mkdir()
            for name, value in data.items():
                file = partial / f"{name}{self.written_suffix}"
                write(value() if callable(value) else value, file)
            self._refuse_unrecorded(partial)
            slices = set(self.files())
            for other in self._path.iterdir() if self._path.is_dir() else ():
                if other.is_dir():
                    shutil.copytree(other, partial / other.name, symlinks=True)
                elif other not in slices:
                    shutil.copy2(other, partial / other.name, follow_symlinks=False)

    def _refuse_unrecorded(self, partial: Path) -> None:
        """Refuse to replace slices that no manifest records, and that the new ones do not equal."""
        manifests = map(Manifest.read, (self._path / FOLDER).glob("*.json"))
        recorded = {
            (name, digest)
            for manifest in manifests
            if manifest is not None and manifest.recipe is not None
            for name, digest in manifest.files.items()
        }
        new = file_digests(partial.iterdir())
        unrecorded = [
            name
            for name, digest in file_digests(self.files()).items()
            if (name, digest) not in recorded and new.get(name) != digest
        ]
        if self._path.is_file() or unrecorded:
            raise InputError(
                "files that no run of this project wrote would be replaced",
                where=str(self._path.absolute()),
                found=_few(unrecorded) if unrecorded else "a file",
                expected="an empty folder, or slices that a run wrote",
                remedy="move them to another folder, or name another one in globals.yml",
            )

    def paths(self) -> tuple[Path, ...]:
        """The files of known kinds, or the folder that should hold them."""
        return tuple(self.files()) or (self._path,)

    def _exists(self) -> bool:
        return bool(self.files())

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "suffixes": self.suffixes}


class ScanFolderDataset(_SliceFolder):
    """EBSD scans: a folder with one file per slice, or one file that holds them all.

    Formats are those of `electrode_grains.ebsd`. Images beside EBSD files are no scans, such
    as an overview; they are passed over, and named in the log.
    """

    suffixes = tuple(SCAN_SUFFIXES)
    written_suffix = ".ang"
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
        self._write_all(data, write_scan)

    def paths(self) -> tuple[Path, ...]:
        """The files of known kinds with what belongs to them, or else the folder."""
        files = self.files()
        beside = [other for file in files for other in companions(file)]
        return (*files, *beside) or (self._path,)

    def _exists(self) -> bool:
        return self._path.is_file() or super()._exists()

    def _scan_files(self) -> list[Path]:
        """Files of the folder that are scans, all of one kind."""
        if self._path.is_file():
            return [self._path]
        files = self.files()
        if not files:
            self._refuse_empty()
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
    written_suffix = ".png"
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
        files = self.files()
        if not files and not self._optional:
            self._refuse_empty()
        return readers_of_images(files, read_classes)

    def save(self, data: Mapping[str, NDArray[np.uint8]]) -> None:
        """Write one palette image per slice, whose indices are the classes."""
        self._write_all(data, write_classes)


PALETTE = tuple(value for colour in LABEL_COLOURS for value in colour)
FORMATS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}


def readers_of_images(
    files: Iterable[Path], read: Callable[[Path], NDArray[np.uint8]]
) -> dict[str, Callable[[], NDArray[np.uint8]]]:
    """Map names without suffix to functions that read the labels; equal copies count once."""
    by_name: dict[str, list[Path]] = {}
    for file in files:
        by_name.setdefault(file.stem, []).append(file)
    return {name: partial(_read_equal, copies, read) for name, copies in by_name.items()}


def _read_equal(
    files: Sequence[Path], read: Callable[[Path], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Labels that all files of one slice hold.

    Raises
    ------
    InputError
        If they differ.
    """
    first, *others = [read(file) for file in files]
    for file, other in zip(files[1:], others, strict=True):
        if not np.array_equal(first, other):
            raise InputError(
                f"two files hold different labels of slice {file.stem!r}",
                where=str(file.parent.absolute()),
                found=f"{files[0].name} and {file.name}",
                remedy="keep the one that is right, and move the other one out of the folder",
            )
    return first


@contextmanager
def opened_labels(file: Path) -> Iterator[Image.Image]:
    """Lend an image of labels that says what it shows: upright, and packed without loss.

    Raises
    ------
    InputError
        If the image cannot be read, is turned by a tag, or is no PNG or TIFF.
    """
    with opened_image(file) as image:
        if image.format not in FORMATS.values():
            raise InputError(
                "an annotation image has another format than its name says",
                where=str(file),
                found=str(image.format),
                expected="PNG or TIFF, which keep every class as it was painted",
                remedy="save it as PNG from the program in which it was painted",
            )
        if (turned := image.getexif().get(ORIENTATION, UPRIGHT)) != UPRIGHT:
            raise InputError(
                "an annotation image is to be shown turned or mirrored, says a tag in it",
                where=str(file),
                found=f"orientation {turned}",
                expected=f"orientation {UPRIGHT} or none: points as they lie in the scan",
                remedy="save it as PNG without metadata (EXIF), and look that it fits its scan",
            )
        yield image


def read_classes(file: Path) -> NDArray[np.uint8]:
    """Read the labels of an image that holds a class number per point."""
    with opened_labels(file) as image:
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


def write_classes(classes: NDArray[np.uint8], file: Path, suffix: str = ".png") -> None:
    """Write labels as a palette image, PNG or TIFF by the suffix."""
    image = Image.fromarray(classes.astype(np.uint8), mode="P")
    image.putpalette(PALETTE)
    image.save(file, format=FORMATS[suffix.lower()])
