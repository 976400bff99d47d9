import numpy as np
import pytest

from electrode_grains.alignment import apply_transforms, estimate_transforms
from electrode_grains.ebsd import annotation_fits, misorientation_in_slices
from electrode_grains.ebsd.orientations import quaternions_from_euler
from electrode_grains.phantom import AcquisitionSettings, acquire, virtual_particle
from electrode_grains.tessellation import ArchitectureSettings

LABELLED = (5, 9, 16)
DISTANCES = [1, 3, 6, 10, -1, -4]


@pytest.fixture(scope="module")
def annotated():
    """Labelled slices of a virtual particle, in stacks as scanned and as aligned."""
    # Cells of like size: so small a window of the paper's grains shows too few boundaries.
    particle = virtual_particle(
        (22, 60, 60), (50.0, 50.0, 50.0), np.random.default_rng(3), ArchitectureSettings()
    )
    settings = AcquisitionSettings(
        annotated_slices=LABELLED, drift_px=2.0, annotation_error=1.0, weak_boundary_degrees=0.0
    )
    scanned = acquire(particle, np.random.default_rng(4), settings)
    transforms = estimate_transforms(scanned.image_quality)
    return scanned, apply_transforms(scanned.image_quality, transforms, order=3)


def angles_of(scanned):
    quaternions = np.moveaxis(quaternions_from_euler(scanned.euler_angles), -1, 0)
    return misorientation_in_slices(quaternions, "-3m")


def fits(annotated, shift=0, frame="raw", *, quality=None, misorientation=None):
    """Fits of one label after the other; those whose number would leave the stack fall by it."""
    scanned, aligned = annotated
    found = []
    for z, classes in scanned.annotations.items():
        placed = np.zeros(scanned.phase.shape, np.uint8)
        placed[z + shift if 0 <= z + shift < len(placed) else z - shift] = classes
        raw = scanned.image_quality if quality is None else quality
        found += annotation_fits(placed, raw, aligned if quality is None else raw, frame, None,
                                 misorientation)  # fmt: skip
    return found


def test_labels_of_a_careless_hand_on_their_own_slice_raise_no_doubt(annotated):
    for angles in (None, angles_of(annotated[0])):
        found = fits(annotated, misorientation=angles)
        assert [fit["slice"] for fit in found] == list(LABELLED)
        assert all(fit["doubt"] is None and fit["best_slice"] == fit["slice"] for fit in found)


@pytest.mark.parametrize("shift", DISTANCES)
def test_labels_of_any_other_slice_are_doubted_and_their_slice_is_named(annotated, shift):
    assert [f"fits slice {z} (" in fit["doubt"] for z, fit in
            zip(LABELLED, fits(annotated, shift), strict=True)] == [True] * 3  # fmt: skip


@pytest.mark.parametrize("shift", DISTANCES)
def test_orientations_tell_slices_apart_where_image_quality_is_noise(annotated, shift):
    scanned = annotated[0]
    noise = np.random.default_rng(1).normal(100, 10, scanned.phase.shape)
    assert all("fits no slice" in fit["doubt"] for fit in fits(annotated, shift, quality=noise))
    found = fits(annotated, shift, quality=noise, misorientation=angles_of(scanned))
    assert [f"fits slice {z} (" in fit["doubt"] for z, fit in
            zip(LABELLED, found, strict=True)] == [True] * 3  # fmt: skip
    right = fits(annotated, quality=noise, misorientation=angles_of(scanned))
    assert all(fit["doubt"] is None for fit in right)


def test_labels_of_no_slice_are_doubted(annotated):
    """Turned or mirrored, hence of no slice: at most one fits by chance."""
    scanned, aligned = annotated
    for angles in (None, angles_of(scanned)):
        doubted = []
        for turned in (np.rot90, np.flipud, np.fliplr, np.transpose):
            placed = np.zeros(scanned.phase.shape, np.uint8)
            for z, classes in scanned.annotations.items():
                placed[z] = turned(classes)
            found = annotation_fits(placed, scanned.image_quality, aligned, "raw", None, angles)
            doubted += ["fits no slice" in (fit["doubt"] or "") for fit in found]
        assert sum(doubted) >= len(doubted) - 1 == 11


def test_bright_boundaries_are_as_good_as_dark_ones(annotated):
    """As of stained membranes; what a label fits does not depend on it."""
    scanned, aligned = annotated
    placed = np.zeros(scanned.phase.shape, np.uint8)
    for z, classes in scanned.annotations.items():
        placed[z] = classes
    placed[5] = scanned.annotations[9]
    dark = annotation_fits(placed, scanned.image_quality, aligned, "raw")
    bright = annotation_fits(placed, 300 - scanned.image_quality, 300 - aligned, "raw")
    assert [fit["doubt"] for fit in bright] == [fit["doubt"] for fit in dark]
    assert "fits slice 9 (" in bright[0]["doubt"]
    assert [fit["own"] for fit in bright] == pytest.approx([fit["own"] for fit in dark], abs=1e-3)


def test_too_few_slices_cannot_tell_that_a_label_fits_none(annotated):
    scanned, aligned = annotated
    placed = np.zeros(scanned.phase.shape, np.uint8)
    for z, classes in scanned.annotations.items():
        placed[z] = classes.T
    few = slice(2, 9)
    found = annotation_fits(placed[few], scanned.image_quality[few], aligned[few], "raw")
    assert "fits no slice" not in (found[0]["doubt"] or "")


def test_a_doubt_has_the_names_of_the_scans(annotated):
    scanned, aligned = annotated
    placed = np.zeros(scanned.phase.shape, np.uint8)
    placed[15] = scanned.annotations[5]
    names = [f"nmc_{z + 30}" for z in range(len(placed))]
    (fit,) = annotation_fits(placed, scanned.image_quality, aligned, "raw", names)
    assert fit["doubt"] == (
        f"the label of nmc_45 fits nmc_35 ({fit['best']:.2f}), not nmc_45 ({fit['own']:.2f}): "
        "check the name of its image, and slice_numbers"
    )


def test_annotations_in_another_frame_are_doubted(annotated):
    found = fits(annotated, frame="aligned")
    assert any("check frame" in (fit["doubt"] or "") for fit in found)


def test_the_contrast_is_the_difference_of_means_over_the_spread():
    placed = np.zeros((3, 1, 5), np.uint8)
    placed[1] = [1, 1, 2, 2, 3]
    raw = np.zeros((3, 1, 5))
    raw[0] = [3, 3, 1, 1, 0]
    raw[1] = [1, 3, 5, np.nan, 0]  # boundary 1 and 3, interior 5
    raw[2] = [2, 2, 2, 2, 9]  # constant: no contrast
    own = 3 / np.std([1, 3, 5])
    (fit,) = annotation_fits(placed, raw, -raw, "raw")
    assert (fit["slice"], fit["best_slice"], fit["doubt"]) == (1, 1, None)
    assert fit["points"] == {"boundary": 2, "interior": 2, "background": 1}
    assert fit["own"] == fit["best"] == pytest.approx(own)
    assert fit["other_frame"] == pytest.approx(-own)
    assert fit["misorientation"] == {"own": None, "best": None, "best_slice": None}
    (fit,) = annotation_fits(placed, raw, -raw, "aligned")
    assert (fit["own"], fit["best"]) == (pytest.approx(-own), pytest.approx(2.0))
    assert fit["best_slice"] == 0


@pytest.mark.parametrize("classes", [[1, 1, 1], [2, 2, 3]])
def test_without_boundary_or_interior_there_is_no_contrast_and_no_doubt(classes):
    placed = np.array([[classes]], np.uint8)
    raw = np.arange(3.0).reshape(1, 1, 3)
    (fit,) = annotation_fits(placed, raw, raw, "raw")
    assert fit["own"] is fit["best"] is fit["other_frame"] is fit["doubt"] is None


@pytest.mark.parametrize(("shift", "is_doubted"), [(0.099, False), (0.101, True)])
@pytest.mark.parametrize("where", ["before", "far", "other_frame"])
def test_a_doubt_needs_a_contrast_higher_by_a_tenth(shift, is_doubted, where):
    placed = np.zeros((6, 1, 4000), np.uint8)
    placed[1] = np.repeat([1, 1, 2, 2], 1000)

    def quality(contrast):
        # Boundary -a and -b, interior a and b: the contrast is (a + b) / sqrt((a^2 + b^2) / 2).
        angle = np.pi / 4 - np.arccos(contrast / 2)
        a, b = np.cos(angle), np.sin(angle)
        return np.repeat([[-a, -b, a, b]], 1000, axis=1)

    raw = np.stack([quality(1.0), quality(1.5), *[quality(1.0)] * 4])
    aligned = raw.copy()
    better = quality(1.5 + shift)
    if where == "other_frame":
        aligned[1] = better
    else:
        raw[0 if where == "before" else 5] = better
    (fit,) = annotation_fits(placed, raw, aligned, "raw")
    name = "other_frame" if where == "other_frame" else "best"
    assert fit[name] == pytest.approx(1.5 + shift)
    assert (fit["doubt"] is not None) == is_doubted


@pytest.mark.parametrize(("points", "is_doubted"), [(40, False), (4000, True)])
def test_few_points_do_not_tell_slices_apart(points, is_doubted):
    rng = np.random.default_rng(2)
    placed = np.zeros((2, 1, points), np.uint8)
    placed[0] = np.tile([1, 2], points // 2)
    raw = rng.normal(size=placed.shape)
    raw[:, placed[0] == 2] += np.array([[1.0], [1.5]])
    (fit,) = annotation_fits(placed, raw, raw, "raw")
    assert fit["best_slice"] == 1
    assert fit["best"] > fit["own"] + 0.1
    assert (fit["doubt"] is not None) == is_doubted


def test_the_offset_and_the_unit_of_image_quality_do_not_matter(annotated):
    scanned, _ = annotated
    for scale, offset in ((1e-6, 0.0), (1e3, 1e7)):
        quality = scanned.image_quality.astype(float) * scale + offset
        for before, after in zip(fits(annotated, 3), fits(annotated, 3, quality=quality),
                                 strict=True):  # fmt: skip
            assert after["best_slice"] == before["best_slice"]
            assert after["own"] == pytest.approx(before["own"], rel=1e-5)


def test_stacks_without_orientations_have_no_misorientation():
    assert misorientation_in_slices(np.full((4, 2, 3, 3), np.nan), "-3m") is None
