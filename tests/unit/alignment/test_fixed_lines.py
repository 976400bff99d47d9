"""Stripes and dead lines of the detector do not hold the slices back."""

import numpy as np
import pytest
from benchmarks.cells import KINDS, cells

from electrode_grains.alignment import alignment_error, estimate_transforms
from electrode_grains.alignment.fixed_lines import without_fixed_lines
from electrode_grains.phantom import AcquisitionSettings, acquire, virtual_particle

SHAPE = (24, 72, 76)


@pytest.fixture(scope="module")
def scanned():
    particle = virtual_particle(SHAPE, (50.0, 50.0, 50.0), np.random.default_rng(2))
    settings = AcquisitionSettings(annotated_slices=(), drift_px=1.2, weak_boundary_degrees=0.0)
    return acquire(particle, np.random.default_rng(12), settings)


def offsets(stack):
    return stack + np.random.default_rng(5).normal(0, 25, SHAPE[2])


def gains(stack):
    return stack * np.random.default_rng(5).normal(1, 0.2, (SHAPE[1], 1))


def dead(stack):
    damaged = stack.copy()
    damaged[:, :, [20, 45, 46]] = 0
    damaged[:, [30], :] = 255
    return damaged


def error(stack, truth, **settings):
    transforms = estimate_transforms(stack, **settings)
    return alignment_error(transforms, truth)["cumulated_rms_px"], transforms.notes


@pytest.mark.parametrize(
    ("pattern", "rows", "columns"), [(offsets, 0, (30, 60)), (gains, (10, 50), 0), (dead, 1, 3)]
)
def test_a_pattern_that_stands_still_does_not_hold_slices_back(scanned, pattern, rows, columns):
    quality, truth = scanned.image_quality.astype(float), scanned.true_matrices
    undisturbed, _ = error(quality, truth)
    damaged = pattern(quality)
    kept, _ = error(damaged, truth, suppress_fixed_lines=False)
    suppressed, notes = error(damaged, truth)
    assert suppressed < undisturbed + 0.1 < kept
    assert suppressed < 0.75 * kept
    (note,) = [note for note in notes if "stand still" in note]
    words = note.split()
    for count, wanted in ((int(words[0]), columns), (int(words[3]), rows)):
        low, high = wanted if isinstance(wanted, tuple) else (wanted, wanted)
        assert low <= count <= high


@pytest.mark.parametrize("kind", KINDS)
def test_objects_have_no_lines_that_stand_still(kind):
    for seed in range(3):
        stack = cells((20, 64, 64), seed, **KINDS[kind])
        assert without_fixed_lines(stack) == (stack, None)


def test_a_particle_is_left_as_it_is(scanned):
    stack = scanned.image_quality.astype(float)
    assert without_fixed_lines(stack) == (stack, None)


def test_what_is_left_of_a_pattern_is_the_image_without_it(scanned):
    stack = scanned.image_quality.astype(float)
    cleaned, _ = without_fixed_lines(dead(stack))
    untouched = np.setdiff1d(np.arange(SHAPE[2]), [20, 45, 46])
    rows = np.setdiff1d(np.arange(SHAPE[1]), [30])
    np.testing.assert_array_equal(
        cleaned[:, rows][:, :, untouched], stack[:, rows][:, :, untouched]
    )
    assert np.corrcoef(cleaned[:, :, 20].ravel(), stack[:, :, 20].ravel())[0, 1] > 0.8
    cleaned, _ = without_fixed_lines(offsets(stack))
    left, before = cleaned - stack, offsets(stack) - stack
    # What is left varies slowly: lines are compared with those beside them.
    rough = [np.diff(each.mean(axis=(0, 1))).std() for each in (left, before)]
    assert rough[0] < 0.5 * rough[1]


def test_points_without_value_stay_without_and_do_not_matter(scanned):
    stack = dead(scanned.image_quality.astype(float))
    stack[3], stack[:, :4, :9] = np.nan, np.nan
    cleaned, note = without_fixed_lines(stack)
    np.testing.assert_array_equal(np.isnan(cleaned), np.isnan(stack))
    assert note.startswith("3 columns and 1 rows")


@pytest.mark.parametrize("shape", [(11, 72, 76), (24, 40, 40), (1, 60, 60)])
def test_of_few_slices_or_points_nothing_is_said(shape):
    stack = np.random.default_rng(1).normal(100, 10, shape)
    stack[:, :, 20] = 0
    assert without_fixed_lines(stack) == (stack, None)


def test_a_stack_without_values_is_left_alone():
    stack = np.full((20, 60, 60), np.nan)
    assert without_fixed_lines(stack) == (stack, None)
