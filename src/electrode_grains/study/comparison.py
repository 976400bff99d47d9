"""Particles of a study compared: spread between and within, unusual ones, groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.distributions.comparison import holm
from electrode_grains.distributions.random_effects import (
    departures,
    draw_particles,
    random_effects,
    spread_interval,
)
from electrode_grains.errors import InputError
from electrode_grains.study.groups import as_numbers, group_test
from electrode_grains.study.pooling import pooled_quantiles
from electrode_grains.study.settings import PoolSettings
from electrode_grains.study.statistics import particle_statistics

Array = NDArray[np.float64]
Grains = Mapping[str, Mapping[str, Array]]
SIGNIFICANT = 0.05
LEAST_PARTICLES = 2
# Columns that are empty where there are too few particles for them.
OF_MEANS = ("mean", "mean_low", "mean_high", "between")
OF_SPREAD = (
    *OF_MEANS, "between_low", "between_high", "heterogeneity_p_value", "within",
    "intraclass_correlation", "intraclass_correlation_low", "intraclass_correlation_high",
    "effective_grain_count",
)  # fmt: skip
KEYS = ["subject", "kind"]


@dataclass(frozen=True)
class StudyComparison:
    """What the particles of a study have in common, and in what they differ.

    Attributes
    ----------
    statistics : DataFrame
        One row per particle and statistic: value, standard error, the mean of the other
        particles, and two p-values. `p_value` is that of a particle which scatters as the others
        do, `grain_p_value` that of a particle with the grains of a typical one; `unusual` and
        `differs` say whether they are below 5 % after Holm's adjustment over all rows.
    spread : DataFrame
        One row per statistic: mean of particles with its interval, spread between them with its
        interval, and for means the spread within, the share of the variance that lies between
        (intraclass correlation), and how many independent grains the pool is worth.
    quantiles : DataFrame
        One row per characteristic and quantile of all grains, with intervals by particle.
    groups : DataFrame
        One row per group and statistic: test, effect, p-value, adjusted over the statistics.
    levels : DataFrame
        One row per level of a group and statistic: number of particles, mean, its interval.
    omitted : mapping of str to str
        Particles that could not be compared, and why.
    """

    statistics: pd.DataFrame
    spread: pd.DataFrame
    quantiles: pd.DataFrame
    groups: pd.DataFrame
    levels: pd.DataFrame
    omitted: Mapping[str, str]


def compare_study(
    grains: Grains,
    groups: Mapping[str, Mapping[str, str]],
    settings: PoolSettings,
    report_progress: Callable[[int, int], None] | None = None,
) -> StudyComparison:
    """Compare the particles of a study.

    Parameters
    ----------
    grains : mapping of str to mapping of str to ndarray, shape (n,)
        Characteristics of the whole grains of each particle.
    groups : mapping of str to mapping of str to str
        By the name of a group, such as batch, the level of each particle; empty where unknown.
    settings : PoolSettings
    report_progress : callable, optional
        Takes the particles done and their number.

    Returns
    -------
    StudyComparison

    Raises
    ------
    InputError
        If fewer than two particles have enough grains.

    Notes
    -----
    Particles are the units of the study: quantiles of the pool have their intervals from whole
    particles drawn with replacement, tests of groups come from particles permuted between them.
    Grains of one particle are no independent witnesses of a group, and resampling them makes every
    difference significant.
    """
    rng = np.random.default_rng(settings.seed)
    statistics, omitted = _statistics(grains, settings, report_progress)
    tables = [_with_departures(table) for _, table in _by_statistic(statistics)]
    statistics = pd.concat(tables, ignore_index=True)
    for column, verdict in (("p_value", "unusual"), ("grain_p_value", "differs")):
        known = statistics[column].notna()
        adjusted = np.full(len(statistics), np.nan)
        adjusted[known] = holm(statistics.loc[known, column].to_list())
        statistics[f"adjusted_{column}"] = adjusted
        statistics[verdict] = adjusted < SIGNIFICANT
    compared = [name for name in grains if name not in omitted]
    counts = draw_particles(len(compared), settings.replicates, rng)
    spread = pd.DataFrame([_spread_row(table) for _, table in _by_statistic(statistics)])
    tests, levels = _groups(statistics, spread, groups, settings, rng)
    columns = {
        name: {each: grains[each][name] for each in compared} for name in settings.characteristics
    }
    quantiles = pd.DataFrame(
        [
            row
            for name, samples in columns.items()
            for row in pooled_quantiles(name, samples, counts)
        ]
    )
    return StudyComparison(statistics, spread, quantiles, tests, levels, omitted)


def _statistics(
    grains: Grains, settings: PoolSettings, report_progress: Callable[[int, int], None] | None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Statistics of all particles, and which particles have too few grains."""
    pairs = list(combinations(settings.characteristics, 2))
    rows: list[dict[str, Any]] = []
    omitted = {}
    for number, (name, columns) in enumerate(grains.items(), start=1):
        chosen = {each: columns[each] for each in settings.characteristics}
        found = list(particle_statistics(chosen, pairs, minimum_grains=settings.minimum_grains))
        if not found:
            count = max(int(np.isfinite(column).sum()) for column in chosen.values())
            omitted[name] = f"{count} whole grains, {settings.minimum_grains} are needed"
        else:
            rows += [{"particle": name, **vars(statistic)} for statistic in found]
        if report_progress is not None:
            report_progress(number, len(grains))
    compared = len(grains) - len(omitted)
    if compared < LEAST_PARTICLES:
        raise InputError(
            "too few particles to compare",
            found=f"{compared} of {len(grains)} with "
            f"{settings.minimum_grains} whole grains or more",
            expected=f"at least {LEAST_PARTICLES}",
            remedy="compute more particles; or lower pool.minimum_grains in study.yml",
        )
    return pd.DataFrame(rows), omitted


def _with_departures(table: pd.DataFrame) -> pd.DataFrame:
    found = departures(table["value"], table["error"])
    return table.assign(
        others=found.others,
        difference=found.difference,
        p_value=found.p_value,
        grain_p_value=found.grain_p_value,
    )


def _spread_row(table: pd.DataFrame) -> dict[str, Any]:
    values, errors = table["value"].to_numpy(), table["error"].to_numpy()
    sizes = table["grain_count"].to_numpy()
    first = table.iloc[0]
    row: dict[str, Any] = {
        "subject": first["subject"], "kind": first["kind"],
        "particle_count": len(table), "grain_count": int(sizes.sum()),
        **dict.fromkeys(OF_SPREAD, np.nan),
    }  # fmt: skip
    if len(table) < LEAST_PARTICLES:
        return row
    effects = random_effects(values, errors)
    low, high = spread_interval(values, errors)
    row |= {
        "mean": effects.mean, "mean_low": effects.low, "mean_high": effects.high,
        "between": effects.between, "between_low": low, "between_high": high,
        "heterogeneity_p_value": effects.heterogeneity_p_value,
    }  # fmt: skip
    if first["kind"] == "mean":
        row |= _shares(errors, sizes, np.array([effects.between, low, high]))
    return row


def _shares(errors: Array, sizes: NDArray[Any], between: Array) -> dict[str, float]:
    """Spread within particles, and the share of the variance that lies between them.

    The spread within is known so much better than that between that the share has its interval
    from the latter alone.
    """
    inner = (sizes - 1.0) * errors**2 * sizes
    within = float(np.sqrt(inner.sum() / (sizes - 1.0).sum()))
    share, low, high = between**2 / np.maximum(between**2 + within**2, 1e-300)
    cluster = (sizes**2).sum() / sizes.sum()  # a grain's particle has so many grains in the mean
    return {
        "within": within,
        "intraclass_correlation": float(share),
        "intraclass_correlation_low": float(low),
        "intraclass_correlation_high": float(high),
        "effective_grain_count": float(sizes.sum() / (1.0 + (cluster - 1.0) * share)),
    }


def _groups(
    statistics: pd.DataFrame,
    spread: pd.DataFrame,
    groups: Mapping[str, Mapping[str, str]],
    settings: PoolSettings,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    tests: list[dict[str, Any]] = []
    levels: list[dict[str, Any]] = []
    between = {(row["subject"], row["kind"]): row["between"] for _, row in spread.iterrows()}
    for name, level_of in groups.items():
        rows = []
        for (subject, kind), table in _by_statistic(statistics):
            table = table.assign(level=table["particle"].map(level_of).fillna(""))
            table = table[table["level"] != ""]
            found = group_test(
                table["value"].to_numpy(), table["error"].to_numpy(), float(between[subject, kind]),
                table["level"].tolist(), replicates=settings.replicates, rng=rng,
            )  # fmt: skip
            rows.append({"group": name, "subject": subject, "kind": kind, **vars(found)})
            for level in _ordered(table["level"]):
                levels.append(_level_row(name, level, subject, kind, table))
        p_values = [row["p_value"] for row in rows]
        known = np.isfinite(p_values)
        adjusted = np.full(len(rows), np.nan)
        adjusted[known] = holm(np.asarray(p_values)[known].tolist())
        tests += [{**row, "adjusted_p_value": p} for row, p in zip(rows, adjusted, strict=True)]
    return pd.DataFrame(tests), pd.DataFrame(levels)


def _by_statistic(statistics: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    for key, table in statistics.groupby(KEYS, sort=False):
        subject, kind = (str(part) for part in key)
        yield (subject, kind), table


def _level_row(
    group: str, level: str, subject: str, kind: str, table: pd.DataFrame
) -> dict[str, Any]:
    chosen = table[table["level"] == level]
    row = {"group": group, "level": level, "subject": subject, "kind": kind,
           "particle_count": len(chosen), **dict.fromkeys(OF_MEANS, np.nan)}  # fmt: skip
    if len(chosen) < LEAST_PARTICLES:
        return {**row, "mean": float(chosen["value"].mean())}
    effects = random_effects(chosen["value"], chosen["error"])
    return {
        **row, "mean": effects.mean, "mean_low": effects.low, "mean_high": effects.high,
        "between": effects.between,
    }  # fmt: skip


def _ordered(levels: pd.Series[str]) -> list[str]:
    """Levels in order: of their numbers where they are numbers."""
    names = sorted(set(levels))
    numbers = as_numbers(names)
    return names if numbers is None else [names[index] for index in np.argsort(numbers)]
