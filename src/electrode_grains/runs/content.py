"""Digests of the bytes of files and folders."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ABSENT = "absent"
DIGEST_BYTES = 20
# What file managers leave in every folder that they show.
BYSTANDERS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
# A file changed twice within one tick of its file system's clock (2 s on FAT) keeps its times: a
# digest counts for later only where the file was older than that.
TICK = 2.5

_Signature = tuple[int, int, int, int]
_known: dict[str, tuple[_Signature, str]] = {}


def file_digests(paths: Iterable[Path]) -> dict[str, str]:
    """Digest every file of some files and folders.

    A file is read again only where it may have changed since this process read it last.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders; those that do not exist are left out.

    Returns
    -------
    dict of str
        Digest by name; a file of a folder is named with its path inside it.
    """
    return {name: _digest(file) for name, file in sorted(named_files(paths))}


def named_files(paths: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Name and path of every file of some files and folders."""
    for path in paths:
        files = path.rglob("*") if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.name not in BYSTANDERS:
                yield file.relative_to(path.parent).as_posix(), file


def combine_digests(digests: Mapping[str, str]) -> str:
    """Digest of names and contents together, `ABSENT` where there is no file.

    Examples
    --------
    >>> combine_digests({})
    'absent'
    >>> combine_digests({"a": "1", "b": "2"}) == combine_digests({"b": "2", "a": "1"})
    True
    >>> combine_digests({"a": "1"}) == combine_digests({"b": "1"})
    False
    """
    if not digests:
        return ABSENT
    total = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name, digest in sorted(digests.items()):
        total.update(f"{name}\0{digest}\0".encode())
    return total.hexdigest()


def changed_files(recorded: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """Name what is missing, modified, or there in addition.

    Examples
    --------
    >>> changed_files({"a": "1", "b": "2"}, {"b": "3", "c": "4"})
    ['a is missing', 'b was modified', 'unexpected file c']
    """
    return [
        f"{name} is missing"
        if name not in current
        else f"unexpected file {name}"
        if name not in recorded
        else f"{name} was modified"
        for name in sorted(recorded.keys() | current.keys())
        if recorded.get(name) != current.get(name)
    ]


def _digest(file: Path) -> str:
    key, now = os.path.abspath(file), time.time()
    with file.open("rb") as stream:
        before = _signature(os.fstat(stream.fileno()))
        signature, digest = _known.get(key, (None, ""))
        if signature == before:
            return digest
        digest = hashlib.file_digest(
            stream, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)
        ).hexdigest()
        _known.pop(key, None)
        if max(before[2], before[3]) / 1e9 < now - TICK:
            _known[key] = (before, digest)
    return digest


def _signature(status: os.stat_result) -> _Signature:
    """What no change of a file leaves as it was: a user may set mtime, but not ctime."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
