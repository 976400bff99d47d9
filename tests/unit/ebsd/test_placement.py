import numpy as np
import pytest

from electrode_grains.alignment import apply_transforms, estimate_transforms
from electrode_grains.ebsd import annotation_fits, place_annotations
from electrode_grains.phantom import AcquisitionSettings, acquire, virtual_particle
from electrode_grains.problems import InputProblem, SettingsProblem

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
    with pytest.raises(InputProblem, match=says):
        place_annotations(annotations, ["slice_1", "slice_2"], (2, 2, 2))


@pytest.mark.parametrize(("numbers", "index"), [("as_scans", 1), ("from_0", 2), ("from_1", 1)])
def test_annotations_are_numbered_as_the_user_says(numbers, index):
    names = ["slice_1", "slice_2", "slice_3"]
    placed = place_annotations({"labels_2": DRAWN}, names, (3, 2, 2), numbers)
    assert np.flatnonzero(placed.any(axis=(1, 2))).tolist() == [index]


def test_an_unknown_numbering_is_refused():
    with pytest.raises(SettingsProblem, match="from_2"):
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
