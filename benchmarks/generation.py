"""Virtual grains of the default model beside Tables 2 and 3 of the paper.

`python -m benchmarks.generation` makes architectures from seeds that the calibration did not see;
`--calibrate N` calibrates first, with N simulations, and prints the model; `--particles N` makes so
many (3). The grains that a window does not cut are the smaller ones: beside them stand all whose
middle lies in it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from electrode_grains.generation import (
    PUBLISHED,
    ShapeMoments,
    calibrate,
    simulate_sections,
    simulated_moments,
)
from electrode_grains.tessellation import ArchitectureModel

SPACING = (50.0, 50.0, 50.0)
GRAINS = 1500
FIRST_SEED = 101


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibrate", type=int, default=0, metavar="N")
    parser.add_argument("--particles", type=int, default=3, metavar="N")
    asked = parser.parse_args()
    simulations = asked.calibrate
    seeds = range(FIRST_SEED, FIRST_SEED + asked.particles)
    model = ArchitectureModel()
    if simulations:
        found = calibrate(
            PUBLISHED,
            lambda tried: simulated_moments(tried, SPACING, GRAINS, 0),
            model,
            SPACING[0],
            simulations=simulations,
            report=print,
        )
        model = found.model
        print(model)
    begun = time.process_time()
    made = [simulated_moments(model, SPACING, GRAINS, seed) for seed in seeds]
    took = (time.process_time() - begun) / len(seeds)
    every = [
        ShapeMoments.of_table(simulate_sections(model, SPACING[0], GRAINS, seed).grains)
        for seed in seeds
    ]
    for what, found in (("not cut", made), ("in all", every)):
        print(f"{[moments.grain_count for moments in found]} grains {what}")
    print(f"{took:.0f} s each\n{'':60}{'paper':>9}{'not cut':>9}{'+-':>8}{'met':>5}{'all':>9}")
    away = np.mean([moments.deviations(PUBLISHED) for moments in made], axis=0)
    rows = [
        (f"{kind} {name}", value, values(made, kind, name), values(every, kind, name).mean())
        for kind in ("means", "stds", "correlations")
        for name, value in getattr(PUBLISHED, kind).items()
    ]
    for (name, paper, whole, each), distance in zip(rows, away, strict=True):
        met = "yes" if abs(distance) <= 1 else "no"
        print(f"{name[:60]:60}{paper:9.3g}{whole.mean():9.3g}{whole.std():8.2g}{met:>5}{each:9.3g}")


def values(found: Sequence[ShapeMoments], kind: str, name: str) -> NDArray[np.float64]:
    return np.array([getattr(moments, kind)[name] for moments in found])


if __name__ == "__main__":
    main()
