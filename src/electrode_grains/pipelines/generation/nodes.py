"""Nodes of the generation pipeline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from electrode_grains import figures, generation
from electrode_grains.distributions.records import CopulaFits, MarginalFits
from electrode_grains.exports import ExportedParticle
from electrode_grains.generation import CalibratedModel, OrientationStatistics
from electrode_grains.pipelines.generation.settings import GenerationSettings, ScenarioSettings
from electrode_grains.volumes import as_volume, spacing_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # Kedro looks types up; the library is loaded when something is drawn
    Figure = Any

logger = logging.getLogger(__name__)


def calibrate_architecture(
    grain_label_volume: xr.DataArray,
    grain_sample: pd.DataFrame,
    marginal_fits: MarginalFits,
    copula_fits: CopulaFits,
    settings: GenerationSettings,
) -> CalibratedModel:
    """Fit the outer shell and find the architecture whose grains have the moments of the fits.

    And how they lie in the particle.
    """
    return generation.fit_model(
        grain_label_volume.to_numpy() > 0,
        spacing_of(grain_label_volume),
        grain_sample,
        generation.fitted_moments(grain_sample, marginal_fits, copula_fits),
        settings,
        partial(logger.info, "%s"),
    )


def orientations_of(
    grain_table: pd.DataFrame, contact_table: pd.DataFrame, settings: GenerationSettings
) -> OrientationStatistics | float:
    """How virtual grains are to lie: as the settings say, as in the data, or at random."""
    if settings.radial_texture is not None:
        return settings.radial_texture
    known = OrientationStatistics.of_tables(grain_table, contact_table, settings.laue_group)
    return 0.0 if known is None else known


def generate_particles(
    architecture_model: CalibratedModel,
    grain_label_volume: xr.DataArray,
    grain_table: pd.DataFrame,
    contact_table: pd.DataFrame,
    settings: GenerationSettings,
) -> tuple[xr.DataArray, pd.DataFrame, pd.DataFrame]:
    """Make the virtual particles in the window of the data, one per channel."""
    orientations = orientations_of(grain_table, contact_table, settings)
    spacing = spacing_of(grain_label_volume)
    depth, height, width = grain_label_volume.shape
    made = [
        generation.generate(
            architecture_model,
            (depth, height, width),
            spacing,
            np.random.default_rng([settings.seed, number]),
            orientations,
            settings.laue_group,
        )
        for number in range(settings.particles)
    ]
    names = [f"particle_{number}" for number in range(1, len(made) + 1)]
    volume = as_volume(
        np.stack([each.labels for each in made]), spacing, "virtual_grain_label", names
    )
    grains, contacts = (
        pd.concat(
            [
                getattr(each, what).assign(particle=name)
                for name, each in zip(names, made, strict=True)
            ],
            ignore_index=True,
        )
        for what in ("grains", "contacts")
    )
    return volume, grains, contacts


def compare_generation(
    grain_sample: pd.DataFrame,
    contact_table: pd.DataFrame,
    virtual_grain_table: pd.DataFrame,
    virtual_contact_table: pd.DataFrame,
    architecture_model: CalibratedModel,
    settings: GenerationSettings,
) -> pd.DataFrame:
    """Set the virtual particles beside the data and the fits."""
    table = generation.compare_generation(
        grain_sample,
        [grains for _, grains in virtual_grain_table.groupby("particle", sort=True)],
        architecture_model.target,
        contacts=contact_table,
        virtual_contacts=[each for _, each in virtual_contact_table.groupby("particle", sort=True)],
        resamples=settings.bootstrap,
        rng=np.random.default_rng(settings.seed),
    )
    outside = table.loc[~table["inside"], "quantity"]
    logger.info(
        "%d of %d quantities are inside the data's bands", table["inside"].sum(), len(table)
    )
    if len(outside):
        logger.warning("outside the bands of the data: %s", ", ".join(outside))
    return table


def draw_particles(
    grain_label_volume: xr.DataArray,
    virtual_grain_label_volume: xr.DataArray,
    grain_sample: pd.DataFrame,
    virtual_grain_table: pd.DataFrame,
    marginal_fits: MarginalFits,
) -> Figure:
    """Draw the data, the first virtual particle, and the distributions of all grains."""
    fitted = marginal_fits.characteristics
    return figures.virtual_particles(
        grain_label_volume.to_numpy(),
        virtual_grain_label_volume.to_numpy()[0],
        spacing_of(grain_label_volume),
        grain_sample,
        virtual_grain_table,
        {name: fit.distribution() for name, fit in fitted.items() if fit.best is not None},
    )


def write_virtual_page(
    figure_virtual_particles: Figure | bytes,
    generation_comparison: pd.DataFrame,
    virtual_grain_table: pd.DataFrame,
    parameters: Mapping[str, Any],
) -> str:
    """Write the page that sets data, fit and virtual particles beside each other."""
    counts = virtual_grain_table.groupby("particle").size().to_dict()
    return figures.virtual_page(
        str(parameters["particle"]["name"]), figure_virtual_particles, generation_comparison, counts
    )


def make_scenarios(
    architecture_model: CalibratedModel,
    grain_label_volume: xr.DataArray,
    grain_table: pd.DataFrame,
    contact_table: pd.DataFrame,
    settings: GenerationSettings,
    scenarios: ScenarioSettings,
) -> tuple[xr.DataArray, pd.DataFrame, pd.DataFrame]:
    """Make the particle of each scenario, one per channel, and list what came out."""
    spacing = spacing_of(grain_label_volume)
    depth, height, width = grain_label_volume.shape
    made = [
        generation.make_scenario(
            scenario,
            architecture_model,
            (depth, height, width),
            spacing,
            scenarios.seed,
            orientations_of(grain_table, contact_table, settings),
            settings.laue_group,
        )
        for scenario in scenarios.table
    ]
    names = [scenario.name for scenario in scenarios.table]
    particles = [particle for particle, _ in made]
    table = generation.summarize_scenarios(scenarios.table, particles, [share for _, share in made])
    volume = as_volume(
        np.stack([each.labels for each in particles]), spacing, "scenario_grain_label", names
    )
    grains = [
        each.grains.assign(particle=name) for name, each in zip(names, particles, strict=True)
    ]
    return volume, pd.concat(grains, ignore_index=True), table


def gather_scenarios(
    scenario_grain_label_volume: xr.DataArray,
    scenario_grain_table: pd.DataFrame,
    settings: GenerationSettings,
) -> dict[str, ExportedParticle]:
    """Put together what other programs need to know of each scenario."""
    spacing = spacing_of(scenario_grain_label_volume)
    names = scenario_grain_label_volume["channel"].to_numpy()
    tables = dict(list(scenario_grain_table.groupby("particle")))
    return {
        str(name): ExportedParticle(
            labels=labels,
            spacing=spacing,
            grains=tables[name].drop(columns="particle"),
            name=str(name),
            laue_group=settings.laue_group,
        )
        for name, labels in zip(names, scenario_grain_label_volume.to_numpy(), strict=True)
    }


def draw_scenarios(
    scenario_grain_label_volume: xr.DataArray, scenario_table: pd.DataFrame
) -> Figure:
    """Draw a section of each scenario."""
    return figures.scenarios(
        scenario_grain_label_volume.to_numpy(),
        spacing_of(scenario_grain_label_volume),
        scenario_table,
    )
