"""`electrode-grains preview`: look at a stack before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from electrode_grains import datasets, ebsd, figures
from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, progress, show_table
from electrode_grains.commands.outputs import output_folder
from electrode_grains.commands.project import open_project, project_options
from electrode_grains.crystal import laue_group_of_tsl_symmetry
from electrode_grains.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

TILE = 240  # pixels that a slice takes at most
CAPTION, MARGIN = 14, 4
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
    output: Path | None,
) -> None:
    """Look at the slices in SCANS (a folder, or one file), or at those of the project.

    Prints names, sizes, spacing, phases, share of indexed points, drift and all problems, and
    writes a picture of some slices: image quality, and crystal directions along z. Nothing has
    to be configured and no screen is needed.

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
            None,
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
    file = output or file
    with output_folder(file.parent, [file.name]):
        montage(stack, count).save(file, format="PNG")
    echo(f"\nPicture: {file.absolute()}")


def _of_project(project: Path | None, env: str | None) -> tuple[Any, Any, Path, float | None]:
    opened = open_project(project, env)
    settings = opened.settings("preprocessing.stack", ebsd.StackSettings)
    readers = opened.catalog.get("ebsd_scans").load()
    file = opened.file_of("report").with_name("preview.png")
    return readers, settings.reading_options(), file, settings.slice_spacing_nm


def facts(stack: xr.Dataset, spacing: float | None, drift: Drift) -> list[tuple[str, str]]:
    """Rows of the table: what a person wants to know of a stack first."""
    names, (depth, rows, columns) = stack.attrs["slices"], stack["image_quality"].shape
    spacing = (
        stack.attrs["slice_spacing_nm"]
        if stack.attrs["has_depths"]
        else (spacing or stack.attrs["slice_spacing_nm"])
    )
    dy, dx = stack.attrs["step_nm"]
    window = f"{rows * dy / 1000:.3g} x {columns * dx / 1000:.3g} um"
    quality = stack["image_quality"].to_numpy()
    counted = Counter(stack["phase"].to_numpy().ravel().tolist())
    phases = {int(phase["id"]): phase for phase in stack.attrs["phases"]}
    table = [
        ("slices", f"{depth}, {names[0]} to {names[-1]}"),
        ("points of a slice (y, x)", f"{rows} x {columns}, {window}"),
        ("step (y, x)", f"{dy:g} x {dx:g} nm"),
        (
            "distance of slices",
            f"{spacing:g} nm, {depth * spacing / 1000:.3g} um in all"
            if spacing
            else "not stored in the files: init --slice-spacing-nm",
        ),
        ("indexed points", f"{float(stack['euler_angles'].notnull().all('angle').mean()):.1%}"),
        (
            "image quality",
            f"{np.nanmin(quality):.4g} to {np.nanmax(quality):.4g}, mean {np.nanmean(quality):.4g}",
        ),
    ]
    for number, phase in phases.items():
        share = counted.get(number, 0) / max(sum(counted.values()), 1)
        named = f"{phase.get('material_name', '')}, symmetry {phase.get('symmetry', '?')}"
        table.append((f"phase {number}", f"{named}, {share:.1%} of the points"))
    if len(drift.steps):
        size = np.linalg.norm(drift.steps, axis=1)
        worst, least = int(size.argmax()), int(drift.correlation.argmin())
        table += [
            ("shift of neighbours", f"{np.sqrt((size**2).mean()):.2f} px rms, at most "
             f"{size[worst]:.2f} px between {names[worst]} and {names[worst + 1]}"),
            ("likeness of neighbours", f"correlation {np.median(drift.correlation):.2f}, least "
             f"{drift.correlation[least]:.2f} between {names[least]} and {names[least + 1]}"),
        ]  # fmt: skip
    notes = stack.attrs["notes"]
    table += [("notes", f"{len(notes)}: {notes[0]}")] if notes else []
    return table


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


def montage(stack: xr.Dataset, count: int) -> Any:
    """Picture of slices that are spread evenly: image quality above crystal directions.

    Returns
    -------
    PIL.Image.Image
    """
    quality = stack["image_quality"].to_numpy()
    chosen = np.unique(np.linspace(0, len(quality) - 1, count).round().astype(int)).tolist()
    low, high = figures.grey_range(quality)
    scaled = np.clip((quality[chosen] - low) / max(high - low, 1e-12), 0, 1)
    rows = [np.repeat(np.nan_to_num(scaled)[..., None], 3, axis=-1)]
    if stack["euler_angles"].notnull().any():
        try:
            laue = laue_group_of_tsl_symmetry(stack.attrs["phases"][0]["symmetry"])
        except (IndexError, KeyError, ValueError):
            laue = "-1"
        field = ebsd.stack_orientations(stack.isel(z=chosen), laue=laue)[:4]
        rows.append(np.nan_to_num(ebsd.ipf_colors(np.moveaxis(field, 0, -1), laue)))
    tiles = [[_tile(image) for image in row] for row in rows]
    width, height = tiles[0][0].size
    sheet = Image.new(
        "RGB",
        (len(chosen) * (width + MARGIN), CAPTION + len(rows) * (height + MARGIN)),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    for column, z in enumerate(chosen):
        draw.text((column * (width + MARGIN) + 2, 1), _caption(stack.attrs["slices"][z]), "black")
        for row, images in enumerate(tiles):
            place = (column * (width + MARGIN), CAPTION + row * (height + MARGIN))
            sheet.paste(images[column], place)
    return sheet


def _tile(colours: NDArray[np.floating[Any]]) -> Any:
    """Image of a slice, enlarged by whole numbers or made smaller to fit a tile."""
    image = Image.fromarray((np.clip(colours, 0, 1) * 255).astype(np.uint8))
    longest = max(image.size)
    factor = TILE // longest if longest <= TILE else TILE / longest
    size: Sequence[int] = [max(round(side * factor), 1) for side in image.size]
    resample = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.BOX
    return image.resize((size[0], size[1]), resample)


def _caption(name: str) -> str:
    """Name that the built-in font can draw."""
    return name.encode("ascii", "replace").decode()
