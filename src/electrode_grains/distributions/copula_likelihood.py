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
        with np.errstate(all="ignore"):
            total = float(self._density(*self.parameters(point)).sum())
        return total if math.isfinite(total) else -math.inf

    def heights(self, points: Array) -> Array:
        """Log-likelihoods at points of shape (m, k), at once where the family has jets."""
        if self.declared.jets is None:
            return np.array([self(point) for point in points])
        parameters = np.array([self.parameters(point) for point in points]).T[:, :, None]
        with np.errstate(all="ignore"):
            totals = self._density(*parameters).sum(axis=1)
        return np.where(np.isfinite(totals), totals, -math.inf)

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
        with np.errstate(all="ignore"):
            sums = self._rows(centre).sum(axis=1)
        first, second = self._chain(centre)
        gradient, hessian = jets.derivatives(sums, len(point))
        hessian *= first[:, None] * first
        hessian.flat[:: len(point) + 1] += gradient * second
        return gradient * first + hessian @ (point - centre), hessian

    def scores(self, point: Array) -> Array:
        """Gradient of each observation, shape (k, n)."""
        size = len(point)
        centre = self._beside_singular(point)
        if self.declared.jets is not None:
            with np.errstate(all="ignore"):
                rows = self._rows(centre)[1 : 1 + size]
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

    def _density(self, *parameters: Any) -> Array:
        if self.declared.jets is None:
            return np.asarray(self.declared.log_density(self.u, self.v, parameters))
        return np.asarray(self.declared.jets(*self._transformed, *parameters))

    @cached_property
    def _transformed(self) -> tuple[Any, Any]:
        return self.declared.transform(self.u), self.declared.transform(self.v)

    def _rows(self, point: Array) -> Array:
        assert self.declared.jets is not None
        parameters = jets.parameters(self.parameters(point))
        return np.asarray(self.declared.jets(*self._transformed, *parameters).rows)

    def _chain(self, point: Array) -> Array:
        """First and second derivatives of the parameters by their coordinates."""
        parts = zip(self.declared.parameters, point.tolist(), strict=True)
        return np.array([part.slopes(place) for part, place in parts]).T

    def _beside_singular(self, point: Array) -> Array:
        lower, upper = self.box
        kinds = [part.kind for part in self.declared.parameters]
        beside = np.array([BESIDE if kind in ("excess", "shape") else 0.0 for kind in kinds])
        centre = np.clip(point, lower + beside, upper - beside)
        near = np.array([kind == "signed" for kind in kinds]) & (np.abs(centre) < BESIDE_ZERO)
        centre[near] = np.copysign(BESIDE_ZERO, centre[near])
        return np.asarray(centre)


def parameters_at(declared: CopulaFamily, point: Array) -> tuple[float, ...]:
    """Parameters at coordinates, kept inside their ranges."""
    return tuple(
        min(max(part.from_coordinate(float(place)), part.search_range[0]), part.search_range[1])
        for place, part in zip(point, declared.parameters, strict=True)
    )


def coordinate_range(parameter: Parameter) -> tuple[float, float]:
    """Ends of a parameter's coordinate."""
    low, high = parameter.search_range
    return parameter.to_coordinate(low), parameter.to_coordinate(high)
