"""Intervals of pairs hold for fitted marginals, along ridges and at limits."""

import math

import numpy as np
import pytest
from scipy.stats import chi2

from electrode_grains.distributions import (
    BivariateCopula,
    JointDensity,
    Marginal,
    fit_copula,
    fit_marginal,
    likelihood_intervals,
)
from proofs import proves

UNIT = (0.0, 1.0)
UNIFORM = Marginal("uniform", (), UNIT)


def _refitted(joint: JointDensity, n: int, seed: int):
    """Sample of a pair, and marginals and copula fitted to it."""
    sample = joint.sample(n, np.random.default_rng(seed))
    models = [
        fit_marginal(values, true.family, true.support).model
        for true, values in zip((joint.marginal_x, joint.marginal_y), sample, strict=True)
    ]
    levels = [model.cdf(values) for model, values in zip(models, sample, strict=True)]
    fit = fit_copula(*levels, joint.copula.family, joint.copula.rotation)
    return sample, JointDensity(*models, fit.model)


@proves(
    "copula_fits",
    "intervals",
    oracle="closed form",
    by="deviation of the correlation of two normal samples, means and deviations fitted or known",
)
@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_intervals_of_a_copula_hold_for_fitted_marginals(rho):
    n, z = 1500, 1.959964
    standard = Marginal("normal", (0.0, 1.0))
    joint = JointDensity(standard, standard, BivariateCopula("gaussian", (rho,)))
    sample, fitted = _refitted(joint, n, 1)
    intervals, is_ridge = likelihood_intervals(fitted, *sample)
    width = intervals["rho"].high - intervals["rho"].low
    # sd (1 - rho^2) / sqrt(n) of the sample correlation, 1 / sqrt(1 + rho^2) of it if all is known
    assert width == pytest.approx(2 * z * (1 - rho**2) / math.sqrt(n), rel=0.08)
    levels = [model.cdf(x) for model, x in zip((standard, standard), sample, strict=True)]
    best = fit_copula(*levels, "gaussian").model
    intervals, _ = likelihood_intervals(JointDensity(UNIFORM, UNIFORM, best), *levels)
    width = intervals["rho"].high - intervals["rho"].low
    expected = 2 * z * (1 - rho**2) / math.sqrt(n * (1 + rho**2))
    assert width == pytest.approx(expected, rel=0.08)
    assert not is_ridge


def test_ends_of_intervals_are_where_the_profile_has_dropped():
    u, v = BivariateCopula("bb1", (0.5, 1.6)).sample(300, np.random.default_rng(5))
    best = fit_copula(u, v, "bb1")
    intervals, _ = likelihood_intervals(JointDensity(UNIFORM, UNIFORM, best.model), u, v)
    for end in (intervals["kappa"].low, intervals["kappa"].high):
        profile = max(
            BivariateCopula("bb1", (end, delta)).log_pdf(u, v).sum()
            for delta in np.linspace(1.2, 2.2, 101)
        )
        drop = 2 * (best.log_likelihood - profile)
        assert drop == pytest.approx(chi2.ppf(0.95, 1), abs=0.03)
    delta = np.array([intervals["delta"].low, intervals["delta"].high])
    profiles = [
        max(
            BivariateCopula("bb1", (kappa, end)).log_pdf(u, v).sum()
            for kappa in np.linspace(0.05, 1.2, 101)
        )
        for end in delta
    ]
    drops = 2 * (best.log_likelihood - np.array(profiles))
    # between two steps of the profile the edge lies a little further out
    assert drops == pytest.approx([chi2.ppf(0.95, 1)] * 2, abs=0.25)


@proves(
    "copula_fits",
    "intervals",
    oracle="closed form",
    by="deviation of Kendall's tau (Genest, Rivest)",
)
def test_intervals_of_tau_are_as_wide_as_its_deviation():
    joint = JointDensity(
        Marginal("gamma", (9.0, 50.0)),
        Marginal("beta", (9.0, 4.0), UNIT),
        BivariateCopula("clayton", (2.0,)),
    )
    sample, fitted = _refitted(joint, 200, 3)
    intervals, is_ridge = likelihood_intervals(fitted, *sample)
    assert not is_ridge
    assert intervals["theta"].low < 2.0 < intervals["theta"].high
    low, high = intervals["kendall_tau"].low, intervals["kendall_tau"].high
    # Genest and Rivest: the deviation of Kendall's tau near .5 is about .036 at n = 200.
    assert 0.07 < high - low < 0.2
    assert intervals["upper_tail"].low == intervals["upper_tail"].high == 0.0


@proves(
    "copula_fits", "is_weakly_identified", oracle="simulated truth", by="a nearly independent BB8"
)
def test_a_ridge_is_reported_as_one():
    joint = JointDensity(UNIFORM, UNIFORM, BivariateCopula("bb8", (4.24, 0.6), 270))
    sample, fitted = _refitted(joint, 239, 3)
    intervals, is_ridge = likelihood_intervals(fitted, *sample)
    assert is_ridge is True  # results take no bool of NumPy
    assert intervals["kappa"].high > 2 * intervals["kappa"].low
    assert intervals["kendall_tau"].high - intervals["kendall_tau"].low < 0.3


def test_independence_has_no_intervals():
    u, v = np.random.default_rng(0).random((2, 50))
    joint = JointDensity(UNIFORM, UNIFORM, BivariateCopula("independence"))
    assert likelihood_intervals(joint, u, v) == ({}, False)
