"""A word where the first compilation of loops takes long."""

import logging

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from electrode_grains import compiling, progress
from electrode_grains.compiling import njit
from electrode_grains.exports import lattice

NUMBERS = np.zeros((3, 3, 3), np.int32)
LINE = "compiling the loops of exports (once, kept for later runs)"


@pytest.fixture
def impatient(monkeypatch, caplog):
    """Every compilation takes too long, and none was told of."""
    monkeypatch.setattr(compiling, "SECONDS_WITHOUT_A_WORD", 0.0)
    monkeypatch.setattr(compiling.notice, "_told", set())
    caplog.set_level(logging.INFO, "electrode_grains.compiling")
    return caplog


def test_the_first_slow_compilation_of_a_room_is_told_once(impatient):
    for _ in range(2):
        fresh = njit(lattice.count_interfaces.py_func)  # not kept beside the package
        fresh(NUMBERS)
        fresh(NUMBERS)
    assert impatient.messages == [LINE]


def test_a_quick_compilation_is_not_worth_a_line(impatient, monkeypatch):
    monkeypatch.setattr(compiling, "SECONDS_WITHOUT_A_WORD", 1e6)
    njit(lattice.count_interfaces.py_func)(NUMBERS)
    assert impatient.messages == []


def test_a_live_display_shows_it_as_long_as_it_lasts(impatient, monkeypatch):
    shown = []
    display = Progress(TextColumn("{task.description}"), console=Console(quiet=True))
    add = display.add_task

    def add_task(*args, **kwargs):
        shown.append(args[0])
        return add(*args, **kwargs)

    monkeypatch.setattr(display, "add_task", add_task)
    monkeypatch.setattr(progress, "_display", display)
    njit(lattice.count_interfaces.py_func)(NUMBERS)
    assert shown == [LINE]
    assert display.tasks == []
    assert impatient.messages == []
