"""Bivariate copulas with rotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.distributions.family_declaration import CopulaFamily
from electrode_grains.distributions.registry import copula_family_named, parameters_by_name
from electrode_grains.errors import SettingsError

Array = NDArray[np.float64]
ROTATIONS = (0, 90, 180, 270)
COMPLEX_STEP = 1e-30
INVERSION_STEPS = 100
BLOCK = 16384  # points at a time, whose intermediate results stay in the cache
TAU_NODES = 200


def unrotated(u: Array, v: Array, rotation: int) -> tuple[Array, Array]:
    """Arguments at which the unrotated family has the density of the rotated one."""
    return (
        1 - u if rotation in (90, 180) else u,
        1 - v if rotation in (180, 270) else v,
    )


@dataclass(frozen=True)
class BivariateCopula:
    """A copula of one family.

    Parameters
    ----------
    family : str
        Name in `COPULA_FAMILIES`.
    parameters : tuple of float, or mapping of str to float
        In the paper's order, or by its names; kept as a tuple.
    rotation : int
        With c the density of the family: 90 is c(1 - u, v), 180 is c(1 - u, 1 - v), 270 is
        c(u, 1 - v), as in vinecopulib; in this reading Tables 3 and 4 of Furat et al. agree.

    Raises
    ------
    SettingsError
        If family, number or range of the parameters, or rotation are impossible.

    Examples
    --------
    >>> copula = BivariateCopula("bb1", (0.36, 3.13), rotation=180)
    >>> round(copula.kendall_tau(), 4)
    0.7292
    """

    family: str
    parameters: tuple[float, ...] = ()
    rotation: int = 0

    def __post_init__(self) -> None:
        """Check what was asked for and keep plain floats."""
        family = self._family
        if self.rotation not in ROTATIONS:
            raise SettingsError(
                "a copula is rotated in steps of 90 degrees", found=str(self.rotation)
            )
        names, bounds = family.parameter_names, family.bounds
        given = parameters_by_name(self.family, names, self.parameters)
        if set(given) != set(names):
            raise SettingsError(
                f"wrong parameters for {self.family}",
                found=", ".join(map(str, given)) or "none",
                expected=", ".join(names) or "none",
            )
        values = tuple(float(given[name]) for name in names)
        for name, value, (low, high) in zip(names, values, bounds, strict=True):
            # The limits of a fit stop short of open ends, which a user may approach.
            floor = 0.0 if 0 < low < 0.1 else low
            if not (np.isfinite(value) and floor <= value <= max(high, 1e3 * (high > 1))):
                raise SettingsError(
                    f"{name} of {self.family} is out of range",
                    found=str(value),
                    expected=f"{floor} to {high}",
                )
        object.__setattr__(self, "parameters", values)

    @property
    def _family(self) -> CopulaFamily:
        return copula_family_named(self.family)

    def log_pdf(self, u: ArrayLike, v: ArrayLike) -> Array:
        """Log-density at points inside the unit square."""
        a, b = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float))
        density = np.empty(a.size)
        for start in range(0, a.size, BLOCK):
            block = slice(start, start + BLOCK)
            turned = unrotated(a.ravel()[block], b.ravel()[block], self.rotation)
            density[block] = self._family.log_density(*turned, self.parameters)
        return density.reshape(a.shape)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, which JSON keeps."""
        return {
            "family": self.family,
            "parameters": list(self.parameters),
            "rotation": self.rotation,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> BivariateCopula:
        """Copula from what `to_dict` returned."""
        return cls(content["family"], content["parameters"], int(content.get("rotation", 0)))

    def pdf(self, u: ArrayLike, v: ArrayLike) -> Array:
        """Density at points inside the unit square."""
        return np.asarray(np.exp(self.log_pdf(u, v)))

    def cdf(self, u: ArrayLike, v: ArrayLike) -> Array:
        """Distribution function C(u, v) on the closed unit square."""
        a, b = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float))
        inside = (a > 0) & (a < 1) & (b > 0) & (b < 1)
        tame_a, tame_b = np.where(inside, a, 0.5), np.where(inside, b, 0.5)
        base = self._base_cdf(*unrotated(tame_a, tame_b, self.rotation))
        turned = {
            0: base,
            90: tame_b - base,
            180: tame_a + tame_b - 1 + base,
            270: tame_a - base,
        }[self.rotation]
        edge = np.maximum(np.minimum(np.minimum(a, b), 1), 0)
        return np.where(inside, np.clip(turned, 0, 1), edge)

    def _base_cdf(self, u: Array, v: Array) -> Array:
        return np.asarray(np.real(self._family.cdf(u, v, self.parameters)), float)

    def _base_conditional(self, u: Array, v: Array) -> Array:
        """dC/du of the unrotated family: P(V <= v | U = u)."""
        if self._family.conditional is not None:
            return np.asarray(np.clip(self._family.conditional(u, v, self.parameters), 0, 1))
        shifted = self._family.cdf(u + 1j * COMPLEX_STEP, v + 0j, self.parameters)
        return np.asarray(np.clip(np.imag(shifted) / COMPLEX_STEP, 0, 1))

    def conditional_v_given_u(self, u: ArrayLike, v: ArrayLike) -> Array:
        """h-function P(V <= v | U = u)."""
        a, b = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float))
        h = self._base_conditional(*unrotated(a, b, self.rotation))
        return 1 - h if self.rotation in (180, 270) else h

    def swapped(self) -> BivariateCopula:
        """Copula of (V, U); the families are exchangeable, their rotations are not."""
        exchanged = {0: 0, 90: 270, 180: 180, 270: 90}[self.rotation]
        return BivariateCopula(self.family, self.parameters, exchanged)

    def conditional_u_given_v(self, u: ArrayLike, v: ArrayLike) -> Array:
        """h-function P(U <= u | V = v)."""
        return self.swapped().conditional_v_given_u(v, u)

    def inverse_conditional_v_given_u(self, u: ArrayLike, probability: ArrayLike) -> Array:
        """Value v with P(V <= v | U = u) as given, by Newton's method inside a bracket."""
        a, p = np.broadcast_arrays(np.asarray(u, float), np.asarray(probability, float))
        return self._invert(a, p)

    def inverse_conditional_u_given_v(self, v: ArrayLike, probability: ArrayLike) -> Array:
        """Value u with P(U <= u | V = v) as given."""
        return self.swapped().inverse_conditional_v_given_u(v, probability)

    def _invert(self, u: Array, p: Array) -> Array:
        given, wanted = u.ravel(), p.ravel()
        low, high = np.zeros_like(wanted), np.ones_like(wanted)
        v = np.clip(wanted, np.finfo(float).tiny, 1 - 2.0**-53)
        moved = np.full(v.size, np.inf)
        active = np.arange(v.size)  # a value that has converged is not moved any more
        for _ in range(INVERSION_STEPS):
            at, aim = v[active], wanted[active]
            excess = self.conditional_v_given_u(given[active], at) - aim
            below = np.where(excess <= 0, at, low[active])
            above = np.where(excess >= 0, at, high[active])
            low[active], high[active] = below, above
            with np.errstate(all="ignore"):
                newton = at - excess * np.exp(-self.log_pdf(given[active], at))
            inside = (newton > below) & (newton < above)
            done = (np.abs(excess) <= 1e-15 * aim) | (above - below <= 2.0**-52 * above)
            done |= inside & (np.abs(newton - at) <= 1e-15 * at)
            # where a step is not half as long as the last, halve the bracket: Newton's method
            # creeps along a flat tail
            halved = ~inside | (np.abs(newton - at) > 0.5 * moved[active])
            to = np.where(done, at, np.where(halved, 0.5 * (below + above), newton))
            v[active], moved[active] = to, np.abs(to - at)
            active = active[~done]
            if not active.size:
                break
        return np.asarray(v.reshape(p.shape))

    def kendall_tau(self) -> float:
        """Kendall's tau; closed where the family has a closed form."""
        tau = self._family.kendall_tau
        value = tau(self.parameters) if tau is not None else self._integrated_tau()
        return -value if self.rotation in (90, 270) else value

    def _integrated_tau(self) -> float:
        """1 - 4 times the integral of dC/du dC/dv."""
        u, v, weights = _unit_square()
        product = self._base_conditional(u, v) * self._base_conditional(v, u)
        return float(1 - 4 * np.sum(weights * product))

    def spearman_rho(self) -> float:
        """Spearman's rho, 12 times the integral of C(u, v) - u v."""
        u, v, weights = _unit_square()
        value = float(12 * np.sum(weights * (self._base_cdf(u, v) - u * v)))
        return -value if self.rotation in (90, 270) else value

    def tail_dependence(self) -> tuple[float, float]:
        """Coefficients of the lower left and upper right corner."""
        lower, upper = self._family.tail_dependence(self.parameters)
        if self.rotation == 180:
            return upper, lower
        return (0.0, 0.0) if self.rotation in (90, 270) else (lower, upper)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw n points (u, v)."""
        u, p = rng.random(n), rng.random(n)
        return u, self.inverse_conditional_v_given_u(u, p)


def _unit_square() -> tuple[Array, Array, Array]:
    """Nodes and weights on the unit square, crowded towards its edges."""
    nodes, weights = np.polynomial.legendre.leggauss(TAU_NODES)
    place = 0.5 * (nodes + 1)
    bent = place**3 * (10 - 15 * place + 6 * place**2)
    slope = 30 * place**2 * (1 - place) ** 2 * 0.5 * weights
    u, v = np.meshgrid(bent, bent, indexing="ij")
    return u, v, np.outer(slope, slope)
