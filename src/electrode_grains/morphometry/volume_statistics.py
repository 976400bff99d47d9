"""Statistics of a label volume: blocks, threads, voxels without measurement."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.errors import InputError
from electrode_grains.morphometry.block_statistics import (
    BlockStatistics,
    Triple,
    check_place,
    measure_block,
    merge_blocks,
    set_unmeasured_apart,
)
from electrode_grains.morphometry.checks import check_labels, check_measured

THINNEST_SLAB = 8  # planes for one thread; thinner ones would read their margins too often
COPIED_VOXELS = 2**19  # at a time, of volumes whose planes do not lie one after another


def available_threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def measure_volume(
    labels: ArrayLike,
    block_shape: Triple | None = None,
    threads: int | None = None,
    *,
    hulls: bool = True,
    measured: ArrayLike | None = None,
) -> BlockStatistics:
    """Measure a label volume, block by block.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
        May be memory-mapped.
    block_shape : (int, int, int), optional
        By default one slab of whole planes for each thread; thinner ones of volumes that
        must be copied, since their planes do not lie one after another in memory.
    threads : int, optional
        By default the processors that this process may use. The result does not depend on it.
    hulls : bool
        Whether to collect what the convex hulls need.
    measured : array_like of bool, shape (z, y, x), optional
        False where nothing was measured: no grain there, whatever the label, and none of
        the particle's surface, as outside the window.

    Returns
    -------
    BlockStatistics

    Raises
    ------
    InputError
        If the labels are none, or the measured region does not fit them.
    """
    volume = check_labels(labels)
    region = check_measured(measured, volume)
    window = (volume.shape[0], volume.shape[1], volume.shape[2])
    threads = threads or available_threads()
    check_place(window, (0, 0, 0), window, ((0, 0),) * 3)
    if block_shape is None:
        block_shape = _slabs(volume, threads)
    unmeasured = _unused_label(volume) if region is not None else 0

    def measure(offset: Triple) -> BlockStatistics:
        margin, cut = [], []
        for first, step, size in zip(offset, block_shape, window, strict=True):
            last = min(first + step, size)
            margin.append((int(first > 0), int(last < size)))
            cut.append(slice(first - margin[-1][0], last + margin[-1][1]))
        block = volume[tuple(cut)]
        if region is not None:
            block = _mark_unmeasured(block, region[tuple(cut)], unmeasured)
        return measure_block(block, offset, window, margin, hulls)

    z, y, x = (range(0, max(1, n), step) for n, step in zip(window, block_shape, strict=True))
    if threads == 1:
        whole = merge_blocks(map(measure, product(z, y, x)))
    else:
        with ThreadPoolExecutor(threads) as pool:
            whole = merge_blocks(pool.map(measure, product(z, y, x)))
    return whole if region is None else set_unmeasured_apart(whole, unmeasured, region)


def _unused_label(labels: NDArray[Any]) -> int:
    """Label of 64 bits that no voxel has."""
    label = int(np.iinfo(np.uint64).max)
    while labels.dtype.itemsize == 8 and (labels == np.uint64(label)).any():
        label -= 1
    return label


def _mark_unmeasured(
    block: NDArray[Any], measured: NDArray[np.bool_], label: int
) -> NDArray[np.uint64]:
    """Copy of labels with a label of their own for voxels without measurement."""
    if np.issubdtype(block.dtype, np.signedinteger) and (block[measured] < 0).any():
        raise InputError(
            "labels are not negative",
            found=f"label {int(block[measured].min())}",
            expected="0 for no grain, grains from 1",
        )
    return np.where(measured, block, 0).astype(np.uint64) + np.where(
        measured, np.uint64(0), np.uint64(label)
    )


def _slabs(volume: NDArray[Any], threads: int) -> Triple:
    depth, height, width = (max(1, size) for size in volume.shape)
    slabs = max(1, min(threads, depth // THINNEST_SLAB))
    thickness = -(-depth // slabs)
    if not (volume.flags.c_contiguous and volume.dtype.isnative):
        thickness = min(thickness, max(THINNEST_SLAB, COPIED_VOXELS // (height * width)))
    return thickness, height, width
