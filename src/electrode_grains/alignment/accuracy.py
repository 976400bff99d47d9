"""How far an alignment is from the truth, where that is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.drift import center_frame
from electrode_grains.alignment.transforms import (
    SliceTransforms,
    center_motion,
    rms_displacement,
    window_center,
)
from electrode_grains.errors import InputError


def alignment_error(
    transforms: SliceTransforms,
    true_matrices: NDArray[np.float64],
    shape: tuple[int, int] | None = None,
) -> dict[str, float]:
    """Compare estimated with true transforms.

    Parameters
    ----------
    transforms : SliceTransforms
    true_matrices : ndarray of float64, shape (n, 3, 3)
    shape : (int, int), optional
        Shape (y, x) of a slice, if the transforms do not know their centre.

    Returns
    -------
    dict
        `step_rms_px` of the motion of the window's centre from slice to slice,
        `cumulated_rms_px` of its positions once both share one frame, `rotation_rms_rad`,
        `window_rms_px` of the positions of all points of the window, which holds both; and
        `raw_rms_px`, the cumulated error of doing nothing.

    Raises
    ------
    InputError
        If there is not one true matrix for each slice.
    """
    center = transforms.center if shape is None else window_center(shape)
    if np.shape(true_matrices) != transforms.matrices.shape:
        raise InputError(
            "true and estimated transforms are of different stacks",
            found=f"{len(true_matrices)} true matrices",
            expected=f"{len(transforms.matrices)}, one a slice",
        )
    estimated = center_frame(transforms.matrices, center)
    actual = center_frame(np.asarray(true_matrices, float), center)
    true = center_motion(actual, center)
    apart = center_motion(estimated, center) - true
    displaced = [rms_displacement(matrix, center) for matrix in estimated - actual]
    return {
        "step_rms_px": _rms(np.diff(apart[:, :2], axis=0)),
        "cumulated_rms_px": _rms(apart[:, :2]),
        "window_rms_px": float(np.sqrt(np.mean(np.square(displaced)))),
        "rotation_rms_rad": float(np.sqrt(np.mean(apart[:, 2] ** 2))),
        "raw_rms_px": _rms(true[:, :2]),
    }


def _rms(vectors: NDArray[np.float64]) -> float:
    return float(np.sqrt((vectors**2).sum(axis=1).mean())) if len(vectors) else 0.0
