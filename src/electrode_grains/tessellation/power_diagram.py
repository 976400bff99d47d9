"""Generalised balanced power diagrams: cells with a seed, a weight and a metric of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.tessellation.power_kernels import label_points, label_voxels

Floats = NDArray[np.float64]
NOISE_EDGE = 64  # nodes of the periodic lattice along each axis, a power of two
NODES_PER_RANGE = 2.0
CUT = 2.5


@dataclass(frozen=True)
class Roughness:
    """Random heights that are added to the costs of cells and make their interfaces rough.

    Attributes
    ----------
    amplitudes : ndarray of float64, shape (n,)
        Largest height of each cell, in the unit of its weight (nm^2); 0 leaves it smooth.
    offsets : ndarray of float64, shape (n, 3)
        Shift (x, y, z) in nm by which each cell reads the field.
    field : ndarray of float64, shape (k, k, k)
        Periodic Gaussian field on a lattice (z, y, x), within [-1, 1]; k is a power of two.
    step : float
        Distance of its nodes in nm.
    """

    amplitudes: Floats
    offsets: Floats
    field: Floats
    step: float

    @classmethod
    def draw(cls, amplitudes: ArrayLike, length_nm: float, rng: np.random.Generator) -> Roughness:
        """Gaussian field of given range, cut at 2.5 standard deviations (1 % of it).

        Parameters
        ----------
        amplitudes : array_like of float, shape (n,)
            2.5 times the standard deviation of each cell's heights.
        length_nm : float
            Distance at which heights are correlated by about exp(-1).
        rng : Generator
        """
        white = rng.standard_normal((NOISE_EDGE,) * 3)
        smooth = ndimage.gaussian_filter(white, NODES_PER_RANGE / 2, mode="wrap")
        field = np.clip(smooth / (CUT * smooth.std()), -1, 1)
        step = length_nm / NODES_PER_RANGE
        heights = np.asarray(amplitudes, float)
        offsets = rng.uniform(0, NOISE_EDGE * step, (len(heights), 3))
        return cls(heights, offsets, field, step)


@dataclass(frozen=True)
class PowerDiagram:
    r"""Cells of least cost :math:`(x - s_i)^\top M_i (x - s_i) - w_i`.

    Equal matrices make a Laguerre tessellation (M = 1) and equal weights too a Voronoi
    tessellation; else interfaces are curved (quadrics) [1]_.

    Attributes
    ----------
    seeds : ndarray of float64, shape (n, 3)
        (x, y, z) in nm.
    weights : ndarray of float64, shape (n,)
        In nm^2, where the matrices have no unit.
    matrices : ndarray of float64, shape (n, 3, 3)
        Symmetric. A term that is added to all of them changes no cell; where the diagram
        comes from a fit, they need not be positive definite.
    roughness : Roughness, optional
        Heights added to the costs.

    References
    ----------
    .. [1] A. Alpers et al., "Generalized balanced power diagrams for 3D representations of
       polycrystals", Philosophical Magazine 95 (2015) 1016-1028.

    Examples
    --------
    >>> ball = PowerDiagram.of([[0, 0, 0], [0, 0, 0]], [100, 0], [2 * np.eye(3), np.eye(3)])
    >>> ball.cell_at([[9.9, 0, 0], [10.1, 0, 0]]).tolist()  # 2 r^2 - 100 < r^2 below r = 10
    [0, 1]
    """

    seeds: Floats
    weights: Floats
    matrices: Floats
    roughness: Roughness | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        seeds: ArrayLike,
        weights: ArrayLike | None = None,
        matrices: ArrayLike | None = None,
        roughness: Roughness | None = None,
    ) -> PowerDiagram:
        """Check the cells; without weights all are 0, without matrices all are the identity.

        Raises
        ------
        SettingsError
            If there is no seed, a number is not finite, a matrix not symmetric, or their
            numbers differ.
        """
        place = np.array(seeds, float).reshape(-1, 3)
        count = len(place)
        weight = np.zeros(count) if weights is None else np.array(weights, float).ravel()
        metric = np.eye(3) if matrices is None else np.array(matrices, float)
        metric = np.array(np.broadcast_to(metric, (count, 3, 3))) if metric.ndim == 2 else metric
        if count == 0 or len(weight) != count or metric.shape != (count, 3, 3):
            raise SettingsError(
                "a power diagram needs seeds, each with a weight and a matrix",
                found=f"{count} seeds, {len(weight)} weights, matrices of shape {metric.shape}",
            )
        largest = np.abs(metric).max(axis=(1, 2))
        skew = np.abs(metric - metric.transpose(0, 2, 1)).max(axis=(1, 2)) > 1e-9 * largest
        for name, wrong in (
            ("a seed is not finite", ~np.isfinite(place).all(axis=1)),
            ("a weight is not finite", ~np.isfinite(weight)),
            ("a matrix is not finite", ~np.isfinite(largest)),
            ("a matrix is not symmetric", skew),
        ):
            if wrong.any():
                raise SettingsError(name, where=f"cell {int(np.flatnonzero(wrong)[0])} (from 0)")
        return cls(place, weight, metric, roughness)

    def __len__(self) -> int:
        return len(self.seeds)

    def with_weights(self, weights: Floats) -> PowerDiagram:
        """The same cells with other weights."""
        return replace(self, weights=weights)

    def cell_at(self, points: ArrayLike) -> NDArray[np.int64]:
        """Index of the cell at each point (x, y, z) in nm, shape (n,); all are compared."""
        asked = np.ascontiguousarray(np.reshape(points, (-1, 3)), float)
        cells: NDArray[np.int64] = label_points(asked, *self._arrays())
        return cells

    def rasterize(
        self,
        shape: Sequence[int],
        spacing: Sequence[float],
        origin: Sequence[float] = (0.0, 0.0, 0.0),
        domain: ArrayLike | None = None,
    ) -> NDArray[np.int32]:
        """Number of the cell of each voxel centre.

        Parameters
        ----------
        shape, spacing : sequences of 3
            Voxels (z, y, x) and their spacing (dz, dy, dx) in nm.
        origin : sequence of 3 float
            Centre (x, y, z) of the first voxel in nm.
        domain : array_like of bool, shape (z, y, x), optional
            Voxels outside get 0.

        Returns
        -------
        ndarray of int32, shape (z, y, x)
            From 1, exactly the cell of least cost: blocks of voxels compare those cells that
            bounds of the differences of costs do not exclude. The least number wins a tie.

        Raises
        ------
        InputError
            If the domain has another shape.
        """
        labels = np.empty(tuple(shape), np.int32)
        mask = np.empty((0, 0, 0), bool) if domain is None else np.ascontiguousarray(domain, bool)
        if domain is not None and mask.shape != labels.shape:
            raise InputError(
                "the domain of a tessellation has another shape than its voxels",
                found=str(mask.shape),
                expected=str(labels.shape),
            )
        step = np.array(spacing[::-1], float)
        label_voxels(labels, mask, np.array(origin, float), step, *self._arrays())
        return labels

    def _arrays(self) -> tuple[Any, ...]:
        rough = self.roughness or Roughness(
            np.zeros(len(self)), np.zeros((len(self), 3)), np.zeros((1, 1, 1)), 1.0
        )
        return (
            np.ascontiguousarray(self.seeds),
            np.ascontiguousarray(self.weights),
            np.ascontiguousarray(self.matrices),
            rough.amplitudes,
            rough.offsets,
            rough.field,
            rough.step,
        )
