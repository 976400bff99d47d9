"""Measure the reading of a slice of the paper's size against libraries that read it too.

Run with `python -m benchmarks.reading`. All times come from one run, the least of several, on one
thread; the memory is that of a stack beside its own arrays.
"""

from __future__ import annotations

import os
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from orix import io as orix_io

from electrode_grains.ebsd import read_scan, scan_readers, stack_scans, write_scan

ROWS, COLUMNS, SLICES, REPETITIONS = 221, 235, 91, 7


def made_scan(seed: int) -> xr.Dataset:
    rng, shape = np.random.default_rng(seed), (ROWS, COLUMNS)
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), rng.uniform(50, 300, shape).astype(np.float32)),
            "confidence_index": (("y", "x"), rng.uniform(0.1, 1, shape).astype(np.float32)),
            "euler_angles": (("y", "x", "angle"), rng.uniform(0, 3, (*shape, 3))),
            "phase": (("y", "x"), np.ones(shape, np.int16)),
        },
        attrs={"step_nm": (50.0, 50.0), "phases": ({"id": 1, "symmetry": "32"},)},
    )


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"slice_{z:03d}.ang" for z in range(SLICES)]
        for z, file in enumerate(files):
            write_scan(made_scan(z), file)
        _compare_times(files[0])
        _measure_memory(files)


def _compare_times(file: Path) -> None:
    readers: dict[str, Callable[[], Any]] = {
        "electrode_grains.ebsd.read_scan": partial(read_scan, file),
        "orix.io.load": partial(orix_io.load, file),
        "numpy.loadtxt": partial(np.loadtxt, file),
        "pandas.read_csv": partial(pd.read_csv, file, sep=r"\s+", header=None, comment="#"),
    }
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(REPETITIONS):
        for name, read in readers.items():
            start = time.perf_counter()
            read()
            times[name].append(time.perf_counter() - start)
    ours = min(times["electrode_grains.ebsd.read_scan"])
    print(f"{ROWS} x {COLUMNS} points, {os.path.getsize(file) / 1e6:.1f} MB")
    print("| reader | ms | ratio |\n| :--- | ---: | ---: |")
    for name, seconds in times.items():
        print(f"| {name} | {1e3 * min(seconds):.1f} | {min(seconds) / ours:.2f} |")


def _measure_memory(files: list[Path]) -> None:
    readers = {name: read for file in files for name, read in scan_readers(file).items()}
    tracemalloc.start()
    start = time.perf_counter()
    stack = stack_scans(readers, 50.0)
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    print(
        f"a stack of {len(files)} slices: {seconds / len(files) * 1e3:.0f} ms a slice (traced), "
        f"peak memory {peak / stack.nbytes:.2f} times its arrays"
    )


if __name__ == "__main__":
    main()
