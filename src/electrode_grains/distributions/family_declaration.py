"""What a family declares of itself: parameters, density, tails, special cases, admissibility.

A declaration is all that the rest of the package knows of a family: fits, quantiles, moments,
rankings and tables read it, and none of them knows a family or a parameter by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, ndtri

Array = NDArray[np.float64]
Point = tuple[float, ...]
Kind = Literal[
    "location", "scale", "log_location", "shape", "real", "angle", "probability", "excess", "signed"
]
# A component of a mixture that stands for fewer grains is chance: see `Mixture`.
MINIMUM_COMPONENT = 30

# Ranges of the search, for data divided by their standard deviation.
SEARCH_RANGES: dict[str, tuple[float, float]] = {
    "scale": (1e-4, 1e12),
    "log_location": (-100.0, 100.0),
    "shape": (1e-3, 1e5),
    "angle": (-math.inf, math.inf),
    "probability": (0.005, 0.995),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family.

    Attributes
    ----------
    name : str
        The paper's name.
    kind : str
        `location` and `scale` carry the unit of the data, `log_location` is added to
        the logarithm of the data, `angle` is in rad, the others have no unit. `scale`
        and `shape` are positive and searched in logarithms. `excess` (over the lower end
        of `search`) and `signed` are parameters of copulas, searched in log(1 + excess) and
        in asinh, where the likelihood is about equally curved along the range.
    lower, upper : float
        Open range of admissible values, for a parameter of kind `real`.
    search : (float, float), optional
        Range of the fit, when narrower than what the kind says.
    """

    name: str
    kind: Kind
    lower: float = -math.inf
    upper: float = math.inf
    search: tuple[float, float] | None = None

    @property
    def admissible(self) -> tuple[float, float]:
        """Open range of values that make a density."""
        if self.kind in ("scale", "shape"):
            return 0.0, math.inf
        if self.kind == "probability":
            return 0.0, 1.0
        return self.lower, self.upper

    @cached_property
    def search_range(self) -> tuple[float, float]:
        """Closed range of values that a fit may return."""
        if self.search is not None:
            return self.search
        return SEARCH_RANGES.get(self.kind, (-math.inf, math.inf))

    def to_coordinate(self, value: float) -> float:
        """Map a value to the coordinate it is searched in."""
        if self.kind in ("scale", "shape"):
            return math.log(value) if value > 0.0 else -math.inf
        if self.kind == "excess":
            return math.log1p(value - self.search_range[0])
        if self.kind == "signed":
            return math.asinh(value)
        return float(logit(value)) if self.kind == "probability" else value

    def from_coordinate(self, coordinate: float) -> float:
        """Map a coordinate of the search back to the value."""
        if self.kind in ("scale", "shape"):
            return math.exp(coordinate)
        if self.kind == "probability":
            return 1.0 / (1.0 + math.exp(-coordinate))
        if self.kind == "excess":
            return self.search_range[0] + math.expm1(coordinate)
        return math.sinh(coordinate) if self.kind == "signed" else coordinate

    def slopes(self, coordinate: float) -> tuple[float, float]:
        """First and second derivative of the value by the coordinate."""
        if self.kind in ("scale", "shape", "excess"):
            return math.exp(coordinate), math.exp(coordinate)
        if self.kind == "probability":
            share = self.from_coordinate(coordinate)
            return share * (1.0 - share), share * (1.0 - share) * (1.0 - 2.0 * share)
        if self.kind == "signed":
            return math.cosh(coordinate), math.sinh(coordinate)
        return 1.0, 0.0

    def rescale(self, value: float, factor: float) -> float:
        """Return the parameter once the data are multiplied by `factor`."""
        if self.kind in ("location", "scale"):
            return value * factor
        if self.kind == "log_location":
            return value + math.log(factor)
        if self.kind == "angle":
            return (value + math.pi) % (2.0 * math.pi) - math.pi
        return value


@dataclass(frozen=True)
class Nested:
    """A family that is a special case, and where it lies in the larger one."""

    family: str
    embed: Callable[[Point], Point]


@dataclass(frozen=True)
class Mixture:
    """Two components of one family, exchangeable, and the share of the first.

    The parameters of the mixture are those of the first and the second component in turn
    (mu1, mu2, sigma1, sigma2), then the share.

    Attributes
    ----------
    component : str
        Family of both components.
    location : callable (*values of a component) -> float
        By which the components are ordered: the first has the smaller one.
    """

    component: str
    location: Callable[..., float]

    def split(self, values: Point) -> tuple[Point, Point, float]:
        """Parameters of either component, and the share of the first."""
        return values[0:-1:2], values[1:-1:2], values[-1]

    def admissibility(self, values: Point, sample_size: int) -> str:
        """Say why the mixture describes no two populations: one is too small."""
        least = min(values[-1], 1 - values[-1]) * sample_size
        if least >= MINIMUM_COMPONENT:
            return ""
        return f"one of its components stands for {least:.0f} grains only"


@dataclass(frozen=True)
class Reparametrization:
    """Other parameters of the same kinds, which the likelihood hardly couples.

    They keep the search from creeping along a ridge towards a limiting family.
    """

    forward: Callable[[Point], Point]
    backward: Callable[[Point], Point]


@dataclass(frozen=True, kw_only=True)
class MarginalFamily:
    """Declaration of a parametric family on the line, before any truncation.

    Attributes
    ----------
    name : str
        Key in `MARGINAL_FAMILIES`.
    formula : str
        Density of x before truncation for the reader, as SymPy writes it; a parameter lambda
        is ``lambda_``. Empty where the report shows none.
    parameters : tuple of Parameter
        In the paper's order, in which all functions below take their values.
    natural_support : (float, float)
        Smallest interval that holds all densities of the family.
    log_density : callable (x, *parameters) -> array
        In nats, -inf outside the support.
    tails : callable (x, *parameters) -> (array, array)
        Probabilities below and above x, each accurate where it is small.
    quantile : callable (p, q, *parameters) -> array, optional
        Value below which lies p = 1 - q; None where the tails are inverted numerically.
    bracket : callable (p, q, *parameters) -> (array, array), optional
        Values that enclose the quantile, for numerical inversion.
    starts : callable (sample) -> list of tuples
        Rough estimates, where searches begin.
    closed_form : callable (sample) -> tuple, optional
        Maximum of the untruncated likelihood.
    nested : tuple of Nested
        Special cases, from which the search starts as well.
    limits : tuple of Nested
        Families that its parameters approach without end, and where the search begins near
        them; a fit that does no better says so.
    reparametrization : Reparametrization, optional
        Parameters to search in, where those of the family would make a narrow ridge.
    tail_index : callable (*parameters) -> (float, float)
        Orders below which the moments of the lower and the upper tail are finite.
    default_support : (float, float), optional
        Truncation that is part of the family unless another support is given.
    is_scalable : bool
        Whether multiples of the variable are in the family again.
    end_points : callable (*parameters) -> (float, float), optional
        Ends of the density, where they depend on the parameters.
    mixture : Mixture, optional
        Its two components; every start is searched from, since maxima are many.
    admissibility : callable (values, sample_size) -> str, optional
        Why a fitted distribution describes no population of grains, empty where it does.
    """

    name: str
    parameters: tuple[Parameter, ...]
    natural_support: tuple[float, float]
    log_density: Callable[..., Array]
    tails: Callable[..., tuple[Array, Array]]
    quantile: Callable[..., Array] | None = None
    bracket: Callable[..., tuple[Array, Array]] | None = None
    starts: Callable[[Array], list[Point]] = lambda sample: [()]
    closed_form: Callable[[Array], Point] | None = None
    nested: tuple[Nested, ...] = ()
    limits: tuple[Nested, ...] = ()
    reparametrization: Reparametrization | None = None
    tail_index: Callable[..., tuple[float, float]] = lambda *values: (math.inf, math.inf)
    default_support: tuple[float, float] | None = None
    is_scalable: bool = True
    end_points: Callable[..., tuple[float, float]] | None = None
    mixture: Mixture | None = None
    admissibility: Callable[[Point, int], str] = lambda values, sample_size: ""
    formula: str = ""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters in the paper's order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def is_mixture(self) -> bool:
        """Whether it has two exchangeable components."""
        return self.mixture is not None

    def ends(self, values: Point, bounds: tuple[float, float]) -> tuple[float, float]:
        """Ends of the density inside the bounds of a truncation."""
        first, last = self.end_points(*values) if self.end_points else self.natural_support
        return max(bounds[0], first), min(bounds[1], last)

    def why_inadmissible(self, values: Point, bounds: tuple[float, float], sample_size: int) -> str:
        """Say why a fit must not win although its likelihood is high; empty where it may.

        A distribution of infinite variance describes no population of grains.
        """
        open_ends = (math.isinf(end) for end in self.ends(values, bounds))
        tails = zip(open_ends, self.tail_index(*values), strict=True)
        if any(is_open and index <= 2.0 for is_open, index in tails):
            return "its standard deviation is infinite"
        if self.mixture is not None and (reason := self.mixture.admissibility(values, sample_size)):
            return reason
        return self.admissibility(values, sample_size)

    def tails_between(self, values: Point, lower: float, upper: float) -> tuple[float, float]:
        """Find the probability below `lower` and above `upper`, without truncation."""
        start, stop = self.natural_support
        below = float(self.tails(np.float64(lower), *values)[0]) if lower > start else 0.0
        above = float(self.tails(np.float64(upper), *values)[1]) if upper < stop else 0.0
        return below, above

    def mass_between(self, values: Point, lower: float, upper: float) -> float:
        """Find the probability of the interval (lower, upper), without truncation."""
        below, above = self.tails_between(values, lower, upper)
        if below > 0.5:
            return float(self.tails(np.float64(lower), *values)[1]) - above
        if above > 0.5:
            return float(self.tails(np.float64(upper), *values)[0]) - below
        return 1.0 - below - above


def normal_score(p: Array, q: Array) -> Array:
    """Quantile of the standard normal distribution, accurate in both tails."""
    return np.asarray(np.where(p < q, ndtri(p), -ndtri(q)))


def minus_log(p: Array, q: Array) -> Array:
    """Return -log(p), accurate for p near 1, where q = 1 - p is known better."""
    return np.asarray(np.where(p < q, -np.log(p), -np.log1p(-q)))


@dataclass(frozen=True, kw_only=True)
class CopulaFamily:
    """Declaration of a family of bivariate copulas.

    Attributes
    ----------
    name : str
        Key in `COPULA_FAMILIES`.
    parameters : tuple of Parameter
        In the paper's order; `search` is the range of a fit.
    log_density, cdf : callable (u, v, parameters) -> array
        `cdf` also of a complex u, unless `conditional` is given.
    tail_dependence : callable (parameters) -> (float, float)
        Coefficients of the lower and the upper tail.
    kendall_tau : callable (parameters) -> float, optional
        None where it is integrated numerically.
    conditional : callable (u, v, parameters) -> array, optional
        P(V <= v | U = u); None where the distribution function of a complex u gives it.
    is_radially_symmetric : bool
        Whether rotations give nothing that other parameters do not give too.
    transform : callable (u) -> array, optional
        What `jets` takes of u and of v.
    jets : callable (transform(u), transform(v), *parameters) -> array, optional
        Log-density in the functions of `jets`, of parameters that are numbers, or arrays that
        broadcast against the sample. It is compiled with its exact derivatives, which a fit takes
        by finite differences otherwise.
    formula : str
        Distribution function of u and v before rotation for the reader, as SymPy writes it.
    """

    name: str
    parameters: tuple[Parameter, ...]
    log_density: Callable[[Any, Any, Point], Any]
    cdf: Callable[[Any, Any, Point], Any]
    tail_dependence: Callable[[Point], tuple[float, float]] = lambda parameters: (0.0, 0.0)
    kendall_tau: Callable[[Point], float] | None = None
    conditional: Callable[[Any, Any, Point], Any] | None = None
    is_radially_symmetric: bool = False
    transform: Callable[[Array], Any] = lambda u: u
    jets: Callable[..., Any] | None = None
    formula: str = ""

    @classmethod
    def with_jets(
        cls,
        *,
        jets: Callable[..., Any],
        transform: Callable[[Array], Any] = lambda u: u,
        **declared: Any,
    ) -> CopulaFamily:
        """Declare a family whose log-density is that of its jets."""

        def log_density(u: Array, v: Array, parameters: Point) -> Array:
            with np.errstate(all="ignore"):  # terms of limits, such as log(0), and unused choices
                return np.asarray(jets(transform(u), transform(v), *parameters))

        return cls(log_density=log_density, transform=transform, jets=jets, **declared)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters in the paper's order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Range of each parameter in a fit."""
        return tuple(parameter.search_range for parameter in self.parameters)
