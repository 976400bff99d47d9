"""Tables 1 to 4 of the paper, and how tables become Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from electrode_grains.figures.style import CHARACTERISTICS
from electrode_grains.figures.table_text import display_cell


def table_1(marginal_fits: Mapping[str, Any]) -> pd.DataFrame:
    """List the best family of each characteristic with its parameters (Table 1).

    Parameters
    ----------
    marginal_fits : mapping
        ``characteristics`` by name, each with ``best`` and ``candidates``.

    Returns
    -------
    DataFrame
        Columns characteristic, unit, family, parameters, sample_size, akaike_weight and
        p_value (Anderson-Darling, by parametric bootstrap; small where the best family does
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
                "unit": _unit(name, fits),
                "family": best.get("family"),
                "parameters": _parameters(_in_order(best)),
                "sample_size": fits.get("sample_size"),
                "akaike_weight": _number(best.get("akaike_weight")),
                "p_value": _number(
                    ((fits.get("goodness_of_fit") or {}).get("p_values") or {}).get(
                        "anderson_darling"
                    )
                ),
            }
        )
    columns = ["characteristic", "unit", "family", "parameters", "sample_size", "akaike_weight",
               "p_value"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


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
                "unit": _unit(name, fits),
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
        Columns x, y, family, parameters, rotation (degrees; 270 is c(u, 1 - v)).

    Examples
    --------
    >>> best = {"family": "bb1", "parameters": [0.36, 3.13], "rotation": 180}
    >>> table_4({"pairs": [{"x": "sphericity", "y": "convexity", "best": best}]}).iloc[0, 3]
    '0.36, 3.13'
    """
    rows = []
    for pair in _pairs(copula_fits):
        best = pair.get("best") or {}
        rows.append(
            {
                "x": pair.get("x"),
                "y": pair.get("y"),
                "family": best.get("family"),
                "parameters": _parameters(best.get("parameters")),
                "rotation": best.get("rotation"),
            }
        )
    table = pd.DataFrame(rows, columns=["x", "y", "family", "parameters", "rotation"])
    return table.astype({"rotation": "Int64"})


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


def _pairs(fits: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    pairs: Sequence[Mapping[str, Any]] = fits.get("pairs") or ()
    return pairs


def _unit(name: str, fits: Mapping[str, Any]) -> str:
    known = CHARACTERISTICS.get(name)
    unit = fits.get("unit") or (known.unit if known else "")
    return "" if unit == "1" else str(unit)


def _in_order(candidate: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters in the order of the paper, where it is known: JSON files sort their keys."""
    given = candidate.get("parameters") or {}
    return {name: given[name] for name in candidate.get("parameter_order") or given}


def _parameters(parameters: Mapping[str, Any] | Sequence[Any] | None) -> str:
    """Write parameters in their own order, with names where they have some."""
    if not parameters:
        return ""
    if isinstance(parameters, Mapping):
        return ", ".join(f"{name} = {display_cell(value)}" for name, value in parameters.items())
    return ", ".join(display_cell(value) for value in parameters)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
