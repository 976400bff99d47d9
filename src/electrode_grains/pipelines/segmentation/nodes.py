"""Nodes of the segmentation pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.alignment import SliceTransforms, apply_transforms
from electrode_grains.boundary.split import AnnotationSplit
from electrode_grains.grains import (
    BoundaryEvidence,
    EditEntry,
    apply_edits,
    boundary_agreement,
    choose_boundary_threshold,
    choose_minima_depth,
    compare_statistics,
    find_voids,
    flood_from_minima,
    grain_doubts,
    measure_voids,
    rank_suspects,
    score_labels,
    segment_grains_with_report,
)
from electrode_grains.morphometry import characterize_grains
from electrode_grains.pipelines.segmentation.settings import (
    CandidateSettings,
    EditSettings,
    SegmentationSettings,
    VoidSettings,
)
from electrode_grains.volumes import as_volume, spacing_of

logger = logging.getLogger(__name__)

SCORES = (
    "boundary_precision", "boundary_recall", "boundary_f1", "interior_rand_error",
    "interior_information",
)  # fmt: skip


def choose_settings(
    class_probability_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    annotation_split: AnnotationSplit,
    grains: SegmentationSettings,
    depths: CandidateSettings,
    boundaries: CandidateSettings,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Compare depths of minima and boundary thresholds on annotated slices, and fill in "auto".

    Held-out slices judge where there are any. Orientations take no part: they have a
    threshold of their own.
    """
    judged = list(annotation_split.held_out or annotation_split.train)
    annotation = np.zeros_like(annotation_volume.to_numpy())
    annotation[judged] = annotation_volume.to_numpy()[judged]
    probability = class_probability_volume.to_numpy()
    options = {
        "background_threshold": grains.background_threshold,
        "criterion": "interior_information",
        **_merging(grains),
        "merge_mode": "none" if grains.merge_mode == "none" else "iq",
    }
    threshold = _set_value(grains.merge_boundary, float(np.median(boundaries.candidates)))
    best_depth, depth_curve = choose_minima_depth(
        probability,
        annotation,
        _compared(depths, grains.minima_depth),
        boundary_threshold=threshold,
        slack=depths.slack_bits,
        prefer="greatest" if grains.merge_mode == "none" else "smallest",
        **options,
    )
    depth = _set_value(grains.minima_depth, best_depth)
    best_threshold, threshold_curve = choose_boundary_threshold(
        probability,
        annotation,
        _compared(boundaries, grains.merge_boundary),
        depth,
        slack=boundaries.slack_bits,
        prefer="middle",
        **options,
    )
    choice = {
        "minima_depth": depth,
        "merge_boundary": _set_value(grains.merge_boundary, best_threshold),
        "best": {"minima_depth": best_depth, "merge_boundary": best_threshold},
        "judged_by_slices": list(judged),
        "merge_boundary_curve": _curve(threshold_curve).to_dict("list"),
    }
    logger.info(
        "on slices %s a depth of %g and a boundary threshold of %g are best; the run takes %g, %g",
        judged, best_depth, best_threshold, depth, choice["merge_boundary"],
    )  # fmt: skip
    return choice, _curve(depth_curve)


def _set_value(value: float | str, otherwise: float) -> float:
    return otherwise if isinstance(value, str) else value


def _compared(settings: CandidateSettings, value: float | str) -> list[float]:
    return [*settings.candidates, *([] if isinstance(value, str) else [value])]


def _curve(curve: pd.DataFrame) -> pd.DataFrame:
    return curve.reindex(columns=[curve.columns[0], "grain_count", *SCORES])


def find_basins(
    class_probability_volume: xr.DataArray, segmentation_choice: Mapping[str, Any]
) -> xr.DataArray:
    """Flood the boundary probability from its minima (R11)."""
    boundary = class_probability_volume.sel(channel="boundary").to_numpy()
    depth = segmentation_choice["minima_depth"]
    basins = flood_from_minima(boundary, depth)
    logger.info("%d basins of minima deeper than %g", basins.max(), depth)
    return as_volume(basins, spacing_of(class_probability_volume), "basin_label_volume")


def form_grains(
    class_probability_volume: xr.DataArray,
    basin_label_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    segmentation_choice: Mapping[str, Any],
    grains: SegmentationSettings,
    manual: EditSettings,
    segmentation_edits: list[dict[str, Any]],
) -> tuple[xr.DataArray, dict[str, Any]]:
    """Remove what is not the particle, unite parts of a grain, replay manual edits (R12, R13)."""
    probability = class_probability_volume.to_numpy()
    labels, report = segment_grains_with_report(
        probability,
        segmentation_choice["minima_depth"],
        grains.background_threshold,
        basins=basin_label_volume.to_numpy(),
        orientations=_orientations(orientation_volume),
        boundary_threshold=segmentation_choice["merge_boundary"],
        place_sweeps=grains.place_sweeps,
        stiffness=grains.stiffness,
        **_merging(grains),
    )
    edits = [*manual.edits, *segmentation_edits]
    edited, entries = apply_edits(labels, edits, probability[0], outdated=manual.outdated)
    doubts = (*report.doubts, *(_outdated(entry) for entry in entries if not entry.applied))
    logger.info("%d basins, %d grains", report.basins, report.cleanup.grains)
    log = {
        **report.as_dict(),
        "choice": {k: v for k, v in segmentation_choice.items() if k != "schema_version"},
        "doubts": list(doubts),
        "edits": [asdict(entry) for entry in entries],
    }
    return as_volume(edited, spacing_of(class_probability_volume), "formed_label_volume"), log


def _outdated(entry: EditEntry) -> str:
    return (
        f"edit {entry.number} ({entry.action} at {list(entry.at)}) fits the segmentation no more "
        f"and was not applied: {entry.reason}"
    )


def set_voids_apart(
    formed_label_volume: xr.DataArray,
    forming_log: Mapping[str, Any],
    class_probability_volume: xr.DataArray,
    image_quality_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    grains: SegmentationSettings,
    voids: VoidSettings,
) -> tuple[xr.DataArray, xr.DataArray, pd.DataFrame, dict[str, Any]]:
    """Take voids out of the grains, and measure them and the surface they add (R29).

    Image quality tells a void only together with the confidence index: boundaries are dark
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
        **voids.model_dump(),
    )
    whole = np.where(cavities > 0, 0, labels).astype(labels.dtype)
    table, summary = measure_voids(cavities, whole, spacing)
    doubts = dict.fromkeys([*forming_log["doubts"], *grain_doubts(whole)])
    for doubt in doubts:
        logger.warning("%s", doubt)
    logger.info("%d voids of %.3g um3", summary["void_count"], summary["void_volume_um3"])
    return (
        as_volume(whole, spacing, "grain_label_volume"),
        as_volume(cavities, spacing, "void_label_volume"),
        table,
        {**forming_log, "doubts": list(doubts), "voids": summary},
    )


def list_suspects(
    grain_label_volume: xr.DataArray,
    class_probability_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    grains: SegmentationSettings,
) -> pd.DataFrame:
    """Rank the grains that a proofreader should look at first."""
    return rank_suspects(
        grain_label_volume.to_numpy(),
        class_probability_volume.sel(channel="boundary").to_numpy(),
        spacing_of(grain_label_volume),
        _orientations(orientation_volume),
        laue=grains.laue_group,
    )


def _orientations(orientation_volume: xr.DataArray) -> NDArray[np.float32] | None:
    """Only where the scans have some."""
    orientations = orientation_volume.to_numpy()
    return orientations if np.isfinite(orientations[0]).any() else None


def _merging(grains: SegmentationSettings) -> dict[str, Any]:
    """Settings of merging and clean-up."""
    return {
        "merge_mode": grains.merge_mode,
        "evidence": BoundaryEvidence(
            quantile=grains.merge_quantile,
            size_weight=grains.merge_size_weight,
            reference_voxels=grains.merge_reference_voxels,
            slice_weight=grains.merge_slice_weight,
        ),
        "misorientation_threshold": float(np.radians(grains.merge_misorientation_degrees)),
        "laue": grains.laue_group,
        "refine_steps": grains.refine_steps,
        "join_reach": grains.join_reach,
        "minimum_voxels": grains.minimum_voxels,
    }


def score_segmentation(
    grain_label_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    acquired_label_stack: xr.DataArray | None,
    slice_transforms: SliceTransforms,
    true_grain_label_volume: xr.DataArray | None,
) -> dict[str, Any]:
    """Compare the grains with the annotated slices, and with the truth where it is known."""
    labels = grain_label_volume.to_numpy()
    scores: dict[str, Any] = {
        "grain_count": int(np.unique(labels[labels > 0]).size),
        "annotation": boundary_agreement(labels, annotation_volume.to_numpy()),
        "truth": None,
    }
    if acquired_label_stack is not None:
        truth = apply_transforms(acquired_label_stack.to_numpy(), slice_transforms, order=0)
        spacing = spacing_of(grain_label_volume)
        scores["truth"] = score_labels(labels, truth, spacing)
        found = characterize_grains(labels, spacing)
        truths = {"acquired": truth}
        if true_grain_label_volume is not None:
            truths["tessellated"] = true_grain_label_volume.to_numpy()
        scores["truth"]["statistics"] = {
            name: compare_statistics(found, characterize_grains(true, spacing))
            for name, true in truths.items()
        }
        logger.info(
            "against the truth: adapted Rand error %.3f, matched grains F1 %.3f",
            scores["truth"]["adapted_rand_error"],
            scores["truth"]["matched"]["f1"],
        )
    return scores
