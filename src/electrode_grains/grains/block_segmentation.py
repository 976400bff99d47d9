"""From class probabilities to grains block by block, with the labels of `segment_grains`.

Blocks tell the sizes, first voxels and contacts of their regions; these add up to the graph of the
whole volume, on which regions are merged and removed as in core. Volumes in between lie where the
caller wants them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from electrode_grains.blocks import BlockExecutor, BlockSource, BlockTarget, Box
from electrode_grains.blocks.boxes import shape_of
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.agglomeration import MergeReport
from electrode_grains.grains.block_cutting import cut_by_block
from electrode_grains.grains.block_linking import link_by_block
from electrode_grains.grains.block_merging import merge_by_block
from electrode_grains.grains.block_orientations import BlockOrientations, usable_by_block
from electrode_grains.grains.block_particle import isolate_by_block
from electrode_grains.grains.block_refinement import join_by_block, refine_by_block
from electrode_grains.grains.block_regions import exchange, place_block
from electrode_grains.grains.block_spans import find_spans
from electrode_grains.grains.block_watershed import flood_by_block
from electrode_grains.grains.block_work import BlockWork, Relabelled, identity
from electrode_grains.grains.passes import (
    CutReport,
    FloodReport,
    JoinReport,
    PlacementReport,
    RefinementReport,
)
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.settings import SegmentationSettings


@dataclass(frozen=True)
class BlockProbabilities:
    """Class probabilities on which a segmentation by block works.

    Attributes
    ----------
    boundary, interior, background : BlockSource of float, shape (z, y, x)
        May be larger than memory.
    measured : BlockSource of bool, shape (z, y, x), optional
        False where there is no measurement, hence no grain.
    """

    boundary: BlockSource
    interior: BlockSource
    background: BlockSource
    measured: BlockSource | None = None

    def check(self) -> None:
        """Refuse volumes of different shapes."""
        for name in ("interior", "background", "measured"):
            volume = getattr(self, name)
            if volume is not None and tuple(volume.shape) != tuple(self.boundary.shape):
                raise InputError(
                    f"{name} and boundary probability do not fit each other",
                    found=f"shapes {volume.shape} and {self.boundary.shape}",
                )


@dataclass(frozen=True)
class Volumes(BlockProbabilities):
    """What passes work on: class probabilities, and orientations where they take part.

    Attributes
    ----------
    orientations : BlockOrientations, optional
    linked : BlockSource of int32, optional
        Result of `link_by_block`.
    """

    orientations: BlockOrientations | None = None
    linked: BlockSource | None = None


@dataclass(frozen=True)
class BlockSegmentation:
    """Result of a segmentation by block.

    Attributes
    ----------
    grains : int
        Labels from 1 to this.
    digest : str
        SHA-256 of the digests of the label blocks, in their order.
    passes : tuple of (str, JsonResult)
        Each pass with its own report, in their order.
    warnings : tuple of str
    pseudo_symmetry : bool
        Whether orientations were compared with their variants counting as one.
    """

    grains: int
    digest: str
    passes: tuple[tuple[str, JsonResult], ...]
    warnings: tuple[str, ...]
    pseudo_symmetry: bool = False


def segment_by_block(
    probabilities: BlockProbabilities,
    labels: BlockTarget,
    *,
    settings: SegmentationSettings,
    executor: BlockExecutor,
    block_edge: int,
    scratch: Callable[[str], BlockTarget],
    orientations: BlockOrientations | None = None,
) -> BlockSegmentation:
    """Split a particle into grains block by block.

    Parameters
    ----------
    probabilities : BlockProbabilities
    labels : BlockTarget of int32, shape (z, y, x)
        Gets the grains, those of `segment_grains` voxel by voxel.
    settings : SegmentationSettings
        Passes of your own and particle "most_central" do not work by block.
    executor : BlockExecutor
    block_edge : int
        Voxels of a block along each axis. The labels do not depend on it.
    scratch : callable
        Makes an empty volume of int32 of the shape of the labels, by a name.
    orientations : BlockOrientations, optional
        They take part as in `segment_grains_with_report`.

    Returns
    -------
    BlockSegmentation

    Raises
    ------
    InputError
        If shapes do not fit or a probability is not finite.
    SettingsError
        If a setting does not work by block.
    ComputationError
        If everything is background or no grain is left.

    Examples
    --------
    >>> from electrode_grains.blocks import SerialExecutor
    >>> boundary = np.array([[[0.1, 0.0, 0.9, 0.1, 0.0, 0.1]]])
    >>> background = np.array([[[0.0, 0.0, 0.0, 0.0, 0.0, 0.9]]])
    >>> volumes = BlockProbabilities(boundary, 1 - boundary - background, background)
    >>> tiny = SegmentationSettings(minimum_voxels=1, merge_evidence="score",
    ...                             merge_size_weight=0, minima_depth=0.05)
    >>> labels = np.zeros((1, 1, 6), np.int32)
    >>> found = segment_by_block(volumes, labels, settings=tiny, executor=SerialExecutor(),
    ...                          block_edge=2, scratch=lambda name: np.zeros_like(labels))
    >>> labels.tolist(), found.grains
    ([[[1, 1, 1, 2, 2, 0]]], 2)
    """
    probabilities.check()
    shape = shape_of(probabilities.boundary)
    _check(settings)
    work = BlockWork(executor, block_edge, scratch, shape)
    settings, field, warnings = usable_by_block(
        settings, orientations, probabilities.background, work
    )
    if settings.merge_mode == "orientation" and field is None:
        raise SettingsError(
            "merging in mode 'orientation' needs orientations, and there are none",
            where="segmentation.grains.merge_mode",
            remedy='give orientations, or choose mode "iq" or "none"',
        )
    linked = None
    if field is not None and {"cut", "place"} & set(settings.passes):
        linked = link_by_block(field, settings, replace(work, prefix="linked"))
    volumes = Volumes(
        **{each.name: getattr(probabilities, each.name) for each in fields(BlockProbabilities)},
        orientations=field,
        linked=linked,
    )
    state = Relabelled(labels, np.zeros(1, np.int32))
    reports: list[tuple[str, JsonResult]] = []
    for place, name in enumerate(settings.passes):
        state, report = BLOCK_PASSES[name](
            state, volumes, settings, replace(work, prefix=f"{place}_{name}")
        )
        reports.append((name, report))
    digest = work.write_to(labels, exchange, lambda box: (state, box))
    grains = int(state.table.max(initial=0))
    is_pseudo = field is not None and field.as_one
    return BlockSegmentation(grains, digest, tuple(reports), warnings, is_pseudo)


def _check(settings: SegmentationSettings) -> None:
    unknown = [name for name in settings.passes if name not in BLOCK_PASSES]
    refused = {
        "passes": (unknown, ", ".join(BLOCK_PASSES)),
        "particle": (settings.particle == "most_central", "largest or all"),
    }
    for name, (is_refused, expected) in refused.items():
        if is_refused:
            raise SettingsError(
                "a setting does not work by block",
                where=f"segmentation.grains.{name}",
                found=str(unknown if name == "passes" else getattr(settings, name)),
                expected=expected,
                remedy="change it, or segment the volume in core",
            )


def _flood(
    _: Relabelled, volumes: Volumes, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, FloodReport]:
    target = work.scratch(work.prefix)
    flood = flood_by_block(
        volumes.boundary,
        settings.number("minima_depth"),
        target,
        executor=work.executor,
        block_edge=work.edge,
        mask=volumes.measured,
    )
    state = Relabelled(work.settled(target, flood.digest), identity(flood.basins))
    return state, FloodReport(basins=flood.basins)


def _drop_background(
    state: Relabelled, volumes: Volumes, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, JsonResult]:
    everything = settings.replace(minimum_voxels=0, particle="all")
    return isolate_by_block(state, volumes.background, volumes.measured, everything, work)


def _clean_up(
    state: Relabelled, volumes: Volumes, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, JsonResult]:
    return isolate_by_block(state, volumes.background, volumes.measured, settings, work)


def _cut(
    state: Relabelled, volumes: Volumes, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, CutReport]:
    if volumes.linked is None:
        return state, CutReport(regions_cut=0)
    return cut_by_block(state, volumes.linked, settings, work)


def _merge(
    state: Relabelled, volumes: Volumes, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, MergeReport]:
    boundary, background = volumes.boundary, volumes.background
    return merge_by_block(state, boundary, background, volumes.orientations, settings, work)


def _place(
    state: Relabelled, volumes: Volumes, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, PlacementReport]:
    if not settings.place_sweeps:
        return state, PlacementReport(voxels_placed=0)
    if volumes.linked is not None:  # as in `passes.place`
        settings = settings.replace(slice_interface_cost=settings.interface_cost)
    placed: BlockSource = state
    once = settings.replace(place_sweeps=1)  # a sweep that moves nothing is the last one anyway
    for sweep in range(settings.place_sweeps):
        arguments = partial(_placing, placed, volumes, once)
        placed = work.write(f"{work.prefix}_{sweep}", place_block, arguments)
    spans = find_spans(placed, work, state)
    table = spans.numbered(int(state.table.max(initial=0)))
    return Relabelled(placed, table), PlacementReport(voxels_placed=spans.changed)


def _placing(
    labels: BlockSource, volumes: Volumes, settings: SegmentationSettings, box: Box
) -> tuple[Any, ...]:
    return labels, volumes.boundary, volumes.interior, settings, box, volumes.linked


def _refine(
    state: Relabelled, volumes: Volumes, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, RefinementReport]:
    if volumes.orientations is None or not settings.refine_steps:
        return state, RefinementReport(voxels_moved=0)
    return refine_by_block(state, volumes.orientations, settings, work)


def _join(
    state: Relabelled, volumes: Volumes, settings: SegmentationSettings, work: BlockWork
) -> tuple[Relabelled, JoinReport]:
    if volumes.orientations is None:
        return state, JoinReport(joined_count=0)
    return join_by_block(state, volumes.orientations, settings, work)


BlockPass = Callable[
    [Relabelled, Volumes, SegmentationSettings, BlockWork], tuple[Relabelled, JsonResult]
]
BLOCK_PASSES: Mapping[str, BlockPass] = MappingProxyType(
    {
        "flood": _flood,
        "drop_background": _drop_background,
        "cut": _cut,
        "merge": _merge,
        "place": _place,
        "refine": _refine,
        "clean_up": _clean_up,
        "join": _join,
    }
)
