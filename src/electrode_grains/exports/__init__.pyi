from .dream3d import write_dream3d
from .mesh import (
    InterfaceMesh,
    grain_surface,
    interface_mesh,
    write_stl,
)
from .particle import ExportedParticle
from .tetrahedra import TetrahedralMesh, tetrahedral_mesh
from .tetrahedra_quality import mesh_quality
from .tiff import write_tiff_stack
from .vtk import write_image_data, write_surfaces, write_voxel_mesh
from .writing import FORMATS, write_exports

__all__ = [
    "FORMATS",
    "ExportedParticle",
    "InterfaceMesh",
    "TetrahedralMesh",
    "grain_surface",
    "interface_mesh",
    "mesh_quality",
    "tetrahedral_mesh",
    "write_dream3d",
    "write_exports",
    "write_image_data",
    "write_stl",
    "write_surfaces",
    "write_tiff_stack",
    "write_voxel_mesh",
]
