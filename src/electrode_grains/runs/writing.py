"""Writing so that a kill at any moment leaves the old data or the new, never a partial file.

A file or folder is written beside its target under a hidden name, forced to the disk, and then
takes the target's place in one step. What a killed run left beside a target is swept by the
next one that writes there.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART, OLD = ".part", ".old"
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.\d+\.(part|old)")
_EXCHANGE = 2  # of renameat2
_HERE = -100  # AT_FDCWD: paths are taken as they are
RETRIES, RETRY_DELAY = 20, 0.1  # looks for leftovers of an error, and seconds between two


@contextmanager
def atomic_write(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Lend a path beside each target; what lies there at the end takes the targets' places.

    An error inside the block leaves the targets as they were.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "result.txt"
    >>> with atomic_write(target) as (partial,):
    ...     _ = partial.write_text("whole")
    >>> target.read_text(), [file.name for file in target.parent.iterdir()]
    ('whole', ['result.txt'])
    """
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target)
    partials = tuple(_beside(target, PART) for target in targets)
    try:
        with with_filename(targets[0]):
            yield partials
            for partial in partials:
                force_to_disk(partial)
        for partial, target in zip(partials, targets, strict=True):
            _take_place(partial, target)
        for folder in {target.parent for target in targets}:
            _sync(folder)
    except BaseException:
        for partial in partials:
            _remove_for_good(partial)
        raise
    for partial in partials:  # the old data, where a folder was exchanged
        _remove(partial)


@contextmanager
def with_filename(place: Path) -> Iterator[None]:
    """Name a place in errors of the disk that name none, as a full disk's do."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(place)
        raise


def remove_leftovers(target: Path) -> None:
    """Remove what earlier writers left beside a target, and undo a replacement cut in two."""
    if not target.exists():
        for old in sorted(target.parent.glob(f".{target.name}.*{OLD}")):
            os.replace(old, target)
            break
    for suffix in (PART, OLD):
        for leftover in target.parent.glob(f".{target.name}.*{suffix}"):
            _remove(leftover)


def remove_leftovers_in(folder: Path) -> None:
    """Sweep beside everything in a folder, whatever its name, where no other writer is at work."""
    for leftover in sorted(folder.glob(".*")):
        if found := _LEFTOVER.fullmatch(leftover.name):
            remove_leftovers(folder / found["name"])


def force_to_disk(path: Path) -> None:
    """Wait until a file, or a folder with all that it holds, is on the disk."""
    if path.is_dir():
        for folder, _, files in os.walk(path):
            for name in files:
                _sync(Path(folder, name))
            _sync(Path(folder))
    else:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}{suffix}")


def _take_place(partial: Path, target: Path) -> None:
    """Replace a target in one step; a folder by exchange, where the system knows it."""
    if not target.is_dir():
        os.replace(partial, target)
    elif not _exchange(partial, target):
        old = _beside(target, OLD)
        os.replace(target, old)
        os.replace(partial, target)
        _remove(old)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two paths in one step; False where the system or the file system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    return bool(call(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0)


def _remove_for_good(path: Path) -> None:
    """Remove what an error left; other threads of its writer may be at work for a while."""
    for _ in range(RETRIES):
        with suppress(OSError):  # a file was added while the folder was emptied
            _remove(path)
        time.sleep(RETRY_DELAY)
        if not path.exists():
            return
    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
