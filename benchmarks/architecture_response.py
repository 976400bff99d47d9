"""How moments answer to the parameters of an architecture: the surface that the package keeps.

`python -m benchmarks.architecture_response FILE` simulates architectures that fill the space of
the parameters evenly, adds each to FILE (JSON lines) and goes on from it, fits
`electrode_grains/generation/response.json`, and prints how well a surface without a fifth of them
foretells these.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from electrode_grains import generation
from electrode_grains.errors import ComputationError
from electrode_grains.generation import simulate_sections
from electrode_grains.generation.response import (
    EMBEDDED,
    VOXEL,
    Axis,
    ResponseSurface,
    Space,
    free_numbers,
    power_of_length,
)
from electrode_grains.tessellation import ArchitectureModel
from electrode_grains.workers import in_processes

SPACE = Space(
    {
        "std_diameter_nm": Axis(0.12, 0.6, True),
        "curvature": Axis(-0.25, 0.9, False),
        "elongation": Axis(0.5, 0.93, False),
        "elongation_spread": Axis(0.03, 0.2, True),
        "elongation_slope": Axis(-0.2, 0.15, False),
        "roughness_nm": Axis(0.008, 0.1, True),
        "roughness_exponent": Axis(-0.7, 2.0, False),
        "roughness_spread": Axis(0.08, 0.9, True),
        "roughness_length_nm": Axis(0.1, 0.6, True),
        "shape_correlation": Axis(-0.6, 0.97, False),
        VOXEL: Axis(0.068, 0.2, True),
    }
)
MOST = 9  # power of two of them
MEAN = 500.0
GRAINS = 800
FOLDS = 5
Row = dict[str, Any]


def parameters_of(number: int) -> dict[str, float]:
    """Parameters of an architecture, by its number in a sequence of Sobol."""
    point = qmc.Sobol(len(SPACE.axes), rng=7).random_base2(MOST)[number]
    return {
        name: axis.value_at(2 * float(at) - 1)
        for (name, axis), at in zip(SPACE.axes.items(), point, strict=True)
    }


def simulated(number: int) -> Row:
    """Moments of its profiles and grains, in mean diameters; none where too few are whole."""
    given = parameters_of(number)
    values = {n: v * MEAN if n.endswith("_nm") else v for n, v in given.items() if n != VOXEL}
    model = ArchitectureModel(mean_diameter_nm=MEAN, **values)
    row: Row = {"number": number, "parameters": given}
    try:
        made = simulate_sections(model, given[VOXEL] * MEAN, GRAINS, 1000 + number)
        sections, shapes = made.values()
    except ComputationError as error:
        return {**row, "refused": str(error)}
    return {**row, "sections": scaled(sections.named()), "shapes": scaled(shapes.named())}


def scaled(moments: Mapping[str, float]) -> dict[str, float]:
    """Moments with lengths in mean diameters."""
    return {name: value / MEAN ** power_of_length(name) for name, value in moments.items()}


def rows_of(path: Path, count: int) -> list[Row]:
    """All rows of a file, and those that it lacks, which are added one by one."""
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {row["number"] for row in kept}
    missing = [(number,) for number in range(count) if number not in known]

    def added() -> Iterator[Row]:
        with path.open("a") as file:
            for row in in_processes(simulated, missing):
                file.write(json.dumps(row) + "\n")
                file.flush()
                yield row

    return [*kept, *added()]


def surfaces_of(rows: Sequence[Row]) -> dict[str, ResponseSurface]:
    """Surfaces of the moments of profiles and of grains."""
    parameters = [row["parameters"] for row in rows]
    return {
        kind: ResponseSurface.fitted(SPACE, parameters, [row[kind] for row in rows])
        for kind in ("sections", "shapes")
    }


def foretold(surface: ResponseSurface, row: Row) -> NDArray[np.float64]:
    """Moments of a simulation by a surface."""
    places = [SPACE.axes[name].place_of(row["parameters"][name]) for name in SPACE.parameters]
    return surface.at(np.array([0.0, *places]), row["parameters"][VOXEL])[0]


def print_errors(rows: Sequence[Row]) -> None:
    """Errors of surfaces for simulations that they do not know, beside the spread of all."""
    folds = [rows[n::FOLDS] for n in range(FOLDS)]
    for kind in ("sections", "shapes"):
        away = []
        for n, left_out in enumerate(folds):
            known = [row for m, fold in enumerate(folds) if m != n for row in fold]
            surface = surfaces_of(known)[kind]
            away += [free_numbers(row[kind]) - foretold(surface, row) for row in left_out]
        spread = np.std([free_numbers(row[kind]) for row in rows], axis=0)
        for name, error, all_of_it in zip(rows[0][kind], np.std(away, axis=0), spread, strict=True):
            print(f"{kind:9}{name:60}{error:8.3f} of {all_of_it:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=384, help="simulations, at most 512")
    given = parser.parse_args()
    rows = [row for row in rows_of(given.file, given.count) if "refused" not in row]
    print(f"{len(rows)} architectures")
    print_errors(rows)
    content = {
        "axes": {name: [axis.low, axis.high, axis.logarithmic] for name, axis in SPACE.axes.items()}
    }
    made = surfaces_of(rows)
    target = Path(generation.__file__).with_name(EMBEDDED)
    target.write_text(
        json.dumps({**content, **{kind: each.to_dict() for kind, each in made.items()}})
    )


if __name__ == "__main__":
    main()
