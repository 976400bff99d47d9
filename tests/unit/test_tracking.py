import json
import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node

from electrode_grains import hooks, tracking
from electrode_grains.errors import SettingsError
from electrode_grains.tracking import views

SCORES = {"loss": 0.5, "undefined": float("nan"), "text": "no number"}


@pytest.fixture
def tracker(tmp_path):
    settings = tracking.TrackingSettings(
        tracking_uri="sqlite:///store.db", artifact_root="artifacts"
    )
    yield tracking.open_tracker(settings, tmp_path)
    tracking.close_tracker()


def test_names_tags_and_parameters_command_no_terminal(tracker):
    text = "a\x1b[2J\u202e"
    tracker.start("boundary_model", text, {"given": text}, {"particle": text})
    tracker.set_tag("failure", text)
    run = tracker.client.get_run(tracker.runs["boundary_model"])

    told = (
        run.info.run_name,
        run.data.params["given"],
        *map(run.data.tags.get, ("particle", "failure")),
    )
    assert told == (r"a\x1b[2J\u202e",) * 4


def test_parameters_epochs_and_candidates_arrive_in_the_store(tracker):
    tracker.start("boundary_model", "demo", {"training.epochs": 2}, {"particle": "demo"})
    run_id = tracker.runs["boundary_model"]
    for epoch, loss in enumerate((0.9, 0.4)):
        tracking.log_epoch({**SCORES, "loss": loss}, epoch)
    tracker.log_candidate(
        "boundary_model", "child", {"family": "beta"}, {"aic": -3.0}, {"subject": "s"}
    )
    tracker.finish("FINISHED")

    run = tracker.client.get_run(run_id)
    assert run.data.params == {"training.epochs": "2"}
    assert run.data.metrics == {"loss": 0.4}
    assert [metric.value for metric in tracker.client.get_metric_history(run_id, "loss")] == [
        0.9,
        0.4,
    ]
    (child,) = tracker.client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'"
    )
    assert child.data.metrics == {"aic": -3.0}
    assert child.info.status == "FINISHED"


def test_the_run_of_a_dead_process_is_marked_killed_and_a_living_one_is_not(tracker):
    tracker.start("modelling", "first", {}, {})
    tracker.open()
    experiment = tracker.client.get_experiment_by_name("modelling").experiment_id
    dead = tracker.client.create_run(
        experiment, tags={tracking.HOST_TAG: socket.gethostname(), tracking.PROCESS_TAG: "999999"}
    )
    alive = tracker.runs["modelling"]
    tracker.start("modelling", "second", {}, {})
    tracker.open()

    assert tracker.client.get_run(dead.info.run_id).info.status == "KILLED"
    assert tracker.client.get_run(alive).info.status == "RUNNING"
    assert tracker.client.get_run(alive).data.tags[tracking.PROCESS_TAG] == str(os.getpid())


def test_candidates_of_a_killed_run_are_closed_whatever_runs_next(tracker):
    """In another experiment, though another process has the number of the killed one by now."""
    tracker.start("modelling", "killed", {}, {})
    parent, experiment = tracker.runs["modelling"], tracker.experiment_ids["modelling"]
    long_ago = int(1000 * (psutil.Process().create_time() - 60))
    killed = [
        tracker.client.create_run(
            experiment, start_time=long_ago,
            tags={tracking.HOST_TAG: socket.gethostname(), tracking.PROCESS_TAG: number,
                  tracking.PARENT_TAG: parent},
        )
        for number in (str(os.getpid()), "999999", "")
    ]  # fmt: skip
    tracker.start("particle", "next", {}, {})
    tracker.open()
    states = [tracker.client.get_run(run.info.run_id).info.status for run in killed]
    assert states == ["KILLED"] * 3
    assert tracker.client.get_run(parent).info.status == "RUNNING"


def test_an_epoch_can_tell_what_the_machine_gave_for_it(tracker):
    tracker.start("boundary_model", "demo", {}, {})
    tracking.log_epoch_and_machine({"loss": 0.9}, 0)
    metrics = tracker.client.get_run(tracker.runs["boundary_model"]).data.metrics
    assert metrics["loss"] == 0.9
    assert metrics["system/cpu_seconds"] > 0
    assert metrics["system/peak_memory_mb"] > 10


def test_a_network_of_a_run_without_one_is_refused(tracker):
    tracker.start("boundary_model", "demo", {}, {})
    with pytest.raises(SettingsError, match="has no boundary_network"):
        tracking.logged_folder(tracker.runs["boundary_model"], "boundary_network")
    tracking.close_tracker()
    with pytest.raises(SettingsError, match="tracking is off"):
        tracking.logged_folder("any", "boundary_network")


def test_without_a_tracker_epochs_are_logged_nowhere():
    tracking.close_tracker()
    tracking.log_epoch({"loss": 1.0}, 0)
    assert tracking.provenance()["mlflow_runs"] == {}


@pytest.mark.parametrize(("candidates", "logged"), [("all", 3), ("winners", 2)])
def test_candidates_can_be_logged_for_the_winners_only(tmp_path, candidates, logged):
    row = {"family": "beta", "outcome": "converged", "aic": -3.0, "parameters": {"a": 2.0}}
    marginals = {"characteristics": {"s": {"best": "beta", "candidates": [row, row]}}}
    pair = {"x": "s", "y": "e", "best": {"family": "frank"}, "candidates": [row]}
    unfitted = {"x": "s", "y": "d", "best": None, "candidates": []}
    settings = tracking.TrackingSettings(tracking_uri="sqlite:///store.db", candidates=candidates)
    tracker = tracking.open_tracker(settings, tmp_path)
    tracker.start("modelling", "demo", {}, {})
    experiment = tracker.experiment_ids["modelling"]
    hooks.log_marginals(tracker, marginals)
    hooks.log_copulas(
        tracker, {"pairs": [{**pair, "candidates": [{**row, "rotation": 90}]}, unfitted]}
    )
    tracker.finish("FINISHED")
    tracking.close_tracker()

    nested = tracker.client.search_runs([experiment], "params.family = 'beta'")
    assert len(nested) == logged
    assert {run.data.metrics["fitted.a"] for run in nested} == {2.0}


@pytest.mark.parametrize("made", ["marginal_fits", "copula_fits"])
def test_a_run_that_makes_some_of_the_fits_is_logged_as_a_whole(tmp_path, made):
    """As after a kill between the two, when only the other is left to make."""
    pair = {"x": "s", "y": "e", "best": {"family": "frank"}}
    candidate = {"family": "frank", "rotation": 0, "outcome": "converged", "aic": -3.0}
    fits = {
        "marginal_fits": {"characteristics": {"s": {"best": "f", "candidates": [candidate]}}},
        "copula_fits": {"pairs": [{**pair, "candidates": [candidate]}]},
    }
    pipeline = Pipeline([node(lambda: None, None, made, name="fit")])
    catalog = DataCatalog({name: MemoryDataset(data) for name, data in fits.items()})
    hook = hooks.ExperimentTracking()
    settings = {"tracking_uri": "sqlite:///store.db", "artifact_root": "artifacts"}
    hook.after_context_created(
        SimpleNamespace(project_path=tmp_path, params={}, config_loader={"mlflow": settings})
    )
    hook.before_pipeline_run({}, pipeline, catalog)
    client = tracking.current().client
    hook.after_pipeline_run(pipeline, catalog)

    experiment = client.get_experiment_by_name("modelling")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2  # the run and its one candidate
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_each_experiment_gets_its_columns_and_an_address(tracker, capsys):
    tracker.start("boundary_model", "demo", {}, {})
    tracker.open()
    paths = tracking.save_views(tracker.client)

    found = tracker.client.get_experiment_by_name("boundary_model")
    state = json.loads(found.tags[views.VIEW_TAG + views.VIEW_KEY])
    assert "metrics.`mean.boundary_f1`" in state["selectedColumns"]
    assert {chart["type"] for chart in state["compareRunCharts"]} == {"LINE", "BAR"}
    assert set(paths) == {"boundary_model", "boundary_model in charts"}
    assert all(f"/experiments/{found.experiment_id}/" in path for path in paths.values())


def test_a_store_without_runs_has_no_addresses(tmp_path):
    settings = tracking.TrackingSettings(tracking_uri="sqlite:///new.db")
    assert tracking.addresses(settings, tmp_path, "http://127.0.0.1:5000") == {}
    assert (tmp_path / "new.db").exists()  # for the page to open


@pytest.mark.parametrize("commits", [20, 60])
def test_a_store_whose_making_was_killed_is_made_anew(tracker, tmp_path, commits):
    """MLflow makes its tables one by one, in 80 commits or so."""
    script = (
        "import itertools, os, signal, sqlalchemy; from pathlib import Path;"
        "from electrode_grains import tracking; count = itertools.count(1);"
        f"die = lambda _: next(count) == {commits} and os.kill(os.getpid(), signal.SIGKILL);"
        "sqlalchemy.event.listen(sqlalchemy.engine.Engine, 'commit', die);"
        f"uri = 'sqlite:///{tmp_path / 'store.db'}';"
        f"tracker = tracking.Tracker(uri, Path({str(tmp_path)!r}));"
        "tracker.start('particle', 'demo', {}, {}); tracker.open()"
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    tracker.start("particle", "demo", {}, {})
    assert tracker.client.get_run(tracker.runs["particle"]).info.status == "RUNNING"
    assert not list(tmp_path.glob(".*"))


def test_a_new_store_takes_nothing_over_from_one_that_was_removed(tracker, tmp_path):
    (tmp_path / "store.db-journal").write_bytes(b"what a killed run would have undone")
    tracker.start("particle", "demo", {}, {})
    assert tracker.client.get_run(tracker.runs["particle"]).info.status == "RUNNING"
    assert [file.name for file in tmp_path.glob("store.db*")] == ["store.db"]


def test_a_started_run_waits_for_mlflow_and_keeps_its_time(tmp_path):
    begun = time.time() * 1000
    script = (
        "import sys, time; from pathlib import Path; from electrode_grains import tracking;"
        "settings = tracking.TrackingSettings(tracking_uri='sqlite:///store.db');"
        f"tracker = tracking.open_tracker(settings, Path({str(tmp_path)!r}));"
        "tracker.start('particle', 'demo', {}, {}); waits = 'mlflow' not in sys.modules;"
        "run = tracker.client.get_run(tracker.runs['particle']).info;"
        "print(waits, run.status, run.start_time)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    waits, status, start = told.stdout.split()[-3:]

    assert (waits, status) == ("True", "RUNNING")
    assert begun <= int(start) + 1 <= time.time() * 1000 + 1


MAKER = """
import sys
from pathlib import Path
from electrode_grains.tracking import make_store
sys.stdin.readline()
make_store(f"sqlite:///{sys.argv[1]}", Path(sys.argv[1]).parent / "mlruns")
"""


def test_two_projects_that_make_one_store_at_once_share_it(tmp_path):
    place = tmp_path / "mlflow.db"
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKER, place], stdin=subprocess.PIPE)
        for _ in range(2)
    ]
    for maker in makers:
        maker.communicate(b"go\n")
    assert [maker.returncode for maker in makers] == [0, 0]
    before = place.stat().st_ino
    tracking.make_store(f"sqlite:///{place}", tmp_path / "mlruns")
    assert place.stat().st_ino == before
    assert [file.name for file in tmp_path.iterdir()] == ["mlflow.db"]
    tracker = tracking.Tracker(f"sqlite:///{place}", tmp_path / "mlruns")
    assert tracker.client.create_experiment("particle")


def test_a_path_that_sqlite_cannot_open_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(SettingsError, match="longer than SQLite opens") as refusal:
        tracking.open_tracker(tracking.TrackingSettings(), tmp_path.joinpath(*["d" * 100] * 6))
    assert "tracking_uri" in refusal.value.remedy
