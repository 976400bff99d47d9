"""Cutting of regions that hold several orientations, block by block; see `cut_by_orientation`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockSource, Box
from electrode_grains.blocks.boxes import inside, shape_of, widened
from electrode_grains.grains.block_particle import join_pieces
from electrode_grains.grains.block_regions import block_pieces, exchange, number_pieces
from electrode_grains.grains.block_spans import find_spans
from electrode_grains.grains.block_work import BlockWork, Relabelled
from electrode_grains.grains.cutting import grow_within
from electrode_grains.grains.linking import LEAST_LINKED
from electrode_grains.grains.passes import CutReport
from electrode_grains.grains.settings import SegmentationSettings

GROWTH = 10  # voxels by which seeds grow before blocks hear of each other


@dataclass(frozen=True)
class WithinRegions:
    """Bodies where there is a region, 0 elsewhere."""

    bodies: BlockSource
    regions: BlockSource

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along z, y, x."""
        return self.bodies.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """int32."""
        return self.bodies.dtype

    def __getitem__(self, box: Box) -> NDArray[np.int32]:
        chosen = np.where(np.asarray(self.regions[box]) > 0, self.bodies[box], 0)
        return chosen.astype(np.int32)


@dataclass(frozen=True)
class RegionAndBody:
    """One number for region and body of a voxel, 0 without a body.

    Attributes
    ----------
    regions, bodies : BlockSource of int32
    scale : int
        More than the last body.
    """

    regions: BlockSource
    bodies: BlockSource
    scale: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along z, y, x."""
        return self.bodies.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """int64."""
        return np.dtype(np.int64)

    def __getitem__(self, box: Box) -> NDArray[np.int64]:
        bodies = np.asarray(self.bodies[box], np.int64)
        return np.where(bodies > 0, np.asarray(self.regions[box]) * self.scale + bodies, 0)


@dataclass(frozen=True)
class Seeded:
    """What grew, and numbers after the last seed for regions in which nothing did."""

    grown: BlockSource
    regions: BlockSource
    seeds: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along z, y, x."""
        return self.grown.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """int32."""
        return self.grown.dtype

    def __getitem__(self, box: Box) -> NDArray[np.int32]:
        grown, regions = np.asarray(self.grown[box]), np.asarray(self.regions[box])
        bare = np.where(regions > 0, regions + self.seeds, 0)
        return np.where(grown > 0, grown, bare).astype(np.int32)


def cut_by_block(
    regions: Relabelled, linked: BlockSource, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, CutReport]:
    """Cut each region so that it holds points of one body only.

    Parameters
    ----------
    regions : Relabelled
        Numbered from 1 by first voxels.
    linked : BlockSource
        Result of `link_by_block`.
    settings : SegmentationSettings
    work : BlockWork
    """
    if not settings.misorientation:
        return regions, CutReport(regions_cut=0)
    bodies, count = _write_bodies(WithinRegions(linked, regions), work)
    both = RegionAndBody(regions, bodies, count + 1)
    seeds, n_seeds = _write_seeds(both, work)
    grown = _grow(seeds, bodies, bodies, "through_bodies", work)
    grown = _grow(grown, regions, bodies, "through_regions", work)
    source = work.write(
        f"{work.prefix}_cut", exchange, lambda box: (Seeded(grown, regions, n_seeds), box)
    )
    spans = find_spans(source, work)
    pairs = list(work.over(block_parts, lambda box: (regions, source, box)))
    parts = np.bincount(np.unique(np.concatenate(pairs), axis=0)[:, 0])
    last = n_seeds + int(regions.table.max(initial=0))
    cut = Relabelled(source, spans.numbered(last))
    return cut, CutReport(regions_cut=int((parts > 1).sum()))


def _write_bodies(source: BlockSource, work: BlockWork) -> tuple[BlockSource, int]:
    """Bodies as they hang together within regions, see `bodies_inside`; their number."""
    parts = list(work.over(block_pieces, lambda box: (source, box)))
    tables, _, _, sizes = join_pieces(parts, work.shape, work.edge)
    large = sizes >= LEAST_LINKED
    number = np.where(large, np.cumsum(large), 0).astype(np.int32)
    return _exchange_pieces(source, number, tables, "bodies", work), int(large.sum())


def _exchange_pieces(
    source: BlockSource,
    number: NDArray[np.int32],
    tables: list[NDArray[np.int32]],
    name: str,
    work: BlockWork,
) -> BlockSource:
    place = {str(box): number[table] for box, table in zip(work.boxes, tables, strict=True)}
    return work.write(
        f"{work.prefix}_{name}", number_pieces, lambda box: (source, place[str(box)], box)
    )


def _write_seeds(both: RegionAndBody, work: BlockWork) -> tuple[BlockSource, int]:
    """Large pieces of bodies in regions, and bodies without any; number of all."""
    parts = list(work.over(block_pieces, lambda box: (both, box)))
    tables, origins, _, sizes = join_pieces(parts, work.shape, work.edge)
    large, body = sizes >= LEAST_LINKED, origins % both.scale
    divided = np.zeros(both.scale, bool)
    divided[body[large]] = True
    divided[0] = True  # no body
    of_body = np.where(divided, 0, large.sum() + np.cumsum(~divided))
    number = np.where(large, np.cumsum(large), of_body[body]).astype(np.int32)
    count = int(large.sum() + (~divided).sum())
    return _exchange_pieces(both, number, tables, "seeds", work), count


def _grow(
    seeds: BlockSource, regions: BlockSource, bodies: BlockSource, name: str, work: BlockWork
) -> BlockSource:
    """Let seeds grow within bodies, or in regions where there is no body, until none does."""
    within_bodies, grown, rounds = regions is bodies, seeds, 0
    while any(work.over(can_grow, partial(_growing, grown, regions, bodies, within_bodies))):
        arguments = partial(_growing, grown, regions, bodies, within_bodies)
        grown = work.write(f"{work.prefix}_{name}_{rounds}", grow_block, arguments)
        rounds += 1
    return grown


def _growing(*arguments: Any) -> tuple[Any, ...]:
    return arguments


def can_grow(
    seeds: BlockSource, regions: BlockSource, bodies: BlockSource, within_bodies: bool, box: Box
) -> bool:
    """Whether a seed grows into a block, or within it, by one more step."""
    grown = grow_block(seeds, regions, bodies, within_bodies, box, steps=1)
    return bool((grown != np.asarray(seeds[box])).any())


def grow_block(
    seeds: BlockSource,
    regions: BlockSource,
    bodies: BlockSource,
    within_bodies: bool,
    box: Box,
    steps: int = GROWTH,
) -> NDArray[np.int32]:
    """Seeds of a block after some steps of `grow_within`, which reads as many voxels around it."""
    own = np.asarray(seeds[box])
    has_room = np.asarray(bodies[box] if within_bodies else regions[box]) > 0
    if not (has_room & (own == 0)).any():
        return own
    around = widened(box, steps, shape_of(seeds))
    before, body, region = (np.asarray(each[around]) for each in (seeds, bodies, regions))
    room = body > 0 if within_bodies else (body == 0) & (region > 0)
    return grow_within(before, region, room, steps)[inside(box, around)]


def block_parts(regions: BlockSource, cut: BlockSource, box: Box) -> NDArray[np.int64]:
    """Pairs of a region and a part of it in a block, shape (n, 2)."""
    one, other = (np.asarray(each[box]).ravel().astype(np.int64) for each in (regions, cut))
    scale = int(other.max(initial=0)) + 1
    pairs = np.unique(one * scale + other)
    return np.stack([pairs // scale, pairs % scale], axis=1)
