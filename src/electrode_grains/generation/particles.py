"""Virtual particles: a drawn shell filled with the grains of a calibrated model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.distributions import CopulaFits, MarginalFits, joint_density_of
from electrode_grains.ebsd.orientations import radial_orientations
from electrode_grains.errors import ComputationError
from electrode_grains.generation.calibration import calibrate
from electrode_grains.generation.moments import CHARACTERISTICS, PAIRS, PUBLISHED, ShapeMoments
from electrode_grains.generation.orientations import (
    OrientationStatistics,
    assign_orientations,
    describe_contacts,
    describe_lattice,
)
from electrode_grains.generation.settings import GenerationSettings
from electrode_grains.morphometry import characterize_grains, measure_particle
from electrode_grains.tessellation import (
    ArchitectureModel,
    Shell,
    ShellModel,
    fill_domain,
    voxel_points,
)

Labels = NDArray[np.int32]
MARGIN = 1.0  # mean diameters that are simulated around a window, so that it cuts grains
WINDOW_SHARE = 0.5  # height of a calibration's window over its width


@dataclass(frozen=True)
class CalibratedModel:
    """What virtual particles are drawn from.

    Attributes
    ----------
    architecture : ArchitectureModel
    shell : ShellModel
    target, reached : ShapeMoments
        Moments of the fits, and of the simulated grains of the model.
    loss : float
        Sum of squares of the 14 deviations, in units of what counts as met (means and standard
        deviations 5 %, correlations .1).
    simulations : int
    """

    architecture: ArchitectureModel
    shell: ShellModel
    target: ShapeMoments
    reached: ShapeMoments
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
            "shell": ShellModel,
            "target": ShapeMoments,
            "reached": ShapeMoments,
        }
        return cls(**{n: kinds[n].from_dict(v) if n in kinds else v for n, v in content.items()})


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


def simulated_moments(
    model: ArchitectureModel, spacing: Sequence[float], grains: int, seed: int
) -> ShapeMoments:
    """Moments of the whole grains in a window that a large architecture surrounds.

    Raises
    ------
    ComputationError
        If the window cuts nearly all of them.
    """
    shape, margin = window_of(model, spacing, grains)
    labels, cut = fill_around(model, shape, margin, spacing, np.random.default_rng(seed))
    measured = characterize_grains(labels[cut], spacing)
    try:
        return ShapeMoments.of_table(measured)
    except ComputationError as error:
        raise ComputationError(
            "too few simulated grains are whole",
            where="calibration of the architecture",
            found=f"{error.found} of {grains}",
            expected=error.expected,
            remedy="raise generation.calibration_grains",
        ) from None


def fill_around(
    model: ArchitectureModel,
    shape: Sequence[int],
    margin: Sequence[int],
    spacing: Sequence[float],
    rng: np.random.Generator,
    body: Shell | None = None,
) -> tuple[Labels, tuple[slice, ...]]:
    """Fill a window and a margin of voxels on each side of it; also where the window lies.

    A shell around the middle bounds the grains.
    """
    depth, height, width = (size + 2 * edge for size, edge in zip(shape, margin, strict=True))
    domain = np.ones((depth, height, width), bool)
    if body is not None:
        steps = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
        points = voxel_points((depth, height, width), steps)
        domain = body.contains(points - points[-1] / 2).reshape(domain.shape)
    cut = tuple(slice(edge, edge + size) for size, edge in zip(shape, margin, strict=True))
    return fill_domain(model, domain, spacing, rng), cut


def window_of(
    model: ArchitectureModel, spacing: Sequence[float], grains: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Voxels of a window and of the margin on each side of it, for so many grains in both."""
    margin = MARGIN * model.mean_diameter_nm
    volume = grains * model.mean_volume_nm3
    width = (volume / WINDOW_SHARE) ** (1 / 3)
    lengths = (max(WINDOW_SHARE * width - 2 * margin, 3 * margin), *[width - 2 * margin] * 2)
    shape = tuple(max(1, math.ceil(n / step)) for n, step in zip(lengths, spacing, strict=True))
    return shape, tuple(math.ceil(margin / step) for step in spacing)


def scaled(model: ArchitectureModel, size: float) -> ArchitectureModel:
    """The model with all its lengths multiplied by a factor."""
    lengths = [name for name in ArchitectureModel.model_fields if name.endswith("_nm")]
    return model.replace(**{name: size * getattr(model, name) for name in lengths})


def calibrate_model(
    target: ShapeMoments,
    shell: ShellModel,
    spacing: Sequence[float],
    settings: GenerationSettings,
    report: Callable[[str], None] = lambda text: None,
) -> CalibratedModel:
    """Find the architecture whose grains, voxelised and measured, have the target's moments.

    Raises
    ------
    SettingsError
        If no grains have such moments.
    """
    usual = ArchitectureModel(relaxation=settings.relaxation)
    size = target.means[CHARACTERISTICS[0]] / PUBLISHED.means[CHARACTERISTICS[0]]
    spread = target.stds[CHARACTERISTICS[0]] / PUBLISHED.stds[CHARACTERISTICS[0]]
    start = scaled(usual, size).replace(std_diameter_nm=spread * usual.std_diameter_nm)
    found = calibrate(
        target,
        lambda model: simulated_moments(model, spacing, settings.calibration_grains, settings.seed),
        start,
        float(np.prod(spacing)) ** (1 / 3),
        simulations=settings.simulations,
        report=report,
    )
    return CalibratedModel(found.model, shell, target, found.moments, found.loss, found.simulations)


class VirtualParticle(NamedTuple):
    """A virtual particle in a window.

    Attributes
    ----------
    labels : ndarray of int32, shape (z, y, x)
    grains : DataFrame
        As from `measure_particle`, with `quaternion_w` ... `quaternion_z`, the orientation from
        sample to crystal, and what follows from it: Bunge angles, angle of the c axis to the
        radius.
    contacts : DataFrame
        As from `measure_particle`, with misorientations.
    """

    labels: Labels
    grains: pd.DataFrame
    contacts: pd.DataFrame


def generate(
    model: CalibratedModel,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    orientations: OrientationStatistics | float = 0.0,
    laue: str = "-3m",
) -> VirtualParticle:
    """Make a virtual particle in the middle of a window.

    Parameters
    ----------
    model : CalibratedModel
    shape, spacing : (int, int, int), (float, float, float)
        Voxels (z, y, x) of the window and their spacing (dz, dy, dx) in nm; it cuts the
        particle where it is smaller.
    rng : Generator
    orientations : OrientationStatistics or float
        Statistics that orientations are to have, or the share of grains whose c axis lies along
        the radius, the others being at random.
    laue : str
        Laue group of the grains.

    Returns
    -------
    VirtualParticle
    """
    body = model.shell.sample(rng)
    return fill_window(model.architecture, shape, spacing, rng, orientations, laue, body)


def fill_window(
    architecture: ArchitectureModel,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    orientations: OrientationStatistics | float = 0.0,
    laue: str = "-3m",
    body: Shell | None = None,
) -> VirtualParticle:
    """Fill a window with grains, some of which it cuts.

    Parameters
    ----------
    architecture : ArchitectureModel
    shape, spacing, rng, orientations, laue
        As for `generate`.
    body : Shell, optional
        Outer shell around the middle of the window; without it the grains fill all of it.

    Returns
    -------
    VirtualParticle
    """
    labels = window_labels(architecture, shape, spacing, rng, body)
    return oriented(labels, spacing, rng, orientations, laue)


def window_labels(
    architecture: ArchitectureModel,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    body: Shell | None = None,
) -> Labels:
    """Grains of a window that its surroundings go on beyond; parameters as for `fill_window`."""
    margin = [math.ceil(MARGIN * architecture.mean_diameter_nm / step) for step in spacing]
    labels, cut = fill_around(architecture, shape, margin, spacing, rng, body)
    return np.ascontiguousarray(labels[cut])


def oriented(
    labels: Labels,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    orientations: OrientationStatistics | float,
    laue: str,
) -> VirtualParticle:
    """Measure grains and give them orientations.

    Parameters, returns : as for `generate`.
    """
    measured = measure_particle(labels, spacing)
    grains = measured.grains
    centers = grains[[f"centroid_{axis}_nm" for axis in "xyz"]].to_numpy()
    middle = (np.array(labels.shape[::-1]) - 1) / 2 * np.array(spacing[::-1])
    if isinstance(orientations, OrientationStatistics):
        lattice = assign_orientations(
            orientations, measured.contacts, grains["label"].to_numpy(), centers - middle, rng
        )
    else:
        lattice = radial_orientations(centers - middle, orientations, rng)
    return VirtualParticle(
        labels,
        grains.assign(**describe_lattice(lattice, centers - middle, laue)),
        describe_contacts(measured.contacts, grains["label"].to_numpy(), lattice, laue),
    )
