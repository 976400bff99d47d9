"""A training that is killed, that fails, or that starts from another network."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from electrode_grains.datasets.checkpoints import STATE

TRAINING = "boundary_model.training"
WORDS = ("run", "--env", "test", "--pipelines", "boundary_model", "--to-nodes", "train_network")
LONGER = f"{TRAINING}.epochs=4,boundary_model.validation.epochs=0"


@pytest.fixture
def prepared(demo, tmp_path):
    """What the step needs, in a folder of its own."""
    for layer in ("02_intermediate", "03_primary"):
        shutil.copytree(demo / layer, tmp_path / layer)
    return tmp_path


def weights(data):
    return (data / "06_models" / "boundary_network" / "weights.safetensors").read_bytes()


def trainings(data):
    client = MlflowClient(tracking_uri=f"sqlite:///{data / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("boundary_model")
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])


def kill_after_epoch(project, data, epoch):
    """Start the step as a user does, and kill -9 it once it has kept a state."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kedro", *WORDS, "--params", LONGER],
        cwd=project,
        env={**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    state = data / "06_models" / "training_states" / f"epoch_{epoch:05d}" / STATE
    deadline = time.monotonic() + 300
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the training ended before it was killed"


def test_a_killed_training_goes_on_to_the_network_of_an_undisturbed_one(kedro, project, prepared):
    kill_after_epoch(project, prepared, 1)
    assert not (prepared / "06_models" / "boundary_network").exists()

    done = kedro(*WORDS, "--params", LONGER, data=prepared)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "going on after epoch" in done.stdout + done.stderr
    resumed = weights(prepared)
    assert not list((prepared / "06_models" / "training_states").glob("epoch_*"))

    again = kedro(*WORDS, "--force", "--params", LONGER, data=prepared)
    assert again.returncode == 0
    assert "going on after epoch" not in again.stdout + again.stderr
    assert weights(prepared) == resumed
    assert [run.info.status for run in trainings(prepared)] == ["KILLED", "FINISHED", "FINISHED"]


def test_a_training_that_diverges_keeps_its_last_state_and_its_run_is_failed(kedro, prepared):
    settings = f"{LONGER},{TRAINING}.learning_rate=1e30,{TRAINING}.schedule=constant"
    failed = kedro(*WORDS, "--params", settings, data=prepared)
    assert failed.returncode == 2, failed.stdout[-4000:] + failed.stderr[-4000:]
    assert "Traceback" not in failed.stderr
    (run,) = trainings(prepared)
    assert run.info.status == "FAILED"
    assert "not finite" in run.data.tags["failure"]
    assert "step" in run.data.tags["failure"]
    assert "window around z, y, x = (" in run.data.tags["failure"]


@pytest.mark.slow  # four runs of the command
def test_a_training_starts_from_the_network_of_another_run(kedro, demo, prepared):
    network = demo / "06_models" / "boundary_network"
    tiny = f"{LONGER},{TRAINING}.epochs=1,{TRAINING}.learning_rate=1e-12"
    first = kedro(*WORDS, "--params", f"{tiny},{TRAINING}.initial_network={network}", data=prepared)
    assert first.returncode == 0, first.stdout[-4000:] + first.stderr[-4000:]
    from_folder = weights(prepared)
    (run,) = trainings(prepared)
    place = f"mlflow:{run.info.run_id}"
    second = kedro(*WORDS, "--params", f"{tiny},{TRAINING}.initial_network={place}", data=prepared)
    assert second.returncode == 0, second.stdout[-4000:] + second.stderr[-4000:]
    assert run.data.params[f"{TRAINING}.initial_network"] == str(network)
    assert len(from_folder) == len(weights(prepared))

    missing = kedro(
        *WORDS, "--params", f"{tiny},{TRAINING}.initial_network=mlflow:no", data=prepared
    )
    assert missing.returncode == 2
    assert "the MLflow run has no boundary_network" in missing.stderr
