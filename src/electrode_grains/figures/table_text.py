"""Cells, headings and whole tables as text: for readers, Markdown, LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unicodedata import lookup

import numpy as np
import pandas as pd

from electrode_grains.descriptors import DESCRIPTORS
from electrode_grains.figures.style import (
    CHARACTERISTICS,
    FAMILIES,
    characteristic_name,
    family_name,
)

MISSING = "-"
SMALLEST_P = 0.001
_LETTERS = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "kappa", "lambda", "mu", "nu"),
    *("xi", "rho", "sigma", "tau", "phi", "omega"),
)
GREEK: Mapping[str, str] = {
    # Unicode has its own spelling of lambda.
    name: lookup(f"GREEK SMALL LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
    for name in _LETTERS
} | {"Delta": "Δ"}
LATEX_SIGNS: Mapping[str, str] = {
    **{letter: rf"$\{name}$" for name, letter in GREEK.items()},
    **{letter: f"$_{digit}$" for digit, letter in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{"²": "$^2$", "³": "$^3$", "±": r"$\pm$", "≤": r"$\leq$", "µ": r"$\mu$"},
}


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


def to_latex(table: pd.DataFrame, caption: str = "", label: str = "") -> str:
    r"""Write a table in LaTeX with the rules of booktabs; the index is left out.

    Parameters
    ----------
    table : DataFrame
    caption, label : str
        With a caption the table floats, and a text refers to it by the label.

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
    floats = [r"\begin{table}", rf"\caption{{{_latex_cell(caption)}}}"] if caption else []
    named = [rf"\label{{{label}}}"] if caption and label else []
    return "\n".join(
        [
            *floats,
            *named,
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            " & ".join(headings) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in body),
            r"\bottomrule",
            r"\end{tabular}",
            *([r"\end{table}"] if caption else []),
            "",
        ]
    )


HEADINGS: Mapping[str, str] = {
    "aic": "AIC",
    "bic": "BIC",
    "delta_aic": "ΔAIC",
    "akaike_weight": "Akaike weight",
    "p_value": "p (goodness of fit)",
    "independence_p_value": "p (independence)",
    "undecided": "Undecided between it and",
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
    "mlflow_runs": "MLflow runs",
    "x": "x",
    "y": "y",
}


UNIT_SUFFIXES: Mapping[str, str] = {"nm": "nm", "nm2": "nm²", "nm3": "nm³"}


def heading(column: str) -> str:
    """Heading of a column as a reader writes it.

    Examples
    --------
    >>> heading("volume_nm3"), heading("delta_aic"), heading("radial_angle")
    ('Volume / nm³', 'ΔAIC', 'Radial angle / rad')
    """
    if column in HEADINGS:
        return HEADINGS[column]
    if (known := DESCRIPTORS.get(column)) is not None:
        unit = UNIT_SUFFIXES.get(known.unit or "", known.unit)
        return f"{known.title} / {unit}" if unit else known.title
    stem, _, suffix = column.rpartition("_")
    if stem and suffix in UNIT_SUFFIXES:
        return f"{stem.replace('_', ' ').capitalize()} / {UNIT_SUFFIXES[suffix]}"
    return characteristic_name(column)


def display_rows(table: pd.DataFrame) -> list[list[str]]:
    """Write every cell as text: four significant digits, names of families in full."""
    columns = [
        [
            _display(name, cell)
            for cell in (_named(table[name]) if name == "family" else table[name])
        ]
        for name in table
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _display(column: Any, value: Any) -> str:
    """One cell; a p-value that is smaller than anybody distinguishes is a bound."""
    is_p = str(column).endswith("p_value") and isinstance(value, float | np.floating)
    return f"< {SMALLEST_P:g}" if is_p and 0 <= value < SMALLEST_P else display_cell(value)


def _named(families: pd.Series) -> list[Any]:
    return [family_name(name) if isinstance(name, str) else name for name in families]


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
    for sign, command in LATEX_SIGNS.items():
        escaped = escaped.replace(sign, command)
    return escaped.replace("$$", "")  # a letter and its subscript in one formula


def _numeric(table: pd.DataFrame) -> list[bool]:
    return [
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        for dtype in table.dtypes
    ]
