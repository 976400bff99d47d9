r"""Random effects of particles: values that scatter among particles, each known with an error.

.. math:: y_i = \mu + b_i + e_i, \quad b_i \sim (0, \tau^2), \quad e_i \sim (0, s_i^2)

with :math:`y_i` a statistic of the grains of particle i, :math:`s_i` its standard error from the
grains, and :math:`\tau` the spread between particles that the errors do not explain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import brentq

from electrode_grains.errors import InputError

Array = NDArray[np.float64]
LEVEL = 0.95
SMALLEST_ERROR = 1e-9  # of the scale of the values: particles whose grains are all equal
ITERATIONS, TOLERANCE = 100, 1e-10
BLOCK = 2_000_000  # elements of a matrix of resamples that are worked on at once
LEAST_OTHERS = 3  # particles that a scatter can be told from


@dataclass(frozen=True)
class RandomEffects:
    """Mean of particles and the spread between them.

    Attributes
    ----------
    mean, standard_error : float
        Of a typical particle, and by the method of Hartung and Knapp.
    low, high : float
        Interval of 95 % of the mean, by Student's distribution with K - 1 degrees of freedom.
    between : float
        Standard deviation between particles beyond the errors of their values.
    heterogeneity_p_value : float
        Of equal particles (Cochran's Q): small where the errors do not explain the scatter.
    """

    mean: float
    standard_error: float
    low: float
    high: float
    between: float
    heterogeneity_p_value: float


def random_effects(values: ArrayLike, errors: ArrayLike) -> RandomEffects:
    """Estimate mean and spread of particles.

    Parameters
    ----------
    values, errors : array_like of float, shape (K,)
        A statistic of each particle and its standard error; all finite.

    Returns
    -------
    RandomEffects

    Raises
    ------
    InputError
        If there are fewer than two particles.

    Notes
    -----
    The spread is that of Paule and Mandel, for which the weighted squared deviations add up to
    K - 1 (DerSimonian and Kacker, Contemp. Clin. Trials 28 (2007) 105-114); the standard error is
    that of Hartung and Knapp (Stat. Med. 20 (2001) 3875-3889), which holds its level for few
    particles too.

    Examples
    --------
    >>> found = random_effects([10.0, 14.0, 12.0, 16.0], [0.1, 0.1, 0.1, 0.1])
    >>> round(found.mean, 2), round(found.between, 2)
    (13.0, 2.58)
    """
    y, s = _checked(values, errors)
    if len(y) < 2:
        raise InputError(
            "a spread between particles needs two of them", found=f"{len(y)} particles"
        )
    mean, between = (each[0] for each in estimate(y, s, np.ones((1, len(y)))))
    weights = 1.0 / (s**2 + between**2)
    freedom = len(y) - 1
    quadratic = float(np.sum(weights * (y - mean) ** 2) / freedom)
    if between == 0.0:  # by chance alike: never below the error that the grains leave
        quadratic = max(quadratic, 1.0)
    error = float(np.sqrt(quadratic / weights.sum()))
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, freedom)) * error
    fixed = 1.0 / s**2
    q = float(np.sum(fixed * (y - np.average(y, weights=fixed)) ** 2))
    return RandomEffects(
        mean=float(mean),
        standard_error=error,
        low=float(mean) - reach,
        high=float(mean) + reach,
        between=float(between),
        heterogeneity_p_value=float(stats.chi2.sf(q, freedom)),
    )


def estimate(values: Array, errors: Array, counts: Array) -> tuple[Array, Array]:
    """Estimate mean and spread of many resamples of particles at once.

    Parameters
    ----------
    values, errors : ndarray, shape (K,)
    counts : ndarray, shape (R, K)
        How often each particle is in each resample: drawn with replacement, or left out.

    Returns
    -------
    mean, between : ndarray, shape (R,)
    """
    y, s = _checked(values, errors)
    means, spreads = np.empty(len(counts)), np.empty(len(counts))
    for rows in blocks(len(counts), len(y)):
        means[rows], spreads[rows] = _paule_mandel(y, s**2, counts[rows])
    return means, spreads


def _paule_mandel(y: Array, variances: Array, counts: Array) -> tuple[Array, Array]:
    """Newton's method from 0: the sum of squares falls and is convex, so no step goes too far."""
    freedom = counts.sum(axis=1) - 1.0
    between = np.zeros(len(counts))
    mean = np.empty(len(counts))
    active = np.ones(len(counts), bool)
    for _ in range(ITERATIONS):
        chosen = counts[active]
        weights = 1.0 / (variances + between[active, None])
        weighted = chosen * weights
        mean[active] = weighted @ y / weighted.sum(axis=1)
        squares = weighted * (y - mean[active, None]) ** 2
        excess = squares.sum(axis=1) - freedom[active]
        slope = (squares * weights).sum(axis=1)
        step = np.divide(excess, slope, out=np.zeros_like(excess), where=slope > 0)
        between[active] = np.maximum(between[active] + step, 0.0)
        moving = (excess > 0) & (step > TOLERANCE * between[active])
        active[np.flatnonzero(active)[~moving]] = False
        if not active.any():
            break
    return mean, np.sqrt(between)


def spread_interval(values: ArrayLike, errors: ArrayLike) -> tuple[float, float]:
    """Interval of 95 % of the spread between particles.

    Parameters
    ----------
    values, errors : array_like of float, shape (K,)

    Returns
    -------
    low, high : float

    Notes
    -----
    The spreads for which the generalized Q of Cochran lies between its quantiles of chi-squared
    with K - 1 degrees of freedom (Viechtbauer, Stat. Med. 26 (2007) 37-52). It holds its level for
    few particles too, where a bootstrap of particles does not: with 10 of them its intervals
    held the true spread 76 times of a hundred.

    Examples
    --------
    >>> low, high = spread_interval([10.0, 14.0, 12.0, 16.0], [0.1, 0.1, 0.1, 0.1])
    >>> round(low, 2), round(high, 2)
    (1.46, 9.63)
    """
    y, s = _checked(values, errors)
    freedom = len(y) - 1

    def generalized_q(between: float) -> float:
        weights = 1.0 / (s**2 + between**2)
        return float(weights @ (y - (weights @ y) / weights.sum()) ** 2)

    def solve(quantile: float) -> float:
        if generalized_q(0.0) <= quantile:
            return 0.0
        top = float(np.ptp(y))
        while generalized_q(top) > quantile:
            top *= 2.0
        return float(brentq(lambda each: generalized_q(each) - quantile, 0.0, top))

    quantiles = stats.chi2.ppf([0.5 + LEVEL / 2, 0.5 - LEVEL / 2], freedom)
    return solve(float(quantiles[0])), solve(float(quantiles[1]))


def draw_particles(number: int, replicates: int, rng: np.random.Generator) -> Array:
    """Counts of a bootstrap by particle, shape (replicates, number)."""
    shares = np.full(number, 1.0 / number)
    return rng.multinomial(number, shares, size=replicates).astype(np.float64)


def interval(replicates: Array) -> tuple[float, float]:
    """Percentile interval of 95 %."""
    low, high = np.quantile(replicates, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Departures:
    """How far each particle lies from all others.

    Attributes
    ----------
    others : ndarray, shape (K,)
        Mean of the other particles.
    difference : ndarray, shape (K,)
        Value less that mean.
    p_value : ndarray, shape (K,)
        Of a particle that scatters as the others do; NaN with fewer than three others.
    grain_p_value : ndarray, shape (K,)
        Of a particle whose grains are those of the typical particle.
    """

    others: Array
    difference: Array
    p_value: Array
    grain_p_value: Array


def departures(values: ArrayLike, errors: ArrayLike) -> Departures:
    """Compare each particle with all others.

    Parameters
    ----------
    values, errors : array_like of float, shape (K,)

    Returns
    -------
    Departures

    Notes
    -----
    Mean and spread are those of the other particles, so that an unusual particle does not hide
    itself (Viechtbauer and Cheung, Res. Synth. Methods 1 (2010) 112-125): the difference is
    divided by the root of error, spread, and error of the mean together, and referred to Student's
    distribution with K - 2 degrees of freedom.
    """
    y, s = _checked(values, errors)
    number = len(y)
    if number < LEAST_OTHERS + 1:
        nothing = np.full(number, np.nan)
        return Departures(nothing, nothing, nothing, nothing)
    means, spreads = np.empty(number), np.empty(number)
    precision = np.empty(number)
    for rows in blocks(number, number):
        counts = np.ones((rows.stop - rows.start, number))
        counts[np.arange(len(counts)), np.arange(rows.start, rows.stop)] = 0.0
        means[rows], spreads[rows] = estimate(y, s, counts)
        precision[rows] = (counts / (s**2 + spreads[rows, None] ** 2)).sum(axis=1)
    difference = y - means
    scatter = np.sqrt(s**2 + spreads**2 + 1.0 / precision)
    noise = np.sqrt(s**2 + 1.0 / precision)
    return Departures(
        others=means,
        difference=difference,
        p_value=2.0 * stats.t.sf(np.abs(difference) / scatter, number - 2),
        grain_p_value=2.0 * stats.norm.sf(np.abs(difference) / noise),
    )


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of rows that hold about as many elements as fit well into memory."""
    step = max(1, BLOCK // max(columns, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _checked(values: ArrayLike, errors: ArrayLike) -> tuple[Array, Array]:
    y, s = np.asarray(values, np.float64), np.asarray(errors, np.float64)
    if y.shape != s.shape or y.ndim != 1 or not (np.isfinite(y) & np.isfinite(s) & (s >= 0)).all():
        raise InputError(
            "each particle needs a finite value and a standard error",
            found=f"shapes {y.shape} and {s.shape}",
        )
    scale = float(np.abs(y).max(initial=0.0)) or 1.0
    return y, np.maximum(s, SMALLEST_ERROR * scale)
