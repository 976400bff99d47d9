"""Measure a label volume: blocks, threads, and the tables that come of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from electrode_grains.descriptors import Grain, computed_descriptors
from electrode_grains.errors import ComputationError, InputError
from electrode_grains.morphometry.checks import check_labels, check_spacing
from electrode_grains.morphometry.orientations import (
    LOW_ANGLE,
    add_misorientations,
    describe_orientations,
    low_angle_share,
)
from electrode_grains.morphometry.partials import (
    GrainPartial,
    Triple,
    check_place,
    combine,
    measure_block,
)
from electrode_grains.morphometry.places import particle_center, radial_directions
from electrode_grains.morphometry.table import (
    sum_up_particle,
    tabulate_contacts,
    tabulate_grains,
)

THINNEST_SLAB = 8  # planes for one thread; thinner ones would read their margins too often
COPIED_VOXELS = 2**19  # at a time, of volumes whose planes do not lie one after another


def available_threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def measure_volume(
    labels: ArrayLike,
    block_shape: Triple | None = None,
    threads: int | None = None,
    *,
    hulls: bool = True,
) -> GrainPartial:
    """Measure a label volume, block by block.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
        May be memory-mapped.
    block_shape : (int, int, int), optional
        By default one slab of whole planes for each thread; thinner ones of volumes that
        must be copied, since their planes do not lie one after another in memory.
    threads : int, optional
        By default the processors that this process may use. The result does not depend on it.
    hulls : bool
        Whether to collect what the convex hulls need.

    Returns
    -------
    GrainPartial

    Raises
    ------
    InputError
        If the labels are none.
    """
    volume = check_labels(labels)
    window = (volume.shape[0], volume.shape[1], volume.shape[2])
    threads = threads or available_threads()
    check_place(window, (0, 0, 0), window, ((0, 0),) * 3)
    if block_shape is None:
        block_shape = _slabs(volume, threads)

    def measure(offset: Triple) -> GrainPartial:
        margin, cut = [], []
        for first, step, size in zip(offset, block_shape, window, strict=True):
            last = min(first + step, size)
            margin.append((int(first > 0), int(last < size)))
            cut.append(slice(first - margin[-1][0], last + margin[-1][1]))
        return measure_block(volume[tuple(cut)], offset, window, margin, hulls)

    z, y, x = (range(0, max(1, n), step) for n, step in zip(window, block_shape, strict=True))
    if threads == 1:
        return combine(map(measure, product(z, y, x)))
    with ThreadPoolExecutor(threads) as pool:
        return combine(pool.map(measure, product(z, y, x)))


def _slabs(volume: NDArray[Any], threads: int) -> Triple:
    depth, height, width = (max(1, size) for size in volume.shape)
    slabs = max(1, min(threads, depth // THINNEST_SLAB))
    thickness = -(-depth // slabs)
    if not (volume.flags.c_contiguous and volume.dtype.isnative):
        thickness = min(thickness, max(THINNEST_SLAB, COPIED_VOXELS // (height * width)))
    return thickness, height, width


@dataclass(frozen=True)
class ParticleMeasurement:
    """What one pass over a particle gives.

    Attributes
    ----------
    grains : DataFrame
        As from `characterize_grains`.
    contacts : DataFrame
        As from `measure_contacts`.
    particle : dict
        As from `summarize_particle`.
    """

    grains: pd.DataFrame
    contacts: pd.DataFrame
    particle: dict[str, Any]


def measure_particle(
    labels: ArrayLike,
    spacing: Sequence[float],
    *,
    image_quality: ArrayLike | None = None,
    orientations: ArrayLike | None = None,
    laue: str = "-3m",
    low_angle: float = LOW_ANGLE,
    center_nm: ArrayLike | None = None,
    threads: int | None = None,
    hulls: bool = True,
) -> ParticleMeasurement:
    """Measure every grain, every contact and their sums in one pass over the labels.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
        0 is no grain; any other numbers, with gaps. May be memory-mapped.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    image_quality : array_like, shape (z, y, x), optional
        Adds its mean over the voxels of each grain that have one, `mean_image_quality`.
    orientations : array_like, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4), optional
        Quaternions from sample to crystal, scalar first, NaN where unknown; a fifth channel
        weighs them. Adds mean orientations and misorientations.
    laue : str
        Laue group of the phase.
    low_angle : float
        In rad; boundaries of a smaller misorientation are low-angle ones.
    center_nm : array_like, shape (3,), optional
        Centre (x, y, z) of the particle, from which radial directions point; by default the
        centroid of all grains in the window.
    threads : int, optional
        By default the processors that this process may use. The result does not depend on it.
    hulls : bool
        Without them there is no `convexity`, and it takes half the time.

    Returns
    -------
    ParticleMeasurement

    Raises
    ------
    InputError
        If labels or spacing are impossible, or the shapes differ.

    Examples
    --------
    >>> halves = np.pad(np.repeat([[[1, 1, 2, 2]]], 4, axis=1), 1)
    >>> lattice = np.full((*halves.shape, 4), [1.0, 0, 0, 0])
    >>> lattice[:, :, 3:] = [0.8, 0.6, 0, 0]
    >>> measured = measure_particle(halves, (50, 50, 50), orientations=lattice)
    >>> measured.contacts["misorientation_angle"].round(4).tolist()
    [nan, nan, 1.287]
    >>> measured.particle["low_angle_share"]
    0.0
    """
    steps, volume = check_spacing(spacing), check_labels(labels)
    threads = threads or available_threads()
    measured = measure_volume(volume, threads=threads, hulls=hulls)
    grains = tabulate_grains(measured, steps, threads, center_nm=center_nm)
    contacts, particle = tabulate_contacts(measured, steps), sum_up_particle(measured, steps)
    if image_quality is not None:
        quality = np.asanyarray(image_quality)
        _check_shape("image quality", quality, volume)
        grains = grains.assign(mean_image_quality=_means(volume, quality, grains))
    if orientations is not None:
        grains = grains.assign(
            **describe_orientations(
                volume,
                measured.labels,
                np.asanyarray(orientations),
                laue,
                _radial_directions(grains, center_nm),
            )
        )
        contacts = add_misorientations(contacts, grains, laue)
        particle["low_angle_share"] = low_angle_share(contacts, low_angle)
        particle["low_angle_degrees"] = float(np.degrees(low_angle))
    if hulls:  # otherwise nobody asked for the grain table
        grains = grains.assign(**_registered(volume, grains, steps))
    return ParticleMeasurement(grains, contacts, particle)


def _radial_directions(grains: pd.DataFrame, center: ArrayLike | None) -> NDArray[np.float64]:
    centroids = grains[[f"centroid_{axis}_nm" for axis in "xyz"]].to_numpy()
    if center is None:
        center = particle_center(centroids, grains["volume_nm3"].to_numpy())
    return radial_directions(centroids, center)


def _registered(
    labels: NDArray[Any], grains: pd.DataFrame, spacing: tuple[float, float, float]
) -> dict[str, NDArray[np.float64]]:
    """Descriptors that users registered with a function, grain by grain."""
    columns = {}
    records = grains.to_dict("records")
    for name, (_, compute) in computed_descriptors().items():
        values = np.full(len(records), np.nan)
        for row, measured in enumerate(records):
            box = tuple(
                slice(measured[f"box_first_{axis}"], measured[f"box_last_{axis}"] + 1)
                for axis in "zyx"
            )
            grain = Grain(measured["label"], spacing, measured, labels[box])
            try:
                values[row] = compute(grain)
            except Exception as error:
                raise ComputationError(
                    f"the function of descriptor {name!r} failed",
                    where=f"grain {measured['label']}",
                    found=f"{type(error).__name__}: {error}",
                    expected="one number for each grain, NaN where it is not defined",
                ) from error
        columns[name] = values
    return columns


def _check_shape(name: str, values: NDArray[Any], labels: NDArray[Any]) -> None:
    if values.shape != labels.shape:
        raise InputError(
            f"{name} and labels differ in shape",
            found=f"shape {values.shape}",
            expected=f"shape {labels.shape}",
        )


def _means(labels: NDArray[Any], quality: NDArray[Any], table: pd.DataFrame) -> NDArray[np.float64]:
    """Mean over each grain, plane after plane: the order of summation is always the same."""
    names = table["label"].to_numpy().astype(labels.dtype)
    total, count = np.zeros((2, len(table) + 1))
    for plane, values in zip(labels, quality, strict=True):
        rank = np.where(plane == 0, 0, np.searchsorted(names, plane) + 1)
        known = np.isfinite(values)
        total += np.bincount(rank[known], values[known].astype(float), total.size)
        count += np.bincount(rank[known], minlength=total.size)
    means: NDArray[np.float64] = np.full(len(table), np.nan)
    np.divide(total[1:], count[1:], out=means, where=count[1:] > 0)
    return means


def characterize_grains(
    labels: ArrayLike, spacing: Sequence[float], **options: Any
) -> pd.DataFrame:
    """Measure size, shape, place and orientation of every grain.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
        0 is no grain; any other numbers, with gaps. May be memory-mapped.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    **options
        `image_quality`, `orientations`, `laue`, `center_nm`, `threads`, `hulls`, as for
        `measure_particle`.

    Returns
    -------
    DataFrame
        One row a grain, in the order of labels; `docs/descriptors` has a page for each
        column. Whatever is not defined for a grain is null, with the reason in
        `degenerate_reason` (shape), `place_reason` or `orientation_reason`.

    Raises
    ------
    InputError
        If labels or spacing are impossible, or the shapes differ.

    Notes
    -----
    Equations (8) to (14) of Furat et al., J. Power Sources 483 (2021) 229148, with the mean
    over voxels in (11) and (12). Sphericity is reported as estimated: above 1 for small
    round grains. The paper's sample are the grains with `touches_window` False. Centroids
    are voxel indices times spacing.

    Examples
    --------
    >>> one = np.zeros((5, 5, 5), int)
    >>> one[1:4, 1:4, 1:4] = 7
    >>> table = characterize_grains(one, (50, 50, 50))
    >>> print(table[["label", "voxel_count", "convexity"]].to_string(index=False))
    label  voxel_count  convexity
        7           27        1.0
    """
    return measure_particle(labels, spacing, **options).grains


def measure_contacts(labels: ArrayLike, spacing: Sequence[float], **options: Any) -> pd.DataFrame:
    """Measure the interface of every pair of touching labels.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    **options
        `orientations`, `laue`, `threads`, as for `measure_particle`.

    Returns
    -------
    DataFrame
        `label_a` < `label_b`, `interface_area_nm2`, `face_contact_count` (pairs of voxels
        that share a face; 0 for grains that touch along an edge or at a corner only) and
        `touches_window_nm2`, the part of a contact with label 0 that lies on the window.
        With orientations also angle and axis of the misorientation.

    Raises
    ------
    InputError
        If labels or spacing are impossible.

    Notes
    -----
    Equation (25) of Furat et al., (a(Gi) + a(Gj) - a(Gi u Gj)) / 2, equals the weighted count
    of pairs of neighbours with one end in either grain, exactly, so no union is ever formed.
    Label 0 takes what lies beyond the window too, so that the areas of a grain's rows add up
    to its surface; without `touches_window_nm2` only voxels of label 0 remain.

    Examples
    --------
    >>> halves = np.repeat([[[1, 1, 2, 2]]], 3, axis=1)
    >>> table = measure_contacts(halves, (50, 50, 50))
    >>> table["face_contact_count"].tolist()  # 0 with 1, 0 with 2, 1 with 2
    [19, 19, 3]
    """
    return measure_particle(labels, spacing, hulls=False, **options).contacts


def summarize_particle(
    labels: ArrayLike, spacing: Sequence[float], **options: Any
) -> dict[str, Any]:
    """Sum up the boundary network of a particle.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    **options
        `orientations`, `laue`, `low_angle`, `threads`, as for `measure_particle`.

    Returns
    -------
    dict
        `boundary_area_um2` between grains, each pair once; `particle_volume_um3` observed in
        the window; their ratio `specific_surface_area_per_um` (null without grains);
        `outer_surface_um2` of the particle where the window does not cut it; numbers of
        grains, of those off the border of the window, and of pairs of grains. With
        orientations `low_angle_share`, the share of `boundary_area_um2` below
        `low_angle_degrees`.

    Raises
    ------
    InputError
        If labels or spacing are impossible.

    Notes
    -----
    Section 3.3 of Furat et al.: all grains count, those cut by the window included.

    Examples
    --------
    >>> halves = np.repeat([[[1, 1, 2, 2]]], 3, axis=1)
    >>> summarize_particle(halves, (50, 50, 50))["particle_volume_um3"]
    0.0015
    """
    return measure_particle(labels, spacing, hulls=False, **options).particle
