"""Tessellations fitted to a given grain map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.optimize import minimize

from electrode_grains.errors import InputError
from electrode_grains.tessellation.inversion_kernels import TERMS, soft_loss
from electrode_grains.tessellation.power_diagram import PowerDiagram

Floats = NDArray[np.float64]
Kind = Literal["power", "laguerre"]
SQUARES = np.array([0, 0, 0, 0, 1, 1, 1, 0, 0, 0], float)
FREE: dict[Kind, int] = {"power": TERMS, "laguerre": 4}  # terms of the cost that are fitted
SHARPNESS = 4.0  # of the first soft assignment; the fit finds its own
VOXELS_PER_GRAIN = 300  # near interfaces, drawn at random where there are more
NEAR = 3  # voxels from an interface
# Each round maximises the likelihood or counts errors, and then learns which cells compete.
ROUNDS = ((False, 30), (False, 30), (False, 30), (True, 60), (True, 60), (True, 60))
PENALTY = 0.002  # of the squared distance to the ellipsoids, which keeps far cells in their place


@dataclass(frozen=True)
class FittedTessellation:
    """A tessellation that stands for a grain map.

    Attributes
    ----------
    diagram : PowerDiagram
        One cell per grain, in the order of `grains`; matrices are positive definite.
    grains : ndarray of integer, shape (n,)
        Labels of the map.
    labels : ndarray of the type of the map, shape (z, y, x)
        The tessellation's labels where the map has grains, 0 elsewhere.
    agreement : float
        Share of the grains' voxels with the same label in both.
    start_agreement : float
        The same for the ellipsoids of second moments, where the fit begins.
    """

    diagram: PowerDiagram
    grains: NDArray[Any]
    labels: NDArray[Any]
    agreement: float
    start_agreement: float


def fit_tessellation(
    labels: ArrayLike,
    spacing: Sequence[float],
    kind: Kind = "power",
    *,
    seed: int = 0,
) -> FittedTessellation:
    r"""Fit a generalised balanced power diagram to a grain map.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
        0 is no grain; there the tessellation has none either.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    kind : {"power", "laguerre"}
        "laguerre" fits seeds and weights only.
    seed : int
        Of the choice of voxels.

    Returns
    -------
    FittedTessellation

    Raises
    ------
    InputError
        If the map has fewer than two grains.

    Notes
    -----
    A cost is linear in its ten coefficients, so that the soft assignment
    :math:`p_i \propto \exp(-h_i(x))` is a multinomial logistic regression: its likelihood over
    the voxels near interfaces is maximised first (convex, from the ellipsoids of moments, whose
    surfaces all have one value of the cost [1]_), then the expected share of right voxels,
    both by L-BFGS. A term that is common to all costs makes every matrix positive definite.
    The surfaces of the diagram are smooth below the size of a voxel.

    References
    ----------
    .. [1] A. Alpers et al., "Generalized balanced power diagrams for 3D representations of
       polycrystals", Philosophical Magazine 95 (2015) 1016-1028.

    Examples
    --------
    >>> halves = np.repeat([[[1] * 5 + [2] * 7]], 6, axis=1).repeat(6, axis=0)
    >>> fit_tessellation(halves, (50, 50, 50)).agreement
    1.0
    """
    volume = np.asarray(labels)
    grains, inverse = np.unique(volume, return_inverse=True)
    ranks = inverse.reshape(volume.shape)
    if grains[0] == 0:
        grains, ranks = grains[1:], ranks - 1  # -1 is no grain
    if len(grains) < 2:
        raise InputError("a tessellation needs at least two grains", found=f"{len(grains)}")
    steps = np.array(spacing[::-1], float)
    centers, frames = _moments(ranks, len(grains), steps, kind)
    theta = np.tile(SHARPNESS * SQUARES, (len(grains), 1))
    if kind == "laguerre":
        theta[:, 0] -= SHARPNESS * (_radii(ranks, len(grains), steps) * frames[0, 0, 0]) ** 2
    start = _score(_diagram(theta, centers, frames), ranks, grains, spacing)
    rng = np.random.default_rng(seed)
    near, pairs = _near_interfaces(ranks), _touching(ranks)
    prior, best = theta, (_diagram(theta, centers, frames), *start)
    for count_errors, iterations in ROUNDS:
        cells = _cells(_diagram(theta, centers, frames), ranks, spacing)
        pairs = np.union1d(pairs, _intruders(ranks, cells))
        wrong = (cells != ranks) & (ranks >= 0)
        places = _choose(near, wrong, VOXELS_PER_GRAIN * len(grains), rng)
        theta = _descend(
            theta,
            prior,
            places[:, ::-1] * steps,
            ranks[tuple(places.T)].astype(np.int64),
            _lists(pairs, len(grains)),
            centers,
            frames,
            FREE[kind],
            count_errors,
            iterations,
        )
        diagram = _diagram(theta, centers, frames)
        scored = _score(diagram, ranks, grains, spacing)
        if scored[1] > best[2]:
            best = (diagram, *scored)
    return FittedTessellation(best[0], grains, best[1], best[2], start[1])


def _cells(
    diagram: PowerDiagram, ranks: NDArray[Any], spacing: Sequence[float]
) -> NDArray[np.int32]:
    """Index of the cell of each voxel of a grain, -1 elsewhere."""
    cells: NDArray[np.int32] = diagram.rasterize(ranks.shape, spacing, domain=ranks >= 0) - 1
    return cells


def _score(
    diagram: PowerDiagram, ranks: NDArray[Any], grains: NDArray[Any], spacing: Sequence[float]
) -> tuple[NDArray[Any], float]:
    cells = _cells(diagram, ranks, spacing)
    agreement = float((cells == ranks)[ranks >= 0].mean())
    return np.concatenate([np.zeros(1, grains.dtype), grains])[cells + 1], agreement


def _radii(ranks: NDArray[Any], count: int, steps: Floats) -> Floats:
    voxels = np.bincount(ranks[ranks >= 0], minlength=count)
    radii: Floats = np.cbrt(voxels * np.prod(steps) * 3 / (4 * np.pi))
    return radii


def _moments(ranks: NDArray[Any], count: int, steps: Floats, kind: Kind) -> tuple[Floats, Floats]:
    """Centroids (x, y, z) in nm; frames in which a grain's ellipsoid is the unit sphere.

    One frame for all, that of a sphere of mean size, where cells have no shape.
    """
    places = np.argwhere(ranks >= 0)
    rank = ranks[tuple(places.T)]
    place = places[:, ::-1] * steps
    number = np.bincount(rank, minlength=count)
    sums = np.stack([np.bincount(rank, axis, count) for axis in place.T], axis=1)
    centers: Floats = sums / number[:, None]
    if kind == "laguerre":
        scale = 1 / float(np.mean(_radii(ranks, count, steps)))
        return centers, np.tile(scale * np.eye(3), (count, 1, 1))
    away = place - centers[rank]
    spread = np.empty((count, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            second = np.bincount(rank, away[:, i] * away[:, j], count)
            spread[:, i, j] = spread[:, j, i] = second / number
    spread += np.diag(steps**2 / 12)  # of a voxel itself: no grain is flat
    frames: Floats = np.linalg.inv(np.linalg.cholesky(5 * spread))
    return centers, frames


def _near_interfaces(ranks: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxels of grains within some of an interface between two."""
    differs = np.zeros(ranks.shape, bool)
    for axis in range(3):
        low = tuple(slice(None, -1) if i == axis else slice(None) for i in range(3))
        high = tuple(slice(1, None) if i == axis else slice(None) for i in range(3))
        apart = (ranks[low] != ranks[high]) & (ranks[low] >= 0) & (ranks[high] >= 0)
        differs[low] |= apart
        differs[high] |= apart
    near: NDArray[np.bool_] = ndimage.binary_dilation(differs, iterations=NEAR - 1) & (ranks >= 0)
    return near


def _choose(
    near: NDArray[np.bool_], wrong: NDArray[np.bool_], most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Voxels (z, y, x) to learn from: some near interfaces, and some of the wrong far ones."""
    places = []
    for mask, share in ((near, 0.8), (wrong & ~near, 0.2)):
        found = np.argwhere(mask)
        number = int(share * most)
        if len(found) > number:
            found = found[np.sort(rng.choice(len(found), number, replace=False))]
        places.append(found)
    return np.concatenate(places)


def _touching(ranks: NDArray[Any]) -> NDArray[np.int64]:
    """Pairs (first * count + second) of each grain with itself and those it shares a face with."""
    count = int(ranks.max()) + 1
    keys = [np.arange(count) * (count + 1)]
    for axis in range(3):
        low = np.moveaxis(ranks, axis, 0)[:-1].ravel()
        high = np.moveaxis(ranks, axis, 0)[1:].ravel()
        apart = (low != high) & (low >= 0) & (high >= 0)
        low, high = low[apart].astype(np.int64), high[apart].astype(np.int64)
        keys += [np.unique(low * count + high), np.unique(high * count + low)]
    return np.unique(np.concatenate(keys))


def _intruders(ranks: NDArray[Any], cells: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pairs of a grain and a cell that took some of its voxels."""
    count = int(ranks.max()) + 1
    wrong = (cells != ranks) & (ranks >= 0)
    return np.unique(ranks[wrong].astype(np.int64) * count + cells[wrong])


def _lists(pairs: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rivals of each grain, itself among them, as offsets and a flat list."""
    starts = np.searchsorted(pairs // count, np.arange(count + 1))
    return starts.astype(np.int64), (pairs % count).astype(np.int64)


def _descend(
    theta: Floats,
    prior: Floats,
    points: Floats,
    own: NDArray[np.int64],
    rivals: tuple[NDArray[np.int64], NDArray[np.int64]],
    centers: Floats,
    frames: Floats,
    free: int,
    count_errors: bool,
    iterations: int,
) -> Floats:
    """Costs after some steps of L-BFGS on the penalised loss."""

    def loss(values: Floats) -> Any:
        full = theta.copy()
        full[:, :free] = values.reshape(len(theta), free)
        gradient = np.zeros_like(full)
        total = soft_loss(full, points, own, *rivals, centers, frames, count_errors, gradient)
        away = full - prior
        total += PENALTY * float((away**2).sum())
        gradient += 2 * PENALTY * away
        return total, gradient[:, :free].ravel()

    found = minimize(
        loss,
        theta[:, :free].ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxcor": 20},
    )
    theta = theta.copy()
    theta[:, :free] = found.x.reshape(len(theta), free)
    return theta


def _diagram(theta: Floats, centers: Floats, frames: Floats) -> PowerDiagram:
    """Seeds, weights and positive definite matrices of the same cells."""
    local = np.empty((len(theta), 3, 3))
    for i in range(3):
        local[:, i, i] = theta[:, 4 + i]
    for term, (i, j) in enumerate(((0, 1), (0, 2), (1, 2)), start=7):
        local[:, i, j] = local[:, j, i] = theta[:, term] / 2
    matrices = np.einsum("nia,nij,njb->nab", frames, local, frames)
    slopes = np.einsum("nia,ni->na", frames, theta[:, 1:4])
    middle = centers.mean(axis=0)
    away = centers - middle
    eigenvalues = np.linalg.eigvalsh(matrices)
    typical = float(np.median(np.abs(eigenvalues)))
    common = max(0.0, 0.1 * typical - float(eigenvalues.min()))
    matrices = matrices + common * np.eye(3)
    slopes = slopes + 2 * common * away
    level = theta[:, 0] + common * (away**2).sum(axis=1)
    half = np.linalg.solve(matrices, slopes[:, :, None])[:, :, 0] / 2
    unit = 1 / typical  # so that weights are in nm^2 and matrices of the order of one
    weights = (0.5 * (half * slopes).sum(axis=1) - level) * unit
    return PowerDiagram.of(centers - half, weights, matrices * unit)
