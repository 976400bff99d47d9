"""Laguerre tessellations and grains that are unions of their cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from electrode_grains.problems import SettingsProblem

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

    def _displacement(self, points: Points) -> Points:
        node = (points - np.array(self.origin)).T[::-1] / self.warp_step
        return np.column_stack(
            [ndimage.map_coordinates(axis, node, order=1, mode="nearest") for axis in self.warp]
        )


def nearest_cell(
    points: Points, seeds: ArrayLike, weights: ArrayLike, exponent: float = 2.0
) -> NDArray[np.int64]:
    r"""Cell of each point: the least of :math:`|x - s|^p - w`.

    Parameters
    ----------
    points, seeds : array_like of float, shapes (n, 3) and (m, 3)
        (x, y, z) in nm.
    weights : array_like of float, shape (m,)
        In nm to the power of `exponent`.
    exponent : float
        2 is a Laguerre tessellation, whose cells are convex. 1 is a Johnson-Mehl (Apollonius)
        tessellation: large cells bend around small ones, as around grains that grew in late.

    Returns
    -------
    ndarray of int64, shape (n,)
        Indices of the seeds; of equally near ones, the first.

    Raises
    ------
    SettingsProblem
        If there is no seed, or the exponent is not in (0, 2].

    Examples
    --------
    >>> nearest_cell(np.array([[0.6, 0, 0]]), [[0, 0, 0], [1, 0, 0]], [0.5, 0.0]).tolist()
    [0]
    """
    place = np.ascontiguousarray(seeds, float).reshape(-1, 3)
    weight = np.ascontiguousarray(weights, float)
    if len(place) == 0 or len(place) != len(weight):
        raise SettingsProblem(
            "a tessellation needs seeds, each with a weight",
            found=f"{len(place)} seeds and {len(weight)} weights",
        )
    if not 0 < exponent <= 2:
        raise SettingsProblem(
            "no tessellation has this exponent",
            found=f"exponent {exponent}",
            expected="above 0, at most 2",
        )
    lower = place.min(axis=0)
    # About two seeds a bin keep both the bins and the seeds to visit few.
    volume = float(np.prod(np.maximum(np.ptp(place, axis=0), 1e-9)))
    side = max((2 * volume / len(place)) ** (1 / 3), float(np.ptp(place, axis=0).max()) / 256, 1e-9)
    bins = np.floor((place - lower) / side).astype(np.int64)
    counts = bins.max(axis=0) + 1
    flat = (bins[:, 0] * counts[1] + bins[:, 1]) * counts[2] + bins[:, 2]
    members = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[members], np.arange(int(np.prod(counts)) + 1))
    found: NDArray[np.int64] = _search(
        np.ascontiguousarray(points, float),
        place,
        weight,
        exponent / 2,
        lower,
        side,
        counts,
        members,
        starts,
    )
    return found


@njit(cache=True)
def _search(  # type: ignore[no-untyped-def]
    points, seeds, weights, half, lower, side, counts, members, starts
):
    """Visit bins in growing cubes until none farther out can hold a better seed."""
    found = np.empty(len(points), np.int64)
    heaviest = weights.max()
    home = np.empty(3, np.int64)
    for n in range(len(points)):
        point = points[n]
        for axis in range(3):
            index = int(np.floor((point[axis] - lower[axis]) / side))
            home[axis] = min(max(index, 0), counts[axis] - 1)
        best, chosen = np.inf, -1
        for reach in range(counts.max()):
            # Bins of this cube's faces are at least (reach - 1) sides away.
            if reach > 1 and ((reach - 1) * side) ** (2 * half) - heaviest > best:
                break
            for i in range(max(home[0] - reach, 0), min(home[0] + reach, counts[0] - 1) + 1):
                for j in range(max(home[1] - reach, 0), min(home[1] + reach, counts[1] - 1) + 1):
                    inner = abs(i - home[0]) < reach and abs(j - home[1]) < reach
                    step = 2 * reach if inner else 1
                    for k in range(home[2] - reach, home[2] + reach + 1, step):
                        if k < 0 or k >= counts[2]:
                            continue
                        bin_ = (i * counts[1] + j) * counts[2] + k
                        for m in range(starts[bin_], starts[bin_ + 1]):
                            seed = members[m]
                            square = 0.0
                            for axis in range(3):
                                square += (point[axis] - seeds[seed, axis]) ** 2
                            if half == 1.0:
                                cost = square - weights[seed]
                            elif half == 0.5:
                                cost = np.sqrt(square) - weights[seed]
                            else:
                                cost = square**half - weights[seed]
                            if cost < best or (cost == best and seed < chosen):
                                best, chosen = cost, seed
        found[n] = chosen
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
    SettingsProblem
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
    raise SettingsProblem(
        "so many points do not fit at this distance",
        found=f"hardness {hardness}",
        expected="at most about 0.8",
    )
