"""Ctrl-C and SIGTERM: an end within two seconds, and one line that says how to go on.

A signal raises `Interrupted` in the main thread, so that writers clean up. Where the main thread is
deep in a library and does not come back, a second thread, which the signal wakes by a pipe, tidies
up in its stead and ends the process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SECONDS_TO_TIDY, SECONDS_TO_END = 1.0, 1.7
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}

_callbacks: list[Callable[[], object]] = []
_tidied = threading.Lock()


class Interrupted(KeyboardInterrupt):
    """A signal asks this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(NAMES.get(signal.Signals(number), str(number)))
        self.number = number


def on_interrupt(callback: Callable[[], object]) -> None:
    """Have something done before an interrupted process ends."""
    _callbacks.append(callback)


@contextmanager
def interruptible(advice: str) -> Iterator[None]:
    """End this process soon after Ctrl-C or SIGTERM that come inside the block.

    Parameters
    ----------
    advice : str
        How to go on, in a sentence.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _raise) for number in NAMES}
    wake = _Watcher(advice) if os.name == "posix" else None
    try:
        yield
    except Interrupted as interrupt:
        _tidy()
        _end(interrupt.number, advice)
    finally:
        if wake is not None:
            wake.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _: FrameType | None) -> None:
    for each in NAMES:  # a second signal finds nobody who would raise again
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


class _Watcher:
    """Ends the process if the main thread does not."""

    def __init__(self, advice: str) -> None:
        self._advice = advice
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, daemon=True, name="interrupts").start()

    def close(self) -> None:
        signal.set_wakeup_fd(self._before)
        os.close(self._write)  # the thread reads the end and closes its side

    def _watch(self) -> None:
        with open(self._read, "rb", buffering=0) as pipe:
            while word := pipe.read(1):
                if word[0] in NAMES:
                    time.sleep(SECONDS_TO_TIDY)
                    threading.Thread(target=_tidy, daemon=True).start()
                    time.sleep(SECONDS_TO_END - SECONDS_TO_TIDY)
                    _end(word[0], self._advice)


def _tidy() -> None:
    """Do once what others asked for."""
    if _tidied.acquire(blocking=False):
        for callback in reversed(_callbacks):
            with suppress(Exception):
                callback()


def _end(number: int, advice: str) -> None:
    with suppress(Exception):
        sys.stdout.flush()
        name = NAMES[signal.Signals(number)]
        os.write(2, f"\nStopped by {name}. {advice}\n".encode())
    os._exit(128 + number)
