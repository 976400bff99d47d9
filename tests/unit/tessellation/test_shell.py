import numpy as np
import pytest
from scipy.special import sph_harm_y

from electrode_grains.errors import InputError
from electrode_grains.tessellation import Shell, ShellModel, fit_shells, harmonics, voxel_points

SHAPE, SPACING = (50, 60, 60), (60.0, 50.0, 50.0)
MIDDLE = np.array([1475.0, 1475.0, 1470.0])


def body(half_axes, shape=SHAPE, center=MIDDLE):
    points = (voxel_points(shape, SPACING) - center) / half_axes
    return (np.linalg.norm(points, axis=1) < 1).reshape(shape)


def test_harmonics_are_orthonormal_and_those_of_the_textbook():
    nodes, weights = np.polynomial.legendre.leggauss(12)
    azimuth = np.arange(24) * 2 * np.pi / 24
    z, turn = (axis.ravel() for axis in np.meshgrid(nodes, azimuth, indexing="ij"))
    across = np.sqrt(1 - z**2)
    values = harmonics(np.column_stack([across * np.cos(turn), across * np.sin(turn), z]), 5)
    gram = values.T @ (np.repeat(weights, 24)[:, None] * values) * 2 * np.pi / 24
    np.testing.assert_allclose(gram, np.eye(36), atol=1e-12)
    # Y_1 of m = -1, 0, 1 are y, z, x times sqrt(3 / 4 pi).
    np.testing.assert_allclose(
        harmonics([[1, 2, 2]], 1)[0, 1:], np.sqrt(3 / (4 * np.pi)) * np.array([2, 2, 1]) / 3
    )
    assert harmonics([[0, 0, 1]], 2)[0, 6] == pytest.approx(sph_harm_y(2, 0, 0, 0).real)


def test_a_sphere_is_found_with_its_centre():
    found = fit_shells([body([1200, 1200, 1200])], SPACING, 4)
    assert np.exp(found.model.mean_log_radius) == pytest.approx(1200, rel=0.01)
    np.testing.assert_allclose(found.centers[0], MIDDLE, atol=15)
    assert max(found.model.degree_variances) < 1e-4
    assert found.model.seen_share == 1


def test_a_sphere_that_the_window_cuts_is_continued():
    # The window begins 400 nm below the centre: a third of the directions is not seen.
    found = fit_shells([body([1200, 1200, 1200], center=np.array([1475, 1475, 400]))], SPACING, 6)
    below = found.shells[0].radius([[0, 0, -1], [1, 1, -3]])
    np.testing.assert_allclose(below, 1200, rtol=0.05)
    assert 0.4 < found.model.seen_share < 0.9


def test_a_rough_slab_of_a_particle_does_not_run_wild_where_it_is_not_seen():
    # Half-axes 1300, 1200, 800 nm, of which the window shows the middle 1000 nm along z.
    rng = np.random.default_rng(3)
    shape = (20, 60, 60)
    points = (voxel_points(shape, (50.0, 50.0, 50.0)) - [1475, 1475, 475]) / [1300, 1200, 800]
    bumps = np.cos(points @ rng.normal(0, 6, (3, 40))) @ rng.normal(0, 0.01, 40)
    mask = (np.linalg.norm(points, axis=1) < 1 + bumps).reshape(shape)
    found = fit_shells([mask], (50.0, 50.0, 50.0), 8)
    assert np.exp(found.model.mean_log_radius) == pytest.approx(1070, rel=0.15)
    along_z = found.shells[0].radius([[0, 0, 1], [0, 0, -1]])
    assert ((along_z > 500) & (along_z < 1300)).all()


def test_an_ellipsoid_is_found_and_voxelised_again():
    mask = body([1400, 1100, 900])
    found = fit_shells([mask], SPACING, 8)
    again = found.shells[0].contains(voxel_points(SHAPE, SPACING) - found.centers[0])
    overlap = (again.reshape(SHAPE) & mask).sum() / (again.reshape(SHAPE) | mask).sum()
    assert overlap > 0.97
    np.testing.assert_allclose(found.shells[0].radius(np.eye(3)), [1400, 1100, 900], rtol=0.03)


def test_shells_of_a_model_have_its_variances():
    model = ShellModel(np.log(5000), 0.1, (0.0, 0.02, 0.01), 3, 1.0)
    rng = np.random.default_rng(0)
    drawn = np.array([model.sample(rng).coefficients for _ in range(800)])
    spread = drawn.var(axis=0)
    assert drawn.shape == (800, 16)
    assert spread[0] / (4 * np.pi) == pytest.approx(0.01, rel=0.15)
    assert (spread[1:4] == 0).all()
    assert spread[4:9].mean() == pytest.approx(0.02, rel=0.1)
    assert spread[9:].mean() == pytest.approx(0.01, rel=0.1)
    assert ShellModel.from_dict(model.to_dict()) == model


def test_variances_come_back_from_many_particles():
    model, rng = ShellModel(np.log(900), 0.05, (0.0, 0.02, 0.003), 1, 1.0), np.random.default_rng(1)
    points = voxel_points(SHAPE, SPACING) - MIDDLE
    masks = [model.sample(rng).contains(points).reshape(SHAPE) for _ in range(8)]
    found = fit_shells(masks, SPACING, 4).model
    assert found.degree_variances[1] == pytest.approx(0.02, rel=0.5)
    assert found.degree_variances[2] == pytest.approx(0.003, rel=0.6)
    assert found.std_log_radius == pytest.approx(0.05, rel=0.6)


def test_a_particle_that_fills_its_window_has_no_shell():
    with pytest.raises(InputError, match="particle 2"):
        fit_shells([body([1200, 1200, 1200]), np.ones(SHAPE, bool)], SPACING)


def test_a_shell_of_one_coefficient_is_a_sphere():
    sphere = Shell(np.array([np.log(300) * np.sqrt(4 * np.pi)]))
    assert sphere.contains([[0, 0, 299], [0, 0, 301], [-299, 0, 0]]).tolist() == [True, False, True]
