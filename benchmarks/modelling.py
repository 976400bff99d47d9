"""Speed of the fits against peers, and calibration of their standard errors.

Speed is part of `make bench`. Calibration takes minutes and runs by hand:
``python -m benchmarks.modelling 500`` prints the tables of docs/models.md; selection and rounding
get a tenth of the samples. Intervals of pairs: `benchmarks.pair_coverage`.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyvinecopulib

from electrode_grains import hooks, tracking
from electrode_grains.distributions import (
    BivariateCopula,
    Marginal,
    candidate_families,
    find_grid,
    fit_copula,
    fit_marginal,
    goodness_of_fit,
    select_copula,
    select_marginal,
)

UNIT = (0.0, 1.0)
PAPER = {
    "equivalent_diameter_nm": Marginal("inverse_gaussian", {"mu": 513.8, "lambda": 4600}),
    "sphericity": Marginal("beta", {"a": 40.1, "b": 7.2}, UNIT),
    "convexity": Marginal("gumbel_minimum", {"mu": 0.82, "sigma": 0.048}, UNIT),
    "elongation": Marginal(
        "generalized_extreme_value", {"k": -0.42, "mu": 0.72, "sigma": 0.086}, UNIT
    ),
    "azimuthal_angle": Marginal(
        "gaussian_mixture", {"mu1": -1.7, "mu2": 1.6, "sigma1": 1, "sigma2": 0.8, "lambda": 0.4}
    ),
    "polar_angle": Marginal("sine", {}),
}
PAPER_COPULAS = (
    BivariateCopula("bb8", (4.24, 0.6), 270),
    BivariateCopula("bb8", (2.7, 0.7), 270),
    BivariateCopula("bb1", (0.36, 3.13), 180),
    BivariateCopula("bb1", (0.47, 1.47)),
    BivariateCopula("bb8", (5.6, 0.52), 180),
    BivariateCopula("bb8", (1.1, 0.82), 270),
)
PAIRS = (
    ("equivalent_diameter_nm", "sphericity"),
    ("equivalent_diameter_nm", "convexity"),
    ("sphericity", "convexity"),
    ("sphericity", "elongation"),
    ("convexity", "elongation"),
    ("polar_angle", "azimuthal_angle"),
)
# Distributions inside the range of grains, far from the limits where a family becomes another one.
MARGINAL_CASES = (
    *(distribution for distribution in PAPER.values() if distribution.parameters),
    Marginal("lognormal", {"mu": 6.2, "sigma": 0.33}),
    Marginal("gamma", {"shape": 9.0, "scale": 57.0}),
    Marginal("weibull", {"shape": 3.0, "scale": 575.0}),
    Marginal("normal", {"mu": 0.7, "sigma": 0.1}, UNIT),
    Marginal("logistic", {"mu": 0.7, "sigma": 0.05}, UNIT),
    Marginal("log_logistic", {"shape": 5.0, "scale": 490.0}),
    Marginal("generalized_gamma", {"shape": 2.0, "power": 2.0, "scale": 400.0}),
    Marginal("burr_xii", {"c": 5.0, "d": 2.0, "scale": 600.0}),
    Marginal("kumaraswamy", {"a": 9.0, "b": 4.0}),
    Marginal("logit_normal", {"mu": 1.0, "sigma": 0.5}),
    Marginal("reflected_generalized_extreme_value", {"k": 0.1, "mu": 0.85, "sigma": 0.04}, UNIT),
    Marginal("gumbel_maximum", {"mu": 430.0, "sigma": 130.0}, (0.0, np.inf)),
    Marginal("skew_normal", {"xi": 0.9, "omega": 0.1, "alpha": -4.0}),
    Marginal("von_mises", {"mu": 0.5, "kappa": 2.0}),
    Marginal("axial_von_mises", {"mu": 0.5, "kappa": 1.0}),
    Marginal(
        "von_mises_mixture",
        {"mu1": -1.7, "mu2": 1.4, "kappa1": 4.0, "kappa2": 4.0, "lambda": 0.4},
    ),
    Marginal("watson", {"kappa": -2.0}),
    Marginal("beta_cosine", {"a": 1.5, "b": 1.2}),
)
COPULA_CASES = (
    BivariateCopula("ali_mikhail_haq", (0.6,)),
    BivariateCopula("clayton", (1.5,)),
    BivariateCopula("frank", (-5.0,)),
    BivariateCopula("gumbel", (2.0,)),
    BivariateCopula("joe", (2.0,)),
    BivariateCopula("bb1", (0.7, 2.0)),
    BivariateCopula("bb8", (4.24, 0.6)),
    BivariateCopula("bb3", (1.8, 0.8)),
    BivariateCopula("bb5", (1.5, 0.8)),
)


def comparisons(make: Callable[..., Any]) -> Any:
    """Tasks and their peers, each made by `make(task, peer_name, ours, peer, ...)`."""
    rng = np.random.default_rng(1)
    samples = {name: distribution.sample(1000, rng) for name, distribution in PAPER.items()}
    pairs = [copula.sample(1000, rng) for copula in PAPER_COPULAS]

    def everything() -> None:
        for name, values in samples.items():
            select_marginal(values, *candidate_families(name))
        for pair in pairs:
            select_copula(*pair)

    yield make(
        "all candidates of 6 characteristics and 6 pairs, n = 1000",
        "the target of 30 s",
        everything,
        lambda: None,
        repetitions=1,
        note="no peer does this; the target is 30 s on one core",
    )
    yield from _copula_fits(make, rng)
    yield from _copula_densities(make, rng)
    yield from _marginal_selection(make, samples["equivalent_diameter_nm"])
    yield _logging(make)


def _copula_fits(make: Callable[..., Any], rng: np.random.Generator) -> Any:
    u, v = BivariateCopula("bb1", (0.36, 3.13), 180).sample(1000, rng)
    points = np.column_stack([u, v])
    models = [("frank", 0)] + [
        (family, rotation)
        for family in ("clayton", "gumbel", "joe", "bb1", "bb8")
        for rotation in (0, 90, 180, 270)
    ]

    def theirs(chosen: Any) -> None:
        for family, rotation in chosen:
            name = getattr(pyvinecopulib.BicopFamily, family)
            pyvinecopulib.Bicop(family=name, rotation=rotation).fit(points)

    def ours(chosen: Any) -> None:
        for family, rotation in chosen:
            fit_copula(u, v, family, rotation)

    groups = {"21 models": models}
    for family in ("frank", "clayton", "gumbel", "joe", "bb1", "bb8"):
        groups[family] = [model for model in models if model[0] == family]
    for name, chosen in groups.items():
        yield make(
            f"fit {name} to 1000 pairs, {len(chosen)} models",
            "pyvinecopulib Bicop.fit (C++)",
            lambda chosen=chosen: ours(chosen),
            lambda chosen=chosen: theirs(chosen),
        )


def _copula_densities(make: Callable[..., Any], rng: np.random.Generator) -> Any:
    u, v = rng.random((2, 1_000_000))
    points = np.column_stack([u, v])
    copula = BivariateCopula("bb1", (0.36, 3.13), 180)
    peer = pyvinecopulib.Bicop(
        family=pyvinecopulib.BicopFamily.bb1, rotation=180, parameters=np.array([[0.36], [3.13]])
    )
    yield make(
        "1e6 log-densities of BB1",
        "pyvinecopulib Bicop.pdf (C++)",
        lambda: copula.log_pdf(u, v),
        lambda: np.log(peer.pdf(points)),
    )


def _marginal_selection(make: Callable[..., Any], sample: Any) -> Any:
    from fitter import Fitter

    ours = ["inverse_gaussian", "lognormal", "gamma", "weibull", "normal", "logistic",
            "log_logistic", "generalized_gamma", "burr_xii", "generalized_extreme_value",
            "gumbel_maximum", "gumbel_minimum", "skew_normal"]  # fmt: skip
    theirs = ["invgauss", "lognorm", "gamma", "weibull_min", "norm", "logistic", "fisk",
              "gengamma", "burr12", "genextreme", "gumbel_r", "gumbel_l", "skewnorm"]  # fmt: skip

    def fit() -> None:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            Fitter(sample, distributions=theirs, timeout=120).fit(max_workers=1)

    yield make(
        "select among 13 families for 1000 diameters",
        "fitter",
        lambda: select_marginal(sample, ours),
        fit,
        repetitions=1,
    )


def _logging(make: Callable[..., Any]) -> Any:
    row = {"family": "f", "outcome": "converged", "log_likelihood": 1.0, "aic": 2.0, "bic": 3.0,
           "delta_aic": 0.0, "akaike_weight": 0.1, "parameters": {"a": 1.0, "b": 2.0}}  # fmt: skip
    marginals = {str(n): {"best": "f", "candidates": [row] * 20} for n in range(6)}
    pair = {"x": "a", "y": "b", "best": row, "candidates": [{**row, "rotation": 0}] * 36}

    def log() -> None:
        with tempfile.TemporaryDirectory() as folder:
            settings = tracking.TrackingSettings(tracking_uri="sqlite:///runs.db")
            tracker = tracking.open_tracker(settings, Path(folder))
            tracker.start("modelling", "benchmark", {}, {})
            hooks.log_marginals(tracker, {"characteristics": marginals})
            hooks.log_copulas(tracker, {"pairs": [pair] * 6})
            tracker.finish("FINISHED")
            tracking.close_tracker()

    return make(
        "log 6 x 20 + 6 x 36 candidates to MLflow",
        "the target of 20 s",
        log,
        lambda: None,
        repetitions=1,
        note="no peer; the target is 20 s, with the making of the database",
    )


def calibration(replicates: int, sizes: tuple[int, ...] = (239, 1000)) -> None:
    """Print how often intervals of 1.96 standard errors hold the true parameter."""
    print("| family | n | coverage of each parameter / % | fits at a bound / % | below the truth |")
    print("| :--- | ---: | :--- | ---: | ---: |")
    for distribution in (*MARGINAL_CASES, *COPULA_CASES):
        for n in sizes:
            print(_calibrate(distribution, n, replicates), flush=True)


def _calibrate(distribution: Any, n: int, replicates: int) -> str:
    is_copula = isinstance(distribution, BivariateCopula)
    hits: Counter[str] = Counter()
    told: Counter[str] = Counter()
    held = below = 0
    for seed in range(replicates):
        rng = np.random.default_rng([n, seed])
        if is_copula:
            pair = distribution.sample(n, rng)
            fit = fit_copula(*pair, distribution.family, distribution.rotation)
            truth = distribution.log_pdf(*pair).sum()
            true = dict(zip(fit.standard_errors or {}, distribution.parameters, strict=False))
            found = dict(zip(true, fit.parameters or (), strict=False))
        else:
            sample = distribution.sample(n, rng)
            fit = fit_marginal(sample, distribution.family, distribution.support)
            truth = distribution.log_pdf(sample).sum()
            true, found = distribution.parameters, fit.parameters or {}
        held += fit.outcome != "converged"
        below += not fit.log_likelihood >= truth - 1e-6
        for name, error in (fit.standard_errors or {}).items():
            if np.isfinite(error):
                told[name] += 1
                hits[name] += abs(found[name] - true[name]) <= 1.959964 * error
    coverage = ", ".join(f"{name} {100 * hits[name] / told[name]:.1f}" for name in told)
    return f"| {distribution.family} | {n} | {coverage} | {100 * held / replicates:.1f} | {below} |"


def selection(replicates: int, sizes: tuple[int, ...] = (239, 1000)) -> None:
    """Print how often AIC names the family of the paper, or one within two units of it."""
    print("| distribution | n | named / % | within 2 / % | most frequent others |")
    print("| :--- | ---: | ---: | ---: | :--- |")
    for subject, distribution in (*PAPER.items(), *((None, copula) for copula in PAPER_COPULAS)):
        for n in sizes:
            named = within = 0
            others: Counter[str] = Counter()
            for seed in range(replicates):
                rng = np.random.default_rng([n, seed])
                if subject is None:
                    fits: Any = select_copula(*distribution.sample(n, rng))
                    same = [
                        fit
                        for fit in fits
                        if fit.model and fit.model.rotation == distribution.rotation
                    ]
                else:
                    fits = same = select_marginal(
                        distribution.sample(n, rng), *candidate_families(subject)
                    )
                own = next(fit for fit in same if fit.family == distribution.family)
                named += own is fits[0]
                within += own.aic - fits[0].aic < 2
                if own is not fits[0]:
                    others[fits[0].family] += 1
            shown = ", ".join(
                f"{name} {100 * count / replicates:.0f}" for name, count in others.most_common(3)
            )
            title = (
                distribution.family
                if subject
                else f"{distribution.family} {distribution.parameters} {distribution.rotation}°"
            )
            share = f"{100 * named / replicates:.0f} | {100 * within / replicates:.0f}"
            print(f"| {title} | {n} | {share} | {shown} |", flush=True)


def rounding(replicates: int, n: int = 239) -> None:
    """Print how often a rounded sample of the right family is rejected at 5 %."""
    print("| sample | n | rejected, blind to ties / % | rejected, rounded alike / % |")
    print("| :--- | ---: | ---: | ---: |")
    for title, marginal, step in (
        ("beta, rounded to .01", PAPER["sphericity"], 0.01),
        ("inverse Gaussian, to 50 nm", PAPER["equivalent_diameter_nm"], 50.0),
    ):
        rejected = np.zeros(2)
        for seed in range(replicates):
            rng = np.random.default_rng([n, seed])
            sample = np.round(marginal.sample(n, rng) / step) * step
            sample = sample[(sample > 0) & (sample < marginal.bounds[1])]
            model = fit_marginal(sample, marginal.family, marginal.support).model
            for index, grid in enumerate((None, find_grid(sample))):
                tested = goodness_of_fit(model, sample, replicates=39, rng=rng, grid=grid)
                rejected[index] += tested.combined_p_value <= 0.05
        blind, aware = 100 * rejected / replicates
        print(f"| {title} | {n} | {blind:.0f} | {aware:.0f} |", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    calibration(wanted)
    selection(max(wanted // 10, 10))
    rounding(max(wanted // 10, 10))
    print(f"{time.perf_counter() - started:.0f} s")
