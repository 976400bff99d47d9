"""Nodes of the segmentation pipeline."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.alignment import SliceTransforms, apply_transforms
from electrode_grains.boundary.split import AnnotationSplit
from electrode_grains.classes import BOUNDARY_CHANNEL
from electrode_grains.ebsd import OrientationField, ScanIndex
from electrode_grains.ebsd.pseudo_cube import variants_as_one
from electrode_grains.ebsd.pseudo_group import Operator
from electrode_grains.executors import open_executor, within_reach
from electrode_grains.grains import (
    SegmentationChoice,
    SegmentationLog,
    SegmentationScores,
    apply_edits,
    boundary_agreement,
    check_grains,
    compare_statistics,
    find_voids,
    flood_by_block,
    flood_from_minima,
    measure_voids,
    orientation_agreement,
    rank_suspects,
    score_labels,
    segment_grains_with_report,
)
from electrode_grains.grains import choose_settings as choose_by_annotation
from electrode_grains.grains.agreement import check_agreement
from electrode_grains.grains.choice import without_probability
from electrode_grains.grains.grey_evidence import (
    GreyBoundaries,
    choose_evidence,
    compare_evidence,
)
from electrode_grains.grains.labelling import compact_labels
from electrode_grains.grains.pseudo_symmetry import VARIANT_COLUMNS, vote_on_variants
from electrode_grains.grains.statistics import TruthScores
from electrode_grains.morphometry import characterize_grains
from electrode_grains.pipelines.segmentation.settings import (
    BoundaryCandidates,
    DepthCandidates,
    EditSettings,
    ExecutorSettings,
    SegmentationSettings,
    VoidSettings,
)
from electrode_grains.volumes import as_volume, spacing_of

logger = logging.getLogger(__name__)


def choose_settings(
    class_probability_volume: xr.DataArray,
    image_quality_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    annotation_split: AnnotationSplit,
    grains: SegmentationSettings,
    depths: DepthCandidates,
    boundaries: BoundaryCandidates,
    orientation_volume: xr.DataArray | None = None,
) -> tuple[SegmentationChoice, pd.DataFrame]:
    """Choose what is flooded, and depth and boundary score where they are "auto".

    Held-out slices decide where there are any. Grey values take the network's place only where
    no orientations decide, since both are compared without them.
    """
    judged = list(annotation_split.held_out or annotation_split.train)
    image = image_quality_volume.to_numpy()
    annotation = np.zeros_like(annotation_volume.to_numpy())
    annotation[judged] = annotation_volume.to_numpy()[judged]

    def choose(
        probability: NDArray[np.float32], settings: SegmentationSettings
    ) -> tuple[SegmentationChoice, pd.DataFrame]:
        return choose_by_annotation(
            probability, annotation, settings, depths, boundaries, measured=np.isfinite(image)
        )

    probability, spacing = class_probability_volume.to_numpy(), spacing_of(image_quality_volume)
    choice, depth_curve = choose(probability, grains)
    evidence = compare_evidence(
        choice.information, probability, image, annotation, settings=grains, spacing=spacing
    )
    wanted = grains.boundary_evidence
    if wanted == "auto" and _orientations_decide(grains, orientation_volume):
        wanted = "network"
    grey = choose_evidence(wanted, evidence)
    if grey is not None:
        flooded = grey.class_probability(probability, image, spacing)
        choice, depth_curve = choose(flooded, without_probability(grains))
    logger.info(
        "on slices %s a depth of %g and a boundary threshold of %g are best; the run takes %g, %g",
        judged, choice.best["minima_depth"], choice.best["merge_boundary"], choice.minima_depth,
        choice.merge_boundary,
    )  # fmt: skip
    chosen = {"judged_by_slices": judged, "evidence": evidence, "grey": grey}
    choice = choice.model_copy(update=chosen)
    for warning in choice.warnings():
        logger.warning(warning)
    return choice, depth_curve


def _orientations_decide(
    grains: SegmentationSettings, orientation_volume: xr.DataArray | None
) -> bool:
    if grains.merge_mode not in ("orientation", "combined") or orientation_volume is None:
        return False
    return bool(np.isfinite(orientation_volume.to_numpy()[0]).any())


def _flooded(
    class_probability_volume: xr.DataArray,
    image_quality_volume: xr.DataArray,
    grey: GreyBoundaries | None,
) -> NDArray[np.float32]:
    """Class probabilities, their boundary that of grey values where these are taken."""
    probability: NDArray[np.float32] = class_probability_volume.to_numpy()
    if grey is None:
        return probability
    spacing = spacing_of(class_probability_volume)
    return grey.class_probability(probability, image_quality_volume.to_numpy(), spacing)


def find_basins(
    class_probability_volume: xr.DataArray,
    image_quality_volume: xr.DataArray,
    segmentation_choice: SegmentationChoice,
    compute: ExecutorSettings,
) -> xr.DataArray:
    """Flood the boundary probability from its minima where something was measured (R11).

    The basins are the same whoever computes them.
    """
    grey = segmentation_choice.grey
    boundary = _flooded(class_probability_volume, image_quality_volume, grey)[BOUNDARY_CHANNEL]
    depth, measured = segmentation_choice.minima_depth, _measured(image_quality_volume)
    if compute.executor == "serial":
        basins = flood_from_minima(boundary, depth, measured)
    else:
        empty = np.zeros(boundary.shape, np.int32)
        with (
            open_executor(compute) as executor,
            within_reach(executor, compute, boundary, measured, empty) as (image, mask, labels),
        ):
            edge = compute.block_edge
            flood_by_block(image, depth, labels, executor=executor, block_edge=edge, mask=mask)
            basins = labels[:, :, :]
    logger.info("%d basins of minima deeper than %g", basins.max(), depth)
    return as_volume(basins, spacing_of(class_probability_volume), "basin_label_volume")


def form_grains(
    class_probability_volume: xr.DataArray,
    image_quality_volume: xr.DataArray,
    basin_label_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    scan_index: ScanIndex,
    segmentation_choice: SegmentationChoice,
    grains: SegmentationSettings,
    manual: EditSettings,
    segmentation_edits: list[dict[str, Any]],
) -> tuple[xr.DataArray, SegmentationLog]:
    """Remove what is not the particle, unite parts of a grain, replay manual edits (R12, R13)."""
    basins = basin_label_volume.to_numpy()
    probability = _flooded(class_probability_volume, image_quality_volume, segmentation_choice.grey)
    chosen = segmentation_choice.applied_to(grains)
    pseudo = scan_index.uses_pseudo_symmetry(grains.pseudo_symmetry)
    labels, report = segment_grains_with_report(
        probability,
        settings=chosen.replace(pseudo_symmetry="on" if pseudo else "off"),
        orientations=_orientations(orientation_volume, grains, scan_index.operators),
        measured=basins > 0,  # the flood covers what was measured
        basins=basins,
    )
    edits = [*manual.edits, *segmentation_edits]
    edited, entries = apply_edits(labels, edits, probability[0], outdated=manual.outdated)
    logger.info("%d basins, %d grains", report.basins, labels.max())
    log = SegmentationLog.of(report, segmentation_choice, entries)
    return as_volume(edited, spacing_of(class_probability_volume), "formed_label_volume"), log


def separate_voids(
    formed_label_volume: xr.DataArray,
    forming_log: SegmentationLog,
    class_probability_volume: xr.DataArray,
    image_quality_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    grains: SegmentationSettings,
    voids: VoidSettings,
) -> tuple[xr.DataArray, xr.DataArray, pd.DataFrame, SegmentationLog]:
    """Take voids out of the grains, and measure them and the surface they add (R29).

    Image quality shows a void only together with the confidence index: boundaries are dark
    as well.
    """
    labels, spacing = formed_label_volume.to_numpy(), spacing_of(formed_label_volume)
    confidence = orientation_volume.sel(channel="confidence_index").to_numpy()
    indexed = bool(np.isfinite(confidence).any())
    background = class_probability_volume.sel(channel="background").to_numpy()
    cavities = find_voids(
        labels,
        background > grains.background_threshold,
        image_quality_volume.to_numpy() if indexed else None,
        confidence if indexed else None,
        settings=voids,
        measured=_measured(image_quality_volume),
    )
    solid = np.where(cavities > 0, 0, labels).astype(labels.dtype)
    table, summary = measure_voids(cavities, solid, spacing)
    warnings, agreement = check_grains(solid), None
    orientations = _compared_orientations(orientation_volume, grains, forming_log)
    if orientations is not None:
        agreement = orientation_agreement(solid, orientations, settings=grains)
        warnings += check_agreement(agreement)
    log = forming_log.warning_of(warnings, voids=summary, orientation_agreement=agreement)
    for warning in log.warnings:
        logger.warning("%s", warning)
    logger.info("%d voids of %.3g um3", summary.void_count, summary.void_volume_um3)
    return (
        as_volume(solid, spacing, "grain_label_volume"),
        as_volume(cavities, spacing, "void_label_volume"),
        table,
        log,
    )


def decide_variants(
    grain_label_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    segmentation_log: SegmentationLog,
    grains: SegmentationSettings,
) -> tuple[xr.DataArray, pd.DataFrame]:
    """Turn points to the variant, as of the c axis, of their grain where pseudo-symmetry is on."""
    table = pd.DataFrame({name: [] for name in VARIANT_COLUMNS})
    field = _orientations(orientation_volume, grains, segmentation_log.pseudo_symmetry_operators)
    if field is None or not segmentation_log.pseudo_symmetry:
        return orientation_volume.rename("corrected_orientation_volume"), table
    labels, ids = compact_labels(grain_label_volume.to_numpy())
    corrected, vote = vote_on_variants(labels, field)
    table = pd.DataFrame({"label": ids[1:], **vote}).reindex(columns=list(VARIANT_COLUMNS))
    undecided = table.loc[~table["decided"], "label"]
    if len(undecided):
        logger.warning(
            "grains without a certain variant (c axis): %d of %d, labels %s",
            len(undecided), len(table), undecided.tolist()[:20],
        )  # fmt: skip
    channels = orientation_volume.copy(data=corrected.to_channels())
    channels[:] = np.where(np.isfinite(orientation_volume), channels, np.nan)
    return channels.rename("corrected_orientation_volume"), table


def list_suspects(
    grain_label_volume: xr.DataArray,
    class_probability_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    segmentation_log: SegmentationLog,
    grains: SegmentationSettings,
) -> pd.DataFrame:
    """Rank the grains that a proofreader should look at first."""
    return rank_suspects(
        grain_label_volume.to_numpy(),
        class_probability_volume.sel(channel="boundary").to_numpy(),
        spacing_of(grain_label_volume),
        _compared_orientations(orientation_volume, grains, segmentation_log),
        settings=grains,
    )


def _measured(image_quality_volume: xr.DataArray) -> NDArray[np.bool_]:
    """Where there is a measurement: alignment leaves voxels without a source."""
    measured: NDArray[np.bool_] = np.isfinite(image_quality_volume.to_numpy())
    return measured


def _orientations(
    orientation_volume: xr.DataArray,
    grains: SegmentationSettings,
    operators: tuple[Operator, ...],
) -> OrientationField | None:
    """Only where the scans have some."""
    channels = orientation_volume.to_numpy()
    if not np.isfinite(channels[0]).any():
        return None
    return OrientationField.from_channels(
        channels, laue_group=grains.laue_group, operators=operators
    )


def _compared_orientations(
    orientation_volume: xr.DataArray, grains: SegmentationSettings, log: SegmentationLog
) -> OrientationField | None:
    """Orientations with variants as one where the segmentation took them so."""
    field = _orientations(orientation_volume, grains, log.pseudo_symmetry_operators)
    return variants_as_one(field) if field is not None and log.pseudo_symmetry else field


def score_segmentation(
    grain_label_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    acquired_label_stack: xr.DataArray | None,
    slice_transforms: SliceTransforms,
    true_grain_label_volume: xr.DataArray | None,
    segmentation_log: SegmentationLog,
) -> SegmentationScores:
    """Compare the grains with the annotated slices, and with the truth where it is known."""
    labels = grain_label_volume.to_numpy()
    truth: TruthScores | None = None
    if acquired_label_stack is not None:
        acquired = apply_transforms(acquired_label_stack.to_numpy(), slice_transforms, order=0)
        spacing = spacing_of(grain_label_volume)
        truths = {"acquired": acquired}
        if true_grain_label_volume is not None:
            truths["tessellated"] = true_grain_label_volume.to_numpy()
        table = characterize_grains(labels, spacing)
        statistics = {
            name: compare_statistics(table, characterize_grains(true, spacing))
            for name, true in truths.items()
        }
        truth = {**score_labels(labels, acquired, spacing), "statistics": statistics}
        logger.info(
            "against the truth: adapted Rand error %.3f, matched grains F1 %.3f",
            truth["adapted_rand_error"],
            truth["matched"]["f1"],
        )
    return SegmentationScores(
        grain_count=np.unique(labels[labels > 0]).size,
        annotation=boundary_agreement(labels, annotation_volume.to_numpy()),
        truth=truth,
        orientations=segmentation_log.orientation_agreement,
    )
