"""From aligned volumes on disk to what the network sees, with the bytes of `build_contrast`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockExecutor, Box, ExecutorSettings, divide, write_blocks
from electrode_grains.blocks.boxes import inside, widened
from electrode_grains.boundary.block_contrast import (
    SLAB_VOXELS,
    ChannelScale,
    ContrastScale,
    planes_of,
    scale_channel,
    scale_contrast,
)
from electrode_grains.boundary.settings import ContrastSettings
from electrode_grains.by_block.volumes import (
    SCRATCH,
    StoredChannels,
    check_shape,
    digested,
    keeping,
    open_channels,
    open_volume,
    write_volume,
)
from electrode_grains.ebsd.label_fits import boundaries_are_bright
from electrode_grains.ebsd.orientation_field import ORIENTATION_CHANNELS, OrientationField
from electrode_grains.ebsd.pseudo_cube import variants_as_one
from electrode_grains.ebsd.scan_index import ScanIndex
from electrode_grains.executors import StoredVolume, create_stored, open_executor

CONTRAST = "contrast_volume.ome.zarr"
LIBRARIES = ("numpy", "scipy")
SLAB = 8  # slices whose misorientations are computed at once
OF_ORIENTATIONS = ("confidence_index", "misorientation")


@dataclass(frozen=True)
class ContrastByBlock:
    """What was made, and how much of it had to be computed.

    Attributes
    ----------
    contrast : Path
        OME-Zarr volume.
    digest : str
        SHA-256 of the digests of its blocks.
    computed, kept : int
        Tasks that were computed, and those whose results were at hand.
    """

    contrast: Path
    digest: str
    computed: int
    kept: int


@dataclass(frozen=True)
class Channels:
    """How a block of the contrast is made.

    Attributes
    ----------
    names : tuple of str
        In their order.
    quality : ContrastScale or None
        None where the network does not see the image quality.
    is_bright : bool
        Whether its boundaries are bright, so that it is inverted.
    confidence, misorientation : ChannelScale or None
    """

    names: tuple[str, ...]
    quality: ContrastScale | None
    is_bright: bool
    confidence: ChannelScale | None
    misorientation: ChannelScale | None


def build_contrast_by_block(
    image_quality: Path,
    orientations: Path,
    scan_index: ScanIndex,
    folder: Path,
    *,
    annotation: Path | None = None,
    compute: ExecutorSettings | None = None,
    contrast: ContrastSettings | None = None,
) -> ContrastByBlock:
    """Bring what the network sees of volumes on disk to one scale.

    Parameters
    ----------
    image_quality, orientations : Path
        Aligned OME-Zarr volumes, as the pipeline keeps them.
    scan_index : ScanIndex
        Tells whether flips of the c axis count.
    folder : Path
        Gets `contrast_volume.ome.zarr`; and, in `scratch` and `kept`, what a second call goes on
        with and what may be deleted. All workers must see it.
    annotation : Path, optional
        Aligned OME-Zarr volume of classes, which tells whether boundaries are bright.
    compute : ExecutorSettings, optional
        Who computes; the results do not depend on it.
    contrast : ContrastSettings, optional

    Returns
    -------
    ContrastByBlock

    Raises
    ------
    InputError
        If a volume is none, shapes do not fit, or there is no contrast.
    SettingsError
        If a worker's memory does not hold a block.
    RunError
        If the scheduler cannot be reached, or workers were lost.

    Notes
    -----
    A task holds a block, or as many slices as have six times its voxels, one at least.
    Misorientations of a block are computed with the voxels beside it.
    """
    compute, contrast = compute or ExecutorSettings(), contrast or ContrastSettings()
    folder, edge = folder.absolute(), compute.block_edge
    quality, described = open_volume(image_quality, "image quality")
    shape = quality.shape
    crystals = None
    if set(OF_ORIENTATIONS) & set(contrast.channels):
        crystals, _ = open_channels(orientations, "orientations", ORIENTATION_CHANNELS)
        check_shape(orientations, crystals.shape, shape)
    is_bright = contrast.boundaries == "bright"
    if contrast.boundaries == "auto" and annotation is not None:
        classes, _ = open_volume(annotation, "labels")
        check_shape(annotation, classes.shape, shape)
        is_bright = _boundaries_are_bright(classes, quality, edge)
    with open_executor(compute) as executor:
        kept = keeping(executor, folder, LIBRARIES)
        quality = digested(quality, executor, edge)
        confidence = angles = None
        if crystals is not None:
            crystals = digested(crystals, executor, edge)
            confidence = crystals.one(4)
        if "misorientation" in contrast.channels and crystals is not None:
            uses_one = scan_index.uses_pseudo_symmetry(contrast.pseudo_symmetry)
            of_field = (contrast.laue_group, scan_index.operators, uses_one)
            angles = create_stored(folder / SCRATCH / "misorientation", shape, np.float32, edge)
            tasks = [(box, (crystals, box, *of_field)) for box in divide(shape, edge)]
            digest = write_blocks(kept, angles, misorientation_block, tasks)
            angles = angles.with_content(digest)
        channels = Channels(
            contrast.channels,
            scale_contrast(quality, executor=kept, block_edge=edge)
            if "image_quality" in contrast.channels
            else None,
            is_bright,
            _scale("confidence_index", contrast, confidence, quality, kept, edge),
            _scale("misorientation", contrast, angles, quality, kept, edge),
        )
        block = (edge, edge, edge)
        parts = [(box, (channels, quality, confidence, angles, box)) for box in divide(shape, edge)]
        digest = write_volume(
            kept, folder / CONTRAST, shape, np.float32, block, described.spacing, contrast_block,
            parts, channels=channels.names,
        )  # fmt: skip
    return ContrastByBlock(folder / CONTRAST, digest, kept.computed, kept.kept)


def misorientation_block(
    orientations: StoredChannels,
    box: Box,
    laue_group: Any,
    operators: Any,
    uses_pseudo_symmetry: bool,
) -> NDArray[np.float32]:
    """Largest misorientation of each voxel of a block to its direct neighbours, in radians."""
    z, y, x = box
    planes = []
    for first in range(z.start, z.stop, SLAB):
        own: Box = (slice(first, min(first + SLAB, z.stop)), y, x)
        around = widened(own, 1, orientations.shape)
        field = OrientationField.from_channels(
            orientations[around], laue_group=laue_group, operators=operators
        )
        if uses_pseudo_symmetry:
            field = variants_as_one(field)
        planes.append(field.misorientation_to_neighbours()[inside(own, around)])
    return np.concatenate(planes)


def contrast_block(
    channels: Channels,
    image_quality: StoredVolume,
    confidence: StoredVolume | None,
    misorientation: StoredVolume | None,
    box: Box,
) -> NDArray[np.float32]:
    """Contrast of a block, shape (channel, z, y, x)."""
    quality = image_quality[box]
    measured, made = np.isfinite(quality), []
    for name in channels.names:
        if name == "image_quality" and channels.quality is not None:
            scaled = channels.quality.apply(quality, box[0].start)
            made.append(-scaled if channels.is_bright else scaled)
        elif name == "confidence_index" and channels.confidence and confidence:
            made.append(channels.confidence.apply(confidence[box], measured))
        elif channels.misorientation and misorientation:
            made.append(channels.misorientation.apply(misorientation[box], measured))
    return np.stack(made)


def _scale(
    name: str,
    contrast: ContrastSettings,
    values: StoredVolume | None,
    quality: StoredVolume,
    executor: BlockExecutor,
    block_edge: int,
) -> ChannelScale | None:
    if name not in contrast.channels or values is None:
        return None
    scale = scale_channel(values, quality, executor=executor, block_edge=block_edge)
    if not scale.is_known:
        warnings.warn(f"no slice has a {name}: the network sees zeros instead", stacklevel=3)
    return scale


def _boundaries_are_bright(classes: StoredVolume, quality: StoredVolume, block_edge: int) -> bool:
    labelled = [plane for plane in _Slices(classes, block_edge) if plane.any()]
    images = cast("NDArray[Any]", _Slices(quality, block_edge))  # is gone through slice by slice
    return bool(labelled) and boundaries_are_bright(np.stack(labelled), images)


class _Slices:
    """Slices of a volume, of which a slab is held."""

    def __init__(self, volume: StoredVolume, block_edge: int) -> None:
        self._volume = volume
        self._slabs = planes_of(volume.shape, SLAB_VOXELS * block_edge**3)

    def __len__(self) -> int:
        return self._volume.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        _, height, width = self._volume.shape
        for start, stop in self._slabs:
            yield from self._volume[slice(start, stop), slice(0, height), slice(0, width)]
