"""Say what each step of the last run took, as its manifests recorded it.

`python -m benchmarks.step_times [demo]` prints a table of the steps that took longer than two
seconds, with the processor and the speed of its convolutions in float32, two threads.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.training_cost import peak

PROJECT = Path(__file__).parents[1]
SHORT = 2.0  # seconds below which steps are summed up


def main() -> None:
    environment = sys.argv[1] if len(sys.argv) > 1 else "demo"
    from kedro.framework.project import pipelines
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    from electrode_grains.runs.recorder import earlier_seconds
    from electrode_grains.runs.store import DatasetStore

    bootstrap_project(PROJECT)
    with KedroSession.create(PROJECT, env=environment) as session:
        pipeline = pipelines[environment] if environment in pipelines else pipelines["__default__"]
        seconds = earlier_seconds(DatasetStore(session.load_context().catalog), pipeline)
    torch.set_num_threads(2)
    print(
        f"{processor()}, {torch.backends.cpu.get_cpu_capability()}, "
        f"{peak() / 1e9:.0f} G operations per second of processor time\n"
    )
    print("| step | s |\n| :--- | ---: |")
    for step, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        if taken > SHORT:
            print(f"| {step} | {taken:.0f} |")
    short = [taken for taken in seconds.values() if taken <= SHORT]
    print(f"| {len(short)} shorter ones | {sum(short):.0f} |")
    print(f"| all | {sum(seconds.values()):.0f} |")


def processor() -> str:
    """Name of the processor, where the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


if __name__ == "__main__":
    main()
