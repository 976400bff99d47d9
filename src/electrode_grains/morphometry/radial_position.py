"""Where a grain lies in the particle, and how its longest axis points there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from electrode_grains.compiling import njit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
AT_THE_CENTER = 1e-9  # of the particle's extent: no radial direction within it


def surface_points(faces: Integers, window: tuple[int, int, int], spacing: ArrayLike) -> Floats:
    """Centres of the faces between grains and label 0.

    Parameters
    ----------
    faces : ndarray of int64, shape (f,)
        As in `BlockStatistics`.
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
    distances, _ = cKDTree(surface).query(centroids, workers=threads)
    return np.asarray(distances, float)


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


def describe_positions(
    centroids: Floats,
    volumes: Floats,
    axes: Floats,
    surface: Floats,
    center: ArrayLike | None = None,
    threads: int = 1,
    *,
    holes_alone: bool = False,
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
    holes_alone : bool
        Whether grains enclose all of label 0, so that the surface is none to the outside.

    Returns
    -------
    dict of ndarray, shape (n,)
        `surface_distance_nm`, `distance_to_center_nm`, `radial_angle` in [0, pi/2] of the
        longest half-axis to the radial direction, and `place_reason`, '' where all of them
        are defined and mean what they say: distances to holes alone have a reason, too.

    Notes
    -----
    The surface is every face between a grain and label 0, those of pores included; where the
    window or a voxel without measurement cuts the particle there is none. A face stands for
    its centre, which is up to 0.7 voxels from its corners.
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
            (
                np.full(len(volumes), holes_alone),
                "the surface in the window is that of holes alone",
            ),
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
    texts = np.full(len(cases[0][0]), "", object)
    for holds, reason in cases:
        texts[holds] = [f"{text}; {reason}" if text else reason for text in texts[holds]]
    return texts
