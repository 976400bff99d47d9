"""`electrode-grains check`: all problems of the input at once, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from electrode_grains import alignment, ebsd, grains
from electrode_grains.command_line import REFUSED, causes
from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, progress, show_table
from electrode_grains.commands.project import Project, open_project
from electrode_grains.crystal import LaueGroup
from electrode_grains.ebsd.pseudo_cube import find_pseudo_symmetry, hexagonal_constants
from electrode_grains.errors import InputError, UserError
from electrode_grains.pipeline_registry import declared_in
from electrode_grains.shipped import renewing_command
from electrode_grains.volumes import spacing_notes

if TYPE_CHECKING:
    import xarray as xr


MADE = "orientation_annotations"
STARTS = {"grain_map": "grain_map", "sections": "grain_sections"}
COLUMNS = ("where", "problem", "what to do")


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]",
                required=False)  # fmt: skip
@click.option("--env", help="Configuration environment, as in kedro run --env.")
@click.pass_context
def command(ctx: click.Context, folder: Path | None, env: str | None) -> None:
    """List all problems of a project's input in one table.

    Settings, scans, labelled slices and recorded edits are read as a run would read them; DIR
    is the folder of the project [default: the one around the current folder]. Exit code 2 if
    there is any problem; warnings alone leave it at 0.
    """
    project = open_project(folder, env)
    issues, warnings, facts = inspect_project(project)
    for fact in facts:
        echo(fact)
    if warnings:
        echo(f"\n{len(warnings)} warnings, with which a run goes on:")
        for text in warnings[:10]:
            echo(f"  {text}")
        if len(warnings) > 10:
            echo(f"  and {len(warnings) - 10} more")
    if issues:
        count = f"{len(issues)} problem{'s' if len(issues) > 1 else ''}"
        show_table(f"\n{count}", COLUMNS, [row_of(each, project.path) for each in issues])
        ctx.exit(REFUSED)
    echo(f"\nNo problem found. Next: {project.run_command()}")


def row_of(issue: ebsd.Issue, project: Path) -> tuple[str, str, str]:
    """Cells of the table: place with line, problem with its evidence, remedy."""
    place = issue.slice.replace(f"{project}/", "")
    lines = [issue.problem]
    lines += [f"found {issue.found}"] if issue.found else []
    lines += [f"expected {issue.expected}"] if issue.expected else []
    line = f", line {issue.line}" if issue.line else ""
    return place + line, "\n".join(lines), issue.remedy


def inspect_project(project: Project) -> tuple[list[ebsd.Issue], list[str], list[str]]:
    """Problems, warnings and facts of the input of a project."""
    issues = settings_issues(project)
    warnings: list[str] = []
    facts: list[str] = []
    if (start := declared_in(project.path).get("starts_from")) in STARTS:
        found, facts = _inspect_start(project, STARTS[start])
        return issues + found, warnings, facts
    try:
        stack_settings = project.settings("preprocessing.stack", ebsd.StackSettings)
        annotation = project.settings("preprocessing.annotation", ebsd.AnnotationSettings)
    except UserError:  # in the table already; without them scans cannot be read as a run would
        return issues, warnings, facts
    stack, found = _inspect_scans(project, stack_settings)
    issues += found
    if stack is None:
        return issues, warnings, facts
    if "slices" in stack.attrs:
        try:
            warnings += _spacing_notes(stack, stack_settings.slice_spacing_nm)
        except UserError as problem:
            issues.append(ebsd.issue_from("preprocessing.stack", problem))
        names = stack.attrs["slices"]
        shape = stack["image_quality"].shape
        facts.append(
            f"{len(names)} slices, {names[0]} to {names[-1]}, of {shape[1:]} points (y, x)"
        )
        verdict, against = "", False
        if not issues:
            verdict, against = _frame_verdict(stack, stack_settings.laue_group)
            facts += _pseudo_symmetry(stack, stack_settings)
        facts += [verdict] if verdict and not against else []
        warnings += [verdict] if against else []
        placed, found = _inspect_annotations(project, names, shape, annotation.slice_numbers)
        issues += found
        if placed is not None and not issues:
            labelled = [z for z, classes in enumerate(placed) if classes.any()]
            facts.append(f"{len(labelled)} labelled slices, by place in the stack: {labelled}")
            if annotation.frame == "raw":  # of aligned ones only a run can tell
                warnings += _annotation_warnings(placed, stack, stack_settings)
        edits, found = _inspect_edits(project, shape)
        issues += found
        facts.append(f"{edits} recorded edits")
    # Last, since they may be many.
    return issues, [*warnings, *stack.attrs.get("notes", ())], facts


def _inspect_start(project: Project, dataset: str) -> tuple[list[ebsd.Issue], list[str]]:
    """Read the grain map or the sections that a project starts from."""
    try:
        with ebsd.probing_files():
            project.catalog.load(dataset)
    except Exception as error:  # Kedro wraps what the dataset refuses
        return [ebsd.issue_from(dataset, _refusal_behind(error))], []
    return [], [f"{project.file_of(dataset)} can be read"]


def _refusal_behind(error: Exception) -> UserError:
    """What was refused, below what Kedro wraps it in; any other error goes on."""
    for link in causes(error):
        if isinstance(link, UserError):
            return link
    raise error


def settings_issues(project: Project) -> list[ebsd.Issue]:
    """Every value of the configuration that a pipeline would refuse, and every one it lacks."""
    from electrode_grains.configuration import impossible_settings, unread_parameters

    remedy = "correct it in conf"
    parameters, pipelines = project.config["parameters"], project.pipelines
    issues = [
        ebsd.Issue(name, "", "no step reads it", "", nearest, remedy)
        for name, nearest in unread_parameters(parameters, pipelines.values()).items()
    ]
    refusals, missing = impossible_settings(project.config, pipelines)
    issues += [ebsd.issue_from("", refusal)._replace(remedy=remedy) for refusal in refusals]
    remedy = f"{renewing_command()} brings it up to date"
    return issues + [ebsd.Issue(key, "", "setting missing", "", "", remedy) for key in missing]


def _inspect_scans(
    project: Project, settings: ebsd.StackSettings
) -> tuple[xr.Dataset | None, list[ebsd.Issue]]:
    try:
        with ebsd.probing_files():
            readers = project.catalog.get("ebsd_scans").load()
    except InputError as problem:
        return None, [ebsd.issue_from("ebsd_scans", problem)]
    with ebsd.probing_files(), progress("reading slices") as report_progress:
        return ebsd.inspect_scans(
            readers, settings.first_slice, settings.reading_options(), report_progress
        )


def _spacing_notes(stack: xr.Dataset, slice_spacing_nm: float | None) -> tuple[str, ...]:
    dy, dx = stack.attrs["step_nm"]
    dz = ebsd.slice_spacing(stack, slice_spacing_nm) or dy
    return spacing_notes((dz, dy, dx), "preprocessing.stack.slice_spacing_nm and step_nm")


def _frame_verdict(stack: xr.Dataset, laue: LaueGroup) -> tuple[str, bool]:
    """What slices that are turned say of the frames, and whether they speak against them."""
    choice = stack.attrs.get("frames")
    if choice is None or len(stack["image_quality"]) < 2:
        return "", False
    channels = ebsd.stack_orientations(stack, laue)
    lattice = alignment.LatticeField.of_channels(channels, ebsd.laue_group(laue))
    if lattice is None:
        return "", False
    with progress("comparing lattices") as report_progress:
        quality = stack["image_quality"].to_numpy()
        turns = alignment.turned_steps(quality, lattice, report_progress)
    verdict = ebsd.frame_verdict(choice, turns.votes, turns.clear_difference, turns.largest_turn)
    return verdict, turns.speak_against


def _pseudo_symmetry(stack: xr.Dataset, settings: ebsd.StackSettings) -> list[str]:
    """What an indexer may have confused, and whether the data show it."""
    field = ebsd.orientations_of_stack(
        stack, settings.laue_group, settings.pseudo_symmetry_operators
    )
    if not field.known.any():
        return []
    constants = settings.lattice_constants or hexagonal_constants(stack.attrs["phases"])
    finding = find_pseudo_symmetry(field, constants, settings.pseudo_cubic_tolerance)
    return [] if finding is None else [f"pseudo-symmetry: {finding.describe()}"]


def _inspect_annotations(
    project: Project, names: list[str], shape: tuple[int, ...], slice_numbers: str
) -> tuple[NDArray[np.uint8] | None, list[ebsd.Issue]]:
    datasets = [project.catalog.get(name) for name in ("slice_annotations", MADE)]
    dataset = next((each for each in datasets if each.exists()), None)
    if dataset is None:
        remedy = "electrode-grains annotate, or kedro run --pipelines orientation_annotation"
        place = str(project.file_of("slice_annotations"))
        return None, [ebsd.Issue(place, "", "no slice is labelled yet", "", "some images", remedy)]
    numbers = slice_numbers if dataset is datasets[0] else "as_scans"
    return ebsd.annotation_issues(dataset.readers(), names, shape, numbers)


def _annotation_warnings(
    placed: NDArray[np.uint8], stack: xr.Dataset, settings: ebsd.StackSettings
) -> list[str]:
    """Whether labels drawn on raw slices show their own slice."""
    laue, operators = settings.laue_group, settings.pseudo_symmetry_operators
    quality, names = stack["image_quality"].to_numpy(), stack.attrs["slices"]
    angles = ebsd.misorientation_in_slices(
        ebsd.stack_orientations(stack, laue)[:4], laue, operators
    )
    fits = ebsd.annotation_fits(placed, quality, quality, "raw", names, angles)
    return [fit["doubt"] for fit in fits if fit["doubt"]]


def _inspect_edits(project: Project, shape: tuple[int, ...]) -> tuple[int, list[ebsd.Issue]]:
    """Read recorded edits one by one; whether a grain is where they say only a run can tell."""
    name = project.file_of("segmentation_edits").name
    try:
        edits = project.catalog.load("segmentation_edits")
    except Exception as error:  # Kedro wraps what the dataset refuses
        return 0, [ebsd.issue_from(name, _refusal_behind(error))]
    edits = [*project.config["parameters"]["segmentation"]["manual"]["edits"], *edits]
    nowhere = np.broadcast_to(np.zeros(1, np.uint8), shape)

    def wrong(first: int, last: int) -> Iterator[tuple[int, UserError]]:
        """Edits that are not well formed; halves until each stands alone."""
        try:
            grains.apply_edits(nowhere, edits[first:last], outdated="report")
        except UserError as problem:
            if last - first == 1:
                yield last, problem
                return
            middle = (first + last) // 2
            yield from wrong(first, middle)
            yield from wrong(middle, last)

    return len(edits), [
        ebsd.issue_from(f"{name}, edit {number}", problem)
        for number, problem in wrong(0, len(edits))
    ]
