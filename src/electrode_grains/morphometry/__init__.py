"""Size, shape and orientation of grains, and the network of their boundaries."""

from electrode_grains.morphometry.crofton import direction_fractions, transition_areas
from electrode_grains.morphometry.hulls import hull_voxel_count
from electrode_grains.morphometry.table import (
    characterize_grains,
    measure_contacts,
    summarize_particle,
)

__all__ = [
    "characterize_grains",
    "direction_fractions",
    "hull_voxel_count",
    "measure_contacts",
    "summarize_particle",
    "transition_areas",
]
