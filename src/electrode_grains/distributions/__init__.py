"""Marginal distributions, copulas and joint densities of grain characteristics."""

from electrode_grains.distributions.candidates import marginal_candidates, pair_candidates
from electrode_grains.distributions.comparison import compare_samples
from electrode_grains.distributions.copula_families import COPULA_FAMILIES
from electrode_grains.distributions.copula_fitting import fit_copula, select_copula
from electrode_grains.distributions.copula_goodness import (
    CopulaGoodness,
    copula_goodness_of_fit,
)
from electrode_grains.distributions.copulas import BivariateCopula
from electrode_grains.distributions.derived import (
    describe_derived,
    implied_density,
    joint_density_of,
    specific_surface_area,
)
from electrode_grains.distributions.description import (
    copula_from_description,
    density_panel,
    describe_axis_uniformity,
    describe_dependence,
    describe_goodness,
    describe_marginals,
    describe_pair,
    marginal_from_description,
)
from electrode_grains.distributions.families import (
    MARGINAL_FAMILIES,
    candidate_families,
    smallest_diameter,
)
from electrode_grains.distributions.goodness import (
    AxisUniformity,
    GoodnessOfFit,
    axis_uniformity,
    edf_statistics,
    goodness_of_fit,
)
from electrode_grains.distributions.joint import JointDensity, SampledDistribution
from electrode_grains.distributions.marginal_fitting import fit_marginal, select_marginal
from electrode_grains.distributions.marginals import Marginal
from electrode_grains.distributions.pseudo_observations import pseudo_observations, tie_share
from electrode_grains.distributions.results import Fit, akaike_weights, best_fit, rank_by_aic
from electrode_grains.distributions.vines import describe_joint_models

__all__ = [
    "COPULA_FAMILIES",
    "MARGINAL_FAMILIES",
    "AxisUniformity",
    "BivariateCopula",
    "CopulaGoodness",
    "Fit",
    "GoodnessOfFit",
    "JointDensity",
    "Marginal",
    "SampledDistribution",
    "akaike_weights",
    "axis_uniformity",
    "best_fit",
    "candidate_families",
    "compare_samples",
    "copula_from_description",
    "copula_goodness_of_fit",
    "density_panel",
    "describe_axis_uniformity",
    "describe_dependence",
    "describe_derived",
    "describe_goodness",
    "describe_joint_models",
    "describe_marginals",
    "describe_pair",
    "edf_statistics",
    "fit_copula",
    "fit_marginal",
    "goodness_of_fit",
    "implied_density",
    "joint_density_of",
    "marginal_candidates",
    "marginal_from_description",
    "pair_candidates",
    "pseudo_observations",
    "rank_by_aic",
    "select_copula",
    "select_marginal",
    "smallest_diameter",
    "specific_surface_area",
    "tie_share",
]
