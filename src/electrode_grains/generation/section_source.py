"""Sections as they come: planes of labels with the edge of their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.errors import InputError

SQUARE = 0.01  # relative difference of edges up to which a pixel is a square
ENCLOSING = 5  # of eight neighbours that have a label


@dataclass(frozen=True)
class Sections:
    """Planes of labels.

    Attributes
    ----------
    planes : tuple of ndarray of int64, shapes (y, x)
        Grain of each pixel, 0 where there is none.
    names : tuple of str
    sources : tuple of int
        Planes of one number are of one volume, in which a label is one grain.
    pixel_nm : float
    """

    planes: tuple[NDArray[np.int64], ...]
    names: tuple[str, ...]
    sources: tuple[int, ...]
    pixel_nm: float


def square_pixel(
    spacings: Sequence[tuple[float, float] | None], names: Sequence[str], given: float | None
) -> float:
    """Edge of the square pixels that all sections have.

    Parameters
    ----------
    spacings : sequence of (float, float) or None
        (dy, dx) in nm as each file says it.
    names : sequence of str
    given : float, optional
        What the user says, which comes first.

    Raises
    ------
    InputError
        If nobody says it, pixels are no squares, or sections differ.
    """
    if given is not None:
        return given
    known: dict[float, str] = {}
    for spacing, name in zip(spacings, names, strict=True):
        if spacing is None:
            raise InputError(
                "the edge of a section's pixels is not known",
                where=name,
                remedy="give it: init --step-nm, setting sections.pixel_nm",
            )
        if abs(spacing[0] / spacing[1] - 1) > SQUARE:
            raise InputError(
                "the pixels of a section are no squares",
                where=name,
                found=f"{spacing[0]:g} x {spacing[1]:g} nm (y, x)",
                remedy="resample the section",
            )
        known.setdefault(round(spacing[1], 3), name)
    if max(known) > (1 + SQUARE) * min(known):
        raise InputError(
            "sections have pixels of unlike size",
            found=", ".join(f"{name}: {edge:g} nm" for edge, name in known.items()),
            remedy="resample them to one, or make a project for each",
        )
    return float(np.mean(list(known)))


def fill_enclosed(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Give pixels without a label that of their nearest neighbour, where labels enclose them.

    Wrongly indexed points within grains and between them become grain, while surroundings,
    which enclose nothing, and holes wider than a few pixels stay empty.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)

    Returns
    -------
    ndarray of int64, shape (y, x)
        A pixel is filled where five of its eight neighbours have a label, up to three times
        over.

    Examples
    --------
    >>> fill_enclosed(np.array([[1, 1, 2, 2], [1, 0, 2, 2], [1, 1, 2, 2]]))[1].tolist()
    [1, 1, 2, 2]
    """
    filled = np.asarray(labels).astype(np.int64)
    for _ in range(3):
        around = ndimage.convolve((filled > 0).astype(np.int8), np.ones((3, 3)), mode="constant")
        wanted = (filled == 0) & (around >= ENCLOSING)
        if not wanted.any():
            break
        nearest = ndimage.distance_transform_edt(
            filled == 0, return_distances=False, return_indices=True
        )
        filled[wanted] = filled[tuple(axis[wanted] for axis in nearest)]
    return filled
