"""Executors of block work: chosen by settings, on dask, with results that are kept."""

from electrode_grains.executors.choice import open_executor
from electrode_grains.executors.kept import KeepingExecutor
from electrode_grains.executors.reach import within_reach
from electrode_grains.executors.stored import StoredVolume, create_stored, digest_stored

__all__ = [
    "KeepingExecutor",
    "StoredVolume",
    "create_stored",
    "digest_stored",
    "open_executor",
    "within_reach",
]
