"""Where a grain lies in the particle, and how its longest axis points there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
TINY = np.finfo(float).tiny
AT_THE_CENTER = 1e-9  # of the particle's extent: no radial direction within it


def surface_points(faces: Integers, window: tuple[int, int, int], spacing: ArrayLike) -> Floats:
    """Centres of the faces between grains and label 0.

    Parameters
    ----------
    faces : ndarray of int64, shape (f,)
        As in `GrainPartial`.
    window : (int, int, int)
        Shape (z, y, x) of the volume.
    spacing : array_like, shape (3,)
        (dz, dy, dx) in nm.

    Returns
    -------
    ndarray of float64, shape (f, 3)
        (x, y, z) in nm.

    Examples
    --------
    >>> surface_points(np.array([2]), (1, 1, 2), (50, 50, 50)).tolist()  # between x = 0 and 1
    [[25.0, 0.0, 0.0]]
    """
    points: Floats = _face_centers(faces, window[1], window[2], np.array(spacing, float))
    return points


@njit(cache=True, nogil=True)
def _face_centers(faces: Integers, height: int, width: int, spacing: Floats) -> Floats:
    points = np.empty((faces.size, 3))
    for i in range(faces.size):
        voxel, axis = faces[i] // 3, faces[i] % 3
        row = voxel // width
        points[i, 0] = (voxel - row * width + 0.5 * (axis == 2)) * spacing[2]
        points[i, 1] = (row % height + 0.5 * (axis == 1)) * spacing[1]
        points[i, 2] = (row // height + 0.5 * (axis == 0)) * spacing[0]
    return points


def distances_to_surface(centroids: Floats, surface: Floats, threads: int = 1) -> Floats:
    """Distance of each centroid to the nearest face of the particle's surface.

    Parameters
    ----------
    centroids, surface : ndarray of float64, shape (n, 3), (f, 3)
        (x, y, z) in nm.
    threads : int

    Returns
    -------
    ndarray of float64, shape (n,)
        In nm; NaN where there is no surface.
    """
    if len(surface) == 0 or len(centroids) == 0:
        return np.full(len(centroids), np.nan)
    # As many cells along the longest edge as make cells, and points of a cell, about as many.
    order, starts, boxes = _group_by_cell(surface, len(surface) ** 0.25)
    points = surface[order]
    with ThreadPoolExecutor(threads) as pool:
        squares = pool.map(
            lambda part: _least_squares(part, points, starts, boxes),
            np.array_split(centroids, threads),
        )
        distances: Floats = np.sqrt(np.concatenate(list(squares)))
    return distances


@njit(cache=True, nogil=True)
def _group_by_cell(points: Floats, along: float) -> tuple[NDArray[Any], Integers, Floats]:
    """Sort points into cubic cells, `along` of them along the longest edge of their box.

    Returns places of points by cell, where each cell that has any starts and the last one ends, and
    the box of the points of each, shape (6, cells): least x, y, z, largest x, y, z.
    """
    count = len(points)
    least, most = points[0].copy(), points[0].copy()
    for i in range(count):
        for axis in range(3):
            least[axis] = min(least[axis], points[i, axis])
            most[axis] = max(most[axis], points[i, axis])
    per_length = along / max((most - least).max(), TINY)
    height, width = (np.floor((most - least) * per_length) + 1).astype(np.int64)[1:]
    cells = np.empty(count, np.int32)
    for i in range(count):
        x = (points[i, 0] - least[0]) * per_length
        y = (points[i, 1] - least[1]) * per_length
        z = (points[i, 2] - least[2]) * per_length
        cells[i] = (int(x) * height + int(y)) * width + int(z)
    sizes = np.bincount(cells)
    ends = np.cumsum(sizes)
    starts = np.append(0, ends[sizes > 0])
    rank, filled = np.cumsum(sizes > 0) - 1, ends - sizes
    order = np.empty(count, np.int32)
    boxes = np.empty((6, starts.size - 1))
    boxes[:3], boxes[3:] = np.inf, -np.inf
    for i in range(count):
        place, box = filled[cells[i]], rank[cells[i]]
        filled[cells[i]] += 1
        order[place] = i
        for axis in range(3):
            value = points[i, axis]
            boxes[axis, box] = min(boxes[axis, box], value)
            boxes[axis + 3, box] = max(boxes[axis + 3, box], value)
    return order, starts, boxes


@njit(cache=True, nogil=True)
def _least_squares(places: Floats, points: Floats, starts: Integers, boxes: Floats) -> Floats:
    """Square of the distance of places to the nearest point.

    A cell is left out if its box is no nearer than a point found before. Rounding cannot
    deceive: differences, squares and sums keep their order when rounded.
    """
    cell_count = starts.size - 1
    bounds, squares = np.empty(cell_count), np.empty(len(places))
    for i in range(len(places)):
        x, y, z = places[i, 0], places[i, 1], places[i, 2]
        bounds[:] = 0.0
        for axis in range(3):
            at, low, high = places[i, axis], boxes[axis], boxes[axis + 3]
            for cell in range(cell_count):
                below, beyond = low[cell] - at, at - high[cell]
                away = below if below > beyond else beyond  # max() would see to NaN, and slowly
                away = away if away > 0 else 0.0
                bounds[cell] += away * away
        cell = 0  # whose box is nearest
        for other in range(cell_count):
            if bounds[other] < bounds[cell]:
                cell = other
        nearest = np.inf
        for other in range(cell_count + 1):
            if bounds[cell] < nearest:
                for k in range(starts[cell], starts[cell + 1]):
                    dx, dy, dz = points[k, 0] - x, points[k, 1] - y, points[k, 2] - z
                    square = dx * dx + dy * dy + dz * dz
                    nearest = square if square < nearest else nearest
            cell = other
        squares[i] = nearest
    return squares


def particle_center(centroids: Floats, volumes: Floats) -> Floats:
    """Centroid (x, y, z) of all grains; the origin where there are none."""
    center: Floats = volumes @ centroids / volumes.sum() if len(volumes) else np.zeros(3)
    return center


def radial_directions(centroids: Floats, center: ArrayLike) -> Floats:
    """Unit vectors from a centre to centroids; NaN for a centroid at the centre.

    Parameters
    ----------
    centroids : ndarray of float64, shape (n, 3)
        (x, y, z) in nm.
    center : array_like, shape (3,)

    Returns
    -------
    ndarray of float64, shape (n, 3)

    Examples
    --------
    >>> radial_directions(np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]), (0, 0, 0)).tolist()
    [[0.6, 0.8, 0.0], [nan, nan, nan]]
    """
    arms = centroids - np.asarray(center, float)
    lengths = np.linalg.norm(arms, axis=1)
    near = lengths <= AT_THE_CENTER * lengths.max(initial=0.0)
    unit: Floats = arms / np.where(near, np.nan, lengths)[:, None]
    return unit


def axis_angles(first: Floats, second: Floats) -> Floats:
    """Angle in [0, pi/2] between axes, whose sense does not count.

    Parameters
    ----------
    first, second : ndarray of float64, shape (..., 3)
        Unit vectors.

    Returns
    -------
    ndarray of float64, shape (...)
        In rad.

    Examples
    --------
    >>> round(float(axis_angles(np.array([0.0, 0.0, 1.0]), np.array([0.6, 0.0, -0.8]))), 4)
    0.6435
    """
    along = np.abs((first * second).sum(axis=-1))
    across = np.linalg.norm(np.cross(first, second), axis=-1)
    angles: Floats = np.arctan2(across, along)
    return angles


def directions(azimuth: Floats, polar: Floats) -> Floats:
    """Unit vectors (x, y, z) of azimuth and polar angle."""
    flat = np.sin(polar)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.cos(polar)], axis=-1)


def describe_places(
    centroids: Floats,
    volumes: Floats,
    axes: Floats,
    surface: Floats,
    center: ArrayLike | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Describe where grains lie between the centre and the surface of the particle.

    Parameters
    ----------
    centroids : ndarray of float64, shape (n, 3)
        (x, y, z) in nm.
    volumes : ndarray of float64, shape (n,)
    axes : ndarray of float64, shape (n, 3)
        Longest half-axis as unit vector; NaN where there is none.
    surface : ndarray of float64, shape (f, 3)
        Points of the particle's surface.
    center : array_like, shape (3,), optional
        The particle's; by default the centroid of all grains in the window.
    threads : int

    Returns
    -------
    dict of ndarray, shape (n,)
        `surface_distance_nm`, `distance_to_center_nm`, `radial_angle` in [0, pi/2] of the
        longest half-axis to the radial direction, and `place_reason`, '' where all of them
        are defined.

    Notes
    -----
    The surface is every face between a grain and label 0, those of pores included; where the
    window cuts the particle there is none. A face stands for its centre, which is up to 0.7
    voxels from its corners.
    """
    if center is None:
        center = particle_center(centroids, volumes)
    radial = radial_directions(centroids, center)
    return {
        "surface_distance_nm": distances_to_surface(centroids, surface, threads),
        "distance_to_center_nm": np.linalg.norm(centroids - np.asarray(center, float), axis=1),
        "radial_angle": axis_angles(axes, radial),
        "place_reason": join_reasons(
            (np.full(len(volumes), len(surface) == 0), "no surface of the particle in the window"),
            (np.isnan(radial).any(axis=1), "centroid at the centre of the particle"),
            (np.isnan(axes).any(axis=1), "no longest half-axis"),
        ),
    }


def join_reasons(*cases: tuple[Any, str]) -> NDArray[Any]:
    """Text for each row that names all cases that hold, separated by semicolons.

    Parameters
    ----------
    *cases : (ndarray of bool, shape (n,), str)
        Where a case holds, and what it is.

    Returns
    -------
    ndarray of object, shape (n,)

    Examples
    --------
    >>> join_reasons((np.array([True, False]), "small"), (np.array([True, True]), "flat")).tolist()
    ['small; flat', 'flat']
    """
    told = np.full(len(cases[0][0]), "", object)
    for holds, reason in cases:
        told[holds] = [f"{text}; {reason}" if text else reason for text in told[holds]]
    return told
