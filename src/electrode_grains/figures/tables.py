"""Tables 1 to 4 of the paper, and how tables become Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from electrode_grains.figures.style import CHARACTERISTICS, FAMILIES, characteristic_name

MISSING = "-"
SIGNIFICANT_DIGITS = 4
LATEX_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)


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


def to_markdown(table: pd.DataFrame) -> str:
    r"""Write a table in GitHub's Markdown; the index is left out.

    Examples
    --------
    >>> print(to_markdown(pd.DataFrame({"family": ["weibull"], "delta_aic": [2.0]})), end="")
    | Family | ΔAIC |
    | :--- | ---: |
    | Weibull | 2 |
    """
    headings = [_markdown_cell(heading(str(name))) for name in table.columns]
    rules = ["---:" if numeric else ":---" for numeric in _numeric(table)]
    lines = [headings, rules, *([_markdown_cell(c) for c in row] for row in display_rows(table))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def to_latex(table: pd.DataFrame) -> str:
    r"""Write a table in LaTeX with the rules of booktabs; the index is left out.

    Examples
    --------
    >>> print(to_latex(pd.DataFrame({"family": ["bb1"], "rotation": [180]})), end="")
    \begin{tabular}{lr}
    \toprule
    Family & Rotation / deg \\
    \midrule
    BB1 (Clayton-Gumbel) & 180 \\
    \bottomrule
    \end{tabular}
    """
    alignment = "".join("r" if numeric else "l" for numeric in _numeric(table))
    headings = [_latex_cell(heading(str(name))) for name in table.columns]
    body = [[_latex_cell(cell) for cell in row] for row in display_rows(table)]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            " & ".join(headings) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in body),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


HEADINGS: Mapping[str, str] = {
    "aic": "AIC",
    "bic": "BIC",
    "delta_aic": "ΔAIC",
    "akaike_weight": "Akaike weight",
    "p_value": "p (goodness of fit)",
    "log_likelihood": "Log-likelihood",
    "mean_empirical": "Mean (empirical)",
    "mean_fitted": "Mean (fitted)",
    "std_empirical": "Std (empirical)",
    "std_fitted": "Std (fitted)",
    "std": "Std",
    "correlation_empirical": "Correlation (empirical)",
    "correlation_fitted": "Correlation (fitted)",
    "kendall_tau": "Kendall's tau",
    "rotation": "Rotation / deg",
    "boundary_f1": "Boundary F1",
    "brier_score": "Brier score",
    "x": "x",
    "y": "y",
}
UNIT_SUFFIXES: Mapping[str, str] = {"nm": "nm", "nm2": "nm²", "nm3": "nm³"}


def heading(column: str) -> str:
    """Heading of a column as a reader writes it.

    Examples
    --------
    >>> heading("volume_nm3"), heading("delta_aic"), heading("sample_size")
    ('Volume / nm³', 'ΔAIC', 'Sample size')
    """
    if column in HEADINGS:
        return HEADINGS[column]
    stem, _, suffix = column.rpartition("_")
    if stem and suffix in UNIT_SUFFIXES:
        return f"{stem.replace('_', ' ').capitalize()} / {UNIT_SUFFIXES[suffix]}"
    known = CHARACTERISTICS.get(column)
    return f"{known.title} / {known.unit}" if known and known.unit else characteristic_name(column)


def display_rows(table: pd.DataFrame) -> list[list[str]]:
    """Write every cell as text: four significant digits, names of families in full."""
    columns = [[display_cell(value) for value in table[name]] for name in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def display_cell(value: Any) -> str:
    """Write one value for a reader; what is missing becomes a dash.

    Examples
    --------
    >>> display_cell(0.0516904), display_cell(None), display_cell("polar_angle")
    ('0.05169', '-', 'Polar angle')
    """
    if value is None or value is pd.NA or value is pd.NaT or value == "":
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return f"{value:.{SIGNIFICANT_DIGITS}g}" if np.isfinite(value) else MISSING
    text = str(value)
    if text in CHARACTERISTICS:
        return CHARACTERISTICS[text].title
    return FAMILIES.get(text, text)


def _markdown_cell(text: str) -> str:
    plain = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return plain.replace("<", "&lt;").replace(">", "&gt;")


def _latex_cell(text: str) -> str:
    escaped = " ".join(text.split()).translate(LATEX_ESCAPES)
    for sign, command in (("Δ", r"$\Delta$"), ("²", r"$^2$"), ("³", r"$^3$")):
        escaped = escaped.replace(sign, command)
    return escaped


def _numeric(table: pd.DataFrame) -> list[bool]:
    return [
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        for dtype in table.dtypes
    ]


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
