"""Nodes of the characterization pipeline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from electrode_grains import morphometry
from electrode_grains.alignment import SliceTransforms, apply_transforms
from electrode_grains.descriptors import SCORED
from electrode_grains.morphometry import (
    ParticleSummary,
    characterize_grains,
    resolution_limits,
    weighted_means,
    without_c_axes,
)
from electrode_grains.pipelines.characterization.settings import MeasureSettings
from electrode_grains.volumes import spacing_of


def measure_particle(
    grain_label_volume: xr.DataArray,
    image_quality_volume: xr.DataArray | None,
    corrected_orientation_volume: xr.DataArray | None,
    variant_table: pd.DataFrame | None,
    measure: MeasureSettings,
) -> tuple[pd.DataFrame, pd.DataFrame, ParticleSummary]:
    """Measure every grain, every contact and their sums in one pass over the labels.

    Orientations are those after the vote on variants, where pseudo-symmetry is on; grains that
    it left undecided get no angle of their c axis.
    """
    spacing = spacing_of(grain_label_volume)
    quality = None if image_quality_volume is None else image_quality_volume.to_numpy()
    volume = corrected_orientation_volume
    orientations = None if volume is None else volume.to_numpy()
    if orientations is not None and not np.isfinite(orientations[0]).any():
        orientations = None
    found = morphometry.measure_particle(
        grain_label_volume.to_numpy(),
        spacing,
        measured_region(image_quality_volume),
        settings=measure,
        image_quality=quality,
        orientations=orientations,
    )
    grains = found.grains
    if variant_table is not None:
        undecided = variant_table.loc[~variant_table["decided"].astype(bool), "label"]
        grains = without_c_axes(grains, undecided)
    limits = resolution_limits(grains.loc[~grains["touches_window"]], spacing)
    return grains, found.contacts, replace(found.particle, resolution_limits_nm=limits)


def measured_region(image_quality_volume: xr.DataArray | None) -> NDArray[np.bool_] | None:
    """Voxels with a source in the scans; None where the particle has no scans."""
    if image_quality_volume is None:
        return None
    measured: NDArray[np.bool_] = np.isfinite(image_quality_volume.to_numpy())
    return measured


def measure_grains(grain_label_volume: xr.DataArray) -> pd.DataFrame:
    """Measure size, shape and orientation of every grain."""
    return characterize_grains(grain_label_volume.to_numpy(), spacing_of(grain_label_volume))


def compare_with_truth(
    grain_table: pd.DataFrame,
    true_grain_label_volume: xr.DataArray | None,
    acquired_label_stack: xr.DataArray | None,
    slice_transforms: SliceTransforms,
    image_quality_volume: xr.DataArray | None,
) -> pd.DataFrame:
    """Set measured characteristics beside the true ones, where the truth is known.

    `tessellated` is the particle as it was made; `acquired` is the truth after sampling,
    drift and the estimated alignment, which is what a perfect segmentation would find.
    """
    tables = {"segmented": grain_table}
    if true_grain_label_volume is not None:
        tables["tessellated"] = measure_grains(true_grain_label_volume)
    if acquired_label_stack is not None:
        aligned = apply_transforms(acquired_label_stack.to_numpy(), slice_transforms, order=0)
        tables["acquired"] = characterize_grains(
            aligned,
            spacing_of(acquired_label_stack),
            measured_region(image_quality_volume),
        )
    return pd.concat([_describe(table, source) for source, table in tables.items()])


def _describe(table: pd.DataFrame, source: str) -> pd.DataFrame:
    whole = table.loc[~table["touches_window"]]
    scored = [name for name in SCORED if name in whole]
    described = whole[scored].agg(["count", "mean", "std"]).T
    # Beside the paper's rule what it would be if small grains were not favoured.
    weighted = weighted_means(whole[scored], whole["edge_weight"])
    described = described.assign(weighted_mean=weighted).reset_index(names="characteristic")
    return described.assign(source=source)
