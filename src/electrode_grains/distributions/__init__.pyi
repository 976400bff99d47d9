from .characteristics import (
    check_axes,
    check_characteristic,
    fit_characteristic,
)
from .comparison import (
    compare_samples,
)
from .copula_fitting import (
    fit_copula,
    select_copula,
)
from .copula_goodness import (
    copula_goodness_of_fit,
)
from .copulas import (
    BivariateCopula,
)
from .densities import (
    candidate_densities,
    fig8_panel,
    marginal_candidate_densities,
)
from .families import (
    candidate_families,
    smallest_diameter,
)
from .family_declaration import (
    CopulaFamily,
    MarginalFamily,
    Mixture,
    Nested,
    Parameter,
    Reparametrization,
)
from .goodness import (
    axis_uniformity,
    edf_statistics,
    goodness_of_fit,
)
from .joint import (
    JointDensity,
    SampledDistribution,
)
from .marginal_fitting import (
    fit_marginal,
    select_marginal,
)
from .marginals import (
    Marginal,
)
from .mixtures import (
    two_components,
)
from .pairs import (
    check_pair,
    fit_pair,
)
from .pseudo_observations import (
    pseudo_observations,
    tie_share,
)
from .push_forward import (
    derive_quantity,
    implied_density,
    joint_density_of,
    specific_surface_area,
)
from .records import (
    AxisUniformity,
    CopulaCandidate,
    CopulaChoice,
    CopulaFits,
    CopulaGoodness,
    CredibleRegion,
    DependenceComparison,
    DerivedDistributions,
    DerivedQuantity,
    GoodnessOfFit,
    MarginalCandidate,
    MarginalFit,
    MarginalFits,
    PairFit,
    RankCheck,
    SampleDifference,
)
from .registry import (
    COPULA_FAMILIES,
    MARGINAL_FAMILIES,
    register_family,
    unregister_family,
)
from .results import (
    Fit,
    akaike_weights,
    best_fit,
    rank_by_aic,
)
from .settings import (
    ComparisonSettings,
    GoodnessSettings,
    ModellingSettings,
    PairSettings,
    SampleSettings,
)
from .vines import (
    compare_joint_models,
)

__all__ = [
    "AxisUniformity",
    "BivariateCopula",
    "COPULA_FAMILIES",
    "ComparisonSettings",
    "CopulaCandidate",
    "CopulaChoice",
    "CopulaFamily",
    "CopulaFits",
    "CopulaGoodness",
    "CredibleRegion",
    "DependenceComparison",
    "DerivedDistributions",
    "DerivedQuantity",
    "Fit",
    "GoodnessOfFit",
    "GoodnessSettings",
    "JointDensity",
    "MARGINAL_FAMILIES",
    "Marginal",
    "MarginalCandidate",
    "MarginalFamily",
    "MarginalFit",
    "MarginalFits",
    "Mixture",
    "ModellingSettings",
    "Nested",
    "PairFit",
    "PairSettings",
    "Parameter",
    "RankCheck",
    "Reparametrization",
    "SampleDifference",
    "SampleSettings",
    "SampledDistribution",
    "akaike_weights",
    "axis_uniformity",
    "best_fit",
    "candidate_densities",
    "candidate_families",
    "check_axes",
    "check_characteristic",
    "check_pair",
    "compare_joint_models",
    "compare_samples",
    "copula_goodness_of_fit",
    "derive_quantity",
    "edf_statistics",
    "fig8_panel",
    "fit_characteristic",
    "fit_copula",
    "fit_marginal",
    "fit_pair",
    "goodness_of_fit",
    "implied_density",
    "joint_density_of",
    "marginal_candidate_densities",
    "pseudo_observations",
    "rank_by_aic",
    "register_family",
    "select_copula",
    "select_marginal",
    "smallest_diameter",
    "specific_surface_area",
    "tie_share",
    "two_components",
    "unregister_family",
]
