import math
from dataclasses import replace

import pytest

from electrode_grains.errors import SettingsError
from electrode_grains.generation import PUBLISHED, calibrate
from electrode_grains.generation.moments import CHARACTERISTICS
from electrode_grains.generation.response import embedded_response
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
    """Though the surface that foretells moments is of another world."""
    lines = []
    found = calibrate(PUBLISHED, formula, START, 50.0, simulations=30, report=lines.append)
    assert found.loss < 1  # of 14 squares, in units of what counts as met
    assert found.model.mean_diameter_nm == pytest.approx(514 / 0.95, rel=0.02)
    assert found.model.curvature == pytest.approx(0.57, abs=0.06)
    assert found.moments == formula(found.model)
    assert found.simulations <= 30
    assert "deviations" in lines[-1]


def test_parameters_stay_in_their_ranges():
    far = replace(PUBLISHED, means={**PUBLISHED.means, ELONGATION: 0.99})
    most = embedded_response("shapes").space.axes["elongation"].high
    found = calibrate(far, formula, START, 50.0, simulations=6)
    assert found.model.elongation <= most + 1e-9


def test_an_impossible_target_is_refused_before_anything_is_simulated():
    wrong = replace(PUBLISHED, stds={**PUBLISHED.stds, ELONGATION: 0.6})
    with pytest.raises(SettingsError, match="elongation"):
        calibrate(wrong, pytest.fail, START, 50.0)
