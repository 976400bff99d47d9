"""`electrode-grains study`: many particles, computed, pooled and compared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from shlex import quote

import click

from electrode_grains.command_line import FAILED, REFUSED
from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, is_interactive, show_table, size_text
from electrode_grains.commands.study_table import (
    SETTINGS,
    TABLE,
    Study,
    check_settings,
    open_study,
)
from electrode_grains.errors import InputError

STUDY_YML = """\
name: {name}
compute:
  scheduler_address: null  # of a running dask scheduler, such as tcp://host:8786
  n_workers: 0             # particles at once on this machine; 0: one after another, without dask
  threads: null            # of each particle; null: the cores over the particles at once
  memory_limit_gb: null    # of each particle, which is ended beyond it
sample:                    # which grains enter, as modelling.sample of a project
  minimum_voxels: 34
  include_window_grains: false
pool:
  characteristics: [equivalent_diameter_nm, sphericity, convexity, elongation]
  minimum_grains: 30       # that a particle needs to be compared
  replicates: 999          # resamples and permutations of whole particles
settings: {{}}               # of all particles, as in conf/base of a project
"""
PARTICLES = "id,scans,labels,slice_spacing_nm,laue_group,batch\n"
SHOWN = 20
study_option = click.option(
    "--study", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(),
    help="Folder of the study [default: the current one].",
)  # fmt: skip


class _Run(Command):
    advice = (
        "Particles that are done are kept, the others end; electrode-grains study run goes on "
        "from there."
    )


@click.group()
def command() -> None:
    """Compute, pool and compare many particles.

    \b
    electrode-grains study init cycling
    cd cycling               # fill in particles.csv: a row per particle
    electrode-grains study run --workers 4
    electrode-grains study report
    electrode-grains study generate

    Options of the study are those of its commands; --verbose shows the traceback of an error.
    """


@command.command("init", cls=Command)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
def init(folder: Path) -> None:
    """Make a folder DIR with an empty table of particles and the settings of the study."""
    if taken := [name for name in (TABLE, SETTINGS) if (folder / name).exists()]:
        raise InputError(
            "the folder is a study already",
            where=str(folder),
            found=", ".join(taken),
            remedy="name a new folder; nothing is overwritten",
        )
    from electrode_grains.commands.new_project import quote as as_text

    folder.mkdir(parents=True, exist_ok=True)
    name = as_text(folder.resolve().name)
    (folder / SETTINGS).write_text(STUDY_YML.format(name=name), "utf-8")
    (folder / TABLE).write_text(PARTICLES, "utf-8")
    echo(f"{folder / TABLE}: one row per particle")
    echo("  id, and scans (folder of its slices) or grain_map (labels of another program)")
    echo("  a column with a dot is a setting, such as segmentation.grains.minima_depth")
    echo("  any other column is a group, such as batch or cycle")
    echo(f"\nNext:\n  cd {quote(str(folder))}\n  electrode-grains study run --workers 2")


@command.command("run", cls=_Run)
@study_option
@click.option("--scheduler", metavar="ADDRESS", help="Of a running dask scheduler: tcp://...")
@click.option("--workers", type=click.IntRange(min=0),
              help="Particles at once on this machine; 0: one after another.")  # fmt: skip
@click.option("--retry", is_flag=True, help="Compute those again that were refused or failed.")
@click.pass_context
def run(
    ctx: click.Context, folder: Path, scheduler: str | None, workers: int | None, retry: bool
) -> None:
    """Compute all particles of the study; what is up to date is skipped.

    Each particle is a project in particles/, which all other commands work on; its log is in
    logs/. One that is refused or fails is a row in the table at the end, and the others go on.
    Exit code 2 if there is any such row.
    """
    study = open_study(folder)
    given: dict[str, str | int | None] = {
        key: value
        for key, value in (("scheduler_address", scheduler), ("n_workers", workers))
        if value is not None
    }
    if workers is not None:
        given.setdefault("scheduler_address", None)
    compute = study.settings.compute.replace(**given)
    study = Study(study.folder, study.settings.replace(compute=compute), study.particles)
    check_settings(study)
    from electrode_grains.commands.study_run import run_study

    outcomes = run_study(study, retry=retry)
    bad = [each for each in outcomes if each.state != "done"]
    counts = Counter(each.state for each in outcomes)
    counted = ", ".join(f"{number} {state}" for state, number in counts.items())
    echo(f"\n{len(study.particles)} particles: {counted}")
    if bad:
        show_table(
            "", ("particle", "", "reason"),
            [(each.name, each.state, each.reason) for each in bad],
        )  # fmt: skip
    echo("\nNext: electrode-grains study report" + (", or study run --retry" if bad else ""))
    if bad:
        ctx.exit(REFUSED if counts.get("refused") else FAILED)


@command.command("report", cls=Command)
@study_option
@click.option("--no-open", is_flag=True, help="Only print where the report is.")
def report(folder: Path, no_open: bool) -> None:
    """Pool and compare the particles that are done, and open the report of the study.

    Writes results/: all grains as one Parquet data set by particle, tables of statistics, spread,
    groups and fits (CSV and Parquet), and the page. Particles without results are listed on it.
    """
    study = open_study(folder)
    from electrode_grains.commands.study_report import report_study

    page, tables, pool = report_study(study)
    unusual = tables["statistics"].query("unusual")
    echo(f"{len(pool.tables)} of {len(study.particles)} particles pooled")
    if len(unusual):
        show_table(
            "unusual particles",
            ("particle", "characteristic", "", "value", "others", "adjusted p"),
            unusual[["particle", "subject", "kind", "value", "others", "adjusted_p_value"]]
            .sort_values("adjusted_p_value")
            .head(SHOWN)
            .to_numpy()
            .tolist(),
        )
    for name, state, reason in pool.absent[:SHOWN]:
        echo(f"  not compared: {name} ({state}): {reason.splitlines()[0]}")
    _show(page, no_open=no_open)


@command.command("generate", cls=Command)
@study_option
@click.option("--group", metavar="COLUMN=VALUE", help="Particles of one group alone: batch=a.")
@click.option("--particles", type=click.IntRange(1, 100), help="How many are made [default: 3].")
@click.option("--no-open", is_flag=True, help="Only print where the page is.")
def generate(folder: Path, group: str | None, particles: int | None, no_open: bool) -> None:
    """Make virtual particles with the pooled grains of the study, or of one group.

    Outer shells are drawn as those of the particles scatter; the architecture is that whose
    grains have the pooled distributions. Writes results/virtual/ (results/virtual_COLUMN_VALUE/):
    labels, tables, the model, and a page that sets them beside the pooled grains. Settings are
    those of `generation` in study.yml.
    """
    study = open_study(folder)
    column, sign, level = (group or "").partition("=")
    if group is not None and not (column and sign and level):
        raise InputError("a group is named by its column and value", found=group,
                         expected="COLUMN=VALUE, such as batch=a")  # fmt: skip
    from electrode_grains.commands.study_generate import (
        PAGE,
        generate_for_study,
        generation_settings,
    )

    settings = generation_settings(study)
    if particles is not None:
        settings = settings.replace(particles=particles)
    made, comparison = generate_for_study(
        study, settings, None if group is None else (column, level), echo
    )
    inside = int(comparison["inside"].sum())
    echo(f"{inside} of {len(comparison)} quantities are inside the bands of the pooled grains")
    _show(made / PAGE, no_open=no_open)


def _show(page: Path, *, no_open: bool) -> None:
    """Say where a page is, and open it for a person."""
    echo(f"{page} ({size_text(page.stat().st_size)})")
    if is_interactive() and not no_open:
        click.launch(str(page))
