"""Results in the formats that the next program reads."""

from electrode_grains.exports.dream3d import write_dream3d
from electrode_grains.exports.mesh import (
    InterfaceMesh,
    grain_surface,
    interface_mesh,
    write_ply,
    write_stl,
)
from electrode_grains.exports.particle import ExportedParticle
from electrode_grains.exports.tiff import write_tiff_stack
from electrode_grains.exports.vtk import write_image_data, write_surfaces, write_voxel_mesh
from electrode_grains.exports.writing import FORMATS, write_exports

__all__ = [
    "FORMATS",
    "ExportedParticle",
    "InterfaceMesh",
    "grain_surface",
    "interface_mesh",
    "write_dream3d",
    "write_exports",
    "write_image_data",
    "write_ply",
    "write_stl",
    "write_surfaces",
    "write_tiff_stack",
    "write_voxel_mesh",
]
