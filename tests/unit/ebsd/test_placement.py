import itertools

import numpy as np
import pytest

from electrode_grains.ebsd import place_annotations
from electrode_grains.ebsd.placement import (
    LABEL_COLOURS,
    annotation_issues,
    classes_of_colours,
)
from electrode_grains.errors import InputError, SettingsError

DRAWN = np.array([[1, 2], [3, 0]], np.uint8)


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        ({"slice_9": DRAWN}, "number 9"),
        ({"slice_2": DRAWN[:1]}, r"\(1, 2\) points"),
        ({"slice_2": DRAWN * 0 + 2}, "no grain boundary"),
        ({"slice_2": DRAWN, "again_2": DRAWN}, "same slice"),
        ({"slice_2": DRAWN * 2}, r"4 \(1 points\), 6 \(1 points\)"),
    ],
)
def test_an_annotation_that_fits_no_scan_is_refused(annotations, says):
    with pytest.raises(InputError, match=says):
        place_annotations(annotations, ["slice_1", "slice_2"], (2, 2, 2))


@pytest.mark.parametrize(("numbers", "index"), [("as_scans", 1), ("from_0", 2), ("from_1", 1)])
def test_annotations_are_numbered_as_the_user_says(numbers, index):
    names = ["slice_1", "slice_2", "slice_3"]
    placed = place_annotations({"labels_2": DRAWN}, names, (3, 2, 2), numbers)
    assert np.flatnonzero(placed.any(axis=(1, 2))).tolist() == [index]


def test_an_unknown_numbering_is_refused():
    with pytest.raises(SettingsError, match="from_2"):
        place_annotations({"labels_2": DRAWN}, ["slice_2"], (1, 2, 2), "from_2")


def test_troubles_of_annotations_are_listed_and_the_others_placed():
    def broken():
        raise InputError("cut", where="labels_1.png")

    given = {"labels_1": broken, "labels_2": lambda: DRAWN, "labels_3": DRAWN, "again_3": DRAWN}
    placed, issues = annotation_issues(given, ["s_1", "s_2", "s_3"], (3, 2, 2))
    assert placed.any(axis=(1, 2)).tolist() == [False, True, True]
    assert [(row.slice, row.problem) for row in issues] == [
        ("labels_1.png", "cut"),
        ("again_3", "two annotations are of the same slice"),
    ]


def test_colours_of_the_palette_are_the_classes_and_others_are_counted():
    image = np.array([LABEL_COLOURS, LABEL_COLOURS[::-1]], np.uint8)
    assert classes_of_colours("a", image).tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]
    # Black, and the orange, sky blue and grey that people without red-green sight tell apart.
    assert LABEL_COLOURS == ((0, 0, 0), (230, 159, 0), (86, 180, 233), (90, 90, 90))
    image[0, 1] = image[1, 3] = (231, 159, 0)
    with pytest.raises(InputError, match=r"1 such colours: \(231, 159, 0\) \(2 points\)"):
        classes_of_colours("a", image)


@pytest.mark.parametrize("tolerance", [40.0, 53.0])
def test_a_blend_of_two_classes_is_never_a_third(tolerance):
    """Soft edges are blends: within the tolerance they are one of the two, or nothing."""
    shares = np.linspace(0, 1, 101)[:, None]
    for first, second in itertools.combinations(range(len(LABEL_COLOURS)), 2):
        ends = np.array([LABEL_COLOURS[first], LABEL_COLOURS[second]], float)
        blends = ((1 - shares) * ends[0] + shares * ends[1]).round().astype(np.uint8)[None]
        taken = classes_of_colours("a", blends, tolerance)
        assert set(taken.ravel().tolist()) <= {0, first, second}
        assert taken[0, 0] == first
        assert taken[0, -1] == second
