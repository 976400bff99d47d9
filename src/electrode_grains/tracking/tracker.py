"""Runs in MLflow: what was run, with which parameters, and how well it did.

One pipeline run opens one MLflow run in each experiment it contributes to; candidates of a model
comparison are nested below it.
"""

from __future__ import annotations

import math
import os
import platform
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from electrode_grains import __version__
from electrode_grains.errors import SettingsError
from electrode_grains.runs import code_version
from electrode_grains.runs.machine import peak_memory
from electrode_grains.runs.writing import with_filename
from electrode_grains.text import printable
from electrode_grains.threads import available_cores
from electrode_grains.tracking.store import TrackingSettings, make_store, store_address
from electrode_grains.tracking.views import VIEWS

if TYPE_CHECKING:
    from mlflow import MlflowClient

HOST_TAG, PROCESS_TAG = "electrode_grains.host", "electrode_grains.process"
PARENT_TAG, NAME_TAG = "mlflow.parentRunId", "mlflow.runName"
CLOCK_SECONDS = 2.0  # by which the clocks of a run and of its process may differ
PARAMETER_LENGTH = 500
_START = time.monotonic()


@dataclass(frozen=True)
class _Start:
    """A run that is to be opened."""

    experiment: str
    name: str
    parameters: Mapping[str, Any]
    tags: Mapping[str, str]
    begun: int


class Tracker:
    """Runs of one pipeline run, one for each experiment.

    MLflow takes seconds to import, so runs wait until something needs them: the first step of a
    pipeline begins before the store is opened. They carry the time at which they were started.

    Parameters
    ----------
    tracking_uri : str
        Where MLflow keeps its runs.
    artifact_root : Path
        Folder for artifacts of experiments that are new.
    winners_only : bool
        Log only the best candidate of each comparison.
    """

    def __init__(self, tracking_uri: str, artifact_root: Path, winners_only: bool = False) -> None:
        self.winners_only = winners_only
        self._uri, self._artifact_root = tracking_uri, artifact_root
        self._client: MlflowClient | None = None
        self._waiting: list[_Start] = []
        self._runs: dict[str, str] = {}
        self._experiment_ids: dict[str, str] = {}

    @property
    def client(self) -> MlflowClient:
        """Connection to the store."""
        if self._client is None:
            from mlflow import MlflowClient

            make_store(self._uri, self._artifact_root)
            self._client = MlflowClient(tracking_uri=self._uri)
        return self._client

    @property
    def runs(self) -> dict[str, str]:
        """Ids of the open runs by experiment."""
        self.open()
        return self._runs

    @property
    def experiment_ids(self) -> dict[str, str]:
        """Ids of their experiments."""
        self.open()
        return self._experiment_ids

    def start(
        self,
        experiment: str,
        name: str,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> None:
        """Start a run in an experiment, which is created when it is new."""
        begun = int(time.time() * 1000)
        self._waiting.append(_Start(experiment, name, parameters, {**tags, **_own_tags()}, begun))

    def open(self) -> None:
        """Open the runs that were started and still wait."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._mark_killed()
        for run in waiting:
            self._open(run)

    def _open(self, start: _Start) -> None:
        found = self.client.get_experiment_by_name(start.experiment)
        if found is None:
            location = (self._artifact_root / start.experiment).absolute().as_uri()
            identifier = self.client.create_experiment(start.experiment, artifact_location=location)
        else:
            identifier = found.experiment_id
        run = self.client.create_run(
            identifier,
            start_time=start.begun,
            run_name=printable(start.name, lines=False),
            tags=_shown(start.tags),
        )
        self._runs[start.experiment] = run.info.run_id
        self._experiment_ids[start.experiment] = identifier
        self._log(run.info.run_id, start.parameters, {}, step=0)

    def _mark_killed(self) -> None:
        """Close runs, candidates below them too, whose process is gone: nothing else ever would."""
        found = (self.client.get_experiment_by_name(name) for name in VIEWS)
        known = [experiment.experiment_id for experiment in found if experiment is not None]
        open_runs = "attributes.status = 'RUNNING'"
        for run in self.client.search_runs(known, open_runs) if known else ():
            tags, begun = run.data.tags, run.info.start_time / 1000
            here = tags.get(HOST_TAG) == socket.gethostname()
            if here and not _is_alive(tags.get(PROCESS_TAG, ""), begun):
                self.client.set_terminated(run.info.run_id, status="KILLED")

    def _log(
        self, run_id: str, parameters: Mapping[str, Any], metrics: Mapping[str, Any], step: int
    ) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        self.client.log_batch(
            run_id,
            metrics=[
                Metric(key, float(value), now, step)
                for key, value in metrics.items()
                if _is_number(value)
            ],
            params=[
                Param(key, value[:PARAMETER_LENGTH]) for key, value in _shown(parameters).items()
            ],
        )

    def log_metrics(self, experiment: str, metrics: Mapping[str, Any], step: int = 0) -> None:
        """Log those values that are finite numbers."""
        if experiment in self.runs:
            self._log(self.runs[experiment], {}, metrics, step)

    def log_artifacts(self, experiment: str, path: Path) -> None:
        """Attach a file, or a folder under its own name."""
        run_id = self.runs.get(experiment)
        if run_id is None or not path.exists():
            return
        with with_filename(self._artifact_root):
            if path.is_dir():
                self.client.log_artifacts(run_id, str(path), path.name)
            else:
                self.client.log_artifact(run_id, str(path))

    def log_candidate(
        self,
        experiment: str,
        name: str,
        parameters: Mapping[str, Any],
        metrics: Mapping[str, Any],
        tags: Mapping[str, str],
        status: str = "FINISHED",
    ) -> None:
        """Log a candidate of a comparison as a finished run below the open one.

        Three requests a candidate: hundreds of them wait for the disk as long as for the fits.
        """
        nested = {**tags, **_own_tags(), PARENT_TAG: self.runs[experiment]}
        run = self.client.create_run(
            self.experiment_ids[experiment],
            run_name=printable(name, lines=False),
            tags=_shown(nested),
        )
        self._log(run.info.run_id, parameters, metrics, step=0)
        self.client.set_terminated(run.info.run_id, status=status)

    def set_tag(self, key: str, value: str) -> None:
        """Set a tag on all open runs."""
        for run_id in self.runs.values():
            self.client.set_tag(run_id, key, printable(value)[:PARAMETER_LENGTH])

    def finish(self, status: str) -> None:
        """Close all open runs as FINISHED, FAILED or KILLED."""
        for run_id in self.runs.values():
            self.client.set_terminated(run_id, status=status)
        self._runs.clear()
        self._experiment_ids.clear()

    def kill(self) -> None:
        """Close as KILLED what is open in the store; runs that still wait are never opened."""
        self._waiting = []
        self.finish("KILLED")


def log_study(
    settings: TrackingSettings,
    folder: Path,
    name: str,
    *,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    particles: Mapping[str, Mapping[str, float]],
    failures: Mapping[str, str],
    artifacts: Sequence[Path],
) -> None:
    """Log a study of many particles as one run, with a run below it for each particle.

    Parameters
    ----------
    settings : TrackingSettings
    folder : Path
        Of the study, which relative paths of the store are inside.
    name : str
    parameters, metrics : mapping
        Of the study.
    particles : mapping of str to mapping of str to float
        Metrics of each particle.
    failures : mapping of str to str
        Particles without results, and why.
    artifacts : sequence of Path
    """
    tracker = open_tracker(settings, folder)
    tracker.start("study", name, parameters, {"electrode_grains.version": __version__})
    tracker.log_metrics("study", metrics)
    for particle, values in particles.items():
        tracker.log_candidate("study", particle, {}, values, {"particle": particle})
    for particle, reason in failures.items():
        if particle not in particles:
            tags = {"particle": particle, "failure": reason[:PARAMETER_LENGTH]}
            tracker.log_candidate("study", particle, {}, {}, tags, status="FAILED")
    for path in artifacts:
        tracker.log_artifacts("study", path)
    tracker.finish("FINISHED")
    close_tracker()


_current: Tracker | None = None


def open_tracker(settings: TrackingSettings, project: Path) -> Tracker:
    """Prepare the connection to the store; relative paths are inside the project.

    Raises
    ------
    SettingsError
        If the path is too long for SQLite.
    """
    global _current
    _current = Tracker(
        store_address(settings, project),
        project / settings.artifact_root,
        winners_only=settings.candidates == "winners",
    )
    return _current


def current() -> Tracker | None:
    """Return the tracker of the pipeline run in progress, None without tracking."""
    return _current


def kill_tracker() -> None:
    """Mark the runs of an interrupted pipeline run."""
    if _current is not None:
        _current.kill()


def close_tracker() -> None:
    """Forget the connection."""
    global _current
    _current = None


def log_epoch(metrics: Mapping[str, float], epoch: int) -> None:
    """Log the scores of one epoch of training, where a run is open to take them."""
    if _current is not None:
        _current.log_metrics("boundary_model", metrics, step=epoch)


def log_epoch_and_machine(metrics: Mapping[str, float], epoch: int) -> None:
    """Log the scores of one epoch of training, and what the machine gave for it."""
    log_epoch({**metrics, **system_metrics()}, epoch)


def system_metrics() -> dict[str, float]:
    """Time, processor and memory that this process has taken since its start.

    Examples
    --------
    >>> sorted(system_metrics())
    ['system/cpu_seconds', 'system/load_average', 'system/peak_memory_mb', 'system/seconds']
    """
    return {
        "system/seconds": time.monotonic() - _START,
        "system/cpu_seconds": time.process_time(),
        "system/load_average": psutil.getloadavg()[0],
        "system/peak_memory_mb": peak_memory() / 2**20,
    }


def logged_folder(run_id: str, name: str) -> Path:
    """Fetch a folder that an earlier run has logged.

    Raises
    ------
    SettingsError
        If no store is open, or the run or the folder is not in it.
    """
    from mlflow.exceptions import MlflowException

    if _current is None:
        raise SettingsError(
            "a network of an MLflow run was asked for, but tracking is off",
            found=run_id,
            remedy="set enabled: true in mlflow.yml, or name a folder instead",
        )
    try:
        return Path(_current.client.download_artifacts(run_id, name))
    except (MlflowException, OSError) as error:
        raise SettingsError(
            f"the MLflow run has no {name}",
            found=run_id,
            expected="the id of a finished run of the experiment boundary_model",
        ) from error


def current_run_ids() -> dict[str, str]:
    """Ids of the open runs by experiment, empty without tracking."""
    return dict(_current.runs) if _current is not None else {}


def provenance() -> dict[str, Any]:
    """Versions of what computed a result, and the runs that it was logged to."""
    packages = ("numpy", "scipy", "torch", "scikit-image", "pystackreg", "kedro", "mlflow")
    return {
        "electrode_grains": __version__,
        "computed": date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {available_cores()} cores",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "mlflow_runs": current_run_ids(),
        **code_version(Path.cwd()),
    }


def _shown(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as texts that command no terminal."""
    return {key: printable(str(value)) for key, value in values.items()}


def _own_tags() -> dict[str, str]:
    """Host and process of a run, by which the next one knows whether this one is dead."""
    return {HOST_TAG: socket.gethostname(), PROCESS_TAG: str(os.getpid())}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_alive(process: str, begun: float) -> bool:
    """Whether the process of a run works on; one that began later has its number by chance."""
    try:
        created = psutil.Process(int(process)).create_time()
    except (ValueError, psutil.Error):
        return False
    return bool(created < begun + CLOCK_SECONDS)
