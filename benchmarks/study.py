"""Pool and compare simulated grain tables: time, memory, and how often intervals hold.

`python -m benchmarks.study [--particles 1000] [--grains 300] [--coverage]`. Diameters scatter
between particles by 20 nm, elongations of one particle are others; all else is alike.
`--coverage` counts how often intervals of mean and spread hold the true value.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from electrode_grains.distributions import random_effects, spread_interval
from electrode_grains.runs.machine import peak_memory
from electrode_grains.study import PoolSettings, compare_study, fit_study

BETWEEN_NM = 20.0
UNUSUAL = "p0003"
SUPPORTS = {"equivalent_diameter_nm": (0.0, np.inf)}
REPETITIONS = 300


def simulate(particles: int, grains: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    samples = {}
    for number in range(particles):
        count = max(40, int(grains * rng.lognormal(0.0, 0.3)))
        name = f"p{number:04d}"
        samples[name] = {
            "equivalent_diameter_nm": rng.wald(500.0 + rng.normal(0, BETWEEN_NM), 4600.0, count),
            "sphericity": rng.beta(40.0, 10.0, count),
            "convexity": rng.beta(20.0, 3.0, count),
            "elongation": rng.beta(8.0 if name == UNUSUAL else 5.0, 4.0, count),
        }
    return samples


def timed(what: str, work: Callable[[], Any]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what}: {wall:.1f} s, {cpu:.1f} s of one core")
    return found


def coverage(particles: int, rng: np.random.Generator) -> tuple[float, float]:
    """Shares of intervals of 95 % that hold mean and spread of particles."""
    held = np.zeros(2)
    for _ in range(REPETITIONS):
        errors = rng.uniform(0.3, 0.7, particles)
        values = rng.normal(0.0, 1.0, particles) + rng.normal(0.0, errors)
        found = random_effects(values, errors)
        low, high = spread_interval(values, errors)
        held += [found.low < 0.0 < found.high, low < 1.0 < high]
    mean, spread = held / REPETITIONS
    return float(mean), float(spread)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--particles", type=int, default=1000)
    parser.add_argument("--grains", type=int, default=300)
    parser.add_argument("--coverage", action="store_true")
    asked = parser.parse_args()
    rng = np.random.default_rng(1)
    if asked.coverage:
        for particles in (4, 6, 10, 24, 60):
            mean, spread = coverage(particles, rng)
            print(f"{particles:3d} particles: mean {mean:.3f}, spread {spread:.3f}")
        return
    samples = simulate(asked.particles, asked.grains, rng)
    groups = {
        "batch": {name: "ab"[number % 2] for number, name in enumerate(samples)},
        "cycle": {name: str(number % 4 * 50) for number, name in enumerate(samples)},
    }
    settings = PoolSettings()
    found = timed("compare", lambda: compare_study(samples, groups, settings))
    timed("fit", lambda: fit_study(samples, SUPPORTS, settings))
    row = found.spread.iloc[0]
    low, high = row["between_low"], row["between_high"]
    print(
        f"spread of diameters: {row['between']:.1f} nm ({low:.1f} to {high:.1f}), {BETWEEN_NM} true"
    )
    print("unusual:", ", ".join(sorted(set(found.statistics.query("unusual")["particle"]))))
    peak = peak_memory() / 1e9
    print(f"peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
