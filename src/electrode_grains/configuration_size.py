"""How large configuration files become when they are read, counted before anything is built.

A YAML file of a few hundred bytes can stand for millions of values: by aliases (`*name`) that
repeat what holds aliases itself, or by references (`${name}`) to texts that hold references.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from electrode_grains.errors import SettingsError

LARGEST_BYTES = 300_000  # of a file; the files of conf/base have 30,000 in all
LONGEST_TEXT = 10_000  # characters of a value: long numbers take time by the square of that
DEEPEST = 50
LARGEST_SIZE = 1_000_000  # values in all, where each counts as
VALUE, REFERENCE = 100, 500  # and a character as 1
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REFERENCE = re.compile(r"\$\{([^${}]*)(\$?)")
_PART = re.compile(r"[^.\[\]'\"\s]+")

Name = tuple[str, ...]
ANYTHING: Name = ("${",)  # named by a reference that another one is part of


def refuse_oversized(files: Iterable[Path]) -> None:
    """Refuse configuration files that stand for far more than a configuration.

    Files that are no YAML are passed over: who reads them says what is wrong.

    Parameters
    ----------
    files : iterable of Path
        Of one environment, which may refer to each other.

    Raises
    ------
    SettingsError
        If one is too large, too deep, or grows too large by aliases or references.
    """
    leaves: dict[Name, str] = {}
    sizes = 0
    for file in files:
        text = _text_of(file)
        try:
            sizes += _count(text, file)
            leaves.update(_leaves(_content(text)))
        except yaml.YAMLError as error:
            if "maximum nesting depth" in str(error):  # of libyaml, 1,000 levels or more
                raise _too_deep(file, "a thousand levels or more") from None
    if sizes + (grown := _references(leaves)) > LARGEST_SIZE:
        raise _too_large(
            "the configuration grows too large", "its files",
            f"{grown + sizes:,} characters by references (${{...}})",
        )  # fmt: skip


def _content(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_SafeLoader)
    except (ValueError, RecursionError):  # such as a date that is none, or a circle
        return None


def _text_of(file: Path) -> str:
    size = file.stat().st_size
    if size > LARGEST_BYTES:
        raise _too_large("a configuration file is too large", file, f"{size:,} bytes")
    return file.read_text(encoding="utf-8", errors="replace")


def _count(text: str, file: Path) -> int:
    """Size of a file with its aliases written out."""
    anchors: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []  # name and size so far of what is not yet closed
    total = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        mark = event.start_mark
        where = f"{file}, line {mark.line + 1}" if mark else str(file)
        if isinstance(event, yaml.CollectionEndEvent):
            name, before = open_.pop()
            if name:
                anchors[name] = total - before
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, total))
            total += VALUE
            if len(open_) > DEEPEST:
                raise _too_deep(where, f"{len(open_)} levels")
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > LONGEST_TEXT:
                found = f"{len(event.value):,} characters"
                raise _too_large("a value of the configuration is too long", where, found)
            total += (size := VALUE + len(event.value))
            if event.anchor:
                anchors[event.anchor] = size
        elif isinstance(event, yaml.DocumentStartEvent):
            total += VALUE
        elif isinstance(event, yaml.AliasEvent):
            total += anchors.get(str(event.anchor), LARGEST_SIZE)  # within itself
        if total > LARGEST_SIZE:
            found = f"more than {LARGEST_SIZE // VALUE:,} values, aliases written out"
            raise _too_large("a configuration file grows too large", where, found)
    return total


def _leaves(content: Any, within: Name = ()) -> Iterator[tuple[Name, str]]:
    """Texts of values by their names."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, (*within, str(key)))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _leaves(value, (*within, str(number)))
    else:
        yield within, str(content)


def _references(leaves: Mapping[Name, str]) -> int:
    """What references add to the size of a configuration when they are resolved."""
    below: dict[Name, list[Name]] = {}
    for name in leaves:
        for depth in range(len(name) + 1):
            below.setdefault(name[:depth], []).append(name)
    known = {ANYTHING: LARGEST_SIZE // 10}

    def size(name: Name, chain: int = 0) -> int:
        """Of a value or a group when resolved; 0 within itself, which OmegaConf refuses."""
        if name in known or chain > DEEPEST:
            return known.get(name, LARGEST_SIZE)
        known[name] = 0
        if name in leaves:
            parts = [size(target, chain + 1) for target in _targets(leaves[name], name)]
            resolved = VALUE + len(leaves[name]) + sum(parts)
        else:
            resolved = sum(size(leaf, chain + 1) for leaf in below.get(name, ()))
        known[name] = min(resolved, 2 * LARGEST_SIZE)
        return known[name]

    return sum(size(name) + REFERENCE for name, text in leaves.items() if "${" in text)


def _targets(text: str, name: Name) -> Iterator[Name]:
    """Names that the references in a value mean, as `${a.b}`, `${.b}`, `${globals:a[0]}`."""
    for reference, is_composed in _REFERENCE.findall(text):
        resolver, _, path = reference.strip().rpartition(":")
        if resolver in ("", "globals"):
            levels = len(path) - len(path.lstrip("."))
            above = name[: len(name) - levels] if levels else ()
            yield ANYTHING if is_composed else (*above, *_PART.findall(path))


def _too_deep(where: object, found: str) -> SettingsError:
    return _too_large("a configuration file is too deep", where, found)


def _too_large(message: str, where: object, found: str) -> SettingsError:
    return SettingsError(
        message,
        where=str(where),
        found=found,
        expected=f"at most {LARGEST_SIZE // VALUE:,} values of {LONGEST_TEXT:,} characters, "
        f"{DEEPEST} levels deep",
        remedy="write out the settings that you need, and no others",
    )
