"""From plane sections to grains in space: the architecture whose sections look like those seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.generation.calibration import (
    RANGES,
    search,
    slopes_of,
    stepped,
    units_of,
)
from electrode_grains.generation.moments import ShapeMoments
from electrode_grains.generation.particles import fill_around, window_of
from electrode_grains.generation.section_moments import PROFILE, Profiles, SectionMoments
from electrode_grains.generation.settings import SectionSettings
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import ArchitectureModel
from electrode_grains.workers import in_processes

Floats = NDArray[np.float64]
PIXELS_PER_PROFILE = 10.0  # in a mean diameter of profiles, to which finer sections are thinned
LEAST_PIXELS = 4.0  # below which profiles have no shape
SPACE_PER_PROFILE = 1.2  # mean diameter of grains over that of their profiles, as in the paper
PLANES_PER_DIAMETER = 2.0
SEARCH_SEEDS = 2  # simulations of each architecture that the search tries,
SEEDS = 4  # and of the result
CHANCE_SAMPLES = 100
# Standard deviations, in steps of the search, by which parameters leave those of the paper's
# particle where sections say nothing; sizes are free.
PRIOR = np.array([np.inf if name.endswith("diameter_nm") else 2.0 for name in RANGES])
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
        Standard errors of the target, logarithmic where it has a unit.
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
    shape, margin = window_of(model, spacing, grains)
    labels, cut = fill_around(model, shape, margin, spacing, np.random.default_rng(seed))
    table = characterize_grains(labels, spacing)
    centers = table[[f"centroid_{axis}_nm" for axis in "zyx"]].to_numpy() / voxel_nm
    inside = ((centers > margin) & (centers < np.array(margin) + shape)).all(axis=1)
    window = labels[cut]
    step = max(1, round(model.mean_diameter_nm / PLANES_PER_DIAMETER / voxel_nm))
    planes = [
        plane for axis in range(3) for plane in np.moveaxis(window, axis, 0)[step // 2 :: step]
    ]
    whole = table[inside & ~table["touches_window"].to_numpy(bool)].reset_index(drop=True)
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
    standard errors of the sections (with those of the simulation). Ten numbers do not settle
    eleven parameters: those that say nothing about size have a prior around the architecture of
    Furat et al. 2021. Intervals are of bootstrap samples of the profiles and draws from the
    prior, carried to the moments in space by the derivatives of simulations.
    """
    settings = settings or SectionSettings()
    planes, voxel = thin_sections(sections, pixel_nm)
    profiles = Profiles.of_planes(planes, voxel, sources)
    target = SectionMoments.of_profiles(profiles)
    rng = np.random.default_rng(settings.seed)
    drawn = SectionMoments.resampled(profiles, settings.bootstrap, rng)
    resamples = np.array([moments.vector() for moments in drawn])
    simulate = partial(_simulated, voxel=voxel, grains=settings.simulated_grains)
    start = _start(target)
    chance = _chance(simulate_sections(start, voxel, settings.simulated_grains, settings.seed))
    errors = np.hypot(resamples.std(axis=0), chance / SEARCH_SEEDS**0.5)

    def evaluate(
        models: Sequence[ArchitectureModel],
    ) -> list[tuple[SectionMoments, Floats]]:
        goal = target.vector()
        made = simulate(models, range(settings.seed, settings.seed + SEARCH_SEEDS))
        return [(sections, (sections.vector() - goal) / errors) for sections, _ in made]

    found = search(start, evaluate, simulations=settings.simulations, prior=PRIOR, report=report)
    return _concluded(found.model, target, resamples, errors, voxel, simulate, settings, rng)


Simulate = Callable[
    [Sequence[ArchitectureModel], Sequence[int]], list[tuple[SectionMoments, ShapeMoments]]
]


def _simulated(
    models: Sequence[ArchitectureModel], seeds: Sequence[int], voxel: float, grains: int
) -> list[tuple[SectionMoments, ShapeMoments]]:
    """Mean moments of each architecture over seeds, as many at a time as there are threads."""
    tasks = [(model, voxel, grains, seed) for model in models for seed in seeds]
    values = list(in_processes(_values, tasks))
    each = [values[n : n + len(seeds)] for n in range(0, len(values), len(seeds))]
    return [
        (_mean_sections([one for one, _ in made]), _mean_shapes([other for _, other in made]))
        for made in each
    ]


def _values(
    model: ArchitectureModel, voxel: float, grains: int, seed: int
) -> tuple[SectionMoments, ShapeMoments]:
    return simulate_sections(model, voxel, grains, seed).values()


def _start(target: SectionMoments) -> ArchitectureModel:
    """The architecture of the paper, as large as the profiles ask for."""
    usual = ArchitectureModel()
    size = SPACE_PER_PROFILE * target.means[PROFILE[0]] / usual.mean_diameter_nm
    return usual.replace(
        mean_diameter_nm=size * usual.mean_diameter_nm,
        std_diameter_nm=size * usual.std_diameter_nm,
        roughness_nm=size * usual.roughness_nm,
        roughness_length_nm=size * usual.roughness_length_nm,
    )


def _chance(made: SimulatedSections) -> Floats:
    """Standard errors of the moments of simulated profiles."""
    rng = np.random.default_rng(0)
    drawn = SectionMoments.resampled(made.profiles, CHANCE_SAMPLES, rng)
    spread: Floats = np.array([moments.vector() for moments in drawn]).std(axis=0)
    return spread


def _concluded(
    model: ArchitectureModel,
    target: SectionMoments,
    resamples: Floats,
    errors: Floats,
    voxel: float,
    simulate: Simulate,
    settings: SectionSettings,
    rng: np.random.Generator,
) -> SectionModel:
    """Moments in space of the model that was found, with their intervals."""
    seeds = range(settings.seed, settings.seed + SEEDS)
    beside = stepped(model)
    (sections, shapes), *moved = simulate([model, *beside], seeds[:SEARCH_SEEDS])
    at = units_of(model)
    in_plane = slopes_of(
        [other.vector() / errors for other, _ in moved], sections.vector() / errors, beside, at
    )
    in_space = slopes_of([_numbers(other) for _, other in moved], _numbers(shapes), beside, at)
    normal = in_plane.T @ in_plane + np.diag(1 / PRIOR**2)
    noise = (resamples - resamples.mean(axis=0)) / resamples.std(axis=0)
    drawn = noise @ in_plane + rng.standard_normal((len(noise), len(at))) / PRIOR
    shifts = np.linalg.solve(normal, drawn.T).T
    ((reached, result),) = simulate([model], seeds)
    names = list(result.named())
    numbers = _plain(_numbers(result) + shifts @ in_space.T, names)
    low, high = np.percentile(numbers, INTERVAL, axis=0)
    deviation = (reached.vector() - target.vector()) / errors
    bounds = zip(names, map(float, low), map(float, high), strict=True)
    return SectionModel(
        architecture=model,
        target=target,
        reached=reached,
        errors=dict(zip(target.named(), map(float, errors), strict=True)),
        shapes=result,
        intervals={name: (a, b) for name, a, b in bounds},
        voxel_nm=voxel,
        loss=float(deviation @ deviation),
        simulations=SEARCH_SEEDS * (settings.simulations + 1 + len(beside)) + SEEDS,
    )


def _numbers(moments: ShapeMoments) -> Floats:
    """Moments in units in which they have no bounds: logarithms, Fisher's z."""
    return np.array(
        [
            np.arctanh(value) if name.startswith("correlation") else np.log(value)
            for name, value in moments.named().items()
        ]
    )


def _plain(numbers: Floats, names: Sequence[str]) -> Floats:
    """Moments from what `_numbers` returns, along the last axis."""
    related = np.array([name.startswith("correlation") for name in names])
    return np.where(related, np.tanh(numbers), np.exp(numbers))


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
