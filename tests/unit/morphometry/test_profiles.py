import numpy as np
import pytest
from scipy.spatial import cKDTree
from skimage.measure import regionprops

from electrode_grains.errors import InputError
from electrode_grains.morphometry import measure_profiles


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def cells(rng, shape=(90, 110), count=60):
    """A plane Voronoi tessellation with a hole."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    points = np.column_stack([y.ravel(), x.ravel()])
    labels = cKDTree(rng.uniform(0, shape, (count, 2))).query(points)[1].reshape(shape) + 1
    labels[40:52, 30:50] = 0
    return labels


def connected_once(profiles):
    return profiles[~profiles["label"].duplicated(keep=False)]


def test_areas_perimeters_and_axes_are_those_of_scikit_image(rng):
    labels = cells(rng)
    found = connected_once(measure_profiles(labels, (20.0, 20.0)))
    theirs = {region.label: region for region in regionprops(labels)}
    assert len(found) > 40
    for row in found.itertuples():
        region = theirs[row.label]
        assert row.pixel_count == region.area
        assert row.equivalent_diameter_nm == pytest.approx(20 * region.equivalent_diameter_area)
        assert row.perimeter_nm == pytest.approx(20 * region.perimeter_crofton)
        # Theirs are moments of points, ours of pixels, which have a width.
        minor, major = region.axis_minor_length, region.axis_major_length
        ratio = ((minor**2 + 16 / 12) / (major**2 + 16 / 12)) ** 0.5
        assert row.aspect_ratio == pytest.approx(ratio, rel=1e-6)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 1.0)])
def test_an_ellipse_has_its_perimeter_and_its_axes(spacing):
    y, x = np.mgrid[:201, :301]
    y, x = (y - 100) * spacing[0], (x - 150) * spacing[1]
    profiles = measure_profiles((x / 120) ** 2 + (y / 60) ** 2 <= 1, spacing)
    perimeter = 581.3  # Ramanujan: pi (3 (a + b) - sqrt((3 a + b) (a + 3 b))), to 1e-4
    assert profiles["aspect_ratio"].item() == pytest.approx(0.5, abs=0.005)
    # Four directions only: an ellipse along the axes of an unlike lattice errs by some percent.
    assert profiles["perimeter_nm"].item() == pytest.approx(perimeter, rel=0.05)
    assert profiles["equivalent_diameter_nm"].item() == pytest.approx(2 * 7200**0.5, rel=0.01)


def test_weights_make_up_for_what_the_window_cuts(rng):
    """Discs of two sizes thrown at random: the small ones are seen whole too often."""
    seen = np.zeros(2)
    for _ in range(60):
        labels = np.zeros((60, 60), int)
        y, x = np.mgrid[:60, :60]
        for kind, radius in enumerate((4, 10)):
            middle = rng.uniform(-20, 80, 2)
            labels[(y - middle[0]) ** 2 + (x - middle[1]) ** 2 < radius**2] = kind + 1
        if labels.any():
            profiles = measure_profiles(labels, (1.0, 1.0))
            whole = profiles[~profiles["touches_window"]]
            large = whole["equivalent_diameter_nm"].to_numpy() > 12
            for kind in (0, 1):
                seen[kind] += whole["edge_weight"].to_numpy()[large == kind].sum()
    # 100 x 100 places of a middle, of which the window has 60 x 60: 21.6 of 60 each; the cap
    # of pixels at the corner of a box adds a little.
    assert seen == pytest.approx([21.6, 21.6], rel=0.35)


def test_a_grain_that_a_section_cuts_twice_has_two_profiles():
    labels = np.zeros((20, 20), int)
    labels[2:8, 2:8] = labels[12:18, 12:18] = 7
    profiles = measure_profiles(labels, (1.0, 1.0))
    assert profiles["label"].tolist() == [7, 7]
    assert profiles["pixel_count"].tolist() == [36, 36]
    assert measure_profiles(labels, (1.0, 1.0), least_pixels=37).empty


@pytest.mark.parametrize("labels", [np.ones((2, 3, 4), int), np.zeros((5, 5), int)])
def test_what_is_no_section_is_refused(labels):
    with pytest.raises(InputError, match="plane of labels"):
        measure_profiles(labels, (1.0, 1.0))
