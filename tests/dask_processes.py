"""A dask scheduler and workers that are processes, so that they can be killed."""

import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager


@contextmanager
def scheduler(workers=2):
    """Address of a scheduler with workers that are processes, and the workers."""
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "info"}
    base = [sys.executable, "-m"]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    first = subprocess.Popen(
        [*base, "distributed.cli.dask_scheduler", *local, "--port", "0"],
        env=quiet, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    others = []
    try:
        address = next(
            found.group()
            for line in first.stderr
            if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line))
        )
        threading.Thread(target=first.stderr.read, daemon=True).start()
        others += [
            subprocess.Popen(
                [*base, "distributed.cli.dask_worker", address, *local, "--no-nanny",
                 "--nthreads", "1"],
                env=quiet, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )
            for _ in range(workers)
        ]  # fmt: skip
        yield address, others
    finally:
        for process in [*others, first]:
            process.kill()
            process.wait()
        first.stderr.close()
