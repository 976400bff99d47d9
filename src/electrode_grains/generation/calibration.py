"""Parameters of an architecture with which measured grains have given moments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from electrode_grains.generation.architecture import ArchitectureModel
from electrode_grains.generation.moments import ShapeMoments

Floats = NDArray[np.float64]
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
    met) is minimised over 11 parameters by Levenberg-Marquardt steps. The derivatives are
    differences of simulations with common random numbers once, then updated by Broyden's
    formula, which costs no simulation.
    """
    target.checked()
    names = tuple(RANGES)

    def model_at(units: Floats) -> ArchitectureModel:
        values = {n: RANGES[n].back(float(u)) for n, u in zip(names, units, strict=True)}
        return start.replace(**values)

    def clipped(units: Floats) -> Floats:
        model = model_at(units)
        return np.array([RANGES[name].forward(getattr(model, name)) for name in names])

    made = 0

    def evaluate(units: Floats) -> tuple[ShapeMoments, Floats]:
        nonlocal made
        made += 1
        moments = simulate(model_at(units))
        return moments, moments.deviations(target)

    best = clipped(np.array([RANGES[name].forward(getattr(start, name)) for name in names]))
    moments, deviation = evaluate(best)
    report(f"start: loss {deviation @ deviation:.1f}")
    slopes = np.zeros((len(deviation), len(names)))
    for place in range(min(len(names), simulations - made)):
        for sign in (1.0, -1.0):
            moved = best.copy()
            moved[place] += sign
            moved = clipped(moved)
            if moved[place] != best[place]:
                break
        other, away = evaluate(moved)
        slopes[:, place] = (away - deviation) / (moved[place] - best[place])
    damping = DAMPING
    while made < simulations:
        normal = slopes.T @ slopes
        step = -np.linalg.solve(
            normal + damping * (np.diag(np.diag(normal)) + np.eye(len(best))), slopes.T @ deviation
        )
        moved = clipped(best + np.clip(step, -MOST_CHANGE, MOST_CHANGE))
        step = moved - best
        if not np.any(step):
            break
        other, away = evaluate(moved)
        slopes += np.outer(away - deviation - slopes @ step, step) / (step @ step)
        if away @ away < deviation @ deviation:
            best, moments, deviation = moved, other, away
            damping /= 3
            report(f"{made} simulations: loss {deviation @ deviation:.1f}")
        else:
            damping = min(4 * damping, 1e4)
    return Calibration(model_at(best), moments, float(deviation @ deviation), made)
