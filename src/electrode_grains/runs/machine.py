"""What the machine gives, and what a process takes of it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil

CONTROL_GROUP = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
STATUS, PEAK = Path("/proc/self/status"), re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)


def this_machine() -> str:
    """Name of this machine, by which times of earlier runs count."""
    return f"{socket.gethostname()}, {os.cpu_count()} processors"


def cpu_seconds() -> float:
    """Processor time of this process so far, of all threads."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return int(memory.peak_wset)
    # Linux's rusage counts what the process was forked from, a worker's caller for one.
    if STATUS.is_file() and (found := PEAK.search(STATUS.read_text())):
        return int(found[1]) * 1024
    try:
        import resource
    except ImportError:
        return int(memory.rss)
    scale = 1 if psutil.MACOS else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * scale


def memory_limits() -> Iterator[tuple[str, float, str]]:
    """What this process may take at most: of what, how many bytes, and how to raise it."""
    physical = psutil.virtual_memory().total + psutil.swap_memory().total
    yield "memory of this machine", physical, "take a larger machine"
    for file in CONTROL_GROUP:
        if file.is_file() and (text := file.read_text().strip()).isdecimal():
            yield "memory of this container", int(text), "give the container more"
    try:
        import resource
    except ImportError:  # Windows
        return
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY:
        yield "address space", allowed, "raise the limit (ulimit -v)"
