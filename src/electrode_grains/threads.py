"""One number of threads for all libraries that compute, agreed before they are loaded.

NumPy's BLAS, numba, PyTorch and SciPy each start as many threads as the machine has cores, and
OpenMP's threads spin while they wait for each other: beside other work a training step that takes
a second alone took six. Here all take the same number, and wait without spinning.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

THREADS = "ELECTRODE_GRAINS_THREADS"
"""Environment variable that sets the number of threads; by default the cores of this process."""

_NUMBERS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
_CGROUP = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Count the processor cores that this process may use: affinity and quota of its container.

    Returns
    -------
    int
        At least one.

    Examples
    --------
    >>> available_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _quota() or cores))


def _quota(folder: Path = _CGROUP) -> int | None:
    """Cores that a container may use in the mean; None without a limit."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def wanted_threads(environment: Mapping[str, str] = os.environ) -> int:
    """Number of threads that a user has set, or the cores of this process.

    Examples
    --------
    >>> wanted_threads({"ELECTRODE_GRAINS_THREADS": "3"})
    3
    """
    wanted = environment.get(THREADS, "")
    return int(wanted) if wanted.isdigit() and int(wanted) > 0 else available_cores()


def thread_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables that make all libraries take one number of threads.

    Parameters
    ----------
    environment : mapping
        What a user has set, which stays.

    Returns
    -------
    dict of str
        What to add before a library that computes is loaded.

    Examples
    --------
    >>> added = thread_variables({"ELECTRODE_GRAINS_THREADS": "3", "NUMBA_NUM_THREADS": "1"})
    >>> added["OMP_NUM_THREADS"], "NUMBA_NUM_THREADS" in added
    ('3', False)
    """
    variables = dict.fromkeys(_NUMBERS, str(wanted_threads(environment))) | _WAITING
    return {name: value for name, value in variables.items() if name not in environment}
