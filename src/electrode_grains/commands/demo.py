"""`electrode-grains demo`: a project with a virtual particle, to try everything on."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from shlex import quote

import click

from electrode_grains.commands import Command
from electrode_grains.commands.console import echo
from electrode_grains.commands.new_project import ANNOTATIONS, SCANS, NewProject, refuse_occupied
from electrode_grains.commands.project import open_project
from electrode_grains.errors import InputError, SettingsError

LEAST = (16, 48, 48)  # slices, rows, columns: less holds hardly a whole grain
ANNOTATED = (0.22, 0.39, 0.59, 0.77)  # of the depth
SHORT_TRAINING = {"training": {"epochs": 4}, "validation": {"epochs": 1}}
"""Enough to go on from the embedded network, so that the whole chain takes about two minutes."""
STEPS = (
    "`kedro run` computes everything; `electrode-grains report` opens the report.",
    "Training is kept short here: `boundary_model` in `conf/local/parameters.yml`; without these "
    "lines the network learns as long as from your own slices.",
    "`electrode-grains settings` shows what can be changed, `electrode-grains flow` the steps, "
    "`electrode-grains experiments` the runs.",
    "Another particle: change `acquisition.particle.seed` in `conf/local/parameters.yml`, then "
    "`kedro run --pipelines demo`.",
)


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--shape", default="48,96,96", show_default=True, metavar="Z,Y,X",
              help="Voxels of the window.")  # fmt: skip
@click.option("--seed", default=20, show_default=True, type=click.IntRange(min=0),
              help="Of the particle: another number, another particle.")  # fmt: skip
def command(folder: Path, shape: str, seed: int) -> None:
    """Make a project DIR with the scans of a virtual particle, ready for kedro run.

    A particle is grown, milled and scanned; four slices are labelled. The true grains lie beside
    the scans, so that the report says how well they are found; the analysis does not use them.
    Window and training are small enough that everything takes a few minutes.

    \b
    electrode-grains demo particle
    cd particle
    kedro run
    """
    window = _window(shape)
    _refuse_full(folder)
    annotated = [round(share * window[0]) for share in ANNOTATED]
    NewProject(
        folder=folder,
        name=folder.resolve().name,
        material="virtual LiNi0.5Mn0.3Co0.2O2 (NMC532)",
        facts=f"A virtual particle, {window[0]} slices of {window[1]} x {window[2]} points.",
        places={"scans": SCANS.as_posix(), "labelled slices": ANNOTATIONS.as_posix()},
        steps=STEPS,
        configured_globals={
            "data_root": "data",
            "ebsd_scans": SCANS.as_posix(),
            "slice_annotations": ANNOTATIONS.as_posix(),
            "laue_group": "-3m",
        },
        parameters={
            "acquisition": {
                "particle": {"shape": list(window), "seed": seed},
                "scan": {"annotated_slices": annotated},
            },
            "boundary_model": SHORT_TRAINING,
        },
        declared={"virtual_particle": "true"},
    ).write()
    _acquire(folder)
    echo(f"{folder}: {window[0]} slices of a virtual particle, {len(annotated)} of them labelled")
    echo("\nNext:")
    echo(f"  cd {quote(str(folder))}")
    echo("  kedro run")


def _window(text: str) -> tuple[int, int, int]:
    try:
        depth, rows, columns = (int(part) for part in text.split(","))
    except ValueError:
        depth = rows = columns = 0
    if any(size < least for size, least in zip((depth, rows, columns), LEAST, strict=True)):
        raise SettingsError(
            "a particle does not fit into this window",
            found=f"--shape {text}",
            expected=f"at least {','.join(map(str, LEAST))} voxels (z, y, x)",
        )
    return depth, rows, columns


def _refuse_full(folder: Path) -> None:
    refuse_occupied(folder)
    if (folder / "data").exists():
        raise InputError(
            "the folder holds data already",
            where=str(folder / "data"),
            remedy="name a new folder; nothing is overwritten",
        )


def _acquire(folder: Path) -> None:
    """Run the pipeline that makes the scans, as `kedro run --pipelines acquisition` would."""
    with chdir(folder):  # where MLflow's store lies
        open_project(Path.cwd(), None).run("acquisition")
