"""Which tests run which lines, and how long each takes, on the unharmed sources."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import coverage
import pytest

from benchmarks.mutation.mutants import Mutant
from benchmarks.mutation.trials import (
    BROKEN,
    FAILED,
    PASSED,
    WRAPPING,
    Children,
    interpret,
    run_pytest,
)

LONGEST = 2.0  # seconds; longer tests are left out, so that a survivor costs a minute at most
LONGEST_WATCHED = 6.0  # seconds under coverage, which makes a test of the former take longer
IMPORTED = ""  # context of what runs while a module is imported
FIXTURE = "fixture of "  # context of what a fixture runs for all tests of a file
# Times the limit by the clock, of which others may take most: a test whose worker was stopped waits
# for ever.
WAITING = 20.0
OWN_FILES_OF_COVERAGE = str(Path(coverage.__file__).parent)
SPEEDS = (0.03, 0.2, 1.0)  # seconds: tests of a class stay in the order of their files


@dataclass(frozen=True)
class Baseline:
    """What the tests of a room do.

    Attributes
    ----------
    seconds : dict
        Processor time of each test that passes.
    failed : list of str
        Tests that do not pass: those that take too long or, interpreted, need a compiler.
    tests_of : dict
        For each file and line (as text) the tests that run it, `IMPORTED`, or a fixture.
    imports : list of str
        Modules of other projects that the tests import.
    """

    seconds: dict[str, float]
    failed: list[str]
    tests_of: dict[str, dict[str, list[str]]]
    imports: list[str]

    def tests(self, mutant: Mutant) -> list[str]:
        """Tests that may notice a mutant: quick ones and those that run its very line first."""
        lines = self.tests_of.get(mutant.file, {})
        first = mutant.line if mutant.scope == "lambda" else mutant.first_line
        numbers = range(first, mutant.line + 1)
        contexts = {context for line in numbers for context in lines.get(str(line), ())}
        reached = self._known(contexts - {IMPORTED})
        # While a module is imported a lambda is made, but not called.
        if mutant.scope == "module" or (mutant.scope == "function" and IMPORTED in contexts):
            near = self._known({context for line in lines.values() for context in line})
            return [*reached, *_without(near, reached), *_without(self._known(None), near)]
        return reached

    def reaching(self, files: set[str]) -> list[str]:
        """Tests that stand in some files, or run a line of them other than by importing them."""
        found = {
            context
            for file in files
            for contexts in self.tests_of.get(file, {}).values()
            for context in contexts
        }
        within = {test for test in self.seconds if test.split("::")[0] in files}
        return self._known(found - {IMPORTED} | within)

    def _known(self, contexts: set[str] | None) -> list[str]:
        def meets(test: str) -> bool:
            return contexts is None or bool({test, FIXTURE + test.split("::")[0]} & contexts)

        quick = (test for test, spent in self.seconds.items() if spent <= LONGEST)
        return sorted(filter(meets, quick), key=self._speed)

    def _speed(self, test: str) -> int:
        return sum(self.seconds[test] > limit for limit in SPEEDS)


def _without(tests: list[str], others: list[str]) -> list[str]:
    known = set(others)
    return [test for test in tests if test not in known]


class _Watch:
    """Plugin of pytest: tells coverage which test runs, and keeps its time and outcome."""

    def __init__(self, tracer: coverage.Coverage, package: str, limit: float) -> None:
        self.tracer, self.package, self.limit = tracer, package, limit
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self.stopped: set[str] = set()

    def pytest_collection_finish(self) -> None:
        for number in (signal.SIGPROF, signal.SIGALRM):
            signal.signal(number, _too_long)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        self._forget_results()
        self.tracer.switch_context(item.nodeid)
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, self.limit)
        signal.setitimer(signal.ITIMER_REAL, WAITING * self.limit, WAITING * self.limit)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.seconds[item.nodeid] = time.process_time() - start

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[Any]:
        if fixturedef.scope == "function":
            return (yield)
        self.tracer.switch_context(FIXTURE + request.node.nodeid)
        try:
            return (yield)
        finally:
            self.tracer.switch_context(request._pyfuncitem.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Iterator[Any]:
        if call.excinfo is not None and call.excinfo.errisinstance(_TooLongError):
            self.stopped.add(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def _forget_results(self) -> None:
        """Clear the caches of functions, so that each test runs all lines it needs."""
        for name, module in list(sys.modules.items()):
            if name.startswith(self.package):
                for value in vars(module).values():
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()


class _TooLongError(BaseException):
    """Not an Exception, of which hypothesis would seek a smaller example, without a limit."""


def _too_long(number: int, frame: FrameType | None) -> None:
    """Stop a test; in the midst of coverage's own work, which would keep its lock, soon after."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(OWN_FILES_OF_COVERAGE):
            timer = signal.ITIMER_PROF if number == signal.SIGPROF else signal.ITIMER_REAL
            signal.setitimer(timer, 0.01, LONGEST)
            return
        frame = frame.f_back
    raise _TooLongError


class _Only:
    """Plugin of pytest: runs some tests, all where none are named."""

    def __init__(self, tests: Collection[str] | None) -> None:
        self.tests = tests

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.tests is not None:
            items[:] = [item for item in items if item.nodeid in self.tests]


def find_baseline(
    project: Path,
    room: str,
    build: Path,
    interpreted: tuple[str, ...] = (),
    only: Collection[str] | None = None,
) -> Baseline:
    """Run all tests of a room once, or take what the last run on equal files has found.

    Where the loops of some modules are interpreted, only those that reach the first of them.
    """
    mode = f"without-{interpreted[0].rsplit('.', 1)[1]}" if interpreted else "compiled"
    kept = build / f"baseline-{room}-{mode}-{_digest(project, room)}.json"
    if not kept.exists():
        print(f"watching the tests of {room} ({mode})", flush=True)
        children = Children()
        compiled = build / f"numba-{room}-{_digest(project, room, ['src'])}"
        if not compiled.exists():  # so that no test's time is that of numba
            children.start(room, partial(_compile, project, room, compiled))
            list(children.last())
        work = partial(_watch, project, room, kept, interpreted, only)
        children.start(room, work)
        ((_, verdict),) = children.last()
        if verdict.outcome != "survived":
            raise SystemExit(f"the tests of {room} do not pass on the unharmed sources")
    return Baseline(**json.loads(kept.read_text(encoding="utf-8")))


def _compile(project: Path, room: str, done: Path, scratch: Path) -> int:
    """Run all tests of a room without a look at them, and leave a mark."""
    signal.alarm(0)
    code = run_pytest(project, _paths(room), [], scratch)
    done.parent.mkdir(parents=True, exist_ok=True)
    done.touch()
    return code


def _paths(room: str) -> list[str]:
    return [f"tests/unit/{room}", f"src/electrode_grains/{room}"]


def _digest(project: Path, room: str, within: Collection[str] = ("src", "tests")) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for folder in (path for path in _paths(room) if path.split("/")[0] in within):
        for file in sorted((project / folder).rglob("*.py")):
            # By times too, as numba's cache: a test that compiles would seem to hang.
            digest.update(f"{file.name} {file.stat().st_mtime_ns} ".encode() + file.read_bytes())
    return digest.hexdigest()


def _watch(
    project: Path,
    room: str,
    kept: Path,
    interpreted: tuple[str, ...],
    only: Collection[str] | None,
    scratch: Path,
) -> int:
    signal.alarm(0)
    interpret(interpreted)
    sources = project / "src" / "electrode_grains" / room
    tracer = coverage.Coverage(data_file=None, config_file=False, include=[f"{sources}/*"])
    limit = LONGEST if interpreted else LONGEST_WATCHED
    watch = _Watch(tracer, f"electrode_grains.{room}", limit)
    tracer.start()
    options = ["-W", WRAPPING] if interpreted else []
    code = run_pytest(project, _paths(room), [watch, _Only(only)], scratch, *options)
    tracer.stop()
    if not interpreted and (code > FAILED or not set(watch.failed) <= watch.stopped):
        return BROKEN  # which shows what pytest says
    data, tests_of = tracer.get_data(), {}
    for file in data.measured_files():
        lines = data.contexts_by_lineno(file)
        tests_of[os.path.relpath(file, project)] = {
            str(line): sorted(contexts) for line, contexts in lines.items()
        }
    failed = sorted(set(watch.failed))
    passed = {test: spent for test, spent in watch.seconds.items() if test not in failed}
    found = Baseline(passed, failed, tests_of, _imports(project))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return PASSED


def _imports(project: Path) -> list[str]:
    """Names of imported modules that belong to neither the project nor its tests."""
    names = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        is_foreign = file is not None and not Path(file).is_relative_to(project)
        if is_foreign and name == getattr(module, "__name__", None) and name != "__main__":
            names.append(name)
    return names
