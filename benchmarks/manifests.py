"""Measure what manifests and whole writes cost: their share of the time of a forced run.

`python -m benchmarks.manifests demo` computes the environment again, from slices to report, and
adds up the time spent on recipes, digests and manifests, and in forcing files to the
disk. Both are timed where they are called, so that nothing has to be switched off.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from functools import wraps
from pathlib import Path
from typing import Any

from electrode_grains.runs import session as run_session
from electrode_grains.runs import writing
from electrode_grains.runs.provenance import Provenance
from electrode_grains.runs.recorder import RunRecorder

PROJECT = Path(__file__).parents[1]


class Stopwatch:
    """Times of functions by label; what is called inside another timed one is not counted twice."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inside = False

    def attach(self, owner: Any, name: str, label: str) -> None:
        """Time a function of a module or class from now on."""
        function = getattr(owner, name)

        @wraps(function)
        def call(*given: Any, **options: Any) -> Any:
            if self._inside:
                return function(*given, **options)
            self._inside = True
            start = time.perf_counter()
            try:
                return function(*given, **options)
            finally:
                self.seconds[label] += time.perf_counter() - start
                self._inside = False

        setattr(owner, name, call)


def main() -> None:
    environment = sys.argv[1] if len(sys.argv) > 1 else "demo"
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(PROJECT)
    watch = Stopwatch()
    for name in ("remove_leftovers", "check_inputs", "check_outputs"):
        watch.attach(Provenance, name, name)
    watch.attach(run_session, "plan_steps", "plan_steps")
    for name in ("before_load", "after_load", "begin", "end", "before_save", "after_save"):
        watch.attach(RunRecorder, name, f"recorder: {name}")
    watch.attach(writing, "force_to_disk", "forcing outputs to the disk")
    options = {"env": environment, "runtime_params": {"force": True}}
    start = time.perf_counter()
    with settings.SESSION_CLASS.create(PROJECT, **options) as session:
        session.run(pipeline_names=["demo"])
    total = time.perf_counter() - start
    rows = {**dict(sorted(watch.seconds.items())), "together": sum(watch.seconds.values())}
    for label, seconds in rows.items():
        print(f"{label:<30} {seconds:7.2f} s {seconds / total:7.2%}")
    print(f"{'run':<30} {total:7.2f} s")


if __name__ == "__main__":
    main()
