import json

import numpy as np
import pytest

from electrode_grains.errors import ComputationError, InputError
from electrode_grains.generation import (
    Profiles,
    SectionModel,
    SectionMoments,
    SectionSettings,
    ShapeMoments,
    fill_enclosed,
    fill_window,
    fit_sections,
    simulate_sections,
    square_pixel,
    tabulate_sections,
)
from electrode_grains.generation.sections import thin_sections
from electrode_grains.tessellation import ArchitectureModel, generate_particle


@pytest.fixture(scope="module")
def planes():
    labels = generate_particle((40, 70, 70), (50.0,) * 3, np.random.default_rng(4))
    return [labels[z] for z in (5, 20, 35)]


@pytest.fixture(scope="module")
def profiles(planes):
    return Profiles.of_planes(planes, 50.0, [0, 0, 0])


def test_moments_are_weighted_by_what_the_window_hides(profiles):
    moments = SectionMoments.of_profiles(profiles)
    whole = profiles.whole()
    weights = whole["edge_weight"]
    mean = (whole["aspect_ratio"] * weights).sum() / weights.sum()
    assert moments.means["aspect_ratio"] == pytest.approx(mean)
    assert moments.stds["aspect_ratio"] == pytest.approx(
        (((whole["aspect_ratio"] - mean) ** 2 * weights).sum() / weights.sum()) ** 0.5
    )
    assert len(moments.vector()) == len(moments.named()) == 10


def test_moments_keep_their_order_in_a_file_that_sorts(profiles):
    moments = SectionMoments.of_profiles(profiles)
    kept = SectionMoments.from_dict(json.loads(json.dumps(moments.to_dict(), sort_keys=True)))
    assert list(kept.named()) == list(moments.named())
    np.testing.assert_array_equal(kept.vector(), moments.vector())


def test_a_bootstrap_draws_all_profiles_of_a_grain_together(planes):
    """The same planes three times over say no more than once."""
    rng = np.random.default_rng(0)
    once = Profiles.of_planes(planes[:1], 50.0)
    thrice = Profiles.of_planes(planes[:1] * 3, 50.0, [0, 0, 0])
    apart = Profiles.of_planes(planes[:1] * 3, 50.0)
    spread = [
        np.std([m.vector()[0] for m in SectionMoments.resampled(each, 300, rng)])
        for each in (once, thrice, apart)
    ]
    assert spread[1] == pytest.approx(spread[0], rel=0.2)
    assert spread[2] == pytest.approx(spread[0] / 3**0.5, rel=0.2)


def test_too_few_profiles_are_refused(planes):
    with pytest.raises(ComputationError, match="too few whole profiles"):
        SectionMoments.of_profiles(Profiles.of_planes([planes[0][:20, :20]], 50.0))
    with pytest.raises(ComputationError, match="no section shows a grain"):
        Profiles.of_planes([np.zeros((4, 4), int)], 50.0)


def test_fine_sections_are_thinned_and_coarse_ones_refused(planes):
    fine = [np.kron(plane, np.ones((4, 4), int)) for plane in planes]
    thinned, pixel = thin_sections(fine, 12.5)
    assert pixel == 50.0  # of 280 x 280 pixels, nearly all of some 100 grains
    assert set(np.unique(thinned[0])) <= set(np.unique(planes[0]))
    assert thinned[0].shape == (70, 70)
    with pytest.raises(InputError, match="too coarse"):
        thin_sections([plane[::4, ::4] for plane in planes], 200.0)


def test_wrong_points_are_filled_and_surroundings_are_not():
    labels = np.zeros((30, 30), int)
    labels[5:25, 5:15], labels[5:25, 15:25] = 1, 2
    noisy = labels.copy()
    noisy[7, 7] = noisy[10:12, 17] = noisy[20, 12] = 0
    np.testing.assert_array_equal(fill_enclosed(noisy), labels)
    holed = labels.copy()
    holed[10:20, 8:20] = 0  # a hole is no wrong point
    assert (fill_enclosed(holed)[12:18, 10:18] == 0).all()


def test_pixels_are_squares_of_one_size():
    assert square_pixel([(20.0, 20.0), (20.1, 20.1)], ["a", "b"], None) == pytest.approx(20.05)
    assert square_pixel([None], ["a"], 40.0) == 40.0
    with pytest.raises(InputError, match="not known"):
        square_pixel([None], ["a"], None)
    with pytest.raises(InputError, match="no squares"):
        square_pixel([(20.0, 30.0)], ["a"], None)
    with pytest.raises(InputError, match="unlike size"):
        square_pixel([(20.0, 20.0), (30.0, 30.0)], ["a", "b"], None)


def test_simulated_grains_are_those_whose_middle_lies_in_the_window():
    made = simulate_sections(ArchitectureModel(relaxation=2), 80.0, 400, 1)
    moments, shapes = made.values()
    assert 60 < shapes.grain_count < 250
    # A plane meets grains off their middle, but large ones oftener.
    diameter = "equivalent_diameter_nm"
    assert 0.8 < moments.means[diameter] / shapes.means[diameter] < 1.2
    assert (made.profiles.table["source"] == 0).all()


@pytest.mark.slow  # sixteen simulations
def test_three_sections_tell_the_grains_in_space():
    """Of an architecture unlike the one that the search begins with."""
    true = ArchitectureModel(std_diameter_nm=110.0, elongation=0.87, roughness_nm=12.0)
    grains = ShapeMoments.of_table(simulate_sections(true, 60.0, 1600, 5).grains)
    window = fill_window(true, (48, 90, 90), (60.0,) * 3, np.random.default_rng(6)).labels
    sections = [window[z] for z in (8, 24, 40)]
    settings = SectionSettings(simulations=6, simulated_grains=500)
    model = fit_sections(sections, 60.0, settings, sources=[0, 0, 0])
    assert model.loss < 25  # ten squares of standard errors
    for name in ("equivalent_diameter_nm", "sphericity", "elongation"):
        assert model.shapes.means[name] == pytest.approx(grains.means[name], rel=0.06)
        low, high = model.intervals[f"mean {name}"]
        assert low < grains.means[name] < high
    # The spread of sizes is far from that of the start.
    assert model.shapes.stds["equivalent_diameter_nm"] < 150
    again = SectionModel.from_dict(json.loads(json.dumps(model.to_dict(), sort_keys=True)))
    assert again.architecture == model.architecture
    table, first = (tabulate_sections(each) for each in (again, model))
    assert table.equals(first)
    sections_rows = table[table["where"] == "section"]
    assert (sections_rows["deviation"] ** 2).sum() == pytest.approx(model.loss)
