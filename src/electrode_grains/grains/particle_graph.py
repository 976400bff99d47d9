"""Which pieces of regions are grains of the particle, told by their sizes and contacts alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from electrode_grains.grains.labelling import Contacts
from electrode_grains.grains.settings import ParticleRule

Counts = dict[str, int]


def find_fragments(
    origin: NDArray[np.integer], sizes: NDArray[np.int64], minimum_voxels: int, counts: Counts
) -> NDArray[np.bool_]:
    """Which pieces, beside the largest of each region, are too small to be grains.

    Parameters
    ----------
    origin, sizes : ndarray, shape (n + 1,)
        Region and voxels of each piece, numbered by their first voxels; 0 is none.
    minimum_voxels : int
    counts : dict
        Gets `split_regions`.
    """
    count = len(sizes)
    order = np.lexsort((np.arange(count), -sizes, origin))
    main = np.zeros(count, bool)  # the largest piece of each region, the first among equals
    main[order[np.flatnonzero(np.diff(origin[order], prepend=-1))]] = True
    further = ~main
    further[0] = False
    counts["split_regions"] = int((further & (sizes >= minimum_voxels)).sum())
    return further & (sizes < minimum_voxels)


def find_other_bodies(
    groups: NDArray[np.int32],
    sizes: NDArray[np.int64],
    rule: ParticleRule,
    counts: Counts,
    centre_distance: Callable[[], NDArray[np.float64]],
) -> NDArray[np.bool_]:
    """Which pieces belong to other bodies than the particle.

    Parameters
    ----------
    groups : ndarray of int32, shape (n + 1,)
        Body of each piece.
    sizes : ndarray of int64, shape (n + 1,)
        Voxels of each piece, 0 for that of number 0.
    rule : ParticleRule
    counts : dict
        Gets what is removed.
    centre_distance : callable
        Distance of each body to the centre of the window, asked for where the rule needs it.
    """
    bodies = np.bincount(groups, sizes)
    present = np.unique(groups[1:])
    if rule == "all" or len(present) < 2:
        removed = np.zeros(len(sizes), bool)
    else:
        chosen = int(bodies.argmax())
        if rule == "most_central":
            distance = centre_distance()
            distance[bodies < 0.1 * bodies.max()] = np.inf
            chosen = int(distance.argmin())
        removed = groups != chosen
        removed[0] = False
    counts["other_particles"] = len(np.unique(groups[removed]))
    counts["other_particle_grains"] = int(removed.sum())
    counts["other_particle_voxels"] = int(sizes[removed].sum())
    return removed


def absorb_small(
    sizes: NDArray[np.int64],
    contacts: Contacts,
    fragment: NDArray[np.bool_],
    minimum_voxels: int,
    counts: Counts,
) -> NDArray[np.int32]:
    """Piece to which each piece goes, small ones to the neighbour they touch most.

    Parameters
    ----------
    sizes : ndarray of int64, shape (n + 1,)
        0 for pieces that are gone.
    contacts : Contacts
    fragment : ndarray of bool, shape (n + 1,)
    minimum_voxels : int
    counts : dict
        Gets what is joined and removed.
    """
    owner = _owners(sizes, contacts, minimum_voxels)
    small = (sizes > 0) & (sizes < minimum_voxels)
    small[0] = False
    joined = small & (owner != np.arange(len(owner))) & (owner > 0)
    removed = small & (owner == 0)
    for name, which in (("fragment", joined & fragment), ("small_grain", joined & ~fragment)):
        counts[f"{name}s_joined"] = int(which.sum())
        counts[f"{name}_voxels_joined"] = int(sizes[which].sum())
    counts["small_grains_removed"] = int(removed.sum())
    counts["small_grain_voxels_removed"] = int(sizes[removed].sum())
    return owner


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
