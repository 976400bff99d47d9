"""`electrode-grains by-block`: the grains of a particle that is larger than memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, progress, show_table
from electrode_grains.commands.project import Project, open_project
from electrode_grains.errors import SettingsError
from electrode_grains.progress import duration

if TYPE_CHECKING:
    from electrode_grains.blocks import ExecutorSettings
    from electrode_grains.by_block import ParticleByBlock, ParticleSettings

FOLDER = "by_block"  # of results, below the data of a project
LEFT_OUT = (
    "training, validation, voids, suspects, scores, figures and the report are not computed by "
    "block; docs/scaling.md has the list"
)


class _ByBlock(Command):
    advice = "What is finished is kept; the same command goes on from there."


@click.command(cls=_ByBlock)
@click.argument("project", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--env", help="Configuration environment, as in kedro run --env.")
@click.option("--scheduler", metavar="ADDRESS", help="A running dask scheduler.")
@click.option("--workers", type=click.IntRange(1), help="Blocks at once on this machine.")
@click.option(
    "--network", metavar="PLACE",
    help="A folder, mlflow:<run id>, or embedded [default: the trained one of the project, else "
    "the embedded one].",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the results, which all workers must see [default: data/by_block].",
)  # fmt: skip
def command(
    project: Path | None,
    env: str | None,
    scheduler: str | None,
    workers: int | None,
    network: str | None,
    output: Path | None,
) -> None:
    """Compute the grains of a large particle block by block.

    From the slices of a project to grains and tables, never holding a volume in memory, with the
    settings of the project. Results do not depend on the blocks, nor on who computes them.
    """
    opened = open_project(project, env)
    settings, compute = _settings(opened), _compute(opened, scheduler, workers)
    settings.check()
    _refuse_edits(opened)
    folder = (output or opened.data_folder / FOLDER).absolute()
    from electrode_grains.by_block import segment_particle_by_block
    from electrode_grains.runs import one_run

    folder.mkdir(parents=True, exist_ok=True)
    annotations, source = _annotations(opened)
    with one_run(folder), ExitStack() as stack:
        steps = _Steps(stack)
        place = _network(opened, network, folder)
        result = segment_particle_by_block(
            opened.file_of("ebsd_scans"),
            place,
            folder,
            compute=compute,
            settings=settings,
            annotations=annotations,
            annotated_by=source,
            on_step=steps.begin,
        )
    _show(result, steps.seconds, folder)


class _Steps:
    """Tells which step begins, with progress where one counts slices, and times them."""

    def __init__(self, stack: ExitStack) -> None:
        self.seconds: dict[str, float] = {}
        self._stack = stack

    def begin(self, step: str) -> Callable[[int, int], None]:
        """End the step before, and show this one."""
        self._stack.close()
        echo(f"{step} ...")
        begun = time.monotonic()
        self._stack.callback(lambda: self.seconds.update({step: time.monotonic() - begun}))
        return self._stack.enter_context(progress(step))


def _settings(project: Project) -> ParticleSettings:
    """Settings of the project for all steps."""
    from electrode_grains import alignment, ebsd
    from electrode_grains.boundary.settings import ContrastSettings, PredictionSettings
    from electrode_grains.by_block import ParticleSettings
    from electrode_grains.grains import SegmentationSettings
    from electrode_grains.morphometry import MeasureSettings

    return ParticleSettings(
        stack=project.settings("preprocessing.stack", ebsd.StackSettings),
        alignment=project.settings("preprocessing.alignment", alignment.AlignmentSettings),
        annotation=project.settings("preprocessing.annotation", ebsd.AnnotationSettings),
        contrast=project.settings("boundary_model.contrast", ContrastSettings),
        prediction=project.settings("boundary_model.prediction", PredictionSettings),
        segmentation=project.settings("segmentation.grains", SegmentationSettings),
        measure=project.settings("characterization.measure", MeasureSettings),
    )


def _compute(project: Project, scheduler: str | None, workers: int | None) -> ExecutorSettings:
    """Who computes: as the project says, unless options say another one."""
    from electrode_grains.blocks import ExecutorSettings

    compute = project.settings("compute", ExecutorSettings)
    if scheduler is not None and workers is not None:
        raise SettingsError(
            "workers of a scheduler are started with it",
            found=f"--scheduler {scheduler} and --workers {workers}",
            expected="one of them",
        )
    if scheduler is not None:
        return compute.replace(executor="dask", scheduler_address=scheduler)
    if workers is not None:
        here = "dask" if compute.executor == "dask" else "threads"
        return compute.replace(executor=here, scheduler_address=None, n_workers=workers)
    return compute


def _refuse_edits(project: Project) -> None:
    """Refuse manual edits, which a run would replay on the grains."""
    edits = project.config["parameters"]["segmentation"]["manual"]["edits"]
    recorded = project.catalog.load("segmentation_edits")
    if count := len(edits) + len(recorded):
        raise SettingsError(
            "manual edits are not replayed by block",
            where=str(project.file_of("segmentation_edits")),
            found=f"{count} edits",
            expected="none",
            remedy="take them out, or compute the particle in core: kedro run",
        )


def _annotations(project: Project) -> tuple[dict[str, Any], str]:
    """Labelled slices by hand, or else those from orientations; none where there are none."""
    for name, source in (
        ("slice_annotations", "hand"),
        ("orientation_annotations", "orientations"),
    ):
        dataset = project.catalog.get(name)
        if dataset is not None and dataset.exists():
            return dataset.load(), source
    return {}, "hand"


def _network(project: Project, place: str | None, folder: Path) -> Path | None:
    """Folder of the network; None: the embedded one."""
    if place is None and project.exists("boundary_network"):
        project.check(["boundary_network"])
        path = project.file_of("boundary_network")
        echo(f"network: {path}, trained in this project")
        return path
    from electrode_grains import tracking
    from electrode_grains.datasets.network import NetworkDataset
    from electrode_grains.pipelines.boundary_model.pipeline import MLFLOW, load_network

    echo(f"network: {place or 'embedded'}")
    if place in (None, "embedded"):
        return None
    if not str(place).startswith(MLFLOW):
        return Path(str(place))
    settings = tracking.TrackingSettings(**project.config["mlflow"])
    path = folder / "boundary_network"
    if settings.enabled:
        tracking.open_tracker(settings, project.path)
    try:
        network = load_network(str(place))
    finally:
        tracking.close_tracker()
    NetworkDataset(path=str(path)).save(network)
    return path


def _show(result: ParticleByBlock, seconds: dict[str, float], folder: Path) -> None:
    """What was computed and kept, what to look at, and where the results lie."""
    counts = {
        "read": (result.read.computed, result.read.kept),
        "register": (result.registered.computed, result.registered.kept),
        "align": (result.aligned.computed, result.aligned.kept),
        "contrast": (result.contrast.computed, result.contrast.kept),
        "predict": (result.predicted.computed, result.predicted.kept),
        "find grains": (result.found.computed, result.found.kept),
    }
    rows = [(name, *of_step, duration(seconds[name])) for name, of_step in counts.items()]
    show_table("", ("step", "tasks computed", "tasks kept", "time"), rows)
    index, found = result.read.scan_index, result.found
    flagged = {
        index.slices[z]: "; ".join(flags)
        for z, flags in enumerate(result.registered.transforms.flags)
        if flags
    }
    doubts = [fit["doubt"] for fit in (result.annotated.fits if result.annotated else ())]
    warnings = [
        *index.notes,
        *(f"slice {name}: {text}" for name, text in flagged.items()),
        *result.registered.transforms.notes,
        *filter(None, doubts),
        *found.segmentation.warnings,
    ]
    for warning in warnings:
        echo(f"warning: {warning}")
    echo(f"{found.segmentation.grains} grains")
    echo(LEFT_OUT)
    echo(f"results: {folder}")
