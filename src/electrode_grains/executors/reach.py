"""Arrays of this process where the workers of an executor see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockExecutor, BlockTarget, ExecutorSettings
from electrode_grains.executors.stored import create_stored


@contextmanager
def within_reach(
    executor: BlockExecutor, settings: ExecutorSettings, *arrays: NDArray[Any]
) -> Iterator[list[BlockTarget]]:
    """The arrays themselves, or copies on disk where workers are other processes.

    Parameters
    ----------
    executor : BlockExecutor
    settings : ExecutorSettings
        Edge of blocks, and the folder that all workers see.
    *arrays : ndarray, shape (z, y, x)

    Examples
    --------
    >>> from electrode_grains.blocks import SerialExecutor
    >>> with within_reach(SerialExecutor(), ExecutorSettings(), np.ones((1, 1, 2))) as (same,):
    ...     same[:].tolist()
    [[[1.0, 1.0]]]
    """
    if executor.shares_memory:
        yield list(arrays)
        return
    with TemporaryDirectory(prefix="electrode_grains_", dir=settings.scratch_folder) as folder:
        volumes: list[BlockTarget] = []
        for place, array in enumerate(arrays):
            depth, height, width = array.shape
            volume = create_stored(
                Path(folder) / str(place), (depth, height, width), array.dtype, settings.block_edge
            )
            volume[(slice(0, depth), slice(0, height), slice(0, width))] = np.asarray(array)
            volumes.append(volume)
        yield volumes
