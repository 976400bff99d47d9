"""Which annotated slices train the network, and which judge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from electrode_grains.boundary.settings import SplitSettings
from electrode_grains.errors import InputError, SettingsError


@dataclass(frozen=True)
class AnnotationSplit:
    """Annotated slices, numbered from 0.

    Attributes
    ----------
    train, held_out : tuple of int
        Slices to train on and slices to judge by.

    Raises
    ------
    InputError
        If a slice is in both.
    """

    train: tuple[int, ...]
    held_out: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if both := sorted(set(self.train) & set(self.held_out)):
            raise InputError("a slice cannot both train and judge the network", found=str(both))

    @property
    def annotated(self) -> tuple[int, ...]:
        """All of them, those to train on first."""
        return (*self.train, *self.held_out)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {"train": list(self.train), "held_out": list(self.held_out)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Value from what `to_dict` returned."""
        return cls(tuple(content["train"]), tuple(content["held_out"]))


def split_annotations(
    annotation: NDArray[np.integer], settings: SplitSettings | None = None
) -> AnnotationSplit:
    """Choose the annotated slices that judge the network: by number, else from the middle.

    Parameters
    ----------
    annotation : NDArray of int, shape (z, y, x)
        0 where nothing is annotated.
    settings : SplitSettings, optional
        Slices to hold out, or how many.

    Returns
    -------
    AnnotationSplit
        In increasing order.

    Raises
    ------
    SettingsError
        If a slice to hold out is not annotated, or none is left to train on.

    Examples
    --------
    >>> annotation = np.zeros((9, 2, 2), dtype=np.uint8)
    >>> annotation[[1, 4, 8]] = 2
    >>> split_annotations(annotation, SplitSettings(held_out_count=1))
    AnnotationSplit(train=(1, 8), held_out=(4,))
    """
    settings = settings or SplitSettings()
    annotated: list[int] = np.flatnonzero(annotation.any(axis=(1, 2))).tolist()
    if settings.held_out_slices is not None:
        held_out = list(settings.held_out_slices)
        if unknown := sorted(set(held_out) - set(annotated)):
            raise SettingsError(
                "slices to hold out are not annotated",
                where="boundary_model.split.held_out_slices",
                found=str(unknown),
                expected=f"some of {annotated} (0-based)",
            )
    else:
        # Middle slices have annotated neighbours on both sides: interpolation, not guessing.
        middle = sorted(annotated, key=lambda index: abs(index - float(np.median(annotated))))
        held_out = sorted(middle[: min(settings.held_out_count, len(annotated) - 1)])
    train = tuple(index for index in annotated if index not in held_out)
    if not train:
        raise SettingsError(
            "no annotated slice is left to train on",
            found=f"annotated {annotated}, held out {held_out}",
            expected="at least one slice with annotations that is not held out",
        )
    return AnnotationSplit(train, tuple(held_out))
