"""Coverage of the intervals of mixtures, at populations well apart and hardly apart.

``python -m benchmarks.mixture_coverage 80`` prints a table of docs/models.md, of intervals by
standard errors; ``--bootstrap 99`` of those by refits, which Table 1 shows. Fits whose smaller
component stands for fewer than 30 grains may not win and are not counted.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from electrode_grains.distributions import Marginal, fit_marginal, goodness_of_fit

UNIT = (0.0, 1.0)
SIZES = (239, 500)
Ends = tuple[float, float]


def cases() -> Iterator[tuple[str, Marginal]]:
    """A quarter of the grains apart from the others by four and by two deviations."""
    for distance, place in (("well apart", 0.60), ("hardly apart", 0.70)):
        yield distance, _mixture("normal_mixture", "mu", "sigma", (place, 0.05), (0.8, 0.05))
        a, b = (m * (1 - m) / 0.05**2 - 1 for m in (place, 0.8))
        yield (
            distance,
            _mixture("beta_mixture", "a", "b", (place * a, (1 - place) * a), (0.8 * b, 0.2 * b)),
        )
        yield (
            distance,
            _mixture("gumbel_minimum_mixture", "mu", "sigma", (place, 0.04), (0.83, 0.04)),
        )


def _mixture(
    family: str, one: str, other: str, first: tuple[float, float], second: tuple[float, float]
) -> Marginal:
    parameters = {
        f"{one}1": first[0],
        f"{one}2": second[0],
        f"{other}1": first[1],
        f"{other}2": second[1],
        "lambda": 0.25,
    }
    return Marginal(family, parameters, UNIT)


def intervals_of(sample: Any, family: str, refits: int, seed: int) -> dict[str, Ends]:
    """Intervals of one sample by name, empty where the mixture may not win."""
    fit = fit_marginal(sample, family, UNIT)
    if fit.model is None or fit.model.why_inadmissible(fit.sample_size):
        return {}
    if not refits:
        return fit.interval() if fit.outcome == "converged" else {}
    rng = np.random.default_rng(seed)
    tested = goodness_of_fit(fit.model, sample, replicates=refits, rng=rng)
    return {name: (ends.low, ends.high) for name, ends in tested.bootstrap_intervals.items()}


def coverage(true: Marginal, n: int, replicates: int, refits: int) -> str:
    """Shares of samples whose intervals hold the truth, as cells of a row."""
    hits: Counter[str] = Counter()
    used = 0
    for seed in range(replicates):
        sample = true.sample(n, np.random.default_rng([n, seed]))
        intervals = intervals_of(sample, true.family, refits, seed)
        used += bool(intervals)
        for name, (low, high) in intervals.items():
            hits[name] += low <= true.parameters[name] <= high
    shown = ", ".join(f"{name} {100 * hits[name] / max(used, 1):.0f}" for name in true.parameters)
    error = 100 * math.sqrt(0.95 * 0.05 / max(used, 1))
    return f"{used} of {replicates} (± {error:.1f}) | {shown}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("replicates", type=int, nargs="?", default=200)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--bootstrap", type=int, default=0, metavar="REFITS")
    parser.add_argument("--families", nargs="+")
    parser.add_argument("--distances", nargs="+", default=("well apart", "hardly apart"))
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.process_time()
    print("| mixture | populations | n | samples with intervals | coverage / % |")
    print("| :--- | :--- | ---: | ---: | :--- |")
    for distance, true in cases():
        if distance not in asked.distances or true.family not in (asked.families or [true.family]):
            continue
        for n in asked.sizes:
            shown = coverage(true, n, asked.replicates, asked.bootstrap)
            print(f"| {true.family} | {distance} | {n} | {shown} |", flush=True)
    print(f"{time.process_time() - started:.0f} s of CPU")
