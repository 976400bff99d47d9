import numpy as np
import pandas as pd
import pytest

from electrode_grains.generation import (
    Body,
    GenerationSettings,
    PlaceStatistics,
    ShapeMoments,
    fit_model,
    fit_placement,
    fit_protrusion,
    shells_of,
    whole_body,
)
from electrode_grains.generation.particles import surrounded_grains
from electrode_grains.generation.placement import concentration_of
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import (
    ArchitectureModel,
    Placement,
    Shell,
    mean_watson_angle,
    voxel_points,
)

SPACING = (60.0, 60.0, 60.0)
SHAPE = (24, 46, 46)
ROUGH = ArchitectureModel(relaxation=3)
SPHERE = Body(Shell(np.array([np.log(1250.0) * (4 * np.pi) ** 0.5])))


@pytest.fixture(scope="module")
def outer():
    rng = np.random.default_rng(0)
    return surrounded_grains(ROUGH, SHAPE, SPACING, rng, SPHERE, Placement(protrusion=1.0))


def test_a_particle_of_whole_grains_has_them_as_they_are(outer):
    kept = outer.in_window(1.0)
    whole = outer.labels[outer.window]
    belongs = np.flatnonzero(outer.of_grains < 0)
    np.testing.assert_array_equal(kept > 0, np.isin(whole, belongs))
    pairs = np.unique(np.stack([kept[kept > 0], whole[kept > 0]]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1] == len(np.unique(whole[kept > 0]))


def test_grains_end_where_they_may_not_protrude_and_fill_the_pits_between(outer):
    height = outer.heights[outer.window]
    reach = 0.2 * ROUGH.mean_diameter_nm
    kept = outer.in_window(0.2) > 0
    assert not kept[height >= reach].any()
    assert kept[height < -reach].all()
    np.testing.assert_array_equal(outer.in_window(0.0) > 0, height < 0)


def test_the_shell_lies_where_it_is_put():
    body = Body(SPHERE.shell, (300.0, 1350.0, 700.0))
    made = surrounded_grains(ROUGH, SHAPE, SPACING, np.random.default_rng(0), body)
    points = voxel_points(SHAPE, SPACING) - np.array(body.center_nm)
    inside = (np.linalg.norm(points, axis=1) < 1250).reshape(SHAPE)
    assert ((made.in_window(0.0) > 0) != inside).mean() < 0.002


def test_relief_tells_how_far_grains_stick_out(outer):
    def relief_at(protrusion):
        shells, _ = shells_of([outer.in_window(protrusion) > 0], SPACING, 4)
        return shells.model.relief

    known = [relief_at(protrusion) for protrusion in (0.0, 0.2, 0.5)]
    assert known == sorted(known)
    assert known[2] > 2 * known[0]
    assert fit_protrusion(known[1], relief_at) == pytest.approx(0.2, abs=0.02)
    assert fit_protrusion(9.0, relief_at) == 1
    assert fit_protrusion(0.0, relief_at) == 0


def test_grains_that_fill_their_window_have_no_shell():
    shells, reason = shells_of([np.ones((8, 8, 8), bool)], SPACING, 4)
    assert shells is None
    assert "no surface inside its window" in reason


def statistics(correlation, angle, error=0.02):
    return PlaceStatistics(correlation, angle, (error, error))


def test_a_search_ends_where_grains_measure_as_the_data():
    tried = []

    def simulate(placement):
        tried.append(placement)
        excess = mean_watson_angle(placement.long_axis_concentration) - 1
        return statistics(0.1 + 0.7 * placement.size_gradient, 1.05 + 0.6 * excess)

    found = fit_placement(statistics(-0.3, 0.8), simulate, Placement(protrusion=0.4), 9)
    reached = simulate(found)
    assert reached.size_correlation == pytest.approx(-0.3, abs=0.04)
    assert reached.long_axis_angle == pytest.approx(0.8, abs=0.04)
    assert tried[0] == Placement(protrusion=0.4)
    assert {placement.protrusion for placement in tried} == {0.4}


def test_what_the_data_do_not_show_stays_nothing():
    found = fit_placement(
        statistics(0.15, 0.7), lambda placement: statistics(0.1, 1.0), Placement(), 3
    )
    assert found.size_gradient == 0
    assert found.long_axis_concentration > 2


def test_too_few_whole_grains_and_no_simulation_change_nothing():
    start = Placement(protrusion=0.3)
    assert fit_placement(statistics(-0.9, 0.2), lambda placement: None, start, 4) == start
    assert (
        fit_placement(statistics(-0.9, 0.2), lambda placement: statistics(0, 1), start, 0) == start
    )
    assert PlaceStatistics.of_table(table(19)) is None


def table(count):
    rng = np.random.default_rng(5)
    size = rng.uniform(300, 700, count)
    return pd.DataFrame(
        {
            "touches_window": np.arange(count) >= 60,
            "equivalent_diameter_nm": size,
            "distance_to_center_nm": 2000 - 0.5 * size + rng.uniform(0, 300, count),
            "radial_angle": rng.uniform(0, 1.2, count),
            **dict.fromkeys(["sphericity", "convexity", "elongation"], 0.8),
            **dict.fromkeys(["neighbour_count", "surface_area_nm2", "volume_nm3"], 1.0),
        }
    )


def test_statistics_are_those_of_whole_grains():
    grains = table(80)
    found = PlaceStatistics.of_table(grains)
    whole = grains[:60]
    related = np.corrcoef(whole["distance_to_center_nm"], whole["equivalent_diameter_nm"])[0, 1]
    assert found.size_correlation == pytest.approx(related)
    assert found.long_axis_angle == pytest.approx(whole["radial_angle"].mean())
    assert found.errors[0] == pytest.approx((1 - related**2) / 60**0.5)
    assert found.errors[1] == pytest.approx(whole["radial_angle"].sem())


@pytest.mark.parametrize("excess", [-0.4, -0.05, 0.2])
def test_a_concentration_has_the_mean_angle_asked_for(excess):
    assert mean_watson_angle(concentration_of(excess)) == pytest.approx(1 + excess, abs=1e-4)


def test_no_excess_is_no_concentration():
    assert concentration_of(0.0) == 0


def test_a_window_full_of_grains_is_fitted_without_a_shell():
    made = surrounded_grains(ROUGH, (30, 40, 40), SPACING, np.random.default_rng(2))
    labels = made.in_window(0.0)
    assert labels.min() > 0
    grains = characterize_grains(labels, SPACING)
    lines = []
    model = fit_model(
        labels > 0,
        SPACING,
        grains,
        ShapeMoments.of_table(grains),
        GenerationSettings(simulations=1, placements=1, relaxation=2),
        lines.append,
    )
    assert model.shell is None
    assert model.center_nm is None
    assert model.placement == Placement()
    assert "fill the window" in lines[0]
    assert type(model).from_dict(model.to_dict()) == model


def test_data_of_many_grains_are_simulated_by_some_that_no_window_cuts():
    many = pd.concat([table(60)] * 14, ignore_index=True).assign(surface_distance_nm=np.nan)
    spread = np.random.default_rng(0).normal(0, 0.05, (3, len(many)))
    for name, noise in zip(("sphericity", "convexity", "elongation"), spread, strict=True):
        many[name] = 0.8 + noise
    settings = GenerationSettings(simulations=1, placements=0, relaxation=2, calibration_grains=400)
    particle = np.ones((30, 30, 30), bool)
    target = ShapeMoments.of_table(many)
    model = fit_model(particle, SPACING, many, target, settings)
    # A window of 30 voxels would show some 20 of them.
    assert model.reached.grain_count > 100
    assert len(many) > 2 * settings.calibration_grains


def test_a_shell_of_a_tomogram_is_filled_at_another_voxel():
    coarse = (100.0, 80.0, 80.0)
    points = (voxel_points((30, 38, 38), coarse) - [1400, 1500, 1450]) / [1100, 900, 1200]
    particle = (np.linalg.norm(points, axis=1) < 1).reshape(30, 38, 38)
    body, shape = whole_body(particle, coarse, 60.0)
    assert shape == (50, 51, 51)
    np.testing.assert_allclose(body.center_nm, [1400, 1500, 1450], atol=40)
    made = surrounded_grains(ROUGH, shape, SPACING, np.random.default_rng(0), body)
    volume = np.count_nonzero(made.in_window(0.0)) * 60.0**3
    assert volume == pytest.approx(4 / 3 * np.pi * 1100 * 900 * 1200, rel=0.03)
