"""Particles of a study computed: one process each, here or on the workers of a scheduler."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from electrode_grains import __version__
from electrode_grains.command_line import fault, refusal_in
from electrode_grains.commands.console import echo
from electrode_grains.commands.study_table import Particle, Study
from electrode_grains.errors import RunError
from electrode_grains.progress import duration, time_left
from electrode_grains.runs import atomic_write, one_run
from electrode_grains.study.settings import ComputeSettings
from electrode_grains.threads import THREADS, available_cores, thread_variables

STATUS = "status.json"
LOOK_SECONDS = 0.5  # between two looks at memory and at a stop
END_SECONDS = 5.0  # that a particle which is stopped gets to end by itself
DONE, REFUSED, FAILED = "done", "refused", "failed"


@dataclass(frozen=True)
class Job:
    """All that a worker needs to compute a particle.

    Attributes
    ----------
    study : str
        Folder that this machine and the workers see under one path.
    name : str
    source, settings : mapping
        As in `Particle`; the settings are merged with those of the study.
    threads : int or None
    memory_limit_gb : float or None
    version : str
        Of the program that sent it.
    """

    study: str
    name: str
    source: Mapping[str, str]
    settings: Mapping[str, Any]
    threads: int | None
    memory_limit_gb: float | None
    version: str = __version__


@dataclass(frozen=True)
class Outcome:
    """How a particle ended.

    Attributes
    ----------
    name : str
    state : {"done", "refused", "failed"}
    seconds : float
    reason : str
        Text of the refusal or of the fault.
    host : str
        Machine that computed it.
    """

    name: str
    state: str
    seconds: float
    reason: str = ""
    host: str = ""


def run_study(study: Study, *, retry: bool) -> list[Outcome]:
    """Compute all particles that are not known to fail, and record how each ended.

    Parameters
    ----------
    study : Study
    retry : bool
        Compute those too that failed before with the same data and settings.

    Returns
    -------
    list of Outcome
        Of all particles, in the order of the table.
    """
    with one_run(study.folder):
        known = read_status(study)
        chosen = [
            particle
            for particle in study.particles
            if retry or known.get(particle.name, {}).get("state", DONE) == DONE
        ]
        if kept := len(study.particles) - len(chosen):
            echo(f"{kept} that failed before are left out; --retry computes them again")
        begun = time.monotonic()
        particles = {particle.name: particle for particle in chosen}
        for number, outcome in enumerate(_outcomes(study, chosen), start=1):
            row = {**asdict(outcome), "row": particles[outcome.name].digest(study.settings)}
            known[outcome.name] = row
            _write_status(study, known)
            left = time_left(time.monotonic() - begun, number, len(chosen))
            _tell(outcome, f"{number} of {len(chosen)}" + (f", {left} left" if left else ""))
    return [
        Outcome(**{key: value for key, value in known[particle.name].items() if key != "row"})
        for particle in study.particles
        if particle.name in known
    ]


def _tell(outcome: Outcome, progress: str) -> None:
    end = f"{outcome.state} in {duration(outcome.seconds)}"
    reason = f": {outcome.reason.splitlines()[0]}" if outcome.reason else ""
    echo(f"[{progress}] {outcome.name}: {end}{reason}")


def read_status(study: Study) -> dict[str, dict[str, Any]]:
    """How the particles ended, by name; those whose row was changed since are left out."""
    try:
        recorded = json.loads((study.folder / STATUS).read_text("utf-8"))["particles"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    rows = {particle.name: particle.digest(study.settings) for particle in study.particles}
    return {name: row for name, row in recorded.items() if rows.get(name) == row.get("row")}


def _write_status(study: Study, known: Mapping[str, Mapping[str, Any]]) -> None:
    with atomic_write(study.folder / STATUS) as (partial,):
        text = json.dumps({"schema_version": 1, "particles": known}, indent=1, sort_keys=True)
        partial.write_text(text + "\n", "utf-8")


def _outcomes(study: Study, particles: Sequence[Particle]) -> Iterator[Outcome]:
    compute = study.settings.compute
    jobs = [_job(study, particle, compute) for particle in particles]
    if compute.scheduler_address or compute.n_workers:
        from electrode_grains.commands.study_dask import dask_outcomes  # an extra

        yield from dask_outcomes(jobs, compute)
        return
    for job in jobs:
        yield run_particle(job)


def _job(study: Study, particle: Particle, compute: ComputeSettings) -> Job:
    threads = compute.threads
    if threads is None and not compute.scheduler_address:
        threads = max(1, available_cores() // max(compute.n_workers, 1))
    return Job(
        study=str(study.folder),
        name=particle.name,
        source=dict(particle.source),
        settings=particle.merged(study.settings),
        threads=threads,
        memory_limit_gb=compute.memory_limit_gb,
    )


def run_particle(job: Job, is_stopped: Callable[[], bool] = lambda: False) -> Outcome:
    """Compute a particle in a process of its own; whatever happens to it is an outcome.

    Parameters
    ----------
    job : Job
    is_stopped : callable returning bool
        Whether the study was stopped; asked twice a second.
    """
    begun = time.monotonic()
    try:
        state, reason = _run_process(job, is_stopped)
    except Exception as error:
        text = refusal_in(error)
        state, reason = (FAILED, fault(error)) if text is None else (REFUSED, text)
    return Outcome(job.name, state, time.monotonic() - begun, reason, socket.gethostname())


def _run_process(job: Job, is_stopped: Callable[[], bool]) -> tuple[str, str]:
    folder = Path(job.study)
    if job.version != __version__:
        raise RunError(
            "the worker has another version of electrode-grains",
            where=socket.gethostname(), found=__version__, expected=job.version,
        )  # fmt: skip
    if not folder.is_dir():
        raise RunError(
            "the worker does not see the folder of the study",
            where=socket.gethostname(),
            found=str(folder),
            remedy="put the study on a disk that all machines share under one path",
        )
    project, log = folder / "particles" / job.name, folder / "logs" / f"{job.name}.log"
    project.parent.mkdir(exist_ok=True)
    log.parent.mkdir(exist_ok=True)
    environment = dict(os.environ)
    if job.threads is not None:
        environment |= {THREADS: str(job.threads)} | thread_variables({THREADS: str(job.threads)})
    # A group of its own: Ctrl-C reaches this process, which then ends its particles.
    own_group: dict[str, Any] = (
        {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        if os.name == "nt"
        else {"start_new_session": True}
    )
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "electrode_grains.commands.study_particle"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream,
            cwd=folder, env=environment, **own_group,
        )  # fmt: skip
    task = {"project": str(project), "source": job.source, "settings": job.settings}
    with process:
        try:
            _send(process.stdin, json.dumps(task))
            _watch(process, job, is_stopped)
        finally:
            _end(process)
        return _answer(process, log)


def _send(stream: IO[Any] | None, text: str) -> None:
    assert stream is not None
    with suppress(BrokenPipeError):  # it ended already, and its answer says why
        stream.write(text.encode() + b"\n")
        stream.flush()


def _watch(process: subprocess.Popen[bytes], job: Job, is_stopped: Callable[[], bool]) -> None:
    """Wait for a process, and refuse one that takes more memory than it may."""
    limit = job.memory_limit_gb
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
            return
        if is_stopped():
            raise RunError("the study was stopped")
        if limit is not None and (taken := _memory(process.pid) / 1e9) > limit:
            raise RunError(
                "the particle takes more memory than it may",
                found=f"{taken:.1f} GB",
                expected=f"{limit:g} GB at most (compute.memory_limit_gb in study.yml)",
                remedy="allow more, with fewer workers at once; or crop the scans to the particle",
            )


def _memory(process: int) -> int:
    """Bytes of memory that a process and its children hold."""
    total = 0
    with suppress(psutil.Error):
        root = psutil.Process(process)
        for each in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                total += each.memory_info().rss
    return total


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs: it does so itself once its input is closed."""
    with suppress(OSError):
        process.stdin.close()  # type: ignore[union-attr]
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(psutil.Error):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.wait()


def _answer(process: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    """State and reason that a process ended with."""
    assert process.stdout is not None
    text = process.stdout.read()
    try:
        answer = json.loads(text)
        return answer["state"], answer["reason"]
    except (ValueError, KeyError):
        how = f"signal {-process.returncode}" if process.returncode < 0 else "no answer"
        problem = RunError(
            "the process of the particle was ended from outside",
            where=str(log),
            found=f"{how}, exit code {process.returncode}",
            remedy="electrode-grains study run --retry goes on from there; where memory was short, "
            "with fewer workers at once",
        )
        return FAILED, str(problem)
