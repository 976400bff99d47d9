"""`electrode-grains annotate`: from a stack to labelled slices, painted by a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from shlex import quote

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from electrode_grains import datasets, ebsd, figures
from electrode_grains.classes import CLASSES
from electrode_grains.commands import Command, viewer
from electrode_grains.commands.console import echo, show_table
from electrode_grains.commands.outputs import output_folder
from electrode_grains.commands.project import Project, open_project, project_options
from electrode_grains.commands.viewer import use_viewer
from electrode_grains.crystal import LaueGroup
from electrode_grains.ebsd.pseudo_cube import (
    PseudoSymmetry,
    counts_as_one,
    find_pseudo_symmetry,
    hexagonal_constants,
    variants_as_one,
)
from electrode_grains.ebsd.pseudo_group import Operator
from electrode_grains.errors import InputError, SettingsError, UserError
from electrode_grains.runs import one_run
from electrode_grains.volumes import spacing_of

FRAMES = {"raw": "as scanned, not aligned", "aligned": "aligned"}
LABELS = "slice_annotations"
SUFFIXES = (".png", ".tif", ".tiff")
LOSSY_SUFFIXES = (".jpg", ".jpeg")
NEAR_COLOUR = 40.0  # of 255; blends of two classes come no nearer than 53 to a third
LEGEND_FILE = "README.txt"
COLOUR_NAMES = ("black", "orange", "blue", "grey")
LEGEND = """\
Paint the images in labels/ with the pencil tool, antialiasing off, one class per point:
{classes}
image/ shows the image quality of the same slices, ipf/ their orientations. Keep name and size.
Indexed, grey (values 0 to 3) and RGB images in these colours can be imported:
  electrode-grains annotate --import {folder}
"""


@dataclass(frozen=True)
class LabellingStack:
    """The stack in the frame in which it is labelled.

    Attributes
    ----------
    image_quality : ndarray of float, shape (z, y, x)
    orientations : ndarray of float, shape (5, z, y, x), or None
        Quaternions and confidence index; None where nothing is indexed.
    names : sequence of str
        Of the scans.
    label_names : sequence of str
        What the labels of each slice are called, see `slice_numbers` in the settings.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    laue_group : str
    pseudo_symmetry : PseudoSymmetry, optional
        What the indexer may have confused.
    """

    image_quality: NDArray[np.floating]
    orientations: NDArray[np.floating] | None
    names: Sequence[str]
    label_names: Sequence[str]
    spacing: tuple[float, float, float]
    laue_group: LaueGroup
    pseudo_symmetry: PseudoSymmetry | None = None

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Pseudo-symmetry operators that were given."""
        return () if self.pseudo_symmetry is None else self.pseudo_symmetry.given


@click.command(cls=Command)
@project_options
@click.option("--count", default=4, show_default=True, help="Slices to propose.")
@click.option("--slices", help="Label these instead, by name or by place from 0: S14,S25 or 14,25.")
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the images there [default: data/01_raw/to_annotate].",
)
@click.option("--format", "suffix", type=click.Choice(["png", "tif"]), default="png",
              show_default=True, help="Kind of the images.")  # fmt: skip
@click.option(
    "--draft",
    is_flag=True,
    help="Start from labels drawn from the orientations instead of empty ones.",
)
@click.option(
    "--import",
    "imported",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Check the painted images of this folder and add them to the project.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="With --import: replace other labels of the same slices, which are kept in a folder.",
)
@click.option(
    "--blurred",
    is_flag=True,
    help="With --import: take soft edges and JPEG, points of unclear colour as not labelled.",
)
@click.option(
    "--viewer/--no-viewer",
    default=None,
    help="Paint in napari, or not [default: where it is installed and a person is there].",
)
def command(
    project: Path | None,
    env: str | None,
    count: int,
    slices: str | None,
    folder: Path | None,
    suffix: str,
    draft: bool,
    imported: Path | None,
    replace: bool,
    blurred: bool,
    viewer: bool | None,
) -> None:
    """Choose slices to label, have them painted, and import the labels.

    Proposed are slices that are spread over the stack and rich in boundaries (or, once a
    network exists, uncertain); flagged and labelled ones are left out. They open in napari where
    the extra `viewer` is installed; else they are written as images for any drawing program,
    and --import adds the painted ones to the project.
    """
    opened = open_project(project, env)
    settings = opened.settings("preprocessing.annotation", ebsd.AnnotationSettings)
    if imported is not None:
        painted = _read_images(imported, blurred=blurred)
        stack = read_slices(opened, settings)
        import_labels(opened, stack, painted, settings.slice_numbers, replace=replace)
        return
    stack = read_slices(opened, settings)
    information, proposed = _propose(opened, stack, count, slices)
    show_table(
        f"{len(proposed)} slices proposed for labelling ({FRAMES[settings.frame]})",
        ("slice", "scan", "boundary content"),
        [(z, stack.names[z], float(information[z])) for z in proposed],
    )
    if use_viewer(viewer, exporting=folder is not None):
        _paint(opened, stack, proposed, settings.frame, settings.slice_numbers)
        return
    folder = folder or opened.file_of(LABELS).parent / "to_annotate"
    drawing = None
    if draft:
        drawing = opened.settings("orientation_annotation", ebsd.OrientationAnnotationSettings)
    export_slices(stack, proposed, folder, suffix, drawing)
    echo(f"\nThe images are in {folder}\n")
    echo(legend(folder))


def read_slices(project: Project, annotation: ebsd.AnnotationSettings) -> LabellingStack:
    """Read the stack as scanned or as aligned; as scanned it needs no run before."""
    settings, frame = project.settings("preprocessing.stack", ebsd.StackSettings), annotation.frame
    which = "volume" if frame == "aligned" else "stack"
    quality, orientation = f"image_quality_{which}", f"orientation_{which}"
    made_by = dict.fromkeys((quality, "scan_index"), "preprocessing --to-nodes align_image_quality")
    if project.exists(orientation):
        made_by[orientation] = "preprocessing"
    results = project.load_all(made_by) if which == "volume" else project.load_current(made_by)
    orientations = pseudo = None
    if results is not None:
        pseudo = results["scan_index"].pseudo_symmetry
        names = results["scan_index"].slices
        values, spacing = results[quality].to_numpy(), spacing_of(results[quality])
        if orientation in results:
            orientations = results[orientation].to_numpy()
    else:
        stack = ebsd.stack_scans(
            project.catalog.load("ebsd_scans"),
            settings.slice_spacing_nm,
            settings.first_slice,
            settings.reading_options(),
            falling=settings.slice_order == "falling",
        )
        values, names = stack["image_quality"].to_numpy(), list(stack.attrs["slices"])
        spacing = stack.attrs["spacing_nm"]
        field = ebsd.orientations_of_stack(
            stack, settings.laue_group, settings.pseudo_symmetry_operators
        )
        constants = settings.lattice_constants or hexagonal_constants(stack.attrs["phases"])
        pseudo = find_pseudo_symmetry(field, constants, settings.pseudo_cubic_tolerance)
        orientations = field.to_channels()
    if orientations is not None and not np.isfinite(orientations[0]).any():
        orientations = None
    label_names = names
    if annotation.slice_numbers != "as_scans":
        first = int(annotation.slice_numbers == "from_1")
        label_names = [f"slice_{z + first:03d}" for z in range(len(names))]
    return LabellingStack(
        values, orientations, names, label_names, spacing, settings.laue_group, pseudo
    )


def _draft(
    stack: LabellingStack, z: int, settings: ebsd.OrientationAnnotationSettings
) -> NDArray[np.uint8]:
    """Labels of a slice by its orientations, as the pipeline draws them."""
    assert stack.orientations is not None
    field = ebsd.OrientationField.from_channels(
        stack.orientations[:, z], laue_group=stack.laue_group, operators=stack.operators
    )
    if counts_as_one(stack.pseudo_symmetry, settings.pseudo_symmetry):
        field = variants_as_one(field)
    return ebsd.annotate_from_orientations(
        field.quaternions,
        stack.orientations[4, z] >= settings.minimum_confidence,
        field.symmetry,
        float(np.radians(settings.misorientation_degrees)),
    )


def export_slices(
    stack: LabellingStack,
    chosen: Sequence[int],
    folder: Path,
    suffix: str = "png",
    draft: ebsd.OrientationAnnotationSettings | None = None,
) -> None:
    """Write the images that a person paints on, and those that show what to paint.

    Parameters
    ----------
    stack : LabellingStack
    chosen : sequence of int
        Slices, from 0.
    folder : Path
        Gets ``image``, ``ipf`` and ``labels``; labels that are there already are kept.
    suffix : {"png", "tif"}
    draft : OrientationAnnotationSettings, optional
        Draw boundaries where orientations differ, instead of nothing.
    """
    low, high = figures.grey_range(stack.image_quality)
    written = [f"{kind}/{stack.label_names[z]}.{suffix}" for kind in ("image", "ipf")
               for z in chosen]  # fmt: skip
    with output_folder(folder, [*written, LEGEND_FILE]):
        for name in ("image", "ipf", "labels"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for z in chosen:
            file = f"{stack.label_names[z]}.{suffix}"
            grey = np.nan_to_num(np.clip((stack.image_quality[z] - low) / (high - low), 0, 1))
            Image.fromarray((grey * 255).astype(np.uint8)).save(folder / "image" / file)
            classes = np.zeros(grey.shape, np.uint8)
            if stack.orientations is not None:
                field = np.moveaxis(stack.orientations[:4, z], 0, -1)
                colours = (ebsd.ipf_colors(field, stack.laue_group) * 255).astype(np.uint8)
                Image.fromarray(colours).save(folder / "ipf" / file)
                if draft is not None:
                    classes = _draft(stack, z, draft)
            if not (folder / "labels" / file).exists():
                datasets.write_classes(classes, folder / "labels" / file, f".{suffix}")
        (folder / LEGEND_FILE).write_text(legend(folder), encoding="utf-8")


def legend(folder: Path) -> str:
    """What to paint, and how to import it."""
    rows = [
        f"  {known.code} = {known.name:13} {colour:6}  red, green, blue {known.label_colour}"
        for known, colour in zip(CLASSES, COLOUR_NAMES, strict=True)
    ]
    return LEGEND.format(folder=quote(str(folder)), classes="\n".join(rows))


def import_labels(
    project: Project,
    stack: LabellingStack,
    painted: Mapping[str, Callable[[], NDArray[np.uint8]]],
    slice_numbers: str,
    *,
    replace: bool = False,
) -> int:
    """Check labels and add them to those of the project; all or none.

    Parameters
    ----------
    painted : mapping of str to callable
        Functions that return ndarray of uint8, shape (y, x).
    slice_numbers : str
        Setting `preprocessing.annotation.slice_numbers`.
    replace : bool
        Whether other labels of the same slices may be replaced; they are kept in a folder.

    Returns
    -------
    int
        Slices whose labels are new.

    Raises
    ------
    InputError
        With all problems in a table, if anything is wrong.
    RunError
        If a run is at work in the data folder.
    """
    read = {name: cache(given) for name, given in painted.items()}
    placed, issues = ebsd.annotation_issues(
        read, stack.names, stack.image_quality.shape, slice_numbers
    )
    if issues:
        raise InputError(
            f"{len(issues)} problems in {len(read)} painted images; none was imported:\n"
            f"{ebsd.issue_table(issues)}",
            remedy="correct the images named, and import the folder again",
        )
    classes = {name: given() for name, given in read.items()}
    folder = project.file_of(LABELS)
    with one_run(project.data_folder):
        update = datasets.update_labels(folder, classes, replace=replace)
    show_table(
        f"{len(update.added)} slices added, {len(update.replaced)} replaced, "
        f"{len(classes) - len(update.added) - len(update.replaced)} as they were",
        ("slice", "boundary", "interior", "background", "not labelled"),
        [
            (name, *(int((drawn == value).sum()) for value in (1, 2, 3)),
             f"{(drawn == 0).mean():.0%}")
            for name, drawn in classes.items()
        ],
    )  # fmt: skip
    if update.archive:
        echo(f"\nThe labels before are in {update.archive}")
    quality, angles = stack.image_quality, None
    if stack.orientations is not None:
        angles = ebsd.misorientation_in_slices(
            stack.orientations[:4], stack.laue_group, stack.operators
        )
    for fit in ebsd.annotation_fits(placed, quality, quality, "raw", stack.names, angles):
        if fit["doubt"]:
            echo(f"\nWarning: {fit['doubt']}")
    echo(f"\nAll labels are in {folder}")
    echo("Next: electrode-grains check, then kedro run")
    return len(update.added) + len(update.replaced)


def _read_images(folder: Path, *, blurred: bool) -> dict[str, Callable[[], NDArray[np.uint8]]]:
    """Functions that read the painted images of a folder, or of its subfolder `labels`."""
    place = folder / "labels" if (folder / "labels").is_dir() else folder
    visible = [file for file in sorted(place.iterdir()) if not file.name.startswith(".")]
    lossy = [file for file in visible if file.suffix.lower() in LOSSY_SUFFIXES]
    files = [file for file in visible if file.suffix.lower() in SUFFIXES]
    known = {*files, *lossy, place / LEGEND_FILE}
    others = [file.name for file in visible if file.is_file() and file not in known]
    if lossy and not blurred:
        raise InputError(
            "JPEG changes the colours of painted points",
            where=str(place),
            found=", ".join(file.name for file in lossy),
            expected=" or ".join(SUFFIXES),
            remedy="save them as PNG from the program in which they were painted; or import with "
            "--blurred, which takes points of unclear colour as not labelled",
        )
    if not (files or lossy):
        raise InputError(
            "there are no painted images",
            where=str(place),
            found=", ".join(others) or "an empty folder",
            expected=" or ".join(SUFFIXES),
            remedy="electrode-grains annotate writes some to paint on",
        )
    if others:
        echo(f"Not read, since no PNG or TIFF: {', '.join(others)}\n")
    return datasets.readers_of_images([*files, *lossy], partial(_read_painted, blurred=blurred))


def _read_painted(file: Path, *, blurred: bool) -> NDArray[np.uint8]:
    """Classes of a painted image: its grey values or indices, or else its colours."""
    with datasets.opened_labels(file, lossy=blurred) as image:
        values, indexed = np.asarray(image), image.mode == "P"
        if indexed or image.mode in ("RGB", "RGBA"):
            colours = np.asarray(image.convert("RGB"))
            try:  # colours count: a drawing program may have sorted the palette
                return ebsd.classes_of_colours(file.name, colours)
            except InputError:
                if blurred and not (indexed and values.max() < len(CLASSES)):
                    return ebsd.classes_of_colours(file.name, colours, NEAR_COLOUR)
                if not indexed:
                    raise
    ebsd.check_classes(file.name, values)
    return values.astype(np.uint8)


def _propose(
    project: Project, stack: LabellingStack, count: int, slices: str | None
) -> tuple[NDArray[np.float64], list[int]]:
    probability = None
    # Labels that are newer than the network are why more are painted.
    name = "class_probability_volume"
    if results := project.load_current({name: "boundary_model"}, disregard=[LABELS]):
        predicted = results[name].to_numpy()
        if predicted.shape[1:] == stack.image_quality.shape:
            probability = predicted
    information = ebsd.slice_information(stack.image_quality, probability)

    if slices is not None:
        return information, _named_slices(slices, stack.names)
    scanned = [z for z, name in enumerate(stack.names) if ebsd.is_scan(name)]
    place = {ebsd.slice_number(stack.label_names[z]): z for z in scanned}
    files = project.catalog.get(LABELS).files()
    labelled = [ebsd.slice_number(file.stem) for file in files]
    flagged = sorted(set(range(len(stack.names))) - set(scanned))
    if results := project.load_current({"slice_transforms": "preprocessing"}):
        flags = results["slice_transforms"].flags
        flagged += [z for z, notes in enumerate(flags) if notes]
    annotated = [place[number] for number in labelled if number in place]
    return information, ebsd.propose_slices(information, count, annotated, flagged)


def _named_slices(text: str, names: Sequence[str]) -> list[int]:
    """Slices by name, or by place in the stack from 0."""
    place = {name: z for z, name in enumerate(names)} | {str(z): z for z in range(len(names))}
    given = [part.strip() for part in text.split(",")]
    if unknown := [part for part in given if part not in place]:
        alike = get_close_matches(unknown[0], names, n=2) or [names[0], names[-1]]
        raise SettingsError(
            "--slices names no slices of the stack",
            found=", ".join(unknown),
            expected=f"names, such as {','.join(alike)}, or numbers from 0 to {len(names) - 1}",
        )
    return sorted({place[part] for part in given})


def _paint(
    project: Project, stack: LabellingStack, proposed: Sequence[int], frame: str, slice_numbers: str
) -> None:
    shape = stack.image_quality.shape
    exists = project.exists(LABELS)
    labelled = project.catalog.load(LABELS) if exists else {}
    classes = ebsd.place_annotations(labelled, stack.names, shape, slice_numbers)
    start = classes.copy()

    def save(painted: NDArray[np.uint8]) -> str:
        changed = np.flatnonzero((painted != start).any(axis=(1, 2))).tolist()
        if not changed:
            return "nothing was painted"
        given = {stack.label_names[z]: partial(np.array, painted[z], np.uint8) for z in changed}
        count = import_labels(project, stack, given, slice_numbers, replace=True)
        return f"{count} slices saved"

    aligned = None
    shown = "image_quality_volume"
    if frame == "raw" and (results := project.load_current({shown: "preprocessing"})):
        aligned = results[shown].to_numpy()
    window = viewer.open_window("electrode-grains annotate")
    viewer.show_annotation(
        window, stack.image_quality, classes, stack.spacing, proposed, save, aligned=aligned
    )
    viewer.run()
    try:
        save(classes)
    except UserError as error:
        raise _keep_unsaved(project, stack, classes, start, error) from None


def _keep_unsaved(
    project: Project,
    stack: LabellingStack,
    painted: NDArray[np.uint8],
    start: NDArray[np.uint8],
    error: UserError,
) -> UserError:
    """Write what was painted and could not be imported into a folder of its own."""
    changed = np.flatnonzero((painted != start).any(axis=(1, 2))).tolist()
    folder = datasets.write_apart(
        project.file_of(LABELS), {stack.label_names[z]: painted[z] for z in changed}
    )
    return InputError(
        f"what was painted was not imported: {error.message}",
        where=error.where,
        found=error.found,
        expected=error.expected,
        remedy="correct that, then: electrode-grains annotate --replace --import "
        f"{quote(str(folder))}",
    )
