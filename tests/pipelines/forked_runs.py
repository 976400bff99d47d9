"""Runs of the tiny pipeline in forked processes: they begin at once, where a command takes seconds.

The programs beside this module build on it. They fork before any library has started a thread.
As a program itself, python forked_runs.py FOLDER, it does so on demand: see `serve`.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import pkgutil
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
DATA_VARIABLE = "ELECTRODE_GRAINS_TEST_DATA"
PATIENCE = 900  # seconds
NOT_IMPORTED = ("__main__", "viewer")
IMPORTED = (
    *("mlflow.store.tracking.sqlalchemy_store", "matplotlib.backends.backend_agg"),
    *("matplotlib.backends.backend_svg", "plotly.graph_objects", "pyarrow.parquet"),
    *("safetensors.torch", "copulae", "pystackreg", "skimage.measure", "skimage.segmentation"),
)

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Audit events of Python that change a folder, and which of their arguments name the changed place.
CHANGES = {
    "os.mkdir": (0, 2),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.truncate": (0, None),
    "os.rename": (1, 3),
    "os.link": (1, 3),
    "os.symlink": (1, 2),
}
REMOVALS = ("os.remove", "os.rmdir", "os.truncate")
PARTIAL = re.compile(r"^\.(?P<name>.+)\.\d+\.(part|old)$")


def load_everything(data: Path) -> None:
    """Import all that a run in a folder needs; nothing is computed that would start a thread."""
    os.chdir(PROJECT)
    os.environ[DATA_VARIABLE] = str(data)
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(PROJECT)
    import electrode_grains

    for module in pkgutil.walk_packages(electrode_grains.__path__, "electrode_grains."):
        if module.name.rpartition(".")[2] not in NOT_IMPORTED:
            importlib.import_module(module.name)
    for name in IMPORTED:
        importlib.import_module(name)
    settings.SESSION_CLASS.create(env="test").load_context()  # imports what plugins need


def begin_run(words: Sequence[str], shown: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Fork a `kedro run --env test` with some words, and return the id of its process.

    What it prints goes to the file `shown`; `prepare` runs in it first.
    """

    def work() -> None:
        prepare()
        from electrode_grains.cli import run

        run.main(["--env", "test", *words], prog_name="kedro run")

    return fork(work, shown)


def fork(work: Callable[[], None], shown: Path, errors: Path | None = None) -> int:
    """Do some work in a child, which ends with its exit code and prints into files."""
    child = os.fork()
    if child:
        return child
    code: Any = 1
    try:
        files = [shown, errors or shown]
        for file in files:
            file.unlink(missing_ok=True)
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        work()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Watcher:
    """Tells of every change that this process makes in a folder, just before it is made.

    Files that C libraries write are told of where they are forced to the disk, a replaced
    folder at the call that swaps it, the store of MLflow at each commit.

    Parameters
    ----------
    folder : Path
        What is watched.
    tell : callable
        Takes the kind of a change, and the place in the folder.
    """

    def __init__(self, folder: Path, tell: Callable[[str, str], None]) -> None:
        self._folder, self._tell, self._last = str(folder) + os.sep, tell, ""

    def begin(self) -> None:
        """Watch from now on, as long as this process lives."""
        import sqlalchemy

        sys.addaudithook(self._hear)
        sqlalchemy.event.listen(sqlalchemy.engine.Engine, "commit", self._hear_commit)

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = details
            if flags & WRITING:
                self._pass_on("write", path)
            elif ".part" in str(path):
                self._pass_on("sync", path)
        elif event in CHANGES:
            place, base = CHANGES[event]
            path = _absolute(details[place], None if base is None else details[base])
            # A folder that is there already is not made, a file that is not there not removed.
            if os.path.lexists(path) == (event in REMOVALS) or event == "os.rename":
                self._pass_on(event.removeprefix("os."), path)
        elif event == "ctypes.dlsym" and details[1] == "renameat2":
            self._tell("exchange", self._last)

    def _hear_commit(self, connection: Any) -> None:
        self._pass_on("commit", connection.engine.url.database)

    def _pass_on(self, kind: str, path: Any) -> None:
        path = _absolute(path)
        if path.startswith(self._folder):
            self._last = dataset_of(path.removeprefix(self._folder))
            self._tell(kind, self._last)


def _absolute(path: Any, base: int | None = None) -> str:
    """Path of what a call is given: a path, perhaps within an open folder, or an open file."""
    if isinstance(path, int):
        return os.readlink(f"/proc/self/fd/{path}")
    path = os.fsdecode(path)
    if base is not None and base >= 0 and not os.path.isabs(path):
        path = os.path.join(os.readlink(f"/proc/self/fd/{base}"), path)
    return path


def dataset_of(path: str) -> str:
    """Place of a dataset or manifest that a path belongs to, without what a writer adds."""
    parts = [
        found["name"] if (found := PARTIAL.match(part)) else part for part in path.split(os.sep)
    ]
    deep = len(parts) > 2 and parts[1] in (".manifests", "figures", "tables", "training_states")
    return os.sep.join(parts[: 3 if deep else 2])


class StepHandler(logging.Handler):
    """Passes on the name of each step that begins."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.match(r"step \d+ of \d+: (\w+)", record.getMessage()):
            self._tell("step", found[1])


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of all files of a folder."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def serve(folder: Path) -> None:
    """Fork a program for every line that comes in, and answer with its code.

    A line names the program, its words and environment; all work in the project.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed meanwhile is no answer
    load_everything(folder)
    for line in sys.stdin:
        asked = json.loads(line)
        child = fork(lambda asked=asked: _called(**asked), folder / "shown", folder / "errors")
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        answers.flush()


def _called(program: str, words: list[str], environment: dict[str, str]) -> None:
    from electrode_grains import cli, commands

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(environment)
    signal.alarm(PATIENCE)
    main = {"kedro run": cli.run, "electrode-grains": commands.main}[program]
    main(words, prog_name=program)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
