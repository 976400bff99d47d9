"""Bivariate densities from two marginals and a copula."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.copulas import BivariateCopula

Array = NDArray[np.float64]
EDGE = 1e-12
PANELS, NODES_PER_PANEL = 24, 12
# Probabilities enter the copula strictly inside (0, 1).
MARGIN = 1e-15
MEAN_NODES = 60


class UnivariateModel(Protocol):
    """What a marginal must offer."""

    def pdf(self, x: ArrayLike) -> Any:
        """Density."""

    def cdf(self, x: ArrayLike) -> Any:
        """Distribution function."""

    def quantile(self, p: ArrayLike) -> Any:
        """Inverse distribution function."""

    def std(self) -> float:
        """Standard deviation."""


@dataclass(frozen=True)
class SampledDistribution:
    """Distribution of a derived quantity, by a large sample.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        Sorted.
    """

    values: Array

    def mean(self) -> float:
        """Mean."""
        return float(self.values.mean())

    def std(self) -> float:
        """Standard deviation."""
        return float(self.values.std(ddof=1))

    def cdf(self, x: ArrayLike) -> Array:
        """Share of the sample up to x."""
        return np.asarray(np.searchsorted(self.values, x, side="right") / self.values.size)

    def quantile(self, p: ArrayLike) -> Array:
        """Quantiles."""
        return np.asarray(np.quantile(self.values, np.asarray(p, float)))


@dataclass(frozen=True)
class JointDensity:
    """Density f(x, y) = f1(x) f2(y) c(F1(x), F2(y)).

    Equation (16) of Furat et al., J. Power Sources 483 (2021) 229148.

    Parameters
    ----------
    marginal_x, marginal_y : Marginal
        Or anything with `pdf`, `cdf`, `quantile` and `std`.
    copula : BivariateCopula
    """

    marginal_x: UnivariateModel
    marginal_y: UnivariateModel
    copula: BivariateCopula

    def pdf(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Density at (x, y), broadcast against each other."""
        first, second = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        u = self._level(self.marginal_x, first)
        v = self._level(self.marginal_y, second)
        product = np.asarray(self.marginal_x.pdf(first) * self.marginal_y.pdf(second), float)
        return np.where(product > 0, product * self.copula.pdf(u, v), 0.0)

    @staticmethod
    def _level(marginal: UnivariateModel, values: ArrayLike) -> Array:
        """Probability up to the values, strictly inside (0, 1) as a copula needs it."""
        return np.asarray(np.clip(marginal.cdf(values), MARGIN, 1 - MARGIN), float)

    def covariance(self) -> float:
        """Covariance, by Hoeffding's integral of C(F1, F2) - F1 F2 over the plane.

        NaN where a marginal has no finite variance.
        """
        if not (math.isfinite(self.marginal_x.std()) and math.isfinite(self.marginal_y.std())):
            return math.nan
        x, weight_x = _nodes(self.marginal_x)
        y, weight_y = _nodes(self.marginal_y)
        u, v = np.asarray(self.marginal_x.cdf(x)), np.asarray(self.marginal_y.cdf(y))
        excess = self.copula.cdf(u[:, None], v[None, :]) - u[:, None] * v[None, :]
        return float(weight_x @ excess @ weight_y)

    def correlation(self) -> float:
        """Pearson's correlation coefficient (eq. 24)."""
        return self.covariance() / (self.marginal_x.std() * self.marginal_y.std())

    def swapped(self) -> JointDensity:
        """Density of (y, x)."""
        return JointDensity(self.marginal_y, self.marginal_x, self.copula.swapped())

    def conditional_pdf(self, y: ArrayLike, x: ArrayLike) -> Array:
        """Density of y where x is known; `swapped` gives that of x where y is known."""
        first, second = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        v = self._level(self.marginal_y, second)
        density = np.asarray(self.marginal_y.pdf(second), float)
        ratio = self.copula.pdf(self._level(self.marginal_x, first), v)
        return np.where(density > 0, density * ratio, 0.0)

    def conditional_quantile(self, p: ArrayLike, x: ArrayLike) -> Array:
        """Value that y falls below with probability p where x is known."""
        u = self._level(self.marginal_x, x)
        v = self.copula.inverse_conditional_v_given_u(u, p)
        return np.asarray(self.marginal_y.quantile(v), float)

    def conditional_mean(self, x: ArrayLike) -> Array:
        """Mean of y where x is known, as the mean of its conditional quantiles.

        NaN where the marginal of y has no finite variance.
        """
        known = np.asarray(x, float)
        if not math.isfinite(self.marginal_y.std()):
            return np.full(known.shape, math.nan)
        nodes, weights = np.polynomial.legendre.leggauss(MEAN_NODES)
        place = 0.5 * (nodes + 1)
        # substitution that lets the weights fade where quantiles run away
        p = place**3 * (10 - 15 * place + 6 * place**2)
        slope = 15 * place**2 * (1 - place) ** 2 * weights
        return np.asarray(self.conditional_quantile(p, known[..., None]) @ slope)

    def credible_level(self, probability: float, *, n: int = 100_000, seed: int = 0) -> float:
        """Density above which a pair lies with the given probability.

        The pairs of higher density are the smallest region of that probability.

        Parameters
        ----------
        probability : float
            In (0, 1).
        n, seed : int
            Size and seed of the sample that the level is read from; its probability is
            within 1 / sqrt(n) of what was asked for.

        Returns
        -------
        float
        """
        return self.credible_levels((probability,), n=n, seed=seed)[0]

    def credible_levels(
        self, probabilities: Sequence[float], *, n: int = 100_000, seed: int = 0
    ) -> list[float]:
        """Densities of several probabilities from one sample; see `credible_level`."""
        u, v = self.copula.sample(n, np.random.default_rng(seed))
        x, y = self.marginal_x.quantile(u), self.marginal_y.quantile(v)
        u, v = (np.clip(level, MARGIN, 1 - MARGIN) for level in (u, v))
        density = self.marginal_x.pdf(x) * self.marginal_y.pdf(y) * self.copula.pdf(u, v)
        return [float(np.quantile(density, 1 - probability)) for probability in probabilities]

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n pairs (x, y)."""
        u, v = self.copula.sample(n, rng)
        return np.asarray(self.marginal_x.quantile(u)), np.asarray(self.marginal_y.quantile(v))

    def push_forward(
        self,
        function: Callable[[Array, Array], ArrayLike],
        *,
        n: int = 200_000,
        rng: np.random.Generator | None = None,
    ) -> SampledDistribution:
        """Distribution of a function of both characteristics.

        Parameters
        ----------
        function : callable
            Of (x, y), such as `lambda d, s: 6 / (d * s)`, the specific surface of grains.
        n : int
            Size of the sample.
        rng : Generator, optional
            A fixed seed by default, so that results repeat.

        Returns
        -------
        SampledDistribution
        """
        drawn = self.sample(n, rng if rng is not None else np.random.default_rng(0))
        return SampledDistribution(np.sort(np.asarray(function(*drawn), float)))


def _nodes(marginal: UnivariateModel) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights, panels split at quantiles."""
    tail = np.array([EDGE, 1e-8, 1e-5, 1e-3])
    levels = np.concatenate([tail, np.linspace(0, 1, PANELS + 1)[1:-1], 1 - tail])
    edges = np.unique(np.asarray(marginal.quantile(levels), float))
    nodes, weights = np.polynomial.legendre.leggauss(NODES_PER_PANEL)
    half = np.diff(edges)[:, None] / 2
    middle = (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + half * nodes).ravel(), (half * weights).ravel()
