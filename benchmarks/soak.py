"""Run a small part of the pipeline many times in one process; memory and handles must stay flat.

`python -m benchmarks.soak 100` takes the environment `test`: acquisition and preprocessing, all
forced. The first runs compile and fill caches; growth is counted from the tenth of the runs on.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
STEPS = ["acquisition", "preprocessing"]


def resident_mib() -> float:
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
    rows = []
    for number in range(1, runs + 1):
        options = {"env": "test", "runtime_params": {"force": True}}
        with settings.SESSION_CLASS.create(PROJECT, **options) as session:
            session.run(pipeline_names=STEPS)
        handles = len(os.listdir("/proc/self/fd"))
        parts = sum(file.suffix in (".part", ".old") for file in Path(data).rglob(".*"))
        rows.append((resident_mib(), handles, parts))
        if number in (1, 2, 5) or number % 10 == 0:
            memory, handles, parts = rows[-1]
            print(f"run {number}: {memory:.0f} MiB, {handles} handles, {parts} parts", flush=True)
    first = rows[max(runs // 10 - 1, 0)]
    print(f"growth: {rows[-1][0] - first[0]:+.1f} MiB, {rows[-1][1] - first[1]:+d} handles")


if __name__ == "__main__":
    main()
