from .comparison import StudyComparison, compare_study
from .groups import GroupTest, as_numbers, group_test
from .pooling import fit_pool, fit_study, pooled_quantiles
from .settings import ComputeSettings, PoolSettings, StudySettings
from .statistics import Statistic, kendall_tau, particle_statistics

__all__ = [
    "ComputeSettings",
    "GroupTest",
    "PoolSettings",
    "Statistic",
    "StudyComparison",
    "StudySettings",
    "as_numbers",
    "compare_study",
    "fit_pool",
    "fit_study",
    "group_test",
    "kendall_tau",
    "particle_statistics",
    "pooled_quantiles",
]
