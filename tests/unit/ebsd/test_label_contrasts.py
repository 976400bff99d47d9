"""Contrasts of labels in images, and the error of their difference, by definition."""

import numpy as np
import pytest

from electrode_grains.ebsd import annotation_fits
from electrode_grains.ebsd.label_fits import _standard_error, boundaries_are_bright


def labelled_stack():
    """Random labels of two slices, and images of ten, some of their points unknown."""
    rng = np.random.default_rng(6)
    labels = np.zeros((10, 12, 13), np.uint8)
    labels[[2, 5]] = rng.integers(0, 4, (2, 12, 13))
    images = rng.normal(5, 2, labels.shape)
    images[5] += np.where(labels[5] == 1, -3.0, 0.0)
    images[:, 3:5, 4] = np.nan
    images[7] = np.nan
    images[8] = 1e6  # constant
    return labels, images


def contrast_of(classes, image):
    """Difference of the means over the deviation of all labelled points."""
    boundary, interior = (image[(classes == value) & np.isfinite(image)] for value in (1, 2))
    if not boundary.size or np.ptp(both := np.r_[boundary, interior]) == 0:
        return np.nan
    return (interior.mean() - boundary.mean()) / both.std()


def test_the_contrast_of_a_label_is_that_of_its_definition():
    labels, images = labelled_stack()
    fits = annotation_fits(labels, images, images[::-1], "raw")
    assert [fit["slice"] for fit in fits] == [2, 5]
    for fit, z in zip(fits, (2, 5), strict=True):
        contrasts = np.array([contrast_of(labels[z], image) for image in images])
        assert np.isnan(contrasts[[7, 8]]).all()
        assert fit["own"] == pytest.approx(contrasts[z])
        assert fit["best"] == pytest.approx(np.nanmax(contrasts))
        assert fit["best_slice"] == np.nanargmax(contrasts)
        other = contrast_of(labels[z], images[9 - z])
        assert fit["other_frame"] == (None if z == 2 else pytest.approx(other))
        assert fit["points"] == {
            name: int((labels[z] == value).sum())
            for value, name in enumerate(("boundary", "interior", "background"), 1)
        }
        assert fit["misorientation"] == {"own": None, "best": None, "best_slice": None}
    labels[7] = labels[5]
    (_, _, fit) = annotation_fits(labels, images, images, "raw", misorientation=-images)
    assert (fit["own"], fit["best"], fit["other_frame"]) == (None, None, None)
    assert annotation_fits(labels, images, images, "raw", misorientation=-images)[1][
        "misorientation"
    ] == pytest.approx({"own": fits[1]["own"], "best": fits[1]["best"], "best_slice": 5})


def test_the_error_of_a_difference_is_that_of_its_points():
    labels, images = labelled_stack()
    classes, one, other = labels[2], images[2], images[5]
    known = np.isfinite(one) & np.isfinite(other)
    parts = [known & (classes == value) for value in (1, 2)]
    spread = [image[parts[0] | parts[1]].std() for image in (one, other)]
    squares = 0.0
    for part in parts:
        change = other[part] / spread[1] - one[part] / spread[0]
        squares += ((change - change.mean()) ** 2).mean() / part.sum()
    assert _standard_error(classes, one, other) == pytest.approx(np.sqrt(squares))
    assert _standard_error(classes, one, one) == 0
    assert _standard_error(classes, one, np.full_like(one, 3.0)) == np.inf
    few = np.zeros_like(classes)
    few[0, :2], few[0, 2:4] = 1, 2
    assert np.isfinite(_standard_error(few, one, other))
    few[0, 1] = 0
    assert _standard_error(few, one, other) == np.inf


@pytest.mark.parametrize(
    ("count", "bright", "dark", "is_bright"),
    [(8, 3.0, 0.0, True), (7, 3.0, 0.0, False), (8, 3.0, 4.0, False), (8, 4.0, 3.0, True),
     (8, 0.8, 0.0, False)],
)  # fmt: skip
def test_boundaries_are_bright_where_they_stand_out_so_more_than_as_dark(
    count, bright, dark, is_bright
):
    rng = np.random.default_rng(2)
    labels = np.full((1, 20, 20), 2, np.uint8)
    labels[0, ::4] = 1
    images = rng.normal(0, 1, (count, 20, 20))
    images[0] += bright * (labels[0] == 1)
    images[1] -= dark * (labels[0] == 1)
    assert boundaries_are_bright(labels, images) == is_bright
    assert not boundaries_are_bright(labels, np.full_like(images, np.nan))


@pytest.mark.parametrize(("count", "doubts"), [(8, True), (7, False)])
def test_eight_slices_can_tell_that_a_label_fits_none(count, doubts):
    rng = np.random.default_rng(4)
    labels = np.zeros((count, 40, 40), np.uint8)
    labels[3] = rng.integers(1, 3, (40, 40))
    images = rng.normal(size=labels.shape)
    (fit,) = annotation_fits(labels, images, images, "raw")
    assert ("fits no slice" in (fit["doubt"] or "")) == doubts
