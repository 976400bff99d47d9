import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import dawsn, erf

from electrode_grains.errors import SettingsError
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import (
    ArchitectureModel,
    Placement,
    fill_domain,
    mean_watson_angle,
    voxel_points,
    watson_axes,
)
from electrode_grains.tessellation.placement import frames_about, layered_seeds

SPACING = (50.0, 50.0, 50.0)
SMOOTH = ArchitectureModel(roughness_nm=0.1, relaxation=6)


def ball(size, radius):
    points = voxel_points((size, size, size), SPACING)
    return (np.linalg.norm(points - points[-1] / 2, axis=1) < radius).reshape((size,) * 3)


def second_moment(concentration):
    """Of the cosine of Watson's distribution, in closed form (Mardia and Jupp 2000, 10.3)."""
    root = abs(concentration) ** 0.5
    if concentration > 0:
        return (root / dawsn(root) - 1) / (2 * concentration)
    edge = np.exp(concentration) / (np.pi**0.5 * root * erf(root))
    return (1 - 2 * -concentration * edge) / (2 * -concentration)


@pytest.mark.parametrize("concentration", [-12.0, -1.0, 0.5, 6.0])
def test_axes_are_those_of_watson(concentration):
    rng = np.random.default_rng(3)
    radial = rng.standard_normal((40_000, 3)) * 7
    axes = watson_axes(radial, concentration, rng)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1)
    cosine = (axes * radial).sum(axis=1) / np.linalg.norm(radial, axis=1)
    assert (cosine**2).mean() == pytest.approx(second_moment(concentration), abs=0.006)

    def density(angle):
        return np.exp(concentration * np.cos(angle) ** 2) * np.sin(angle)

    mean = quad(lambda a: a * density(a), 0, np.pi / 2)[0] / quad(density, 0, np.pi / 2)[0]
    assert mean_watson_angle(concentration) == pytest.approx(mean, abs=1e-5)
    assert np.arccos(np.abs(cosine)).mean() == pytest.approx(mean, abs=0.01)


def test_axes_about_no_direction_lie_anywhere():
    axes = watson_axes(np.zeros((20_000, 3)), 5.0, np.random.default_rng(0))
    np.testing.assert_allclose(axes.T @ axes / len(axes), np.eye(3) / 3, atol=0.01)


def test_frames_are_right_angled_and_end_with_the_axis_about_the_radius():
    radial = np.tile([0.0, 0.0, 3.0], (500, 1))
    frames = frames_about(radial, 200.0, np.random.default_rng(1))
    np.testing.assert_allclose(
        frames.transpose(0, 2, 1) @ frames, np.tile(np.eye(3), (500, 1, 1)), atol=1e-12
    )
    assert (np.abs(frames[:, 2, 2]) > 0.95).all()


@pytest.mark.parametrize("gradient", [-0.7, 0.7])
def test_seeds_are_as_dense_as_the_grains_of_their_layer_can_be(gradient):
    rng = np.random.default_rng(2)
    domain = ball(48, 1150)
    volumes = rng.lognormal(0, 0.9, 600)
    center = np.full(3, 47 / 2 * 50.0)
    seeds = layered_seeds(volumes, domain, SPACING, center, gradient, rng)
    away = np.linalg.norm(seeds - center, axis=1)
    ranks = [np.argsort(np.argsort(each)) for each in (volumes, away)]
    # The distance of a seed is that of its place in the order, but for large grains.
    assert np.corrcoef(*ranks)[0, 1] == pytest.approx(6 / np.pi * np.arcsin(gradient / 2), abs=0.1)
    order = np.argsort(away)
    filled = np.cumsum(volumes[order]) / volumes.sum()
    within = (away[order] / 1150) ** 3
    assert np.abs(filled - within).max() < 0.08  # a seed may lie half a voxel outside


def test_gradient_and_concentration_are_found_in_the_grains():
    domain, long = ball(56, 1350), SMOOTH.replace(elongation=0.6)

    def measured(placement):
        labels = fill_domain(long, domain, SPACING, np.random.default_rng(4), placement)
        grains = characterize_grains(labels, SPACING)
        related = grains["distance_to_center_nm"].corr(grains["equivalent_diameter_nm"])
        return related, grains["radial_angle"].mean()

    free, (inside, _), (_, spokes), (_, shells) = map(
        measured,
        [
            Placement(),
            Placement(size_gradient=-0.8),
            Placement(long_axis_concentration=10.0),
            Placement(long_axis_concentration=-10.0),
        ],
    )
    assert inside < free[0] - 0.4
    assert spokes < free[1] - 0.25
    assert shells > free[1]


def test_grains_that_may_lie_anywhere_are_drawn_as_before():
    domain = np.ones((20, 24, 24), bool)
    drawn = [
        fill_domain(SMOOTH, domain, SPACING, np.random.default_rng(6), *more)
        for more in ((), (Placement(protrusion=0.4), [0.0, 100.0, 50.0]))
    ]
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("wrong", [{"size_gradient": 1.2}, {"protrusion": -0.1}])
def test_impossible_places_are_refused(wrong):
    with pytest.raises(SettingsError, match="no grains can lie so"):
        Placement(**wrong)


def test_a_placement_goes_to_a_file_and_back():
    placement = Placement(-0.2, 3.0, 0.5)
    assert Placement.from_dict(placement.to_dict()) == placement
