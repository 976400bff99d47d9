"""From stacks as scanned to aligned volumes on disk, a few slices at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment import (
    AlignmentSettings,
    SliceTransforms,
    apply_transforms,
    rotate_orientations,
)
from electrode_grains.blocks import Box, ExecutorSettings
from electrode_grains.boundary.block_contrast import planes_of
from electrode_grains.by_block.volumes import (
    StoredChannels,
    digested,
    keeping,
    open_channels,
    open_volume,
    write_volume,
)
from electrode_grains.ebsd.orientation_field import ORIENTATION_CHANNELS
from electrode_grains.errors import InputError
from electrode_grains.executors import StoredVolume, open_executor

IMAGE_QUALITY = "image_quality_volume.ome.zarr"
ORIENTATIONS = "orientation_volume.ome.zarr"
LIBRARIES = ("numpy", "scipy")


@dataclass(frozen=True)
class AlignedByBlock:
    """What was moved, and how much of it had to be computed.

    Attributes
    ----------
    image_quality, orientations : Path
        OME-Zarr volumes.
    digests : (str, str)
        SHA-256 of the digests of their slabs.
    computed, kept : int
        Tasks that were computed, and those whose results were at hand.
    """

    image_quality: Path
    orientations: Path
    digests: tuple[str, str]
    computed: int
    kept: int


def align_by_block(
    image_quality: Path,
    orientations: Path,
    transforms: SliceTransforms,
    folder: Path,
    *,
    compute: ExecutorSettings | None = None,
    alignment: AlignmentSettings | None = None,
) -> AlignedByBlock:
    """Move the slices of stacks on disk, with the bytes of a run.

    Parameters
    ----------
    image_quality, orientations : Path
        OME-Zarr volumes as scanned, as the pipeline keeps them.
    transforms : SliceTransforms
        One for each slice.
    folder : Path
        Gets `image_quality_volume.ome.zarr` and `orientation_volume.ome.zarr`; and, in `kept`,
        what a second call goes on with and what may be deleted. All workers must see it.
    compute : ExecutorSettings, optional
        Who computes; the results do not depend on it.
    alignment : AlignmentSettings, optional
        Gives the order of the spline.

    Returns
    -------
    AlignedByBlock

    Raises
    ------
    InputError
        If a volume is none, or there is not one transform for each slice.
    SettingsError
        If a worker's memory does not hold a block.
    RunError
        If the scheduler cannot be reached, or workers were lost.

    Notes
    -----
    A task holds as many slices as have the voxels of a block, one at least.
    """
    compute, folder = compute or ExecutorSettings(), folder.absolute()
    order = (alignment or AlignmentSettings()).spline_order
    quality, described = open_volume(image_quality, "image quality")
    crystals, _ = open_channels(orientations, "orientations", ORIENTATION_CHANNELS)
    shape = quality.shape
    for path, found in ((orientations, crystals.shape[0]), (image_quality, shape[0])):
        if found != len(transforms.matrices):
            raise InputError(
                "a volume needs one transform for each of its slices",
                where=str(path),
                found=f"{found} slices and {len(transforms.matrices)} transforms",
            )
    slabs = planes_of(shape, compute.block_edge**3)
    parts = list(_parts(transforms, shape, slabs))
    with open_executor(compute) as executor:
        kept = keeping(executor, folder, LIBRARIES)

        def write(name: str, channels: tuple[str, ...], function: Any, *arguments: Any) -> str:
            block = (slabs[0][1], *shape[1:])
            tasks = [(box, (*arguments, box, part)) for box, part in parts]
            return write_volume(
                kept, folder / name, shape, np.float32, block, described.spacing, function, tasks,
                channels=channels,
            )  # fmt: skip

        quality = digested(quality, executor, compute.block_edge)
        crystals = digested(crystals, executor, compute.block_edge)
        digests = (
            write(IMAGE_QUALITY, (), move_image_quality, quality, order),
            write(ORIENTATIONS, ORIENTATION_CHANNELS, move_orientations, crystals),
        )
    return AlignedByBlock(
        folder / IMAGE_QUALITY,
        folder / ORIENTATIONS,
        digests,
        kept.computed,
        kept.kept,
    )


def move_image_quality(
    stack: StoredVolume, order: int, box: Box, transforms: SliceTransforms
) -> NDArray[np.float32]:
    """Image quality of some slices, moved by spline."""
    return apply_transforms(stack[box], transforms, order=order).astype(np.float32)


def move_orientations(
    stack: StoredChannels, box: Box, transforms: SliceTransforms
) -> NDArray[np.float32]:
    """Quaternions and confidence of some slices, moved to the nearest point and turned."""
    moved = apply_transforms(stack[box], transforms, order=0)
    turned = rotate_orientations(np.moveaxis(moved[:4], 0, -1), transforms)
    moved[:4] = np.moveaxis(turned, -1, 0)
    return moved


def _parts(
    transforms: SliceTransforms, shape: tuple[int, int, int], slabs: list[tuple[int, int]]
) -> Iterator[tuple[Box, SliceTransforms]]:
    """Boxes of whole slices, with what moves them."""
    for start, stop in slabs:
        part = transforms_of(transforms, start, stop, shape[0])
        yield (slice(start, stop), slice(0, shape[1]), slice(0, shape[2])), part


def transforms_of(
    transforms: SliceTransforms, start: int, stop: int, count: int
) -> SliceTransforms:
    """What moves some of the slices of a stack."""
    turned = tuple(
        each.replace(first=max(each.first - start, 0), last=min(last, stop - 1) - start)
        for each in transforms.turned
        if each.first < stop and (last := count - 1 if each.last is None else each.last) >= start
    )
    return replace(
        transforms,
        matrices=transforms.matrices[start:stop],
        correlation_before=transforms.correlation_before[start:stop],
        correlation_after=transforms.correlation_after[start:stop],
        overlap=transforms.overlap[start:stop],
        flags=transforms.flags[start:stop],
        registered_to=None,
        evidence=None,
        turned=turned,
        lattice=None,
    )
