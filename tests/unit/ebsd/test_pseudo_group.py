"""Operators of pseudo-symmetry that a user gives, and the group that they make."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.ebsd import OrientationField, StackSettings
from electrode_grains.ebsd.orientations import (
    conjugate,
    laue_group,
    misorientation_angle,
    multiply,
    random_orientations,
)
from electrode_grains.ebsd.pseudo_cube import (
    PseudoSymmetry,
    find_pseudo_symmetry,
    flip_excess,
    pseudo_cube,
    variants_as_one,
)
from electrode_grains.ebsd.pseudo_group import pseudo_group
from electrode_grains.errors import SettingsError

CUBE_EDGE = (0.0, -np.sqrt(2 / 3), np.sqrt(1 / 3), 90.0)  # of layered oxides, obverse setting


def rotations(group):
    own = laue_group(group.joint)
    return multiply(multiply(conjugate(group.to_joint), own), group.to_joint)


def same_rotations(one, other):
    overlap = np.abs(rotations(one) @ rotations(other).T)
    return overlap.shape[0] == overlap.shape[1] and bool((overlap.max(axis=1) > 1 - 1e-6).all())


@pytest.mark.parametrize(
    ("crystal", "operator", "joint", "variants"),
    [
        ("-3m", (0, 0, 1, 60), "6/mmm", 2),  # Dauphiné twins of quartz
        ("-3m", CUBE_EDGE, "m-3m", 4),
        ("4/mmm", (1, 0, 0, 90), "m-3m", 3),  # c / a near 1
        ("4/mmm", (1, 1, 1, 120), "m-3m", 3),
        ("mmm", (0, 0, 1, 120), "6/mmm", 3),  # aragonite
        ("2/m", (1, 0, 0, 180), "mmm", 2),
        ("-3", (1, 0, 0, 180), "-3m", 2),
        ("m-3", (0, 0, 1, 90), "m-3m", 2),  # pyrite
        ("-1", (1, 2, 3, 180), "2/m", 2),
    ],
)
def test_operators_and_symmetries_make_a_known_group(crystal, operator, joint, variants):
    group = pseudo_group(crystal, (tuple(map(float, operator)),))
    assert (group.crystal, group.joint, len(group.variants)) == (crystal, joint, variants)
    # Every symmetry of the crystal, and the operator itself, is one of the group.
    half = np.radians(operator[3]) / 2
    axis = np.array(operator[:3]) / np.linalg.norm(operator[:3])
    members = np.vstack([laue_group(crystal), [np.cos(half), *(np.sin(half) * axis)]])
    assert np.abs(members @ rotations(group).T).max(axis=1) == pytest.approx(1)
    # Variants are of different kinds, and shown operators make the group again.
    apart = misorientation_angle(group.variants[:, None], group.variants[None], crystal)
    assert apart[~np.eye(variants, dtype=bool)].min() > np.radians(10)
    assert same_rotations(pseudo_group(crystal, group.operators), group)


def test_the_operators_shown_for_layered_oxides_are_those_of_the_pseudo_cube():
    found = pseudo_cube()
    assert len(found.operators) == 3
    for operator in found.operators:
        assert operator[3] == 90
        assert abs(operator[2]) == pytest.approx(np.sqrt(1 / 3), abs=1e-4)
        assert same_rotations(pseudo_group("-3m", (operator,)), found)
    # Of the other setting of the rhombohedral lattice, 60 degrees on about c, it is another cube.
    x, y, z, degrees = CUBE_EDGE
    assert same_rotations(pseudo_group("-3m", (CUBE_EDGE,)), found)
    assert not same_rotations(pseudo_group("-3m", ((x, -y, z, degrees),)), found)


@settings(max_examples=25, deadline=None)
@given(off=st.floats(-1, 1), tilt=st.floats(-1, 1), length=st.floats(0.1, 10))
def test_round_numbers_make_the_exact_group(off, tilt, length):
    x, y, z, degrees = CUBE_EDGE
    turn = np.radians(tilt)
    tilted = (
        length * x,
        length * (y * np.cos(turn) - z * np.sin(turn)),
        length * (y * np.sin(turn) + z * np.cos(turn)),
        degrees + off,
    )
    group = pseudo_group("-3m", (tilted,))
    assert group.joint == "m-3m"
    # What is known exactly, the symmetry of the crystal, stays exact.
    assert np.abs(laue_group("-3m") @ rotations(group).T).max(axis=1) == pytest.approx(1, abs=1e-9)
    assert same_rotations(group, pseudo_cube())


@pytest.mark.parametrize(
    ("crystal", "operators", "reason"),
    [
        ("-3m", [(1, -1, 0, 70.53)], "make no Laue group.*more than 24 rotations"),
        ("-3m", [(0, 0, 1, 45)], "make no Laue group"),
        ("-3m", [(0, 0, 1, 120)], "is a symmetry of the Laue group -3m already"),
        ("-3m", [(0, 0, 1, 360)], "is a symmetry of the Laue group -3m already"),
        ("m-3m", [(1, 1, 1, 60)], "make no Laue group"),
        ("4/mmm", [(1, 0, 0, 86)], "make no Laue group"),  # 4 degrees off
        ("4/mmm", [(0, 0, 0, 90)], "no axis or no angle"),
        ("4/mmm", [(0, 0, 1, float("nan"))], "no axis or no angle"),
    ],
)
def test_operators_that_make_no_sense_are_refused(crystal, operators, reason):
    with pytest.raises(SettingsError, match=f"(?s){reason}") as refusal:
        pseudo_group(crystal, tuple(operators))
    assert "preprocessing.stack.pseudo_symmetry_operators" in str(refusal.value)
    with pytest.raises(SettingsError, match=f"(?s)pseudo_symmetry_operators.*{reason}"):
        StackSettings.checked(laue_group=crystal, pseudo_symmetry_operators=operators)


def test_operators_of_the_wrong_length_are_refused():
    with pytest.raises(SettingsError, match=r"pseudo_symmetry_operators"):
        StackSettings.checked(pseudo_symmetry_operators=[[0, 0, 1]])


def test_flips_by_given_operators_are_seen_and_others_are_not():
    rng = np.random.default_rng(3)
    shape = (4, 24, 24)
    grains = np.add.outer(np.arange(4) // 2, np.add.outer(np.arange(24) // 6, np.arange(24) // 8))
    true = random_orientations(10, rng)[grains]
    tilt = np.radians(rng.uniform(-1, 1, shape)) / 2
    scattered = multiply(np.stack([np.cos(tilt), np.sin(tilt), 0 * tilt, 0 * tilt], -1), true)
    quartz = ((0.0, 0.0, 1.0, 60.0),)
    patch = np.zeros(shape, bool)
    patch[:, 3:9, 4:20] = True
    flip = np.where(patch[..., None], [np.cos(np.pi / 6), 0, 0, np.sin(np.pi / 6)], [1.0, 0, 0, 0])
    plain, flipped = (
        OrientationField(quaternions, operators=quartz)
        for quaternions in (scattered, multiply(flip, scattered))
    )

    assert abs(flip_excess(plain)) < 0.002
    faces = 3 * 24 * 24 + 2 * 4 * 23 * 24
    edge = 4 * (2 * 16 + 2 * 6)  # faces around the patch, all within 4 degrees but for grains
    assert flip_excess(flipped) == pytest.approx(edge / faces, rel=0.25)
    # Flips about c leave the c axes, so that the pseudo-cube sees nothing of them.
    by_axes = [flip_excess(OrientationField(each.quaternions)) for each in (plain, flipped)]
    assert by_axes[0] == pytest.approx(by_axes[1])

    finding = find_pseudo_symmetry(flipped, (4.91, 5.40))
    assert finding.found
    assert "-3m as 6/mmm" in finding.describe()
    assert "operators (given): 60 degrees about (0, 0, 1)" in finding.describe()
    assert finding.given == quartz
    kept = {**vars(finding), "operators": [list(each) for each in finding.operators],
            "given": [list(each) for each in finding.given]}  # fmt: skip
    assert PseudoSymmetry.from_dict(kept) == finding
    assert not find_pseudo_symmetry(plain, None).found

    as_one = variants_as_one(flipped)
    assert as_one.laue_group == "6/mmm"
    same = variants_as_one(plain)
    assert np.degrees(as_one.misorientation(same)).max() < 1e-4


def test_random_orientations_are_no_flips():
    rng = np.random.default_rng(8)
    field = OrientationField(
        random_orientations(20**3, rng).reshape(20, 20, 20, 4), laue_group="4/mmm",
        operators=((1.0, 0.0, 0.0, 90.0),),
    )  # fmt: skip
    assert abs(flip_excess(field)) < 0.002
