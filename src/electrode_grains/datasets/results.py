"""JSON results: sorted keys, a schema version, finite numbers or null."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import JSONPreview

SCHEMA_VERSION = 1


class ResultDataset(AbstractDataset[Mapping[str, Any], dict[str, Any]]):
    """A result as JSON that any strict reader accepts."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Read the result."""
        if not self._filepath.exists():
            raise DatasetError(
                f"no result at {self._filepath}; run the pipeline that makes it first"
            )
        result: dict[str, Any] = json.loads(self._filepath.read_text(encoding="utf-8"))
        return result

    def save(self, data: Mapping[str, Any]) -> None:
        """Write the result in one step."""
        text = json.dumps(
            plain({"schema_version": SCHEMA_VERSION, **data}),
            indent=2,
            sort_keys=True,
            allow_nan=False,
            ensure_ascii=False,
        )
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        partial = self._filepath.with_name(f".{self._filepath.name}.part")
        partial.write_text(text + "\n", encoding="utf-8")
        os.replace(partial, self._filepath)

    def preview(self) -> JSONPreview:
        """Text for the side panel of Kedro-Viz."""
        return JSONPreview(json.dumps(self.load()))

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def plain(value: Any) -> Any:
    """Turn numpy values into Python's own, and what is not finite into None.

    Examples
    --------
    >>> plain({"a": np.float32(0.5), "b": np.array([1, 2]), "c": math.nan})
    {'a': 0.5, 'b': [1, 2], 'c': None}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
