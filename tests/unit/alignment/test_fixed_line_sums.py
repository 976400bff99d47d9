"""Sums behind the search for lines of a detector, against loops that follow their definition."""

import numpy as np
import pytest

from electrode_grains.alignment.fixed_lines import (
    LEAST_ERRORS,
    _corrected,
    _fixed_lines,
    _medians_across,
)

RNG = np.random.default_rng(7)
STACK = RNG.normal(0, 1, (32, 96, 40))
ALL = np.arange(32)


def test_a_median_is_of_the_fifteen_points_across_mirrored_at_the_ends():
    padded = np.pad(STACK, ((0, 0), (0, 0), (7, 7)), mode="reflect")
    expected = np.stack([np.median(padded[:, :, x : x + 15], axis=2) for x in range(40)], axis=2)
    np.testing.assert_array_equal(_medians_across(STACK), expected)


@pytest.mark.parametrize("x", [0, 5, 20, 39])
def test_a_line_that_answers_keeps_its_share_and_a_dead_one_becomes_the_median(x):
    truth = np.median(STACK[:, :, max(0, x - 7) : x + 8], axis=2)
    weak = STACK.copy()
    weak[:, :, x] = 3.0 + 0.8 * truth  # an offset and less response
    cleaned = _corrected(weak, np.array([x]))
    others = np.arange(40) != x
    np.testing.assert_array_equal(cleaned[:, :, others], weak[:, :, others])
    beside = np.median(weak[:, :, max(0, x - 7) : x + 8], axis=2)
    assert np.corrcoef(cleaned[:, :, x].ravel(), beside.ravel())[0, 1] > 0.9
    assert abs(np.median(cleaned[:, :, x] - beside)) < 0.02
    for value in (0.0, 255.0):
        dead = STACK.copy()
        dead[:, :, x] = value
        beside = np.median(dead[:, :, max(0, x - 7) : x + 8], axis=2)
        np.testing.assert_array_equal(_corrected(dead, np.array([x]))[:, :, x], beside)


def test_offset_and_slope_of_a_line_are_taken_out_exactly_where_it_has_no_noise():
    ramp = np.broadcast_to(np.linspace(0, 10, 96)[None, :, None], (12, 96, 40)).copy()
    stack = ramp.copy()
    stack[:, :, 17] = 5.0 + 0.75 * ramp[:, :, 17]
    np.testing.assert_allclose(_corrected(stack, np.array([17])), ramp, atol=1e-12)


def parts(stack, count, lengths):
    """Medians over parts of slices and of the line, of values less the median across."""
    rest = stack - _medians_across(stack)
    return np.array(
        [[np.median(part, axis=(0, 1)) for part in np.array_split(slices, lengths, axis=1)]
         for slices in np.array_split(rest, count)]
    )  # fmt: skip


@pytest.mark.parametrize("offset", [0.06, 0.12, 0.25])
@pytest.mark.parametrize("errors", LEAST_ERRORS[:2])
def test_a_line_stands_out_by_its_share_of_the_spread_and_in_all_parts(offset, errors):
    stack = STACK.copy()
    stack[:, :, 3::9] += offset
    offsets = parts(stack, 8, 8)
    mean = np.abs(offsets.mean(axis=(0, 1)))
    expected = mean > 0.05 * stack.std()
    for axis in (0, 1):
        means = offsets.mean(axis=1 - axis)
        error = means.std(axis=0, ddof=1) / np.sqrt(8)
        expected &= mean > errors * np.maximum(error, np.median(error))
    assert _fixed_lines(stack, ALL, errors).tolist() == np.flatnonzero(expected).tolist()
    if offset == 0.25:
        assert set(_fixed_lines(stack, ALL, 4.5)) == set(range(3, 40, 9))


def test_what_is_in_one_part_only_is_no_line():
    stack = STACK.copy()
    stack[:4, :, 3] += 20  # in an eighth of the slices
    stack[:, :12, 9] += 20  # or of the points along the line
    stack[:, :, 15] += 1
    assert _fixed_lines(stack, ALL, 4.5).tolist() == [15]


@pytest.mark.parametrize(
    ("depth", "rows", "tells"), [(12, 48, True), (11, 48, False), (12, 47, False), (200, 48, True)]
)
def test_parts_are_four_at_least_of_three_slices_and_twelve_points(depth, rows, tells):
    stack = np.random.default_rng(1).normal(0, 1, (depth, rows, 30))
    stack[:, :, 11] += 3
    assert _fixed_lines(stack, np.arange(depth), 4.5).tolist() == ([11] if tells else [])
