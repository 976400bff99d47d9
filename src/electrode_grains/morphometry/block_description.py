"""Image quality and lattices of grains whose volumes are read block by block.

What depends on one grain alone needs its points, in their order, and no others: grains are taken
together by the place of their first corner, and a task holds the points of its grains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.blocks import BlockExecutor, BlockSource, Box, divide
from electrode_grains.blocks.boxes import shape_of
from electrode_grains.blocks.executor import check_reach
from electrode_grains.errors import InputError
from electrode_grains.morphometry.block_measure import measure_box
from electrode_grains.morphometry.block_region import (
    MaskedLabels,
    inclusion_weights_by_block,
    measure_region,
)
from electrode_grains.morphometry.block_statistics import merge_blocks
from electrode_grains.morphometry.checks import check_spacing
from electrode_grains.morphometry.measure import ParticleMeasurement, complete_grains
from electrode_grains.morphometry.orientations import (
    add_misorientations,
    describe_orientations,
    low_angle_share,
)
from electrode_grains.morphometry.radial_position import particle_center, radial_directions
from electrode_grains.morphometry.settings import DEFAULTS, MeasureSettings
from electrode_grains.morphometry.table import (
    summarize_statistics,
    tabulate_contacts,
    tabulate_grains,
)

REASON = "orientation_reason"
CELLS = 4  # along each axis of a block, whose grains are one task
READ_AT_ONCE = 2**21  # voxels
ANY_REGION = np.ones((1, 1, 1), bool)  # tells the table that there is one; its weights are ours


@dataclass(frozen=True)
class GrainDescription:
    """Columns of some grains.

    Attributes
    ----------
    quality : ndarray of float64, shape (n,)
        Mean image quality.
    lattice : ndarray of float64, shape (columns, n)
        Numbers of `describe_orientations`, in its order.
    reasons : ndarray of str, shape (n,)
    """

    quality: NDArray[np.float64]
    lattice: NDArray[np.float64]
    reasons: NDArray[np.str_]


def measure_particle_by_block(
    labels: BlockSource,
    spacing: Sequence[float],
    measured: BlockSource | None = None,
    *,
    executor: BlockExecutor,
    block_edge: int,
    settings: MeasureSettings = DEFAULTS,
    image_quality: BlockSource | None = None,
    orientations: Sequence[BlockSource] | None = None,
) -> ParticleMeasurement:
    """Measure a particle block by block, with image quality and orientations.

    Parameters
    ----------
    labels : BlockSource of integer, shape (z, y, x)
        May be larger than memory, as may be the others.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    measured : BlockSource of bool, shape (z, y, x), optional
        False where nothing was measured, see `measure_particle`.
    executor : BlockExecutor
    block_edge : int
        Voxels of a block along each axis. No number depends on it.
    settings : MeasureSettings
        As for `measure_particle`.
    image_quality : BlockSource of float, shape (z, y, x), optional
    orientations : sequence of 4 or 5 BlockSource of float, shape (z, y, x), optional
        Quaternions from sample to crystal, scalar first, and their confidence.

    Returns
    -------
    ParticleMeasurement
        That of `measure_particle`.

    Raises
    ------
    InputError
        If labels or spacing are impossible, or shapes differ; of a measured region if labels have
        more than 32 bits.
    SettingsError
        If workers cannot reach a volume.

    Examples
    --------
    >>> from electrode_grains.blocks import SerialExecutor
    >>> halves = np.pad(np.repeat([[[1, 1, 2, 2]]], 4, axis=1), 1)
    >>> found = measure_particle_by_block(
    ...     halves, (50, 50, 50), executor=SerialExecutor(), block_edge=4,
    ...     image_quality=np.full(halves.shape, 2.0))
    >>> found.grains["mean_image_quality"].tolist()
    [2.0, 2.0]
    """
    steps, shape, channels = check_spacing(spacing), shape_of(labels), tuple(orientations or ())
    for volume in (*channels, image_quality, measured):
        if volume is None:
            continue
        if tuple(volume.shape) != shape:
            raise InputError(
                "labels and what is measured differ in shape",
                found=f"shape {tuple(volume.shape)}",
                expected=f"shape {shape}",
            )
        check_reach(executor, volume)
    check_reach(executor, labels)
    share, region = 1.0, None
    if measured is None:
        boxes = [(labels, box) for box in divide(shape, block_edge)]
        statistics = merge_blocks(executor.map(measure_box, boxes))
    else:
        labels = MaskedLabels(labels, measured)
        statistics, count = measure_region(labels, executor, block_edge)
        share, region = count / math.prod(shape), ANY_REGION
    grains = tabulate_grains(statistics, steps, center_nm=settings.center_nm, measured=region)
    if measured is not None:
        weights = inclusion_weights_by_block(statistics, measured, count, executor, block_edge)
        grains = grains.assign(edge_weight=weights)
    contacts = tabulate_contacts(statistics, steps)
    particle = summarize_statistics(statistics, steps, share)
    columns = _describe(grains, labels, image_quality, channels, executor, block_edge, settings)
    grains = grains.assign(**columns)
    if channels:
        contacts = add_misorientations(contacts, grains, settings.laue_group)
        low_angle = float(np.radians(settings.low_angle_degrees))
        particle = replace(
            particle,
            low_angle_share=low_angle_share(contacts, low_angle),
            low_angle_degrees=settings.low_angle_degrees,
        )
    return ParticleMeasurement(complete_grains(grains, labels, steps, settings), contacts, particle)


def describe_grains(
    labels: BlockSource,
    names: NDArray[Any],
    box: Box,
    image_quality: BlockSource | None,
    orientations: tuple[BlockSource, ...],
    laue: str,
    radial: NDArray[np.float64],
) -> GrainDescription:
    """Describe grains that lie in a box, which is read slab by slab.

    Parameters
    ----------
    labels : BlockSource
    names : ndarray of integer, shape (n,)
        Labels of the grains, sorted.
    box : (slice, slice, slice)
    image_quality : BlockSource, optional
    orientations : tuple of BlockSource
        Empty without orientations.
    laue : str
    radial : ndarray of float64, shape (n, 3)
        Unit vector (x, y, z) from the particle's centre to each grain.
    """
    own, points = [], []
    total, count = np.zeros((2, len(names) + 1))
    for slab in _slabs(box):
        values = np.asarray(labels[slab])
        ranks = np.searchsorted(names, values)
        ranks = np.where(names[np.minimum(ranks, len(names) - 1)] == values, ranks + 1, 0)
        chosen = ranks > 0
        own.append(ranks[chosen])
        points.append([np.asarray(channel[slab])[chosen] for channel in orientations])
        if image_quality is None:
            continue
        # Plane after plane, as in core: the order of summation is always the same.
        for rank, quality in zip(ranks, np.asarray(image_quality[slab]), strict=True):
            known = np.isfinite(quality)
            total += np.bincount(rank[known], quality[known].astype(float), total.size)
            count += np.bincount(rank[known], minlength=total.size)
    quality = np.full(len(names), np.nan)
    np.divide(total[1:], count[1:], out=quality, where=count[1:] > 0)
    if not orientations:
        return GrainDescription(quality, np.zeros((0, len(names))), np.zeros(len(names), "U1"))
    field = np.stack([np.concatenate(parts) for parts in zip(*points, strict=True)])
    ranks = np.concatenate(own)[None, None]
    lattice = describe_orientations(
        ranks, np.arange(1, len(names) + 1), field[:, None, None], laue, radial
    )
    reasons = np.array(lattice.pop(REASON), dtype=str)
    return GrainDescription(quality, np.array(list(lattice.values()), float), reasons)


def _describe(
    grains: pd.DataFrame,
    labels: BlockSource,
    image_quality: BlockSource | None,
    orientations: tuple[BlockSource, ...],
    executor: BlockExecutor,
    block_edge: int,
    settings: MeasureSettings,
) -> dict[str, NDArray[Any]]:
    """Columns that image quality and orientations add to the grain table."""
    if image_quality is None and not orientations:
        return {}
    centroids = grains[[f"centroid_{axis}_nm" for axis in "xyz"]].to_numpy()
    radial = radial_directions(
        centroids,
        particle_center(centroids, grains["volume_nm3"].to_numpy())
        if settings.center_nm is None
        else settings.center_nm,
    )
    names = grains["label"].to_numpy().astype(labels.dtype)
    groups = list(_groups(grains, max(1, block_edge // CELLS)))
    laue = settings.laue_group
    parts = list(
        executor.map(
            describe_grains,
            (
                (labels, names[rows], box, image_quality, orientations, laue, radial[rows])
                for rows, box in groups
            ),
        )
    )
    # Of no grain too: it tells the columns.
    none = np.zeros(0, np.int64)
    lattice_names = describe_orientations(
        np.zeros((1, 1, 0), np.int32), none, np.zeros((4, 1, 1, 0)), laue, np.zeros((0, 3))
    )
    order = np.argsort(np.concatenate([none, *(rows for rows, _ in groups)]), kind="stable")
    columns: dict[str, NDArray[Any]] = {}
    if image_quality is not None:
        quality = np.concatenate([np.zeros(0), *(part.quality for part in parts)])
        columns["mean_image_quality"] = quality[order]
    if orientations:
        numbers = [name for name in lattice_names if name != REASON]
        values = np.concatenate(
            [np.zeros((len(numbers), 0)), *(part.lattice for part in parts)], axis=1
        )
        columns |= dict(zip(numbers, values[:, order], strict=True))
        reasons = [text for part in parts for text in part.reasons.tolist()]
        columns[REASON] = np.array(reasons, object)[order]
    return columns


def _groups(grains: pd.DataFrame, edge: int) -> Iterator[tuple[NDArray[np.int64], Box]]:
    """Rows of grains whose boxes begin in one cell, and the box that holds them.

    A grain that is longer than a cell is alone, lest others be sought all along it.
    """
    if grains.empty:
        return
    first = grains[[f"box_first_{axis}" for axis in "zyx"]].to_numpy(np.int64)
    last = grains[[f"box_last_{axis}" for axis in "zyx"]].to_numpy(np.int64)
    is_long = (last - first >= edge).any(axis=1)
    alone = np.where(is_long, np.arange(1, len(grains) + 1), 0)
    keys = np.column_stack([first // edge, alone])
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.ravel()
    for rows in np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1]):
        low, high = first[rows].min(axis=0), last[rows].max(axis=0) + 1
        z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        yield rows, (z, y, x)


def _slabs(box: Box) -> Iterator[Box]:
    """Parts of a box along z, in their order, of few voxels."""
    z, y, x = box
    thickness = max(1, READ_AT_ONCE // ((y.stop - y.start) * (x.stop - x.start)))
    for start in range(z.start, z.stop, thickness):
        yield slice(start, min(start + thickness, z.stop)), y, x
