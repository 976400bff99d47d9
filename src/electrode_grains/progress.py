"""A line of progress now and then, for work that takes longer than a few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

SECONDS_BETWEEN_LINES = 5.0


def progress_line(
    logger: logging.Logger, what: str, every: float = SECONDS_BETWEEN_LINES
) -> Callable[[int, int], None]:
    """Make a callback that logs how much of the work is done.

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
    last = time.monotonic()
    told = False

    def tell(done: int, total: int) -> None:
        nonlocal last, told
        now = time.monotonic()
        if now - last >= every or (told and done == total):
            logger.info("%d of %d %s", done, total, what)
            last, told = now, True

    return tell
