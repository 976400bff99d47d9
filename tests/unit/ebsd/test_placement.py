import numpy as np
import pytest

from electrode_grains.alignment import apply_transforms, estimate_transforms
from electrode_grains.ebsd import annotation_fits, place_annotations
from electrode_grains.ebsd.placement import (
    LABEL_COLOURS,
    annotation_issues,
    classes_of_colours,
)
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.phantom import AcquisitionSettings, acquire, virtual_particle

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


@pytest.fixture(scope="module")
def annotated():
    """Annotated slices 5 and 9 of a virtual particle, in stacks as scanned and as aligned."""
    particle = virtual_particle((14, 60, 60), (50.0, 50.0, 50.0), np.random.default_rng(3))
    settings = AcquisitionSettings(annotated_slices=(5, 9), drift_px=2.0)
    scanned = acquire(particle, np.random.default_rng(4), settings)
    transforms = estimate_transforms(scanned.image_quality)
    return scanned, apply_transforms(scanned.image_quality, transforms, order=3)


def fits(annotated, shift=0, frame="raw"):
    scanned, aligned = annotated
    placed = np.zeros(scanned.phase.shape, np.uint8)
    for z, classes in scanned.annotations.items():
        placed[z + shift] = classes
    return annotation_fits(placed, scanned.image_quality, aligned, frame)


def test_annotations_that_fit_raise_no_doubt(annotated):
    found = fits(annotated)
    assert [fit["slice"] for fit in found] == [5, 9]
    assert all(fit["doubt"] is None and fit["own"] > 1 for fit in found)


@pytest.mark.parametrize(("shift", "side"), [(1, "before"), (-1, "after")])
def test_annotations_of_a_neighbouring_slice_are_doubted(annotated, shift, side):
    found = fits(annotated, shift)
    assert all(f"fits the slice {side} it better" in fit["doubt"] for fit in found)


def test_annotations_in_another_frame_are_doubted(annotated):
    assert any("check frame" in (fit["doubt"] or "") for fit in fits(annotated, frame="aligned"))


def test_the_contrast_is_the_difference_of_means_over_the_spread():
    placed = np.zeros((3, 1, 5), np.uint8)
    placed[1] = [1, 1, 2, 2, 3]
    raw = np.zeros((3, 1, 5))
    raw[0] = [3, 3, 1, 1, 0]
    raw[1] = [1, 3, 5, np.nan, 0]  # boundary 1 and 3, interior 5
    raw[2] = [2, 2, 2, 2, 9]
    own = 3 / np.std([1, 3, 5])
    (fit,) = annotation_fits(placed, raw, -raw, "raw")
    assert (fit["slice"], fit["doubt"]) == (1, None)
    assert fit["points"] == {"boundary": 2, "interior": 2, "background": 1}
    assert fit["own"] == pytest.approx(own)
    assert fit["before"] == pytest.approx(-2.0)
    assert fit["after"] is None  # constant
    assert fit["other_frame"] == pytest.approx(-own)
    (fit,) = annotation_fits(placed, raw, -raw, "aligned")
    assert fit["own"] == pytest.approx(-own)
    assert "fits the slice before it better (contrast 2.00) than its own (-1.84)" in fit["doubt"]


@pytest.mark.parametrize("classes", [[1, 1, 1], [2, 2, 3]])
def test_without_boundary_or_interior_there_is_no_contrast_and_no_doubt(classes):
    placed = np.array([[classes]], np.uint8)
    raw = np.arange(3.0).reshape(1, 1, 3)
    (fit,) = annotation_fits(placed, raw, raw, "raw")
    assert fit["own"] is fit["before"] is fit["after"] is fit["other_frame"] is fit["doubt"] is None


@pytest.mark.parametrize(("shift", "is_doubted"), [(0.099, False), (0.101, True)])
@pytest.mark.parametrize("where", ["before", "after", "other_frame"])
def test_a_doubt_needs_a_contrast_higher_by_a_tenth(shift, is_doubted, where):
    placed = np.zeros((3, 1, 4), np.uint8)
    placed[1] = [1, 1, 2, 2]

    def quality(contrast):
        # Boundary -a and -b, interior a and b: the contrast is (a + b) / sqrt((a^2 + b^2) / 2).
        angle = np.pi / 4 - np.arccos(contrast / 2)
        a, b = np.cos(angle), np.sin(angle)
        return np.array([[-a, -b, a, b]])

    raw = np.stack([quality(1.0), quality(1.5), quality(1.0)])
    aligned = raw.copy()
    better = quality(1.5 + shift)
    if where == "other_frame":
        aligned[1] = better
    else:
        raw[0 if where == "before" else 2] = better
    (fit,) = annotation_fits(placed, raw, aligned, "raw")
    assert fit[where] == pytest.approx(1.5 + shift)
    assert (fit["doubt"] is not None) == is_doubted


def test_the_first_and_last_slice_have_one_neighbour():
    placed = np.tile(np.array([[1, 2]], np.uint8), (3, 1, 1))
    raw = np.arange(6.0).reshape(3, 1, 2)
    found = annotation_fits(placed, raw, raw, "raw")
    assert [fit["before"] is None for fit in found] == [True, False, False]
    assert [fit["after"] is None for fit in found] == [False, False, True]


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
