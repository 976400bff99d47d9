"""Processor time of single copula fits, beside pyvinecopulib in the same run.

``python -m benchmarks.copula_speed`` prints rows of docs/measurements.md: least of several
interleaved repetitions, mean over rotations. Ours searches the whole range of the parameters and
has standard errors and a covariance; pyvinecopulib bounds parameters more narrowly and has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyvinecopulib

from benchmarks.modelling import PAPER_COPULAS
from electrode_grains.distributions import COPULA_FAMILIES, fit_copula
from electrode_grains.distributions.copula_fitting import DEFAULT_COPULAS

REPETITIONS, CALLS = 9, 3


def processor_seconds(work: Callable[[], Any]) -> float:
    """Processor time of one call, in a short series."""
    started = time.process_time()
    for _ in range(CALLS):
        work()
    return (time.process_time() - started) / CALLS


def main() -> None:
    u, v = PAPER_COPULAS[2].sample(1000, np.random.default_rng(1))
    points = np.column_stack([u, v])
    print("| family | ours / ms | pyvinecopulib / ms | ratio |")
    print("| :--- | ---: | ---: | ---: |")
    for family in DEFAULT_COPULAS[1:]:
        rotations = (0,) if COPULA_FAMILIES[family].is_radially_symmetric else (0, 90, 180, 270)
        peer = getattr(pyvinecopulib.BicopFamily, family, None)

        def ours(family: str = family, rotations: tuple[int, ...] = rotations) -> None:
            for rotation in rotations:
                fit_copula(u, v, family, rotation)

        def theirs(peer: Any = peer, rotations: tuple[int, ...] = rotations) -> None:
            for rotation in rotations:
                pyvinecopulib.Bicop(family=peer, rotation=rotation).fit(points)

        times = []
        for _ in range(REPETITIONS):
            taken = processor_seconds(ours)
            times.append((taken, processor_seconds(theirs) if peer else np.nan))
        own, other = np.array(times).min(axis=0) / len(rotations) * 1000
        beside = f"{other:.2f} | {other / own:.2f}" if peer else " | "
        print(f"| {family} | {own:.2f} | {beside} |", flush=True)


if __name__ == "__main__":
    main()
