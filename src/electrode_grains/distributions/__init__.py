"""Marginal distributions, copulas and joint densities of grain characteristics."""

from electrode_grains.distributions.families import (
    DEFAULT_FAMILIES,
    MARGINAL_FAMILIES,
    candidate_families,
)
from electrode_grains.distributions.marginal_fitting import fit_marginal, select_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.results import Fit, akaike_weights, best_fit, rank_by_aic

__all__ = [
    "DEFAULT_FAMILIES",
    "MARGINAL_FAMILIES",
    "Fit",
    "Marginal",
    "akaike_weights",
    "best_fit",
    "candidate_families",
    "fit_marginal",
    "rank_by_aic",
    "select_marginal",
]
