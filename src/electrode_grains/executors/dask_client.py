"""A client of dask.distributed: of a running scheduler, or of workers within this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from electrode_grains.errors import RunError, SettingsError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10
LOCAL_HOST = "127.0.0.1"  # this machine alone
LOCAL = f"{LOCAL_HOST}:0"


def check_installed(otherwise: str) -> None:
    """Refuse work on dask where it is not installed.

    Parameters
    ----------
    otherwise : str
        What works without.

    Raises
    ------
    SettingsError
    """
    if find_spec("distributed") is None:
        raise SettingsError(
            "dask.distributed is not installed",
            remedy=f"pip install 'electrode-grains[scale]'; or {otherwise}",
        )


@contextmanager
def open_client(scheduler_address: str | None, n_workers: int, otherwise: str) -> Iterator[Client]:
    """Client of a scheduler, or of workers that are threads of this process.

    Parameters
    ----------
    scheduler_address : str or None
        None for this machine.
    n_workers : int
        On this machine.
    otherwise : str
        What works without a scheduler.

    Raises
    ------
    RunError
        If the scheduler cannot be reached.
    """
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # outcomes say what went wrong
    if scheduler_address is None:
        # Within this process: no port takes tasks, and its pages are for this machine alone.
        with (
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                processes=False,
                dashboard_address=LOCAL,
                worker_dashboard_address=LOCAL,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler_address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            "the scheduler cannot be reached",
            where=scheduler_address,
            found=str(error).splitlines()[0][:200],
            remedy="start it (dask scheduler --host 127.0.0.1), or correct its address; "
            + otherwise,
        ) from None
    try:
        yield client
    finally:
        with suppress(OSError):
            client.close(timeout=CONNECT_SECONDS)
