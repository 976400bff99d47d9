"""Tessellation models of grain architectures."""

from electrode_grains.tessellation.laguerre import (
    CellArchitecture,
    laguerre_labels,
    nearest_cell,
    voxel_points,
)
from electrode_grains.tessellation.particle import (
    GrainLaw,
    generate_particle,
    grow_architecture,
    join_fragments,
)

__all__ = [
    "CellArchitecture",
    "GrainLaw",
    "generate_particle",
    "grow_architecture",
    "join_fragments",
    "laguerre_labels",
    "nearest_cell",
    "voxel_points",
]
