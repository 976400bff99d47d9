"""Grain architectures that look like NMC: joined and warped cells with a wide spread of sizes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import Delaunay

from electrode_grains.tessellation.laguerre import (
    CellArchitecture,
    Points,
    nearest_cell,
    scatter_seeds,
    voxel_points,
)
from electrode_grains.tessellation.settings import ArchitectureSettings

SAMPLES_PER_CELL = 60


def grow_architecture(
    lower: Points, upper: Points, settings: ArchitectureSettings, rng: np.random.Generator
) -> CellArchitecture:
    """Fill a box with grains.

    Parameters
    ----------
    lower, upper : ndarray of float64, shape (3,)
        Corners (x, y, z) in nm.
    settings : ArchitectureSettings
    rng : Generator

    Returns
    -------
    CellArchitecture

    Notes
    -----
    A Laguerre tessellation with weights from the squares of inverse Gaussian radii, made
    compact by Lloyd's iteration. Some cells are then united with a neighbour: large and not
    convex. That works against the positive correlation of size and sphericity that every
    tessellation into convex cells has. `docs/virtual_particle.md` says how near it comes.
    """
    # Every union takes one grain away, so that many more must be made.
    volume = settings.mean_volume_nm3 * (1 - settings.union_share)
    centers = scatter_seeds(lower, upper, volume, settings.hardness, rng)
    radii = rng.wald(settings.mean_diameter_nm, settings.diameter_shape_nm, len(centers)) / 2
    weights = settings.size_contrast * radii**2
    seeds = _relax(centers, weights, lower, upper, settings.relaxation, rng)
    grain_of_cell = _unite(seeds, settings.union_share, rng)
    nodes = np.ceil((upper - lower) / (settings.warp_length_nm / 2)).astype(int) + 2
    noise = rng.standard_normal((3, *nodes[::-1]))
    smooth = ndimage.gaussian_filter(noise, (0, 1, 1, 1), mode="wrap")
    warp = smooth / smooth.std() * settings.warp_amplitude_nm
    return CellArchitecture(
        seeds=seeds,
        weights=weights,
        grain_of_cell=grain_of_cell,
        warp=warp.astype(np.float32),
        warp_step=settings.warp_length_nm / 2,
        origin=(float(lower[0]), float(lower[1]), float(lower[2])),
    )


def _relax(
    seeds: Points,
    weights: NDArray[np.float64],
    lower: Points,
    upper: Points,
    steps: int,
    rng: np.random.Generator,
) -> Points:
    """Move every seed to the middle of its cell, which makes cells compact (Lloyd)."""
    for _ in range(steps):
        points = rng.uniform(lower, upper, (SAMPLES_PER_CELL * len(seeds), 3))
        cell = nearest_cell(points, seeds, weights)
        count = np.bincount(cell, minlength=len(seeds))[:, None]
        total = np.column_stack([np.bincount(cell, axis, len(seeds)) for axis in points.T])
        seeds = np.where(count > 0, total / np.maximum(count, 1), seeds)
    return seeds


def _unite(centers: Points, share: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """Grain of each centre, from 1: a share of them joins a neighbour that is still alone."""
    neighbours = _neighbours(centers)
    partner = np.arange(len(centers))
    alone = np.ones(len(centers), bool)
    joined, wanted = 0, round(share * len(centers))
    for own in rng.permutation(len(centers)).tolist():
        free = [other for other in neighbours[own] if alone[other]]
        if joined == wanted:
            break
        if alone[own] and free:
            other = free[int(rng.integers(len(free)))]
            partner[other] = own
            alone[[own, other]] = False
            joined += 1
    return (np.unique(partner, return_inverse=True)[1] + 1).astype(np.int32)


def _neighbours(seeds: Points) -> list[list[int]]:
    """Neighbours of each seed in the Delaunay triangulation, long edges left out."""
    if len(seeds) < 5:
        return [[other for other in range(len(seeds)) if other != own] for own in range(len(seeds))]
    offsets, flat = Delaunay(seeds).vertex_neighbor_vertices
    spans = [flat[offsets[own] : offsets[own + 1]] for own in range(len(seeds))]
    lengths = [np.linalg.norm(seeds[span] - seeds[own], axis=1) for own, span in enumerate(spans)]
    usual = float(np.median(np.concatenate(lengths)))
    return [
        sorted(int(cell) for cell, length in zip(span, far, strict=True) if length < 1.2 * usual)
        for span, far in zip(spans, lengths, strict=True)
    ]


def generate_particle(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    settings: ArchitectureSettings | None = None,
) -> NDArray[np.int32]:
    """Fill a window with grains.

    Parameters
    ----------
    shape, spacing : (int, int, int), (float, float, float)
        Voxels (z, y, x) and their spacing (dz, dy, dx) in nm.
    rng : Generator
    settings : ArchitectureSettings, optional
        Sizes and shapes; those of the paper by default.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Connected grains, numbered from 1.

    Examples
    --------
    >>> grains = generate_particle((8, 20, 20), (50, 50, 50), np.random.default_rng(0))
    >>> int(grains.min()), bool(grains.max() > 5)
    (1, True)
    """
    extent = np.array(shape[::-1]) * np.array(spacing[::-1])
    settings = settings or ArchitectureSettings()
    margin = 2 * settings.mean_diameter_nm
    architecture = grow_architecture(-margin * np.ones(3), extent + margin, settings, rng)
    grains = architecture.grain_at(voxel_points(shape, spacing)).reshape(shape)
    return join_fragments(grains)


def join_fragments(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Make every grain connected and number the grains from 1.

    Warping can cut a chip off a grain; it goes to the neighbour that it touches most.
    Label 0 stays 0; the order of the labels is kept.
    """
    from skimage.measure import label as connected

    parts = connected(labels, background=0, connectivity=1)  # type: ignore[no-untyped-call]
    parts = parts.astype(np.int32)
    count = int(parts.max())
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    first = np.zeros(count + 1, np.int64)
    first[parts.ravel()[::-1]] = labels.ravel()[::-1]
    order = np.lexsort((-sizes[1:], first[1:])) + 1
    is_main = np.zeros(count + 1, bool)
    is_main[order[np.unique(first[order], return_index=True)[1]]] = True
    is_main[0] = True
    target = np.arange(count + 1)
    contacts = _face_contacts(parts)
    for part in np.flatnonzero(~is_main).tolist():
        touching = contacts.get(part, {})
        best = max(touching, key=lambda other: (touching[other], -other), default=0)
        target[part] = best
    for _ in range(count):  # chips on chips follow on to a main part
        onward = np.where(is_main[target], target, target[target])
        if (onward == target).all():
            break
        target = onward
    # Chips that touch one another most take the settled neighbour that they touch most.
    while stuck := _settled_contacts(contacts, is_main[target]):
        for part, near in stuck.items():
            target[part] = target[max(near, key=lambda other: (near[other], -other))]
    target[~is_main[target]] = 0
    joined = first[target][parts]
    values, inverse = np.unique(joined, return_inverse=True)
    numbers = np.arange(len(values)) + (0 if values[0] == 0 else 1)
    return numbers[inverse].reshape(labels.shape).astype(np.int32)


def _settled_contacts(
    contacts: dict[int, dict[int, int]], settled: NDArray[np.bool_]
) -> dict[int, dict[int, int]]:
    """Faces that each part not yet settled shares with parts that are."""
    shared = {
        part: {other: faces for other, faces in contacts[part].items() if settled[other]}
        for part in np.flatnonzero(~settled).tolist()
    }
    return {part: near for part, near in shared.items() if near}


def _face_contacts(parts: NDArray[np.int32]) -> dict[int, dict[int, int]]:
    contacts: dict[int, dict[int, int]] = {}
    for axis in range(3):
        low = np.moveaxis(parts, axis, 0)[:-1].ravel()
        high = np.moveaxis(parts, axis, 0)[1:].ravel()
        apart = (low != high) & (low > 0) & (high > 0)
        pairs, counts = np.unique(
            np.column_stack([low[apart], high[apart]]), axis=0, return_counts=True
        )
        for (first, second), number in zip(pairs.tolist(), counts.tolist(), strict=True):
            for own, other in ((first, second), (second, first)):
                row = contacts.setdefault(own, {})
                row[other] = row.get(other, 0) + number
    return contacts
