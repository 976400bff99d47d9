"""From class probabilities to grains block by block, with the labels of `segment_grains`.

Blocks tell the sizes, first voxels and contacts of their regions; these add up to the graph of the
whole volume, on which regions are merged and removed as in core. Volumes in between lie where the
caller wants them. Orientations do not take part yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from electrode_grains.blocks import BlockExecutor, BlockSource, BlockTarget, Box
from electrode_grains.blocks.boxes import shape_of
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.agglomeration import MergeReport
from electrode_grains.grains.block_particle import isolate_by_block
from electrode_grains.grains.block_regions import (
    add_contacts,
    add_regions,
    block_contacts,
    count_regions,
    exchange,
    place_block,
)
from electrode_grains.grains.block_watershed import flood_by_block
from electrode_grains.grains.block_work import BlockWork, Relabelled, identity, renumbered
from electrode_grains.grains.linkage import Linkage, RegionGraph
from electrode_grains.grains.passes import FloodReport
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.segmentation import usable_settings
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
class BlockSegmentation:
    """Result of a segmentation by block.

    Attributes
    ----------
    grains : int
        Labels from 1 to this.
    digest : str
        SHA-256 of the digests of the label blocks, in their order.
    passes : tuple of (str, JsonResult)
        Report of each pass that did something.
    warnings : tuple of str
    """

    grains: int
    digest: str
    passes: tuple[tuple[str, JsonResult], ...]
    warnings: tuple[str, ...]


def segment_by_block(
    probabilities: BlockProbabilities,
    labels: BlockTarget,
    *,
    settings: SegmentationSettings,
    executor: BlockExecutor,
    block_edge: int,
    scratch: Callable[[str], BlockTarget],
) -> BlockSegmentation:
    """Split a particle into grains block by block, by the boundary alone.

    Parameters
    ----------
    probabilities : BlockProbabilities
    labels : BlockTarget of int32, shape (z, y, x)
        Gets the grains, those of `segment_grains` voxel by voxel.
    settings : SegmentationSettings
        Passes with orientations do nothing; those of your own and particle "most_central" do
        not work by block.
    executor : BlockExecutor
    block_edge : int
        Voxels of a block along each axis. The labels do not depend on it.
    scratch : callable
        Makes an empty volume of int32 of the shape of the labels, by a name.

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
    settings, _, warnings = usable_settings(settings, None, shape)
    _check(settings)
    work = BlockWork(executor, block_edge, scratch, shape)
    state = Relabelled(labels, np.zeros(1, np.int32))
    reports: list[tuple[str, JsonResult]] = []
    for place, name in enumerate(settings.passes):
        if name in WITHOUT_ORIENTATIONS:
            continue
        state, report = BLOCK_PASSES[name](
            state, probabilities, settings, replace(work, prefix=f"{place}_{name}")
        )
        reports.extend([] if report is None else [(name, report)])
    digest = work.write_to(labels, exchange, lambda box: (state, box))
    return BlockSegmentation(int(state.table.max(initial=0)), digest, tuple(reports), warnings)


def _check(settings: SegmentationSettings) -> None:
    unknown = [p for p in settings.passes if p not in {*BLOCK_PASSES, *WITHOUT_ORIENTATIONS}]
    refused = {
        "passes": (unknown, ", ".join([*BLOCK_PASSES, *WITHOUT_ORIENTATIONS])),
        "particle": (settings.particle == "most_central", "largest or all"),
        "merge_mode": (settings.merge_mode == "orientation", "iq or none"),
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
    _: Relabelled,
    volumes: BlockProbabilities,
    settings: SegmentationSettings,
    work: BlockWork,
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
    state: Relabelled,
    volumes: BlockProbabilities,
    settings: SegmentationSettings,
    work: BlockWork,
) -> tuple[Relabelled, JsonResult]:
    everything = settings.replace(minimum_voxels=0, particle="all")
    return isolate_by_block(state, volumes.background, volumes.measured, everything, work)


def _clean_up(
    state: Relabelled,
    volumes: BlockProbabilities,
    settings: SegmentationSettings,
    work: BlockWork,
) -> tuple[Relabelled, JsonResult]:
    return isolate_by_block(state, volumes.background, volumes.measured, settings, work)


def _merge(
    state: Relabelled,
    volumes: BlockProbabilities,
    settings: SegmentationSettings,
    work: BlockWork,
) -> tuple[Relabelled, MergeReport]:
    threshold = settings.background_threshold
    regions = add_regions(
        work.over(
            count_regions,
            lambda box: (state, volumes.background, threshold, box, volumes.boundary),
        )
    )
    count = len(regions.labels)
    contacts = add_contacts(
        list(work.over(block_contacts, lambda box: (state, volumes.boundary, box))),
        identity(count),
    )
    sizes = np.concatenate([[0], regions.sizes])  # labels are numbered by their first voxels
    sums = np.concatenate([[0.0], regions.boundary])
    linkage = Linkage(RegionGraph(sizes, contacts, sums), settings)
    if settings.merge_mode != "none":
        linkage.run()
    merged = renumbered(linkage.groups(), np.concatenate([[0], regions.firsts]))
    return Relabelled(state.source, merged[state.table]), MergeReport(
        mode=settings.merge_mode,
        regions=count,
        grains=int(merged.max(initial=0)),
        contacts=linkage.contact_count,
        merged_by_boundary=linkage.decided["boundary"],
        merged_by_orientation=0,
        kept_by_orientation=0,
        regions_without_orientation=None,
    )


def _place(
    state: Relabelled,
    volumes: BlockProbabilities,
    settings: SegmentationSettings,
    work: BlockWork,
) -> tuple[Relabelled, None]:
    if not settings.place_sweeps:
        return state, None
    placed: BlockSource = state
    once = settings.replace(place_sweeps=1)  # a sweep that moves nothing is the last one anyway
    for sweep in range(settings.place_sweeps):
        arguments = partial(_placing, placed, volumes, once)
        placed = work.write(f"{work.prefix}_{sweep}", place_block, arguments)
    threshold = settings.background_threshold
    regions = add_regions(
        work.over(count_regions, lambda box: (placed, volumes.background, threshold, box))
    )
    table = np.zeros(int(state.table.max(initial=0)) + 1, np.int32)
    table[regions.labels] = np.arange(1, len(regions.labels) + 1)
    return Relabelled(placed, table), None


def _placing(
    labels: BlockSource, volumes: BlockProbabilities, settings: SegmentationSettings, box: Box
) -> tuple[BlockSource, BlockSource, BlockSource, SegmentationSettings, Box]:
    return labels, volumes.boundary, volumes.interior, settings, box


BlockPass = Callable[
    [Relabelled, BlockProbabilities, SegmentationSettings, BlockWork],
    tuple[Relabelled, JsonResult | None],
]
BLOCK_PASSES: Mapping[str, BlockPass] = MappingProxyType(
    {
        "flood": _flood,
        "drop_background": _drop_background,
        "merge": _merge,
        "place": _place,
        "clean_up": _clean_up,
    }
)
WITHOUT_ORIENTATIONS: Sequence[str] = ("cut", "refine", "join")  # which leave labels as they are
