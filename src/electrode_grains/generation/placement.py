"""How the grains of the data lie in their particle, told from what simulated ones measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from electrode_grains.errors import InputError
from electrode_grains.generation.comparison import NEEDED, PLACE
from electrode_grains.generation.moments import CHARACTERISTICS, LEAST_GRAINS
from electrode_grains.generation.particles import Body
from electrode_grains.tessellation import FittedShells, Placement, fit_shells, mean_watson_angle

PROTRUSIONS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)  # mean diameters
EVIDENCE = 3.0  # standard errors from no relation, below which there is none
MET = 0.5  # standard errors of the data, with which a search ends
MOST_CONCENTRATION = 20.0
# Of the gradient and of the mean angle's excess over 1 rad: expected slopes, largest settings.
SLOPES, MOST = np.array([1.0, 0.5]), np.array([0.95, 0.6])
SLOWING = 0.7  # power of the number of simulations by which steps shrink
SHELL_DEGREE = 10  # of the harmonics of a shell that is known as a whole


@dataclass(frozen=True)
class PlaceStatistics:
    """How sizes and long axes of whole grains depend on where they lie.

    Attributes
    ----------
    size_correlation : float
        Of equivalent diameter and distance to the centre (Pearson's).
    long_axis_angle : float
        Mean angle in rad of the longest axis to the radius; 1 for axes in any direction.
    errors : (float, float)
        Standard errors of both.
    """

    size_correlation: float
    long_axis_angle: float
    errors: tuple[float, float]

    @property
    def values(self) -> tuple[float, float]:
        """Both, in the order of `errors`."""
        return self.size_correlation, self.long_axis_angle

    @classmethod
    def of_table(cls, grains: pd.DataFrame) -> PlaceStatistics | None:
        """Statistics of a grain table's whole grains; None where they are fewer than 20."""
        whole = grains.loc[~grains["touches_window"].astype(bool)]
        whole = whole.dropna(subset=[*NEEDED, PLACE, "radial_angle"])
        if len(whole) < LEAST_GRAINS:
            return None
        correlation = float(whole[PLACE].corr(whole[CHARACTERISTICS[0]]))
        angle = whole["radial_angle"]
        return cls(
            correlation,
            float(angle.mean()),
            ((1 - correlation**2) / len(whole) ** 0.5, float(angle.std()) / len(whole) ** 0.5),
        )


def shells_of(
    particles: Sequence[ArrayLike], spacing: Sequence[float], degree: int
) -> tuple[FittedShells | None, str]:
    """Outer shells of particles, or none and why.

    Parameters
    ----------
    particles : sequence of array_like of bool, shape (z, y, x)
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    degree : int
        Of the harmonics.

    Returns
    -------
    FittedShells or None
        None where grains fill a window, so that it shows no surface.
    str
        The reason; '' where there is a shell.
    """
    try:
        return fit_shells(particles, spacing, degree), ""
    except InputError as error:
        return None, str(error)


def whole_body(
    particle: ArrayLike, spacing: Sequence[float], voxel_nm: float
) -> tuple[Body, tuple[int, int, int]]:
    """Likeliest shell of a particle, and the window of cubic voxels that it is seen in.

    Parameters
    ----------
    particle : array_like of bool, shape (z, y, x)
        Of a tomogram, whose voxels may be larger or smaller.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    voxel_nm : float
        Of the window.

    Raises
    ------
    InputError
        If it shows no surface.
    """
    mask = np.asarray(particle, bool)
    shells = fit_shells([mask], spacing, SHELL_DEGREE)
    depth, height, width = (
        max(1, round(size * step / voxel_nm))
        for size, step in zip(mask.shape, spacing, strict=True)
    )
    return Body.first_of(shells), (depth, height, width)


def fit_protrusion(relief: float, relief_at: Callable[[float], float]) -> float:
    """How far grains stick out of a shell, so that the surface has a given relief.

    Parameters
    ----------
    relief : float
        Of the data's surface about its shell, as in `ShellModel`.
    relief_at : callable (float) -> float
        That of a simulated particle with a protrusion from 0 to 1.

    Returns
    -------
    float
        In [0, 1]: between the simulated ones by interpolation; the end that is nearer where the
        data have less or more relief than any.
    """
    found = np.maximum.accumulate([relief_at(protrusion) for protrusion in PROTRUSIONS])
    rising = found + 1e-12 * np.arange(len(found))
    return float(np.interp(relief, rising, PROTRUSIONS))


def fit_placement(
    data: PlaceStatistics,
    simulate: Callable[[Placement], PlaceStatistics | None],
    start: Placement,
    simulations: int,
    report: Callable[[str], None] = lambda text: None,
) -> Placement:
    """Find how grains are to lie so that they measure as those of the data.

    Parameters
    ----------
    data : PlaceStatistics
    simulate : callable (Placement) -> PlaceStatistics or None
        What the grains of a virtual particle measure; None where too few are whole.
    start : Placement
        With the protrusion.
    simulations : int
        Particles that may be made.
    report : callable (str) -> None
        Gets a line for each.

    Returns
    -------
    Placement
        What the data do not show stays 0: by three standard errors from the first particle,
        whose grains lie anywhere, so that what window and edge rule make counts for nothing.

    Notes
    -----
    Stochastic approximation (Robbins and Monro 1951): each is moved by its own deviation over
    the slope that is expected, and by less with each simulation, so that their chance averages
    out.
    """
    place, settings, shown = start, np.zeros(2), np.zeros(2, bool)
    wanted, errors = np.array(data.values), np.array(data.errors)
    for number in range(simulations):
        found = simulate(place)
        if found is None:
            break
        report(
            f"size gradient {place.size_gradient:.2f}, concentration of long axes "
            f"{place.long_axis_concentration:.1f}: {_told(found)}; data: {_told(data)}"
        )
        away = wanted - found.values
        if number == 0:
            shown = np.abs(away) > EVIDENCE * np.hypot(errors, found.errors)
        if not (shown & (np.abs(away) > MET * errors)).any():
            break
        moved = settings + np.where(shown, away, 0) / SLOPES / (number + 1) ** SLOWING
        settings = np.clip(moved, -MOST, MOST)
        place = replace(
            place,
            size_gradient=float(settings[0]),
            long_axis_concentration=concentration_of(float(settings[1])),
        )
    return place


def concentration_of(excess: float) -> float:
    """Watson's concentration whose mean angle is 1 + excess, in rad."""
    if excess == 0:
        return 0.0
    low, high = -MOST_CONCENTRATION, MOST_CONCENTRATION
    for _ in range(50):  # the mean angle falls with the concentration
        middle = (low + high) / 2
        low, high = (middle, high) if mean_watson_angle(middle) > 1 + excess else (low, middle)
    return (low + high) / 2


def _told(statistics: PlaceStatistics) -> str:
    return (
        f"corr(distance, d) {statistics.size_correlation:.2f}, "
        f"long axes {statistics.long_axis_angle:.2f} rad from the radius"
    )
