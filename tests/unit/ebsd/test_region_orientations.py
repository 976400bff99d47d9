"""Mean orientations of regions whose true orientation, weights and outliers are known."""

import numpy as np
import pytest

from electrode_grains.ebsd.orientations import (
    laue_group,
    misorientation_angle,
    multiply,
    random_orientations,
)
from electrode_grains.ebsd.region_orientations import (
    RegionOrientations,
    as_points,
    region_orientations,
)
from electrode_grains.errors import InputError

FLOAT32 = 1e-3  # rad: the angle of two rotations known to 7 digits each


def turned(angle, about=(1.0, 0.0, 0.0)):
    """Quaternions of rotations by an angle about an axis."""
    angle = np.asarray(angle, float)
    axis = np.asarray(about) / np.linalg.norm(about)
    return np.concatenate(
        [np.cos(angle / 2)[..., None], np.sin(angle / 2)[..., None] * axis], axis=-1
    )


def line(quaternions):
    """A row of voxels, one for each quaternion."""
    return np.asarray(quaternions, float).reshape(1, 1, -1, 4)


@pytest.mark.parametrize("laue", ["-3m", "m-3m", "6/mmm"])
def test_all_equivalents_of_an_orientation_are_one(laue):
    rng = np.random.default_rng(2)
    truth = random_orientations(3, rng)
    group = laue_group(laue)
    points = np.concatenate([multiply(group, orientation) for orientation in truth])
    points *= rng.choice([-1, 1], (len(points), 1))
    labels = np.repeat([1, 2, 4], len(group)).astype(np.int32).reshape(1, 1, -1)
    weights = rng.uniform(0.2, 1, labels.shape)

    found = region_orientations(labels, line(points), laue, weights)

    of_truth = [1, 2, 4]
    assert misorientation_angle(found.mean[of_truth], truth, laue).max() < FLOAT32
    assert found.points.tolist() == [0, len(group), len(group), 0, len(group)]
    np.testing.assert_allclose(found.share, [0, 1, 1, 0, 1], atol=1e-6)
    sums = [weights[labels == label].sum() for label in of_truth]
    np.testing.assert_allclose(found.weight[of_truth], sums, rtol=1e-6)
    assert np.isnan(found.mean[[0, 3]]).all()
    assert found.reliable.tolist() == [False, True, True, False, True]


def test_points_beyond_a_tenth_of_a_radian_of_the_mean_do_not_count():
    angles = [0.0, 0.01, -0.01, 0.09, -0.09, 0.12, -0.12, 0.19, -0.19, 0.25, 1.0]
    labels = np.ones((1, 1, len(angles)), np.int32)
    found = region_orientations(labels, line(turned(angles, (0, 0, 1))))
    assert found.points[1] == 5
    assert found.share[1] == pytest.approx(5 / 11)
    np.testing.assert_allclose(np.abs(found.mean[1]), [1, 0, 0, 0], atol=1e-6)


def test_the_mean_weighs_each_point_by_its_trust():
    angles, trust = np.array([0.0, 0.08, 0.04]), np.array([1.0, 3.0, 0.5])
    labels = np.ones((1, 1, 3), np.int32)
    found = region_orientations(labels, line(turned(angles)), weights=trust.reshape(1, 1, 3))
    # About one axis the first eigenvector is the mean direction of the angles.
    mean = np.arctan2((trust * np.sin(angles)).sum(), (trust * np.cos(angles)).sum())
    assert misorientation_angle(found.mean[1], turned(mean), "-1") < FLOAT32
    assert found.weight[1] == pytest.approx(4.5)


def test_the_heavier_of_two_orientations_is_the_mode_wherever_it_stands():
    light, heavy = turned([0.0] * 6), turned([0.6] * 3)
    for points in (np.concatenate([light, heavy]), np.concatenate([heavy, light])):
        trust = np.where(np.isclose(points[:, 0], 1), 0.1, 0.5).reshape(1, 1, -1)
        labels = np.ones((1, 1, 9), np.int32)
        found = region_orientations(labels, line(points), weights=trust)
        assert misorientation_angle(found.mean[1], heavy[0], "-3m") < FLOAT32
        assert found.points[1] == 3
        assert found.share[1] == pytest.approx(1.5 / 2.1)


def test_the_mode_of_many_points_is_sought_among_some_of_all():
    # Of 480 points every tenth is looked at; the second half agrees.
    rng = np.random.default_rng(4)
    points = np.concatenate([random_orientations(200, rng), turned([0.3] * 280)])
    found = region_orientations(np.ones((1, 1, 480), np.int32), line(points))
    assert misorientation_angle(found.mean[1], turned(0.3), "-3m") < 0.02
    assert 280 <= found.points[1] < 290
    assert found.share[1] == pytest.approx(found.points[1] / 480)


def test_points_without_label_weight_or_number_do_not_count():
    points = line(turned([0.0] * 5 + [0.05] * 4))
    points[0, 0, 5] = np.nan
    weights = np.array([1.0] * 6 + [0.0, -1.0, np.nan]).reshape(1, 1, -1)
    labels = np.array([0] * 1 + [1] * 8, np.int32).reshape(1, 1, -1)
    found = region_orientations(labels, points, weights=weights)
    assert found.points.tolist() == [0, 4]
    assert found.weight.tolist() == [0, 4]
    np.testing.assert_allclose(np.abs(found.mean[1]), [1, 0, 0, 0], atol=1e-6)


def test_nothing_is_reliable_below_four_points_or_15_percent():
    mean = np.tile([1.0, 0, 0, 0], (5, 1))
    mean[4] = np.nan
    found = RegionOrientations(
        mean,
        weight=np.ones(5),
        share=np.array([0.0, 0.15, 0.149, 1.0, 1.0]),
        points=np.array([0, 4, 100, 3, 9]),
    )
    assert found.reliable.tolist() == [False, True, False, False, False]


def test_a_fifth_channel_is_the_weight_where_none_is_given():
    shape = (1, 2, 2)
    channels = np.zeros((5, *shape))
    channels[0] = 1
    channels[4, 0] = [[0.5, -1.0], [np.inf, 0.25]]
    points, trust = as_points(channels, shape, None)
    assert trust.tolist() == [0.5, 0, 0, 0.25]
    assert np.isnan(points).all(axis=1).tolist() == [False, True, True, False]
    given = np.array([[[1.0, 2.0], [0.0, 3.0]]])
    assert as_points(channels, shape, given)[1].tolist() == [1, 2, 0, 3]
    assert as_points(channels[:4], shape, None)[1].tolist() == [1, 1, 1, 1]
    last = np.moveaxis(channels[:4], 0, -1)
    for given in (channels[:4], last):
        assert as_points(given, shape, None)[0].tolist() == [[1, 0, 0, 0]] * 4


@pytest.mark.parametrize("shape", [(3, 1, 2, 2), (6, 1, 2, 2), (4, 1, 2, 3), (1, 2, 2, 5), (4, 4)])
def test_orientations_of_another_shape_are_refused(shape):
    with pytest.raises(InputError, match="do not fit"):
        as_points(np.ones(shape), (1, 2, 2), None)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(InputError, match="weights and labels"):
        as_points(np.ones((4, 1, 2, 2)), (1, 2, 2), np.ones((1, 2, 3)))
