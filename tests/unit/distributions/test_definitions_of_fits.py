"""Numbers of fits beside their definitions: scores of models, starts on grids, steps of values."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from electrode_grains.distributions import (
    MARGINAL_FAMILIES,
    BivariateCopula,
    JointDensity,
    Marginal,
    fit_characteristic,
    fit_copula,
    fit_smooth,
)
from electrode_grains.distributions.characteristics import populations
from electrode_grains.distributions.copula_fitting import _local_maxima
from electrode_grains.distributions.quantiles import invert_tails
from electrode_grains.distributions.rounding import find_grid
from electrode_grains.distributions.smooth_marginals import FEWEST_KNOTS, SmoothMarginal
from electrode_grains.distributions.vines import (
    GaussianDependence,
    PairTree,
    compare_dependence,
)


@pytest.fixture(scope="module")
def compared():
    """Three dependent columns, their uniform levels, and the models of their dependence."""
    u, v = BivariateCopula("gumbel", (2.0,)).sample(150, np.random.default_rng(8))
    w = BivariateCopula("clayton", (1.0,)).inverse_conditional_v_given_u(
        u, np.random.default_rng(9).random(150)
    )
    marginals = [Marginal("normal", {"mu": mu, "sigma": 2.0}) for mu in (5.0, 0.0, -3.0)]
    levels = np.column_stack([u, v, w])
    pairs = zip(marginals, levels.T, strict=True)
    values = np.column_stack([marginal.quantile(level) for marginal, level in pairs])
    families = ("gumbel", "clayton")
    rng = np.random.default_rng(4)
    return levels, compare_dependence(values, marginals, families, (0,), rng)


def test_the_aic_of_a_model_of_dependence_is_that_of_its_likelihood(compared):
    levels, found = compared
    gaussian = stats.multivariate_normal(cov=np.corrcoef(stats.norm.ppf(levels).T))
    scores = stats.norm.ppf(levels)
    likelihood = (gaussian.logpdf(scores) - stats.norm.logpdf(scores).sum(axis=1)).sum()
    model = found.models["gaussian"]
    assert model.parameter_count == 3
    assert model.log_likelihood == pytest.approx(likelihood, rel=1e-6)
    assert model.aic == pytest.approx(2 * 3 - 2 * likelihood, rel=1e-6)


def test_a_tree_of_pairs_has_the_likelihood_of_its_pairs(compared):
    levels, found = compared
    model = found.models["pairwise"]
    first = fit_copula(levels[:, 0], levels[:, 1], "gumbel")
    second = fit_copula(levels[:, 0], levels[:, 2], "clayton")
    likelihood = first.log_likelihood + second.log_likelihood
    assert model.parameter_count == 2
    assert model.log_likelihood == pytest.approx(likelihood, rel=1e-4)
    assert model.aic == pytest.approx(2 * 2 - 2 * likelihood, rel=1e-4)


def test_grains_drawn_from_a_model_that_fits_are_no_further_than_chance(compared):
    """The distance is unbiased, so that it lies around 0; independence is at .04."""
    _, found = compared
    assert found.sample_size == 150
    for model in found.models.values():
        assert abs(model.energy_distance) < 0.02
    assert abs(found.energy_of_halves) < 0.03


def test_points_of_models_of_dependence_have_their_correlation_and_their_tree():
    correlation = np.array([[1, 0.6, -0.3], [0.6, 1, 0.1], [-0.3, 0.1, 1]])
    drawn = GaussianDependence(correlation).sample(20_000, np.random.default_rng(2))
    assert np.corrcoef(stats.norm.ppf(drawn).T) == pytest.approx(correlation, abs=0.02)
    edges = [(0, 2, BivariateCopula("clayton", (4.0,))), (2, 1, BivariateCopula("gumbel", (3.0,)))]
    drawn = PairTree(edges).sample(4000, np.random.default_rng(3))
    for i, j, copula in edges:
        tau = stats.kendalltau(drawn[:, i], drawn[:, j]).statistic
        assert tau == pytest.approx(copula.kendall_tau(), abs=0.02)
    assert PairTree(edges).parameter_count == 2


@pytest.mark.parametrize("seed", range(3))
def test_a_spline_has_the_number_of_knots_of_least_aic(seed):
    """Of two populations, which few knots do not follow; the likelihood is its density's."""
    rng = np.random.default_rng(seed)
    sample = np.concatenate([rng.normal(0, 1, 200), rng.normal(5, 0.7, 150)])
    found = fit_smooth(sample, None, least_aic=1000.0)
    model = found.distribution()
    likelihood = float(model.log_pdf(sample).sum())
    assert found.parameter_count == len(found.knots) - 1
    assert found.log_likelihood == pytest.approx(likelihood, abs=0.05)
    assert found.aic == 2 * (len(found.knots) - 1) - 2 * found.log_likelihood
    assert found.delta_aic == found.aic - 1000.0
    assert len(found.knots) > FEWEST_KNOTS
    # A spline of the same knots is no better where a height is moved, nor are the fewest knots.
    for place in range(1, len(found.knots)):
        for step in (-0.05, 0.05):
            heights = list(found.log_density)
            heights[place] += step
            moved = SmoothMarginal(found.scale, found.support, found.knots, tuple(heights))
            assert moved.log_pdf(sample).sum() < likelihood
    knots = tuple(np.quantile(sample, np.linspace(0, 1, FEWEST_KNOTS), method="nearest"))
    fewest = min(
        -2 * SmoothMarginal(found.scale, found.support, knots, (0.0, a, b)).log_pdf(sample).sum()
        for a in np.linspace(-3, 6, 19)
        for b in np.linspace(-6, 3, 19)
    )
    assert found.aic < 2 * (FEWEST_KNOTS - 1) + fewest


@given(arrays(float, st.integers(3, 8), elements=st.integers(-3, 3).map(float)))
def test_searches_along_one_parameter_begin_at_all_tops_and_beside_a_top_at_an_end(heights):
    n = len(heights)
    is_top = [all(heights[i] >= heights[j] for j in (i - 1, i + 1) if 0 <= j < n) for i in range(n)]
    expected = list(is_top)
    expected[1] |= is_top[0]
    expected[-2] |= is_top[-1]
    np.testing.assert_array_equal(_local_maxima(heights), expected)


@given(
    arrays(
        float,
        st.tuples(st.integers(3, 5), st.integers(3, 5)),
        elements=st.sampled_from([-2.0, -1.0, 0.0, 1.0, -math.inf]),
    )
)
def test_searches_in_two_parameters_begin_at_all_tops_and_at_the_best_of_each_edge(heights):
    rows, columns = heights.shape
    expected = np.zeros(heights.shape, bool)
    for i in range(rows):
        for j in range(columns):
            around = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
            inside = [(a, b) for a, b in around if 0 <= a < rows and 0 <= b < columns]
            is_top = all(heights[i, j] >= heights[place] for place in inside)
            expected[i, j] = np.isfinite(heights[i, j]) and is_top
    edges = (
        [(0, j) for j in range(columns)],
        [(rows - 1, j) for j in range(columns)],
        [(i, 0) for i in range(rows)],
        [(i, columns - 1) for i in range(rows)],
    )
    for edge in edges:
        expected[max(edge, key=lambda place: heights[place])] = True
    np.testing.assert_array_equal(_local_maxima(heights), expected)


@pytest.mark.parametrize(("apart", "is_grid"), [(3, True), (49, True), (50, False), (400, False)])
def test_values_are_on_a_grid_where_half_of_the_neighbours_are_less_than_fifty_steps_apart(
    apart, is_grid
):
    """Of many cells between neighbours some are near whole numbers by chance."""
    cells = np.cumsum([0, 1, *[apart] * 21])
    values = 7.0 + 0.25 * np.repeat(cells, 2)
    found = find_grid(values)
    assert (found is not None) == is_grid
    if found is not None:
        assert found.step == pytest.approx(0.25)
        assert found.ties == 1
        np.testing.assert_allclose(found.round(values + 0.1), values)
        np.testing.assert_allclose(found.cells(values)[0], values - 0.125)
        np.testing.assert_allclose(found.cells(values)[1], values + 0.125)


def test_a_grid_is_coarse_where_a_cell_is_a_quarter_of_the_deviation():
    values = np.round(np.random.default_rng(1).normal(0, 1, 4000) / 0.1) * 0.1
    grid = find_grid(values)
    assert grid.step == pytest.approx(0.1)
    spread = values.std()
    assert not grid.is_coarse(values)
    assert not grid.is_coarse(values * (0.1 / spread / 0.249))
    assert grid.is_coarse(values * (0.1 / spread / 0.251))


def test_a_grid_through_zero_has_its_origin_at_zero_and_another_one_where_it_is():
    cells = np.repeat(np.arange(3, 40), 2)
    through_zero = find_grid(np.round(cells * 0.1, 1))
    assert through_zero.step == pytest.approx(0.1)
    assert through_zero.origin == 0.0  # not what multiples of 0.1 leave in the last digit
    shifted = find_grid(cells * 0.1 + 0.03)
    assert abs(shifted.origin) == pytest.approx(0.03)


def test_a_conditional_density_is_that_of_the_pair_over_that_of_what_is_known():
    pair = JointDensity(
        Marginal("gamma", (4.0, 100.0)),
        Marginal("beta", (9.0, 4.0), (0.0, 1.0)),
        BivariateCopula("clayton", (2.0,), 90),
    )
    y, x = np.linspace(0.05, 0.95, 19), 300.0
    expected = pair.pdf(np.full(19, x), y) / pair.marginal_x.pdf(x)
    np.testing.assert_allclose(pair.conditional_pdf(y, x), expected, rtol=1e-9)
    assert np.trapezoid(pair.conditional_pdf(z := np.linspace(0, 1, 4001), x), z) == pytest.approx(
        1, abs=1e-4
    )
    # nothing lies beyond the support of what is asked for
    assert pair.conditional_pdf([-0.5, 0.0, 1.0, 1.5], x).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("name", ["skew_normal", "von_mises", "watson", "normal_mixture"])
def test_many_quantiles_invert_the_tails_in_few_looks_at_them(name):
    """From a cubic through known quantiles two steps of Newton lead to ten digits."""
    values = {
        "skew_normal": (1.0, 2.0, 3.0), "von_mises": (0.4, 2.0), "watson": (1.5,),
        "normal_mixture": (0.0, 4.0, 1.0, 0.5, 0.4),
    }[name]  # fmt: skip
    family = MARGINAL_FAMILIES[name]
    looked_at = 0

    def counting(x, *parameters):
        nonlocal looked_at
        looked_at += np.size(x)
        return family.tails(x, *parameters)

    p = np.random.default_rng(6).random(20_000)
    x = invert_tails(dataclasses.replace(family, tails=counting), p, 1 - p, values)
    np.testing.assert_allclose(family.tails(x, *values)[0], p, atol=1e-10)
    assert looked_at < 2.1 * p.size


@pytest.mark.parametrize("family", ["gumbel", "clayton", "frank", "joe", "bb1"])
@pytest.mark.parametrize("x", [-15.0, -9.0, 9.0, 15.0])
def test_densities_are_finite_where_a_probability_is_one_to_all_its_digits(family, x):
    values = {"bb1": (1.0, 2.0)}.get(family, (2.0,))
    standard = Marginal("normal", (0.0, 1.0))
    pair = JointDensity(standard, standard, BivariateCopula(family, values))
    y = np.array([-9.0, -1.0, 0.5, 9.0])
    joint, conditional = pair.pdf(x, y), pair.conditional_pdf(y, x)
    assert np.isfinite(joint).all()
    assert np.isfinite(conditional).all()
    assert (joint >= 0).all()
    # as far as a copula tells extreme values apart
    expected = conditional * standard.pdf(x)
    np.testing.assert_allclose(joint, expected, rtol=1e-9, atol=1e-300)


def test_means_of_two_populations_leave_out_grains_whose_value_is_unknown():
    """Populations so far apart that each grain is in one of them."""
    levels = (np.arange(120) + 0.5) / 120
    low, high = (stats.norm.ppf(levels, centre) for centre in (0.0, 30.0))
    sample = np.concatenate([low, high])
    other = np.concatenate([np.linspace(1, 2, 120), np.linspace(5, 9, 120)])
    other[[3, 60, 130, 200]] = np.nan
    fit = fit_characteristic(sample, ["normal_mixture"], None)

    first, second = populations(sample, fit, {"other": other, "none": np.full(240, np.nan)})

    assert (first.share, second.share) == pytest.approx((0.5, 0.5), abs=1e-3)
    assert (first.mean, second.mean) == pytest.approx((0.0, 30.0), abs=0.01)
    assert (first.std, second.std) == pytest.approx((1.0, 1.0), abs=0.02)
    assert first.means["other"] == pytest.approx(np.nanmean(other[:120]), abs=1e-6)
    assert second.means["other"] == pytest.approx(np.nanmean(other[120:]), abs=1e-6)
    assert math.isnan(first.means["none"])
    assert populations(sample, fit_characteristic(sample, ["normal"], None), {}) == []
