"""Random grain architectures inside a given domain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from electrode_grains.base import Length, Settings, setting
from electrode_grains.errors import SettingsError
from electrode_grains.tessellation.laguerre import Points
from electrode_grains.tessellation.particle import join_fragments
from electrode_grains.tessellation.placement import Placement, frames_about, layered_seeds
from electrode_grains.tessellation.power_diagram import PowerDiagram, Roughness
from electrode_grains.tessellation.volumes import VolumeFit, cell_shapes, fit_volumes

Floats = NDArray[np.float64]
Domain = NDArray[np.bool_]
RELAXATION_TOLERANCE, TOLERANCE = 0.2, 0.05  # of volumes
FEEDBACK = 0.6  # of the deviation of a shape that a step corrects
SHAPE_VOXELS = 5.0  # of a cell whose shape is trusted by half
LEAK = 0.95  # of a stretch that a step keeps, so that what cannot be reached does not add up
MOST_STRETCH = 0.8  # logarithm to which a metric may be stretched: shapes can be out of reach
ELONGATIONS = (0.3, 0.97)  # that a cell may be given
ANYWHERE = Placement()
ROUGH_STEPS = 3  # last ones, in which cells are rough already: those take three times as long


class ArchitectureModel(Settings):
    r"""Parameters of a random architecture of grains.

    Notes
    -----
    The defaults are those of a calibration by Tables 2 and 3 of Furat et al. 2021;
    `docs/generation.md` says how near they come.
    """

    mean_diameter_nm: Length = setting(
        528.0,
        "mean of the inverse Gaussian volume-equivalent diameters of all grains; those that a "
        "window does not cut are smaller",
        unit="nm",
        gt=0,
    )
    std_diameter_nm: float = setting(184.0, "their standard deviation", unit="nm", gt=0)
    curvature: float = setting(
        0.25,
        "exponent k of a grain's metric d^(-2 k): 0 makes planes between grains of unlike size, 1 "
        "lets small grains bulge into large ones",
        ge=-0.5,
        le=1.5,
    )
    elongation: float = setting(0.8, "mean elongation that cells are given", gt=0, lt=1)
    elongation_spread: float = setting(0.105, "its standard deviation", ge=0, lt=1)
    elongation_slope: float = setting(-0.095, "its change for each doubling of the diameter")
    roughness_nm: float = setting(
        26.0,
        "median displacement (rms) that a grain of mean size gives its interfaces",
        unit="nm",
        ge=0,
    )
    roughness_exponent: float = setting(0.8, "power of the diameter that the displacement follows")
    roughness_spread: float = setting(
        0.4, "standard deviation of its logarithm among grains of one size", ge=0
    )
    roughness_length_nm: float = setting(
        137.0, "range of the displacements along an interface", unit="nm", gt=0
    )
    shape_correlation: float = setting(
        0.95, "correlation of smoothness and elongation among grains of one size", gt=-1, lt=1
    )
    relaxation: int = setting(
        10,
        "steps in which seeds move to the centroids of their cells and metrics to their shapes",
        ge=0,
    )

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return dict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Model from what `to_dict` returned."""
        return cls(**content)

    @property
    def mean_volume_nm3(self) -> float:
        """Mean volume of a grain: pi / 6 times the third moment of the diameters."""
        share = (self.std_diameter_nm / self.mean_diameter_nm) ** 2  # mu / lambda
        third = self.mean_diameter_nm**3 * (1 + 3 * share + 3 * share**2)
        return math.pi / 6 * third


def fill_domain(
    model: ArchitectureModel,
    domain: Domain,
    spacing: Sequence[float],
    rng: np.random.Generator,
    placement: Placement = ANYWHERE,
    center: Sequence[float] | None = None,
) -> NDArray[np.int32]:
    """Fill a domain with the grains of a model.

    Parameters
    ----------
    model : ArchitectureModel
    domain : ndarray of bool, shape (z, y, x)
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    rng : Generator
    placement : Placement
        Where large grains lie and where long axes point; what protrudes from a shell is left to
        the caller.
    center : sequence of 3 float, optional
        (x, y, z) in nm from the first voxel, from which that is told; by default the middle of
        the volume.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Connected grains, from 1; 0 outside the domain. Chips that roughness cuts off a grain go
        to a neighbour.

    Raises
    ------
    SettingsError
        If the domain has no room for two grains.
    """
    drawn = draw_architecture(model, domain, spacing, rng, placement, center)
    return join_fragments(drawn.labels)


def draw_architecture(
    model: ArchitectureModel,
    domain: Domain,
    spacing: Sequence[float],
    rng: np.random.Generator,
    placement: Placement = ANYWHERE,
    center: Sequence[float] | None = None,
) -> VolumeFit:
    """Draw the grains of a model in a domain, as a power diagram.

    Parameters, errors : as for `fill_domain`.

    Notes
    -----
    Seeds lie at random in the domain and settle in the centroids of cells that have their
    volumes already, while metrics give the cells their elongation: along the axes that a cell
    has by its surroundings, or along drawn ones where long axes are concentrated.
    """
    if center is None:
        center = [(n - 1) / 2 * s for n, s in zip(domain.shape, spacing, strict=True)][::-1]
    middle = np.asarray(center, float)
    room = float(domain.sum() * np.prod(spacing))
    count = round(room / model.mean_volume_nm3)
    if count < 2:
        raise SettingsError(
            "the domain has no room for two grains",
            found=f"{room:.3g} nm^3",
            expected=f"at least {2 * model.mean_volume_nm3:.3g} nm^3",
        )
    volumes, radii = _draw_sizes(model, count, room, float(np.prod(spacing)), rng)
    smoothness, other = rng.standard_normal((2, count))
    scale = (2 * radii / model.mean_diameter_nm) ** (-2 * model.curvature)
    if placement.size_gradient:
        gradient = placement.size_gradient
        seeds = layered_seeds(volumes, domain, spacing, middle, gradient, rng)
    else:
        seeds = _scatter(domain, spacing, count, rng)
    heights = _roughness(model, radii, scale, smoothness, rng)
    start = PowerDiagram.of(seeds, None, scale[:, None, None] * np.eye(3))
    shapes = _draw_shapes(model, radii, smoothness, other, rng)
    frames = None
    if concentration := placement.long_axis_concentration:
        frames = frames_about(seeds - middle, concentration, rng)
    smooth_steps = max(model.relaxation - ROUGH_STEPS, 0)
    settled = _settle(start, volumes, shapes, frames, domain, spacing, smooth_steps)
    settled = replace(settled, roughness=heights)
    rough_steps = model.relaxation - smooth_steps
    settled = _settle(settled, volumes, shapes, frames, domain, spacing, rough_steps)
    return fit_volumes(settled, volumes, domain.shape, spacing, domain=domain, tolerance=TOLERANCE)


@dataclass(frozen=True)
class GrainLattice:
    """Grains on a lattice that is finer than the voxels of a window, to be sampled anywhere.

    Attributes
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Connected grains, from 1.
    spacing : tuple of 3 float
        (dz, dy, dx) in nm.
    origin : tuple of 3 float
        Position (x, y, z) of the first point in nm.
    """

    labels: NDArray[np.int32]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]

    def grain_at(self, points: Points) -> NDArray[np.int32]:
        """Grain of the nearest point of the lattice, for points (x, y, z) in nm, shape (n,)."""
        shape = self.labels.shape
        place = np.zeros(len(points), np.int64)
        for axis in range(3):
            away = points[:, 2 - axis] - self.origin[2 - axis]
            index = np.rint(away / self.spacing[axis]).astype(np.int64)
            place = place * shape[axis] + np.clip(index, 0, shape[axis] - 1)
        return self.labels.ravel()[place]

    def grain_centers(self) -> Points:
        """Centroid (x, y, z) of each grain in nm, shape (n + 1, 3); row 0 is not used."""
        _, middles, _, _ = cell_shapes(self.labels, self.spacing, int(self.labels.max()))
        return np.vstack([np.zeros(3), middles + np.array(self.origin)])


def grow_lattice(
    model: ArchitectureModel,
    shape: Sequence[int],
    spacing: tuple[float, float, float],
    margin_nm: float,
    rng: np.random.Generator,
) -> GrainLattice:
    """Fill a window, and a margin around it, with the grains of a model.

    Parameters
    ----------
    model : ArchitectureModel
    shape, spacing : (int, int, int), (float, float, float)
        Voxels (z, y, x) of the window and their spacing (dz, dy, dx) in nm. The centre of the
        first one is the origin of the lattice's positions.
    margin_nm : float
    rng : Generator

    Returns
    -------
    GrainLattice
        With half the spacing of the window, whose voxel centres are points of it.
    """
    edges = [math.ceil(margin_nm / step) for step in spacing]
    box = [size + 2 * edge for size, edge in zip(shape, edges, strict=True)]
    diagram = draw_architecture(model, np.ones(box, bool), spacing, rng).diagram
    half = (spacing[0] / 2, spacing[1] / 2, spacing[2] / 2)
    fine = diagram.rasterize([2 * size - 1 for size in box], half)
    corner = [-edge * step for edge, step in zip(edges, spacing, strict=True)]
    return GrainLattice(join_fragments(fine), half, (corner[2], corner[1], corner[0]))


def _draw_sizes(
    model: ArchitectureModel, count: int, room: float, voxel: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Volumes that fill the domain, and their radii."""
    shape = model.mean_diameter_nm**3 / model.std_diameter_nm**2
    volumes = math.pi / 6 * rng.wald(model.mean_diameter_nm, shape, count) ** 3
    volumes = np.maximum(volumes * (room / volumes.sum()), 3 * voxel)
    volumes *= room / volumes.sum()
    return volumes, np.cbrt(volumes * 3 / (4 * math.pi))


def _draw_shapes(
    model: ArchitectureModel,
    radii: Floats,
    smoothness: Floats,
    other: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Logarithms of squared half-axes that cells are given, rising, of mean 0, shape (n, 3)."""
    mixed = model.shape_correlation * smoothness
    mixed = mixed + math.sqrt(1 - model.shape_correlation**2) * other
    size = np.log2(2 * radii / model.mean_diameter_nm)
    mean = model.elongation + model.elongation_slope * size
    elongation = np.clip(mean + model.elongation_spread * mixed, *ELONGATIONS)
    longest = -2 * np.log(elongation)
    middle = rng.uniform(0, 1, len(elongation)) * longest
    squares = np.stack([np.zeros_like(longest), middle, longest], axis=1)
    shapes: Floats = squares - squares.mean(axis=1, keepdims=True)
    return shapes


def _roughness(
    model: ArchitectureModel,
    radii: Floats,
    scale: Floats,
    smoothness: Floats,
    rng: np.random.Generator,
) -> Roughness:
    """Heights whose displacements are those asked for where two like grains meet."""
    size = (2 * radii / model.mean_diameter_nm) ** model.roughness_exponent
    displacement = model.roughness_nm * size * np.exp(-model.roughness_spread * smoothness)
    slope = 4 * radii * scale  # of the difference of two costs
    # Heights of both sides add up; the field is cut at 2.5 standard deviations.
    heights = 2.5 * displacement * slope / math.sqrt(2)
    return Roughness.draw(heights, model.roughness_length_nm, rng)


def _scatter(
    domain: Domain, spacing: Sequence[float], count: int, rng: np.random.Generator
) -> Floats:
    inside = np.flatnonzero(domain)
    chosen = rng.choice(inside, count, replace=len(inside) < count)
    place = np.stack(np.unravel_index(chosen, domain.shape), axis=1) + rng.uniform(
        -0.5, 0.5, (count, 3)
    )
    points: Floats = (place * np.array(spacing))[:, ::-1]
    return points


def _settle(
    diagram: PowerDiagram,
    volumes: Floats,
    shapes: Floats,
    frames: Floats | None,
    domain: Domain,
    spacing: Sequence[float],
    relaxation: int,
) -> PowerDiagram:
    """Move seeds to the centroids and metrics to the shapes of cells that have their volumes.

    Shapes lie in frames (columns), or in the axes that a cell has already: its surroundings
    choose them.
    """
    for _ in range(relaxation):
        fitted = fit_volumes(
            diagram, volumes, domain.shape, spacing, domain=domain, tolerance=RELAXATION_TOLERANCE
        )
        counts, middles, logarithms, axes = cell_shapes(fitted.labels, spacing, len(volumes))
        trust = FEEDBACK * counts / (counts + SHAPE_VOXELS)
        excess = _tensors(axes, trust[:, None] * (logarithms - shapes))
        if frames is not None:  # what a cell has along its axes belongs along others
            turned = _tensors(axes, shapes) - _tensors(frames, shapes)
            excess = excess + trust[:, None, None] * turned
        diagram = replace(
            fitted.diagram, seeds=middles, matrices=_reshape(fitted.diagram.matrices, excess)
        )
    return diagram


def _tensors(axes: Floats, values: Floats) -> Floats:
    """Symmetric matrices of given eigenvectors (columns) and eigenvalues."""
    tensors: Floats = (axes * values[:, None]) @ axes.transpose(0, 2, 1)
    return tensors


def _reshape(matrices: Floats, excess: Floats) -> Floats:
    """Metrics that make cells shorter where they are longer than their shapes."""
    own, turn = np.linalg.eigh(matrices)
    exponent = _tensors(turn, np.log(own)) + excess
    powers, turn = np.linalg.eigh((exponent + exponent.transpose(0, 2, 1)) / 2)
    middle = powers.mean(axis=1, keepdims=True)
    powers = middle + np.clip(LEAK * (powers - middle), -MOST_STRETCH, MOST_STRETCH)
    reshaped = _tensors(turn, np.exp(powers))
    symmetric: Floats = (reshaped + reshaped.transpose(0, 2, 1)) / 2
    return symmetric
