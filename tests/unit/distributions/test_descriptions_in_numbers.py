"""Every number of a description against the one that NumPy, SciPy or a closed form gives."""

import math

import numpy as np
import pytest
import scipy.stats as st

from electrode_grains.distributions import (
    BivariateCopula,
    CopulaFits,
    JointDensity,
    Marginal,
    MarginalFits,
    candidate_densities,
    check_axes,
    check_characteristic,
    check_pair,
    derive_quantity,
    fit_characteristic,
    fit_pair,
    joint_density_of,
)
from electrode_grains.distributions.goodness import axis_uniformity
from electrode_grains.distributions.results import Fit, akaike_weights, best_fit, rank_by_aic
from electrode_grains.errors import ComputationError, InputError
from proofs import proves

UNIT = (0.0, 1.0)


def fit(family, log_likelihood=-10.0, k=2, n=50, outcome="converged"):
    return Fit(
        family=family,
        outcome=outcome,
        sample_size=n,
        parameter_count=k,
        log_likelihood=log_likelihood,
    )


# --- criteria --------------------------------------------------------------------------------


@proves("marginal_fits", "aic", "aicc", "bic", oracle="closed form", by="definitions")
@proves("copula_fits", "aic", "aicc", "bic", oracle="closed form", by="definitions")
def test_criteria_follow_their_definitions():
    found = fit("a", -12.5, k=3, n=40)
    assert found.aic == 6 + 25
    assert found.aicc == pytest.approx(31 + 2 * 3 * 4 / 36)
    assert found.bic == pytest.approx(3 * math.log(40) + 25)
    assert math.isnan(fit("a", k=3, n=4).aicc)
    assert fit("a", k=3, n=5).aicc == pytest.approx(26 + 24)


def test_only_finite_fits_that_ended_well_compete():
    fits = [
        fit("c", -9.0, outcome="failed"),
        fit("a", -12.0),
        fit("d", -math.inf),
        fit("b", -11.0, outcome="at_bound"),
    ]
    assert [row.family for row in rank_by_aic(fits)] == ["b", "a", "c", "d"]
    assert best_fit(fits).family == "b"
    weights = akaike_weights(fits)
    assert weights == pytest.approx([0, 1 / (1 + math.e), 0, math.e / (1 + math.e)])
    assert akaike_weights(fits[:1]) == [0]
    with pytest.raises(ComputationError, match="c: failed"):
        best_fit(fits[:1])


# --- marginals -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample():
    return np.random.default_rng(5).beta(9, 4, 120)


@pytest.fixture(scope="module")
def described(sample):
    return fit_characteristic(np.append(sample, [1.4, -0.2]), ("beta", "normal"), UNIT)


@proves(
    "marginal_fits",
    "sample_size",
    "excluded_count",
    "support",
    "mean",
    "std",
    oracle="another program",
    by="NumPy",
)
def test_moments_and_counts_are_those_of_the_values_inside(sample, described):
    assert described.sample_size == 120
    assert described.excluded_count == 2
    assert described.mean == pytest.approx(sample.mean())
    assert described.std == pytest.approx(sample.std(ddof=1))
    assert described.support == (0.0, 1.0)
    whole = fit_characteristic(sample, ("beta",), UNIT)
    assert (whole.excluded_count, whole.excluded_reason) == (0, "")


@proves(
    "marginal_fits",
    "family",
    "best",
    "parameters",
    "parameter_order",
    "parameter_count",
    "aic",
    "delta_aic",
    "akaike_weight",
    oracle="closed form",
    by="from likelihood and rank",
)
def test_differences_of_aic_begin_at_the_best(described):
    rows = described.candidates
    assert described.best == rows[0].family
    assert rows[0].delta_aic == 0
    assert rows[1].delta_aic == pytest.approx(rows[1].aic - rows[0].aic)
    assert rows[1].delta_aic > 0
    odds = math.exp(rows[1].delta_aic / 2)
    assert rows[0].akaike_weight == pytest.approx(odds / (1 + odds))
    for row in rows:
        distribution = Marginal(row.family, row.parameters, UNIT)
        assert row.mean == pytest.approx(distribution.mean())
        assert row.std == pytest.approx(distribution.std())
        assert row.parameter_order == list(row.parameters)
        assert row.standard_errors.keys() == row.parameters.keys()
        expected = 2 * row.parameter_count - 2 * row.log_likelihood
        assert row.aic == pytest.approx(expected)


def test_moments_need_one_value_and_two():
    nothing = fit_characteristic([], ("beta",), UNIT)
    assert (nothing.mean, nothing.std, nothing.best) == (None, None, None)
    one = fit_characteristic([0.5], ("beta",), UNIT)
    assert (one.mean, one.std) == (0.5, None)
    two = fit_characteristic([0.5, 0.7], ("beta",), UNIT)
    assert two.std == pytest.approx(0.2 / 2**0.5)
    assert two.candidates[0].delta_aic is None


def test_the_mean_of_a_symmetric_distribution_is_0_and_that_of_another_is_kept():
    angles = np.random.default_rng(6).uniform(-math.pi, math.pi, 200)
    rows = fit_characteristic(angles, ("uniform", "von_mises"), None).candidates
    means = {row.family: row.mean for row in rows}
    assert means["uniform"] == 0
    assert means["von_mises"] != 0


@proves("marginal_fits", "goodness_of_fit", oracle="another program", by="SciPy kstest")
def test_goodness_is_that_of_the_best_family_on_the_values_inside(sample, described):
    drawn = np.append(sample, 1.4)
    found = check_characteristic(drawn, described, 19, np.random.default_rng(1))
    distribution = described.distribution()
    expected = st.kstest(sample, distribution.cdf).statistic
    assert found.statistics["kolmogorov_smirnov"] == pytest.approx(expected)
    assert found.replicates <= 19
    assert (
        check_characteristic([], fit_characteristic([], (), UNIT), 19, np.random.default_rng(1))
        is None
    )


# --- axes ------------------------------------------------------------------------------------


def test_axes_that_are_not_known_are_left_out_pair_by_pair():
    rng = np.random.default_rng(7)
    phi, theta = rng.uniform(-3, 3, 30), rng.uniform(0, 1.5, 30)
    phi[2], theta[5] = np.nan, np.inf
    found = check_axes(phi, theta)
    kept = np.delete(np.arange(30), [2, 5])
    assert found.sample_size == 28
    assert found.bingham == pytest.approx(axis_uniformity(phi[kept], theta[kept]).bingham)


def test_twenty_axes_are_enough_and_nineteen_are_not():
    rng = np.random.default_rng(7)
    phi, theta = rng.uniform(-3, 3, 20), rng.uniform(0, 1.5, 20)
    assert check_axes(phi, theta).sample_size == 20
    assert check_axes(phi[1:], theta[1:]) is None
    with pytest.raises(InputError, match="19 azimuthal"):
        axis_uniformity(phi[1:], theta[1:])


def test_statistics_of_axes_along_one_direction_are_their_largest():
    # Tensor diag(0, 0, 1): the squares of 2/3, 1/3 and 1/3 add up to 2/3.
    up = axis_uniformity(np.zeros(30), np.zeros(30))
    assert up.bingham == pytest.approx(7.5 * 30 * 2 / 3)
    assert up.bingham_p_value == pytest.approx(st.chi2.sf(150, 5))
    assert up.rayleigh == pytest.approx(60)
    assert up.rayleigh_p_value == pytest.approx(st.chi2.sf(60, 2))


# --- pairs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair():
    """Values of a pair, their marginals and what describes them; one value lies outside."""
    rng = np.random.default_rng(8)
    u, v = BivariateCopula("clayton", (2.0,), 90).sample(150, rng)
    x, y = st.beta(9, 4).ppf(u), st.beta(3, 6).ppf(v)
    marginals = [fit_characteristic(values, ("beta",), UNIT) for values in (x, y)]
    x, y = np.append(x, [1.7, 0.5]), np.append(y, [0.5, -0.1])
    described = fit_pair(x, y, *marginals, ("clayton", "frank"), (0, 90, 180, 270))
    return x, y, marginals, described


@proves(
    "copula_fits",
    "sample_size",
    "excluded_count",
    "pearson_r",
    "kendall_tau",
    "spearman_rho",
    oracle="another program",
    by="SciPy",
)
@proves(
    "copula_fits",
    "credible_regions",
    "best",
    "family",
    "rotation",
    "delta_aic",
    "fitted_correlation",
    "fitted_kendall_tau",
    "fitted_spearman_rho",
    oracle="simulated truth",
    by="150 pairs of a Clayton copula",
)
def test_correlations_are_those_of_scipy_over_the_pairs_inside(pair):
    x, y, marginals, described = pair
    inside = x[:150], y[:150]
    assert (described.sample_size, described.excluded_count) == (150, 2)
    assert described.pearson_r == pytest.approx(st.pearsonr(*inside).statistic)
    assert described.kendall_tau == pytest.approx(st.kendalltau(*inside).statistic)
    assert described.spearman_rho == pytest.approx(st.spearmanr(*inside).statistic)
    copula = described.best.copula()
    joint = JointDensity(*(m.distribution() for m in marginals), copula)
    assert (copula.family, copula.rotation) == ("clayton", 90)
    assert described.fitted_correlation == pytest.approx(joint.correlation())
    assert described.fitted_kendall_tau == pytest.approx(copula.kendall_tau())
    assert described.fitted_spearman_rho == pytest.approx(copula.spearman_rho())
    for region in described.credible_regions:
        share = np.mean(joint.pdf(*inside) >= region.level)
        assert region.sample_share == share
        assert share == pytest.approx(region.probability, abs=0.12)
    rows = described.candidates
    assert len(rows) == 5
    assert rows[0].standard_errors.keys() == {"theta"}
    assert rows[1].delta_aic == pytest.approx(rows[1].aic - rows[0].aic)


def test_two_pairs_have_no_correlation_and_no_copula():
    nothing = fit_characteristic([], (), UNIT)
    two = fit_pair([0.1, 0.2], [0.3, 0.1], nothing, nothing, ("frank",), (0,))
    names = ("pearson_r", "kendall_tau", "spearman_rho", "fitted_correlation", "best")
    assert [getattr(two, name) for name in names] == [None] * 5
    three = fit_pair([0.1, 0.2, 0.4], [0.3, 0.1, 0.5], nothing, nothing, ("frank",), (0,))
    assert three.kendall_tau == pytest.approx(1 / 3)
    assert (three.candidates, three.credible_regions) == ([], [])


def test_ranks_choose_the_same_copula_and_give_nothing_away(pair):
    x, y, marginals, described = pair
    found = check_pair(
        x, y, described, *marginals, ("clayton", "frank"), (0, 90, 180, 270), 19,
        np.random.default_rng(2),
    )  # fmt: skip
    ranks = found.pseudo_observations
    assert (ranks.best.family, ranks.best.rotation) == ("clayton", 90)
    assert ranks.delta_aic == 0
    assert (ranks.tie_share_x, ranks.tie_share_y, ranks.ties) == (0, 0, "mean ranks")
    assert found.goodness_of_fit.p_value > 0.05


def test_only_pairs_inside_both_supports_are_shown(pair):
    x, y, marginals, described = pair
    shown = candidate_densities(x, y, described, *marginals, resolution=5)
    assert shown["x_sample"].tolist() == x[:150].tolist()
    assert shown["y_sample"].tolist() == y[:150].tolist()
    assert [row["family"] for row in shown["candidates"]] == ["clayton", "frank"]
    joint = JointDensity(*(m.distribution() for m in marginals), described.best.copula())
    for i, j in ((0, 4), (3, 1)):
        expected = joint.pdf(shown["x_grid"][j], shown["y_grid"][i])
        assert shown["candidates"][0]["density"][i, j] == pytest.approx(float(expected))


# --- derived quantities ----------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [("x", "y"), ("y", "x")])
def test_a_pair_may_be_asked_for_in_either_order(pair, first, second):
    x, y, marginals, described = pair
    fits = MarginalFits(characteristics=dict(zip("xy", marginals, strict=True)))
    pairs = CopulaFits(pairs=[described.model_copy(update={"x": "x", "y": "y"})])
    joint = joint_density_of(first, second, fits, pairs)
    values = {"x": x[:5], "y": y[:5]}
    there = joint_density_of("x", "y", fits, pairs)
    np.testing.assert_allclose(
        joint.pdf(values[first], values[second]), there.pdf(values["x"], values["y"])
    )
    assert joint.copula.rotation == (90 if first == "x" else 270)
    lacking = {**fits.characteristics, "x": marginals[0].model_copy(update={"best": None})}
    lacking = MarginalFits(characteristics=lacking)
    assert joint_density_of(first, second, lacking, pairs) is None


def test_a_derived_quantity_is_described_by_its_moments_and_largest_distance():
    uniform = Marginal("uniform", {}, UNIT)
    joint = JointDensity(uniform, uniform, BivariateCopula("independence"))
    x, y = np.array([0.1, 0.2, 0.3, np.nan]), np.array([0.1, 0.3, 0.2, 0.5])
    found = derive_quantity(lambda a, b: a + b, x, y, joint)
    assert (found.copula, found.sample_size) == ("independence", 3)
    assert found.empirical.mean == pytest.approx(1.2 / 3)
    assert found.empirical.std == pytest.approx(np.std([0.2, 0.5, 0.5], ddof=1))
    assert found.empirical.quantiles["0.5"] == pytest.approx(0.5)
    assert found.fitted.mean == pytest.approx(1, abs=0.01)
    assert found.fitted.std == pytest.approx(1 / 6**0.5, abs=0.01)
    assert list(found.fitted.quantiles) == ["0.05", "0.25", "0.5", "0.75", "0.95"]
    # F(s) = s^2 / 2: at 0.5 it is 0.125, where the sample has reached 1.
    assert found.kolmogorov_smirnov == pytest.approx(1 - 0.125, abs=0.01)
    nothing = derive_quantity(lambda a, b: a + b, [np.nan], [1.0], joint)
    assert (nothing.empirical, nothing.kolmogorov_smirnov) == (None, None)
    one = derive_quantity(lambda a, b: a + b, [1.0], [0.9], joint)
    assert one.empirical is None
    assert one.kolmogorov_smirnov == pytest.approx(1 - 0.1**2 / 2, abs=0.01)
