"""The lattice as a ruler: how far a slice is turned and tilted, from the grains that it shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.alignment.evidence import AGAINST, LatticeTurns
from electrode_grains.alignment.matching import Match, Slices
from electrode_grains.alignment.pairs import correlation, refine_shift
from electrode_grains.alignment.planes import PlaneSource
from electrode_grains.alignment.precision import step_errors
from electrode_grains.alignment.transforms import center_motion, rigid_matrix

TILE_PX = 8
LEAST_PER_TILE, LEAST_TILES = 8, 6
# Points that are farther apart after the registered turn lie in different grains.
SAME_GRAIN = np.radians(5.0)
HUBER = 1.5
MAD_TO_SIGMA = 1.4826
LARGEST_ERROR = np.radians(0.1)  # about that of images


@dataclass(frozen=True)
class LatticeField:
    """Orientations of a stack as scanned.

    Attributes
    ----------
    quaternions : ndarray of float, or what reads its planes, shape (z, y, x, 4)
        Passive rotations from sample to crystal (scalar first), NaN where nothing is known.
    symmetry : ndarray of float64, shape (m, 4)
        Proper rotations of the Laue group.
    reliable : ndarray of bool, or what reads its planes, shape (z, y, x)
        Points whose orientation can be trusted.
    """

    quaternions: PlaneSource
    symmetry: NDArray[np.float64]
    reliable: PlaneSource

    @classmethod
    def of_channels(
        cls, channels: NDArray[np.floating[Any]], symmetry: NDArray[np.float64]
    ) -> LatticeField | None:
        """Field of a stored volume, shape (5, z, y, x); None where no point has an orientation.

        Channels are the quaternion and the confidence index, which is above 0 where it is reliable.
        """
        known = is_reliable(channels)
        return cls(np.moveaxis(channels[:4], 0, -1), symmetry, known) if known.any() else None


def is_reliable(channels: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Points of stored channels, shape (5, ...), whose orientation can be trusted."""
    known: NDArray[np.bool_] = np.isfinite(channels[:4]).all(axis=0) & (channels[4] > 0)
    return known


@dataclass(frozen=True)
class LatticeTurn:
    """How one slice is turned against another.

    Attributes
    ----------
    turn : ndarray of float64, shape (3,)
        Rotation vector (x, y, z) in radians in the frame of the map: two tilts, and the rotation
        in the plane from x towards y.
    error : ndarray of float64, shape (3,)
        Its standard errors.
    """

    turn: NDArray[np.float64]
    error: NDArray[np.float64]


def lattice_turn(
    field: LatticeField, reference: int, moving: int, step: NDArray[np.float64]
) -> LatticeTurn | None:
    """Turn of one slice against another by the lattices of the grains that both cut.

    Parameters
    ----------
    field : LatticeField
    reference, moving : int
        Slices.
    step : ndarray of float64, shape (3, 3)
        Maps pixels (x, y, 1) of the reference to those of the moving slice, by registration.

    Returns
    -------
    LatticeTurn or None
        None where the slices share too few points with reliable orientations.

    Notes
    -----
    A vector v of the reference is R v in the moving slice, so a crystal g of the reference is
    g R^-1 there, up to an equivalent rotation s of its symmetry: R = (s g')^-1 g. Of every tile of
    eight by eight pixels the median over the points that lie in one grain counts; the result is
    Huber's mean over the tiles, since a tile may hold a sub-grain boundary.
    """
    rotation = float(np.arctan2(step[1, 0], step[0, 0]))
    points = _shared_points(field, reference, moving, step)
    if points is None:
        return None
    first, second, tile = points
    # The registered turn is taken out, so that what is left is small whatever the rotation.
    half = rotation / 2
    turned = _multiply(second, np.array([np.cos(half), 0.0, 0.0, np.sin(half)]))
    left = _smallest_rotation(turned, first, field.symmetry)
    near = np.linalg.norm(left, axis=1) < SAME_GRAIN
    medians = _tile_medians(left[near], tile[near])
    if len(medians) < LEAST_TILES:
        return None
    mean, error = _huber_mean(medians)
    return LatticeTurn(mean + np.array([0.0, 0.0, rotation]), error)


def agreement(field: LatticeField, reference: int, moving: int, step: NDArray[np.float64]) -> float:
    """Share of the points of two slices whose orientations differ by less than five degrees."""
    points = _shared_points(field, reference, moving, step)
    if points is None:
        return float("nan")
    rotation = float(np.arctan2(step[1, 0], step[0, 0])) / 2
    turned = _multiply(points[1], np.array([np.cos(rotation), 0.0, 0.0, np.sin(rotation)]))
    left = _smallest_rotation(turned, points[0], field.symmetry)
    return float((np.linalg.norm(left, axis=1) < SAME_GRAIN).mean())


def _shared_points(
    field: LatticeField, reference: int, moving: int, step: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int_]] | None:
    """Orientations of the points that are reliable in both slices, and their tiles."""
    rows, columns = field.reliable.shape[1:]
    y, x = np.indices((rows, columns))
    sx = np.rint(step[0, 0] * x + step[0, 1] * y + step[0, 2]).astype(int)
    sy = np.rint(step[1, 0] * x + step[1, 1] * y + step[1, 2]).astype(int)
    inside = (sx >= 0) & (sx < columns) & (sy >= 0) & (sy < rows) & field.reliable[reference]
    inside[inside] = field.reliable[moving][sy[inside], sx[inside]]
    if inside.sum() < LEAST_PER_TILE * LEAST_TILES:
        return None
    first = np.asarray(field.quaternions[reference][inside], np.float64)
    second = np.asarray(field.quaternions[moving][sy[inside], sx[inside]], np.float64)
    tile = (y // TILE_PX) * (columns // TILE_PX + 1) + x // TILE_PX
    return first, second, tile[inside]


def _smallest_rotation(
    moving: NDArray[np.float64], reference: NDArray[np.float64], symmetry: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rotation vectors of (s g')^-1 g, shape (n, 3), with the equivalent s that makes it least."""
    equivalent = _multiply(symmetry[:, None], moving)
    cosine = np.einsum("mnk,nk->mn", equivalent, reference)
    best = np.abs(cosine).argmax(axis=0)
    nearest = equivalent[best, np.arange(len(moving))]
    rotation = _multiply(nearest * np.array([1.0, -1.0, -1.0, -1.0]), reference)
    rotation *= np.where(rotation[:, :1] < 0, -1.0, 1.0)
    sine = np.linalg.norm(rotation[:, 1:], axis=1, keepdims=True)
    angle = 2 * np.arctan2(sine, rotation[:, :1])
    vectors: NDArray[np.float64] = rotation[:, 1:] * angle / np.maximum(sine, 1e-12)
    return vectors


def _tile_medians(vectors: NDArray[np.float64], tile: NDArray[np.int_]) -> NDArray[np.float64]:
    order = np.argsort(tile, kind="stable")
    parts = np.split(vectors[order], np.flatnonzero(np.diff(tile[order])) + 1)
    medians = [np.median(part, axis=0) for part in parts if len(part) >= LEAST_PER_TILE]
    return np.array(medians).reshape(-1, 3)


def _huber_mean(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Robust mean of rows and its standard error."""
    mean = np.median(values, axis=0)
    scale = np.maximum(MAD_TO_SIGMA * np.median(np.abs(values - mean), axis=0), 1e-9)
    weights = np.ones_like(values)
    for _ in range(20):
        weights = np.minimum(1.0, HUBER * scale / np.maximum(np.abs(values - mean), 1e-12))
        mean = (weights * values).sum(axis=0) / weights.sum(axis=0)
    spread = (np.minimum(np.abs(values - mean), HUBER * scale) ** 2).sum(axis=0)
    error = np.sqrt(spread) / np.maximum((np.abs(values - mean) < HUBER * scale).sum(axis=0), 1)
    return mean, error


def with_rotation(
    step: NDArray[np.float64], rotation: float, center: tuple[float, float]
) -> NDArray[np.float64]:
    """The step with another rotation, about the centre of the window."""
    middle = step @ np.array([*center, 1.0])
    return rigid_matrix(middle[0] - center[0], middle[1] - center[1], rotation, center)


def _multiply(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hamilton product, broadcast over leading axes."""
    w1, x1, y1, z1 = np.moveaxis(first, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        axis=-1,
    )


def turn_by_lattice(
    slices: Slices, matches: Sequence[Match], field: LatticeField
) -> tuple[list[Match], LatticeTurns]:
    """Take the rotation of every step from the lattice, and register its shift again.

    A step whose lattice cannot tell, or that lies between others, keeps its registration; all do
    where the lattices turn against the images, since their frame is not that of the map.
    """
    measured = np.full((len(matches) - 1, 8), np.nan)
    for z, match in enumerate(matches[1:], 1):
        reference, moving = slices.images[match.reference], slices.images[z]
        if match.between or reference is None or moving is None or not np.isfinite(match.after):
            continue
        turn = lattice_turn(field, match.reference, z, match.step)
        if turn is not None:
            rotation = center_motion(match.step[None], slices.center)[0, 2]
            error = step_errors(reference, moving, match.step)[2]
            measured[z - 1] = [*turn.turn, *turn.error, rotation, error]
    turns = LatticeTurns(measured[:, :3], measured[:, 3:6], measured[:, 6], measured[:, 7])
    if turns.sense == AGAINST:
        return list(matches), turns
    turned = list(matches)
    for z, match in enumerate(matches[1:], 1):
        if not turns.errors[z - 1, 2] < LARGEST_ERROR:
            continue
        reference, moving = slices.images[match.reference], slices.images[z]
        if reference is not None and moving is not None:
            start = with_rotation(match.step, float(turns.turns[z - 1, 2]), slices.center)
            step = refine_shift(reference, moving, start)
            turned[z] = replace(match, step=step, after=correlation(reference, moving, step))
    return turned, turns


def step_changes(
    field: LatticeField, matches: Sequence[Match]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of points whose orientation changes over each slice's step, and over the last two.

    Both of shape (n,); NaN where there is no such step.
    """
    single, double = np.full((2, len(matches)), np.nan)
    for z, match in enumerate(matches):
        if z:
            single[z] = 1 - agreement(field, match.reference, z, match.step)
        if z > 1 and match.reference == z - 1 and matches[z - 1].reference == z - 2:
            double[z] = 1 - agreement(field, z - 2, z, match.step @ matches[z - 1].step)
    return single, double


def witness(field: LatticeField, matrices: NDArray[np.float64]) -> tuple[float, float, float]:
    """Agreement of orientations across slices as scanned and as aligned, and the gain's error.

    Orientations take no part in the registration of shifts, so they are its witness: shares of
    neighbouring points less than five degrees apart, means over all pairs of slices.
    """
    pairs = []
    for z in range(1, len(matrices)):
        step = matrices[z] @ np.linalg.inv(matrices[z - 1])
        pairs.append((agreement(field, z - 1, z, np.eye(3)), agreement(field, z - 1, z, step)))
    known = np.array([pair for pair in pairs if np.isfinite(pair).all()]).reshape(-1, 2)
    if len(known) < 3:
        return float("nan"), float("nan"), float("nan")
    gain = known[:, 1] - known[:, 0]
    before, after = known.mean(axis=0)
    return float(before), float(after), float(gain.std(ddof=1) / np.sqrt(len(gain)))
