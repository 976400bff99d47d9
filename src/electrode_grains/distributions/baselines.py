"""Gaussian and Student copulas, the elliptical baselines.

copulae has them too and serves as the oracle of the tests; it is not called here, since its
objects cannot be evaluated at a complex argument or outside an import of a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr, ndtri, stdtr, stdtrit

Array = NDArray[Any]
Parameters = tuple[float, ...]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)


def gaussian_log_density(u: Array, v: Array, parameters: Parameters) -> Array:
    """Log-density with correlation rho."""
    (rho,) = parameters
    x, y = ndtri(u), ndtri(v)
    rest = 1 - rho**2
    return np.asarray(-0.5 * np.log(rest) - (rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * rest))


def gaussian_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    """P(V <= v | U = u)."""
    (rho,) = parameters
    return np.asarray(ndtr((ndtri(v) - rho * ndtri(u)) / np.sqrt(1 - rho**2)))


def gaussian_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    """C(u, v), by integrating the conditional distribution."""
    return _integrate(gaussian_conditional, u, v, parameters)


def student_log_density(u: Array, v: Array, parameters: Parameters) -> Array:
    """Log-density with correlation rho and nu degrees of freedom."""
    rho, nu = parameters
    x, y = stdtrit(nu, u), stdtrit(nu, v)
    rest = 1 - rho**2
    quadratic = (x**2 - 2 * rho * x * y + y**2) / (nu * rest)
    constant = gammaln((nu + 2) / 2) + gammaln(nu / 2) - 2 * gammaln((nu + 1) / 2)
    return np.asarray(
        constant
        - 0.5 * np.log(rest)
        - (nu + 2) / 2 * np.log1p(quadratic)
        + (nu + 1) / 2 * (np.log1p(x**2 / nu) + np.log1p(y**2 / nu))
    )


def student_conditional(u: Array, v: Array, parameters: Parameters) -> Array:
    """P(V <= v | U = u)."""
    rho, nu = parameters
    x, y = stdtrit(nu, u), stdtrit(nu, v)
    scale = np.sqrt((1 - rho**2) * (nu + x**2) / (nu + 1))
    return np.asarray(stdtr(nu + 1, (y - rho * x) / scale))


def student_cdf(u: Array, v: Array, parameters: Parameters) -> Array:
    """C(u, v), by integrating the conditional distribution."""
    return _integrate(student_conditional, u, v, parameters)


def student_tails(parameters: Parameters) -> tuple[float, float]:
    """Equal dependence in both tails."""
    rho, nu = parameters
    tail = float(2 * stdtr(nu + 1, -np.sqrt((nu + 1) * (1 - rho) / (1 + rho))))
    return tail, tail


CONDITIONALS = {"gaussian": gaussian_conditional, "student": student_conditional}


def _integrate(conditional: Any, u: Array, v: Array, parameters: Parameters) -> Array:
    """Integral of the conditional distribution over [0, u]; nodes crowd at both ends."""
    place = 0.5 * (NODES + 1)
    bent = place**2 * (3 - 2 * place)
    slope = 6 * place * (1 - place) * 0.5 * WEIGHTS
    at = np.clip(np.asarray(u)[..., None] * bent, 1e-300, 1 - 1e-16)
    values = conditional(at, np.asarray(v)[..., None], parameters)
    return np.asarray((values * slope).sum(axis=-1) * u)
