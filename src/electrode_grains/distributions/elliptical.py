"""Gaussian and Student copulas, by the densities of copulae.

Their densities are those of copulae, which takes a second to import and is therefore
imported where it is called. Its Archimedean families cannot be fitted next to NumPy 2.4, and
it knows neither rotations nor the other six families of the paper: see `registry`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

Array = NDArray[Any]
Parameters = tuple[float, ...]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)


def gaussian_log_density(u: Array, v: Array, parameters: Parameters) -> Array:
    """Log-density with correlation rho, by copulae."""
    from copulae import GaussianCopula

    copula = GaussianCopula(dim=2)
    copula.params = parameters[0]
    return _log_density(copula, u, v)


def gaussian_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    """P(V <= v | U = u)."""
    (rho,) = parameters
    return np.asarray(ndtr((ndtri(v) - rho * ndtri(u)) / np.sqrt(1 - rho**2)))


def gaussian_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    """C(u, v), by integrating the conditional distribution."""
    return _integrate(gaussian_conditional, u, v, parameters)


def student_log_density(u: Array, v: Array, parameters: Parameters) -> Array:
    """Log-density with correlation rho and nu degrees of freedom, by copulae."""
    from copulae import StudentCopula

    rho, nu = parameters
    copula = StudentCopula(dim=2)
    copula.params = nu, rho
    return _log_density(copula, u, v)


def student_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    """P(V <= v | U = u)."""
    rho, nu = parameters
    x, y = stdtrit(nu, u), stdtrit(nu, v)
    scale = np.sqrt((1 - rho**2) * (nu + x**2) / (nu + 1))
    return np.asarray(stdtr(nu + 1, (y - rho * x) / scale))


def student_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    """C(u, v), by integrating the conditional distribution."""
    return _integrate(student_conditional, u, v, parameters)


def kendall_tau(parameters: Parameters) -> float:
    """Kendall's tau, the same for all elliptical copulas of a correlation."""
    return float(2 / np.pi * np.arcsin(parameters[0]))


def student_tails(parameters: Parameters) -> tuple[float, float]:
    """Equal dependence in both tails."""
    rho, nu = parameters
    tail = float(2 * stdtr(nu + 1, -np.sqrt((nu + 1) * (1 - rho) / (1 + rho))))
    return tail, tail


def _log_density(copula: Any, u: Array, v: Array) -> Array:
    """Evaluate a copula of copulae on arrays of any shape."""
    first, second = np.broadcast_arrays(u, v)
    points = np.column_stack([first.ravel(), second.ravel()])
    # copulae 0.8 fails on a single point next to NumPy 2.4, so one more is always given.
    padded = np.vstack([points, [[0.5, 0.5]]])
    return np.asarray(copula.pdf(padded, log=True), float)[:-1].reshape(first.shape)


def _integrate(conditional: Any, u: Array, v: Array, parameters: Parameters) -> Array:
    """Integral of the conditional distribution over [0, u]; nodes crowd at both ends."""
    place = 0.5 * (NODES + 1)
    bent = place**2 * (3 - 2 * place)
    slope = 6 * place * (1 - place) * 0.5 * WEIGHTS
    at = np.clip(np.asarray(u)[..., None] * bent, 1e-300, 1 - 1e-16)
    values = conditional(at, np.asarray(v)[..., None], parameters)
    return np.asarray((values * slope).sum(axis=-1) * u)
