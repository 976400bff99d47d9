"""Marginal distributions, copulas and joint densities of grain characteristics."""

from electrode_grains.distributions.families import (
    DEFAULT_FAMILIES,
    MARGINAL_FAMILIES,
    candidate_families,
)
from electrode_grains.distributions.goodness import (
    AxisUniformity,
    GoodnessOfFit,
    axis_uniformity,
    edf_statistics,
    goodness_of_fit,
)
from electrode_grains.distributions.marginal_fitting import fit_marginal, select_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.results import Fit, akaike_weights, best_fit, rank_by_aic

__all__ = [
    "DEFAULT_FAMILIES",
    "MARGINAL_FAMILIES",
    "AxisUniformity",
    "Fit",
    "GoodnessOfFit",
    "Marginal",
    "akaike_weights",
    "axis_uniformity",
    "best_fit",
    "candidate_families",
    "edf_statistics",
    "fit_marginal",
    "goodness_of_fit",
    "rank_by_aic",
    "select_marginal",
]
