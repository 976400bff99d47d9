"""The grain table, the contact table and the summary of a particle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.morphometry.crofton import DIRECTIONS, transition_areas
from electrode_grains.morphometry.hulls import hull_voxel_count
from electrode_grains.morphometry.partials import (
    GrainMoments,
    PairCounts,
    check_labels,
    check_spacing,
    count_pairs,
    measure_moments,
)

Spacing = tuple[float, float, float]
AXIS_DIRECTIONS = [k for k, d in enumerate(DIRECTIONS) if sum(map(abs, d)) == 1]
# Eigenvalues of whole-number moments carry rounding of this relative size.
EIGENVALUE_TOLERANCE = 1e-12


def characterize_grains(labels: NDArray[Any], spacing: Spacing) -> pd.DataFrame:
    """Measure size, shape and orientation of every grain.

    Parameters
    ----------
    labels : ndarray of integer, shape (z, y, x)
        0 is no grain; any other numbers, with gaps.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    DataFrame
        One row a grain, in the order of labels; see `docs/descriptors.md`. Whatever is not
        defined for a grain is null, with the reason in `degenerate_reason`.

    Raises
    ------
    InputProblem
        If labels or spacing are impossible.

    Notes
    -----
    Equations (8) to (14) of Furat et al., J. Power Sources 483 (2021) 229148, with the mean
    over voxels in (11) and (12). Sphericity is reported as estimated: above 1 for small
    round grains.

    Examples
    --------
    >>> one = np.zeros((5, 5, 5), int)
    >>> one[1:4, 1:4, 1:4] = 7
    >>> table = characterize_grains(one, (50, 50, 50))
    >>> print(table[["label", "voxel_count", "convexity"]].to_string(index=False))
    label  voxel_count  convexity
        7           27        1.0
    """
    check_labels(labels)
    spacing = check_spacing(spacing)
    moments, ranks = measure_moments(labels)
    pairs = count_pairs(ranks, moments.labels.size)
    surface = _surfaces(pairs, moments.labels.size, spacing)[1:]
    volume = moments.counts * float(np.prod(spacing))
    hulls = _hull_counts(ranks, moments)
    table = pd.DataFrame(
        {
            "label": moments.labels,
            "voxel_count": moments.counts,
            "volume_nm3": volume,
            "equivalent_diameter_nm": np.cbrt(6 * volume / np.pi),
            "surface_area_nm2": surface,
            "sphericity": np.cbrt(36 * np.pi * volume**2) / surface,
            "hull_voxel_count": hulls,
            "convexity": moments.counts / np.maximum(hulls, 1),
            **_ellipsoids(moments, spacing),
            **_places(moments, labels.shape, spacing),
            "neighbour_count": _neighbour_counts(pairs, moments.labels.size),
        }
    )
    return _distance_to_center(table)


def _surfaces(pairs: PairCounts, count: int, spacing: Spacing) -> NDArray[np.float64]:
    """Surface of each grain by rank, everything beyond it included."""
    areas = pairs.counts @ transition_areas(spacing)
    own = np.concatenate([pairs.first, pairs.second])
    total: NDArray[np.float64] = np.bincount(own, np.tile(areas, 2), count + 1).astype(float)
    return total


def _hull_counts(ranks: NDArray[np.int64], moments: GrainMoments) -> NDArray[np.int64]:
    counts = np.zeros(moments.labels.size, np.int64)
    for grain, (lower, upper) in enumerate(zip(moments.lower, moments.upper, strict=True)):
        block = ranks[tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))]
        counts[grain] = hull_voxel_count(np.argwhere(block == grain + 1))
    return counts


def _ellipsoids(moments: GrainMoments, spacing: Spacing) -> dict[str, Any]:
    """Half-axes, elongation, flatness and direction of the longest half-axis."""
    count = moments.counts[:, None, None].astype(float)
    # n * second - first first^T is a whole number: no cancellation before the division.
    whole = moments.counts[:, None, None] * moments.second - (
        moments.first[:, :, None] * moments.first[:, None, :]
    )
    scale = np.array(spacing)
    covariance = (whole / count**2 * scale[:, None] * scale[None, :])[:, ::-1, ::-1]
    values, vectors = np.linalg.eigh(covariance) if len(count) else (np.zeros((0, 3)),) * 2
    if len(count) == 0:
        vectors = np.zeros((0, 3, 3))
    largest = values[:, 2]
    values = np.where(values > EIGENVALUE_TOLERANCE * largest[:, None], values, 0.0)
    single = largest <= 0
    ambiguous = ~single & (values[:, 2] - values[:, 1] <= 1e-9 * np.where(single, 1, largest))
    azimuth, polar = _direction(vectors[:, :, 2])
    undefined = single | ambiguous
    with np.errstate(invalid="ignore", divide="ignore"):
        elongation = np.where(single, np.nan, np.sqrt(values[:, 0] / largest))
        flatness = np.where(values[:, 1] > 0, np.sqrt(values[:, 0] / values[:, 1]), np.nan)
    reason = np.select(
        [single, values[:, 1] == 0, values[:, 0] == 0, ambiguous],
        ["one voxel", "voxels on a line", "voxels in a plane", "no longest half-axis"],
        "",
    )
    half_axes = np.sqrt(5 * values)  # of the solid ellipsoid of equal moments
    return {
        "elongation": elongation,
        "flatness": flatness,
        "half_axis_short_nm": half_axes[:, 0],
        "half_axis_middle_nm": half_axes[:, 1],
        "half_axis_long_nm": half_axes[:, 2],
        "azimuthal_angle": np.where(undefined, np.nan, azimuth),
        "polar_angle": np.where(undefined, np.nan, polar),
        "degenerate_reason": reason.astype(object),
    }


def _direction(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Azimuth in [-pi, pi) and polar angle in [0, pi/2] of axes (x, y, z)."""
    clean = np.where(np.abs(vectors) < 1e-12, 0.0, vectors)
    # z decides the sign; where it is 0, the first component that is not.
    decisive = np.where(
        clean[:, 2] != 0, clean[:, 2], np.where(clean[:, 0] != 0, clean[:, 0], clean[:, 1])
    )
    upward = np.where(decisive[:, None] < 0, -clean, clean) + 0.0
    azimuth = np.arctan2(upward[:, 1], upward[:, 0])
    azimuth = np.where(azimuth >= np.pi, -np.pi, azimuth)
    return azimuth, np.arctan2(np.hypot(upward[:, 0], upward[:, 1]), upward[:, 2])


def _places(moments: GrainMoments, shape: tuple[int, ...], spacing: Spacing) -> dict[str, Any]:
    centroids = moments.first / np.maximum(moments.counts[:, None], 1) * np.array(spacing)
    touches = (moments.lower == 0).any(axis=1) | (moments.upper == np.array(shape)).any(axis=1)
    return {
        "centroid_x_nm": centroids[:, 2],
        "centroid_y_nm": centroids[:, 1],
        "centroid_z_nm": centroids[:, 0],
        **{
            f"box_{end}_{axis}": values[:, i]
            for end, values in (("first", moments.lower), ("last", moments.upper - 1))
            for i, axis in enumerate("zyx")
        },
        "touches_window": touches,
    }


def _neighbour_counts(pairs: PairCounts, count: int) -> NDArray[np.int64]:
    """Grains that share a face with each grain."""
    grains = (pairs.first > 0) & (pairs.counts[:, AXIS_DIRECTIONS].sum(axis=1) > 0)
    both = np.concatenate([pairs.first[grains], pairs.second[grains]])
    return np.bincount(both, minlength=count + 1)[1:]


def _distance_to_center(table: pd.DataFrame) -> pd.DataFrame:
    """Add where a grain lies in the particle: its distance from the centre of all grains."""
    place = table[["centroid_x_nm", "centroid_y_nm", "centroid_z_nm"]].to_numpy()
    weight = table["volume_nm3"].to_numpy()
    middle = weight @ place / weight.sum() if len(table) else np.zeros(3)
    return table.assign(distance_to_center_nm=np.linalg.norm(place - middle, axis=1))


def measure_contacts(labels: NDArray[Any], spacing: Spacing) -> pd.DataFrame:
    """Measure the interface of every pair of touching labels.

    Parameters
    ----------
    labels : ndarray of integer, shape (z, y, x)
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    DataFrame
        `label_a` < `label_b`, `interface_area_nm2`, `face_contact_count` (pairs of voxels
        that share a face; 0 for grains that touch along an edge or at a corner only) and
        `touches_window_nm2`, the part of a contact with label 0 that lies on the window.

    Notes
    -----
    Equation (25) of Furat et al., (a(Gi) + a(Gj) - a(Gi u Gj)) / 2, equals the weighted count
    of pairs of neighbours with one end in either grain, exactly, so no union is ever formed.
    Label 0 takes what lies beyond the window too.
    """
    check_labels(labels)
    spacing = check_spacing(spacing)
    moments, ranks = measure_moments(labels)
    pairs = count_pairs(ranks, moments.labels.size)
    areas = transition_areas(spacing)
    names = np.concatenate([np.zeros(1, moments.labels.dtype), moments.labels])
    window = np.where(pairs.first == 0, (pairs.window @ areas)[pairs.second], 0.0)
    return pd.DataFrame(
        {
            "label_a": names[pairs.first],
            "label_b": names[pairs.second],
            "interface_area_nm2": pairs.counts @ areas,
            "face_contact_count": pairs.counts[:, AXIS_DIRECTIONS].sum(axis=1),
            "touches_window_nm2": window,
        }
    )


def summarize_particle(labels: NDArray[Any], spacing: Spacing) -> dict[str, Any]:
    """Sum up the boundary network of a particle.

    Parameters
    ----------
    labels : ndarray of integer, shape (z, y, x)
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    dict
        `boundary_area_um2` between grains, each pair once; `particle_volume_um3` observed in
        the window; their ratio `specific_surface_area_per_um` (null without grains);
        `outer_surface_um2` of the particle where the window does not cut it; numbers of grains.

    Notes
    -----
    Section 3.3 of Furat et al.: all grains count, those cut by the window included.
    """
    contacts = measure_contacts(labels, spacing)
    moments, _ = measure_moments(labels)
    between = contacts["label_a"] > 0
    area = float(contacts.loc[between, "interface_area_nm2"].sum()) * 1e-6
    outer = contacts.loc[~between]
    free = float((outer["interface_area_nm2"] - outer["touches_window_nm2"]).sum()) * 1e-6
    volume = float(moments.counts.sum() * np.prod(spacing)) * 1e-9
    whole = (moments.lower > 0).all(axis=1) & (moments.upper < labels.shape).all(axis=1)
    return {
        "boundary_area_um2": area,
        "particle_volume_um3": volume,
        "specific_surface_area_per_um": area / volume if volume > 0 else None,
        "outer_surface_um2": free,
        "grain_count": int(moments.labels.size),
        "whole_grain_count": int(whole.sum()),
        "contact_count": int(between.sum()),
    }
