"""From a segmented particle and its fits to the model that virtual particles are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.distributions import CopulaFits, MarginalFits, joint_density_of
from electrode_grains.generation.calibration import calibrate
from electrode_grains.generation.moments import CHARACTERISTICS, PAIRS, PUBLISHED, ShapeMoments
from electrode_grains.generation.particles import (
    Body,
    CalibratedModel,
    Labels,
    fill_box,
    grains_within,
    moments_of,
    scaled,
    surrounded_grains,
    window_labels,
)
from electrode_grains.generation.placement import (
    PlaceStatistics,
    fit_placement,
    fit_protrusion,
    shells_of,
)
from electrode_grains.generation.settings import GenerationSettings
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import ArchitectureModel, Placement, ShellModel

SURFACE = "surface_distance_nm"  # NaN where the window shows no surface of the particle
LARGE = 2.0  # times the grains of a calibration, above which it is not made in the data's window


def fitted_moments(
    grains: pd.DataFrame, marginal_fits: MarginalFits, copula_fits: CopulaFits
) -> ShapeMoments:
    """Means, standard deviations and correlations that the fits imply.

    Where a characteristic or pair could not be fitted, and for pairs that were not modelled,
    those of the grains.
    """
    data = ShapeMoments.of_table(grains)
    means, stds, pairs = dict(data.means), dict(data.stds), dict(data.correlations)
    for name in CHARACTERISTICS:
        fit = marginal_fits.characteristics[name]
        if fit.best is not None:
            model = fit.joint_distribution()
            means[name], stds[name] = model.mean(), model.std()
    modelled = {frozenset((pair.x, pair.y)) for pair in copula_fits.pairs}
    for x, y in PAIRS:
        joint = joint_density_of(x, y, marginal_fits, copula_fits)
        if frozenset((x, y)) in modelled and joint is not None:
            pairs[f"{x} ~ {y}"] = joint.correlation()
    return ShapeMoments(means, stds, pairs, data.grain_count)


@dataclass(frozen=True)
class DataWindow:
    """Where the grains of the data were seen: what is simulated is seen in the same way.

    Attributes
    ----------
    shape, spacing : (int, int, int), (float, float, float)
        Voxels (z, y, x) of the window and their spacing (dz, dy, dx) in nm.
    body : Body, optional
        Likeliest shell of the data's particle; None where its grains fill the window.
    degree : int
        Of the harmonics of shells.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    body: Body | None
    degree: int

    def labels(self, model: ArchitectureModel, placement: Placement, seed: int) -> Labels:
        """Fill the window with grains of a model."""
        rng = np.random.default_rng(seed)
        return window_labels(model, self.shape, self.spacing, rng, self.body, placement)

    def protrusion(self, model: ArchitectureModel, relief: float, seed: int) -> float:
        """How far grains of a model stick out where their surface has a relief."""
        rng = np.random.default_rng(seed)
        whole = surrounded_grains(
            model, self.shape, self.spacing, rng, self.body, Placement(protrusion=1.0)
        )

        def relief_at(protrusion: float) -> float:
            made, _ = shells_of([whole.in_window(protrusion) > 0], self.spacing, self.degree)
            return 0.0 if made is None else made.model.relief

        return fit_protrusion(relief, relief_at)


def fit_model(
    particle: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    grains: pd.DataFrame,
    target: ShapeMoments,
    settings: GenerationSettings,
    report: Callable[[str], None] = lambda text: None,
    others: Sequence[NDArray[np.bool_]] = (),
) -> CalibratedModel:
    """Fit outer shell, architecture, and how grains lie in the particle.

    Parameters
    ----------
    particle : ndarray of bool, shape (z, y, x)
        Voxels of the data's grains.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    grains : DataFrame
        Of the data, as from `measure_particle`.
    target : ShapeMoments
        Of the fits. Correlations of pairs that contradict each other are moved to the nearest
        ones that do not.
    settings : GenerationSettings
    report : callable (str) -> None
        Gets a line for each simulation.
    others : sequence of ndarray of bool, shape (z, y, x)
        Further particles that the shells are to be like; without them all are of the size of
        the one.

    Returns
    -------
    CalibratedModel

    Raises
    ------
    SettingsError
        If no grains have such moments.

    Notes
    -----
    Simulations are made and measured in the window and shell of the data, so that a rule that
    leaves out the grains at the border, large ones above all, acts on both alike. Of data with
    more than twice `calibration_grains`, that rule hardly matters: so many grains are simulated,
    and none is left out.
    """
    depth, height, width = particle.shape
    fitted, target = target, target.consistent()
    if target is not fitted:
        moved = max(abs(target.correlations[pair] - r) for pair, r in fitted.correlations.items())
        report(f"pairs were fitted to correlations of no four quantities; moved by {moved:.2f}")
    shell: ShellModel | None = None
    body: Body | None = None
    shells, reason = None, "voxels outside of grains were not measured, or there are none"
    if grains[SURFACE].notna().any():
        shells, reason = shells_of([particle, *others], spacing, settings.shell_degree)
    if shells is None:
        report(f"virtual grains fill the window, without an outer shell: {reason}")
    else:
        shell = shells.model
        body = Body.first_of(shells)
    window = DataWindow((depth, height, width), spacing, body, settings.shell_degree)
    start, seed = start_architecture(target, settings.relaxation), settings.seed
    placement = Placement()
    if shell is not None:
        placement = Placement(protrusion=window.protrusion(start, shell.relief, seed))
        report(f"outer grains stick out of the shell by {placement.protrusion:.2f} mean diameters")

    def simulate(model: ArchitectureModel) -> ShapeMoments:
        if len(grains) > LARGE * settings.calibration_grains:
            rng = np.random.default_rng(seed)
            labels, cut = fill_box(model, spacing, settings.calibration_grains, rng)
            return ShapeMoments.of_table(grains_within(labels, cut, spacing))
        return moments_of(window.labels(model, placement, seed), spacing)

    voxel = float(np.prod(spacing)) ** (1 / 3)
    found = calibrate(
        target, simulate, start, voxel, simulations=settings.simulations, report=report
    )

    def placed(tried: Placement) -> PlaceStatistics | None:
        labels = window.labels(found.model, tried, seed)
        return PlaceStatistics.of_table(characterize_grains(labels, spacing))

    data = PlaceStatistics.of_table(grains)
    if data is not None:
        placement = fit_placement(data, placed, placement, settings.placements, report)
    return CalibratedModel(
        found.model, shell, target, found.moments, found.loss, found.simulations, placement,
        None if body is None else body.center_nm,
    )  # fmt: skip


def start_architecture(target: ShapeMoments, relaxation: int) -> ArchitectureModel:
    """The usual architecture, with the mean and the spread of diameters of a target."""
    usual = ArchitectureModel(relaxation=relaxation)
    diameter = CHARACTERISTICS[0]
    size = target.means[diameter] / PUBLISHED.means[diameter]
    spread = target.stds[diameter] / PUBLISHED.stds[diameter]
    return scaled(usual, size).replace(std_diameter_nm=spread * usual.std_diameter_nm)
