"""The tiny particle, computed once by the true command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

# Programs that tests start; they find each other beside themselves.
collect_ignore = [
    *("forked_runs.py", "killed_commands.py", "killed_runs.py", "shuffled_runs.py"),
    "starved_runs.py",
]


def environment(data: Path) -> dict[str, str]:
    """Where all data of the `test` environment lie in a folder."""
    return {**os.environ, "ELECTRODE_GRAINS_TEST_DATA": str(data), "COLUMNS": "200"}


@pytest.fixture(scope="session")
def kedro_command(project):
    """Run a Kedro command as a user does, in a process of its own: it takes seconds to begin."""

    def call(*words: str, data: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kedro", *words],
            cwd=project, env=environment(data), capture_output=True, text=True, timeout=900,
            check=False,
        )  # fmt: skip

    return call


@pytest.fixture(scope="session")
def served(project, tmp_path_factory):
    """Run a program in a fork of a process that has imported everything."""
    folder = tmp_path_factory.mktemp("served")
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forked_runs.py"), folder],
        cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    ) as server:  # fmt: skip

        def call(program: str, *words: object, data: Path) -> subprocess.CompletedProcess[str]:
            asked = {"program": program, "words": [*map(str, words)]}
            server.stdin.write(json.dumps({**asked, "environment": environment(data)}) + "\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
            printed = ((folder / name).read_text() for name in ("shown", "errors"))
            return subprocess.CompletedProcess(words, code, *printed)

        yield call
        server.stdin.close()


@pytest.fixture(scope="session")
def kedro(served):
    """Do what `kedro run` does; the first word is "run"."""
    return lambda _, *words, data: served("kedro run", *words, data=data)


@pytest.fixture(scope="session")
def demo(kedro_command, tmp_path_factory) -> Path:
    """Folder with all results of the whole chain, computed by the first worker that asks."""
    own = tmp_path_factory.mktemp("demo", numbered=False)
    base = tmp_path_factory.getbasetemp()
    common = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "computed"
    with FileLock(f"{common}.lock"):
        if not (finished := common.with_suffix(".finished")).exists():
            done = kedro_command("run", "--env", "test", "--pipelines", "demo", data=common)
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
            finished.touch()
    return shutil.copytree(common, own, dirs_exist_ok=True)
