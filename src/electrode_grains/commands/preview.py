"""`electrode-grains preview`: look at a stack before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from electrode_grains import datasets, ebsd
from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, progress, show_table
from electrode_grains.commands.first_look import LARGEST_WINDOW, first_look
from electrode_grains.commands.outputs import output_folder
from electrode_grains.commands.project import open_project, project_options
from electrode_grains.commands.stack_picture import main_laue_group, stack_picture
from electrode_grains.crystal import laue_group_of_tsl_symmetry
from electrode_grains.errors import InputError, UserError

if TYPE_CHECKING:
    import xarray as xr

LISTED = 5
UPSAMPLING = 10  # a tenth of a pixel is enough to see drift


@dataclass(frozen=True)
class Drift:
    """How neighbouring slices move and how alike they are.

    Attributes
    ----------
    steps : ndarray of float, shape (slices - 1, 2)
        Shift (y, x) of each slice against the one before, in pixels.
    correlation : ndarray of float, shape (slices - 1,)
        Of the image quality of neighbours, once shifted.
    """

    steps: NDArray[np.float64]
    correlation: NDArray[np.float64]


@click.command(cls=Command)
@click.argument("scans", type=click.Path(path_type=Path, exists=True), required=False)
@project_options
@click.option("--count", default=9, show_default=True, type=click.IntRange(min=1),
              help="Slices in the picture.")  # fmt: skip
@click.option("--step-nm", type=float, help="Distance of pixels, for plain images.")
@click.option("--slice-spacing-nm", type=float, help="Thickness milled away between two scans.")
@click.option("--grains/--no-grains", default=True, show_default=True,
              help="Segment the middle of the stack for a first look.")  # fmt: skip
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PNG to write [default: preview.png; of a project in data/08_reporting].",
)
def command(
    scans: Path | None,
    project: Path | None,
    env: str | None,
    count: int,
    step_nm: float | None,
    slice_spacing_nm: float | None,
    grains: bool,
    output: Path | None,
) -> None:
    """Look at the slices in SCANS (a folder, or one file), or at those of the project.

    Prints names, sizes, spacing, phases, share of indexed points, drift and all problems, and
    writes a picture of some slices and of a section along the depth: image quality, crystal
    directions along z, and a first look at the grains, by the network that comes along. Nothing
    has to be configured or labelled and no screen is needed.

    \b
    electrode-grains preview /data/nmc_07/ang
    """
    if scans is None:
        readers, options, file, spacing = _of_project(project, env)
    else:
        readers = datasets.ScanFolderDataset(path=str(scans)).load()
        options, file, spacing = (
            ebsd.ReadingOptions.checked(step_nm=step_nm),
            Path("preview.png"),
            slice_spacing_nm,
        )
    with progress("reading slices") as report_progress:
        stack, issues = ebsd.inspect_scans(readers, options=options, progress=report_progress)
    unread = {
        name
        for name in readers
        if any(issue.slice == name or issue.slice.startswith(f"{name}.") for issue in issues)
    }
    if unread:  # the others can be looked at all the same
        sound = {name: read for name, read in readers.items() if name not in unread}
        stack, _ = ebsd.inspect_scans(sound, options=options)
    if "slices" not in stack.attrs:
        raise InputError(
            "no slice can be read",
            where=str(scans or project or Path.cwd()),
            found=issues[0].problem if issues else "nothing",
            remedy="electrode-grains check lists all problems",
        )
    drift = measure_drift(stack["image_quality"].to_numpy())
    show_table("", ("", ""), facts(stack, spacing, drift))
    if issues:
        echo(f"\n{len(issues)} problems, the first ones:")
        for issue in issues[:LISTED]:
            echo(f"  {issue.slice}: {issue.problem} {issue.found}".rstrip())
    spacing = _spacing(stack, spacing)
    labels = _look(stack, spacing) if grains else None
    file = output or file
    with output_folder(file.parent, [file.name]):
        stack_picture(stack, count, spacing, labels).save(file, format="PNG")
    echo(f"\nPicture: {file.absolute()}")


def _look(stack: xr.Dataset, spacing: float | None) -> NDArray[np.int32] | None:
    """Grains of a first look; none, with the reason printed, where that is not possible."""
    try:
        labels = first_look(stack, main_laue_group(stack), spacing)
    except UserError as refusal:
        echo(f"\nNo first look at grains: {refusal.message}")
        return None
    whole = all(size <= most for size, most in zip(labels.shape, LARGEST_WINDOW, strict=True))
    place = "" if whole else f" in the middle {' x '.join(map(str, LARGEST_WINDOW))} voxels"
    echo(f"\nFirst look: {labels.max()} grains{place}. It is a preview, not a result: the network")
    echo("has learnt from virtual particles, not from labels of this stack.")
    return labels


def _spacing(stack: xr.Dataset, given: float | None) -> float | None:
    known: float | None = stack.attrs["slice_spacing_nm"]
    return known if stack.attrs["has_depths"] else given or known


def _of_project(project: Path | None, env: str | None) -> tuple[Any, Any, Path, float | None]:
    opened = open_project(project, env)
    settings = opened.settings("preprocessing.stack", ebsd.StackSettings)
    readers = opened.catalog.get("ebsd_scans").load()
    file = opened.file_of("report").with_name("preview.png")
    return readers, settings.reading_options(), file, settings.slice_spacing_nm


def facts(stack: xr.Dataset, spacing: float | None, drift: Drift) -> list[tuple[str, str]]:
    """Rows of the table: what a person wants to know of a stack first."""
    names, (depth, rows, columns) = stack.attrs["slices"], stack["image_quality"].shape
    spacing = _spacing(stack, spacing)
    dy, dx = stack.attrs["step_nm"]
    window = f"{rows * dy / 1000:.3g} x {columns * dx / 1000:.3g} um"
    quality = stack["image_quality"].to_numpy()
    table = [
        ("slices", f"{depth}, {names[0]} to {names[-1]}"),
        ("points of a slice (y, x)", f"{rows} x {columns}, {window}"),
        ("step (y, x)", f"{dy:g} x {dx:g} nm"),
        (
            "distance of slices",
            f"{spacing:g} nm, {depth * spacing / 1000:.3g} um in all"
            if spacing
            else "not stored in the files: give it to init with --slice-spacing-nm",
        ),
        ("indexed points", f"{float(stack['euler_angles'].notnull().all('angle').mean()):.1%}"),
        (
            "image quality",
            f"{np.nanmin(quality):.4g} to {np.nanmax(quality):.4g}, mean {np.nanmean(quality):.4g}",
        ),
    ]
    table += [
        (f"phase {number}", f"{phase.get('material_name', '')}, {_symmetry(phase)}{share}")
        for number, phase, share in _shares_of_phases(stack)
    ]
    if len(drift.steps):
        size = np.linalg.norm(drift.steps, axis=1)
        worst, least = int(size.argmax()), int(drift.correlation.argmin())
        table += [
            ("shift of neighbours", f"{np.sqrt((size**2).mean()):.2f} px rms, at most "
             f"{size[worst]:.2f} px between {names[worst]} and {names[worst + 1]}"),
            ("likeness of neighbours", f"correlation {np.median(drift.correlation):.2f}, least "
             f"{drift.correlation[least]:.2f} between {names[least]} and {names[least + 1]}"),
        ]  # fmt: skip
    return table + [("note", note) for note in stack.attrs["notes"][:LISTED]]


def _shares_of_phases(stack: xr.Dataset) -> list[tuple[int, Mapping[str, Any], str]]:
    """Each phase of the header, with its share of the indexed points if these name phases."""
    phases = {int(phase["id"]): phase for phase in stack.attrs["phases"]}
    indexed = stack["euler_angles"].notnull().all("angle").to_numpy()
    counted = Counter(stack["phase"].to_numpy()[indexed].tolist())
    total = max(sum(counted.values()), 1)
    # Files with one phase may number its points 0.
    named = len(phases) > 1 or counted.keys() & phases.keys()
    return [
        (number, phase, f", {counted.get(number, 0) / total:.1%} of these" if named else "")
        for number, phase in phases.items()
    ]


def _symmetry(phase: Mapping[str, Any]) -> str:
    try:
        return f"Laue group {laue_group_of_tsl_symmetry(phase['symmetry'])}"
    except (KeyError, ValueError):
        return f"symmetry {phase.get('symmetry', '?')}"


def measure_drift(quality: NDArray[np.floating[Any]]) -> Drift:
    """Shift of each slice against the one before, by phase correlation.

    Parameters
    ----------
    quality : ndarray of float, shape (z, y, x)
        Image quality; NaN where nothing was measured.
    """
    from scipy.ndimage import shift
    from skimage.registration import phase_cross_correlation

    filled = np.where(np.isfinite(quality), quality, np.nanmean(quality))
    steps, correlation = [], []
    for before, after in pairwise(filled):
        step, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
            before, after, upsample_factor=UPSAMPLING, normalization=None
        )
        steps.append(-step)
        moved = shift(after, step, order=1, mode="nearest")
        varied = before.std() > 0 and moved.std() > 0
        correlation.append(np.corrcoef(before.ravel(), moved.ravel())[0, 1] if varied else 0.0)
    return Drift(np.array(steps, float).reshape(-1, 2), np.array(correlation, float))
