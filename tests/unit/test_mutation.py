"""The runner of mutation tests: faults that matter are made, and the tests decide on them."""

import json
import subprocess
import sys

import pytest
from benchmarks.mutation.mutants import draw, find_mutants
from benchmarks.mutation.rooms import (
    ROOMS,
    callers,
    compiled_modules,
    inlined_modules,
    interpreted_with,
    naming_tests,
)

HALVES = '''"""Halves of 2 or 3 things."""

from __future__ import annotations

def half(things: int | None = None, *, more: int = 0) -> float | int:
    """Half of 4 is 2."""
    if things is None:
        raise ValueError(f"no {1 + 1} things" + "!" * 3)
    return things / 2
'''
TESTS = """
from halves import half

def test_value():
    assert half(6) == 3

def test_type():
    assert isinstance(half(6), (int, float))
"""
# A program of its own forks before any library has started a thread.
TRIAL = """
import json, sys
from pathlib import Path
from benchmarks.mutation.trials import Children, Task, run_task

project, source, test, seconds = json.loads(sys.stdin.read())
task = Task("halves", source, {f"test_halves.py::{test}": seconds})
children = Children()
children.start("small", lambda scratch: run_task(Path(project), task, scratch))
((_, verdict),) = children.last()
print(verdict.outcome)
"""


@pytest.fixture
def small_project(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "halves.py").write_text(HALVES, encoding="utf-8")
    (tmp_path / "test_halves.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]", encoding="utf-8")
    return tmp_path


@pytest.fixture
def mutants(small_project):
    file = small_project / "src" / "halves.py"
    return find_mutants(file, "halves", small_project)


def test_annotations_docstrings_and_messages_are_not_mutated(small_project, mutants):
    changed = sorted({mutant.change(small_project) for mutant in mutants})
    signature = "def half(things: int | None = None, *, more: int = 0) -> float | int:"
    assert changed == [
        (signature, signature.replace("= 0", "= -1")),
        (signature, signature.replace("= 0", "= 1")),
        ("if things is None:", "if things is not None:"),
        ("return things / 2", "return things * 2"),
        ("return things / 2", "return things / 1"),
        ("return things / 2", "return things / 3"),
    ]


@pytest.fixture
def outcome_of(project):
    """Of one test, on a source in place of that of the small module."""

    def tried(source, test, small_project, seconds=20.0):
        done = subprocess.run(
            [sys.executable, "-c", TRIAL], cwd=project, capture_output=True, text=True, check=True,
            input=json.dumps([str(small_project), source, test, seconds]),
        )  # fmt: skip
        return done.stdout.strip()

    return tried


def test_a_fault_is_killed_by_a_test_of_the_value_and_survives_one_of_the_type(
    small_project, mutants, outcome_of
):
    double = next(mutant for mutant in mutants if mutant.operator.endswith("Div_Mul"))
    assert double.change(small_project) == ("return things / 2", "return things * 2")
    source = double.source(small_project)
    assert outcome_of(source, "test_value", small_project) == "killed"
    assert outcome_of(source, "test_type", small_project) == "survived"
    assert outcome_of(HALVES, "test_value", small_project) == "survived"


def test_a_test_that_never_ends_is_a_timeout(small_project, outcome_of):
    endless = "def half(things):\n    while True:\n        pass\n"
    assert outcome_of(endless, "test_value", small_project, 0.2) == "timeout"


def test_modules_are_drawn_in_proportion_and_equally_for_a_seed(small_project, mutants):
    modules = {"a": mutants, "b": mutants[:2]}
    drawn = draw(modules, 4, 1, small_project)
    assert drawn == draw(modules, 4, 1, small_project)
    assert len(drawn) == 4
    assert len(draw(modules, None, 1, small_project)) == len(mutants) + 2


def test_loops_are_tried_uncompiled_wherever_a_module_takes_its_compiler_from(project):
    """Compiled, a mutant would run the machine code that is kept of the unharmed source."""
    found = set().union(*(compiled_modules(project, room) for room in ROOMS.values()))
    package = project / "src" / "electrode_grains"
    decorated = {
        file.relative_to(project).as_posix()
        for room in ROOMS.values()
        for file in (package / room).glob("*.py")
        if "njit(" in file.read_text(encoding="utf-8")
    }
    assert "src/electrode_grains/morphometry/kernels.py" in found
    assert found == decorated


def test_what_calls_the_loops_of_a_mutated_module_is_interpreted_with_it(project):
    """Compiled loops can call no interpreted one."""
    kernels = "electrode_grains.morphometry.kernels"
    assert interpreted_with(project, kernels) == (kernels, "electrode_grains.morphometry.hulls")
    alone = "electrode_grains.grains.block_kernels"
    assert interpreted_with(project, alone) == (alone,)
    found = callers(project, (alone,))
    assert "src/electrode_grains/grains/block_basins.py" in found
    assert "src/electrode_grains/grains/basins.py" not in found


def test_loops_of_the_modules_named_run_interpreted_and_others_compiled(project):
    program = """
from benchmarks.mutation.trials import interpret
interpret(("electrode_grains.morphometry.hulls",))
from electrode_grains.morphometry import edges, hulls, kernels
for module in (hulls, kernels, edges):
    loops = [each for each in vars(module).values() if hasattr(each, "py_func")]
    print(sum(each.__module__ == module.__name__ for each in loops))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project, capture_output=True, text=True, check=True
    )
    interpreted, *compiled = map(int, done.stdout.split())
    assert interpreted == 0
    assert min(compiled) > 0


def test_what_compiled_loops_take_in_is_compiled_anew_for_the_tests_that_name_it(project):
    """The machine code that is kept of a loop of another file holds the unharmed source."""
    room = "src/electrode_grains/distributions"
    found = inlined_modules(project, "distributions")
    names = ("compiled_densities", "copula_densities", "elementary", "jets")
    assert found == {f"{room}/{name}.py" for name in names}
    assert inlined_modules(project, "grains") == set()
    tests = naming_tests(project, found)
    assert "tests/unit/distributions/test_elementary.py" in tests
    assert "tests/unit/distributions/test_copula_jets.py" in tests
    assert "tests/unit/distributions/test_vines.py" not in tests
