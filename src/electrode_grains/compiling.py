"""Loops that numba compiles, and a word where their first compilation takes long.

Machine code is kept beside the package (or in the user's cache, where that cannot be written), so
that only the first call on a machine compiles. Modules with such loops take `njit` from here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from numba import njit
from numba.core import event

from electrode_grains.progress import show_wait

__all__ = ["njit"]

SECONDS_WITHOUT_A_WORD = 2.0
PACKAGE = __name__.partition(".")[0]

_logger = logging.getLogger(__name__)


class CompileNotice(event.Listener):
    """Says once per room that its loops are compiled, when that has taken some seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, float] = {}
        self._told: set[str] = set()
        self._running = threading.local()  # compilations within one another, of each thread

    def on_start(self, event: event.Event) -> None:
        """Wait for a slow compilation; one within another counts with it."""
        running = self._running
        running.depth = getattr(running, "depth", 0) + 1
        if running.depth > 1:
            return
        package, _, inner = event.data["dispatcher"].py_func.__module__.partition(".")
        running.room = inner.partition(".")[0] if package == PACKAGE else ""
        running.since = time.monotonic()
        running.notice = _Notice(running.room, self._tell) if running.room else None
        if running.notice is not None:
            left = SECONDS_WITHOUT_A_WORD - self._spent.get(running.room, 0.0)
            running.notice.after(max(0.0, left))

    def on_end(self, event: event.Event) -> None:
        """Add up the time of a room."""
        running = self._running
        running.depth -= 1
        if running.depth or running.notice is None:
            return
        running.notice.end()
        with self._lock:
            spent = self._spent.get(running.room, 0.0)
            self._spent[running.room] = spent + time.monotonic() - running.since

    def _tell(self, room: str) -> Callable[[], None]:
        with self._lock:
            first = room not in self._told
            self._told.add(room)
        text = f"compiling the loops of {room} (once, kept for later runs)"
        return show_wait(text, _logger if first else None)


class _Notice:
    """What is shown if a compilation is not over after some time."""

    def __init__(self, room: str, tell: Callable[[str], Callable[[], None]]) -> None:
        self._room, self._tell = room, tell
        self._lock, self._is_over = threading.Lock(), False
        self._hide: Callable[[], None] | None = None

    def after(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._show)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._is_over = True
            if self._hide is not None:
                self._hide()

    def _show(self) -> None:
        with self._lock:
            if not self._is_over:
                self._hide = self._tell(self._room)


notice = CompileNotice()
event.register("numba:compile", notice)  # type: ignore[no-untyped-call]
