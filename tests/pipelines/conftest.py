"""The tiny particle, computed once by the true command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Programs that tests start; they find each other beside themselves.
collect_ignore = [
    *("forked_runs.py", "killed_commands.py", "killed_runs.py", "shuffled_runs.py"),
    "starved_runs.py",
]


def run_kedro(project: Path, *words: str, data: Path):
    """Run a Kedro command as a user does, with all data of the `test` environment in `data`."""
    return subprocess.run(
        [sys.executable, "-m", "kedro", *words],
        cwd=project,
        env={**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(data), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="session")
def kedro(project):
    return lambda *words, data: run_kedro(project, *words, data=data)


@pytest.fixture(scope="session")
def demo(kedro, tmp_path_factory) -> Path:
    """Folder with all results of the whole chain."""
    data = tmp_path_factory.mktemp("demo")
    done = kedro("run", "--env", "test", "--pipelines", "demo", data=data)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return data
