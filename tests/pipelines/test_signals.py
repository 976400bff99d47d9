"""Ctrl-C and SIGTERM end commands with one line, and the next one goes on."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from electrode_grains.runs import file_digests


def signalled(command, pattern, number, **options):
    """Start a command, send a signal once it prints a pattern, and return code and output."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        **options,
    )  # fmt: skip
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.search(pattern, line):
            process.send_signal(number)
            pattern = "$^"  # once
    process.stdout.close()
    return process.wait(), "".join(lines)


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_ends_a_run_with_one_line_and_the_next_run_goes_on(
    kedro, project, demo, tmp_path, number, name
):
    data = shutil.copytree(demo, tmp_path / "demo")
    words = ("run", "--env", "test", "--pipelines", "preprocessing")
    code, shown = signalled(
        ("-m", "kedro", *words, "--force"), "step 4 of", number,
        cwd=project, env={**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(data)},
    )  # fmt: skip
    assert code == 128 + number, shown
    assert shown.count(f"Stopped by {name}. What is done is kept") == 1
    assert "Traceback" not in shown
    assert not (data / ".run.json").exists()
    client = MlflowClient(tracking_uri=f"sqlite:///{data / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("particle")
    newest = client.search_runs([experiment.experiment_id])[0]
    assert newest.info.status == "KILLED"
    again = kedro(*words, data=data)
    assert again.returncode == 0, again.stdout + again.stderr
    folder = "02_intermediate"
    assert file_digests([data / folder]).keys() == file_digests([demo / folder]).keys()


BUSY = """
import hashlib, sys
from electrode_grains.interrupts import interruptible, on_interrupt
on_interrupt(lambda: print("tidied", flush=True))
with interruptible("Go on."):
    print("begun", flush=True)
    {work}
"""


@pytest.mark.parametrize(
    "work",
    [
        "__import__('time').sleep(3600)",
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)",  # deep in a library for minutes
        "\n    while True:\n        try:\n            __import__('time').sleep(3600)\n"
        "        except BaseException:\n            pass",  # takes the interrupt for an error
    ],
)
def test_a_process_that_does_not_come_back_is_ended_all_the_same(work):
    code, shown = signalled(("-c", BUSY.format(work=work)), "begun", signal.SIGINT)
    assert code == 130
    assert shown == "begun\ntidied\n\nStopped by Ctrl-C. Go on.\n"


LOADING = """
import time
from electrode_grains import commands
commands.import_module = lambda _: (print("begun", flush=True), time.sleep(3600))
commands.main(["check"])
"""


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_a_signal_while_a_command_is_imported_ends_it_with_the_same_line(number, name):
    code, shown = signalled(("-c", LOADING), "begun", number)
    assert code == 128 + number
    assert re.fullmatch(f"begun\n\nStopped by {name}. Nothing is left half written.*\n", shown)
