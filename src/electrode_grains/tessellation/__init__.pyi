from .architecture import (
    ArchitectureModel,
    GrainLattice,
    draw_architecture,
    fill_domain,
    grow_lattice,
)
from .inversion import FittedTessellation, fit_tessellation
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
from .placement import Placement, mean_watson_angle, watson_axes
from .power_diagram import PowerDiagram, Roughness
from .settings import ArchitectureSettings
from .shell import FittedShells, Shell, ShellModel, fit_shells, harmonics
from .volumes import VolumeFit, cell_shapes, fit_volumes

__all__ = [
    "CellArchitecture",
    "ArchitectureModel",
    "ArchitectureSettings",
    "FittedShells",
    "FittedTessellation",
    "GrainLattice",
    "Shell",
    "ShellModel",
    "draw_architecture",
    "fill_domain",
    "fit_shells",
    "harmonics",
    "fit_tessellation",
    "Placement",
    "PowerDiagram",
    "Roughness",
    "VolumeFit",
    "cell_shapes",
    "fit_volumes",
    "generate_particle",
    "grow_architecture",
    "grow_lattice",
    "join_fragments",
    "laguerre_labels",
    "mean_watson_angle",
    "nearest_cell",
    "voxel_points",
    "watson_axes",
]
