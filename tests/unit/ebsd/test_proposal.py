"""Which slices a person is asked to label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electrode_grains.ebsd import propose_slices, slice_information
from electrode_grains.errors import InputError, SettingsError

DEPTHS = st.integers(1, 120)


def cells(depth, spacing, seed=5):
    """Bright cells with dark borders a number of points apart, and noise."""
    rng = np.random.default_rng(seed)
    stack = 100 + rng.normal(0, 3, (depth, 48, 48))
    stack[:, ::spacing] -= 40
    stack[:, :, ::spacing] -= 40
    return stack


def test_a_slice_with_more_boundaries_tells_more():
    stack = cells(2, 24)
    stack[1] = cells(1, 8)[0]
    few, many = slice_information(stack)
    assert many > 2 * few


def test_information_does_not_depend_on_the_unit_of_image_quality():
    stack = cells(3, 12)
    assert slice_information(7 * stack + 20) == pytest.approx(slice_information(stack))


def test_points_that_were_not_scanned_tell_nothing():
    stack = cells(2, 8)
    stack[1, :, 24:] = np.nan
    full, half = slice_information(stack)
    assert half < 0.6 * full


def test_an_uncertain_prediction_counts_by_its_entropy():
    stack = np.ones((2, 4, 4))
    probability = np.full((3, 2, 4, 4), 1 / 3)
    probability[:, 0] = np.array([1.0, 0.0, 0.0])[:, None, None]
    assert slice_information(stack, probability) == pytest.approx([0.0, np.log(3)], abs=1e-9)


@given(depth=DEPTHS, count=st.integers(1, 8), seed=st.integers(0, 99))
def test_proposals_are_spread_by_half_a_band_or_more(depth, count, seed):
    information = np.random.default_rng(seed).random(depth)
    chosen = propose_slices(information, count)
    assert len(chosen) == min(depth, count)
    if depth >= 2 * count:
        assert (np.diff(chosen) >= depth / count / 2 - 1e-9).all()


@given(depth=DEPTHS, annotated=st.sets(st.integers(0, 119), max_size=6), seed=st.integers(0, 99))
def test_labelled_and_flagged_slices_are_never_proposed(depth, annotated, seed):
    flagged = set(range(0, depth, 3))
    annotated = {z for z in annotated if z < depth}
    information = np.random.default_rng(seed).random(depth)
    chosen = propose_slices(information, 3, annotated, flagged)
    assert len(chosen) <= 3
    assert not annotated.union(flagged).intersection(chosen)


def test_a_new_proposal_keeps_away_from_what_is_labelled():
    assert propose_slices(np.ones(90), 2, annotated=[15]) == [37, 67]


def test_nothing_to_propose_is_refused():
    with pytest.raises(SettingsError, match="count = 0"):
        propose_slices(np.ones(3), 0)
    with pytest.raises(InputError, match="no point of the stack"):
        slice_information(np.full((2, 3, 3), np.nan))


def test_the_information_of_a_dark_line_is_its_depth_over_the_spread_of_the_stack():
    stack = np.zeros((2, 40, 40))
    stack[:, :20] = 8.0  # quartiles 0 and 8
    stack[1, 10] = 0.0
    flat, lined = slice_information(stack)
    # Smoothing keeps the sum of what a line lacks: 40 points of depth 8, over 1600 and 8.
    assert flat == pytest.approx(0, abs=1e-9)
    assert lined == pytest.approx(40 / 1600, rel=0.05)


def test_of_equal_slices_the_first_and_of_bands_the_richest_are_proposed():
    information = np.zeros(24)
    assert propose_slices(information, 3) == [2, 10, 18]
    information[[3, 12, 20]] = [1, 3, 2]
    assert propose_slices(information, 3) == [3, 12, 20]
    # Bands of 6 slices; 3 stands in the middle of the first, 12 at the edge of the third.
    assert propose_slices(information, 2, annotated=[8, 9]) == [3, 20]
    assert propose_slices(information, 1, annotated=[8]) == [20]
    assert propose_slices(information, 1, annotated=[8], avoided=[20]) == [15]


def test_every_slice_can_be_proposed_but_none_twice():
    assert propose_slices(np.ones(4), 9) == [0, 1, 2, 3]
    assert propose_slices(np.ones(4), 4, avoided=[2]) == [0, 1, 3]
    assert propose_slices(np.ones(2), 1, annotated=[0, 1]) == []


def test_only_a_volume_and_a_prediction_that_covers_it_are_taken():
    for shape in ((3, 3), (0, 3, 3)):
        with pytest.raises(InputError, match="from a volume"):
            slice_information(np.ones(shape))
    with pytest.raises(InputError, match="does not cover"):
        slice_information(np.ones((2, 3, 3)), np.ones((3, 2, 3, 4)))
