"""A simulated annotator with positional error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.classes import BACKGROUND, BOUNDARY, INTERIOR

LARGEST_DISPLACEMENT_PX = 2.0
LARGEST_MISSED_SHARE = 0.1


def annotate(
    labels: NDArray[np.int32], error: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw the classes of a slice.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        True grains, 0 outside.
    error : float
        0 draws the truth. 1 displaces every line by about two pixels, smoothly, and misses
        every tenth boundary between two grains.
    rng : Generator

    Returns
    -------
    ndarray of uint8, shape (y, x)
        1 boundary: points of a grain beside another grain or beside the surroundings;
        2 interior; 3 background.

    Examples
    --------
    >>> annotate(np.array([[0, 5, 5, 5, 7, 7]], np.int32), 0.0, np.random.default_rng(0)).tolist()
    [[3, 1, 2, 1, 1, 2]]
    """
    drawn = labels
    if error > 0:
        drawn = _miss_boundaries(_displace(labels, error, rng), error, rng)
    padded = np.pad(drawn, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    beside = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    apart = np.any([side != middle for side in beside], axis=0)
    classes = np.where(drawn == 0, BACKGROUND, np.where(apart, BOUNDARY, INTERIOR))
    return classes.astype(np.uint8)


def _displace(
    labels: NDArray[np.int32], error: float, rng: np.random.Generator
) -> NDArray[np.int32]:
    noise = ndimage.gaussian_filter(rng.standard_normal((2, *labels.shape)), (0, 6, 6))
    shift = noise / noise.std() * LARGEST_DISPLACEMENT_PX * error / 2
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]]
    moved = np.rint([y + shift[0], x + shift[1]]).astype(int)
    rows = np.clip(moved[0], 0, labels.shape[0] - 1)
    columns = np.clip(moved[1], 0, labels.shape[1] - 1)
    displaced: NDArray[np.int32] = labels[rows, columns]
    return displaced


def _miss_boundaries(
    labels: NDArray[np.int32], error: float, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Unite pairs of neighbouring grains as if the line between them were not seen."""
    pairs = np.concatenate(
        [
            np.column_stack([labels[:-1].ravel(), labels[1:].ravel()]),
            np.column_stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()]),
        ]
    )
    pairs = np.unique(
        np.sort(pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs > 0).all(axis=1)]), axis=0
    )
    missed = pairs[rng.random(len(pairs)) < LARGEST_MISSED_SHARE * error]
    united = labels.copy()
    for keep, lose in missed.tolist():
        united[united == lose] = keep
    return united
