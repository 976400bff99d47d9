"""The verdict on a stack by hand: limits, jumps, the witness, and what lattices and images say."""

import numpy as np
import pytest

from electrode_grains.alignment.evidence import (
    AGAINST,
    UNKNOWN,
    WITH,
    Evidence,
    LatticeTurns,
    weigh_steps,
)


def still(**values):
    """Nothing moves."""
    plain = dict(shift_roughness=0.5, rotation_roughness=0.25, moves=False, turns=False)
    return Evidence(**{**plain, "jumps": (), "lean_px": 0.0, **values})


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (still(), "the slices stay where they are: shifts vary by 0.5 times what errors and the "
                  "shape of grains explain"),
        (still(turns=True), "; rotations are corrected"),
        (still(jumps=(3, 9)), "; jumps before slices 3, 9 are corrected"),
        (still(lean_px=0.31), "; a lean of 0.31 pixels per slice is left to the object; if the "
                              "stage crept, set require_evidence to false"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_is_corrected_and_what_is_left(evidence, words):
    assert evidence.verdict.endswith(words)
    assert evidence.verdict.startswith("the slices stay")
    moving = Evidence(**{**vars(evidence), "moves": True}).verdict
    assert moving == "the stage moves: " + still().verdict.partition(": ")[2]


def test_the_verdict_ends_with_what_orientations_say():
    heard = still(agreement_before=0.5, agreement_after=0.75)
    assert heard.verdict.endswith(
        "; orientations of neighbouring slices agree in 50.0% of the points as scanned, in 75.0% "
        "as registered"
    )


def alternating(size, count=20, axis=0):
    steps = np.zeros((count, 3))
    steps[::2, axis], steps[1::2, axis] = size, -size
    return steps


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_roughness_is_the_root_mean_square_over_the_errors(axis):
    errors = np.full((20, 3), 0.2)
    few = weigh_steps(alternating(0.3, 3, axis), errors[:3])
    shift, rotation = (1.5 / np.sqrt(2), 0.0) if axis < 2 else (0.0, 1.5)
    assert few.shift_roughness == pytest.approx(shift)
    assert few.rotation_roughness == pytest.approx(rotation)
    # Of four steps or more what lies beside the median of the seven around counts.
    for count in (4, 20):
        steps = alternating(0.3, count, axis)
        around = [np.pad(steps, ((3, 3), (0, 0)), mode="edge")[z : z + 7] for z in range(count)]
        rough = (steps - np.median(around, axis=1)) / 0.2
        many = weigh_steps(steps, errors[:count])
        assert many.shift_roughness == pytest.approx(np.sqrt((rough[:, :2] ** 2).mean()))
        assert many.rotation_roughness == pytest.approx(np.sqrt((rough[:, 2] ** 2).mean()))


@pytest.mark.parametrize(("size", "moves"), [(1.74, False), (1.76, True)])
def test_a_stage_moves_beyond_one_and_three_quarters_of_the_errors(size, moves):
    steps = np.array([[1.0, 0, 0], [0, 0, 0], [-1, 0, 0]])
    evidence = weigh_steps(steps * size * np.sqrt(3), np.ones((3, 3)))
    assert (evidence.moves, evidence.turns) == (moves, False)
    turning = weigh_steps(steps[:, ::-1] * size * np.sqrt(1.5), np.ones((3, 3)))
    assert (turning.moves, turning.turns) == (False, moves)


def test_one_wild_step_counts_as_one_that_is_clearly_beyond_its_error():
    wild, clear = (np.zeros((16, 3)) for _ in range(2))
    wild[8, 0], clear[8, 0] = 1e6, 1.0
    errors = np.full((16, 3), 0.001)
    found = weigh_steps(wild, errors)
    assert found.shift_roughness == pytest.approx(weigh_steps(clear, errors).shift_roughness)
    assert found.jumps == (9,)
    assert found.lean_px == 0
    none = weigh_steps(wild, errors, gains=np.zeros(16))
    assert none.jumps == ()
    assert weigh_steps(wild, errors, gains=np.ones(16)).jumps == (9,)


def test_jumps_are_counted_by_slices_also_behind_steps_without_registration():
    steps, errors = np.zeros((20, 3)), np.full((20, 3), 0.01)
    steps[12, 1] = -5.0
    steps[3] = errors[5] = np.nan
    assert weigh_steps(steps, errors).jumps == (13,)
    turned = np.zeros((20, 3))
    turned[7, 2] = np.radians(10)
    assert weigh_steps(turned, errors / 100).jumps == (8,)
    assert weigh_steps(turned, np.full((20, 3), 1.0)).jumps == ()  # within its error


def test_a_lean_is_the_length_of_the_median_step():
    steps = np.tile([0.3, -0.4, 0.0], (12, 1))
    assert weigh_steps(steps, np.ones((12, 3))).lean_px == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("moves", "roughness", "gain", "after"),
    [
        (True, 9.0, 0.0, True),
        (True, 9.0, -1.0, False),  # grains would be torn
        (False, 9.0, 1.0, True),
        (False, 0.1, 1.0, False),  # too smooth to be heard
        (False, 9.0, 0.0, False),
    ],
)
def test_orientations_are_heard(moves, roughness, gain, after):
    evidence = still(moves=moves, shift_roughness=roughness)
    heard = evidence.heard(0.4, 0.4 + gain, 0.01)
    assert heard.moves is after
    assert (heard.agreement_before, heard.agreement_after) == (0.4, 0.4 + gain)
    assert evidence.heard(0.4, 0.4 + gain, np.nan) is evidence


def test_of_a_stage_that_stays_jumps_alone_are_significant_and_turns_if_it_turns():
    steps = np.random.default_rng(0).normal(0, 0.1, (20, 3))
    steps[9] += [4.0, -3.0, 0.1]
    assert still(moves=True).significant(steps) is steps
    kept = still(jumps=(10,)).significant(steps)
    assert np.flatnonzero(kept.any(axis=1)).tolist() == [9]
    np.testing.assert_allclose(kept[9], [4.0, -3.0, 0.1], atol=0.5)
    turned = still(jumps=(10,), turns=True).significant(steps)
    np.testing.assert_array_equal(turned[:, 2], steps[:, 2])
    np.testing.assert_array_equal(turned[:, :2], kept[:, :2])
    assert not still().significant(steps).any()
    edges = np.zeros((20, 3))
    edges[[0, 19]] = 1.0
    np.testing.assert_array_equal(still(jumps=(1, 20)).significant(edges), edges)


def turns(lattice, image, error=0.01):
    lattice, image = np.asarray(lattice, float), np.asarray(image, float)
    vectors = np.column_stack([0 * lattice + 0.5, 0 * lattice + 0.25, lattice])
    errors = np.where(np.isnan(image), np.nan, error)
    return LatticeTurns(vectors, np.full_like(vectors, error), image, errors)


def test_votes_are_log_likelihoods_of_the_two_senses():
    # ((i + l)^2 - (i - l)^2) / (2 * variance) = 4 i l / (2 (s^2 + s^2)) = i l / s^2
    assert turns([0.01], [0.02], 0.02).votes == pytest.approx(0.5)
    assert turns([0.01, -0.01], [0.02, 0.02], 0.02).votes == pytest.approx(0)
    assert turns([1.0], [1.0]).votes == turns([1.0], [9.0]).votes > 0  # one step is no proof
    assert turns([0.01, np.nan], [0.02, 0.02], 0.02).votes == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("image", "sense"), [(0.3, WITH), (-0.3, AGAINST), (0.0, UNKNOWN), (np.nan, UNKNOWN)]
)
def test_the_sense_needs_more_than_one_step(image, sense):
    one, three = turns([0.3], [image]), turns([0.3] * 3, [image] * 3)
    assert one.sense == UNKNOWN
    assert three.sense == sense
    assert three.speak_against is (sense == AGAINST)
    assert three.leads is (sense != AGAINST)
    assert abs(one.votes) <= one.clear_difference


def test_lattices_lead_where_most_are_known():
    assert turns([0.1, 0.1, np.nan], [0, 0, 0]).leads
    assert not turns([np.nan] * 2, [0, 0]).leads


def test_the_largest_turn_is_in_degrees_and_tilts_are_the_other_two():
    found = turns([np.radians(2), np.radians(-3), np.nan], [0, 0, 0])
    assert found.largest_turn == pytest.approx(3)
    assert found.tilts.shape == (3, 2)
    np.testing.assert_array_equal(found.tilts[0], [0.5, 0.25])
    assert np.isnan(turns([np.nan], [0]).largest_turn)
    listed = found.to_dict()
    assert listed["turns"][2][2] is None
    assert listed["sense"] == UNKNOWN
    again = LatticeTurns.from_dict(listed)
    np.testing.assert_array_equal(again.turns, found.turns)
    np.testing.assert_array_equal(again.image_errors, found.image_errors)


@pytest.mark.parametrize(
    ("size", "error", "jumps"),
    [(6.0, 1.0, False), (6.001, 1.0, True), (1.0, 0.001, False), (1.001, 0.001, True)],
)
def test_a_jump_is_beyond_six_errors_and_a_pixel(size, error, jumps):
    steps = np.zeros((16, 3))
    steps[8, 1] = size
    assert weigh_steps(steps, np.full((16, 3), error)).jumps == ((9,) if jumps else ())
    turned = np.zeros((16, 3))
    turned[8, 2] = np.radians(size)
    assert weigh_steps(turned, np.full((16, 3), np.radians(error))).jumps == ((9,) if jumps else ())


@pytest.mark.parametrize(("gain", "jumps"), [(0.09, ()), (0.11, (9,))])
def test_a_jump_gains_a_tenth_of_correlation(gain, jumps):
    steps = np.zeros((16, 3))
    steps[8, 0] = 5.0
    assert weigh_steps(steps, np.full((16, 3), 0.01), np.full(16, gain)).jumps == jumps


@pytest.mark.parametrize("slice_", [1, 2, 5, 10, 19, 20])
def test_a_jump_is_kept_less_the_median_of_the_seven_steps_around(slice_):
    steps = np.random.default_rng(3).normal(0.5, 0.3, (20, 3))
    kept = still(jumps=(slice_,)).significant(steps)
    around = steps[max(0, slice_ - 4) : slice_ + 3]
    np.testing.assert_allclose(kept[slice_ - 1], steps[slice_ - 1] - np.median(around, axis=0))


@pytest.mark.parametrize(
    ("moves", "roughness", "gain", "after"),
    [
        (True, 9.0, -0.029, True), (True, 9.0, -0.031, False),
        (False, 9.0, 0.029, False), (False, 9.0, 0.031, True),
        (False, 1.21, 0.031, True), (False, 1.19, 0.031, False),
    ],
)  # fmt: skip
def test_orientations_are_heard_beyond_three_errors(moves, roughness, gain, after):
    evidence = still(moves=moves, shift_roughness=roughness)
    assert evidence.heard(0.4, 0.4 + gain, 0.01).moves is after


@pytest.mark.parametrize(("lean", "moves"), [(1.5, False), (1.501, True)])
def test_a_lean_beyond_a_pixel_and_a_half_is_the_stage(lean, moves):
    assert weigh_steps(np.tile([lean, 0, 0], (20, 1)), np.full((20, 3), 9.0)).moves is moves
