"""Grains in space from three plane sections, beside what they truly are.

`python -m benchmarks.sections` cuts particles whose grains are known, three planes each, and
compares the architecture that `fit_sections` finds with all grains. `--only NAME` takes one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from electrode_grains.generation import (
    SectionSettings,
    ShapeMoments,
    fit_sections,
    simulate_sections,
)
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import ArchitectureModel, fill_domain, generate_particle

VOXEL = 50.0
SHAPE = (72, 112, 112)
MARGIN = 12
Labels = NDArray[np.int32]


def architecture(seed: int, **changes: float) -> Labels:
    """Grains of a model unlike the one that the search begins with, in a wide margin."""
    model = ArchitectureModel().replace(**changes)
    box = np.ones([size + 2 * MARGIN for size in SHAPE], bool)
    return fill_domain(model, box, (VOXEL,) * 3, np.random.default_rng(seed))


def joined_cells(seed: int) -> Labels:
    """Joined and warped Laguerre cells: another model than the one that is fitted."""
    shape = tuple(size + 2 * MARGIN for size in SHAPE)
    return generate_particle(shape, (VOXEL,) * 3, np.random.default_rng(seed))


PARTICLES: dict[str, Callable[[], Labels]] = {
    "as in the paper": lambda: architecture(201),
    "round, of like size": lambda: architecture(
        202, std_diameter_nm=110.0, curvature=0.0, elongation=0.87, roughness_nm=15.0
    ),
    "long, of unlike size": lambda: architecture(
        203, std_diameter_nm=240.0, elongation=0.62, elongation_slope=0.0, roughness_nm=22.0
    ),
    "joined Laguerre cells": lambda: joined_cells(204),
}


def truth_of(labels: Labels) -> pd.DataFrame:
    """All grains whose centre lies in the window, the margin's left out."""
    table = characterize_grains(labels, (VOXEL,) * 3)
    centers = table[[f"centroid_{axis}_nm" for axis in "zyx"]].to_numpy() / VOXEL - MARGIN
    inside = ((centers > 0) & (centers < np.array(SHAPE))).all(axis=1)
    return table[inside & ~table["touches_window"].to_numpy(bool)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*PARTICLES])
    parser.add_argument("--simulations", type=int, default=SectionSettings().simulations)
    given = parser.parse_args()
    for name in [given.only] if given.only else PARTICLES:
        labels = PARTICLES[name]()
        window = labels[tuple(slice(MARGIN, MARGIN + size) for size in SHAPE)]
        grains = truth_of(labels)
        planes = [window[SHAPE[0] * (2 * n + 1) // 6] for n in range(3)]
        begun = time.perf_counter()
        settings = SectionSettings.checked(simulations=given.simulations)
        model = fit_sections(planes, VOXEL, settings, sources=[0, 0, 0], report=print)
        took = time.perf_counter() - begun
        virtual = pd.concat(
            [simulate_sections(model.architecture, VOXEL, 1500, seed).grains for seed in (301, 302)]
        )
        print(
            f"\n{name}: {model.target.profile_count} profiles, {len(grains)} grains, "
            f"{len(virtual)} virtual, {took:.0f} s"
        )
        true, found = ShapeMoments.of_table(grains).named(), model.shapes.named()
        for quantity, value in true.items():
            low, high = model.intervals[quantity]
            held = "" if low <= value <= high else "  outside"
            print(
                f"{quantity[:60]:62}{value:9.3f}{found[quantity]:9.3f} "
                f"[{low:.3f}, {high:.3f}]{held}"
            )
        for quantity in model.target.means:
            print(
                f"profiles {quantity:40}{model.target.means[quantity]:9.3f}"
                f"{model.reached.means[quantity]:9.3f}"
            )
        for column in ShapeMoments.of_table(grains).means:
            distance = ks_2samp(grains[column].dropna(), virtual[column].dropna()).statistic
            print(f"Kolmogorov-Smirnov {column:40}{distance:9.3f}")
        print(flush=True)


if __name__ == "__main__":
    main()
