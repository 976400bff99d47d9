"""Grain tables of a study pooled, compared, written, and shown on one page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from electrode_grains import __version__, datasets, tracking
from electrode_grains import study as domain
from electrode_grains.commands.outputs import output_folder
from electrode_grains.commands.study_run import DONE, read_status
from electrode_grains.commands.study_table import Study
from electrode_grains.errors import InputError
from electrode_grains.figures.study_page import StudyContent, study_page
from electrode_grains.progress import report_progress
from electrode_grains.runs import Manifest, atomic_write, changed_files, file_digests, manifest_path

RESULTS, PAGE, POOL = "results", "report.html", "grains"
TABLE = Path("data/07_model_output/grain_table.parquet")
REPORT = Path("data/08_reporting/report.html")
DATASET = "grain_table"
TABLES = ("statistics", "spread", "quantiles", "groups", "levels", "fits", "particle_fits")


@dataclass
class Pool:
    """Grain tables of the particles that are done.

    Attributes
    ----------
    tables : dict of str to DataFrame
        All grains of each particle.
    absent : list of (str, str, str)
        Particles that are not compared: name, state, reason.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    absent: list[tuple[str, str, str]] = field(default_factory=list)


def collect(study: Study) -> Pool:
    """Read the grain tables of all particles that are done with the data and settings of today.

    Raises
    ------
    InputError
        If there is none.
    """
    status, pool = read_status(study), Pool()
    for particle in study.particles:
        known = status.get(particle.name)
        if known is None:
            pool.absent.append((particle.name, "waiting", "not computed with today's row"))
        elif known["state"] != DONE:
            pool.absent.append((particle.name, known["state"], known["reason"]))
        else:
            try:
                pool.tables[particle.name] = _table(study.project(particle.name) / TABLE)
            except (InputError, OSError, pa.ArrowException) as error:
                text = error.message if isinstance(error, InputError) else str(error)
                pool.absent.append((particle.name, "unreadable", text))
    if not pool.tables:
        raise InputError(
            "no particle of the study is computed", where=str(study.folder),
            remedy="electrode-grains study run computes them",
        )  # fmt: skip
    return pool


def _table(file: Path) -> pd.DataFrame:
    manifest = Manifest.read(manifest_path(DATASET, file))
    if manifest is None:
        raise InputError("the grain table has no manifest; study run computes it again")
    if changed := changed_files(manifest.files, file_digests([file])):
        raise InputError(f"the grain table is not that of its run: {', '.join(changed)}")
    return pd.read_parquet(file)


def report_study(study: Study) -> tuple[Path, dict[str, pd.DataFrame], Pool]:
    """Pool and compare the particles of a study, write all tables and the page, log the study.

    Returns
    -------
    page : Path
    tables : dict of str to DataFrame
    pool : Pool
    """
    from electrode_grains.pipelines.modelling.nodes import select_grains

    pool, settings = collect(study), study.settings
    chosen = {name: select_grains(table, settings.sample) for name, table in pool.tables.items()}
    names = settings.pool.characteristics
    samples = {
        name: {each: table[each].to_numpy(float) for each in names}
        for name, table in chosen.items()
    }
    groups = _groups(study, samples)
    compared = domain.compare_study(
        samples, groups, settings.pool, report_progress("particles compared")
    )
    pool.absent += [(name, "too few grains", text) for name, text in compared.omitted.items()]
    supports = {
        each: pooled_support(each, chosen.values(), settings.sample.minimum_voxels)
        for each in names
    }  # fmt: skip
    fits, particle_fits = domain.fit_study(
        samples, supports, settings.pool, report_progress("distributions fitted")
    )
    tables = {
        **{name: getattr(compared, name) for name in TABLES[:5]},
        "fits": fits, "particle_fits": particle_fits,
    }  # fmt: skip
    folder = study.folder / RESULTS
    written = [POOL, PAGE, *(f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet"))]
    with output_folder(folder, written):
        write_pool(folder / POOL, pool.tables)
        for name, table in tables.items():
            write_table(folder / name, table)
        content = _content(study, tables, samples, groups, pool)
        with atomic_write(folder / PAGE) as (partial,):
            partial.write_text(study_page(content), "utf-8")
    _log(study, tables, pool, folder / PAGE)
    return folder / PAGE, tables, pool


def pooled_support(
    name: str, samples: Iterable[pd.DataFrame], minimum_voxels: int
) -> tuple[float, float]:
    """Range of a characteristic that holds those of all particles, each above its own cut."""
    from electrode_grains.pipelines.modelling.nodes import families_above_the_cut

    supports = (families_above_the_cut(name, table, minimum_voxels)[1] for table in samples)
    lows, highs = zip(*supports, strict=True)
    return min(lows), max(highs)


def _groups(study: Study, samples: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    present = [particle for particle in study.particles if particle.name in samples]
    names = dict.fromkeys(name for particle in present for name in particle.groups)
    return {
        name: {particle.name: particle.groups.get(name, "") for particle in present}
        for name in names
    }


def write_pool(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write one Parquet data set, partitioned by particle, all parts with the same columns."""
    parts = {name: pa.Table.from_pandas(table) for name, table in tables.items()}
    schema = pa.unify_schemas(
        [part.schema.remove_metadata() for part in parts.values()], promote_options="permissive"
    )
    with atomic_write(folder) as (partial,):
        for name, part in parts.items():
            place = partial / f"particle={name}"
            place.mkdir(parents=True)
            for column in schema:
                if column.name not in part.column_names:
                    part = part.append_column(column, pa.nulls(len(part), column.type))
            pq.write_table(part.select(schema.names).cast(schema), place / "grains.parquet")


def write_table(place: Path, table: pd.DataFrame) -> None:
    """Write a table twice: `.csv`, safe for spreadsheets, and `.parquet`."""
    csv, parquet = place.with_suffix(".csv"), place.with_suffix(".parquet")
    with atomic_write(csv, parquet) as (partial_csv, partial_parquet):
        datasets.spreadsheet_safe(table).to_csv(partial_csv, index=False)
        table.to_parquet(partial_parquet, index=False)


def _content(
    study: Study,
    tables: Mapping[str, pd.DataFrame],
    samples: Mapping[str, Any],
    groups: Mapping[str, Mapping[str, str]],
    pool: Pool,
) -> StudyContent:
    page = study.folder / RESULTS
    links = {
        name: Path(os.path.relpath(study.project(name) / REPORT, page)).as_posix()
        for name in samples
        if (study.project(name) / REPORT).is_file()
    }
    count = len(study.particles)
    warnings = []
    if pool.absent:
        warnings.append(f"{len(pool.absent)} of {count} particles are not compared; listed below")
    settings = study.settings
    return StudyContent(
        title=settings.name,
        subtitle=f"{count} particles, {sum(map(len, pool.tables.values())):,} grains before the "
        "choice of whole ones",
        warnings=warnings,
        **{name: tables[name] for name in ("statistics", "spread", "groups", "levels", "fits")},
        samples=samples,
        links=links,
        labels=groups,
        absent=pool.absent,
        provenance={
            "electrode-grains": __version__,
            "date": date.today().isoformat(),
            "smallest grain": f"{settings.sample.minimum_voxels} voxels",
            "grains that a particle needs": str(settings.pool.minimum_grains),
            "resamples and permutations": str(settings.pool.replicates),
            "seed": str(settings.pool.seed),
        },
    )


def _log(study: Study, tables: Mapping[str, pd.DataFrame], pool: Pool, page: Path) -> None:
    """One run of MLflow for the study, and one below it for each particle."""
    settings = tracking.TrackingSettings(**study.settings.mlflow)
    if not settings.enabled:
        return
    means = tables["statistics"][tables["statistics"]["kind"] == "mean"]
    particles: dict[str, dict[str, float]] = {
        name: {"grain_count": float(len(table))} for name, table in pool.tables.items()
    }
    for _, row in means.iterrows():
        particles[row["particle"]][f"mean.{row['subject']}"] = row["value"]
    spread = tables["spread"]
    metrics = {
        f"{column}.{row['subject']}": row[column]
        for _, row in spread[spread["kind"] == "mean"].iterrows()
        for column in ("mean", "between", "within", "intraclass_correlation")
        if column in row
    }
    tracking.log_study(
        settings,
        study.folder,
        study.settings.name,
        parameters={
            "particle_count": len(study.particles),
            **study.settings.sample.model_dump(),
            **study.settings.pool.model_dump(),
        },
        metrics={"pooled_count": len(pool.tables), **metrics},
        particles=particles,
        failures={name: f"{state}: {reason}" for name, state, reason in pool.absent},
        artifacts=[page],
    )
