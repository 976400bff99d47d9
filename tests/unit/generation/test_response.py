import numpy as np
import pytest

from electrode_grains.generation import PUBLISHED, simulate_sections
from electrode_grains.generation.calibration import CorrectedSurface, Goal
from electrode_grains.generation.response import (
    VOXEL,
    Axis,
    ResponseSurface,
    Space,
    embedded_response,
    free_numbers,
    plain_numbers,
)
from electrode_grains.tessellation import ArchitectureModel

MODEL = ArchitectureModel(std_diameter_nm=150.0, curvature=0.1)


def test_moments_without_bounds_go_there_and_back():
    named = PUBLISHED.named()
    numbers = free_numbers(named)
    assert numbers[0] == pytest.approx(np.log(514))
    place = list(named).index("correlation equivalent_diameter_nm ~ sphericity")
    assert numbers[place] == pytest.approx(np.arctanh(-0.47))
    np.testing.assert_allclose(plain_numbers(numbers, list(named)), list(named.values()))
    np.testing.assert_allclose(
        plain_numbers(np.stack([numbers, numbers]), list(named))[1], list(named.values())
    )


def test_a_model_is_a_point_and_a_point_a_model():
    space = embedded_response("sections").space
    point = space.point_of(MODEL)
    assert point[0] == pytest.approx(np.log(MODEL.mean_diameter_nm))
    assert (np.abs(point[1:]) < 1).all()
    again = space.model_at(point, ArchitectureModel())
    assert again.to_dict() == pytest.approx(MODEL.to_dict())
    twice = space.model_at(point + np.eye(len(point))[0] * np.log(2), MODEL)
    assert twice.roughness_length_nm == pytest.approx(2 * MODEL.roughness_length_nm)
    assert twice.curvature == pytest.approx(MODEL.curvature)


@pytest.mark.parametrize("kind", ["sections", "shapes"])
def test_slopes_are_those_of_differences(kind):
    surface = embedded_response(kind)
    point = surface.space.point_of(MODEL)
    _, slopes = surface.at(point, 50.0)
    for place in range(len(point)):
        step = 1e-5 * np.eye(len(point))[place]
        away = (surface.at(point + step, 50.0)[0] - surface.at(point - step, 50.0)[0]) / 2e-5
        np.testing.assert_allclose(slopes[:, place], away, atol=1e-6)


def test_a_particle_twice_as_large_has_profiles_twice_as_large():
    surface = embedded_response("sections")
    point = surface.space.point_of(MODEL)
    small, _ = surface.at(point, 50.0)
    large, _ = surface.at(point + np.eye(len(point))[0] * np.log(2), 100.0)
    scaled = {
        name: value * (2.0 if name.endswith("diameter_nm") and "~" not in name else 1.0)
        for name, value in zip(surface.names, plain_numbers(small, surface.names), strict=True)
    }
    scaled["boundary_density_per_nm"] /= 2
    np.testing.assert_allclose(plain_numbers(large, surface.names), list(scaled.values()))


def test_a_quadratic_world_is_foretold_exactly():
    rng = np.random.default_rng(0)
    space = Space(
        {"curvature": Axis(0.0, 1.0, False), "roughness_nm": Axis(0.01, 0.1, True),
         VOXEL: Axis(0.05, 0.2, True)}
    )  # fmt: skip
    rows = [{n: a.value_at(float(rng.uniform(-1, 1))) for n, a in space.axes.items()}
            for _ in range(400)]  # fmt: skip

    def moments(row):
        u, v = row["curvature"], np.log(row["roughness_nm"])
        return {"mean equivalent_diameter_nm": np.exp(0.2 * u * v - 0.1 * v), "correlation a ~ b":
                np.tanh(0.1 + 0.3 * u**2)}  # fmt: skip

    surface = ResponseSurface.fitted(space, rows, [moments(row) for row in rows])
    assert surface.residuals == pytest.approx([0, 0], abs=0.01)
    for row in rows[:5]:
        point = np.array([np.log(500.0), *(space.axes[n].place_of(row[n]) for n in list(row)[:2])])
        found, _ = surface.at(point, 500 * row[VOXEL])
        true = moments(row)
        assert np.exp(found[0]) == pytest.approx(
            500 * true["mean equivalent_diameter_nm"], rel=0.02
        )
        assert np.tanh(found[1]) == pytest.approx(true["correlation a ~ b"], abs=0.02)


def test_the_surface_of_the_package_foretells_a_simulation():
    surface = embedded_response("sections")
    made = simulate_sections(MODEL, 60.0, 800, 4)
    sections, shapes = made.values()
    for kind, moments in (("sections", sections), ("shapes", shapes)):
        surface = embedded_response(kind)
        foretold, _ = surface.at(surface.space.point_of(MODEL), 60.0)
        away = (free_numbers(moments.named()) - foretold) / surface.residuals
        assert np.abs(away).max() < 4


def test_simulations_correct_a_surface_that_is_wrong():
    """Where moments are others by a constant, one simulation tells it all."""
    surface = embedded_response("shapes")
    true = surface.space.point_of(MODEL)
    shift = 0.1 * np.ones(len(surface.names))
    goal = Goal(
        surface.at(true, 50.0)[0] + shift,
        PUBLISHED.tolerances(),
        true,
        np.r_[np.inf, np.full(len(true) - 1, 30.0)],
    )
    corrected = CorrectedSurface(surface, 50.0)
    start = true + 0.1
    assert corrected.loss(goal, corrected.closest(goal, start)) > 0.5
    corrected.add(start, surface.at(start, 50.0)[0] + shift)
    found = corrected.closest(goal, start)
    assert corrected.loss(goal, found) < 1e-3
