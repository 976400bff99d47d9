import math

import numpy as np
import pytest
import scipy.stats as st

from electrode_grains.distributions import goodness
from electrode_grains.distributions.goodness import (
    axis_uniformity,
    edf_statistics,
    goodness_of_fit,
)
from electrode_grains.distributions.marginal_fitting import fit_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.errors import InputError, SettingsError


def test_distances_equal_scipy():
    distribution = Marginal("normal", {"mu": 1.0, "sigma": 2.0})
    sample = np.random.default_rng(1).normal(1.3, 2.1, 80)
    values = edf_statistics(distribution, sample)
    reference = st.norm(1.0, 2.0)
    assert values["kolmogorov_smirnov"] == pytest.approx(st.kstest(sample, reference.cdf).statistic)
    assert values["cramer_von_mises"] == pytest.approx(
        st.cramervonmises(sample, reference.cdf).statistic
    )
    ordered, n = np.sort(sample), sample.size
    rank = np.arange(1, n + 1)
    terms = (2 * rank - 1) * (reference.logcdf(ordered) + reference.logsf(ordered[::-1]))
    assert values["anderson_darling"] == pytest.approx(-n - terms.mean())


def test_p_values_of_a_right_family_spread_over_the_unit_interval():
    rng = np.random.default_rng(2)
    distribution = Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600})
    p_values = []
    for _ in range(40):
        sample = distribution.sample(100, rng)
        model = fit_marginal(sample, distribution.family).model
        result = goodness_of_fit(model, sample, replicates=39, rng=rng)
        p_values.append(result.p_values["cramer_von_mises"])
    assert st.kstest(p_values, "uniform").pvalue > 0.001


def test_the_bootstrap_is_what_it_says():
    """Drawn, refitted and counted once more with the same random numbers."""
    sample = Marginal("gamma", {"shape": 3.0, "scale": 2.0}).sample(40, np.random.default_rng(4))
    model = fit_marginal(sample, "lognormal").model
    result = goodness_of_fit(model, sample, replicates=19, rng=np.random.default_rng(5))
    rng, refits, farther = np.random.default_rng(5), [], []
    for _ in range(19):
        drawn = model.sample(40, rng)
        refits.append(fit_marginal(drawn, "lognormal").model)
        farther.append(edf_statistics(refits[-1], drawn))
    assert result.replicates == 19
    assert result.statistics == edf_statistics(model, sample)
    for name, value in result.statistics.items():
        count = sum(one[name] >= value for one in farther)
        assert result.p_values[name] == pytest.approx((1 + count) / 20)
    for name in ("mu", "sigma"):
        values = [one.parameters[name] for one in refits]
        assert result.bootstrap_errors[name] == pytest.approx(np.std(values, ddof=1))
        ends = result.bootstrap_intervals[name]
        assert (ends.low, ends.high) == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_p_values_of_axes_are_those_of_chi_squared():
    rng = np.random.default_rng(6)
    phi, theta = rng.uniform(-np.pi, np.pi, 40), np.arccos(rng.random(40))
    told = axis_uniformity(phi, theta)
    axes = np.array(
        [
            [math.sin(t) * math.cos(p), math.sin(t) * math.sin(p), math.cos(t)]
            for p, t in zip(phi, theta, strict=True)
        ]
    )
    tensor = sum(np.outer(axis, axis) for axis in axes) / 40
    bingham = 15 * 40 / 2 * (np.trace(tensor @ tensor) - 1 / 3)
    rayleigh = 2 / 40 * (np.cos(2 * phi).sum() ** 2 + np.sin(2 * phi).sum() ** 2)
    assert told.bingham == pytest.approx(bingham)
    assert told.rayleigh == pytest.approx(rayleigh)
    # The survival functions of two and of five degrees of freedom in closed form.
    assert told.rayleigh_p_value == pytest.approx(math.exp(-rayleigh / 2))
    rest = math.sqrt(2 * bingham / math.pi) * math.exp(-bingham / 2) * (1 + bingham / 3)
    assert told.bingham_p_value == pytest.approx(math.erfc(math.sqrt(bingham / 2)) + rest)


def test_a_wrong_family_is_rejected():
    rng = np.random.default_rng(3)
    sample = Marginal("lognormal", {"mu": 6.2, "sigma": 0.5}).sample(300, rng)
    model = fit_marginal(sample, "normal").model
    result = goodness_of_fit(model, sample, replicates=39, rng=rng)
    assert result.replicates == 39
    assert max(result.p_values.values()) == pytest.approx(1 / 40)


def test_too_few_replicates_and_empty_samples_are_refused():
    distribution = Marginal("sine", {})
    with pytest.raises(SettingsError, match=r"found: *5"):
        goodness_of_fit(distribution, [0.5] * 30, replicates=5, rng=np.random.default_rng(1))
    with pytest.raises(InputError, match="0 observations"):
        edf_statistics(distribution, [])


def test_uniform_axes_are_rejected_as_often_as_announced():
    rng = np.random.default_rng(4)
    results = [
        axis_uniformity(rng.uniform(-math.pi, math.pi, 100), np.arccos(rng.random(100)))
        for _ in range(400)
    ]
    for p_value in ("bingham_p_value", "rayleigh_p_value"):
        rejected = np.mean([getattr(result, p_value) < 0.05 for result in results])
        # four standard errors of a share of 0.05 in 400
        assert abs(rejected - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 400)


def test_axis_tests_do_not_see_the_sign_of_an_axis():
    rng = np.random.default_rng(5)
    phi, theta = rng.uniform(-math.pi, math.pi, 60), np.arccos(rng.random(60))
    flip = rng.random(60) < 0.5
    one = axis_uniformity(phi, theta)
    other = axis_uniformity(
        np.where(flip, phi + math.pi, phi), np.where(flip, math.pi - theta, theta)
    )
    assert other.bingham == pytest.approx(one.bingham)
    assert other.rayleigh == pytest.approx(one.rayleigh)


@pytest.mark.parametrize(
    ("phi", "theta", "message"),
    [
        (np.zeros(19), np.zeros(19), "19 azimuthal"),
        (np.zeros(30), np.zeros(31), "30 azimuthal and 31 polar"),
        (np.full(30, math.nan), np.zeros(30), "NaN"),
    ],
)
def test_unusable_angles_are_refused(phi, theta, message):
    with pytest.raises(InputError, match=message):
        axis_uniformity(phi, theta)


def test_bootstrap_errors_are_those_of_the_information_and_hold_at_a_bound():
    rng = np.random.default_rng(8)
    distribution = Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600})
    sample = distribution.sample(239, rng)
    fit = fit_marginal(sample, distribution.family)
    tested = goodness_of_fit(fit.model, sample, replicates=199, rng=rng)
    for name, error in fit.standard_errors.items():
        # 5 % is one standard deviation of a spread over 199 samples
        assert tested.bootstrap_errors[name] == pytest.approx(error, rel=0.2)
    # ends so steeply that k falls to its bound
    sample = np.random.default_rng(0).uniform(0, 1, 100) ** 0.3
    held = fit_marginal(sample, "generalized_extreme_value")
    assert held.outcome == "at_bound"
    assert math.isnan(held.standard_errors["k"])
    tested = goodness_of_fit(held.model, sample, replicates=19, rng=rng)
    assert math.isfinite(tested.bootstrap_errors["k"])


def test_a_mean_direction_at_the_end_of_the_circle_has_a_small_error():
    rng = np.random.default_rng(1)
    distribution = Marginal("von_mises", {"mu": math.pi - 0.01, "kappa": 8.0})
    sample = distribution.sample(200, rng)
    tested = goodness_of_fit(
        fit_marginal(sample, "von_mises").model, sample, replicates=39, rng=rng
    )
    assert tested.bootstrap_errors["mu"] < 0.06
    ends = tested.bootstrap_intervals["mu"]
    assert ends.high - ends.low < 0.3


def test_bootstrap_samples_are_the_draws_in_their_order(monkeypatch):
    monkeypatch.setattr(goodness, "DRAWN_AT_ONCE", 25)  # two of the five at a time
    numbers = iter(range(100))
    samples = list(goodness.bootstrap_samples(lambda n: [next(numbers) for _ in range(n)], 10, 5))
    assert [sample.shape for sample in samples] == [(1, 10)] * 5
    np.testing.assert_array_equal(np.concatenate(samples, axis=1)[0], np.arange(50))
