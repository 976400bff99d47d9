"""Block work on the workers of dask.distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from electrode_grains import __version__
from electrode_grains.blocks.executor import AHEAD, Result, Task, in_order
from electrode_grains.errors import RunError, UserError
from electrode_grains.executors.dask_client import CONNECT_SECONDS, check_installed, open_client

if TYPE_CHECKING:
    from distributed import Client

OTHERWISE = "executor threads computes on this machine"


@contextmanager
def checked_client(
    scheduler_address: str | None, n_workers: int, *, in_processes: bool = False
) -> Iterator[Client]:
    """Client whose workers have this package; the arguments are those of `open_client`.

    Raises
    ------
    SettingsError
        If dask.distributed is not installed.
    RunError
        If the scheduler cannot be reached, has no worker, or workers have another version.
    """
    check_installed(OTHERWISE)
    with open_client(scheduler_address, n_workers, OTHERWISE, in_processes=in_processes) as client:
        check_workers(client)
        yield client


def check_workers(client: Client) -> None:
    """Refuse a scheduler without workers, and workers with another version of this package.

    Raises
    ------
    RunError
        Naming the first such worker.
    """
    address = str(client.scheduler_info()["address"])
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        versions = client.run(package_version, on_error="return")
    except (TimeoutError, OSError) as error:
        raise RunError(
            "the scheduler has no worker",
            where=address,
            found=f"none within {CONNECT_SECONDS} s ({type(error).__name__})",
            remedy=f"start one: dask worker {address}",
        ) from None
    for worker, version in versions.items():
        if version != __version__:
            is_missing = isinstance(version, BaseException)
            raise RunError(
                "a worker has another version of electrode-grains",
                where=worker,
                found=f"none ({type(version).__name__})" if is_missing else str(version),
                expected=__version__,
                remedy="install the same version for all workers, and start them again",
            )


def package_version() -> str:
    """Version of this package where it is called."""
    return __version__


class DaskExecutor:
    """Calls on the workers of a client; those of a worker that is lost are made elsewhere.

    Parameters
    ----------
    client : distributed.Client
    """

    shares_memory = False

    def __init__(self, client: Client) -> None:
        self._client = client

    def map(self, function: Callable[..., Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Keep all workers at work, and few results waiting."""
        cores = max(1, sum(self._client.ncores().values()))
        return in_order(
            (self._client.submit(function, *arguments, pure=False) for arguments in tasks),
            AHEAD * cores,
            _result_of,
        )


def _result_of(future: Any) -> Any:
    try:
        return future.result()
    except UserError:
        raise
    except Exception as error:
        raise RunError(
            "a block was not computed",
            where=str(future.key),
            found=f"{type(error).__name__}: {error}".splitlines()[0][:300],
            remedy="look at memory and disk of the workers, and at their logs; then run again: "
            "results that are kept are not computed twice",
        ) from error
    finally:
        future.release()
