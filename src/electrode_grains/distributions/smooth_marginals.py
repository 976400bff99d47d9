"""A density that takes the shape of the sample, for joint models where no family fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from electrode_grains.distributions.records import SmoothFit

Array = NDArray[np.float64]
Scale = Literal["logit", "log", "identity"]

FEWEST_KNOTS, MOST_KNOTS = 3, 10
GRAINS_A_KNOT = 20
NODES = 2001  # of the integrals over the scale
REACH = 0.5  # of the range of the sample, beyond it, where the support has no end
STEPS, SETTLED = 60, 1e-10
RIDGE = 1e-9  # of the curvature, where a knot has hardly any grain


@dataclass(frozen=True)
class SmoothMarginal:
    r"""A density whose logarithm is a natural cubic spline.

    Parameters
    ----------
    scale : {"logit", "log", "identity"}
        What the spline is a function of: the logit of the place within the support, the
        logarithm of the value, or the value.
    support : (float, float)
        Where the density is positive.
    knots : tuple of float
        On the scale, ascending.
    log_density : tuple of float
        Logarithm of the density on the scale at the knots, but for a constant.

    Notes
    -----
    Beyond its outer knots the logarithm is straight (C. Kooperberg, C. J. Stone, "A study of
    logspline density estimation", Comput. Statist. Data Anal. 12 (1991) 327-347).

    Examples
    --------
    >>> flat = SmoothMarginal("identity", (0.0, 2.0), (0.0, 1.0, 2.0), (0.0, 0.0, 0.0))
    >>> [round(float(value), 9) for value in (flat.pdf(0.3), flat.cdf(0.5), flat.mean())]
    [0.5, 0.25, 1.0]
    """

    scale: Scale
    support: tuple[float, float]
    knots: tuple[float, ...]
    log_density: tuple[float, ...]

    @cached_property
    def _nodes(self) -> Array:
        ends = _ends_on_scale(self.scale, self.support)
        return np.linspace(*_closed(ends, np.array(self.knots)), NODES)

    @cached_property
    def _at_nodes(self) -> tuple[Array, Array]:
        """Density on the scale, and its integral up to each node."""
        height = _straight_spline(self.knots, np.array(self.log_density), self._nodes)
        density = np.exp(height - height.max())
        step = self._nodes[1] - self._nodes[0]
        cumulated = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * step)])
        return density / cumulated[-1], cumulated / cumulated[-1]

    def log_pdf(self, x: ArrayLike) -> Array:
        """Logarithm of the density, -inf outside the support."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.pdf(x)))

    def pdf(self, x: ArrayLike) -> Array:
        """Density, in the reciprocal unit of the characteristic."""
        place, slope = on_scale(x, self.scale, self.support)
        # Linear between nodes, as the integral of `cdf` takes it.
        density = np.interp(place, self._nodes, self._at_nodes[0], left=0.0, right=0.0)
        return np.asarray(np.where(np.isfinite(slope), density * slope, 0.0))

    def cdf(self, x: ArrayLike) -> Array:
        """Probability of values up to x."""
        place = on_scale(x, self.scale, self.support)[0]
        density, cumulated = self._at_nodes
        at = np.clip(np.searchsorted(self._nodes, place) - 1, 0, NODES - 2)
        step = self._nodes[1] - self._nodes[0]
        within = np.clip(place - self._nodes[at], 0.0, step)
        rise = (density[at + 1] - density[at]) / step
        return np.asarray(np.clip(cumulated[at] + within * (density[at] + rise * within / 2), 0, 1))

    def quantile(self, p: ArrayLike) -> Array:
        """Value below which lies the given probability."""
        wanted = np.asarray(p, float)
        density, cumulated = self._at_nodes
        at = np.clip(np.searchsorted(cumulated, wanted) - 1, 0, NODES - 2)
        step = self._nodes[1] - self._nodes[0]
        rest = np.maximum(wanted - cumulated[at], 0.0)
        rise = (density[at + 1] - density[at]) / step
        # The root of a parabola, in the form that stands a straight one.
        root = np.sqrt(np.maximum(density[at] ** 2 + 2 * rise * rest, 0.0))
        within = np.clip(2 * rest / np.maximum(density[at] + root, 1e-300), 0.0, step)
        return from_scale(self._nodes[at] + within, self.scale, self.support)

    def mean(self) -> float:
        """Mean, in the unit of the characteristic."""
        return self._integral(from_scale(self._nodes, self.scale, self.support))

    def std(self) -> float:
        """Standard deviation in the same unit."""
        values = from_scale(self._nodes, self.scale, self.support) - self.mean()
        return math.sqrt(self._integral(values**2))

    def _integral(self, values: Array) -> float:
        return float(np.trapezoid(values * self._at_nodes[0], self._nodes))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw values by inversion."""
        return self.quantile(rng.random(n))


def fit_smooth(
    sample: ArrayLike, support: tuple[float, float] | None, least_aic: float | None = None
) -> SmoothFit | None:
    """Fit a spline to the logarithm of the density, with as many knots as AIC allows.

    Parameters
    ----------
    sample : array_like of float, shape (n,)
        Values inside the support.
    support : (float, float) or None
        Bounds of the characteristic. Between two finite ones the spline is a function of the
        logit, above a single one that is not negative of the logarithm.
    least_aic : float, optional
        Of the best family, for the difference.

    Returns
    -------
    SmoothFit or None
        None where the sample is too small or takes too few values for three knots.

    Notes
    -----
    Maximum likelihood: the logarithm of the likelihood is concave in the heights of the spline,
    whose number, less one for the integral, is the number of parameters.
    """
    values = np.asarray(sample, float)
    scale, ends = _scale_of(support)
    place, slope = on_scale(values, scale, ends)
    known = np.isfinite(place) & np.isfinite(slope)
    place, slope = place[known], slope[known]
    ends_on_scale = _ends_on_scale(scale, ends)
    most = min(MOST_KNOTS, place.size // GRAINS_A_KNOT)
    trials = [
        trial
        for count in range(FEWEST_KNOTS, most + 1)
        if (trial := _fit_spline(place, ends_on_scale, count))
    ]
    if not trials:
        return None
    best = min(trials, key=lambda trial: 2 * (len(trial.knots) - 1) - 2 * trial.log_likelihood)
    log_likelihood = best.log_likelihood + float(np.log(slope).sum())
    aic = 2 * (len(best.knots) - 1) - 2 * log_likelihood
    return SmoothFit(
        scale=scale,
        support=ends,
        knots=best.knots,
        log_density=best.heights,
        parameter_count=len(best.knots) - 1,
        log_likelihood=log_likelihood,
        aic=aic,
        delta_aic=None if least_aic is None else aic - least_aic,
    )


class _Spline(NamedTuple):
    knots: tuple[float, ...]
    heights: tuple[float, ...]
    log_likelihood: float


def _fit_spline(place: Array, ends: Sequence[float], count: int) -> _Spline | None:
    knots = np.unique(np.quantile(place, np.linspace(0, 1, count), method="nearest"))
    if knots.size < count:
        return None
    nodes = np.linspace(*_closed(ends, knots), NODES)
    weights = np.full(NODES, nodes[1] - nodes[0])
    weights[[0, -1]] /= 2
    basis = _straight_spline(knots, np.eye(count), nodes)[:, 1:]  # the first height stays 0
    data = _straight_spline(knots, np.eye(count), place)[:, 1:].sum(axis=0)
    heights, reached = np.zeros(count - 1), -math.inf
    for _ in range(STEPS):
        log_integral, expected, curvature = _moments(basis, weights, heights)
        reached = float(data @ heights) - place.size * log_integral
        gradient = data - place.size * expected
        curvature = place.size * curvature
        curvature += RIDGE * np.trace(curvature) * np.eye(count - 1)
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < SETTLED * place.size:
            break
        while (
            float(data @ (heights + step))
            - place.size * _moments(basis, weights, heights + step)[0]
            < reached
        ):
            step /= 2
        heights = heights + step
    return _Spline(tuple(knots.tolist()), (0.0, *heights.tolist()), reached)


def _moments(basis: Array, weights: Array, heights: Array) -> tuple[float, Array, Array]:
    """Logarithm of the integral, and mean and covariance of the basis under the density."""
    exponent = basis @ heights
    largest = float(exponent.max())
    mass = weights * np.exp(exponent - largest)
    total = float(mass.sum())
    share = mass / total
    mean = share @ basis
    return (
        math.log(total) + largest,
        mean,
        (basis * share[:, None]).T @ basis - np.outer(mean, mean),
    )


def _straight_spline(knots: Sequence[float] | Array, heights: Array, places: Array) -> Array:
    """Natural cubic spline through heights, straight beyond the outer knots."""
    spline = CubicSpline(knots, heights, bc_type="natural")
    inside = np.clip(places, knots[0], knots[-1])
    beyond = (places - inside).reshape(-1, *[1] * (np.ndim(heights) - 1))
    return np.asarray(spline(inside) + beyond * spline(inside, 1))


def _ends_on_scale(scale: Scale, support: tuple[float, float]) -> list[float]:
    return [float(on_scale(end, scale, support)[0]) for end in support]


def _closed(ends: Sequence[float], knots: Array) -> tuple[float, float]:
    """Ends of the scale; where it has none, beyond the sample by a share of its range."""
    reach = REACH * float(knots[-1] - knots[0])
    lower, upper = ends
    return (
        lower if math.isfinite(lower) else float(knots[0]) - reach,
        upper if math.isfinite(upper) else float(knots[-1]) + reach,
    )


def _scale_of(support: tuple[float, float] | None) -> tuple[Scale, tuple[float, float]]:
    lower, upper = support or (-math.inf, math.inf)
    if math.isfinite(lower) and math.isfinite(upper):
        return "logit", (lower, upper)
    return ("log" if lower >= 0 else "identity"), (lower, upper)


def on_scale(x: ArrayLike, scale: Scale, support: tuple[float, float]) -> tuple[Array, Array]:
    """Place of values on a scale, and its slope over the value; not finite outside."""
    values = np.asarray(x, float)
    lower, upper = support
    with np.errstate(all="ignore"):
        if scale == "logit":
            below, above = values - lower, upper - values
            return np.log(below / above), (upper - lower) / (below * above)
        if scale == "log":
            return np.log(values), np.where(values >= lower, 1 / values, np.nan)
    return values, np.where((values >= lower) & (values <= upper), 1.0, np.nan)


def from_scale(place: Array, scale: Scale, support: tuple[float, float]) -> Array:
    """Values that lie at places on a scale."""
    lower, upper = support
    if scale == "logit":
        return np.asarray(lower + (upper - lower) / (1 + np.exp(-place)))
    return np.asarray(np.exp(place) if scale == "log" else place)
