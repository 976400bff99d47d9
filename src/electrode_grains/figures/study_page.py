"""The report of a study: one self-contained page about many particles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.descriptors import DESCRIPTORS
from electrode_grains.figures.encoding import page_environment
from electrode_grains.figures.page import CONTENT_SECURITY_POLICY
from electrode_grains.figures.style import characteristic_name, family_name

Array = NDArray[np.float64]
KINDS = {"mean": "mean", "spread": "standard deviation", "dependence": "Kendall's tau"}
WIDTH, HEIGHT = 120, 44  # of a small histogram
CHART = (1000, 190)  # of the particles in order
BINS = 24
SHOWN_RANGE = (0.005, 0.995)  # quantiles of all grains between which histograms are drawn
DIGITS = 3


@dataclass(frozen=True)
class StudyContent:
    """What a report of a study shows.

    Attributes
    ----------
    title, subtitle : str
    warnings : sequence of str
    statistics, spread, groups, levels : DataFrame
        As `StudyComparison` has them.
    fits : DataFrame
        Families and parameters of the pool.
    samples : mapping of str to mapping of str to ndarray
        Characteristics of the grains of each particle that was pooled.
    links : mapping of str to str
        Address of the report of a particle, relative to the page.
    labels : mapping of str to mapping of str to str
        Level of each particle in each group.
    absent : sequence of (str, str, str)
        Particles that are not compared: name, state, reason.
    provenance : mapping of str to str
        Version, date, settings.
    """

    title: str
    subtitle: str
    statistics: pd.DataFrame
    spread: pd.DataFrame
    groups: pd.DataFrame
    levels: pd.DataFrame
    fits: pd.DataFrame
    samples: Mapping[str, Mapping[str, Array]]
    links: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    absent: Sequence[tuple[str, str, str]] = ()
    warnings: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)


def study_page(content: StudyContent) -> str:
    """Write the report as one HTML page without a script, which needs nothing but a browser.

    Parameters
    ----------
    content : StudyContent

    Returns
    -------
    str
        HTML. Whatever comes from data is escaped; a content security policy forbids the network
        and every script.
    """
    environment = page_environment()
    unusual = content.statistics[content.statistics["unusual"]]
    names = list(dict.fromkeys(content.statistics["subject"]))
    characteristics = [name for name in names if "~" not in name]
    grain_count = sum(len(next(iter(columns.values()))) for columns in content.samples.values())
    return environment.get_template("study.html.j2").render(
        policy=CONTENT_SECURITY_POLICY.format(scripts="'none'"),
        title=content.title,
        subtitle=content.subtitle,
        warnings=list(content.warnings),
        headlines=[
            (f"{len(content.samples):,}", "particles pooled"),
            (f"{grain_count:,}", "grains in the pool"),
            (f"{unusual['particle'].nunique():,}", "unusual particles"),
            (f"{len(content.absent):,}", "particles not compared"),
        ],
        unusual=[_unusual_row(row, content.links) for _, row in _by_p_value(unusual)],
        spread=[_spread_row(row) for _, row in content.spread.iterrows()],
        charts=[_chart(name, content) for name in characteristics],
        groups=[_group_row(row) for _, row in _tested(content.groups).iterrows()],
        levels=_levels(content.levels),
        fits=[_fit_row(row) for _, row in content.fits.iterrows()],
        cards=_cards(content, characteristics),
        panels=[characteristic_name(name) for name in characteristics],
        panel_size=(WIDTH, HEIGHT),
        chart_size=CHART,
        absent=content.absent,
        provenance=list(content.provenance.items()),
    )


def number(value: Any) -> str:
    """Number as a table shows it: 3 digits, a dash where there is none.

    Examples
    --------
    >>> number(486.123), number(0.00123), number(float("nan"))
    ('486', '0.00123', '-')
    """
    if value is None or not np.isfinite(value):
        return "-"
    return f"{value:.{DIGITS}g}" if abs(value) < 1000 else f"{value:,.0f}"


def probability(value: Any) -> str:
    """P-value as a table shows it.

    Examples
    --------
    >>> probability(0.0412), probability(1e-9)
    ('0.041', '< 0.001')
    """
    if value is None or not np.isfinite(value):
        return "-"
    return "< 0.001" if value < 1e-3 else f"{value:.2g}"


def subject(name: str) -> str:
    """Name of a characteristic, or of two of them, with its unit."""
    return ", ".join(
        characteristic_name(part) + (f" / {unit}" if (unit := _unit(part)) else "")
        for part in name.split(" ~ ")
    )


def _unit(name: str) -> str:
    known = DESCRIPTORS.get(name)
    return known.unit if known else ""


def _between(low: Any, high: Any) -> str:
    return "-" if not np.isfinite([low, high]).all() else f"{number(low)} to {number(high)}"


def _by_p_value(table: pd.DataFrame) -> Any:
    return table.sort_values("p_value", kind="stable").iterrows()


def _tested(groups: pd.DataFrame) -> pd.DataFrame:
    """Groups of which something could be tested: two levels, one of them of two particles."""
    return groups[groups["p_value"].notna()] if len(groups) else groups


def _unusual_row(row: pd.Series[Any], links: Mapping[str, str]) -> dict[str, str]:
    return {
        "particle": row["particle"], "link": links.get(row["particle"], ""),
        "subject": subject(row["subject"]), "kind": KINDS[row["kind"]],
        "value": number(row["value"]), "others": number(row["others"]),
        "p": probability(row["adjusted_p_value"]),
    }  # fmt: skip


def _spread_row(row: pd.Series[Any]) -> list[str]:
    get = row.get
    share = get("intraclass_correlation", np.nan)
    return [
        subject(row["subject"]), KINDS[row["kind"]], str(row["particle_count"]),
        number(get("mean", np.nan)), _between(get("mean_low", np.nan), get("mean_high", np.nan)),
        number(get("between", np.nan)),
        _between(get("between_low", np.nan), get("between_high", np.nan)),
        number(get("within", np.nan)), f"{share:.1%}" if np.isfinite(share) else "-",
        number(get("effective_grain_count", np.nan)),
        probability(get("heterogeneity_p_value", np.nan)),
    ]  # fmt: skip


def _group_row(row: pd.Series[Any]) -> list[str]:
    test = "trend (Spearman)" if row["test"] == "trend" else "levels (share of variance)"
    return [
        row["group"], subject(row["subject"]), KINDS[row["kind"]], test, number(row["effect"]),
        probability(row["p_value"]), probability(row["adjusted_p_value"]),
    ]  # fmt: skip


def _levels(levels: pd.DataFrame) -> list[dict[str, Any]]:
    """A table per group: one row per level, one column per characteristic."""
    if levels.empty:
        return []
    means = levels[levels["kind"] == "mean"]
    tables = []
    for group, table in means.groupby("group", sort=False):
        names = list(dict.fromkeys(table["subject"]))
        rows = []
        for level in dict.fromkeys(table["level"]):
            chosen = table[table["level"] == level].set_index("subject")
            cells = [
                _with_interval(chosen.loc[name]) if name in chosen.index else "-" for name in names
            ]
            rows.append([level, str(chosen["particle_count"].max()), *cells])
        tables.append({"group": group, "names": [subject(name) for name in names], "rows": rows})
    return tables


def _with_interval(row: pd.Series[Any]) -> str:
    known = np.isfinite(row["mean_low"])
    ends = f" ({_between(row['mean_low'], row['mean_high'])})" if known else ""
    return number(row["mean"]) + ends


def _fit_row(row: pd.Series[Any]) -> list[str]:
    get = row.get
    family = get("family")
    return [
        subject(row["characteristic"]),
        family_name(family) if isinstance(family, str) else "no family fits",
        str(get("parameter")) if isinstance(get("parameter"), str) else "-",
        number(get("value", np.nan)), number(get("mean", np.nan)),
        _between(get("mean_low", np.nan), get("mean_high", np.nan)),
        number(get("between", np.nan)),
    ]  # fmt: skip


def _chart(name: str, content: StudyContent) -> dict[str, Any]:
    """Means of the particles in rising order, with the spread between them as a band."""
    table = content.statistics
    table = table[(table["subject"] == name) & (table["kind"] == "mean")].sort_values("value")
    spread = content.spread
    row = spread[(spread["subject"] == name) & (spread["kind"] == "mean")].iloc[0]
    values, errors = table["value"].to_numpy(), 1.96 * table["error"].to_numpy()
    mean, between = row.get("mean", np.nan), row.get("between", np.nan)
    band = [mean - 2 * between, mean + 2 * between] if np.isfinite(between) else []
    low = min((values - errors).min(), *band) if band else (values - errors).min()
    high = max((values + errors).max(), *band) if band else (values + errors).max()
    width, height = CHART
    step = width / len(table)

    def down(value: float) -> float:
        return round(float(height * (1 - (value - low) / (high - low or 1.0))), 1)

    return {
        "name": subject(name),
        "low": number(low), "high": number(high),
        "mean": down(mean) if np.isfinite(mean) else None,
        "band": (down(band[1]), round(down(band[0]) - down(band[1]), 1)) if band else None,
        "points": [
            {
                "x": round((rank + 0.5) * step, 1), "y": down(value),
                "top": down(value + error), "bottom": down(value - error),
                "particle": particle, "link": content.links.get(particle, ""),
                "unusual": bool(unusual), "text": f"{particle}: {number(value)}",
            }
            for rank, (value, error, particle, unusual) in enumerate(
                zip(values, errors, table["particle"], table["unusual"], strict=True)
            )
        ],
        "radius": round(float(np.clip(step / 3, 1.2, 4)), 1),
    }  # fmt: skip


def _cards(content: StudyContent, names: Sequence[str]) -> list[dict[str, Any]]:
    """A card per particle: histograms beside those of all grains, what is unusual in colour."""
    marked = content.statistics[content.statistics["unusual"]]
    unusual = {
        (row["particle"], part)
        for _, row in marked.iterrows()
        for part in row["subject"].split(" ~ ")
    }
    pools = {name: _pool(name, content) for name in names}
    cards = []
    for particle, columns in content.samples.items():
        panels = [
            {
                "path": _outline(columns[name], pools[name][0], pools[name][2]),
                "pool": pools[name][1],
                "unusual": (particle, name) in unusual,
            }
            for name in names
        ]
        labels = [
            f"{group} {levels[particle]}"
            for group, levels in content.labels.items()
            if levels.get(particle)
        ]
        cards.append(
            {
                "particle": particle, "link": content.links.get(particle, ""),
                "labels": ", ".join(labels), "panels": panels,
                "grains": f"{len(next(iter(columns.values()))):,}",
                "unusual": any(panel["unusual"] for panel in panels),
            }
        )  # fmt: skip
    return cards


def _pool(name: str, content: StudyContent) -> tuple[Array, str, float]:
    """Bins, outline of all grains, and the density at the top of the panels."""
    everything = np.concatenate([columns[name] for columns in content.samples.values()])
    everything = everything[np.isfinite(everything)]
    if not len(everything):
        return np.linspace(0, 1, BINS + 1), "", 1.0
    low, high = np.quantile(everything, SHOWN_RANGE)
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    top = 1.8 * float(_shares(everything, edges).max() or 1.0)
    return edges, _outline(everything, edges, top), top


def _shares(sample: Array, edges: Array) -> Array:
    return np.asarray(np.histogram(sample, edges)[0] / max(len(sample), 1))


def _outline(sample: Array, edges: Array, top: float) -> str:
    """Path of a histogram in steps."""
    sample = sample[np.isfinite(sample)]
    if not len(sample):
        return ""
    heights = HEIGHT * (1 - np.minimum(_shares(sample, edges) / top, 1.0))
    step = WIDTH // BINS
    return f"M0 {HEIGHT}" + "".join(f"V{height:.0f}h{step}" for height in heights) + f"V{HEIGHT}"
