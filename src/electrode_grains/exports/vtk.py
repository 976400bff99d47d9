"""VTK's XML files, for ParaView and everything that reads what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.exports.mesh import InterfaceMesh
from electrode_grains.exports.particle import MAP_AXES, ExportedParticle
from electrode_grains.exports.vtk_files import Arrays, Column, section, write_file

HEXAHEDRON = 12
LENGTHS = f"<!-- lengths in nm, origin at the centre of the first voxel; axes: {MAP_AXES} -->"


def write_image_data(particle: ExportedParticle, path: Path) -> None:
    """Write a particle as `.vti`: grains and what was measured of them as cell data.

    Parameters
    ----------
    particle : ExportedParticle
    path : Path

    Notes
    -----
    Lengths are nm; the centre of the first voxel is the origin. Cell data are `GrainLabel`,
    the grain values, `ImageQuality` and `EulerAngles` (NaN where unknown), whose frame a comment
    names.
    """
    sizes = particle.labels.shape[::-1]
    steps = [float(step) for step in reversed(particle.spacing)]
    extent = " ".join(f"0 {size}" for size in sizes)
    origin = " ".join(f"{-step / 2:.17g}" for step in steps)
    cells: dict[str, NDArray[Any] | Column] = {
        "GrainLabel": particle.labels.reshape(-1),
        **_grain_values(particle),
    }
    if particle.image_quality is not None:
        cells["ImageQuality"] = Column(particle.image_quality.reshape(-1), dtype=np.float32)
    if particle.euler_angles is not None:
        cells["EulerAngles"] = Column(particle.euler_angles.reshape(-1, 3), dtype=np.float32)
    head = (
        f'<ImageData WholeExtent="{extent}" Origin="{origin}" '
        f'Spacing="{" ".join(f"{step:.17g}" for step in steps)}">'
        f'{LENGTHS}{frames_comment(particle)}<Piece Extent="{extent}">'
    )
    data = section("CellData", cells, "GrainLabel")
    write_file(path, "ImageData", [head, *data, "</Piece></ImageData>"])


def frames_comment(particle: ExportedParticle) -> str:
    """Comment on the frames of the orientations; of the scans, if the file holds none."""
    text = particle.orientations.replace("--", "- -")  # which ends a comment
    return f"<!-- orientations: {text} -->" if text else ""


def write_surfaces(mesh: InterfaceMesh, particle: ExportedParticle, path: Path) -> None:
    """Write interfaces as `.vtp`; faces carry the labels and values of both grains."""
    sides: dict[str, NDArray[Any] | Column] = {
        "GrainA": mesh.grains[:, 0],
        "GrainB": mesh.grains[:, 1],
    }
    for letter, labels in zip("AB", mesh.grains.T, strict=True):
        number = np.where(labels == 0, 0, np.searchsorted(particle.ids, labels) + 1)
        for name in ("equivalent_diameter_nm", "sphericity"):
            if name in particle.values:
                sides[f"{name}_{letter}"] = Column(number, particle.values[name], np.float32)
    count = len(mesh.faces)
    polygons: Arrays = {
        "connectivity": Column(mesh.faces.reshape(-1), dtype=np.int64),
        "offsets": np.arange(1, count + 1, dtype=np.int64) * 3,
    }
    head = (
        f"<PolyData>{LENGTHS}{frames_comment(particle)}"
        f'<Piece NumberOfPoints="{len(mesh.vertices)}" NumberOfPolys="{count}">'
    )
    data = [
        *section("Points", {"Points": mesh.vertices}),
        *section("Polys", polygons),
        *section("CellData", sides, "GrainA"),
    ]
    write_file(path, "PolyData", [head, *data, "</Piece></PolyData>"])


def write_voxel_mesh(particle: ExportedParticle, path: Path) -> None:
    """Write the grains as a `.vtu` of hexahedra, one a voxel, for finite elements.

    Parameters
    ----------
    particle : ExportedParticle
    path : Path

    Raises
    ------
    InputError
        If there is no grain.

    Notes
    -----
    Neighbouring voxels share their corners, so that grains share their interfaces; voxels
    that are no grain are left out. Points are in nm.
    """
    inside = np.argwhere(particle.labels != 0)
    if not len(inside):
        raise InputError("there is no grain to mesh", found=f"shape {particle.labels.shape}")
    lattice = tuple(size + 1 for size in particle.labels.shape)
    # Corners in the order of VTK: the lower face around, then the upper one.
    ring = [(0, 0), (0, 1), (1, 1), (1, 0)]
    steps = np.array([(dz, dy, dx) for dz in (0, 1) for dy, dx in ring])
    corners = np.ravel_multi_index(tuple(np.moveaxis(inside[:, None] + steps, -1, 0)), lattice)
    used, compact = np.unique(corners, return_inverse=True)
    places = (np.stack(np.unravel_index(used, lattice), 1) - 0.5) * np.array(particle.spacing)
    mask = particle.labels != 0
    cells: dict[str, NDArray[Any] | Column] = {
        "GrainLabel": particle.labels[mask],
        **_grain_values(particle, mask),
    }
    blocks = [(HEXAHEDRON, compact.reshape(-1, 8))]
    write_unstructured_grid(path, places[:, ::-1], blocks, cells, frames_comment(particle))


def write_unstructured_grid(
    path: Path,
    points: NDArray[np.float64],
    blocks: Sequence[tuple[int, NDArray[np.integer]]],
    cells: Arrays,
    comment: str = "",
) -> None:
    """Write a `.vtu` of blocks of cells, each of one type of VTK, with data of all cells.

    `comment` is XML.
    """
    ends = np.concatenate([np.full(len(block), block.shape[1], np.int64) for _, block in blocks])
    connected: Arrays = {
        "connectivity": Column(
            np.concatenate([block.reshape(-1) for _, block in blocks]), dtype=np.int64
        ),
        "offsets": np.cumsum(ends),
        "types": np.concatenate([np.full(len(block), kind, np.uint8) for kind, block in blocks]),
    }
    head = (
        f"<UnstructuredGrid>{LENGTHS}{comment}"
        f'<Piece NumberOfPoints="{len(points)}" NumberOfCells="{len(ends)}">'
    )
    data = [
        *section("Points", {"Points": points}),
        *section("Cells", connected),
        *section("CellData", cells, "GrainLabel"),
    ]
    write_file(path, "UnstructuredGrid", [head, *data, "</Piece></UnstructuredGrid>"])


def _grain_values(
    particle: ExportedParticle, mask: NDArray[np.bool_] | None = None
) -> dict[str, Column]:
    """Values of the grain that each voxel, or each voxel of the mask, belongs to."""
    numbers = particle.feature_ids.reshape(-1) if mask is None else particle.feature_ids[mask]
    return {name: Column(numbers, values, np.float32) for name, values in particle.values.items()}
