import io
import logging
import threading

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from electrode_grains import progress
from electrode_grains.progress import RunProgress, report_progress

logger = logging.getLogger("electrode_grains.test_progress")


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, logger.name)
    return caplog


def test_long_work_is_reported_to_its_end(log):
    report = report_progress("slices registered", logger=logger, every=0.0)
    for done in (1, 2, 3):
        report(done, 3)
    assert [message.partition(", ")[0] for message in log.messages] == [
        f"{done} of 3 slices registered" for done in (1, 2, 3)
    ]
    assert [" left" in message for message in log.messages] == [True, True, False]


def test_short_work_is_not_worth_a_line(log):
    report_progress("slices registered", logger=logger, every=60.0)(3, 3)
    assert log.messages == []


def test_the_time_left_of_a_run_is_that_of_the_steps_ahead():
    run = RunProgress(["read", "train", "report"], {"read": 5.0, "train": 100.0}, logger)
    run.begin("read")
    seconds, unknown = run.seconds_left()
    assert seconds == pytest.approx(105, abs=1)
    assert unknown == 1
    run.begin("train")
    run.begin("report")
    assert run.seconds_left() == (0.0, 0)


def test_a_silent_step_gives_a_sign_of_life(log, monkeypatch):
    """A step that reports nothing: the line comes from the run."""
    monkeypatch.setattr(progress, "SECONDS_OF_SILENCE", 1.0)
    spoken = threading.Event()
    logger.addFilter(lambda record: "so far" not in record.getMessage() or not spoken.set())
    run = RunProgress(["train"], {"train": 100.0}, logger)
    run.start()
    try:
        run.begin("train")
        assert spoken.wait(60)
    finally:
        run.stop()
    assert "train: " in log.messages[-1]
    assert "so far (2 min in an earlier run)" in log.messages[-1]
    assert "left of the run" in log.messages[-1]


def test_a_display_shows_the_step_and_the_work_and_takes_the_place_of_lines(log, monkeypatch):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "is_watched", lambda: True)
    monkeypatch.setattr(
        progress,
        "_new_display",
        lambda: Progress(TextColumn("{task.description} {task.completed:g}"), console=console),
    )
    monkeypatch.setattr(progress, "SECONDS_BEFORE_A_BAR", 0.0)
    run = RunProgress(["read", "train"], {"read": 5.0, "train": 50.0}, logger)
    run.start()
    run.begin("read")
    report = report_progress("slices read", logger=logger, every=0.0)
    report(3, 10)
    progress._display.refresh()
    run.begin("train")
    progress._display.refresh()
    report(10, 10)  # late, after its step
    run.stop()
    assert "slices read 3" in shown.getvalue()
    assert "step 2 of 2  50 s left" in shown.getvalue()
    assert log.messages == ["step 1 of 2: read", "step 2 of 2: train"]
