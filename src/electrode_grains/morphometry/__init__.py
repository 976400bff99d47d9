"""Size, shape and orientation of grains, and the network of their boundaries."""

from electrode_grains.morphometry.crofton import direction_fractions, transition_areas
from electrode_grains.morphometry.edges import (
    inclusion_weights,
    thin_by_weight,
    weighted_means,
)
from electrode_grains.morphometry.hulls import hull_voxel_count
from electrode_grains.morphometry.measure import (
    ParticleMeasurement,
    characterize_grains,
    measure_contacts,
    measure_particle,
    measure_volume,
    summarize_particle,
)
from electrode_grains.morphometry.orientations import disorientations
from electrode_grains.morphometry.partials import GrainPartial, combine
from electrode_grains.morphometry.resolution import (
    correct_resolution,
    resolution_limits,
    voxelization_error,
)
from electrode_grains.morphometry.table import sum_up_particle, tabulate_contacts, tabulate_grains

__all__ = [
    "characterize_grains",
    "measure_contacts",
    "summarize_particle",
    "measure_particle",
    "ParticleMeasurement",
    "GrainPartial",
    "combine",
    "measure_volume",
    "tabulate_grains",
    "tabulate_contacts",
    "sum_up_particle",
    "direction_fractions",
    "disorientations",
    "hull_voxel_count",
    "inclusion_weights",
    "thin_by_weight",
    "weighted_means",
    "correct_resolution",
    "resolution_limits",
    "voxelization_error",
    "transition_areas",
]
