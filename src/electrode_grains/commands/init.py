"""`electrode-grains init`: a project folder around one's own slices."""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from electrode_grains.commands import Command
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.text import literal

if TYPE_CHECKING:
    import xarray as xr

SCANS, ANNOTATIONS = Path("data/01_raw/ebsd_scans"), Path("data/01_raw/slice_annotations")
LAYERS = (
    "01_raw", "02_intermediate", "03_primary", "04_feature", "05_model_input", "06_models",
    "07_model_output", "08_reporting",
)  # fmt: skip

PYPROJECT = """\
# Makes this folder a project of Kedro; the code is that of the installed package.
[tool.kedro]
package_name = "electrode_grains"
project_name = {name}
kedro_init_version = "{version}"
source_dir = "."
"""
GLOBALS = """\
# Where the slices are, and what their files say of the crystal.
data_root: data
ebsd_scans: {scans}
slice_annotations: {annotations}
laue_group: "{laue_group}"
"""
PARAMETERS = """\
# What differs from conf/base, where every setting is explained.
particle:
  name: {name}
  material: {material}
preprocessing:
  stack:
    slice_spacing_nm: {spacing}  # {spacing_source}
    step_nm: {step}  # {step_source}
"""
README = """\
# {name}

{facts}

| what | where |
| --- | --- |
| your own settings, and what the files said | `conf/local/` |
| every setting, explained | `conf/base/` |
| scans | `{scans}` |
| labelled slices | `{annotations}` |
| results | `data/07_model_output/`, the report in `data/08_reporting/report.html` |

1. `electrode-grains check` lists all problems of the input at once.
2. `electrode-grains annotate` proposes slices to label and imports the labels; or
   `kedro run --pipelines orientation_annotation` labels four from their orientations.
3. `kedro run` computes everything; `electrode-grains report` opens the report.
4. `electrode-grains proofread` lists likely segmentation errors and records your corrections.
"""


@click.command(cls=Command, short_help="Make a project folder from your own slices.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option(
    "--scans",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of the slices, or one file that holds them all [default: DIR/data/01_raw/"
    "ebsd_scans].",
)
@click.option(
    "--annotations",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of labelled slices, which are copied.",
)
@click.option("--slice-spacing-nm", type=float, help="Thickness milled away between two scans.")
@click.option("--step-nm", type=float, help="Distance of pixels, for plain images.")
@click.option("--laue-group", help="Laue group of the crystal, such as -3m for NMC.")
@click.option("--name", help="Name of the particle [default: that of DIR].")
@click.option("--material", help="What it is made of [default: the phase that the files name].")
@click.option("--copy", is_flag=True, help="Copy the slices into DIR; else their place is named.")
def command(
    folder: Path,
    scans: Path | None,
    annotations: Path | None,
    slice_spacing_nm: float | None,
    step_nm: float | None,
    laue_group: str | None,
    name: str | None,
    material: str | None,
    copy: bool,
) -> None:
    """Make a project folder DIR from your own slices.

    All slices are read and must agree. Step, phases, Laue group and, for volumes, the distance
    of the slices are read from the files; init asks only for the rest.

    \b
    electrode-grains init nmc_07 --scans /data/nmc_07/ang --slice-spacing-nm 50
    """
    from electrode_grains.commands.console import echo

    own = scans is None
    source = (folder / SCANS if scans is None else scans).resolve()
    _refuse_occupied(folder)
    if "${" in str(source) and not (own or copy):
        raise InputError(
            "the place of the slices would be resolved by the configuration",
            where=str(source),
            found="${ in a name",
            remedy="--copy takes the slices along; or rename the folder",
        )
    step_nm = _step_of_images(source, step_nm)
    stack = _read(source, step_nm)
    spacing, spacing_source = _slice_spacing(stack, slice_spacing_nm)
    group, group_source = _laue_group(stack, laue_group)
    phase = _main_phase(stack)
    named = material or (phase or {}).get("material_name") or "unknown"
    values = {
        "name": literal(name or folder.resolve().name),
        "material": literal(named),
        "spacing": f"{spacing:g}",
        "spacing_source": spacing_source,
        "step": "null" if step_nm is None else f"{step_nm:g}",
        "step_source": "given: images do not hold it" if step_nm else "from the files",
        "laue_group": group,
        "laue_source": group_source,
    }
    if annotations:
        _check_annotations(annotations, stack)
    facts = _facts(stack, spacing)
    _write(folder, source, own or copy, annotations, facts, values)
    echo(f"{folder}: {facts}")
    echo(f"  distance of slices {spacing:g} nm ({spacing_source})")
    echo(f"  Laue group {group} ({group_source})")
    for note in stack.attrs["notes"][:3]:
        echo(f"  note: {note}")
    echo("\nNext:")
    echo(f"  cd {folder}")
    if not annotations:
        echo("  electrode-grains annotate        # label a few slices")
        if _indexed_share(stack) > 0:
            echo(
                "  kedro run --pipelines orientation_annotation   # or have orientations label some"
            )
    echo("  kedro run")


def quote(text: str) -> str:
    """Printable text as a string of YAML and of TOML: that of JSON is both."""
    return json.dumps(text, ensure_ascii=False)


def packaged_configuration() -> Path:
    """Folder of the configuration that comes with the package.

    Raises
    ------
    InputError
        If the installation lacks it.
    """
    import electrode_grains

    places = [
        Path(electrode_grains.__file__).parents[2] / "conf",
        Path(sysconfig.get_path("data")) / "share" / "electrode_grains" / "conf",
    ]
    for place in places:
        if (place / "base" / "parameters.yml").is_file():
            return place
    raise InputError(
        "the configuration that comes with the package is missing",
        where=" or ".join(map(str, places)),
        remedy="install electrode-grains again",
    )


def _refuse_occupied(folder: Path) -> None:
    taken = [name for name in ("pyproject.toml", "conf") if (folder / name).exists()]
    if taken:
        raise InputError(
            "the folder is a project already",
            where=str(folder),
            found=", ".join(taken),
            remedy="name a new folder; nothing is overwritten",
        )


def _step_of_images(source: Path, step_nm: float | None) -> float | None:
    """Step of a stack of plain images, asked for where nobody gave it."""
    from electrode_grains.ebsd.formats import SUFFIXES
    from electrode_grains.ebsd.images import SUFFIXES as IMAGES

    files = [source] if source.is_file() else list(source.glob("*"))
    kinds = {file.suffix.lower() for file in files} & set(SUFFIXES)
    if step_nm is not None or not kinds or kinds - set(IMAGES):
        return step_nm
    return prompt_float("distance between two pixels in nm", "--step-nm")


def prompt_float(question: str, option: str) -> float:
    """Ask the person at the terminal for a number that no file holds.

    Raises
    ------
    SettingsError
        If no person is at the terminal.
    """
    if not sys.stdin.isatty():
        raise SettingsError(
            f"not stored in the files: {question}",
            remedy=f"give it with {option}, such as {option} 50",
        )
    return float(click.prompt(question, type=click.FloatRange(min=0, min_open=True)))


def _read(source: Path, step_nm: float | None) -> xr.Dataset:
    from electrode_grains.commands.console import progress
    from electrode_grains.datasets.folders import ScanFolderDataset
    from electrode_grains.ebsd import (
        ReadingOptions,
        inspect_scans,
        probing_files,
        stack_scans,
    )

    options = ReadingOptions(step_nm=step_nm)
    with probing_files():
        readers = ScanFolderDataset(path=str(source)).load()
    with probing_files(), progress("reading slices") as report_progress:
        stack, troubles = inspect_scans(readers, options=options, progress=report_progress)
    if troubles:
        stack_scans(readers, options=options)  # refuses with all of them in a table
    return stack


def _slice_spacing(stack: xr.Dataset, given: float | None) -> tuple[float, str]:
    if given is not None:
        if not given > 0:
            raise SettingsError(
                "the distance of slices must be positive", found=f"--slice-spacing-nm {given:g}"
            )
        return given, "given"
    if stack.attrs["slice_spacing_nm"]:
        return float(stack.attrs["slice_spacing_nm"]), "from the files"
    return prompt_float("distance between two slices in nm", "--slice-spacing-nm"), "given"


def _laue_group(stack: xr.Dataset, given: str | None) -> tuple[str, str]:
    from electrode_grains.crystal import (
        LAUE_GROUPS,
        check_laue_group,
        laue_group_of_tsl_symmetry,
    )

    if given is not None:
        return check_laue_group(given), "given"
    phase = _main_phase(stack)
    if phase is None:
        return "-1", "no symmetry: the files hold no orientations"
    try:
        return laue_group_of_tsl_symmetry(phase["symmetry"]), f"phase {phase['material_name']}"
    except ValueError:
        raise SettingsError(
            "the Laue group of the crystal is not stored in the files",
            found=f"symmetry {phase['symmetry']!r} of phase {phase['material_name']!r}",
            expected=", ".join(LAUE_GROUPS),
            remedy="give it with --laue-group",
        ) from None


def _main_phase(stack: xr.Dataset) -> Mapping[str, Any] | None:
    """The phase that most points have."""
    known = {int(phase["id"]): phase for phase in stack.attrs["phases"]}
    counted = Counter(stack["phase"].to_numpy().ravel().tolist()).most_common()
    found = [known[number] for number, _ in counted if number in known]
    # Files with one phase may number its points 0.
    return found[0] if found else next(iter(known.values()), None)


def _indexed_share(stack: xr.Dataset) -> float:
    return float(stack["euler_angles"].notnull().all("angle").mean())


def _facts(stack: xr.Dataset, spacing: float) -> str:
    depth, rows, columns = stack["image_quality"].shape
    dy, dx = stack.attrs["step_nm"]
    return (
        f"{depth} slices of {rows} x {columns} points, {dy:g} x {dx:g} nm each, "
        f"{depth * spacing / 1000:.3g} um deep, {_indexed_share(stack):.0%} of the points indexed"
    )


def _check_annotations(folder: Path, stack: xr.Dataset) -> None:
    from electrode_grains.datasets.folders import AnnotationFolderDataset
    from electrode_grains.ebsd import place_annotations

    annotations = AnnotationFolderDataset(path=str(folder)).load()
    place_annotations(annotations, stack.attrs["slices"], stack["image_quality"].shape)


def _write(
    folder: Path,
    source: Path,
    inside: bool,
    annotations: Path | None,
    facts: str,
    values: Mapping[str, str],
) -> None:
    """Write the project; the configuration comes last, so that a failure leaves no project."""
    from kedro import __version__ as kedro_version

    for layer in LAYERS:
        (folder / "data" / layer).mkdir(parents=True, exist_ok=True)
    target = folder / SCANS
    if inside and source.is_file():
        target = target.parent / source.name
        shutil.copy2(source, target)
    elif inside and target.resolve() != source:
        shutil.copytree(source, target, dirs_exist_ok=True)
    if annotations:
        shutil.copytree(annotations, folder / ANNOTATIONS, dirs_exist_ok=True)
    scans = target.relative_to(folder).as_posix() if inside else source.as_posix()
    quoted = {key: quote(values[key]) for key in ("name", "material")}
    shipped = packaged_configuration()
    shutil.copytree(shipped / "base", folder / "conf" / "base")
    shutil.copy2(shipped / "logging.yml", folder / "conf" / "logging.yml")
    local = folder / "conf" / "local"
    local.mkdir()
    for path, text in (
        (
            local / "globals.yml",
            GLOBALS.format(
                **{**values, "scans": quote(scans), "annotations": ANNOTATIONS.as_posix()}
            ),
        ),
        (local / "parameters.yml", PARAMETERS.format(**{**values, **quoted})),
        (
            folder / "README.md",
            README.format(
                name=values["name"], facts=facts, scans=scans, annotations=ANNOTATIONS.as_posix()
            ),
        ),
        (folder / ".telemetry", "consent: false\n"),
        (folder / ".gitignore", "data/\nmlflow.db*\nmlruns/\n.viz/\n"),
        (
            folder / "pyproject.toml",
            PYPROJECT.format(name=quote(values["name"]), version=kedro_version),
        ),
    ):
        path.write_text(text, encoding="utf-8")
