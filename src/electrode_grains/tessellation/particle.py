"""Grain architectures that look like NMC: unions of cells, warped, with a wide size law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import Delaunay

from electrode_grains.errors import SettingsError
from electrode_grains.tessellation.laguerre import (
    CellArchitecture,
    Points,
    nearest_cell,
    scatter_seeds,
    voxel_points,
)

SAMPLES_PER_CELL = 60


@dataclass(frozen=True)
class GrainLaw:
    """How grains are made; lengths in nm.

    Attributes
    ----------
    mean_diameter_nm : float
        Mean of the volume-equivalent diameter, mu of its inverse Gaussian law.
    diameter_shape_nm : float
        lambda of that law: the larger, the more alike the grains.
    size_contrast : float
        Factor of the Laguerre weights; 0 makes cells alike, 1 as different as the law says,
        at the price of flat small cells.
    relaxation : int
        Steps of Lloyd's iteration; more make cells more compact and more alike.
    union_share : float
        Share of compact grains that are united with a neighbour into a large ragged one.
    hardness : float
        Regularity of all seeds, 0 to 0.8.
    warp_amplitude_nm, warp_length_nm : float
        Bending of all boundaries: rms displacement and its range.

    Notes
    -----
    The defaults are the best of 200 random draws by distance to Tables 2 and 3 of Furat et
    al. 2021; `docs/virtual_particle.md` says how near they come.
    """

    mean_diameter_nm: float = 513.8
    diameter_shape_nm: float = 4600.0
    size_contrast: float = 0.7
    relaxation: int = 10
    union_share: float = 0.2
    hardness: float = 0.4
    warp_amplitude_nm: float = 42.0
    warp_length_nm: float = 140.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.mean_diameter_nm <= 0 or self.diameter_shape_nm <= 0:
            raise SettingsError("diameters must be positive", found=str(self))
        if not 0 <= self.union_share < 1:
            raise SettingsError(
                "a share lies between 0 and 1", found=f"union_share {self.union_share}"
            )

    @property
    def mean_volume_nm3(self) -> float:
        """Mean volume of a grain, pi / 6 times the third moment of the diameter."""
        ratio = self.mean_diameter_nm / self.diameter_shape_nm
        third = self.mean_diameter_nm**3 * (1 + 3 * ratio + 3 * ratio**2)
        return float(np.pi / 6 * third)


def grow_architecture(
    lower: Points, upper: Points, law: GrainLaw, rng: np.random.Generator
) -> CellArchitecture:
    """Fill a box with grains.

    Parameters
    ----------
    lower, upper : ndarray of float64, shape (3,)
        Corners (x, y, z) in nm.
    law : GrainLaw
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
    volume = law.mean_volume_nm3 * (1 - law.union_share)
    centers = scatter_seeds(lower, upper, volume, law.hardness, rng)
    radii = rng.wald(law.mean_diameter_nm, law.diameter_shape_nm, len(centers)) / 2
    weights = law.size_contrast * radii**2
    seeds = _relax(centers, weights, lower, upper, law.relaxation, rng)
    grain_of_cell = _unite(seeds, law.union_share, rng)
    nodes = np.ceil((upper - lower) / (law.warp_length_nm / 2)).astype(int) + 2
    noise = rng.standard_normal((3, *nodes[::-1]))
    smooth = ndimage.gaussian_filter(noise, (0, 1, 1, 1), mode="wrap")
    warp = smooth / smooth.std() * law.warp_amplitude_nm
    return CellArchitecture(
        seeds=seeds,
        weights=weights,
        grain_of_cell=grain_of_cell,
        warp=warp.astype(np.float32),
        warp_step=law.warp_length_nm / 2,
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
    law: GrainLaw | None = None,
) -> NDArray[np.int32]:
    """Fill a window with grains.

    Parameters
    ----------
    shape, spacing : (int, int, int), (float, float, float)
        Voxels (z, y, x) and their spacing (dz, dy, dx) in nm.
    rng : Generator
    law : GrainLaw, optional
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
    law = law or GrainLaw()
    margin = 2 * law.mean_diameter_nm
    architecture = grow_architecture(-margin * np.ones(3), extent + margin, law, rng)
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
    for part in np.flatnonzero(~is_main):
        touching = contacts.get(int(part), {})
        best = max(touching, key=lambda other: (touching[other], -other), default=0)
        target[part] = best
    for _ in range(count):  # chips on chips follow on to a main part
        onward = np.where(is_main[target], target, target[target])
        if (onward == target).all():
            break
        target = onward
    target[~is_main[target]] = 0
    joined = first[target][parts]
    values, inverse = np.unique(joined, return_inverse=True)
    numbers = np.arange(len(values)) + (0 if values[0] == 0 else 1)
    return numbers[inverse].reshape(labels.shape).astype(np.int32)


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
