"""Suspicion by its definition, and settings chosen from curves that are written down."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from electrode_grains.errors import ComputationError, InputError
from electrode_grains.grains import SegmentationSettings, rank_suspects
from electrode_grains.grains.choice import _best, _candidates, _compare
from electrode_grains.grains.labelling import measure_faces
from electrode_grains.grains.suspects import (
    _inner_voxels,
    _parts,
    _robust_deviations,
    _surroundings,
    second_orientation_share,
)

QUIET = {
    "size_deviations": 0.0, "touches_window": False, "convexity": 1.0,
    "surrounding_boundary": 1.0, "neighbour_count": 10.0,
    "nearest_misorientation_degrees": np.nan, "disagreeing_share": 0.0,
    "second_orientation_share": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason", "part"),
    [
        ({"size_deviations": -3.0}, "small", 1.0),
        ({"size_deviations": -30.0}, "small", 2.0),
        ({"size_deviations": 4.5}, "large", 0.5),
        ({"size_deviations": 3.0}, "large", 0.0),
        ({"surrounding_boundary": 0.7}, "weak boundaries", 2.0),
        ({"surrounding_boundary": 0.85}, "weak boundaries", 1.0),
        ({"neighbour_count": 3.0}, "few neighbours", 0.5),
        ({"neighbour_count": 6.0}, "few neighbours", 0.0),
        ({"nearest_misorientation_degrees": 0.0}, "orientation of a neighbour", 1.0),
        ({"nearest_misorientation_degrees": 3.0}, "orientation of a neighbour", np.exp(-1)),
        ({"disagreeing_share": 0.1}, "no common orientation", 0.5),
        ({"second_orientation_share": 0.15}, "two orientations", 0.5),
        ({"convexity": 0.55}, "low convexity", 0.5),
        ({"convexity": 0.55, "touches_window": True}, "low convexity", 0.0),
        ({"convexity": np.nan}, "low convexity", 0.0),
    ],
)
def test_each_criterion_adds_by_its_definition_and_no_other_does(change, reason, part):
    usual = [QUIET] * 4  # so that the median number of neighbours is theirs
    found = _parts(pd.DataFrame([{**QUIET, **change}, *usual])).iloc[0]
    assert found[reason] == pytest.approx(part)
    assert found.drop(reason).to_numpy().max() == 0


def test_grains_without_any_neighbour_have_no_few():
    lonely = pd.DataFrame([{**QUIET, "neighbour_count": 0.0}] * 3)
    assert (_parts(lonely)["few neighbours"] == 0).all()


def test_deviations_are_in_robust_standard_deviations_of_whole_grains():
    values = pd.Series([1.0, 2.0, 3.0, 4.0, 100.0, 7.0])
    judged = np.array([True] * 5 + [False])
    found = _robust_deviations(values, judged)
    np.testing.assert_allclose(found[:5], (values[:5] - 3) / (1.4826 * 1.0))
    assert np.isnan(found[5])
    assert np.isnan(_robust_deviations(values, np.arange(6) < 2)).all()
    assert np.isfinite(_robust_deviations(values, np.arange(6) < 3)[:3]).all()
    assert (_robust_deviations(pd.Series([2.0] * 4), np.ones(4, bool)) == 0).all()


@pytest.fixture(scope="module")
def cubes():
    """Eight grains in the corners of a cube of six voxels, one of them background."""
    z, y, x = np.indices((6, 6, 6)) // 3
    return (4 * z + 2 * y + x).astype(np.int32)


def test_surroundings_are_means_over_faces_to_other_grains(cubes):
    boundary = np.random.default_rng(0).random(cubes.shape)
    ids = np.arange(8) * 10
    found = _surroundings(cubes, boundary, ids)
    contacts = measure_faces(cubes, boundary)
    for grain in range(1, 8):
        beside = [
            (faces, total, other)
            for first, second, faces, total in zip(
                contacts.first, contacts.second, contacts.faces, contacts.total, strict=True
            )
            for one, other in ((first, second), (second, first))
            if one == grain
        ]
        faces = sum(each[0] for each in beside)
        mean = sum(each[1] for each in beside) / faces
        assert found["surrounding_boundary"][grain - 1] == pytest.approx(mean)
        assert found["neighbour_count"][grain - 1] == len(beside)
        assert np.isnan(found["weakest_boundary"][grain - 1])  # nine faces say too little
        assert found["weakest_neighbour"][grain - 1] == 0


@pytest.mark.parametrize(("edge", "known"), [(5, True), (4, False)])
def test_the_weakest_contact_is_of_twenty_faces_or_more(edge, known):
    labels = np.repeat([1, 2, 3], 4).astype(np.int32)[:, None, None] * np.ones((1, 4, edge), int)
    boundary = np.zeros(labels.shape)
    boundary[3:5], boundary[7:9] = 0.9, 0.4
    found = _surroundings(labels.astype(np.int32), boundary, np.array([0, 11, 22, 33]))
    if known:
        np.testing.assert_allclose(found["weakest_boundary"], [0.9, 0.4, 0.4])
        assert found["weakest_neighbour"].tolist() == [22, 33, 22]
    else:
        assert np.isnan(found["weakest_boundary"]).all()


def test_a_voxel_of_each_grain_lies_next_to_its_centroid():
    labels = np.zeros((5, 7, 9), np.int32)
    labels[1:4, 1:6, 2:5] = 1
    labels[0, 0, :3] = labels[0, :3, 0] = 2  # bent: its centroid is none of its voxels
    found = _inner_voxels(labels)
    assert found.tolist()[0] == [2, 3, 3]
    places = np.argwhere(labels == 2)
    distance = ((places - places.mean(axis=0)) ** 2).sum(axis=1)
    assert found.tolist()[1] == places[distance.argmin()].tolist()


def test_the_share_of_a_second_orientation_counts_points_that_agree(cubes):
    rng = np.random.default_rng(1)
    labels = np.ones((4, 10, 10), np.int32)
    first, second = Rotation.random(2, rng=rng).as_quat(scalar_first=True)
    field = np.broadcast_to(first, (*labels.shape, 4)).copy()
    field[:, :3] = second
    settings = SegmentationSettings(laue_group="-1")
    (share,) = second_orientation_share(labels, field, settings=settings)
    assert share == pytest.approx(0.3)
    field[:, :3] = Rotation.random(120, rng=rng).as_quat(scalar_first=True).reshape(4, 3, 10, 4)
    (share,) = second_orientation_share(labels, field, settings=settings)
    assert share == 0
    field[:, :3] = np.nan
    assert second_orientation_share(labels, field, settings=settings).tolist() == [0]


def test_suspects_are_ranked_with_ids_and_all_columns(cubes):
    ids = np.array([0, 3, 5, 7, 11, 13, 17, 19])
    labels = np.repeat(np.repeat(np.repeat(ids[cubes], 2, 0), 2, 1), 2, 2)
    boundary = np.ones(labels.shape)
    boundary[np.isin(labels, [11, 13])] = 0.2
    table = rank_suspects(labels, boundary, (50, 50, 50), least_suspicion=0.0)
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    assert table["label"].tolist()[:2] == [11, 13]
    assert (np.diff(table["suspicion"]) <= 0).all()
    for row in table.itertuples():
        assert labels[row.z, row.y, row.x] == row.label
    assert table["voxel_count"].eq(216).all()
    assert "weak boundaries" in table["reason"].iloc[0]
    few = rank_suspects(labels, boundary, (50, 50, 50), least_suspicion=table["suspicion"].iloc[0])
    assert few.empty
    assert list(few.columns) == list(table.columns)
    assert rank_suspects(0 * labels, boundary, (50, 50, 50)).empty
    with pytest.raises(InputError, match="different shapes") as refusal:
        rank_suspects(labels, boundary[1:], (50, 50, 50))
    assert "(12, 12, 12) and (11, 12, 12)" in str(refusal.value)


# Choice of settings


@pytest.mark.parametrize(
    ("scores", "slack", "greatest", "middle", "smallest"),
    [
        ([3.0, 1.0, 2.0], 0.0, 1, 1, 1),
        ([1.0, 1.0, 1.0, 1.0], 0.0, 3, 1, 0),
        ([3.0, 1.1, 1.0, 1.1, 1.2, 3.0], 0.15, 3, 2, 1),
        ([3.0, 1.1, 1.0, 1.1, 1.2, 3.0], 0.25, 4, 2, 1),
        ([1.1, 3.0, 1.05, 1.0, 3.0, 1.1], 0.2, 5, 2, 0),  # the middle of those around the best
        ([np.nan, 2.0, np.nan], 1.0, 1, 1, 1),
        ([2.0, 1.0], 1.0, 1, 0, 0),
        ([1.0, 2.0], 0.99, 0, 0, 0),
    ],
)
def test_of_values_within_the_slack_one_end_or_the_middle_is_taken(
    scores, slack, greatest, middle, smallest
):
    curve = pd.DataFrame({"depth": 10.0 * np.arange(len(scores)), "interior_information": scores})
    found = [_best(curve, slack, prefer) / 10 for prefer in ("greatest", "middle", "smallest")]
    assert found == [greatest, middle, smallest]


def test_without_any_score_nothing_can_be_chosen():
    curve = pd.DataFrame({"minima_depth": [1.0, 2.0], "interior_information": [np.nan, np.nan]})
    with pytest.raises(ComputationError, match="no minima depth can be chosen") as refusal:
        _best(curve, 0.1, "middle")
    assert refusal.value.found == "2 candidates, none with a score"


def test_a_value_that_is_set_competes_once():
    assert _candidates((0.3, 0.1), 0.2) == [0.1, 0.2, 0.3]
    assert _candidates((0.3, 0.1), 0.1) == [0.1, 0.3]
    assert _candidates((0.3, 0.1), "auto") == [0.1, 0.3]


def test_candidates_without_grains_are_counted_as_none():
    annotation = np.zeros((1, 4, 8), np.int64)
    annotation[0] = 2
    annotation[0, :, 4] = 1

    def segment(value):
        if value == 2:
            raise ComputationError("no grain is left")
        return np.where(np.arange(8) < 4, 1, 2)[None, None] * np.ones((1, 4, 1), int)

    curve = _compare(segment, "depth", [1.0, 2.0], annotation)
    assert curve["grain_count"].tolist() == [2, 0]
    assert np.isnan(curve["interior_information"].iloc[1])
    assert curve["interior_information"].iloc[0] == pytest.approx(0, abs=1e-12)
    assert curve.columns[0] == "depth"


def test_suspects_touch_the_window_where_a_voxel_of_theirs_lies_on_it():
    """Of 27 cubes the middle one is whole; convexity counts for no other."""
    z, y, x = np.indices((12, 12, 12)) // 4
    labels = 1 + 9 * z + 3 * y + x

    found = rank_suspects(labels, np.full(labels.shape, 0.1), (50, 50, 50), least_suspicion=-1)

    assert sorted(found["label"]) == list(range(1, 28))
    for row in found.itertuples():
        own = np.argwhere(labels == row.label)
        assert row.touches_window == ((own == 0) | (own == 11)).any()
        assert row.voxel_count == len(own)
        assert labels[row.z, row.y, row.x] == row.label
    assert (~found["touches_window"]).sum() == 1
