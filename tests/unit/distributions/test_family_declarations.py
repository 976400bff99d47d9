"""What families declare of themselves: special cases, other parameters, tails, units."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from electrode_grains.distributions.energy import energy_distance, energy_test, rank_energy_test
from electrode_grains.distributions.family_declaration import Parameter
from electrode_grains.distributions.pseudo_observations import pseudo_observations
from electrode_grains.distributions.registry import MARGINAL_FAMILIES

# Values of the parameters of every family, away from special cases.
VALUES = {
    "inverse_gaussian": (5.0, 9.0),
    "lognormal": (1.2, 0.4),
    "gamma": (2.5, 1.5),
    "weibull": (2.2, 3.0),
    "log_logistic": (4.5, 2.0),
    "generalized_gamma": (1.7, 1.4, 2.0),
    "inverse_generalized_gamma": (3.7, 1.4, 2.0),
    "burr_xii": (2.4, 1.6, 3.0),
    "normal_mixture": (1.0, 3.0, 0.5, 0.8, 0.35),
    "gumbel_minimum_mixture": (1.0, 2.0, 0.2, 0.3, 0.35),
    "gumbel_maximum_mixture": (1.0, 2.0, 0.2, 0.3, 0.35),
    "lognormal_mixture": (0.2, 0.7, 0.4, 0.3, 0.35),
    "beta_mixture": (2.5, 7.0, 5.0, 1.7, 0.35),
    "normal": (2.0, 0.7),
    "logistic": (2.0, 0.7),
    "gumbel_maximum": (2.0, 0.7),
    "gumbel_minimum": (2.0, 0.7),
    "generalized_extreme_value": (0.15, 2.0, 0.7),
    "reflected_generalized_extreme_value": (0.15, 2.0, 0.7),
    "skew_normal": (2.0, 0.7, 1.5),
    "gaussian_mixture": (1.0, 3.0, 0.5, 0.8, 0.35),
    "beta": (2.5, 1.7),
    "kumaraswamy": (2.5, 1.7),
    "logit_normal": (0.4, 0.8),
    "uniform": (),
    "von_mises": (0.5, 1.3),
    "axial_von_mises": (0.5, 1.3),
    "von_mises_mixture": (-1.0, 1.5, 1.3, 2.0, 0.35),
    "sine": (),
    "watson": (1.2,),
    "beta_cosine": (1.6, 1.3),
}
NESTED = [
    (name, special) for name, family in MARGINAL_FAMILIES.items() for special in family.nested
]


def inner_points(name):
    """Points at which a family, and every special case of it, has a density."""
    lower, upper = MARGINAL_FAMILIES[name].natural_support
    lower, upper = max(lower, -2.5), min(upper, 4.0)
    return np.linspace(lower, upper, 13)[1:-1]


def test_every_family_is_looked_at():
    assert VALUES.keys() == MARGINAL_FAMILIES.keys()


@pytest.mark.parametrize("name", VALUES)
def test_the_tails_are_the_integrals_of_the_density(name):
    family, values = MARGINAL_FAMILIES[name], VALUES[name]
    lower, upper = family.natural_support

    def density(x):
        with np.errstate(all="ignore"):
            return float(np.exp(family.log_density(np.array([x]), *values))[0])

    points = inner_points(name)[::5]
    for x, below, above in zip(points, *family.tails(points, *values), strict=True):
        assert below + above == pytest.approx(1, abs=1e-12)
        left = quad(density, max(lower, -60.0), x, limit=200)[0]
        right = quad(density, x, min(upper, 60.0), limit=200)[0]
        if name != "log_logistic" and "burr" not in name:  # whose tails reach beyond 60
            assert right == pytest.approx(float(above), abs=1e-5)
        assert left == pytest.approx(float(below), abs=1e-5)


@pytest.mark.parametrize("name", [n for n in VALUES if MARGINAL_FAMILIES[n].quantile])
def test_quantiles_undo_the_tails(name):
    family, values = MARGINAL_FAMILIES[name], VALUES[name]
    p = np.array([1e-9, 0.01, 0.3, 0.5, 0.8, 0.999, 1 - 1e-9])
    found = family.quantile(p, 1 - p, *values)
    below, above = family.tails(found, *values)
    np.testing.assert_allclose(np.minimum(below, above), np.minimum(p, 1 - p), rtol=1e-6)


@pytest.mark.parametrize("name", [n for n in VALUES if MARGINAL_FAMILIES[n].bracket])
def test_brackets_enclose_the_quantiles(name):
    family, values = MARGINAL_FAMILIES[name], VALUES[name]
    p = np.array([1e-6, 0.01, 0.3, 0.5, 0.8, 0.999, 1 - 1e-6])
    low, high = family.bracket(p, 1 - p, *values)
    assert (family.tails(low, *values)[0] <= p * (1 + 1e-9)).all()
    assert (family.tails(high, *values)[1] <= (1 - p) * (1 + 1e-9)).all()
    # And not from afar: within four standard deviations or so.
    assert (high - low < 4).all()


@pytest.mark.parametrize(("name", "special"), NESTED)
def test_special_cases_are_the_families_they_are_called_after(name, special):
    values = VALUES[special.family]
    points = inner_points(special.family)
    theirs = MARGINAL_FAMILIES[special.family].log_density(points, *values)
    ours = MARGINAL_FAMILIES[name].log_density(points, *special.embed(values))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [n for n in VALUES if MARGINAL_FAMILIES[n].reparametrization])
def test_other_parameters_lead_back(name):
    family, values = MARGINAL_FAMILIES[name], VALUES[name]
    there = family.reparametrization.forward(values)
    assert there != pytest.approx(values)
    assert family.reparametrization.backward(there) == pytest.approx(values)


def test_other_parameters_of_the_burr_distribution_reach_the_weibull_law():
    burr, weibull = MARGINAL_FAMILIES["burr_xii"], MARGINAL_FAMILIES["weibull"]
    points = inner_points("weibull")
    limit = burr.reparametrization.backward((2.2, 1e9, 3.0))
    np.testing.assert_allclose(
        burr.log_density(points, *limit), weibull.log_density(points, 2.2, 3.0), rtol=1e-6
    )


def test_other_parameters_of_the_gamma_distributions_reach_the_lognormal_law():
    # Width and centre of the logarithm stay; the shape goes to infinity.
    wide, lognormal = MARGINAL_FAMILIES["generalized_gamma"], MARGINAL_FAMILIES["lognormal"]
    points = np.linspace(1.5, 8.0, 9)
    limit = wide.reparametrization.backward((1e4, 1 / 0.4, math.exp(1.2)))
    np.testing.assert_allclose(
        wide.log_density(points, *limit), lognormal.log_density(points, 1.2, 0.4), atol=0.03
    )


@pytest.mark.parametrize("name", VALUES)
def test_tails_fall_off_with_the_power_that_the_family_declares(name):
    family, values = MARGINAL_FAMILIES[name], VALUES[name]
    for side, index in enumerate(family.tail_index(*values)):
        bound = family.natural_support[side]
        if math.isfinite(index):
            far = np.array([1e5, 1e7]) * (1 if side else -1)
            with np.errstate(all="ignore"):
                tail = family.tails(far, *values)[side and 1]
            slope = -np.diff(np.log(tail))[0] / math.log(100)
            assert slope == pytest.approx(index, rel=1e-3)
        elif math.isinf(bound):
            with np.errstate(all="ignore"):
                tail = family.tails(np.array([3e3 if side else -3e3]), *values)[side and 1]
            assert tail[0] < 1e-30


@pytest.mark.parametrize(
    ("kind", "value", "coordinate"),
    [
        ("scale", math.e**2, 2.0),
        ("shape", 1.0, 0.0),
        ("probability", 0.5, 0.0),
        ("probability", 1 / (1 + math.e**-3), 3.0),
        ("location", -7.0, -7.0),
        ("angle", 2.0, 2.0),
        ("log_location", -0.5, -0.5),
    ],
)
def test_parameters_are_searched_in_logarithms_and_logits(kind, value, coordinate):
    parameter = Parameter("p", kind)
    assert parameter.to_coordinate(value) == pytest.approx(coordinate)
    assert parameter.from_coordinate(coordinate) == pytest.approx(value)


def test_what_is_not_positive_has_no_logarithm():
    assert Parameter("p", "scale").to_coordinate(0.0) == -math.inf
    assert Parameter("p", "shape").to_coordinate(-1.0) == -math.inf


@pytest.mark.parametrize(
    ("kind", "value", "rescaled"),
    [
        ("location", 2.0, 20.0),
        ("scale", 2.0, 20.0),
        ("log_location", 2.0, 2.0 + math.log(10)),
        ("shape", 2.0, 2.0),
        ("real", 2.0, 2.0),
        ("probability", 0.3, 0.3),
        ("angle", 4.0, 4.0 - 2 * math.pi),
        ("angle", -4.0, 2 * math.pi - 4.0),
        ("angle", 3.0, 3.0),
        ("angle", math.pi, -math.pi),
    ],
)
def test_parameters_change_with_the_unit_as_their_kind_says(kind, value, rescaled):
    assert Parameter("p", kind).rescale(value, 10.0) == pytest.approx(rescaled)


def test_ranges_of_parameters_follow_from_their_kind():
    assert Parameter("p", "scale").admissible == (0.0, math.inf)
    assert Parameter("p", "shape").admissible == (0.0, math.inf)
    assert Parameter("p", "probability").admissible == (0.0, 1.0)
    assert Parameter("p", "real", lower=-1.0, upper=2.0).admissible == (-1.0, 2.0)
    assert Parameter("p", "real", search=(0.5, 0.6)).search_range == (0.5, 0.6)
    assert Parameter("p", "location").search_range == (-math.inf, math.inf)


@pytest.mark.parametrize("name", VALUES)
def test_fits_search_inside_what_makes_a_density(name):
    for parameter in MARGINAL_FAMILIES[name].parameters:
        (low, high), (first, last) = parameter.admissible, parameter.search_range
        assert low < first < last < high or (math.isinf(first) and math.isinf(last))
        if parameter.kind in ("real", "log_location"):
            assert math.isinf(first) or "k" in parameter.name or first == -last
        if parameter.kind == "probability":
            assert first + last == pytest.approx(1)


# --- samples against samples -----------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(9, 9), (6, 11)])
def test_the_energy_test_counts_the_assignments_that_lie_as_far_apart(n, m):
    rng = np.random.default_rng(8)
    first, second = rng.normal(size=(n, 2)), rng.normal(0.8, 1, size=(m, 2))
    distance, p_value = energy_test(first, second, 99, np.random.default_rng(3))
    assert distance == pytest.approx(energy_distance(first, second))
    pooled, again = np.concatenate([first, second]), np.random.default_rng(3)
    member = np.r_[np.ones(n), np.zeros(m)]
    at_least = 0
    for _ in range(99):
        drawn = again.permutation(member) > 0
        at_least += energy_distance(pooled[drawn], pooled[~drawn]) >= distance - 1e-12
    assert p_value == (1 + at_least) / 100


def test_ranks_alone_decide_the_test_of_dependence():
    rng = np.random.default_rng(9)
    first, second = rng.normal(size=(12, 2)), rng.normal(size=(10, 2))
    distance, p_value = rank_energy_test(first, second, 49, np.random.default_rng(1))
    warped = np.exp(first) * [1, 5], second**3
    assert rank_energy_test(*warped, 49, np.random.default_rng(1)) == (distance, p_value)
    ranks = [
        np.column_stack([pseudo_observations(column) for column in sample.T])
        for sample in (first, second)
    ]
    assert distance == pytest.approx(energy_distance(*ranks))
    assert 1 / 50 <= p_value <= 1
