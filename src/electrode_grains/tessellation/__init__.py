"""Tessellation models of grain architectures."""

from electrode_grains.tessellation.laguerre import (
    CellArchitecture,
    laguerre_labels,
    nearest_cell,
    voxel_points,
)
from electrode_grains.tessellation.particle import (
    generate_particle,
    grow_architecture,
    join_fragments,
)
from electrode_grains.tessellation.settings import ArchitectureSettings

__all__ = [
    "CellArchitecture",
    "ArchitectureSettings",
    "generate_particle",
    "grow_architecture",
    "join_fragments",
    "laguerre_labels",
    "nearest_cell",
    "voxel_points",
]
