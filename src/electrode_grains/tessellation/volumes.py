"""Weights with which the cells of a power diagram have prescribed volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import cg

from electrode_grains.errors import ComputationError, InputError
from electrode_grains.tessellation.cell_kernels import cell_moments, interface_rates
from electrode_grains.tessellation.power_diagram import PowerDiagram

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]
COARSE_VOXELS_PER_CELL = 60  # grids are coarsened as long as cells keep so many
MOST_STEPS = 60
CLOSE = 0.3  # relative error of volumes below which coarser grids are left out
SHORTEST_STEP = 1 / 64
CHANCE = 2.0  # voxels by which volumes differ (rms) where shorter steps no longer pay


@dataclass(frozen=True)
class VolumeFit:
    """Cells of prescribed volumes.

    Attributes
    ----------
    diagram : PowerDiagram
    labels : ndarray of int32, shape (z, y, x)
        Its voxels, from 1; 0 outside the domain.
    largest_error : float
        Largest relative deviation of a cell's volume: above the tolerance where no step could
        move single voxels further (small or rough cells).
    steps : int
        Newton steps on the full grid.
    """

    diagram: PowerDiagram
    labels: Labels
    largest_error: float
    steps: int


@dataclass(frozen=True)
class _Grid:
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: Floats
    domain: NDArray[np.bool_] | None

    @property
    def voxel(self) -> float:
        return float(np.prod(self.spacing))

    @property
    def voxel_count(self) -> int:
        return int(np.prod(self.shape)) if self.domain is None else int(self.domain.sum())

    def coarser(self, factor: int) -> _Grid:
        """Every `factor`-th voxel, those nearest to the middle of their block."""
        first = [min(factor // 2, size - 1) for size in self.shape]
        part = tuple(slice(start, None, factor) for start in first)
        shape = tuple(len(range(size)[s]) for size, s in zip(self.shape, part, strict=True))
        shift = np.array(first[::-1]) * np.array(self.spacing[::-1])
        domain = None if self.domain is None else self.domain[part]
        spacing = tuple(factor * step for step in self.spacing)
        return _Grid(shape, spacing, self.origin + shift, domain)

    def rasterize(self, diagram: PowerDiagram) -> Labels:
        origin = (float(self.origin[0]), float(self.origin[1]), float(self.origin[2]))
        return diagram.rasterize(self.shape, self.spacing, origin, self.domain)


def fit_volumes(
    diagram: PowerDiagram,
    volumes: ArrayLike,
    shape: Sequence[int],
    spacing: Sequence[float],
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    domain: ArrayLike | None = None,
    *,
    tolerance: float = 0.01,
) -> VolumeFit:
    r"""Find the weights with which every cell has its volume.

    Parameters
    ----------
    diagram : PowerDiagram
        Seeds and matrices; its weights are where the search begins, unless a cell is empty.
    volumes : array_like of float, shape (n,)
        In nm^3; they add up to the domain.
    shape, spacing, origin, domain
        As for `PowerDiagram.rasterize`.
    tolerance : float
        Relative error of a volume, or one voxel where that is more.

    Returns
    -------
    VolumeFit

    Raises
    ------
    InputError
        If volumes are not positive, not one per cell, smaller than a voxel or do not add up to
        the domain (within .1 %).
    ComputationError
        If a seed's cell cannot be filled (two seeds in one place).

    Notes
    -----
    Optimal transport from a volume to points: the weights maximise the concave function
    :math:`\int \min_i h_i(x)\,dx + \sum_i w_i v_i`, whose gradient is v minus the volumes of the
    cells and whose Hessian is the Laplacian of the interfaces' integrals of
    :math:`1 / \|\nabla(h_i - h_j)\|`. Damped Newton steps that leave no cell empty converge
    from any start without empty cells [1]_; equal weights are one, since each cell then holds
    its seed. Coarser grids come first. Steps act on what
    volumes miss beyond half the tolerance.

    References
    ----------
    .. [1] J. Kitagawa, Q. Mérigot, B. Thibert, "Convergence of a Newton algorithm for
       semi-discrete optimal transport", J. Eur. Math. Soc. 21 (2019) 2603-2651.
    """
    mask = None if domain is None else np.asarray(domain, bool)
    grid = _Grid(tuple(shape), tuple(map(float, spacing)), np.array(origin, float), mask)
    wanted = _checked(volumes, len(diagram), grid)
    weights = diagram.weights
    per_cell = float(np.median(wanted)) / grid.voxel
    if per_cell / 8 >= COARSE_VOXELS_PER_CELL and _is_close(diagram, wanted, grid):
        per_cell = 0.0
    for factor in (4, 2):
        if per_cell / factor**3 >= COARSE_VOXELS_PER_CELL:
            coarse = grid.coarser(factor)
            scaled = wanted * (coarse.voxel_count * coarse.voxel / wanted.sum())
            rough = max(tolerance, 0.05)
            found = _newton(diagram.with_weights(weights), scaled, coarse, rough)
            weights = found[0].weights
    fitted, labels, error, steps = _newton(diagram.with_weights(weights), wanted, grid, tolerance)
    return VolumeFit(fitted, labels, error, steps)


def cell_shapes(
    labels: Labels, spacing: Sequence[float], count: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Places and shapes of cells.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Cells from 1.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    count : int
        Number of cells.

    Returns
    -------
    counts : ndarray of float64, shape (n,)
        Voxels.
    middles : ndarray of float64, shape (n, 3)
        Centroids (x, y, z) in nm from the first voxel.
    logarithms, axes : ndarray of float64, shapes (n, 3) and (n, 3, 3)
        Logarithms of the squared half-axes, rising and of mean 0, and their directions
        (columns); 0 for an empty cell.
    """
    counts, middles, spread = cell_moments(labels, np.array(spacing[::-1], float), count)
    values, axes = np.linalg.eigh(spread + np.eye(3) * (counts == 0)[:, None, None])
    logarithms = np.log(values)
    logarithms -= logarithms.mean(axis=1, keepdims=True)
    return counts, middles, logarithms, axes


def _checked(volumes: ArrayLike, count: int, grid: _Grid) -> Floats:
    wanted = np.asarray(volumes, float).ravel()
    if len(wanted) != count or not (np.isfinite(wanted) & (wanted > 0)).all():
        raise InputError(
            "each cell needs a positive volume",
            found=f"{len(wanted)} volumes, {int((wanted > 0).sum())} of them positive",
            expected=f"{count}",
        )
    room = grid.voxel_count * grid.voxel
    if abs(wanted.sum() - room) > 1e-3 * room:
        raise InputError(
            "the volumes of the cells do not add up to the domain",
            found=f"{wanted.sum():.6g} nm^3",
            expected=f"{room:.6g} nm^3",
            remedy="scale them, or choose another number of cells",
        )
    if wanted.min() < grid.voxel:
        raise InputError(
            "a cell is smaller than a voxel",
            found=f"{wanted.min():.4g} nm^3",
            expected=f"at least {grid.voxel:.4g} nm^3",
        )
    scaled: Floats = wanted * (room / wanted.sum())
    return scaled


def _counts(labels: Labels, count: int) -> Floats:
    counts: Floats = np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(float)
    return counts


def _is_close(diagram: PowerDiagram, wanted: Floats, grid: _Grid) -> bool:
    """Whether the weights are near their goal, so that coarser grids would lead away."""
    have = _counts(grid.rasterize(diagram), len(diagram)) * grid.voxel
    return bool(np.linalg.norm(have - wanted) < CLOSE * np.linalg.norm(wanted))


def _newton(
    diagram: PowerDiagram, wanted: Floats, grid: _Grid, tolerance: float
) -> tuple[PowerDiagram, Labels, float, int]:
    """Damped Newton steps until every cell is within the tolerance, or none helps any more."""
    diagram, labels = _fill_cells(diagram, wanted, grid)
    have = _counts(labels, len(diagram)) * grid.voxel
    floor = 0.3 * np.minimum(have, wanted)
    allowed = np.maximum(tolerance * wanted, grid.voxel)
    steps, length = 0, 1.0
    while (np.abs(have - wanted) > allowed).any() and steps < MOST_STEPS:
        # Cells within half of what is allowed stay: what is left of theirs is chance of voxels.
        missing = _beyond(wanted - have, 0.5 * allowed)
        direction = _direction(diagram, labels, missing, grid)
        error, length = float(np.linalg.norm(missing)), min(1.0, 4 * length)
        shortest = 1 / 16 if error < CHANCE * grid.voxel * len(diagram) ** 0.5 else SHORTEST_STEP
        while True:
            tried = diagram.with_weights(diagram.weights + length * direction)
            new_labels = grid.rasterize(tried)
            new = _counts(new_labels, len(diagram)) * grid.voxel
            left = float(np.linalg.norm(_beyond(wanted - new, 0.5 * allowed)))
            if left <= (1 - length / 4) * error and (new >= floor).all():
                break
            length /= 2
            if length < shortest:
                worst = float(np.max(np.abs(have - wanted) / wanted))
                return diagram, labels, worst, steps
        diagram, labels, have, steps = tried, new_labels, new, steps + 1
    worst = float(np.max(np.abs(have - wanted) / wanted))
    return diagram, labels, worst, steps


def _beyond(missing: Floats, allowed: Floats) -> Floats:
    """What each volume misses beyond the allowed deviation."""
    beyond: Floats = np.sign(missing) * np.maximum(np.abs(missing) - allowed, 0)
    return beyond


def _direction(diagram: PowerDiagram, labels: Labels, missing: Floats, grid: _Grid) -> Floats:
    """Newton direction: the Laplacian of the interfaces takes it to the missing volumes."""
    count = len(diagram)
    i, j, rates = interface_rates(
        labels, grid.origin, np.array(grid.spacing[::-1]), diagram.seeds, diagram.matrices
    )
    off = csr_array((np.r_[rates, rates], (np.r_[i, j], np.r_[j, i])), shape=(count, count))
    degree = np.asarray(off.sum(axis=1)).ravel()
    degree = np.maximum(degree, 1e-6 * max(float(degree.mean()), 1e-300))
    laplacian = diags_array(degree * (1 + 1e-9)) - off
    found, _ = cg(laplacian, missing, rtol=1e-3, maxiter=1000, M=diags_array(1 / degree))
    direction: Floats = found - found.mean()
    return direction


def _fill_cells(diagram: PowerDiagram, wanted: Floats, grid: _Grid) -> tuple[PowerDiagram, Labels]:
    """Weights without empty cells: those given, else equal ones, else raised one by one."""
    labels = grid.rasterize(diagram)
    if _counts(labels, len(diagram)).min() > 0:
        return diagram, labels
    diagram = diagram.with_weights(np.zeros(len(diagram)))
    for _ in range(20):
        labels = grid.rasterize(diagram)
        empty = np.flatnonzero(_counts(labels, len(diagram)) == 0)
        if len(empty) == 0:
            return diagram, labels
        raised = diagram.weights.copy()
        spread = np.cbrt(wanted[empty]) ** 2 * np.cbrt(
            np.abs(np.linalg.det(diagram.matrices[empty]))
        )
        raised[empty] += 0.1 * spread
        diagram = diagram.with_weights(raised)
    raise ComputationError(
        "cells of a tessellation stay empty",
        where=f"cell {int(empty[0])} (from 0)",
        found=f"{len(empty)} of {len(diagram)} cells",
        remedy="move seeds that lie in one place apart, and into the domain",
    )
