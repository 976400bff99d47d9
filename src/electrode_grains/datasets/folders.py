"""Folders with one file per slice: EBSD scans and hand-made annotations."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.datasets.label_images import read_classes, readers_of_images, write_classes
from electrode_grains.ebsd import ReadingOptions, scan_readers, write_scan
from electrode_grains.ebsd.depths import TABLE as DEPTHS
from electrode_grains.ebsd.depths import depth_of, read_depths
from electrode_grains.ebsd.formats import SUFFIXES as SCAN_SUFFIXES
from electrode_grains.ebsd.formats import companions, export_instead
from electrode_grains.ebsd.images import SUFFIXES as IMAGE_SUFFIXES
from electrode_grains.ebsd.points import ScanReader
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
    as an overview; they are passed over, and named in the log. A folder without scans may hold
    folders with one scan each. A table `depths.csv` beside the scans says where they lie.
    """

    suffixes = tuple(SCAN_SUFFIXES)
    written_suffix = ".ang"
    remedy = (
        "copy the files that the EBSD software exported there, named like slice_001.ang, "
        "slice_002.ang ...; electrode-grains demo DIR makes an example"
    )

    def load(self) -> dict[str, ScanReader]:
        """Return a reader per slice, which takes `ReadingOptions`.

        What a reader doubts is among the `notes` of its scan; what it refuses, it refuses when
        it is called, so that a stack can tell all problems at once.
        """
        readers: dict[str, ScanReader] = {}
        nested = self._nested()
        for file in self._scan_files():
            try:
                found = scan_readers(file)
            except InputError as problem:
                found = {file.stem: ScanReader(partial(_refuse, problem))}
            if nested and len(found) == 1:
                (reader,) = found.values()
                name = self._name_of(file, nested)
                found = {name: ScanReader(partial(_in_folder, reader, file, name))}
            for name in readers.keys() & found.keys():
                raise InputError(
                    f"two files describe slice {name!r}",
                    where=str(self._path.absolute()),
                    found=f"{file.name} and another file of that name",
                    remedy="keep one of them",
                )
            readers |= found
        return self._with_depths(readers)

    def _with_depths(self, readers: dict[str, ScanReader]) -> dict[str, ScanReader]:
        """Readers that know where their slices lie, if a table says it."""
        table = self._depth_table()
        if not table.is_file():
            return readers
        depths = read_depths(table)
        logger.info("depths of slices from %s", table.name)
        known = {name: depth_of(name, depths) for name in readers}
        unknown = [name for name, depth in known.items() if depth is None]
        if unknown:
            raise InputError(
                "slices without a depth",
                where=str(table),
                found=f"no row for {_few(unknown)}",
                expected="a row for every slice, with its name or number",
                remedy="add the rows, or take the table out of the folder",
            )
        return {name: replace(reader, depth_nm=known[name]) for name, reader in readers.items()}

    def _depth_table(self) -> Path:
        """Where a table of depths lies: in the folder, or beside the one file."""
        if self._path.is_file():
            return self._path.with_name(f"{self._path.stem}.{DEPTHS}")
        return self._path / DEPTHS

    @staticmethod
    def _name_of(file: Path, files: Sequence[Path]) -> str:
        """Name of a slice in a folder of its own: that of the file if it differs from all."""
        stems = {other.stem for other in files}
        numbered = all(any(map(str.isdigit, stem)) for stem in stems)
        return file.stem if len(stems) == len(files) and numbered else file.parent.name

    def save(self, data: Mapping[str, xr.Dataset | Callable[[], xr.Dataset]]) -> None:
        """Write one `.ang` file per slice."""
        self._write_all(data, write_scan)

    def paths(self) -> tuple[Path, ...]:
        """The files of known kinds with what belongs to them, or else the folder."""
        whole = [self._path] if self._path.is_file() else []
        files = whole or self.files() or self._nested()
        beside = [other for file in files for other in companions(file)]
        table = self._depth_table()
        return (*files, *beside, *([table] if table.is_file() else [])) or (self._path,)

    def _exists(self) -> bool:
        return self._path.is_file() or bool(self.files() or self._nested())

    def _nested(self) -> list[Path]:
        """Scans in folders of their own, where the folder itself holds none.

        Raises
        ------
        InputError
            If a folder holds several.
        """
        if not self._path.is_dir() or self.files():
            return []
        held: dict[Path, list[Path]] = {}
        for folder in sorted(self._path.iterdir()):
            if folder.name.startswith(".") or not folder.is_dir():
                continue
            files = [f for f in _visible(folder) if f.suffix.lower() in self.suffixes]
            if files:
                scans = [f for f in files if f.suffix.lower() not in IMAGE_SUFFIXES]
                held[folder] = scans or files
        several = {folder: files for folder, files in held.items() if len(files) > 1}
        if 2 * len(several) >= len(held) > 0:
            self._refuse_stacks_in_folders(several)
        for folder, files in several.items():
            raise InputError(
                "a folder of one slice holds several scans",
                where=str(folder.absolute()),
                found=_few([file.name for file in files]),
                expected="one scan per folder, or all scans in one folder",
                remedy="keep the scan of the slice there",
            )
        return [file for files in held.values() for file in files]

    def _refuse_stacks_in_folders(self, stacks: Mapping[Path, Sequence[Path]]) -> NoReturn:
        """Say that the stacks lie one folder further down."""
        largest = max(stacks, key=lambda folder: len(stacks[folder]))
        raise InputError(
            "the folder holds no scans itself, but its folders hold stacks",
            where=str(self._path.absolute()),
            found=_few([f"{folder.name!r} with {len(files)} scans"
                        for folder, files in stacks.items()]),
            expected="the folder of one stack",
            remedy=f"name one of them, such as {quote(str(largest.absolute()))}",
        )  # fmt: skip

    def _scan_files(self) -> list[Path]:
        """Files of the folder that are scans, all of one kind."""
        if self._path.is_file():
            return [self._path]
        files = self.files() or self._nested()
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
        known = {*scans, self._depth_table()}
        others = [file.name for file in _visible(self._path) if file not in known]
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


def _in_folder(reader: ScanReader, file: Path, name: str, options: ReadingOptions) -> xr.Dataset:
    """Read a scan in a folder of its own, whose file may be called like all others."""
    try:
        return reader(options).assign_attrs(source=name)
    except InputError as problem:
        where = f"{file.parent.name}/{problem.where or file.name}"
        raise InputError(
            problem.message,
            where=where,
            found=problem.found,
            expected=problem.expected,
            remedy=problem.remedy,
        ) from None


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
