"""Sums behind the turns of lattices, against SciPy and loops that follow their definition."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

from electrode_grains.alignment import LatticeField, rigid_matrix, turned_steps
from electrode_grains.alignment.frame_check import _middle
from electrode_grains.alignment.lattice import (
    _huber_mean,
    _shared_points,
    _smallest_rotation,
    _tile_medians,
    agreement,
    lattice_turn,
    step_changes,
    with_rotation,
    witness,
)
from electrode_grains.alignment.matching import Match
from electrode_grains.alignment.transforms import center_motion

SYMMETRY = Rotation.create_group("D3").as_quat(scalar_first=True)


def test_the_smallest_rotation_is_that_of_scipy_over_all_equivalents():
    first, second = (Rotation.random(50, rng=np.random.default_rng(seed)) for seed in (1, 2))
    candidates = [
        ((Rotation.from_quat(s, scalar_first=True) * second).inv() * first).as_rotvec()
        for s in SYMMETRY
    ]
    lengths = np.linalg.norm(candidates, axis=-1)
    expected = np.array(candidates)[lengths.argmin(axis=0), np.arange(50)]
    found = _smallest_rotation(
        second.as_quat(scalar_first=True), first.as_quat(scalar_first=True), SYMMETRY
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)
    same = first.as_quat(scalar_first=True)
    np.testing.assert_allclose(_smallest_rotation(-same, same, SYMMETRY), 0, atol=1e-7)


def test_the_robust_mean_is_the_least_of_hubers_loss():
    values = np.random.default_rng(4).standard_t(2, (31, 3)) + np.array([0.0, 5.0, -2.0])
    mean, error = _huber_mean(values)
    for column in range(3):
        x = values[:, column]
        scale = 1.4826 * np.median(np.abs(x - np.median(x)))
        limit = 1.5 * scale

        def loss(m, x=x, limit=limit):
            r = np.abs(x - m)
            return np.where(r < limit, r**2 / 2, limit * r - limit**2 / 2).sum()

        best = minimize_scalar(loss, bounds=(x.min(), x.max()), method="bounded",
                               options={"xatol": 1e-10}).x  # fmt: skip
        assert mean[column] == pytest.approx(best, abs=1e-4)
        rest = np.abs(x - mean[column])
        expected = np.sqrt((np.minimum(rest, limit) ** 2).sum()) / (rest < limit).sum()
        assert error[column] == pytest.approx(expected)


def test_equal_values_have_no_error():
    mean, error = _huber_mean(np.full((9, 3), 0.25))
    np.testing.assert_array_equal(mean, 0.25)
    np.testing.assert_array_equal(error, 0)


def test_tiles_of_eight_points_or_more_have_a_median():
    rng = np.random.default_rng(3)
    tile = rng.permutation(np.repeat([4, 0, 9, 2], [8, 7, 20, 9]))
    vectors = rng.normal(size=(44, 3))
    expected = [np.median(vectors[tile == number], axis=0) for number in (2, 4, 9)]
    np.testing.assert_array_equal(_tile_medians(vectors, tile), expected)
    assert _tile_medians(vectors[tile == 0], tile[tile == 0]).shape == (0, 3)


@pytest.fixture
def field():
    """Two slices of one crystal each, the second turned by 2 degrees in the plane."""
    crystal = Rotation.from_euler("zxz", [0.3, 0.9, 1.2])
    turned = crystal * Rotation.from_rotvec([0, 0, np.radians(2)]).inv()
    values = np.stack([each.as_quat(scalar_first=True) for each in (crystal, turned)])
    quaternions = np.broadcast_to(values[:, None, None], (2, 20, 30, 4)).copy()
    return LatticeField(quaternions, SYMMETRY, np.ones((2, 20, 30), bool))


def test_points_are_shared_where_both_slices_are_reliable(field):
    step = rigid_matrix(3.0, -2.0, 0.1, (14.5, 9.5))
    field.reliable[0, 5] = field.reliable[1, :, 7] = False
    field.quaternions[...] = np.random.default_rng(0).normal(size=field.quaternions.shape)
    expected = []
    for y in range(20):
        for x in range(30):
            sx, sy = (int(np.rint(each)) for each in (step @ [x, y, 1])[:2])
            inside = 0 <= sx < 30 and 0 <= sy < 20
            if inside and field.reliable[0, y, x] and field.reliable[1, sy, sx]:
                pair = field.quaternions[0, y, x], field.quaternions[1, sy, sx]
                expected.append((*pair, (y // 8, x // 8)))
    first, second, tile = _shared_points(field, 0, 1, step)
    np.testing.assert_array_equal(first, [each[0] for each in expected])
    np.testing.assert_array_equal(second, [each[1] for each in expected])
    places = [each[2] for each in expected]
    assert (
        len(set(tile.tolist()))
        == len(set(places))
        == len(set(zip(tile.tolist(), places, strict=True)))
    )


@pytest.mark.parametrize(("points", "tells"), [(48, True), (47, False)])
def test_six_tiles_of_eight_points_are_the_least(field, points, tells):
    field.reliable[...] = False
    for number in range(points):  # in six tiles in turn
        y, x = divmod(number // 6, 4)
        ty, tx = divmod(number % 6, 3)
        field.reliable[:, 8 * ty + y, 8 * tx + x] = True
    turn = lattice_turn(field, 0, 1, np.eye(3))
    assert (turn is not None) is tells
    assert np.isfinite(agreement(field, 0, 1, np.eye(3))) == tells
    if tells:
        np.testing.assert_allclose(np.degrees(turn.turn), [0, 0, 2], atol=1e-6)


@pytest.mark.parametrize(("degrees", "share"), [(4.9, 1.0), (5.1, 0.0)])
def test_points_agree_within_five_degrees_of_the_registered_turn(field, degrees, share):
    off = np.radians(2 - degrees)
    assert agreement(field, 0, 1, rigid_matrix(0, 0, off, (14.5, 9.5))) == share
    assert (lattice_turn(field, 0, 1, rigid_matrix(0, 0, off, (14.5, 9.5))) is None) is (share == 0)


def test_another_rotation_leaves_the_centre_where_it_went():
    center = (14.5, 9.5)
    step = rigid_matrix(3.0, -2.0, 0.1, center)
    other = with_rotation(step, -0.05, center)
    np.testing.assert_allclose(center_motion(other[None], center)[0], [3.0, -2.0, -0.05])


def test_lattices_are_compared_in_the_middle_of_large_slices():
    assert _middle((5, 300, 100)) == (slice(None), slice(22, 278), slice(0, 256))
    assert _middle((5, 256, 257)) == (slice(None), slice(0, 256), slice(0, 256))
    assert _middle((5, 258, 600)) == (slice(None), slice(1, 257), slice(172, 428))


def test_turns_before_alignment_are_those_of_lattices_and_of_the_images_that_turn_most(
    monkeypatch, field
):
    quaternions = np.concatenate([field.quaternions[:1], field.quaternions] * 9)[:25]
    stack = LatticeField(quaternions, SYMMETRY, np.ones((25, 20, 30), bool))
    stack.reliable[3] = False  # no turn of slices 3 and 4
    asked = []
    monkeypatch.setattr(
        "electrode_grains.alignment.frame_check._image_rotation",
        lambda pair: asked.append(float(pair[0, 0, 0])) or (0.1, 0.01),
    )
    quality = np.broadcast_to(np.arange(25.0)[:, None, None], (25, 20, 30))
    progress = []
    turns = turned_steps(quality, stack, lambda done, total: progress.append((done, total)))
    assert progress == [(done, 24) for done in range(24)]
    degrees = np.degrees(turns.turns[:, 2])
    for z in range(1, 25):
        expected = {1: 0, 2: 2, 0: -2}[z % 3]
        if z in (3, 4):
            assert np.isnan(degrees[z - 1])
        else:
            assert degrees[z - 1] == pytest.approx(expected, abs=1e-6)
    known = np.flatnonzero(np.isfinite(turns.image_rotations))
    assert asked == known.tolist()  # the pair begins with the slice before
    assert len(known) == 20
    turning = np.flatnonzero(np.abs(degrees) > 1)
    assert set(turning) < set(known)
    assert set(turns.image_rotations[known]) == {0.1}
    assert set(turns.image_errors[known]) == {0.01}
    assert turns.errors.shape == (24, 3)
    np.testing.assert_array_equal(np.isfinite(turns.errors), np.isfinite(turns.turns))
    none = turned_steps(quality[:1], stack)
    assert none.turns.shape == (0, 3)


def test_the_witness_is_the_mean_of_agreements_before_and_after_with_its_error():
    rng = np.random.default_rng(5)
    crystals = Rotation.random(6, rng=rng).as_quat(scalar_first=True)
    columns = rng.integers(0, 6, (5, 30)) * (np.arange(30) % 3 > 0)
    field = LatticeField(
        np.broadcast_to(crystals[columns][:, None], (5, 20, 30, 4)).copy(),
        SYMMETRY,
        np.ones((5, 20, 30), bool),
    )
    matrices = np.array([rigid_matrix(z % 2, 0, 0, (14.5, 9.5)) for z in range(5)])
    before = [agreement(field, z - 1, z, np.eye(3)) for z in range(1, 5)]
    steps = [matrices[z] @ np.linalg.inv(matrices[z - 1]) for z in range(1, 5)]
    after = [agreement(field, z - 1, z, steps[z - 1]) for z in range(1, 5)]
    gain = np.subtract(after, before)
    expected = np.mean(before), np.mean(after), gain.std(ddof=1) / 2
    assert witness(field, matrices) == pytest.approx(expected)
    assert np.isnan(witness(field, matrices[:3])).all()  # two pairs have no spread


def test_changes_of_orientations_are_over_one_step_and_over_the_last_two():
    rng = np.random.default_rng(6)
    crystals = Rotation.random(4, rng=rng).as_quat(scalar_first=True)
    columns = rng.integers(0, 4, (5, 30))
    field = LatticeField(
        np.broadcast_to(crystals[columns][:, None], (5, 20, 30, 4)).copy(),
        SYMMETRY,
        np.ones((5, 20, 30), bool),
    )
    moves = [rigid_matrix(x, 0, 0, (14.5, 9.5)) for x in (0, 1, 2, 3, 5)]
    matches = [Match(moves[z], max(z - 1, 0)) for z in range(5)]
    single, double = step_changes(field, matches)
    for z in range(1, 5):
        assert single[z] == 1 - agreement(field, z - 1, z, moves[z])
    for z in range(2, 5):
        assert double[z] == 1 - agreement(field, z - 2, z, moves[z] @ moves[z - 1])
    assert np.isnan([single[0], double[0], double[1]]).all()
    matches[3] = Match(moves[3], 1)  # registered past a bad slice
    single, double = step_changes(field, matches)
    assert single[3] == 1 - agreement(field, 1, 3, moves[3])
    assert np.isnan(double[[3, 4]]).all()
