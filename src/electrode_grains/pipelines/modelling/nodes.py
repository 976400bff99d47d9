"""Nodes of the modelling pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import electrode_grains.distributions as distributions
from electrode_grains.descriptors import MODELLED
from electrode_grains.distributions.records import (
    CopulaFits,
    DependenceComparison,
    DerivedDistributions,
    MarginalFits,
)
from electrode_grains.errors import InputError
from electrode_grains.morphometry import thin_by_weight
from electrode_grains.pipelines.modelling.settings import (
    ComparisonSettings,
    GoodnessSettings,
    MarginalSettings,
    PairSettings,
    SampleSettings,
)
from electrode_grains.workers import in_processes

logger = logging.getLogger(__name__)

LONG_WORK = 10_000  # grains times bootstrap samples: some ten seconds of one processor

# What two populations of grains may differ in, beside the characteristic that tells them apart.
COMPANIONS = pd.Index(
    [
        *("equivalent_diameter_nm", "sphericity", "convexity", "elongation"),
        *("neighbour_count", "surface_distance_nm", "distance_to_center_nm"),
    ]
)


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
    grain_sample: pd.DataFrame,
    sample: SampleSettings,
    marginals: MarginalSettings,
    goodness: GoodnessSettings,
) -> MarginalFits:
    """Fit every candidate family to every characteristic and test the best."""
    samples, tasks = {}, []
    streams = np.random.default_rng(goodness.seed).spawn(len(MODELLED))
    for name, rng in zip(MODELLED, streams, strict=True):
        families, support = families_above_the_cut(name, grain_sample, sample.minimum_voxels)
        measured = samples[name] = grain_sample.loc[grain_sample[name].notna()]
        values, labels = (measured[column].to_numpy() for column in (name, "label"))
        chosen = marginals.families.get(name, families)
        tasks.append((values, chosen, support, labels, marginals, goodness, rng))
    characteristics = {}
    fits = in_processes(
        distributions.model_characteristic, tasks, is_long=_is_long(grain_sample, goodness)
    )
    for (name, measured), fit in zip(samples.items(), fits, strict=True):
        tested = fit.goodness_of_fit
        p_value = tested.p_values["anderson_darling"] if tested else float("nan")
        best = fit.best or "no family"
        logger.info("%s: %s, %d grains, p = %.2f", name, best, fit.sample_size, p_value)
        others = _columns(measured[COMPANIONS.intersection(measured.columns)])
        characteristics[name] = fit.model_copy(
            update={
                "unit": MODELLED[name].unit or "1",
                "populations": distributions.populations(measured[name], fit, others),
            }
        )
    axes = distributions.check_axes(grain_sample["azimuthal_angle"], grain_sample["polar_angle"])
    return MarginalFits(characteristics=characteristics, axis_uniformity=axes)


def _is_long(grain_sample: pd.DataFrame, goodness: GoodnessSettings) -> bool:
    """Whether fits are worth processes, which families of a user's own do not reach."""
    work = len(grain_sample) * (goodness.replicates + goodness.selection_replicates)
    return work > LONG_WORK and not distributions.has_registered_families()


def families_above_the_cut(
    characteristic: str, grain_sample: pd.DataFrame, minimum_voxels: int
) -> tuple[tuple[str, ...], tuple[float, float]]:
    """Candidates of a characteristic; those of the diameter begin where the sample was cut."""
    families, (lower, upper) = distributions.candidate_families(characteristic)
    if characteristic == "equivalent_diameter_nm" and len(grain_sample):
        grain = grain_sample.iloc[0]
        lower = distributions.smallest_diameter(
            grain[characteristic], grain["voxel_count"], minimum_voxels
        )
    return families, (lower, upper)


def assign_populations(grain_sample: pd.DataFrame, marginal_fits: MarginalFits) -> pd.DataFrame:
    """Give each grain the probability that it belongs to the first component of a mixture.

    One row per grain of the sample; one column ``<characteristic>_first_population`` for each
    characteristic whose best family is a mixture of two populations.
    """
    table = grain_sample[["label"]].copy()
    for name, fit in marginal_fits.characteristics.items():
        if fit.populations:
            table[f"{name}_first_population"] = fit.distribution().posterior(grain_sample[name])
    return table


def fit_copulas(
    grain_sample: pd.DataFrame,
    marginal_fits: MarginalFits,
    pairs: PairSettings,
    goodness: GoodnessSettings,
) -> CopulaFits:
    """Fit every candidate copula to every correlated pair, with the marginals held fixed."""
    fitted = marginal_fits.characteristics
    chosen = correlated_pairs(grain_sample, pairs)
    streams = np.random.default_rng(goodness.seed).spawn(len(chosen))
    tasks = []
    for (x, y), rng in zip(chosen, streams, strict=True):
        of_x, of_y = grain_sample[[x, y]].dropna().to_numpy().T
        tasks.append((of_x, of_y, fitted[x], fitted[y], pairs, goodness, rng))
    results = []
    fits = in_processes(distributions.model_pair, tasks, is_long=_is_long(grain_sample, goodness))
    for (x, y), fit in zip(chosen, fits, strict=True):
        best, tested = fit.best, fit.goodness_of_fit
        name = best.family if best else "no copula"
        name += f" rotated by {best.rotation} degrees" if best and best.rotation else ""
        p_value = tested.p_value if tested else float("nan")
        logger.info("%s ~ %s: %s, %d grains, p = %.2f", x, y, name, fit.sample_size, p_value)
        results.append(fit.model_copy(update={"x": x, "y": y}))
    return CopulaFits(pairs=results)


def correlated_pairs(grain_sample: pd.DataFrame, pairs: PairSettings) -> list[tuple[str, str]]:
    """Pairs correlated beyond the threshold, then those that are always modelled (R24)."""
    correlation = grain_sample[list(pairs.characteristics)].corr().to_numpy()
    chosen = [
        (x, y)
        for (row, x), (column, y) in combinations(enumerate(pairs.characteristics), 2)
        if abs(correlation[row, column]) > pairs.minimum_correlation
    ]
    return chosen + [pair for pair in pairs.always if pair not in chosen]


def derive_distributions(
    grain_sample: pd.DataFrame, marginal_fits: MarginalFits, copula_fits: CopulaFits
) -> DerivedDistributions:
    """Set what the fits imply for derived quantities beside what the grains have (R27)."""
    x, y = "equivalent_diameter_nm", "sphericity"
    joint = distributions.joint_density_of(x, y, marginal_fits, copula_fits)
    if joint is None:
        return DerivedDistributions(specific_surface_area_per_um=None)
    result = distributions.derive_quantity(
        distributions.specific_surface_area, grain_sample[x], grain_sample[y], joint
    )
    return DerivedDistributions(
        specific_surface_area_per_um=result.model_copy(update={"of": [x, y]})
    )


def compare_joint_models(
    grain_sample: pd.DataFrame,
    marginal_fits: MarginalFits,
    pairs: PairSettings,
    goodness: GoodnessSettings,
) -> DependenceComparison:
    """Compare a vine of all shape characteristics with pairwise fits and a Gaussian copula."""
    return distributions.compare_joint_models(
        grain_sample[list(pairs.characteristics)],
        marginal_fits.characteristics,
        pairs.families,
        pairs.rotations,
        np.random.default_rng(goodness.seed),
    )


def compare_particles(
    compared_grain_tables: Mapping[str, Any],
    sample: SampleSettings,
    pairs: PairSettings,
    comparison: ComparisonSettings,
) -> pd.DataFrame:
    """Say in which characteristics and dependences particles differ, two at a time."""
    particles = {
        name: _columns(select_grains(read(), sample)[list(pairs.characteristics)])
        for name, read in sorted(compared_grain_tables.items())
    }
    subjects = tuple(combinations(pairs.characteristics, 2))
    rng = np.random.default_rng(comparison.seed)
    rows = [
        {"first": first, "second": second, **row.to_dict()}
        for first, second in combinations(particles, 2)
        for row in distributions.compare_samples(
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


def _columns(table: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Columns by name, as the domain takes samples."""
    return {str(name): column.to_numpy() for name, column in table.items()}


def compare_families(marginal_fits: MarginalFits, copula_fits: CopulaFits) -> pd.DataFrame:
    """List all candidates of all subjects in one table, best first."""
    rows = [
        {"subject": name, "kind": "marginal", "rotation": 0, **candidate.to_dict()}
        for name, fit in marginal_fits.characteristics.items()
        for candidate in fit.candidates
    ] + [
        {"subject": f"{pair.x} ~ {pair.y}", "kind": "copula", **candidate.to_dict()}
        for pair in copula_fits.pairs
        for candidate in pair.candidates
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
