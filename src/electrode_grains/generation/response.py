"""How moments of grains and of their profiles answer to the parameters of an architecture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from electrode_grains.tessellation import ArchitectureModel

Floats = NDArray[np.float64]
VOXEL = "voxel"
EMBEDDED = "response.json"
NEAREST = 0.999  # to 1, of a correlation
RIDGE = 1e-3


def free_numbers(moments: Mapping[str, float]) -> Floats:
    """Named moments in units in which they have no bounds: logarithms, Fisher's z."""
    return np.array(
        [
            math.atanh(min(max(value, -NEAREST), NEAREST))
            if _is_correlation(name)
            else math.log(value)
            for name, value in moments.items()
        ]
    )


def plain_numbers(numbers: Floats, names: Sequence[str]) -> Floats:
    """Moments from what `free_numbers` returns, along the last axis."""
    related = np.array([_is_correlation(name) for name in names])
    return np.where(related, np.tanh(numbers), np.exp(np.where(related, 0, numbers)))


def _is_correlation(name: str) -> bool:
    return name.startswith("correlation")


def power_of_length(name: str) -> int:
    """1 for lengths, -1 for inverse lengths, 0 for what has no unit."""
    if _is_correlation(name) or not name.endswith("_nm"):
        return 0
    return -1 if name.endswith("per_nm") else 1


@dataclass(frozen=True)
class Axis:
    """Values of a parameter that were simulated, -1 and 1 at their ends.

    Attributes
    ----------
    low, high : float
        Lengths are in mean diameters of the grains.
    logarithmic : bool
    """

    low: float
    high: float
    logarithmic: bool

    @property
    def slope(self) -> float:
        """Change of the place with the (logarithm of the) value."""
        return 2 / (self._scaled(self.high) - self._scaled(self.low))

    def place_of(self, value: float) -> float:
        """Where a value lies: beyond -1 and 1 outside of what was simulated."""
        return self.slope * (self._scaled(value) - self._scaled(self.low)) - 1

    def value_at(self, place: float) -> float:
        """Value of a place."""
        at = self._scaled(self.low) + (place + 1) / self.slope
        return math.exp(at) if self.logarithmic else at

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value


@dataclass(frozen=True)
class Space:
    """Parameters of `ArchitectureModel` as points.

    A point, shape (11,), is the logarithm of the mean diameter in nm, and the place of each other
    parameter on its axis.

    Attributes
    ----------
    axes : mapping of str to Axis
        Of these parameters in their order, and last of `voxel`, the edge of the voxels and pixels
        at which grains and profiles are measured.
    """

    axes: Mapping[str, Axis]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters in the order of a point, the mean diameter left out."""
        return tuple(name for name in self.axes if name != VOXEL)

    def point_of(self, model: ArchitectureModel) -> Floats:
        """Point of a model."""
        mean = model.mean_diameter_nm
        values = {n: getattr(model, n) / (mean if _is_length(n) else 1) for n in self.parameters}
        return np.array([math.log(mean), *(self.axes[n].place_of(v) for n, v in values.items())])

    def model_at(self, point: Floats, like: ArchitectureModel) -> ArchitectureModel:
        """Model of a point, as another one in all that no axis says."""
        mean = math.exp(point[0])
        values = {
            name: self.axes[name].value_at(float(place)) * (mean if _is_length(name) else 1)
            for name, place in zip(self.parameters, point[1:], strict=True)
        }
        return like.replace(mean_diameter_nm=mean, **values)


def _is_length(name: str) -> bool:
    return name.endswith("_nm")


@dataclass(frozen=True)
class ResponseSurface:
    """Moments as quadratic functions of a point, fitted to simulations.

    Attributes
    ----------
    space : Space
    names : tuple of str
        Of the moments.
    coefficients : ndarray of float64, shape (78, m)
        Of 1, the places on all axes, and their products; moments are those of `free_numbers`,
        lengths in mean diameters.
    residuals : ndarray of float64, shape (m,)
        Standard deviations of simulations about the surface.
    """

    space: Space
    names: tuple[str, ...]
    coefficients: Floats
    residuals: Floats

    @classmethod
    def fitted(
        cls,
        space: Space,
        parameters: Sequence[Mapping[str, float]],
        moments: Sequence[Mapping[str, float]],
    ) -> Self:
        """Fit moments of simulated architectures.

        Parameters
        ----------
        space : Space
        parameters, moments : sequences of mappings
            Of each simulation, lengths in mean diameters.
        """
        design = np.array(
            [_products([axis.place_of(row[n]) for n, axis in space.axes.items()])
             for row in parameters]
        )  # fmt: skip
        values = np.array([free_numbers(row) for row in moments])
        weight = RIDGE * len(design) * np.eye(design.shape[1])
        weight[0, 0] = 0
        coefficients = np.linalg.solve(design.T @ design + weight, design.T @ values)
        away = values - design @ coefficients
        degrees = max(len(design) - design.shape[1], 1)
        return cls(space, tuple(moments[0]), coefficients, np.sqrt((away**2).sum(axis=0) / degrees))

    def at(self, point: Floats, voxel_nm: float) -> tuple[Floats, Floats]:
        """Moments at a point, as `free_numbers`, shape (m,), and their slopes, (m, 11)."""
        voxel = self.space.axes[VOXEL]
        places = np.append(point[1:], voxel.place_of(voxel_nm / math.exp(point[0])))
        count = len(places)
        values = _products(places) @ self.coefficients
        linear = self.coefficients[1 : count + 1]
        square = np.zeros((count, count, len(values)))
        square[np.triu_indices(count)] = self.coefficients[count + 1 :]
        slopes = linear.T + np.einsum("i,ijm->mj", places, square)
        slopes += np.einsum("j,ijm->mi", places, square)
        size = np.array([power_of_length(name) for name in self.names])
        by_mean = size - voxel.slope * slopes[:, -1]
        return values + size * point[0], np.column_stack([by_mean, slopes[:, :-1]])

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, without the space."""
        return {
            "names": list(self.names),
            "coefficients": self.coefficients.round(5).tolist(),
            "residuals": self.residuals.round(5).tolist(),
        }


def _products(places: Sequence[float] | Floats) -> Floats:
    """1, the places, and the products of each two and with themselves."""
    at = np.asarray(places, float)
    return np.concatenate([[1.0], at, np.outer(at, at)[np.triu_indices(len(at))]])


@cache
def embedded_response(of: Literal["sections", "shapes"]) -> ResponseSurface:
    """The surface that comes with the package, made by `benchmarks.architecture_response`.

    Parameters
    ----------
    of : {"sections", "shapes"}
        Moments of the profiles in plane sections, or of all grains.
    """
    content = json.loads(files(__package__).joinpath(EMBEDDED).read_text("utf-8"))
    space = Space({name: Axis(*values) for name, values in content["axes"].items()})
    kept = content[of]
    return ResponseSurface(
        space, tuple(kept["names"]), np.array(kept["coefficients"]), np.array(kept["residuals"])
    )
