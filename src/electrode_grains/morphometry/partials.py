"""Whole-number statistics of a label volume, which add up exactly over its blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.morphometry.crofton import DIRECTIONS
from electrode_grains.problems import InputProblem

Integers = NDArray[np.int64]


def check_labels(labels: NDArray[Any]) -> None:
    """Refuse what is no label volume.

    Raises
    ------
    InputProblem
        If it is not three-dimensional, not of whole numbers, or holds a negative label.
    """
    if labels.ndim != 3:
        raise InputProblem("a label volume has dimensions (z, y, x)", found=f"shape {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputProblem("labels are whole numbers", found=f"dtype {labels.dtype}")
    if labels.size and np.issubdtype(labels.dtype, np.signedinteger) and labels.min() < 0:
        raise InputProblem(
            "labels are not negative",
            found=f"label {int(labels.min())}",
            expected="0 for no grain, grains from 1",
        )


def check_spacing(spacing: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the spacing as floats.

    Raises
    ------
    InputProblem
        If it is not three positive lengths.
    """
    steps = tuple(float(step) for step in spacing)
    if len(steps) != 3 or not all(np.isfinite(step) and step > 0 for step in steps):
        raise InputProblem(
            "voxel spacing must be three positive lengths (dz, dy, dx)", found=str(steps)
        )
    return steps[0], steps[1], steps[2]


@dataclass(frozen=True)
class GrainMoments:
    """Counts, moments and extents of every grain; whole numbers in voxels.

    Attributes
    ----------
    labels : ndarray, shape (n,)
        Sorted, without 0.
    counts : ndarray of int64, shape (n,)
    first, second : ndarray of int64, shapes (n, 3) and (n, 3, 3)
        Sums of the coordinates (z, y, x) and of their products.
    lower, upper : ndarray of int64, shape (n, 3)
        Bounding box, upper end excluded.
    """

    labels: NDArray[Any]
    counts: Integers
    first: Integers
    second: Integers
    lower: Integers
    upper: Integers


def measure_moments(labels: NDArray[Any]) -> tuple[GrainMoments, NDArray[np.int64]]:
    """Count and sum coordinates of every grain.

    Parameters
    ----------
    labels : ndarray of integer, shape (z, y, x)

    Returns
    -------
    GrainMoments
    ndarray of int64, shape (z, y, x)
        Rank of each voxel's grain from 1, 0 outside grains.
    """
    values, flat = np.unique(labels, return_inverse=True)
    ranks = flat.reshape(labels.shape).astype(np.int64)
    if values.size == 0 or values[0] != 0:
        ranks += 1
    else:
        values = values[1:]
    count = values.size
    place = np.nonzero(ranks)
    which = ranks[place] - 1
    coordinates = [axis.astype(np.int64) for axis in place]
    counts = np.bincount(which, minlength=count).astype(np.int64)
    first, lower, upper = (np.zeros((count, 3), np.int64) for _ in range(3))
    second = np.zeros((count, 3, 3), np.int64)
    for i, own in enumerate(coordinates):
        np.add.at(first[:, i], which, own)
        lower[:, i] = labels.shape[i]
        np.minimum.at(lower[:, i], which, own)
        np.maximum.at(upper[:, i], which, own + 1)
        for j in range(i, 3):
            np.add.at(second[:, i, j], which, own * coordinates[j])
            second[:, j, i] = second[:, i, j]
    return GrainMoments(values, counts, first, second, lower, upper), ranks


@dataclass(frozen=True)
class PairCounts:
    """Pairs of neighbouring voxels of different labels, by direction.

    Attributes
    ----------
    first, second : ndarray of int64, shape (m,)
        Ranks of both grains, the smaller first; 0 is no grain or beyond the window.
    counts : ndarray of int64, shape (m, 13)
        Unordered pairs of voxels in each direction of `DIRECTIONS`.
    window : ndarray of int64, shape (n + 1, 13)
        Those pairs of each grain whose other end lies beyond the window; they are part of
        `counts` as well.
    """

    first: Integers
    second: Integers
    counts: Integers
    window: Integers


def count_pairs(ranks: NDArray[np.int64], grain_count: int) -> PairCounts:
    """Count neighbouring voxels of different grains in 13 directions.

    Parameters
    ----------
    ranks : ndarray of int64, shape (z, y, x)
        From `measure_moments`.
    grain_count : int

    Returns
    -------
    PairCounts
    """
    padded = np.pad(ranks, 1)
    # Voxels that differ from any of their neighbours, and all their partners, decide everything.
    inside = tuple(slice(1, -1) for _ in range(3))
    base = grain_count + 1
    keys, sums = np.empty(0, np.int64), np.empty((0, 13), np.int64)
    window = np.zeros((base, 13), np.int64)
    found = []
    for direction in DIRECTIONS:
        ahead = tuple(
            slice(max(step, 0), padded.shape[i] + min(step, 0)) for i, step in enumerate(direction)
        )
        behind = tuple(
            slice(max(-step, 0), padded.shape[i] + min(-step, 0))
            for i, step in enumerate(direction)
        )
        a, b = padded[behind], padded[ahead]
        apart = a != b
        low, high = np.minimum(a[apart], b[apart]), np.maximum(a[apart], b[apart])
        found.append(np.unique(low * base + high, return_counts=True))
    keys = np.unique(np.concatenate([pair for pair, _ in found]))
    sums = np.zeros((keys.size, 13), np.int64)
    for k, (pair, number) in enumerate(found):
        sums[np.searchsorted(keys, pair), k] = number
    for k, direction in enumerate(DIRECTIONS):
        for sign in (1, -1):
            beyond = np.zeros(padded[inside].shape, bool)
            for axis, step in enumerate(direction):
                edge = {1: -1, -1: 0}.get(sign * step)
                if edge is not None:
                    beyond[(slice(None),) * axis + (edge,)] = True
            window[:, k] += np.bincount(ranks[beyond], minlength=base)
    window[0] = 0
    return PairCounts(keys // base, keys % base, sums, window)
