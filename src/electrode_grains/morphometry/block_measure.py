"""Grain table, contact table and summary of a label volume that is read block by block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electrode_grains.blocks import BlockExecutor, BlockSource, Box, divide
from electrode_grains.blocks.boxes import shape_of, widened
from electrode_grains.blocks.executor import check_reach
from electrode_grains.errors import InputError
from electrode_grains.morphometry.block_statistics import BlockStatistics, merge_blocks
from electrode_grains.morphometry.checks import check_spacing
from electrode_grains.morphometry.measure import ParticleMeasurement, complete_grains
from electrode_grains.morphometry.settings import DEFAULTS, MeasureSettings
from electrode_grains.morphometry.table import (
    summarize_statistics,
    tabulate_contacts,
    tabulate_grains,
)


def measure_by_block(
    labels: BlockSource,
    spacing: Sequence[float],
    *,
    executor: BlockExecutor,
    block_edge: int,
    settings: MeasureSettings = DEFAULTS,
) -> ParticleMeasurement:
    """Measure every grain, every contact and their sums, block by block.

    Parameters
    ----------
    labels : BlockSource of integer, shape (z, y, x)
        May be larger than memory.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    executor : BlockExecutor
    block_edge : int
        Voxels of a block along each axis. No number depends on it.
    settings : MeasureSettings
        As for `measure_particle`.

    Returns
    -------
    ParticleMeasurement
        That of `measure_particle` without image quality, orientations and measured region.

    Raises
    ------
    InputError
        If labels or spacing are impossible.
    SettingsError
        If workers cannot reach the labels.

    Notes
    -----
    The caller holds the statistics of all grains, contacts and surface faces, and the corners
    of flat hulls; the labels are a matter of one block at a time.

    Examples
    --------
    >>> from electrode_grains.blocks import SerialExecutor
    >>> halves = np.pad(np.repeat([[[1, 1, 2, 2]]], 4, axis=1), 1)
    >>> found = measure_by_block(halves, (50, 50, 50), executor=SerialExecutor(), block_edge=2)
    >>> found.grains["voxel_count"].tolist()
    [8, 8]
    """
    steps = check_spacing(spacing)
    if len(labels.shape) != 3 or labels.dtype.kind not in "iu":
        raise InputError(
            "the labels cannot be measured",
            found=f"shape {labels.shape} of {labels.dtype}",
            expected="integers, shape (z, y, x)",
        )
    check_reach(executor, labels)
    tasks = [(labels, box) for box in divide(shape_of(labels), block_edge)]
    statistics = merge_blocks(executor.map(measure_box, tasks))
    grains = tabulate_grains(statistics, steps, center_nm=settings.center_nm)
    return ParticleMeasurement(
        complete_grains(grains, labels, steps, settings),
        tabulate_contacts(statistics, steps),
        summarize_statistics(statistics, steps),
    )


def measure_box(labels: BlockSource, box: Box) -> BlockStatistics:
    """Statistics of the voxels of a block."""
    shape = shape_of(labels)
    around = widened(box, 1, shape)
    margin = [
        (side.start - outer.start, outer.stop - side.stop)
        for side, outer in zip(box, around, strict=True)
    ]
    first = (box[0].start, box[1].start, box[2].start)
    return BlockStatistics.from_block(np.asarray(labels[around]), first, shape, margin)
