"""All formats by name, written into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from electrode_grains.errors import SettingsError
from electrode_grains.exports.dream3d import write_dream3d, write_xdmf
from electrode_grains.exports.elements import write_gmsh, write_tetrahedra
from electrode_grains.exports.mesh import SmoothedFaces, smoothed_faces, write_stl
from electrode_grains.exports.neper import write_tesr
from electrode_grains.exports.particle import ExportedParticle
from electrode_grains.exports.tetrahedra import TetrahedralMesh, tetrahedral_mesh, without_cells
from electrode_grains.exports.tiff import write_label_stack
from electrode_grains.exports.vtk import write_image_data, write_surfaces, write_voxel_mesh
from electrode_grains.runs.writing import atomic_write

# What each format is, and the file or folder that it becomes.
FORMATS = {
    "vti": ("voxels with grain values, for ParaView", "grains.vti"),
    "tif": ("label stack, for ImageJ", "grains.tif"),
    "dream3d": ("voxels, orientations and grain values, for DREAM.3D", "grains.dream3d"),
    "xdmf": ("beside grains.dream3d, so that ParaView opens it", "grains.xdmf"),
    "tesr": ("voxels and mean orientations, for Neper", "grains.tesr"),
    "csv": ("grain table", "grain_table.csv"),
    "vtp": ("interfaces with the values of both grains, for ParaView", "interfaces.vtp"),
    "msh": ("interfaces, for Gmsh and meshio", "interfaces.msh"),
    "stl": ("closed surface of each grain, one file per grain", "grains_stl"),
    "vtu": ("one hexahedron a voxel, for finite elements", "voxels.vtu"),
    "tet": ("tetrahedra, for VTK, Gmsh and Abaqus, with their quality", "tetrahedra"),
}


def write_exports(
    particle: ExportedParticle,
    folder: Path,
    formats: Iterable[str],
    smoothing_steps: int = 10,
    cohesive: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Path]:
    """Write a particle in several formats.

    Parameters
    ----------
    particle : ExportedParticle
    folder : Path
        Made where there is none; files of the same names are replaced, each in one step.
    formats : iterable of str
        Names out of `FORMATS`.
    smoothing_steps : int
        Of surfaces, see `interface_mesh`.
    cohesive : bool
        Whether tetrahedra get elements without thickness between grains.
    progress : callable, optional
        Told the number of formats written, and their total.

    Returns
    -------
    dict of str to Path
        What was written.

    Raises
    ------
    SettingsError
        If a format is unknown.
    """
    wanted = list(formats)
    unknown = sorted(set(wanted) - set(FORMATS))
    if unknown:
        raise SettingsError(
            "unknown export format", found=", ".join(unknown), expected=", ".join(FORMATS)
        )

    @cache
    def mesh() -> SmoothedFaces:
        return smoothed_faces(particle.labels, particle.spacing, smoothing_steps)

    def filled() -> TetrahedralMesh:
        return tetrahedral_mesh(particle.labels, particle.spacing, smoothing_steps, cohesive)

    writers: dict[str, Callable[[Path], None]] = {
        "vti": lambda path: write_image_data(particle, path),
        "tif": lambda path: write_label_stack(particle, path),
        "dream3d": lambda path: write_dream3d(particle, path),
        "xdmf": lambda path: write_xdmf(particle, path, FORMATS["dream3d"][1]),
        "tesr": lambda path: write_tesr(particle, path),
        "csv": lambda path: particle.grains.to_csv(path, index=False),
        "vtp": lambda path: write_surfaces(mesh(), particle, path),
        "msh": lambda path: write_gmsh(without_cells(mesh().mesh()), path, particle.orientations),
        "stl": lambda path: write_stl(mesh(), path),
        "vtu": lambda path: write_voxel_mesh(particle, path),
        "tet": lambda path: write_tetrahedra(filled(), particle, path),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for done, name in enumerate(wanted):
        if progress is not None:
            progress(done, len(wanted))
        written[name] = folder / FORMATS[name][1]
        with atomic_write(written[name]) as (partial,):
            writers[name](partial)
    return written
