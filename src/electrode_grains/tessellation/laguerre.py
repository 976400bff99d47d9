"""Laguerre tessellations and grains that are unions of their cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from electrode_grains.errors import SettingsError

Points = NDArray[np.float64]


@dataclass(frozen=True)
class CellArchitecture:
    """Grains as unions of Laguerre cells in smoothly warped space.

    Attributes
    ----------
    seeds : ndarray of float64, shape (n, 3)
        Seed points (x, y, z) in nm.
    weights : ndarray of float64, shape (n,)
        Laguerre weights in nm^2; equal weights make a Voronoi tessellation.
    grain_of_cell : ndarray of int32, shape (n,)
        Label of the grain that each cell belongs to, from 1.
    warp : ndarray of float32, shape (3, k, l, m)
        Displacement (x, y, z) in nm on a coarse grid (z, y, x) of nodes.
    warp_step : float
        Distance of the nodes in nm; the first lies at `origin`.
    origin : tuple of 3 float
        Position (x, y, z) of the first node in nm.
    """

    seeds: Points
    weights: NDArray[np.float64]
    grain_of_cell: NDArray[np.int32]
    warp: NDArray[np.float32]
    warp_step: float
    origin: tuple[float, float, float]

    def cell_at(self, points: Points) -> NDArray[np.int64]:
        """Cell that each point (x, y, z) in nm lies in, shape (n,)."""
        return nearest_cell(points + self._displacement(points), self.seeds, self.weights)

    def grain_at(self, points: Points) -> NDArray[np.int32]:
        """Grain that each point (x, y, z) in nm lies in, shape (n,)."""
        return self.grain_of_cell[self.cell_at(points)]

    def grain_centers(self) -> Points:
        """Middle (x, y, z) in nm of each grain's seeds, shape (n + 1, 3); row 0 is not used."""
        count = np.bincount(self.grain_of_cell)
        sums = [np.bincount(self.grain_of_cell, axis) for axis in self.seeds.T]
        return np.column_stack(sums) / np.maximum(count, 1)[:, None]

    def _displacement(self, points: Points) -> Points:
        node = (points - np.array(self.origin)).T[::-1] / self.warp_step
        return np.column_stack(
            [ndimage.map_coordinates(axis, node, order=1, mode="nearest") for axis in self.warp]
        )


def nearest_cell(points: Points, seeds: ArrayLike, weights: ArrayLike) -> NDArray[np.int64]:
    """Laguerre cell of each point: the least of |x - s|^2 - w.

    Parameters
    ----------
    points, seeds : array_like of float, shapes (n, 3) and (m, 3)
        (x, y, z) in nm.
    weights : array_like of float, shape (m,)
        In nm^2.

    Returns
    -------
    ndarray of int64, shape (n,)
        Indices of the seeds.

    Raises
    ------
    SettingsError
        If there is no seed, or not one weight for each.

    Notes
    -----
    A fourth coordinate sqrt(max w - w) of the seeds turns the power distance into an
    ordinary one, which a tree of points answers exactly.

    Examples
    --------
    >>> nearest_cell(np.array([[0.6, 0, 0]]), [[0, 0, 0], [1, 0, 0]], [0.5, 0.0]).tolist()
    [0]
    """
    place, weight = np.asarray(seeds, float).reshape(-1, 3), np.asarray(weights, float)
    if len(place) == 0 or len(place) != len(weight):
        raise SettingsError(
            "a tessellation needs seeds, each with a weight",
            found=f"{len(place)} seeds and {len(weight)} weights",
        )
    tree = cKDTree(np.column_stack([place, np.sqrt(weight.max() - weight)]))
    query = np.column_stack([points, np.zeros(len(points))])
    found: NDArray[np.int64] = tree.query(query, workers=-1)[1]
    return found


def laguerre_labels(
    seeds: ArrayLike,
    weights: ArrayLike,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
) -> NDArray[np.int32]:
    """Rasterise a Laguerre tessellation.

    Parameters
    ----------
    seeds : array_like of float, shape (n, 3)
        Points (x, y, z) in nm.
    weights : array_like of float, shape (n,)
        nm^2.
    shape, spacing : (int, int, int), (float, float, float)
        Voxels (z, y, x) and their spacing (dz, dy, dx) in nm.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Number of the cell of each voxel, from 1.
    """
    cells = nearest_cell(voxel_points(shape, spacing), seeds, weights) + 1
    return cells.reshape(shape).astype(np.int32)


def voxel_points(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Points:
    """Centres (x, y, z) in nm of all voxels in C order, shape (z * y * x, 3)."""
    z, y, x = np.meshgrid(
        *(np.arange(size) * step for size, step in zip(shape, spacing, strict=True)),
        indexing="ij",
    )
    return np.column_stack([x.ravel(), y.ravel(), z.ravel()])


def scatter_seeds(
    lower: Points, upper: Points, volume_per_seed: float, hardness: float, rng: np.random.Generator
) -> Points:
    """Random points in a box that keep a distance from each other.

    Parameters
    ----------
    lower, upper : ndarray of float64, shape (3,)
        Corners (x, y, z) in nm.
    volume_per_seed : float
        Mean volume of a cell in nm^3.
    hardness : float
        Least distance as a share of the cube root of that volume; 0 is a Poisson process,
        0.8 a dense packing.
    rng : Generator

    Returns
    -------
    ndarray of float64, shape (n, 3)

    Raises
    ------
    SettingsError
        If the points cannot be packed so densely.
    """
    wanted = max(1, round(float(np.prod(upper - lower)) / volume_per_seed))
    least = hardness * volume_per_seed ** (1 / 3)
    kept = np.empty((0, 3))
    for _ in range(200):
        drawn = rng.uniform(lower, upper, (2 * wanted, 3))
        if len(kept):
            drawn = drawn[cKDTree(kept).query(drawn)[0] >= least]
        close = cKDTree(drawn).query_pairs(least, output_type="ndarray") if len(drawn) > 1 else []
        alive = np.ones(len(drawn), bool)
        for first, second in close:
            if alive[first]:
                alive[second] = False
        kept = np.vstack([kept, drawn[alive]])
        if len(kept) >= wanted:
            return kept[:wanted]
    raise SettingsError(
        "so many points do not fit at this distance",
        found=f"hardness {hardness}",
        expected="at most about 0.8",
    )
