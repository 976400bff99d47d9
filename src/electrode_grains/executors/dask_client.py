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
def open_client(
    scheduler_address: str | None, n_workers: int, otherwise: str, *, in_processes: bool = False
) -> Iterator[Client]:
    """Client of a scheduler, or of workers on this machine.

    Parameters
    ----------
    scheduler_address : str or None
        None for this machine.
    n_workers : int
        On this machine.
    otherwise : str
        What works without a scheduler.
    in_processes : bool
        Whether workers on this machine are processes, which talk by TLS with keys of their own, so
        that nobody else gives them tasks; or threads of this process.

    Raises
    ------
    RunError
        If the scheduler cannot be reached.
    """
    from distributed import Client, LocalCluster, Security

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # outcomes say what went wrong
    if scheduler_address is None:
        # No port takes tasks of others, and the pages are for this machine alone.
        own = {"security": Security.temporary(), "protocol": "tls"} if in_processes else {}
        with (
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                processes=in_processes,
                host=LOCAL_HOST if in_processes else None,
                **own,
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
