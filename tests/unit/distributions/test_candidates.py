import numpy as np
import pytest

from electrode_grains.distributions import (
    candidate_densities,
    fit_characteristic,
    fit_pair,
    marginal_candidate_densities,
)
from electrode_grains.distributions.densities import region_levels


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(3)
    x = rng.beta(8, 3, 200)
    y = np.clip(0.7 * x + 0.2 * rng.random(200), 0.01, 0.99)
    marginals = [fit_characteristic(part, ("beta", "weibull"), (0.0, 1.0)) for part in (x, y)]
    pair = fit_pair(x, y, *marginals, ("frank", "clayton"), (0, 90, 180, 270))
    return x, y, marginals, pair


def test_every_ranked_family_has_a_density_of_unit_area(fitted):
    x, _, (description, _), _ = fitted
    shown = marginal_candidate_densities(np.append(x, [1.5, np.nan]), description)

    assert shown["sample"].size == 200  # values outside the support are left out
    assert [row["family"] for row in shown["candidates"]] == [
        row.family for row in description.candidates
    ]
    for row in shown["candidates"]:
        assert np.trapezoid(row["density"], shown["grid"]) == pytest.approx(1, abs=0.05)


def test_each_copula_family_comes_once_in_its_best_rotation(fitted):
    x, y, marginals, pair = fitted
    shown = candidate_densities(x, y, pair, *marginals, resolution=41)

    families = [row["family"] for row in shown["candidates"]]
    assert sorted(families) == ["clayton", "frank"]
    assert shown["candidates"][0]["rotation"] == pair.best.rotation
    assert shown["candidates"][0]["density"].shape == (41, 41)


def test_regions_hold_their_probability(fitted):
    x, y, marginals, pair = fitted
    shown = candidate_densities(x, y, pair, *marginals, resolution=121)
    density = shown["candidates"][0]["density"]
    cell = np.diff(shown["x_grid"])[0] * np.diff(shown["y_grid"])[0]

    for probability, level in shown["candidates"][0]["levels"].items():
        # The grid is finer than the density bends: a few cells of 121 x 121 decide.
        assert density[density >= level].sum() * cell == pytest.approx(probability, abs=0.01)


def test_a_probability_beyond_the_grid_has_no_level():
    grid = np.linspace(0, 1, 11)
    assert region_levels(np.full((11, 11), 0.1), grid, grid) == {}


def test_an_empty_sample_gives_no_candidates(fitted):
    _, _, (first, second), pair = fitted
    assert marginal_candidate_densities([], first)["candidates"] == []
    assert candidate_densities([], [], pair, first, second)["candidates"] == []
