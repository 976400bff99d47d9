"""Goodness of fit by parametric bootstrap, and tests of uniform axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from electrode_grains.distributions.marginal_fitting import fit_marginal, inside_support
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.records import AxisUniformity, GoodnessOfFit, Interval
from electrode_grains.distributions.registry import family_named
from electrode_grains.distributions.rounding import Grid
from electrode_grains.errors import InputError, SettingsError

Array = NDArray[np.float64]
DRAWN_AT_ONCE = 100_000  # values, whose intermediate results fit into memory
STATISTICS = ("kolmogorov_smirnov", "anderson_darling", "cramer_von_mises")
MINIMUM_AXES = 20  # below, the chi-squared limit of the tests is not close


def edf_statistics(marginal: Marginal, sample: ArrayLike) -> dict[str, float]:
    """Measure how far the empirical distribution function lies from a distribution.

    Parameters
    ----------
    marginal : Marginal
        The distribution.
    sample : array_like of float, shape (n,)
        Values inside its support.

    Returns
    -------
    dict of str to float
        `kolmogorov_smirnov` (largest distance), `anderson_darling` (A^2, which weighs
        the tails) and `cramer_von_mises` (W^2).

    Examples
    --------
    >>> values = edf_statistics(Marginal("uniform", {}, (0, 1)), [0.1, 0.3, 0.5, 0.7, 0.9])
    >>> {name: round(value, 4) for name, value in values.items()}
    {'kolmogorov_smirnov': 0.1, 'anderson_darling': 0.1301, 'cramer_von_mises': 0.0167}
    """
    u = np.sort(np.asarray(marginal.cdf(np.asarray(sample, dtype=float)), dtype=float))
    n = u.size
    if n == 0:
        raise InputError(
            "an empty sample has no distance from a distribution", found="0 observations"
        )
    rank = np.arange(1, n + 1)
    inner = np.clip(u, 1e-300, 1.0 - 2.0**-53)
    logs = np.log(inner) + np.log1p(-inner[::-1])
    return {
        "kolmogorov_smirnov": float(max(np.max(rank / n - u), np.max(u - (rank - 1) / n))),
        "anderson_darling": float(-n - np.mean((2 * rank - 1) * logs)),
        "cramer_von_mises": float(np.sum((u - (2 * rank - 1) / (2 * n)) ** 2) + 1 / (12 * n)),
    }


def goodness_of_fit(
    marginal: Marginal,
    sample: ArrayLike,
    *,
    replicates: int = 99,
    rng: np.random.Generator | None = None,
    grid: Grid | None = None,
) -> GoodnessOfFit:
    """Test a fitted distribution against its sample by parametric bootstrap.

    Parameters
    ----------
    marginal : Marginal
        Fitted to `sample` by maximum likelihood.
    sample : array_like of float, shape (n,)
        Values inside the support.
    replicates : int
        Samples to draw from the distribution and to refit, at least 19.
    rng : numpy.random.Generator, optional
        Source of randomness; a fixed seed by default, so that results repeat.
    grid : Grid, optional
        What the sample was rounded to; bootstrap samples are rounded alike, since ties lie
        apart from every continuous distribution.

    Returns
    -------
    GoodnessOfFit
        A p-value is (1 + number of replicates at least as far away) / (1 + replicates), never
        below 1 / (1 + replicates). `combined_p_value` is that of the smallest of the three,
        against the smallest of each replicate: one test, whose level holds.

    Raises
    ------
    SettingsError
        If there are fewer than 19 replicates, where no p-value reaches 0.05.

    Notes
    -----
    Tables of these statistics hold for known parameters only; with fitted ones they are
    far too lenient, therefore every replicate is refitted (Stute, Manteiga and Quindimil,
    Metrika 40, 1993). Replicates whose fit may not be ranked are not counted.
    """
    checked_replicates(replicates)
    rng = np.random.default_rng(0) if rng is None else rng
    values = np.asarray(sample, dtype=float).ravel()
    observed = edf_statistics(marginal, values)
    drawn_statistics: list[list[float]] = []
    refits: list[list[float]] = []
    draw = partial(marginal.sample, rng=rng)
    for (drawn,) in bootstrap_samples(draw, values.size, replicates):
        if grid is not None:
            drawn = grid.round(drawn)
            drawn = drawn[inside_support(drawn, marginal.bounds)]
        refit = fit_marginal(drawn, marginal.family, marginal.support, start=marginal, grid=grid)
        if refit.model is None or not refit.is_ranked:
            continue
        refits.append(list(refit.model.parameters.values()))
        drawn_statistics.append(list(edf_statistics(refit.model, drawn).values()))
    used, names = len(refits), list(marginal.parameters)
    if not used:
        return GoodnessOfFit(
            statistics=observed, p_values=dict.fromkeys(STATISTICS, math.nan), replicates=0
        )
    table = np.array([list(observed.values()), *drawn_statistics])
    shares = np.array([(table >= row).mean(axis=0) for row in table])
    smallest = shares.min(axis=1)
    around = _around(marginal, refits)
    return GoodnessOfFit(
        statistics=observed,
        p_values=dict(zip(STATISTICS, shares[0].tolist(), strict=True)),
        combined_p_value=float((smallest <= smallest[0]).mean()),
        replicates=used,
        bootstrap_errors=_spread(names, around),
        bootstrap_intervals=_percentiles(names, around),
    )


def bootstrap_samples(
    draw: Callable[[int], Array | tuple[Array, Array]], size: int, replicates: int
) -> Iterator[Array]:
    """Draw samples of a size, many at a time, which costs less than one by one.

    Parameters
    ----------
    draw : callable (n) -> array, or a tuple of arrays, shape (n,)
        Independent observations.
    size, replicates : int
        Observations of a sample, and samples.

    Yields
    ------
    ndarray of float, shape (characteristics, size)
    """
    at_once = max(1, DRAWN_AT_ONCE // max(size, 1))
    for first in range(0, replicates, at_once):
        number = min(at_once, replicates - first)
        drawn = np.atleast_2d(np.asarray(draw(number * size)))
        yield from drawn.reshape(len(drawn), number, size).swapaxes(0, 1)


def checked_replicates(replicates: int) -> None:
    """Refuse a bootstrap whose p-value could never reach 0.05.

    Raises
    ------
    SettingsError
        If there are fewer than 19 replicates.
    """
    if replicates < 19:
        raise SettingsError(
            "too few bootstrap replicates", found=str(replicates), expected="at least 19"
        )


def _around(marginal: Marginal, refits: list[list[float]]) -> Array:
    """Parameters of refits, angles on the circle about those of the distribution."""
    values = np.array(refits)
    for index, parameter in enumerate(family_named(marginal.family).parameters):
        if parameter.kind == "angle":
            centre = marginal.parameters[parameter.name]
            turned = (values[:, index] - centre + math.pi) % (2 * math.pi) - math.pi
            values[:, index] = centre + turned
    return values


def _spread(names: list[str], refits: Array) -> dict[str, float]:
    """Standard deviation of each parameter over refits."""
    if len(refits) < 2:
        return dict.fromkeys(names, math.nan)
    return dict(zip(names, refits.std(axis=0, ddof=1).tolist(), strict=True))


def _percentiles(names: list[str], refits: Array) -> dict[str, Interval]:
    """Ends between which 95 % of the refits lie, by parameter."""
    ends = np.quantile(refits, [0.025, 0.975], axis=0).T.tolist() if names else []
    return {
        name: Interval(low=low, high=high) for name, (low, high) in zip(names, ends, strict=True)
    }


def axis_uniformity(azimuthal_angle: ArrayLike, polar_angle: ArrayLike) -> AxisUniformity:
    r"""Test whether axes are uniform on the sphere.

    Parameters
    ----------
    azimuthal_angle, polar_angle : array_like of float, shape (n,)
        Directions of the axes in rad; sign and period of an axis do not matter.

    Returns
    -------
    AxisUniformity
        Both statistics and p-values.

    Raises
    ------
    InputError
        If the arrays differ in size, hold values that are not finite, or hold fewer than
        20 axes, too few for the limiting distributions.

    Notes
    -----
    With eigenvalues :math:`\lambda_i` of the mean of :math:`v v^T`, Bingham's statistic

    .. math:: \frac{15 n}{2} \sum_i (\lambda_i - 1/3)^2

    follows chi-squared with 5 degrees of freedom (Mardia and Jupp, Directional
    Statistics, 2000, section 10.7.1).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> phi, theta = rng.uniform(-np.pi, np.pi, 400), np.arccos(rng.random(400))
    >>> axis_uniformity(phi, theta).bingham_p_value > 0.05
    True
    >>> axis_uniformity(phi, theta / 2).bingham_p_value < 1e-6
    True
    """
    phi, theta = (np.asarray(a, dtype=float).ravel() for a in (azimuthal_angle, polar_angle))
    if phi.size != theta.size or phi.size < MINIMUM_AXES:
        raise InputError(
            "a test of uniform axes needs paired angles",
            found=f"{phi.size} azimuthal and {theta.size} polar angles",
            expected=f"equal numbers, at least {MINIMUM_AXES}",
        )
    if not (np.isfinite(phi).all() and np.isfinite(theta).all()):
        raise InputError(
            "angles must be finite", found="NaN or infinity", remedy="leave those grains out"
        )
    n = phi.size
    v: NDArray[np.float64] = np.stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    )
    eigenvalues = np.linalg.eigvalsh(v @ v.T / n)
    bingham = 7.5 * n * float(np.sum((eigenvalues - 1.0 / 3.0) ** 2))
    rayleigh = 2.0 * n * float(abs(np.mean(np.exp(2j * phi)))) ** 2
    return AxisUniformity(
        sample_size=n,
        bingham=bingham,
        bingham_p_value=float(chi2.sf(bingham, 5)),
        rayleigh=rayleigh,
        rayleigh_p_value=float(chi2.sf(rayleigh, 2)),
    )
