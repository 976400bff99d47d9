"""What must hold for tables and results; the catalog checks it on every load and save.

Each validator returns the data unchanged or raises with the offending column or key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from electrode_grains.descriptors import DESCRIPTORS, UNBOUNDED
from electrode_grains.errors import InputError


def _require(name: str, present: Any, wanted: tuple[str, ...]) -> None:
    missing = [key for key in wanted if key not in present]
    if missing:
        raise InputError(
            f"{name} lacks {', '.join(missing)}",
            found=", ".join(map(str, present)) or "nothing",
            expected=", ".join(wanted),
            remedy="run the pipeline that makes it again; it was written by another version",
        )


def grain_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per grain, unique labels, every descriptor inside its range or null."""
    required = tuple(name for name, known in DESCRIPTORS.items() if known.required)
    _require("the grain table", table.columns, required)
    if not table["label"].is_unique or (table["label"] == 0).any():
        raise InputError("labels of the grain table must be unique and not 0")
    for column, known in DESCRIPTORS.items():
        low, high = known.limits
        if column not in table or known.limits == UNBOUNDED:
            continue
        outside = ~(table[column].between(low, high) | table[column].isna())
        if outside.any():
            row = table.loc[outside].iloc[0]
            raise InputError(
                f"{column} is outside its range",
                where=f"grain {row['label']}",
                found=str(row[column]),
                expected=f"{low} to {high}",
            )
    return table


def virtual_grain_table(table: pd.DataFrame) -> pd.DataFrame:
    """Grain tables of virtual particles below each other, each named in `particle`."""
    _require("the table of virtual grains", table.columns, ("particle", "quaternion_w"))
    for _, grains in table.groupby("particle"):
        grain_table(grains)
    return table


def virtual_contact_table(table: pd.DataFrame) -> pd.DataFrame:
    """Contact tables of virtual particles below each other, each named in `particle`."""
    _require("the table of virtual contacts", table.columns, ("particle", "misorientation_angle"))
    return contact_table(table)


def generation_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """One row per quantity, with the data, the fit, the virtual particles and the data's band."""
    columns = ("quantity", "data", "fit", "virtual", "lower", "upper", "inside")
    _require("the comparison of virtual particles", table.columns, columns)
    if not table["quantity"].is_unique:
        raise InputError("the comparison of virtual particles names each quantity once")
    return table


def scenario_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per scenario, none twice, with what was varied and what came out."""
    wanted = ("name", "grain_count", "open_share", "mean_equivalent_diameter_nm")
    _require("the table of scenarios", table.columns, wanted)
    if not table["name"].is_unique:
        raise InputError("the table of scenarios names each once")
    return table


def section_profile_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per profile of a grain in a section."""
    columns = ("section_name", "equivalent_diameter_nm", "circularity", "aspect_ratio")
    _require("the table of profiles", table.columns, columns)
    return table


def section_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """One row per quantity in sections and in space."""
    columns = ("quantity", "where", "data", "model", "deviation", "lower", "upper")
    _require("the comparison of sections", table.columns, columns)
    return table


def contact_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of touching labels, the smaller label first."""
    _require("the contact table", table.columns, ("label_a", "label_b", "interface_area_nm2"))
    if not (table["label_a"] < table["label_b"]).all():
        raise InputError("the contact table must name the smaller label first")
    return table


def depth_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """One row per depth of minima, in increasing order."""
    _require("the comparison of depths", table.columns, ("minima_depth", "grain_count"))
    if not table["minima_depth"].is_monotonic_increasing:
        raise InputError("depths of minima are compared in increasing order")
    return table


def suspect_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per suspicious grain, the most suspicious first."""
    wanted = ("rank", "label", "suspicion", "reason", "z", "y", "x")
    _require("the table of suspects", table.columns, wanted)
    if not table["suspicion"].is_monotonic_decreasing:
        raise InputError("suspects are ranked in decreasing order of suspicion")
    return table


def variant_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per grain; no row where pseudo-symmetry is off."""
    wanted = ("label", "flipped_share", "probability", "decided")
    _require("the table of variants", table.columns, wanted)
    return table


def void_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per void; no row where the particle is whole."""
    wanted = ("void", "volume_nm3", "surface_area_nm2", "grain_interface_area_nm2", "enclosed")
    _require("the table of voids", table.columns, wanted)
    return table


def truth_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """One row per characteristic and source, none twice."""
    wanted = ("characteristic", "source", "count", "mean", "std")
    _require("the comparison with the truth", table.columns, wanted)
    if table.duplicated(["characteristic", "source"]).any():
        raise InputError("a comparison with the truth names each source once a characteristic")
    return table


def family_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """One row per subject and candidate family."""
    wanted = ("subject", "kind", "family", "outcome", "aic", "delta_aic", "akaike_weight")
    _require("the comparison of families", table.columns, wanted)
    return table


def slice_table(table: pd.DataFrame) -> pd.DataFrame:
    """One row per slice, none twice, with its motion and tilts."""
    wanted = ("slice", "shift_x_px", "rotation_degrees", "tilt_x_degrees", "tilt_y_degrees")
    _require("the table of slices", table.columns, wanted)
    if not table["slice"].is_unique:
        raise InputError("a slice stands twice in the table of slices")
    return table


def annotation_checks(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """How each annotation fits its own slice and its neighbours."""
    _require("the checks of the annotations", result, ("source", "slices"))
    for entry in result["slices"]:
        _require("the check of an annotation", entry, ("slice", "own", "doubt"))
    return result


def true_slice_transforms(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """One 3 x 3 matrix and one depth per slice of a virtual acquisition."""
    _require("true slice transforms", result, ("matrices", "slice_depths_nm"))
    return _with_matrices(result)


def _with_matrices(result: Mapping[str, Any]) -> Mapping[str, Any]:
    shape = np.shape(result["matrices"])
    if len(shape) != 3 or shape[1:] != (3, 3):
        raise InputError("slice transforms are 3 x 3 matrices", found=f"shape {shape}")
    return result


def grain_populations(table: pd.DataFrame) -> pd.DataFrame:
    """One row per grain of the sample, probabilities of first populations or null."""
    _require("the populations of grains", table.columns, ("label",))
    shares = table.drop(columns="label")
    if not table["label"].is_unique or not (shares.isna() | ((shares >= 0) & (shares <= 1))).all(
        axis=None
    ):
        raise InputError("populations of grains are probabilities, one row per grain")
    return table


def particle_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of particles and subject, with test and effect."""
    wanted = ("first", "second", "subject", "p_value", "adjusted_p_value", "effect")
    _require("the comparison of particles", table.columns, wanted)
    return table
