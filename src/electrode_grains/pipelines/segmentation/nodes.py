"""Nodes of the segmentation pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from electrode_grains.alignment import SliceTransforms, apply_transforms
from electrode_grains.grains import (
    EditEntry,
    apply_edits,
    boundary_agreement,
    choose_minima_depth,
    compare_statistics,
    flood_from_minima,
    rank_suspects,
    score_labels,
    segment_grains_with_report,
)
from electrode_grains.morphometry import characterize_grains
from electrode_grains.pipelines.segmentation.settings import (
    DepthSettings,
    EditSettings,
    SegmentationSettings,
)
from electrode_grains.volumes import as_volume, spacing_of

logger = logging.getLogger(__name__)

DEPTH_SCORES = ("boundary_precision", "boundary_recall", "boundary_f1", "interior_rand_error")


def find_basins(
    class_probability_volume: xr.DataArray, grains: SegmentationSettings
) -> xr.DataArray:
    """Flood the boundary probability from its minima (R11)."""
    boundary = class_probability_volume.sel(channel="boundary").to_numpy()
    basins = flood_from_minima(boundary, grains.minima_depth)
    logger.info("%d basins of minima deeper than %g", basins.max(), grains.minima_depth)
    return as_volume(basins, spacing_of(class_probability_volume), "basin_label_volume")


def form_grains(
    class_probability_volume: xr.DataArray,
    basin_label_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    grains: SegmentationSettings,
    manual: EditSettings,
    segmentation_edits: list[dict[str, Any]],
) -> tuple[xr.DataArray, dict[str, Any]]:
    """Remove what is not the particle, unite parts of a grain, replay manual edits (R12, R13)."""
    probability = class_probability_volume.to_numpy()
    labels, report = segment_grains_with_report(
        probability,
        grains.minima_depth,
        grains.background_threshold,
        basins=basin_label_volume.to_numpy(),
        **_options(orientation_volume, grains),
    )
    edits = [*manual.edits, *segmentation_edits]
    edited, entries = apply_edits(labels, edits, probability[0], outdated=manual.outdated)
    doubts = (*report.doubts, *(_outdated(entry) for entry in entries if not entry.applied))
    logger.info("%d basins, %d grains", report.basins, report.cleanup.grains)
    for doubt in doubts:
        logger.warning("%s", doubt)
    log = {
        **report.as_dict(),
        "doubts": list(doubts),
        "edits": [asdict(entry) for entry in entries],
    }
    return as_volume(edited, spacing_of(class_probability_volume), "grain_label_volume"), log


def _outdated(entry: EditEntry) -> str:
    return (
        f"edit {entry.number} ({entry.action} at {list(entry.at)}) fits the segmentation no more "
        f"and was not applied: {entry.reason}"
    )


def list_suspects(
    grain_label_volume: xr.DataArray,
    class_probability_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    grains: SegmentationSettings,
) -> pd.DataFrame:
    """Rank the grains that a proofreader should look at first."""
    orientations = orientation_volume.to_numpy()
    return rank_suspects(
        grain_label_volume.to_numpy(),
        class_probability_volume.sel(channel="boundary").to_numpy(),
        spacing_of(grain_label_volume),
        orientations if np.isfinite(orientations[0]).any() else None,
        laue=grains.laue_group,
    )


def compare_depths(
    class_probability_volume: xr.DataArray,
    orientation_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    annotation_split: Mapping[str, Any],
    grains: SegmentationSettings,
    depths: DepthSettings,
) -> pd.DataFrame:
    """Say what other depths of minima would do, judged by slices the network has not seen."""
    judged = annotation_split["held_out"] or annotation_split["train"]
    annotation = np.zeros_like(annotation_volume.to_numpy())
    annotation[judged] = annotation_volume.to_numpy()[judged]
    best, curve = choose_minima_depth(
        class_probability_volume.to_numpy(),
        annotation,
        [*depths.candidates, grains.minima_depth],
        grains.background_threshold,
        **_options(orientation_volume, grains),
    )
    logger.info("best boundary F1 on slices %s at depth %g", judged, best)
    return curve.reindex(columns=["minima_depth", "grain_count", *DEPTH_SCORES])


def _options(orientation_volume: xr.DataArray, grains: SegmentationSettings) -> dict[str, Any]:
    """Settings of merging and clean-up; orientations only where the scans have some."""
    orientations = orientation_volume.to_numpy()
    return {
        "orientations": orientations if np.isfinite(orientations[0]).any() else None,
        "merge_mode": grains.merge_mode,
        "boundary_threshold": grains.merge_boundary,
        "misorientation_threshold": float(np.radians(grains.merge_misorientation_degrees)),
        "laue": grains.laue_group,
        "refine_steps": grains.refine_steps,
        "minimum_voxels": grains.minimum_voxels,
    }


def score_segmentation(
    grain_label_volume: xr.DataArray,
    annotation_volume: xr.DataArray,
    acquired_label_stack: xr.DataArray | None,
    slice_transforms: Mapping[str, Any],
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
        transforms = SliceTransforms.from_dict(slice_transforms)
        truth = apply_transforms(acquired_label_stack.to_numpy(), transforms, order=0)
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
