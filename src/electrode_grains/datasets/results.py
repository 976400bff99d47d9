"""JSON results: sorted keys, a schema version, finite numbers or null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from kedro_datasets._typing import JSONPreview

from electrode_grains.datasets.atomic import FileDataset
from electrode_grains.errors import InputError

SCHEMA_VERSION = 1


class ResultDataset(FileDataset[Any, Any]):
    """A result as JSON that any strict reader accepts.

    Parameters
    ----------
    filepath : str
        The file.
    model : str, optional
        Class of the result (module and name), with `to_dict` and `from_dict`; without it a
        mapping is saved and loaded.
    metadata : dict, optional
        For Kedro-Viz.
    """

    kind = "result"

    def __init__(
        self, *, filepath: str, model: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._model = model

    def _read(self, path: Path) -> Any:
        content = read_json(path)
        if self._model is None:
            return content
        version = content.pop("schema_version", None)
        try:
            if version != SCHEMA_VERSION:
                raise ValueError(f"schema_version {version}, this version reads {SCHEMA_VERSION}")
            return self._result_type().from_dict(content)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                "the result was written by another version, or is damaged",
                where=str(path),
                found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
                expected=f"what {self._model} writes",
                remedy="run the pipeline that makes it again",
            ) from None

    def _write(self, data: Any, *paths: Path) -> None:
        values = data if self._model is None else data.to_dict()
        text = json.dumps(
            plain({"schema_version": SCHEMA_VERSION, **values}),
            indent=2,
            sort_keys=True,
            allow_nan=False,
            ensure_ascii=False,
        )
        paths[0].write_text(text + "\n", encoding="utf-8")

    def preview(self) -> JSONPreview:
        """Text for the side panel of Kedro-Viz."""
        self._refuse_missing()
        return JSONPreview(json.dumps(read_json(self._filepath)))

    def _result_type(self) -> Any:
        """Class that the catalog names."""
        module, _, name = str(self._model).rpartition(".")
        return getattr(import_module(module), name)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises
    ------
    InputError
        If the file is cut off, is not UTF-8, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            "the file is not JSON", where=str(path), found=str(error), remedy="make it again"
        ) from None
    if not isinstance(content, dict):
        raise InputError(
            "the file holds no JSON object", where=str(path), found=type(content).__name__
        )
    return content


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
