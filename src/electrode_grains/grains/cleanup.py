"""From basins to grains: remove the background and all that is not the particle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.grains.labelling import (
    Contacts,
    Labels,
    centre_distance,
    checked_labels,
    compact_labels,
    connected_pieces,
    joined_groups,
    label_sizes,
    measure_faces,
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
        rim = _grow(np.where(outside | remainder, 0, compact), remainder, settings.rim_voxels)
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
    pieces, fragment = _choose_particle(pieces, fragment, settings.particle, counts, measured)
    _absorb_small(pieces, fragment, least, counts)
    grains, kept = compact_labels(pieces)
    counts |= {"grains": len(kept) - 1, "grain_voxels": int((grains > 0).sum())}
    if counts["grains"] == 0:
        raise ComputationError(
            "no grain is left after removing the background",
            found=", ".join(f"{name} {value}" for name, value in counts.items() if value),
            expected="at least one grain",
            remedy="raise the background threshold, lower the minimum size of grains, or lower "
            "the depth of minima where one basin holds particle and background",
        )
    return grains, CleanupReport(**counts)


def _grow(grains: Labels, room: NDArray[np.bool_], steps: int) -> Labels:
    """Let grains grow into the room around them, one voxel face a step from every side."""
    faces = ndimage.generate_binary_structure(3, 1)
    near = ndimage.binary_dilation(grains > 0, faces, iterations=steps, mask=room | (grains > 0))
    level = np.zeros(grains.shape, np.uint8)
    grown: Labels = watershed(level, grains, mask=near)  # type: ignore[no-untyped-call]
    return grown


def _separate_pieces(
    regions: Labels, minimum_voxels: int, counts: dict[str, int]
) -> tuple[Labels, NDArray[np.bool_]]:
    """Connected pieces, and which of them are too small a piece of a cut region."""
    pieces, count = connected_pieces(regions)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    origin = np.zeros(count + 1, np.int32)
    origin[pieces.ravel()] = regions.ravel()
    order = np.lexsort((np.arange(count + 1), -sizes, origin))
    main = np.zeros(count + 1, bool)  # the largest piece of each region, the first among equals
    main[order[np.flatnonzero(np.diff(origin[order], prepend=-1))]] = True
    further = ~main
    further[0] = False
    counts["split_regions"] = int((further & (sizes >= minimum_voxels)).sum())
    return pieces, further & (sizes < minimum_voxels)


def _choose_particle(
    pieces: Labels,
    fragment: NDArray[np.bool_],
    rule: ParticleRule,
    counts: dict[str, int],
    measured: NDArray[np.bool_] | None,
) -> tuple[Labels, NDArray[np.bool_]]:
    known = slice(None) if measured is None else measured.any(axis=(1, 2))
    contacts = measure_faces(pieces[known])
    groups = joined_groups(len(fragment), contacts.first, contacts.second)
    sizes = np.bincount(pieces.ravel(), minlength=len(fragment))
    sizes[0] = 0
    bodies = np.bincount(groups, sizes)
    present = np.unique(groups[1:])
    if rule == "all" or len(present) < 2:
        removed = np.zeros(len(fragment), bool)
    else:
        chosen = int(bodies.argmax())
        if rule == "most_central":
            distance = centre_distance(pieces, groups)
            distance[bodies < 0.1 * bodies.max()] = np.inf
            chosen = int(distance.argmin())
        removed = groups != chosen
        removed[0] = False
    counts["other_particles"] = len(np.unique(groups[removed]))
    counts["other_particle_grains"] = int(removed.sum())
    counts["other_particle_voxels"] = int(sizes[removed].sum())
    return np.where(removed[pieces], np.int32(0), pieces), fragment


def _absorb_small(
    pieces: Labels, fragment: NDArray[np.bool_], minimum_voxels: int, counts: dict[str, int]
) -> None:
    """Give small pieces to the neighbour they touch most, smallest first; in place."""
    sizes = np.bincount(pieces.ravel(), minlength=len(fragment))
    owner = _owners(sizes, measure_faces(pieces), minimum_voxels)
    small = (sizes > 0) & (sizes < minimum_voxels)
    small[0] = False
    joined = small & (owner != np.arange(len(owner))) & (owner > 0)
    removed = small & (owner == 0)
    for name, which in (("fragment", joined & fragment), ("small_grain", joined & ~fragment)):
        counts[f"{name}s_joined"] = int(which.sum())
        counts[f"{name}_voxels_joined"] = int(sizes[which].sum())
    counts["small_grains_removed"] = int(removed.sum())
    counts["small_grain_voxels_removed"] = int(sizes[removed].sum())
    pieces[...] = owner[pieces]


def _owners(sizes: NDArray[np.int64], contacts: Contacts, minimum_voxels: int) -> NDArray[np.int32]:
    """Label to which each label goes; itself if large enough, 0 if it has nowhere to go."""
    touching: dict[int, dict[int, int]] = {}
    rows = (contacts.first.tolist(), contacts.second.tolist(), contacts.faces.tolist())
    for a, b, faces in zip(*rows, strict=True):
        touching.setdefault(a, {})[b] = faces
        touching.setdefault(b, {})[a] = faces
    owner = np.arange(len(sizes), dtype=np.int32)
    volume = sizes.tolist()
    small = [label for label in range(1, len(sizes)) if 0 < volume[label] < minimum_voxels]
    for label in sorted(small, key=lambda one: (volume[one], one)):
        if volume[label] >= minimum_voxels:  # has grown by what it took in
            continue
        neighbours = touching.pop(label, {})
        if not neighbours:
            owner[label] = 0
            continue
        target = max(neighbours, key=lambda other: (neighbours[other], volume[other], -other))
        owner[label] = target
        volume[target] += volume[label]
        for other, faces in neighbours.items():
            touching[other].pop(label)
            if other != target:
                touching[target][other] = touching[target].get(other, 0) + faces
                touching[other][target] = touching[target][other]
    return _resolved(owner)


def _resolved(owner: NDArray[np.int32]) -> NDArray[np.int32]:
    """Follow owners of owners to the end."""
    while True:
        following = owner[owner]
        if np.array_equal(following, owner):
            return owner
        owner = following
