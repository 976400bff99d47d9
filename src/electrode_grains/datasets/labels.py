"""Labels that a person painted: added to a folder, and never lost."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from electrode_grains.datasets.folders import AnnotationFolderDataset
from electrode_grains.datasets.label_images import read_classes, write_classes
from electrode_grains.ebsd import slice_number
from electrode_grains.errors import InputError
from electrode_grains.runs.writing import atomic_write, force_to_disk


@dataclass(frozen=True)
class LabelUpdate:
    """What became of labels that were given to a folder.

    Attributes
    ----------
    added, replaced : tuple of str
        Names of the slices; others held the same labels already.
    archive : Path or None
        Where the replaced ones are.
    """

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    archive: Path | None


def update_labels(
    folder: Path, given: Mapping[str, NDArray[np.uint8]], *, replace: bool = False
) -> LabelUpdate:
    """Add labels of slices to a folder.

    Files of other slices are left as they are. A file that is replaced keeps its name, and its
    old content is in the archive before; every file changes in one step, so that a kill leaves
    each slice with the old labels or the new.

    Parameters
    ----------
    folder : Path
        One image per slice, see `AnnotationFolderDataset`.
    given : mapping of str to ndarray of uint8, shape (y, x)
        Classes by name; the last number in a name is that of the slice.
    replace : bool
        Whether labels of a slice that differ from those given may be replaced.

    Raises
    ------
    InputError
        If slices have other labels already and these may not be replaced; nothing is written.
    """
    there = _files_by_number(folder)
    new = [name for name in given if slice_number(name) not in there]
    labelled = [name for name in given if slice_number(name) in there]
    changed = [name for name in labelled if not _hold(there[slice_number(name)], given[name])]
    if changed and not replace:
        raise InputError(
            f"{len(changed)} of these slices are labelled already, and differently",
            where=str(folder.absolute()),
            found=", ".join(file.name for name in changed for file in there[slice_number(name)]),
            remedy="--replace takes the new labels; the old ones are kept in a folder beside",
        )
    olds = [file for name in changed for file in there[slice_number(name)]]
    archive = _archive(folder, olds) if olds else None
    for name in new:
        _write(given[name], folder / f"{name}.png")
    for name in changed:
        first, *others = there[slice_number(name)]
        _write(given[name], first)
        for other in others:  # a copy of the same slice in another format, archived as well
            other.unlink()
    return LabelUpdate(tuple(new), tuple(changed), archive)


def _files_by_number(folder: Path) -> dict[int, list[Path]]:
    by_number: dict[int, list[Path]] = {}
    for file in AnnotationFolderDataset(path=str(folder)).files():
        try:
            by_number.setdefault(slice_number(file.stem), []).append(file)
        except InputError:  # no number: `check` tells, and it is in nobody's way here
            continue
    return by_number


def _hold(files: list[Path], classes: NDArray[np.uint8]) -> bool:
    """Whether each file can be read and holds these classes."""
    try:
        return all(np.array_equal(read_classes(file), classes) for file in files)
    except InputError:
        return False


def write_apart(folder: Path, given: Mapping[str, NDArray[np.uint8]]) -> Path:
    """Write labels to a new dated folder beside that of the labels, and name it."""
    apart = _dated(folder, "unsaved")
    for name, classes in given.items():
        _write(classes, apart / f"{name}.png")
    return apart


def _dated(folder: Path, kind: str) -> Path:
    moment = datetime.now(UTC).strftime("%Y-%m-%d_%H%M%S_%f")
    dated = folder.with_name(f"{folder.name}_{kind}") / moment
    dated.mkdir(parents=True)
    return dated


def _archive(folder: Path, files: list[Path]) -> Path:
    """Copy files to a dated folder beside theirs, and wait until they are on the disk."""
    archive = _dated(folder, "replaced")
    for file in files:
        shutil.copy2(file, archive / file.name)
    force_to_disk(archive)
    return archive


def _write(classes: NDArray[np.uint8], file: Path) -> None:
    with atomic_write(file) as (partial,):
        write_classes(classes, partial, file.suffix)
