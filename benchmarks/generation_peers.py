"""Virtual grains of other programs beside ours: processor time, and moments that come out.

`python -m benchmarks.generation_peers --microstructpy PYTHON --kanapy PYTHON` runs each by the
Python of an environment of its own, where it is installed: MicroStructPy (packed clusters of
spheres, Laguerre cells) and Kanapy (packed ellipsoids that grow). All are asked for the mean and
standard deviation of d and the mean of e of the paper's Tables 2 and 3, in a cube of grains; all
are measured by the same morphometry, grains at the border left out. What is not asked for by any
of them (sphericity, convexity, correlations) stands beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from electrode_grains.generation import PUBLISHED, ShapeMoments
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import ArchitectureModel, fill_domain

STEP_NM = 50.0
# argv: file, edge, step, mean and standard deviation of d in nm, mean of e, seed.
HEAD = """
import sys, time
import numpy as np
out = sys.argv[1]
edge, step, mean, std, elongation = map(float, sys.argv[2:7])
seed, sigma = int(sys.argv[7]), float(np.sqrt(np.log(1 + (std / mean) ** 2)))
scale = float(mean / np.sqrt(1 + (std / mean) ** 2))
np.random.seed(seed)
"""
MICROSTRUCTPY = """
import microstructpy as msp
import scipy.stats
begun = time.process_time()
longest = scipy.stats.uniform(1.05, 2 * (1 / elongation - 1.05))
size = scipy.stats.lognorm(s=sigma, scale=scale)
phase = {"shape": "ellipsoid", "size": size, "ratio_ac": longest,
         "ratio_ab": scipy.stats.uniform(1.0, 0.3), "orientation": "random"}
box = msp.geometry.Cube(side_length=edge, corner=(0, 0, 0))
seeds = msp.seeding.SeedList.from_info(phase, box.volume)
seeds.position(box)
cells = msp.meshing.PolyMesh.from_seeds(seeds, box)
mesh = msp.meshing.RasterMesh.from_polymesh(cells, mesh_size=step)
middles = np.array(mesh.points)[np.array(mesh.elements)].mean(axis=1)
x, y, z = np.floor(middles / step).astype(int).T
count = round(edge / step)
labels = np.zeros((count,) * 3, np.int32)
labels[z, y, x] = np.array(mesh.element_attributes) + 1
"""
KANAPY = """
import matplotlib
matplotlib.use("Agg")
import random
import kanapy
random.seed(seed)
begun = time.process_time()
count, side = round(edge / step), edge / 1000
descriptor = {
    "Grain type": "Elongated",
    "Equivalent diameter": {"sig": sigma, "scale": scale / 1000, "loc": 0.0,
                            "cutoff_min": 0.2, "cutoff_max": 1.2},
    "Aspect ratio": {"sig": 0.1, "scale": 1 / elongation, "loc": 0.0,
                     "cutoff_min": 1.0, "cutoff_max": 2.0},
    "Tilt angle": {"kappa": 1.0, "loc": 1.57, "cutoff_min": 0.0, "cutoff_max": 3.1415},
    "RVE": {"sideX": side, "sideY": side, "sideZ": side, "Nx": count, "Ny": count, "Nz": count},
    "Simulation": {"periodicity": False, "output_units": "um"},
    "Phase": {"Name": "NMC", "Number": 0, "Volume fraction": 1.0},
}
made = kanapy.Microstructure(descriptor=descriptor, name="grains")
made.init_RVE()
made.pack()
made.voxelize()
labels = np.asarray(made.mesh.grains, np.int32)
"""
TAIL = """
print("seconds", time.process_time() - begun)
np.save(out, labels)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--microstructpy", metavar="PYTHON")
    parser.add_argument("--kanapy", metavar="PYTHON")
    parser.add_argument("--edge", type=int, default=64, help="voxels along the cube")
    parser.add_argument("--limit", type=float, default=1800, help="seconds by the clock for each")
    asked = parser.parse_args()
    begun = time.process_time()
    rng = np.random.default_rng(1)
    own = fill_domain(ArchitectureModel(), np.ones((asked.edge,) * 3, bool), (STEP_NM,) * 3, rng)
    show("paper", PUBLISHED, "")
    report("this package", own, time.process_time() - begun)
    for name, python, text in (
        ("MicroStructPy", asked.microstructpy, MICROSTRUCTPY),
        ("Kanapy", asked.kanapy, KANAPY),
    ):
        if python is not None:
            made = run_peer(python, text, asked.edge, asked.limit)
            if isinstance(made, str):
                print(f"{name:14} {made}")
            else:
                report(name, *made)


def run_peer(
    python: str, text: str, edge: int, limit: float
) -> tuple[NDArray[np.int32], float] | str:
    """Labels of another program and its processor seconds, or why there are none."""
    d, e = "equivalent_diameter_nm", "elongation"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "labels.npy")
        words = [edge * STEP_NM, STEP_NM, PUBLISHED.means[d], PUBLISHED.stds[d], PUBLISHED.means[e]]
        try:
            done = subprocess.run(
                [python, "-c", HEAD + text + TAIL, str(file), *map(str, words), "1"],
                cwd=folder, capture_output=True, text=True, timeout=limit, check=False,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"not done within {limit:g} s"
        seconds = [line.split()[1] for line in done.stdout.splitlines() if line[:8] == "seconds "]
        if done.returncode or not seconds:
            return "failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1]
        return np.load(file), float(seconds[0])


def report(name: str, labels: NDArray[np.int32], seconds: float) -> None:
    """Measure and show the grains of a program."""
    table = characterize_grains(labels, (STEP_NM,) * 3)
    show(name, ShapeMoments.of_table(table), f"{len(table)} grains, {seconds:.0f} s")


def show(name: str, moments: ShapeMoments, told: str) -> None:
    """Show moments in one line."""
    pairs = ((moments.means[n], moments.stds[n]) for n in moments.means)
    (d, own), *shapes = pairs
    told_shapes = "  ".join(f"{mean:.3f} +- {std:.3f}" for mean, std in shapes)
    related = "  ".join(f"{r:5.2f}" for r in moments.correlations.values())
    print(f"{name:14} {d:4.0f} +- {own:3.0f}  {told_shapes}  {related}  {told}", flush=True)


if __name__ == "__main__":
    main()
