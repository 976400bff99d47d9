"""Random effects against a published meta-analysis, another library, and simulated particles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from electrode_grains.distributions import departures, random_effects, spread_interval
from electrode_grains.distributions.random_effects import draw_particles, estimate, interval
from electrode_grains.errors import InputError

# Vaccinated and control, with and without tuberculosis, of 13 trials (Colditz et al., JAMA 271
# (1994) 698-702), the standard example of meta-analysis.
BCG = np.array(
    [
        [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619],
        [33, 5036, 47, 5761], [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892],
        [29, 7470, 45, 7232], [17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338],
        [27, 16886, 29, 17825],
    ],
    float,
)  # fmt: skip


@pytest.fixture(scope="module")
def bcg():
    ill, well, control_ill, control_well = BCG.T
    ratio = np.log(ill / (ill + well)) - np.log(control_ill / (control_ill + control_well))
    variance = 1 / ill - 1 / (ill + well) + 1 / control_ill - 1 / (control_ill + control_well)
    return ratio, np.sqrt(variance)


def test_the_spread_of_trials_is_the_published_one(bcg):
    # Paule and Mandel's estimate as metafor and other programs give it, tau^2 = 0.318.
    found = random_effects(*bcg)
    assert found.between**2 == pytest.approx(0.318, abs=5e-4)
    assert found.mean == pytest.approx(-0.7150, abs=5e-4)
    assert found.heterogeneity_p_value < 1e-20  # Q = 152.23 on 12 degrees of freedom


def test_mean_spread_and_interval_are_those_of_statsmodels(bcg):
    values, errors = bcg
    other = combine_effects(values, errors**2, method_re="iterated", use_t=True)
    found = random_effects(values, errors)
    assert found.between**2 == pytest.approx(other.tau2, rel=1e-5)
    assert found.mean == pytest.approx(other.mean_effect_re, rel=1e-6)
    assert found.standard_error == pytest.approx(other.sd_eff_w_re_hksj, rel=1e-5)


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 3)), min_size=2, max_size=12),
    st.floats(0.01, 100),
    st.floats(-10, 10),
)
def test_units_and_origin_do_not_matter(pairs, scale, shift):
    values, errors = np.array(pairs).T
    first = random_effects(values, errors)
    second = random_effects(scale * values + shift, scale * errors)
    assert second.mean == pytest.approx(scale * first.mean + shift, abs=1e-5 * scale, rel=1e-5)
    assert second.between == pytest.approx(scale * first.between, abs=2e-4 * scale, rel=1e-4)


def test_the_generalized_sum_of_squares_is_the_degrees_of_freedom(bcg):
    values, errors = bcg
    found = random_effects(values, errors)
    weights = 1 / (errors**2 + found.between**2)
    assert np.sum(weights * (values - found.mean) ** 2) == pytest.approx(12, rel=1e-6)


def test_the_interval_of_the_mean_covers_it_for_few_particles():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        errors = rng.uniform(0.5, 2.0, 6)
        found = random_effects(rng.normal(0, 1.5, 6) + rng.normal(0, errors), errors)
        covered += found.low < 0 < found.high
    assert 0.92 <= covered / 400 <= 0.98  # 0.95 with a standard error of 0.011


def test_the_interval_of_the_spread_of_trials_is_the_published_one(bcg):
    # metafor's confint of the same trials: tau^2 from 0.1197 to 1.1115.
    low, high = np.square(spread_interval(*bcg))
    assert low == pytest.approx(0.1197, abs=1e-4)
    assert high == pytest.approx(1.1115, abs=1e-4)


def test_the_interval_of_the_spread_covers_it_for_few_particles():
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(400):
        errors = rng.uniform(0.3, 0.7, 6)
        low, high = spread_interval(rng.normal(0, 1.0, 6) + rng.normal(0, errors), errors)
        covered += low < 1.0 < high
    assert 0.92 <= covered / 400 <= 0.98  # 0.95 with a standard error of 0.011


def test_an_unusual_particle_is_judged_by_the_others_alone():
    rng = np.random.default_rng(5)
    errors = np.full(20, 0.1)
    values = rng.normal(0, 1.0, 20)
    values[7] = 9.0
    found = departures(values, errors)
    assert found.p_value[7] < 1e-6
    assert np.argmin(found.p_value) == 7
    assert found.others[7] == pytest.approx(np.delete(values, 7).mean(), abs=0.01)


def test_scatter_between_particles_makes_none_unusual_though_all_differ_by_their_grains():
    rng = np.random.default_rng(6)
    found = departures(rng.normal(0, 1.0, 40), np.full(40, 0.01))
    assert found.p_value.min() > 0.05 / 40
    assert np.median(found.grain_p_value) < 1e-6


def test_p_values_of_usual_particles_are_uniform():
    rng = np.random.default_rng(8)
    p = np.concatenate(
        [departures(rng.normal(0, 1.0, 15), np.full(15, 0.3)).p_value for _ in range(60)]
    )
    assert abs(np.mean(p < 0.05) - 0.05) < 0.025
    assert abs(np.mean(p < 0.5) - 0.5) < 0.06


def test_three_particles_are_too_few_to_call_one_unusual():
    assert np.isnan(departures([1.0, 2.0, 9.0], [0.1, 0.1, 0.1]).p_value).all()


def test_particles_without_error_or_number_are_refused():
    with pytest.raises(InputError, match="finite value"):
        random_effects([1.0, np.nan], [0.1, 0.1])
    with pytest.raises(InputError, match="two of them"):
        random_effects([1.0], [0.1])


@pytest.mark.parametrize("seed", range(4))
def test_the_test_of_equal_particles_and_the_interval_are_their_definitions(seed):
    rng = np.random.default_rng(seed)
    errors = rng.uniform(0.2, 2.0, 7)
    values = rng.normal(3, 0.6, 7) + rng.normal(0, errors)
    found = random_effects(values, errors)

    common = sum(y / s**2 for y, s in zip(values, errors, strict=True)) / (1 / errors**2).sum()
    q = sum((y - common) ** 2 / s**2 for y, s in zip(values, errors, strict=True))
    assert found.heterogeneity_p_value == pytest.approx(stats.chi2.sf(q, 6))
    other = combine_effects(values, errors**2, method_re="iterated", use_t=True)
    assert found.heterogeneity_p_value == pytest.approx(other.test_homogeneity().pvalue)
    half = stats.t.ppf(0.975, 6) * found.standard_error
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half))


@pytest.mark.parametrize("seed", range(4))
def test_resamples_count_a_particle_as_often_as_it_was_drawn(seed):
    rng = np.random.default_rng(seed)
    values, errors = rng.normal(0, 1.0, 6), rng.uniform(0.1, 0.8, 6)
    counts = draw_particles(6, 5, rng)
    assert (counts.sum(axis=1) == 6).all()
    means, spreads = estimate(values, errors, counts)
    for row, mean, spread in zip(counts.astype(int), means, spreads, strict=True):
        drawn = random_effects(np.repeat(values, row), np.repeat(errors, row))
        assert mean == pytest.approx(drawn.mean)
        assert spread == pytest.approx(drawn.between, abs=1e-9)
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))
    many = draw_particles(4, 4000, rng)
    assert many.mean(axis=0) == pytest.approx([1] * 4, abs=0.06)
    assert many.var(axis=0) == pytest.approx([0.75] * 4, abs=0.08)  # 4 x 1/4 x 3/4
