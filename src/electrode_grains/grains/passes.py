"""The steps from class probabilities to grains, each on its own.

A pass takes the state and the settings, and returns the state after it with its own report.
The setting `passes` lists them in their order, so that one can be left out, put elsewhere, or
joined by one of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from electrode_grains.classes import BACKGROUND_CHANNEL, BOUNDARY_CHANNEL
from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.errors import SettingsError
from electrode_grains.grains.agglomeration import MergeReport, merge_regions
from electrode_grains.grains.cleanup import CleanupReport, isolate_particle
from electrode_grains.grains.cutting import cut_by_orientation, join_split_grains
from electrode_grains.grains.labelling import Labels
from electrode_grains.grains.placement import place_interfaces
from electrode_grains.grains.refinement import refine_interfaces
from electrode_grains.grains.results import JsonResult
from electrode_grains.grains.settings import SegmentationSettings
from electrode_grains.grains.watershed import flood_from_minima


@dataclass(frozen=True)
class SegmentationState:
    """What a pass works on.

    Attributes
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Regions or grains so far; 0 is none.
    class_probability : ndarray of float, shape (3, z, y, x)
        Probability of boundary, interior, background.
    orientations : OrientationField, shape (z, y, x), optional
        None where orientations take no part.
    linked : ndarray of int32, shape (z, y, x), optional
        Result of `link_points`; None where orientations take no part.
    measured : ndarray of bool, shape (z, y, x), optional
        False where there is no measurement, hence no grain; None where all is measured.
    """

    labels: Labels
    class_probability: NDArray[np.floating]
    orientations: OrientationField | None = None
    linked: Labels | None = None
    measured: NDArray[np.bool_] | None = None


Pass = Callable[[SegmentationState, SegmentationSettings], tuple[SegmentationState, JsonResult]]


class FloodReport(JsonResult):
    """Basins of the watershed."""

    basins: int


class CutReport(JsonResult):
    """Regions that held several orientations."""

    regions_cut: int


class PlacementReport(JsonResult):
    """Voxels that went to another grain by the boundaries that this draws."""

    voxels_placed: int


class RefinementReport(JsonResult):
    """Voxels that went to another grain by their orientation."""

    voxels_moved: int


class JoinReport(JsonResult):
    """Grains that went to one of the same orientation which they nearly touch."""

    joined_count: int


def flood(
    state: SegmentationState, settings: SegmentationSettings
) -> tuple[SegmentationState, FloodReport]:
    """Flood the boundary probability from its minima; basins that are given are kept."""
    labels = state.labels
    if not labels.any():
        depth = settings.number("minima_depth")
        labels = flood_from_minima(state.class_probability[BOUNDARY_CHANNEL], depth, state.measured)
    elif state.measured is not None:
        labels = np.where(state.measured, labels, 0)
    return replace(state, labels=labels), FloodReport(basins=np.unique(labels[labels > 0]).size)


def drop_background(
    state: SegmentationState, settings: SegmentationSettings
) -> tuple[SegmentationState, CleanupReport]:
    """Remove the background before regions are merged, so that none is merged with it.

    Nothing is small yet: parts of a grain are still to be merged.
    """
    everything = settings.replace(minimum_voxels=0, particle="all")
    background = state.class_probability[BACKGROUND_CHANNEL]
    labels, report = isolate_particle(
        state.labels, background, settings=everything, measured=state.measured
    )
    return replace(state, labels=labels), report


def cut(
    state: SegmentationState, settings: SegmentationSettings
) -> tuple[SegmentationState, CutReport]:
    """Cut regions that hold several orientations, since nothing later parts them."""
    if state.orientations is None:
        return state, CutReport(regions_cut=0)
    labels, count = cut_by_orientation(
        state.labels, state.orientations, settings=settings, linked=state.linked
    )
    return replace(state, labels=labels), CutReport(regions_cut=count)


def merge(
    state: SegmentationState, settings: SegmentationSettings
) -> tuple[SegmentationState, MergeReport]:
    """Join regions without a boundary between them."""
    boundary = state.class_probability[BOUNDARY_CHANNEL]
    labels, report = merge_regions(state.labels, boundary, state.orientations, settings=settings)
    return replace(state, labels=labels), report


def place(
    state: SegmentationState, settings: SegmentationSettings
) -> tuple[SegmentationState, PlacementReport]:
    """Move interfaces to where the boundaries that they draw are most probable.

    Voxels with a reliable orientation stay: it says more than the image. What is left beside them
    are single points, whose neighbours count alike within slices and across.
    """
    if not settings.place_sweeps:
        return state, PlacementReport(voxels_placed=0)
    if state.linked is not None:
        settings = settings.replace(slice_interface_cost=settings.interface_cost)
    labels, count = place_interfaces(
        state.labels,
        state.class_probability,
        settings=settings,
        fixed=None if state.linked is None else state.linked > 0,
    )
    return replace(state, labels=labels), PlacementReport(voxels_placed=count)


def refine(
    state: SegmentationState, settings: SegmentationSettings
) -> tuple[SegmentationState, RefinementReport]:
    """Give voxels beside an interface to the grain whose orientation they have."""
    if state.orientations is None or not settings.refine_steps:
        return state, RefinementReport(voxels_moved=0)
    labels, count = refine_interfaces(state.labels, state.orientations, settings=settings)
    return replace(state, labels=labels), RefinementReport(voxels_moved=count)


def clean_up(
    state: SegmentationState, settings: SegmentationSettings
) -> tuple[SegmentationState, CleanupReport]:
    """Keep the grains of one particle, and give what is too small to a neighbour."""
    background = state.class_probability[BACKGROUND_CHANNEL]
    labels, report = isolate_particle(
        state.labels, background, settings=settings, measured=state.measured
    )
    return replace(state, labels=labels), report


def join(
    state: SegmentationState, settings: SegmentationSettings
) -> tuple[SegmentationState, JoinReport]:
    """Join grains of one orientation that a shifted slice has split."""
    if state.orientations is None:
        return state, JoinReport(joined_count=0)
    labels, count = join_split_grains(state.labels, state.orientations, settings=settings)
    return replace(state, labels=labels), JoinReport(joined_count=count)


NAMED_PASSES: Mapping[str, Pass] = MappingProxyType(
    {
        each.__name__: each
        for each in (flood, drop_background, cut, merge, place, refine, clean_up, join)
    }
)


def find_pass(name: str) -> Pass:
    """Look up a pass by its name, or import ``module.function``.

    Raises
    ------
    SettingsError
        If there is none.

    Examples
    --------
    >>> find_pass("merge") is merge
    True
    """
    module, _, function = name.rpartition(".")
    try:
        found: Pass = getattr(import_module(module), function) if module else NAMED_PASSES[name]
    except (KeyError, ImportError, AttributeError) as error:
        raise SettingsError(
            "unknown pass of the segmentation",
            found=f"{name!r} ({type(error).__name__})",
            expected=f"{', '.join(NAMED_PASSES)}, or module.function",
        ) from None
    return found
