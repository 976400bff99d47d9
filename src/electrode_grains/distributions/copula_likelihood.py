"""The log-likelihood of a family of copulas, in the coordinates that it is searched in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.distributions import jets
from electrode_grains.distributions.compiled_densities import compiled_rows, compiled_totals
from electrode_grains.distributions.family_declaration import CopulaFamily, Parameter
from electrode_grains.distributions.likelihood_search import derivatives

Array = NDArray[np.float64]
# In coordinates: derivatives are taken as far inside the box, and as far from 0, where terms
# that cancel at the limit do not yet.
BESIDE, BESIDE_ZERO = 1e-4, 1e-3
SCORE_STEP = 1e-5  # of the scores of observations, by differences


@dataclass(frozen=True)
class CopulaLikelihood:
    """Log-likelihood of a family at given probabilities.

    Attributes
    ----------
    declared : CopulaFamily
    u, v : ndarray of float, shape (n,)
        Arguments of the unrotated family.
    """

    declared: CopulaFamily
    u: Array
    v: Array

    def __call__(self, point: Array) -> float:
        """Log-likelihood in nats, -inf where it is not finite."""
        return float(self._totals([self.parameters(point)])[0])

    def heights(self, points: Array) -> Array:
        """Log-likelihoods at points of shape (m, k)."""
        return self._totals([self.parameters(point) for point in points])

    def climb(self, point: Array) -> float:
        """Log-likelihood as a search wants it, which asks for the slopes at most points next."""
        if self.declared.jets is None:
            return self(point)
        total = float(self._sums(self.parameters(point))[0])
        return total if math.isfinite(total) else -math.inf

    def parameters(self, point: Array) -> tuple[float, ...]:
        """Parameters at coordinates, kept inside their ranges."""
        return parameters_at(self.declared, point)

    def coordinates(self, parameters: tuple[float, ...]) -> Array:
        """Coordinates of parameters, which are moved into their ranges."""
        return np.array(
            [
                part.to_coordinate(min(max(value, part.search_range[0]), part.search_range[1]))
                for part, value in zip(self.declared.parameters, parameters, strict=True)
            ]
        )

    @cached_property
    def box(self) -> tuple[Array, Array]:
        """Lower and upper ends of the coordinates."""
        lower, upper = np.array([coordinate_range(part) for part in self.declared.parameters]).T
        return lower, upper

    @property
    def exact_slopes(self) -> Callable[[Array], tuple[Array, Array]] | None:
        """Gradient and Hessian by coordinates, where the family has jets."""
        return None if self.declared.jets is None else self.slopes

    def slopes(self, point: Array) -> tuple[Array, Array]:
        """Gradient and Hessian by coordinates, by differences where the family has no jets."""
        if self.declared.jets is None:
            return derivatives(self, point, self(point), *self.box)
        centre = self._beside_singular(point)
        first, second = self._chain(centre)
        gradient, hessian = jets.derivatives(self._sums(self.parameters(centre)), len(point))
        hessian *= first[:, None] * first
        hessian.flat[:: len(point) + 1] += gradient * second
        return gradient * first + hessian @ (point - centre), hessian

    def scores(self, point: Array) -> Array:
        """Gradient of each observation, shape (k, n)."""
        size = len(point)
        centre = self._beside_singular(point)
        if self.declared.jets is not None:
            rows = self._rows(self.parameters(centre))[1 : 1 + size]
            return np.asarray(rows * self._chain(centre)[0][:, None])
        density = self.declared.log_density
        slopes = np.array(
            [
                density(self.u, self.v, self.parameters(centre + step))
                - density(self.u, self.v, self.parameters(centre - step))
                for step in SCORE_STEP * np.eye(size)
            ]
        )
        return np.asarray(slopes / (2 * SCORE_STEP))

    @cached_property
    def _transformed(self) -> tuple[Any, Any]:
        """What the compiled density takes, in arrays of one layout: each other is compiled anew."""
        of_u, of_v = (
            tuple(map(np.array, part)) if isinstance(part, tuple) else np.array(part)
            for part in map(self.declared.transform, (self.u, self.v))
        )
        return of_u, of_v

    def _totals(self, points: list[tuple[float, ...]]) -> Array:
        """Log-likelihoods at parameters."""
        if self.declared.jets is None:
            with np.errstate(all="ignore"):
                densities = [self.declared.log_density(self.u, self.v, point) for point in points]
            totals = np.array([density.sum() for density in densities])
        else:
            evaluate = compiled_totals(self.declared.jets, len(points[0]))
            totals = evaluate(*self._transformed, np.array(points), self.u.size)
        return np.where(np.isfinite(totals), totals, -math.inf)

    def _rows(self, parameters: tuple[float, ...]) -> Array:
        assert self.declared.jets is not None
        evaluate = compiled_rows(self.declared.jets, len(parameters))
        return np.asarray(evaluate(*self._transformed, parameters, self.u.size))

    @cached_property
    def _last_sums(self) -> dict[tuple[float, ...], Array]:
        return {}

    def _sums(self, parameters: tuple[float, ...]) -> Array:
        """Sums of the rows, kept until other parameters are asked for."""
        if parameters not in self._last_sums:
            self._last_sums.clear()
            self._last_sums[parameters] = self._rows(parameters).sum(axis=1)
        return self._last_sums[parameters]

    def _chain(self, point: Array) -> Array:
        """First and second derivatives of the parameters by their coordinates."""
        parts = zip(self.declared.parameters, point.tolist(), strict=True)
        return np.array([part.slopes(place) for part, place in parts]).T

    def _beside_singular(self, point: Array) -> Array:
        centre = []
        for place, (lower, upper, is_signed) in zip(point.tolist(), self._smooth_box, strict=True):
            inside = min(max(place, lower), upper)
            if is_signed and abs(inside) < BESIDE_ZERO:
                inside = math.copysign(BESIDE_ZERO, inside)
            centre.append(inside)
        return np.array(centre)

    @cached_property
    def _smooth_box(self) -> list[tuple[float, float, bool]]:
        """Ends between which derivatives are taken, and whether 0 is avoided, by coordinate."""
        box = []
        for lower, upper, part in zip(*self.box, self.declared.parameters, strict=True):
            beside = BESIDE if part.kind in ("excess", "shape") else 0.0
            box.append((float(lower) + beside, float(upper) - beside, part.kind == "signed"))
        return box


def parameters_at(declared: CopulaFamily, point: Array) -> tuple[float, ...]:
    """Parameters at coordinates, kept inside their ranges."""
    values = []
    for place, part in zip(point.tolist(), declared.parameters, strict=True):
        low, high = part.search_range
        values.append(min(max(part.from_coordinate(place), low), high))
    return tuple(values)


def coordinate_range(parameter: Parameter) -> tuple[float, float]:
    """Ends of a parameter's coordinate."""
    low, high = parameter.search_range
    return parameter.to_coordinate(low), parameter.to_coordinate(high)
