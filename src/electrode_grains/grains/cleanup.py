"""From basins to grains: remove the background and all that is not the particle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.grains.labelling import (
    Labels,
    centre_distance,
    checked_labels,
    compact_labels,
    connected_pieces,
    joined_groups,
    label_sizes,
    measure_faces,
)
from electrode_grains.grains.particle_graph import (
    absorb_small,
    find_fragments,
    find_other_bodies,
)
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.settings import ParticleRule, SegmentationSettings


class CleanupReport(JsonResult):
    """What was removed on the way from basins to grains, and why.

    Attributes
    ----------
    regions : int
        Regions given.
    background_voxels : int
        Voxels whose background probability exceeds the threshold.
    background_regions, background_region_voxels : int
        Regions that lie mostly in the background, and what went of them though the
        threshold had left it.
    rim_voxels_joined : int
        Voxels of such regions beside a grain that went to the grain.
    split_regions : int
        Further pieces of cut regions that are large enough to be grains themselves.
    fragments_joined, fragment_voxels_joined : int
        Small pieces of cut regions that went to the neighbour they touch most.
    other_particles, other_particle_grains, other_particle_voxels : int
        Bodies that do not hang together with the particle, and the grains in them.
    small_grains_joined, small_grain_voxels_joined : int
        Grains below the minimum size that went to the neighbour they touch most.
    small_grains_removed, small_grain_voxels_removed : int
        Grains and fragments below the minimum size with no neighbour to go to.
    grains, grain_voxels : int
        What remains.
    """

    regions: int
    background_voxels: int
    background_regions: int
    background_region_voxels: int
    rim_voxels_joined: int
    split_regions: int
    fragments_joined: int
    fragment_voxels_joined: int
    other_particles: int
    other_particle_grains: int
    other_particle_voxels: int
    small_grains_joined: int
    small_grain_voxels_joined: int
    small_grains_removed: int
    small_grain_voxels_removed: int
    grains: int
    grain_voxels: int

    def followed_by(self, later: CleanupReport) -> CleanupReport:
        """Of both together, where the background was removed by the earlier one."""
        removal = (
            "regions", "background_voxels", "background_regions", "background_region_voxels",
            "rim_voxels_joined",
        )  # fmt: skip
        update = {name: getattr(self, name) for name in removal}
        update["split_regions"] = self.split_regions + later.split_regions
        return later.model_copy(update=update)


def remove_background(
    labels: NDArray[Any], background_probability: NDArray[np.floating], threshold: float
) -> NDArray[Any]:
    """Set voxels to 0 that belong to the background.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
    background_probability : ndarray of float, shape (z, y, x)
    threshold : float
        In (0, 1); voxels of a greater probability are background.

    Returns
    -------
    ndarray of int, shape (z, y, x)
        A copy; the labels of the other voxels are kept.

    Raises
    ------
    InputError
        If shapes differ or a probability is not a number.
    SettingsError
        If the threshold is not in (0, 1).

    Notes
    -----
    Step (b) of Fig. 5 in Furat, Finegan et al., J. Power Sources 483 (2021) 229148.

    Examples
    --------
    >>> remove_background(np.array([[[7, 7, 8]]]), np.array([[[0.1, 0.5, 0.9]]]), 0.5)
    array([[[7, 7, 0]]])
    """
    array = checked_labels(labels)
    return np.where(_background(array, background_probability, threshold), 0, array)


def _background(
    labels: NDArray[Any], probability: NDArray[np.floating], threshold: float
) -> NDArray[np.bool_]:
    if np.shape(probability) != labels.shape:
        raise InputError(
            "labels and background probability have different shapes",
            found=f"{labels.shape} and {np.shape(probability)}",
        )
    if not 0 < threshold < 1:
        raise SettingsError(
            "the background threshold is impossible", found=str(threshold), expected="in (0, 1)"
        )
    missing = int(np.isnan(probability).sum())
    if missing:
        raise InputError(
            "the background probability is not a number everywhere", found=f"{missing} NaN voxels"
        )
    return np.asarray(probability) > threshold


def isolate_particle(
    labels: NDArray[Any],
    background_probability: NDArray[np.floating],
    *,
    settings: SegmentationSettings,
    measured: NDArray[np.bool_] | None = None,
) -> tuple[Labels, CleanupReport]:
    """Keep the grains of one particle.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Regions of the whole window, background included; any ids.
    background_probability : ndarray of float, shape (z, y, x)
    settings : SegmentationSettings
        `background_threshold`: voxels of a greater probability are background.
        `minimum_voxels`: smaller grains join the neighbour with which they share most faces
        (the larger one, then the one of lower label, among equals), or go if they touch none.
        `background_share`: a region with at least this share of background voxels is no
        grain, nor is the remainder that the threshold leaves of it, where the probability
        rises. `rim_voxels`: voxels of that remainder up to this many steps from a grain join
        the nearest grain: they lie between the ridge of the boundary and the surface of the
        particle. `particle`: of the bodies that hang together over voxel faces, the one of
        most voxels ("largest"), the one whose centroid is nearest to the centre of the window
        of those that have a tenth of the largest one's voxels ("most_central"), or "all".
    measured : ndarray of bool, shape (z, y, x), optional
        False where there is no measurement. Bodies hang together across slices of which
        nothing was measured, so that a lost slice does not cost all that lies on one side of it.

    Returns
    -------
    grains : ndarray of int32, shape (z, y, x)
        Connected grains from 1 in the order of their first voxel, 0 elsewhere.
    report : CleanupReport
        What was removed.

    Raises
    ------
    ComputationError
        If nothing is left.
    InputError
        If arrays do not fit each other.

    Notes
    -----
    The paper removes regions outside the particle by hand (Fig. 5c); this rule replaces the
    manual step. Pieces of a region that the background cuts apart become grains
    of their own when they have `minimum_voxels`, fragments otherwise.

    Examples
    --------
    >>> regions = np.array([[[1, 1, 2, 2, 2, 3]]])
    >>> background = np.array([[[0, 0, 0, 0, 0.3, 0.9]]])
    >>> grains, report = isolate_particle(
    ...     regions, background, settings=SegmentationSettings(minimum_voxels=1))
    >>> grains.tolist(), report.background_regions
    ([[[1, 1, 2, 2, 2, 0]]], 1)
    """
    array, least = checked_labels(labels), settings.minimum_voxels
    outside = _background(array, background_probability, settings.background_threshold)
    compact, ids = compact_labels(array)
    totals = label_sizes(compact)
    background_count = np.bincount(compact[outside], minlength=len(totals))
    is_background_region = background_count >= settings.background_share * totals
    is_background_region[0] = False
    remainder = is_background_region[compact] & ~outside
    rim = np.zeros_like(compact)
    if settings.rim_voxels and remainder.any():
        rim = grow_into(np.where(outside | remainder, 0, compact), remainder, settings.rim_voxels)
    counts: dict[str, int] = {
        "regions": len(ids) - 1,
        "background_voxels": int((outside & (compact > 0)).sum()),
        "background_regions": int(is_background_region.sum()),
        "background_region_voxels": int((remainder & (rim == 0)).sum()),
        "rim_voxels_joined": int((remainder & (rim > 0)).sum()),
    }
    compact[outside | remainder] = 0
    compact[remainder] = rim[remainder]
    pieces, fragment = _separate_pieces(compact, least, counts)
    pieces = _choose_particle(pieces, fragment, settings.particle, counts, measured)
    _absorb_small(pieces, fragment, least, counts)
    grains, kept = compact_labels(pieces)
    counts |= {"grains": len(kept) - 1, "grain_voxels": int((grains > 0).sum())}
    return grains, checked_report(counts)


def checked_report(counts: dict[str, int]) -> CleanupReport:
    """Report of what was counted.

    Raises
    ------
    ComputationError
        If no grain is left.
    """
    if counts["grains"] == 0:
        raise ComputationError(
            "no grain is left after removing the background",
            found=", ".join(f"{name} {value}" for name, value in counts.items() if value),
            expected="at least one grain",
            remedy="raise the background threshold, lower the minimum size of grains, or lower "
            "the depth of minima where one basin holds particle and background",
        )
    return CleanupReport(**counts)


def grow_into(grains: Labels, room: NDArray[np.bool_], steps: int) -> Labels:
    """Let grains grow into the room around them, one voxel face a step from every side.

    Where several arrive at once, the one with most faces takes the voxel, of these the one of the
    lowest label: the result depends on no order of voxels.

    Examples
    --------
    >>> grains = np.array([[[3, 0, 0, 0, 2]]], np.int32)
    >>> grow_into(grains, grains == 0, 2).tolist()
    [[[3, 3, 2, 2, 2]]]
    """
    grown = np.pad(grains, 1)
    waiting = np.flatnonzero(np.pad(room & (grains == 0), 1))
    plane, row = grown.shape[1] * grown.shape[2], grown.shape[2]
    flat = grown.ravel()
    for _ in range(steps):
        near = np.sort([flat[waiting + step] for step in (-plane, -row, -1, 1, row, plane)], axis=0)
        same = near[:, None] == near[None]
        votes = np.where(near > 0, same.sum(axis=1), 0)
        winner = np.take_along_axis(near, votes.argmax(axis=0)[None], 0)[0]  # lowest of equals
        arrived = winner > 0
        flat[waiting[arrived]] = winner[arrived]
        waiting = waiting[~arrived]
    return np.ascontiguousarray(grown[1:-1, 1:-1, 1:-1])


def _separate_pieces(
    regions: Labels, minimum_voxels: int, counts: dict[str, int]
) -> tuple[Labels, NDArray[np.bool_]]:
    """Connected pieces, and which of them are too small a piece of a cut region."""
    pieces, count = connected_pieces(regions)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    origin = np.zeros(count + 1, np.int32)
    origin[pieces.ravel()] = regions.ravel()
    return pieces, find_fragments(origin, sizes, minimum_voxels, counts)


def _choose_particle(
    pieces: Labels,
    fragment: NDArray[np.bool_],
    rule: ParticleRule,
    counts: dict[str, int],
    measured: NDArray[np.bool_] | None,
) -> Labels:
    known = slice(None) if measured is None else measured.any(axis=(1, 2))
    contacts = measure_faces(pieces[known])
    groups = joined_groups(len(fragment), contacts.first, contacts.second)
    sizes = np.bincount(pieces.ravel(), minlength=len(fragment))
    sizes[0] = 0
    removed = find_other_bodies(
        groups, sizes, rule, counts, lambda: centre_distance(pieces, groups)
    )
    return np.where(removed[pieces], np.int32(0), pieces)


def _absorb_small(
    pieces: Labels, fragment: NDArray[np.bool_], minimum_voxels: int, counts: dict[str, int]
) -> None:
    """Give small pieces to the neighbour they touch most, smallest first; in place."""
    sizes = np.bincount(pieces.ravel(), minlength=len(fragment))
    owner = absorb_small(sizes, measure_faces(pieces), fragment, minimum_voxels, counts)
    pieces[...] = owner[pieces]
