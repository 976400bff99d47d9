"""Time and memory of segmentation and measurement, in core and by block.

``python -m benchmarks.by_block 128 256 [--edges 64 128] [--orientations] [--folder DIR]`` makes
class probabilities of a rough ball of grains, and runs each case in a process of its own. With
``--orientations`` boundaries are those of crystals, with gaps, whose orientations decide.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block import find_grains_by_block
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.ebsd import ORIENTATION_CHANNELS
from electrode_grains.grains import SegmentationSettings, segment_grains
from electrode_grains.morphometry import measure_particle
from electrode_grains.runs.machine import peak_memory
from electrode_grains.volumes import as_volume, spacing_of

CELL = 16  # voxels of a crystal along each axis, on average
SETTINGS = SegmentationSettings(merge_mode="iq", minima_depth=0.02, merge_boundary=0.4)


def make(size: int, path: Path, crystals: Path | None = None) -> None:
    """Write class probabilities: noise of 2 voxels for boundaries, a ball for the particle."""
    generator = np.random.default_rng(size)
    noise = ndimage.gaussian_filter(generator.random((size,) * 3, np.float32), 2)
    noise = (noise - noise.min()) / np.ptp(noise)
    if crystals is not None:
        noise *= 2 * ndimage.gaussian_filter(make_crystals(size, crystals), 0.6)
        noise = np.minimum(noise, 1)
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


def make_crystals(size: int, path: Path) -> NDArray[np.float32]:
    """Write orientations: Voronoi crystals, of whose points some are wrong or not indexed.

    Returns 1 beside their faces, 0 elsewhere.
    """
    generator = np.random.default_rng(size + 1)
    count = (size // CELL) ** 3
    tree = cKDTree(generator.random((count, 3)) * size)
    plane = np.stack(np.mgrid[:1, :size, :size], -1).reshape(-1, 3)
    truth = np.stack([tree.query(plane + np.array([z, 0, 0]))[1] for z in range(size)])
    truth = truth.reshape((size,) * 3)
    known = Rotation.random(count, rng=generator).as_quat(scalar_first=True).astype(np.float32)
    stored = np.ones((5, *truth.shape), np.float32)
    stored[:4] = np.moveaxis(known[truth], -1, 0)
    stored[1:4] += generator.normal(0, 0.004, (3, *truth.shape))
    wrong = generator.random(truth.shape) < 0.05
    stored[:4, wrong] = generator.normal(size=(4, int(wrong.sum())))
    stored[:4] /= np.linalg.norm(stored[:4], axis=0)
    stored[:4, generator.random(truth.shape) < 0.03] = np.nan
    volume = as_volume(stored, (50, 50, 50), "orientation_volume", ORIENTATION_CHANNELS)
    VolumeDataset(filepath=str(path)).save(volume)
    return (ndimage.grey_dilation(truth, 3) != truth).astype(np.float32)


def measure_case(
    path: Path, folder: Path, executor: str, edge: int, crystals: Path | None
) -> dict[str, object]:
    """Run one case, on loops that were compiled before."""
    settings = SETTINGS if crystals is None else SETTINGS.replace(merge_mode="combined")
    before, start = time.process_time(), time.perf_counter()
    if executor == "in core":
        volume = read_volume(path)
        field = None if crystals is None else read_volume(crystals).to_numpy()
        labels = segment_grains(volume.to_numpy(), settings=settings, orientations=field)
        table = measure_particle(labels, spacing_of(volume), threads=1, orientations=field).grains
        peak = peak_memory()
    else:
        compute = ExecutorSettings(executor=executor, n_workers=2, block_edge=edge)
        if executor == "serial":
            compute = compute.replace(n_workers=None)
        found = find_grains_by_block(
            path, folder, compute=compute, segmentation=settings, orientations=crystals
        )
        peak = peak_memory()  # before all labels are read for their digest
        labels, table = read_volume(found.labels).to_numpy(), found.measurement.grains
    return {
        "wall": time.perf_counter() - start,
        "processor": time.process_time() - before,
        "peak": peak / 1e9,
        "grains": len(table),
        "labels": hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()[:12],
        "table": hashlib.sha256(table.to_csv().encode()).hexdigest()[:12],
    }


def main() -> None:
    """Print a table of all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--edges", type=int, nargs="+", default=[128])
    parser.add_argument("--orientations", action="store_true")
    parser.add_argument("--executors", nargs="+", default=["serial", "threads", "dask"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        path, executor, edge, crystals = arguments.case
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            field = Path(crystals) if crystals else None
            found = measure_case(Path(path), Path(folder), executor, int(edge), field)
        sys.stdout.write(json.dumps(found))
        return
    print("| voxels | computed | wall s | processor s | peak GB | grains | labels | table |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- | --- |")
    cases = [
        ("in core", 0),
        *((e, edge) for edge in arguments.edges for e in arguments.executors),
    ]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for size in arguments.sizes:
            path = Path(folder) / f"probability_{size}.ome.zarr"
            crystals = Path(folder) / f"orientations_{size}.ome.zarr"
            make(size, path, crystals if arguments.orientations else None)
            given = str(crystals) if arguments.orientations else ""
            for executor, edge in cases:
                base = [sys.executable, "-m", "benchmarks.by_block", str(size), "--folder", folder]
                done = subprocess.run(
                    [*base, "--case", str(path), executor, str(edge), given],
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
