from .comparison import StudyComparison, compare_study
from .groups import GroupTest, as_numbers, group_test
from .pooling import fit_study, pooled_quantiles
from .random_effects import (
    Departures,
    RandomEffects,
    departures,
    draw_particles,
    random_effects,
    spread_interval,
)
from .settings import ComputeSettings, PoolSettings, StudySettings
from .statistics import Statistic, kendall_tau, particle_statistics

__all__ = [
    "ComputeSettings",
    "Departures",
    "GroupTest",
    "PoolSettings",
    "RandomEffects",
    "Statistic",
    "StudyComparison",
    "StudySettings",
    "as_numbers",
    "compare_study",
    "departures",
    "draw_particles",
    "fit_study",
    "group_test",
    "kendall_tau",
    "particle_statistics",
    "pooled_quantiles",
    "random_effects",
    "spread_interval",
]
