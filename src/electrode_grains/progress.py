"""Signs of life: on a terminal a live display with the time left, in logs a line now and then.

The interface for long work, which stays as it is:

- A function that works for more than two seconds takes an argument ``report_progress``, a callback
  ``(done, total)`` of type `ReportProgress`, and calls it as often as it likes, from any thread.
- Who calls that function makes the callback by `report_progress`, naming what is counted::

      estimate_transforms(stack, report_progress=report_progress("slices registered"))

A `RunProgress` tells in addition which step of a run is at work and what is left of the whole, from
the times that the steps took before. It says something at least every `SECONDS_OF_SILENCE`, also
while a step reports nothing.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

ReportProgress = Callable[[int, int], None]

SECONDS_BETWEEN_LINES = 5.0
SECONDS_OF_SILENCE = 10.0
SECONDS_BEFORE_A_BAR = 2.0

_logger = logging.getLogger(__name__)
_display: Progress | None = None


def report_progress(
    what: str, *, logger: logging.Logger = _logger, every: float = SECONDS_BETWEEN_LINES
) -> ReportProgress:
    """Make a callback that shows how much of some work is done, and the time left.

    Parameters
    ----------
    what : str
        The things that are counted, such as "slices registered".
    logger : Logger, optional
        Takes the lines where no live display is on.
    every : float
        Least time in seconds between two lines.

    Returns
    -------
    callable
        Takes the number done and their total. The end is told only after a line or a bar.

    Examples
    --------
    >>> report = report_progress("slices registered")
    >>> report(3, 91)  # too early for a line
    """
    return _Work(what, logger, every)


class _Work:
    """Progress of one piece of work."""

    def __init__(self, what: str, logger: logging.Logger, every: float) -> None:
        self._what, self._logger, self._every = what, logger, every
        self._begun = self._last = time.monotonic()
        self._is_shown = False
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if _display is not None:
            self._draw(_display, done, total, now)
        elif now - self._last >= self._every or (self._is_shown and done == total):
            left = time_left(now - self._begun, done, total)
            rest = f", {left} left" if left else ""
            self._logger.info("%d of %d %s%s", done, total, self._what, rest)
            self._last, self._is_shown = now, True

    def _draw(self, display: Progress, done: int, total: int, now: float) -> None:
        if self._task is None:
            if now - self._begun < SECONDS_BEFORE_A_BAR or done >= total:
                return
            self._task = display.add_task(self._what, total=total)
        with suppress(KeyError):  # the display was cleared at the end of the step
            display.update(self._task, completed=done, total=total)
            if done >= total:
                display.remove_task(self._task)


def show_wait(what: str, logger: logging.Logger | None) -> Callable[[], None]:
    """Show that something without countable parts is at work.

    Parameters
    ----------
    what : str
    logger : Logger, optional
        Takes the line where no live display is on.

    Returns
    -------
    callable
        Ends it.
    """
    display = _display
    if display is None:
        if logger is not None:
            logger.info("%s", what)
        return lambda: None
    task = display.add_task(what, total=None)

    def end() -> None:
        with suppress(KeyError):  # the display was cleared at the end of the step
            display.remove_task(task)

    return end


class RunProgress:
    """Shows which step of a run is at work, and the time left of step and run.

    Parameters
    ----------
    steps : sequence of str
        In their order.
    expected : mapping of str to float
        Seconds that steps took before, for those that are known.
    logger : Logger
    """

    def __init__(
        self, steps: Sequence[str], expected: Mapping[str, float], logger: logging.Logger
    ) -> None:
        self._steps, self._expected, self._logger = list(steps), dict(expected), logger
        self._begun = self._step_begun = time.monotonic()
        self._number = 0
        self._step = ""
        self._tasks: tuple[TaskID, TaskID] | None = None
        self._stopped = threading.Event()
        self._last_line = _LastLine()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to show; on a terminal as a live display."""
        global _display
        self._begun = time.monotonic()
        logging.getLogger().addHandler(self._last_line)
        if is_watched():
            _display = _new_display()
            _display.start()
            run = _display.add_task("run", total=max(self._sum(self._steps), 1e-9))
            self._tasks = (run, _display.add_task("", total=None))
        self._thread = threading.Thread(target=self._keep_alive, daemon=True, name="progress")
        self._thread.start()

    def begin(self, step: str) -> None:
        """Name the step that begins."""
        self._number += 1
        self._step, self._step_begun = step, time.monotonic()
        self._logger.info("step %d of %d: %s", self._number, len(self._steps), step)
        if _display is not None and self._tasks is not None:
            for task in set(_display.task_ids) - set(self._tasks):
                _display.remove_task(task)
            expected = self._expected.get(step)
            _display.reset(self._tasks[1], total=expected, description=step)
            self._draw()

    def stop(self) -> float:
        """End the display and return the seconds since the start."""
        global _display
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=1)
        logging.getLogger().removeHandler(self._last_line)
        if _display is not None:
            _display.stop()
            _display = None
        return time.monotonic() - self._begun

    def seconds_left(self) -> tuple[float, int]:
        """Seconds that the steps left took before, and how many of them are not known."""
        ahead = self._steps[self._number :]
        now = self._expected.get(self._step, 0.0) - (time.monotonic() - self._step_begun)
        unknown = [step for step in ahead if step not in self._expected]
        return self._sum(ahead) + max(now, 0.0), len(unknown)

    def _sum(self, steps: Sequence[str]) -> float:
        return sum(self._expected.get(step, 0.0) for step in steps)

    def _draw(self) -> None:
        if _display is not None and self._tasks is not None:
            seconds, unknown = self.seconds_left()
            done = max(self._sum(self._steps) - seconds, 0.0)
            text = f"step {self._number} of {len(self._steps)}"
            left = f"{'at least ' if unknown else ''}{duration(seconds)} left" if seconds else ""
            _display.update(self._tasks[0], completed=done, description=f"{text}  {left}".rstrip())
            _display.update(self._tasks[1], completed=time.monotonic() - self._step_begun)

    def _keep_alive(self) -> None:
        while not self._stopped.wait(0.5):
            now = time.monotonic()
            if _display is not None:
                self._draw()
            elif self._step and now - self._last_line.time >= SECONDS_OF_SILENCE - 1:
                self._logger.info("%s", self._sign_of_life(now - self._step_begun))

    def _sign_of_life(self, seconds: float) -> str:
        before = self._expected.get(self._step)
        usual = f" ({duration(before)} in an earlier run)" if before else ""
        left, unknown = self.seconds_left()
        rest = f", {'at least ' if unknown else ''}{duration(left)} left of the run" if left else ""
        return f"{self._step}: {duration(seconds)} so far{usual}{rest}"


class _LastLine(logging.Handler):
    """Notes when something was logged last."""

    def __init__(self) -> None:
        super().__init__()
        self.time = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        self.time = time.monotonic()


def is_watched() -> bool:
    """Whether a person sits before this terminal, rather than continuous integration."""
    import sys

    if os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout is not None and sys.stdout.isatty() and sys.stderr.isatty()


def _new_display() -> Progress:
    from rich import get_console  # the console of the log, so that lines go above the display
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeLeft(compact=True),
        console=get_console(),
        transient=True,
    )


def time_left(seconds: float, done: int, total: int) -> str:
    """Time that the rest will take if it goes on like this; empty where nothing is left.

    Examples
    --------
    >>> time_left(30.0, 10, 91), time_left(30.0, 1, 91), time_left(30.0, 91, 91)
    ('4 min', '45 min', '')
    >>> time_left(9.0, 9, 12)
    '3 s'
    """
    if not 0 < done < total:
        return ""
    return duration(seconds * (total - done) / done)


def duration(seconds: float) -> str:
    """Duration in words.

    Examples
    --------
    >>> duration(0.2), duration(99), duration(240), duration(7300)
    ('0 s', '99 s', '4 min', '2 h 2 min')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
