"""Nodes of the modelling pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from electrode_grains.pipelines.modelling.settings import (
    GoodnessSettings,
    PairSettings,
    SampleSettings,
)

logger = logging.getLogger(__name__)

UNITS = {
    "equivalent_diameter_nm": "nm",
    "sphericity": "1",
    "convexity": "1",
    "elongation": "1",
    "azimuthal_angle": "rad",
    "polar_angle": "rad",
}


def select_grains(grain_table: pd.DataFrame, sample: SampleSettings) -> pd.DataFrame:
    """Keep whole grains that are large enough to have a shape (R14 of the paper)."""
    whole = ~grain_table["touches_window"] | sample.include_window_grains
    resolved = grain_table["voxel_count"] >= sample.minimum_voxels
    logger.info(
        "%d grains; %d cut by the window and %d below %d voxels are left out",
        len(grain_table),
        int((~whole).sum()),
        int((whole & ~resolved).sum()),
        sample.minimum_voxels,
    )
    return grain_table.loc[whole & resolved].reset_index(drop=True)


def fit_marginals(
    grain_sample: pd.DataFrame, sample: SampleSettings, goodness: GoodnessSettings
) -> dict[str, Any]:
    """Fit every candidate family to every characteristic and test the best."""
    from electrode_grains.distributions import (
        describe_axis_uniformity,
        describe_goodness,
        describe_marginals,
    )

    rng = np.random.default_rng(goodness.seed)
    characteristics = {}
    for name, unit in UNITS.items():
        families, support = families_above_the_cut(name, grain_sample, sample.minimum_voxels)
        measured = grain_sample[name].dropna()
        result = describe_marginals(
            measured.to_numpy(), families, support, labels=grain_sample.loc[measured.index, "label"]
        )
        tested = describe_goodness(measured, result, goodness.replicates, rng)
        found = result["best"] or "no family"
        p_value = tested["p_values"]["anderson_darling"] if tested else float("nan")
        logger.info("%s: %s, %d grains, p = %.2f", name, found, result["sample_size"], p_value)
        characteristics[name] = {"unit": unit, "goodness_of_fit": tested, **result}
    axes = describe_axis_uniformity(grain_sample["azimuthal_angle"], grain_sample["polar_angle"])
    return {"characteristics": characteristics, "axis_uniformity": axes}


def families_above_the_cut(
    characteristic: str, grain_sample: pd.DataFrame, minimum_voxels: int
) -> tuple[tuple[str, ...], tuple[float, float]]:
    """Candidates of a characteristic; laws of the diameter begin where the sample was cut."""
    from electrode_grains.distributions import candidate_families, smallest_diameter

    families, (lower, upper) = candidate_families(characteristic)
    if characteristic == "equivalent_diameter_nm" and len(grain_sample):
        grain = grain_sample.iloc[0]
        lower = smallest_diameter(grain[characteristic], grain["voxel_count"], minimum_voxels)
    return families, (lower, upper)


def fit_copulas(
    grain_sample: pd.DataFrame,
    marginal_fits: Mapping[str, Any],
    pairs: PairSettings,
    goodness: GoodnessSettings,
) -> dict[str, Any]:
    """Fit every candidate copula to every correlated pair, with the marginals held fixed."""
    from electrode_grains.distributions import describe_dependence, describe_pair

    fitted = marginal_fits["characteristics"]
    rng = np.random.default_rng(goodness.seed)
    results = []
    for x, y in correlated_pairs(grain_sample, pairs):
        values = grain_sample[[x, y]].dropna().to_numpy().T
        candidates = pairs.families, pairs.rotations
        result = describe_pair(*values, fitted[x], fitted[y], *candidates)
        checked = describe_dependence(
            *(*values, result, fitted[x], fitted[y], *candidates),
            replicates=goodness.replicates,
            rng=rng,
            break_ties=pairs.ties == "random",
        )
        best, tested = result["best"], checked["goodness_of_fit"]
        found = f"{best['family']} rotated by {best['rotation']} degrees" if best else "no copula"
        p_value = tested["p_value"] if tested else float("nan")
        logger.info("%s ~ %s: %s, %d grains, p = %.2f", x, y, found, result["sample_size"], p_value)
        results.append({"x": x, "y": y, **result, **checked})
    return {"pairs": results}


def correlated_pairs(grain_sample: pd.DataFrame, pairs: PairSettings) -> list[tuple[str, str]]:
    """Pairs correlated beyond the threshold, then those that are always modelled (R24)."""
    correlation = grain_sample[list(pairs.characteristics)].corr()
    chosen = [
        (x, y)
        for rank, x in enumerate(pairs.characteristics)
        for y in pairs.characteristics[rank + 1 :]
        if abs(correlation.loc[x, y]) > pairs.minimum_correlation
    ]
    return chosen + [pair for pair in pairs.always if pair not in chosen]


def compare_families(
    marginal_fits: Mapping[str, Any], copula_fits: Mapping[str, Any]
) -> pd.DataFrame:
    """List all candidates of all subjects in one table, best first."""
    rows = [
        {"subject": name, "kind": "marginal", "rotation": 0, **candidate}
        for name, fits in marginal_fits["characteristics"].items()
        for candidate in fits["candidates"]
    ] + [
        {"subject": f"{pair['x']} ~ {pair['y']}", "kind": "copula", **candidate}
        for pair in copula_fits["pairs"]
        for candidate in pair["candidates"]
    ]
    columns = [
        "subject",
        "kind",
        "family",
        "rotation",
        "outcome",
        "reason",
        "parameter_count",
        "log_likelihood",
        "aic",
        "aicc",
        "bic",
        "delta_aic",
        "akaike_weight",
    ]
    return pd.DataFrame(rows).reindex(columns=columns).infer_objects()
