"""Nodes of the modelling pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from electrode_grains.descriptors import MODELLED
from electrode_grains.errors import InputError
from electrode_grains.morphometry import thin_by_weight
from electrode_grains.pipelines.modelling.settings import (
    PairSettings,
    ResamplingSettings,
    SampleSettings,
)

logger = logging.getLogger(__name__)


def select_grains(grain_table: pd.DataFrame, sample: SampleSettings) -> pd.DataFrame:
    """Keep whole grains that are large enough to have a shape (R14 of the paper).

    On request they are thinned so that the window no longer favours small ones.
    """
    whole = ~grain_table["touches_window"] | sample.include_window_grains
    resolved = grain_table["voxel_count"] >= sample.minimum_voxels
    logger.info(
        "%d grains; %d cut by the window and %d below %d voxels are left out",
        len(grain_table),
        int((~whole).sum()),
        int((whole & ~resolved).sum()),
        sample.minimum_voxels,
    )
    chosen = grain_table.loc[whole & resolved]
    if sample.correct_edge_bias:
        thinned = thin_by_weight(
            chosen["edge_weight"].to_numpy(), np.random.default_rng(sample.seed)
        )
        logger.info("%d of %d grains are left by edge weight", thinned.sum(), len(chosen))
        chosen = chosen.loc[thinned]
    return chosen.reset_index(drop=True)


def fit_marginals(
    grain_sample: pd.DataFrame, sample: SampleSettings, goodness: ResamplingSettings
) -> dict[str, Any]:
    """Fit every candidate family to every characteristic and test the best."""
    from electrode_grains.distributions import (
        describe_axis_uniformity,
        describe_goodness,
        describe_marginals,
    )

    rng = np.random.default_rng(goodness.seed)
    characteristics = {}
    for name, known in MODELLED.items():
        families, support = families_above_the_cut(name, grain_sample, sample.minimum_voxels)
        measured = grain_sample[name].dropna()
        result = describe_marginals(
            measured.to_numpy(), families, support, labels=grain_sample.loc[measured.index, "label"]
        )
        tested = describe_goodness(measured, result, goodness.replicates, rng)
        found = result["best"] or "no family"
        p_value = tested["p_values"]["anderson_darling"] if tested else float("nan")
        logger.info("%s: %s, %d grains, p = %.2f", name, found, result["sample_size"], p_value)
        characteristics[name] = {"unit": known.unit or "1", "goodness_of_fit": tested, **result}
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
    goodness: ResamplingSettings,
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


def derive_distributions(
    grain_sample: pd.DataFrame, marginal_fits: Mapping[str, Any], copula_fits: Mapping[str, Any]
) -> dict[str, Any]:
    """Set what the fits imply for derived quantities beside what the grains have (R27)."""
    from electrode_grains.distributions import (
        describe_derived,
        joint_density_of,
        specific_surface_area,
    )

    x, y = "equivalent_diameter_nm", "sphericity"
    joint = joint_density_of(x, y, marginal_fits, copula_fits)
    if joint is None:
        return {"specific_surface_area_per_um": None}
    result = describe_derived(specific_surface_area, grain_sample[x], grain_sample[y], joint)
    return {"specific_surface_area_per_um": {"of": [x, y], **result}}


def compare_joint_models(
    grain_sample: pd.DataFrame,
    marginal_fits: Mapping[str, Any],
    pairs: PairSettings,
    goodness: ResamplingSettings,
) -> dict[str, Any]:
    """Compare a vine of all shape characteristics with pairwise fits and a Gaussian copula."""
    from electrode_grains.distributions import describe_joint_models

    return describe_joint_models(
        grain_sample[list(pairs.characteristics)],
        marginal_fits["characteristics"],
        pairs.families,
        pairs.rotations,
        np.random.default_rng(goodness.seed),
    )


def compare_particles(
    compared_grain_tables: Mapping[str, Any],
    sample: SampleSettings,
    pairs: PairSettings,
    comparison: ResamplingSettings,
) -> pd.DataFrame:
    """Say in which characteristics and dependences particles differ, two at a time."""
    from electrode_grains.distributions import compare_samples

    particles = {
        name: select_grains(read(), sample)[list(pairs.characteristics)]
        for name, read in sorted(compared_grain_tables.items())
    }
    subjects = tuple(combinations(pairs.characteristics, 2))
    rng = np.random.default_rng(comparison.seed)
    rows = [
        {"first": first, "second": second, **row}
        for first, second in combinations(particles, 2)
        for row in compare_samples(
            particles[first], particles[second], subjects, replicates=comparison.replicates, rng=rng
        )
    ]
    if not rows:
        raise InputError(
            "a comparison needs the grain tables of at least two particles",
            found=", ".join(particles) or "none",
            remedy="copy their grain_table.parquet there, each named after its particle",
        )
    return pd.DataFrame(rows)


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
