"""A line of progress now and then, for work that takes longer than a few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SECONDS_BETWEEN_LINES = 5.0


def progress_line(
    logger: logging.Logger, what: str, every: float = SECONDS_BETWEEN_LINES
) -> Callable[[int, int], None]:
    """Make a callback that logs how much of the work is done, and the time left.

    Parameters
    ----------
    logger : Logger
    what : str
        The things that are counted, such as "slices registered".
    every : float
        Least time in seconds between two lines; the end is told only after one of them.

    Returns
    -------
    callable
        Takes the number done and their total.

    Examples
    --------
    >>> tell = progress_line(logging.getLogger("example"), "slices registered")
    >>> tell(3, 91)  # too early for a line
    """
    begun = last = time.monotonic()
    told = False

    def tell(done: int, total: int) -> None:
        nonlocal last, told
        now = time.monotonic()
        if now - last >= every or (told and done == total):
            left = time_left(now - begun, done, total)
            logger.info("%d of %d %s%s", done, total, what, f", {left} left" if left else "")
            last, told = now, True

    return tell


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
    left = seconds * (total - done) / done
    return f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min"
