"""How long works take, beside each other."""

from __future__ import annotations

import time
from collections.abc import Callable


def least_seconds(
    tasks: dict[str, Callable[[], object]],
    repetitions: int,
    settle: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Least time of each task, called in turn after a first call.

    `settle` waits, before and after each, for what a device still has to do. On a machine that
    is shared, `time.process_time` as clock leaves out what others take.
    """
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(repetitions):
        for name, task in tasks.items():
            settle()
            start = clock()
            task()
            settle()
            times[name].append(clock() - start)
    return {name: min(taken) for name, taken in times.items()}
