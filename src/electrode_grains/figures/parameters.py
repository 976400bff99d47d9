"""Fitted parameters as a reader writes them: symbols, values, standard errors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from electrode_grains.figures.table_text import GREEK, display_cell

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
MOST_DECIMALS = 6


def parameter_list(
    parameters: Iterable[tuple[str, Any]],
    errors: Mapping[str, Any] | None = None,
    intervals: Mapping[str, Any] | None = None,
) -> str:
    """Write parameters with what is known of their uncertainty.

    Parameters
    ----------
    parameters : iterable of (str, float)
        Names, empty where a parameter has none, and values.
    errors : mapping, optional
        Standard errors by name.
    intervals : mapping, optional
        ``low`` and ``high`` by name, which go before standard errors: of parameters that the
        data hardly tell apart a standard error says nothing.

    Examples
    --------
    >>> parameter_list([("mu", 513.81), ("lambda", 4612.0)], {"mu": 11.2, "lambda": None})
    'μ = 513.8 ± 11.2, λ = 4612'
    >>> parameter_list([("kappa", 4.9)], intervals={"kappa": {"low": 3.3, "high": 6.6}})
    'κ = 4.9 (3.3 to 6.6)'
    """
    parts = []
    for name, value in parameters:
        bounds = (intervals or {}).get(name)
        if bounds:
            low, high = (display_cell(bounds[end]) for end in ("low", "high"))
            text = f"{display_cell(value)} ({low} to {high})"
        else:
            text = value_with_error(value, (errors or {}).get(name))
        parts.append(f"{symbol(name)} = {text}" if name else text)
    return ", ".join(parts)


def symbol(name: str) -> str:
    """Write a parameter's name as a symbol.

    Examples
    --------
    >>> symbol("sigma2"), symbol("a"), symbol("shift")
    ('σ₂', 'a', 'shift')
    """
    found = re.fullmatch(r"([A-Za-z_]+)(\d*)", name)
    if found is None:
        return name
    return GREEK.get(found[1], found[1]) + found[2].translate(SUBSCRIPTS)


def value_with_error(value: Any, error: Any) -> str:
    """Write a value to the place of the third digit of its error, or with four digits alone.

    Examples
    --------
    >>> value_with_error(0.81340794, 0.0109788), value_with_error(0.81340794, None)
    ('0.8134 ± 0.0110', '0.8134')
    """
    if not isinstance(value, float | int) or not isinstance(error, float | int):
        return display_cell(value)
    if not (0 < error < math.inf and math.isfinite(value)):
        return display_cell(value)
    decimals = max(0, 2 - math.floor(math.log10(error)))
    if decimals > MOST_DECIMALS:
        return f"{display_cell(value)} ± {error:.3g}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"
