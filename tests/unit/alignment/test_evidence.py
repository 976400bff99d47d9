"""Aligned volumes stay where they are, whatever their grains do; stages that move are found."""

import json

import numpy as np
import pytest
from benchmarks.cells import KINDS, cells, shifted
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.alignment import (
    AlignmentSettings,
    SliceTransforms,
    apply_transforms,
    estimate_transforms,
)
from electrode_grains.alignment.evidence import Evidence, weigh_steps

SHAPE = (14, 56, 56)


def grains(seed, **kind):
    return cells(SHAPE, seed, **kind)


def largest_motion(transforms):
    return np.abs(transforms.matrices - np.eye(3))[:, :2, 2].max()


@pytest.mark.parametrize("kind", KINDS)
def test_an_aligned_volume_stays_where_it_is(kind):
    transforms = estimate_transforms(grains(3, **KINDS[kind]))
    assert largest_motion(transforms) < 0.1
    if kind != "coarse slices":  # whose neighbours hardly resemble each other, which is flagged
        assert not any(transforms.flags)
    np.testing.assert_array_equal(transforms.correlation_before, transforms.correlation_after)


@pytest.mark.parametrize("wander", [0.4, 1.0])
def test_a_stage_that_moves_is_found_and_corrected(wander):
    rng = np.random.default_rng(8)
    shifts = np.cumsum(rng.normal(0, wander, (SHAPE[0], 2)), axis=0)
    transforms = estimate_transforms(shifted(grains(3), shifts), mode="translation")
    estimated = np.column_stack([transforms.shift_y, transforms.shift_x])
    apart = np.diff(estimated - shifts, axis=0)
    assert transforms.evidence.moves
    assert np.sqrt(np.mean(apart**2)) < 0.15


def test_a_single_jump_is_corrected_and_nothing_else():
    shifts = np.where(np.arange(SHAPE[0])[:, None] >= 9, [4.0, -3.0], 0.0)
    transforms = estimate_transforms(shifted(grains(4), shifts))
    steps = np.diff(np.column_stack([transforms.shift_y, transforms.shift_x]), axis=0)
    assert transforms.evidence.jumps == (9,)
    assert not transforms.evidence.moves
    np.testing.assert_allclose(steps[8], [4.0, -3.0], atol=0.4)
    np.testing.assert_allclose(np.delete(steps, 8, axis=0), 0, atol=1e-9)


@pytest.mark.parametrize(
    ("lean", "scatter", "moves"),
    [(1.4, 0.0, False), (1.6, 0.0, True), (1.6, 0.5, True), (1.6, 0.6, False), (1.9, 0.6, True)],
)
def test_a_steady_step_is_the_stage_beyond_a_limit_and_three_spreads(lean, scatter, moves):
    """Steps lie by the scatter to either side of the lean, far within their errors."""
    steps = np.zeros((21, 3))
    steps[:, 0] = lean
    steps[1::4, 1], steps[3::4, 1] = scatter, -scatter
    steps[2::4, 0] += scatter
    steps[4::4, 0] -= scatter
    evidence = weigh_steps(steps, np.full((21, 3), 10.0))
    assert evidence.moves == moves
    assert evidence.lean_px == pytest.approx(lean, abs=1e-9)


def test_a_stage_that_creeps_is_corrected_and_grains_that_lean_as_little_are_left():
    creep = np.arange(SHAPE[0])[:, None] * [2.5, -1.0]
    transforms = estimate_transforms(shifted(grains(3), creep), mode="translation")
    steps = np.diff(np.column_stack([transforms.shift_y, transforms.shift_x]), axis=0)
    np.testing.assert_allclose(np.median(steps, axis=0), [2.5, -1.0], atol=0.3)
    assert largest_motion(estimate_transforms(grains(3, lean=(1.0, 0.0)))) == 0


def test_without_a_need_for_evidence_a_lean_is_taken_for_drift():
    leaning = grains(3, lean=(0.3, -0.5))
    transforms = estimate_transforms(leaning, require_evidence=False)
    slopes = np.polyfit(np.arange(SHAPE[0]), np.c_[transforms.shift_y, transforms.shift_x], 1)[0]
    np.testing.assert_allclose(slopes, [0.3, -0.5], atol=0.2)


def test_the_lean_that_is_left_is_said():
    evidence = estimate_transforms(grains(3, lean=(0.3, -0.5))).evidence
    assert evidence.lean_px == pytest.approx(0.58, abs=0.25)
    assert "left to the object" in evidence.verdict


def test_slices_that_are_not_to_move_do_not():
    drifting = shifted(grains(5), np.random.default_rng(1).normal(0, 2, (SHAPE[0], 2)))
    transforms = estimate_transforms(drifting, AlignmentSettings(mode="none"))
    np.testing.assert_array_equal(transforms.matrices, np.tile(np.eye(3), (SHAPE[0], 1, 1)))
    np.testing.assert_array_equal(apply_transforms(drifting, transforms, order=3), drifting)
    assert transforms.evidence is None
    assert np.nanmedian(transforms.correlation_after) < 0.7  # as they lie, which is measured


def test_the_evidence_survives_json():
    transforms = estimate_transforms(grains(4))
    text = json.dumps(transforms.to_dict(), allow_nan=False)
    assert SliceTransforms.from_dict(json.loads(text)).evidence == transforms.evidence


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    lean=st.floats(-0.7, 0.7),
    error=st.floats(0.01, 0.5),
)
def test_steps_that_are_all_lean_and_error_are_no_motion(seed, lean, error):
    rng = np.random.default_rng(seed)
    errors = np.full((40, 3), error)
    evidence = weigh_steps(lean + error * rng.standard_normal((40, 3)), errors)
    assert not evidence.moves
    assert not evidence.turns


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), times=st.floats(5, 100))
def test_steps_beyond_their_errors_are_motion_whatever_the_unit(seed, times):
    steps = np.random.default_rng(seed).standard_normal((40, 3))
    evidence = weigh_steps(steps, np.full((40, 3), 1 / times))
    scaled = weigh_steps(steps / 100, np.full((40, 3), 1 / times / 100))
    assert evidence.moves
    assert evidence.turns
    assert scaled.shift_roughness == pytest.approx(evidence.shift_roughness)


def test_steps_without_registration_do_not_count():
    steps = np.vstack([np.zeros((10, 3)), np.full((5, 3), np.nan)])
    evidence = weigh_steps(steps, np.full((15, 3), 0.1))
    assert evidence == Evidence(0.0, 0.0, False, False, (), 0.0)
    assert weigh_steps(np.full((3, 3), np.nan), np.ones((3, 3))) == evidence


@settings(max_examples=3, deadline=None)
@given(scale=st.floats(0.01, 100), offset=st.floats(-1000, 1000))
def test_brightness_and_contrast_of_the_stack_do_not_matter(scale, offset):
    stack = shifted(grains(6), np.random.default_rng(2).normal(0, 1, (SHAPE[0], 2)))
    plain, other = (estimate_transforms(values[:6]) for values in (stack, offset + scale * stack))
    np.testing.assert_allclose(other.matrices, plain.matrices, atol=0.01)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_transposed_stack_moves_the_other_way_round(seed):
    shifts = np.random.default_rng(seed).normal(0, 1, (SHAPE[0], 2))
    stack = shifted(grains(seed), shifts)[:7]
    plain, turned = (
        estimate_transforms(values, rotation_correlation_length=None)
        for values in (stack, stack.transpose(0, 2, 1))
    )
    np.testing.assert_allclose(turned.shift_x, plain.shift_y, atol=0.05)
    np.testing.assert_allclose(turned.rotation, -plain.rotation, atol=0.003)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_reversed_stack_has_the_same_motions(seed):
    shifts = np.random.default_rng(seed).normal(0, 1, (SHAPE[0], 2))
    stack = shifted(grains(seed), shifts)
    plain, backwards = (
        estimate_transforms(values, mode="translation") for values in (stack, stack[::-1])
    )
    np.testing.assert_allclose(backwards.shift_x[::-1], plain.shift_x, atol=0.15)
