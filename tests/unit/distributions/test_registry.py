"""Families that a user adds, and settings and records that rooms hand to each other."""

import json
import math
from functools import partial

import numpy as np
import pytest
import yaml

from electrode_grains.datasets.results import plain
from electrode_grains.distributions import (
    COPULA_FAMILIES,
    MARGINAL_FAMILIES,
    BivariateCopula,
    CopulaFamily,
    CopulaFits,
    Marginal,
    MarginalFamily,
    MarginalFits,
    ModellingSettings,
    Nested,
    Parameter,
    fit_characteristic,
    fit_copula,
    fit_marginal,
    fit_pair,
    register_family,
    select_copula,
    select_marginal,
    unregister_family,
)
from electrode_grains.errors import SettingsError


def power(x, k, height):
    with np.errstate(all="ignore"):
        inside = (x > 0) & (x < height)
        return np.where(inside, math.log(k / height) + (k - 1) * np.log(x / height), -np.inf)


# Its parameter k has nothing to do with that of extreme values, and there is no mu or sigma.
POWER = MarginalFamily(
    name="power_function",
    parameters=(Parameter("k", "shape"), Parameter("height", "scale")),
    natural_support=(0.0, math.inf),
    log_density=power,
    tails=lambda x, k, height: (
        np.minimum(x / height, 1.0) ** k,
        -np.expm1(k * np.log(np.minimum(x / height, 1.0))),
    ),
    quantile=lambda p, q, k, height: height * p ** (1 / k),
    end_points=lambda k, height: (0.0, height),
    starts=lambda sample: [(1.0, float(sample.max()) * 1.001)],
)
# Farlie, Gumbel and Morgenstern, which the project lacks: tau = 2 theta / 9.
MORGENSTERN = CopulaFamily(
    name="morgenstern",
    parameters=(Parameter("theta", "real", search=(-1.0, 1.0)),),
    log_density=lambda u, v, p: np.log1p(p[0] * (1 - 2 * u) * (1 - 2 * v)),
    cdf=lambda u, v, p: u * v * (1 + p[0] * (1 - u) * (1 - v)),
    is_radially_symmetric=True,
)


@pytest.fixture(params=[POWER, MORGENSTERN], ids=["marginal", "copula"])
def registered(request):
    yield register_family(request.param)
    unregister_family(request.param.name)


@pytest.fixture
def power_function():
    yield register_family(POWER)
    unregister_family(POWER.name)


@pytest.fixture
def morgenstern():
    yield register_family(MORGENSTERN)
    unregister_family(MORGENSTERN.name)


@pytest.mark.usefixtures("power_function")
def test_a_family_with_a_parameter_k_and_no_mu_has_moments_quantiles_and_samples():
    marginal = Marginal("power_function", {"k": 3.0, "height": 2.0})
    assert marginal.mean() == pytest.approx(1.5)
    assert marginal.std() == pytest.approx(2 * math.sqrt(3 / 80))
    assert marginal.quantile([0.0, 0.125, 1.0]) == pytest.approx([0.0, 1.0, 2.0])
    sample = marginal.sample(400, np.random.default_rng(1))
    ranked = select_marginal(sample, ["power_function", "weibull", "gamma"], (0.0, math.inf))
    assert ranked[0].family == "power_function"
    assert ranked[0].parameters["height"] == pytest.approx(sample.max(), rel=1e-6)


@pytest.mark.usefixtures("morgenstern")
def test_a_copula_family_of_a_user_competes():
    copula = BivariateCopula("morgenstern", (0.9,))
    assert copula.kendall_tau() == pytest.approx(0.2, abs=1e-6)
    pair = copula.sample(2000, np.random.default_rng(4))
    fits = select_copula(*pair, ["morgenstern", "joe"])
    assert fits[0].family == "morgenstern"
    assert fits[0].parameters == pytest.approx((0.9,), abs=0.12)


def test_a_name_is_given_once(registered):
    with pytest.raises(SettingsError, match="name of its own"):
        register_family(registered)
    assert register_family(registered, replace=True) is registered
    unregister_family(registered.name)
    assert registered.name not in {**MARGINAL_FAMILIES, **COPULA_FAMILIES}
    part = np.linspace(0.1, 0.9, 50)
    fit = fit_marginal if isinstance(registered, MarginalFamily) else partial(fit_copula, part)
    with pytest.raises(SettingsError, match=r"unknown (marginal|copula) family"):
        fit(part, registered.name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "two words"}, "name of its own"),
        ({"parameters": (Parameter("k", "shape"), Parameter("k", "scale"))}, "share a name"),
        ({"nested": (Nested("nowhere", lambda values: values),)}, "unknown marginal family"),
    ],
)
def test_declarations_that_cannot_be_are_refused(change, message):
    from dataclasses import replace

    with pytest.raises(SettingsError, match=message):
        register_family(replace(POWER, **change))


def test_the_python_call_and_the_pipeline_name_the_same_winner():
    """A power tail beyond a cut, which the family of Burr reaches in its limit."""
    u = (np.arange(150) + 0.5) / 150
    sample = 990 * (1 - u) ** (-1 / 1.8)
    families = ["burr_xii", "lognormal", "log_logistic"]
    ranked = select_marginal(sample, families, support=(0.0, math.inf))
    assert ranked[0].family == fit_characteristic(sample, families, (0.0, math.inf)).best
    (burr,) = (fit for fit in ranked if fit.family == "burr_xii")
    assert burr.outcome == "inadmissible"
    assert not burr.is_ranked


# --- settings and records --------------------------------------------------------------------


def test_defaults_are_the_values_of_conf_base(request):
    path = request.config.rootpath / "conf" / "base" / "parameters_modelling.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))["modelling"]
    assert ModellingSettings(**values) == ModellingSettings()
    for name, field in ModellingSettings.model_fields.items():
        assert set(values[name]) == set(type(field.default).model_fields)


def test_records_come_back_from_a_file_as_they_were():
    rng = np.random.default_rng(3)
    u, v = BivariateCopula("clayton", (2.0,), 90).sample(120, rng)
    x = Marginal("gamma", {"shape": 9.0, "scale": 50.0}).quantile(u)
    first = fit_characteristic(x, ["gamma", "burr_xii"], (0.0, math.inf))
    second = fit_characteristic(v, ["beta"], (0.0, 1.0))
    pair = fit_pair(x, v, first, second, ["clayton", "joe"], [0, 90])
    for record in (
        MarginalFits(characteristics={"x": first, "y": second}),
        CopulaFits(pairs=[pair]),
    ):
        text = json.dumps(plain(record.to_dict()), sort_keys=True)
        again = type(record).from_dict(json.loads(text))
        assert json.dumps(plain(again.to_dict()), sort_keys=True) == text
    again = MarginalFits.from_dict(
        json.loads(json.dumps(plain({"characteristics": {"x": first.to_dict()}})))
    )
    assert again.characteristics["x"].interval == (0.0, math.inf)
    assert again.characteristics["x"].distribution().std() == first.distribution().std()
