"""From stored class probabilities to grains and their table, block by block.

The chain of `segment_grains` and of `measure_particle`, for volumes larger than memory: nothing but
tables is held as a whole, and what is finished is not computed again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block.volumes import (
    FINEST,
    SCRATCH,
    MeasuredVoxels,
    begin_volume,
    check_shape,
    digested,
    finish_volume,
    keeping,
    open_channels,
    open_volume,
)
from electrode_grains.classes import CHANNEL_NAMES
from electrode_grains.ebsd.orientation_field import ORIENTATION_CHANNELS
from electrode_grains.ebsd.scan_index import ScanIndex
from electrode_grains.errors import InputError
from electrode_grains.executors import (
    StoredVolume,
    create_stored,
    open_executor,
)
from electrode_grains.grains import (
    BlockOrientations,
    BlockProbabilities,
    BlockSegmentation,
    SegmentationSettings,
    segment_by_block,
)
from electrode_grains.grains.placement import COLOURS
from electrode_grains.morphometry import MeasureSettings, ParticleMeasurement
from electrode_grains.morphometry.block_description import measure_particle_by_block
from electrode_grains.volumes import Spacing

LABELS = "grain_label_volume.ome.zarr"


@dataclass(frozen=True)
class GrainsByBlock:
    """What was found, and how much of it had to be computed.

    Attributes
    ----------
    labels : Path
        OME-Zarr volume of the grains.
    segmentation : BlockSegmentation
    measurement : ParticleMeasurement
    computed, kept : int
        Tasks that were computed, and those whose results were at hand.
    """

    labels: Path
    segmentation: BlockSegmentation
    measurement: ParticleMeasurement
    computed: int
    kept: int


def find_grains_by_block(
    class_probability: Path,
    folder: Path,
    *,
    compute: ExecutorSettings | None = None,
    segmentation: SegmentationSettings | None = None,
    measure: MeasureSettings | None = None,
    image_quality: Path | None = None,
    orientations: Path | None = None,
    scan_index: ScanIndex | None = None,
) -> GrainsByBlock:
    """Segment and measure a particle whose class probabilities lie on disk.

    Parameters
    ----------
    class_probability : Path
        OME-Zarr volume (channel, z, y, x), as the pipeline keeps it.
    folder : Path
        Gets the labels, `grain_table.parquet`, `contact_table.parquet` and
        `particle_summary.json`; and, in `scratch` and `kept`, volumes and results in between,
        which a second call goes on with and which may be deleted. All workers must see it.
    compute : ExecutorSettings, optional
        Who computes; the results do not depend on it.
    segmentation : SegmentationSettings, optional
        As for `segment_by_block`.
    measure : MeasureSettings, optional
    image_quality : Path, optional
        Aligned OME-Zarr volume. Voxels without a value are no grain and bound the particle, and
        the grain table gets means.
    orientations : Path, optional
        Aligned OME-Zarr volume. They decide as `merge_mode` says, and the tables get lattices and
        misorientations.
    scan_index : ScanIndex, optional
        Of the stack: whether variants count as one orientation, and which, as in a run. Without it
        the orientations inside the particle decide, as in `segment_grains`.

    Returns
    -------
    GrainsByBlock

    Raises
    ------
    InputError
        If the volume is none, or a probability is not finite.
    SettingsError
        If a setting does not work by block, or a worker's memory does not hold a block.
    RunError
        If the scheduler cannot be reached, or workers were lost.
    ComputationError
        If no grain is left.
    """
    compute, folder = compute or ExecutorSettings(), folder.absolute()
    segmentation = segmentation or SegmentationSettings()
    if scan_index is not None:
        pseudo = scan_index.uses_pseudo_symmetry(segmentation.pseudo_symmetry)
        segmentation = segmentation.replace(pseudo_symmetry="on" if pseudo else "off")
    voxel = 4 if orientations is None else 4 * len(ORIENTATION_CHANNELS)
    compute.check_memory(itemsize=voxel, halo=2 * COLOURS)  # halo of placement, the largest
    volumes, spacing = _open(class_probability)
    edge, shape = compute.block_edge, volumes[0].shape
    quality = crystals = None
    if image_quality is not None:
        quality, _ = open_volume(image_quality, "image quality")
        check_shape(image_quality, quality.shape, shape)
    if orientations is not None:
        crystals, _ = open_channels(orientations, "orientations", ORIENTATION_CHANNELS)
        check_shape(orientations, crystals.shape, shape)
    with open_executor(compute) as executor:
        kept = keeping(executor, folder)
        boundary, interior, background = (digested(v, executor, edge) for v in volumes)
        quality = quality and digested(quality, executor, edge)
        crystals = crystals and digested(crystals, executor, edge)
        measured = quality and MeasuredVoxels.of(quality)
        lattices = None
        if crystals is not None:
            operators = () if scan_index is None else scan_index.operators
            lattices = BlockOrientations(crystals, segmentation.laue_group, operators)
        group = begin_volume(folder / LABELS)
        labels = create_stored(folder / LABELS / FINEST, shape, np.int32, edge)
        found = segment_by_block(
            BlockProbabilities(boundary, interior, background, measured),
            labels,
            settings=segmentation,
            executor=kept,
            block_edge=edge,
            scratch=lambda name: create_stored(folder / SCRATCH / name, shape, np.int32, edge),
            orientations=lattices,
        )
        measurement = measure_particle_by_block(
            labels.with_content(found.digest),
            spacing,
            measured,
            executor=kept,
            block_edge=edge,
            settings=measure or MeasureSettings(),
            image_quality=quality,
            orientations=None if crystals is None else crystals.each(len(ORIENTATION_CHANNELS)),
        )
    finish_volume(group, "grain_label_volume", spacing)
    measurement.grains.to_parquet(folder / "grain_table.parquet")
    measurement.contacts.to_parquet(folder / "contact_table.parquet")
    summary = json.dumps(measurement.particle.to_dict(), indent=1, sort_keys=True)
    (folder / "particle_summary.json").write_text(summary, encoding="utf-8")
    return GrainsByBlock(folder / LABELS, found, measurement, kept.computed, kept.kept)


def _open(path: Path) -> tuple[list[StoredVolume], Spacing]:
    """Channels of a volume in the order of `CHANNEL_NAMES`, and its spacing."""
    volume, described = open_channels(path, "class probabilities")
    if set(described.channels) != set(CHANNEL_NAMES):
        raise InputError(
            "this is no volume of class probabilities",
            where=str(path),
            found=", ".join(described.channels),
            expected=", ".join(CHANNEL_NAMES),
        )
    places = [described.channels.index(name) for name in CHANNEL_NAMES]
    return [volume.one(place) for place in places], described.spacing
