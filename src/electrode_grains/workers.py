"""Pieces of one computation that know nothing of each other, each in a process of its own.

For work that Python itself does, such as fits, which threads of one process would do in turn.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from electrode_grains.errors import ComputationError
from electrode_grains.threads import THREADS, wanted_threads

SAFE_PATH = "PYTHONSAFEPATH"

Result = TypeVar("Result")
_Recorded = list[tuple[str, type[Warning]]]


def in_processes(
    function: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], *, is_long: bool = True
) -> Iterator[Result]:
    """Call a function with each tuple of arguments, as many at a time as there are threads.

    Parameters
    ----------
    function : callable
        Of a module, so that another process finds it; what it takes and returns is copied.
    tasks : sequence of tuple
        Arguments of each call.
    is_long : bool
        Whether the work outlasts the second or two in which processes start. Otherwise, and where
        a process may have no children, calls are made here, one after the other.

    Yields
    ------
    Result
        Of each call, in the order of the tasks; warnings of the call are given here.

    Raises
    ------
    ComputationError
        If a process ends before its call does, as where memory runs out.

    Examples
    --------
    >>> list(in_processes(pow, [(2, 3), (3, 2)], is_long=False))
    [8, 9]
    """
    count = min(len(tasks), wanted_threads())
    if not is_long or count < 2 or multiprocessing.current_process().daemon:
        yield from (function(*arguments) for arguments in tasks)
        return
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin_worker)
    try:
        with _own_libraries():
            futures = [pool.submit(_recorded, function, arguments) for arguments in tasks]
        for place, future in enumerate(futures):
            result, recorded = _awaited(future, f"piece {place + 1} of {len(tasks)}")
            for text, category in recorded:
                warnings.warn(text, category, stacklevel=2)
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _own_libraries() -> Iterator[None]:
    """Begin processes that import no `random.py` of the current folder for Python's own.

    What this process may import, they may: it sends them its path once they have begun.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


def _awaited(future: Future[tuple[Result, _Recorded]], where: str) -> tuple[Result, _Recorded]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ComputationError(
            "a process that computed a part of the work has ended before its time",
            where=where,
            remedy=f"where memory ran out, let one process do all of it: set {THREADS}=1",
        ) from error


def _begin_worker() -> None:
    """Leave Ctrl-C to the process that asked, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.join,), daemon=True).start()


def _end_after(wait: Callable[[], None]) -> None:
    wait()
    os._exit(1)


def _recorded(
    function: Callable[..., Result], arguments: tuple[Any, ...]
) -> tuple[Result, _Recorded]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments)
    return result, [(str(one.message), one.category) for one in caught]
