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
from electrode_grains.distributions.copula_intervals import _edge, _profile, _trace
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


class Normal:
    """A likelihood of two coordinates that is a normal density, between limits."""

    def __init__(self, correlation, box=((-30.0, -30.0), (30.0, 30.0)), deviations=(0.7, 1.9)):
        scale = np.diag(deviations)
        self.covariance = scale @ np.array([[1, correlation], [correlation, 1]]) @ scale
        self.precision = np.linalg.inv(self.covariance)
        self.box = tuple(np.array(ends) for ends in box)

    def __call__(self, point):
        return float(-0.5 * point @ self.precision @ point)

    def slopes(self, point):
        return -self.precision @ point, -self.precision


@pytest.mark.parametrize("correlation", [-0.95, -0.5, 0.0, 0.85, 0.99])
def test_the_region_of_a_normal_likelihood_is_its_ellipse(correlation):
    """Its extent along a coordinate is the deviation times the root of twice the drop."""
    surface, drop = Normal(correlation), 1.92
    region = _trace(surface, np.zeros(2), drop, 0.82)
    edge = np.array(region.edge)
    extent = np.sqrt(2 * drop * np.diag(surface.covariance))
    for reached in (edge.max(axis=0), -edge.min(axis=0)):
        assert reached[0] == pytest.approx(extent[0], rel=0.01)
        # between two steps of the profile the edge lies a little further out
        assert 0.97 < reached[1] / extent[1] < 1.01
    # Points lie within the region, those across the profile and its ends upon the edge.
    fallen = np.array([-surface(point) for point in edge])
    assert fallen.max() < drop + 0.05
    assert (np.abs(fallen - drop) < 0.05).sum() > len(edge) // 2
    assert not region.reaches_limit
    assert region.is_ridge == (abs(correlation) > 0.9)


@pytest.mark.parametrize(("correlation", "is_ridge"), [(0.88, False), (0.92, True)])
def test_a_ridge_begins_at_a_correlation_of_nine_tenths(correlation, is_ridge):
    assert _trace(Normal(correlation), np.zeros(2), 1.92, 0.82).is_ridge is is_ridge


@pytest.mark.parametrize("coordinate", [0, 1])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("fallen", "reaches"), [(0.7, True), (0.95, False)])
def test_a_limit_is_reached_where_the_region_of_80_percent_meets_it(
    coordinate, side, fallen, reaches
):
    drop, near = 1.92, 0.82  # halves of the quantiles of chi-squared, 95 % and 80 %
    box = np.array([[-30.0, -30.0], [30.0, 30.0]])
    deviation = Normal(0.3).covariance[coordinate, coordinate] ** 0.5
    box[side, coordinate] = (-1) ** (1 - side) * deviation * math.sqrt(2 * fallen)
    region = _trace(Normal(0.3, box), np.zeros(2), drop, near)
    assert region.reaches_limit is reaches
    reached = np.array(region.edge)[:, coordinate]
    end = reached.min() if side == 0 else reached.max()
    assert end == pytest.approx(box[side, coordinate])


def test_steps_along_a_profile_lose_at_most_a_third_of_what_may_be_lost():
    surface, drop = Normal(0.6), 1.92
    points, reached = _profile(surface, np.zeros(2), 0.0, drop, 1.0)
    assert reached is None
    centres = np.array(points[:-3:3])  # each with its two edges across
    slope = surface.covariance[0, 1] / surface.covariance[0, 0]
    np.testing.assert_allclose(centres[:, 1], slope * centres[:, 0], atol=1e-6)
    fallen = np.diff([0.0, *(-surface(point) for point in centres)])
    assert fallen.max() <= 0.35 * drop + 1e-9
    assert 3 <= len(centres) <= 12
    assert -surface(points[-3]) == pytest.approx(drop, rel=0.02)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("power", [1.0, 2.0, 4.0])
def test_the_edge_of_a_drop_is_found_to_five_thousandths_of_a_nat(sign, power):
    def height(z):
        return 3.0 - 0.4 * abs(z - 2.0) ** power

    exact = (1.92 / 0.4) ** (1 / power)
    wide = (-100.0, 100.0)
    end = _edge(height, 2.0, 3.0, 1.92, sign, wide)
    assert 3.0 - height(end) == pytest.approx(1.92, abs=5e-3)
    assert end == pytest.approx(2.0 + sign * exact, rel=0.02)
    # The range may end before, or where the search begins; beyond the edge nothing is sought.
    near = (2.0 - 0.4, 2.0 + 0.3)
    assert _edge(height, 2.0, 3.0, 1.92, sign, near) == near[int(sign > 0)]
    assert _edge(height, near[int(sign > 0)], 3.0, 1.92, sign, near) == near[int(sign > 0)]
    assert _edge(height, 20.0, 3.0, 1.92, sign, wide) == 20.0


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_profile_ends_at_a_limit_that_it_meets_and_leaves_the_other_one(sign):
    """From one end of the range to the other, where the likelihood has hardly dropped."""
    surface = Normal(0.3, ((-0.2, -30.0), (0.2, 30.0)))
    begin = np.array([-0.2 * sign, 0.0])
    points, reached = _profile(surface, begin, surface(begin), 1.92, sign)
    firsts = [point[0] for point in points]
    assert max(sign * first for first in firsts) == pytest.approx(0.2)
    assert len(points) <= 3 * 8  # steps, each with its two edges across
    end = points[-3]
    assert reached == pytest.approx(surface(begin) - surface(end))
    # where it begins at the limit that it makes for, there is nothing to follow
    assert _profile(surface, -begin, surface(-begin), 1.92, sign) == ([], 0.0)
