"""Parameters of an architecture with which measured grains have given moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from electrode_grains.generation.moments import ShapeMoments
from electrode_grains.generation.response import (
    ResponseSurface,
    embedded_response,
    free_numbers,
)
from electrode_grains.tessellation import ArchitectureModel

Floats = NDArray[np.float64]
Measured = TypeVar("Measured")
STARTS = 12  # points from which the first minimum is looked for
MOST_CHANGE = 0.6  # of a place, from one simulation to the next one
NEAR = 0.5  # distance at which a simulation counts .6 as much as one at the point itself
CHANCE = 0.6  # distance below which differences of simulations are mostly chance
SETTLED = 0.01  # change of all places with which a search ends, ...
LEAST = 4  # ... after so many simulations
OPEN = 3.0  # spread of the places of parameters that moments of grains leave open


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
class Goal:
    """What a search is to reach, in the numbers of `free_numbers`.

    Attributes
    ----------
    numbers, errors : ndarray of float64, shape (m,)
        Moments, and what counts as 1 in each.
    usual : ndarray of float64, shape (11,)
        Point near which parameters are expected that the moments leave open.
    spread : ndarray of float64, shape (11,)
        Standard deviation of that expectation; infinity where there is none.
    """

    numbers: Floats
    errors: Floats
    usual: Floats
    spread: Floats


@dataclass
class CorrectedSurface:
    """A response surface, and what simulations say of its error.

    Its error is taken as linear near the simulations: their mean, by nearness, and a slope that
    each new one updates by Broyden's formula.
    """

    surface: ResponseSurface
    voxel_nm: float
    points: list[Floats] = field(default_factory=list)
    errors: list[Floats] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with a constant error."""
        names = len(self.surface.names)
        self.tilt = np.zeros((names, 1 + len(self.surface.space.parameters)))

    def add(self, point: Floats, numbers: Floats) -> None:
        """Learn from a simulation."""
        error = numbers - self.surface.at(point, self.voxel_nm)[0]
        if self.points:
            step = point - self.points[-1]
            change = error - self.errors[-1] - self.tilt @ step
            self.tilt += np.outer(change, step) / (step @ step + CHANCE**2)
        self.points.append(point)
        self.errors.append(error)

    def at(self, point: Floats) -> tuple[Floats, Floats]:
        """Numbers at a point, and their slopes (the weights of simulations taken as constant)."""
        numbers, slopes = self.surface.at(point, self.voxel_nm)
        if not self.points:
            return numbers, slopes
        away = point - np.array(self.points)
        weight = np.exp(-((away**2).sum(axis=1)) / (2 * NEAR**2)) + 1e-12
        weight /= weight.sum()
        error = weight @ (np.array(self.errors) + away @ self.tilt.T)
        return numbers + error, slopes + self.tilt

    def closest(self, goal: Goal, start: Floats, room: float = np.inf) -> Floats:
        """Point of least deviation from a goal, not farther from the start than there is room."""
        known = np.isfinite(goal.spread)

        def residuals(point: Floats) -> Floats:
            away = (self.at(point)[0] - goal.numbers) / goal.errors
            return np.concatenate([away, ((point - goal.usual) / goal.spread)[known]])

        def slopes(point: Floats) -> Floats:
            each = self.at(point)[1] / goal.errors[:, None]
            return np.concatenate([each, np.diag(1 / goal.spread)[known]])

        places = np.r_[np.inf, np.ones(len(start) - 1)]
        low, high = np.maximum(start - room, -places), np.minimum(start + room, places)
        inside = np.clip(start, low + 1e-9, high - 1e-9)
        found = least_squares(residuals, inside, slopes, bounds=(low, high), max_nfev=100)
        point: Floats = found.x
        return point

    def loss(self, goal: Goal, point: Floats) -> float:
        """Sum of squares of the deviations from a goal, expectations among them."""
        away = (self.at(point)[0] - goal.numbers) / goal.errors
        return float(away @ away + (((point - goal.usual) / goal.spread) ** 2).sum())


@dataclass(frozen=True)
class Found(Generic[Measured]):
    """Where a search ends.

    Attributes
    ----------
    point : ndarray of float64, shape (11,)
        Of least deviation, by the surface and all simulations.
    corrected : CorrectedSurface
    tried : list of (ndarray, object)
        Points that were simulated, and what was measured.
    """

    point: Floats
    corrected: CorrectedSurface
    tried: Sequence[tuple[Floats, Measured]]


def search(
    surface: ResponseSurface,
    goal: Goal,
    simulate: Callable[[Floats], tuple[Measured, Floats]],
    voxel_nm: float,
    *,
    simulations: int,
    report: Callable[[str], None] = lambda text: None,
) -> Found[Measured]:
    """Find the parameters with which simulated grains, or their profiles, come nearest to a goal.

    Parameters
    ----------
    surface : ResponseSurface
        Foretells the moments.
    goal : Goal
    simulate : callable (point) -> (object, ndarray of float64)
        What is measured in the architecture of a point, and its moments as `free_numbers`.
    voxel_nm : float
        At which it is measured.
    simulations : int
        Points that may be simulated.
    report : callable (str) -> None
        Gets a line for each of them.

    Returns
    -------
    Found

    Notes
    -----
    The surface is minimised from several starts. Each simulation at the minimum corrects it, and
    the next minimum is that of the corrected surface, until it stays where it is: a simulation
    costs seconds, the surface nothing, and since errors of several simulations are averaged, their
    chance does too little to lead astray.
    """
    corrected = CorrectedSurface(surface, voxel_nm)
    rng = np.random.default_rng(0)
    scattered = rng.uniform(-0.8, 0.8, (STARTS - 1, len(goal.usual)))
    scattered[:, 0] += goal.usual[0]
    point = min(
        (corrected.closest(goal, start) for start in [goal.usual, *scattered]),
        key=lambda at: corrected.loss(goal, at),
    )
    tried: list[tuple[Floats, Measured]] = []
    while len(tried) < simulations:
        measured, numbers = simulate(point)
        tried.append((point, measured))
        corrected.add(point, numbers)
        away = (numbers - goal.numbers) / goal.errors
        report(f"{len(tried)}. simulation: deviations {away @ away:.1f} (sum of squares)")
        moved = corrected.closest(goal, point, MOST_CHANGE)
        settled = float(np.abs(moved - point).max()) < SETTLED
        point = moved
        if settled and len(tried) >= LEAST:
            break
    return Found(point, corrected, tried)


def calibrate(
    target: ShapeMoments,
    simulate: Callable[[ArchitectureModel], ShapeMoments],
    like: ArchitectureModel,
    voxel_nm: float,
    *,
    simulations: int = 16,
    report: Callable[[str], None] = lambda text: None,
) -> Calibration:
    r"""Find the parameters with which simulated grains have the moments of a target.

    Parameters
    ----------
    target : ShapeMoments
    simulate : callable (model) -> ShapeMoments
        Makes an architecture and measures it as the target was measured, from the same random
        numbers each time.
    like : ArchitectureModel
        Usual parameters, and those that are not looked for.
    voxel_nm : float
        Edge of a cubic voxel as large as those of the target.
    simulations : int
        Architectures that may be made.
    report : callable (str) -> None
        Gets a line for each.

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
    surface = embedded_response("shapes")
    space = surface.space

    def measured(point: Floats) -> tuple[ShapeMoments, Floats]:
        moments = simulate(space.model_at(point, like))
        return moments, free_numbers(moments.named())

    goal = Goal(
        free_numbers(target.named()),
        target.tolerances(),
        usual=space.point_of(like),
        spread=np.r_[np.inf, np.full(len(space.parameters), OPEN)],
    )
    found = search(surface, goal, measured, voxel_nm, simulations=simulations, report=report)
    away = [(free_numbers(m.named()) - goal.numbers) / goal.errors for _, m in found.tried]
    losses = [float(each @ each) for each in away]
    best = int(np.argmin(losses))
    point, moments = found.tried[best]
    return Calibration(space.model_at(point, like), moments, losses[best], len(losses))
