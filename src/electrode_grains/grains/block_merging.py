"""Merging of regions on the graph that blocks measure; see `merge_regions`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from electrode_grains.blocks import BlockSource, Box
from electrode_grains.blocks.boxes import shape_of, widened
from electrode_grains.grains.agglomeration import MergeReport
from electrode_grains.grains.block_orientations import BlockOrientations
from electrode_grains.grains.block_regions import (
    add_contacts,
    add_regions,
    block_contacts,
    count_regions,
)
from electrode_grains.grains.block_spans import find_spans, means_by_block
from electrode_grains.grains.block_work import BlockWork, Integers, Relabelled, identity, renumbered
from electrode_grains.grains.labelling import Contacts, measure_faces
from electrode_grains.grains.linkage import (
    STEP_LEVELS,
    STEP_RANGE,
    Linkage,
    RegionGraph,
    measure_steps,
)
from electrode_grains.grains.settings import SegmentationSettings


@dataclass(frozen=True)
class BlockSteps:
    """Misorientations across the contacts of a block, see `measure_steps`.

    Attributes
    ----------
    first, second : ndarray of int64, shape (n,)
        Labels in contact.
    steps : ndarray of int64, shape (n, STEP_LEVELS)
    """

    first: Integers
    second: Integers
    steps: Integers


def merge_by_block(
    state: Relabelled,
    boundary: BlockSource,
    background: BlockSource,
    orientations: BlockOrientations | None,
    settings: SegmentationSettings,
    work: BlockWork,
) -> tuple[Relabelled, MergeReport]:
    """Join regions without a boundary between them.

    Parameters
    ----------
    state : Relabelled
        Numbered from 1 by first voxels.
    boundary, background : BlockSource of float
    orientations : BlockOrientations, optional
        None where they take no part.
    settings : SegmentationSettings
    work : BlockWork
    """
    threshold = settings.background_threshold
    regions = add_regions(
        work.over(count_regions, lambda box: (state, background, threshold, box, boundary))
    )
    contacts = add_contacts(
        list(work.over(block_contacts, lambda box: (state, boundary, box))),
        identity(len(regions.labels)),
    )
    sizes = np.concatenate([[0], regions.sizes])
    graph = RegionGraph(sizes, contacts, np.concatenate([[0.0], regions.boundary]))
    if orientations is not None:
        graph = _with_orientations(graph, state, orientations, settings, work)
    linkage = Linkage(graph, settings)
    kept = linkage.kept_by_orientation()
    if settings.merge_mode != "none":
        linkage.run()
    merged = renumbered(linkage.groups(), np.concatenate([[0], regions.firsts]))
    return Relabelled(state.source, merged[state.table]), MergeReport(
        mode=settings.merge_mode,
        regions=len(regions.labels),
        grains=int(merged.max(initial=0)),
        contacts=linkage.contact_count,
        merged_by_boundary=linkage.decided["boundary"],
        merged_by_orientation=linkage.decided["orientation"],
        kept_by_orientation=kept,
        regions_without_orientation=None if orientations is None else linkage.unreliable,
    )


def _with_orientations(
    graph: RegionGraph,
    state: Relabelled,
    orientations: BlockOrientations,
    settings: SegmentationSettings,
    work: BlockWork,
) -> RegionGraph:
    """The same regions with mean orientations and the steps across their contacts."""
    known = means_by_block(state, find_spans(state, work), orientations, work)
    top = STEP_RANGE * settings.misorientation
    steps = np.zeros((len(graph.contacts.first), STEP_LEVELS), np.int64)
    if top:
        parts = work.over(block_steps, lambda box: (state, orientations, top, box))
        _add_steps(steps, graph.contacts, parts)
    return replace(graph, known=known, symmetry=orientations.symmetry, steps=steps)


def block_steps(
    labels: BlockSource, orientations: BlockOrientations, top: float, box: Box
) -> BlockSteps:
    """Misorientations across the faces of a block's voxels to their next neighbours."""
    around = widened(box, 1, shape_of(labels))
    z, y, x = (slice(side.start, far.stop) for side, far in zip(box, around, strict=True))
    own = [side.stop - side.start for side in box]
    regions = np.asarray(labels[z, y, x])
    contacts = measure_faces(regions, None, own)
    steps = measure_steps(regions, contacts, orientations.field((z, y, x)), top, own)
    return BlockSteps(contacts.first.astype(np.int64), contacts.second.astype(np.int64), steps)


def _add_steps(steps: Integers, contacts: Contacts, parts: Iterable[BlockSteps]) -> None:
    """Add the steps of all blocks to those of the contacts of the volume, in place."""
    scale = int(contacts.second.max(initial=0)) + 1
    keys = contacts.first.astype(np.int64) * scale + contacts.second
    for part in parts:
        steps[np.searchsorted(keys, part.first * scale + part.second)] += part.steps
