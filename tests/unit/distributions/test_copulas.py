"""Copulas against 60-digit arithmetic, vinecopulib, copulae, closed forms and the paper."""

from itertools import product

import mpmath
import numpy as np
import pytest
import pyvinecopulib
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from electrode_grains.distributions import COPULA_FAMILIES, BivariateCopula
from electrode_grains.errors import SettingsError
from proofs import proves

CASES = [
    ("ali_mikhail_haq", (0.9,)),
    ("ali_mikhail_haq", (-0.8,)),
    ("clayton", (0.05,)),
    ("clayton", (3.0,)),
    ("frank", (5.0,)),
    ("frank", (-35.0,)),
    ("gumbel", (1.05,)),
    ("gumbel", (4.0,)),
    ("joe", (1.3,)),
    ("joe", (6.0,)),
    ("bb1", (0.36, 3.13)),  # Table 4
    ("bb1", (2.0, 1.2)),
    ("bb8", (4.24, 0.6)),  # Table 4
    ("bb8", (1.1, 0.82)),  # Table 4
    ("bb8", (8.0, 0.98)),
    ("bb3", (1.4, 0.3)),
    ("bb3", (2.0, 1.5)),
    ("bb5", (1.05, 3.0)),
    ("bb5", (2.0, 0.8)),
]
# Dyadic, so that 1 - u is exact; corners and the diagonal are where formulas break.
POINTS = [
    (0.5, 0.5),
    (0.25, 0.875),
    (2.0**-20, 2.0**-18),
    (1 - 2.0**-20, 1 - 2.0**-17),
    (2.0**-16, 1 - 2.0**-16),
    (0.75, 2.0**-24),
]
ROTATIONS = (0, 90, 180, 270)
WHOLE = [*CASES, ("independence", ()), ("gaussian", (-0.6,)), ("student", (0.5, 4.0))]


def joint_probability(family, parameters):
    """C(u, v) in arbitrary precision, as printed in the literature."""
    one, log, exp = mpmath.mpf(1), mpmath.log, mpmath.exp
    t, d = (mpmath.mpf(parameters[0]), mpmath.mpf(parameters[-1]))
    forms = {
        "ali_mikhail_haq": lambda u, v: u * v / (one - t * (1 - u) * (1 - v)),
        "clayton": lambda u, v: (u**-t + v**-t - 1) ** (-one / t),
        "frank": lambda u, v: -log(
            1 + (exp(-t * u) - 1) * (exp(-t * v) - 1) / (exp(-t) - 1)
        ) / t,
        "gumbel": lambda u, v: exp(-(((-log(u)) ** t + (-log(v)) ** t) ** (one / t))),
        "joe": lambda u, v: 1 - ((1 - u) ** t + (1 - v) ** t - ((1 - u) * (1 - v)) ** t)
        ** (one / t),
        "bb1": lambda u, v: (1 + ((u**-t - 1) ** d + (v**-t - 1) ** d) ** (one / d)) ** (-one / t),
        "bb8": lambda u, v: (
            1
            - (1 - (1 - (1 - d * u) ** t) * (1 - (1 - d * v) ** t) / (1 - (1 - d) ** t))
            ** (one / t)
        )
        / d,
        "bb3": lambda u, v: exp(
            -((log(exp(d * (-log(u)) ** t) + exp(d * (-log(v)) ** t) - 1) / d) ** (one / t))
        ),
        "bb5": lambda u, v: exp(
            -(
                (
                    (-log(u)) ** t
                    + (-log(v)) ** t
                    - ((-log(u)) ** (-t * d) + (-log(v)) ** (-t * d)) ** (-one / d)
                )
                ** (one / t)
            )
        ),
    }  # fmt: skip
    return forms[family]


@pytest.mark.parametrize(("family", "parameters"), CASES)
def test_log_densities_hold_to_the_corners(family, parameters):
    probability = joint_probability(family, parameters)
    copula = BivariateCopula(family, parameters)
    with mpmath.workdps(120):
        for u, v in POINTS:
            place = mpmath.mpf(u), mpmath.mpf(v)
            exact = mpmath.log(mpmath.diff(probability, place, (1, 1), h=mpmath.mpf(10) ** -40))
            assert float(copula.log_pdf(u, v)) == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


# Ends and middles of the ranges that fits search.
RANGES = {
    "ali_mikhail_haq": [(-1.0, -0.3, 1e-3, 0.99, 1.0)],
    "clayton": [(1e-10, 1e-3, 1.0, 50.0)],
    "frank": [(-80.0, -1e-3, 0.5, 30.0, 80.0)],
    "gumbel": [(1.0, 1.0001, 2.0, 50.0)],
    "joe": [(1.0, 1.0001, 3.0, 50.0)],
    "bb1": [(1e-10, 0.3, 15.0), (1.0, 1.001, 3.0, 30.0)],
    "bb8": [(1.0, 1.5, 60.0), (1e-3, 0.6, 0.999999, 1.0)],
    "bb3": [(1.0, 1.5, 20.0), (1e-10, 0.3, 30.0)],
    "bb5": [(1.0, 1.5, 20.0), (1e-2, 0.5, 30.0)],
}


@pytest.mark.parametrize("family", RANGES)
def test_the_digits_are_counted_over_the_ranges_that_fits_search(family):
    searched = COPULA_FAMILIES[family].bounds
    assert tuple((min(values), max(values)) for values in RANGES[family]) == searched


NEAR, FAR = 1e-6, 1 - 1e-6
CORNERS = [(NEAR, NEAR), (NEAR, 3 * NEAR), (0.4, 0.7), (FAR, FAR), (1 - 3e-6, FAR), (NEAR, FAR)]


def exact_log_density(probability, u, v, digits):
    """Mixed difference quotient of C with so many digits that nothing cancels."""
    with mpmath.workdps(digits):
        step = mpmath.mpf(10) ** (-digits // 3)
        first, second = mpmath.mpf(u), mpmath.mpf(v)
        mixed = sum(
            a * b * probability(first + a * step, second + b * step)
            for a in (1, -1)
            for b in (1, -1)
        )
        return float(mpmath.log(mixed / (4 * step**2)))


@pytest.mark.parametrize("family", RANGES)
@proves("copula_fits", "log_likelihood", oracle="high precision", by="mpmath")
def test_log_densities_keep_ten_digits_over_all_ranges(family):
    """Relative to the larger of 1 and |log c|: a log-density may be 0."""
    checked = 0
    for parameters in product(*RANGES[family]):
        with mpmath.workdps(3000):
            probability = joint_probability(family, parameters)
        copula = BivariateCopula(family, parameters)
        for u, v in CORNERS:
            found = float(copula.log_pdf(u, v))
            assert np.isfinite(found)
            # C cancels log10(c) digits, and powers such as (1 - u)^60 some hundreds
            digits = 3 * int(max(abs(found) / 2.3, 400 if parameters[0] >= 20 else 0) + 45) + 40
            if digits > 3000:
                continue  # too slow here: c is below 10^-900
            with mpmath.workdps(digits):
                exact = exact_log_density(probability, u, v, digits)
            assert found == pytest.approx(exact, rel=1e-10, abs=1e-10), (parameters, u, v)
            checked += 1
    assert checked >= 5 * len(list(product(*RANGES[family])))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_log_densities_keep_their_digits(rotation):
    """1 - u is exact to 2^-53, which is 1e-10 of the distance to the corner at 1e-6."""
    for family, parameters in (("gumbel", (4.0,)), ("joe", (6.0,)), ("bb1", (0.36, 3.13))):
        probability = joint_probability(family, parameters)
        turned = {
            90: lambda u, v, c=probability: v - c(1 - u, v),
            180: lambda u, v, c=probability: u + v - 1 + c(1 - u, 1 - v),
            270: lambda u, v, c=probability: u - c(u, 1 - v),
        }[rotation]
        copula = BivariateCopula(family, parameters, rotation)
        for u, v in CORNERS:
            exact = exact_log_density(turned, u, v, 300)
            assert float(copula.log_pdf(u, v)) == pytest.approx(exact, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("family", "parameters"), CASES)
def test_conditionals_hold_to_the_corners(family, parameters):
    probability = joint_probability(family, parameters)
    copula = BivariateCopula(family, parameters)
    with mpmath.workdps(120):
        for u, v in POINTS:
            place = mpmath.mpf(u), mpmath.mpf(v)
            exact = mpmath.diff(probability, place, (1, 0), h=mpmath.mpf(10) ** -40)
            found = float(copula.conditional_v_given_u(u, v))
            assert found == pytest.approx(float(exact), rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(("family", "parameters"), CASES)
def test_distribution_functions_are_those_of_the_literature(family, parameters):
    probability = joint_probability(family, parameters)
    copula = BivariateCopula(family, parameters)
    with mpmath.workdps(80):
        for u, v in POINTS:
            exact = float(probability(mpmath.mpf(u), mpmath.mpf(v)))
            assert float(copula.cdf(u, v)) == pytest.approx(exact, rel=1e-9, abs=1e-15)


VINE = {
    "clayton": pyvinecopulib.BicopFamily.clayton,
    "frank": pyvinecopulib.BicopFamily.frank,
    "gumbel": pyvinecopulib.BicopFamily.gumbel,
    "joe": pyvinecopulib.BicopFamily.joe,
    "bb1": pyvinecopulib.BicopFamily.bb1,
    "bb8": pyvinecopulib.BicopFamily.bb8,
    "gaussian": pyvinecopulib.BicopFamily.gaussian,
    "student": pyvinecopulib.BicopFamily.student,
}
IN_VINECOPULIB = [
    (family, parameters, rotation)
    for family, parameters in WHOLE
    if family in VINE
    for rotation in ((0,) if family in ("frank", "gaussian", "student") else ROTATIONS)
]


@pytest.mark.parametrize(("family", "parameters", "rotation"), IN_VINECOPULIB)
def test_every_rotation_is_that_of_vinecopulib(family, parameters, rotation):
    peer = pyvinecopulib.Bicop(
        family=VINE[family], rotation=rotation, parameters=np.array(parameters).reshape(-1, 1)
    )
    copula = BivariateCopula(family, parameters, rotation)
    points = np.random.default_rng(4).random((200, 2))
    u, v = points.T
    np.testing.assert_allclose(copula.pdf(u, v), peer.pdf(points), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(copula.cdf(u, v), peer.cdf(points), atol=2e-7)
    # For BB8 near its limit the peer is off by 3e-6, ours by 1e-15, as tested above.
    for ours, theirs in (
        (copula.conditional_v_given_u(u, v), peer.hfunc1(points)),
        (copula.conditional_u_given_v(u, v), peer.hfunc2(points)),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-5)
    assert copula.kendall_tau() == pytest.approx(peer.tau, abs=1e-6)


@pytest.mark.parametrize(
    ("family", "peer", "parameter"),
    [("clayton", "ClaytonCopula", 2.0), ("gumbel", "GumbelCopula", 1.7)],
)
def test_densities_are_those_of_copulae(family, peer, parameter):
    import copulae

    points = np.random.default_rng(1).random((50, 2))
    ours = BivariateCopula(family, (parameter,)).pdf(*points.T)
    theirs = getattr(copulae, peer)(dim=2, theta=parameter).pdf(points)
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-9)


def test_baselines_take_single_points_and_grids():
    independent = BivariateCopula("gaussian", (0.0,))
    assert float(independent.pdf(0.3, 0.7)) == pytest.approx(1)
    grid = independent.pdf(np.linspace(0.1, 0.9, 4)[:, None], np.linspace(0.1, 0.9, 3))
    np.testing.assert_allclose(grid, np.ones((4, 3)))
    student = BivariateCopula("student", (0.5, 4.0))
    assert float(student.pdf(0.2, 0.6)) == pytest.approx(float(student.pdf(0.8, 0.4)))


def test_rotations_mirror_the_density():
    u, v = np.random.default_rng(0).random((2, 50))
    upright = BivariateCopula("joe", (2.5,))
    for rotation, mirrored in (
        (90, upright.pdf(1 - u, v)),
        (180, upright.pdf(1 - u, 1 - v)),
        (270, upright.pdf(u, 1 - v)),
    ):
        turned = BivariateCopula("joe", (2.5,), rotation)
        np.testing.assert_allclose(turned.pdf(u, v), mirrored, rtol=1e-12)


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize(("family", "parameters"), WHOLE)
def test_margins_are_uniform(family, parameters, rotation):
    copula = BivariateCopula(family, parameters, rotation)
    u = np.linspace(0.0, 1.0, 11)
    np.testing.assert_allclose(copula.cdf(u, 1.0), u, atol=1e-12)
    np.testing.assert_allclose(copula.cdf(1.0, u), u, atol=1e-12)
    assert (copula.cdf(u, 0.0) == 0).all()
    assert (copula.cdf(0.0, u) == 0).all()
    inner = u[1:-1]
    np.testing.assert_allclose(copula.conditional_v_given_u(inner, 1 - 1e-15), 1, atol=1e-3)
    np.testing.assert_allclose(copula.conditional_v_given_u(inner, 1e-15), 0, atol=1e-3)


@settings(deadline=None, max_examples=60)
@given(
    case=st.sampled_from(WHOLE),
    rotation=st.sampled_from(ROTATIONS),
    low=st.tuples(st.floats(0.01, 0.9), st.floats(0.01, 0.9)),
    size=st.tuples(st.floats(0.02, 0.09), st.floats(0.02, 0.09)),
)
def test_the_density_integrates_to_the_probability_of_a_box(case, rotation, low, size):
    copula = BivariateCopula(*case, rotation)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    u, v = (start + width * (nodes + 1) / 2 for start, width in zip(low, size, strict=True))
    integral = weights @ copula.pdf(u[:, None], v) @ weights * size[0] * size[1] / 4
    top = low[0] + size[0], low[1] + size[1]
    box = copula.cdf(*top) - copula.cdf(low[0], top[1]) - copula.cdf(top[0], low[1])
    box += copula.cdf(*low)
    assert integral == pytest.approx(float(box), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize(
    ("parameters", "tau"),
    [((1.1, 0.001), 1.111945039213108e-5), ((1.1, 0.83), 0.02439379524735262),
     ((4.24, 0.6), 0.3264205453133685), ((10, 0.99), 0.8184562208727029),
     ((20, 0.9), 0.8852483847037663), ((50, 0.8), 0.9416628115875457),
     ((50, 0.999), 0.9609194507313746)],
)  # fmt: skip
def test_kendalls_tau_of_bb8_is_that_of_60_digits(parameters, tau):
    assert BivariateCopula("bb8", parameters).kendall_tau() == pytest.approx(tau, rel=1e-9)


@pytest.mark.parametrize("theta", [1.01, 2, 10, 20, 50])
def test_kendalls_tau_of_bb8_ends_in_that_of_joe(theta):
    joe = BivariateCopula("joe", (theta,)).kendall_tau()
    assert BivariateCopula("bb8", (theta, 1.0)).kendall_tau() == pytest.approx(joe, rel=1e-10)


@pytest.mark.parametrize(("family", "parameters"), WHOLE)
def test_kendalls_tau_equals_its_integral(family, parameters):
    copula = BivariateCopula(family, parameters)
    assert copula.kendall_tau() == pytest.approx(copula._integrated_tau(), abs=2e-4)


@pytest.mark.parametrize(
    ("family", "parameters", "lower", "upper"),
    [
        ("clayton", (2.0,), 2**-0.5, 0.0),
        ("gumbel", (2.0,), 0.0, 2 - 2**0.5),
        ("joe", (2.0,), 0.0, 2 - 2**0.5),
        ("bb1", (0.5, 2.0), 0.5, 2 - 2**0.5),
        ("bb8", (3.0, 1.0), 0.0, 2 - 2 ** (1 / 3)),
        ("bb5", (1.5, 1.0), 0.0, 2 - 1.5 ** (1 / 1.5)),
        ("frank", (5.0,), 0.0, 0.0),
    ],
)
def test_tail_dependence_is_the_limit_along_the_diagonal(family, parameters, lower, upper):
    copula = BivariateCopula(family, parameters)
    assert copula.tail_dependence() == pytest.approx((lower, upper), rel=1e-12)
    near, far = 1e-12, 1 - 1e-6  # an upper tail is lost to rounding any farther out
    assert float(copula.cdf(near, near)) / near == pytest.approx(lower, abs=5e-3)
    assert float(1 - 2 * far + copula.cdf(far, far)) / 1e-6 == pytest.approx(upper, abs=5e-3)
    turned = BivariateCopula(family, parameters, 180)
    assert turned.tail_dependence() == pytest.approx((upper, lower))


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize(
    ("family", "parameters"), [("bb1", (0.36, 3.13)), ("bb5", (1.5, 0.8)), ("frank", (-4.0,))]
)
def test_samples_have_the_tau_of_their_copula(family, parameters, rotation):
    copula = BivariateCopula(family, parameters, rotation)
    u, v = copula.sample(3000, np.random.default_rng(rotation))
    # The standard deviation of tau at n = 3000 is below 0.0122.
    assert kendalltau(u, v).statistic == pytest.approx(copula.kendall_tau(), abs=0.045)
    for values in (u, v):
        assert np.abs(np.sort(values) - np.arange(3000) / 3000).max() < 0.04


def test_the_inverse_conditional_undoes_the_conditional():
    u, v = np.random.default_rng(3).uniform(0.02, 0.98, (2, 100))
    copula = BivariateCopula("bb8", (4.24, 0.6), 270)
    probability = copula.conditional_v_given_u(u, v)
    back = copula.inverse_conditional_v_given_u(u, probability)
    np.testing.assert_allclose(back, v, atol=1e-9)


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize(
    ("family", "parameters"),
    [("clayton", (8.0,)), ("joe", (6.0,)), ("bb1", (1.5, 3.0)), ("bb5", (1.5, 1.2))],
)
def test_inverse_conditionals_reach_into_the_corners(family, parameters, rotation):
    copula = BivariateCopula(family, parameters, rotation)
    u, p = (a.ravel() for a in np.meshgrid([0.003, 0.5, 0.997], [1e-5, 0.3, 0.7, 0.9999]))
    v = copula.inverse_conditional_v_given_u(u, p)
    assert ((v > 0) & (v < 1)).all()
    # A step of one unit in the last place of v may be a large step of the probability.
    below, above = (copula.conditional_v_given_u(u, v * (1 + e)) for e in (-4e-16, 4e-16))
    assert ((below <= p * (1 + 1e-9)) & (above >= p * (1 - 1e-9))).all()


def test_special_cases_are_their_nested_families():
    u, v = np.random.default_rng(2).random((2, 100))
    for family, parameters, nested, own in (
        ("bb1", (2.0, 1.0), "clayton", (2.0,)),
        ("bb8", (3.0, 1.0), "joe", (3.0,)),
        ("bb3", (1.0, 2.0), "clayton", (2.0,)),
        ("bb8", (1.0, 0.7), "independence", ()),
        ("frank", (1e-12,), "independence", ()),
        ("gumbel", (1.0,), "independence", ()),
    ):
        np.testing.assert_allclose(
            BivariateCopula(family, parameters).log_pdf(u, v),
            BivariateCopula(nested, own).log_pdf(u, v),
            rtol=1e-9,
            atol=1e-9,
        )


def test_every_family_is_looked_at():
    assert {family for family, _ in WHOLE} == set(COPULA_FAMILIES)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("banana", (1.0,)), "banana"),
        (("clayton", (-2.0,)), "theta of clayton"),
        (("bb1", (0.5,)), "wrong parameters for bb1"),
        (("bb8", (2.0, 1.5)), "delta of bb8"),
        (("joe", (2.0,), 45), "45"),
        (("gumbel", (float("nan"),)), "nan"),
    ],
)
def test_impossible_copulas_are_refused(arguments, told):
    with pytest.raises(SettingsError, match=told):
        BivariateCopula(*arguments)
