"""Nodes of the preprocessing pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.alignment import (
    LatticeField,
    SliceTransforms,
    apply_transforms,
    estimate_transforms,
    rotate_orientations,
    slice_table,
    turned_steps,
)
from electrode_grains.alignment.registration import refuse_flagged
from electrode_grains.alignment.table import describe_tilts
from electrode_grains.ebsd import (
    ORIENTATION_CHANNELS,
    ScanIndex,
    annotation_fits,
    frame_verdict,
    is_scan,
    misorientation_in_slices,
    orientations_of_stack,
    place_annotations,
    stack_scans,
)
from electrode_grains.ebsd.orientations import laue_group
from electrode_grains.ebsd.placement import refuse_unlabelled
from electrode_grains.ebsd.pseudo_cube import find_pseudo_symmetry, hexagonal_constants
from electrode_grains.ebsd.slice_choice import Scan
from electrode_grains.pipelines.preprocessing.settings import (
    AlignmentSettings,
    AnnotationSettings,
    StackSettings,
)
from electrode_grains.progress import report_progress
from electrode_grains.volumes import as_volume, spacing_of

logger = logging.getLogger(__name__)

SHOWN_NOTES = 3  # of scans, in the log


def read_stack(
    ebsd_scans: Mapping[str, Scan], stack: StackSettings
) -> tuple[xr.DataArray, xr.DataArray, ScanIndex]:
    """Read all slices in natural order; split image quality from orientations."""
    logger.info("reading %d slices", len(ebsd_scans))
    scans = stack_scans(
        ebsd_scans,
        slice_spacing_nm=stack.slice_spacing_nm,
        first_slice=stack.first_slice,
        options=stack.reading_options(),
        falling=stack.slice_order == "falling",
    )
    spacing = scans.attrs["spacing_nm"]
    orientations = orientations_of_stack(scans, stack.laue_group, stack.pseudo_symmetry_operators)
    constants = stack.lattice_constants or hexagonal_constants(scans.attrs["phases"])
    pseudo = find_pseudo_symmetry(orientations, constants, stack.pseudo_cubic_tolerance)
    index = ScanIndex.of_stack(scans, orientations, pseudo if orientations.known.any() else None)
    if index.pseudo_symmetry is not None:
        logger.info("pseudo-symmetry: %s", index.pseudo_symmetry.describe())
    if index.frames is not None:
        logger.info("frames of the orientations: %s", index.describe_frames())
    shown = max(SHOWN_NOTES, len(index.stack_notes))
    for note in index.notes[:shown]:
        logger.warning("%s", note)
    if more := len(index.notes[shown:]):
        logger.warning("%d more notes on scans: electrode-grains check shows all", more)
    return (
        as_volume(scans["image_quality"], spacing, "image_quality_stack"),
        as_volume(orientations.to_channels(), spacing, "orientation_stack", ORIENTATION_CHANNELS),
        index,
    )


def register_slices(
    image_quality_stack: xr.DataArray,
    orientation_stack: xr.DataArray,
    scan_index: ScanIndex,
    alignment: AlignmentSettings,
) -> SliceTransforms:
    """Estimate how each slice must move to fit its neighbours; slices of a volume file do not."""
    if alignment.mode == "auto" and scan_index.from_volume:
        alignment = alignment.replace(mode="none")
    symmetry = laue_group(scan_index.laue_group)
    lattice = LatticeField.of_channels(orientation_stack.to_numpy(), symmetry)
    transforms = estimate_transforms(
        image_quality_stack.to_numpy(),
        alignment.replace(strict=False),
        lattice=lattice,
        progress=report_progress("slices registered"),
    )
    # The notes on the stack tell already of planes that are lost, or repeat a slice.
    own = map(is_scan, scan_index.slices)
    kept = tuple(f if each else () for f, each in zip(transforms.flags, own, strict=True))
    transforms = replace(transforms, flags=kept)
    if alignment.strict:
        refuse_flagged(transforms)
    flagged = {index: flags for index, flags in enumerate(transforms.flags) if flags}
    for index, flags in flagged.items():
        logger.warning("slice %s: %s", scan_index.slices[index], "; ".join(flags))
    if transforms.evidence:
        logger.info("%s", transforms.evidence.verdict)
    if transforms.lattice and (tilts := describe_tilts(transforms.lattice, scan_index.slices)):
        logger.info("%s", tilts)
    if lattice is not None and scan_index.frames is not None:
        turns = transforms.lattice or turned_steps(image_quality_stack.to_numpy(), lattice)
        verdict = frame_verdict(
            scan_index.frames, turns.votes, turns.clear_difference, turns.largest_turn
        )
        logger.info("%s", verdict)
        notes = (*transforms.notes, verdict) if turns.speak_against else transforms.notes
        transforms = replace(transforms, notes=notes, frame_verdict=verdict)
    for note in transforms.notes:
        logger.warning("%s", note)
    return transforms


def tabulate_slices(slice_transforms: SliceTransforms, scan_index: ScanIndex) -> pd.DataFrame:
    """Shifts, rotations and tilts of the slices with their units and errors."""
    return slice_table(slice_transforms, scan_index.slices)


def align_image_quality(
    image_quality_stack: xr.DataArray,
    slice_transforms: SliceTransforms,
    alignment: AlignmentSettings,
) -> xr.DataArray:
    """Move the image quality of every slice, by spline."""
    aligned = apply_transforms(
        image_quality_stack.to_numpy(), slice_transforms, order=alignment.spline_order
    )
    spacing = spacing_of(image_quality_stack)
    return as_volume(aligned.astype(np.float32), spacing, "image_quality_volume")


def align_orientations(
    orientation_stack: xr.DataArray, slice_transforms: SliceTransforms
) -> xr.DataArray:
    """Move orientations and confidence by nearest neighbour, turning crystals with the slice."""
    aligned = apply_transforms(orientation_stack.to_numpy(), slice_transforms, order=0)
    turned = rotate_orientations(np.moveaxis(aligned[:4], 0, -1), slice_transforms)
    aligned[:4] = np.moveaxis(turned, -1, 0)
    return as_volume(
        aligned, spacing_of(orientation_stack), "orientation_volume", ORIENTATION_CHANNELS
    )


def align_annotations(
    slice_annotations: Mapping[str, NDArray[np.uint8]],
    orientation_annotations: Mapping[str, NDArray[np.uint8]],
    scan_index: ScanIndex,
    image_quality_stack: xr.DataArray,
    image_quality_volume: xr.DataArray,
    orientation_stack: xr.DataArray,
    slice_transforms: SliceTransforms,
    annotation: AnnotationSettings,
) -> tuple[xr.DataArray, dict[str, Any]]:
    """Place annotated slices in the volume, moved like their scans if drawn on raw ones.

    Annotations by hand are used where there are any, else those from orientations, which are
    drawn on raw slices and named like them.
    """
    refuse_unlabelled(slice_annotations, others=bool(orientation_annotations))
    source, annotations, numbers, frame = (
        ("hand", slice_annotations, annotation.slice_numbers, annotation.frame)
        if slice_annotations
        else ("orientations", orientation_annotations, "as_scans", "raw")
    )
    logger.info("%d labelled slices, from: %s", len(annotations), source)
    raw, aligned = image_quality_stack.to_numpy(), image_quality_volume.to_numpy()
    placed = moved = place_annotations(annotations, scan_index.slices, raw.shape, numbers)
    if frame == "raw":
        moved = apply_transforms(placed, slice_transforms, order=0)
    angles = misorientation_in_slices(
        orientation_stack.to_numpy()[:4], scan_index.laue_group, scan_index.operators
    )
    if angles is not None and frame == "aligned":
        angles = apply_transforms(angles, slice_transforms, order=0)
    fits = annotation_fits(placed, raw, aligned, frame, scan_index.slices, angles)
    for doubt in (fit["doubt"] for fit in fits if fit["doubt"]):
        logger.warning("%s", doubt)
    volume = as_volume(moved, spacing_of(image_quality_stack), "annotation_volume")
    return volume, {"source": source, "slices": fits}
