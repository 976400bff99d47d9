"""Passes that compare voxels or grains with mean orientations, block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockSource, Box
from electrode_grains.blocks.boxes import inside, shape_of, widened
from electrode_grains.ebsd.orientations import misorientation_angle
from electrode_grains.grains.block_orientations import BlockOrientations
from electrode_grains.grains.block_spans import RegionSpans, find_spans, means_by_block
from electrode_grains.grains.block_work import BlockWork, Relabelled, renumbered
from electrode_grains.grains.cutting import meeting_pairs
from electrode_grains.grains.labelling import joined_groups
from electrode_grains.grains.passes import JoinReport, RefinementReport
from electrode_grains.grains.refinement import refine_labels
from electrode_grains.grains.settings import SegmentationSettings


def refine_by_block(
    state: Relabelled,
    orientations: BlockOrientations,
    settings: SegmentationSettings,
    work: BlockWork,
) -> tuple[Relabelled, RefinementReport]:
    """Move voxels across an interface as `refine_interfaces` does.

    Parameters
    ----------
    state : Relabelled
        Numbered from 1 by first voxels.
    orientations : BlockOrientations
    settings : SegmentationSettings
    work : BlockWork
    """
    mean, before = _reliable_means(state, orientations, work)
    refined = work.write(
        f"{work.prefix}_refined",
        refine_block,
        lambda box: (state, orientations, mean, settings, box),
    )
    after = find_spans(refined, work, state)
    table = after.numbered(len(before.labels))
    return Relabelled(refined, table), RefinementReport(voxels_moved=after.changed)


def refine_block(
    labels: BlockSource,
    orientations: BlockOrientations,
    mean: NDArray[np.float64],
    settings: SegmentationSettings,
    box: Box,
) -> NDArray[np.int32]:
    """Labels of a block after all steps, each of which sees one voxel farther."""
    around = widened(box, settings.refine_steps, shape_of(labels))
    points, _ = orientations.field(around).points()
    regions = np.asarray(labels[around])
    refined = refine_labels(regions, points, mean, orientations.symmetry, settings)
    return refined[inside(box, around)]


def join_by_block(
    state: Relabelled,
    orientations: BlockOrientations,
    settings: SegmentationSettings,
    work: BlockWork,
) -> tuple[Relabelled, JoinReport]:
    """Join grains of one orientation as `join_split_grains` does.

    Parameters
    ----------
    state : Relabelled
        Numbered from 1 by first voxels.
    orientations : BlockOrientations
    settings : SegmentationSettings
    work : BlockWork
    """
    if not settings.join_reach:
        return state, JoinReport(joined_count=0)
    mean, spans = _reliable_means(state, orientations, work)
    count, reach = len(spans.labels), settings.join_reach
    pairs = np.concatenate(list(work.over(block_meetings, lambda box: (state, reach, box))))
    first, second = np.unique(pairs, axis=0).T
    angle = misorientation_angle(mean[first], mean[second], orientations.symmetry)
    one = angle < settings.misorientation  # never where a mean is unknown
    groups = joined_groups(count + 1, first[one], second[one])
    table = renumbered(
        np.where(np.arange(count + 1) > 0, groups + 1, 0), np.concatenate([[0], spans.firsts])
    )
    joined = Relabelled(state.source, table[state.table])
    return joined, JoinReport(joined_count=count - int(table.max(initial=0)))


def block_meetings(labels: BlockSource, reach: int, box: Box) -> NDArray[np.int64]:
    """Pairs of labels that meet in a block, or within a reach of it, shape (n, 2)."""
    around = widened(box, reach, shape_of(labels))
    return np.stack(meeting_pairs(np.asarray(labels[around]), reach), axis=1)


def _reliable_means(
    state: Relabelled, orientations: BlockOrientations, work: BlockWork
) -> tuple[NDArray[np.float64], RegionSpans]:
    """Means of grains, NaN where they are not reliable, and where the grains lie."""
    spans = find_spans(state, work)
    known = means_by_block(state, spans, orientations, work)
    return np.where(known.reliable[:, None], known.mean, np.nan), spans
