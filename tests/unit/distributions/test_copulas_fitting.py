"""Fits of copulas reach the maximum, and refuse what cannot be fitted."""

import numpy as np
import pytest
import pyvinecopulib

from electrode_grains.distributions import BivariateCopula, fit_copula, select_copula
from electrode_grains.errors import InputError, SettingsError
from proofs import proves

LAWS = [
    ("ali_mikhail_haq", (0.7,)),
    ("clayton", (1.5,)),
    ("frank", (-5.0,)),
    ("gumbel", (2.0,)),
    ("joe", (1.6,)),
    ("bb1", (0.36, 3.13)),
    ("bb8", (4.24, 0.6)),
    ("bb3", (1.4, 0.5)),
    ("bb5", (1.5, 0.8)),
    ("gaussian", (-0.5,)),
    ("student", (0.3, 5.0)),
    ("independence", ()),
]


def sample(family, parameters, rotation=0, n=300, seed=0):
    return BivariateCopula(family, parameters, rotation).sample(n, np.random.default_rng(seed))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize(("family", "parameters"), LAWS)
def test_no_fit_is_below_the_likelihood_of_the_truth(family, parameters, rotation):
    for seed in range(3):
        u, v = sample(family, parameters, rotation, seed=seed)
        fit = fit_copula(u, v, family, rotation)
        truth = BivariateCopula(family, parameters, rotation).log_pdf(u, v).sum()
        assert fit.outcome in ("converged", "at_bound")
        assert fit.log_likelihood >= truth - 1e-6


@pytest.mark.parametrize("data", ["gumbel", "joe", "bb1", "bb8"])
@pytest.mark.parametrize("family", ["clayton", "gumbel", "joe", "bb1", "bb8"])
@proves(
    "copula_fits",
    "parameters",
    "parameter_count",
    "log_likelihood",
    oracle="another program",
    by="pyvinecopulib",
)
def test_no_fit_is_below_that_of_vinecopulib(data, family):
    u, v = sample(data, dict(LAWS)[data], n=500, seed=7)
    peer = pyvinecopulib.Bicop(family=getattr(pyvinecopulib.BicopFamily, family))
    peer.fit(np.column_stack([u, v]))
    ours = fit_copula(u, v, family).log_likelihood
    assert ours >= peer.loglik(np.column_stack([u, v])) - 1e-3


def test_a_misspecified_family_reaches_its_own_maximum():
    u, v = sample("gumbel", (2.0,), n=500, seed=11)
    fit = fit_copula(u, v, "clayton")
    grid = np.linspace(0.05, 5, 2000)
    best = max(BivariateCopula("clayton", (t,)).log_pdf(u, v).sum() for t in grid)
    assert fit.log_likelihood >= best - 1e-9
    assert fit.log_likelihood == pytest.approx(best, abs=0.01)


def test_a_maximum_close_to_the_end_of_a_range_is_found():
    true = BivariateCopula("bb8", (4.24, 0.6), 270)
    u, v = true.sample(239, np.random.default_rng([239, 1]))
    fit = fit_copula(u, v, "ali_mikhail_haq", 270)
    grid = np.linspace(-1, 1, 4001)
    best = max(BivariateCopula("ali_mikhail_haq", (t,), 270).log_pdf(u, v).sum() for t in grid)
    assert fit.log_likelihood >= best - 1e-9
    assert 0.9 < fit.parameters[0] < 0.99


@pytest.mark.parametrize(
    ("family", "parameters", "rotation"),
    [("bb1", (0.36, 3.13), 180), ("bb8", (4.24, 0.6), 270), ("frank", (-6.0,), 0)],
)
def test_a_large_sample_gives_the_parameters_back(family, parameters, rotation):
    u, v = sample(family, parameters, rotation, n=4000, seed=3)
    fit = fit_copula(u, v, family, rotation)
    assert fit.parameters == pytest.approx(parameters, rel=0.25)
    assert fit.model.kendall_tau() == pytest.approx(
        BivariateCopula(family, parameters, rotation).kendall_tau(), abs=0.03
    )


def test_the_true_family_and_rotation_win_by_aic():
    u, v = sample("clayton", (2.0,), 90, n=1000, seed=5)
    candidates = select_copula(u, v)
    assert (candidates[0].family, candidates[0].model.rotation) in {
        ("clayton", 90),
        ("bb1", 90),  # holds Clayton as its limit, at the price of a parameter
        ("bb3", 90),
    }
    aics = [fit.aic for fit in candidates if fit.is_ranked]
    assert aics == sorted(aics)


def test_nine_families_in_four_rotations_and_independence_are_34_models():
    u, v = sample("gaussian", (0.5,), n=60)
    candidates = select_copula(u, v)
    assert len(candidates) == 34
    assert sum(fit.family == "frank" for fit in candidates) == 1


def test_a_nested_family_shows_as_a_parameter_at_its_limit():
    u, v = sample("clayton", (2.0,), n=800, seed=2)
    reported = [
        fit_copula(*sample("clayton", (2.0,), n=800, seed=seed), "bb1") for seed in range(6)
    ]
    held = [fit for fit in reported if fit.outcome == "at_bound"]
    assert held
    assert all("delta = 1" in fit.reason for fit in held)
    clayton = fit_copula(u, v, "clayton").log_likelihood
    assert fit_copula(u, v, "bb1").log_likelihood >= clayton - 1e-3


def test_independent_data_hold_every_family_near_independence():
    u, v = np.random.default_rng(8).random((2, 2000))
    for fit in select_copula(u, v):
        assert abs(fit.model.kendall_tau()) < 0.06
        assert fit.log_likelihood >= -1e-3  # independence is their limit


@proves("copula_fits", "outcome", "reason", oracle="closed form", by="constant and too few values")
def test_what_cannot_be_fitted_says_why():
    u, v = np.random.default_rng(0).random((2, 29))
    few = fit_copula(u, v, "clayton")
    assert (few.outcome, few.is_ranked) == ("insufficient", False)
    assert "29 pairs" in few.reason
    constant = fit_copula(np.full(50, 0.5), np.linspace(0.1, 0.9, 50), "clayton")
    assert constant.outcome == "degenerate"
    with pytest.raises(InputError, match="2 values of u"):
        fit_copula([0.2, 0.0, 1.0], [0.5, 0.5, 0.5], "clayton")
    with pytest.raises(InputError, match=r"\(3,\) and \(2,\)"):
        fit_copula([0.2, 0.3, 0.4], [0.5, 0.5], "clayton")
    with pytest.raises(SettingsError, match="banana"):
        fit_copula([0.2], [0.5], "banana")
