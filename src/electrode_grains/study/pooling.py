"""All grains of a study together, and the families that describe them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import electrode_grains.distributions as distributions
from electrode_grains.distributions.random_effects import interval, random_effects
from electrode_grains.errors import UserError
from electrode_grains.study.settings import PoolSettings

Array = NDArray[np.float64]
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
BINS = 2000
MIXTURE = "_mixture"


def pooled_quantiles(
    name: str, samples: Mapping[str, Array], counts: Array
) -> Iterator[dict[str, Any]]:
    """Quantiles of all grains of a study, with intervals by particle.

    Parameters
    ----------
    name : str
        Of the characteristic.
    samples : mapping of str to ndarray, shape (n,)
        By particle.
    counts : ndarray, shape (R, K)
        Resamples of particles, see `draw_particles`.

    Notes
    -----
    Resamples are counted in 2,000 bins of about equal content, between whose edges quantiles are
    interpolated.
    """
    kept = [sample[np.isfinite(sample)] for sample in samples.values()]
    everything = np.concatenate(kept)
    edges = np.unique(np.quantile(everything, np.linspace(0, 1, BINS + 1)))
    if len(edges) < 2:
        return
    inside = np.array([np.histogram(sample, edges)[0] for sample in kept], float)
    drawn = np.empty((len(counts), len(QUANTILES)))
    for row, content in enumerate(counts @ inside):
        cumulative = np.concatenate([[0.0], np.cumsum(content)])
        drawn[row] = np.interp(np.array(QUANTILES) * cumulative[-1], cumulative, edges)
    values = np.quantile(everything, QUANTILES)
    for quantile, value, replicates in zip(QUANTILES, values, drawn.T, strict=True):
        low, high = interval(replicates)
        yield {
            "characteristic": name, "quantile": quantile, "value": float(value),
            "low": low, "high": high,
        }  # fmt: skip


def fit_study(
    grains: Mapping[str, Mapping[str, Array]],
    supports: Mapping[str, tuple[float, float]],
    settings: PoolSettings,
    report_progress: Callable[[int, int], None] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit a distribution to all grains, and the same family to the grains of each particle.

    Parameters
    ----------
    grains : mapping of str to mapping of str to ndarray, shape (n,)
        Characteristics of the grains of each particle.
    supports : mapping of str to (float, float)
        Range that a characteristic is truncated to, where it is not that of its descriptor.
    settings : PoolSettings
        `fitted_grains` at most are drawn, the same number of each particle as far as it has them.
    report_progress : callable, optional
        Takes the fits done and their number.

    Returns
    -------
    pooled : DataFrame
        One row per characteristic and parameter of its best family: value of the pool, and mean,
        interval and spread of the parameter over particles.
    by_particle : DataFrame
        One row per particle, characteristic and parameter: value, standard error, outcome.

    Notes
    -----
    Mixtures do not compete: in a pool their components would stand for particles, and a component
    has no counterpart in the fit of another particle.
    """
    rng = np.random.default_rng(settings.seed)
    total = len(settings.characteristics) * (len(grains) + 1)
    done = 0
    pooled_rows: list[dict[str, Any]] = []
    particle_rows: list[dict[str, Any]] = []
    for name in settings.characteristics:
        samples = {
            particle: columns[name][np.isfinite(columns[name])]
            for particle, columns in grains.items()
        }
        support = supports.get(name, distributions.candidate_families(name)[1])
        pool, count = fit_pool(name, samples, support, settings.fitted_grains, rng)
        done += 1
        if pool.model is None or not pool.is_ranked:
            pooled_rows.append({"characteristic": name, "family": None, "reason": pool.reason})
            done += len(samples)
            continue
        rows = []
        for particle, sample in samples.items():
            rows += _particle_rows(particle, name, pool, sample, support)
            done += 1
            if report_progress is not None:
                report_progress(done, total)
        particle_rows += rows
        pooled_rows += _pooled_rows(name, pool, pd.DataFrame(rows), count)
    return pd.DataFrame(pooled_rows), pd.DataFrame(particle_rows)


def fit_pool(
    name: str,
    samples: Mapping[str, Array],
    support: tuple[float, float],
    most: int,
    rng: np.random.Generator,
) -> tuple[distributions.Fit[distributions.Marginal], int]:
    """Fit a distribution to the grains of all particles.

    Parameters
    ----------
    name : str
        Of the characteristic.
    samples : mapping of str to ndarray, shape (n,)
        Its finite values, by particle.
    support : (float, float)
    most : int
        Grains that are fitted, the same number of each particle as far as it has them.
    rng : Generator
        Draws them where there are more.

    Returns
    -------
    fit : Fit
        Of the best family; mixtures do not compete.
    count : int
        Grains that were fitted.
    """
    families = distributions.candidate_families(name)[0]
    families = tuple(each for each in families if not each.endswith(MIXTURE))
    share = most // len(samples)
    drawn = np.concatenate([_drawn(sample, share, rng) for sample in samples.values()])
    return distributions.select_marginal(drawn, families, support)[0], len(drawn)


def _drawn(sample: Array, share: int, rng: np.random.Generator) -> Array:
    if len(sample) <= share:
        return sample
    return rng.choice(sample, size=max(share, 1), replace=False)


def _particle_rows(
    particle: str, name: str, pool: Any, sample: Array, support: tuple[float, float]
) -> list[dict[str, Any]]:
    common = {"particle": particle, "characteristic": name, "family": pool.family}
    try:
        fit = distributions.fit_marginal(sample, pool.family, support, start=pool.model)
    except UserError as error:
        return [{**common, "outcome": "failed", "reason": error.message}]
    if fit.model is None:
        return [{**common, "outcome": fit.outcome, "reason": fit.reason}]
    parameters: Mapping[str, float] = fit.model.parameters
    return [
        {
            **common, "parameter": parameter, "value": value,
            "error": (fit.standard_errors or {}).get(parameter, np.nan),
            "outcome": fit.outcome, "reason": fit.reason,
        }
        for parameter, value in parameters.items()
    ]  # fmt: skip


def _pooled_rows(name: str, pool: Any, particles: pd.DataFrame, count: int) -> list[dict[str, Any]]:
    rows = []
    for parameter, value in pool.model.parameters.items():
        row = {
            "characteristic": name, "family": pool.family, "parameter": parameter,
            "value": value, "grain_count": count, "particle_count": 0,
            **dict.fromkeys(("mean", "mean_low", "mean_high", "between"), np.nan),
        }  # fmt: skip
        if "parameter" in particles:
            chosen = particles[particles["parameter"] == parameter]
            usable = chosen[np.isfinite(chosen["error"]) & (chosen["outcome"] == "converged")]
            row["particle_count"] = len(usable)
            if len(usable) >= 2:
                effects = random_effects(usable["value"], usable["error"])
                row |= {
                    "mean": effects.mean, "mean_low": effects.low, "mean_high": effects.high,
                    "between": effects.between,
                }  # fmt: skip
        rows.append(row)
    return rows
