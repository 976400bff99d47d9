"""Maximizing a log-likelihood inside a box, with a check that a maximum was reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
Objective = Callable[[Array], float]
Slopes = Callable[[Array], tuple[Array, Array]]  # gradient and Hessian at a point

STEP = 1e-4  # of finite differences, in coordinates of order one
SLOPE_STEP = 1e-5  # of the slopes of parameters along coordinates
CONVERGED_GAIN = 1e-9  # nats that one more Newton step promises
ACCEPTED_GAIN = 1e-3  # the same, beyond which a search counts as failed
MAXIMUM_STEPS = 80
LONGEST_MOVE = 2.0
POLISHING_ROUNDS = 3
SHORTENINGS = 12  # of a step, each to .4 of it, before none leads uphill
# Coordinates and nats between an optimum and what a step promises: the same one.
SAME_PLACE, SAME_HEIGHT = 0.05, 0.05


@dataclass(frozen=True)
class Optimum:
    """Where a search ended.

    Attributes
    ----------
    point : ndarray of float, shape (k,)
        Coordinates.
    value : float
        Log-likelihood in nats.
    newton_decrement : float
        Nats that a further Newton step promises; 0 at a maximum.
    hessian : ndarray of float, shape (k, k)
        Of the log-likelihood.
    at_bound : ndarray of bool, shape (k,)
        Coordinates held by the end of their range.
    """

    point: Array
    value: float
    newton_decrement: float
    hessian: Array
    at_bound: NDArray[np.bool_]

    @property
    def is_converged(self) -> bool:
        """Whether the top was reached up to a thousandth of a nat."""
        return self.newton_decrement <= ACCEPTED_GAIN


def maximize(
    objective: Objective,
    starts: Sequence[Array],
    lower: Array,
    upper: Array,
    keep: int,
    slopes: Slopes | None = None,
) -> Optimum | None:
    """Search from the best starts and return the highest optimum.

    Parameters
    ----------
    objective : callable (point) -> float
        Log-likelihood, -inf where the point is not admissible.
    starts : sequence of ndarray, shape (k,)
        Where to begin; they are moved into the box.
    lower, upper : ndarray of float, shape (k,)
        The box.
    keep : int
        How many of the starts to maximize from, best first.
    slopes : callable (point) -> (gradient, hessian), optional
        By finite differences without it.

    Returns
    -------
    Optimum or None
        None where no start has a finite log-likelihood.
    """
    points = [np.clip(np.asarray(start, dtype=float), lower, upper) for start in starts]
    rated = sorted(((objective(point), -index) for index, point in enumerate(points)), reverse=True)
    chosen = [points[-index] for value, index in rated if math.isfinite(value)][:keep]
    best: Optimum | None = None
    for point in chosen:
        optimum = _newton(objective, point, lower, upper, slopes, best)
        if best is None or optimum.value > best.value:
            best = optimum
    if best is not None and best.newton_decrement > CONVERGED_GAIN:
        best = _polish(objective, best, lower, upper, slopes)
    return None if best is None else _along_the_bounds(objective, best, lower, upper)


def _along_the_bounds(
    objective: Objective, optimum: Optimum, lower: Array, upper: Array
) -> Optimum:
    """Search once more with the coordinates at a bound held there.

    At a bound derivatives are taken a step inside the box; where coordinates depend on one
    another, the top along the bound lies elsewhere.
    """
    free = ~optimum.at_bound
    if free.all() or not free.any():
        return optimum

    def reduced(part: Array) -> float:
        point = optimum.point.copy()
        point[free] = part
        return objective(point)

    found = _newton(reduced, optimum.point[free], lower[free], upper[free])
    if found.value <= optimum.value:
        return optimum
    point, hessian = optimum.point.copy(), optimum.hessian.copy()
    point[free] = found.point
    hessian[np.ix_(free, free)] = found.hessian
    at_bound = optimum.at_bound.copy()
    at_bound[free] = found.at_bound
    return Optimum(point, found.value, found.newton_decrement, hessian, at_bound)


def _polish(
    objective: Objective, optimum: Optimum, lower: Array, upper: Array, slopes: Slopes | None
) -> Optimum:
    """Search without derivatives, where the likelihood has edges, then maximize again."""

    def descent(point: Array) -> float:
        value = objective(point)
        return -value if math.isfinite(value) else 1e300

    for _ in range(POLISHING_ROUNDS):
        result = minimize(
            descent,
            optimum.point,
            method="Nelder-Mead",
            bounds=list(zip(lower, upper, strict=True)),
            options={"xatol": 1e-9, "fatol": 1e-10, "maxfev": 400 * optimum.point.size},
        )
        point = np.clip(result.x, lower, upper)
        start = point if objective(point) >= optimum.value else optimum.point
        gain = objective(start) - optimum.value
        optimum = _newton(objective, start, lower, upper, slopes)
        if optimum.newton_decrement <= CONVERGED_GAIN:
            break
        if gain < CONVERGED_GAIN:
            # nothing near is higher: an edge of the likelihood, where no gradient vanishes
            optimum = Optimum(optimum.point, optimum.value, 0.0, optimum.hessian, optimum.at_bound)
            break
    return optimum


def _newton(
    objective: Objective,
    point: Array,
    lower: Array,
    upper: Array,
    slopes: Slopes | None = None,
    known: Optimum | None = None,
) -> Optimum:
    """Climb to an optimum, or until a step leads to the known one, which is then returned."""
    value = objective(point)
    for _ in range(MAXIMUM_STEPS):
        gradient, hessian = (
            derivatives(objective, point, value, lower, upper) if slopes is None else slopes(point)
        )
        held = ((point <= lower) & (gradient <= 0)) | ((point >= upper) & (gradient >= 0))
        move, gain = _ascent(gradient, hessian, ~held)
        if gain <= CONVERGED_GAIN:
            break
        if known is not None and abs(value + gain - known.value) < SAME_HEIGHT:
            target = _inside(point + move, lower, upper)
            near = np.abs(target - known.point).max() < SAME_PLACE
            if near and np.array_equal((target <= lower) | (target >= upper), known.at_bound):
                return known
        step, accepted = 1.0, False
        for _ in range(SHORTENINGS):
            candidate = _inside(point + step * move, lower, upper)
            reached = objective(candidate)
            if reached > value:
                point, value, accepted = candidate, reached, True
                break
            step *= 0.4
        if not accepted:
            break
    return Optimum(point, value, gain, hessian, held)


def _inside(point: Array, lower: Array, upper: Array) -> Array:
    """Nearest point of the box; NumPy's own clip takes thrice as long for few numbers."""
    return np.asarray(np.minimum(np.maximum(point, lower), upper))


def _ascent(gradient: Array, hessian: Array, free: NDArray[np.bool_]) -> tuple[Array, float]:
    """Newton step on the free coordinates, uphill even where the surface is not concave."""
    move = np.zeros_like(gradient)
    if not free.any():
        return move, 0.0
    if gradient.size == 1:
        return _ascent_of_one(float(gradient[0]), float(hessian[0, 0]))
    if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        return move, math.inf
    curvature, axes = np.linalg.eigh(-hessian[np.ix_(free, free)])
    slope = axes.T @ gradient[free]
    curvature = np.maximum(np.abs(curvature), max(1e-9 * np.abs(curvature).max(), 1e-12))
    gain = 0.5 * float(np.sum(slope**2 / curvature))
    move[free] = axes @ (slope / curvature)
    longest = float(np.abs(move).max())
    return (move * (LONGEST_MOVE / longest) if longest > LONGEST_MOVE else move), gain


def _ascent_of_one(slope: float, bend: float) -> tuple[Array, float]:
    """Return the same step where there is one coordinate."""
    if not (math.isfinite(slope) and math.isfinite(bend)):
        return np.zeros(1), math.inf
    curvature = max(abs(bend), 1e-12)
    step = slope / curvature
    return np.array([min(max(step, -LONGEST_MOVE), LONGEST_MOVE)]), 0.5 * slope * step


def derivatives(
    objective: Objective, point: Array, value: float, lower: Array, upper: Array
) -> tuple[Array, Array]:
    """Gradient and Hessian by central differences, shifted inwards at the box.

    Returns
    -------
    gradient : ndarray of float, shape (k,)
    hessian : ndarray of float, shape (k, k)
        Not finite where a neighbour is not admissible.
    """
    size = point.size
    steps = STEP * np.maximum(1.0, np.abs(point) * 1e-2)
    centre = np.clip(point, lower + steps, upper - steps)
    shifted = bool(np.any(centre != point))
    middle = objective(centre) if shifted else value
    units = np.diag(steps)
    plus = np.array([objective(centre + unit) for unit in units])
    minus = np.array([objective(centre - unit) for unit in units])
    with np.errstate(invalid="ignore"):
        gradient = (plus - minus) / (2.0 * steps)
        hessian = np.diag((plus - 2.0 * middle + minus) / steps**2)
        for i in range(size):
            for j in range(i):
                both = objective(centre + units[i] + units[j])
                neither = objective(centre - units[i] - units[j])
                mixed = both - plus[i] - plus[j] + 2 * middle - minus[i] - minus[j] + neither
                hessian[i, j] = hessian[j, i] = mixed / (2.0 * steps[i] * steps[j])
    return gradient, hessian


def covariance(optimum: Optimum, values: Callable[[Array], Sequence[float]]) -> Array:
    """Covariance of parameters from the observed information at an optimum.

    Parameters
    ----------
    optimum : Optimum
        Where the search ended.
    values : callable (point) -> sequence of float
        Parameters at coordinates of the search, one for each coordinate.

    Returns
    -------
    ndarray of float, shape (k, k)
        The inverse information, carried to the parameters by their slopes; NaN for coordinates
        at a bound, for all of them where the likelihood is not concave.
    """
    size = optimum.point.size
    inner = _inverse_information(optimum)
    slopes = np.array(
        [
            np.subtract(values(optimum.point + unit), values(optimum.point - unit))
            / (2 * SLOPE_STEP)
            for unit in SLOPE_STEP * np.eye(size)
        ]
    ).reshape(size, size)
    found = slopes.T @ inner @ slopes
    found[optimum.at_bound] = found[:, optimum.at_bound] = math.nan
    return np.asarray(found)


def _inverse_information(optimum: Optimum) -> Array:
    """Covariance of the coordinates, 0 for those at a bound; NaN where there is none."""
    free = ~optimum.at_bound
    inner = np.full(optimum.hessian.shape, math.nan)
    if free.size == 1:  # as most copulas have
        bend = float(optimum.hessian[0, 0])
        return np.array([[-1.0 / bend]]) if free[0] and -math.inf < bend < 0.0 else inner
    block = np.ix_(free, free)
    information = -optimum.hessian[block]
    holds = bool(free.any()) and bool(np.isfinite(information).all())
    if holds and np.linalg.eigvalsh(information).min() > 0.0:
        inner[:] = 0.0
        inner[block] = np.linalg.inv(information)
    return inner


def standard_errors(optimum: Optimum, values: Callable[[Array], Sequence[float]]) -> list[float]:
    """Standard errors of parameters: roots of the variances in `covariance`."""
    return [math.sqrt(max(v, 0.0)) for v in np.diag(covariance(optimum, values))]
