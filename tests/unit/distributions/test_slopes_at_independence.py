"""Slopes of likelihoods of copulas at independence, where their terms cancel."""

import numpy as np
import pytest
from scipy.special import ndtri

from electrode_grains.distributions import COPULA_FAMILIES
from electrode_grains.distributions.copula_likelihood import CopulaLikelihood

# Derivative of the log-density by the parameter where the copula is independence.
AT_INDEPENDENCE = {
    "ali_mikhail_haq": (0.0, lambda u, v: (1 - 2 * u) * (1 - 2 * v)),
    "clayton": (1e-10, lambda u, v: (1 + np.log(u)) * (1 + np.log(v))),
    "frank": (0.0, lambda u, v: (1 - 2 * u) * (1 - 2 * v) / 2),
    "gaussian": (0.0, lambda u, v: ndtri(u) * ndtri(v)),
}


@pytest.mark.parametrize("family", AT_INDEPENDENCE)
@pytest.mark.parametrize("beside", [0.0, 1e-9, 1e-5])
def test_slopes_at_independence_are_the_closed_form(family, beside):
    """Taken a little beside it and carried back, to the second order of the distance."""
    u, v = np.random.default_rng(3).random((2, 400))
    at, derivative = AT_INDEPENDENCE[family]
    likelihood = CopulaLikelihood(COPULA_FAMILIES[family], u, v)
    point = likelihood.coordinates((at,)) + beside

    gradient, curvature = likelihood.slopes(point)

    exact = derivative(u, v)
    assert gradient - curvature[0] * beside == pytest.approx([exact.sum()], abs=2e-5)
    # By Bartlett's identity the curvature is minus the variance of the derivative, by chance.
    assert curvature[0, 0] == pytest.approx(-(exact**2).sum(), rel=0.3)
