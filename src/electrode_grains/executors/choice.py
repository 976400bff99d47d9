"""The executor that settings choose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from electrode_grains.blocks import (
    BlockExecutor,
    ExecutorSettings,
    SerialExecutor,
    ThreadExecutor,
)
from electrode_grains.threads import wanted_threads


@contextmanager
def open_executor(settings: ExecutorSettings) -> Iterator[BlockExecutor]:
    """Executor of block work, and what it needs, until the end of the context.

    Parameters
    ----------
    settings : ExecutorSettings

    Raises
    ------
    SettingsError
        If a worker's memory does not hold a block, or dask.distributed is not installed.
    RunError
        If the scheduler cannot be reached, has no worker, or workers have another version.

    Examples
    --------
    >>> with open_executor(ExecutorSettings(executor="threads", n_workers=2)) as executor:
    ...     list(executor.map(pow, [(2, 3), (3, 2)]))
    [8, 9]
    """
    settings.check_memory()
    n_workers = settings.n_workers or wanted_threads()
    if settings.executor == "dask":
        from electrode_grains.executors.dask_executor import DaskExecutor, checked_client

        with checked_client(settings.scheduler_address, n_workers) as client:
            yield DaskExecutor(client)
    elif settings.executor == "threads":
        yield ThreadExecutor(n_workers)
    else:
        yield SerialExecutor()
