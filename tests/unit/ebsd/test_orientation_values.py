"""Orientations, their means and their colours, where the numbers follow from a sketch."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pydantic import TypeAdapter, ValidationError

import electrode_grains.pipelines
from electrode_grains.crystal import (
    LAUE_GROUPS,
    laue_group_of_tsl_symmetry,
    tsl_symmetry_of_laue_group,
)
from electrode_grains.ebsd import orientations as crystals
from electrode_grains.ebsd.fields import check_symmetry, stack_orientations
from electrode_grains.errors import SettingsError

IDENTITY = np.array([1.0, 0, 0, 0])


def turned(angle):
    """Rotations about x, by an angle."""
    half = np.asarray(angle, float) / 2
    return np.stack([np.cos(half), np.sin(half), 0 * half, 0 * half], axis=-1)


def test_the_groups_have_as_many_rotations_as_their_point_groups():
    orders = {"m-3m": 24, "m-3": 12, "6/mmm": 12, "6/m": 6, "-3m": 6, "-3": 3, "4/mmm": 8}
    orders |= {"4/m": 4, "mmm": 4, "2/m": 2, "-1": 1}
    assert {name: len(crystals.laue_group(name)) for name in orders} == orders
    assert set(LAUE_GROUPS) == set(orders)
    for name in orders:
        assert (crystals.laue_group(name)[:, 0] >= 0).all()
        code = tsl_symmetry_of_laue_group(name)
        assert laue_group_of_tsl_symmetry(f" {code} ") == name


def test_the_symmetry_codes_are_those_of_edax():
    codes = {"m-3m": "43", "m-3": "23", "6/mmm": "62", "6/m": "6", "-3m": "32", "-3": "3"}
    codes |= {"4/mmm": "42", "4/m": "4", "mmm": "22", "-1": "1"}
    assert {name: tsl_symmetry_of_laue_group(name) for name in codes} == codes
    with pytest.raises(SettingsError, match="m-3x"):
        tsl_symmetry_of_laue_group("m-3x")


def test_products_follow_the_rules_of_hamilton():
    one, i, j, k = np.eye(4)
    for first, second, product in ((i, j, k), (j, k, i), (k, i, j), (i, i, -one), (one, k, k)):
        assert crystals.multiply(first, second).tolist() == product.tolist()
    assert crystals.conjugate([1.0, 2, 3, 4]).tolist() == [1, -2, -3, -4]


def test_random_orientations_fill_the_rotations_evenly():
    drawn = crystals.random_orientations(20000, np.random.default_rng(1))
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1)
    assert (drawn[:, 0] >= 0).all()
    np.testing.assert_allclose((drawn**2).mean(axis=0), 0.25, atol=0.01)


@pytest.mark.parametrize(
    ("euler", "back"),
    [
        ((0.4, 0.0, 0.5), (0.9, 0.0, 0.0)),
        ((0.9, np.pi, 0.5), (0.4, np.pi, 0.0)),
        ((0.4, 1e-6, 0.5), (0.4, 1e-6, 0.5)),
        ((6.0, 0.3, 6.1), (6.0, 0.3, 6.1)),
    ],
)
def test_bunge_angles_come_back_with_phi2_0_where_only_their_sum_counts(euler, back):
    found = crystals.euler_from_quaternions(crystals.quaternions_from_euler(euler))
    np.testing.assert_allclose(found, back, atol=1e-8)


def test_the_fundamental_zone_keeps_the_smallest_rotation():
    # By 50 degrees about the threefold axis is by -70 to the next equivalent; by 100 is by -20.
    about_c = [
        [np.cos(np.radians(angle) / 2), 0, 0, np.sin(np.radians(angle) / 2)] for angle in (50, 100)
    ]
    reduced = crystals.reduce_to_fundamental_zone(about_c, "-3")
    angles = 2 * np.degrees(np.arctan2(reduced[:, 3], reduced[:, 0]))
    np.testing.assert_allclose(angles, [50, -20])


def test_unknown_orientations_have_no_misorientation():
    field = np.stack([IDENTITY, np.full(4, np.nan)])
    angles = crystals.misorientation_angle(field, IDENTITY, "-3m")
    assert angles[0] == 0
    assert np.isnan(angles[1])


def test_misorientations_along_a_bent_row():
    field = turned([0.0, 0.02, 0.05, 0.5])[None]
    largest = crystals.neighbour_misorientation(field, "-3m")
    np.testing.assert_allclose(largest, [[0.02, 0.03, 0.45, 0.45]], atol=1e-6)
    mean = crystals.kernel_average_misorientation(field, "-3m")
    np.testing.assert_allclose(mean, [[0.02, 0.025, 0.03, np.nan]], atol=1e-6)
    near = crystals.kernel_average_misorientation(field, "-3m", threshold=0.025)
    np.testing.assert_allclose(near, [[0.02, 0.02, np.nan, np.nan]], atol=1e-6)


def test_neighbours_are_sought_along_every_axis_and_unknown_ones_left_out():
    field = np.broadcast_to(IDENTITY, (3, 3, 3, 4)).copy()
    field[1, 1, 1] = turned(0.04)
    field[1, 1, 2] = np.nan
    largest = crystals.neighbour_misorientation(field, "-3m")
    expected = np.zeros((3, 3, 3))
    for index in ((1, 1, 1), (0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0)):
        expected[index] = 0.04
    expected[1, 1, 2] = np.nan
    np.testing.assert_allclose(largest, expected, atol=1e-6)
    mean = crystals.kernel_average_misorientation(field, "-3m")
    assert mean[1, 1, 1] == pytest.approx(0.04)
    assert mean[0, 1, 1] == pytest.approx(0.04 / 5)
    assert np.isnan(mean[1, 1, 2])


def test_means_weigh_by_trust_and_leave_out_what_has_none():
    angles = np.array([0.0, 0.1, 0.05, 0.15, 0.1])
    trust = np.array([1.0, 3.0, 0.0, -0.5, np.nan])
    mean = crystals.mean_orientation(turned(angles), "-3m", trust)
    expected = np.arctan2(3 * np.sin(0.1), 1 + 3 * np.cos(0.1))
    np.testing.assert_allclose(mean, turned(expected), atol=1e-9)
    unweighted = crystals.mean_orientation(turned([0.0, 0.1]), "-3m")
    np.testing.assert_allclose(unweighted, turned(0.05), atol=1e-9)


def test_points_beyond_a_fifth_of_a_radian_of_the_medoid_do_not_enter_a_mean():
    inside = crystals.mean_orientation(turned([0.0, 0.0, 0.0, 0.19]), "-3m")
    np.testing.assert_allclose(inside, turned(0.0475), atol=1e-4)
    outside = crystals.mean_orientation(turned([0.0, 0.0, 0.0, 0.21]), "-3m")
    np.testing.assert_allclose(outside, turned(0.0), atol=1e-9)


def test_the_medoid_is_that_of_the_heavier_points():
    given = turned([0.0] * 5 + [0.5] * 3)
    assert crystals.misorientation_angle(
        crystals.mean_orientation(given, "-3m"), IDENTITY, "-3m"
    ) == pytest.approx(0, abs=1e-7)
    heavy = crystals.mean_orientation(given, "-3m", [1.0] * 5 + [2.0] * 3)
    assert crystals.misorientation_angle(heavy, turned(0.5), "-3m") == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("laue", "direction", "colour"),
    [
        ("-3m", (0, 0, 1), (1, 0, 0)),
        ("-3m", (0, 0, -5), (1, 0, 0)),
        ("-3m", (0, 1, 0), (0, 0, 1)),  # on the mirror
        ("-3m", (1, 0, 0), (0, 1, 1)),  # a quarter of the sector from it
        ("-3m", (0, 1, 1), (1, 0, 1)),
        ("-3m", (0, -1, -1), (1, 0, 1)),
        ("-3m", (0, -1, 1), (1, 1, 0)),  # across, in the middle of a sector
        ("6/mmm", (1, 0, 0), (0, 1, 0)),
        ("6/mmm", (0, 1, 0), (0, 0, 1)),
        ("4/mmm", (1, 0, 0), (0, 0, 1)),
        ("4/mmm", (1, 1, 0), (0, 1, 0)),
        ("mmm", (1, 0, 0), (0, 1, 0)),
        ("mmm", (1, 1, 0), (0, 1, 1)),
        ("-1", (0, 1, 0), (0, 0, 1)),
        ("-1", (0, -1, 0), (0, 1, 0)),
        ("m-3m", (1, 2, 4), (1, 0.5**0.5, 0.75**0.5)),
        ("m-3", (4, -1, 2), (1, 0.5**0.5, 0.75**0.5)),
    ],
)
def test_colours_of_directions(laue, direction, colour):
    found = crystals.ipf_colors(IDENTITY, laue, direction)
    np.testing.assert_allclose(found, colour, atol=1e-7)


@pytest.mark.parametrize("laue", ["-3m", "m-3m"])
def test_arrays_are_coloured_one_orientation_at_a_time(laue):
    drawn = crystals.random_orientations(6, np.random.default_rng(4)).reshape(2, 3, 4)
    colours = crystals.ipf_colors(drawn, laue, (1, 2, 3))
    assert colours.shape == (2, 3, 3)
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(
            colours[place], crystals.ipf_colors(drawn[place], laue, (1, 2, 3)), atol=1e-12
        )


def test_unknown_orientations_are_black():
    assert crystals.ipf_colors(np.full(4, np.nan), "-3m").tolist() == [0, 0, 0]


def scans(symmetry="32", share=0.5, count=2):
    """A stack of one slice of 10 x 20 points, whose second phase holds a share of them."""
    phase = np.ones(200)
    phase[: round(200 * share)] = 2
    phases = ({"id": 1, "material_name": "NMC", "symmetry": "32"},)
    phases += ({"id": 2, "material_name": "other", "symmetry": symmetry},)
    return xr.Dataset(
        {"phase": (("z", "y", "x"), phase.reshape(1, 10, 20))}, attrs={"phases": phases[:count]}
    )


def test_a_phase_of_another_symmetry_is_doubted_from_one_percent_on():
    assert check_symmetry(scans(), "-3m") == []
    (doubt,) = check_symmetry(scans("43", 0.25), "-3m")
    assert doubt == (
        "phase 2 (other, 25% of the points) has Laue group m-3m, but orientations are compared "
        "with -3m"
    )
    assert check_symmetry(scans("43", 0.01), "-3m") == []
    assert len(check_symmetry(scans("43", 0.015), "-3m")) == 1
    assert check_symmetry(scans("no code"), "-3m") == []


def test_a_single_phase_is_that_of_all_points():
    (doubt,) = check_symmetry(scans(share=1.0, count=1), "m-3m")
    assert doubt.startswith("phase 1 (NMC, 100% of the points) has Laue group -3m")
    assert check_symmetry(xr.Dataset({"phase": scans()["phase"]}), "-3m") == []


def test_orientations_of_a_stack_are_reduced_and_known_where_the_index_is_above_0():
    euler = np.broadcast_to([0.3, 0.2, 0.1], (2, 1, 5, 3)).copy()
    euler[1, 0, 4, 1] = np.nan
    trust = np.array([[[0.9, 0.5, 0.0, -1.0, np.nan]], [[0.9, 0.01, 0.0, -1.0, 0.5]]])
    dims = ("z", "y", "x")
    stack = xr.Dataset(
        {"euler_angles": ((*dims, "angle"), euler), "confidence_index": (dims, trust)}
    )
    field = stack_orientations(stack, "-3m")
    expected = crystals.reduce_to_fundamental_zone(
        crystals.quaternions_from_euler([0.3, 0.2, 0.1]), "-3m"
    )
    known = np.isfinite(field[:4]).all(axis=0)
    assert known.tolist() == [[[True, True, False, False, True]], [[True, True] + [False] * 3]]
    np.testing.assert_allclose(field[:4, 0, 0, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(field[4], trust.astype(np.float32))


def test_settings_of_every_pipeline_take_all_laue_groups():
    pipelines = Path(electrode_grains.pipelines.__path__[0])
    taken = 0
    for file in pipelines.glob("*/settings.py"):
        module = import_module(f"electrode_grains.pipelines.{file.parent.name}.settings")
        for model in vars(module).values():
            field = getattr(model, "model_fields", {}).get("laue_group")
            if field is not None:
                check = TypeAdapter(field.annotation).validate_python
                assert [check(group) for group in LAUE_GROUPS] == list(LAUE_GROUPS)
                with pytest.raises(ValidationError, match="literal_error"):
                    check("3m")
                taken += 1
    assert taken >= 5
