"""Morphometry beside its peers: time, threads, growth with the volume, memory, edge rules.

Run with `python -m benchmarks.morphometry`, or as the last part of `make bench`. All rows of
a table are measured in one run, the repetitions of all of them in turn. Times are those of the
processor, so that others on the machine do not count; with two threads that of the busier one
in each part that they share, and of what one does alone.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from typing import Any
from unittest.mock import patch

import cc3d
import numpy as np
import pandas as pd
import SimpleITK as sitk  # noqa: N813, the library's own abbreviation
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import regionprops_table

from benchmarks.timing import least_seconds
from electrode_grains.morphometry import (
    characterize_grains,
    hulls,
    measure_particle,
    nearest_faces,
    thin_by_weight,
    volume_statistics,
    weighted_means,
)
from electrode_grains.tessellation import generate_particle

PAPER_WINDOW = (91, 221, 235)
SEEDS = 1500  # of which about 1,200 lie in the particle
SPACING = (50.0, 50.0, 50.0)
REPETITIONS = 5
PEERS = ("numpy", "numba", "scipy", "scikit-image", "SimpleITK", "connected-components-3d")
PARALLEL = (hulls, nearest_faces, volume_statistics)
DESCRIPTORS = ["equivalent_diameter_nm", "sphericity", "convexity", "elongation"]


def bent_cells(shape: tuple[int, ...], seeds: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Cells of nearest seeds with bent boundaries, in a particle cut by the window along z."""
    points = np.indices(shape, np.float32).reshape(3, -1).T
    bend = []
    for _ in range(3):
        coarse = ndimage.gaussian_filter(rng.standard_normal([n // 3 + 1 for n in shape]), 1)
        bend.append(ndimage.zoom(coarse, np.array(shape) / coarse.shape, order=1).ravel())
    cells = cKDTree(rng.random((seeds, 3)) * shape).query(points + 3 * np.stack(bend, 1))[1] + 1
    reach = np.array(shape) * (0.75, 0.49, 0.49)
    inside = (((points - np.array(shape) / 2) / reach) ** 2).sum(axis=1) < 1
    return np.where(inside, cells, 0).reshape(shape).astype(np.int32)


def shape_statistics(image: sitk.Image) -> None:
    """Run SimpleITK with perimeters on one thread; its defaults leave out what takes longer."""
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.SetNumberOfThreads(1)
    statistics.Execute(image)


def ours(labels: NDArray[np.int32]) -> dict[str, Callable[[], object]]:
    return {
        "all, 1 thread": lambda: measure_particle(labels, SPACING, threads=1),
        "without hulls, 1 thread": lambda: measure_particle(
            labels, SPACING, threads=1, hulls=False
        ),
        "numpy labels + 1": lambda: labels + 1,
    }


class TimedExecutor(ThreadPoolExecutor):
    """Adds the processor time of the longest task of each pool to `longest`: one task a thread."""

    longest = 0.0

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self._spent: list[float] = []

    def submit(self, task: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        def timed() -> Any:
            start = time.thread_time()
            result = task(*args, **options)
            self._spent.append(time.thread_time() - start)
            return result

        return super().submit(timed)

    def shutdown(self, *args: Any, **options: Any) -> None:
        super().shutdown(*args, **options)
        TimedExecutor.longest += max(self._spent)


def seconds_of_two_threads(labels: NDArray[np.int32], repetitions: int) -> float:
    """Least processor time on the way from start to end of a measurement with two threads."""
    least = np.inf
    parts = [patch.object(each, "ThreadPoolExecutor", TimedExecutor) for each in PARALLEL]
    for part in parts:
        part.start()
    for _ in range(repetitions + 1):
        start, TimedExecutor.longest = time.thread_time(), 0.0
        measure_particle(labels, SPACING, threads=2)
        least = min(least, time.thread_time() - start + TimedExecutor.longest)
    for part in parts:
        part.stop()
    return least


def compare_speed(labels: NDArray[np.int32], large: NDArray[np.int32]) -> None:
    image = sitk.GetImageFromArray(labels)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    slow = ("label", "area", "inertia_tensor_eigvals", "solidity")
    taken = least_seconds(
        {
            **ours(labels),
            "SimpleITK LabelShapeStatistics": lambda: shape_statistics(image),
            "cc3d statistics + contacts": lambda: (cc3d.statistics(labels), cc3d.contacts(labels)),
        },
        REPETITIONS,
        clock=time.process_time,
    )
    taken["all, 2 threads"] = seconds_of_two_threads(labels, REPETITIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own, about flat grains
        start = time.process_time()
        regionprops_table(labels, properties=slow)
        taken["scikit-image area, inertia, solidity"] = time.process_time() - start
    of_large = least_seconds(ours(large), 2, clock=time.process_time)
    of_large["all, 2 threads"] = seconds_of_two_threads(large, 2)
    print(f"\n{labels.shape}, {np.unique(labels).size - 1} grains; 8 times that in the last column")
    print("| | s | s, 8 times | growth / 8 |\n| :--- | ---: | ---: | ---: |")
    for name, seconds in taken.items():
        grown = of_large.get(name)
        more = f"{grown:.4f} | {grown / seconds / 8:.2f}" if grown else "|"
        print(f"| {name} | {seconds:.4f} | {more} |")
    one, bare = taken["all, 1 thread"], taken["without hulls, 1 thread"]
    print("\n| ratio | measured | wanted |\n| :--- | ---: | ---: |")
    for name, value, wanted in (
        ("scikit-image / all", taken["scikit-image area, inertia, solidity"] / one, ">= 50"),
        ("SimpleITK / all", taken["SimpleITK LabelShapeStatistics"] / one, ">= 3"),
        ("without hulls / (labels + 1)", bare / taken["numpy labels + 1"], "<= 20"),
        (
            "the same, 8 times",
            of_large["without hulls, 1 thread"] / of_large["numpy labels + 1"],
            "<= 20",
        ),
        ("1 thread / 2 threads", one / taken["all, 2 threads"], ">= 1.7"),
        (
            "the same, 8 times",
            of_large["all, 1 thread"] / of_large["all, 2 threads"],
            ">= 1.7",
        ),
        ("8 times / (8 * once)", of_large["all, 1 thread"] / one / 8, "0.85 to 1.15"),
    ):
        print(f"| {name} | {value:.2f} | {wanted} |")


MEMORY = """
import pathlib, sys, numpy as np
from electrode_grains.morphometry import measure_particle
def kilobytes(key):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))
few = np.zeros((20, 20, 20), np.int32)
few[5:12, 5:12, 5:12], few[12:15, 5:12, 5:10] = 1, 2
measure_particle(few, (50, 50, 50))  # compiled code is not the volume's memory
labels = np.load(sys.argv[1])
before = kilobytes("VmRSS")
pathlib.Path("/proc/self/clear_refs").write_text("5")
measured = measure_particle(labels, (50, 50, 50), threads=int(sys.argv[2]))
print((kilobytes("VmHWM") - before) * 1024 / labels.nbytes + 1)
"""


def compare_memory(labels: NDArray[np.int32], path: str) -> None:
    """Peak of resident memory over the volume's own, in a fresh process (Linux)."""
    np.save(path, labels)
    for threads in (1, 2):
        command = [sys.executable, "-c", MEMORY, path, str(threads)]
        peak = float(subprocess.run(command, capture_output=True, check=True).stdout)
        print(f"| peak memory / volume {labels.shape}, {threads} threads | {peak:.2f} | <= 1.3 |")


def compare_edge_rules(windows: int = 30, size: int = 40) -> None:
    """Means of whole grains in small windows of a large virtual particle, by edge rule."""
    rng = np.random.default_rng(4)
    large = generate_particle((120, 120, 120), SPACING, rng)
    truth = characterize_grains(large, SPACING).set_index("label")
    center = truth[[f"centroid_{axis}_nm" for axis in "zyx"]].to_numpy() / SPACING
    found: dict[str, list[pd.Series]] = {"centroid in the window": []}
    for first in rng.integers(30, 90 - size, (windows, 3)):
        box = tuple(slice(start, start + size) for start in first)
        inside = ((center >= first) & (center < first + size)).all(axis=1)
        found["centroid in the window"].append(truth.loc[inside, DESCRIPTORS])
        table = characterize_grains(large[box], SPACING)
        whole = table.loc[~table["touches_window"]]
        thinned = whole.loc[thin_by_weight(whole["edge_weight"].to_numpy(), rng)]
        for rule, part in (("all", table), ("exclude", whole), ("thinned", thinned)):
            found.setdefault(rule, []).append(part[DESCRIPTORS])
        found.setdefault("weighted", []).append(whole[[*DESCRIPTORS, "edge_weight"]])
    print(f"\n{windows} windows of {size}^3 voxels")
    print("| grains | count | d / nm | s | c | e |\n| :--- | ---: | ---: | ---: | ---: | ---: |")
    for rule, parts in found.items():
        table = pd.concat(parts)
        weights = table.get("edge_weight", pd.Series(1.0, table.index))
        d, *shapes = weighted_means(
            table[DESCRIPTORS].reset_index(drop=True), weights.reset_index(drop=True)
        )
        cells = " | ".join(f"{value:.3f}" for value in shapes)
        print(f"| {rule} | {len(table)} | {d:.1f} | {cells} |", flush=True)


def main() -> None:
    import tempfile

    print("\n# Morphometry\n\n" + ", ".join(f"{name} {version(name)}" for name in PEERS))
    rng = np.random.default_rng(0)
    labels = bent_cells(PAPER_WINDOW, SEEDS, rng)
    large = bent_cells(tuple(2 * n for n in PAPER_WINDOW), 8 * SEEDS, rng)
    compare_speed(labels, large)
    with tempfile.TemporaryDirectory() as folder:
        compare_memory(labels, f"{folder}/labels.npy")
        compare_memory(large, f"{folder}/labels.npy")
    compare_edge_rules()


if __name__ == "__main__":
    main()
