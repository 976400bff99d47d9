"""The grain table, the contact table and the summary of a particle, from whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from electrode_grains.morphometry.checks import check_spacing
from electrode_grains.morphometry.crofton import NEIGHBOUR_CLASSES, class_areas
from electrode_grains.morphometry.edges import inclusion_weights
from electrode_grains.morphometry.ellipsoids import describe_ellipsoids
from electrode_grains.morphometry.hulls import hull_voxel_counts
from electrode_grains.morphometry.places import describe_places, directions, surface_points

if TYPE_CHECKING:
    from electrode_grains.morphometry.partials import GrainPartial

Spacing = tuple[float, float, float]
FACES = [k for k, steps in enumerate(NEIGHBOUR_CLASSES) if sum(steps) == 1]


def tabulate_grains(
    partial: GrainPartial,
    spacing: Sequence[float],
    threads: int = 1,
    *,
    center_nm: ArrayLike | None = None,
) -> pd.DataFrame:
    """Make the grain table of statistics that were measured before, on blocks or elsewhere.

    Parameters
    ----------
    partial : GrainPartial
        Of a whole volume.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    threads : int
        The result does not depend on it.
    center_nm : array_like, shape (3,), optional
        Centre (x, y, z) of the particle; by default the centroid of all grains.

    Returns
    -------
    DataFrame
        As from `characterize_grains`; without hulls where they were not asked for.
    """
    steps = check_spacing(spacing)
    volume = partial.counts.astype(float) * float(np.prod(steps))
    surface = _surfaces(partial, steps)
    ellipsoids = describe_ellipsoids(partial.sums, partial.lower, partial.upper, steps)
    centroids = _centroids(partial, steps)
    places = describe_places(
        centroids,
        volume,
        directions(ellipsoids["azimuthal_angle"], ellipsoids["polar_angle"]),
        surface_points(partial.faces, partial.window, steps),
        center_nm,
        threads,
    )
    return pd.DataFrame(
        {
            "label": _names(partial)[1:],
            "voxel_count": partial.counts,
            "volume_nm3": volume,
            "equivalent_diameter_nm": np.cbrt(6 * volume / np.pi),
            "surface_area_nm2": surface,
            "sphericity": np.cbrt(36 * np.pi * volume**2) / surface,
            **_hulls(partial, threads),
            **ellipsoids,
            **{f"centroid_{axis}_nm": centroids[:, i] for i, axis in enumerate("xyz")},
            **_boxes(partial),
            "touches_window": partial.touches_window,
            "edge_weight": inclusion_weights(partial.lower, partial.upper, partial.window),
            "neighbour_count": _neighbour_counts(partial),
            **places,
        }
    )


def _names(partial: GrainPartial) -> NDArray[Any]:
    """Label by rank; int64, or uint64 where one does not fit."""
    names = np.concatenate([np.zeros(1, np.uint64), partial.labels])
    return names if names[-1] > np.iinfo(np.int64).max else names.astype(np.int64)


def _surfaces(partial: GrainPartial, spacing: Spacing) -> NDArray[np.float64]:
    """Surface of each grain, against whatever lies beyond it."""
    size = partial.labels.size
    counts = partial.beyond.astype(float)
    for kind in range(counts.shape[1]):
        for side in (0, 1):
            # Whole numbers below 2**53 add up exactly as floats, in any order.
            counts[:, kind] += np.bincount(
                partial.pairs[:, side], partial.pair_counts[:, kind], size + 1
            )[1:]
    areas: NDArray[np.float64] = counts @ class_areas(spacing)
    return areas


def _hulls(partial: GrainPartial, threads: int) -> dict[str, NDArray[Any]]:
    if not partial.hulls:
        return {}
    hulls = hull_voxel_counts(partial.corners, partial.corner_starts, partial.window, threads)
    return {"hull_voxel_count": hulls, "convexity": partial.counts / np.maximum(hulls, 1)}


def _centroids(partial: GrainPartial, spacing: Spacing) -> NDArray[np.float64]:
    """Mean positions (x, y, z) of voxel centres in nm, the first voxel at the origin."""
    means = partial.sums[:, 1:4] / np.maximum(partial.sums[:, :1], 1) * np.array(spacing)
    centroids: NDArray[np.float64] = means[:, ::-1]
    return centroids


def _boxes(partial: GrainPartial) -> dict[str, NDArray[np.int64]]:
    return {
        f"box_{end}_{axis}": values[:, i]
        for end, values in (("first", partial.lower), ("last", partial.upper - 1))
        for i, axis in enumerate("zyx")
    }


def _neighbour_counts(partial: GrainPartial) -> NDArray[np.int64]:
    """Grains that share a face with each grain."""
    faces = partial.pair_counts[:, FACES].sum(axis=1) > 0
    both = partial.pairs[faces & (partial.pairs[:, 0] > 0)].ravel()
    return np.bincount(both, minlength=partial.labels.size + 1)[1:]


def tabulate_contacts(partial: GrainPartial, spacing: Sequence[float]) -> pd.DataFrame:
    """Make the contact table of statistics that were measured before.

    Parameters
    ----------
    partial : GrainPartial
        Of a whole volume.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.

    Returns
    -------
    DataFrame
        As from `measure_contacts`.
    """
    areas = class_areas(check_spacing(spacing))
    names = _names(partial)
    # Label 0 is the first of any pair, so that grains in the window have their row already
    # or get one in front of their other pairs.
    cut = np.flatnonzero(partial.beyond.any(axis=1)) + 1
    background = np.union1d(cut, partial.pairs[partial.pairs[:, 0] == 0, 1])
    within = partial.pairs[:, 0] > 0
    pairs = np.concatenate(
        [np.stack([np.zeros_like(background), background], axis=1), partial.pairs[within]]
    )
    counts = np.zeros((len(pairs), partial.pair_counts.shape[1]), np.int64)
    counts[len(background) :] = partial.pair_counts[within]
    counts[np.searchsorted(background, partial.pairs[~within, 1])] = partial.pair_counts[~within]
    counts[np.searchsorted(background, cut)] += partial.beyond[cut - 1]
    beyond = np.where(pairs[:, 0] == 0, (partial.beyond @ areas)[pairs[:, 1] - 1], 0.0)
    return pd.DataFrame(
        {
            "label_a": names[pairs[:, 0]],
            "label_b": names[pairs[:, 1]],
            "interface_area_nm2": counts @ areas,
            "face_contact_count": counts[:, FACES].sum(axis=1),
            "touches_window_nm2": beyond,
        }
    )


def sum_up_particle(partial: GrainPartial, spacing: Sequence[float]) -> dict[str, Any]:
    """Sum up statistics that were measured before.

    Parameters
    ----------
    partial : GrainPartial
        Of a whole volume.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.

    Returns
    -------
    dict
        As from `summarize_particle`.
    """
    steps = check_spacing(spacing)
    between = partial.pairs[:, 0] > 0
    # Whole numbers are added up before any area is formed: exact whatever the order.
    inner, outer = (
        float(partial.pair_counts[chosen].sum(axis=0) @ class_areas(steps)) * 1e-6
        for chosen in (between, ~between)
    )
    volume = float(partial.counts.sum() * np.prod(steps)) * 1e-9
    return {
        "boundary_area_um2": inner,
        "particle_volume_um3": volume,
        "specific_surface_area_per_um": inner / volume if volume > 0 else None,
        "outer_surface_um2": outer,
        "grain_count": int(partial.labels.size),
        "whole_grain_count": int((~partial.touches_window).sum()),
        "contact_count": int(between.sum()),
    }
