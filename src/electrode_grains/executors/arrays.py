"""Results of tasks as named arrays, and back; the function says what kind it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray


def to_arrays(value: Any) -> dict[str, NDArray[Any]]:
    """Arrays by dotted name: of an array, text or number, and of dataclasses and tuples of them.

    Examples
    --------
    >>> to_arrays((3, np.array([1, 2])))
    {'.0': array(3), '.1': array([1, 2])}
    """
    return dict(_leaves(value, ""))


def _leaves(value: Any, name: str) -> Iterator[tuple[str, NDArray[Any]]]:
    if is_dataclass(value):
        for field in fields(value):
            yield from _leaves(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, tuple):
        for place, part in enumerate(value):
            yield from _leaves(part, f"{name}.{place}")
    else:
        yield name or "value", np.asarray(value)


def from_arrays(function: Callable[..., Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Result of a function from what `to_arrays` made of it.

    Raises
    ------
    KeyError
        If an array is missing.
    """
    return _value(get_type_hints(function)["return"], arrays, "")


def _value(kind: Any, arrays: Mapping[str, NDArray[Any]], name: str) -> Any:
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(
            **{
                field.name: _value(hints[field.name], arrays, f"{name}.{field.name}")
                for field in fields(kind)
            }
        )
    if get_origin(kind) is tuple:
        return tuple(
            _value(each, arrays, f"{name}.{place}") for place, each in enumerate(get_args(kind))
        )
    array = arrays[name or "value"]
    return array.item() if kind in (str, int, float, bool) else array
