"""Compiled exponentials and logarithms, against NumPy in extended precision."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from electrode_grains.distributions import elementary

EDGES = [0.0, -0.0, 1.0, -1.0, 5e-324, 1e-310, -1e-310, 709.78, 710.0, -708.5, -745.5, 1e300]
INFINITE = [np.inf, -np.inf, np.nan]


def _values(name: str) -> np.ndarray:
    rng = np.random.default_rng(4)
    wide = np.concatenate(
        [scale * rng.standard_normal(2000) for scale in (1e-12, 1e-3, 1, 30, 300)]
    )
    if name == "log":
        wide = np.exp(np.clip(wide, -700, 700))
    if name == "log1p":
        wide = np.concatenate([np.abs(wide), -rng.random(2000), 1e-8 * rng.random(200) - 1])
    return np.concatenate([wide, EDGES, INFINITE])


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p"])
def test_values_are_within_two_units_in_the_last_place(name):
    function = getattr(elementary, name)

    @njit(error_model="numpy")
    def loop(values, out):
        for k in range(values.size):
            out[k] = function(values[k])

    values = _values(name)
    out = np.empty_like(values)
    loop(values, out)
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(values.astype(np.longdouble))
        rounded = exact.astype(float)
    usual = np.isfinite(rounded) & (np.abs(rounded) > 1e-300)
    units = np.abs((out[usual] - exact[usual]) / np.spacing(rounded[usual]))
    assert units.max() < 2
    assert out[~usual] == pytest.approx(rounded[~usual], rel=0, abs=1e-300, nan_ok=True)
