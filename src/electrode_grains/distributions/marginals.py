"""Marginal distributions of grain characteristics, truncated to what they can be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad

from electrode_grains.distributions.family_declaration import MarginalFamily, Point
from electrode_grains.distributions.quantiles import invert_tails
from electrode_grains.distributions.registry import family_named, parameters_by_name
from electrode_grains.errors import SettingsError

# Probabilities at which the range is cut for integration.
PANEL_PROBABILITIES = (1e-3, 0.05, 0.3, 0.7, 0.95, 1 - 1e-3)


@dataclass(frozen=True)
class Marginal:
    r"""A distribution of one characteristic, truncated to a support.

    Parameters
    ----------
    family : str
        Name in `MARGINAL_FAMILIES`.
    parameters : mapping of str to float, or sequence of float
        In the paper's names, signs and units, or in its order; `k` of the generalized extreme
        value distribution is minus SciPy's `c`, and the Gumbel distribution of maxima at 0.
    support : (float, float), optional
        Interval to truncate and renormalise to; the family's own without it, which is
        [-pi, pi) for `gaussian_mixture`.

    Raises
    ------
    SettingsError
        If family, parameters or support make no density.

    Notes
    -----
    With density f and distribution function F of the family, the density on the support
    (a, b) is

    .. math:: x \mapsto f(x) / (F(b) - F(a)).

    Equations (17) to (21) of Furat, Finegan et al., J. Power Sources 483 (2021) 229148.

    Examples
    --------
    >>> diameter = Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600})
    >>> round(diameter.mean(), 4), round(diameter.std(), 4)
    (513.8, 171.7166)
    >>> round(float(diameter.quantile(0.5)), 1)
    486.8
    """

    family: str
    parameters: Mapping[str, float]  # a sequence in the paper's order becomes one
    support: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        values = _checked_parameters(self._declaration, self.parameters)
        object.__setattr__(self, "parameters", values)
        if self.support is not None:
            object.__setattr__(self, "support", checked_support(self.support))
        if not self._mass > 0.0:
            raise SettingsError(
                f"the {self.family} distribution has no probability on its support",
                found=f"{dict(values)} on {self.bounds}",
                remedy="widen the support or correct the parameters",
            )

    @property
    def _declaration(self) -> MarginalFamily:
        return family_named(self.family)

    @cached_property
    def _values(self) -> Point:
        return tuple(self.parameters[name] for name in self._declaration.parameter_names)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Interval outside which the density is zero: support and natural support."""
        start, stop = self._declaration.natural_support
        support = self.support or self._declaration.default_support
        if support is None:
            return start, stop
        return max(start, support[0]), min(stop, support[1])

    @cached_property
    def _tails(self) -> tuple[float, float]:
        return self._declaration.tails_between(self._values, *self.bounds)

    @cached_property
    def _mass(self) -> float:
        if not self.bounds[0] < self.bounds[1]:
            return 0.0
        return self._declaration.mass_between(self._values, *self.bounds)

    def log_pdf(self, x: ArrayLike) -> NDArray[np.float64]:
        """Logarithm of the density.

        Parameters
        ----------
        x : array_like of float
            Values in the unit of the characteristic.

        Returns
        -------
        ndarray of float, shape of x
            In nats, -inf outside the support.
        """
        x = np.asarray(x, dtype=float)
        lower, upper = self.bounds
        with np.errstate(all="ignore"):
            density = self._declaration.log_density(x, *self._values) - math.log(self._mass)
        inside = (x >= lower) & (x <= upper) & ~np.isnan(density) & np.isfinite(x)
        return _scalar(np.where(np.isnan(x), np.nan, np.where(inside, density, -np.inf)))

    def pdf(self, x: ArrayLike) -> NDArray[np.float64]:
        """Density, in the reciprocal unit of the characteristic; see `log_pdf`."""
        return _scalar(np.exp(self.log_pdf(x)))

    def cdf(self, x: ArrayLike) -> NDArray[np.float64]:
        """Probability of values up to x.

        Parameters
        ----------
        x : array_like of float
            Values in the unit of the characteristic.

        Returns
        -------
        ndarray of float, shape of x
            0 below the support, 1 above it.
        """
        x = np.asarray(x, dtype=float)
        lower, upper = self.bounds
        (below_lower, above_upper), mass = self._tails, self._mass
        with np.errstate(all="ignore"):
            below, above = self._declaration.tails(x, *self._values)
        # the smaller tail is the accurate one
        share = np.where(below < above, (below - below_lower) / mass, 1.0)
        share = np.where(below < above, share, 1.0 - (above - above_upper) / mass)
        share = np.where(x <= lower, 0.0, np.where(x >= upper, 1.0, np.clip(share, 0.0, 1.0)))
        return _scalar(np.where(np.isnan(x), np.nan, share))

    def sf(self, x: ArrayLike) -> NDArray[np.float64]:
        """Probability of values above x, accurate where it is small; see `cdf`."""
        x = np.asarray(x, dtype=float)
        lower, upper = self.bounds
        (below_lower, above_upper), mass = self._tails, self._mass
        with np.errstate(all="ignore"):
            below, above = self._declaration.tails(x, *self._values)
        share = np.where(
            below < above, 1.0 - (below - below_lower) / mass, (above - above_upper) / mass
        )
        share = np.where(x <= lower, 1.0, np.where(x >= upper, 0.0, np.clip(share, 0.0, 1.0)))
        return _scalar(np.where(np.isnan(x), np.nan, share))

    def isf(self, probability: ArrayLike) -> NDArray[np.float64]:
        """Value above which lies the given probability, accurate where it is small."""
        return self._invert(np.asarray(probability, dtype=float), from_above=True)

    def quantile(self, probability: ArrayLike) -> NDArray[np.float64]:
        """Value below which lies the given probability.

        Parameters
        ----------
        probability : array_like of float
            In [0, 1].

        Returns
        -------
        ndarray of float, shape of probability
            In the unit of the characteristic; NaN outside [0, 1].
        """
        return self._invert(np.asarray(probability, dtype=float), from_above=False)

    def _invert(self, share: NDArray[np.float64], *, from_above: bool) -> NDArray[np.float64]:
        flat = np.atleast_1d(share)
        valid = (flat > 0.0) & (flat < 1.0)
        (below, above), mass = self._tails, self._mass
        left, right = (1.0 - flat, flat) if from_above else (flat, 1.0 - flat)
        p = np.where(valid, below + left * mass, 0.5)
        q = np.where(valid, above + right * mass, 0.5)
        with np.errstate(all="ignore"):
            if self._declaration.quantile is not None:
                x = self._declaration.quantile(p, q, *self._values)
            else:
                x = invert_tails(self._declaration, p, q, self._values)
        lower, upper = self._ends()[::-1] if from_above else self._ends()
        x = np.where(valid, np.clip(x, *self.bounds), np.nan)
        x = np.where(flat == 0.0, lower, np.where(flat == 1.0, upper, x))
        return _scalar(x.reshape(share.shape))

    def ppf(self, probability: ArrayLike) -> NDArray[np.float64]:
        """The same as `quantile`, by SciPy's name."""
        return self.quantile(probability)

    def rvs(
        self, size: int = 1, random_state: np.random.Generator | int | None = None
    ) -> NDArray[np.float64]:
        """The same as `sample`, by SciPy's name."""
        return self.sample(size, np.random.default_rng(random_state))

    def posterior(self, x: ArrayLike) -> NDArray[np.float64]:
        """Probability that a value belongs to the first component of a mixture.

        Parameters
        ----------
        x : array_like of float

        Returns
        -------
        ndarray of float, shape of x
            NaN where the density is 0.

        Raises
        ------
        SettingsError
            If the family is no mixture.
        """
        mixture = self._declaration.mixture
        if mixture is None:
            raise SettingsError(f"{self.family} is no mixture of two components")
        first, second, share = mixture.split(self._values)
        density = family_named(mixture.component).log_density
        values = np.asarray(x, dtype=float)
        with np.errstate(all="ignore"):
            one = density(values, *first) + math.log(share)
            other = density(values, *second) + math.log1p(-share)
            probability = 1.0 / (1.0 + np.exp(other - one))
        return _scalar(np.where(np.isfinite(self.log_pdf(values)), probability, np.nan))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, which JSON keeps; an open end of the support is None."""
        ends = self.support and [end if math.isfinite(end) else None for end in self.support]
        return {"family": self.family, "parameters": dict(self.parameters), "support": ends}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Marginal:
        """Distribution from what `to_dict` returned."""
        ends = content.get("support")
        if ends is not None:
            low, high = ends
            ends = -math.inf if low is None else low, math.inf if high is None else high
        return cls(content["family"], content["parameters"], ends)

    def mean(self) -> float:
        """Integrate x pdf(x): in the unit of the characteristic, infinite where it diverges."""
        return self._mean

    def std(self) -> float:
        """Return the standard deviation in the same unit, infinite where it diverges."""
        return self._std

    @cached_property
    def _mean(self) -> float:
        unit = self._unit
        return self._moment(1, 0.0) if unit is None else unit * self._in_units(unit)._mean

    @cached_property
    def _std(self) -> float:
        if (unit := self._unit) is not None:
            return unit * self._in_units(unit)._std
        mean = self._mean
        return math.sqrt(self._moment(2, mean)) if math.isfinite(mean) else math.inf

    @property
    def _unit(self) -> float | None:
        """Unit to integrate in, where squares of the values would vanish or overflow."""
        size = float(np.max(np.abs(self.quantile([0.05, 0.5, 0.95]))))
        ordinary = 1e-60 < size < 1e60 or not self._declaration.is_scalable
        return None if ordinary or not math.isfinite(size) else size

    def _in_units(self, unit: float) -> Marginal:
        values = {
            parameter.name: parameter.rescale(value, 1.0 / unit)
            for parameter, value in zip(self._declaration.parameters, self._values, strict=True)
        }
        ends = self.bounds[0] / unit, self.bounds[1] / unit
        return Marginal(self.family, values, ends)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw values by inversion.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of float, shape (n,)
            In the unit of the characteristic.
        """
        # 1 - U is in (0, 1], and 2^-54 keeps both ends of an infinite support away
        uniform = np.clip(rng.random(n), 2.0**-54, 1.0 - 2.0**-53)
        return np.atleast_1d(self.quantile(uniform))

    def _ends(self) -> tuple[float, float]:
        """Find the ends of the density, with the end point that some parameters imply."""
        return self._declaration.ends(self._values, self.bounds)

    def why_inadmissible(self, sample_size: int) -> str:
        """Say why this fit to a sample must not win, empty where it may."""
        return self._declaration.why_inadmissible(self._values, self.bounds, sample_size)

    def _moment(self, order: int, centre: float) -> float:
        """Integrate (x - centre)^order pdf(x)."""
        lower, upper = self._ends()
        indices = self._declaration.tail_index(*self._values)
        open_ends = (math.isinf(lower), math.isinf(upper))
        if any(open and order >= index for open, index in zip(open_ends, indices, strict=True)):
            sign = -1.0 if order == 1 and open_ends[0] and order >= indices[0] else 1.0
            return sign * math.inf
        cuts = [float(cut) for cut in self.quantile(np.array(PANEL_PROBABILITIES))]
        width = max(cuts[-2] - cuts[1], 1e-300)

        def middle(x: float) -> float:
            return float((x - centre) ** order * self.pdf(x))

        # x = cut +- width (e^t - 1) turns power tails into exponential ones
        def outer(t: float, cut: float, sign: float) -> float:
            t = min(t, 600.0)
            x = cut + sign * width * math.expm1(t)
            log_weight = float(self.log_pdf(x)) + math.log(width) + t
            distance = x - centre
            if distance == 0.0 or log_weight == -math.inf:
                return 0.0
            size = math.exp(min(order * math.log(abs(distance)) + log_weight, 700.0))
            return math.copysign(size, distance) if order == 1 else size

        total = sum(_integral(middle, left, right) for left, right in pairwise(cuts))
        for cut, end, sign in ((cuts[0], lower, -1.0), (cuts[-1], upper, 1.0)):
            reach = math.log1p(sign * (end - cut) / width)
            total += _integral(outer, 0.0, reach, (cut, sign))
        return total


def _integral(function: Any, left: float, right: float, arguments: tuple[float, ...] = ()) -> float:
    # full_output keeps quad from warning where rounding stops it short of 1e-10
    value = quad(function, left, right, arguments, True, epsabs=1e-14, epsrel=1e-10, limit=200)[0]
    return float(value)


def _scalar(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a NumPy scalar for an array of no dimension."""
    scalar: NDArray[np.float64] = np.asarray(values, dtype=float)[()]
    return scalar


def _checked_parameters(
    declaration: MarginalFamily, parameters: Mapping[str, float]
) -> dict[str, float]:
    names = declaration.parameter_names
    parameters = parameters_by_name(declaration.name, names, parameters)
    if set(parameters) != set(names):
        raise SettingsError(
            f"wrong parameters for {declaration.name}",
            found=", ".join(map(str, parameters)) or "none",
            expected=", ".join(names) or "none",
        )
    values = {name: float(parameters[name]) for name in names}
    for parameter in declaration.parameters:
        lower, upper = parameter.admissible
        value = values[parameter.name]
        if not (math.isfinite(value) and lower < value < upper):
            raise SettingsError(
                f"{parameter.name} of {declaration.name} is out of range",
                found=f"{parameter.name} = {value:g}",
                expected=f"a finite value in ({lower:g}, {upper:g})",
            )
    return values


def checked_support(support: tuple[float, float]) -> tuple[float, float]:
    """Return the ends as floats, or refuse them.

    Raises
    ------
    SettingsError
        If the lower end is not below the upper one.
    """
    lower, upper = (float(end) for end in support)
    if not lower < upper:
        raise SettingsError(
            "a support needs a lower end below its upper end", found=f"({lower:g}, {upper:g})"
        )
    return lower, upper
