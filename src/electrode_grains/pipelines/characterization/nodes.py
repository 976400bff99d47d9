"""Nodes of the characterization pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from electrode_grains.alignment import SliceTransforms, apply_transforms
from electrode_grains.morphometry import (
    characterize_grains,
    measure_volume,
    sum_up_particle,
    tabulate_contacts,
    tabulate_grains,
)
from electrode_grains.volumes import spacing_of

CHARACTERISTICS = ["equivalent_diameter_nm", "sphericity", "convexity", "elongation"]


def measure_particle(
    grain_label_volume: xr.DataArray,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Measure every grain, every interface and their sums in one pass over the volume."""
    measured = measure_volume(grain_label_volume.to_numpy())
    spacing = spacing_of(grain_label_volume)
    return (
        tabulate_grains(measured, spacing),
        tabulate_contacts(measured, spacing),
        sum_up_particle(measured, spacing),
    )


def measure_grains(grain_label_volume: xr.DataArray) -> pd.DataFrame:
    """Measure size, shape and orientation of every grain."""
    return characterize_grains(grain_label_volume.to_numpy(), spacing_of(grain_label_volume))


def compare_with_truth(
    grain_table: pd.DataFrame,
    true_grain_label_volume: xr.DataArray | None,
    acquired_label_stack: xr.DataArray | None,
    slice_transforms: Mapping[str, Any],
) -> pd.DataFrame:
    """Set measured characteristics beside the true ones, where the truth is known.

    `tessellated` is the particle as it was made; `acquired` is the truth after sampling,
    drift and the estimated alignment, which is what a perfect segmentation would find.
    """
    tables = {"segmented": grain_table}
    if true_grain_label_volume is not None:
        tables["tessellated"] = measure_grains(true_grain_label_volume)
    if acquired_label_stack is not None:
        aligned = apply_transforms(
            acquired_label_stack.to_numpy(), SliceTransforms.from_dict(slice_transforms), order=0
        )
        tables["acquired"] = characterize_grains(aligned, spacing_of(acquired_label_stack))
    return pd.concat([_describe(table, source) for source, table in tables.items()])


def _describe(table: pd.DataFrame, source: str) -> pd.DataFrame:
    whole = table.loc[~table["touches_window"], CHARACTERISTICS]
    described = whole.agg(["count", "mean", "std"]).T.reset_index(names="characteristic")
    return described.assign(source=source)
