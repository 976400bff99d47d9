import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from electrode_grains.phantom import ball, box, ellipsoid
from electrode_grains.phantom.particle import ParticleBody


# Number of lattice points in a ball of whole radius, a classic sequence (OEIS A000605).
@pytest.mark.parametrize(
    ("radius", "count"), [(1, 7), (2, 33), (3, 123), (4, 257), (5, 515), (10, 4169)]
)
def test_a_ball_holds_as_many_lattice_points_as_it_should(radius, count):
    size = 2 * radius + 3
    assert ball((size,) * 3, (radius + 1,) * 3, radius).sum() == count


def test_the_volume_of_an_anisotropic_ellipsoid():
    spacing, half_axes = (2.0, 1.0, 0.5), (20.0, 15.0, 10.0)
    body = ellipsoid((24, 40, 50), (23, 19.7, 12.1), half_axes, spacing)
    volume = 4 / 3 * np.pi * np.prod(half_axes)
    assert body.sum() * np.prod(spacing) == pytest.approx(volume, rel=0.01)


def test_a_turned_ellipsoid_has_its_long_axis_where_it_was_turned():
    turn = Rotation.from_euler("z", 30, degrees=True).as_matrix()
    body = ellipsoid((41, 41, 41), (20, 20, 20), (15, 5, 5), rotation=turn)
    covariance = np.cov(np.argwhere(body).T)
    axis = np.linalg.eigh(covariance)[1][:, -1]
    assert abs(axis @ turn[:, 0]) == pytest.approx(1, abs=1e-3)


def test_a_box_is_half_open():
    assert box((6, 6, 6), (0, 0, 0), (3, 3, 3)).sum() == 27
    assert box((6, 6, 6), (0, 0, 0), (6, 3, 2), (2, 1, 1)).sum() == 3 * 3 * 2


@pytest.mark.parametrize("height", [0.0, 0.1])
def test_a_body_has_the_volume_of_its_ellipsoid_and_of_its_bump(height):
    half_axes = np.array([20.0, 15.0, 10.0])
    body = ParticleBody(np.full(3, 30.0), half_axes, np.array([[0.0, 0, 1]]), np.array([height]))
    points = np.argwhere(np.ones((60, 60, 60), bool)) + 0.5
    # Radius 1 + h exp(12 (u - 1)) at the cosine u: integrate its cube over the sphere.
    cosine = np.linspace(-1, 1, 20001)
    cube = np.trapezoid((1 + height * np.exp(12 * (cosine - 1))) ** 3, cosine)
    expected = 2 * np.pi / 3 * np.prod(half_axes) * cube
    assert body.contains(points).sum() == pytest.approx(expected, rel=0.003)
