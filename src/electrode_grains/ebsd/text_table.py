"""Text files of EBSD software: a header, then one row of numbers a point."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mode

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError

NOT_FINITE = {"nan", "inf", "-inf", "+inf"}


@dataclass(frozen=True)
class TextTable:
    """Rows of numbers of a text file.

    Attributes
    ----------
    values : ndarray of float64, shape (rows, columns)
    file : Path
    header_lines : int
        Lines before the rows.
    dropped : str
        What was left out at the end, empty if nothing was.
    """

    values: NDArray[np.float64]
    file: Path
    header_lines: int
    dropped: str = ""

    def line_of(self, row: int) -> int:
        """Line number, from 1, of a row; blank lines count as lines, not as rows."""
        filled = -1
        for number, line in enumerate(_body(self.file, self.header_lines), self.header_lines + 1):
            filled += bool(line.strip())
            if filled == row:
                return number
        return self.header_lines


def read_head(file: Path, collect: Callable[[Iterator[str]], list[str]]) -> list[str]:
    """First lines of a text file in UTF-8 or Latin-1, with any kind of line end.

    Parameters
    ----------
    file : Path
    collect : callable
        Takes the lines that belong to the header from all lines, which it is given in Latin-1.
    """
    with file.open(encoding="latin-1") as stream:
        head = "".join(collect(iter(stream))).encode("latin-1")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = head.decode("latin-1")  # names of operators and samples in older files
    # str.splitlines would also split at the Latin-1 control characters.
    return text.removesuffix("\n").split("\n") if text else []


def _body(file: Path, header_lines: int) -> list[str]:
    # Universal line ends, as for NumPy; no byte is illegal in Latin-1.
    with file.open(encoding="latin-1") as stream:
        return stream.read().split("\n")[header_lines:]


def header_number(key: str, value: str, where: str, is_step: bool = False) -> float:
    """Read a number of a header: a step of at least 0, or else a count of at least 1.

    Raises
    ------
    InputError
        If it is neither.
    """
    pattern = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?" if is_step else r"\d{1,9}"
    number = float(value) if re.fullmatch(pattern, value) else -1.0
    if not np.isfinite(number) or number < (0 if is_step else 1):
        raise InputError(
            f"the header gives an impossible {key}",
            where=where,
            found=repr(value[:40]),
            expected="a length in um" if is_step else "a whole number from 1",
            remedy="export the scan again; the header was edited or damaged",
        )
    return number


def read_table(
    file: Path,
    header_lines: int,
    accept_cut: bool = False,
    rewrite: Callable[[str], str] | None = None,
) -> TextTable:
    """Read the rows of numbers that follow a header.

    Parameters
    ----------
    file : Path
    header_lines : int
        Lines to pass over.
    accept_cut : bool
        Leave out a last row that is incomplete, as after a killed copy.
    rewrite : callable, optional
        Change of the text before it is read, such as from decimal commas to points.

    Returns
    -------
    TextTable

    Raises
    ------
    InputError
        If a row is cut or holds something else than numbers, named with its line; or if there
        is none.
    """
    try:
        if rewrite is None:
            values = _load(str(file.absolute()), skiprows=header_lines)
        else:
            values = _load([rewrite(line) for line in _body(file, header_lines)])
    except ValueError:
        return _read_without_last(file, header_lines, accept_cut, rewrite or str)
    if values.size == 0:
        raise InputError("the file holds no points", where=file.name, expected="one row a point")
    return TextTable(values, file, header_lines)


def _load(source: str | list[str], skiprows: int = 0) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "loadtxt: input contained no data")
        return np.loadtxt(source, comments=None, ndmin=2, skiprows=skiprows, encoding="latin-1")


def _read_without_last(
    file: Path, header_lines: int, accept_cut: bool, rewrite: Callable[[str], str]
) -> TextTable:
    """Leave out a last row that alone is cut, or say what is wrong."""
    rows = [rewrite(line) for line in _body(file, header_lines)]
    filled = [row for row in rows if row.strip()]
    is_cut = len(filled[-1].split()) < len(filled[0].split())
    if accept_cut and is_cut and _bad_row(filled[:-1], header_lines, file.name) is None:
        return TextTable(_load(filled[:-1]), file, header_lines, dropped=filled[-1].strip())
    problem = _bad_row(rows, header_lines, file.name)
    raise problem or InputError("the rows are no numbers", where=file.name)


def _bad_row(lines: list[str], header_lines: int, file_name: str) -> InputError | None:
    """Refusal of the first row that is cut or holds something else than numbers."""
    rows = [line.split() for line in lines]
    expected = mode(len(words) for words in rows if words)
    for number, words in enumerate(rows, header_lines + 1):
        if words and (len(words) != expected or not all(map(_is_number, words))):
            return InputError(
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
