import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from electrode_grains import ebsd
from electrode_grains.ebsd import OrientationField, as_orientation_field
from electrode_grains.ebsd import orientations as crystals
from electrode_grains.ebsd.region_orientations import region_orientations
from electrode_grains.errors import InputError, SettingsError


def random_field(shape=(2, 3, 4), seed=1, **of_field):
    rng = np.random.default_rng(seed)
    drawn = crystals.random_orientations(int(np.prod(shape)), rng).reshape(*shape, 4)
    return OrientationField(drawn, rng.uniform(0.1, 1, shape), **of_field)


def rotation(vector):
    return Rotation.from_rotvec(vector).as_quat(scalar_first=True)


vectors = st.tuples(*[st.floats(-1, 1)] * 3)


def test_stored_channels_come_back_as_they_were():
    field = random_field(laue_group="2/m")
    stored = field.to_channels()
    back = OrientationField.from_channels(stored, laue_group="2/m")
    assert stored.shape == (5, 2, 3, 4)
    np.testing.assert_array_equal(back.quaternions, field.quaternions.astype(np.float32))
    np.testing.assert_array_equal(back.confidence, field.confidence.astype(np.float32))
    assert (back.laue_group, back.frame) == ("2/m", "map")


@given(vectors)
def test_axes_of_a_turned_sample_turn_with_it(vector):
    field, turn = random_field(), rotation(vector)
    for axis in ([0, 0, 1], [1, 0, 0], [0.6, 0, -0.8]):
        before = field.directions(axis).reshape(-1, 3)
        after = field.turned(turn).directions(axis).reshape(-1, 3)
        np.testing.assert_allclose(after, Rotation.from_rotvec(vector).apply(before), atol=1e-12)


def test_directions_follow_the_bunge_angles():
    phi1, phi = 0.3, 0.7  # the c axis is tilted by Phi, away from the line at phi1 - 90 degrees
    field = OrientationField.from_euler([phi1, phi, 1.1], laue_group="-1")
    wanted = [np.sin(phi1) * np.sin(phi), -np.cos(phi1) * np.sin(phi), np.cos(phi)]
    np.testing.assert_allclose(field.directions([0, 0, 1]), wanted, atol=1e-12)
    np.testing.assert_allclose(field.euler_angles, [phi1, phi, 1.1], atol=1e-12)


@given(vectors)
def test_misorientations_do_not_see_a_turn_of_the_sample(vector):
    field, turn = random_field(laue_group="6/m"), rotation(vector)
    other = random_field(seed=2, laue_group="6/m")
    np.testing.assert_allclose(
        field.turned(turn).misorientation(other.turned(turn)),
        field.misorientation(other),
        atol=1e-7,
    )


@pytest.mark.parametrize("other", [{"laue_group": "-3"}, {"frame": "file"}])
def test_fields_of_other_symmetry_or_frame_are_not_compared(other):
    with pytest.raises(InputError, match=next(iter(other.values()))):
        random_field().misorientation(random_field(**other))


def test_methods_are_those_of_plain_quaternions():
    field = random_field(laue_group="m-3m")
    plain = field.quaternions, "m-3m"
    for ours, theirs in (
        (field.misorientation_to_neighbours(), crystals.neighbour_misorientation(*plain)),
        (field.kernel_average_misorientation(1), crystals.kernel_average_misorientation(*plain, 1)),
        (field.ipf_colors((1, 0, 0)), crystals.ipf_colors(*plain, (1, 0, 0))),
        (field.reduced().quaternions, crystals.reduce_to_fundamental_zone(*plain)),
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_selection_keeps_what_belongs_to_the_points():
    field = random_field()
    mask = np.zeros(field.shape, bool)
    mask[1, 2] = True
    np.testing.assert_array_equal(field.at(mask).quaternions, field.quaternions[1, 2])
    np.testing.assert_array_equal(field.at(mask).confidence, field.confidence[1, 2])
    np.testing.assert_array_equal(field.where(mask).known, mask)


def test_points_without_trust_have_no_weight():
    confidence = np.array([0.5, 0.0, -1.0, np.nan])
    points, weights = OrientationField(np.tile([1.0, 0, 0, 0], (4, 1)), confidence).points()
    assert weights.tolist() == [0.5, 0, 0, 0]
    assert np.isnan(points[:, 0]).tolist() == [False, True, True, True]
    assert OrientationField(np.tile([1.0, 0, 0, 0], (2, 1))).points()[1].tolist() == [1, 1]


def test_means_are_remembered_by_the_labels_content(monkeypatch):
    counted = []
    compute = ebsd.orientation_field.mean_per_region
    monkeypatch.setattr(
        ebsd.orientation_field,
        "mean_per_region",
        lambda *given: counted.append(1) or compute(*given),
    )
    field, labels = random_field(), np.ones((2, 3, 4), np.int32)
    first = field.means(labels)
    assert field.means(labels.copy()) is first
    labels[1] = 2  # in place: the same array is another labelling
    assert len(field.means(labels).mean) == 3
    assert len(counted) == 2
    for label in range(3, 12):
        field.means(np.full_like(labels, label))
    assert len(field._means) == 4


def test_means_are_those_of_plain_arrays():
    field = random_field()
    labels = np.arange(24).reshape(field.shape).astype(np.int32) // 6 + 1
    ours = field.means(labels)
    theirs = region_orientations(labels, field.to_channels(), "-3m")
    for name in ("mean", "weight", "share", "points"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_no_caller_changes_a_field():
    given = np.tile([1.0, 0, 0, 0], (3, 1))
    field = OrientationField(given, np.ones(3))
    for array in (field.quaternions, field.confidence):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert given.flags.writeable


def test_impossible_fields_are_refused():
    with pytest.raises(InputError, match="no quaternions"):
        OrientationField(np.zeros((4, 3)))
    with pytest.raises(InputError, match="confidence"):
        OrientationField(np.zeros((3, 4)), np.ones(4))
    with pytest.raises(SettingsError, match="-3x"):
        OrientationField(np.zeros((3, 4)), laue_group="-3x")
    with pytest.raises(InputError, match="quaternion_w"):
        OrientationField.from_channels(np.zeros((3, 2, 2, 2)))
    with pytest.raises(InputError, match="labels"):
        random_field().means(np.ones((3, 3), np.int32))
    with pytest.raises(InputError, match="one orientation per label"):
        as_orientation_field(random_field(), "-3m", (9, 9))
