"""Formulas of families as a page and a manuscript show them."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sympy import Expr

# Order and argument of the modified function of the first kind, as SymPy presents them.
BESSEL = r"<mi>besseli</mi><mrow><mo>\(</mo>(<mn>\d+</mn>)<mo>,</mo>"
_DOUBLE_STRUCK_E = "\u2147"  # which fonts draw unlike the e of a book


def formula_expression(formula: str) -> Expr:
    """Read the formula that a family declares.

    Parameters
    ----------
    formula : str
        As SymPy writes it, with names of parameters as they are, but ``lambda_``; ``beta(``,
        ``gamma(`` and the like are functions.

    Examples
    --------
    >>> formula_expression("beta(2, 1) * lambda_").free_symbols
    {lambda}
    """
    import sympy
    from sympy.parsing.sympy_parser import parse_expr

    words = set(re.findall(r"[A-Za-z_]\w*", formula))
    functions = set(re.findall(r"([A-Za-z_]\w*)\(", formula)) | {"pi"}
    symbols = {word: sympy.Symbol(word.rstrip("_")) for word in words - functions}
    expression: Expr = parse_expr(formula, local_dict=symbols)
    return expression


def formula_in_mathml(name: str, formula: str) -> str:
    """Write an equation for a page, with the LaTeX that copies of it take.

    Parameters
    ----------
    name : str
        Left side, such as ``f(x)`` or ``C(u, v)``.
    formula : str
        As `formula_expression` takes it.

    Returns
    -------
    str
        A ``math`` element.

    Examples
    --------
    >>> print(formula_in_mathml("f(x)", "2*x"))  # doctest: +ELLIPSIS
    <math display="block"><semantics><mrow>...<annotation encoding="application/x-tex">f(x) = 2 x...
    """
    from sympy.printing.mathml import mathml

    presented = mathml(formula_expression(formula), printer="presentation")
    presented = html.unescape(presented).replace(_DOUBLE_STRUCK_E, "e")
    presented = presented.replace("<mi>beta</mi>", "<mi>B</mi>")  # Euler's function
    presented = re.sub(BESSEL, r"<msub><mi>I</mi>\1</msub><mrow><mo>(</mo>", presented)
    latex = formula_in_latex(name, formula)
    function, arguments = name.rstrip(")").split("(")
    left = f"<mi>{function}</mi><mo>(</mo><mi>{arguments}</mi><mo>)</mo><mo>=</mo>"
    return (
        f'<math display="block"><semantics><mrow>{left}{presented}</mrow>'
        f'<annotation encoding="application/x-tex">{html.escape(latex)}</annotation>'
        "</semantics></math>"
    )


def formula_in_latex(name: str, formula: str) -> str:
    r"""Write an equation for a manuscript.

    Examples
    --------
    >>> print(formula_in_latex("f(x)", "exp(-x/scale)/scale"))
    f(x) = \frac{e^{- \frac{x}{\mathrm{scale}}}}{\mathrm{scale}}
    """
    import sympy

    expression = formula_expression(formula)
    words = {
        symbol: rf"\mathrm{{{symbol.name}}}"
        for symbol in expression.free_symbols
        if symbol.name in ("shape", "scale", "power")
    }
    return f"{name} = {sympy.latex(expression, symbol_names=words)}"
