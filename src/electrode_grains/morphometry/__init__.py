"""Size, shape and orientation of grains, and the network of their boundaries."""

from electrode_grains.morphometry.crofton import direction_fractions, transition_areas
from electrode_grains.morphometry.hulls import hull_voxel_count
from electrode_grains.morphometry.partials import GrainPartial, combine, measure_volume
from electrode_grains.morphometry.table import (
    characterize_grains,
    measure_contacts,
    sum_up_particle,
    summarize_particle,
    tabulate_contacts,
    tabulate_grains,
)

__all__ = [
    "characterize_grains",
    "measure_contacts",
    "summarize_particle",
    "GrainPartial",
    "combine",
    "measure_volume",
    "tabulate_grains",
    "tabulate_contacts",
    "sum_up_particle",
    "direction_fractions",
    "hull_voxel_count",
    "transition_areas",
]
