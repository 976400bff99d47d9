"""Quantities that follow from a fitted pair, beside the same quantity of the grains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import gaussian_kde

from electrode_grains.distributions.copulas import BivariateCopula
from electrode_grains.distributions.joint import JointDensity, SampledDistribution
from electrode_grains.distributions.records import (
    CopulaFits,
    DerivedQuantity,
    MarginalFits,
    Moments,
)

NM_PER_UM = 1000.0
KERNEL_SAMPLE = 20_000
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)


def specific_surface_area(diameter_nm: ArrayLike, sphericity: ArrayLike) -> NDArray[np.float64]:
    """Surface area over volume of grains, 6 / (d s).

    Parameters
    ----------
    diameter_nm, sphericity : array_like of float
        Equivalent diameter in nm and sphericity.

    Returns
    -------
    ndarray of float64
        Per micrometre.

    Notes
    -----
    With d and s from the same volume and surface area a this is a / V exactly, since
    s = pi d^2 / a and V = pi d^3 / 6 (section 4 of Furat et al., J. Power Sources 483, 2021).

    Examples
    --------
    >>> float(specific_surface_area(500.0, 0.8))
    15.0
    """
    product = np.asarray(diameter_nm, float) * np.asarray(sphericity, float)
    return np.asarray(NM_PER_UM * 6 / product)


def joint_density_of(
    x: str, y: str, marginal_fits: MarginalFits, copula_fits: CopulaFits
) -> JointDensity | None:
    """Fitted joint density of two characteristics.

    Returns
    -------
    JointDensity or None
        With independence where the pair was not modelled, because it is hardly correlated;
        None where a marginal or the copula of the pair could not be fitted.
    """
    fits = [marginal_fits.characteristics[name] for name in (x, y)]
    if any(fit.best is None for fit in fits):
        return None
    copula = BivariateCopula("independence")
    for pair in copula_fits.pairs:
        if {pair.x, pair.y} == {x, y}:
            if pair.best is None:
                return None
            fitted = pair.best.copula()
            copula = fitted if pair.x == x else fitted.swapped()
    first, second = (fit.joint_distribution() for fit in fits)
    return JointDensity(first, second, copula)


def derive_quantity(
    function: Callable[[Any, Any], ArrayLike], x: ArrayLike, y: ArrayLike, joint: JointDensity
) -> DerivedQuantity:
    """Set a function of two characteristics as the grains have it beside what the fit implies.

    Parameters
    ----------
    function : callable
        Of (x, y).
    x, y : array_like of float, shape (n,)
        Values of the grains; pairs that are not finite are left out.
    joint : JointDensity
        Fitted to them.
    """
    values = np.asarray(function(np.asarray(x, float), np.asarray(y, float)), float)
    values = np.sort(values[np.isfinite(values)])
    implied = joint.push_forward(function)
    steps = np.arange(values.size + 1) / max(values.size, 1)
    reached = implied.cdf(values)
    distance = np.maximum(steps[1:] - reached, reached - steps[:-1])
    return DerivedQuantity(
        copula=joint.copula.family,
        sample_size=int(values.size),
        empirical=_moments(SampledDistribution(values)) if values.size > 1 else None,
        fitted=_moments(implied),
        kolmogorov_smirnov=float(distance.max()) if values.size else None,
    )


def _moments(distribution: SampledDistribution) -> Moments:
    levels = distribution.quantile(PROBABILITIES)
    return Moments(
        mean=distribution.mean(),
        std=distribution.std(),
        quantiles={f"{p:g}": float(q) for p, q in zip(PROBABILITIES, levels, strict=True)},
    )


def implied_density(
    function: Callable[[Any, Any], ArrayLike], joint: JointDensity | None, points: int = 300
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Density of a derived quantity, for drawing.

    Returns
    -------
    x, density : ndarray of float64, shape (points,)
        Over the middle 99.8 % of a sample, by a Gaussian kernel as wide as Silverman's rule
        says; empty without a joint density.
    """
    if joint is None:
        return np.empty(0), np.empty(0)
    values = joint.push_forward(function, n=KERNEL_SAMPLE).values
    low, high = np.quantile(values, (0.001, 0.999))
    x = np.linspace(low, high, points)
    return x, np.asarray(gaussian_kde(values, "silverman")(x), float)
