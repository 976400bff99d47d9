"""Measure the slow parts against the library that a user would otherwise take.

Run with `make bench`. A ratio above 1 says that this project is faster. Times are the least
of several repetitions, after one that compiles; both sides run on the same data, in turn.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvinecopulib
from scipy import ndimage, stats
from skimage.measure import regionprops_table
from skimage.morphology import h_minima
from skimage.segmentation import watershed

from benchmarks import modelling, morphometry
from electrode_grains.distributions import BivariateCopula, Marginal, fit_copula, fit_marginal
from electrode_grains.grains import flood_from_minima
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import generate_particle

PAPER_WINDOW = (91, 221, 235)
SPACING = (50.0, 50.0, 50.0)
DEPTH = 0.05


@dataclass(frozen=True)
class Comparison:
    """One task done by this project and by a peer."""

    task: str
    peer_name: str
    ours: Callable[[], Any]
    peer: Callable[[], Any]
    repetitions: int = 3
    note: str = ""


def least_seconds(first: Callable[[], Any], second: Callable[[], Any], repetitions: int):
    """Least time of each of two functions, called in turn."""
    first()
    times: list[tuple[float, float]] = []
    for _ in range(repetitions):
        pair = []
        for function in (first, second):
            start = time.perf_counter()
            function()
            pair.append(time.perf_counter() - start)
        times.append((pair[0], pair[1]))
    return tuple(map(min, zip(*times, strict=True)))


def comparisons() -> Iterator[Comparison]:
    rng = np.random.default_rng(1)
    labels = generate_particle(PAPER_WINDOW, SPACING, rng)
    yield Comparison(
        f"measure {labels.max()} grains of {PAPER_WINDOW}",
        "scikit-image regionprops_table",
        lambda: characterize_grains(labels, SPACING),
        lambda: regionprops_table(
            labels, properties=("area", "bbox", "centroid", "inertia_tensor_eigvals")
        ),
        note="ours adds surface, discrete hull, neighbours; the peer leaves out its hull",
    )
    small = labels[:32, :96, :96]
    yield Comparison(
        f"the same with hulls, {small.shape}",
        "scikit-image regionprops_table",
        lambda: characterize_grains(small, SPACING),
        lambda: regionprops_table(small, properties=("area", "bbox", "area_convex")),
        repetitions=2,
        note="the peer's hull is inflated by half a voxel and fails on flat grains",
    )
    edges = (ndimage.maximum_filter(labels, 2) != ndimage.minimum_filter(labels, 2)).astype(float)
    noise = rng.normal(0, 0.05, labels.shape)
    landscape = np.clip(ndimage.gaussian_filter(edges + noise, 0.8), 0, 1).astype(np.float32)
    yield Comparison(
        f"h-minima and watershed of {PAPER_WINDOW}",
        "scikit-image h_minima + watershed",
        lambda: flood_from_minima(landscape, DEPTH),
        lambda: watershed(
            landscape, ndimage.label(h_minima(landscape, DEPTH), np.ones((3, 3, 3)))[0]
        ),
        note="the peer marks residual plateaus as minima",
    )
    diameters = Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600}).sample(500, rng)
    shape_law = Marginal("generalized_extreme_value", {"k": -0.42, "mu": 0.72, "sigma": 0.086})
    elongations = shape_law.sample(500, rng)
    for family, sample, law in (
        ("inverse_gaussian", diameters, stats.invgauss),
        ("generalized_extreme_value", elongations, stats.genextreme),
    ):
        ours, theirs = fit_marginal(sample, family), law.fit(sample)
        better = ours.log_likelihood - law.logpdf(sample, *theirs).sum()
        yield Comparison(
            f"fit {family} to 500 values",
            f"SciPy {law.name}.fit",
            lambda sample=sample, family=family: fit_marginal(sample, family),
            lambda sample=sample, law=law: law.fit(sample),
            note=f"log-likelihood {better:+.2f} nats above the peer's",
        )
    u, v = BivariateCopula("bb1", (0.36, 3.13), 180).sample(500, rng)
    pairs = np.column_stack([u, v])
    for family in ("clayton", "bb1", "bb8"):
        name = getattr(pyvinecopulib.BicopFamily, family)

        def peer(name: Any = name) -> Any:
            copula = pyvinecopulib.Bicop(family=name)
            copula.fit(pairs)
            return copula

        better = fit_copula(u, v, family).log_likelihood - peer().loglik(pairs)
        yield Comparison(
            f"fit {family} to 500 pairs",
            "pyvinecopulib Bicop.fit (C++)",
            lambda family=family: fit_copula(u, v, family),
            peer,
            note=f"log-likelihood {better:+.2f} nats above the peer's",
        )
    yield from modelling.comparisons(Comparison)


def main() -> None:
    print("| task | peer | ours / s | peer / s | ratio | note |")
    print("| :--- | :--- | ---: | ---: | ---: | :--- |")
    warnings.simplefilter("ignore")  # the peers' own, about flat grains and overflow
    for case in comparisons():
        ours, peer = least_seconds(case.ours, case.peer, case.repetitions)
        figures = f"{ours:.4f} | {peer:.4f} | {peer / ours:.2f}"
        print(f"| {case.task} | {case.peer_name} | {figures} | {case.note} |", flush=True)
    morphometry.main()


if __name__ == "__main__":
    main()
