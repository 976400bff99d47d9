"""Nodes of the export pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from electrode_grains.ebsd import ScanIndex
from electrode_grains.ebsd.orientations import euler_from_quaternions
from electrode_grains.exports import ExportedParticle
from electrode_grains.volumes import spacing_of


def gather_particle(
    grain_label_volume: xr.DataArray,
    grain_table: pd.DataFrame,
    image_quality_volume: xr.DataArray | None,
    corrected_orientation_volume: xr.DataArray,
    scan_index: ScanIndex,
    parameters: Mapping[str, Any],
) -> ExportedParticle:
    """Put together what other programs need to know of the particle.

    Orientations are those after the vote on variants, as in the grain table.
    """
    particle = parameters["particle"]
    quaternions = np.moveaxis(corrected_orientation_volume.to_numpy()[:4], 0, -1)
    indexed = np.isfinite(quaternions).all(axis=-1).any()
    return ExportedParticle(
        labels=grain_label_volume.to_numpy(),
        spacing=spacing_of(grain_label_volume),
        grains=grain_table,
        name=str(particle["name"]),
        material=str(particle.get("material", "")),
        laue_group=scan_index.laue_group,
        image_quality=None if image_quality_volume is None else image_quality_volume.to_numpy(),
        euler_angles=euler_from_quaternions(quaternions) if indexed else None,
        read_as=scan_index.describe_frames(),
    )
