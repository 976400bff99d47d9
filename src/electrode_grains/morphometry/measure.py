"""Measure a particle: grain table, contact table and summary of a label volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from electrode_grains.blocks import BlockSource
from electrode_grains.descriptors import Grain, computed_descriptors
from electrode_grains.errors import ComputationError, InputError
from electrode_grains.morphometry.checks import check_labels, check_measured, check_spacing
from electrode_grains.morphometry.orientations import (
    add_misorientations,
    describe_orientations,
    low_angle_share,
)
from electrode_grains.morphometry.radial_position import particle_center, radial_directions
from electrode_grains.morphometry.resolution import correct_resolution
from electrode_grains.morphometry.settings import DEFAULTS, MeasureSettings
from electrode_grains.morphometry.summary import ParticleSummary
from electrode_grains.morphometry.table import (
    summarize_statistics,
    tabulate_contacts,
    tabulate_grains,
)
from electrode_grains.morphometry.volume_statistics import available_threads, measure_volume


@dataclass(frozen=True)
class ParticleMeasurement:
    """What one pass over a particle gives.

    Attributes
    ----------
    grains : DataFrame
        As from `characterize_grains`.
    contacts : DataFrame
        As from `measure_contacts`.
    particle : ParticleSummary
    """

    grains: pd.DataFrame
    contacts: pd.DataFrame
    particle: ParticleSummary


def measure_particle(
    labels: ArrayLike,
    spacing: Sequence[float],
    measured: ArrayLike | None = None,
    *,
    settings: MeasureSettings = DEFAULTS,
    image_quality: ArrayLike | None = None,
    orientations: ArrayLike | None = None,
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
    measured : array_like of bool, shape (z, y, x), optional
        False where nothing was measured, as at the edges of aligned slices. Such voxels are
        no grain, whatever their label, and bound the particle like the window does: grains
        beside them are cut, and nothing of them is surface.
    settings : MeasureSettings
        Laue group, low angle, centre of the particle, correction of the resolution.
    image_quality : array_like, shape (z, y, x), optional
        Adds its mean over the voxels of each grain that have one, `mean_image_quality`.
    orientations : array_like, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4), optional
        Quaternions from sample to crystal, scalar first, NaN where unknown; a fifth channel
        weighs them. Adds mean orientations and misorientations.
    threads : int, optional
        By default the processors that this process may use. The result does not depend on it.
    hulls : bool
        Without them there is no `convexity`, and it takes less than half the time.

    Returns
    -------
    ParticleMeasurement

    Raises
    ------
    InputError
        If labels or spacing are impossible, or the shapes differ.
    ComputationError
        If the function of a registered descriptor fails.

    Examples
    --------
    >>> halves = np.pad(np.repeat([[[1, 1, 2, 2]]], 4, axis=1), 1)
    >>> lattice = np.full((*halves.shape, 4), [1.0, 0, 0, 0])
    >>> lattice[:, :, 3:] = [0.8, 0.6, 0, 0]
    >>> found = measure_particle(halves, (50, 50, 50), orientations=lattice)
    >>> found.contacts["misorientation_angle"].round(4).tolist()
    [nan, nan, 1.287]
    >>> found.particle.low_angle_share
    0.0
    """
    steps, volume = check_spacing(spacing), check_labels(labels)
    region = check_measured(measured, volume)
    threads = threads or available_threads()
    statistics = measure_volume(volume, threads=threads, hulls=hulls, measured=region)
    share = 1.0 if region is None else float(region.mean())
    particle = summarize_statistics(statistics, steps, share)
    contacts = tabulate_contacts(statistics, steps)
    grains = tabulate_grains(
        statistics, steps, threads, center_nm=settings.center_nm, measured=region
    )
    if region is not None:
        volume = np.where(region, volume, 0).astype(volume.dtype)
    if image_quality is not None:
        quality = np.asanyarray(image_quality)
        _check_shape("image quality", quality, volume)
        grains = grains.assign(mean_image_quality=_means(volume, quality, grains))
    if orientations is not None:
        lattice = describe_orientations(
            volume,
            statistics.labels,
            np.asanyarray(orientations),
            settings.laue_group,
            _radial_directions(grains, settings.center_nm),
        )
        grains = grains.assign(**lattice)
        contacts = add_misorientations(contacts, grains, settings.laue_group)
        low_angle = float(np.radians(settings.low_angle_degrees))
        particle = replace(
            particle,
            low_angle_share=low_angle_share(contacts, low_angle),
            low_angle_degrees=settings.low_angle_degrees,
        )
    if hulls:  # otherwise nobody asked for the whole grain table
        grains = complete_grains(grains, volume, steps, settings)
    return ParticleMeasurement(grains, contacts, particle)


def complete_grains(
    grains: pd.DataFrame,
    labels: BlockSource,
    spacing: tuple[float, float, float],
    settings: MeasureSettings,
) -> pd.DataFrame:
    """Grain table with what is derived from it: the correction of resolution, own descriptors.

    Parameters
    ----------
    grains : DataFrame
    labels : BlockSource, shape (z, y, x)
        Read grain by grain, for own descriptors.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    settings : MeasureSettings
    """
    if settings.resolution_correction:
        grains = correct_resolution(grains, spacing)
    return grains.assign(**_registered(labels, grains, spacing))


def _radial_directions(grains: pd.DataFrame, center: ArrayLike | None) -> NDArray[np.float64]:
    centroids = grains[[f"centroid_{axis}_nm" for axis in "xyz"]].to_numpy()
    if center is None:
        center = particle_center(centroids, grains["volume_nm3"].to_numpy())
    return radial_directions(centroids, center)


def _registered(
    labels: BlockSource, grains: pd.DataFrame, spacing: tuple[float, float, float]
) -> dict[str, NDArray[np.float64]]:
    """Descriptors that users registered with a function, grain by grain."""
    columns = {}
    computed = computed_descriptors()
    records = grains.to_dict("records") if computed else []
    for name, (_, compute) in computed.items():
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
    labels: ArrayLike,
    spacing: Sequence[float],
    measured: ArrayLike | None = None,
    *,
    settings: MeasureSettings = DEFAULTS,
    image_quality: ArrayLike | None = None,
    orientations: ArrayLike | None = None,
    threads: int | None = None,
    hulls: bool = True,
) -> pd.DataFrame:
    """Measure size, shape, place and orientation of every grain.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
        0 is no grain; any other numbers, with gaps. May be memory-mapped.
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    measured, settings, image_quality, orientations, threads, hulls
        As for `measure_particle`.

    Returns
    -------
    DataFrame
        One row per grain, in the order of labels; `docs/descriptors` has a page for each
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
    round grains. The paper's sample are the grains with `touches_window` False: no face of
    theirs lies on the border of the window or at a voxel without measurement. Centroids
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
    return measure_particle(
        labels,
        spacing,
        measured,
        settings=settings,
        image_quality=image_quality,
        orientations=orientations,
        threads=threads,
        hulls=hulls,
    ).grains


def measure_contacts(
    labels: ArrayLike,
    spacing: Sequence[float],
    measured: ArrayLike | None = None,
    *,
    settings: MeasureSettings = DEFAULTS,
    orientations: ArrayLike | None = None,
    threads: int | None = None,
) -> pd.DataFrame:
    """Measure the interface of every pair of touching labels.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    measured, settings, orientations, threads
        As for `measure_particle`.

    Returns
    -------
    DataFrame
        `label_a` < `label_b`, `interface_area_nm2`, `face_contact_count` (pairs of voxels
        that share a face; 0 for grains that touch along an edge or at a corner only) and
        `touches_window_nm2`, the part of a contact with label 0 that lies on the window or
        at voxels without measurement. With orientations also angle and axis of the
        misorientation.

    Raises
    ------
    InputError
        If labels or spacing are impossible.

    Notes
    -----
    Equation (25) of Furat et al., (a(Gi) + a(Gj) - a(Gi u Gj)) / 2, equals the weighted count
    of pairs of neighbours with one end in either grain, exactly, so no union is ever formed.
    Label 0 takes what lies outside the window too, so that the areas of a grain's rows add up
    to its surface; without `touches_window_nm2` only measured voxels of label 0 remain.

    Examples
    --------
    >>> halves = np.repeat([[[1, 1, 2, 2]]], 3, axis=1)
    >>> table = measure_contacts(halves, (50, 50, 50))
    >>> table["face_contact_count"].tolist()  # 0 with 1, 0 with 2, 1 with 2
    [19, 19, 3]
    """
    return measure_particle(
        labels,
        spacing,
        measured,
        settings=settings,
        orientations=orientations,
        threads=threads,
        hulls=False,
    ).contacts


def summarize_particle(
    labels: ArrayLike,
    spacing: Sequence[float],
    measured: ArrayLike | None = None,
    *,
    settings: MeasureSettings = DEFAULTS,
    orientations: ArrayLike | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Sum up the boundary network of a particle.

    Parameters
    ----------
    labels : array_like of integer, shape (z, y, x)
    spacing : sequence of 3 float
        (dz, dy, dx) in nm.
    measured, settings, orientations, threads
        As for `measure_particle`.

    Returns
    -------
    dict
        Values of a `ParticleSummary` by name.

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
    return measure_particle(
        labels,
        spacing,
        measured,
        settings=settings,
        orientations=orientations,
        threads=threads,
        hulls=False,
    ).particle.to_dict()
