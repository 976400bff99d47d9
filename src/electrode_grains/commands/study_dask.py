"""Particles on dask.distributed: on this machine, or on the workers of a running scheduler."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from electrode_grains.commands.console import echo
from electrode_grains.commands.study_run import FAILED, Job, Outcome, run_particle
from electrode_grains.errors import RunError, SettingsError
from electrode_grains.study.settings import ComputeSettings
from electrode_grains.threads import available_cores

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10
LOCAL_HOST = "127.0.0.1"  # this machine alone
LOCAL = f"{LOCAL_HOST}:0"
LOOKS_BETWEEN = 4  # looks at memory between two questions to the scheduler


def dask_outcomes(jobs: Sequence[Job], compute: ComputeSettings) -> Iterator[Outcome]:
    """Compute particles on workers, in the order in which they end.

    Parameters
    ----------
    jobs : sequence of Job
    compute : ComputeSettings
        A scheduler, or a number of workers on this machine.

    Raises
    ------
    SettingsError
        If dask.distributed is not installed.
    RunError
        If the scheduler cannot be reached.
    """
    if find_spec("distributed") is None:
        raise SettingsError(
            "dask.distributed is not installed",
            remedy="pip install 'electrode-grains[scale]'; or --workers 0, one after another",
        )
    from distributed import Event, as_completed

    with _client(compute) as client:
        if link := _dashboard(client.dashboard_link, compute):
            echo(f"dashboard {link}")
        study = f"electrode-grains-{uuid4().hex}"
        stop = Event(study, client=client)
        futures = {
            client.submit(run_on_worker, job, study, key=f"{job.name}-{study}", priority=-rank): job
            for rank, job in enumerate(jobs)
        }
        try:
            for future in as_completed(futures):
                yield _outcome(future, futures[future])
                future.release()
        except BaseException:
            stop.set()  # the workers end their particles
            raise


def run_on_worker(job: Job, study: str) -> Outcome:
    """Compute a particle on the worker that calls this, until the study is stopped."""
    from dataclasses import replace

    from distributed import Event, get_worker

    if job.threads is None:
        share = available_cores() // max(get_worker().state.nthreads, 1)
        job = replace(job, threads=max(1, share))
    stop, looks = Event(study), 0

    def is_stopped() -> bool:
        nonlocal looks
        looks += 1
        return looks % LOOKS_BETWEEN == 0 and bool(stop.is_set())

    return run_particle(job, is_stopped)


def _dashboard(link: str, compute: ComputeSettings) -> str:
    """Address of dask's pages; those of this process need bokeh, and listen here alone."""
    if compute.scheduler_address is not None:
        return link
    port = urlsplit(link).port
    return f"http://{LOCAL_HOST}:{port}/status" if find_spec("bokeh") and port else ""


def _outcome(future: Any, job: Job) -> Outcome:
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    problem = RunError(
        "the workers that computed the particle were lost",
        found=f"{type(error).__name__}: {str(error).splitlines()[0][:200]}",
        remedy="look at the logs of the workers; where memory was short, allow fewer particles at "
        "once. electrode-grains study run --retry goes on from there",
    )
    return Outcome(job.name, FAILED, 0.0, str(problem))


@contextmanager
def _client(compute: ComputeSettings) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # outcomes say what went wrong
    if compute.scheduler_address is None:
        # Within this process: no port takes tasks, and its pages are for this machine alone.
        with (
            LocalCluster(
                n_workers=compute.n_workers,
                threads_per_worker=1,
                processes=False,  # each particle is a process of its own already
                dashboard_address=LOCAL,
                worker_dashboard_address=LOCAL,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(compute.scheduler_address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            "the scheduler cannot be reached",
            where=compute.scheduler_address,
            found=str(error).splitlines()[0][:200],
            remedy="start it (dask scheduler --host 127.0.0.1), or correct its address; "
            "--workers N computes on this machine",
        ) from None
    try:
        yield client
    finally:
        with suppress(OSError):
            client.close(timeout=CONNECT_SECONDS)
