import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import metrics

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import (
    adapted_rand_error,
    boundary_agreement,
    boundary_distances,
    matched_grain_scores,
    score_labels,
    variation_of_information,
)


def random_labels(seed, highest=6, shape=(4, 5, 6)):
    return np.random.default_rng(seed).integers(0, highest + 1, shape)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), found=st.integers(1, 8), true=st.integers(1, 8))
def test_scores_equal_those_of_scikit_image(seed, found, true):
    labels, truth = random_labels(seed, found), random_labels(seed + 1, true)

    # What scikit-image calls precision divides by the pairs of the first argument.
    error, recall, precision = metrics.adapted_rand_error(truth, labels)
    inside = truth != 0
    split, merge = metrics.variation_of_information(truth[inside], labels[inside])

    scores = score_labels(labels, truth)
    assert adapted_rand_error(labels, truth) == pytest.approx(error)
    assert scores["adapted_rand_precision"] == pytest.approx(precision)
    assert scores["adapted_rand_recall"] == pytest.approx(recall)
    assert variation_of_information(labels, truth) == pytest.approx((split, merge))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_scores_know_no_names_of_grains(seed):
    labels, truth = random_labels(seed), random_labels(seed + 1)
    names = np.random.default_rng(seed).permutation(2**40 + np.arange(1, 7))
    renamed = np.concatenate([[0], names])[labels]

    found, expected = score_labels(renamed, truth), score_labels(labels, truth)
    for nested in ("matched", "f1_by_iou"):
        assert found.pop(nested) == pytest.approx(expected.pop(nested))
    assert found == pytest.approx(expected)


def test_a_perfect_segmentation_has_perfect_scores():
    truth = random_labels(5)

    scores = score_labels(truth * 3, truth, spacing=(50, 50, 50))

    assert scores["adapted_rand_error"] == pytest.approx(0)
    assert scores["variation_of_information"] == pytest.approx(0)
    assert scores["matched"]["f1"] == 1 == scores["f1_by_iou"]["0.9"]
    assert scores["count_error"] == 0
    assert scores["boundary_distance_p95"] == 0


def test_halves_of_a_grain_cost_one_bit_of_split_and_its_union_one_of_merge():
    whole, halves = np.ones(8, int), np.repeat([1, 2], 4)

    assert variation_of_information(halves, whole) == (1, 0)
    assert variation_of_information(whole, halves) == (0, 1)
    assert variation_of_information(whole, halves).total == 1


def test_every_true_grain_counts_in_the_recall():
    truth = np.array([1, 1, 1, 1, 2, 3])
    labels = np.array([1, 1, 1, 1, 0, 0])

    scores = matched_grain_scores(labels, truth)

    assert scores == {
        "precision": 1, "recall": 1 / 3, "f1": 0.5, "matched": 1, "found": 1, "true": 3,
    }  # fmt: skip


def test_half_an_overlap_is_no_match():
    assert matched_grain_scores(np.array([1, 1, 0]), np.array([1, 1, 1]))["matched"] == 1
    assert matched_grain_scores(np.array([1, 0]), np.array([1, 1]))["matched"] == 0


def test_voxels_outside_the_truth_count_in_the_overlap():
    truth = np.array([1, 1, 0, 0, 0])

    assert matched_grain_scores(np.array([1, 1, 1, 1, 1]), truth)["matched"] == 0


def test_distances_of_boundaries_follow_the_spacing():
    truth = np.ones((4, 4, 10), int)
    truth[:, :, 5:] = 2
    shifted = np.roll(truth, 2, axis=2)
    shifted[:, :, :2] = 1

    scores = boundary_distances(shifted, truth, spacing=(50, 50, 30))

    assert scores["boundary_distance_mean"] == pytest.approx(1.5 * 30)
    assert scores["boundary_distance_p95"] == pytest.approx(2 * 30)


def test_annotated_slices_tell_missed_and_invented_boundaries():
    truth = np.ones((3, 8, 9), int)
    truth[:, :, 4:] = 2
    annotation = np.zeros(truth.shape, int)
    annotation[1] = np.where(np.isin(np.arange(9), (3, 4)), 1, 2)
    invented = truth.copy()
    invented[:, 4:, :4] = 3

    good = boundary_agreement(truth, annotation)
    missed = boundary_agreement(np.ones_like(truth), annotation)
    extra = boundary_agreement(invented, annotation)

    assert good["boundary_f1"] == 1
    assert good["interior_rand_error"] == good["interior_information"] == 0
    assert good["annotated_slices"] == 1
    assert missed["boundary_recall"] == 0 == missed["boundary_f1"]
    assert missed["boundary_precision"] is None
    assert missed["interior_information"] == pytest.approx(1, abs=0.03)
    assert extra["boundary_recall"] == 1
    assert extra["boundary_precision"] < 1


def test_what_cannot_be_compared_is_refused():
    one = np.ones((2, 2, 2), int)
    with pytest.raises(InputError, match=r"\(2, 2, 2\) and \(2, 2\)"):
        adapted_rand_error(one, one[0])
    with pytest.raises(InputError, match="holds no grain"):
        variation_of_information(one, 0 * one)
    with pytest.raises(InputError, match="float64"):
        score_labels(one * 0.5, one)
    with pytest.raises(SettingsError, match=r"0\.3"):
        matched_grain_scores(one, one, 0.3)
    with pytest.raises(InputError, match="nothing is annotated"):
        boundary_agreement(one, 0 * one)
    with pytest.raises(SettingsError, match="-1"):
        boundary_agreement(one, one, tolerance=-1)


def test_f1_is_told_for_overlaps_from_a_half_to_nine_tenths():
    """Five grains of 20 voxels, of which 1, 3, 5, 7 and 9 are lost."""
    truth = np.repeat(np.arange(1, 6), 20)
    labels = truth.copy()
    for grain, lost in enumerate((1, 3, 5, 7, 9)):
        labels[20 * grain : 20 * grain + lost] = 0

    scores = score_labels(labels[None, None], truth[None, None])

    assert scores["f1_by_iou"] == pytest.approx(
        {"0.5": 1.0, "0.6": 0.8, "0.7": 0.6, "0.8": 0.4, "0.9": 0.2}
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("spacing", [None, (50.0, 40.0, 30.0)])
def test_distances_of_a_shifted_plane_are_in_voxels_where_no_spacing_is_given(axis, spacing):
    """Planes of two voxels, three apart: half of the voxels lie two steps away, half three."""
    place = np.indices((12, 12, 12))[axis]
    given = () if spacing is None else (spacing,)
    step = 1.0 if spacing is None else spacing[axis]

    found = boundary_distances(place > 5, place > 2, *given)

    assert found["boundary_distance_mean"] == pytest.approx(2.5 * step)
    assert found["boundary_distance_p95"] == pytest.approx(3 * step)
