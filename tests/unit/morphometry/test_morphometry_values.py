"""Exact counts and moments of point sets that have a formula of their own."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.errors import InputError
from electrode_grains.morphometry import (
    characterize_grains,
    hull_voxel_count,
    measure_contacts,
    measure_volume,
    summarize_particle,
    thin_by_weight,
)
from electrode_grains.morphometry.block_statistics import check_place
from electrode_grains.morphometry.crofton import DIRECTIONS, FACE_CLASSES, NEIGHBOUR_CLASSES
from electrode_grains.morphometry.ellipsoids import describe_ellipsoids
from electrode_grains.morphometry.radial_position import join_reasons
from electrode_grains.morphometry.resolution import BIAS, DIAMETERS, SPREAD, voxelization_error
from electrode_grains.morphometry.table import tabulate_contacts, tabulate_grains
from proofs import agree, proves

# --- hulls -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([3, 12, 400]))
def test_lattice_points_of_a_triangle_in_space_follow_from_the_theorem_of_pick(seed, size):
    a, b, c = np.random.default_rng(seed).integers(-size, size, (3, 3))
    area = np.gcd.reduce(np.cross(b - a, c - a))  # twice it, in cells of the lattice of its plane
    rim = sum(np.gcd.reduce(v - u) for u, v in ((a, b), (b, c), (c, a)))
    if area > 0:
        assert hull_voxel_count([a, b, c]) == (area + rim) // 2 + 1


@pytest.mark.parametrize("start", [(0, 0, 0), (2, 3, 5)])
@pytest.mark.parametrize(
    "step", [(0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 2, -2), (3, 0, 3), (-1, 1, 0), (2, -4, 6)]
)
def test_lattice_points_of_a_line_are_one_more_than_the_gcd_of_its_steps(start, step):
    ends = np.array([np.array(start) + i * np.array(step) for i in (2, 0, 5, 1)])
    assert hull_voxel_count(ends) == 5 * np.gcd.reduce(step) + 1


@pytest.mark.parametrize("axes", list(combinations(range(3), 2)))
def test_rectangles_across_every_axis_are_filled(axes):
    ends = np.zeros((4, 3), int)
    ends[1, axes[0]] = ends[2, axes[0]] = 6
    ends[2, axes[1]] = ends[3, axes[1]] = 4
    assert hull_voxel_count(ends) == 35


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_box_turned_into_any_octant_holds_all_its_points(seed):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 9, 3)
    corners = np.array(np.meshgrid(*[(0, n) for n in size])).reshape(3, -1).T
    corners = rng.permutation(corners)[:, rng.permutation(3)] * rng.choice([-1, 1], 3)
    assert hull_voxel_count(corners) == np.prod(size + 1)


@settings(deadline=None, max_examples=40)
@given(edge=st.integers(1, 12), shear=st.tuples(*[st.integers(-3, 3)] * 3))
def test_a_sheared_tetrahedron_holds_as_many_points_as_before(edge, shear):
    # Shears by whole numbers map the lattice onto itself.
    matrix = np.array([[1, shear[0], shear[1]], [0, 1, shear[2]], [0, 0, 1]])
    corners = edge * np.vstack([np.zeros(3, int), np.eye(3, dtype=int)])
    expected = (edge + 1) * (edge + 2) * (edge + 3) // 6
    assert hull_voxel_count(corners @ matrix) == expected
    assert hull_voxel_count(corners @ matrix.T) == expected


# --- ellipsoids ------------------------------------------------------------------------------


def sums_of(points):
    """Voxels, first and second moments in whole numbers, and the bounding box."""
    points = [[int(value) for value in point] for point in points]
    z, y, x = zip(*points, strict=True)

    def total(*axes):
        return sum(int(np.prod([int(v) for v in pair])) for pair in zip(*axes, strict=True))

    row = [len(points), total(z), total(y), total(x)]
    row += [total(z, z), total(z, y), total(z, x), total(y, y), total(y, x), total(x, x)]
    return row, np.min(points, axis=0), np.max(points, axis=0) + 1


def described(sets, spacing):
    rows, lower, upper = zip(*map(sums_of, sets), strict=True)
    return describe_ellipsoids(np.array(rows), np.array(lower), np.array(upper), spacing)


@proves(
    "grain_table",
    "half_axis_short_nm",
    "half_axis_middle_nm",
    "half_axis_long_nm",
    "elongation",
    "flatness",
    "azimuthal_angle",
    "polar_angle",
    "degenerate_reason",
    oracle="high precision",
    by="eigenvalues of the covariance",
)
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    rank=st.integers(1, 3),
    size=st.sampled_from([2, 9, 3000]),
    offset=st.sampled_from([0, 10**6]),
)
def test_half_axes_and_direction_are_those_of_the_covariance(seed, rank, size, offset):
    rng = np.random.default_rng(seed)
    span = rng.integers(-2, 3, (rank, 3))
    points = offset + rng.integers(-size, size + 1, (25, rank)) @ span
    points = np.unique(points, axis=0)
    spacing = tuple(rng.uniform(0.5, 3, 3))

    found = {name: values[0] for name, values in described([points], spacing).items()}

    exact = points - points[0]  # the rank of the steps between points, from their whole numbers
    true_rank = np.linalg.matrix_rank(exact)
    kind = ["one voxel", "voxels on a line", "voxels in a plane", ""][true_rank]
    if true_rank == 0:
        assert found["degenerate_reason"] == kind
        return
    assert found["degenerate_reason"].removesuffix("no longest half-axis").rstrip("; ") == kind
    scaled = (exact * spacing)[:, ::-1]
    values, vectors = np.linalg.eigh(np.cov(scaled.T, bias=True))
    half_axes = np.sqrt(5 * np.maximum(values, 0))
    half_axes[: 3 - true_rank] = 0
    names = ("half_axis_short_nm", "half_axis_middle_nm", "half_axis_long_nm")
    for name, half_axis in zip(names, half_axes, strict=True):
        assert found[name] == pytest.approx(half_axis, rel=1e-7, abs=1e-7)
        agree(name, found[name] / half_axes[2], half_axis / half_axes[2], abs=2e-7)
    agree("elongation", found["elongation"], half_axes[0] / half_axes[2], abs=1e-7)
    if true_rank > 1:
        agree("flatness", found["flatness"], half_axes[0] / half_axes[1], abs=1e-7)
    else:
        assert np.isnan(found["flatness"])
    if half_axes[1] < 0.9 * half_axes[2]:
        azimuth, polar = found["azimuthal_angle"], found["polar_angle"]
        axis = [
            np.sin(polar) * np.cos(azimuth),
            np.sin(polar) * np.sin(azimuth),
            np.cos(polar),
        ]
        assert abs(axis @ vectors[:, 2]) == pytest.approx(1, abs=1e-9)
        assert 0 <= polar <= np.pi / 2
        assert -np.pi <= azimuth < np.pi


def test_moments_beyond_64_bits_lose_no_digit():
    step = 2**19
    corners = np.array([[0, 0, 0], [step, 1, 0], [0, step, 2], [3, 0, step]])
    points = np.concatenate([corners, corners + 1, corners + 5])
    flat = np.array([[0, 0, 0], [step, 1, 0], [2 * step, 2, 0], [step, 0, 1], [3 * step, 2, 1]])
    sets = [np.repeat(points, 400, axis=0), np.repeat(flat, 1000, axis=0)]
    found = described(sets, (1.0, 1.0, 1.0))
    assert found["degenerate_reason"].tolist() == ["", "voxels in a plane"]
    for index, exact in enumerate((points, flat)):
        values = np.linalg.eigvalsh(np.cov(exact.T.astype(float), bias=True))
        assert found["half_axis_long_nm"][index] == pytest.approx(np.sqrt(5 * values[2]), rel=1e-12)


@proves(
    "grain_table",
    "azimuthal_angle",
    "polar_angle",
    oracle="closed form",
    by="directions of the lattice",
)
@pytest.mark.parametrize(
    ("direction", "azimuth", "polar"),
    [
        ((1, 0, 0), 0, 0),
        ((-1, 0, 0), 0, 0),
        ((0, 1, 0), np.pi / 2, np.pi / 2),
        ((0, -1, 0), np.pi / 2, np.pi / 2),
        ((0, 0, 1), 0, np.pi / 2),
        ((0, 1, 1), np.pi / 4, np.pi / 2),
        ((0, -1, 1), -np.pi / 4, np.pi / 2),
        ((1, 0, 1), 0, np.pi / 4),
        ((1, 0, -1), -np.pi, np.pi / 4),
        ((1, 1, -1), 3 * np.pi / 4, np.arctan(2**0.5)),
        ((1, -1, -1), -3 * np.pi / 4, np.arctan(2**0.5)),
    ],
)
def test_the_longest_half_axis_points_up_or_else_to_positive_x_or_y(direction, azimuth, polar):
    found = described([np.outer(np.arange(4), direction)], (1.0, 1.0, 1.0))
    agree("azimuthal_angle", found["azimuthal_angle"], [azimuth], abs=1e-9)
    agree("polar_angle", found["polar_angle"], [polar], abs=1e-9)


def test_sheets_across_every_axis_are_flat_and_lines_along_them_straight():
    sheet = np.array([(0, y, x) for y in range(2) for x in range(3)])
    line = np.array([(0, 0, x) for x in range(4)])
    for points, reason in ((sheet, "voxels in a plane"), (line, "voxels on a line")):
        turned = [np.roll(points, shift, axis=1) for shift in range(3)]
        assert described(turned, (1.0, 1.0, 1.0))["degenerate_reason"].tolist() == [reason] * 3


def test_equal_half_axes_have_no_direction():
    square = [(0, y, x) for y in range(3) for x in range(3)]
    cube = [(z, y, x) for z in range(3) for y in range(3) for x in range(3)]
    disc = [*square, (1, 1, 1), (-1, 1, 1)]  # shorter across: its longest half-axes are two
    rod = [(0, 0, 0), (0, 0, 1)]
    found = described([square, cube, disc, rod, [(5, 5, 5)]], (1.0, 1.0, 1.0))
    assert found["degenerate_reason"].tolist() == [
        "voxels in a plane; no longest half-axis",
        "no longest half-axis",
        "no longest half-axis",
        "voxels on a line",
        "one voxel",
    ]
    assert np.isnan(found["azimuthal_angle"]).tolist() == [True, True, True, False, True]
    assert np.isnan(found["polar_angle"]).tolist() == [True, True, True, False, True]
    assert np.isnan(found["elongation"]).tolist() == [False, False, False, False, True]
    assert found["elongation"][1] == pytest.approx(1)
    assert found["elongation"][3] == 0


# --- tables that grow ------------------------------------------------------------------------


def touching_pairs(labels):
    """Pairs of labels, 0 excluded, whose voxels share a face, an edge or a corner: their steps."""
    padded, found = np.pad(labels, 1), {}
    for step in DIRECTIONS:
        other = np.roll(padded, np.negative(step), axis=(0, 1, 2))
        both = (padded > 0) & (other > 0) & (padded != other)
        for a, b in zip(padded[both].tolist(), other[both].tolist(), strict=True):
            found.setdefault((min(a, b), max(a, b)), []).append(step)
    return found


@pytest.mark.parametrize("shape", [(5, 5, 5), (2, 2, 80), (80, 2, 2), (1, 1, 700)])
def test_every_voxel_of_a_small_volume_may_be_a_grain(shape):
    labels = 5 + np.random.default_rng(1).permutation(np.prod(shape)).reshape(shape)
    measured = measure_volume(labels, threads=1)
    assert (measured.counts == 1).all()
    assert measured.faces.size == 0
    assert np.array_equal(np.sort(measured.corners), np.arange(labels.size))
    assert np.array_equal(labels.ravel()[measured.corners], measured.labels)
    within = measured.pairs[:, 0] > 0
    names = np.concatenate([[0], measured.labels]).astype(int)
    found = {
        (int(a), int(b)): counts.tolist()
        for (a, b), counts in zip(
            names[measured.pairs[within]], measured.pair_counts[within], strict=True
        )
    }
    expected = touching_pairs(labels)
    assert found.keys() == expected.keys()
    for pair, steps in expected.items():
        kinds = [NEIGHBOUR_CLASSES.index(tuple(map(abs, step))) for step in steps]
        assert found[pair] == np.bincount(kinds, minlength=7).tolist()


def test_grains_of_two_voxels_have_two_corners_in_every_plane():
    labels = 1 + np.repeat(np.arange(600).reshape(2, 10, 30), 2, axis=2)
    measured = measure_volume(labels, threads=1)
    assert np.array_equal(measured.corners, np.arange(1200))
    assert (tabulate_grains(measured, (1.0, 1.0, 1.0))["hull_voxel_count"] == 2).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_a_grain_may_lie_on_many_small_ones(axis):
    labels = np.ones((2, 1, 400), int) if axis == 0 else np.ones((1, 2, 400), int)
    small = np.arange(2, 402)
    for many in (0, 1):
        labels[(many, 0) if axis == 0 else (0, many)] = small
        labels[(1 - many, 0) if axis == 0 else (0, 1 - many)] = 1
        contacts = tabulate_contacts(measure_volume(labels, threads=1), (1.0, 1.0, 1.0))
        touched = contacts[contacts["label_a"] == 1]
        assert touched["label_b"].tolist() == small.tolist()
        assert (touched["face_contact_count"] == 1).all()


def test_a_chessboard_of_grains_has_a_face_to_label_0_on_every_side():
    z, y, x = np.indices((6, 7, 8))
    labels = np.where((z + y + x) % 2 == 0, np.arange(336).reshape(6, 7, 8) + 1, 0)
    measured = measure_volume(labels, threads=1)
    assert measured.faces.size == 5 * 7 * 8 + 6 * 6 * 8 + 6 * 7 * 7
    table = tabulate_grains(measured, (2.0, 4.0, 6.0))
    assert (table["surface_distance_nm"] == 1.0).all()  # half a step along z, the shortest
    contacts = tabulate_contacts(measured, (2.0, 4.0, 6.0))
    inner = contacts[contacts["label_a"] > 0]
    assert (inner["face_contact_count"] == 0).all()
    pairs = {pair: len(steps) for pair, steps in touching_pairs(labels).items()}
    assert set(zip(inner["label_a"], inner["label_b"], strict=True)) == set(pairs)
    outside = contacts[contacts["label_a"] == 0]
    assert (
        outside["face_contact_count"].sum()
        == measured.faces.size + measured.outside_neighbours[:, FACE_CLASSES].sum()
    )


@proves(
    "particle_summary",
    "boundary_area_um2",
    "particle_volume_um3",
    "specific_surface_area_per_um",
    "outer_surface_um2",
    "grain_count",
    "whole_grain_count",
    "contact_count",
    oracle="closed form",
    by="three boxes",
)
def test_a_particle_of_three_grains_is_summed_up_in_micrometres():
    labels = np.zeros((4, 5, 8), int)
    labels[1:3, 1:4, 1:3], labels[1:3, 1:4, 3:5], labels[1:3, 1:4, 6:] = 1, 2, 3
    found = summarize_particle(labels, (50.0, 40.0, 30.0))
    contacts = measure_contacts(labels, (50.0, 40.0, 30.0)).set_index(["label_a", "label_b"])
    areas = contacts["interface_area_nm2"]
    assert set(areas.index) == {(0, 1), (0, 2), (0, 3), (1, 2)}
    agree("particle_volume_um3", found["particle_volume_um3"], 36 * 6e4 * 1e-9, rel=1e-12)
    agree("boundary_area_um2", found["boundary_area_um2"], areas[1, 2] * 1e-6, rel=1e-12)
    ratio = found["boundary_area_um2"] / found["particle_volume_um3"]
    name = "specific_surface_area_per_um"
    agree(name, found[name], ratio, rel=1e-12)
    # Label 3 reaches the window, where it has no surface of the particle.
    outer = areas[0].sum() - contacts["touches_window_nm2"].sum()
    agree("outer_surface_um2", found["outer_surface_um2"], outer * 1e-6, rel=1e-12)
    assert contacts["touches_window_nm2"].to_numpy().nonzero()[0].tolist() == [2]
    assert (found["grain_count"], found["whole_grain_count"], found["contact_count"]) == (3, 2, 1)
    grains = characterize_grains(labels, (50.0, 40.0, 30.0))
    assert grains["neighbour_count"].tolist() == [1, 1, 0]
    assert grains["touches_window"].tolist() == [False, False, True]


@pytest.mark.parametrize("cut", [(3, 4, 5), (3, 2, 5), (1, 4, 5), (3, 4, 2), (2, 2, 2)])
def test_blocks_add_up_to_every_number_of_the_whole(cut):
    labels = np.random.default_rng(7).integers(0, 4, (3, 4, 5))
    labels[:, :, :3][labels[:, :, :3] > 1] = 9
    whole, blocks = measure_volume(labels, threads=1), measure_volume(labels, cut, threads=1)
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(getattr(blocks, name), values, err_msg=name)


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_volumes_whose_sums_of_squares_leave_64_bits_are_refused(axes):
    for sizes, is_refused in (((2**20, 8, 1), True), ((2**20, 7, 1), False)):
        window = tuple(sizes[axis] for axis in axes)
        whole = ((0, 0),) * 3
        if is_refused:
            with pytest.raises(InputError, match="too large"):
                check_place(window, (0, 0, 0), window, whole)
        else:
            check_place(window, (0, 0, 0), window, whole)


def test_grains_without_weight_are_never_chosen():
    weights = np.array([np.nan, 2.0, 1.0, np.nan])
    for seed in range(20):
        chosen = thin_by_weight(weights, np.random.default_rng(seed))
        assert chosen[[0, 1, 3]].tolist() == [False, True, False]
    assert not thin_by_weight(np.full(5, np.nan), np.random.default_rng(0)).any()
    assert thin_by_weight(np.zeros(0), np.random.default_rng(0)).size == 0


def test_a_single_reason_stands_alone():
    assert join_reasons((np.array([True, False]), "small")).tolist() == ["small", ""]


# --- what voxels do --------------------------------------------------------------------------


@pytest.mark.parametrize("descriptor", BIAS)
def test_the_error_of_voxels_falls_with_the_diameter(descriptor):
    bias, spread = np.abs(BIAS[descriptor]), np.array(SPREAD[descriptor])
    assert (np.diff(bias) < 0).all()
    assert (np.diff(spread) < 0).all()
    assert max(bias[0], spread[0]) < 0.5
    assert len(bias) == len(spread) == len(DIAMETERS)
    assert (np.diff(DIAMETERS) > 0).all()
    assert len(set(np.sign(BIAS[descriptor]))) == 1


@pytest.mark.parametrize("descriptor", BIAS)
def test_the_error_is_that_of_the_table_and_falls_off_with_the_square_beyond_it(descriptor):
    for table, found in zip(
        (BIAS, SPREAD), voxelization_error(descriptor, [*DIAMETERS, 1, 64, 320]), strict=True
    ):
        known = table[descriptor]
        expected = [*known, known[0], known[-1] / 4, known[-1] / 100]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    between = voxelization_error(descriptor, [np.sqrt(8 * 10)])[0]
    place = DIAMETERS.index(8)
    assert between == pytest.approx(np.mean(BIAS[descriptor][place : place + 2]))
