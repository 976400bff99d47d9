"""Searches for a maximum: surfaces whose top is known, and where searches begin."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.distributions import COPULA_FAMILIES, BivariateCopula
from electrode_grains.distributions.likelihood_search import (
    Optimum,
    _ascent,
    derivatives,
    maximize,
    standard_errors,
)
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.registry import MARGINAL_FAMILIES

TOP = np.array([0.3, -1.2])
CURVATURE = np.array([[4.0, 1.0], [1.0, 2.0]])
WIDE = np.array([-50.0, -50.0]), np.array([50.0, 50.0])


def hill(point):
    away = point - TOP
    return 7.0 - 0.5 * float(away @ CURVATURE @ away)


def warped(point):
    """A hill that is no parabola: its top is at (1, 2)."""
    return -math.log(math.cosh(point[0] - 1)) - (point[1] - 2) ** 2 - (point[1] - 2) ** 4


def test_a_parabola_is_climbed_to_its_top_with_its_curvature():
    found = maximize(hill, [np.array([8.0, 9.0])], *WIDE, keep=1)
    np.testing.assert_allclose(found.point, TOP, atol=1e-6)
    np.testing.assert_allclose(found.hessian, -CURVATURE, atol=1e-4)
    assert found.value == pytest.approx(7.0, abs=1e-9)
    assert found.is_converged
    assert found.newton_decrement <= 1e-9
    assert not found.at_bound.any()


@pytest.mark.parametrize("start", [(-3.0, 5.0), (9.0, -4.0), (1.5, 2.0)])
def test_other_hills_are_climbed_from_afar(start):
    found = maximize(warped, [np.array(start)], *WIDE, keep=1)
    np.testing.assert_allclose(found.point, [1, 2], atol=1e-4)
    assert found.is_converged


def test_at_the_edge_of_the_box_the_top_along_the_edge_is_found():
    lower, upper = np.array([1.0, -50.0]), WIDE[1]
    found = maximize(hill, [np.array([8.0, 9.0])], lower, upper, keep=1)
    # With x held at 1 the top in y is where the gradient in y vanishes.
    np.testing.assert_allclose(found.point, [1.0, TOP[1] - (1.0 - TOP[0]) / 2], atol=1e-6)
    assert found.at_bound.tolist() == [True, False]
    upper = np.array([50.0, -2.0])
    found = maximize(hill, [np.array([-8.0, -9.0])], WIDE[0], upper, keep=1)
    np.testing.assert_allclose(found.point, [TOP[0] - (-2.0 - TOP[1]) / 4, -2.0], atol=1e-6)
    assert found.at_bound.tolist() == [False, True]


def test_in_a_corner_both_coordinates_are_held():
    lower, upper = np.array([1.0, 0.0]), WIDE[1]
    found = maximize(hill, [np.array([3.0, 3.0])], lower, upper, keep=1)
    assert found.point.tolist() == [1.0, 0.0]
    assert found.at_bound.all()
    assert found.newton_decrement == 0


def two_hills(point):
    return float(np.logaddexp(-2 * (point[0] + 3) ** 2, 1 - 2 * (point[0] - 3) ** 2))


def test_the_highest_of_several_summits_is_returned_and_only_the_best_starts_are_climbed():
    starts = [np.array([-3.1]), np.array([2.0]), np.array([-2.5])]
    box = np.array([-9.0]), np.array([9.0])
    assert maximize(two_hills, starts, *box, keep=3).point[0] == pytest.approx(3, abs=1e-6)
    # -3.1 begins higher than 2.0, and is the one that is kept.
    assert maximize(two_hills, starts, *box, keep=1).point[0] == pytest.approx(-3, abs=1e-6)
    # Of equal starts the first counts; starts outside move into the box.
    pair = [np.array([20.0]), np.array([-20.0])]
    assert maximize(lambda p: -abs(abs(p[0]) - 8), pair, *box, keep=1).point[0] > 0


def test_a_start_that_leads_to_a_known_summit_is_not_climbed_to_its_end():
    visited = []

    def counted(point):
        visited.append(point)
        return warped(point)

    starts = [np.array([0.5, 1.5]), np.array([2.5, 3.0]), np.array([1.5, 1.0])]
    each = [maximize(counted, [start], *WIDE, keep=1) for start in starts]
    alone = len(visited)
    visited.clear()
    together = maximize(counted, starts, *WIDE, keep=3)
    assert len(visited) < 0.8 * alone
    assert together.value == max(found.value for found in each)


def test_a_summit_at_the_bound_does_not_hide_a_higher_one_beside_it():
    def waves(point):
        return math.cos(2 * math.pi * (point[0] - 0.97) / 0.032)

    box = np.array([0.0]), np.array([1.0])
    assert maximize(waves, [np.array([1.0])], *box, keep=1).value == pytest.approx(0.92, abs=0.01)
    found = maximize(waves, [np.array([1.0]), np.array([0.963])], *box, keep=2)
    assert found.point == pytest.approx(0.97, abs=1e-6)


def test_where_nothing_is_finite_there_is_no_summit():
    assert maximize(lambda _: -math.inf, [np.zeros(2)], *WIDE, keep=3) is None
    found = maximize(
        lambda p: hill(p) if p[0] < 5 else -math.inf,
        [np.array([9.0, 0.0]), np.array([4.0, 0.0])],
        *WIDE,
        keep=1,
    )
    np.testing.assert_allclose(found.point, TOP, atol=1e-6)


def test_an_edge_without_slope_is_a_summit_all_the_same():
    found = maximize(
        lambda p: 5.0 - abs(p[0] - 0.7) - abs(p[1]), [np.array([3.0, -2.0])], *WIDE, keep=1
    )
    np.testing.assert_allclose(found.point, [0.7, 0], atol=1e-6)
    assert found.is_converged


def test_a_promise_beyond_a_thousandth_of_a_nat_is_no_convergence():
    for gain, holds in ((0.0009, True), (0.001, True), (0.0011, False), (math.inf, False)):
        optimum = Optimum(TOP, 0.0, gain, -CURVATURE, np.zeros(2, bool))
        assert optimum.is_converged == holds


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 4))
@settings(deadline=None, max_examples=20)
def test_derivatives_of_a_parabola_are_exact(seed, size):
    rng = np.random.default_rng(seed)
    matrix, slope, point = (
        rng.normal(size=(size, size)),
        rng.normal(size=size),
        rng.normal(size=size),
    )
    matrix = matrix + matrix.T

    def parabola(x):
        return float(slope @ x + 0.5 * x @ matrix @ x)

    box = np.full(size, -50.0), np.full(size, 50.0)
    gradient, hessian = derivatives(parabola, point, parabola(point), *box)
    np.testing.assert_allclose(gradient, slope + matrix @ point, atol=1e-6)
    np.testing.assert_allclose(hessian, matrix, atol=1e-5)


def test_steps_of_derivatives_grow_with_the_hundredth_of_large_coordinates():
    box = np.full(1, -1e6), np.full(1, 1e6)
    for place in (0.5, 50.0, 300.0):
        gradient, hessian = derivatives(
            lambda x: float(x[0] ** 3), np.array([place]), place**3, *box
        )
        # The error of a central difference of a cube is the square of the step.
        step = 1e-4 * max(1.0, place / 100)
        assert gradient[0] - 3 * place**2 == pytest.approx(step**2, abs=2e-5)
        assert hessian[0, 0] == pytest.approx(6 * place, rel=1e-2)


def test_a_step_uphill_is_that_of_newton_and_promises_half_its_slope():
    gradient = np.array([0.3, -0.2])
    free = np.ones(2, bool)
    move, gain = _ascent(gradient, -CURVATURE, free)
    expected = np.linalg.solve(CURVATURE, gradient)
    np.testing.assert_allclose(move, expected)
    assert gain == pytest.approx(gradient @ expected / 2)
    # Where the surface bends the other way the step still leads uphill.
    saddle = np.diag([-4.0, 2.0])
    np.testing.assert_allclose(_ascent(gradient, saddle, free)[0], [0.3 / 4, -0.2 / 2])
    # Held coordinates stay; long steps are cut to two.
    move, gain = _ascent(gradient, -CURVATURE, np.array([True, False]))
    np.testing.assert_allclose(move, [0.3 / 4, 0])
    assert gain == pytest.approx(0.3**2 / 8)
    np.testing.assert_allclose(_ascent(100 * gradient, -np.eye(2), free)[0], [2, -4 / 3])
    assert _ascent(gradient, -CURVATURE, ~free)[1] == 0
    assert _ascent(np.array([math.nan, 0.0]), -CURVATURE, free)[1] == math.inf
    assert _ascent(gradient, np.full((2, 2), math.inf), free)[1] == math.inf


def test_derivatives_never_leave_the_box():
    seen = []

    def watched(point):
        seen.append(point.copy())
        return hill(point)

    lower, upper = np.array([0.0, -1.0]), np.array([2.0, 1.0])
    for corner in (lower, upper):
        gradient, hessian = derivatives(watched, corner, hill(corner), lower, upper)
        np.testing.assert_allclose(gradient, -CURVATURE @ (corner - TOP), atol=2e-3)
        np.testing.assert_allclose(hessian, -CURVATURE, atol=1e-4)
    assert (np.array(seen) >= lower).all()
    assert (np.array(seen) <= upper).all()


def test_standard_errors_are_those_of_the_inverse_information():
    optimum = Optimum(TOP, 0.0, 0.0, -CURVATURE, np.zeros(2, bool))
    expected = np.sqrt(np.diag(np.linalg.inv(CURVATURE)))
    assert standard_errors(optimum, lambda p: p) == pytest.approx(expected, rel=1e-9)
    # Parameters exp(x) and x + y: by their slopes.
    errors = standard_errors(optimum, lambda p: (math.exp(p[0]), p[0] + p[1]))
    slopes = np.array([[math.exp(TOP[0]), 0], [1, 1]])
    expected = np.sqrt(np.diag(slopes @ np.linalg.inv(CURVATURE) @ slopes.T))
    assert errors == pytest.approx(expected, rel=1e-6)


def test_held_coordinates_and_saddles_have_no_errors():
    held = Optimum(TOP, 0.0, 0.0, -CURVATURE, np.array([True, False]))
    first, second = standard_errors(held, lambda p: p)
    assert math.isnan(first)
    assert second == pytest.approx(math.sqrt(1 / CURVATURE[1, 1]))
    for hessian in (CURVATURE, np.diag([-1.0, 0.0]), np.full((2, 2), np.nan)):
        saddle = Optimum(TOP, 0.0, 0.0, hessian, np.zeros(2, bool))
        assert np.isnan(standard_errors(saddle, lambda p: p)).all()
    corner = Optimum(TOP, 0.0, 0.0, -CURVATURE, np.ones(2, bool))
    assert np.isnan(standard_errors(corner, lambda p: p)).all()


# --- where searches of marginals begin -------------------------------------------------------

MOMENTS = [
    ("gamma", (9.0, 55.0)),
    ("gamma", (0.6, 1.0)),
    ("weibull", (3.1, 577.0)),
    ("log_logistic", (5.3, 488.0)),
    ("gumbel_maximum", (438.0, 135.0)),
    ("gumbel_minimum", (0.82, 0.048)),
    ("logistic", (500.0, 97.0)),
    ("generalized_extreme_value", (-0.42, 0.72, 0.086)),
    ("generalized_extreme_value", (0.2, 438.0, 135.0)),
    ("reflected_generalized_extreme_value", (0.2, 0.8, 0.05)),
    ("skew_normal", (304.0, 274.0, 3.0)),
    ("skew_normal", (0.9, 0.07, -2.2)),
    ("beta", (40.1, 7.2)),
    ("beta", (0.7, 2.0)),
    ("von_mises", (2.5, 0.4)),
    ("von_mises", (2.5, 1.3)),
    ("von_mises", (-0.5, 3.0)),
    ("von_mises", (-0.5, 9.0)),
    ("axial_von_mises", (-1.5, 0.9)),
    ("axial_von_mises", (0.2, 4.0)),
    ("beta_cosine", (1.2, 0.8)),
]


def sample_of(name, values, count=2000):
    family = MARGINAL_FAMILIES[name]
    parameters = dict(zip((p.name for p in family.parameters), values, strict=True))
    return np.asarray(Marginal(name, parameters).quantile((np.arange(count) + 0.5) / count))


def mean_log_density(family, sample, values):
    with np.errstate(all="ignore"):
        return float(np.mean(family.log_density(sample, *values)))


@pytest.mark.parametrize(("name", "values"), MOMENTS)
def test_the_first_start_is_the_distribution_itself_by_its_moments(name, values):
    family, sample = MARGINAL_FAMILIES[name], sample_of(name, values)
    loss = mean_log_density(family, sample, values) - mean_log_density(
        family, sample, family.starts(sample)[0]
    )
    assert abs(loss) < 3e-4  # nats an observation; a tenth of a standard error is 3e-3 at n = 2000


SEVERAL = [
    ("generalized_gamma", (2.5, 1.4, 200.0), 0.03),
    ("generalized_gamma", (0.7, 3.0, 2.0), 0.1),
    ("burr_xii", (5.4, 3.0, 484.0), 0.03),
    ("burr_xii", (3.0, 300.0, 4.0), 0.01),
    ("kumaraswamy", (18.4, 11.6), 0.005),
    ("kumaraswamy", (2.0, 1.0), 0.005),
    ("gaussian_mixture", (-1.7, 1.6, 1.0, 0.8, 0.4), 0.05),
    ("gaussian_mixture", (0.0, 0.0, 0.3, 1.0, 0.3), 0.02),
    ("von_mises_mixture", (-1.5, 1.6, 1.5, 1.5, 0.4), 0.01),
    ("von_mises_mixture", (-1.2, 1.2, 2.0, 2.0, 0.5), 0.01),
    ("von_mises_mixture", (0.4, 0.4, 6.0, 0.3, 0.3), 0.01),
]


@pytest.mark.parametrize(("name", "values", "nats"), SEVERAL)
def test_one_of_several_starts_is_near_the_law(name, values, nats):
    family, sample = MARGINAL_FAMILIES[name], sample_of(name, values)
    best = max(mean_log_density(family, sample, start) for start in family.starts(sample))
    assert mean_log_density(family, sample, values) - best < nats


@pytest.mark.parametrize(
    "name", [name for name, family in MARGINAL_FAMILIES.items() if family.is_scalable]
)
def test_starts_scale_with_the_unit_of_the_sample(name):
    family = MARGINAL_FAMILIES[name]
    sample = np.random.default_rng(5).gamma(3.0, 1.0, 200)
    for factor in (0.25, 300.0):
        for small, large in zip(family.starts(sample), family.starts(factor * sample), strict=True):
            expected = [
                parameter.rescale(value, factor)
                for parameter, value in zip(family.parameters, small, strict=True)
            ]
            assert large == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("name", ["von_mises", "axial_von_mises", "von_mises_mixture"])
def test_starts_turn_with_the_sample(name):
    family = MARGINAL_FAMILIES[name]
    sample = np.random.default_rng(6).vonmises(0.1, 1.2, 200)
    for before, after in zip(family.starts(sample), family.starts(sample + 0.4), strict=True):
        for parameter, old, new in zip(family.parameters, before, after, strict=True):
            turn = 0.4 if parameter.kind == "angle" else 0.0
            assert new - old == pytest.approx(turn, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "name", ["generalized_extreme_value", "reflected_generalized_extreme_value"]
)
def test_every_start_has_a_density_at_every_observation(name, seed):
    rng = np.random.default_rng(seed)
    family = MARGINAL_FAMILIES[name]
    for sample in (rng.standard_cauchy(30), rng.random(30), rng.exponential(1.0, 30) ** 3):
        for start in family.starts(sample):
            assert np.isfinite(family.log_density(sample, *start)).all()


# --- copulas at the ends of their ranges -----------------------------------------------------


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        *(("ali_mikhail_haq", (t,)) for t in (-1.0, -9e-4, 5e-4, 1.1e-3, 0.3, 1.0)),
        *(("frank", (t,)) for t in (-2e-4, 9e-5, 1.1e-4, 0.5, 20.0)),
        *(("joe", (t,)) for t in (1.0, 1.9999, 2.0, 2.000009, 2.1)),
        *(("clayton", (t,)) for t in (1e-6, 0.5, 9.0)),
        *(("gumbel", (t,)) for t in (1.0, 1.2, 9.0)),
        *(("bb1", p) for p in ((1e-6, 1.0), (0.5, 1.0), (0.5, 4.0))),
        *(("bb8", p) for p in ((1.0, 0.5), (3.0, 1.0), (3.0, 0.2))),
        *(("bb3", p) for p in ((1.0, 0.5), (3.0, 0.2))),
    ],
)
def test_kendalls_tau_follows_from_the_density_of_conditionals(family, parameters):
    # tau = 1 - 4 times the integral of dC/du dC/dv, here by Gauss's rule.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    u, weights = (nodes + 1) / 2, weights / 2
    copula = BivariateCopula(family, parameters)
    first = copula.conditional_v_given_u(u[:, None], u[None, :])
    second = copula.conditional_u_given_v(u[:, None], u[None, :])
    tau = 1 - 4 * float(weights @ (first * second) @ weights)
    assert copula.kendall_tau() == pytest.approx(tau, rel=2e-3, abs=2e-7)


@pytest.mark.parametrize("t", [-9.9e-4, -1e-5, 2e-4, 9.9e-4, 1.01e-3, 0.5, 1.0])
def test_kendalls_tau_of_ali_mikhail_and_haq_keeps_its_digits_near_independence(t):
    with mpmath.workdps(60):
        x = mpmath.mpf(t)
        last = 0 if t == 1 else 2 * (1 - x) ** 2 * mpmath.log(1 - x) / (3 * x**2)
        exact = float((3 * x - 2) / (3 * x) - last)
    found = BivariateCopula("ali_mikhail_haq", (t,)).kendall_tau()
    assert found == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("family", "parameters", "tails"),
    [
        ("ali_mikhail_haq", (1.0,), (0.5, 0.0)),
        ("ali_mikhail_haq", (0.99,), (0.0, 0.0)),
        ("bb8", (3.0, 0.99), (0.0, 0.0)),
        ("bb3", (1.0, 0.5), (0.25, 0.0)),
        ("bb5", (1.5, 2.0), (0.0, 2 - (2 - 0.5**0.5) ** (1 / 1.5))),
        ("bb3", (2.0, 0.5), (1.0, 2 - 2**0.5)),
        ("independence", (), (0.0, 0.0)),
        ("gaussian", (0.9,), (0.0, 0.0)),
    ],
)
def test_tails_depend_as_the_literature_says(family, parameters, tails):
    assert BivariateCopula(family, parameters).tail_dependence() == pytest.approx(tails)


def test_the_student_copula_depends_in_both_tails():
    lower, upper = BivariateCopula("student", (0.5, 4.0)).tail_dependence()
    assert lower == upper == pytest.approx(0.2532, abs=1e-4)  # McNeil, Frey, Embrechts: .25


@pytest.mark.parametrize("family", COPULA_FAMILIES)
def test_densities_are_finite_at_all_corners_of_the_range_that_fits_search(family):
    import itertools

    bounds = COPULA_FAMILIES[family].bounds
    u, v = np.meshgrid([1e-4, 0.3, 0.9999], [1e-4, 0.6, 0.9999])
    for corner in itertools.product(*bounds):
        assert np.isfinite(BivariateCopula(family, corner).log_pdf(u, v)).all()
