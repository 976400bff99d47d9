"""Manual edits of a segmentation in a file of their own, YAML or CSV."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kedro.io import DatasetError

from electrode_grains.datasets.atomic import FileDataset
from electrode_grains.errors import InputError
from electrode_grains.runs.writing import atomic_write

LARGEST_BYTES = 2_000_000
_LINE = re.compile(r"- \{action: (?P<action>[a-z]+), at: (?P<at>\[[-0-9, \[\]]*\])\}\s*(#.*)?")
_REFERENCE = re.compile(r"^[^#\n]*[&*]", re.MULTILINE)
CSV_COLUMNS = ("edit", "action", "z", "y", "x")


class EditsDataset(FileDataset[None, list[dict[str, Any]]]):
    """A list of edits; empty where there is no file.

    A YAML file holds a list of `{action, at}` as `apply_edits` takes them; a CSV file one
    row per voxel with the columns `edit` (a number, the same for all voxels of an edit),
    `action`, `z`, `y`, `x`.
    """

    def load(self) -> list[dict[str, Any]]:
        """Read the edits in their order."""
        if not self._filepath.exists():
            return []
        return self._read(self._filepath)

    def _read(self, path: Path) -> list[dict[str, Any]]:
        return _read_csv(path) if path.suffix == ".csv" else _read_yaml(path)

    def _write(self, data: None, *paths: Path) -> None:
        """Refuse: a person writes this file."""
        raise DatasetError("edits are written by hand, not by a run")

    def _exists(self) -> bool:
        return True


def _read_yaml(path: Path) -> list[dict[str, Any]]:
    text = _text_of(path)
    if (edits := _read_lines(text)) is not None:
        return edits
    if _REFERENCE.search(text):
        raise InputError(
            "the file of edits uses anchors or aliases",
            where=str(path),
            expected="one edit a line: - {action: remove, at: [z, y, x]}",
            remedy="write every edit out",
        )
    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            "the file of edits is not YAML", where=str(path), found=str(error)
        ) from None
    if content is not None and not isinstance(content, list):
        raise InputError(
            "the file of edits holds no list",
            where=str(path),
            found=type(content).__name__,
            expected="- {action: remove, at: [z, y, x]}",
        )
    return content or []


def _text_of(path: Path) -> str:
    """Text of a file of edits, refused where it is too large to be one."""
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise InputError(
            "the file of edits is too large",
            where=str(path),
            found=f"{size / 1e6:.1f} MB",
            expected=f"at most {LARGEST_BYTES / 1e6:.0f} MB, which is some 50,000 edits",
            remedy="segment better before editing: docs/segmentation.md",
        )
    try:
        return path.read_text(encoding="utf-8")
    except ValueError as error:
        raise InputError(
            "the file of edits is not text in UTF-8", where=str(path), found=str(error)
        ) from None


def _read_lines(text: str) -> list[dict[str, Any]] | None:
    """Edits that stand one a line, as `append_edit` writes them; None in another style.

    A hundred times faster than YAML, which reads the same from these lines.
    """
    edits = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if (match := _LINE.fullmatch(line)) is None:
            return None
        try:
            edits.append({"action": match["action"], "at": json.loads(match["at"])})
        except (ValueError, RecursionError):
            return None
    return edits


def _read_csv(path: Path) -> list[dict[str, Any]]:
    text = _text_of(path)
    try:
        rows = pd.read_csv(io.StringIO(text))
    except ValueError as error:  # pandas' own errors
        raise InputError(
            "the file of edits is not CSV", where=str(path), found=str(error)
        ) from None
    if set(rows.columns) != set(CSV_COLUMNS):
        raise InputError(
            "the file of edits has other columns",
            where=str(path),
            found=", ".join(map(str, rows.columns)),
            expected=", ".join(CSV_COLUMNS),
        )
    edits: dict[Any, dict[str, Any]] = {}
    columns = [rows[name].tolist() for name in CSV_COLUMNS]
    for number, action, *voxel in zip(*columns, strict=True):
        edit = edits.setdefault(number, {"action": action, "at": []})
        if edit["action"] != action:
            raise InputError(
                f"edit {number} has several actions",
                where=str(path),
                found=f"{edit['action']}, {action}",
            )
        edit["at"].append(voxel)
    return [edits[number] for number in sorted(edits)]


def append_edit(path: Path, edit: Mapping[str, Any]) -> None:
    """Append an edit to a file and leave what stands in it as it is, comments too.

    Parameters
    ----------
    path : Path
        A YAML file, or a CSV file by its suffix; made where there is none.
    edit : mapping
        `{action, at}` as `apply_edits` takes it.

    Raises
    ------
    InputError
        If the file cannot be read, or would not hold the edits that it held and the new one.
    """
    before = EditsDataset(filepath=str(path)).load()
    voxels = np.atleast_2d(edit["at"]).tolist()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if path.suffix == ".csv":
        text = text or ",".join(CSV_COLUMNS) + "\n"
        number = int(pd.read_csv(path)["edit"].max()) + 1 if before else 1
        lines = [f"{number},{edit['action']},{z},{y},{x}\n" for z, y, x in voxels]
    else:
        at = voxels[0] if edit["action"] == "remove" and len(voxels) == 1 else voxels
        lines = [f"- {{action: {edit['action']}, at: {at}}}\n"]
        if not before:  # an empty list, or comments alone
            text = "".join(line for line in text.splitlines(True) if line.strip() != "[]")
    separator = "" if text.endswith("\n") or not text else "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".part.{path.name}")
    unfinished.write_text(text + separator + "".join(lines), encoding="utf-8")
    try:
        after = EditsDataset(filepath=str(unfinished)).load()
    except DatasetError:
        after = []
    if after[:-1] != before or len(after) != len(before) + 1:
        unfinished.unlink()
        raise InputError(
            "an edit cannot be appended to the file of edits",
            where=str(path),
            found="a list in another style",
            expected="one edit a line: - {action: remove, at: [z, y, x]}",
        )
    with atomic_write(path) as (partial,):
        os.replace(unfinished, partial)
