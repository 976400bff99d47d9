"""Nodes of the orientation_annotation pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd import annotate_from_orientations, natural_order
from electrode_grains.ebsd.orientations import laue_group, quaternions_from_euler
from electrode_grains.pipelines.orientation_annotation.settings import (
    OrientationAnnotationSettings,
)


def annotate_slices(
    ebsd_scans: Mapping[str, Callable[[], xr.Dataset]], settings: OrientationAnnotationSettings
) -> dict[str, NDArray[np.uint8]]:
    """Annotate evenly spread slices: boundary where neighbours are misoriented."""
    names = natural_order(ebsd_scans)
    count = min(settings.slice_count, len(names))
    chosen = np.linspace(0, len(names) - 1, count + 2).round().astype(int)[1:-1]
    annotations = {}
    for name in (names[index] for index in chosen):
        scan = ebsd_scans[name]()
        annotations[name] = annotate_from_orientations(
            quaternions_from_euler(scan["euler_angles"].to_numpy()),
            scan["confidence_index"].to_numpy() >= settings.minimum_confidence,
            laue_group(settings.laue_group),
            np.radians(settings.misorientation_degrees),
        )
    return annotations
