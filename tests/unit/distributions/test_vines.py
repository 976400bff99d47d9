"""Models of the dependence of several characteristics."""

import numpy as np
import pandas as pd
import pytest
import pyvinecopulib

from electrode_grains.distributions import (
    BivariateCopula,
    CopulaChoice,
    CopulaFits,
    Marginal,
    MarginalFits,
    compare_joint_models,
    derive_quantity,
    fit_characteristic,
    fit_pair,
    implied_density,
    joint_density_of,
    specific_surface_area,
)
from electrode_grains.distributions.vines import GaussianDependence, PairTree

NAMES = ["d", "s", "c"]
FAMILIES, ROTATIONS = ("clayton", "gumbel", "frank"), (0, 90, 180, 270)


def three(n=400, seed=0):
    """A vine with dependence in its second tree: u1 and u3 given u2."""
    rng = np.random.default_rng(seed)
    u2, a, b = rng.random((3, n))
    first, second = BivariateCopula("clayton", (3.0,)), BivariateCopula("gumbel", (2.0,))
    inner = BivariateCopula("frank", (-14.0,))
    a, b = a, inner.inverse_conditional_v_given_u(a, b)
    u1 = first.inverse_conditional_v_given_u(u2, a)
    u3 = second.inverse_conditional_v_given_u(u2, b)
    return np.column_stack([u1, u2, u3])


def test_a_gaussian_copula_has_the_density_of_vinecopulib():
    u = np.random.default_rng(1).random((50, 2))
    ours = GaussianDependence(np.array([[1, 0.7], [0.7, 1]])).log_likelihood(u)
    peer = pyvinecopulib.Bicop(
        family=pyvinecopulib.BicopFamily.gaussian, parameters=np.array([[0.7]])
    )
    assert ours == pytest.approx(peer.loglik(u), rel=1e-9)


def test_a_tree_keeps_the_strongest_pairs_and_draws_them_again():
    u = three(800)
    tree = PairTree.fit(u, FAMILIES, ROTATIONS)
    assert {frozenset(edge[:2]) for edge in tree.edges} == {frozenset((0, 1)), frozenset((1, 2))}
    again = PairTree.fit(tree.sample(3000, np.random.default_rng(2)), FAMILIES, ROTATIONS)
    for (_, _, one), (_, _, other) in zip(tree.edges, again.edges, strict=True):
        assert other.kendall_tau() == pytest.approx(one.kendall_tau(), abs=0.05)


def described(seed=0, n=400):
    u = three(n, seed)
    distributions = [Marginal("normal", {"mu": mu, "sigma": 1.0}) for mu in (5.0, 0.0, -3.0)]
    sample = pd.DataFrame(
        {
            name: distribution.quantile(column)
            for name, distribution, column in zip(NAMES, distributions, u.T, strict=True)
        }
    )
    fits = {name: fit_characteristic(sample[name], ["normal"], None) for name in NAMES}
    return sample, fits


def test_a_vine_wins_where_the_second_tree_is_dependent():
    sample, fits = described()
    compared = compare_joint_models(sample, fits, FAMILIES, ROTATIONS, np.random.default_rng(3))
    models = compared.models
    assert models["vine"].aic < models["gaussian"].aic - 10
    assert models["vine"].aic < models["pairwise"].aic - 10
    assert models["vine"].energy_distance < models["pairwise"].energy_distance
    assert compared.sample_size == 400
    assert any("Frank" in line for line in compared.vine_structure)


def test_without_vinecopulib_the_other_models_are_compared(monkeypatch):
    monkeypatch.setattr("electrode_grains.distributions.vines.find_spec", lambda name: None)
    sample, fits = described(n=120)
    compared = compare_joint_models(sample, fits, FAMILIES, ROTATIONS, np.random.default_rng(3))
    assert set(compared.models) == {"gaussian", "pairwise"}
    assert compared.vine_structure is None


def test_too_few_grains_and_missing_marginals_are_derived():
    sample, fits = described(n=59)
    rng = np.random.default_rng(3)
    few = compare_joint_models(sample, fits, FAMILIES, ROTATIONS, rng)
    assert few.models == {}
    assert "59 grains" in few.reason
    missing = compare_joint_models(
        sample, {**fits, "s": fits["s"].model_copy(update={"best": None})}, FAMILIES, ROTATIONS, rng
    )
    assert missing.reason.endswith("fitted to s")


def test_a_derived_quantity_stands_beside_that_of_the_grains():
    rng = np.random.default_rng(0)
    u, v = BivariateCopula("frank", (-6.0,)).sample(600, rng)
    d = Marginal("lognormal", {"mu": 6.2, "sigma": 0.3}).quantile(u)
    s = Marginal("beta", {"a": 40.0, "b": 7.0}).quantile(v)
    marginals = {
        "d": fit_characteristic(d, ["lognormal"], (0, np.inf)),
        "s": fit_characteristic(s, ["beta"], (0.0, 1.0)),
    }
    fits = MarginalFits(characteristics=marginals)
    pair = fit_pair(s, d, marginals["s"], marginals["d"], ["frank"], [0])
    best = CopulaChoice(family="frank", parameters=[-6.0], rotation=0)
    pair = pair.model_copy(update={"x": "s", "y": "d", "best": best})
    joint = joint_density_of("d", "s", fits, CopulaFits(pairs=[pair]))
    derived = derive_quantity(specific_surface_area, d, s, joint)
    assert derived.fitted.mean == pytest.approx(derived.empirical.mean, rel=0.02)
    assert derived.fitted.std == pytest.approx(derived.empirical.std, rel=0.1)
    assert derived.kolmogorov_smirnov < 1.36 / np.sqrt(600)
    independent = joint_density_of("d", "s", fits, CopulaFits(pairs=[]))
    assert derive_quantity(specific_surface_area, d, s, independent).copula == "independence"
    x, density = implied_density(specific_surface_area, joint)
    assert np.trapezoid(density, x) == pytest.approx(1, abs=0.02)
    unfitted = CopulaFits(pairs=[pair.model_copy(update={"best": None})])
    assert joint_density_of("d", "s", fits, unfitted) is None
    assert implied_density(specific_surface_area, None)[0].size == 0
