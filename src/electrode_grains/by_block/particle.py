"""One large particle from its slices to its grains, block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment import AlignmentSettings
from electrode_grains.blocks import ExecutorSettings
from electrode_grains.boundary.settings import ContrastSettings, PredictionSettings
from electrode_grains.by_block.alignment import AlignedByBlock, align_by_block
from electrode_grains.by_block.annotations import AnnotatedByBlock, annotate_by_block
from electrode_grains.by_block.contrast import ContrastByBlock, build_contrast_by_block
from electrode_grains.by_block.grains import GrainsByBlock, find_grains_by_block
from electrode_grains.by_block.probability import ProbabilityByBlock, predict_by_block
from electrode_grains.by_block.reading import ReadByBlock, read_by_block
from electrode_grains.by_block.registration import RegisteredByBlock, register_by_block
from electrode_grains.datasets.network import NetworkDataset
from electrode_grains.ebsd import AnnotationSettings, StackSettings
from electrode_grains.ebsd.slice_choice import Scan
from electrode_grains.errors import SettingsError
from electrode_grains.grains import SegmentationSettings
from electrode_grains.morphometry import MeasureSettings

NETWORK = "boundary_network"
REMEDY = "change it, or compute the particle in core: kedro run"
STEPS = ("read", "register", "align", "annotate", "contrast", "predict", "find grains")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ParticleSettings:
    """Settings of the steps from slices to grains, by default those of conf/base."""

    stack: StackSettings = field(default_factory=StackSettings)
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    annotation: AnnotationSettings = field(default_factory=AnnotationSettings)
    contrast: ContrastSettings = field(default_factory=ContrastSettings)
    prediction: PredictionSettings = field(default_factory=PredictionSettings)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)

    def check(self) -> None:
        """Refuse settings that do not work by block, before anything is computed.

        Raises
        ------
        SettingsError
            Naming the first one.
        """
        grains = self.segmentation
        refused = {
            "segmentation.grains.particle": (grains.particle, "most_central", "largest or all"),
            "segmentation.grains.boundary_evidence": (grains.boundary_evidence, "grey", "network"),
        }
        for name, (found, impossible, expected) in refused.items():
            if found == impossible:
                raise SettingsError(
                    "a setting does not work by block",
                    where=name, found=impossible, expected=expected, remedy=REMEDY,
                )  # fmt: skip
        averages = self.prediction.test_time_augmentation
        if averages:
            raise SettingsError(
                "averages over symmetries are not computed by block",
                where="boundary_model.prediction.test_time_augmentation",
                found=str(averages), expected="false", remedy=REMEDY,
            )  # fmt: skip


@dataclass(frozen=True)
class ParticleByBlock:
    """Results of all steps; each has its files, and how many tasks were at hand."""

    read: ReadByBlock
    registered: RegisteredByBlock
    aligned: AlignedByBlock
    annotated: AnnotatedByBlock | None
    contrast: ContrastByBlock
    predicted: ProbabilityByBlock
    found: GrainsByBlock


def segment_particle_by_block(
    scans: Path | Mapping[str, Scan],
    network: Path | None,
    folder: Path,
    *,
    compute: ExecutorSettings | None = None,
    settings: ParticleSettings | None = None,
    annotations: Mapping[str, NDArray[np.uint8]] | None = None,
    annotated_by: str = "hand",
    on_step: Callable[[str], Progress | None] = lambda step: None,
) -> ParticleByBlock:
    """Compute the grains of a particle from its slices, never holding a volume.

    Parameters
    ----------
    scans : Path or mapping
        As for `read_by_block`.
    network : Path or None
        Folder of weights and settings; None: the embedded network.
    folder : Path
        Gets all volumes and tables. What is there of the same input is not computed again.
        All workers must see it.
    compute : ExecutorSettings, optional
        Who computes; the results do not depend on it.
    settings : ParticleSettings, optional
    annotations : mapping of str to ndarray of uint8, shape (y, x), optional
        Labelled slices, which tell whether boundaries are bright. They train no network here, and
        choose no setting.
    annotated_by : {"hand", "orientations"}
        Who labelled them.
    on_step : callable, optional
        Called with the name of each step before it begins; returns what is called with the number
        of slices done and their total, or None.

    Returns
    -------
    ParticleByBlock

    Raises
    ------
    InputError, SettingsError, ComputationError, RunError
        As the steps do; settings that do not work by block are refused before the first.

    Examples
    --------
    ::

        found = segment_particle_by_block(Path("scans"), None, Path("large"))
        found.found.measurement.grains["equivalent_diameter_nm"]
    """
    compute, settings = compute or ExecutorSettings(), settings or ParticleSettings()
    settings.check()
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    read = read_by_block(
        scans, folder, compute=compute, stack=settings.stack, progress=on_step("read")
    )
    index = read.scan_index
    registered = register_by_block(
        read.image_quality,
        read.orientations,
        index,
        folder,
        compute=compute,
        alignment=settings.alignment,
        progress=on_step("register"),
    )
    on_step("align")
    aligned = align_by_block(
        read.image_quality,
        read.orientations,
        registered.transforms,
        folder,
        compute=compute,
        alignment=settings.alignment,
    )
    annotated = None
    if annotations:
        on_step("annotate")
        annotated = annotate_by_block(
            annotations,
            index,
            (read.image_quality, read.orientations),
            aligned.image_quality,
            registered.transforms,
            folder,
            annotation=settings.annotation,
            source=annotated_by,
        )
    on_step("contrast")
    contrast = build_contrast_by_block(
        aligned.image_quality,
        aligned.orientations,
        index,
        folder,
        annotation=None if annotated is None else annotated.annotation,
        compute=compute,
        contrast=settings.contrast,
    )
    on_step("predict")
    predicted = predict_by_block(
        contrast.contrast,
        network or _embedded_network(settings.contrast, folder),
        folder,
        compute=compute,
        prediction=settings.prediction,
    )
    on_step("find grains")
    found = find_grains_by_block(
        predicted.probability,
        folder,
        compute=compute,
        segmentation=settings.segmentation,
        measure=settings.measure,
        image_quality=aligned.image_quality,
        orientations=aligned.orientations if index.indexed_share else None,
        scan_index=index,
    )
    return ParticleByBlock(read, registered, aligned, annotated, contrast, predicted, found)


def _embedded_network(contrast: ContrastSettings, folder: Path) -> Path:
    """Folder that gets the embedded network for the channels of the contrast."""
    from electrode_grains import boundary  # torch takes seconds to load

    NetworkDataset(path=str(folder / NETWORK)).save(boundary.embedded_network(contrast.channels))
    return folder / NETWORK
