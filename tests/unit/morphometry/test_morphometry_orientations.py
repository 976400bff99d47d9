"""Places, lattices and misorientations of grains of known geometry."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orix.quaternion import Misorientation, Orientation
from orix.quaternion.symmetry import D3d, Oh
from scipy.spatial import cKDTree

from electrode_grains.ebsd.orientations import (
    laue_group,
    misorientation_angle,
    multiply,
    quaternions_from_euler,
    random_orientations,
)
from electrode_grains.errors import InputError
from electrode_grains.morphometry import (
    MeasureSettings,
    characterize_grains,
    correct_resolution,
    disorientations,
    inclusion_weights,
    measure_contacts,
    measure_particle,
    resolution_limits,
    summarize_particle,
    thin_by_weight,
    weighted_means,
)
from electrode_grains.morphometry.nearest_faces import distances_to_surface
from electrode_grains.morphometry.orientations import _ranks
from electrode_grains.phantom import ball
from proofs import agree, proves

CUBIC = (1.0, 1.0, 1.0)


def halves():
    """Two grains side by side along x, with label 0 around them."""
    return np.pad(np.repeat([[[4, 4, 4, 9, 9, 9]]], 4, axis=1).repeat(4, axis=0), 2)


def lattice(labels, by_label):
    field = np.full((*labels.shape, 4), np.nan)
    for label, quaternion in by_label.items():
        field[labels == label] = quaternion
    return field


# --- places ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 40, 3000])
@pytest.mark.parametrize("spacing", [(50, 50, 50), (1, 20, 300), (7.3, 0.01, 3)])
@pytest.mark.parametrize("window", [(70, 41, 130), (1, 9, 600), (300, 2, 1)])
def test_distances_to_the_surface_are_those_of_a_tree_to_the_last_bit(count, spacing, window):
    rng = np.random.default_rng(count)
    size = np.array(window)[::-1] * spacing[::-1]
    voxels, axes = rng.integers(0, np.prod(window), count), rng.integers(0, 3, count)
    centroids = size * rng.normal(0.5, 0.5, (70, 3))

    found = distances_to_surface(centroids, 3 * voxels + axes, window, spacing, threads=2)

    z, y, x = np.unravel_index(voxels, window) + 0.5 * np.eye(3)[axes].T
    surface = np.stack([x * spacing[2], y * spacing[1], z * spacing[0]], axis=1)
    assert np.array_equal(found, cKDTree(surface).query(centroids)[0])


def test_the_centre_of_a_sphere_is_its_radius_from_the_surface():
    labels = ball((64, 64, 64), (31.5, 31.5, 31.5), 30).astype(int)
    row = characterize_grains(labels, CUBIC).loc[0]
    assert row["surface_distance_nm"] == pytest.approx(30, abs=0.7)  # half a diagonal of a face


@proves("grain_table", "radial_angle", oracle="closed form", by="radial and tangential rods")
def test_radial_rods_point_away_from_the_centre_and_tangential_ones_do_not():
    labels = np.zeros((9, 21, 21), int)
    labels[4, 10, 1:8] = 1
    labels[4, 10, 13:20] = 2
    labels[4, 7:14, 0] = 3
    labels[4, 7:14, 20] = 4
    table = characterize_grains(labels, CUBIC).set_index("label")
    agree("radial_angle", table["radial_angle"], [0, 0, np.pi / 2, np.pi / 2], abs=1e-9)


def test_another_centre_gives_other_radial_directions():
    labels = np.zeros((3, 9, 9), int)
    labels[1, 4, 1:8] = 1
    for center, angle in (((0, 4, 1), 0), ((4, 0, 1), np.pi / 2), ((0, 0, 1), np.pi / 4)):
        row = characterize_grains(labels, CUBIC, settings=MeasureSettings(center_nm=center)).loc[0]
        assert row["radial_angle"] == pytest.approx(angle, abs=1e-9)
        assert row["distance_to_center_nm"] == np.hypot(center[0] - 4, center[1] - 4)


def test_a_cube_lies_half_its_edge_below_the_surface():
    labels = np.pad(np.ones((5, 5, 5), int), 1)
    row = characterize_grains(labels, (50, 50, 50)).loc[0]
    assert row["surface_distance_nm"] == 125
    assert row["place_reason"] == ("centroid at the centre of the particle; no longest half-axis")
    assert np.isnan(row["radial_angle"])


def test_without_label_0_there_is_no_surface():
    table = characterize_grains(np.repeat([[[1, 1, 2]]], 2, axis=1), CUBIC)
    assert table["surface_distance_nm"].isna().all()
    assert table["place_reason"].str.startswith("no surface of the particle").all()


def test_distances_to_holes_alone_have_a_reason():
    labels = np.repeat([1, 2], 3)[:, None, None] + np.zeros((6, 5, 5), int)
    labels[1, 2, 2] = 0
    table = characterize_grains(labels, CUBIC).set_index("label")
    assert table["place_reason"].str.contains("holes alone").all()
    assert table["surface_distance_nm"].notna().all()
    labels[0, 2, 2] = 0  # the hole opens at the window: there may be more of it outside
    assert not characterize_grains(labels, CUBIC)["place_reason"].str.contains("holes").any()


# --- the border of the window ----------------------------------------------------------------


def test_weights_count_the_places_of_a_box_in_the_window():
    window = (6, 7, 9)
    lower, upper = np.array([[1, 2, 3]]), np.array([[3, 5, 7]])
    places = sum(
        1
        for z in range(6)
        for y in range(7)
        for x in range(9)
        if z >= 1 and z + 2 < 6 and y >= 1 and y + 3 < 7 and x >= 1 and x + 4 < 9
    )
    assert inclusion_weights(lower, upper, window) == pytest.approx([6 * 7 * 9 / places])


@proves(
    "grain_table",
    "edge_weight",
    oracle="simulated truth",
    by="60,000 cubes in a window thrown at random",
)
def test_a_window_thrown_at_random_favours_small_grains_and_weights_mend_that():
    rng = np.random.default_rng(0)
    edges = rng.integers(2, 12, 60_000)
    first = rng.integers(-15, 20, (60_000, 3))
    last = first + edges[:, None]
    whole = ((first >= 1) & (last < 20)).all(axis=1)
    corner = ((first >= 0) & (first < 20)).all(axis=1)
    weights = inclusion_weights(first[whole], last[whole], (20, 20, 20))
    mean = weighted_means(pd.DataFrame({"edge": edges[whole]}), pd.Series(weights))["edge"]
    assert edges[whole].mean() < 0.85 * edges[corner].mean()
    # Of the largest, 1 in 16 is whole.
    agree("edge_weight", mean, edges[corner].mean(), rel=0.03)
    thinned = edges[whole][thin_by_weight(weights, rng)]
    assert thinned.mean() == pytest.approx(edges[corner].mean(), rel=0.05)


def test_grains_on_the_border_have_no_weight():
    table = characterize_grains(np.pad(halves()[2:], [(0, 0), (0, 0), (0, 0)]), CUBIC)
    assert table["touches_window"].all()
    assert table["edge_weight"].isna().all()


# --- lattices --------------------------------------------------------------------------------


@proves(
    "grain_table",
    "orientation_w",
    "orientation_x",
    "orientation_y",
    "orientation_z",
    "bunge_phi1",
    "bunge_Phi",
    "bunge_phi2",
    "orientation_share",
    oracle="closed form",
    by="one lattice, in equivalent orientations",
)
def test_grains_of_one_lattice_have_that_mean_and_no_spread():
    labels, rng = halves(), np.random.default_rng(1)
    wanted = random_orientations(2, rng)
    equivalent = multiply(laue_group("-3m")[[3, 5]], wanted)
    field = lattice(labels, dict(zip((4, 9), equivalent, strict=True)))
    table = characterize_grains(labels, CUBIC, orientations=field)
    mean = table[[f"orientation_{part}" for part in "wxyz"]].to_numpy()
    for part in "wxyz":
        agree(f"orientation_{part}", misorientation_angle(mean, wanted, "-3m"), [0, 0], abs=1e-5)
    euler = table[["bunge_phi1", "bunge_Phi", "bunge_phi2"]].to_numpy()
    turned = quaternions_from_euler(euler)
    for angle in ("phi1", "Phi", "phi2"):
        agree(f"bunge_{angle}", misorientation_angle(turned, wanted, "-3m"), [0, 0], abs=1e-5)
    assert table["grain_orientation_spread"].tolist() == pytest.approx([0, 0], abs=1e-6)
    agree("orientation_share", table["orientation_share"], [1, 1], abs=1e-12)


@proves("grain_table", "grain_orientation_spread", oracle="closed form", by="tilts of ±.02 rad")
def test_the_spread_is_the_mean_angle_to_the_mean():
    labels = halves()
    tilts = np.where(np.indices(labels.shape)[1] % 2, 0.02, -0.02)
    field = np.zeros((*labels.shape, 4))
    field[..., 0], field[..., 1] = np.cos(tilts / 2), np.sin(tilts / 2)
    table = characterize_grains(labels, CUBIC, orientations=field)
    name = "grain_orientation_spread"
    agree(name, table[name], [0.02] * 2, rel=1e-4)


@pytest.mark.parametrize("laue", ["-3m", "m-3m"])
def test_the_spread_takes_the_nearest_of_all_equivalents(laue):
    labels, rng = halves(), np.random.default_rng(3)
    count = labels.size
    noise = np.column_stack([np.ones(count), 0.01 * rng.standard_normal((count, 3))])
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    centres = random_orientations(2, rng)
    group = laue_group(laue)
    points = multiply(noise, centres[(labels.ravel() == 9).astype(int)])
    points = multiply(group[rng.integers(len(group), size=count)], points)
    field = points.reshape(*labels.shape, 4)
    table = characterize_grains(
        labels, CUBIC, orientations=field, settings=MeasureSettings(laue_group=laue)
    )
    mean = table[[f"orientation_{part}" for part in "wxyz"]].to_numpy()
    expected = [
        misorientation_angle(field[labels == label], mean[place], laue).mean()
        for place, label in enumerate((4, 9))
    ]
    assert table["grain_orientation_spread"].tolist() == pytest.approx(expected, rel=1e-4)


@proves(
    "grain_table",
    "orientation_w",
    "orientation_share",
    oracle="simulated truth",
    by="30 % of the points wrong",
)
def test_wrongly_indexed_points_decide_neither_mean_nor_spread():
    labels, rng = halves(), np.random.default_rng(2)
    field = lattice(labels, {4: [1.0, 0, 0, 0], 9: [1.0, 0, 0, 0]})
    wrong = (rng.random(labels.shape) < 0.3) & (labels > 0)
    field[wrong] = random_orientations(int(wrong.sum()), rng)
    table = characterize_grains(labels, CUBIC, orientations=field)
    assert table["orientation_w"].tolist() == pytest.approx([1, 1], abs=1e-3)
    assert (table["grain_orientation_spread"] < 0.01).all()
    assert table["orientation_share"].between(0.5, 0.9).all()


@proves(
    "grain_table",
    "c_axis_radial_angle",
    oracle="closed form",
    by="c-axes along and across the radius",
)
def test_c_axes_along_and_across_the_radius():
    labels = halves()  # centroids lie along x from the centre
    along = quaternions_from_euler([np.pi / 2, np.pi / 2, 0])  # the c-axis along x
    field = lattice(labels, {4: along, 9: [1.0, 0, 0, 0]})
    table = characterize_grains(labels, CUBIC, orientations=field).set_index("label")
    angles = table["c_axis_radial_angle"]
    agree("c_axis_radial_angle", angles, [0, np.pi / 2], abs=1e-6)
    # In a cubic lattice one of three equivalent axes lies along x in both.
    cubic = characterize_grains(
        labels, CUBIC, orientations=field, settings=MeasureSettings(laue_group="m-3m")
    )
    assert cubic["c_axis_radial_angle"].tolist() == pytest.approx([0, 0], abs=1e-6)


@proves(
    "grain_table", "orientation_reason", oracle="closed form", by="a grain without indexed point"
)
@proves(
    "contact_table",
    "misorientation_reason",
    oracle="closed form",
    by="a grain without indexed point",
)
def test_unindexed_grains_are_null_with_a_reason():
    labels = halves()
    measured = measure_particle(labels, CUBIC, orientations=lattice(labels, {4: [1.0, 0, 0, 0]}))
    grains = measured.grains.set_index("label")
    assert grains["orientation_reason"].tolist() == ["", "no indexed point"]
    assert grains["orientation_w"].isna().tolist() == [False, True]
    contacts = measured.contacts.set_index(["label_a", "label_b"])["misorientation_reason"]
    assert contacts.loc[4, 9] == "a grain without orientation"
    assert contacts.loc[0, 4] == "label 0 is no grain"
    assert measured.particle.low_angle_share is None


@proves(
    "particle_summary",
    "low_angle_share",
    "low_angle_degrees",
    oracle="closed form",
    by="two equal areas, one of 10 degrees",
)
@proves(
    "contact_table",
    "misorientation_angle",
    "misorientation_axis_x",
    "misorientation_axis_y",
    "misorientation_axis_z",
    oracle="closed form",
    by="a tilt of 10 degrees about x",
)
def test_low_angle_boundaries_by_their_area():
    labels = np.pad(np.repeat([[[1, 1, 2, 2, 3, 3]]], 4, axis=1), 1)
    tilt = np.radians(10)
    field = lattice(
        labels,
        {1: [1, 0, 0, 0], 2: [np.cos(tilt / 2), np.sin(tilt / 2), 0, 0], 3: [0.8, 0.6, 0, 0]},
    )
    contacts = measure_contacts(labels, CUBIC, orientations=field)
    row = contacts.set_index(["label_a", "label_b"]).loc[(1, 2)]
    agree("misorientation_angle", row["misorientation_angle"], tilt, abs=1e-6)
    axis = row[[f"misorientation_axis_{name}" for name in "xyz"]].to_numpy(float)
    for name, found, expected in zip("xyz", axis, [1, 0, 0], strict=True):
        agree(f"misorientation_axis_{name}", found, expected, abs=1e-6)
    # Two equal areas, one of them below 15 degrees; none below 5.
    for low_angle, share in ((15, 0.5), (5, 0.0)):
        measure = MeasureSettings(low_angle_degrees=low_angle)
        summary = summarize_particle(labels, CUBIC, settings=measure, orientations=field)
        agree("low_angle_share", summary["low_angle_share"], share, abs=1e-12)
        assert summary["low_angle_degrees"] == low_angle


@proves(
    "contact_table",
    "misorientation_angle",
    "misorientation_axis_x",
    "misorientation_axis_y",
    "misorientation_axis_z",
    oracle="another program",
    by="orix Misorientation",
)
@pytest.mark.parametrize(("laue", "symmetry"), [("-3m", D3d), ("m-3m", Oh)])
def test_disorientations_are_those_of_orix(laue, symmetry):
    rng = np.random.default_rng(5)
    first, second = random_orientations(50, rng), random_orientations(50, rng)
    angles, axes = disorientations(first, second, laue)
    one, other = (Orientation(q, symmetry=symmetry) for q in (first, second))
    peer = one.angle_with(other)
    agree("misorientation_angle", angles, peer, abs=1e-6)
    assert angles == pytest.approx(misorientation_angle(first, second, laue), abs=1e-6)
    # The rotation by that angle about that axis leads from one crystal to an equivalent of
    # the other, up to the symmetries of both sides.
    turned = np.column_stack([np.cos(angles / 2), np.sin(angles / 2)[:, None] * axes])
    given = Misorientation((other * ~one).data, symmetry=(symmetry, symmetry)).reduce()
    again = Misorientation(turned, symmetry=(symmetry, symmetry)).reduce()
    for name in "xyz":
        agree(f"misorientation_axis_{name}", again.angle, given.angle, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 9999), laue=st.sampled_from(["-3m", "m-3m", "-1"]))
def test_equivalent_crystals_in_any_order_have_one_misorientation(seed, laue):
    rng = np.random.default_rng(seed)
    first, second, frame = random_orientations(3, rng)[:, None]
    group = laue_group(laue)
    angle, axis = disorientations(first, second, laue)
    other = [group[rng.integers(len(group))] for _ in range(2)]
    moved = [multiply(multiply(s, q), frame) for s, q in zip(other, (first, second), strict=True)]
    for pair in (moved, moved[::-1]):
        again, other_axis = disorientations(*pair, laue)
        assert again == pytest.approx(angle, abs=1e-7)
        assert other_axis == pytest.approx(axis, abs=1e-6)


def test_threads_and_channels_change_no_orientation():
    labels, rng = halves(), np.random.default_rng(3)
    field = random_orientations(labels.size, rng).reshape(*labels.shape, 4)
    expected = measure_particle(labels, CUBIC, orientations=field, threads=1)
    first = np.moveaxis(field, -1, 0)
    again = measure_particle(labels, CUBIC, orientations=first, threads=2)
    assert again.grains.equals(expected.grains)
    assert again.contacts.equals(expected.contacts)
    with pytest.raises(InputError, match="do not fit"):
        measure_particle(labels, CUBIC, orientations=field[1:])


@proves(
    "grain_table", "mean_image_quality", oracle="closed form", by="a grain with a missing value"
)
def test_mean_image_quality_leaves_out_what_is_not_known():
    labels = np.array([[[1, 1, 2]]])
    quality = np.array([[[3.0, np.nan, np.nan]]])
    table = characterize_grains(labels, CUBIC, image_quality=quality)
    assert table["mean_image_quality"].iloc[0] == 3
    assert np.isnan(table["mean_image_quality"].iloc[1])


# --- resolution ------------------------------------------------------------------------------


@proves(
    "particle_summary",
    "resolution_limits_nm",
    oracle="metamorphic",
    by="twice the voxel, twice the diameter",
)
def test_coarser_voxels_need_larger_grains():
    rng = np.random.default_rng(0)
    names = ("sphericity", "convexity", "elongation")
    table = pd.DataFrame({name: rng.normal(0.7, 0.08, 200) for name in names})
    fine, coarse = resolution_limits(table, (20, 20, 20)), resolution_limits(table, (40, 40, 40))
    for name in names:
        assert coarse[name] == pytest.approx(2 * fine[name], abs=1)


def test_corrected_balls_are_round_on_average():
    rng, errors = np.random.default_rng(0), []
    for _ in range(40):
        body = ball((8, 8, 8), rng.uniform(3, 4, 3), 2)
        row = correct_resolution(characterize_grains(body.astype(int), CUBIC), CUBIC).iloc[0]
        errors.append((row["sphericity"] - 1, row["sphericity_corrected"] - 1))
    raw, corrected = np.abs(np.mean(errors, axis=0))
    assert corrected < 0.5 * raw


@pytest.mark.parametrize("kind", [np.uint16, np.int64])
def test_grains_are_counted_from_one_in_the_order_of_the_table_and_none_is_zero(kind):
    names = np.array([3, 7, 8, 40])
    labels = np.random.default_rng(2).choice([0, *names], (3, 4, 5)).astype(kind)
    expected = [[[0 if one == 0 else names.tolist().index(one) + 1 for one in row] for row in plane]
                for plane in labels]  # fmt: skip
    assert _ranks(labels, names).tolist() == expected
