from .block_measure import measure_by_block
from .block_statistics import BlockStatistics, merge_blocks
from .crofton import direction_fractions, transition_areas
from .edges import inclusion_weights, thin_by_weight, weighted_means
from .hulls import hull_voxel_count
from .measure import (
    ParticleMeasurement,
    characterize_grains,
    measure_contacts,
    measure_particle,
    summarize_particle,
)
from .orientations import disorientations, without_c_axes
from .profiles import measure_profiles
from .resolution import correct_resolution, resolution_limits, voxelization_error
from .settings import MeasureSettings
from .summary import ParticleSummary
from .table import summarize_statistics, tabulate_contacts, tabulate_grains
from .volume_statistics import measure_volume

__all__ = [
    "measure_by_block",
    "BlockStatistics",
    "MeasureSettings",
    "ParticleMeasurement",
    "ParticleSummary",
    "characterize_grains",
    "correct_resolution",
    "direction_fractions",
    "disorientations",
    "hull_voxel_count",
    "inclusion_weights",
    "measure_contacts",
    "measure_particle",
    "measure_profiles",
    "measure_volume",
    "merge_blocks",
    "resolution_limits",
    "summarize_particle",
    "summarize_statistics",
    "tabulate_contacts",
    "tabulate_grains",
    "thin_by_weight",
    "transition_areas",
    "voxelization_error",
    "weighted_means",
    "without_c_axes",
]
