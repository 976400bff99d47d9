"""What a threshold of smoothed grey values finds of the boundaries, for a network to be better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from electrode_grains.boundary.windows import measured_classes
from electrode_grains.classes import BOUNDARY

WIDTHS = (0.0, 1.0, 2.0)
"""Standard deviations of the Gaussian kernels within a slice, in pixels."""
LEVELS = np.linspace(0.02, 0.98, 49)
"""Quantiles of the grey values that thresholds are taken from."""


def threshold_f1(
    contrast: NDArray[np.float32],
    annotation: NDArray[np.integer],
    train: Sequence[int],
    judge: int,
) -> float | None:
    """Score the best threshold of some slices on another one.

    Parameters
    ----------
    contrast : NDArray of float32, shape (channel, z, y, x) or (z, y, x)
        As a network sees it; every channel competes.
    annotation : NDArray of int, shape (z, y, x)
        0 not annotated, 1 boundary, 2 interior, 3 background.
    train : sequence of int
        Slices, from 0, on which channel, smoothing, threshold and sign are chosen.
    judge : int
        Slice that is scored.

    Returns
    -------
    float or None
        Boundary F1, as in `BoundaryScores`; None where the slice shows no boundary.

    Notes
    -----
    Background that is as dark as a boundary counts as boundary: a threshold knows no shapes.

    Examples
    --------
    >>> annotation = np.tile(np.array([2, 2, 1, 2, 2], dtype=np.uint8), (3, 5, 1))
    >>> contrast = np.where(annotation == 1, -1, 1).astype(np.float32)
    >>> threshold_f1(contrast, annotation, [0, 1], 2)
    1.0
    """
    volume, classes = measured_classes(contrast, annotation)
    slices = [*train, judge]
    seen = classes[list(train)] > 0
    truth = (classes[list(train)] == BOUNDARY)[seen]
    annotated = classes[judge] > 0
    wanted = (classes[judge] == BOUNDARY)[annotated]
    if not wanted.any() or not truth.any():
        return None
    best = (-1.0, 0.0)
    for channel in volume[:, slices]:
        for width in WIDTHS:
            smooth = gaussian_filter(channel, (0, width, width))
            for sign in (1, -1):
                values = sign * smooth[:-1][seen]
                levels = np.quantile(values, LEVELS)
                scores = [_f1(values < level, truth) for level in levels]
                place = int(np.argmax(scores))
                judged = _f1(sign * smooth[-1][annotated] < levels[place], wanted)
                best = max(best, (scores[place], judged))
    return best[1]


def _f1(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float(2 * (predicted & true).sum() / max(1, predicted.sum() + true.sum()))
