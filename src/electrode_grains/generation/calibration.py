"""Parameters of an architecture with which measured grains have given moments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from electrode_grains.generation.moments import ShapeMoments
from electrode_grains.tessellation import ArchitectureModel

Floats = NDArray[np.float64]
Measured = TypeVar("Measured")
DAMPING = 0.1  # of the first step; it falls by 3 with a success and grows by 4 without
MOST_CHANGE = 2.0  # steps of difference that one iteration may move a parameter


@dataclass(frozen=True)
class Range:
    """Values that a parameter may take, and the step of its finite difference."""

    lower: float
    upper: float
    step: float
    logarithmic: bool = False

    def forward(self, value: float) -> float:
        """Value in units of the step."""
        return math.log(value) / self.step if self.logarithmic else value / self.step

    def back(self, unit: float) -> float:
        """Value from units of the step, within the range."""
        value = math.exp(unit * self.step) if self.logarithmic else unit * self.step
        return min(max(value, self.lower), self.upper)


RANGES: Mapping[str, Range] = {
    "mean_diameter_nm": Range(1.0, 1e6, 0.08, logarithmic=True),
    "std_diameter_nm": Range(0.5, 1e6, 0.1, logarithmic=True),
    "curvature": Range(-0.3, 1.2, 0.15),
    "elongation": Range(0.4, 0.95, 0.04),
    "elongation_spread": Range(0.01, 0.25, 0.3, logarithmic=True),
    "elongation_slope": Range(-0.3, 0.3, 0.06),
    "roughness_nm": Range(0.1, 1e5, 0.2, logarithmic=True),
    "roughness_exponent": Range(-1.5, 3.0, 0.3),
    "roughness_spread": Range(0.01, 1.2, 0.3, logarithmic=True),
    "roughness_length_nm": Range(1.0, 1e6, 0.2, logarithmic=True),
    "shape_correlation": Range(-0.98, 0.98, 0.2),
}


@dataclass(frozen=True)
class Calibration:
    """A model, what its grains measure, and how far that is from the goal.

    Attributes
    ----------
    model : ArchitectureModel
    moments : ShapeMoments
        Of its grains.
    loss : float
        Sum of squares of the deviations in units of what counts as met.
    simulations : int
        How many architectures were made.
    """

    model: ArchitectureModel
    moments: ShapeMoments
    loss: float
    simulations: int


@dataclass(frozen=True)
class Found(Generic[Measured]):
    """The best model that a search has seen.

    Attributes
    ----------
    model : ArchitectureModel
    measured : object
        What its grains measure.
    deviation : ndarray of float64, shape (m,)
        What is left, in the units of the search.
    simulations : int
        How many architectures were made.
    """

    model: ArchitectureModel
    measured: Measured
    deviation: Floats
    simulations: int


def calibrate(
    target: ShapeMoments,
    simulate: Callable[[ArchitectureModel], ShapeMoments],
    start: ArchitectureModel,
    *,
    simulations: int = 40,
    report: Callable[[str], None] = lambda text: None,
) -> Calibration:
    r"""Find the parameters with which simulated grains have the moments of a target.

    Parameters
    ----------
    target : ShapeMoments
    simulate : callable (model) -> ShapeMoments
        Makes an architecture and measures it as the target was measured, from the same random
        numbers each time.
    start : ArchitectureModel
    simulations : int
        Architectures that may be made.
    report : callable (str) -> None
        Gets a line for each improvement.

    Returns
    -------
    Calibration
        The best that was seen.

    Raises
    ------
    SettingsError
        If no grains have such moments.

    Notes
    -----
    Simulated method of moments: the sum of squared deviations (14, in units of what counts as
    met) is minimised over 11 parameters by `search`.
    """
    target.checked()

    def evaluate(models: Sequence[ArchitectureModel]) -> list[tuple[ShapeMoments, Floats]]:
        moments = [simulate(model) for model in models]
        return [(each, each.deviations(target)) for each in moments]

    found = search(start, evaluate, simulations=simulations, report=report)
    loss = float(found.deviation @ found.deviation)
    return Calibration(found.model, found.measured, loss, found.simulations)


def units_of(model: ArchitectureModel) -> Floats:
    """Parameters of a model in units of their steps, in the order of `RANGES`, shape (11,)."""
    return np.array([ranges.forward(getattr(model, name)) for name, ranges in RANGES.items()])


def model_at(units: Floats, like: ArchitectureModel) -> ArchitectureModel:
    """Model of such parameters, within their ranges; the rest as in another model."""
    values = {n: r.back(float(u)) for (n, r), u in zip(RANGES.items(), units, strict=True)}
    return like.replace(**values)


def stepped(model: ArchitectureModel) -> list[ArchitectureModel]:
    """The model with each parameter a step further, or back where its range ends."""
    units = units_of(model)
    models = []
    for place in range(len(units)):
        moved = units.copy()
        moved[place] += 1
        other = model_at(moved, model)
        if units_of(other)[place] == units[place]:
            moved[place] -= 2
            other = model_at(moved, model)
        models.append(other)
    return models


def slopes_of(
    values: Sequence[Floats], base: Floats, models: Sequence[ArchitectureModel], at: Floats
) -> Floats:
    """Derivatives (m, 11) from the values of the models of `stepped`; 0 for those left out."""
    slopes = np.zeros((len(base), len(at)))
    for place, (value, model) in enumerate(zip(values, models, strict=False)):
        slopes[:, place] = (value - base) / (units_of(model)[place] - at[place])
    return slopes


def search(
    start: ArchitectureModel,
    evaluate: Callable[[Sequence[ArchitectureModel]], Sequence[tuple[Measured, Floats]]],
    *,
    simulations: int,
    prior: Floats | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Found[Measured]:
    """Minimise the sum of squares of simulated deviations over the parameters of a model.

    Parameters
    ----------
    start : ArchitectureModel
    evaluate : callable (models) -> sequence of (object, ndarray of float64)
        Simulates each model from the same random numbers; what it measures and its deviations.
    simulations : int
        Architectures that may be made.
    prior : ndarray of float64, shape (11,), optional
        Standard deviations, in steps, by which each parameter may leave the start; infinity
        leaves it free. By default all are free.
    report : callable (str) -> None
        Gets a line for each improvement.

    Returns
    -------
    Found

    Notes
    -----
    Levenberg-Marquardt steps. The derivatives are differences of simulations with common random
    numbers once, then updated by Broyden's formula, which costs no simulation.
    """
    best = units_of(model_at(units_of(start), start))
    origin = best
    precision = np.zeros(len(best)) if prior is None else 1 / prior**2
    ((measured, deviation),) = evaluate([model_at(best, start)])

    def loss(values: Floats, units: Floats) -> float:
        return float(values @ values + precision @ (units - origin) ** 2)

    report(f"start: loss {loss(deviation, best):.1f}")
    models = stepped(model_at(best, start))[: max(simulations - 1, 0)]
    tried = evaluate(models) if models else []
    slopes = slopes_of([away for _, away in tried], deviation, models, best)
    made = 1 + len(models)
    damping = DAMPING
    while made < simulations:
        normal = slopes.T @ slopes + np.diag(precision)
        fall = slopes.T @ deviation + precision * (best - origin)
        step = -np.linalg.solve(
            normal + damping * (np.diag(np.diag(normal)) + np.eye(len(best))), fall
        )
        moved = units_of(model_at(best + np.clip(step, -MOST_CHANGE, MOST_CHANGE), start))
        step = moved - best
        if not np.any(step):
            break
        ((other, away),) = evaluate([model_at(moved, start)])
        made += 1
        slopes += np.outer(away - deviation - slopes @ step, step) / (step @ step)
        if loss(away, moved) < loss(deviation, best):
            best, measured, deviation = moved, other, away
            damping /= 3
            report(f"{made} simulations: loss {loss(deviation, best):.1f}")
        else:
            damping = min(4 * damping, 1e4)
    return Found(model_at(best, start), measured, deviation, made)
