"""Formulas that the report shows are those that the fits compute with."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from electrode_grains.distributions import COPULA_FAMILIES, MARGINAL_FAMILIES, BivariateCopula
from electrode_grains.figures.formulas import (
    formula_expression,
    formula_in_latex,
    formula_in_mathml,
)

ELLIPTICAL = {"gaussian", "student"}  # no closed form
VALUES = {
    "scale": 2.3, "shape": 3.1, "power": 1.7, "sigma": 1.4, "mu": 0.7, "lambda": 5.0, "k": 0.3,
    "c": 2.2, "d": 1.9, "xi": 0.4, "omega": 1.2, "alpha": -1.5, "a": 2.5, "b": 3.5, "kappa": 1.3,
    "mu1": 0.2, "mu2": 1.1, "sigma1": 0.5, "sigma2": 0.8, "kappa1": 2.0, "kappa2": 0.7,
    "a1": 4.0, "a2": 7.0, "b1": 3.0, "b2": 2.0,
}  # fmt: skip


@pytest.mark.parametrize("name", MARGINAL_FAMILIES)
def test_the_formula_of_a_marginal_is_its_density(name):
    family = MARGINAL_FAMILIES[name]
    values = [
        0.35 if family.mixture and p == "lambda" else VALUES[p] for p in family.parameter_names
    ]
    expression = formula_expression(family.formula)

    for x in (0.15, 0.4, 0.85):
        given = dict(zip(family.parameter_names, values, strict=True)) | {"x": x}
        shown = expression.evalf(
            30, subs={s: given[s.name] for s in expression.free_symbols - bound(expression)}
        )
        expected = np.exp(family.log_density(np.array([x]), *values))[0]
        assert float(shown) == pytest.approx(expected, rel=1e-9), x


def bound(expression):
    """Variables of integration."""
    import sympy

    return {v for integral in expression.atoms(sympy.Integral) for v in integral.variables}


@pytest.mark.parametrize("name", sorted(COPULA_FAMILIES.keys() - ELLIPTICAL))
def test_the_formula_of_a_copula_is_its_distribution_function(name):
    family = COPULA_FAMILIES[name]
    known = {"theta": 0.6 if name == "ali_mikhail_haq" else 1.8, "kappa": 2.1, "delta": 0.7}
    if name == "bb1":
        known["delta"] = 1.6
    values = tuple(known[p] for p in family.parameter_names)
    expression = formula_expression(family.formula)

    for u, v in ((0.2, 0.7), (0.55, 0.35)):
        given = dict(zip(family.parameter_names, values, strict=True)) | {"u": u, "v": v}
        shown = expression.evalf(30, subs={s: given[s.name] for s in expression.free_symbols})
        assert float(shown) == pytest.approx(
            float(BivariateCopula(name, values).cdf(u, v)), rel=1e-9
        )


@pytest.mark.parametrize(
    "family", [*MARGINAL_FAMILIES.values(), *COPULA_FAMILIES.values()], ids=lambda f: f.name
)
def test_formulas_are_well_formed_on_the_page_and_name_all_parameters(family):
    if not family.formula:
        assert family.name in ELLIPTICAL
        return
    element = ElementTree.fromstring(formula_in_mathml("f(x)", family.formula))
    assert element.tag == "math"
    names = {symbol.name for symbol in formula_expression(family.formula).free_symbols}
    assert set(family.parameter_names) <= names
    assert "&" not in formula_in_latex("f(x)", family.formula)


def test_bessel_functions_are_written_as_in_books():
    page = formula_in_mathml("f(x)", MARGINAL_FAMILIES["von_mises"].formula)
    assert "<msub><mi>I</mi><mn>0</mn></msub><mrow><mo>(</mo><mi>κ</mi><mo>)</mo></mrow>" in page
    assert "besseli" not in page
