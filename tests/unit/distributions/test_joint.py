"""Joint densities against the recomputed Table 3 of the paper, and against simulation."""

import numpy as np
import pytest

from electrode_grains.distributions import (
    BivariateCopula,
    JointDensity,
    Marginal,
    candidate_families,
    select_copula,
    select_marginal,
)

UNIT = (0.0, 1.0)
# Table 1 of Furat et al. 2021; convexity is the Gumbel distribution of minima, which alone
# gives the published mean, deviation and correlations.
TABLE_1 = {
    "d": Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600}),
    "s": Marginal("beta", {"a": 40.1, "b": 7.2}),
    "c": Marginal("gumbel_minimum", {"mu": 0.82, "sigma": 0.048}, UNIT),
    "e": Marginal("generalized_extreme_value", {"k": -0.42, "mu": 0.72, "sigma": 0.086}, UNIT),
    "phi": Marginal(
        "gaussian_mixture", {"mu1": -1.7, "mu2": 1.6, "sigma1": 1, "sigma2": 0.8, "lambda": 0.4}
    ),
    "theta": Marginal("sine", {}),
}
CHARACTERISTICS = {
    "d": "equivalent_diameter_nm",
    "s": "sphericity",
    "c": "convexity",
    "e": "elongation",
    "phi": "azimuthal_angle",
    "theta": "polar_angle",
}
# Table 4, and the correlations that its densities really have (printed ones are rounded).
TABLE_4 = [
    ("d", "s", "bb8", (4.24, 0.6), 270, -0.459527),
    ("d", "c", "bb8", (2.7, 0.7), 270, -0.351115),
    ("s", "c", "bb1", (0.36, 3.13), 180, 0.911315),
    ("s", "e", "bb1", (0.47, 1.47), 0, 0.656900),
    ("c", "e", "bb8", (5.6, 0.52), 180, 0.492977),
    ("theta", "phi", "bb8", (1.1, 0.82), 270, -0.034560),
]


def joint(x, y, family, parameters, rotation):
    return JointDensity(TABLE_1[x], TABLE_1[y], BivariateCopula(family, parameters, rotation))


@pytest.mark.parametrize(("x", "y", "family", "parameters", "rotation", "expected"), TABLE_4)
def test_correlations_of_table_3(x, y, family, parameters, rotation, expected):
    correlation = joint(x, y, family, parameters, rotation).correlation()
    assert correlation == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("x", "y", "family", "parameters", "rotation", "expected"), TABLE_4[:4])
def test_a_sample_has_the_correlation_of_its_density(x, y, family, parameters, rotation, expected):
    drawn = joint(x, y, family, parameters, rotation).sample(20_000, np.random.default_rng(1))
    assert np.corrcoef(*drawn)[0, 1] == pytest.approx(expected, abs=0.02)
    assert drawn[0].mean() == pytest.approx(TABLE_1[x].mean(), rel=0.02)
    assert drawn[1].std() == pytest.approx(TABLE_1[y].std(), rel=0.04)


def test_the_density_integrates_to_one():
    density = joint(*TABLE_4[1][:5])
    d, s = np.linspace(60, 2000, 1500), np.linspace(0.3, 0.99999, 1500)
    total = np.trapezoid(np.trapezoid(density.pdf(d[:, None], s), s, axis=1), d)
    assert total == pytest.approx(1, abs=2e-3)


def test_the_density_is_zero_outside_the_support():
    density = joint(*TABLE_4[2][:5])
    assert density.pdf([0.5, 0.5, 1.2], [-0.1, 1.0001, 0.5]).tolist() == [0, 0, 0]


def test_independence_makes_the_product_of_the_marginals():
    density = JointDensity(TABLE_1["d"], TABLE_1["s"], BivariateCopula("independence"))
    d, s = np.array([300.0, 500.0]), np.array([0.8, 0.9])
    product = TABLE_1["d"].pdf(d) * TABLE_1["s"].pdf(s)
    np.testing.assert_allclose(density.pdf(d, s), product)
    assert density.correlation() == pytest.approx(0, abs=1e-9)


def test_push_forward_gives_the_specific_surface_of_grains():
    """E[6 / (d s)] of independent d and s is 6 E[1/d] E[1/s], both known in closed form."""
    density = JointDensity(TABLE_1["d"], TABLE_1["s"], BivariateCopula("independence"))
    surface = density.push_forward(lambda d, s: 6 / (d * s))
    inverse_d = 1 / 513.8 + 1 / 4600  # inverse Gaussian
    inverse_s = (40.1 + 7.2 - 1) / (40.1 - 1)  # beta
    assert surface.mean() == pytest.approx(6 * inverse_d * inverse_s, rel=5e-3)
    assert surface.quantile(0.1) < surface.mean() < surface.quantile(0.9)
    assert surface.cdf(surface.quantile([0.1, 0.5])) == pytest.approx([0.1, 0.5], abs=1e-4)
    again = density.push_forward(lambda d, s: 6 / (d * s))
    assert again.mean() == surface.mean()


def test_without_a_finite_variance_there_is_no_correlation():
    heavy = Marginal("log_logistic", {"scale": 500.0, "shape": 1.5})
    density = JointDensity(heavy, TABLE_1["s"], BivariateCopula("frank", (-3.0,)))
    assert np.isnan(density.correlation())


@pytest.mark.parametrize(("x", "y", "family", "parameters", "rotation", "expected"), TABLE_4[:5])
def test_conditional_means_and_quantiles_are_those_of_the_conditional_density(
    x, y, family, parameters, rotation, expected
):
    density = joint(x, y, family, parameters, rotation)
    known = float(TABLE_1[x].quantile(0.8))
    grid = TABLE_1[y].quantile(np.linspace(1e-9, 1 - 1e-9, 40_001))
    values = density.conditional_pdf(grid, known)
    assert np.trapezoid(values, grid) == pytest.approx(1, abs=3e-4)
    mean = np.trapezoid(grid * values, grid)
    assert float(density.conditional_mean(known)) == pytest.approx(mean, rel=5e-4)
    below = grid <= density.conditional_quantile(0.3, known)
    assert np.trapezoid(values[below], grid[below]) == pytest.approx(0.3, abs=2e-3)


def test_the_mean_of_conditional_means_is_the_mean():
    density = joint(*TABLE_4[3][:5])
    drawn = TABLE_1["s"].sample(4000, np.random.default_rng(0))
    means = density.conditional_mean(drawn)
    # four standard errors of a mean of 4000
    assert means.mean() == pytest.approx(TABLE_1["e"].mean(), abs=4 * means.std() / 4000**0.5)


def test_swapping_exchanges_the_characteristics():
    density = joint(*TABLE_4[0][:5])
    d, s = np.array([300.0, 700.0]), np.array([0.8, 0.9])
    np.testing.assert_allclose(density.swapped().pdf(s, d), density.pdf(d, s))
    np.testing.assert_allclose(
        density.swapped().conditional_pdf(d, s) * TABLE_1["s"].pdf(s), density.pdf(d, s)
    )
    assert density.swapped().copula.rotation == 90


def test_a_credible_region_holds_its_probability():
    density = joint(*TABLE_4[2][:5])
    level = density.credible_level(0.9)
    drawn = density.sample(20_000, np.random.default_rng(7))
    # four standard deviations of both samples
    assert np.mean(density.pdf(*drawn) >= level) == pytest.approx(0.9, abs=0.011)
    assert density.credible_level(0.5) > level


def test_a_heavy_tail_has_no_conditional_mean():
    heavy = Marginal("log_logistic", {"scale": 500.0, "shape": 1.5})
    density = JointDensity(TABLE_1["s"], heavy, BivariateCopula("frank", (-3.0,)))
    assert np.isnan(density.conditional_mean([0.7, 0.9])).all()


@pytest.mark.parametrize(("x", "y", "family", "parameters", "rotation", "expected"), TABLE_4)
def test_the_joint_model_of_the_paper_is_recovered(x, y, family, parameters, rotation, expected):
    """n = 1000: the family within two units of AIC, parameters within three errors.

    Of 30 seeds the marginal is within two units in 77 to 100 %, the copula in 77 to 100 % but
    for (theta, phi), 30 %: that pair is all but independent. All hold at this seed.
    """
    pair = joint(x, y, family, parameters, rotation).sample(1000, np.random.default_rng(1))
    levels = []
    for name, values in zip((x, y), pair, strict=True):
        distribution = TABLE_1[name]
        fits = select_marginal(values, *candidate_families(CHARACTERISTICS[name]))
        own = next(fit for fit in fits if fit.family == distribution.family)
        assert own.aic - fits[0].aic < 2
        for key, true in distribution.parameters.items():
            assert abs(own.parameters[key] - true) < 3 * own.standard_errors[key]
        levels.append(np.clip(own.model.cdf(values), 1e-9, 1 - 1e-9))
    fits = select_copula(*levels)
    own = next(fit for fit in fits if (fit.family, fit.model.rotation) == (family, rotation))
    assert own.aic - fits[0].aic < 2
    if own.outcome == "converged":
        for error, value, true in zip(
            own.standard_errors.values(), own.parameters, parameters, strict=True
        ):
            assert abs(value - true) < 3 * error
