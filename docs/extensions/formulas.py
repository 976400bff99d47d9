"""Formulas of docstrings as MathML when the pages are built: no script has to draw them."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe
from latex2mathml.converter import convert

BLOCK = re.compile(r"^([ \t]*)\.\. math::[ \t]*(.*)\n((?:\1[ \t]+\S.*\n?|[ \t]*\n)*)", re.MULTILINE)
INLINE = re.compile(r":math:`([^`]+)`")
REFERENCE = re.compile(r"\[(\d+)\]_")
TARGET = re.compile(r"^([ \t]*)\.\. \[(\d+)\]", re.MULTILINE)


def _displayed(found: re.Match[str]) -> str:
    indent, first, rest = found.groups()
    formula = " ".join([first, *textwrap.dedent(rest).split("\n")]).strip()
    if "&" in formula or r"\\" in formula:
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    return f"\n{indent}{convert(formula, display='block')}\n\n"


def with_formulas(text: str) -> str:
    """Replace what reStructuredText writes as formulas and references."""
    text = BLOCK.sub(_displayed, text)
    # In a span: at the start of a line Markdown would take the formula for a block.
    text = INLINE.sub(lambda found: f"<span>{convert(found[1].replace(chr(10), ' '))}</span>", text)
    return TARGET.sub(r"\1[\2]", REFERENCE.sub(r"[\1]", text))


class Formulas(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Take one function, class or module."""
        if obj.docstring is not None:
            obj.docstring.value = with_formulas(obj.docstring.value)
