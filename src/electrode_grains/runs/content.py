"""Digests of the bytes of files and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

ABSENT = "absent"
DIGEST_BYTES = 20
# What file managers leave in every folder that they show.
BYSTANDERS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def file_digests(places: Iterable[Path]) -> dict[str, str]:
    """Digest every file of some files and folders.

    Parameters
    ----------
    places : iterable of Path
        Files and folders; those that do not exist are left out.

    Returns
    -------
    dict of str
        Digest by name; a file of a folder is named with its path inside it.
    """
    found: dict[str, str] = {}
    for place in places:
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.is_file() and file.name not in BYSTANDERS:
                found[file.relative_to(place.parent).as_posix()] = _digest_of(file)
    return dict(sorted(found.items()))


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


def changed_files(recorded: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Name what is lost, other, or there in addition.

    Examples
    --------
    >>> changed_files({"a": "1", "b": "2"}, {"b": "3", "c": "4"})
    ['a is lost', 'b has other bytes', 'c is not of it']
    """
    return [
        f"{name} is lost"
        if name not in found
        else f"{name} is not of it"
        if name not in recorded
        else f"{name} has other bytes"
        for name in sorted(recorded.keys() | found.keys())
        if recorded.get(name) != found.get(name)
    ]


def _digest_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(
            stream, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)
        ).hexdigest()
