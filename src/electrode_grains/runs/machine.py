"""What the machine gives, and what a process takes of it."""

from __future__ import annotations

import os
import socket

import psutil


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
    try:
        import resource
    except ImportError:
        return int(memory.rss)
    scale = 1 if psutil.MACOS else 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * scale


def available_memory() -> int:
    """Bytes that this process may still take: free memory of the machine, or less by a limit."""
    available = int(psutil.virtual_memory().available)
    try:
        import resource
    except ImportError:
        return available
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        available = min(available, limit - int(psutil.Process().memory_info().vms))
    return max(available, 0)
