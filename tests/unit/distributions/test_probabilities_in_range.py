"""What holds for every family and every test: probabilities, fixed seeds, refusals of steps."""

import math

import numpy as np
import pytest

from electrode_grains.distributions import (
    MARGINAL_FAMILIES,
    BivariateCopula,
    JointDensity,
    Marginal,
    fit_marginal,
)
from electrode_grains.distributions.copula_goodness import copula_goodness_of_fit
from electrode_grains.distributions.family_declaration import Parameter
from electrode_grains.distributions.goodness import goodness_of_fit
from electrode_grains.distributions.hierarchy import random_effect
from electrode_grains.distributions.likelihood_search import _ascent, _ascent_of_one
from electrode_grains.distributions.mixtures import split_starts

VALUES = {
    "shape": (0.3, 1.0, 7.0),
    "scale": (0.5, 3.0),
    "log_location": (-1.0, 0.5),
    "location": (-0.4, 1.0),
    "angle": (-2.0, 0.0, 1.1),
    "probability": (0.2, 0.7),
    "real": (-0.8, -0.3, 0.2, 1.5),
    "signed": (-4.0, 0.0, 2.0),
}


@pytest.mark.parametrize("name", MARGINAL_FAMILIES)
def test_both_tails_are_probabilities_up_to_the_ends_and_add_up_to_one(name):
    family = MARGINAL_FAMILIES[name]
    first, last = family.natural_support
    low, high = (end if math.isfinite(end) else sign * 60.0 for end, sign in
                 ((first, -1), (last, 1)))  # fmt: skip
    beside = np.geomspace(1e-12, 0.4, 60) * (high - low)
    x = np.sort(np.concatenate([low + beside, high - beside, np.linspace(low, high, 300)[1:-1]]))
    for turn in range(4):
        values = tuple(
            VALUES[part.kind][(turn + place) % len(VALUES[part.kind])]
            for place, part in enumerate(family.parameters)
        )
        with np.errstate(all="ignore"):
            below, above = (np.asarray(part) for part in family.tails(x, *values))
        inside = np.isfinite(family.log_density(x, *values))
        assert inside.sum() > 100
        for tail in (below[inside], above[inside]):
            assert tail.min() >= 0
            assert tail.max() <= 1
        assert (np.diff(below[inside]) >= -1e-9).all()
        np.testing.assert_allclose((below + above)[inside], 1, atol=1e-9)


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("name", MARGINAL_FAMILIES)
def test_both_tails_are_the_integral_of_the_density(name, turn):
    family = MARGINAL_FAMILIES[name]
    values = tuple(
        VALUES[part.kind][(turn + place) % len(VALUES[part.kind])]
        for place, part in enumerate(family.parameters)
    )
    p = np.array([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
    places = np.asarray(Marginal(name, values).quantile(p))
    below, above = family.tails(places, *values)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    for i in range(len(p) - 1):
        ends = np.linspace(places[i], places[i + 1], 401)
        half = np.diff(ends)[:, None] / 2
        x = ends[:-1, None] + half * (1 + nodes)
        mass = float(np.sum(half * weights * np.exp(family.log_density(x, *values))))
        assert below[i + 1] - below[i] == pytest.approx(mass, abs=2e-6)
        assert above[i] - above[i + 1] == pytest.approx(mass, abs=2e-6)


def test_results_that_rest_on_draws_repeat_where_no_generator_is_given():
    sample = Marginal("weibull", (2.0, 3.0)).sample(60, np.random.default_rng(1))
    fitted = fit_marginal(sample, "weibull").model
    first, second = (goodness_of_fit(fitted, sample, replicates=19) for _ in range(2))
    assert first == second
    u, v = BivariateCopula("clayton", (2.0,)).sample(60, np.random.default_rng(1))
    first, second = (copula_goodness_of_fit(u, v, "clayton", 0, replicates=19) for _ in range(2))
    assert first == second
    assert first.replicates == 19
    first, second = (random_effect([1.0, 2.0, 4.0], [0.1, 0.2, 0.1]) for _ in range(2))
    assert first == second
    pair = JointDensity(fitted, fitted, BivariateCopula("clayton", (2.0,)))
    first, second = (pair.push_forward(np.add, n=1000) for _ in range(2))
    assert first.mean() == second.mean() == pytest.approx(2 * fitted.mean(), rel=0.1)


@pytest.mark.parametrize(
    ("slope", "bend"),
    [(math.nan, -1.0), (1.0, math.nan), (math.inf, -1.0), (1.0, -math.inf), (math.nan, math.nan)],
)
def test_no_step_is_made_where_a_slope_or_a_curvature_is_not_finite(slope, bend):
    move, gain = _ascent_of_one(slope, bend)
    assert move.tolist() == [0]
    assert gain == math.inf
    gradient, hessian = np.array([1.0, slope]), np.array([[-1.0, 0.0], [0.0, bend]])
    move, gain = _ascent(gradient, hessian, np.ones(2, bool))
    assert move.tolist() == [0, 0]
    assert gain == math.inf
    # what is held at a bound does not move, whatever its slope
    assert _ascent(gradient, hessian, np.zeros(2, bool))[1] == 0


@pytest.mark.parametrize("share", [0.15, 0.35, 0.65, 0.85])
def test_searches_of_mixtures_begin_with_either_part_of_the_sorted_sample(share):
    """Of two populations far from each other one of the cuts lies between them."""
    levels = (np.arange(2000) + 0.5) / 2000
    cut = round(2000 * share)
    apart = [
        Marginal("normal", (centre, 1.0)).quantile((np.arange(n) + 0.5) / n)
        for centre, n in ((0.0, cut), (50.0, levels.size - cut))
    ]
    starts = split_starts(MARGINAL_FAMILIES["normal"], np.concatenate(apart))
    expected = (0.0, 50.0, 1.0, 1.0, share)
    assert any(start == pytest.approx(expected, rel=0.01, abs=0.01) for start in starts)
    # and one start has a narrow component within a broad one
    middle = starts[-1]
    assert middle[4] == 0.5
    assert middle[2] <= middle[3]


@pytest.mark.parametrize(
    ("kind", "search"),
    [
        *((kind, None) for kind in ("location", "scale", "log_location", "shape", "angle")),
        ("probability", None), ("real", (-3.0, 3.0)), ("excess", (1.0, 50.0)),
        ("excess", (0.0, 20.0)), ("signed", (-80.0, 80.0)),
    ],
)  # fmt: skip
def test_slopes_of_a_parameter_are_those_of_the_way_back_from_its_coordinate(kind, search):
    parameter = Parameter("p", kind, search=search)
    for place in (-1.3, -0.2, 0.1, 0.9, 2.1):
        if kind == "excess" and place < 0:
            continue
        value = parameter.from_coordinate(place)
        assert parameter.to_coordinate(value) == pytest.approx(place, abs=1e-12)
        step = 1e-4
        high, low = (parameter.from_coordinate(place + move) for move in (step, -step))
        first, second = parameter.slopes(place)
        assert first == pytest.approx((high - low) / (2 * step), rel=1e-6)
        assert second == pytest.approx((high - 2 * value + low) / step**2, abs=1e-5, rel=1e-5)
