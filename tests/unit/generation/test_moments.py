from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from electrode_grains.errors import ComputationError, SettingsError
from electrode_grains.generation import PUBLISHED, ShapeMoments
from electrode_grains.generation.moments import CHARACTERISTICS, nearest_correlations


def table(count=60, seed=0):
    rng = np.random.default_rng(seed)
    columns = {name: rng.uniform(0.2, 0.9, count) for name in CHARACTERISTICS}
    return pd.DataFrame({**columns, "touches_window": np.arange(count) % 3 == 0})


def test_moments_are_those_of_whole_grains():
    grains = table()
    whole = grains.loc[~grains["touches_window"], list(CHARACTERISTICS)].to_numpy()
    found = ShapeMoments.of_table(grains)
    assert found.grain_count == 40
    np.testing.assert_allclose(list(found.means.values()), whole.mean(axis=0))
    np.testing.assert_allclose(list(found.stds.values()), whole.std(axis=0, ddof=1))
    np.testing.assert_allclose(found.correlation_matrix(), np.corrcoef(whole.T))
    assert ShapeMoments.from_dict(found.to_dict()) == found


def test_few_grains_have_no_moments():
    with pytest.raises(ComputationError, match="found:    10"):
        ShapeMoments.of_table(table(15))


def test_the_paper_s_moments_are_possible():
    assert PUBLISHED.checked() is PUBLISHED
    assert not PUBLISHED.deviations(PUBLISHED).any()


def test_deviations_count_what_is_met():
    more = {name: 1.05 * value for name, value in PUBLISHED.means.items()}
    other = {**PUBLISHED.correlations, "sphericity ~ convexity": 0.82}
    away = replace(PUBLISHED, means=more, correlations=other).deviations(PUBLISHED)
    np.testing.assert_allclose(away, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        # A quantity in (0, 1) of mean m varies by sqrt(m (1 - m)) at most.
        ({"stds": {**PUBLISHED.stds, "sphericity": 0.4}}, "at most 0.357"),
        ({"means": {**PUBLISHED.means, "convexity": 1.2}}, "convexity"),
        ({"stds": {**PUBLISHED.stds, "equivalent_diameter_nm": 0.0}}, "equivalent_diameter_nm"),
        (
            {
                "correlations": {
                    **PUBLISHED.correlations,
                    "equivalent_diameter_nm ~ convexity": 0.6,
                }
            },
            "such as",
        ),
    ],
)
def test_impossible_moments_are_refused_with_what_can_be(change, message):
    with pytest.raises(SettingsError, match=message):
        replace(PUBLISHED, **change).checked()


def test_near_correlations_are_possible():
    matrix = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    near = nearest_correlations(matrix)
    assert np.linalg.eigvalsh(near).min() > 0
    np.testing.assert_allclose(np.diag(near), 1)
    positive = np.array([[1, 0.5], [0.5, 1]])
    np.testing.assert_allclose(nearest_correlations(positive), positive)


def test_pairs_that_contradict_each_other_are_moved_to_the_nearest_that_do_not():
    wrong = {**PUBLISHED.correlations, "equivalent_diameter_nm ~ convexity": 0.6}
    moved = replace(PUBLISHED, correlations=wrong).consistent()
    assert moved.checked() is moved
    np.testing.assert_allclose(np.diag(moved.correlation_matrix()), 1)
    away = {pair: abs(moved.correlations[pair] - r) for pair, r in wrong.items()}
    assert 0 < max(away.values()) < 0.5
    assert PUBLISHED.consistent() is PUBLISHED
