"""The spline that follows a sample where no family does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from electrode_grains.distributions import (
    BivariateCopula,
    GoodnessSettings,
    JointDensity,
    MarginalFit,
    MarginalSettings,
    SmoothMarginal,
    fit_characteristic,
    fit_smooth,
    model_characteristic,
)
from proofs import agree, proves

INFINITY = float("inf")
SAMPLES = {
    "identity": (None, lambda rng, n: rng.normal(-3.0, 2.0, n)),
    "log": ((0.0, INFINITY), lambda rng, n: rng.gamma(4.0, 130.0, n)),
    "log, cut": ((200.0, INFINITY), lambda rng, n: 200 + rng.gamma(2.0, 130.0, n)),
    "logit": ((0.0, 1.0), lambda rng, n: rng.beta(20.0, 4.0, n)),
}


@proves("marginal_fits", "smooth", oracle="closed form", by="truncated exponential")
def test_a_straight_logarithm_is_a_truncated_exponential():
    slope = -1.5
    knots = (0.0, 1.0, 2.0)
    model = SmoothMarginal("identity", (0.0, 2.0), knots, tuple(slope * np.array(knots)))
    exact = stats.truncexpon(b=3.0, scale=1 / 1.5)
    x = np.linspace(0, 2, 41)

    agree("smooth", model.pdf(x), exact.pdf(x), rel=2e-6)
    np.testing.assert_allclose(model.cdf(x), exact.cdf(x), atol=1e-6)
    np.testing.assert_allclose(model.quantile(exact.cdf(x)), x, atol=2e-6)
    assert model.mean() == pytest.approx(exact.mean(), rel=1e-6)
    assert model.std() == pytest.approx(exact.std(), rel=1e-6)
    assert list(model.pdf([-0.1, 2.1])) == [0, 0]
    assert list(model.cdf([-0.1, 2.1])) == [0, 1]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_fit_has_the_mean_of_its_sample_on_its_scale(name):
    """Maximum likelihood: straight lines are among the splines, so that their means agree."""
    support, draw = SAMPLES[name]
    sample = draw(np.random.default_rng(1), 500)
    fit = fit_smooth(sample, support)
    to_scale = {"identity": lambda x: x, "log": np.log, "logit": lambda x: np.log(x / (1 - x))}
    to = to_scale[fit.scale]

    model = fit.distribution()
    p = (np.arange(200_000) + 0.5) / 200_000
    assert np.mean(to(model.quantile(p))) == pytest.approx(np.mean(to(sample)), abs=2e-4)
    assert fit.log_likelihood == pytest.approx(float(model.log_pdf(sample).sum()), abs=0.05)
    assert fit.aic == pytest.approx(2 * fit.parameter_count - 2 * fit.log_likelihood)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_fit_approaches_the_distribution_that_was_drawn_from(name):
    support, draw = SAMPLES[name]
    large = draw(np.random.default_rng(2), 20_000)
    model = fit_smooth(draw(np.random.default_rng(3), 4000), support).distribution()

    assert stats.kstest(large, model.cdf).statistic < 0.02  # noise of both: .010 and .022 at most
    x = np.linspace(*model.quantile([0, 1]), 200_001)
    assert np.trapezoid(model.pdf(x), x) == pytest.approx(1, abs=1e-4)


def test_two_populations_that_no_normal_law_has_are_followed():
    rng = np.random.default_rng(4)
    sample = np.concatenate([rng.normal(0, 1, 250), rng.normal(7, 0.5, 250)])
    fit = fit_smooth(
        sample, None, least_aic=fit_characteristic(sample, ["normal"], None).candidates[0].aic
    )

    assert fit.delta_aic < -200
    assert stats.kstest(sample, fit.distribution().cdf).pvalue > 0.2


@settings(max_examples=40, deadline=None)
@given(
    heights=st.lists(st.floats(-8, 4), min_size=3, max_size=7),
    scale=st.sampled_from(["identity", "log", "logit"]),
    p=st.floats(0, 1),
)
def test_quantiles_invert_the_distribution_function(heights, scale, p):
    support = {"identity": (-INFINITY, 9.0), "log": (0.0, INFINITY), "logit": (0.0, 1.0)}[scale]
    knots = tuple(np.linspace(-2, 2, len(heights)))
    model = SmoothMarginal(scale, support, knots, tuple(heights))

    assert float(model.cdf(model.quantile(p))) == pytest.approx(p, abs=1e-9)


def test_too_little_makes_no_spline():
    assert fit_smooth(np.arange(50.0), None) is None
    assert fit_smooth(np.repeat([1.0, 2.0], 200), None) is None


@pytest.mark.parametrize("threshold", [0.0, 0.05])
def test_joint_models_take_the_spline_where_the_best_family_is_rejected(threshold):
    rng = np.random.default_rng(5)
    sample = np.concatenate([rng.normal(0, 1, 150), rng.normal(6, 0.5, 150)])
    fit = model_characteristic(
        sample,
        ["normal", "logistic"],
        None,
        None,
        MarginalSettings(smooth_at_p=threshold),
        GoodnessSettings(replicates=19, selection_replicates=0),
        rng,
    )
    kept = MarginalFit.from_dict(fit.to_dict())
    joint = kept.joint_distribution()

    assert fit.best in ("normal", "logistic")
    assert isinstance(joint, SmoothMarginal) == (threshold > 0)
    assert (fit.smooth is None) == (threshold == 0)
    if fit.smooth:
        assert kept == MarginalFit.model_validate_json(fit.model_dump_json())
        pair = JointDensity(joint, joint, BivariateCopula("frank", (4.0,)))
        drawn = pair.sample(2000, np.random.default_rng(6))
        assert stats.ks_2samp(drawn[0], sample).pvalue > 0.01
