"""Surface area by 13 and by 49 directions: planes of all normals, and cells of known area.

`python -m benchmarks.directions` prints the tables of docs/descriptors/surface.md.
"""

from __future__ import annotations

from itertools import product
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import SphericalVoronoi, Voronoi, cKDTree

LATTICES = ((1, 1, 1), (2, 1, 1), (3, 1, 1), (5, 1, 1), (1, 2, 2))  # dz, dy, dx
Steps = NDArray[np.int64]


def directions(reach: int) -> Steps:
    """Half of the steps (z, y, x) to voxels within reach that no nearer one hides, shape (n, 3)."""
    steps = product(range(-reach, reach + 1), repeat=3)
    return np.array([step for step in steps if step > (0, 0, 0) and gcd(*step) == 1])


def weights(steps: Steps, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the sphere nearest to each direction (Voronoi), as in `transition_areas`."""
    towards = steps * spacing
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    shares = SphericalVoronoi(np.vstack([towards, -towards])).calculate_areas() / (4 * np.pi)
    result: NDArray[np.float64] = shares[: len(steps)]
    return result


def plane_bias(steps: Steps, spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative errors of planes of many normals; the last three are those across z, y and x."""
    normals = np.random.default_rng(0).normal(size=(100_000, 3))
    normals = np.vstack([normals / np.linalg.norm(normals, axis=1, keepdims=True), np.eye(3)])
    towards = steps * spacing
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    bias: NDArray[np.float64] = 4 * np.abs(normals @ towards.T) @ weights(steps, spacing) - 1
    return bias


def cell_errors(
    spacing: NDArray[np.float64], diameter: float, reaches: tuple[int, ...], size: float = 64.0
) -> list[tuple[NDArray[np.float64], float]]:
    """Errors of the surfaces of periodic Voronoi cells, and area between cells without contact.

    Returns
    -------
    list of (ndarray, float)
        For each reach: relative errors of all cells, and the share of all area that is found
        between cells of which no two voxels are neighbours.
    """
    count = round(size**3 * 6 / np.pi / diameter**3)
    seeds = np.random.default_rng(count).uniform(0, size, (count, 3))
    shape = np.round(size / spacing).astype(int)
    steps = size / shape  # as near to the spacing as fits the period
    centres = (np.indices(shape).reshape(3, -1).T + 0.5) * steps
    labels = cKDTree(seeds, boxsize=size).query(centres)[1].reshape(shape)
    shifts = sorted(product((0, size, -size), repeat=3), key=lambda shift: shift != (0, 0, 0))
    cells = Voronoi(np.concatenate([seeds + shift for shift in shifts]))
    exact = np.zeros(count)
    for pair, ring in zip(cells.ridge_points, cells.ridge_vertices, strict=True):
        own = pair[pair < count]
        if len(own):
            corners = cells.vertices[ring]
            normal = np.cross(corners, np.roll(corners, -1, axis=0)).sum(axis=0)
            exact[own] += float(np.linalg.norm(normal)) / 2
    found = []
    touching: set[int] = set()
    for reach in reaches:
        offsets = directions(reach)
        lengths = np.linalg.norm(offsets * steps, axis=1)
        areas = 4 * weights(offsets, steps) * np.prod(steps) / lengths
        surfaces, apart, total = np.zeros(count), 0.0, 0.0
        order = np.argsort(np.abs(offsets).max(axis=1), kind="stable")  # neighbours first
        for offset, area in zip(offsets[order], areas[order], strict=True):
            moved = np.roll(labels, offset, (0, 1, 2))
            one, two = labels[labels != moved], moved[labels != moved]
            surfaces += area * (
                np.bincount(one, minlength=count) + np.bincount(two, minlength=count)
            )
            keys = np.minimum(one, two) * count + np.maximum(one, two)
            pairs, times = np.unique(keys, return_counts=True)
            if np.abs(offset).max() == 1:
                touching.update(pairs.tolist())
            new = np.array([pair not in touching for pair in pairs.tolist()], bool)
            apart += area * float(times[new].sum())
            total += area * float(times.sum())
        found.append((surfaces / exact - 1, apart / total))
    return found


def main() -> None:
    """Print both tables."""
    print("| dz : dy : dx | directions | least | greatest | sd | across z | across x |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for lattice, reach in product(LATTICES, (1, 2)):
        steps = directions(reach)
        bias = plane_bias(steps, np.array(lattice, float))
        found = (bias.min(), bias.max(), bias[:-3].std(), bias[-3], bias[-1])
        cells = " | ".join(f"{value:.1%}" for value in found)
        print(f"| {' : '.join(map(str, lattice))} | {len(steps)} | {cells} |")
    print("\n| dz : dy : dx | diameter | 13: mean, sd | 49: mean, sd | 49: without contact |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for lattice in LATTICES:
        spacing = np.array(lattice, float) / np.cbrt(np.prod(lattice))
        for diameter in (7.0, 12.0, 20.0):
            (few, _), (many, apart) = cell_errors(spacing, diameter, (1, 2))
            print(
                f"| {' : '.join(map(str, lattice))} | {diameter:.0f} "
                f"| {few.mean():.1%}, {few.std():.1%} | {many.mean():.1%}, {many.std():.1%} "
                f"| {apart:.2%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
