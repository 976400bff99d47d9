"""Orientations that are read block by block, and whether they take part in a segmentation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockSource, Box
from electrode_grains.blocks.boxes import shape_of, widened
from electrode_grains.crystal import LaueGroup
from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.pseudo_cube import (
    LEAST_EXCESS,
    count_flips,
    excess_of_counts,
    flip_chance,
    variants_as_one,
)
from electrode_grains.ebsd.pseudo_group import Operator
from electrode_grains.errors import InputError
from electrode_grains.grains.block_work import BlockWork
from electrode_grains.grains.segmentation import usable_settings
from electrode_grains.grains.settings import SegmentationSettings


@dataclass(frozen=True)
class Channels:
    """Volumes that are read as one with channels; its shape is that of each.

    Attributes
    ----------
    each : tuple of BlockSource, shape (z, y, x)
    """

    each: tuple[BlockSource, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along z, y, x."""
        return self.each[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the first."""
        return self.each[0].dtype

    def __getitem__(self, box: Box) -> NDArray[Any]:
        return np.stack([np.asarray(volume[box]) for volume in self.each])


@dataclass(frozen=True)
class BlockOrientations:
    """Orientations of a volume that may be larger than memory.

    Attributes
    ----------
    channels : BlockSource of float, shape (z, y, x)
        A box of it has 4 or 5 channels before z, as `Channels` has: quaternions from sample to
        crystal, scalar first, and their confidence.
    laue_group : LaueGroup
        Symmetry of the crystal.
    operators : tuple of Operator
        Rotations of crystal axes that the indexer confuses, where they are given.
    as_one : bool
        Whether variants count as one orientation, see `variants_as_one`.
    """

    channels: BlockSource
    laue_group: LaueGroup = "-3m"
    operators: tuple[Operator, ...] = ()
    as_one: bool = False

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse a volume of another shape."""
        if tuple(self.channels.shape) != shape:
            raise InputError(
                "orientations and class probabilities do not fit each other",
                found=f"shapes {tuple(self.channels.shape)} and {shape}",
            )

    def field(self, box: Box, chosen: NDArray[np.bool_] | None = None) -> OrientationField:
        """Orientations of a box, or of the chosen points of it."""
        stored = np.asarray(self.channels[box])
        return self._as_compared(stored if chosen is None else stored[:, chosen])

    @property
    def symmetry(self) -> NDArray[np.float64]:
        """Rotations under which orientations are one, shape (n, 4)."""
        return self._as_compared(np.zeros((4, 0))).symmetry

    def _as_compared(self, stored: NDArray[np.floating]) -> OrientationField:
        field = OrientationField.from_channels(
            stored, laue_group=self.laue_group, operators=self.operators
        )
        return variants_as_one(field) if self.as_one else field


def usable_by_block(
    settings: SegmentationSettings,
    orientations: BlockOrientations | None,
    background: BlockSource,
    work: BlockWork,
) -> tuple[SegmentationSettings, BlockOrientations | None, tuple[str, ...]]:
    """Settings without "auto", orientations as they take part, and what to warn of.

    Those of `usable_settings`; variants count as one as `uses_pseudo_symmetry` decides.
    """
    point = None
    if orientations is not None:
        orientations.check(work.shape)
        is_known = any(work.over(has_orientations, lambda box: (orientations, box)))
        point = OrientationField(np.full((1, 1, 1, 4), 0.5 if is_known else np.nan))  # for all
    settings, taking_part, warnings = usable_settings(settings, point, (1, 1, 1))
    if orientations is None or taking_part is None:
        return settings, None, warnings
    choice = settings.pseudo_symmetry
    if choice == "auto":
        possible = bool(orientations.operators) or orientations.laue_group == "-3m"
        threshold = settings.background_threshold
        is_one = possible and (
            flip_excess_by_block(orientations, background, threshold, work) > LEAST_EXCESS
        )
    else:
        is_one = choice == "on"
    return settings, replace(orientations, as_one=is_one), warnings


def flip_excess_by_block(
    orientations: BlockOrientations, background: BlockSource, threshold: float, work: BlockWork
) -> float:
    """Excess of flips where the background is not more probable, see `flip_excess`."""
    depth = work.shape[0]
    counts = np.zeros((depth, 3, 3), np.int64)
    flips = work.over(count_block_flips, lambda box: (orientations, background, threshold, box))
    for box, of_block in zip(work.boxes, flips, strict=True):
        counts[box[0]] += of_block
    # In the order of core, since what chance expects is no whole number.
    weight = np.array([1.0, flip_chance(orientations.field(_first_voxel())), 1.0])
    return excess_of_counts(
        weight * each
        for z in range(depth)
        for each in (*counts[z, :2], *counts[z - 1 : z, 2])  # none before the first
    )


def has_orientations(orientations: BlockOrientations, box: Box) -> bool:
    """Whether a point of a block has an orientation."""
    return bool(orientations.field(box).known.any())


def count_block_flips(
    orientations: BlockOrientations, background: BlockSource, threshold: float, box: Box
) -> NDArray[np.int64]:
    """Pairs of `count_flips` plane by plane: along y, along x, and to the next plane.

    Returns
    -------
    ndarray of int64, shape (planes, 3, 3)
        Over the faces of a block's voxels to their next neighbours.
    """
    around = widened(box, 1, shape_of(background))
    ahead = (
        slice(box[0].start, around[0].stop),
        slice(box[1].start, around[1].stop),
        slice(box[2].start, around[2].stop),
    )
    depth, rows, columns = (side.stop - side.start for side in box)
    field, known = orientations.field(ahead), np.asarray(background[ahead]) <= threshold
    if field.confidence is not None:
        known = known & (field.confidence > 0)
    planes = [field.at(z).where(known[z]) for z in range(field.shape[0])]
    last_row, last_column = min(rows, field.shape[1] - 1), min(columns, field.shape[2] - 1)
    counts = np.zeros((depth, 3, 3), np.int64)
    for z in range(depth):
        plane = planes[z]
        low = plane.at(np.s_[:last_row, :columns])
        counts[z, 0] = count_flips(plane.at(np.s_[1 : last_row + 1, :columns]), low)
        low = plane.at(np.s_[:rows, :last_column])
        counts[z, 1] = count_flips(plane.at(np.s_[:rows, 1 : last_column + 1]), low)
        if z + 1 < len(planes):
            own = np.s_[:rows, :columns]
            counts[z, 2] = count_flips(planes[z + 1].at(own), plane.at(own))
    return counts


def _first_voxel() -> Box:
    return slice(0, 1), slice(0, 1), slice(0, 1)
