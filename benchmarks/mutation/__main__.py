"""Draw mutants, try them, and tell how many were killed, module by module.

A sample of 600 takes some 25 minutes of processor time. Results are kept in `build/mutation` as
they come; `--again` tries the survivors of such a file once more.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ["CI"] = "true"  # properties are tested on the same examples every time
os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[2] / "build" / "mutation" / "numba")

from benchmarks.mutation.baseline import Baseline, find_baseline
from benchmarks.mutation.mutants import Mutant, draw, find_mutants
from benchmarks.mutation.report import report
from benchmarks.mutation.rooms import (
    ROOMS,
    callers,
    compiled_modules,
    inlined_modules,
    interpreted_with,
    naming_tests,
)
from benchmarks.mutation.trials import Children, Task, Verdict, run_task

PROJECT = Path(__file__).parents[2]
BUILD = PROJECT / "build" / "mutation"
SLACK, FACTOR = 5.0, 10.0  # a test may take so many seconds, and times its time, more than it did
COMPILING = 60.0  # seconds more where loops are compiled anew


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, default=600, help="mutants to draw (600)")
    parser.add_argument("--all", action="store_true", help="try all mutants, for hours")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (2)")
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--modules", nargs="+", help="only these, as `ang` or `kernels`")
    parser.add_argument("--again", type=Path, help="results whose survivors to try once more")
    parser.add_argument("--report", type=Path, help="results to tell once more, without a trial")
    options = parser.parse_args()

    mutants_of = {}
    for room in options.rooms:
        mutants_of.update(_mutants(ROOMS[room], options.modules))
    possible = {module: len(mutants) for module, mutants in mutants_of.items()}
    if options.report:
        print(report(options.report, possible))
        return
    size = None if options.all else options.sample
    if options.again:
        drawn = _survivors(options.again)
    else:
        drawn = draw(mutants_of, size, options.seed, PROJECT)
    rooms = list(dict.fromkeys(_room(mutant) for mutant in drawn))
    baselines = {room: Watched(room) for room in rooms}
    for room in baselines.values():
        _warm_up(room.compiled)
    name = "again" if options.again else f"seed-{options.seed}"
    results = BUILD / f"{'-'.join([*options.rooms, name])}.jsonl"
    with results.open("w", encoding="utf-8") as file:
        for mutant, verdict in _try_all(drawn, baselines, options.jobs):
            before, after = mutant.change(PROJECT)
            if verdict.outcome == "broken":
                raise SystemExit(f"no verdict on {mutant}")
            row = {**asdict(mutant), **asdict(verdict), "before": before, "after": after}
            print(json.dumps(row), file=file, flush=True)
            if verdict.outcome == "survived":
                print(f"{mutant.file}:{mutant.line} {mutant.operator}: {after}", flush=True)
    text = report(results, possible)
    results.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


class Watched:
    """The tests of a room: with numba's compiler, and without it for a module that is for numba.

    To compile every mutant anew would take half a minute each. Interpreted, some tests of large
    volumes take too long and are left out; an index out of bounds raises, which compiled code
    would not notice. Other modules than the mutated one and those that call its loops stay
    compiled. What compiled loops take in is compiled with the mutant, for the tests that name it.
    """

    def __init__(self, room: str) -> None:
        self.room = room
        self.for_numba = compiled_modules(PROJECT, room)
        self.inlined = inlined_modules(PROJECT, room)
        self.compiled = find_baseline(PROJECT, room, BUILD)

    def task(self, mutant: Mutant) -> Task:
        """Tests to run on a mutant."""
        baseline, interpreted = self.compiled, ()
        if mutant.file in self.inlined:
            own = naming_tests(PROJECT, {mutant.file})
            naming = own | naming_tests(PROJECT, self.inlined)
            limits = {
                test: COMPILING + FACTOR * spent
                for test, spent in baseline.seconds.items()
                if test.split("::")[0] in naming
            }
            limits = dict(sorted(limits.items(), key=lambda it: it[0].split("::")[0] not in own))
            for test in baseline.tests(mutant):  # by lines that ran for arrays, uncompiled
                limits.setdefault(test, COMPILING + FACTOR * baseline.seconds[test])
            return Task(mutant.module, mutant.source(PROJECT), limits, compiles_anew=True)
        if mutant.file in self.for_numba:
            interpreted = interpreted_with(PROJECT, mutant.module)
            near = self.compiled.reaching(callers(PROJECT, interpreted))
            baseline = find_baseline(PROJECT, self.room, BUILD, interpreted, near)
        limits = {test: SLACK + FACTOR * baseline.seconds[test] for test in baseline.tests(mutant)}
        return Task(mutant.module, mutant.source(PROJECT), limits, interpreted)


def _mutants(room: str, modules: list[str] | None) -> dict[str, list[Mutant]]:
    found = {}
    for file in sorted((PROJECT / "src" / "electrode_grains" / room).glob("*.py")):
        name = f"electrode_grains.{room}.{file.stem}"
        if file.stem != "__init__" and (modules is None or file.stem in modules):
            found[name] = find_mutants(file, name, PROJECT)
    return found


def _room(mutant: Mutant) -> str:
    return mutant.module.split(".")[1]


def _survivors(results: Path) -> list[Mutant]:
    """Survivors of an earlier run, unless their source has changed since."""
    kept = []
    for line in results.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        mutant = Mutant(**{key: row[key] for key in Mutant.__dataclass_fields__})
        if row["outcome"] == "survived":
            if mutant.change(PROJECT) == (row["before"], row["after"]):
                kept.append(mutant)
            else:
                print(f"{mutant.file}:{mutant.line} has changed and is passed over")
    return kept


def _warm_up(baseline: Baseline) -> None:
    """Import what the tests import from other projects, so that no child has to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in baseline.imports:
            with suppress(Exception):
                importlib.import_module(name)
    own = [name for name in sys.modules if name.split(".")[0] == "electrode_grains"]
    assert not own, f"{own[:3]} would not be mutated"


def _try_all(
    drawn: list[Mutant], rooms: dict[str, Watched], jobs: int
) -> Iterator[tuple[Mutant, Verdict]]:
    """Try mutants, a few at once; one that no test reaches survives untried."""
    children = Children(jobs)
    for mutant in drawn:
        task = rooms[_room(mutant)].task(mutant)
        if task.limits:
            children.start(mutant, partial(run_task, PROJECT, task))
        else:
            yield mutant, Verdict("survived", 0.0)
        yield from children.finished()
    yield from children.last()


if __name__ == "__main__":
    main()
