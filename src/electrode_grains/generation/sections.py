"""From plane sections to grains in space: the architecture whose sections look like those seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.generation.calibration import CorrectedSurface, Found, Goal, search
from electrode_grains.generation.moments import ShapeMoments
from electrode_grains.generation.particles import fill_box, grains_within, scaled
from electrode_grains.generation.response import embedded_response, free_numbers, plain_numbers
from electrode_grains.generation.section_moments import PROFILE, Profiles, SectionMoments
from electrode_grains.generation.settings import SectionSettings
from electrode_grains.tessellation import ArchitectureModel
from electrode_grains.workers import in_processes

Floats = NDArray[np.float64]
PIXELS_PER_PROFILE = 8.0  # in a mean diameter of profiles, to which finer sections are thinned
LEAST_PIXELS = 4.0  # below which profiles have no shape
SPACE_PER_PROFILE = 1.2  # mean diameter of grains over that of their profiles, as in the paper
PLANES_PER_DIAMETER = 2.0
SEARCH_SEEDS = 2  # simulations of each architecture that the search tries,
SEEDS = 4  # and of the result
CHANCE_SAMPLES = 100
# Standard deviation of the place of parameters, about those of the paper's particle, where
# sections say nothing.
SPREAD = 1.0
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class SectionModel:
    """What sections say of the grains in space.

    Attributes
    ----------
    architecture : ArchitectureModel
    target, reached : SectionMoments
        Of the profiles of the sections, and of those of simulated grains.
    errors : mapping of str to float
        Standard errors of the target, as `free_numbers`.
    shapes : ShapeMoments
        Of the simulated grains in space.
    intervals : mapping of str to (float, float)
        95 % of each of these moments, from a bootstrap of the sections.
    voxel_nm : float
        At which grains and profiles were measured.
    loss : float
        Sum of squares of the deviations of the profiles' moments, in standard errors.
    simulations : int
    """

    architecture: ArchitectureModel
    target: SectionMoments
    reached: SectionMoments
    errors: Mapping[str, float]
    shapes: ShapeMoments
    intervals: Mapping[str, tuple[float, float]]
    voxel_nm: float
    loss: float
    simulations: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return {**asdict(self), "architecture": self.architecture.to_dict()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Model from what `to_dict` returned."""
        kinds: dict[str, Any] = {
            "architecture": ArchitectureModel,
            "target": SectionMoments,
            "reached": SectionMoments,
            "shapes": ShapeMoments,
        }
        plain = {n: kinds[n].from_dict(v) if n in kinds else v for n, v in content.items()}
        plain["intervals"] = {n: (low, high) for n, (low, high) in plain["intervals"].items()}
        return cls(**plain)


@dataclass(frozen=True)
class SimulatedSections:
    """Grains of a simulated architecture and their profiles.

    Attributes
    ----------
    grains : DataFrame
        Those whose centre lies in the window, cut by nothing.
    profiles : Profiles
        Of planes across all three axes.
    """

    grains: pd.DataFrame
    profiles: Profiles

    def values(self) -> tuple[SectionMoments, ShapeMoments]:
        """Moments in the sections and in space."""
        return SectionMoments.of_profiles(self.profiles), ShapeMoments.of_table(self.grains)


def simulate_sections(
    model: ArchitectureModel, voxel_nm: float, grains: int, seed: int
) -> SimulatedSections:
    """Make an architecture and cut it.

    Parameters
    ----------
    model : ArchitectureModel
    voxel_nm : float
    grains : int
        In the window and in the margin around it.
    seed : int
    """
    spacing = (voxel_nm,) * 3
    labels, cut = fill_box(model, spacing, grains, np.random.default_rng(seed))
    window = labels[cut]
    step = max(1, round(model.mean_diameter_nm / PLANES_PER_DIAMETER / voxel_nm))
    planes = [
        plane for axis in range(3) for plane in np.moveaxis(window, axis, 0)[step // 2 :: step]
    ]
    whole = grains_within(labels, cut, spacing)
    return SimulatedSections(whole, Profiles.of_planes(planes, voxel_nm, [0] * len(planes)))


def thin_sections(
    sections: Sequence[NDArray[Any]], pixel_nm: float
) -> tuple[list[NDArray[Any]], float]:
    """Sections at the pixel at which they are compared with simulated ones.

    Of finer sections every second, third, ... pixel is kept, so that a mean profile has ten.

    Raises
    ------
    InputError
        If profiles have fewer than four pixels.
    """
    shown = sum(len(np.unique(plane[plane > 0])) for plane in sections)
    pixels = sum(np.count_nonzero(plane) for plane in sections)
    mean = float(np.sqrt(4 / np.pi * pixels / max(shown, 1)))
    if mean < LEAST_PIXELS:
        raise InputError(
            "the pixels of the sections are too coarse for their grains",
            found=f"{mean:.1f} pixels in the mean diameter of a profile",
            expected=f"at least {LEAST_PIXELS:g}",
        )
    step = max(1, round(mean / PIXELS_PER_PROFILE))
    return [plane[step // 2 :: step, step // 2 :: step] for plane in sections], step * pixel_nm


def fit_sections(
    sections: Sequence[NDArray[Any]],
    pixel_nm: float,
    settings: SectionSettings | None = None,
    *,
    sources: Sequence[int] | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> SectionModel:
    """Find the architecture whose sections have profiles like those of given sections.

    Parameters
    ----------
    sections : sequence of ndarray of int, shapes (y, x)
        Grain of each pixel, 0 where there is none.
    pixel_nm : float
        Edge of the square pixels.
    settings : SectionSettings, optional
    sources : sequence of int, optional
        Sections of one number are planes of one volume, where a label is the same grain; by
        default each has grains of its own.
    report : callable (str) -> None
        Gets a line for each improvement.

    Returns
    -------
    SectionModel

    Raises
    ------
    InputError
        If pixels are too coarse.
    ComputationError
        If fewer than 30 profiles are whole, or no such architecture can be made.

    Notes
    -----
    Simulated method of moments: means, standard deviations and correlations of diameter,
    circularity and aspect ratio of profiles, and the length of boundary for each area, all in
    standard errors of the sections (with those of the simulation), by `search`. Ten numbers do
    not settle eleven parameters: those that say nothing about size have a prior around the
    architecture of Furat et al. 2021. Intervals are of bootstrap samples of the profiles and
    draws from the prior.
    """
    settings = settings or SectionSettings()
    planes, voxel = thin_sections(sections, pixel_nm)
    profiles = Profiles.of_planes(planes, voxel, sources)
    target = SectionMoments.of_profiles(profiles)
    rng = np.random.default_rng(settings.seed)
    drawn = SectionMoments.resampled(profiles, settings.bootstrap, rng)
    resamples = np.array([moments.vector() for moments in drawn])
    usual = _usual(target)
    chance = _chance(simulate_sections(usual, voxel, settings.simulated_grains, settings.seed))
    surface = embedded_response("sections")
    space = surface.space
    goal = Goal(
        target.vector(),
        np.hypot(resamples.std(axis=0), chance / SEARCH_SEEDS**0.5),
        space.point_of(usual),
        np.r_[np.inf, np.full(len(space.parameters), SPREAD)],
    )
    seeds = count(settings.seed + 1)

    def simulated(point: Floats, number: int = SEARCH_SEEDS) -> list[Both]:
        model = space.model_at(point, usual)
        tasks = [(model, voxel, settings.simulated_grains, next(seeds)) for _ in range(number)]
        return list(in_processes(_values, tasks))

    def simulate(point: Floats) -> tuple[list[Both], Floats]:
        made = simulated(point)
        return made, _mean_sections([one for one, _ in made]).vector()

    found = search(surface, goal, simulate, voxel, simulations=settings.simulations, report=report)
    made = simulated(found.point, SEEDS)
    reached = _mean_sections([one for one, _ in made])
    shapes = _mean_shapes([other for _, other in made])
    errors = np.hypot(resamples.std(axis=0), chance / SEEDS**0.5)
    away = (reached.vector() - target.vector()) / errors
    return SectionModel(
        architecture=space.model_at(found.point, usual),
        target=target,
        reached=reached,
        errors=dict(zip(target.named(), map(float, errors), strict=True)),
        shapes=shapes,
        intervals=_intervals(found, goal, shapes, resamples, voxel, rng),
        voxel_nm=voxel,
        loss=float(away @ away),
        simulations=SEARCH_SEEDS * len(found.tried) + SEEDS,
    )


Both = tuple[SectionMoments, ShapeMoments]


def _values(model: ArchitectureModel, voxel: float, grains: int, seed: int) -> Both:
    return simulate_sections(model, voxel, grains, seed).values()


def _usual(target: SectionMoments) -> ArchitectureModel:
    """The architecture of the paper, as large as the profiles ask for."""
    usual = ArchitectureModel()
    size = SPACE_PER_PROFILE * target.means[PROFILE[0]] / usual.mean_diameter_nm
    return scaled(usual, size)


def _chance(made: SimulatedSections) -> Floats:
    """Standard errors of the moments of simulated profiles."""
    rng = np.random.default_rng(0)
    drawn = SectionMoments.resampled(made.profiles, CHANCE_SAMPLES, rng)
    spread: Floats = np.array([moments.vector() for moments in drawn]).std(axis=0)
    return spread


def _intervals(
    found: Found[list[Both]],
    goal: Goal,
    shapes: ShapeMoments,
    resamples: Floats,
    voxel: float,
    rng: np.random.Generator,
) -> dict[str, tuple[float, float]]:
    """Intervals of the moments in space: the search once more for each sample of the sections.

    With parameters expected elsewhere each time, as far as sections leave them open, and with the
    error of the surface.
    """
    surface = CorrectedSurface(embedded_response("shapes"), voxel)
    for point, made in found.tried:
        surface.add(point, free_numbers(_mean_shapes([each for _, each in made]).named()))
    noise = goal.errors / resamples.std(axis=0) * (resamples - resamples.mean(axis=0))
    numbers = []
    for shift in noise:
        expected = goal.usual.copy()
        expected[1:] += goal.spread[1:] * rng.standard_normal(len(expected) - 1)
        moved = replace(goal, numbers=goal.numbers + shift, usual=expected)
        point = found.corrected.closest(moved, found.point)
        numbers.append(surface.at(point)[0] - surface.at(found.point)[0])
    names = list(shapes.named())
    plain = plain_numbers(free_numbers(shapes.named()) + np.array(numbers), names)
    low, high = np.percentile(plain, INTERVAL, axis=0)
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def _mean_of(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([each[name] for each in values])) for name in values[0]}


def _mean_shapes(made: Sequence[ShapeMoments]) -> ShapeMoments:
    return ShapeMoments(
        _mean_of([each.means for each in made]),
        _mean_of([each.stds for each in made]),
        _mean_of([each.correlations for each in made]),
        sum(each.grain_count for each in made),
    )


def _mean_sections(made: Sequence[SectionMoments]) -> SectionMoments:
    return SectionMoments(
        _mean_of([each.means for each in made]),
        _mean_of([each.stds for each in made]),
        _mean_of([each.correlations for each in made]),
        float(np.mean([each.boundary_density_per_nm for each in made])),
        sum(each.profile_count for each in made),
    )


def tabulate_sections(model: SectionModel) -> pd.DataFrame:
    """List what sections show and what they say of the grains in space.

    Returns
    -------
    DataFrame
        One row per quantity: `quantity`, `where` ("section" or "space"), `data` (NaN in space,
        where there are none), `model`, `deviation` (in standard errors of the sections; NaN in
        space), `lower` and `upper` (95 % interval; NaN in sections).
    """
    errors = np.array([model.errors[name] for name in model.target.named()])
    away = (model.reached.vector() - model.target.vector()) / errors
    rows: list[dict[str, Any]] = [
        {"quantity": name, "where": "section", "data": data, "model": found, "deviation": distance}
        for (name, data), found, distance in zip(
            model.target.named().items(), model.reached.named().values(), away, strict=True
        )
    ]
    for name, value in model.shapes.named().items():
        low, high = model.intervals[name]
        rows.append(
            {"quantity": name, "where": "space", "model": value, "lower": low, "upper": high}
        )
    columns = ["quantity", "where", "data", "model", "deviation", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)
