"""Expected integers and areas were computed independently, by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.morphology import convex_hull_image

from electrode_grains.errors import InputError
from electrode_grains.morphometry import (
    characterize_grains,
    direction_fractions,
    hull_voxel_count,
    measure_contacts,
    summarize_particle,
    transition_areas,
)
from electrode_grains.morphometry.crofton import DIRECTIONS
from electrode_grains.phantom import ball
from proofs import agree, proves, record

CUBIC = (1.0, 1.0, 1.0)
small_labels = hnp.arrays(
    np.int64, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 4)
)
spacings = st.tuples(*[st.floats(0.5, 4)] * 3)


def by_direction(values):
    return dict(zip(DIRECTIONS, values, strict=True))


# --- weights ---------------------------------------------------------------------------------


def test_cubic_weights_are_the_voronoi_areas_of_the_cube():
    fractions = by_direction(direction_fractions(CUBIC))
    assert fractions[0, 0, 1] == pytest.approx(0.0457778912, abs=1e-10)
    assert fractions[0, 1, 1] == pytest.approx(0.0369806279, abs=1e-10)
    assert fractions[1, 1, 1] == pytest.approx(0.0351956398, abs=1e-10)
    assert 2 * sum(fractions.values()) == pytest.approx(1, abs=1e-12)


def test_anisotropic_weights():
    fractions = by_direction(direction_fractions((2.0, 1.0, 1.0)))
    assert fractions[1, 0, 0] == pytest.approx(0.01673993, abs=1e-8)
    assert fractions[0, 0, 1] == pytest.approx(0.06266989, abs=1e-8)
    assert fractions[1, 0, 1] == pytest.approx(0.02513460, abs=1e-8)
    assert fractions[0, 1, 1] == pytest.approx(0.05628997, abs=1e-8)
    assert fractions[1, 1, 1] == pytest.approx(0.03620049, abs=1e-8)


def test_areas_of_one_transition():
    areas = by_direction(transition_areas(CUBIC))
    assert areas[0, 0, 1] == pytest.approx(0.183111565, abs=1e-9)
    assert areas[0, 1, -1] == pytest.approx(0.104597011, abs=1e-9)
    assert areas[1, -1, 1] == pytest.approx(0.0812808484, abs=1e-10)


# --- surfaces --------------------------------------------------------------------------------


@proves(
    "grain_table",
    "surface_area_nm2",
    oracle="closed form",
    by="4 π r² of spheres of 3 to 10 voxels radius",
)
@pytest.mark.parametrize(("radius", "error"), [(3, 0.075), (4, -0.039), (5, 0.0065), (10, 0.0047)])
def test_surface_of_centred_balls(radius, error):
    size = 2 * radius + 3
    body = ball((size,) * 3, (radius + 1,) * 3, radius).astype(int)
    surface = characterize_grains(body, CUBIC).loc[0, "surface_area_nm2"]
    assert surface / (4 * np.pi * radius**2) - 1 == pytest.approx(error, abs=6e-4)
    record("surface_area_nm2", abs(error))


@proves("grain_table", "sphericity", oracle="closed form", by="Crofton weights of a cube")
@pytest.mark.parametrize(
    ("size", "sphericity"), [(5, 0.978), (10, 0.922), (20, 0.895), (40, 0.883)]
)
def test_sphericity_of_cubes(size, sphericity):
    cube = np.pad(np.ones((size,) * 3, int), 1)
    row = characterize_grains(cube, CUBIC).loc[0]
    agree("sphericity", row["sphericity"], sphericity, abs=6e-4)
    closed = (36 * np.pi * size**6) ** (1 / 3) / row["surface_area_nm2"]
    assert row["sphericity"] == pytest.approx(closed, rel=1e-12)


def test_a_single_voxel_is_rounder_than_a_ball_and_said_so():
    row = characterize_grains(np.ones((1, 1, 1), int), CUBIC).loc[0]
    assert row["surface_area_nm2"] == pytest.approx(3.004, abs=1e-3)
    assert row["sphericity"] == pytest.approx(1.610, abs=1e-3)
    assert row["convexity"] == 1
    assert np.isnan(row["elongation"])
    assert row["degenerate_reason"] == "one voxel"


IMAGE = np.array(
    [
        [[1, 1, 2], [1, 2, 2], [3, 3, 2]],
        [[1, 1, 2], [1, 0, 2], [3, 3, 3]],
        [[4, 1, 2], [4, 4, 0], [3, 3, 0]],
    ]
)


def brute_force_surface(body, spacing):
    padded, total = np.pad(body, 1), 0.0
    for direction, area in zip(DIRECTIONS, transition_areas(spacing), strict=True):
        total += area * (padded != np.roll(padded, direction, axis=(0, 1, 2))).sum()
    return total


def test_areas_of_a_small_image():
    grains = characterize_grains(IMAGE, CUBIC).set_index("label")["surface_area_nm2"]
    expected = {1: 16.1467338741, 2: 16.8380803973, 3: 16.8436129865, 4: 8.0706006425}
    pairs = {
        (1, 2): 2.1820543165,
        (1, 3): 1.1330507297,
        (1, 4): 1.5225900219,
        (2, 3): 1.7664325672,
        (2, 4): 0.2904748704,
        (3, 4): 1.0284537188,
    }
    contacts = measure_contacts(IMAGE, CUBIC).set_index(["label_a", "label_b"])
    for pair, area in pairs.items():
        assert contacts.loc[pair, "interface_area_nm2"] == pytest.approx(area, abs=1e-9)
    for label, area in expected.items():
        assert grains[label] == pytest.approx(area, abs=1e-9)
    assert summarize_particle(IMAGE, CUBIC)["boundary_area_um2"] == pytest.approx(
        7.9230562245e-6, rel=1e-9
    )
    assert summarize_particle(IMAGE, (2, 1, 1))["boundary_area_um2"] == pytest.approx(
        14.9676276393e-6, rel=1e-9
    )


@proves(
    "contact_table",
    "interface_area_nm2",
    oracle="high precision",
    by="unions of eq. 25, pair by pair",
)
@proves("grain_table", "surface_area_nm2", oracle="high precision", by="transitions, one by one")
@settings(deadline=None, max_examples=30)
@given(labels=small_labels, spacing=spacings)
def test_one_pass_equals_the_unions_of_equation_25(labels, spacing):
    grains = characterize_grains(labels, spacing).set_index("label")["surface_area_nm2"]
    contacts = measure_contacts(labels, spacing)
    for a, b, area in contacts[["label_a", "label_b", "interface_area_nm2"]].to_numpy():
        if a == 0:
            continue
        union = brute_force_surface((labels == a) | (labels == b), spacing)
        expected = (grains[a] + grains[b] - union) / 2
        assert area == pytest.approx(expected, abs=1e-9 * union)
        agree("interface_area_nm2", area, expected, rel=1e-6)
    for label, area in grains.items():
        agree("surface_area_nm2", area, brute_force_surface(labels == label, spacing), rel=1e-9)


def test_what_lies_on_the_window_is_not_surface_of_the_particle():
    labels = np.zeros((10, 10, 10), int)
    labels[:5] = 1
    contacts = measure_contacts(labels, CUBIC)
    free = contacts.loc[0, "interface_area_nm2"] - contacts.loc[0, "touches_window_nm2"]
    # A plane of 100 faces; every face has 1 + 4 + 4 transitions, fewer at the rim.
    areas = by_direction(transition_areas(CUBIC))
    inner = 100 * areas[1, 0, 0] + 4 * 90 * areas[1, 0, 1] + 4 * 81 * areas[1, 1, 1]
    assert free == pytest.approx(inner, rel=1e-9)


# --- hulls -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("radius", "count"), [(1, 7), (2, 33), (3, 123), (5, 515), (10, 4169)])
def test_a_digital_ball_is_its_own_hull(radius, count):
    body = ball((2 * radius + 1,) * 3, (radius,) * 3, radius)
    assert hull_voxel_count(np.argwhere(body)) == body.sum() == count


PLUS = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
STEP = np.argwhere(np.ones((4, 4, 4)))
STEP = STEP[~((STEP[:, 0] >= 2) & (STEP[:, 1] >= 2))]
HOLLOW = np.argwhere(np.pad(np.zeros((2, 2, 2)), 2, constant_values=1))
WALL = np.argwhere(np.ones((5, 5, 5)))
WALL = WALL[(WALL[:, 0] == 0) | (WALL[:, 1] == 0)]


@pytest.mark.parametrize(
    ("points", "count"),
    [
        ([(3, 3, 3)], 1),
        ([(0, 0, i) for i in range(7)], 7),
        ([(i, i, i) for i in range(5)], 5),
        ([(0, 0, 0), (0, 0, 6)], 7),
        ([(0, 0, 0), (6, 3, 0)], 4),
        ([(0, 0, 0), (2, 1, 0)], 2),
        ([(0, y, x) for y in range(5) for x in range(5)], 25),
        ([(0, 0, x) for x in range(5)] + [(0, y, 0) for y in range(5)], 15),
        (WALL, 75),
        (STEP, 52),
        (HOLLOW, 216),
        (PLUS, 7),
        ([(0, 0, 0), (3, 0, 0), (0, 3, 0), (0, 0, 3)], 20),
        ([], 0),
    ],
)
def test_hulls_of_known_sets(points, count):
    assert hull_voxel_count(points) == count


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(5, 40), size=st.integers(3, 12))
def test_hulls_equal_those_of_scikit_image_without_offset(seed, count, size):
    points = np.random.default_rng(seed).integers(0, size, (count, 3))
    if np.linalg.matrix_rank(points[1:] - points[0]) < 3:
        return  # where scikit-image returns an empty image
    image = np.zeros((size,) * 3, bool)
    image[tuple(points.T)] = True
    hull = convex_hull_image(image, offset_coordinates=False)
    assert hull_voxel_count(points) == hull.sum()


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 12),
    rank=st.integers(0, 2),
    k=st.integers(1, 3),
)
def test_flat_hulls_equal_a_direct_count(seed, count, rank, k):
    rng = np.random.default_rng(seed)
    span = rng.integers(-k, k + 1, (rank, 3))
    points = rng.integers(-3, 4, (count, rank)) @ span
    offsets = points - points[0]
    grid = np.stack(np.meshgrid(*[np.arange(-9 * k, 9 * k + 1)] * 3), axis=-1).reshape(-1, 3)
    near = grid[((grid >= points.min(0)) & (grid <= points.max(0))).all(axis=1)]
    from scipy.optimize import linprog

    inside = sum(
        linprog(
            np.zeros(count),
            A_eq=np.vstack([points.T, np.ones(count)]),
            b_eq=[*place, 1],
            method="highs",
        ).status
        == 0
        for place in near[:400]
    )
    if len(near) <= 400 and np.linalg.matrix_rank(offsets) <= 2:
        assert hull_voxel_count(points) == inside


# --- table -----------------------------------------------------------------------------------


def test_orientation_of_rods():
    labels = np.zeros((9, 9, 9), int)
    labels[1, 1, 1:6] = 1
    labels[3, 1:6, 1] = 2
    labels[4:9, 8, 8] = 3
    for i in range(4):
        labels[6, 1 + i, 5 - i] = 4  # x falls while y rises
    table = characterize_grains(labels, CUBIC).set_index("label")
    angles = table[["azimuthal_angle", "polar_angle"]]
    assert angles.loc[1].tolist() == pytest.approx([0, np.pi / 2])
    assert angles.loc[2].tolist() == pytest.approx([np.pi / 2, np.pi / 2])
    assert angles.loc[3].tolist() == pytest.approx([0, 0])
    assert angles.loc[4].tolist() == pytest.approx([-np.pi / 4, np.pi / 2])
    assert (table["elongation"] == 0).all()
    assert set(table["degenerate_reason"]) == {"voxels on a line"}


def test_anisotropic_voxels_of_a_ball_in_space_make_a_ball():
    body = ball((21, 41, 41), (1000, 1000, 1000), 800, (100, 50, 50)).astype(int)
    row = characterize_grains(body, (100, 50, 50)).loc[0]
    assert row["equivalent_diameter_nm"] == pytest.approx(1600, rel=0.005)
    assert row["sphericity"] == pytest.approx(1, abs=0.02)
    assert row["elongation"] == pytest.approx(1, abs=0.01)
    assert row["convexity"] == 1
    assert row["half_axis_long_nm"] == pytest.approx(800, rel=0.01)


def test_labels_may_have_gaps_and_any_integer_dtype():
    for dtype in (np.uint8, np.int32, np.uint64):
        labels = np.zeros((4, 4, 4), dtype)
        labels[1:3, 1:3, 1:3] = np.iinfo(dtype).max
        table = characterize_grains(labels, CUBIC)
        assert table["label"].tolist() == [np.iinfo(dtype).max]
        assert table["voxel_count"].tolist() == [8]
        assert not table["touches_window"].any()


def test_memory_order_and_strides_do_not_matter():
    labels = np.random.default_rng(0).integers(0, 5, (8, 9, 10))
    expected = characterize_grains(labels, (3, 2, 1))
    wide = np.zeros((16, 9, 20), np.int64)
    wide[::2, :, ::2] = labels
    for other in (np.asfortranarray(labels), wide[::2, :, ::2]):
        assert characterize_grains(other, (3, 2, 1)).equals(expected)


def test_empty_volumes_have_no_grains():
    table = characterize_grains(np.zeros((3, 3, 3), int), CUBIC)
    assert len(table) == 0
    assert (
        summarize_particle(np.zeros((3, 3, 3), int), CUBIC)["specific_surface_area_per_um"] is None
    )


DESCRIPTORS = ["volume_nm3", "surface_area_nm2", "sphericity", "convexity", "elongation"]


@settings(deadline=None, max_examples=30)
@given(labels=small_labels, axes=st.permutations([0, 1, 2]), seed=st.integers(0, 99))
def test_turning_the_axes_and_renaming_grains_changes_no_shape(labels, axes, seed):
    spacing = (1.0, 2.0, 3.0)
    names = np.concatenate([[0], np.random.default_rng(seed).permutation(4) + 10])
    before = characterize_grains(labels, spacing)
    after = characterize_grains(
        names[labels].transpose(axes), tuple(spacing[axis] for axis in axes)
    )
    after["label"] = [int(np.flatnonzero(names == label)[0]) for label in after["label"]]
    after = after.sort_values("label")
    np.testing.assert_allclose(before[DESCRIPTORS], after[DESCRIPTORS], rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(labels=small_labels, factor=st.floats(0.1, 100))
def test_descriptors_scale_with_the_unit_of_length(labels, factor):
    small = characterize_grains(labels, CUBIC)
    large = characterize_grains(labels, (factor, factor, factor))
    np.testing.assert_allclose(large["surface_area_nm2"], small["surface_area_nm2"] * factor**2)
    np.testing.assert_allclose(large["sphericity"], small["sphericity"])
    np.testing.assert_allclose(large["elongation"], small["elongation"], atol=1e-7)


@pytest.mark.parametrize(
    ("labels", "spacing", "says"),
    [
        (np.zeros((2, 2)), CUBIC, r"\(2, 2\)"),
        (np.zeros((2, 2, 2)), CUBIC, "float64"),
        (np.full((2, 2, 2), -3), CUBIC, "label -3"),
        (np.ones((2, 2, 2), int), (1, 0, 1), "0.0"),
    ],
)
def test_impossible_input_is_refused(labels, spacing, says):
    with pytest.raises(InputError, match=says):
        characterize_grains(labels, spacing)
