"""Ends of ranges, of supports and of samples: what fits and their descriptions do there."""

import math

import numpy as np
import pytest

from electrode_grains.distributions import (
    COPULA_FAMILIES,
    BivariateCopula,
    Marginal,
    fit_characteristic,
)
from electrode_grains.distributions.copula_fitting import (
    _at_bound,
    _grid_axis,
    _local_maxima,
    fit_copula,
)
from electrode_grains.distributions.copula_goodness import copula_goodness_of_fit
from electrode_grains.distributions.densities import span_of
from electrode_grains.distributions.energy import rank_energy_test
from electrode_grains.distributions.family_declaration import Parameter
from electrode_grains.distributions.goodness import edf_statistics, goodness_of_fit
from electrode_grains.distributions.marginal_fitting import inside_support
from electrode_grains.distributions.pseudo_observations import pseudo_observations, tie_share
from electrode_grains.distributions.records import MarginalFit
from electrode_grains.errors import InputError, SettingsError

MIDDLE = {"clayton": (2.0,), "frank": (5.0,), "gumbel": (2.0,), "joe": (2.0,), "bb1": (1.0, 2.0)}
MIDDLE |= {"bb8": (3.0, 0.5), "bb3": (2.0, 1.0), "bb5": (2.0, 1.0), "gaussian": (0.5,)}
MIDDLE |= {"student": (0.5, 4.0), "ali_mikhail_haq": (0.5,)}

# --- copulas ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "place", "outside"),
    [
        ("ali_mikhail_haq", 0, (-1.001, 1.001)),
        ("clayton", 0, (-0.001, 1000.1)),
        ("frank", 0, (-80.1, 1000.1)),
        ("gumbel", 0, (0.999, 1000.1)),
        ("joe", 0, (0.999, 1000.1)),
        ("bb1", 0, (-0.001, 1000.1)),
        ("bb1", 1, (0.999, 1000.1)),
        ("bb8", 0, (0.999, 1000.1)),
        ("bb8", 1, (-0.001, 1.001)),
        ("bb3", 0, (0.999, 1000.1)),
        ("bb3", 1, (-0.001, 1000.1)),
        ("bb5", 0, (0.999, 1000.1)),
        ("bb5", 1, (-0.001, 1000.1)),
        ("gaussian", 0, (-1.0, 1.0)),
        ("student", 0, (-1.0, 1.0)),
        ("student", 1, (2.0, 1000.1)),  # no variance at two degrees of freedom
    ],
)
def test_parameters_beyond_their_range_are_refused(family, place, outside):
    for value in outside:
        parameters = list(MIDDLE[family])
        parameters[place] = value
        name = COPULA_FAMILIES[family].parameter_names[place]
        with pytest.raises(SettingsError, match=f"{name} of {family} is out of range"):
            BivariateCopula(family, tuple(parameters))


@pytest.mark.parametrize(
    ("family", "limit"),
    [
        ("clayton", (1000.0,)),
        ("frank", (-80.0,)),
        ("gumbel", (1.0,)),
        ("bb1", (0.0, 1.0)),
        ("bb8", (1.0, 1.0)),
        ("ali_mikhail_haq", (-1.0,)),
    ],
)
def test_limits_of_parameters_are_taken(family, limit):
    assert BivariateCopula(family, limit).parameters == limit


@pytest.mark.parametrize(("rotation", "tails"), [(0, (0.5, 0.0)), (180, (0.0, 0.5))])
def test_a_tail_stands_in_the_corner_that_the_rotation_says(rotation, tails):
    copula = BivariateCopula("clayton", (1.0,), rotation)
    assert copula.tail_dependence() == pytest.approx(tails)
    for turned in (90, 270):
        assert BivariateCopula("clayton", (1.0,), turned).tail_dependence() == (0.0, 0.0)


def test_spearmans_rho_of_the_gaussian_copula_has_a_closed_form():
    for rho in (-0.8, 0.3, 0.9):
        expected = 6 / math.pi * math.asin(rho / 2)
        assert BivariateCopula("gaussian", (rho,)).spearman_rho() == pytest.approx(
            expected, abs=1e-6
        )
        for rotation in (90, 270):
            turned = BivariateCopula("gaussian", (rho,), rotation)
            assert turned.spearman_rho() == pytest.approx(-expected, abs=1e-6)


@pytest.mark.parametrize(
    ("bounds", "value", "coordinate"),
    [
        ((-1.0, 1.0), 0.4, 0.4),
        ((1e-3, 1.0), 0.4, 0.4),
        ((-80.0, 80.0), math.sinh(2.0), 2.0),
        ((1.0, 50.0), math.e, 1.0),
        ((0.0, 50.0), math.e - 1, 1.0),
    ],
)
def test_parameters_of_copulas_are_searched_where_they_bend_alike(bounds, value, coordinate):
    kind = "real" if bounds[1] <= 1 else "signed" if bounds[0] < 0 else "excess"
    parameter = Parameter("p", kind, search=bounds)
    assert parameter.to_coordinate(value) == pytest.approx(coordinate)
    assert parameter.from_coordinate(coordinate) == pytest.approx(value)


def test_a_grid_spans_the_range_and_crowds_where_dependence_begins():
    axis = _grid_axis(Parameter("p", "excess", search=(1.0, 50.0)), 5)
    assert axis == pytest.approx(math.log(50) * np.array([0, 1, 4, 9, 16]) / 16)
    assert _grid_axis(Parameter("p", "real", search=(-1.0, 1.0)), 5) == pytest.approx(
        [-1, -0.5, 0, 0.5, 1]
    )
    assert _grid_axis(Parameter("p", "signed", search=(-80.0, 80.0)), 3) == pytest.approx(
        [-math.asinh(80), 0, math.asinh(80)]
    )


def test_summits_of_a_grid_and_the_best_of_each_edge_are_climbed():
    one = np.array([1.0, 3.0, 2.0, -math.inf, 5.0, 5.0])
    assert _local_maxima(one).tolist() == [False, True, False, False, True, True]
    two = np.array([[0.0, 1.0, 0.0], [2.0, 9.0, 3.0], [0.0, 4.0, 1.0]])
    expected = [[False, True, False], [True, True, True], [False, True, False]]
    assert _local_maxima(two).tolist() == expected


def test_parameters_that_end_at_a_limit_are_named():
    bb1 = COPULA_FAMILIES["bb1"]
    assert _at_bound(bb1, (0.5, 2.0)) == []
    assert _at_bound(bb1, (0.5, 1.0009)) == ["delta = 1.0009 is at its limit 1"]
    assert _at_bound(bb1, (0.5, 1.0011)) == []
    assert _at_bound(bb1, (15.0, 30.0)) == [
        "kappa = 15 is at its limit 15",
        "delta = 30 is at its limit 30",
    ]
    rho = COPULA_FAMILIES["gaussian"]
    assert _at_bound(rho, (-0.9997,)) == []
    assert _at_bound(rho, (-0.9998,)) == ["rho = -0.9998 is at its limit -0.9999"]


@pytest.mark.parametrize(("count", "outcome"), [(29, "insufficient"), (30, "converged")])
def test_a_copula_needs_thirty_pairs(count, outcome):
    u, v = BivariateCopula("frank", (5.0,)).sample(count, np.random.default_rng(1))
    assert fit_copula(u, v, "frank").outcome == outcome


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, math.nan])
def test_levels_outside_the_open_unit_interval_are_refused(value):
    u = np.linspace(0.1, 0.9, 40)
    v = u.copy()
    v[7] = value
    with pytest.raises(InputError, match="1 values of v"):
        fit_copula(u, v, "frank")
    with pytest.raises(InputError, match="1 values of u"):
        fit_copula(v, u, "frank")
    with pytest.raises(InputError, match=r"\(40,\) and \(39,\)"):
        fit_copula(u, u[1:], "frank")


def test_a_bootstrap_counts_itself_and_those_as_far_away():
    u, v = BivariateCopula("frank", (4.0,)).sample(60, np.random.default_rng(2))
    found = copula_goodness_of_fit(u, v, "frank", 0, replicates=19, rng=np.random.default_rng(3))
    assert 1 <= found.replicates <= 19
    assert found.p_value * (1 + found.replicates) == pytest.approx(
        round(found.p_value * (1 + found.replicates))
    )
    assert 1 / 20 <= found.p_value <= 1


def test_samples_whose_ranks_are_all_tied_are_not_told_apart():
    distance, p_value = rank_energy_test(
        np.zeros((5, 2)), np.ones((6, 2)), 19, np.random.default_rng(0)
    )
    assert (distance, p_value) == (0, 1)


def test_ties_share_their_mean_rank_or_are_broken_at_random():
    values = np.array([3.0, 1.0, 3.0, 2.0])
    assert pseudo_observations(values).tolist() == [0.7, 0.2, 0.7, 0.4]
    broken = pseudo_observations(values, np.random.default_rng(0))
    assert sorted(broken) == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert broken[[1, 3]].tolist() == [0.2, 0.4]
    assert tie_share(values) == 0.5
    assert tie_share(np.arange(4.0)) == 0


# --- marginals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marginal", "ends"),
    [
        (Marginal("normal", {"mu": 0.0, "sigma": 1.0}), (-math.inf, math.inf)),
        (Marginal("normal", {"mu": 0.0, "sigma": 1.0}, (-1.0, 2.0)), (-1.0, 2.0)),
        (Marginal("gamma", {"shape": 2.0, "scale": 3.0}), (0.0, math.inf)),
        (Marginal("generalized_extreme_value", {"k": -0.5, "mu": 1.0, "sigma": 2.0}), None),
    ],
)
def test_quantiles_end_where_the_density_does(marginal, ends):
    lower, upper = ends or (-math.inf, 5.0)  # mu - sigma / k
    found = marginal.quantile([-0.1, 0.0, 1.0, 1.1, math.nan])
    np.testing.assert_array_equal(found, [math.nan, lower, upper, math.nan, math.nan])
    np.testing.assert_array_equal(marginal.cdf([lower, upper, math.nan]), [0, 1, math.nan])
    assert np.isneginf(marginal.log_pdf([lower - 1, upper + 1])).all()
    assert np.isnan(marginal.log_pdf(math.nan))


@pytest.mark.parametrize(
    ("family", "k", "end"),
    [
        ("generalized_extreme_value", 0.5, -3.0),
        ("generalized_extreme_value", -0.5, 5.0),
        ("reflected_generalized_extreme_value", 0.5, 5.0),
        ("reflected_generalized_extreme_value", -0.5, -3.0),
    ],
)
def test_extreme_values_end_a_scale_over_the_shape_from_the_location(family, k, end):
    marginal = Marginal(family, {"k": k, "mu": 1.0, "sigma": 2.0})
    inner, outer = (end + 0.01, end - 0.01) if end < 1 else (end - 0.01, end + 0.01)
    assert np.isfinite(marginal.log_pdf(inner))
    assert np.isneginf(marginal.log_pdf(outer))
    ends = marginal.quantile([0.0, 1.0])
    assert ends[0 if end < 1 else 1] == end
    assert np.isinf(ends[1 if end < 1 else 0])


def test_descriptions_keep_open_ends_as_null():
    values = np.array([-1.0, 0.0, 0.5, 7.0])
    for support, inside in (
        (None, [True] * 4),
        ([None, 5.0], [True, True, True, False]),
        ([0.0, None], [False, False, True, True]),
        ([None, None], [True] * 4),
        ([0.0, 5.0], [False, False, True, False]),
    ):
        content = fit_characteristic(values, [], None).to_dict() | {"support": support}
        interval = MarginalFit.from_dict(content).interval
        assert inside_support(values, interval).tolist() == inside


def test_spans_are_a_twentieth_wider_than_the_sample_but_inside_the_support():
    sample = np.array([2.0, 4.0, 3.0])
    assert span_of(sample, (-math.inf, math.inf), 3).tolist() == pytest.approx([1.9, 3.0, 4.1])
    span = span_of(sample, (1.95, 4.05), 5)
    assert span[[0, -1]] == pytest.approx([1.95 + 2e-6, 4.05 - 2e-6])
    assert len(span) == 5


def test_distances_from_a_distribution_survive_values_at_its_ends():
    unit = Marginal("uniform", {}, (0, 1))
    found = edf_statistics(unit, [0.0, 0.5, 1.0])
    assert all(math.isfinite(value) for value in found.values())
    assert found["kolmogorov_smirnov"] == pytest.approx(1 / 3)


def test_the_p_value_of_a_bootstrap_is_a_share_of_its_replicates():
    distribution = Marginal("normal", {"mu": 0.0, "sigma": 1.0})
    sample = distribution.sample(40, np.random.default_rng(1))
    found = goodness_of_fit(distribution, sample, replicates=19, rng=np.random.default_rng(2))
    assert found.replicates == 19
    for p_value in found.p_values.values():
        assert p_value * 20 == pytest.approx(round(p_value * 20))
        assert 1 / 20 <= p_value <= 1
    for error in found.bootstrap_errors.values():
        assert error == pytest.approx(1 / math.sqrt(40), rel=0.6)
