"""Run tests on a mutant: in a child forked from a process that has imported all it may need.

The parent has imported NumPy, SciPy, numba, pytest and so on, but nothing of this project. Its
child imports the project with the mutated source in place of one file, and runs pytest within.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

PASSED, FAILED, BROKEN = 0, 1, 99  # exit codes of a child; BROKEN is no verdict
LONGEST_TRIAL = 480  # seconds by the clock, for tests that wait and take no processor time
LONGEST_IMPORT = 30.0  # seconds of processor time, up to the first test
MORE_MEMORY = 5 * 2**30  # bytes that a child may take beyond what its parent has
# Interpreted, 64-bit numbers warn when they wrap around; compiled, they do not.
WRAPPING = "ignore:overflow encountered:RuntimeWarning"


@dataclass(frozen=True)
class Task:
    """Tests to run on one module.

    Attributes
    ----------
    module : str
        Dotted name.
    source : str
        Its text, in place of that of the file.
    limits : dict
        Seconds of processor time for each test, in the order to run them.
    interpreted : tuple of str
        Modules whose loops numba does not compile: where the mutated one is for numba, its cache
        would not know the mutant from the original.
    compiles_anew : bool
        Whether numba's cache is left alone, since it keeps code that holds the unharmed source.
    """

    module: str
    source: str
    limits: dict[str, float] = field(repr=False)
    interpreted: tuple[str, ...] = ()
    compiles_anew: bool = False


class MutatedModule(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Finds and loads one module, with another text than its file has."""

    def __init__(self, module: str, file: Path, source: str) -> None:
        super().__init__(module, str(file))
        self.source = source

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)


class PicturesOption:
    """Plugin of pytest: knows the option of pictures, which no test of these rooms takes."""

    def pytest_addoption(self, parser: pytest.Parser) -> None:
        parser.addoption("--mpl", action="store_true")


class ChosenTests:
    """Plugin of pytest: runs the chosen tests in their order, each within its limit."""

    def __init__(self, limits: dict[str, float]) -> None:
        self.limits = limits

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)  # a failure need not be made small
        settings.register_profile("mutants", settings(), phases=phases, database=None)
        settings.load_profile("mutants")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        place = {test: number for number, test in enumerate(self.limits)}
        items[:] = [item for item in items if item.nodeid in place]
        items.sort(key=lambda item: place[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        signal.setitimer(signal.ITIMER_PROF, self.limits[item.nodeid])
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


def run_pytest(
    project: Path, paths: list[str], plugins: list[Any], scratch: Path, *options: str
) -> int:
    """Run pytest in this process, with the settings of the project."""
    os.chdir(project)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and each takes its time
    arguments = ["-q", "-p", "no:cacheprovider", "--tb=line"]
    arguments += [f"--basetemp={scratch / 'tests'}", *options, *paths]
    return int(pytest.main(arguments, plugins=[*plugins, PicturesOption()]))


def interpret(modules: Collection[str]) -> None:
    """Leave the loops of some modules uncompiled; to be called before they are imported."""
    if not modules:
        return
    from electrode_grains import compiling

    compiler = compiling.njit

    def njit(**options: Any) -> Callable[[Any], Any]:
        compiled = compiler(**options)
        return lambda loop: loop if loop.__module__ in modules else compiled(loop)

    compiling.njit = njit


def run_task(project: Path, task: Task, scratch: Path) -> int:
    """Run the tests of a task in this process, up to the first that fails."""
    sources = project / "src"
    sys.path.insert(0, str(sources))
    interpret(task.interpreted)
    if task.compiles_anew:
        import numba

        numba.config.CACHE_DIR = str(scratch / "numba")
    file = sources.joinpath(*task.module.split(".")).with_suffix(".py")
    sys.meta_path.insert(0, MutatedModule(task.module, file, task.source))
    signal.setitimer(signal.ITIMER_PROF, LONGEST_IMPORT)
    try:
        importlib.import_module(task.module)
    except BaseException:  # whatever a fault may raise
        return FAILED
    files = list(dict.fromkeys(test.split("::")[0] for test in task.limits))
    options = ["-x", "-W", WRAPPING] if task.interpreted else ["-x"]
    code = run_pytest(project, files, [ChosenTests(task.limits)], scratch, *options)
    # The tests pass on the unharmed source. Codes 4 and 5: pytest found no tests.
    return PASSED if code == 0 else BROKEN if code in (4, 5) else FAILED


@dataclass(frozen=True)
class Verdict:
    """How a trial ended: "killed", "timeout", "survived" or "broken", and its processor time."""

    outcome: str
    seconds: float


@dataclass
class Children:
    """Processes forked from this one, a few at a time."""

    jobs: int = 1
    running: dict[int, tuple[Any, Path]] = field(default_factory=dict)

    def start(self, key: Any, work: Callable[[Path], int]) -> None:
        """Fork a child that does some work in a folder of its own and returns its exit code."""
        scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
        child = os.fork()
        if child == 0:
            code = BROKEN
            try:
                _confine(scratch)
                code = work(scratch)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(code)
        self.running[child] = key, scratch

    def finished(self) -> Iterator[tuple[Any, Verdict]]:
        """Give what has ended; wait for a child only while there is no room for another."""
        while self.running:
            wait = 0 if len(self.running) >= self.jobs else os.WNOHANG
            child, status, usage = os.wait4(-1, wait)
            if child == 0:
                return
            key, scratch = self.running.pop(child)
            seconds = usage.ru_utime + usage.ru_stime
            yield key, Verdict(_outcome(status, scratch), seconds)
            shutil.rmtree(scratch, ignore_errors=True)

    def last(self) -> Iterator[tuple[Any, Verdict]]:
        """Wait for all that run."""
        self.jobs = 1
        yield from self.finished()


def _outcome(status: int, scratch: Path) -> str:
    if os.WIFSIGNALED(status):
        ended = os.WTERMSIG(status)
        return "timeout" if ended in (signal.SIGPROF, signal.SIGALRM) else "killed"
    outcome = {PASSED: "survived", FAILED: "killed"}.get(os.WEXITSTATUS(status), "broken")
    if outcome == "broken":
        with suppress(OSError):
            print((scratch / "output").read_text(errors="replace")[-3000:], file=sys.stderr)
    return outcome


def _confine(scratch: Path) -> None:
    """Let a child write only to its folder, and take no more time and memory than is decent."""
    output = os.open(scratch / "output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = open(1, "w", closefd=False)  # noqa: SIM115
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.alarm(LONGEST_TRIAL)
