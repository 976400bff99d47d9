"""Time and memory of segmentation and measurement, in core and by block.

``python -m benchmarks.by_block 128 256 [--edges 64 128] [--folder DIR]`` makes class probabilities
of a rough ball of grains, and runs each case in a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block import find_grains_by_block
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.grains import SegmentationSettings, segment_grains
from electrode_grains.morphometry import measure_particle
from electrode_grains.volumes import as_volume, spacing_of

SETTINGS = SegmentationSettings(merge_mode="iq", minima_depth=0.02, merge_boundary=0.4)


def make(size: int, path: Path) -> None:
    """Write class probabilities: noise of 2 voxels for boundaries, a ball for the particle."""
    generator = np.random.default_rng(size)
    noise = ndimage.gaussian_filter(generator.random((size,) * 3, np.float32), 2)
    noise = (noise - noise.min()) / np.ptp(noise)
    axis = np.linspace(-1, 1, size, dtype=np.float32) ** 2
    radius = np.sqrt(axis[:, None, None] + axis[:, None] + axis)
    background = 1 / (1 + np.exp(-size / 4 * (radius - 0.9)))
    boundary = (1 - background) * noise
    probability = np.stack([boundary, 1 - background - boundary, background]).astype(np.float32)
    volume = as_volume(
        probability, (50, 50, 50), "class_probability_volume",
        channels=("boundary", "interior", "background"),
    )  # fmt: skip
    VolumeDataset(filepath=str(path)).save(volume)


def measure_case(path: Path, folder: Path, executor: str, edge: int) -> dict[str, object]:
    """Run one case, on loops that were compiled before."""
    before, start = time.process_time(), time.perf_counter()
    if executor == "in core":
        volume = read_volume(path)
        labels = segment_grains(volume.to_numpy(), settings=SETTINGS)
        table = measure_particle(labels, spacing_of(volume), threads=1).grains
    else:
        compute = ExecutorSettings(executor=executor, n_workers=2, block_edge=edge)
        if executor == "serial":
            compute = compute.replace(n_workers=None)
        found = find_grains_by_block(path, folder, compute=compute, segmentation=SETTINGS)
        labels, table = read_volume(found.labels).to_numpy(), found.measurement.grains
    return {
        "wall": time.perf_counter() - start,
        "processor": time.process_time() - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "grains": len(table),
        "labels": hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()[:12],
        "table": hashlib.sha256(table.to_csv().encode()).hexdigest()[:12],
    }


def main() -> None:
    """Print a table of all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--edges", type=int, nargs="+", default=[128])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        path, executor, edge = arguments.case
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            found = measure_case(Path(path), Path(folder), executor, int(edge))
        sys.stdout.write(json.dumps(found))
        return
    print("| voxels | computed | wall s | processor s | peak GB | grains | labels | table |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- | --- |")
    cases = [
        ("in core", 0),
        *((e, edge) for edge in arguments.edges for e in ("serial", "threads", "dask")),
    ]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for size in arguments.sizes:
            path = Path(folder) / f"probability_{size}.ome.zarr"
            make(size, path)
            for executor, edge in cases:
                base = [sys.executable, "-m", "benchmarks.by_block", str(size), "--folder", folder]
                done = subprocess.run(
                    [*base, "--case", str(path), executor, str(edge)],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                row = json.loads(done.stdout)
                name = executor if executor == "in core" else f"{executor}, blocks of {edge}"
                print(
                    f"| {size}^3 | {name} | {row['wall']:.0f} | {row['processor']:.0f} | "
                    f"{row['peak']:.2f} | {row['grains']} | {row['labels']} | {row['table']} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
