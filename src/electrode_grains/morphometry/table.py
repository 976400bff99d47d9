"""The grain table, the contact table and the summary of a particle, from whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from electrode_grains.morphometry.block_statistics import BlockStatistics
from electrode_grains.morphometry.checks import check_spacing
from electrode_grains.morphometry.crofton import FACE_CLASSES, class_areas
from electrode_grains.morphometry.edges import inclusion_weights
from electrode_grains.morphometry.ellipsoids import describe_ellipsoids
from electrode_grains.morphometry.hulls import hull_voxel_counts
from electrode_grains.morphometry.nearest_faces import distances_to_surface
from electrode_grains.morphometry.radial_position import describe_positions, directions
from electrode_grains.morphometry.summary import ParticleSummary

Spacing = tuple[float, float, float]


def tabulate_grains(
    statistics: BlockStatistics,
    spacing: Sequence[float],
    threads: int = 1,
    *,
    center_nm: ArrayLike | None = None,
    measured: NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Make the grain table of statistics that were measured before, on blocks or elsewhere.

    Parameters
    ----------
    statistics : BlockStatistics
        Of a whole volume.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    threads : int
        The result does not depend on it.
    center_nm : array_like, shape (3,), optional
        Centre (x, y, z) of the particle; by default the centroid of all grains.
    measured : ndarray of bool, shape (z, y, x), optional
        Region whose statistics these are; by default the window.

    Returns
    -------
    DataFrame
        As from `characterize_grains`; without hulls where they were not asked for.
    """
    steps = check_spacing(spacing)
    volume = statistics.counts.astype(float) * float(np.prod(steps))
    surface = _surfaces(statistics, steps)
    ellipsoids = describe_ellipsoids(statistics.sums, statistics.lower, statistics.upper, steps)
    centroids, touches = _centroids(statistics, steps), statistics.touches_window
    positions = describe_positions(
        centroids,
        volume,
        directions(ellipsoids["azimuthal_angle"], ellipsoids["polar_angle"]),
        distances_to_surface(centroids, statistics.faces, statistics.window, steps, threads),
        center_nm,
        holes_alone=measured is None and _encloses_all_else(statistics),
    )
    return pd.DataFrame(
        {
            "label": _names(statistics)[1:],
            "voxel_count": statistics.counts,
            "volume_nm3": volume,
            "equivalent_diameter_nm": np.cbrt(6 * volume / np.pi),
            "surface_area_nm2": surface,
            "sphericity": np.cbrt(36 * np.pi * volume**2) / surface,
            **_hulls(statistics, threads),
            **ellipsoids,
            **{f"centroid_{axis}_nm": centroids[:, i] for i, axis in enumerate("xyz")},
            **_boxes(statistics),
            "touches_window": touches,
            "edge_weight": inclusion_weights(
                statistics.lower, statistics.upper, statistics.window, ~touches, measured
            ),
            "neighbour_count": _neighbour_counts(statistics),
            **positions,
        }
    )


def _encloses_all_else(statistics: BlockStatistics) -> bool:
    """Whether grains have all faces of the window, so that label 0 lies in holes between them."""
    depth, rows, columns = statistics.window
    border = 2 * (depth * rows + rows * columns + columns * depth)
    own = int(statistics.outside_neighbours[:, FACE_CLASSES].sum())
    return own == border and len(statistics.faces) > 0


def _names(statistics: BlockStatistics) -> NDArray[Any]:
    """Label by rank; int64, or uint64 where one does not fit."""
    names = np.concatenate([np.zeros(1, np.uint64), statistics.labels])
    return names if names[-1] > np.iinfo(np.int64).max else names.astype(np.int64)


def _surfaces(statistics: BlockStatistics, spacing: Spacing) -> NDArray[np.float64]:
    """Surface of each grain, against whatever lies outside it."""
    size = statistics.labels.size
    counts = statistics.outside_neighbours.astype(float)
    for kind in range(counts.shape[1]):
        for side in (0, 1):
            # Whole numbers below 2**53 add up exactly as floats, in any order.
            counts[:, kind] += np.bincount(
                statistics.pairs[:, side], statistics.pair_counts[:, kind], size + 1
            )[1:]
    areas: NDArray[np.float64] = counts @ class_areas(spacing)
    return areas


def _hulls(statistics: BlockStatistics, threads: int) -> dict[str, NDArray[Any]]:
    if not statistics.hulls:
        return {}
    hulls = hull_voxel_counts(
        statistics.corners, statistics.corner_starts, statistics.window, threads
    )
    return {"hull_voxel_count": hulls, "convexity": statistics.counts / np.maximum(hulls, 1)}


def _centroids(statistics: BlockStatistics, spacing: Spacing) -> NDArray[np.float64]:
    """Mean positions (x, y, z) of voxel centres in nm, the first voxel at the origin."""
    means = statistics.sums[:, 1:4] / np.maximum(statistics.sums[:, :1], 1) * np.array(spacing)
    centroids: NDArray[np.float64] = means[:, ::-1]
    return centroids


def _boxes(statistics: BlockStatistics) -> dict[str, NDArray[np.int64]]:
    return {
        f"box_{end}_{axis}": values[:, i]
        for end, values in (("first", statistics.lower), ("last", statistics.upper - 1))
        for i, axis in enumerate("zyx")
    }


def _neighbour_counts(statistics: BlockStatistics) -> NDArray[np.int64]:
    """Grains that share a face with each grain."""
    faces = statistics.pair_counts[:, FACE_CLASSES].sum(axis=1) > 0
    both = statistics.pairs[faces & (statistics.pairs[:, 0] > 0)].ravel()
    return np.bincount(both, minlength=statistics.labels.size + 1)[1:]


def tabulate_contacts(statistics: BlockStatistics, spacing: Sequence[float]) -> pd.DataFrame:
    """Make the contact table of statistics that were measured before.

    Parameters
    ----------
    statistics : BlockStatistics
        Of a whole volume.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.

    Returns
    -------
    DataFrame
        As from `measure_contacts`.
    """
    areas = class_areas(check_spacing(spacing))
    names = _names(statistics)
    # Label 0 is the first of any pair, so that grains in the window have their row already
    # or get one in front of their other pairs.
    cut = np.flatnonzero(statistics.outside_neighbours.any(axis=1)) + 1
    background = np.union1d(cut, statistics.pairs[statistics.pairs[:, 0] == 0, 1])
    within = statistics.pairs[:, 0] > 0
    pairs = np.concatenate(
        [np.stack([np.zeros_like(background), background], axis=1), statistics.pairs[within]]
    )
    counts = np.zeros((len(pairs), statistics.pair_counts.shape[1]), np.int64)
    counts[len(background) :] = statistics.pair_counts[within]
    counts[np.searchsorted(background, statistics.pairs[~within, 1])] = statistics.pair_counts[
        ~within
    ]
    counts[np.searchsorted(background, cut)] += statistics.outside_neighbours[cut - 1]
    on_window = np.where(
        pairs[:, 0] == 0, (statistics.outside_neighbours @ areas)[pairs[:, 1] - 1], 0.0
    )
    return pd.DataFrame(
        {
            "label_a": names[pairs[:, 0]],
            "label_b": names[pairs[:, 1]],
            "interface_area_nm2": counts @ areas,
            "face_contact_count": counts[:, FACE_CLASSES].sum(axis=1),
            "touches_window_nm2": on_window,
        }
    )


def summarize_statistics(
    statistics: BlockStatistics, spacing: Sequence[float], measured_share: float = 1.0
) -> ParticleSummary:
    """Sum up statistics that were measured before.

    Parameters
    ----------
    statistics : BlockStatistics
        Of a whole volume.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    measured_share : float
        Share of the window that was measured.

    Returns
    -------
    ParticleSummary
    """
    steps = check_spacing(spacing)
    between = statistics.pairs[:, 0] > 0
    # Whole numbers are added up before any area is formed: exact whatever the order.
    inner, outer = (
        float(statistics.pair_counts[chosen].sum(axis=0) @ class_areas(steps)) * 1e-6
        for chosen in (between, ~between)
    )
    volume = float(statistics.counts.sum() * np.prod(steps)) * 1e-9
    return ParticleSummary(
        boundary_area_um2=inner,
        particle_volume_um3=volume,
        specific_surface_area_per_um=inner / volume if volume > 0 else None,
        outer_surface_um2=outer,
        grain_count=int(statistics.labels.size),
        whole_grain_count=int((~statistics.touches_window).sum()),
        contact_count=int(between.sum()),
        measured_share=measured_share,
    )
