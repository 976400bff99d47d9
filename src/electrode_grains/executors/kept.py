"""Results of tasks that are kept on disk under what they were computed from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
from pydantic import BaseModel

from electrode_grains.blocks import BlockExecutor
from electrode_grains.blocks.executor import Result, Task, write_block
from electrode_grains.errors import InputError
from electrode_grains.executors.arrays import from_arrays, to_arrays
from electrode_grains.executors.stored import StoredVolume, digest_block


class KeepingExecutor:
    """Has another executor compute what is not kept yet.

    Parameters
    ----------
    executor : BlockExecutor
    folder : Path
        Gets a file for each task, named after function, arguments and code; workers must see it.
    code : str
        Version of the code: results of another one are not taken.

    Attributes
    ----------
    computed, kept : int
        Tasks so far that were computed, and those whose results were at hand.
    """

    def __init__(self, executor: BlockExecutor, folder: Path, code: str) -> None:
        self._executor, self._folder, self._code = executor, folder.absolute(), code
        self.shares_memory = executor.shares_memory
        self.computed = self.kept = 0

    def map(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Compute what is missing; results in their order."""
        calls = (
            (str(self._folder), task_key(self._code, function, each), function, each)
            for each in tasks
        )
        for is_kept, result in self._executor.map(compute_once, calls):
            self.kept += is_kept
            self.computed += not is_kept
            yield result


def task_key(code: str, function: Callable[..., Any], arguments: Task) -> str:
    """Digest of all that decides the result of a call.

    Raises
    ------
    InputError
        If a volume on disk takes part whose content is not known.
    """
    total = hashlib.sha256(f"{code}\0{function.__module__}.{function.__qualname__}\0".encode())
    is_write = function is write_block
    for place, each in enumerate(arguments):
        if is_write and place == 0:
            total.update(each.path.encode())  # where it writes, whatever is there
        else:
            _add(total, each)
    return total.hexdigest()


def _add(total: Any, value: Any) -> None:
    """Add a value to a digest, with its kind and its length."""
    if isinstance(value, StoredVolume):
        if not value.content:
            raise InputError(
                "results cannot be kept of a volume whose content is not known",
                where=value.path,
                remedy="take its digest first: executors.digest_stored",
            )
        total.update(f"volume {value.shape} {value.dtype} {value.channel} {value.content}".encode())
    elif isinstance(value, np.ndarray):
        total.update(f"array {value.shape} {value.dtype.str} ".encode())
        total.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, BaseModel):
        total.update(f"{type(value).__qualname__} {value.model_dump_json()}".encode())
    elif is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        total.update(f"{type(value).__qualname__} {len(parts)} ".encode())
        for name, part in parts.items():
            total.update(name.encode())
            _add(total, part)
    elif isinstance(value, tuple | list):
        total.update(f"sequence {len(value)} ".encode())
        for part in value:
            _add(total, part)
    elif callable(value):
        total.update(f"{value.__module__}.{value.__qualname__} ".encode())
    elif value is None or isinstance(value, bool | int | float | str | slice | np.generic):
        total.update(f"{type(value).__name__} {value!r} ".encode())
    else:  # what is printed need not be all that decides a result
        raise TypeError(f"results of a {type(value).__qualname__} cannot be kept")


def compute_once(
    folder: str, key: str, function: Callable[..., Result], arguments: Task
) -> tuple[bool, Result]:
    """Take a result that is kept, or compute and keep it; says which.

    What writes a block is done again where the block has other bytes than it had then.
    """
    file = Path(folder) / key[:2] / f"{key}.npz"
    kept = _read(file, function)
    if kept is not None and not (function is write_block and _is_changed(arguments, kept)):
        return True, kept
    result = function(*arguments)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{key}.{uuid4().hex}.part")
    try:
        with part.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **to_arrays(result))
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    return False, result


def _is_changed(arguments: Task, digest: Any) -> bool:
    target, box, *_ = arguments
    return bool(digest_block(target, box) != digest)


def _read(file: Path, function: Callable[..., Any]) -> Any:
    """Result that a file keeps; None where there is none, or a damaged one."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return from_arrays(function, arrays)
    except (OSError, KeyError, ValueError, EOFError, BadZipFile):
        return None
