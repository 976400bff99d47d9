"""Stacks of images that are read slice by slice, and what is seen of them one at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.pairs import (
    Image,
    is_flattened,
    particle_body,
    prepare_slice,
    without_extremes,
)

HELD = 12  # prepared slices that are at hand; registration looks back less far
DIGIT_BITS = 16  # of a value, found in one reading of the stack
SIGN = np.uint64(1 << 63)


class PlaneSource(Protocol):
    """Planes along the first axis: an array, or what reads them from a disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all planes together."""
        ...

    def __getitem__(self, plane: Any, /) -> Any:
        """One plane."""
        ...


class Planes(ABC):
    """A stack of images that is read slice by slice, as often as wanted.

    Parameters
    ----------
    shape : (int, int, int)
        Points along z, y, x.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        return (self[z] for z in range(len(self)))

    @abstractmethod
    def __getitem__(self, z: int) -> NDArray[np.float64]:
        """A slice, shape (y, x); NaN where there is no value."""

    def changed(self, change: Callable[[int, Image], Image]) -> Planes:
        """The same stack, each slice of which a function has changed; it gets its number too."""
        return _Changed(self, change)


class _Changed(Planes):
    def __init__(self, planes: Planes, change: Callable[[int, Image], Image]) -> None:
        super().__init__(planes.shape)
        self._planes, self._change = planes, change

    def __getitem__(self, z: int) -> NDArray[np.float64]:
        return self._change(z, self._planes[z])


class Window:
    """Planes that are seen through a window of their rows and columns."""

    def __init__(self, source: PlaneSource, rows: slice, columns: slice) -> None:
        self._source, self._window = source, (rows, columns)
        height, width = (
            len(range(*side.indices(size)))
            for side, size in zip(self._window, source.shape[1:3], strict=True)
        )
        self.shape = (source.shape[0], height, width, *source.shape[3:])

    def __getitem__(self, z: int) -> Any:
        return self._source[z][self._window]


class PreparedPlanes(Sequence["Image | None"]):
    """What `prepare_slices` makes of a stack, the last few slices at hand and others made again.

    Parameters
    ----------
    planes : Planes
    smoothing, mask_background
        As for `prepare_slices`.

    Attributes
    ----------
    shown : list of bool
        Whether each slice shows anything: others are None.
    """

    def __init__(self, planes: Planes, smoothing: float, mask_background: bool) -> None:
        self._planes, self._smoothing = planes, smoothing
        self._held: OrderedDict[int, Image] = OrderedDict()
        self.shown, bodies = [], 0
        for image in map(without_extremes, planes):
            self.shown.append(image is not None)
            if mask_background and image is not None:
                bodies += particle_body(image) is not None
        self._flatten = is_flattened(mask_background, bodies, sum(self.shown))

    def __len__(self) -> int:
        return len(self.shown)

    def __getitem__(self, z: Any) -> Any:
        z = range(len(self))[z]
        if not self.shown[z]:
            return None
        if z not in self._held:
            filled = without_extremes(self._planes[z])
            assert filled is not None  # it was shown before
            body = particle_body(filled) if self._flatten else None
            self._held[z] = prepare_slice(filled, body, self._smoothing)
            if len(self._held) > HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(z)
        return self._held[z]


def finite_median(planes: Planes) -> float:
    """Median of all finite values of a stack, as numpy has it.

    Each reading of the stack decides sixteen bits of the value.

    Examples
    --------
    >>> class Two(Planes):
    ...     def __getitem__(self, z):
    ...         return np.array([[1.0, 7.0, np.nan]]) * (-1) ** z
    >>> finite_median(Two((2, 1, 3)))
    0.0
    """
    count = sum(int(np.isfinite(plane).sum()) for plane in planes)
    middle = {(count - 1) // 2, count // 2}
    return float(np.mean([_value_of_rank(planes, rank) for rank in sorted(middle)]))


def _value_of_rank(planes: Planes, rank: int) -> float:
    prefix = np.uint64(0)
    for shift in range(64 - DIGIT_BITS, -1, -DIGIT_BITS):
        counts = np.zeros(1 << DIGIT_BITS, np.int64)
        for plane in planes:
            keys = _ordered(plane[np.isfinite(plane)])
            if shift < 64 - DIGIT_BITS:
                keys = keys[keys >> np.uint64(shift + DIGIT_BITS) == prefix]
            digits = (keys >> np.uint64(shift)) & np.uint64((1 << DIGIT_BITS) - 1)
            counts += np.bincount(digits.astype(np.int64), minlength=len(counts))
        below = np.cumsum(counts)
        digit = int(np.searchsorted(below, rank, side="right"))
        rank -= int(below[digit - 1]) if digit else 0
        prefix = (prefix << np.uint64(DIGIT_BITS)) | np.uint64(digit)
    bits = prefix ^ SIGN if prefix & SIGN else ~prefix
    return float(np.array(bits, np.uint64).view(np.float64))


def _ordered(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Bits of values, changed so that they are ordered as the values are."""
    bits = np.ascontiguousarray(values, np.float64).view(np.uint64)
    return np.where(bits & SIGN != 0, ~bits, bits | SIGN)
