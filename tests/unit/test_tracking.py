import os
import socket

import pytest

from electrode_grains import hooks, tracking
from electrode_grains.problems import SettingsProblem

SCORES = {"loss": 0.5, "undefined": float("nan"), "text": "no number"}


@pytest.fixture
def tracker(tmp_path):
    settings = tracking.TrackingSettings(
        tracking_uri="sqlite:///store.db", artifact_root="artifacts"
    )
    yield tracking.open_tracker(settings, tmp_path)
    tracking.close_tracker()


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
    experiment = tracker.client.get_experiment_by_name("modelling").experiment_id
    dead = tracker.client.create_run(
        experiment, tags={tracking.HOST_TAG: socket.gethostname(), tracking.PROCESS_TAG: "999999"}
    )
    alive = tracker.runs["modelling"]
    tracker.start("modelling", "second", {}, {})

    assert tracker.client.get_run(dead.info.run_id).info.status == "KILLED"
    assert tracker.client.get_run(alive).info.status == "RUNNING"
    assert tracker.client.get_run(alive).data.tags[tracking.PROCESS_TAG] == str(os.getpid())


def test_an_epoch_can_tell_what_the_machine_gave_for_it(tracker):
    tracker.start("boundary_model", "demo", {}, {})
    tracking.log_epoch_and_machine({"loss": 0.9}, 0)
    metrics = tracker.client.get_run(tracker.runs["boundary_model"]).data.metrics
    assert metrics["loss"] == 0.9
    assert metrics["system/cpu_seconds"] > 0
    assert metrics["system/peak_memory_mb"] > 10


def test_a_network_of_a_run_without_one_is_refused(tracker):
    tracker.start("boundary_model", "demo", {}, {})
    with pytest.raises(SettingsProblem, match="has no boundary_network"):
        tracking.logged_folder(tracker.runs["boundary_model"], "boundary_network")
    tracking.close_tracker()
    with pytest.raises(SettingsProblem, match="tracking is off"):
        tracking.logged_folder("any", "boundary_network")


def test_without_a_tracker_epochs_are_logged_nowhere():
    tracking.close_tracker()
    tracking.log_epoch({"loss": 1.0}, 0)
    assert tracking.current_run_ids() == {}


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
