"""The grain table, the contact table and the summary of a particle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from electrode_grains.morphometry.crofton import DIRECTIONS, transition_areas
from electrode_grains.morphometry.ellipsoids import describe_ellipsoids
from electrode_grains.morphometry.hulls import hull_voxel_counts
from electrode_grains.morphometry.partials import (
    GrainPartial,
    available_threads,
    check_spacing,
    measure_volume,
)
from electrode_grains.problems import InputProblem

Spacing = tuple[float, float, float]
AXIS_DIRECTIONS = [k for k, d in enumerate(DIRECTIONS) if sum(map(abs, d)) == 1]


def characterize_grains(
    labels: ArrayLike, spacing: Spacing, *, image_quality: ArrayLike | None = None
) -> pd.DataFrame:
    """Measure size, shape and orientation of every grain.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
        0 is no grain; any other numbers, with gaps. May be memory-mapped.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    image_quality : array_like, shape (z, y, x), optional
        Adds its mean over each grain, `mean_image_quality`.

    Returns
    -------
    DataFrame
        One row a grain, in the order of labels; see `docs/descriptors.md`. Whatever is not
        defined for a grain is null, with the reason in `degenerate_reason`.

    Raises
    ------
    InputProblem
        If labels or spacing are impossible, or the shapes differ.

    Notes
    -----
    Equations (8) to (14) of Furat et al., J. Power Sources 483 (2021) 229148, with the mean
    over voxels in (11) and (12). Sphericity is reported as estimated: above 1 for small
    round grains. The paper's sample are the grains with `touches_window` False. Centroids
    are voxel indices times spacing.

    Examples
    --------
    >>> one = np.zeros((5, 5, 5), int)
    >>> one[1:4, 1:4, 1:4] = 7
    >>> table = characterize_grains(one, (50, 50, 50))
    >>> print(table[["label", "voxel_count", "convexity"]].to_string(index=False))
    label  voxel_count  convexity
        7           27        1.0
    """
    spacing = check_spacing(spacing)
    volume = np.asanyarray(labels)
    table = tabulate_grains(measure_volume(volume), spacing)
    if image_quality is None:
        return table
    quality = np.asanyarray(image_quality)
    if quality.shape != volume.shape:
        raise InputProblem(
            "image quality and labels differ in shape",
            found=f"shape {quality.shape}",
            expected=f"shape {volume.shape}",
        )
    return table.assign(mean_image_quality=_means(volume, quality, table))


def tabulate_grains(partial: GrainPartial, spacing: Spacing) -> pd.DataFrame:
    """Make the grain table of statistics that were measured before, on blocks or elsewhere.

    Parameters
    ----------
    partial : GrainPartial
        Of a whole volume.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    DataFrame
        As from `characterize_grains`.
    """
    spacing = check_spacing(spacing)
    volume = partial.counts * float(np.prod(spacing))
    surface = _surfaces(partial, spacing)
    hulls = hull_voxel_counts(partial.corners, partial.labels.size, available_threads())
    table = pd.DataFrame(
        {
            "label": _names(partial)[1:],
            "voxel_count": partial.counts,
            "volume_nm3": volume,
            "equivalent_diameter_nm": np.cbrt(6 * volume / np.pi),
            "surface_area_nm2": surface,
            "sphericity": np.cbrt(36 * np.pi * volume**2) / surface,
            "hull_voxel_count": hulls,
            "convexity": partial.counts / np.maximum(hulls, 1),
            **describe_ellipsoids(partial.sums, spacing),
            **_places(partial, spacing),
            "neighbour_count": _neighbour_counts(partial),
        }
    )
    return _distance_to_center(table)


def _names(partial: GrainPartial) -> NDArray[Any]:
    """Label by rank; int64, or uint64 where one does not fit."""
    names = np.concatenate([np.zeros(1, np.uint64), partial.labels])
    return names if names[-1] > np.iinfo(np.int64).max else names.astype(np.int64)


def _surfaces(partial: GrainPartial, spacing: Spacing) -> NDArray[np.float64]:
    """Surface of each grain, against whatever lies beyond it."""
    counts = np.zeros((partial.labels.size + 1, len(DIRECTIONS)), np.int64)
    for side in (0, 1):
        np.add.at(counts, partial.pairs[:, side], partial.pair_counts)
    areas: NDArray[np.float64] = (counts[1:] + partial.beyond) @ transition_areas(spacing)
    return areas


def _places(partial: GrainPartial, spacing: Spacing) -> dict[str, Any]:
    centroids = partial.sums[:, 1:4] / np.maximum(partial.sums[:, :1], 1) * np.array(spacing)
    return {
        "centroid_x_nm": centroids[:, 2],
        "centroid_y_nm": centroids[:, 1],
        "centroid_z_nm": centroids[:, 0],
        **{
            f"box_{end}_{axis}": values[:, i]
            for end, values in (("first", partial.lower), ("last", partial.upper - 1))
            for i, axis in enumerate("zyx")
        },
        "touches_window": partial.touches_window,
    }


def _neighbour_counts(partial: GrainPartial) -> NDArray[np.int64]:
    """Grains that share a face with each grain."""
    faces = partial.pair_counts[:, AXIS_DIRECTIONS].sum(axis=1) > 0
    both = partial.pairs[faces & (partial.pairs[:, 0] > 0)].ravel()
    return np.bincount(both, minlength=partial.labels.size + 1)[1:]


def _distance_to_center(table: pd.DataFrame) -> pd.DataFrame:
    """Add where a grain lies in the particle: its distance from the centre of all grains."""
    place = table[["centroid_x_nm", "centroid_y_nm", "centroid_z_nm"]].to_numpy()
    weight = table["volume_nm3"].to_numpy()
    middle = weight @ place / weight.sum() if len(table) else np.zeros(3)
    return table.assign(distance_to_center_nm=np.linalg.norm(place - middle, axis=1))


def _means(labels: NDArray[Any], quality: NDArray[Any], table: pd.DataFrame) -> NDArray[np.float64]:
    """Mean over each grain, plane after plane: the order of summation is always the same."""
    names = table["label"].to_numpy().astype(labels.dtype)
    total = np.zeros(len(table) + 1)
    for plane, values in zip(labels, quality, strict=True):
        rank = np.where(plane == 0, 0, np.searchsorted(names, plane) + 1)
        total += np.bincount(rank.ravel(), values.ravel().astype(float), total.size)
    means: NDArray[np.float64] = total[1:] / table["voxel_count"].to_numpy()
    return means


def measure_contacts(labels: ArrayLike, spacing: Spacing) -> pd.DataFrame:
    """Measure the interface of every pair of touching labels.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    DataFrame
        `label_a` < `label_b`, `interface_area_nm2`, `face_contact_count` (pairs of voxels
        that share a face; 0 for grains that touch along an edge or at a corner only) and
        `touches_window_nm2`, the part of a contact with label 0 that lies on the window.

    Raises
    ------
    InputProblem
        If labels or spacing are impossible.

    Notes
    -----
    Equation (25) of Furat et al., (a(Gi) + a(Gj) - a(Gi u Gj)) / 2, equals the weighted count
    of pairs of neighbours with one end in either grain, exactly, so no union is ever formed.
    Label 0 takes what lies beyond the window too, so that the areas of a grain's rows add up
    to its surface; without `touches_window_nm2` only voxels of label 0 remain.

    Examples
    --------
    >>> halves = np.repeat([[[1, 1, 2, 2]]], 3, axis=1)
    >>> table = measure_contacts(halves, (50, 50, 50))
    >>> table["face_contact_count"].tolist()  # 0 with 1, 0 with 2, 1 with 2
    [19, 19, 3]
    """
    spacing = check_spacing(spacing)
    return tabulate_contacts(measure_volume(labels), spacing)


def tabulate_contacts(partial: GrainPartial, spacing: Spacing) -> pd.DataFrame:
    """Make the contact table of statistics that were measured before.

    Parameters
    ----------
    partial : GrainPartial
        Of a whole volume.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    DataFrame
        As from `measure_contacts`.
    """
    areas = transition_areas(check_spacing(spacing))
    names = _names(partial)
    cut = np.flatnonzero(partial.beyond.any(axis=1)) + 1
    on_window = np.stack([np.zeros_like(cut), cut], axis=1)
    pairs, place = np.unique(
        np.concatenate([partial.pairs, on_window]), axis=0, return_inverse=True
    )
    counts = np.zeros((len(pairs), len(DIRECTIONS)), np.int64)
    np.add.at(counts, place, np.concatenate([partial.pair_counts, partial.beyond[cut - 1]]))
    beyond = np.where(pairs[:, 0] == 0, (partial.beyond @ areas)[pairs[:, 1] - 1], 0.0)
    return pd.DataFrame(
        {
            "label_a": names[pairs[:, 0]],
            "label_b": names[pairs[:, 1]],
            "interface_area_nm2": counts @ areas,
            "face_contact_count": counts[:, AXIS_DIRECTIONS].sum(axis=1),
            "touches_window_nm2": beyond,
        }
    )


def summarize_particle(labels: ArrayLike, spacing: Spacing) -> dict[str, Any]:
    """Sum up the boundary network of a particle.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    dict
        `boundary_area_um2` between grains, each pair once; `particle_volume_um3` observed in
        the window; their ratio `specific_surface_area_per_um` (null without grains);
        `outer_surface_um2` of the particle where the window does not cut it; numbers of
        grains, of those off the border of the window, and of pairs of grains.

    Raises
    ------
    InputProblem
        If labels or spacing are impossible.

    Notes
    -----
    Section 3.3 of Furat et al.: all grains count, those cut by the window included.

    Examples
    --------
    >>> halves = np.repeat([[[1, 1, 2, 2]]], 3, axis=1)
    >>> summarize_particle(halves, (50, 50, 50))["particle_volume_um3"]
    0.0015
    """
    spacing = check_spacing(spacing)
    return sum_up_particle(measure_volume(labels), spacing)


def sum_up_particle(partial: GrainPartial, spacing: Spacing) -> dict[str, Any]:
    """Sum up statistics that were measured before.

    Parameters
    ----------
    partial : GrainPartial
        Of a whole volume.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    dict
        As from `summarize_particle`.
    """
    spacing = check_spacing(spacing)
    between = partial.pairs[:, 0] > 0
    # Whole numbers are added up before any area is formed: exact whatever the order.
    inner, outer = (
        float(partial.pair_counts[chosen].sum(axis=0) @ transition_areas(spacing)) * 1e-6
        for chosen in (between, ~between)
    )
    volume = float(partial.counts.sum() * np.prod(spacing)) * 1e-9
    return {
        "boundary_area_um2": inner,
        "particle_volume_um3": volume,
        "specific_surface_area_per_um": inner / volume if volume > 0 else None,
        "outer_surface_um2": outer,
        "grain_count": int(partial.labels.size),
        "whole_grain_count": int((~partial.touches_window).sum()),
        "contact_count": int(between.sum()),
    }
