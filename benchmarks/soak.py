"""Run the pipeline many times in one process; memory and handles must stay flat.

`python -m benchmarks.soak 100` takes the environment `test`: all steps once, then all but the
training and the pictures, forced; further words name other pipelines. The first runs compile and
fill caches; growth is counted from the twentieth run, or the middle, on, and told as a slope with
its standard error too. Resident memory is what is
left when freed blocks are given back to the system. Allocated is what C code and Python hold of it:
where that is flat and resident memory grows, blocks in use keep pages of freed ones.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parents[1]
ONCE = ["acquisition", "preprocessing", "boundary_model"]
AGAIN = ["acquisition", "preprocessing", "segmentation", "characterization", "modelling"]


class MallocInfo(ctypes.Structure):
    """What glibc tells of all its arenas, see mallinfo2(3)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks"),
            *("fordblks", "keepcost"),
        )
    )


def memory_mib() -> tuple[float, float]:
    """Resident memory, and what is allocated by malloc and pyarrow."""
    import pyarrow

    gc.collect()
    library = ctypes.CDLL(None)
    if trim := getattr(library, "malloc_trim", None):
        trim(0)
    allocated = pyarrow.total_allocated_bytes()
    if tell := getattr(library, "mallinfo2", None):
        tell.restype = MallocInfo
        info = tell()
        allocated += info.uordblks + info.hblkhd
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, allocated / 2**20


def slope_kib(memory: list[float]) -> tuple[float, float]:
    """Growth in KiB per run of what is given in MiB for each run, and its standard error.

    Runs follow each other: neighbouring residuals are alike, so that fewer than all count.
    """
    runs, kib = np.arange(len(memory)), 1024 * np.array(memory)
    slope, offset = np.polyfit(runs, kib, 1)
    left = kib - slope * runs - offset
    error = np.sqrt((left**2).sum() / (len(runs) - 2) / ((runs - runs.mean()) ** 2).sum())
    alike = float(np.clip((left[1:] * left[:-1]).sum() / max((left**2).sum(), 1e-9), 0, 0.95))
    return float(slope), float(error * np.sqrt((1 + alike) / (1 - alike)))


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    again = sys.argv[2:] or AGAIN
    data = tempfile.mkdtemp(prefix="soak-")
    os.environ["ELECTRODE_GRAINS_TEST_DATA"] = data
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(PROJECT)
    logging.disable(logging.WARNING)
    rows: list[tuple[float, float, int, int, int]] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):  # what was measured until then is told
        for number in range(1, runs + 1):
            options = {"env": "test", "runtime_params": {"force": True}}
            pipelines = again if number > 1 else [*ONCE, *AGAIN[2:]]
            with settings.SESSION_CLASS.create(PROJECT, **options) as session:
                session.run(pipeline_names=pipelines)
            handles = len(os.listdir("/proc/self/fd"))
            parts = sum(file.suffix in (".part", ".old") for file in Path(data).rglob(".*"))
            rows.append((*memory_mib(), len(gc.get_objects()), handles, parts))
            if number in (1, 2, 5) or number % 10 == 0:
                shown = "run {}: {:.1f} MiB, {:.1f} allocated, {} objects, {} handles, {} parts"
                print(shown.format(number, *rows[-1]), flush=True)
    if len(rows) < 2:
        return
    runs = len(rows)
    settled = rows[min(20, (runs + 1) // 2) - 1 :]
    growth = [last - first for first, last in zip(settled[0], rows[-1], strict=True)]
    print(
        "growth: {:+.1f} MiB, {:+.1f} allocated, {:+d} objects, {:+d} handles, {:+d} parts".format(
            *growth
        )
    )
    for what, memory in zip(("resident", "allocated"), zip(*settled, strict=True), strict=False):
        if len(settled) > 3:
            print("{}: {:+.1f} ± {:.1f} KiB per run".format(what, *slope_kib(list(memory))))


if __name__ == "__main__":
    main()
