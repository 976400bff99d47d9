"""Where a grain lies in the particle, and how its longest axis points there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
AT_THE_CENTER = 1e-9  # of the particle's extent: no radial direction within it


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
    surface_distances: Floats,
    center: ArrayLike | None = None,
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
    surface_distances : ndarray of float64, shape (n,)
        To the particle's surface in nm; NaN where there is none.
    center : array_like, shape (3,), optional
        The particle's; by default the centroid of all grains in the window.
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
        "surface_distance_nm": surface_distances,
        "distance_to_center_nm": np.linalg.norm(centroids - np.asarray(center, float), axis=1),
        "radial_angle": axis_angles(axes, radial),
        "place_reason": join_reasons(
            (np.isnan(surface_distances), "no surface of the particle in the window"),
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
