"""Runs that are repeated, killed, doubled or fed with damaged files, as a user meets them."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from electrode_grains.manifests import one_run

# Recorded rule: pages and logs name the run that made them, manifests the commit of the code.
NAMES_ITS_RUN = ("report.html", ".manifests", "mlflow.db", "mlruns", "training_states")


def outputs(data):
    """Bytes of all tables, results, volumes, networks, figures."""
    return {
        str(file.relative_to(data)): file.read_bytes()
        for file in sorted(data.rglob("*"))
        if file.is_file() and not any(name in file.parts for name in NAMES_ITS_RUN)
    }


def differing(first, second):
    return [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)]


@pytest.fixture
def copy_of_demo(demo, tmp_path):
    return shutil.copytree(demo, tmp_path / "demo")


def test_a_repeated_run_computes_nothing_and_opens_no_experiment(kedro, copy_of_demo):
    before = (copy_of_demo / "mlflow.db").read_bytes()
    done = kedro("run", "--env", "test", "--pipelines", "demo", data=copy_of_demo)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    shown = done.stdout + done.stderr
    assert re.search(r"\b(\d\d) of \1 steps are up to date", shown), shown
    assert "--force" in shown
    assert "step 1 of" not in shown
    assert (copy_of_demo / "mlflow.db").read_bytes() == before


def test_a_cut_table_is_refused_by_a_later_step_and_made_anew_by_its_own(kedro, demo, copy_of_demo):
    table = copy_of_demo / "07_model_output" / "grain_table.parquet"
    table.write_bytes(table.read_bytes()[:-1000])
    refused = kedro("run", "--env", "test", "--pipelines", "modelling", data=copy_of_demo)
    assert refused.returncode == 2
    assert "grain_table cannot be trusted" in refused.stderr
    assert "Traceback" not in refused.stderr
    done = kedro("run", "--env", "test", "--pipelines", "characterization", data=copy_of_demo)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert table.read_bytes() == (demo / "07_model_output" / "grain_table.parquet").read_bytes()


def test_a_run_in_a_folder_that_is_in_use_is_refused(kedro, tmp_path):
    with one_run(tmp_path):
        done = kedro("run", "--env", "test", data=tmp_path)
    assert done.returncode == 2
    assert "another run works in this data folder" in done.stderr
    assert f"process {os.getpid()}" in done.stderr
    assert "Traceback" not in done.stderr


def start(project, data, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", "run", "--env", "test", *words],
        cwd=project,
        env={**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    "place",
    [
        "02_intermediate/.manifests/scan_index.json",
        pytest.param("02_intermediate/slice_transforms.json", marks=pytest.mark.slow),
        pytest.param("03_primary/.manifests/orientation_volume.json", marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_at_a_write_ends_in_the_bytes_of_an_undisturbed_one(
    kedro, project, demo, copy_of_demo, place
):
    """Killed once a file is written; what the killed run left is swept and taken over."""
    file = copy_of_demo / place
    file.unlink()
    process = start(project, copy_of_demo, "--force", "--pipelines", "preprocessing")
    deadline = time.monotonic() + 300
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    kill(process)
    done = kedro("run", "--env", "test", "--pipelines", "preprocessing", data=copy_of_demo)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "a run was cut off here" in done.stdout + done.stderr
    assert differing(outputs(demo), outputs(copy_of_demo)) == []
    assert not [found for found in copy_of_demo.rglob(".*") if found.suffix in (".part", ".old")]


@pytest.mark.slow  # every kill costs the start of a run
@pytest.mark.parametrize("kills", [20, 200])
def test_a_run_killed_again_and_again_ends_in_the_bytes_of_an_undisturbed_one(
    kedro, project, demo, tmp_path, kills
):
    chance = random.Random(kills)
    steps = "acquisition,preprocessing,boundary_model,segmentation,characterization,modelling"
    for number in range(kills):
        # Most runs go on from the last; every tenth begins anew, so that all steps are hit.
        words = ("--pipelines", steps, *(["--force"] if number % 10 == 0 else []))
        process = start(project, tmp_path, *words)
        time.sleep(chance.uniform(3, 40))
        if process.poll() is None:
            kill(process)
    done = kedro("run", "--env", "test", "--pipelines", "demo", data=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert differing(outputs(demo), outputs(tmp_path)) == []


@pytest.mark.slow  # the whole chain once more
def test_one_thread_and_another_hash_seed_give_the_same_bytes(kedro, demo, tmp_path, monkeypatch):
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PYTHONHASHSEED", "12345")
    done = kedro("run", "--env", "test", "--pipelines", "demo", data=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert differing(outputs(demo), outputs(tmp_path)) == []
