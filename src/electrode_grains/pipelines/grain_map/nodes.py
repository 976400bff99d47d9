"""Nodes of the grain_map pipeline."""

from __future__ import annotations

import logging
from hashlib import sha256

import numpy as np
import xarray as xr

from electrode_grains.ebsd import ScanIndex
from electrode_grains.grain_maps import GrainMap
from electrode_grains.pipelines.grain_map.settings import GrainMapSettings
from electrode_grains.volumes import as_volume

logger = logging.getLogger(__name__)

CHANNELS = (*(f"quaternion_{part}" for part in "wxyz"), "confidence_index")


def read_grain_map(
    grain_map: GrainMap, settings: GrainMapSettings
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray, ScanIndex]:
    """Labels and orientations of a grain map, as a run of the segmentation would leave them.

    Nothing is known of pseudo-symmetry: corrected orientations are those of the map.
    """
    located = grain_map.with_spacing(settings.spacing_nm, "setting grain_map.spacing_nm")
    spacing, labels = located.spacing_nm, located.labels
    assert spacing is not None
    fields = np.full((len(CHANNELS), *labels.shape), np.nan, np.float32)
    if located.orientations is not None:
        fields[:4] = located.orientations
        fields[4] = np.isfinite(fields[0])
    for note in located.notes:
        logger.warning("%s", note)
    index = ScanIndex(
        slices=tuple(f"section {z}" for z in range(len(labels))),
        notes=located.notes,
        laue_group=settings.laue_group,
        indexed_share=float(np.isfinite(fields[0]).mean()),
        fingerprint=sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()[:16],
        from_volume=True,
        frames=None,
    )
    return (
        as_volume(labels, spacing, "grain_label_volume"),
        as_volume(fields, spacing, "orientation_volume", CHANNELS),
        as_volume(fields, spacing, "corrected_orientation_volume", CHANNELS),
        index,
    )
