import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from orix.quaternion import Orientation, symmetry

from electrode_grains.crystal import laue_group_of_tsl_symmetry
from electrode_grains.ebsd import orientations as crystals
from electrode_grains.ebsd.annotation import annotate_from_orientations
from electrode_grains.errors import SettingsError

ORIX = {"-3m": symmetry.D3d, "m-3m": symmetry.Oh, "6/mmm": symmetry.D6h, "mmm": symmetry.D2h}
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, count: int = 20):
    return crystals.random_orientations(count, np.random.default_rng(seed))


@pytest.mark.parametrize("laue", ORIX)
def test_misorientations_equal_those_of_orix(laue):
    first, second = drawn(1, 300), drawn(2, 300)
    theirs = Orientation(first, symmetry=ORIX[laue]).angle_with(
        Orientation(second, symmetry=ORIX[laue])
    )
    np.testing.assert_allclose(
        crystals.misorientation_angle(first, second, laue), theirs, atol=1e-12
    )


def test_bunge_angles_mean_what_orix_means():
    euler = np.random.default_rng(3).uniform(0, 1, (50, 3)) * [2 * np.pi, np.pi, 2 * np.pi]
    theirs = Orientation.from_euler(euler).data
    ours = crystals.quaternions_from_euler(euler)
    np.testing.assert_allclose(np.abs((ours * theirs).sum(axis=-1)), 1, atol=1e-12)
    np.testing.assert_allclose(crystals.euler_from_quaternions(ours), euler, atol=1e-9)


@given(seed=seeds, laue=st.sampled_from(sorted(ORIX)))
def test_equivalent_orientations_have_no_misorientation_and_one_representative(seed, laue):
    given_ = drawn(seed, 1)[0]
    equivalent = crystals.multiply(crystals.laue_group(laue), given_)
    assert crystals.misorientation_angle(equivalent, given_, laue).max() < 1e-7
    reduced = crystals.reduce_to_fundamental_zone(equivalent, laue)
    assert np.ptp(reduced[:, 0]) < 1e-9


@given(seed=seeds, laue=st.sampled_from(sorted(ORIX)))
def test_misorientation_is_symmetric_and_blind_to_the_sample_frame(seed, laue):
    first, second, frame = drawn(seed, 3)
    angle = crystals.misorientation_angle(first, second, laue)
    assert crystals.misorientation_angle(second, first, laue) == pytest.approx(angle, abs=1e-9)
    turned = crystals.misorientation_angle(
        crystals.multiply(first, frame), crystals.multiply(second, frame), laue
    )
    assert turned == pytest.approx(angle, abs=1e-6)


@given(seed=seeds)
def test_equivalent_orientations_have_one_colour(seed):
    orientation = drawn(seed, 1)[0]
    for laue in ("-3m", "m-3m"):
        equivalent = crystals.multiply(crystals.laue_group(laue), orientation)
        colors = crystals.ipf_colors(equivalent, laue)
        np.testing.assert_allclose(colors, np.broadcast_to(colors[0], colors.shape), atol=1e-6)


@given(seed=seeds, laue=st.sampled_from(sorted(ORIX)))
def test_opposite_directions_have_one_colour(seed, laue):
    orientation = drawn(seed, 1)[0]
    up, down = (crystals.ipf_colors(orientation, laue, (0, 0, z)) for z in (1, -1))
    np.testing.assert_allclose(up, down, atol=1e-12)
    np.testing.assert_array_equal(crystals.ipf_colors(orientation, laue), up)


@pytest.mark.parametrize("laue", ORIX)
def test_colours_know_the_mirrors_of_their_laue_group_and_no_others(laue):
    rng = np.random.default_rng(8)
    identity = np.array([1.0, 0, 0, 0])
    directions = rng.standard_normal((40, 3))
    mirrored = [direction * [-1, 1, 1] for direction in directions]
    rotated = [direction * [-1, -1, 1] for direction in directions]
    colour = [crystals.ipf_colors(identity, laue, d) for d in directions]
    # The mirror across the twofold axis x is in all four groups, the one across z not in -3m.
    np.testing.assert_allclose([crystals.ipf_colors(identity, laue, d) for d in mirrored], colour)
    turned = np.array([crystals.ipf_colors(identity, laue, d) for d in rotated])
    assert np.allclose(turned, colour) == (laue != "-3m")


def test_cubic_colours_are_pure_at_the_corners():
    identity = [1.0, 0, 0, 0]
    corners = {(0, 0, 1): [1, 0, 0], (0, 1, 1): [0, 1, 0], (1, 1, 1): [0, 0, 1]}
    for direction, colour in corners.items():
        np.testing.assert_allclose(
            crystals.ipf_colors(identity, "m-3m", direction), colour, atol=1e-7
        )


def test_the_mean_of_a_grain_survives_wrong_indexing():
    rng = np.random.default_rng(5)
    true = drawn(6, 1)[0]
    noise = rng.standard_normal((200, 3)) * 0.005
    small = np.column_stack([np.ones(200), noise])
    grain = crystals.multiply(small / np.linalg.norm(small, axis=1, keepdims=True), true)
    grain = crystals.multiply(crystals.laue_group("-3m")[rng.integers(0, 6, 200)], grain)
    grain[:60] = drawn(7, 60)
    mean = crystals.mean_orientation(grain, "-3m")
    assert np.degrees(crystals.misorientation_angle(mean, true, "-3m")) < 0.3


def test_nothing_to_average_is_not_a_number():
    mean = crystals.mean_orientation(np.full((3, 4), np.nan), "-3m")
    np.testing.assert_array_equal(mean, np.full(4, np.nan))


def test_neighbours_and_kernel_average_on_two_crystals():
    tilt = np.array([np.cos(0.2), np.sin(0.2), 0, 0])  # 0.4 rad about x
    field = np.zeros((1, 2, 4, 4))
    field[..., :2, 0] = 1
    field[:, :, 2:] = tilt
    apart = crystals.neighbour_misorientation(field, "-3m")
    np.testing.assert_allclose(apart[0, 0], [0, 0.4, 0.4, 0], atol=1e-6)
    assert crystals.kernel_average_misorientation(field, "-3m").max() < 1e-6


@pytest.mark.parametrize(("degrees", "one_grain"), [(4.9, True), (5.5, False)])
def test_five_degrees_divide_grains_unless_told_otherwise(degrees, one_grain):
    half = np.radians(degrees) / 2
    field = np.array([[[1.0, 0, 0, 0], [np.cos(half), np.sin(half), 0, 0]]])
    told = crystals.kernel_average_misorientation(field, "-3m")
    expected = np.radians(degrees) if one_grain else np.nan
    np.testing.assert_allclose(told, np.full((1, 2), expected), rtol=1e-6)


def test_small_holes_are_filled_and_large_ones_are_background():
    field = np.zeros((12, 12, 4))
    field[..., 0] = 1
    indexed = np.ones((12, 12), bool)
    indexed[1, 1] = False
    indexed[4:, 4:] = False
    classes = annotate_from_orientations(field, indexed, "-3m", 0.1)
    assert classes[1, 1] == 2
    assert (classes[4:, 4:] == 3).all()


@pytest.mark.parametrize(("size", "filled"), [(25, True), (26, False)])
def test_holes_of_25_points_are_filled_unless_told_otherwise(size, filled):
    field = np.zeros((9, 9, 4))
    field[..., 0] = 1
    indexed = np.ones(81, bool)
    indexed[9 : 9 + size] = False
    classes = annotate_from_orientations(field, indexed.reshape(9, 9), "-3m", 0.1)
    assert ((classes.ravel()[9 : 9 + size] == 2) == filled).all()


def test_a_slice_without_any_orientation_is_background():
    field = np.full((2, 3, 4), np.nan)
    classes = annotate_from_orientations(field, np.zeros((2, 3), bool), "-3m", 0.1)
    assert (classes == 3).all()


def test_unknown_symmetries_are_refused():
    with pytest.raises(SettingsError, match="m-3x"):
        crystals.laue_group("m-3x")
    with pytest.raises(SettingsError, match="99"):
        laue_group_of_tsl_symmetry(99)
