"""Descriptions of fits survive JSON and say what was left out."""

import json

import numpy as np
import pytest

from electrode_grains.datasets.results import plain
from electrode_grains.distributions import (
    Marginal,
    candidate_families,
    check_characteristic,
    fig8_panel,
    fit_characteristic,
    fit_pair,
)
from proofs import proves


def kept_in_json(record):
    """The record as it comes back from a file."""
    text = json.dumps(plain(record.to_dict()), allow_nan=False)
    return type(record).from_dict(json.loads(text))


@pytest.fixture(scope="module")
def diameters():
    distribution = Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600})
    return distribution.sample(300, np.random.default_rng(2))


@pytest.fixture(scope="module")
def described(diameters):
    return kept_in_json(
        fit_characteristic(diameters, *candidate_families("equivalent_diameter_nm"))
    )


def test_a_marginal_returns_from_json(described, diameters):
    assert described.support == (0.0, np.inf)
    distribution = described.distribution()
    best = described.candidates[0]
    assert distribution.log_pdf(diameters).sum() == pytest.approx(best.log_likelihood)
    assert best.mean == pytest.approx(diameters.mean(), rel=0.01)
    weights = [candidate.akaike_weight for candidate in described.candidates]
    assert sum(weights) == pytest.approx(1)


@proves("marginal_fits", "excluded_reason", "excluded_labels", oracle="closed form", by="counted")
def test_values_outside_the_support_are_counted_and_named():
    sphericity = np.r_[np.random.default_rng(1).beta(40, 7, 60), 1.03, 1.2, np.nan]
    labels = np.arange(100, 163)
    described = fit_characteristic(sphericity, ["beta", "normal"], (0.0, 1.0), labels)
    assert described.sample_size == 60
    assert described.excluded_count == 3
    assert described.excluded_labels == [160, 161, 162]
    assert "(0.0, 1.0)" in described.excluded_reason


def test_too_few_grains_are_described_without_a_winner():
    described = kept_in_json(fit_characteristic([0.8, 0.9], ["beta"], (0.0, 1.0)))
    assert described.best is None
    assert described.candidates[0].outcome == "insufficient"
    pair = kept_in_json(fit_pair([0.8, 0.9], [0.7, 0.6], described, described, ["clayton"], [0]))
    assert pair.best is None
    assert pair.candidates == []
    panel = fig8_panel(
        [0.8, 0.9], [0.7, 0.6], pair.model_copy(update={"x": "a", "y": "b"}), described, described
    )
    assert panel["density"] is None


def test_a_pair_returns_from_json_with_the_correlation_of_its_density(described, diameters):
    rng = np.random.default_rng(5)
    sphericity = np.clip(0.95 - diameters / 5000 + rng.normal(0, 0.02, diameters.size), 0.5, 0.999)
    other = kept_in_json(fit_characteristic(sphericity, ["beta", "normal"], (0.0, 1.0)))
    pair = kept_in_json(
        fit_pair(diameters, sphericity, described, other, ["frank", "gumbel"], [0, 90, 180, 270])
    )
    assert len(pair.candidates) == 5
    assert pair.pearson_r == pytest.approx(np.corrcoef(diameters, sphericity)[0, 1])
    assert pair.fitted_correlation == pytest.approx(pair.pearson_r, abs=0.1)
    assert pair.best.copula().kendall_tau() < 0
    named = pair.model_copy(update={"x": "equivalent_diameter_nm", "y": "sphericity"})
    panel = fig8_panel(diameters, sphericity, named, described, other, resolution=60)
    assert panel["density"].shape == (60, 60)
    inner = np.trapezoid(np.trapezoid(panel["density"], panel["x_grid"], axis=1), panel["y_grid"])
    assert 0.9 < inner < 1.001


def test_the_distribution_that_made_a_sample_is_not_rejected_and_another_is():
    rng = np.random.default_rng(4)
    distribution = Marginal("gamma", {"shape": 9.0, "scale": 50.0})
    sample = distribution.sample(250, rng)
    for families, low, high in ((["gamma"], 0.05, 1.0), (["weibull"], 0.0, 0.1)):
        described = fit_characteristic(sample, families, (0.0, np.inf))
        tested = check_characteristic(sample, described, 39, rng)
        assert low <= tested.p_values["anderson_darling"] <= high
        assert tested.replicates > 30


def test_standard_errors_stand_beside_the_parameters(described):
    for candidate in described.candidates:
        assert set(candidate.standard_errors) == set(candidate.parameters)
    (distribution,) = (c for c in described.candidates if c.family == "inverse_gaussian")
    # Of a mean: the standard deviation over the root of the sample size.
    assert distribution.standard_errors["mu"] == pytest.approx(
        distribution.std / 300**0.5, rel=0.01
    )


def test_a_distribution_of_infinite_variance_does_not_win():
    """A power distribution beyond a cut, which Burr's family reaches in its limit."""
    u = (np.arange(150) + 0.5) / 150
    sample = 990 * (1 - u) ** (-1 / 1.8)
    described = fit_characteristic(sample, ["burr_xii", "lognormal"], (0.0, np.inf))
    assert described.best == "lognormal"
    (burr,) = (c for c in described.candidates if c.family == "burr_xii")
    assert burr.outcome == "inadmissible"
    assert "standard deviation is infinite" in burr.reason
    assert burr.aic is None


def angles_with_a_lump(count, rng):
    """Uniform directions, some of which lie close together."""
    lump = rng.normal(1.9, 0.1, count)
    return np.concatenate([rng.uniform(-np.pi, np.pi, 470), lump])


@pytest.mark.parametrize(("count", "outcome"), [(15, "inadmissible"), (120, "converged")])
def test_a_mixture_needs_enough_grains_in_each_component(count, outcome):
    sample = angles_with_a_lump(count, np.random.default_rng(8))
    described = fit_characteristic(sample, *candidate_families("azimuthal_angle"))
    fits = {fit.family: fit for fit in described.candidates}
    mixture = fits["von_mises_mixture"]
    assert mixture.outcome == outcome
    assert ("of its components stands for" in mixture.reason) == (outcome == "inadmissible")
    assert (described.best == "von_mises_mixture") == (outcome == "converged")
