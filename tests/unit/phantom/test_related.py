import numpy as np
import pytest

from electrode_grains.ebsd import OrientationField
from electrode_grains.ebsd.orientations import misorientation_angle, random_orientations
from electrode_grains.phantom.related import relate_to_neighbours

SIDE = 8
LABELS = np.arange(1, SIDE**3 + 1, dtype=np.int32).reshape(SIDE, SIDE, SIDE)  # a grain a voxel


def least_angle_to_neighbours(orientations, labels):
    """Least misorientation in degrees of each grain to those that share a face with it."""
    least = np.full(len(orientations), 180.0)
    for axis in range(3):
        ordered = np.moveaxis(labels, axis, 0)
        for one, other in ((ordered[:-1], ordered[1:]), (ordered[1:], ordered[:-1])):
            angle = misorientation_angle(orientations[one], orientations[other], "-3m")
            np.minimum.at(least, one.ravel(), np.degrees(angle).ravel())
    return least[1:]


@pytest.fixture(scope="module")
def drawn():
    return random_orientations(SIDE**3 + 1, np.random.default_rng(1))


def test_a_share_of_the_grains_lies_two_to_nine_degrees_from_a_neighbour(drawn):
    related = relate_to_neighbours(drawn, LABELS, 0.1, 0.0, np.random.default_rng(2))
    changed = (related != drawn).any(axis=1)[1:]
    angle = least_angle_to_neighbours(related, LABELS)
    assert changed.sum() == round(0.1 * SIDE**3)
    assert ((angle > 1.99) & (angle < 9.01))[changed].all()
    assert (least_angle_to_neighbours(drawn, LABELS) < 9).mean() < 0.02


def test_twins_have_another_of_the_four_c_axes_of_a_neighbour(drawn):
    related = relate_to_neighbours(drawn, LABELS, 0.0, 0.1, np.random.default_rng(2))
    changed = np.flatnonzero((related != drawn).any(axis=1))
    assert len(changed) == round(0.1 * SIDE**3)
    place = {label: where for where, label in np.ndenumerate(LABELS)}
    for grain in changed:
        z, y, x = place[grain]
        beside = [
            LABELS[z + k, y + j, x + i]
            for k, j, i in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
            if all(0 <= n < SIDE for n in (z + k, y + j, x + i))
        ]
        axes = OrientationField(related[[grain, *beside]]).directions([0, 0, 1])
        angles = np.arccos(np.abs(axes[1:] @ axes[0]))
        assert np.abs(angles - np.arccos(1 / 3)).min() < 1e-3  # a cube's diagonals


def test_without_shares_orientations_stay(drawn):
    kept = relate_to_neighbours(drawn, LABELS, 0.0, 0.0, np.random.default_rng(2))
    np.testing.assert_array_equal(kept, drawn)
