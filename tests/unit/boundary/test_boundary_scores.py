import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electrode_grains.boundary import BoundaryScores, boundary_scores


def one_hot(classes):
    return np.stack([classes == channel for channel in (1, 2, 3)]).astype(np.float32)


def line_at(column, shape=(6, 9)):
    classes = np.full(shape, 2)
    classes[:, column] = 1
    return classes


def test_perfect_prediction_scores_one():
    truth = np.random.default_rng(1).integers(1, 4, (2, 5, 6))

    scores = boundary_scores(one_hot(truth), truth)

    for name in ("boundary_f1", "dice_boundary", "dice_interior", "dice_background", "accuracy"):
        assert getattr(scores, name) == 1
    assert scores.brier_score == scores.log_loss == scores.calibration_error == 0


def test_known_confusion_gives_known_scores():
    truth = np.array([[1, 1, 1, 2, 2, 3, 0, 0]])
    predicted = np.array([[1, 1, 2, 1, 2, 3, 1, 1]])

    scores = boundary_scores(one_hot(predicted), truth)

    assert scores.annotated_voxels == 6
    assert scores.boundary_precision == pytest.approx(2 / 3)
    assert scores.boundary_recall == pytest.approx(2 / 3)
    assert scores.boundary_f1 == pytest.approx(2 / 3)
    assert scores.dice_interior == pytest.approx(1 / 2)
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.brier_score == pytest.approx(2 * 2 / 6)


def test_uniform_prediction_has_closed_form_brier_score_and_loss():
    truth = np.random.default_rng(1).integers(1, 4, (5, 6))

    scores = boundary_scores(np.full((3, 5, 6), 1 / 3), truth)

    assert scores.brier_score == pytest.approx(2 / 3)
    assert scores.log_loss == pytest.approx(np.log(3))


@pytest.mark.parametrize(("tolerance", "f1"), [(0, 0.0), (1, 1.0), (2, 1.0)])
def test_boundary_one_voxel_off_is_found_with_tolerance_one(tolerance, f1):
    assert boundary_scores(one_hot(line_at(4)), line_at(5), tolerance).boundary_f1 == f1


def test_tolerance_does_not_reach_into_the_next_slice():
    truth = np.stack([line_at(4), np.full((6, 9), 2)])
    predicted = truth[::-1]

    assert boundary_scores(one_hot(predicted), truth, tolerance=1).boundary_f1 == 0


@given(seed=st.integers(0, 2**32))
def test_unannotated_voxels_count_nowhere(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, (3, 5, 6))
    truth[0, 0, 0] = 1
    probability = rng.dirichlet(np.ones(3), truth.shape).transpose(3, 0, 1, 2)
    elsewhere = rng.dirichlet(np.ones(3), truth.shape).transpose(3, 0, 1, 2)

    changed = np.where(truth > 0, probability, elsewhere)

    assert boundary_scores(changed, truth, 1) == boundary_scores(probability, truth, 1)


def test_calibrated_probabilities_lie_on_the_diagonal():
    rng = np.random.default_rng(6)
    chance = rng.random((1, 200, 200))
    truth = np.where(rng.random(chance.shape) < chance, 1, 2)

    scores = boundary_scores(np.stack([chance, 1 - chance, 0 * chance]), truth)

    # About 4000 voxels a bin: three standard deviations of a frequency are 0.024.
    np.testing.assert_allclose(
        scores.reliability.predicted, scores.reliability.observed, atol=0.024
    )
    assert sum(scores.reliability.count) == truth.size


def test_undefined_scores_are_null_and_the_rest_is_json():
    truth = np.full((4, 4), 2)

    scores = boundary_scores(one_hot(truth), truth)

    assert scores.boundary_f1 is None
    assert scores.dice_background is None
    plain = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert BoundaryScores.from_dict(plain) == scores


def test_missed_boundary_scores_zero():
    assert boundary_scores(one_hot(np.full((6, 9), 2)), line_at(3)).boundary_f1 == 0


def test_empty_annotation_is_refused():
    with pytest.raises(ValueError, match="nothing is annotated"):
        boundary_scores(np.zeros((3, 2, 2)), np.zeros((2, 2), int))


def test_probabilities_of_two_classes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 4, 4\)"):
        boundary_scores(np.zeros((2, 4, 4)), np.ones((4, 4), int))


def test_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="-1"):
        boundary_scores(one_hot(line_at(3)), line_at(3), -1)
