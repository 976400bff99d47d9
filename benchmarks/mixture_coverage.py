"""Coverage of the intervals of mixtures, at populations well apart and hardly apart.

``python -m benchmarks.mixture_coverage 200`` prints the table of docs/models.md. Fits whose smaller
component stands for fewer than 30 grains, or that end at a limit, are counted apart: tables show
no interval for these.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections import Counter
from collections.abc import Iterator

import numpy as np

from electrode_grains.distributions import Marginal, fit_marginal

UNIT = (0.0, 1.0)
SIZES = (239, 500)


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


def coverage(true: Marginal, n: int, replicates: int) -> str:
    """Shares of samples whose intervals hold the truth, as cells of a row."""
    hits: Counter[str] = Counter()
    used = 0
    for seed in range(replicates):
        sample = true.sample(n, np.random.default_rng([n, seed]))
        fit = fit_marginal(sample, true.family, UNIT)
        known = fit.model is not None and not fit.model.why_inadmissible(fit.sample_size)
        intervals = fit.interval() if known and fit.outcome == "converged" else {}
        if not intervals or not all(math.isfinite(low) for low, _ in intervals.values()):
            continue
        used += 1
        for name, (low, high) in intervals.items():
            hits[name] += low <= true.parameters[name] <= high
    shown = ", ".join(f"{name} {100 * hits[name] / max(used, 1):.1f}" for name in true.parameters)
    error = 100 * math.sqrt(0.95 * 0.05 / max(used, 1))
    return f"{used} of {replicates} (± {error:.1f}) | {shown}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("replicates", type=int, nargs="?", default=200)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.process_time()
    print("| mixture | populations | n | samples with intervals | coverage / % |")
    print("| :--- | :--- | ---: | ---: | :--- |")
    for distance, true in cases():
        for n in asked.sizes:
            shown = coverage(true, n, asked.replicates)
            print(f"| {true.family} | {distance} | {n} | {shown} |", flush=True)
    print(f"{time.process_time() - started:.0f} s of CPU")
