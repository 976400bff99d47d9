"""Virtual particles: a drawn shell filled with the grains of a calibrated model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.ebsd.orientations import Quaternions, radial_orientations
from electrode_grains.errors import ComputationError
from electrode_grains.generation.moments import ShapeMoments
from electrode_grains.generation.orientations import (
    OrientationStatistics,
    assign_orientations,
    describe_contacts,
    describe_lattice,
)
from electrode_grains.morphometry import (
    ParticleMeasurement,
    characterize_grains,
    measure_particle,
)
from electrode_grains.morphometry.radial_position import particle_center
from electrode_grains.tessellation import (
    ArchitectureModel,
    FittedShells,
    Placement,
    Shell,
    ShellModel,
    cell_shapes,
    fill_domain,
    join_fragments,
    voxel_points,
)
from electrode_grains.tessellation.architecture import ANYWHERE

Labels = NDArray[np.int32]
MARGIN = 1.0  # mean diameters that are simulated around a window, so that it cuts grains
WINDOW_SHARE = 0.5  # height of a calibration's window over its width


@dataclass(frozen=True)
class CalibratedModel:
    """What virtual particles are drawn from.

    Attributes
    ----------
    architecture : ArchitectureModel
    shell : ShellModel or None
        None where the grains fill the window.
    target, reached : ShapeMoments
        Moments of the fits, and of the simulated grains of the model.
    loss : float
        Sum of squares of the 14 deviations, each in its unit of `ShapeMoments.tolerances`.
    simulations : int
    placement : Placement
    center_nm : tuple of 3 float, optional
        Origin (x, y, z) of the shell from the first voxel of the window; None: its middle.
    """

    architecture: ArchitectureModel
    shell: ShellModel | None
    target: ShapeMoments
    reached: ShapeMoments
    loss: float
    simulations: int
    placement: Placement = ANYWHERE
    center_nm: tuple[float, float, float] | None = None

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
            "placement": Placement,
        }
        known = {n: kinds[n].from_dict(v) if n in kinds and v else v for n, v in content.items()}
        if center := content.get("center_nm"):
            known["center_nm"] = tuple(center)
        return cls(**known)

    def draw_body(self, rng: np.random.Generator) -> Body | None:
        """Draw an outer shell where that of the data lies; None where grains fill the window."""
        return None if self.shell is None else Body(self.shell.sample(rng), self.center_nm)


def simulated_moments(
    model: ArchitectureModel, spacing: Sequence[float], grains: int, seed: int
) -> ShapeMoments:
    """Moments of the whole grains in a window that a large architecture surrounds.

    Raises
    ------
    ComputationError
        If the window cuts nearly all of them.
    """
    labels, cut = fill_box(model, spacing, grains, np.random.default_rng(seed))
    return moments_of(labels[cut], spacing)


def grains_within(
    labels: Labels, window: Sequence[slice], spacing: Sequence[float]
) -> pd.DataFrame:
    """Table of the grains whose centre lies in a window, measured beyond it: none is cut by it."""
    table = characterize_grains(labels, spacing)
    centers = table[[f"centroid_{axis}_nm" for axis in "zyx"]].to_numpy() / np.array(spacing)
    low, high = (np.array([getattr(part, end) for part in window]) for end in ("start", "stop"))
    inside = ((centers > low) & (centers < high)).all(axis=1)
    whole: pd.DataFrame = table[inside & ~table["touches_window"].to_numpy(bool)]
    return whole.reset_index(drop=True)


def moments_of(labels: Labels, spacing: Sequence[float]) -> ShapeMoments:
    """Moments of simulated grains that are whole.

    Raises
    ------
    ComputationError
        If they are fewer than 20.
    """
    try:
        return ShapeMoments.of_table(characterize_grains(labels, spacing))
    except ComputationError as error:
        raise ComputationError(
            "too few simulated grains are whole",
            where="calibration of the architecture",
            found=f"{error.found} of {len(np.unique(labels[labels > 0]))}",
            expected=error.expected,
            remedy="raise generation.calibration_grains",
        ) from None


def fill_box(
    model: ArchitectureModel,
    spacing: Sequence[float],
    grains: int,
    rng: np.random.Generator,
) -> tuple[Labels, tuple[slice, ...]]:
    """Fill a window and a margin on each side of it by so many grains; also where it lies."""
    margin = MARGIN * model.mean_diameter_nm
    width = (grains * model.mean_volume_nm3 / WINDOW_SHARE) ** (1 / 3)
    lengths = (max(WINDOW_SHARE * width - 2 * margin, 3 * margin), *[width - 2 * margin] * 2)
    shape = [max(1, math.ceil(n / step)) for n, step in zip(lengths, spacing, strict=True)]
    edges = [math.ceil(margin / step) for step in spacing]
    domain = np.ones([size + 2 * edge for size, edge in zip(shape, edges, strict=True)], bool)
    return fill_domain(model, domain, spacing, rng), _inner(shape, edges)


def _inner(shape: Sequence[int], edges: Sequence[int]) -> tuple[slice, ...]:
    """Where a window lies in what goes beyond it by so many voxels on each side."""
    return tuple(slice(edge, edge + size) for size, edge in zip(shape, edges, strict=True))


def scaled(model: ArchitectureModel, size: float) -> ArchitectureModel:
    """The model with all its lengths multiplied by a factor."""
    lengths = [name for name in ArchitectureModel.model_fields if name.endswith("_nm")]
    return model.replace(**{name: size * getattr(model, name) for name in lengths})


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
    body = model.draw_body(rng)
    return fill_window(
        model.architecture, shape, spacing, rng, orientations, laue, body, model.placement
    )


class Body(NamedTuple):
    """Outer shell of a particle, and where it lies.

    Attributes
    ----------
    shell : Shell
    center_nm : tuple of 3 float, optional
        Its origin (x, y, z) from the first voxel of the window; None: the middle of the window.
    """

    shell: Shell
    center_nm: tuple[float, float, float] | None = None

    @classmethod
    def first_of(cls, found: FittedShells) -> Body:
        """Likeliest shell of the first particle, where it lies."""
        x, y, z = found.centers[0].tolist()
        return cls(found.shells[0], (x, y, z))


def fill_window(
    architecture: ArchitectureModel,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    orientations: OrientationStatistics | float = 0.0,
    laue: str = "-3m",
    body: Body | None = None,
    placement: Placement = ANYWHERE,
) -> VirtualParticle:
    """Fill a window with grains, some of which it cuts.

    Parameters
    ----------
    architecture : ArchitectureModel
    shape, spacing, rng, orientations, laue
        As for `generate`.
    body : Body, optional
        Outer shell; without it the grains fill all of the window.
    placement : Placement

    Returns
    -------
    VirtualParticle
    """
    labels = window_labels(architecture, shape, spacing, rng, body, placement)
    return oriented(labels, spacing, rng, orientations, laue)


def window_labels(
    architecture: ArchitectureModel,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    body: Body | None = None,
    placement: Placement = ANYWHERE,
) -> Labels:
    """Grains of a window that its surroundings go on beyond; parameters as for `fill_window`."""
    whole = surrounded_grains(architecture, shape, spacing, rng, body, placement)
    return whole.in_window(placement.protrusion)


@dataclass(frozen=True)
class SurroundedGrains:
    """Grains of a window and its surroundings, the outer ones not yet cut.

    Attributes
    ----------
    labels : ndarray of int32, shape (z, y, x)
    spacing : tuple of 3 float
        (dz, dy, dx) in nm.
    window : tuple of slice
        Where the window lies.
    diameter_nm : float
        Mean of the architecture.
    heights : ndarray of float64, shape (z, y, x), optional
        Of voxels above the shell in nm; None without a shell.
    of_grains : ndarray of float64, shape (n + 1,), optional
        Of the centroids of grains; the first is not used.
    """

    labels: Labels
    spacing: tuple[float, float, float]
    window: tuple[slice, ...]
    diameter_nm: float
    heights: NDArray[np.float64] | None = None
    of_grains: NDArray[np.float64] | None = None

    def in_window(self, protrusion: float) -> Labels:
        """Grains of the window, where outer ones stick out of the shell as far as is said.

        Grains belong to the particle by their centroids. They are cut at the protrusion above
        the shell, and go on to it below, where grains that do not belong leave pits.
        """
        labels = self.labels
        if self.heights is not None and self.of_grains is not None:
            reach = protrusion * self.diameter_nm if protrusion < 1 else np.inf
            belongs = (labels > 0) & (self.of_grains[labels] < 0)
            nearest = ndimage.distance_transform_edt(
                ~belongs, self.spacing, return_distances=False, return_indices=True
            )
            inside = self.heights < np.where(belongs, reach, -reach)
            labels = np.where(inside, labels[tuple(nearest)], 0)
            labels = join_fragments(labels.astype(np.int32))
        return np.ascontiguousarray(labels[self.window])


def surrounded_grains(
    architecture: ArchitectureModel,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    body: Body | None = None,
    placement: Placement = ANYWHERE,
) -> SurroundedGrains:
    """Fill a window, and a mean diameter around it and the shell; parameters as `fill_window`.

    Without protrusion cells end at the shell, so that none has to be cut.
    """
    size = architecture.mean_diameter_nm
    margin = [math.ceil(MARGIN * size / step) for step in spacing]
    window = _inner(shape, margin)
    depth, height, width = (n + 2 * edge for n, edge in zip(shape, margin, strict=True))
    step = np.array(spacing[::-1])
    center = (np.array([width, height, depth]) - 1) / 2 * step
    if body is not None and body.center_nm is not None:
        center = np.array(body.center_nm) + np.array(margin[::-1]) * step
    domain, heights = np.ones((depth, height, width), bool), None
    if body is not None:
        points = voxel_points((depth, height, width), spacing) - center
        heights = body.shell.height(points).reshape(domain.shape)
        domain = heights < (size if placement.protrusion else 0)
    labels = fill_domain(architecture, domain, spacing, rng, placement, center.tolist())
    if body is None or not placement.protrusion:
        return SurroundedGrains(labels, spacing, window, size)
    _, middles, _, _ = cell_shapes(labels, spacing, int(labels.max()))
    of_grains = np.append(0.0, body.shell.height(middles - center))
    return SurroundedGrains(labels, spacing, window, size, heights, of_grains)


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
    radii = _radii(measured.grains)
    if isinstance(orientations, OrientationStatistics):
        numbers = measured.grains["label"].to_numpy()
        lattice = assign_orientations(orientations, measured.contacts, numbers, radii, rng)
    else:
        lattice = radial_orientations(radii, orientations, rng)
    return described(labels, measured, lattice, laue)


def described(
    labels: Labels, measured: ParticleMeasurement, lattice: Quaternions, laue: str
) -> VirtualParticle:
    """Virtual particle of measured grains and their orientations, in the order of the table."""
    grains = measured.grains
    return VirtualParticle(
        labels,
        grains.assign(**describe_lattice(lattice, _radii(grains), laue)),
        describe_contacts(measured.contacts, grains["label"].to_numpy(), lattice, laue),
    )


def _radii(grains: pd.DataFrame) -> NDArray[np.float64]:
    """From the centroid of all grains, as data are measured, to that of each, shape (n, 3)."""
    centers = grains[[f"centroid_{axis}_nm" for axis in "xyz"]].to_numpy()
    radii: NDArray[np.float64] = centers - particle_center(centers, grains["volume_nm3"].to_numpy())
    return radii
