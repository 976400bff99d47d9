from .laguerre import (
    CellArchitecture,
    laguerre_labels,
    nearest_cell,
    voxel_points,
)
from .particle import (
    generate_particle,
    grow_architecture,
    join_fragments,
)
from .settings import ArchitectureSettings

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
