"""Virtual grains of the default model beside Tables 2 and 3 of the paper.

`python -m benchmarks.generation` makes architectures from seeds that the calibration did not see;
`--calibrate N` calibrates first, with N simulations, and prints the model.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from electrode_grains.generation import (
    PUBLISHED,
    calibrate,
    simulated_moments,
)
from electrode_grains.tessellation import ArchitectureModel

SPACING = (50.0, 50.0, 50.0)
GRAINS = 1500
SEEDS = (101, 102, 103)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibrate", type=int, default=0, metavar="N")
    simulations = parser.parse_args().calibrate
    model = ArchitectureModel()
    if simulations:
        found = calibrate(
            PUBLISHED,
            lambda tried: simulated_moments(tried, SPACING, GRAINS, 0),
            model,
            simulations=simulations,
            report=print,
        )
        model = found.model
        print(model)
    begun = time.process_time()
    made = [simulated_moments(model, SPACING, GRAINS, seed) for seed in SEEDS]
    took = (time.process_time() - begun) / len(SEEDS)
    print(f"{[moments.grain_count for moments in made]} whole grains, {took:.0f} s each")
    print(f"{'':38}{'paper':>9}{'virtual':>9}{'met':>5}")
    away = np.mean([moments.deviations(PUBLISHED) for moments in made], axis=0)
    rows = [
        (f"{kind} {name}", value, np.mean([getattr(moments, kind)[name] for moments in made]))
        for kind in ("means", "stds", "correlations")
        for name, value in getattr(PUBLISHED, kind).items()
    ]
    for (name, paper, virtual), distance in zip(rows, away, strict=True):
        print(f"{name[:60]:60}{paper:9.3g}{virtual:9.3g}{'yes' if abs(distance) <= 1 else 'no':>5}")


if __name__ == "__main__":
    main()
