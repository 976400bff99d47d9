"""Comparison of simulated particles whose differences are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from electrode_grains.errors import InputError
from electrode_grains.study import (
    PoolSettings,
    compare_study,
    fit_study,
    group_test,
    kendall_tau,
    particle_statistics,
)

SETTINGS = PoolSettings(characteristics=("sphericity", "elongation"), replicates=199)


def simulate(count=24, grains=200, between=0.0, seed=0):
    """Particles whose mean sphericity scatters by `between`; their elongation does not."""
    rng = np.random.default_rng(seed)
    return {
        f"p{number:02d}": {
            "sphericity": rng.normal(0.7 + rng.normal(0, between), 0.05, grains),
            "elongation": rng.normal(0.5, 0.1, grains),
        }
        for number in range(count)
    }


def row(table, subject, kind="mean"):
    return table[(table["subject"] == subject) & (table["kind"] == kind)].iloc[0]


@pytest.fixture(scope="module")
def spread_particles():
    return simulate(between=0.03, seed=2)


@pytest.fixture(scope="module")
def compared(spread_particles):
    batches = {name: "AB"[number % 2] for number, name in enumerate(spread_particles)}
    return compare_study(spread_particles, {"batch": batches}, SETTINGS)


def test_spread_between_and_within_are_the_simulated_ones(compared):
    sphericity = row(compared.spread, "sphericity")
    assert sphericity["between_low"] < 0.03 < sphericity["between_high"]
    assert sphericity["within"] == pytest.approx(0.05, rel=0.03)
    true_share = 0.03**2 / (0.03**2 + 0.05**2)
    low, high = sphericity[["intraclass_correlation_low", "intraclass_correlation_high"]]
    assert low < true_share < high
    # 4,800 grains are worth hardly more than 24 particles: 24 / share in the limit of many grains.
    assert 24 < sphericity["effective_grain_count"] < 24 / true_share * 3


def test_what_does_not_scatter_has_no_spread_between_particles(compared):
    elongation = row(compared.spread, "elongation")
    assert elongation["between"] < 0.01
    assert elongation["heterogeneity_p_value"] > 0.01
    assert elongation["effective_grain_count"] > 1000


def test_the_spread_is_that_of_a_mixed_model(spread_particles):
    import statsmodels.formula.api as formula

    table = pd.concat(
        pd.DataFrame({"particle": name, "y": 100 * columns["sphericity"]})
        for name, columns in spread_particles.items()
    )
    model = formula.mixedlm("y ~ 1", table, groups=table["particle"]).fit(reml=True)
    found = row(compare_study(spread_particles, {}, SETTINGS).spread, "sphericity")
    assert 100 * found["mean"] == pytest.approx(model.fe_params["Intercept"], rel=1e-3)
    assert 1e4 * found["between"] ** 2 == pytest.approx(float(model.cov_re.iloc[0, 0]), rel=0.02)
    assert 1e4 * found["within"] ** 2 == pytest.approx(model.scale, rel=0.02)


def test_a_particle_is_named_with_what_it_differs_in():
    grains = simulate(between=0.01, seed=3)
    rng = np.random.default_rng(1)
    grains["p05"]["sphericity"] = rng.normal(0.8, 0.05, 200)
    grains["p11"]["elongation"] = rng.normal(0.5, 0.2, 200)
    found = compare_study(grains, {}, SETTINGS).statistics
    unusual = found.loc[found["unusual"], ["particle", "subject", "kind"]]
    assert sorted(map(tuple, unusual.to_numpy())) == [
        ("p05", "sphericity", "mean"),
        ("p11", "elongation", "spread"),
    ]


def test_groups_that_were_drawn_at_random_do_not_differ(compared):
    assert compared.groups["adjusted_p_value"].min() > 0.05


def test_a_group_with_other_particles_is_found():
    grains = simulate(between=0.01, seed=4)
    cycles = {name: str(10 * (number // 6)) for number, name in enumerate(grains)}
    for name, columns in grains.items():
        columns["sphericity"] = columns["sphericity"] + 0.001 * float(cycles[name])
    found = compare_study(grains, {"cycle": cycles}, SETTINGS)
    trend = row(found.groups, "sphericity")
    assert trend["test"] == "trend"
    assert trend["adjusted_p_value"] < 0.05
    assert trend["effect"] > 0.6
    levels = found.levels[
        (found.levels["subject"] == "sphericity") & (found.levels["kind"] == "mean")
    ]
    assert levels["level"].tolist() == ["0", "10", "20", "30"]
    assert levels["mean"].is_monotonic_increasing


def test_p_values_of_groups_are_uniform_though_particles_scatter_beyond_their_grains():
    """The level of a test by particle; by grain nearly every one of these would be significant."""
    rng = np.random.default_rng(9)
    levels = ["a", "b"] * 6
    p = [
        group_test(rng.normal(0, 1, 12), np.full(12, 0.01), 1.0, levels, replicates=199, rng=rng)
        for _ in range(300)
    ]
    share = np.mean([each.p_value <= 0.05 for each in p])
    assert 0.02 <= share <= 0.085  # 0.05 with a standard error of 0.0126


def test_the_order_of_particles_does_not_matter(spread_particles):
    turned = dict(reversed(spread_particles.items()))
    first = compare_study(spread_particles, {}, SETTINGS).spread.set_index(["subject", "kind"])
    second = compare_study(turned, {}, SETTINGS).spread.set_index(["subject", "kind"])
    for column in ("mean", "between", "within"):
        np.testing.assert_allclose(first[column], second[column], rtol=1e-9)


def test_particles_with_few_grains_are_named_and_left_out(spread_particles):
    few = {name: column[:7] for name, column in spread_particles["p00"].items()}
    found = compare_study({**spread_particles, "small": few}, {}, SETTINGS)
    assert found.omitted == {"small": "7 whole grains, 30 are needed"}
    assert "small" not in set(found.statistics["particle"])
    with pytest.raises(InputError, match="too few particles"):
        compare_study({"small": few, "p00": spread_particles["p00"]}, {}, SETTINGS)


def test_kendalls_tau_and_its_error():
    rng = np.random.default_rng(5)
    x = rng.normal(size=300)
    y = np.round(x + rng.normal(size=300), 1)  # with ties
    tau, error = kendall_tau(x, y)
    assert tau == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)
    draws = (rng.integers(300, size=300) for _ in range(300))
    resampled = [kendalltau(x[draw], y[draw]).statistic for draw in draws]
    assert error == pytest.approx(np.std(resampled), rel=0.15)


def test_errors_of_mean_and_spread_are_those_of_repeated_samples():
    rng = np.random.default_rng(6)
    draws = [
        {each.kind: each for each in particle_statistics(
            {"x": rng.gamma(4.0, size=400)}, [], minimum_grains=5)}
        for _ in range(400)
    ]  # fmt: skip
    for kind in ("mean", "spread"):
        scatter = np.std([draw[kind].value for draw in draws])
        stated = np.mean([draw[kind].error for draw in draws])
        assert stated == pytest.approx(scatter, rel=0.12)


def test_quantiles_of_the_pool_have_intervals_by_particle(compared, spread_particles):
    everything = np.concatenate([each["sphericity"] for each in spread_particles.values()])
    table = compared.quantiles.set_index(["characteristic", "quantile"])
    median = table.loc[("sphericity", 0.5)]
    assert median["value"] == pytest.approx(np.median(everything))
    by_grain = 1.2533 * 0.058 / np.sqrt(len(everything))
    assert median["high"] - median["low"] > 5 * 2 * by_grain


def test_parameters_of_the_pool_are_those_of_its_particles(monkeypatch):
    rng = np.random.default_rng(7)
    grains = {
        f"p{number}": {"elongation": rng.beta(rng.normal(9.0, 1.0), 5.0, 250)}
        for number in range(8)
    }
    settings = PoolSettings(characteristics=("elongation",))
    monkeypatch.setattr(
        "electrode_grains.distributions.candidate_families",
        lambda name: (("beta", "normal", "beta_mixture"), (0.0, 1.0)),
    )
    pooled, by_particle = fit_study(grains, {}, settings)
    a = pooled.set_index("parameter").loc["a"]
    assert a["family"] == "beta"
    assert a["mean_low"] < 9.0 < a["mean_high"]
    assert 0.3 < a["between"] < 2.0
    own = by_particle[by_particle["parameter"] == "a"]
    assert len(own) == 8
    assert (own["value"] > 0).all()
