"""Removal of the background and of other particles, by block; see `isolate_particle`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks.boxes import BlockSource, Box, Shape
from electrode_grains.grains.block_regions import (
    BlockPieces,
    add_contacts,
    add_regions,
    block_contacts,
    block_pieces,
    clear_background,
    count_regions,
    number_pieces,
)
from electrode_grains.grains.block_work import BlockWork, Integers, Relabelled, identity, renumbered
from electrode_grains.grains.cleanup import CleanupReport, checked_report
from electrode_grains.grains.labelling import Contacts, joined_groups
from electrode_grains.grains.particle_graph import (
    absorb_small,
    find_fragments,
    find_other_bodies,
)
from electrode_grains.grains.settings import SegmentationSettings


def isolate_by_block(
    state: Relabelled,
    background: BlockSource,
    measured: BlockSource | None,
    settings: SegmentationSettings,
    work: BlockWork,
) -> tuple[Relabelled, CleanupReport]:
    """Keep the grains of one particle, as `isolate_particle` does."""
    counts: dict[str, int] = {}
    cleared = _clear(state, background, settings, work, counts)
    parts = list(work.over(block_pieces, lambda box: (cleared, box)))
    tables, origins, firsts, sizes = join_pieces(parts, work.shape, work.edge)
    place = {box: table for box, table in zip(map(str, work.boxes), tables, strict=True)}
    pieces = work.write(
        f"{work.prefix}_pieces", number_pieces, lambda box: (cleared, place[str(box)], box)
    )
    counts["rim_voxels_joined"] += int(sizes.sum())
    counts["background_region_voxels"] -= counts["rim_voxels_joined"]
    contacts = add_contacts(
        list(work.over(block_contacts, lambda box: (pieces, None, box))), identity(len(sizes) - 1)
    )
    fragment = find_fragments(origins, sizes, settings.minimum_voxels, counts)
    across = contacts_across_gaps(pieces, measured, work)
    groups = joined_groups(
        len(sizes),
        np.concatenate([contacts.first, across[:, 0]]),
        np.concatenate([contacts.second, across[:, 1]]),
    )
    removed = find_other_bodies(groups, sizes, settings.particle, counts, _no_distance)
    kept_sizes = np.where(removed, 0, sizes)
    stays = ~removed[contacts.first] & ~removed[contacts.second]
    owner = absorb_small(
        kept_sizes, _chosen(contacts, stays), fragment, settings.minimum_voxels, counts
    )
    table = renumbered(np.where(removed, 0, owner), firsts)
    counts |= {
        "grains": int(table.max(initial=0)),
        "grain_voxels": int(kept_sizes[table > 0].sum()),
    }
    return Relabelled(pieces, table), checked_report(counts)


def _clear(
    state: Relabelled,
    background: BlockSource,
    settings: SegmentationSettings,
    work: BlockWork,
    counts: dict[str, int],
) -> BlockSource:
    """Write the labels without background; counts of voxels are completed by the pieces."""
    threshold = settings.background_threshold
    regions = add_regions(work.over(count_regions, lambda box: (state, background, threshold, box)))
    is_background_region = np.zeros(int(state.table.max(initial=0)) + 1, bool)
    is_background_region[regions.labels] = (
        regions.background >= settings.background_share * regions.sizes
    )
    of_region = is_background_region[regions.labels]
    left = regions.sizes - regions.background
    counts |= {
        "regions": len(regions.labels),
        "background_voxels": int(regions.background.sum()),
        "background_regions": int(of_region.sum()),
        "background_region_voxels": int(left[of_region].sum()),
        "rim_voxels_joined": -int(left[~of_region].sum()),
    }
    return work.write(
        f"{work.prefix}_cleared",
        clear_background,
        lambda box: (state, background, settings, is_background_region, box),
    )


def join_pieces(
    parts: Sequence[BlockPieces], shape: Shape, edge: int
) -> tuple[list[NDArray[np.int32]], Integers, Integers, Integers]:
    """Join the pieces of all blocks over the faces between them.

    Parameters
    ----------
    parts : sequence of BlockPieces
        In the order of `divide`.
    shape : (int, int, int)
        Of the volume.
    edge : int
        Of a block.

    Returns
    -------
    tables : list of ndarray of int32
        Number in the volume of each piece of a block, from 1 by their first voxels.
    origins, firsts, sizes : ndarray of int64, shape (n + 1,)
        Label, first voxel and voxels of each piece of the volume; of none at 0.
    """
    starts = np.cumsum([0, *(len(part.sizes) - 1 for part in parts)])
    cells = [-(-size // edge) for size in shape]
    links = [np.zeros((0, 2), np.int64)]
    for number, cell in enumerate(product(*map(range, cells))):
        for axis, step in enumerate((cells[1] * cells[2], cells[2], 1)):
            if cell[axis] + 1 == cells[axis]:
                continue
            one, other = parts[number], parts[number + step]
            a, b = one.upper[axis].ravel(), other.lower[axis].ravel()
            meets = (a > 0) & (b > 0)
            a, b = a[meets], b[meets]
            same = one.origins[a] == other.origins[b]
            pair = np.stack([a[same] + starts[number], b[same] + starts[number + step]], axis=1)
            links.append(np.unique(pair, axis=0))
    first, second = np.concatenate(links).T
    groups = joined_groups(int(starts[-1]) + 1, first, second)  # 0 is none, alone in its group
    first_voxel = np.concatenate([[0], *(part.firsts[1:] for part in parts)])
    table = renumbered(np.where(np.arange(len(groups)) > 0, groups + 1, 0), first_voxel)
    count = int(table.max(initial=0))
    firsts = np.full(count + 1, np.iinfo(np.int64).max)
    np.minimum.at(firsts, table, first_voxel)
    sizes, origins = np.zeros((2, count + 1), np.int64)
    np.add.at(sizes, table[1:], np.concatenate([part.sizes[1:] for part in parts]))
    origins[table[1:]] = np.concatenate([part.origins[1:] for part in parts])
    tables = [
        np.concatenate([[0], table[start + 1 : stop + 1]]).astype(np.int32)
        for start, stop in pairwise(starts.tolist())
    ]
    return tables, origins, firsts, sizes


def contacts_across_gaps(
    pieces: BlockSource, measured: BlockSource | None, work: BlockWork
) -> Integers:
    """Pairs of pieces that meet across slices of which nothing was measured, shape (n, 2)."""
    nothing = np.zeros((0, 2), np.int64)
    if measured is None:
        return nothing
    known = np.zeros(work.shape[0], bool)
    for box, has_some in zip(
        work.boxes, work.over(slices_with_some, lambda box: (measured, box)), strict=True
    ):
        known[box[0]] = known[box[0]] | has_some
    gaps = [(a, b) for a, b in pairwise(np.flatnonzero(known).tolist()) if b > a + 1]
    places = [box for box in work.boxes if box[0].start == 0]
    tasks = [(pieces, a, b, box) for a, b in gaps for box in places]
    return np.concatenate([nothing, *work.executor.map(meet_across, tasks)])


def slices_with_some(measured: BlockSource, box: Box) -> NDArray[np.bool_]:
    """Which slices of a block hold a measurement."""
    return np.asarray(np.asarray(measured[box], bool).any(axis=(1, 2)))


def meet_across(pieces: BlockSource, before: int, after: int, box: Box) -> NDArray[np.int64]:
    """Pairs of pieces that face one another in two slices."""
    a, b = (
        np.asarray(pieces[(slice(z, z + 1), *box[1:])]).ravel().astype(np.int64)
        for z in (before, after)
    )
    meets = (a > 0) & (b > 0) & (a != b)
    return np.unique(np.stack([a[meets], b[meets]], axis=1), axis=0)


def _chosen(contacts: Contacts, which: NDArray[np.bool_]) -> Contacts:
    return Contacts(*(getattr(contacts, name)[which] for name in Contacts.__dataclass_fields__))


def _no_distance() -> NDArray[np.float64]:
    raise NotImplementedError  # settings that ask for it are refused before
