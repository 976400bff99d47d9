"""Coverage of the intervals of pairs, with marginals and copula fitted as the pipeline fits them.

``python -m benchmarks.pair_coverage 1000`` adds samples to ``benchmarks/pair_coverage.csv`` until
each case has as many, and prints the table of docs/models.md. It may be interrupted: the samples
there are count, each with its own seed. ``--sizes 239 500`` and ``--families bb8`` do a part.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.modelling import COPULA_CASES, PAIRS, PAPER, PAPER_COPULAS
from electrode_grains.distributions import (
    COPULA_FAMILIES,
    BivariateCopula,
    JointDensity,
    fit_copula,
    fit_marginal,
    likelihood_intervals,
)

RESULTS = Path(__file__).with_suffix(".csv")
QUANTITIES = ("kendall_tau", "lower_tail", "upper_tail")


def cases() -> Iterator[tuple[str, JointDensity]]:
    """The six pairs of the paper, then other families between diameter and sphericity."""
    for (x, y), copula in zip(PAIRS, PAPER_COPULAS, strict=True):
        yield title_of(copula), JointDensity(PAPER[x], PAPER[y], copula)
    x, y = PAIRS[0]
    for copula in COPULA_CASES:
        yield title_of(copula), JointDensity(PAPER[x], PAPER[y], copula)


def title_of(copula: BivariateCopula) -> str:
    """Family, parameters and rotation."""
    values = ", ".join(f"{value:g}" for value in copula.parameters)
    return f"{copula.family} ({values}) {copula.rotation}"


def cover(joint: JointDensity, n: int, seed: int) -> dict[str, int]:
    """Whether the intervals of one sample hold the truth, by quantity; empty without a fit."""
    sample = joint.sample(n, np.random.default_rng([n, seed]))
    fits = [
        fit_marginal(values, true.family, true.support)
        for true, values in zip((joint.marginal_x, joint.marginal_y), sample, strict=True)
    ]
    levels = [
        np.clip(fit.model.cdf(values), 5e-10, 1 - 5e-10)
        for fit, values in zip(fits, sample, strict=True)
    ]
    fit = fit_copula(*levels, joint.copula.family, joint.copula.rotation)
    if not fit.is_ranked:
        return {}
    fitted = JointDensity(fits[0].model, fits[1].model, fit.model)
    intervals, is_ridge = likelihood_intervals(fitted, *sample)
    truth = true_values(joint.copula)
    held = {
        name: int(interval.low - 1e-9 <= truth[name] <= interval.high + 1e-9)
        for name, interval in intervals.items()
    }
    return held | {"weakly_identified": int(is_ridge)}


def true_values(copula: BivariateCopula) -> dict[str, float]:
    """Parameters, tau and tails of a copula."""
    names = COPULA_FAMILIES[copula.family].parameter_names
    values = (copula.kendall_tau(), *copula.tail_dependence())
    return dict(zip((*names, *QUANTITIES), (*copula.parameters, *values), strict=True))


def done(path: Path) -> dict[tuple[str, int], dict[int, dict[str, int]]]:
    """Samples of earlier calls, by case and size and seed."""
    found: dict[tuple[str, int], dict[int, dict[str, int]]] = defaultdict(dict)
    if path.is_file():
        with path.open() as lines:
            for case, n, seed, *entries in csv.reader(lines):
                pairs = (entry.split("=") for entry in entries)
                found[case, int(n)][int(seed)] = {name: int(value) for name, value in pairs}
    return found


def run(path: Path, replicates: int, sizes: list[int], families: list[str] | None) -> None:
    """Add samples until each case has enough, all cases at the same pace."""
    known = done(path)
    for seed in range(replicates):
        for title, joint in cases():
            if families and joint.copula.family not in families:
                continue
            for n in sizes:
                if seed in known[title, n]:
                    continue
                held = cover(joint, n, seed)
                with path.open("a", newline="") as lines:
                    entries = [f"{name}={value}" for name, value in held.items()]
                    csv.writer(lines).writerow([title, n, seed, *entries])


def report(path: Path) -> str:
    """Coverage of every quantity with its Monte Carlo error, as rows of a Markdown table."""
    order = {title: index for index, (title, _) in enumerate(cases())}
    lines = [
        "| copula | n | samples | coverage / % | weakly identified / % |",
        "| :--- | ---: | ---: | :--- | ---: |",
    ]
    rows = sorted(done(path).items(), key=lambda row: (order.get(row[0][0], 99), row[0][1]))
    for (title, n), samples in rows:
        fitted = [held for held in samples.values() if held]
        if not fitted:
            continue
        names = [name for name in fitted[0] if name != "weakly_identified"]
        shares = {name: np.mean([held[name] for held in fitted]) for name in names}
        shown = ", ".join(f"{name} {100 * share:.1f}" for name, share in shares.items())
        weak = 100 * np.mean([held["weakly_identified"] for held in fitted])
        error = 100 * math.sqrt(0.95 * 0.05 / len(fitted))
        lines.append(f"| {title} | {n} | {len(fitted)} (± {error:.1f}) | {shown} | {weak:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("replicates", type=int, nargs="?", default=0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[239, 500, 1000])
    parser.add_argument("--families", nargs="+")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.process_time()
    run(asked.results, asked.replicates, asked.sizes, asked.families)
    print(report(asked.results))
    print(f"{time.process_time() - started:.0f} s of CPU")
