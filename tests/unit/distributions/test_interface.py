"""Names and forms that users of SciPy and of pyvinecopulib expect."""

import json
import math

import numpy as np
import pytest
import scipy.stats as st

from electrode_grains.distributions import BivariateCopula, Marginal, fit_copula, fit_marginal
from electrode_grains.errors import ComputationError, SettingsError
from proofs import proves


def test_the_upper_tail_keeps_its_digits():
    marginal, peer = Marginal("gamma", (9.0, 50.0)), st.gamma(9.0, scale=50.0)
    x = np.array([100.0, 500.0, 3000.0])
    np.testing.assert_allclose(marginal.sf(x), peer.sf(x), rtol=1e-12)
    np.testing.assert_allclose(marginal.isf([0.4, 1e-20]), peer.isf([0.4, 1e-20]), rtol=1e-10)
    cut = Marginal("gamma", (9.0, 50.0), (200.0, math.inf))
    np.testing.assert_allclose(cut.sf(x[1:]), peer.sf(x[1:]) / peer.sf(200.0), rtol=1e-12)
    assert (cut.sf(100.0), cut.isf(1.0), cut.isf(0.0)) == (1.0, 200.0, math.inf)
    assert np.isnan(cut.isf(1.5))


def test_names_of_scipy_mean_the_same():
    marginal = Marginal("lognormal", {"mu": 6.2, "sigma": 0.3})
    np.testing.assert_array_equal(marginal.ppf([0.1, 0.9]), marginal.quantile([0.1, 0.9]))
    np.testing.assert_array_equal(
        marginal.rvs(5, random_state=3), marginal.sample(5, np.random.default_rng(3))
    )


@pytest.mark.parametrize("given", [{"b": 7.2, "a": 40.1}, (40.1, 7.2), np.array([40.1, 7.2])])
def test_parameters_of_marginals_come_by_name_or_in_order(given):
    assert Marginal("beta", given) == Marginal("beta", {"a": 40.1, "b": 7.2})


@pytest.mark.parametrize("given", [{"delta": 3.13, "kappa": 0.36}, (0.36, 3.13), [0.36, 3.13]])
def test_parameters_of_copulas_come_by_name_or_in_order(given):
    assert BivariateCopula("bb1", given).parameters == (0.36, 3.13)


@pytest.mark.parametrize("given", [2.0, "2", (1.0, 2.0), {"nothing": 2.0}, None, ("a",)])
@pytest.mark.parametrize(("kind", "family"), [(BivariateCopula, "clayton"), (Marginal, "watson")])
def test_other_forms_of_parameters_are_refused_with_what_is_expected(kind, family, given):
    with pytest.raises(SettingsError, match=f"wrong parameters for {family}"):
        kind(family, given)


def test_models_come_back_from_json():
    for model in (
        Marginal("gamma", (9.0, 50.0), (200.0, math.inf)),
        Marginal("sine", ()),
        BivariateCopula("bb8", (4.24, 0.6), 270),
    ):
        assert type(model).from_dict(json.loads(json.dumps(model.to_dict()))) == model


@proves(
    "marginal_fits",
    "standard_errors",
    oracle="closed form",
    by="information of the normal distribution",
)
def test_intervals_of_parameters_and_quantities_follow_from_the_covariance():
    sample = st.norm(5.0, 2.0).rvs(400, random_state=np.random.default_rng(1))
    fit = fit_marginal(sample, "normal")
    sigma = sample.std()
    expected = np.diag([sigma**2 / 400, sigma**2 / 800])
    np.testing.assert_allclose(fit.covariance, expected, atol=1e-6)
    low, high = fit.interval()["mu"]
    assert (high - low) / 2 == pytest.approx(1.959964 * sigma / 20, rel=1e-4)
    # The variance of the quantile mu + z sigma is sigma^2 (1 + z^2 / 2) / n.
    z = st.norm.ppf(0.9)
    low, high = fit.interval_of(lambda model: model.quantile(0.9), level=0.9)
    reach = 1.644854 * sigma * math.sqrt((1 + z**2 / 2) / 400)
    assert (high - low) / 2 == pytest.approx(reach, rel=1e-4)
    assert (high + low) / 2 == pytest.approx(sample.mean() + z * sigma)


def test_quantities_of_copulas_have_intervals_too():
    pair = BivariateCopula("clayton", (2.0,)).sample(400, np.random.default_rng(5))
    fit = fit_copula(*pair, "clayton")
    low, high = fit.interval_of(lambda model: model.kendall_tau())
    error = fit.standard_errors["theta"]
    theta = fit.parameters[0]
    # d tau / d theta = 2 / (theta + 2)^2
    assert (high - low) / 2 == pytest.approx(1.959964 * error * 2 / (theta + 2) ** 2, rel=1e-3)
    with pytest.raises(ComputationError, match="without a model"):
        fit_copula([0.5] * 40, [0.5] * 40, "clayton").interval_of(lambda model: 1.0)


def test_a_fit_reads_as_a_sentence():
    sample = Marginal("beta", (40.1, 7.2)).sample(200, np.random.default_rng(1))
    text = repr(fit_marginal(sample, "beta"))
    assert text.startswith("<beta: a = ")
    assert "±" in text
    assert text.endswith("n = 200, converged>")
    assert "insufficient" in repr(fit_marginal([0.5], "beta"))
    pair = BivariateCopula("clayton", (2.0,), 90).sample(100, np.random.default_rng(5))
    assert "clayton rotated by 90 degrees: theta = " in repr(fit_copula(*pair, "clayton", 90))
