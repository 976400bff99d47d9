"""Text from files and users, where it is shown, logged or written: never a command to anybody.

A name may hold codes that clear a terminal, break a line of YAML, turn the direction of writing,
resolve to an environment variable, or compute in a spreadsheet. Each function here takes the
power from one reader and leaves ordinary text as it is.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Collection
from difflib import get_close_matches

# Control, format (bidirectional overrides), surrogate, and separators of lines and paragraphs.
UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
KEPT = ("\n", "\u200c", "\u200d")  # lines of a message; joiners that scripts and emoji need
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str, *, lines: bool = True) -> str:
    r"""Show control characters instead of obeying them.

    Parameters
    ----------
    text : str
    lines : bool
        Whether line feeds stay; else they are shown, too.

    Examples
    --------
    >>> printable("NMC\x1b[2J\u2028!")
    'NMC\\x1b[2J\\u2028!'
    >>> printable("two\nlines", lines=False)
    'two\\nlines'
    """
    if text.isprintable():
        return text
    kept = KEPT if lines else KEPT[1:]
    return "".join(
        character
        if character in kept or unicodedata.category(character) not in UNPRINTABLE
        else repr(character)[1:-1]
        if repr(character)[1] == "\\"
        else f"\\u{ord(character):04x}"
        for character in text
    )


def literal(text: str) -> str:
    r"""Printable text that configuration takes as it is, without resolving `${...}` in it.

    OmegaConf's own escape does not outlive the merging of environments.

    Examples
    --------
    >>> print(literal("${env:TOKEN} for $5"))
    \x24{env:TOKEN} for $5
    """
    return printable(text, lines=False).replace("${", r"\x24{")


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; numbers stay numbers.

    Examples
    --------
    >>> print(cell('=HYPERLINK("http://a")'), cell("-0.5"), cell("grain 3"))
    '=HYPERLINK("http://a") -0.5 grain 3
    """
    if not text.startswith(FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def meant(name: str, names: Collection[str]) -> str:
    """Name that a misspelt one comes nearest to, and all that there are.

    Examples
    --------
    >>> meant("minima_dept", ["minima_depth", "void_depth"])
    'did you mean minima_depth? There are: minima_depth, void_depth'
    >>> meant("x", ["minima_depth", "void_depth"])
    'one of minima_depth, void_depth'
    """
    nearest = get_close_matches(name, list(names), n=1)
    listed = ", ".join(sorted(names))
    return f"did you mean {nearest[0]}? There are: {listed}" if nearest else f"one of {listed}"


class PrintableRecord(logging.LogRecord):
    """A log record whose message commands no terminal."""

    def getMessage(self) -> str:  # noqa: N802 (name of the standard library)
        """Message with its arguments, printable."""
        return printable(super().getMessage())
