"""Which depth and boundary score the annotated slices choose."""

import numpy as np
import pandas as pd
import pytest

from electrode_grains.errors import ComputationError
from electrode_grains.grains import (
    BoundaryCandidates,
    DepthCandidates,
    SegmentationSettings,
    choose_boundary_threshold,
    choose_minima_depth,
)
from electrode_grains.grains.choice import _best, choose_settings

AUTO = SegmentationSettings(
    minima_depth="auto", merge_evidence="score", merge_boundary="auto", merge_quantile=None,
    merge_size_weight=0, merge_slice_weight=0, place_sweeps=0, minimum_voxels=2, merge_mode="iq",
)  # fmt: skip
DEPTHS = DepthCandidates(candidates=(0.05, 0.4, 0.15))
BOUNDARIES = BoundaryCandidates(candidates=(0.2, 0.9, 0.5))


def walls():
    """Three grains between walls of boundary, the second wall faint, and their labels."""
    boundary = np.zeros((4, 8, 15))
    boundary[..., 5], boundary[..., 10] = 0.8, 0.3
    boundary += 0.02 * np.random.default_rng(3).random(boundary.shape)
    boundary[0] = boundary[:, 0] = boundary[..., 0] = 0.0
    outside = np.zeros(boundary.shape, bool)
    outside[0] = outside[:, 0] = outside[..., 0] = True
    background = np.where(outside, 0.99, 0.0)
    probability = np.stack([boundary, 1 - boundary - background, background])
    annotation = np.zeros(boundary.shape, np.uint8)
    annotation[1:3] = np.where(outside[1:3], 3, 2)
    annotation[1:3, 1:, [5, 10]] = 1
    return np.clip(probability, 0, 1).astype(np.float32), annotation


def test_settings_are_chosen_one_after_the_other():
    probability, annotation = walls()
    choice, curve = choose_settings(probability, annotation, AUTO, DEPTHS, BOUNDARIES)
    half = AUTO.with_choice(0.5, 0.5)  # the middle of the candidates
    meanwhile = AUTO.replace(merge_boundary=half.merge_boundary)
    depth, expected = choose_minima_depth(probability, annotation, meanwhile, DEPTHS)
    pd.testing.assert_frame_equal(curve, expected)
    assert curve["minima_depth"].tolist() == [0.05, 0.15, 0.4]
    threshold, scores = choose_boundary_threshold(
        probability, annotation, AUTO.replace(minima_depth=depth), BOUNDARIES
    )
    assert choice.best == {"minima_depth": depth, "merge_boundary": threshold}
    assert (choice.minima_depth, choice.merge_boundary) == (depth, threshold)
    assert choice.judged_by_slices == [1, 2]
    assert choice.merge_boundary_curve["merge_boundary"] == scores["merge_boundary"].tolist()
    assert choice.information == scores["interior_information"].min()
    fixed, _ = choose_settings(
        probability, annotation, AUTO.replace(minima_depth=0.3), DEPTHS, BOUNDARIES
    )
    assert fixed.minima_depth == 0.3
    assert fixed.best["minima_depth"] == depth


@pytest.mark.parametrize(
    ("scores", "slack", "prefer", "chosen"),
    [
        ([3, 1, 1.2, 1.4, 2], 0.25, "smallest", 1), ([3, 1, 1.2, 1.4, 2], 0.25, "greatest", 2),
        ([3, 1, 1.25, 1.4, 2], 0.25, "greatest", 2), ([3, 1, 1.2, 1.4, 2], 0.5, "middle", 2),
        ([1, 3, 1.1, 1, 1.1, 3, 1], 0.2, "middle", 0),
        ([3, 2, 1.1, 1, 1.1, 3, 1.1], 0.2, "middle", 3),
        ([1, 1, 1, 1], 0.0, "middle", 1), ([np.nan, 2, np.nan, 1], 5.0, "smallest", 1),
        ([np.nan, 2, 1, np.nan], 5.0, "greatest", 2), ([5, 4, 3, 2, 1], 0.0, "middle", 4),
    ],
)  # fmt: skip
def test_of_those_within_the_slack_of_the_best_one_is_preferred(scores, slack, prefer, chosen):
    curve = pd.DataFrame({"minima_depth": np.arange(len(scores)) / 10,
                          "interior_information": scores})  # fmt: skip
    assert _best(curve, slack, prefer) == chosen / 10


def test_candidates_without_a_score_choose_nothing():
    curve = pd.DataFrame({"minima_depth": [0.1], "interior_information": [np.nan]})
    with pytest.raises(ComputationError, match="no minima depth can be chosen"):
        _best(curve, 0.0, "middle")
