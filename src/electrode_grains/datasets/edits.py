"""Manual edits of a segmentation in a file of their own, YAML or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from kedro.io import DatasetError

from electrode_grains.datasets.atomic import AtomicDataset
from electrode_grains.problems import InputProblem

CSV_COLUMNS = ("edit", "action", "z", "y", "x")


class EditsDataset(AtomicDataset[None, list[dict[str, Any]]]):
    """A list of edits; empty where there is no file.

    A YAML file holds a list of `{action, at}` as `apply_edits` takes them; a CSV file one
    row per voxel with the columns `edit` (a number, the same for all voxels of an edit),
    `action`, `z`, `y`, `x`.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> list[dict[str, Any]]:
        """Read the edits in their order."""
        if not self._filepath.exists():
            return []
        return (
            _of_csv(self._filepath) if self._filepath.suffix == ".csv" else _of_yaml(self._filepath)
        )

    def save(self, data: None) -> None:
        """Refuse: a person writes this file."""
        raise DatasetError("edits are written by hand, not by a run")

    def places(self) -> tuple[Path, ...]:
        """The file, which need not exist."""
        return (self._filepath,)

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _of_yaml(path: Path) -> list[dict[str, Any]]:
    try:
        edits = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputProblem(
            "the file of edits is not YAML", where=str(path), found=str(error)
        ) from None
    if edits is not None and not isinstance(edits, list):
        raise InputProblem(
            "the file of edits holds no list",
            where=str(path),
            found=type(edits).__name__,
            expected="- {action: remove, at: [z, y, x]}",
        )
    return edits or []


def _of_csv(path: Path) -> list[dict[str, Any]]:
    try:
        rows = pd.read_csv(path)
    except ValueError as error:  # pandas' own errors, and bytes that are no text
        raise InputProblem(
            "the file of edits is not CSV", where=str(path), found=str(error)
        ) from None
    if set(rows.columns) != set(CSV_COLUMNS):
        raise InputProblem(
            "the file of edits has other columns",
            where=str(path),
            found=", ".join(map(str, rows.columns)),
            expected=", ".join(CSV_COLUMNS),
        )
    edits = []
    for number, voxels in rows.groupby("edit", sort=True):
        actions = voxels["action"].unique().tolist()
        if len(actions) != 1:
            raise InputProblem(
                f"edit {number} has several actions", where=str(path), found=", ".join(actions)
            )
        edits.append({"action": actions[0], "at": voxels[["z", "y", "x"]].to_numpy().tolist()})
    return edits
