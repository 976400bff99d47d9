"""Runs that are repeated, killed, starved, doubled or fed with damaged files."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.startup import bootstrap_project
from mlflow import MlflowClient

from electrode_grains.configuration import check_results
from electrode_grains.errors import InputError
from electrode_grains.runs import one_run
from pipelines.forked_runs import contents

# Recorded rule: pages and logs name the run that made them, manifests the commit of the code.
NAMES_ITS_RUN = (
    *("report.html", ".manifests", "mlruns", "training_states"),
    *("mlflow.db", "mlflow.db-journal"),
)


def outputs(data):
    """Bytes of all tables, results, volumes, networks, figures."""
    return {
        name: content
        for name, content in contents(data).items()
        if not any(part in NAMES_ITS_RUN for part in Path(name).parts)
    }


def differing(first, second):
    return [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)]


@pytest.fixture
def copy_of_demo(demo, tmp_path):
    return shutil.copytree(demo, tmp_path / "demo")


def test_a_repeated_run_computes_nothing_and_opens_no_experiment(kedro_command, copy_of_demo):
    before = (copy_of_demo / "mlflow.db").read_bytes()
    done = kedro_command("run", "--env", "test", "--pipelines", "demo", data=copy_of_demo)
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


def test_results_of_other_settings_are_refused_outside_a_run_too(
    kedro, project, copy_of_demo, monkeypatch
):
    """After the README's own example of --params; other versions of the code do not matter."""
    monkeypatch.setenv("ELECTRODE_GRAINS_TEST_DATA", str(copy_of_demo))
    bootstrap_project(project)
    names = ["grain_label_volume", "grain_table", "report"]
    check_results(project, "test", names)
    words = ("--pipelines", "segmentation", "--params", "segmentation.grains.minima_depth=0.03")
    done = kedro("run", "--env", "test", *words, data=copy_of_demo)
    assert done.returncode == 0, done.stdout + done.stderr
    with pytest.raises(InputError, match=r"grains\.minima_depth: 0\.03 -> ") as refusal:
        check_results(project, "test", ["grain_label_volume"])
    assert "same --params" in refusal.value.remedy
    given = {"segmentation": {"grains": {"minima_depth": 0.03}}}
    check_results(project, "test", ["grain_label_volume"], runtime_params=given)
    with pytest.raises(InputError, match="grain_label_volume changed"):  # a table of other labels
        check_results(project, "test", names, runtime_params=given)
    check_results(project, "test", names, force=True)


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


def test_a_run_killed_at_a_write_ends_in_the_bytes_of_an_undisturbed_one(
    kedro, project, demo, copy_of_demo
):
    """Killed once a file is written; what the killed run left is swept and taken over."""
    file = copy_of_demo / "02_intermediate/.manifests/scan_index.json"
    before = file.stat().st_ino
    process = start(project, copy_of_demo, "--force", "--pipelines", "preprocessing")
    deadline = time.monotonic() + 300
    while file.stat().st_ino == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    kill(process)
    done = kedro("run", "--env", "test", "--pipelines", "preprocessing", data=copy_of_demo)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "a run was cut off here" in done.stdout + done.stderr
    assert differing(outputs(demo), outputs(copy_of_demo)) == []
    assert not [found for found in copy_of_demo.rglob(".*") if found.suffix in (".part", ".old")]


def output_of(program, *words, before=()):
    """Run a program beside this module and return what it prints."""
    command = [*before, sys.executable, Path(__file__).with_name(program), *words]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=7200
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return done.stdout


def assert_nothing_is_left_over(data):
    assert not [found for found in data.rglob(".*") if found.suffix in (".part", ".old")]
    assert not (data / ".run.json").exists()
    with closing(sqlite3.connect(data / "mlflow.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert MlflowClient(f"sqlite:///{data / 'mlflow.db'}").get_experiment_by_name("particle")


@pytest.mark.parametrize(
    ("kills", "steps", "hit"),
    [
        (10, "quick", 4),
        pytest.param(200, "all", 25, marks=pytest.mark.slow),  # from an empty folder on
    ],
)
def test_a_run_killed_again_and_again_ends_in_the_bytes_of_an_undisturbed_one(
    demo, tmp_path, kills, steps, hit
):
    data = tmp_path / "killed"
    if steps == "quick":
        shutil.copytree(demo, data)
    else:
        data.mkdir()
    found = json.loads(output_of("killed_runs.py", data, kills, steps))
    fell = pd.DataFrame(found["kills"])
    sys.stdout.write(f"{found['seconds']:.0f} s\n{fell.to_string()}\n")
    assert found["failures"] == []
    assert len(fell) == kills
    assert fell["how"].value_counts()["at a write"] >= kills / 5
    assert fell["how"].value_counts()["in a write"] >= kills / 5
    assert fell["step"].nunique() >= hit
    assert fell["place"].nunique() >= hit
    assert fell["change"].nunique() >= min(5, kills // 3)
    assert re.search(r"\b(\d\d) of \1 steps are up to date", found["again"]), found["again"]
    assert differing(outputs(demo), outputs(data)) == []
    assert_nothing_is_left_over(data)


NAMESPACE = ("unshare", "--map-root-user", "--mount")


@pytest.fixture(scope="session")
def may_mount():
    if shutil.which("unshare") is None or subprocess.run([*NAMESPACE, "true"]).returncode != 0:
        pytest.skip("a small disk needs the right to mount in a namespace of its own")


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize(
    ("how", "times", "places"),
    [
        ("filling", 3, 2),
        pytest.param("full", 5, 3, marks=pytest.mark.slow),
        pytest.param("growing", 5, 3, marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_fills_up_stops_a_run_with_one_line_and_loses_nothing(
    demo, tmp_path, how, times, places
):
    """A disk with ever more room beside all results, or one that starts empty and grows."""
    told = output_of("starved_runs.py", tmp_path, demo, how, before=NAMESPACE)
    *starved, last = json.loads(told)
    stopped = [run for run in starved if run["code"] != 0]
    assert len(stopped) >= times
    for run in stopped:
        assert run["code"] == 2, run["shown"]
        assert run["shown"].count("Refused:") == 1
        assert "Traceback" not in run["shown"]
        assert re.search("No space left on device|database or disk is full", run["shown"])
        assert re.search(r"where: +\S", run["shown"]), run["shown"]
        # What is not as it was is new and whole, but for the one whose manifest had no room.
        assert len({Path(name).with_suffix("") for name in run["unrecorded"]}) <= 1
    assert len({re.search("where: +(.*)", run["shown"])[1] for run in stopped}) >= places
    assert last["code"] == 0, last["shown"]
    assert differing(outputs(demo), outputs(tmp_path / "made")) == []
    assert_nothing_is_left_over(tmp_path / "made")


@pytest.mark.usefixtures("may_mount")
def test_a_folder_that_is_read_only_stops_a_run_with_its_name_and_loses_nothing(demo, tmp_path):
    """One layer after another, at last the whole disk; a forced step would write there."""
    told = output_of("starved_runs.py", tmp_path, demo, "read_only", before=NAMESPACE)
    runs = json.loads(told)
    assert len(runs) == 4
    for run in runs:
        assert run["code"] == 2, run["shown"]
        assert run["shown"].count("Refused:") == 1
        assert "Traceback" not in run["shown"]
        assert "Read-only file system" in run["shown"]
        assert re.search(f"where: +.*{run['folder']}", run["shown"])
        # A claim says that a step began to write; it loses nothing.
        changed = {name for name in run["changed"] if not name.endswith(".claim")}
        assert changed <= {"mlflow.db"}
    assert differing(outputs(demo), outputs(tmp_path / "made")) == []


@pytest.mark.parametrize(
    "steps",
    [
        "acquisition,preprocessing,segmentation,characterization",
        pytest.param("demo", marks=pytest.mark.slow),
    ],
)
def test_folders_listed_in_any_order_give_the_same_bytes(demo, copy_of_demo, steps):
    reordered = output_of("shuffled_runs.py", copy_of_demo, 3, "--force", "--pipelines", steps)
    assert int(reordered) > 100
    assert differing(outputs(demo), outputs(copy_of_demo)) == []


@pytest.mark.slow  # the whole chain, three times more
@pytest.mark.parametrize(("threads", "hash_seed"), [("2", "0"), ("1", "12345"), ("2", "77")])
def test_any_number_of_threads_and_any_hash_seed_give_the_same_bytes(
    kedro_command, demo, tmp_path, monkeypatch, threads, hash_seed
):
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, threads)
    monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
    done = kedro_command("run", "--env", "test", "--pipelines", "demo", data=tmp_path)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert differing(outputs(demo), outputs(tmp_path)) == []
