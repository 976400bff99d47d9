"""Folders and files that a command writes for a user, who may keep own files there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from filecmp import cmp
from pathlib import Path

from electrode_grains.errors import InputError
from electrode_grains.runs.content import file_digests
from electrode_grains.runs.manifest import FOLDER, Manifest
from electrode_grains.runs.writing import atomic_write

RECORD = ".electrode-grains.json"  # digests of the files that commands wrote into a folder
WRITING = "begun"  # in place of a digest, so that a killed command knows its own files
FEW = 5


def refuse_existing(file: Path, *, replace: bool) -> None:
    """Refuse to write where a file lies, unless the user says so.

    Raises
    ------
    InputError
        Naming the file.
    """
    if file.exists() and not replace:
        raise InputError(
            "a file of this name exists",
            where=str(file.absolute()),
            remedy="name another one, or add --replace",
        )


def plan_copies(source: Path, target: Path) -> dict[Path, Path]:
    """Where the files of a user's data go in a new project; what is there already stays.

    Parameters
    ----------
    source, target : Path
        Both a file, or both a folder.

    Returns
    -------
    dict of Path to Path
        Files to copy, and their new places; those that lie there, byte for byte, are left out.

    Raises
    ------
    InputError
        If another file lies in a place of them, or in the target folder.
    """
    if target.exists() and source.samefile(target):
        return {}
    copies = {
        file: target / file.relative_to(source)
        for file in _files_of(source)
        if not file.resolve().is_relative_to(target.resolve())  # a project among its scans
    }
    places = set(copies.values())
    there = {file for file in _files_of(target) if file in places or not file.name.startswith(".")}
    same = {
        place
        for file, place in copies.items()
        if place in there and cmp(file, place, shallow=False)
    }
    if others := sorted(there - same):
        names = [str(other.relative_to(target)) for other in others[:FEW] if other != target]
        raise InputError(
            "data would be copied over or among other files",
            where=str(target.absolute()),
            found=", ".join(names or [target.name]) + (" ..." if len(others) > FEW else ""),
            expected="no files, or those that are copied",
            remedy="move them away, or name a new folder; nothing is overwritten",
        )
    return {file: place for file, place in copies.items() if place not in same}


def _files_of(place: Path) -> list[Path]:
    """All files of a folder, with those that its links lead to; or the file itself."""
    if place.is_file():
        return [place]
    found = (
        Path(folder, name)
        for folder, _, names in os.walk(place, followlinks=True)
        for name in names
    )
    return sorted(found)


def copy_files(copies: Mapping[Path, Path]) -> None:
    """Copy files to places that `plan_copies` found free."""
    for file, place in copies.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, place)


@contextmanager
def output_folder(folder: Path, names: Sequence[str] | None = None) -> Iterator[None]:
    """Let a command write into a folder, where it replaces nothing but what it wrote before.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    names : sequence of str, optional
        Files and folders in it that the command may write; None for any.

    Raises
    ------
    InputError
        If a file of such a name is another's, or was changed after it was written.
    """
    record = _read(folder)
    current = _digests(folder, names)
    others = [name for name, digest in current.items() if not _is_own(name, digest, record)]
    if others:
        raise InputError(
            "files that this command has not written would be replaced",
            where=str(folder.absolute()),
            found=", ".join(others[:FEW]) + (" ..." if len(others) > FEW else ""),
            remedy="name another folder, or move these files out of it",
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, {**record, **dict.fromkeys(names or (), WRITING)})
    try:
        yield
    finally:
        known = {name: digest for name, digest in record.items() if digest != WRITING}
        _write(folder, {**known, **_digests(folder, names)})


def written_before(folder: Path) -> list[Path]:
    """Files of a folder that a command wrote and that nobody has changed since."""
    record = _read(folder)
    current = _digests(folder, list(record))
    return [folder / name for name, digest in current.items() if _is_own(name, digest, record)]


def _is_own(name: str, digest: str, record: Mapping[str, str]) -> bool:
    """Whether a file is what a command wrote, or was about to write when it was killed."""
    within = (name, *map(str, Path(name).parents))
    return record.get(name) == digest or any(record.get(each) == WRITING for each in within)


def _write(folder: Path, record: Mapping[str, str]) -> None:
    with atomic_write(folder / RECORD) as (partial,):
        partial.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", "utf-8")


def _digests(folder: Path, names: Sequence[str] | None) -> dict[str, str]:
    paths: Iterable[Path] = folder.iterdir() if names is None and folder.is_dir() else []
    if names is not None:
        paths = [folder / name for name in names]
    digests: dict[str, str] = {}
    for path in paths:
        inside = path.parent.relative_to(folder)
        digests |= {
            (inside / name).as_posix(): digest for name, digest in file_digests([path]).items()
        }
    digests.pop(RECORD, None)
    return digests


def _read(folder: Path) -> dict[str, str]:
    """Digests of what commands and runs wrote into a folder."""
    record: dict[str, str] = {}
    for file in (folder / FOLDER).glob("*.json"):
        manifest = Manifest.read(file)
        if manifest is not None and manifest.recipe is not None:
            record |= manifest.own_files()
    try:
        record |= json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return record
    return record


def copied_raw(folder: Path, source: Path, name: str) -> str:
    """Copy raw data into a project under a name; return their place there."""
    target = folder / "data" / "01_raw" / name
    copy_files(plan_copies(source, target))
    return target.relative_to(folder).as_posix()
