"""Map annotations to the slices of a stack, by the number in their name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.classes import (
    BACKGROUND,
    BOUNDARY,
    CODES_IN_WORDS,
    INTERIOR,
    LABEL_COLOURS,
    NOT_ANNOTATED,
)
from electrode_grains.ebsd.issues import Issue, issue_from
from electrode_grains.ebsd.slice_names import is_scan, slice_number
from electrode_grains.errors import InputError, SettingsError


def place_annotations(
    annotations: Mapping[str, NDArray[np.uint8]],
    slice_names: Sequence[str],
    shape: tuple[int, ...],
    slice_numbers: str = "as_scans",
) -> NDArray[np.uint8]:
    """Build the volume of sparse annotations (eq. 5 of Furat et al., 2021).

    Parameters
    ----------
    annotations : mapping of str to ndarray of uint8, shape (y, x)
        Classes of the points of a slice: 0 not annotated, 1 boundary, 2 interior,
        3 background. The last number in the name says which slice it is.
    slice_names : sequence of str
        Names of the scans of the stack, in their order along z.
    shape : (int, int, int)
        Shape (z, y, x) of the stack.
    slice_numbers : {"as_scans", "from_0", "from_1"}
        How the annotations are numbered: as the scans they were drawn on are called, or by
        their place in the stack, counted from 0 or from 1.

    Returns
    -------
    ndarray of uint8, shape (z, y, x)
        Classes, 0 in every slice that nobody annotated.

    Raises
    ------
    InputError
        If an annotation has no scan, shares it with another one, has another shape than its
        scan, an unknown class, or no boundary point.
    SettingsError
        If the numbering is unknown.

    Examples
    --------
    >>> drawn = np.array([[1, 2]], np.uint8)
    >>> place_annotations({"labels_7": drawn}, ["scan_6", "scan_7"], (2, 1, 2)).tolist()
    [[[0, 0]], [[1, 2]]]
    """
    placed = np.zeros(shape, np.uint8)
    for z, classes in annotated_slices(annotations, slice_names, shape, slice_numbers).items():
        placed[z] = classes
    return placed


def annotated_slices(
    annotations: Mapping[str, NDArray[np.uint8]],
    slice_names: Sequence[str],
    shape: tuple[int, ...],
    slice_numbers: str = "as_scans",
) -> dict[int, NDArray[np.uint8]]:
    """Annotations by the index of their slice; arguments and refusals of `place_annotations`."""
    index_of = _numbering(slice_names, slice_numbers)
    taken: dict[int, str] = {}
    return {
        _place(name, classes, index_of, shape, slice_numbers, taken): classes
        for name, classes in annotations.items()
    }


def annotation_issues(
    annotations: Mapping[str, NDArray[np.uint8] | Callable[[], NDArray[np.uint8]]],
    slice_names: Sequence[str],
    shape: tuple[int, ...],
    slice_numbers: str = "as_scans",
) -> tuple[NDArray[np.uint8], list[Issue]]:
    """Place the annotations that can be placed, and list what is wrong with the others.

    Parameters
    ----------
    annotations : mapping of str to ndarray of uint8, shape (y, x), or callable
        Annotated slices, or functions that read them.
    slice_names, shape, slice_numbers
        As in `place_annotations`.

    Returns
    -------
    placed : ndarray of uint8, shape (z, y, x)
    issues : list of Issue
    """
    placed = np.zeros(shape, np.uint8)
    index_of = _numbering(slice_names, slice_numbers)
    taken: dict[int, str] = {}
    issues = []
    for name, given in annotations.items():
        try:
            classes = given() if callable(given) else given
            placed[_place(name, classes, index_of, shape, slice_numbers, taken)] = classes
        except InputError as problem:
            issues.append(issue_from(name, problem))
    return placed, issues


def _place(
    name: str,
    classes: NDArray[np.uint8],
    index_of: Mapping[int, int],
    shape: tuple[int, ...],
    slice_numbers: str,
    taken: dict[int, str],
) -> int:
    """Index of the slice that an annotation belongs to, which is added to those taken."""
    number = slice_number(name)
    if number not in index_of:
        raise InputError(
            "an annotation belongs to no slice of the stack",
            where=name,
            found=f"number {number}",
            expected=f"one of {min(index_of)} to {max(index_of)} (slice_numbers: {slice_numbers})",
            remedy="name the image after the scan it was drawn on, or set slice_numbers",
        )
    if number in taken:
        raise InputError(
            "two annotations are of the same slice",
            where=name,
            found=f"number {number}, as {taken[number]}",
            remedy="keep one of them",
        )
    taken[number] = name
    check_classes(name, classes)
    if classes.shape != shape[1:]:
        raise InputError(
            "an annotation has another size than its scan",
            where=name,
            found=f"{classes.shape} points (y, x)",
            expected=f"{shape[1:]}",
            remedy="export the labels at one pixel a point, without frame or scale bar",
        )
    if not (classes == BOUNDARY).any():
        raise InputError(
            "an annotation shows no grain boundary",
            where=name,
            found=f"classes {np.unique(classes).tolist()}",
            expected="some points of class 1",
        )
    return index_of[number]


def _numbering(slice_names: Sequence[str], slice_numbers: str) -> dict[int, int]:
    """Index in the stack by the number that an annotation carries."""
    if slice_numbers == "as_scans":
        return {slice_number(name): z for z, name in enumerate(slice_names) if is_scan(name)}
    if slice_numbers not in ("from_0", "from_1"):
        raise SettingsError(
            "unknown numbering of the annotations",
            found=repr(slice_numbers),
            expected="as_scans, from_0 or from_1",
        )
    first = int(slice_numbers == "from_1")
    return {index + first: index for index in range(len(slice_names))}


def check_classes(name: str, classes: NDArray[Any]) -> None:
    """Refuse an annotation with other values than the four classes, with their counts."""
    values, counts = np.unique(classes, return_counts=True)
    unknown = ~np.isin(values, (NOT_ANNOTATED, BOUNDARY, INTERIOR, BACKGROUND))
    if unknown.any():
        listed = zip(values[unknown][:8], counts[unknown][:8], strict=True)
        raise InputError(
            "an annotation image holds unknown classes",
            where=name,
            found=", ".join(f"{value} ({count} points)" for value, count in listed),
            expected=CODES_IN_WORDS,
            remedy="switch off antialiasing in the drawing program and save without smoothing",
        )


def refuse_unlabelled(slice_annotations: Mapping[str, NDArray[np.uint8]], *, others: bool) -> None:
    """Refuse a stack without labels, and labels of other classes; a run asks before all steps.

    `others` says whether there are labels from orientations.

    Raises
    ------
    InputError
        If there are none, or an image holds other values than the classes.
    """
    if not (slice_annotations or others):
        raise InputError(
            "no slice is labelled",
            remedy="electrode-grains annotate has some painted; or kedro run --pipelines "
            "orientation_annotation draws labels from the orientations",
        )
    for name, classes in slice_annotations.items():
        check_classes(name, classes)


def classes_of_colours(
    name: str, colours: NDArray[np.uint8], tolerance: float | None = None
) -> NDArray[np.uint8]:
    """Read the classes of an annotation from the colours that drawing programs keep.

    Parameters
    ----------
    name : str
        For refusals.
    colours : ndarray of uint8, shape (y, x, 3)
        Red, green and blue of each point.
    tolerance : float, optional
        Distance in red, green and blue within which a colour counts as the nearest one of
        `LABEL_COLOURS`; points of other colours count as not annotated. By default every
        colour must be one of them.

    Returns
    -------
    ndarray of uint8, shape (y, x)

    Raises
    ------
    InputError
        If a colour is none of `LABEL_COLOURS`; blends come from soft brushes.

    Examples
    --------
    >>> orange_and_blue = np.array([[(230, 159, 0), (86, 180, 233)]], np.uint8)
    >>> classes_of_colours("slice_025", orange_and_blue).tolist()
    [[1, 2]]
    """
    found, index, counts = np.unique(
        colours.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    distances = np.linalg.norm(found[:, None].astype(float) - np.array(LABEL_COLOURS), axis=-1)
    values = distances.argmin(axis=1)
    far = distances.min(axis=1) > (tolerance or 0)
    values[far] = NOT_ANNOTATED
    unknown = np.flatnonzero(far)
    if tolerance is None and len(unknown):
        shown = ", ".join(f"{tuple(found[row].tolist())} ({counts[row]} points)"
                          for row in unknown[:5])  # fmt: skip
        raise InputError(
            "an annotation image holds colours that stand for no class",
            where=name,
            found=f"{len(unknown)} such colours: {shown}",
            expected=", ".join(f"{colour} = {value}" for value, colour in enumerate(LABEL_COLOURS)),
            remedy="draw in the colours of the palette with the pencil tool, antialiasing off; or "
            "import with --blurred, which takes such points as not labelled",
        )
    classes: NDArray[np.uint8] = values.astype(np.uint8)[index].reshape(colours.shape[:2])
    return classes
