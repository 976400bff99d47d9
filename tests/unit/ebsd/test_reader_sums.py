"""What readers compute, against loops and other libraries that follow the definition."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from electrode_grains.ebsd.depths import depths_of_names
from electrode_grains.ebsd.grid import hexagonal_to_square
from electrode_grains.ebsd.orientations import (
    conjugate,
    ipf_colors,
    kernel_average_misorientation,
    mean_orientation,
    misorientation_angle,
    multiply,
    neighbour_misorientation,
    radial_orientations,
)
from electrode_grains.ebsd.proposal import slice_information
from electrode_grains.ebsd.pseudo_cube import PseudoSymmetry, counts_as_one
from electrode_grains.ebsd.settings import OrientationAnnotationSettings
from electrode_grains.ebsd.uniformity import Kind, describe_cut
from electrode_grains.errors import InputError

RNG = np.random.default_rng(11)


def test_the_entropy_of_a_prediction_is_in_nats_a_point():
    even = np.full((3, 2, 4, 5), 1 / 3)
    np.testing.assert_allclose(slice_information(np.zeros((2, 4, 5)), even), np.log(3))
    sure = np.zeros((2, 1, 1, 2))
    sure[0, 0, 0, 0] = 1.0
    sure[:, 0, 0, 1] = 0.5
    np.testing.assert_allclose(slice_information(np.zeros((1, 1, 2)), sure), np.log(2) / 2)


def test_information_is_the_closing_less_the_image_over_the_interquartile_range():
    stack = RNG.normal(size=(3, 17, 19)) * 7
    stack[1, 4:6, 3] = np.nan
    known = np.isfinite(stack)
    low, middle, high = np.percentile(stack[known], [25, 50, 75])
    expected = []
    for plane, there in zip(np.where(known, stack, middle), known, strict=True):
        smooth = ndimage.gaussian_filter(plane, 0.7)
        wide = ndimage.maximum_filter(smooth, 5)
        darker = ndimage.minimum_filter(wide, 5) - smooth
        expected.append(darker[there].sum() / plane.size / (high - low))
    np.testing.assert_allclose(slice_information(stack), expected)
    flat = np.ones((1, 9, 9))
    flat[0, 4, 4] = 0.0  # the quartiles are equal: grey values as they are
    smooth = ndimage.gaussian_filter(flat[0], 0.7)
    closed = ndimage.minimum_filter(ndimage.maximum_filter(smooth, 5), 5)
    np.testing.assert_allclose(slice_information(flat), (closed - smooth).sum() / 81)


def hexagonal(rows=4, columns=5, odd=False):
    """Points of rows that are shifted by half a step in turn."""
    points = [
        ((column + 0.5 * ((row + odd) % 2)) * 0.1, row * 0.1 * np.sqrt(3) / 2)
        for row in range(rows)
        for column in range(columns)
    ]
    return np.array(points).T


@pytest.mark.parametrize("odd", [False, True])
def test_square_points_take_the_nearest_of_a_hexagonal_grid(odd):
    x, y = hexagonal(odd=odd)
    source, sx, sy = hexagonal_to_square(x, y, "a.ang")
    assert sx.min() == sy.min() == 0
    assert np.unique(sx).size * np.unique(sy).size == source.size
    np.testing.assert_allclose(np.diff(np.unique(sx)), 0.1)
    np.testing.assert_allclose(np.unique(sy), [0.0, 0.1, 0.2])  # of 0.26
    np.testing.assert_allclose(np.unique(sx), [0.0, 0.1, 0.2, 0.3, 0.4])  # of 0.45
    distance = np.hypot(sx[:, None] - (x - x.min()), sy[:, None] - y)
    np.testing.assert_allclose(distance[np.arange(source.size), source], distance.min(axis=1))


def test_the_first_place_where_a_hexagonal_to_square_lacks_a_point_is_named():
    x, y = hexagonal()
    kept = ~np.isin(np.arange(20), [7, 13])
    with pytest.raises(InputError, match="complete hexagonal grid") as refusal:
        hexagonal_to_square(x[kept], y[kept], "a.ang")
    assert refusal.value.found == "0 points at row 2, half-step 6"
    twice = np.r_[np.arange(20), 12]
    with pytest.raises(InputError) as refusal:
        hexagonal_to_square(x[twice], y[twice], "a.ang")
    assert refusal.value.found == "2 points at row 3, half-step 5"


def test_the_mean_of_scattered_orientations_is_that_of_scipy():
    center = Rotation.from_euler("zxz", [0.4, 0.7, 1.1])
    scatter = Rotation.from_rotvec(RNG.normal(0, 0.03, (90, 3)))
    group = Rotation.create_group("D3")
    weights = RNG.uniform(0.1, 1, 90)
    scattered = center * scatter
    equivalent = group[RNG.integers(0, 6, 90)] * scattered
    given = equivalent.as_quat(scalar_first=True)
    lost = np.vstack([given, [[np.nan] * 4], Rotation.random(5, rng=RNG).as_quat()])
    trust = np.r_[weights, 1.0, [0.0, np.nan, -1.0, 0.0, 0.0]]
    expected = scattered.mean(weights).as_quat(scalar_first=True)
    found = mean_orientation(lost, "-3m", trust)
    assert misorientation_angle(found, expected, "-3m") < 1e-6
    plain = mean_orientation(given, "-3m")
    assert misorientation_angle(plain, scattered.mean().as_quat(scalar_first=True), "-3m") < 1e-6
    assert np.isnan(mean_orientation(given, "-3m", np.zeros(90))).all()


def test_points_that_are_indexed_wrong_do_not_move_the_mean():
    center = Rotation.from_euler("zxz", [0.4, 0.7, 1.1])
    right = (center * Rotation.from_rotvec(RNG.normal(0, 0.01, (60, 3)))).as_quat(scalar_first=True)
    wrong = Rotation.random(39, rng=RNG).as_quat(scalar_first=True)
    alone = mean_orientation(right, "-1")
    mixed = mean_orientation(np.vstack([wrong, right]), "-1")
    assert misorientation_angle(alone, mixed, "-1") < 1e-3


def test_neighbours_beyond_the_threshold_and_without_orientation_do_not_count():
    turns = np.radians([0.0, 1.0, 3.0, 40.0, np.nan, 41.0])
    field = Rotation.from_rotvec(np.nan_to_num(turns)[:, None] * [0, 0, 1.0])
    values = field.as_quat(scalar_first=True)
    values[4] = np.nan
    found = np.degrees(kernel_average_misorientation(values[None], "-1"))[0]
    np.testing.assert_allclose(found[:3], [1.0, 1.5, 2.0], rtol=1e-4)
    assert np.isnan(found[3:]).all()
    largest = np.degrees(neighbour_misorientation(values[None], "-1"))[0]
    np.testing.assert_allclose(largest, [1.0, 2.0, 37.0, 37.0, np.nan, 0.0], rtol=1e-4)
    column = np.degrees(neighbour_misorientation(values[:, None, None], "-1")).ravel()
    np.testing.assert_allclose(column, largest, rtol=1e-6)


@pytest.mark.parametrize(
    ("laue", "axis", "colour"),
    [
        ("m-3m", (0, 0, 1), (1, 0, 0)), ("m-3m", (0, 1, 1), (0, 1, 0)),
        ("m-3m", (1, 1, 1), (0, 0, 1)), ("m-3", (1, 0, 0), (1, 0, 0)),
        ("6/mmm", (0, 0, 1), (1, 0, 0)), ("-3m", (0, 0, 1), (1, 0, 0)),
        ("4/mmm", (0, 0, -1), (1, 0, 0)), ("mmm", (0, 0, 1), (1, 0, 0)),
        ("2/m", (0, 0, 1), (1, 0, 0)), ("-1", (0, 0, 1), (1, 0, 0)),
    ],
)  # fmt: skip
def test_the_corners_of_a_pole_figure_have_pure_colours(laue, axis, colour):
    identity = [1.0, 0.0, 0.0, 0.0]
    found = ipf_colors(identity, laue, axis)
    np.testing.assert_allclose(found, colour, atol=1e-9)
    np.testing.assert_allclose(ipf_colors(identity, laue, 5 * np.array(axis)), found, atol=1e-12)
    assert not ipf_colors([np.nan] * 4, laue, axis).any()


@pytest.mark.parametrize(
    ("laue", "sector"), [("6/mmm", 60), ("4/mmm", 90), ("-3m", 120), ("mmm", 180)]
)
def test_azimuths_repeat_after_a_sector_with_a_mirror_in_its_middle(laue, sector):
    azimuth = np.radians(np.arange(0, 360, 7.0) + 1)

    def colours(angles):
        poles = np.column_stack([np.cos(angles), np.sin(angles), 0 * angles + 0.6])
        return np.array([ipf_colors([1.0, 0, 0, 0], laue, pole) for pole in poles])

    found = colours(azimuth)
    np.testing.assert_allclose(colours(azimuth + np.radians(sector)), found, atol=1e-9)
    np.testing.assert_allclose(colours(np.pi - azimuth), found, atol=1e-9)
    assert np.ptp(found[:, 1]) > 0.5


@pytest.mark.parametrize("length", [1e-6, 1.0, 1e6])
def test_the_c_axis_lies_along_radii_of_any_length(length):
    radii = RNG.normal(size=(50, 3)) * length
    found = radial_orientations(radii, 1.0, np.random.default_rng(2))
    z = np.zeros((50, 4))
    z[:, 3] = 1.0
    c_axis = multiply(multiply(conjugate(found), z), found)[:, 1:]
    cosine = np.abs((c_axis * radii).sum(axis=1)) / np.linalg.norm(radii, axis=1)
    np.testing.assert_allclose(cosine, 1.0, atol=1e-9)


@pytest.mark.parametrize("found", [None, False, True])
def test_variants_count_as_one_as_chosen_or_as_found(found):
    finding = None if found is None else PseudoSymmetry(1.0, 0.0, found, "")
    assert counts_as_one(finding, "on")
    assert not counts_as_one(finding, "off")
    assert counts_as_one(finding, "auto") == bool(found)


def test_a_depth_that_is_no_number_is_told_as_the_pattern_caught_it():
    depths, (issue,) = depths_of_names(["slice_z=1.2.3um"], r"z=([\d.]+)")
    assert depths == {}
    assert issue.found == "'1.2.3'"


@pytest.mark.parametrize(("rows", "is_cut"), [(9, False), (10, True), (40, True), (41, False)])
def test_slices_of_half_to_twice_the_usual_size_are_of_one_area(rows, is_cut):
    usual = Kind((20, 30), (50.0, 50.0), (), (), "same")
    kinds = {"a": usual, "b": usual, "c": usual._replace(shape=(rows, 30))}
    cut, note = describe_cut(kinds)
    assert (cut["c"].shape == (20, 30)) == is_cut
    assert bool(note) == is_cut


def test_orientations_label_as_many_slices_as_the_paper_labels_by_hand():
    assert OrientationAnnotationSettings().slice_count == 4
