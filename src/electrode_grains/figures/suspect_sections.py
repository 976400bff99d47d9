"""A suspicious grain in three sections, as pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.figures.style import grey_range, outlines

SUSPECT_COLOUR = (213, 94, 0)  # vermilion of the palette
OTHER_COLOUR = (86, 180, 233)  # sky
GAP_PX = 4
WHITE = 255


def suspect_sections(
    image_quality: NDArray[np.floating],
    labels: NDArray[Any],
    label: int,
    voxel: tuple[int, int, int],
    orientation_colours: NDArray[np.floating] | None = None,
    *,
    radius: int = 24,
    magnification: int = 4,
) -> NDArray[np.uint8]:
    """Show the sections through a voxel of a grain: bare, with outlines, with orientations.

    Parameters
    ----------
    image_quality : ndarray of float, shape (z, y, x)
    labels : ndarray of int, shape (z, y, x)
    label : int
        Grain whose outline is vermilion; others are blue.
    voxel : (int, int, int)
        Where to cut (z, y, x).
    orientation_colours : ndarray of float, shape (z, y, x, 3), optional
        In [0, 1]; a third column.
    radius : int
        Voxels around the one named that are shown.
    magnification : int
        Pixels of a voxel.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
        Rows of panels: sections across z, y, x. Voxels are drawn as squares.

    Raises
    ------
    InputError
        If the voxel lies outside, or the volumes differ in shape.

    Examples
    --------
    >>> labels = np.ones((5, 6, 7), int)
    >>> suspect_sections(np.zeros(labels.shape), labels, 1, (2, 3, 3), radius=2).shape
    (68, 44, 3)
    """
    if labels.shape != image_quality.shape:
        raise InputError(
            "labels and image quality have different shapes",
            found=f"{labels.shape} and {image_quality.shape}",
        )
    if not all(0 <= at < size for at, size in zip(voxel, labels.shape, strict=True)):
        raise InputError(
            "the voxel lies outside the volume", found=str(voxel), expected=str(labels.shape)
        )
    low, high = grey_range(image_quality)
    rows = []
    for axis in range(3):
        section = np.take(image_quality, voxel[axis], axis)
        grey = np.nan_to_num(np.clip((section - low) / (high - low), 0, 1)) * WHITE
        bare = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
        panels = [bare, _outlined(bare, np.take(labels, voxel[axis], axis), label)]
        if orientation_colours is not None:
            panels.append(
                (np.take(orientation_colours, voxel[axis], axis) * WHITE).astype(np.uint8)
            )
        center = [at for other, at in enumerate(voxel) if other != axis]
        rows.append([_magnified(_around(panel, center, radius), magnification) for panel in panels])
    gap = np.full((rows[0][0].shape[0], GAP_PX, 3), WHITE, np.uint8)
    lines = [np.concatenate([part for panel in row for part in (panel, gap)][:-1], 1)
             for row in rows]  # fmt: skip
    space = np.full((GAP_PX, lines[0].shape[1], 3), WHITE, np.uint8)
    return np.concatenate([part for line in lines for part in (line, space)][:-1], 0)


def _outlined(image: NDArray[np.uint8], section: NDArray[Any], label: int) -> NDArray[np.uint8]:
    drawn = image.copy()
    drawn[outlines(section)] = OTHER_COLOUR
    drawn[outlines(section == label)] = SUSPECT_COLOUR
    return drawn


def _around(image: NDArray[np.uint8], center: list[int], radius: int) -> NDArray[np.uint8]:
    """Square around a point, white beyond the image."""
    padded = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), constant_values=WHITE)
    row, column = center
    return padded[row : row + 2 * radius + 1, column : column + 2 * radius + 1]


def _magnified(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    return image.repeat(factor, axis=0).repeat(factor, axis=1)
