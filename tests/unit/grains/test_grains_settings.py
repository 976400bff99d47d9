"""Ends of the ranges of settings, warnings with their numbers, and labels of edits."""

import numpy as np
import pandas as pd
import pytest

from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.grains import (
    DepthCandidates,
    SegmentationSettings,
    VoidSettings,
    apply_edits,
    boundary_agreement,
    check_grains,
    compare_statistics,
)
from electrode_grains.grains.checks import count_cut_by_window


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("minima_depth", (1e-6, 0.999), (0.0, 1.0)),
        ("merge_boundary", (1e-6, 0.999), (0.0, 1.0)),
        ("background_threshold", (1e-6, 0.999), (0.0, 1.0)),
        ("background_share", (1e-6, 1.0), (0.0, 1.001)),
        ("rim_voxels", (0, 50), (-1,)),
        ("merge_misorientation_degrees", (0.0, 180.0), (-0.1, 180.1)),
        ("merge_quantile", (1e-6, 1.0, None), (0.0, 1.001)),
        ("merge_size_weight", (0.0, 1.0), (-0.001, 1.001)),
        ("merge_reference_voxels", (1e-6,), (0.0,)),
        ("merge_slice_weight", (0.0, 1.0), (-0.001, 1.001)),
        ("place_sweeps", (0, 20), (-1, 21)),
        ("interface_cost", (0.0,), (-0.001,)),
        ("refine_steps", (0, 5), (-1, 6)),
        ("join_reach", (0, 5), (-1, 6)),
        ("minimum_voxels", (0,), (-1,)),
    ],
)
def test_settings_have_the_ends_that_they_say(name, accepted, refused):
    for value in accepted:
        assert getattr(SegmentationSettings.checked(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(SettingsError):
            SegmentationSettings.checked(**{name: value})


def test_other_settings_have_ends_too():
    with pytest.raises(SettingsError):
        DepthCandidates.checked(candidates=[])
    with pytest.raises(SettingsError):
        DepthCandidates.checked(slack_bits=-0.001)
    assert DepthCandidates.checked(candidates=[0.1], slack_bits=0).candidates == (0.1,)
    for name in ("crack_voxels", "minimum_voxels"):
        assert getattr(VoidSettings.checked(**{name: 0}), name) == 0
        with pytest.raises(SettingsError):
            VoidSettings.checked(**{name: -1})


def test_what_is_to_be_chosen_is_no_number():
    auto = SegmentationSettings()
    with pytest.raises(SettingsError, match="minima_depth is to be chosen first"):
        auto.number("minima_depth")
    chosen = auto.with_choice(0.1, 0.2)
    assert (chosen.number("minima_depth"), chosen.number("merge_boundary")) == (0.1, 0.2)
    kept = auto.replace(minima_depth=0.3).with_choice(0.1, 0.2)
    assert (kept.number("minima_depth"), kept.number("merge_boundary")) == (0.3, 0.2)
    kept = auto.replace(merge_boundary=0.4).with_choice(0.1, 0.2)
    assert (kept.number("minima_depth"), kept.number("merge_boundary")) == (0.1, 0.4)
    assert SegmentationSettings(merge_misorientation_degrees=90).misorientation == np.pi / 2


def line(*labels):
    """A row of grains within a window that cuts none of them."""
    volume = np.zeros((3, 3, len(labels) + 2), int)
    volume[1, 1, 1:-1] = labels
    return volume


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (line(3, 3, 5, 5), ()),
        (line(3, 3, 3, 5, 5), ("(3) holds 60% of the particle, 3 of 5 voxels",)),
        (line(7, 7), ("the particle is a single grain of 2 voxels",)),
        (np.array([[[4, 4, 9, 9]]]), ("all 2 grains are cut by the window",)),
        (np.array([[[4]]]), ("a single grain of 1 voxels", "all 1 grains are cut")),
    ],
)
def test_grains_that_cannot_be_right_are_warned_of(labels, words):
    found = check_grains(labels)
    assert len(found) == len(words)
    for warning, part in zip(found, words, strict=True):
        assert part in warning


def test_no_grain_at_all_is_refused_and_grains_at_any_face_are_cut():
    with pytest.raises(ComputationError, match="no grain is left") as refusal:
        check_grains(np.zeros((2, 3, 4), int))
    assert refusal.value.found == "24 voxels of 0"
    for axis in range(3):
        for end in (0, -1):
            labels = np.zeros((5, 5, 5), int)
            labels[2, 2, 2] = 8
            place = [2, 2, 2]
            place[axis] = end
            labels[tuple(place)] = 3
            assert count_cut_by_window(labels) == 1


def test_labels_of_parts_follow_the_greatest_that_was_ever_used():
    labels = np.zeros((1, 1, 12), np.int32)
    labels[0, 0, :6], labels[0, 0, 8:] = 5, 9
    edits = [
        {"action": "remove", "at": [0, 0, 9]},
        {"action": "split", "at": [[0, 0, 0], [0, 0, 5], [0, 0, 3]]},
    ]
    edited, log = apply_edits(labels, edits)
    assert edited[0, 0, [0, 5, 3]].tolist() == [5, 10, 11]
    assert not edited[0, 0, 6:].any()
    assert [entry.voxels_changed for entry in log] == [4, int((edited > 9).sum())]
    assert log[1].labels_before == (5, 5, 5)
    assert log[1].labels_after == (5, 10, 11)
    assert [entry.number for entry in log] == [1, 2]


def test_the_last_labels_of_a_type_can_be_given_and_no_more():
    labels = np.full((1, 1, 6), 125, np.int8)
    two = [{"action": "split", "at": [[0, 0, 0], [0, 0, 3], [0, 0, 5]]}]
    edited, _ = apply_edits(labels, two)
    assert set(edited.ravel().tolist()) == {125, 126, 127}
    with pytest.raises(InputError, match="no label is left") as refusal:
        apply_edits(labels + np.int8(1), two)
    assert refusal.value.found == "label 126 of int8"


def test_a_boundary_that_is_not_finite_matters_within_the_grain_alone():
    labels = np.array([[[1, 1, 1, 2, 2]]])
    split = [{"action": "split", "at": [[0, 0, 0], [0, 0, 2]]}]
    boundary = np.array([[[0.0, 0.5, 0.0, np.nan, 0.0]]])
    edited, _ = apply_edits(labels, split, boundary)
    assert edited.ravel().tolist()[0::2] == [1, 3, 2]
    with pytest.raises(InputError, match="not finite in grain 1"):
        apply_edits(labels, split, np.where(np.isnan(boundary), 0, np.nan) * boundary)


def test_boundary_scores_by_hand():
    labels = np.array([[[1, 1, 1, 1, 2, 2, 2, 2]]])  # lines at 3 and 4
    drawn = np.array([[[2, 2, 1, 2, 2, 2, 1, 2]]])  # boundaries at 2 and 6
    none = boundary_agreement(labels, drawn, tolerance=0)
    assert (none["boundary_precision"], none["boundary_recall"], none["boundary_f1"]) == (0, 0, 0)
    one = boundary_agreement(labels, drawn, tolerance=1)
    assert (one["boundary_precision"], one["boundary_recall"]) == (0.5, 0.5)
    assert one["boundary_f1"] == pytest.approx(0.5)
    two = boundary_agreement(labels, drawn, tolerance=2)
    assert (two["boundary_precision"], two["boundary_recall"]) == (1, 1)
    uneven = boundary_agreement(labels, np.array([[[2, 2, 1, 2, 2, 2, 2, 2]]]), tolerance=1)
    assert (uneven["boundary_precision"], uneven["boundary_recall"]) == (0.5, 1)
    assert uneven["boundary_f1"] == pytest.approx(2 / 3)
    assert one["annotated_slices"] == 1
    twice = boundary_agreement(np.tile(labels, (3, 1, 1)), np.vstack([drawn, 0 * drawn, drawn]), 1)
    assert twice["annotated_slices"] == 2
    undrawn = boundary_agreement(labels, np.where(drawn == 1, 0, drawn), tolerance=1)
    assert undrawn["boundary_f1"] is None
    assert undrawn["boundary_recall"] is None
    assert (
        boundary_agreement(labels, np.where(drawn == 2, 0, drawn), 1)["interior_rand_error"] is None
    )
    with pytest.raises(SettingsError, match="negative"):
        boundary_agreement(labels, drawn, tolerance=-1)


def test_interiors_are_told_apart_within_each_slice():
    labels = np.ones((2, 1, 5), int)
    drawn = np.array([[[2, 2, 1, 2, 2]], [[2, 2, 2, 2, 2]]])
    found = boundary_agreement(labels, drawn)
    # 4 of 9 voxels lie in halves of 2 that one section unites: 4/9 of a bit.
    assert found["interior_information"] == pytest.approx(4 / 9)


def test_errors_of_statistics_are_relative_for_lengths_and_leave_cut_grains_out():
    true = pd.DataFrame(
        {
            "equivalent_diameter_nm": [100.0, 300.0, 9e9], "sphericity": [0.5, 0.7, 0.0],
            "touches_window": [False, False, True],
        }
    )  # fmt: skip
    found = true.assign(equivalent_diameter_nm=[150.0, 450.0, 1.0], sphericity=[0.6, 0.9, 1.0])
    errors = compare_statistics(found, true)
    mean, std = errors["mean"], errors["std"]
    assert mean["equivalent_diameter_nm"] == {"found": 300.0, "true": 200.0, "error": 0.5}
    assert mean["sphericity"]["error"] == pytest.approx(0.15)
    assert std["equivalent_diameter_nm"]["error"] == pytest.approx(0.5)
    assert std["sphericity"]["error"] == pytest.approx(0.1 / np.sqrt(2))
    (pair,) = errors["correlation"].values()
    assert pair == pytest.approx({"found": 1.0, "true": 1.0, "error": 0.0})
    assert list(errors["correlation"]) == ["equivalent_diameter_nm:sphericity"]
    alone = compare_statistics(found[:1], true[:1])
    assert alone["std"]["sphericity"]["error"] is None
