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
