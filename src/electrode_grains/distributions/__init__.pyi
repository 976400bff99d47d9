from .characteristics import (
    check_axes,
    check_characteristic,
    fit_characteristic,
    model_characteristic,
    populations,
    selection_frequencies,
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
from .copula_intervals import (
    likelihood_intervals,
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
from .hierarchy import (
    PooledFit,
    RandomEffect,
    pool_copulas,
    pool_marginals,
    random_effect,
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
    copula_selection_frequencies,
    fit_pair,
    model_pair,
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
from .random_effects import (
    Departures,
    RandomEffects,
    departures,
    draw_particles,
    random_effects,
    spread_interval,
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
    Interval,
    MarginalCandidate,
    MarginalFit,
    MarginalFits,
    PairFit,
    Population,
    RankCheck,
    Rounding,
    SampleDifference,
    SmoothFit,
)
from .registry import (
    COPULA_FAMILIES,
    MARGINAL_FAMILIES,
    copula_family_named,
    family_named,
    has_registered_families,
    register_family,
    unregister_family,
)
from .results import (
    Fit,
    akaike_weights,
    best_fit,
    rank_by_aic,
    undecided,
)
from .rounding import (
    Grid,
    find_grid,
)
from .settings import (
    ComparisonSettings,
    GoodnessSettings,
    MarginalSettings,
    ModellingSettings,
    PairSettings,
    SampleSettings,
)
from .smooth_marginals import (
    SmoothMarginal,
    fit_smooth,
)
from .vines import (
    compare_joint_models,
)

__all__ = [
    "SmoothFit",
    "SmoothMarginal",
    "fit_smooth",
    "has_registered_families",
    "model_characteristic",
    "model_pair",
    "Departures",
    "RandomEffects",
    "departures",
    "draw_particles",
    "random_effects",
    "spread_interval",
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
    "Grid",
    "Interval",
    "JointDensity",
    "MARGINAL_FAMILIES",
    "Marginal",
    "MarginalCandidate",
    "MarginalFamily",
    "MarginalFit",
    "MarginalFits",
    "MarginalSettings",
    "Mixture",
    "ModellingSettings",
    "Nested",
    "PairFit",
    "PairSettings",
    "Parameter",
    "PooledFit",
    "Population",
    "RandomEffect",
    "RankCheck",
    "Reparametrization",
    "Rounding",
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
    "copula_family_named",
    "copula_goodness_of_fit",
    "copula_selection_frequencies",
    "derive_quantity",
    "edf_statistics",
    "family_named",
    "fig8_panel",
    "find_grid",
    "fit_characteristic",
    "fit_copula",
    "fit_marginal",
    "fit_pair",
    "goodness_of_fit",
    "implied_density",
    "joint_density_of",
    "likelihood_intervals",
    "marginal_candidate_densities",
    "pool_copulas",
    "pool_marginals",
    "populations",
    "pseudo_observations",
    "random_effect",
    "rank_by_aic",
    "register_family",
    "select_copula",
    "select_marginal",
    "selection_frequencies",
    "smallest_diameter",
    "specific_surface_area",
    "tie_share",
    "two_components",
    "undecided",
    "unregister_family",
]
