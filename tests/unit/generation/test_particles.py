import numpy as np
import pandas as pd
import pytest

from electrode_grains.ebsd.orientations import conjugate, multiply, radial_orientations
from electrode_grains.errors import ComputationError
from electrode_grains.generation import (
    PUBLISHED,
    CalibratedModel,
    compare_generation,
    generate,
    simulated_moments,
)
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import ArchitectureModel, ShellModel

SPACING = (60.0, 60.0, 60.0)
MODEL = CalibratedModel(
    ArchitectureModel(relaxation=3),
    ShellModel(np.log(1300.0), 0.0, (0.0, 0.002), 1, 1.0),
    PUBLISHED,
    PUBLISHED,
    0.0,
    1,
)


def test_a_particle_has_the_grains_of_its_table():
    labels, grains, _ = generate(MODEL, (24, 52, 52), SPACING, np.random.default_rng(0))
    again = characterize_grains(labels, SPACING)
    pd.testing.assert_frame_equal(grains[again.columns], again)
    quaternions = grains[[f"quaternion_{part}" for part in "wxyz"]].to_numpy()
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1)
    # The window cuts the particle along z only.
    assert (labels[0] > 0).any()
    assert not labels[:, 0].any()
    volume = (labels > 0).sum() * 60.0**3
    ball = 4 / 3 * np.pi * 1300**3
    cap = np.pi * (1300 - 720) ** 2 / 3 * (2 * 1300 + 720)
    assert volume == pytest.approx(ball - 2 * cap, rel=0.25)


def test_too_few_simulated_grains_name_the_setting():
    with pytest.raises(ComputationError, match="calibration_grains"):
        simulated_moments(MODEL.architecture, SPACING, 60, 0)


def test_radial_orientations_take_the_radius_to_the_c_axis():
    rng = np.random.default_rng(0)
    radii = np.r_[rng.standard_normal((20, 3)), [[0, 0, -2.0]]]
    turns = radial_orientations(radii, 1.0, rng)
    vectors = np.column_stack([np.zeros(len(radii)), radii])
    turned = multiply(multiply(turns, vectors), conjugate(turns))[:, 1:]
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(turned[:, 2]), 1, atol=1e-9)


def test_without_texture_orientations_are_uniform():
    turns = radial_orientations(np.ones((4000, 3)), 0.0, np.random.default_rng(1))
    axis = multiply(multiply(conjugate(turns), np.tile([0, 0, 0, 1.0], (4000, 1))), turns)[:, 1:]
    np.testing.assert_allclose(axis.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose(axis.T @ axis / 4000, np.eye(3) / 3, atol=0.03)


def test_the_data_lie_inside_their_own_bands_and_others_outside():
    labels, _, _ = generate(MODEL, (40, 50, 50), SPACING, np.random.default_rng(2))
    data = characterize_grains(labels, SPACING)
    fit = simulated_moments(MODEL.architecture, SPACING, 400, 0)
    rng = np.random.default_rng(3)
    same = compare_generation(data, [data], fit, resamples=60, rng=rng)
    moments = same["quantity"].str.match("mean|std|correlation")
    assert same.loc[moments, "inside"].mean() > 0.9
    assert (same.loc[same["quantity"].str.startswith("distance of"), "virtual"] == 0).all()
    assert same.loc[same["quantity"].str.contains("distance of|energy"), "inside"].all()
    assert np.isfinite(same.loc[same["quantity"] == "mean convexity", "fit"]).all()
    # Virtual grains always have orientations, data from labels alone do not.
    oriented = data.assign(c_axis_radial_angle=1.0)
    more = compare_generation(data, [oriented], fit, resamples=20, rng=rng)
    assert list(more["quantity"]) == list(same["quantity"])
    larger = data.assign(equivalent_diameter_nm=1.5 * data["equivalent_diameter_nm"])
    other = compare_generation(data, [larger, larger], fit, resamples=60, rng=rng)
    other = other.set_index("quantity")
    assert not other.loc["mean equivalent_diameter_nm", "inside"]
    assert not other.loc["distance of equivalent_diameter_nm", "inside"]
    assert not other.loc["energy distance of all four", "inside"]
    assert other.loc["mean convexity", "inside"]
    assert other["virtual_std"].max() == 0
