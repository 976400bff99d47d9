"""Meshes of interfaces: volumes, areas, time and memory, for virtual particles and grain maps.

`python -m benchmarks.meshes [GRAIN_MAP ...] [--paper]` prints the table of docs/exports.md.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.exports import interface_mesh
from electrode_grains.exports.mesh import InterfaceMesh
from electrode_grains.grain_maps import read_grain_map
from electrode_grains.morphometry import measure_contacts
from electrode_grains.phantom import virtual_particle

SPACING = (50.0, 50.0, 50.0)
SMALL = 34  # voxels


def roughened(labels: NDArray[Any], seed: int = 1) -> NDArray[Any]:
    """Let a quarter of the voxels take the label of a neighbour by chance, twice, and tidy up."""
    rng = np.random.default_rng(seed)
    for _ in range(2):
        chosen = np.where(rng.random(labels.shape) < 0.25, rng.integers(0, 6, labels.shape), 6)
        padded = np.pad(labels, 1, mode="edge")
        around = [
            np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1] for axis in range(3) for step in (1, -1)
        ]
        taken = np.choose(chosen, [*around, labels])
        padded = np.pad(taken, 1, mode="edge")
        alike = sum(
            (np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1] == taken).astype(int)
            for axis in range(3)
            for step in (1, -1)
        )
        labels = np.where(np.asarray(alike) >= 2, taken, labels)
    return labels


def volume_errors(mesh: InterfaceMesh, labels: NDArray[Any], voxel: float) -> NDArray[np.float64]:
    """Relative errors of grain volumes and numbers of voxels, shape (2, grains)."""
    corners = mesh.vertices[mesh.faces]
    cones = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    ids, sides = np.unique(mesh.grains, return_inverse=True)
    sides = sides.reshape(-1, 2)
    volumes = np.bincount(sides[:, 0], cones, len(ids)) - np.bincount(sides[:, 1], cones, len(ids))
    grains, counts = np.unique(labels[labels != 0], return_counts=True)
    found = volumes[np.searchsorted(ids, grains)]
    return np.stack([np.abs(found / (counts * voxel) - 1), counts])


def area_between_grains(mesh: InterfaceMesh) -> float:
    """Area of the faces that have a grain on both sides."""
    corners = mesh.vertices[mesh.faces[(mesh.grains != 0).all(axis=1)]]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(sides, axis=1).sum() / 2)


def report(name: str, labels: NDArray[Any], spacing: tuple[float, float, float]) -> None:
    """Print a row for no smoothing and one for ten steps."""
    contacts = measure_contacts(labels, spacing)
    crofton = contacts["interface_area_nm2"][contacts["label_a"] > 0].sum()
    for steps in (0, 10):
        start = time.perf_counter()
        mesh = interface_mesh(labels, spacing, steps)
        seconds = time.perf_counter() - start
        errors, voxels = volume_errors(mesh, labels, float(np.prod(spacing)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        ratio = area_between_grains(mesh) / crofton
        print(f"{name}: {len(errors)} grains, {len(mesh.faces)} faces, {steps} steps")
        print(f"  {seconds:.1f} s, {peak:.2f} GB so far, area / Crofton {ratio:.3f}")
        large = errors[voxels >= SMALL].max()
        print(
            f"  worst volume {large:.2%} from {SMALL} voxels, {errors.max():.2%} of all", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("maps", nargs="*", type=Path)
    parser.add_argument("--paper", action="store_true", help="the paper's window as well")
    options = parser.parse_args()
    interface_mesh(np.array([[[1, 2]]]), SPACING, 1)  # compiles
    shapes = {"64 x 128 x 128": (64, 128, 128)}
    if options.paper:
        shapes["91 x 221 x 235"] = (91, 221, 235)
    for name, shape in shapes.items():
        particle = virtual_particle(shape, SPACING, np.random.default_rng(20))
        report(f"virtual, {name}", particle.labels, SPACING)
        report("roughened", roughened(particle.labels), SPACING)
    for path in options.maps:
        found = read_grain_map(path)
        report(path.name, np.asarray(found.labels), found.spacing_nm or SPACING)


if __name__ == "__main__":
    main()
