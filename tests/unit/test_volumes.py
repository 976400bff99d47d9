import numpy as np
import pytest

from electrode_grains.ebsd import StackSettings
from electrode_grains.errors import SettingsError
from electrode_grains.grain_maps.settings import GrainMapSettings
from electrode_grains.phantom.settings import ParticleSettings
from electrode_grains.tessellation import ArchitectureModel, ArchitectureSettings
from electrode_grains.volumes import spacing_notes


@pytest.mark.parametrize(
    ("spacing", "notes"),
    [((50, 50, 50), 0), ((500, 50, 50), 0), ((5, 50, 50), 0), ((505, 50, 50), 1),
     ((50, 4, 4), 1), ((1550, 50, 50), 1), ((1.65, 50, 50), 1), ((50, 1550, 50), 1),
     ((5000, 5000, 5000), 0), ((5e4, 5e4, 5e4), 1), ((5e5, 4e4, 4e4), 2)],
)  # fmt: skip
def test_voxels_are_noted_that_are_longer_than_ten_of_their_widths_or_than_10_um(spacing, notes):
    assert len(spacing_notes(spacing, "there")) == notes


@pytest.mark.parametrize(
    ("spacing", "says"),
    [((0.05, 50, 50), "Then 0.05 is 50 nm"), ((50000, 50, 50), "Then 50000 is 50 nm"),
     ((50, 0.05, 0.05), "Then 50 is 0.05 nm"), ((50, 50, 50000), "Then 50000 is 50 nm"),
     ((1.57, 50, 50), "Then 1.57 is 1570 nm"), ((1600, 50, 50), "Then 1600 is 1.6 nm")],
)  # fmt: skip
def test_edges_in_two_units_are_refused_with_the_value_that_would_fit(spacing, says):
    with pytest.raises(SettingsError, match=says) as refused:
        spacing_notes(spacing, "there")
    assert refused.value.where == "there"


def test_every_spacing_up_to_the_root_of_a_thousand_is_refused_in_the_wrong_unit():
    for step in (2.0, 50.0, 2500.0):
        for ratio in np.geomspace(1000**-0.499, 1000**0.499, 9):
            spacing_notes((step * ratio, step, step), "right")
            for unit in (1e-3, 1e3, 1e-6, 1e6):
                with pytest.raises(SettingsError):
                    spacing_notes((step * ratio * unit, step, step), "wrong")


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (StackSettings, {"slice_spacing_nm": 0.05}),
        (StackSettings, {"step_nm": 0.9}),
        (GrainMapSettings, {"spacing_nm": (50, 50, 0.05)}),
        (ArchitectureSettings, {"warp_length_nm": 0.1}),
        (ArchitectureModel, {"mean_diameter_nm": 0.5138}),
        (ParticleSettings, {"spacing_nm": [0.1] * 3}),
    ],
)
def test_lengths_below_a_nanometre_are_taken_for_micrometres(model, values):
    with pytest.raises(SettingsError, match=r"are these um\?"):
        model.checked(**values)


@pytest.mark.parametrize("value", [1, 4, 50.0, 1e5, None])
def test_lengths_from_a_nanometre_on_are_taken(value):
    assert StackSettings(slice_spacing_nm=value, step_nm=value).step_nm == value
