"""Time and memory of reading and registering slices, in core and a few at a time.

``python -m benchmarks.by_block_slices 40 160 [--edge 192] [--folder DIR]`` writes that many `.ang`
slices of random crystals, and runs each case in a process of its own with one thread.
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
import xarray as xr
from scipy import ndimage

from electrode_grains.alignment import AlignmentSettings
from electrode_grains.blocks import ExecutorSettings
from electrode_grains.by_block import read_by_block, register_by_block
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.datasets.volume import read_volume
from electrode_grains.ebsd import StackSettings
from electrode_grains.ebsd.ang import write_scan
from electrode_grains.pipelines.preprocessing.nodes import read_stack, register_slices

CELL = 24  # points of a crystal along each axis
PHASE = {"id": 1, "material_name": "NMC", "formula": "NMC", "symmetry": "32",
         "lattice_constants": "2.870 2.870 14.260 90.000 90.000 120.000"}  # fmt: skip


def make(count: int, edge: int, folder: Path) -> None:
    """Write slices of crystals that are cubes, with noise that is alike from slice to slice."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    cells = -(-edge // CELL)
    noise = rng.standard_normal((5, edge, edge))
    for z in range(count):
        noise = np.roll(noise, 1, axis=0)
        noise[0] = rng.standard_normal((edge, edge))
        quality = 120 + 60 * ndimage.gaussian_filter(noise.mean(axis=0), 1.5) * 4
        layer = np.random.default_rng(1 + z // CELL).uniform(0.1, 3, (cells, cells, 3))
        euler = np.repeat(np.repeat(layer, CELL, axis=0), CELL, axis=1)[:edge, :edge]
        scan = xr.Dataset(
            {
                "image_quality": (("y", "x"), np.maximum(quality, 1).astype(np.float32)),
                "confidence_index": (("y", "x"), np.full((edge, edge), 0.5, np.float32)),
                "euler_angles": (("y", "x", "angle"), euler.astype(np.float32)),
                "phase": (("y", "x"), np.ones((edge, edge), np.int16)),
            },
            attrs={"step_nm": (50.0, 50.0), "phases": (PHASE,), "source": "", "notes": ()},
        )
        write_scan(scan, folder / f"slice_{z:04d}.ang")


def measure_case(scans: Path, folder: Path, by_block: bool) -> dict[str, object]:
    """Read and register a folder of slices."""
    row: dict[str, object] = {}
    begun, start = time.process_time(), time.perf_counter()
    if by_block:
        compute = ExecutorSettings(block_edge=64)
        read = read_by_block(scans, folder, compute=compute)
        between = time.process_time()
        transforms = register_by_block(
            read.image_quality, read.orientations, read.scan_index, folder, compute=compute
        ).transforms
    else:
        stack = read_stack(ScanFolderDataset(path=str(scans)).load(), StackSettings())
        between = time.process_time()
        transforms = register_slices(*stack, AlignmentSettings())
    row |= {
        "wall": time.perf_counter() - start,
        "read": between - begun,
        "register": time.process_time() - between,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    volumes = (
        [read_volume(read.image_quality), read_volume(read.orientations)] if by_block else stack[:2]
    )
    digest = hashlib.sha256(b"".join(volume.to_numpy().tobytes() for volume in volumes))
    row["stacks"] = digest.hexdigest()[:12]
    text = json.dumps(transforms.to_dict(), sort_keys=True)
    row["transforms"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    return row


def main() -> None:
    """Print a table of all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--edge", type=int, default=192)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        scans, by_block = arguments.case
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            found = measure_case(Path(scans), Path(folder), by_block == "1")
        sys.stdout.write(json.dumps(found))
        return
    print("| slices | computed | read, processor s | register | peak GB | stacks | transforms |")
    print("| --- | --- | ---: | ---: | ---: | --- | --- |")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for count in arguments.counts:
            scans = Path(folder) / str(count)
            make(count, arguments.edge, scans)
            for by_block in ("0", "1"):
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.by_block_slices", str(count),
                     "--folder", folder, "--case", str(scans), by_block],
                    check=True, stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
                row = json.loads(done.stdout)
                how = "a few at a time" if by_block == "1" else "in core"
                print(
                    f"| {count} of {arguments.edge}^2 | {how} | {row['read']:.1f} "
                    f"| {row['register']:.1f} | {row['peak']:.2f} | {row['stacks']} "
                    f"| {row['transforms']} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
