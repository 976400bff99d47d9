"""What labels and spacings must be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.errors import InputError


def check_labels(labels: ArrayLike) -> NDArray[Any]:
    """Return a label volume as an array.

    Raises
    ------
    InputError
        If it is not three-dimensional or not of whole numbers.
    """
    volume = np.asanyarray(labels)
    if volume.ndim != 3:
        raise InputError("a label volume has dimensions (z, y, x)", found=f"shape {volume.shape}")
    if not np.issubdtype(volume.dtype, np.integer):
        raise InputError("labels are whole numbers", found=f"dtype {volume.dtype}")
    return volume


def check_measured(measured: ArrayLike | None, labels: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return the measured region of labels; None where all of the window was measured.

    Raises
    ------
    InputError
        If its shape is not that of the labels, or it is not of truth values.
    """
    if measured is None:
        return None
    region = np.asanyarray(measured)
    if region.dtype != np.bool_ or region.shape != labels.shape:
        raise InputError(
            "the measured region does not fit the labels",
            found=f"{region.dtype} of shape {region.shape}",
            expected=f"bool of shape {labels.shape}: True where a voxel was measured",
        )
    return None if region.all() else np.ascontiguousarray(region)


def check_spacing(spacing: Sequence[float]) -> tuple[float, float, float]:
    """Return the spacing as floats.

    Raises
    ------
    InputError
        If it is not three positive lengths.
    """
    try:
        steps = tuple(float(step) for step in spacing)
    except (TypeError, ValueError):
        steps = ()
    if len(steps) != 3 or not all(np.isfinite(step) and step > 0 for step in steps):
        raise InputError(
            "voxel spacing must be three positive lengths (dz, dy, dx)", found=str(steps or spacing)
        )
    return steps[0], steps[1], steps[2]
