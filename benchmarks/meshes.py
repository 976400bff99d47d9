"""Meshes of interfaces: volumes, areas, time and memory, for virtual particles and grain maps.

`python -m benchmarks.meshes [GRAIN_MAP ...] [--paper]` prints the table of docs/exports.md and
draws docs/images/meshes.png. `--areas` prints instead what mesh and Crofton formula make of cells
whose area is known, `--memory 512` what each format of a cube of so many voxels takes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from numpy.typing import NDArray
from scipy.spatial import Voronoi, cKDTree

from electrode_grains.exports import grain_surface, interface_mesh, tetrahedral_mesh
from electrode_grains.exports.mesh import InterfaceMesh
from electrode_grains.grain_maps import read_grain_map
from electrode_grains.morphometry import measure_contacts, transition_areas
from electrode_grains.morphometry.crofton import DIRECTIONS
from electrode_grains.phantom import virtual_particle
from electrode_grains.runs.machine import peak_memory
from electrode_grains.tessellation import ArchitectureSettings

SPACING = (50.0, 50.0, 50.0)
SMALL = 34  # voxels
PICTURE = Path("docs/images/meshes.png")
LIGHT = np.array([0.4, 0.3, 0.85])


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
        start, alone = time.process_time(), time.thread_time()
        mesh = interface_mesh(labels, spacing, steps)
        seconds, alone = time.process_time() - start, time.thread_time() - alone
        errors, voxels = volume_errors(mesh, labels, float(np.prod(spacing)))
        peak = peak_memory() / 2**30
        ratio = area_between_grains(mesh) / crofton
        print(f"{name}: {len(errors)} grains, {len(mesh.faces)} faces, {steps} steps")
        print(
            f"  {seconds:.1f} s of processor time, {alone:.1f} s of it in one thread, {peak:.2f} "
            f"GB so far, area / Crofton {ratio:.3f}"
        )
        large = errors[voxels >= SMALL].max()
        print(
            f"  worst volume {large:.2%} from {SMALL} voxels, {errors.max():.2%} of all", flush=True
        )


def voronoi_cells(
    size: int, seeds: NDArray[np.float64], periodic: bool
) -> tuple[NDArray[np.int64], float]:
    """Labels of the nearest seed in a cube, and the exact area between the cells.

    Parameters
    ----------
    size : int
        Voxels along each axis.
    seeds : ndarray of float64, shape (n, 3)
        Between 0 and `size`.
    periodic : bool
        Whether cells go on at the opposite side, or end at the window.
    """
    centres = np.indices((size,) * 3).reshape(3, -1).T + 0.5
    tree = cKDTree(seeds, boxsize=size if periodic else None)
    labels = tree.query(centres)[1].reshape((size,) * 3) + 1
    if periodic:
        shifts = sorted(product((0, size, -size), repeat=3), key=lambda shift: shift != (0, 0, 0))
        around = [seeds + shift for shift in shifts]
    else:  # cells end halfway to seeds mirrored at the window
        around = [seeds]
        for axis, wall in product(range(3), (0, size)):
            mirrored = seeds.copy()
            mirrored[:, axis] = 2 * wall - mirrored[:, axis]
            around.append(mirrored)
    cells = Voronoi(np.concatenate(around))
    area = 0.0
    for pair, ring in zip(cells.ridge_points, cells.ridge_vertices, strict=True):
        own = int((pair < len(seeds)).sum())
        if own == 2 or (own == 1 and periodic):
            corners = cells.vertices[ring]
            normal = np.cross(corners, np.roll(corners, -1, axis=0)).sum(axis=0)
            area += float(np.linalg.norm(normal)) / 2 * own / 2
    return labels, area


def compare_areas(size: int = 64) -> None:
    """Print areas between Voronoi cells by Crofton formula and mesh, over the exact ones."""
    print("| diameter, voxels | Crofton, no window | Crofton, in a window | mesh, 10 steps |")
    print("| ---: | ---: | ---: | ---: |")
    areas = transition_areas((1.0, 1.0, 1.0))
    for count in (24, 64, 300, 1500):
        seeds = np.random.default_rng(count).uniform(0, size, (count, 3))
        labels, area = voronoi_cells(size, seeds, periodic=True)
        pairs = [(labels != np.roll(labels, step, (0, 1, 2))).sum() for step in DIRECTIONS]
        unbounded = float(areas @ pairs) / area
        labels, area = voronoi_cells(size, seeds, periodic=False)
        contacts = measure_contacts(labels, (1.0, 1.0, 1.0))
        crofton = contacts["interface_area_nm2"][contacts["label_a"] > 0].sum() / area
        mesh = area_between_grains(interface_mesh(labels, (1.0, 1.0, 1.0), 10)) / area
        diameter = size * (6 / np.pi / count) ** (1 / 3)
        print(f"| {diameter:.1f} | {unbounded:.3f} | {crofton:.3f} | {mesh:.3f} |", flush=True)


MEMORY = """
import pathlib, sys, time, numpy as np, pandas as pd
from electrode_grains.exports import ExportedParticle, write_exports
def gigabytes(key):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 2**20
def export(labels, name):
    ids = np.unique(labels[labels > 0])
    table = pd.DataFrame({"label": ids, "sphericity": np.linspace(0.5, 1, len(ids))})
    write_exports(ExportedParticle(labels, (50, 50, 50), table), pathlib.Path(sys.argv[2]), [name])
few = np.zeros((6, 6, 6), np.int32)
few[1:5, 1:5, 1:5], few[3:5, 1:5, 1:5] = 1, 2
export(few, sys.argv[3])  # compiled code is not the format's memory
labels = np.load(sys.argv[1])
before = gigabytes("VmRSS")
pathlib.Path("/proc/self/clear_refs").write_text("5")
start = time.process_time()
export(labels, sys.argv[3])
taken = time.process_time() - start
print(f"{gigabytes('VmHWM') - before:.2f} | {taken:.0f}")
"""


def measure_memory(size: int, formats: list[str]) -> None:
    """Print peaks of resident memory beside the labels, each in a fresh process (Linux)."""
    shape = (64, 128, 128)
    tile = virtual_particle(
        shape, SPACING, np.random.default_rng(20), ArchitectureSettings()
    ).labels
    labels = np.zeros((size,) * 3, np.int32)
    corners = product(*(range(0, size, step) for step in shape))
    for number, (z, y, x) in enumerate(corners):
        place = labels[z : z + shape[0], y : y + shape[1], x : x + shape[2]]
        own = tile[: place.shape[0], : place.shape[1], : place.shape[2]]
        place[:] = np.where(own, own + number * int(tile.max()), 0)
    print(f"{size}^3 voxels, {labels.nbytes / 2**30:.2f} GB of labels, {labels.max()} grains")
    print("| format | GB beside the labels | s of processor time |\n| :--- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        stored = f"{folder}/labels.npy"
        np.save(stored, labels)
        del labels
        for name in formats:
            command = [sys.executable, "-c", MEMORY, stored, folder, name]
            found = subprocess.run(command, capture_output=True, check=True, text=True).stdout
            print(f"| {name} | {found.strip()} |", flush=True)


def draw(
    axes: Axes, points: NDArray[Any], faces: NDArray[Any], colours: NDArray[Any], title: str
) -> None:
    """Draw triangles in colours, lit from above."""
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    shades = 0.55 + 0.45 * (normals @ LIGHT)
    lit = np.clip(colours * shades[:, None], 0, 1)
    axes.add_collection3d(
        Poly3DCollection(corners, facecolors=lit, edgecolors=(0, 0, 0, 0.35), linewidths=0.3)
    )
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]), title=title)
    axes.set_box_aspect(high - low)
    axes.set_axis_off()


def picture(labels: NDArray[Any]) -> None:
    """Draw a small grain before and after smoothing, its tetrahedra, and a crop of the particle."""
    figure = Figure(figsize=(13, 8.5), layout="tight")
    panels = [figure.add_subplot(2, 3, 1 + at, projection="3d") for at in range(6)]
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    small = int(ids[counts >= SMALL][counts[counts >= SMALL].argmin()])
    around = tuple(
        slice(max(0, each.min() - 6), each.max() + 7) for each in np.nonzero(labels == small)
    )
    blue = np.array([[0.35, 0.6, 0.85]])
    for panel, steps in zip(panels, (0, 10), strict=False):
        mesh = interface_mesh(labels[around], SPACING, steps)
        title = f"grain of {counts[ids == small][0]} voxels, {steps} steps"
        draw(panel, *grain_surface(mesh, small), blue, title)
    filled = tetrahedral_mesh(labels[around], SPACING)
    shell = InterfaceMesh(filled.points, filled.faces, filled.sides)
    draw(panels[2], *grain_surface(shell, small), blue, "surface of its tetrahedra")
    crop = labels[20:50, 40:70, 40:70]
    palette = np.random.default_rng(3).uniform(0.25, 1, (int(labels.max()) + 1, 3))
    for panel, steps in zip(panels[3:], (0, 10), strict=False):
        mesh = interface_mesh(crop, SPACING, steps)
        outer = (mesh.grains == 0).any(axis=1)
        sides = mesh.grains[outer]
        faces = np.where(sides[:, 1:] == 0, mesh.faces[outer], mesh.faces[outer][:, ::-1])
        draw(panel, mesh.vertices, faces, palette[sides.max(axis=1)], f"{steps} steps")
    filled = tetrahedral_mesh(crop, SPACING)
    kept = filled.points[filled.cells].mean(axis=1)[:, 2] < 14 * SPACING[0]
    cells, grains = filled.cells[kept], filled.grains[kept]
    faces = np.concatenate(
        [cells[:, each] for each in ([1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1])]
    )
    _, first, times = np.unique(
        np.sort(faces, axis=1), axis=0, return_index=True, return_counts=True
    )
    outer = first[times == 1]
    colours = palette[np.tile(grains, 4)[outer]]
    draw(panels[5], filled.points, faces[outer], colours, "tetrahedra of the lower half")
    figure.savefig(PICTURE, dpi=75)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("maps", nargs="*", type=Path)
    parser.add_argument("--paper", action="store_true", help="the paper's window as well")
    parser.add_argument("--areas", action="store_true", help="cells whose area is known")
    parser.add_argument("--memory", type=int, help="voxels along an edge of a cube")
    parser.add_argument(
        "--formats", nargs="+", default=["vti", "tif", "dream3d", "vtu", "vtp", "stl"]
    )
    options = parser.parse_args()
    if options.memory:
        measure_memory(options.memory, options.formats)
        return
    if options.areas:
        compare_areas()
        return
    interface_mesh(np.array([[[1, 2]]]), SPACING, 1)  # compiles
    shapes = {"64 x 128 x 128": (64, 128, 128)}
    if options.paper:
        shapes["91 x 221 x 235"] = (91, 221, 235)
    for name, shape in shapes.items():
        rng = np.random.default_rng(20)
        particle = virtual_particle(shape, SPACING, rng, ArchitectureSettings())
        report(f"virtual, {name}", particle.labels, SPACING)
        rough = roughened(particle.labels)
        report("roughened", rough, SPACING)
        if shape[0] == 64:
            picture(rough)
    for path in options.maps:
        found = read_grain_map(path)
        report(path.name, np.asarray(found.labels), found.spacing_nm or SPACING)


if __name__ == "__main__":
    main()
