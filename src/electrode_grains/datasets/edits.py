"""Manual edits of a segmentation in a file of their own, YAML or CSV."""

from __future__ import annotations

import os
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
    try:
        edits = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            "the file of edits is not YAML", where=str(path), found=str(error)
        ) from None
    if edits is not None and not isinstance(edits, list):
        raise InputError(
            "the file of edits holds no list",
            where=str(path),
            found=type(edits).__name__,
            expected="- {action: remove, at: [z, y, x]}",
        )
    return edits or []


def _read_csv(path: Path) -> list[dict[str, Any]]:
    try:
        rows = pd.read_csv(path)
    except ValueError as error:  # pandas' own errors, and bytes that are no text
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
    edits = []
    for number, voxels in rows.groupby("edit", sort=True):
        actions = voxels["action"].unique().tolist()
        if len(actions) != 1:
            raise InputError(
                f"edit {number} has several actions", where=str(path), found=", ".join(actions)
            )
        edits.append({"action": actions[0], "at": voxels[["z", "y", "x"]].to_numpy().tolist()})
    return edits


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
