"""Exact derivatives of log-densities of copulas, against differences of the densities."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from electrode_grains.distributions import (
    COPULA_FAMILIES,
    BivariateCopula,
    fit_copula,
    register_family,
    unregister_family,
)
from electrode_grains.distributions.compiled_densities import compiled_rows
from electrode_grains.distributions.copula_likelihood import CopulaLikelihood

CASES = {
    "ali_mikhail_haq": ((0.6,), (-0.7,)),
    "clayton": ((0.05,), (3.0,), (20.0,)),
    "frank": ((0.01,), (-5.0,), (40.0,)),
    "gumbel": ((1.001,), (2.0,), (20.0,)),
    "joe": ((1.001,), (2.5,), (20.0,)),
    "bb1": ((0.05, 1.001), (0.36, 3.13), (5.0, 8.0)),
    "bb8": ((1.1, 0.82), (4.24, 0.6), (20.0, 0.05), (2.0, 0.999)),
    "bb3": ((1.01, 0.05), (1.8, 0.8), (6.0, 8.0)),
    "bb5": ((1.01, 0.1), (1.5, 0.8), (6.0, 4.0)),
}
EVERY = [(family, point) for family, points in CASES.items() for point in points]


def _rows(family: str, point: tuple[float, ...], u: np.ndarray, v: np.ndarray) -> np.ndarray:
    declared = COPULA_FAMILIES[family]
    assert declared.jets is not None
    rows = compiled_rows(declared.jets, len(point))
    return np.asarray(rows(declared.transform(u), declared.transform(v), point, u.size))


def _points() -> np.ndarray:
    inside = np.random.default_rng(3).random((2, 40))
    return np.hstack([inside, [[1e-6, 1e-4, 0.9999, 0.01], [2e-6, 0.9999, 0.99999, 0.5]]])


@pytest.mark.parametrize(("family", "point"), EVERY)
def test_gradients_are_differences_of_the_log_density(family, point):
    u, v = _points()
    density = COPULA_FAMILIES[family].log_density
    rows = _rows(family, point, u, v)
    for index in range(len(point)):
        step = 1e-5 * max(abs(point[index]), 1e-2)
        ends = [
            density(u, v, tuple(p + sign * step * (i == index) for i, p in enumerate(point)))
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / (2 * step)
        assert rows[1 + index] == pytest.approx(slope, rel=2e-4, abs=1e-5)


@pytest.mark.parametrize(("family", "point"), EVERY)
def test_hessians_are_differences_of_gradients(family, point):
    u, v = _points()
    size = len(point)
    _, *seconds = _rows(family, point, u, v)[size:]
    pairs = [(i, j) for i in range(size) for j in range(i, size)]
    for (i, j), second in zip(pairs, seconds, strict=True):
        step = 1e-5 * max(abs(point[j]), 1e-2)
        ends = [
            _rows(family, tuple(p + sign * step * (k == j) for k, p in enumerate(point)), u, v)
            for sign in (1, -1)
        ]
        slope = (ends[0][1 + i] - ends[1][1 + i]) / (2 * step)
        assert second == pytest.approx(slope, rel=2e-4, abs=1e-4)


@pytest.mark.parametrize(("family", "point"), EVERY)
def test_compiled_densities_are_those_of_numpy(family, point):
    u, v = _points()
    plain = COPULA_FAMILIES[family].log_density(u, v, point)
    assert _rows(family, point, u, v)[0] == pytest.approx(plain, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("family", CASES)
def test_a_grid_of_parameters_has_the_heights_of_its_points(family):
    declared = COPULA_FAMILIES[family]
    likelihood = CopulaLikelihood(declared, *_points())
    axes = [np.linspace(*ends, 5) for ends in zip(*likelihood.box, strict=True)]
    grid = np.array(np.meshgrid(*axes)).reshape(len(axes), -1).T
    density = partial(declared.log_density, *_points())
    single = [density(likelihood.parameters(point)).sum() for point in grid]
    finite = np.isfinite(single)
    assert finite.any()
    assert likelihood.heights(grid)[finite] == pytest.approx(np.array(single)[finite], rel=1e-12)
    assert [likelihood.climb(point) for point in grid] == pytest.approx(likelihood.heights(grid))


@pytest.mark.parametrize("family", ["clayton", "bb1", "bb8"])
def test_fits_with_exact_derivatives_end_where_differences_lead(family):
    u, v = BivariateCopula("bb1", (0.36, 3.13)).sample(300, np.random.default_rng(8))
    plain = replace(COPULA_FAMILIES[family], name="without_jets", jets=None)
    register_family(plain)
    try:
        by_differences = fit_copula(u, v, "without_jets")
    finally:
        unregister_family("without_jets")
    fit = fit_copula(u, v, family)
    assert fit.log_likelihood == pytest.approx(by_differences.log_likelihood, abs=1e-6)
    assert fit.parameters == pytest.approx(by_differences.parameters, rel=1e-4)
    errors = list((by_differences.standard_errors or {}).values())
    assert list((fit.standard_errors or {}).values()) == pytest.approx(errors, rel=1e-3)
