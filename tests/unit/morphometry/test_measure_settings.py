from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from electrode_grains.morphometry import MeasureSettings, ParticleSummary, measure_particle

CONF = Path(__file__).parents[3] / "conf" / "base"


def test_the_defaults_are_those_of_the_configuration():
    kept = yaml.safe_load((CONF / "parameters_characterization.yml").read_text())
    values = kept["characterization"]["measure"]
    assert values.pop("laue_group") == "${globals:laue_group}"
    shared = yaml.safe_load((CONF / "globals.yml").read_text())["laue_group"]
    assert MeasureSettings() == MeasureSettings(**values, laue_group=shared)
    assert set(values) | {"laue_group"} == set(MeasureSettings.model_fields)


@pytest.mark.parametrize(
    "impossible", [{"laue_group": "4/mm"}, {"low_angle_degrees": 0}, {"low_angle": 0.2}]
)
def test_an_impossible_setting_is_refused(impossible):
    with pytest.raises(ValidationError):
        MeasureSettings(**impossible)


@pytest.mark.parametrize("with_lattice", [False, True])
def test_a_summary_survives_its_file(with_lattice):
    labels = np.repeat([[[1, 1, 2, 0]]], 3, axis=1)
    lattice = np.full((*labels.shape, 4), [1.0, 0, 0, 0]) if with_lattice else None
    summary = measure_particle(labels, (50, 50, 50), orientations=lattice).particle
    kept = summary.to_dict()
    assert ParticleSummary.from_dict(kept) == summary
    assert ("low_angle_share" in kept) == with_lattice
    assert "resolution_limits_nm" not in kept


def test_a_summary_of_another_version_is_refused():
    with pytest.raises(TypeError, match="grain_number"):
        ParticleSummary.from_dict({"grain_number": 3})
