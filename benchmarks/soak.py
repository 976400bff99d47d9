"""Run the pipeline many times in one process; memory and handles must stay flat.

`python -m benchmarks.soak 100` takes the environment `test`: all steps once, then all but the
training and the pictures, forced. The first runs compile and fill caches; growth is counted from
the tenth of the runs on. Memory is what is left when freed blocks are given back to the system.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
ONCE = ["acquisition", "preprocessing", "boundary_model"]
AGAIN = ["acquisition", "preprocessing", "segmentation", "characterization", "modelling"]


def resident_mib() -> float:
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    data = tempfile.mkdtemp(prefix="soak-")
    os.environ["ELECTRODE_GRAINS_TEST_DATA"] = data
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(PROJECT)
    logging.disable(logging.WARNING)
    rows: list[tuple[float, int, int, int]] = []
    for number in range(1, runs + 1):
        options = {"env": "test", "runtime_params": {"force": True}}
        pipelines = AGAIN if number > 1 else [*ONCE, *AGAIN[2:]]
        with settings.SESSION_CLASS.create(PROJECT, **options) as session:
            session.run(pipeline_names=pipelines)
        handles = len(os.listdir("/proc/self/fd"))
        parts = sum(file.suffix in (".part", ".old") for file in Path(data).rglob(".*"))
        rows.append((resident_mib(), len(gc.get_objects()), handles, parts))
        if number in (1, 2, 5) or number % 10 == 0:
            shown = "run {}: {:.0f} MiB, {} objects, {} handles, {} parts"
            print(shown.format(number, *rows[-1]), flush=True)
    settled = rows[max(runs // 10 - 1, 0)]
    growth = [last - first for first, last in zip(settled, rows[-1], strict=True)]
    print("growth: {:+.1f} MiB, {:+d} objects, {:+d} handles, {:+d} parts".format(*growth))


if __name__ == "__main__":
    main()
