"""Tables 1 to 4 of the paper, and how tables become Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from electrode_grains.figures.parameters import parameter_list
from electrode_grains.figures.style import CHARACTERISTICS, family_name

TABLE_CAPTIONS: Mapping[str, str] = {
    "1": "Best family of each characteristic by AIC; parameters with standard errors, of mixtures "
    "in brackets with intervals of 95 % by bootstrap.",
    "2": "Mean and standard deviation: sample and fit.",
    "3": "Correlation of pairs: sample and fitted density.",
    "4": "Best copula of each pair by AIC; parameters with standard errors, in brackets intervals "
    "where the data hardly tell them apart. A rotation of 270 degrees is c(u, 1 - v).",
}


def table_1(marginal_fits: Mapping[str, Any]) -> pd.DataFrame:
    """List the best family of each characteristic with its parameters (Table 1).

    Parameters
    ----------
    marginal_fits : mapping
        ``characteristics`` by name, each with ``best`` and ``candidates``.

    Returns
    -------
    DataFrame
        Columns characteristic, unit, family, parameters (with standard errors), sample_size,
        akaike_weight, undecided (other families within two units of AIC) and p_value (of the
        three distances as one test, by parametric bootstrap; small where the best family does
        not fit either); a characteristic that no family could be fitted to keeps its row,
        without family.

    Examples
    --------
    >>> best = {"family": "beta", "parameters": {"a": 40.1, "b": 7.2}}
    >>> fits = {"characteristics": {"sphericity": {"best": "beta", "candidates": [best]}}}
    >>> table_1(fits)[["family", "parameters"]].values.tolist()
    [['beta', 'a = 40.1, b = 7.2']]
    """
    rows = []
    for name, fits in characteristics_in_order(marginal_fits):
        best = best_marginal(fits)
        rows.append(
            {
                "characteristic": name,
                "unit": unit_of(name, fits),
                "family": best.get("family"),
                "parameters": _marginal_parameters(best, fits),
                "sample_size": fits.get("sample_size"),
                "akaike_weight": _number(best.get("akaike_weight")),
                "undecided": _families(fits.get("undecided")),
                "p_value": marginal_p_text(fits.get("goodness_of_fit")),
            }
        )
    columns = ["characteristic", "unit", "family", "parameters", "sample_size", "akaike_weight",
               "undecided", "p_value"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _marginal_parameters(best: Mapping[str, Any], fits: Mapping[str, Any]) -> str:
    """Parameters with standard errors, of mixtures with intervals by bootstrap."""
    tested = fits.get("goodness_of_fit") or {}
    intervals = tested.get("bootstrap_intervals") if fits.get("populations") else None
    return parameter_list(_in_order(best).items(), best.get("standard_errors"), intervals)


def table_2(marginal_fits: Mapping[str, Any]) -> pd.DataFrame:
    """Set mean and standard deviation of the sample beside those of the fit (Table 2).

    Parameters
    ----------
    marginal_fits : mapping
        ``characteristics`` by name, each with ``mean``, ``std``, ``best``, ``candidates``.

    Returns
    -------
    DataFrame
        Columns characteristic, unit, mean_empirical, mean_fitted, std_empirical,
        std_fitted; undefined numbers are NaN.

    Examples
    --------
    >>> best = {"family": "beta", "parameters": {}, "mean": 0.848, "std": 0.0517}
    >>> fits = {"characteristics": {"sphericity": {"mean": 0.85, "std": None, "best": "beta",
    ...                                            "candidates": [best]}}}
    >>> from electrode_grains.figures.table_text import display_rows
    >>> display_rows(table_2(fits))[0][2:]
    ['0.85', '0.848', '-', '0.0517']
    """
    rows = []
    for name, fits in characteristics_in_order(marginal_fits):
        best = best_marginal(fits)
        rows.append(
            {
                "characteristic": name,
                "unit": unit_of(name, fits),
                "mean_empirical": _number(fits.get("mean")),
                "mean_fitted": _number(best.get("mean")),
                "std_empirical": _number(fits.get("std")),
                "std_fitted": _number(best.get("std")),
            }
        )
    columns = [
        "characteristic",
        "unit",
        "mean_empirical",
        "mean_fitted",
        "std_empirical",
        "std_fitted",
    ]
    return pd.DataFrame(rows, columns=columns)


def table_3(copula_fits: Mapping[str, Any]) -> pd.DataFrame:
    """Set the correlation of each pair beside that of the fitted density (Table 3).

    Parameters
    ----------
    copula_fits : mapping
        ``pairs``, each with ``x``, ``y``, ``pearson_r``, ``fitted_correlation``.

    Returns
    -------
    DataFrame
        Columns x, y, correlation_empirical, correlation_fitted, kendall_tau, sample_size;
        undefined numbers are NaN.

    Examples
    --------
    >>> table_3({"pairs": [{"x": "sphericity", "y": "convexity", "pearson_r": 0.91}]}).shape
    (1, 6)
    """
    rows = [
        {
            "x": pair.get("x"),
            "y": pair.get("y"),
            "correlation_empirical": _number(pair.get("pearson_r")),
            "correlation_fitted": _number(pair.get("fitted_correlation")),
            "kendall_tau": _number(pair.get("kendall_tau")),
            "sample_size": pair.get("sample_size"),
        }
        for pair in _pairs(copula_fits)
    ]
    columns = [
        "x",
        "y",
        "correlation_empirical",
        "correlation_fitted",
        "kendall_tau",
        "sample_size",
    ]
    return pd.DataFrame(rows, columns=columns)


def table_4(copula_fits: Mapping[str, Any]) -> pd.DataFrame:
    """List the best copula of each pair with parameters and rotation (Table 4).

    Parameters
    ----------
    copula_fits : mapping
        ``pairs``, each with ``x``, ``y`` and ``best``.

    Returns
    -------
    DataFrame
        Columns x, y, family, parameters (with standard errors, or intervals where the data
        hardly tell them apart), rotation (degrees; 270 is c(u, 1 - v)), aic (0 for
        independence), akaike_weight, undecided (others within two units of AIC), p_value (of
        the family, on ranks, by parametric bootstrap) and independence_p_value (of Kendall's
        tau).

    Examples
    --------
    >>> best = {"family": "bb1", "parameters": [0.36, 3.13], "parameter_order": ["kappa", "delta"]}
    >>> table_4({"pairs": [{"x": "sphericity", "y": "convexity", "best": best}]}).iloc[0, 3]
    'κ = 0.36, δ = 3.13'
    """
    rows = []
    for pair in _pairs(copula_fits):
        best = pair.get("best") or {}
        winner = (pair.get("candidates") or [{}])[0] if best else {}
        rows.append(
            {
                "x": pair.get("x"),
                "y": pair.get("y"),
                "family": best.get("family"),
                "parameters": _copula_parameters(pair, best, winner),
                "rotation": best.get("rotation"),
                "aic": _number(winner.get("aic")),
                "akaike_weight": _number(winner.get("akaike_weight")),
                "undecided": _families(pair.get("undecided")),
                "p_value": copula_p_text(pair.get("goodness_of_fit")),
                "independence_p_value": _number(pair.get("independence_p_value")),
            }
        )
    columns = ["x", "y", "family", "parameters", "rotation", "aic", "akaike_weight", "undecided",
               "p_value", "independence_p_value"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype({"rotation": "Int64"})


def p_text(p_value: float | None, replicates: int | None) -> str:
    """P-value of a bootstrap, which is never below 1 / (replicates + 1).

    Examples
    --------
    >>> p_text(0.34, 99), p_text(0.01, 99), p_text(None, 99)
    ('0.34', '≤ 0.01', '')
    """
    if p_value is None or p_value != p_value:
        return ""
    least = bool(replicates) and p_value <= 1.0000001 / (int(replicates or 0) + 1)
    return f"{'≤ ' if least else ''}{p_value:.2g}"


def marginal_p_text(tested: Mapping[str, Any] | None) -> str:
    """P-value of the three distances as one test, or of Anderson and Darling alone."""
    found = tested or {}
    p_value = found.get("combined_p_value")
    if p_value is None or p_value != p_value:
        p_value = (found.get("p_values") or {}).get("anderson_darling")
    return p_text(p_value, found.get("replicates"))


def copula_p_text(tested: Mapping[str, Any] | None) -> str:
    """P-value of a copula family on ranks."""
    found = tested or {}
    return p_text(found.get("p_value"), found.get("replicates"))


def _families(names: Sequence[str] | None) -> str:
    """Families, with their rotation where they have one, for a reader."""
    parts = [str(name).split(" ") for name in names or ()]
    return ", ".join(" ".join([family_name(part[0]), *part[1:]]) for part in parts)


def best_marginal(fits: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the best candidate of a characteristic, or nothing where no family won."""
    for candidate in fits.get("candidates") or ():
        if fits.get("best") is not None and candidate.get("family") == fits["best"]:
            found: Mapping[str, Any] = candidate
            return found
    return {}


def characteristics_in_order(fits: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Fits by characteristic in the paper's order, then those it does not know."""
    given = fits.get("characteristics") or {}
    order = [name for name in CHARACTERISTICS if name in given]
    order += [name for name in given if name not in CHARACTERISTICS]
    return [(name, given[name] or {}) for name in order]


def unit_of(name: str, fit: Mapping[str, Any]) -> str:
    """Unit of a characteristic as its fit states it, else as it is known; empty for a number."""
    known = CHARACTERISTICS.get(name)
    unit = fit.get("unit") or (known.unit if known else "")
    return "" if unit == "1" else str(unit)


def _pairs(fits: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    pairs: Sequence[Mapping[str, Any]] = fits.get("pairs") or ()
    return pairs


def _in_order(candidate: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters in the order of the paper, where it is known: JSON files sort their keys."""
    given = candidate.get("parameters") or {}
    return {name: given[name] for name in candidate.get("parameter_order") or given}


def _copula_parameters(
    pair: Mapping[str, Any], best: Mapping[str, Any], winner: Mapping[str, Any]
) -> str:
    """Parameters with standard errors, or intervals where the data hardly tell them apart."""
    values = list(best.get("parameters") or ())
    names = list(best.get("parameter_order") or ())
    named = zip(names if len(names) == len(values) else [""] * len(values), values, strict=True)
    weak = pair.get("intervals") if pair.get("is_weakly_identified") else None
    return parameter_list(named, winner.get("standard_errors"), weak)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
