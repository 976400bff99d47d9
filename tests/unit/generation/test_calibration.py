import math
from dataclasses import replace

import pytest

from electrode_grains.errors import SettingsError
from electrode_grains.generation import PUBLISHED, calibrate
from electrode_grains.generation.moments import CHARACTERISTICS
from electrode_grains.tessellation import ArchitectureModel

DIAMETER, SPHERICITY, CONVEXITY, ELONGATION = CHARACTERISTICS
START = ArchitectureModel(mean_diameter_nm=600, std_diameter_nm=150, elongation=0.7)


def formula(model):
    """A world in which moments follow from the parameters by a formula."""
    means = {
        DIAMETER: 0.95 * model.mean_diameter_nm,
        SPHERICITY: 0.9 - 0.0015 * model.roughness_nm,
        CONVEXITY: 0.9 * math.exp(-model.roughness_nm / 300) - 1e-4 * model.roughness_length_nm,
        ELONGATION: 0.9 * model.elongation + 0.02 * math.sin(model.curvature),
    }
    stds = {**PUBLISHED.stds, DIAMETER: 0.9 * model.std_diameter_nm}
    pair = f"{DIAMETER} ~ {SPHERICITY}"
    return replace(
        PUBLISHED, means=means, stds=stds,
        correlations={**PUBLISHED.correlations, pair: 0.1 - model.curvature},
    )  # fmt: skip


def test_parameters_are_found_that_reach_the_target():
    lines = []
    found = calibrate(PUBLISHED, formula, START, simulations=60, report=lines.append)
    assert found.loss < 0.05
    assert found.model.mean_diameter_nm == pytest.approx(514 / 0.95, rel=0.01)
    assert found.model.curvature == pytest.approx(0.57, abs=0.03)
    assert found.moments == formula(found.model)
    assert found.simulations <= 60
    assert "loss" in lines[-1]


def test_one_simulation_keeps_the_start():
    found = calibrate(PUBLISHED, formula, START, simulations=1)
    assert found.model.to_dict() == pytest.approx(START.to_dict())
    assert found.simulations == 1


def test_parameters_stay_in_their_ranges():
    far = replace(PUBLISHED, means={**PUBLISHED.means, ELONGATION: 0.99})
    assert calibrate(far, formula, START, simulations=40).model.elongation <= 0.95


def test_an_impossible_target_is_refused_before_anything_is_simulated():
    wrong = replace(PUBLISHED, stds={**PUBLISHED.stds, ELONGATION: 0.6})
    with pytest.raises(SettingsError, match="elongation"):
        calibrate(wrong, pytest.fail, START)
