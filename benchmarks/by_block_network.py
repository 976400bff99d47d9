"""Time and memory of contrast and network, in core and by block.

``python -m benchmarks.by_block_network 96 192 [--window 64] [--edge 64] [--folder DIR]`` makes
aligned volumes of a ball of random crystals, and runs each case in a process of its own with the
embedded network and one thread.
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
from scipy import ndimage
from scipy.spatial.transform import Rotation

from electrode_grains.blocks import ExecutorSettings
from electrode_grains.boundary import embedded_network, network_state, predict_class_probabilities
from electrode_grains.boundary.settings import ContrastSettings, PredictionSettings
from electrode_grains.by_block import build_contrast_by_block, predict_by_block
from electrode_grains.datasets.network import read_network, write_weights
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.ebsd import ORIENTATION_CHANNELS, ScanIndex
from electrode_grains.pipelines.boundary_model.nodes import build_contrast
from electrode_grains.runs.machine import peak_memory
from electrode_grains.volumes import as_volume

SPACING = (50.0, 50.0, 50.0)
INDEX = ScanIndex((), (), "-3m", 1.0, "", False, None)
SETTINGS = ContrastSettings()
CELL = 16  # voxels of a crystal along each axis


def make(size: int, folder: Path) -> None:
    """Write image quality with a drift, crystals that are cubes, and the embedded network."""
    rng = np.random.default_rng(size)
    quality = 100 + 20 * ndimage.gaussian_filter(rng.standard_normal((size,) * 3, np.float32), 1)
    quality *= np.linspace(1, 0.8, size, dtype=np.float32)[:, None, None]
    count = -(-size // CELL)
    crystals = Rotation.random(count**3, rng=1).as_quat(scalar_first=True)
    field = crystals.reshape(count, count, count, 4).astype(np.float32)
    for axis in range(3):
        field = np.repeat(field, CELL, axis=axis)
    stored = np.empty((5, size, size, size), np.float32)
    stored[:4] = np.moveaxis(field[:size, :size, :size], -1, 0)
    stored[4] = rng.random((size,) * 3, np.float32)
    for volume in (
        as_volume(quality, SPACING, "image_quality_volume"),
        as_volume(stored, SPACING, "orientation_volume", ORIENTATION_CHANNELS),
    ):
        VolumeDataset(filepath=str(folder / f"{volume.name}.ome.zarr")).save(volume)
    write_weights(*network_state(embedded_network(SETTINGS.channels)), folder / "network")


def measure_case(source: Path, folder: Path, window: int, edge: int) -> dict[str, object]:
    """Run one case, by block where there is an edge."""
    prediction = PredictionSettings(window_shape=(window,) * 3, threads=1)
    paths = [source / f"{n}_volume.ome.zarr" for n in ("image_quality", "orientation")]
    before, start = time.process_time(), time.perf_counter()
    if edge:
        compute = ExecutorSettings(block_edge=edge)
        made = build_contrast_by_block(*paths, INDEX, folder, compute=compute)
        between = time.process_time()
        found = predict_by_block(
            made.contrast, source / "network", folder, compute=compute, prediction=prediction
        )
    else:
        contrast = build_contrast(*map(read_volume, paths), INDEX, SETTINGS)
        between = time.process_time()
        network = read_network(source / "network")
        probability = predict_class_probabilities(network, contrast.to_numpy(), settings=prediction)
    row = {
        "wall": time.perf_counter() - start,
        "contrast": between - before,
        "network": time.process_time() - between,
        "peak": peak_memory() / 1e9,
    }
    if edge:  # read for the digest alone
        contrast = read_volume(made.contrast)
        probability = read_volume(found.probability).to_numpy()
    for name, array in (("contrast", contrast.to_numpy()), ("probability", probability)):
        row[f"{name}_digest"] = hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:12]
    return row


def main() -> None:
    """Print a table of all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--edge", type=int, default=64)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        source, edge = arguments.case
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            found = measure_case(Path(source), Path(folder), arguments.window, int(edge))
        sys.stdout.write(json.dumps(found))
        return
    print("| voxels | computed | wall s | contrast s | network s | peak GB | contrast | network |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- | --- |")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for size in arguments.sizes:
            source = Path(folder) / str(size)
            source.mkdir()
            make(size, source)
            for edge in (0, arguments.edge):
                base = [sys.executable, "-m", "benchmarks.by_block_network", str(size)]
                done = subprocess.run(
                    [*base, "--folder", folder, "--window", str(arguments.window),
                     "--case", str(source), str(edge)],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                row = json.loads(done.stdout)
                name = f"by block of {edge}" if edge else "in core"
                print(
                    f"| {size}^3 | {name} | {row['wall']:.0f} | {row['contrast']:.1f} | "
                    f"{row['network']:.1f} | {row['peak']:.2f} | {row['contrast_digest']} | "
                    f"{row['probability_digest']} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
