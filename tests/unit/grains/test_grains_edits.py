import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains import apply_edits


@pytest.fixture
def labels():
    volume = np.zeros((3, 6, 12), np.int32)
    volume[:, :, 1:4], volume[:, :, 4:7], volume[:, :, 7:11] = 3, 8, 5
    return volume


EDITS = [
    {"action": "merge", "at": [[1, 2, 2], [1, 2, 5]]},
    {"action": "split", "at": [[0, 0, 1], [0, 5, 1]]},
    {"action": "remove", "at": [2, 3, 8]},
]


def test_edits_are_replayed_in_order_and_logged(labels):
    before = labels.copy()

    edited, log = apply_edits(labels, EDITS)

    assert np.array_equal(labels, before)
    assert set(np.unique(edited)) == {0, 3, 9}
    assert (edited[:, :3, 1:7] == 3).all()
    assert (edited[:, 3:, 1:7] == 9).all()
    assert [entry.applied for entry in log] == [True] * 3
    assert [entry.voxels_changed for entry in log] == [54, 54, 72]
    assert log[1].labels_before == (3, 3)
    assert log[1].labels_after == (3, 9)


@given(names=st.permutations([11, 2**31 + 5, 2**40]))
def test_edits_survive_new_labels(names):
    labels = np.zeros((3, 6, 12), np.int64)
    labels[:, :, 1:4], labels[:, :, 4:7], labels[:, :, 7:11] = names

    edited, _ = apply_edits(labels, EDITS)

    assert (edited[:, :3, 1:7] == names[0]).all()
    assert (edited[:, 3:, 1:7] == 2**40 + 1).all()
    assert (edited[:, :, 7:] == 0).all()


def test_a_split_follows_the_boundary(labels):
    boundary = np.zeros(labels.shape, np.float32)
    boundary[:, 1] = 1

    edited, _ = apply_edits(labels, [{"action": "split", "at": [[0, 0, 8], [0, 5, 8]]}], boundary)

    assert (edited[:, 0, 7:11] == 5).all()
    assert (edited[:, 2:, 7:11] == 9).all()


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        ({"action": "remove", "at": [0, 0, 0]}, "no grain"),
        ({"action": "merge", "at": [[0, 0, 1], [0, 0, 2]]}, "in grain 3 already"),
        ({"action": "split", "at": [[0, 0, 1], [0, 0, 5]]}, r"different grains: \[3, 8\]"),
        ({"action": "split", "at": [[0, 0, 1], [0, 0, 1]]}, "named twice"),
    ],
)
def test_outdated_edits_are_refused_by_number_or_reported(labels, edit, reason):
    edits = [{"action": "remove", "at": [0, 0, 8]}, edit]

    with pytest.raises(InputError, match=rf"(?s)edit 2 .*{reason}"):
        apply_edits(labels, edits)
    edited, log = apply_edits(labels, edits, outdated="report")

    assert np.array_equal(edited, np.where(labels == 5, 0, labels))
    assert [entry.applied for entry in log] == [True, False]
    assert log[1].reason


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ({"action": "paint", "at": [0, 0, 0]}, "paint"),
        ({"action": "remove"}, "remove"),
        ("remove", "remove"),
        ({"action": "remove", "at": [0, 0, 12]}, "outside the volume"),
        ({"action": "remove", "at": [0, 0, -1]}, "-1"),
        ({"action": "remove", "at": [0, 0.5, 0]}, r"0\.5"),
        ({"action": "merge", "at": [[0, 0, 1]]}, "two or more"),
        ({"action": "merge", "at": [[0, 0, 1], [0, 0]]}, r"\[0, 0\]"),
    ],
)
def test_malformed_edits_are_refused_by_number_before_anything_is_applied(labels, edit, found):
    with pytest.raises(SettingsError, match=rf"(?s)edit 2 .*{found}"):
        apply_edits(labels, [{"action": "remove", "at": [0, 0, 0]}, edit])


def test_no_edits_change_nothing(labels):
    edited, log = apply_edits(labels, [])

    assert np.array_equal(edited, labels)
    assert log == ()


def at(labels, label):
    return np.argwhere(labels == label)[0].tolist()


@given(seed=st.integers(0, 2**16), order=st.permutations([1, 2, 3]))
def test_edits_are_operations_on_sets_of_voxels(seed, order):
    labels = np.random.default_rng(seed).integers(0, 5, (4, 5, 6))
    first, second, third = (at(labels, label) for label in order)

    removed, _ = apply_edits(labels, [{"action": "remove", "at": one} for one in (first, second)])
    merged, log = apply_edits(labels, [{"action": "merge", "at": [first, second, third]}])
    chained, _ = apply_edits(
        labels,
        [{"action": "merge", "at": [second, third]}, {"action": "merge", "at": [first, third]}],
    )

    np.testing.assert_array_equal(removed, np.where(np.isin(labels, order[:2]), 0, labels))
    np.testing.assert_array_equal(merged, np.where(np.isin(labels, order), order[0], labels))
    np.testing.assert_array_equal(chained, merged)
    assert log[0].voxels_changed == np.isin(labels, order[1:]).sum()


@given(rows=st.lists(st.integers(0, 5), min_size=2, max_size=4, unique=True))
def test_merging_undoes_a_split_which_changes_its_grain_alone(rows):
    labels = np.zeros((3, 6, 12), np.int32)
    labels[:, :, 1:4], labels[:, :, 4:7] = 3, 8
    voxels = [[1, row, 5] for row in rows]

    split, _ = apply_edits(labels, [{"action": "split", "at": voxels}])
    whole, _ = apply_edits(split, [{"action": "merge", "at": voxels}])

    parts = [int(split[tuple(voxel)]) for voxel in voxels]
    assert parts == [8, *range(9, 8 + len(rows))]
    np.testing.assert_array_equal(np.isin(split, parts), labels == 8)
    np.testing.assert_array_equal(split[labels != 8], labels[labels != 8])
    np.testing.assert_array_equal(whole, labels)


def test_a_removal_after_a_merge_takes_both_and_before_it_one(labels):
    merge, remove = (
        {"action": "merge", "at": [[0, 0, 1], [0, 0, 8]]},
        {
            "action": "remove",
            "at": [1, 1, 2],
        },
    )

    both, _ = apply_edits(labels, [merge, remove])
    one, log = apply_edits(labels, [remove, merge], outdated="report")

    assert np.unique(both).tolist() == [0, 8]
    assert np.unique(one).tolist() == [0, 5, 8]
    assert [entry.applied for entry in log] == [True, False]
