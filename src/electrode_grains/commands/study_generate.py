"""Virtual particles that stand for all particles of a study, or for a group of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from electrode_grains import figures, generation
from electrode_grains import study as domain
from electrode_grains.commands.outputs import output_folder
from electrode_grains.commands.study_report import (
    RESULTS,
    TABLE,
    collect,
    pooled_support,
    write_table,
)
from electrode_grains.commands.study_table import Study, check_settings
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.distributions import Marginal
from electrode_grains.errors import InputError
from electrode_grains.generation import GenerationSettings, ShapeMoments
from electrode_grains.generation.moments import CHARACTERISTICS
from electrode_grains.runs import atomic_write
from electrode_grains.volumes import spacing_of

FOLDER, MODEL, VOLUME = "virtual", "architecture_model.json", "grain_label_volume.ome.zarr"
CONTACTS = TABLE.with_name("contact_table.parquet")
PAGE, TABLES = "virtual_particles.html", ("grains", "contacts", "comparison")
WRITTEN = [
    MODEL,
    VOLUME,
    PAGE,
    *(f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")),
]


def generation_settings(study: Study) -> GenerationSettings:
    """Settings of `generation` in study.yml, with the Laue group that the table tells."""
    check_settings(study)
    given = dict(study.settings.settings.get("generation", {}))
    known = [group for each in study.particles if (group := each.source.get("laue_group"))]
    if known:
        given.setdefault("laue_group", known[0])
    return GenerationSettings(**given)


def generate_for_study(
    study: Study,
    settings: GenerationSettings,
    group: tuple[str, str] | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> tuple[Path, pd.DataFrame]:
    """Make virtual particles with the pooled grains of a study, and set them beside these.

    Parameters
    ----------
    study : Study
    settings : GenerationSettings
    group : (str, str), optional
        Column of the table and its value: particles of that group alone.
    report : callable (str) -> None
        Gets a line for each simulation.

    Returns
    -------
    folder : Path
        Of all that was written.
    comparison : DataFrame
        As from `compare_generation`, with the pooled grains as data.

    Raises
    ------
    InputError
        If no particle of the group is computed, or voxels of particles differ.
    """
    from electrode_grains.pipelines.generation import nodes
    from electrode_grains.pipelines.modelling.nodes import select_grains

    tables = _members(study, collect(study).tables, group)
    samples = {name: select_grains(each, study.settings.sample) for name, each in tables.items()}
    volumes = {name: read_volume(study.project(name) / TABLE.with_name(VOLUME)) for name in tables}
    spacing = _common_spacing(volumes)
    # Simulations are seen through the window of the particle whose number of grains is the middle.
    ranked = sorted(samples, key=lambda name: (len(samples[name]), name))
    seen_through = ranked[len(ranked) // 2]
    window = volumes.pop(seen_through)
    report(f"{len(tables)} particles; simulations are seen through the window of {seen_through}")
    grains = pd.concat(samples.values(), ignore_index=True)
    fitted = _pooled_fits(study, samples)
    model = generation.fit_model(
        window.to_numpy() > 0,
        spacing,
        grains,
        _moments(grains, fitted),
        settings,
        report,
        [each.to_numpy() > 0 for each in volumes.values()],
    )
    everything, contacts = _numbered_anew(study, tables)
    volume, virtual, touching = nodes.generate_particles(
        model, window, everything, contacts, settings
    )
    comparison = nodes.compare_generation(grains, contacts, virtual, touching, model, settings)
    title = study.settings.name + ("" if group is None else f", {group[0]} {group[1]}")
    figure = figures.virtual_particles(
        window.to_numpy(), volume.to_numpy()[0], spacing, grains, virtual, fitted
    )
    counts = virtual.groupby("particle").size().to_dict()
    page = figures.virtual_page(title, figure, comparison, counts)
    folder = study.folder / RESULTS / (FOLDER if group is None else f"{FOLDER}_{'_'.join(group)}")
    with output_folder(folder, WRITTEN):
        ResultDataset(filepath=str(folder / MODEL)).save(model.to_dict())
        VolumeDataset(filepath=str(folder / VOLUME)).save(volume)
        for name, table in zip(TABLES, (virtual, touching, comparison), strict=True):
            write_table(folder / name, table)
        with atomic_write(folder / PAGE) as (partial,):
            partial.write_text(page, "utf-8")
    return folder, comparison


def _members(
    study: Study, tables: Mapping[str, pd.DataFrame], group: tuple[str, str] | None
) -> dict[str, pd.DataFrame]:
    """Tables of the particles of a group."""
    if group is None:
        return dict(tables)
    column, level = group
    levels = {each.name: each.groups.get(column) for each in study.particles if each.name in tables}
    chosen = {name: table for name, table in tables.items() if levels[name] == level}
    if not chosen:
        raise InputError(
            "no computed particle is of that group",
            where=f"column {column} of the table",
            found=level,
            expected=", ".join(sorted({str(each) for each in levels.values() if each}))
            or "a column of groups",
        )
    return chosen


def _common_spacing(volumes: Mapping[str, xr.DataArray]) -> tuple[float, float, float]:
    """Spacing of all volumes: grains measured at different ones are not of one kind."""
    spacings = {name: spacing_of(volume) for name, volume in volumes.items()}
    first = next(iter(spacings.values()))
    other = [name for name, each in spacings.items() if not np.allclose(each, first, rtol=1e-3)]
    if other:
        raise InputError(
            "the particles have different voxels, at which shapes measure differently",
            where=", ".join(other),
            found=" x ".join(f"{n:g}" for n in spacings[other[0]]) + " nm (z, y, x)",
            expected=" x ".join(f"{n:g}" for n in first) + " nm as the others",
            remedy="name a group of like ones: --group COLUMN=VALUE",
        )
    return first


def _pooled_fits(study: Study, samples: Mapping[str, pd.DataFrame]) -> dict[str, Marginal]:
    """Distribution of each characteristic of all grains, where one describes it."""
    pool, least = study.settings.pool, study.settings.sample.minimum_voxels
    rng = np.random.default_rng(pool.seed)
    fitted: dict[str, Marginal] = {}
    for name in CHARACTERISTICS:
        support = pooled_support(name, samples.values(), least)
        values = {each: table[name].dropna().to_numpy(float) for each, table in samples.items()}
        fit, _ = domain.fit_pool(name, values, support, pool.fitted_grains, rng)
        if fit.model is not None:
            fitted[name] = fit.model
    return fitted


def _moments(grains: pd.DataFrame, fitted: Mapping[str, Marginal]) -> ShapeMoments:
    """Means and deviations of the fits, those of the grains without one, and correlations."""
    data = ShapeMoments.of_table(grains)
    means = {name: model.mean() for name, model in fitted.items()}
    stds = {name: model.std() for name, model in fitted.items()}
    return replace(data, means={**data.means, **means}, stds={**data.stds, **stds})


def _numbered_anew(
    study: Study, tables: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Grains and contacts of all particles, with labels that no two share."""
    grains, contacts, highest = [], [], 0
    for name, table in tables.items():
        between = pd.read_parquet(study.project(name) / CONTACTS)
        grains.append(table.assign(label=table["label"] + highest))
        moved = {
            side: between[side].where(between[side] == 0, between[side] + highest)
            for side in ("label_a", "label_b")
        }
        contacts.append(between.assign(**moved))
        highest += int(table["label"].max())
    return pd.concat(grains, ignore_index=True), pd.concat(contacts, ignore_index=True)
