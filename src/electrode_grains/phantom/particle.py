"""A virtual polycrystalline particle, whose truth is known at every point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from electrode_grains.ebsd.orientations import multiply, radial_orientations, random_orientations
from electrode_grains.phantom.related import relate_to_neighbours
from electrode_grains.tessellation import (
    ArchitectureModel,
    ArchitectureSettings,
    grow_architecture,
    grow_lattice,
    join_fragments,
    voxel_points,
)

# Rotation of the lattice along a grain, from the misorientation seen inside NMC grains.
GRADIENT_DEGREES_PER_UM = 0.8
ROUGHNESS_DIRECTIONS = 40


class Architecture(Protocol):
    """Grains beyond the voxel grid."""

    def grain_at(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Grain at each point (x, y, z) in nm, shape (n,)."""

    def grain_centers(self) -> NDArray[np.float64]:
        """Middle (x, y, z) of each grain in nm, shape (n + 1, 3); row 0 is not used."""


@dataclass(frozen=True)
class ParticleBody:
    """A rough ellipsoid: points whose scaled distance to the centre is below 1.

    Attributes
    ----------
    center, half_axes : ndarray of float64, shape (3,)
        (x, y, z) in nm.
    directions, heights : ndarray of float64, shapes (n, 3) and (n,)
        Bumps of the surface: a share of the radius, around each direction.
    """

    center: NDArray[np.float64]
    half_axes: NDArray[np.float64]
    directions: NDArray[np.float64]
    heights: NDArray[np.float64]

    def contains(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each point (x, y, z) in nm lies in the body, shape (n,)."""
        scaled = (points - self.center) / self.half_axes
        radius = np.linalg.norm(scaled, axis=1)
        inside: NDArray[np.bool_] = radius < 1 - np.abs(self.heights).max(initial=0) * 3
        shell = np.flatnonzero(~inside & (radius < 1 + np.abs(self.heights).max(initial=0) * 3))
        unit = scaled[shell] / np.maximum(radius[shell, None], 1e-9)
        bumps = np.exp(12 * (unit @ self.directions.T - 1)) @ self.heights
        inside[shell] = radius[shell] < 1 + bumps
        return inside


@dataclass(frozen=True)
class VirtualParticle:
    """The truth about a particle in a window.

    Attributes
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Grain of each voxel, 0 outside. Grains of the second particle follow those of the
        first.
    spacing : tuple of 3 float
        (dz, dy, dx) in nm.
    orientations : ndarray of float64, shape (n + 1, 4)
        Mean orientation of each grain, by label; row 0 is not used.
    gradients : ndarray of float64, shape (n + 1, 3, 3)
        Lattice rotation vector in radians for each nm of distance to the grain's centroid.
    centroids : ndarray of float64, shape (n + 1, 3)
        (x, y, z) in nm.
    main_grain_count : int
        Labels up to this number belong to the particle under study.
    architecture : GrainLattice or CellArchitecture
        Grains beyond the voxel grid, to be sampled anywhere.
    label_of_grain : ndarray of int32, shape (grains + 1,)
        Label of each grain of the architecture, 0 outside both particles.
    """

    labels: NDArray[np.int32]
    spacing: tuple[float, float, float]
    orientations: NDArray[np.float64]
    gradients: NDArray[np.float64]
    centroids: NDArray[np.float64]
    main_grain_count: int
    architecture: Architecture
    label_of_grain: NDArray[np.int32]

    def label_at(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        """Grain label at each point (x, y, z) in nm, shape (n,); 0 outside."""
        return self.label_of_grain[self.architecture.grain_at(points)]

    def orientation_at(
        self, points: NDArray[np.float64], labels: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """Orientation at each point of a grain, shape (n, 4)."""
        offsets = points - self.centroids[labels]
        half = 0.5 * np.einsum("nij,nj->ni", self.gradients[labels], offsets)
        tilt = np.column_stack([np.ones(len(half)), half])
        tilt /= np.linalg.norm(tilt, axis=1, keepdims=True)
        return multiply(tilt, self.orientations[labels])


def virtual_particle(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    grains: ArchitectureModel | ArchitectureSettings | None = None,
    radial_texture: float = 0.0,
    low_angle_share: float = 0.0,
    special_share: float = 0.0,
) -> VirtualParticle:
    """Grow a particle that the window cuts at its ends, and a second one at the edge.

    Parameters
    ----------
    shape, spacing : (int, int, int), (float, float, float)
        Voxels (z, y, x) and their spacing (dz, dy, dx) in nm.
    rng : Generator
    grains : ArchitectureModel or ArchitectureSettings, optional
        Sizes and shapes of the grains: those of a power diagram, by default as in the paper, or
        of joined Laguerre cells.
    radial_texture : float
        Share of the grains whose c axis lies exactly along the radius from the particle's
        centre; 0 draws all orientations at random.
    low_angle_share, special_share : float
        Shares of the grains whose lattice is related to that of a neighbour, see
        `relate_to_neighbours`.

    Returns
    -------
    VirtualParticle

    Notes
    -----
    A particle consists of whole grains, those whose middle lies in its body: its surface is
    as rough as its grains are large, and no grain is cut to a sliver.
    """
    grains = grains or ArchitectureModel()
    extent = np.array(shape[::-1]) * np.array(spacing[::-1])
    margin = grains.mean_diameter_nm
    architecture: Architecture = (
        grow_lattice(grains, shape, spacing, margin, rng)
        if isinstance(grains, ArchitectureModel)
        else grow_architecture(-margin * np.ones(3), extent + margin, grains, rng)
    )
    body_of_grain = _choose_body(architecture.grain_centers(), _bodies(extent, rng), 2 * margin)
    points = voxel_points(shape, spacing)
    found = architecture.grain_at(points).reshape(shape)
    # Grains of the second particle are numbered after those of the first.
    raw_of_grain = np.arange(len(body_of_grain)) + (body_of_grain - 1) * len(body_of_grain)
    raw_of_grain = np.where(body_of_grain > 0, raw_of_grain, 0).astype(np.int32)
    labels = join_fragments(raw_of_grain[found])
    label_of_grain = _follow(found, labels, len(body_of_grain))
    count = int(labels.max())
    gradients = rng.standard_normal((count + 1, 3, 3)) * np.radians(GRADIENT_DEGREES_PER_UM) / 1e3
    centroids = _centroids(labels, points)
    main = int(label_of_grain[body_of_grain == 1].max())
    # Draws of their own, so that seeds keep their particles.
    orientations = relate_to_neighbours(
        _orientations(centroids, labels, points, main, radial_texture, rng),
        labels,
        low_angle_share,
        special_share,
        rng.spawn(1)[0],
    )
    return VirtualParticle(
        labels=labels,
        spacing=spacing,
        orientations=orientations,
        gradients=gradients / np.sqrt(3),
        centroids=centroids,
        main_grain_count=main,
        architecture=architecture,
        label_of_grain=label_of_grain,
    )


def _orientations(
    centroids: NDArray[np.float64],
    labels: NDArray[np.int32],
    points: NDArray[np.float64],
    main_count: int,
    radial_share: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Random orientations, a share of them with the c axis along the radius, shape (n, 4)."""
    if radial_share == 0:  # no draw without it, so that seeds keep their particles
        return random_orientations(len(centroids), rng)
    in_particle = (labels.ravel() > 0) & (labels.ravel() <= main_count)
    return radial_orientations(centroids - points[in_particle].mean(axis=0), radial_share, rng)


def _bodies(
    extent: NDArray[np.float64], rng: np.random.Generator
) -> tuple[ParticleBody, ParticleBody]:
    """The particle in the middle, longer than the window along z, and one at a corner."""

    def rough(center: NDArray[np.float64], half_axes: NDArray[np.float64]) -> ParticleBody:
        directions = rng.standard_normal((ROUGHNESS_DIRECTIONS, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return ParticleBody(
            center, half_axes, directions, rng.normal(0, 0.02, ROUGHNESS_DIRECTIONS)
        )

    main = rough(extent * [0.47, 0.5, 0.5], extent * [0.4, 0.42, 0.75])
    second = rough(extent * [1.02, 0.03, 0.4], extent * [0.2, 0.22, 0.5])
    return main, second


def _choose_body(
    centers: NDArray[np.float64], bodies: tuple[ParticleBody, ParticleBody], gap: float
) -> NDArray[np.int32]:
    """Number of the body that each grain belongs to, 0 for none; a gap parts the bodies."""
    first, second = (body.contains(centers) for body in bodies)
    first[0] = second[0] = False
    apart = cKDTree(centers[first]).query(centers)[0] > gap
    return np.where(first, 1, np.where(second & apart, 2, 0)).astype(np.int32)


def _follow(grains: NDArray[np.int32], labels: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Label that most voxels of each grain have got, 0 for grains outside the window."""
    label_of_grain = np.zeros(count, np.int32)
    pairs, voxels = np.unique(
        np.column_stack([grains.ravel(), labels.ravel()]), axis=0, return_counts=True
    )
    order = np.argsort(voxels, kind="stable")
    label_of_grain[pairs[order, 0]] = pairs[order, 1]
    return label_of_grain


def _centroids(labels: NDArray[np.int32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = labels.ravel()
    count = np.maximum(np.bincount(flat), 1)
    sums = [np.bincount(flat, weights=axis) for axis in points.T]
    return np.column_stack(sums) / count[:, None]
