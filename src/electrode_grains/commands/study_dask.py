"""Particles on dask.distributed: on this machine, or on the workers of a running scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from electrode_grains.commands.console import echo
from electrode_grains.commands.study_run import FAILED, Job, Outcome, run_particle
from electrode_grains.errors import RunError
from electrode_grains.executors.dask_client import LOCAL_HOST, check_installed, open_client
from electrode_grains.study.settings import ComputeSettings
from electrode_grains.threads import available_cores

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
    check_installed("--workers 0, one after another")
    from distributed import Event, as_completed

    with open_client(
        compute.scheduler_address, compute.n_workers, "--workers N computes on this machine"
    ) as client:
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
