"""Joint densities against the recomputed Table 3 of the paper, and against simulation."""

import numpy as np
import pytest

from electrode_grains.distributions import BivariateCopula, JointDensity, Marginal

UNIT = (0.0, 1.0)
# Table 1 of Furat et al. 2021; convexity is the Gumbel law of minima, which alone gives the
# published mean, deviation and correlations.
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
