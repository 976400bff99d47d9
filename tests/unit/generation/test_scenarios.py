import json

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from electrode_grains.base import flatten
from electrode_grains.errors import SettingsError
from electrode_grains.generation import (
    PUBLISHED,
    CalibratedModel,
    Scenario,
    ScenarioSettings,
    make_scenario,
    open_cracks,
    open_voids,
    separate_pieces,
    summarize_scenarios,
)
from electrode_grains.tessellation import ArchitectureModel, ShellModel

SPACING = (70.0, 70.0, 70.0)
SHAPE = (20, 44, 44)
MODEL = CalibratedModel(
    ArchitectureModel(relaxation=2, roughness_nm=8.0),
    ShellModel(np.log(1300.0), 0.0, (0.0, 0.002), 1, 1.0),
    PUBLISHED,
    PUBLISHED,
    0.0,
    1,
)


@pytest.fixture(scope="module")
def blocks():
    """27 cubes of 8 voxels."""
    cubes = np.arange(1, 28, dtype=np.int32).reshape(3, 3, 3)
    return np.kron(cubes, np.ones((8, 8, 8), np.int32))


def made(**changes):
    return make_scenario(Scenario(**changes), MODEL, SHAPE, SPACING, 3)


def test_a_scenario_as_fitted_is_that_of_the_model():
    assert Scenario().architecture(MODEL.architecture) == MODEL.architecture
    particle, opened = made()
    assert opened == 0
    assert particle.labels.max() == len(particle.grains)


def test_factors_are_of_lengths_and_not_of_the_shell():
    small = Scenario(size=0.5, roughness=2.0, spread=0.5, elongation=0.6)
    model = small.architecture(MODEL.architecture)
    usual = MODEL.architecture
    assert model.mean_diameter_nm == usual.mean_diameter_nm / 2
    assert model.std_diameter_nm == usual.std_diameter_nm / 4
    assert model.roughness_nm == usual.roughness_nm
    assert model.roughness_length_nm == usual.roughness_length_nm / 2
    assert model.elongation == 0.6
    assert model.curvature == usual.curvature
    whole, finer = made()[0], made(size=0.6)[0]
    np.testing.assert_array_equal(whole.labels > 0, finer.labels > 0)
    assert len(finer.grains) > 2.5 * len(whole.grains)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.2])
def test_voids_have_their_share(blocks, share):
    opened = open_voids(blocks, SPACING, share, 200.0, np.random.default_rng(0))
    assert np.count_nonzero(opened == 0) == round(share * blocks.size)
    assert set(np.unique(opened)) - {0} <= set(np.unique(blocks))
    assert (opened[opened > 0] == blocks[opened > 0]).all()


def test_a_void_is_a_ball():
    one = np.ones((41, 41, 41), np.int32)
    opened = open_voids(one, (1.0, 1.0, 1.0), 0.01, 60.0, np.random.default_rng(4))
    # One ball, which is cut off by its share: all within its radius, none beyond.
    parts, count = ndimage.label(opened == 0)
    assert count == 1
    places = np.argwhere(parts)
    span = np.ptp(places, axis=0) + 1
    if not ((places == 0).any() or (places == 40).any()):
        assert span.min() >= span.max() - 1
        assert len(places) == pytest.approx(np.pi / 6 * span.mean() ** 3, rel=0.15)


def test_cracks_follow_boundaries_and_have_their_share(blocks):
    opened = open_cracks(blocks, SPACING, 0.05, 560.0, np.random.default_rng(1))
    assert np.count_nonzero(opened == 0) == round(0.05 * blocks.size)
    # Only voxels beside another grain are opened, and only those of the larger label.
    crack = opened == 0
    for voxel in np.argwhere(crack):
        around = [
            blocks[tuple(voxel + step)]
            for step in np.vstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)])
            if (voxel + step >= 0).all() and (voxel + step < blocks.shape).all()
        ]
        assert min(around) < blocks[tuple(voxel)]
    closed = open_cracks(blocks, SPACING, 0.0, 560.0, np.random.default_rng(1))
    np.testing.assert_array_equal(closed, blocks)


def test_no_room_for_cracks_is_refused(blocks):
    with pytest.raises(SettingsError, match="no room for so many cracks"):
        open_cracks(blocks, SPACING, 0.9, 560.0, np.random.default_rng(0))
    with pytest.raises(SettingsError, match="no two grains touch"):
        open_cracks(np.ones((4, 4, 4), np.int32), SPACING, 0.1, 560.0, np.random.default_rng(0))


def test_pieces_of_a_parted_grain_are_grains():
    whole = np.array([[[1] * 46 + [2] * 4 + [0] + [4] * 21 + [0] + [4] * 2]], np.int32)
    opened = whole.copy()
    opened[0, 0, [20, 48]] = 0
    pieces = separate_pieces(opened, whole)[0, 0].tolist()
    # The chip of grain 2 falls out; its larger piece, however small, stays, and so does what the
    # window alone has parted.
    assert pieces == [1] * 20 + [0] + [2] * 25 + [3, 3, 0, 0] + [0] + [4] * 21 + [0] + [4] * 2


def test_what_is_varied_comes_out():
    scenarios = [
        Scenario(name="fitted"),
        Scenario(name="radial", radial_texture=1.0),
        Scenario(name="open", void_share=0.1, crack_share=0.02),
    ]
    particles, shares = zip(*(make_scenario(s, MODEL, SHAPE, SPACING, 3) for s in scenarios),
                            strict=True)  # fmt: skip
    table = summarize_scenarios(scenarios, particles, shares).set_index("name")
    assert table.loc["open", "open_share"] == pytest.approx(0.1 + 0.02 * 0.9, abs=0.01)
    assert (table.loc[["fitted", "radial"], "open_share"] == 0).all()
    assert table.loc["radial", "mean_c_axis_radial_angle"] < 1e-3
    assert table.loc["fitted", "mean_c_axis_radial_angle"] == pytest.approx(1.0, abs=0.1)
    assert table.loc["open", "set_void_share"] == 0.1
    whole = table.loc["fitted"]
    grains = particles[0].grains
    inner = grains[~grains["touches_window"].astype(bool)]
    assert whole["mean_sphericity"] == inner["sphericity"].mean()
    assert whole["grain_count"] == len(grains)


def test_names_are_needed_once_and_are_names_of_folders():
    with pytest.raises(ValidationError, match="names of their own: a"):
        ScenarioSettings(table=({"name": "a"}, {"name": "a"}))
    with pytest.raises(ValidationError, match="there is none"):
        ScenarioSettings(table=())
    for wrong in ("../up", "a/b", "", "a b"):
        with pytest.raises(ValidationError):
            Scenario(name=wrong)


def test_rows_are_written_as_they_were_given():
    """So that results are as much up to date for a step that takes all parameters raw."""
    rows = [{"name": "a"}, {"name": "b", "size": 0.5, "radial_texture": None}]
    settings = ScenarioSettings(table=rows, seed=4)
    assert json.loads(json.dumps(dict(flatten(settings)))) == {"table": rows, "seed": 4}
