import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from electrode_grains.errors import SettingsError
from electrode_grains.tessellation import (
    ArchitectureSettings,
    generate_particle,
    join_fragments,
    laguerre_labels,
    nearest_cell,
)
from electrode_grains.tessellation.laguerre import scatter_seeds


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 30))
def test_cells_are_those_of_least_power_distance(seed, count):
    rng = np.random.default_rng(seed)
    seeds, weights = rng.random((count, 3)), rng.random(count) * 0.1
    points = rng.random((50, 3))
    power = ((points[:, None] - seeds) ** 2).sum(axis=2) - weights
    chosen = nearest_cell(points, seeds, weights)
    np.testing.assert_allclose(power[np.arange(50), chosen], power.min(axis=1), atol=1e-12)


def test_equal_weights_make_a_plane_in_the_middle():
    labels = laguerre_labels([[0, 0, 0], [900, 0, 0]], [0, 0], (2, 2, 10), (100, 100, 100))
    assert (labels[..., :5] == 1).all()
    assert (labels[..., 5:] == 2).all()


def test_seeds_keep_their_distance():
    rng = np.random.default_rng(0)
    seeds = scatter_seeds(np.zeros(3), np.full(3, 10.0), 1.0, 0.7, rng)
    apart = np.linalg.norm(seeds[:, None] - seeds, axis=2) + 100 * np.eye(len(seeds))
    assert len(seeds) == 1000
    assert apart.min() >= 0.7


def test_seeds_that_do_not_fit_are_refused():
    with pytest.raises(SettingsError, match="hardness 3"):
        scatter_seeds(np.zeros(3), np.full(3, 10.0), 1.0, 3, np.random.default_rng(0))


def test_a_chip_goes_to_the_neighbour_it_touches_most():
    labels = np.array([[[1, 1, 2, 2, 1]], [[1, 1, 2, 2, 2]]], np.int32)
    joined = join_fragments(labels)
    assert joined.tolist() == [[[1, 1, 2, 2, 2]], [[1, 1, 2, 2, 2]]]


def test_grains_are_connected_and_of_the_size_asked_for():
    settings = ArchitectureSettings(mean_diameter_nm=400.0, diameter_shape_nm=4000.0)
    labels = generate_particle((32, 48, 48), (50, 50, 50), np.random.default_rng(3), settings)
    sizes = np.bincount(labels.ravel())[1:]
    assert sizes.min() >= 1
    assert all(ndimage.label(labels == grain)[1] == 1 for grain in range(1, 40))
    # E[d^3] of the inverse Gaussian settings, with mu / lambda = 0.1.
    mean_volume = np.pi / 6 * 400.0**3 * (1 + 3 * 0.1 + 3 * 0.01)
    assert settings.mean_volume_nm3 == pytest.approx(mean_volume)
    # A window of side w shows n w^3 + (parts of grains beyond its faces): count the faces half.
    extent = np.array(labels.shape) * 50.0
    reach = np.prod(extent + mean_volume ** (1 / 3)) / mean_volume
    assert len(sizes) == pytest.approx(reach, rel=0.25)
