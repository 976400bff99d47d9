"""`electrode-grains init`: a project folder around one's own slices, or one's own grain map."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
import yaml

from electrode_grains import datasets, ebsd
from electrode_grains.command_line import same_command
from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, progress
from electrode_grains.commands.init_labels import create_from_labels
from electrode_grains.commands.init_sections import create_from_sections, outer_shell
from electrode_grains.commands.new_project import (
    ANNOTATIONS,
    SCANS,
    NewProject,
    refuse_occupied,
    refuse_unnameable,
)
from electrode_grains.commands.outputs import (
    copy_files,
    output_folder,
    plan_copies,
)
from electrode_grains.commands.stack_picture import stack_picture
from electrode_grains.crystal import LAUE_GROUPS, check_laue_group, laue_group_of_tsl_symmetry
from electrode_grains.errors import SettingsError
from electrode_grains.volumes import spacing_notes

if TYPE_CHECKING:
    import xarray as xr

SHOWN_NOTES = 3
PICTURE, PICTURED = Path("data/08_reporting/preview.png"), 3  # where `preview` has its own

STEPS = (
    "`electrode-grains check` lists all problems of the input at once.",
    "`electrode-grains annotate` proposes slices to label and imports the labels; or "
    "`kedro run --pipelines orientation_annotation` labels four from their orientations.",
    "`kedro run` computes everything; `electrode-grains report` opens the report.",
    "`electrode-grains proofread` lists likely segmentation errors and records your corrections.",
)


@click.command(cls=Command)
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
@click.option(
    "--labels",
    type=click.Path(path_type=Path, exists=True),
    help="Start from a grain map instead of slices: .tif, .ome.zarr, .nrrd, .mha, .dream3d, "
    ".h5 (GrainMapper3D), .npy, .vti.",
)
@click.option(
    "--sections",
    type=click.Path(path_type=Path, exists=True),
    help="Start from plane sections alone: a file or a folder of label images or EBSD maps.",
)
@click.option(
    "--shell",
    type=click.Path(path_type=Path, exists=True),
    help="With --sections: volume of the whole particle, such as a segmented tomogram, which "
    "gives the virtual particle its outer shell.",
)
@click.option("--spacing", metavar="DZ,DY,DX", help="With --labels, --shell: voxel size in nm.")
@click.option("--slice-spacing-nm", type=float, help="Thickness milled away between two scans.")
@click.option("--step-nm", type=float, help="Distance of pixels, for plain images and sections.")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="How slices become a stack: a setting of preprocessing.stack, such as crop=common or "
    "missing_slices=[47]; may be repeated.",
)
@click.option("--laue-group", help="Laue group of the crystal, such as -3m for NMC.")
@click.option("--name", help="Name of the particle [default: that of DIR].")
@click.option("--material", help="What it is made of [default: the phase that the files name].")
@click.option("--copy", is_flag=True, help="Copy the data into DIR; else their place is named.")
def command(
    folder: Path,
    scans: Path | None,
    annotations: Path | None,
    labels: Path | None,
    sections: Path | None,
    shell: Path | None,
    spacing: str | None,
    slice_spacing_nm: float | None,
    step_nm: float | None,
    given: tuple[str, ...],
    laue_group: str | None,
    name: str | None,
    material: str | None,
    copy: bool,
) -> None:
    """Make a project folder DIR from your own slices, a grain map, or plane sections.

    All slices are read and must agree. Step, phases, Laue group and, for volumes, the distance
    of the slices are read from the files; init asks only for the rest.

    \b
    electrode-grains init nmc_07 --scans /data/nmc_07/ang --slice-spacing-nm 50
    electrode-grains init nmc_07 --scans /data/nmc_07 --set 'slice_pattern=NMC_(\\d+)_'
    electrode-grains init nmc_08 --labels grains.tif --spacing 50,50,50
    electrode-grains init nmc_09 --sections polished/ --step-nm 40
    """
    refuse_occupied(folder)
    if sections is not None:
        if scans or annotations or labels or slice_spacing_nm or given or (spacing and not shell):
            raise SettingsError(
                "a project starts from sections, from slices or from a grain map",
                found="--sections together with an option of the others",
                expected="--sections with --step-nm, --shell and its --spacing, --laue-group, "
                "--name, --material, --copy",
            )
        create_from_sections(
            folder, sections.resolve(), step_nm, laue_group, name, material, copy=copy,
            shell=None if shell is None else outer_shell(shell.resolve(), spacing),
        )  # fmt: skip
        return
    if shell is not None:
        raise SettingsError(
            "a shell is that of a particle of which there are sections",
            found="--shell without --sections",
            expected="--sections FOLDER --shell FILE",
        )
    if labels is not None:
        if scans or annotations or slice_spacing_nm or step_nm or given:
            raise SettingsError(
                "a project starts from slices or from a grain map",
                found="--labels together with an option of slices",
                expected="--labels with --spacing, --laue-group, --name, --material, --copy",
            )
        create_from_labels(folder, labels.resolve(), spacing, laue_group, name, material, copy=copy)
        return
    if spacing is not None:
        raise SettingsError(
            "--spacing is the voxel size of a grain map",
            found=f"--spacing {spacing} without --labels",
            remedy="slices take --slice-spacing-nm",
        )
    create_from_scans(
        folder,
        scans,
        annotations=annotations,
        slice_spacing_nm=slice_spacing_nm,
        step_nm=step_nm,
        stack_settings=stack_settings(given),
        laue_group=laue_group,
        name=name,
        material=material,
        copy=copy,
    )


def stack_settings(given: Sequence[str]) -> dict[str, Any]:
    """Settings of the stack by name, from NAME=VALUE, the value as in a YAML file.

    Raises
    ------
    SettingsError
        If one has no such form, is unknown or impossible, or has an option of its own.

    Examples
    --------
    >>> stack_settings(["crop=common", "missing_slices=[47, 48]"])
    {'crop': 'common', 'missing_slices': [47, 48]}
    """
    values: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        own = {"slice_spacing_nm", "step_nm", "laue_group"} & {name.strip()}
        if not sign or own:
            raise SettingsError(
                "--set names a setting and its value" if not own else "a setting has an option",
                found=f"--set {text}",
                expected="--set NAME=VALUE, such as --set crop=common"
                if not own
                else f"--{name.strip().replace('_', '-')} {value.strip()}",
            )
        # An expression is no YAML: a backslash or a bracket in it means what it says.
        is_text = name.strip().endswith("_pattern")
        values[name.strip()] = value.strip() if is_text else yaml_value(value, text)
    ebsd.StackSettings.checked(**values)
    return values


def yaml_value(value: str, text: str) -> Any:
    """Value of a setting as a YAML file would have it."""
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise SettingsError("a value is no YAML", found=f"--set {text}") from error


def create_from_scans(
    folder: Path,
    scans: Path | None,
    *,
    annotations: Path | None = None,
    slice_spacing_nm: float | None = None,
    step_nm: float | None = None,
    stack_settings: Mapping[str, Any] | None = None,
    laue_group: str | None = None,
    name: str | None = None,
    material: str | None = None,
    copy: bool = False,
) -> None:
    """Read all slices, write a project around them, and say what to do next."""
    source = (folder / SCANS if scans is None else scans).resolve()
    inside = scans is None or copy
    refuse_unnameable(source, inside=inside)
    step_nm = _step_of_images(source, step_nm)
    settings = ebsd.StackSettings.checked(**(stack_settings or {}), step_nm=step_nm)
    stack = _read(source, settings)
    spacing, spacing_source = _slice_spacing(stack, slice_spacing_nm)
    notes = spacing_notes((spacing, *stack.attrs["step_nm"]), "--slice-spacing-nm, --step-nm")
    group, group_source = _laue_group(stack, laue_group)
    if annotations:
        _check_annotations(annotations, stack)
    facts = _facts(stack, spacing)
    copy_files(_copies(folder, source, annotations, inside=inside))
    place = (_place_in(folder, source).relative_to(folder) if inside else source).as_posix()
    NewProject(
        folder=folder,
        name=name or folder.resolve().name,
        material=material or (_main_phase(stack) or {}).get("material_name") or "unknown",
        facts=facts,
        places={"scans": place, "labelled slices": ANNOTATIONS.as_posix()},
        steps=STEPS,
        configured_globals={
            "data_root": "data",
            "ebsd_scans": place,
            "slice_annotations": ANNOTATIONS.as_posix(),
            "laue_group": group,
        },
        parameters={
            "preprocessing": {
                "stack": {
                    "slice_spacing_nm": None if stack.attrs["has_depths"] else spacing,
                    "step_nm": step_nm,
                    **(stack_settings or {}),
                }
            }
        },
    ).write()
    echo(f"{folder}: {facts}")
    echo(f"  distance of slices {spacing:g} nm ({spacing_source})")
    echo(f"  Laue group {group} ({group_source})")
    if (frames := stack.attrs.get("frames")) is not None:
        echo(f"  frames of the orientations: {frames.describe()}")
        echo("    electrode-grains check compares them with slices that lie turned;")
        echo("    another one is set by preprocessing.stack.frames")
    order = (stack_settings or {}).get("slice_order", "rising")
    echo(f"  slice numbers are {order} along milling (preprocessing.stack.slice_order)")
    shown = max(SHOWN_NOTES, len(stack.attrs["stack_notes"]))
    for note in (*notes, *stack.attrs["notes"][:shown]):
        echo(f"  note: {note}")
    if more := len(stack.attrs["notes"][shown:]):
        echo(f"  and {more} more notes, which electrode-grains check shows")
    picture = folder / PICTURE
    if picture.exists():
        echo(f"  {picture} was there and stays as it is")
    else:
        with output_folder(picture.parent, [picture.name]):
            stack_picture(stack, PICTURED, spacing).save(picture, format="PNG")
        echo(f"  picture of some slices, and along the depth: {picture}")
    _say_what_is_next(folder, labelled=annotations is not None, indexed=_indexed_share(stack) > 0)


def _say_what_is_next(folder: Path, *, labelled: bool, indexed: bool) -> None:
    echo("\nNext:")
    echo(f"  cd {quote(str(folder))}")
    if not labelled:
        echo("  electrode-grains preview         # a first look at grains, without any label")
        echo("  electrode-grains annotate        # label a few slices")
        if indexed:
            echo(
                "  kedro run --pipelines orientation_annotation   # or have orientations label some"
            )
    echo("  kedro run")


def _place_in(folder: Path, source: Path) -> Path:
    """Where slices lie in a project that holds them."""
    return folder / (SCANS.parent / source.name if source.is_file() else SCANS)


def _copies(
    folder: Path, source: Path, annotations: Path | None, *, inside: bool
) -> dict[Path, Path]:
    """Slices and annotations to copy into a project."""
    copies: dict[Path, Path] = {}
    if inside and source.is_file():
        # With what belongs to it, such as a table of depths.
        for file in datasets.ScanFolderDataset(path=str(source)).paths():
            copies |= plan_copies(file, _place_in(folder, source).with_name(file.name))
    elif inside:
        copies |= plan_copies(source, _place_in(folder, source))
    if annotations:
        copies |= plan_copies(annotations, folder / ANNOTATIONS)
    return copies


def _step_of_images(source: Path, step_nm: float | None) -> float | None:
    """Step of a stack of plain images, asked for where nobody gave it."""
    files = list(datasets.ScanFolderDataset(path=str(source)).paths())
    kinds = {file.suffix.lower() for file in files} & set(ebsd.SUFFIXES)
    if step_nm is not None or not kinds or kinds - set(ebsd.IMAGE_SUFFIXES):
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
            remedy=f"give it with {option}, such as {same_command(option, '50')}",
        )
    return float(click.prompt(question, type=click.FloatRange(min=0, min_open=True)))


def _read(source: Path, settings: ebsd.StackSettings) -> xr.Dataset:
    options, first = settings.reading_options(), settings.first_slice
    with ebsd.probing_files():
        readers = datasets.ScanFolderDataset(path=str(source)).load()
    with ebsd.probing_files(), progress("reading slices") as report_progress:
        stack, issues = ebsd.inspect_scans(readers, first, options, report_progress)
    if issues:
        # Refuses with all of them in a table.
        ebsd.stack_scans(readers, first_slice=first, options=options)
    return stack


def _slice_spacing(stack: xr.Dataset, given: float | None) -> tuple[float, str]:
    if given is not None and not given > 0:
        raise SettingsError(
            "the distance of slices must be positive", found=f"--slice-spacing-nm {given:g}"
        )
    if stack.attrs["has_depths"]:
        return float(ebsd.slice_spacing(stack, given) or 0), "mean of the depths"
    if given is not None:
        return given, "given"
    if stack.attrs["slice_spacing_nm"]:
        return float(stack.attrs["slice_spacing_nm"]), "from the files"
    return prompt_float("distance between two slices in nm", "--slice-spacing-nm"), "given"


def _laue_group(stack: xr.Dataset, given: str | None) -> tuple[str, str]:
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
        f"{depth * spacing / 1000:.3g} um deep, {_indexed_share(stack):.1%} of the points indexed"
    )


def _check_annotations(folder: Path, stack: xr.Dataset) -> None:
    annotations = datasets.AnnotationFolderDataset(path=str(folder)).load()
    ebsd.place_annotations(annotations, stack.attrs["slices"], stack["image_quality"].shape)
