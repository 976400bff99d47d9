"""Text files of EBSD software: a header, then one row of numbers a point."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from electrode_grains.problems import InputProblem

NOT_FINITE = {"nan", "inf", "-inf", "+inf"}


@dataclass(frozen=True)
class TextTable:
    """Rows of numbers of a text file.

    Attributes
    ----------
    values : ndarray of float64, shape (rows, columns)
    lines : list of str
        All lines of the file.
    header_lines : int
        Lines before the rows.
    dropped : str
        What was left out at the end, empty if nothing was.
    """

    values: NDArray[np.float64]
    lines: list[str]
    header_lines: int
    dropped: str = ""

    def line_of(self, row: int) -> int:
        """Line number, from 1, of a row; blank lines count as lines, not as rows."""
        filled = -1
        for number, line in enumerate(self.lines[self.header_lines :], self.header_lines + 1):
            filled += bool(line.strip())
            if filled == row:
                return number
        return self.header_lines


def decode(file: Path) -> list[str]:
    """Lines of a text file in UTF-8 or Latin-1, with any kind of line end."""
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # names of operators and samples in older files
    # str.splitlines would also split at the Latin-1 control characters.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def header_number(key: str, value: str, where: str, is_step: bool = False) -> float:
    """Read a number of a header: a step of at least 0, or else a count of at least 1.

    Raises
    ------
    InputProblem
        If it is neither.
    """
    pattern = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?" if is_step else r"\d{1,9}"
    number = float(value) if re.fullmatch(pattern, value) else -1.0
    if not np.isfinite(number) or number < (0 if is_step else 1):
        raise InputProblem(
            f"the header gives an impossible {key}",
            where=where,
            found=repr(value[:40]),
            expected="a length in um" if is_step else "a whole number from 1",
            remedy="export the scan again; the header was edited or damaged",
        )
    return number


def read_table(
    lines: list[str],
    header_lines: int,
    file_name: str,
    accept_cut: bool = False,
    rewrite: Callable[[str], str] | None = None,
) -> TextTable:
    """Read the rows of numbers that follow a header.

    Parameters
    ----------
    lines : list of str
        All lines of the file.
    header_lines : int
        Lines to pass over.
    file_name : str
        For refusals.
    accept_cut : bool
        Leave out a last row that is incomplete, as after a killed copy.
    rewrite : callable, optional
        Change of the text before it is read, such as from decimal commas to points.

    Returns
    -------
    TextTable

    Raises
    ------
    InputProblem
        If a row is cut or holds something else than numbers, named with its line; or if there
        is none.
    """
    body = "\n".join(lines[header_lines:])
    if rewrite is not None:
        body = rewrite(body)
    if not body.strip():
        raise InputProblem("the file holds no points", where=file_name, expected="one row a point")
    try:
        values = np.loadtxt(io.StringIO(body), comments=None, ndmin=2)
    except ValueError:
        dropped = _cut_last_row(body) if accept_cut else None
        if dropped is not None:
            kept = [*lines[:header_lines], *body.rstrip().split("\n")[:-1]]
            table = read_table(kept, header_lines, file_name)
            return TextTable(table.values, table.lines, header_lines, dropped)
        problem = _bad_row(body, header_lines, file_name)
        raise problem or InputProblem("the rows are no numbers", where=file_name) from None
    return TextTable(values, lines, header_lines)


def _cut_last_row(body: str) -> str | None:
    """The last row if it alone is shorter than the others."""
    rows = [line.split() for line in body.rstrip().split("\n")]
    return " ".join(rows[-1]) if len(rows) > 1 and len(rows[-1]) < len(rows[0]) else None


def _bad_row(body: str, header_lines: int, file_name: str) -> InputProblem | None:
    """Refusal of the first row that is cut or holds something else than numbers."""
    rows = [line.split() for line in body.split("\n")]
    counts = Counter(len(words) for words in rows if words)
    expected = counts.most_common(1)[0][0]
    for number, words in enumerate(rows, header_lines + 1):
        if words and (len(words) != expected or not all(map(_is_number, words))):
            return InputProblem(
                "a row cannot be read",
                where=f"{file_name}, line {number}",
                found=f"{len(words)} values: {' '.join(words)[:80]!r}",
                expected=f"{expected} numbers",
                remedy="export the scan again; the file may have been cut or edited",
            )
    return None


def _is_number(word: str) -> bool:
    try:
        return np.isfinite(float(word)) or word.lower() in NOT_FINITE
    except ValueError:
        return False
