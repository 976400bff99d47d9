"""Rounded samples: the grid that values lie on, found from the values themselves.

A sample that was rounded, or counted in voxels, has ties, which a test against a continuous
distribution takes for misfit. What is compared with it is therefore rounded alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.pseudo_observations import tie_share

Array = NDArray[np.float64]
# Values are on a grid up to this share of its step, beside what floats cannot tell apart.
GRID_TOLERANCE = 1e-3
NOISE = 1e-11  # differences below it, beside the values, are floats that mean the same
# Volumes count voxels: diameters are on a grid after they are cubed.
POWERS = (1, 3)
LEAST_TIES = 0.05
# Rounding beyond this share of the standard deviation bends densities, not only tests.
COARSE = 0.25


@dataclass(frozen=True)
class Grid:
    """Values origin + k step of x to a power, with whole k.

    Attributes
    ----------
    step, origin : float
        Of the values to the power.
    power : int
        1 for rounded values, 3 for diameters of counted voxels.
    ties : float
        Share of the sample that equals another value.
    """

    step: float
    origin: float
    power: int
    ties: float

    def round(self, values: ArrayLike) -> Array:
        """Nearest values of the grid."""
        raised = np.asarray(values, dtype=float) ** self.power
        cells = np.round((raised - self.origin) / self.step)
        return self._root(self.origin + cells * self.step)

    def cells(self, values: ArrayLike) -> tuple[Array, Array]:
        """Ends of the intervals that are rounded to the values."""
        raised = np.asarray(values, dtype=float) ** self.power
        return self._root(raised - 0.5 * self.step), self._root(raised + 0.5 * self.step)

    def is_coarse(self, values: ArrayLike) -> bool:
        """Whether a cell is wide beside the spread of the values."""
        sample = np.asarray(values, dtype=float)
        low, high = self.cells(sample)
        return bool(np.median(high - low) > COARSE * sample.std())

    def _root(self, raised: Array) -> Array:
        if self.power == 1:
            return raised
        return np.asarray(np.sign(raised) * np.abs(raised) ** (1.0 / self.power))


def find_grid(sample: ArrayLike) -> Grid | None:
    """Find the grid that a sample was rounded to.

    Parameters
    ----------
    sample : array_like of float, shape (n,)

    Returns
    -------
    Grid or None
        None where fewer than a twentieth of the values are tied, or no step is common to all.

    Examples
    --------
    >>> find_grid(np.round(np.random.default_rng(0).beta(40, 7, 200), 2)).step
    0.01
    >>> find_grid(np.random.default_rng(0).beta(40, 7, 200)) is None
    True
    """
    values = np.asarray(sample, dtype=float)
    values = values[np.isfinite(values)]
    ties = tie_share(values)
    if ties < LEAST_TIES:
        return None
    for power in POWERS:
        unique = np.unique(values) ** power
        if unique.size < 3:
            return None
        step = _common_step(np.diff(unique), float(np.abs(unique).max()))
        if step is not None:
            origin = float(unique[0] - step * round(unique[0] / step))
            origin = origin if abs(origin) > 1e-6 * step else 0.0
            return Grid(float(f"{step:.9g}"), origin, power, ties)
    return None


def _common_step(differences: Array, size: float) -> float | None:
    """Smallest difference, where all others are multiples of it."""
    apart = differences[differences > NOISE * size]
    if apart.size < 2:
        return None
    multiples = np.round(apart / apart.min())
    step = float(apart.sum() / multiples.sum())
    off = np.abs(apart / step - multiples)
    close = off.max() < max(GRID_TOLERANCE, 4 * NOISE * size / step)
    # of many cells between neighbours some are near whole numbers by chance
    return step if close and float(np.median(multiples)) < 50 else None
