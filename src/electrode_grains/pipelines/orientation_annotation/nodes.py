"""Nodes of the orientation_annotation pipeline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd import annotate_from_orientations, is_scan, stack_scans
from electrode_grains.ebsd.orientations import laue_group, quaternions_from_euler
from electrode_grains.ebsd.slice_choice import Scan
from electrode_grains.pipelines.orientation_annotation.settings import (
    OrientationAnnotationSettings,
    StackSettings,
)


def annotate_slices(
    ebsd_scans: Mapping[str, Scan], stack: StackSettings, settings: OrientationAnnotationSettings
) -> dict[str, NDArray[np.uint8]]:
    """Annotate evenly spread slices: boundary where neighbours are misoriented."""
    scans = stack_scans(
        ebsd_scans,
        slice_spacing_nm=stack.slice_spacing_nm,
        first_slice=stack.first_slice,
        options=stack.reading_options(),
        falling=stack.slice_order == "falling",
    )
    own = [z for z, name in enumerate(scans.attrs["slices"]) if is_scan(name)]
    count = min(settings.slice_count, len(own))
    chosen = np.linspace(0, len(own) - 1, count + 2).round().astype(int)[1:-1]
    return {
        scans.attrs["slices"][own[index]]: annotate_from_orientations(
            quaternions_from_euler(scans["euler_angles"].isel(z=own[index]).to_numpy()),
            scans["confidence_index"].isel(z=own[index]).to_numpy() >= settings.minimum_confidence,
            laue_group(settings.laue_group),
            np.radians(settings.misorientation_degrees),
        )
        for index in chosen
    }
