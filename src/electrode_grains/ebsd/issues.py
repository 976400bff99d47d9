"""Problems of a stack as rows of a table, so that all are told at once."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from electrode_grains.errors import UserError


class Issue(NamedTuple):
    """One problem of a stack: a row of the table that a refusal shows."""

    slice: str
    line: str
    problem: str
    found: str
    expected: str
    remedy: str


# Widths of the columns of the table; longer texts are wrapped.
WIDTHS = (28, 7, 30, 32, 32, 36)


def issue_from(name: str, problem: UserError) -> Issue:
    """Row of the table for something that was refused.

    Examples
    --------
    >>> from electrode_grains.errors import InputError
    >>> issue_from("slice_003", InputError("a row is cut", where="slice_003.ang, line 89"))[:3]
    ('slice_003.ang', '89', 'a row is cut')
    """
    where, _, line = (problem.where or name).partition(", line ")
    return Issue(
        where,
        line,
        problem.message,
        problem.found or "",
        problem.expected or "",
        problem.remedy or "",
    )


def issue_table(issues: Sequence[Issue]) -> str:
    """Problems as a table with aligned columns and wrapped cells."""
    rows = [Issue(*Issue._fields), *issues]
    widths = [
        min(max(len(cell) for cell in column), widest)
        for column, widest in zip(zip(*rows, strict=True), WIDTHS, strict=True)
    ]
    lines = []
    for row in rows:
        cells = [textwrap.wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            line = "  ".join(f"{part:<{width}}" for part, width in zip(parts, widths, strict=True))
            lines.append("  " + line.rstrip())
    return "\n".join(lines)
