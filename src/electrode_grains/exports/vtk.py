"""VTK's XML files, for ParaView and everything that reads what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.exports.mesh import InterfaceMesh, SmoothedFaces, faces_of
from electrode_grains.exports.particle import MAP_AXES, ExportedParticle
from electrode_grains.exports.vtk_files import Arrays, Column, Computed, section, write_file

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


def write_surfaces(
    mesh: InterfaceMesh | SmoothedFaces, particle: ExportedParticle, path: Path
) -> None:
    """Write interfaces as `.vtp`; faces carry the labels and values of both grains."""
    faces = faces_of(mesh)
    count, number = faces.count, np.dtype(np.int32)
    known = np.where(faces.ids == 0, 0, np.searchsorted(particle.ids, faces.ids) + 1)
    sides: dict[str, NDArray[Any] | Column] = {}
    of_sides = [
        Computed(count, number, partial(faces.numbers, side)) for side in (0, 1)
    ]  # fmt: skip
    for letter, numbers in zip("AB", of_sides, strict=True):
        sides[f"Grain{letter}"] = Column(numbers, faces.ids)
    for letter, numbers in zip("AB", of_sides, strict=True):
        for name in ("equivalent_diameter_nm", "sphericity"):
            if name in particle.values:
                values = particle.values[name][known]
                sides[f"{name}_{letter}"] = Column(numbers, values, np.float32)

    def corners(first: int, last: int) -> NDArray[np.int32]:
        face = first // 3
        return faces.triangles(face, -(-last // 3)).reshape(-1)[first - 3 * face :][: last - first]

    def ends(first: int, last: int) -> NDArray[np.int64]:
        return np.arange(first + 1, last + 1) * 3

    polygons: Arrays = {
        "connectivity": Column(Computed(3 * count, number, corners), dtype=np.int64),
        "offsets": Column(Computed(count, np.dtype(np.int64), ends)),
    }
    head = (
        f"<PolyData>{LENGTHS}{frames_comment(particle)}"
        f'<Piece NumberOfPoints="{len(faces.vertices)}" NumberOfPolys="{count}">'
    )
    data = [
        *section("Points", {"Points": faces.vertices}),
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
    mask = particle.labels != 0
    if not mask.any():
        raise InputError("there is no grain to mesh", found=f"shape {particle.labels.shape}")
    points, hexahedra = _hexahedra(mask, particle.spacing)
    cells: dict[str, NDArray[Any] | Column] = {
        "GrainLabel": particle.labels[mask],
        **_grain_values(particle, mask),
    }
    blocks = [(HEXAHEDRON, hexahedra)]
    write_unstructured_grid(path, points, blocks, cells, frames_comment(particle))


def _hexahedra(
    mask: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> tuple[NDArray[np.float64], NDArray[np.int32 | np.int64]]:
    """Points (x, y, z) in nm of all corners of chosen voxels, and the corners of each of these."""
    depth, rows, columns = mask.shape
    used = np.zeros((depth + 1, rows + 1, columns + 1), np.bool_)
    for z, y, x in product((0, 1), repeat=3):
        used[z : z + depth, y : y + rows, x : x + columns] |= mask
    kind = np.int32 if used.size < 2**31 else np.int64
    number: NDArray[Any] = np.cumsum(used, dtype=kind)
    number -= 1
    lowest = np.flatnonzero(np.pad(mask, [(0, 1)] * 3))
    hexahedra = np.empty((len(lowest), 8), kind)
    # Corners in the order of VTK: the lower face around, then the upper one.
    ring = [(0, 0), (0, 1), (1, 1), (1, 0)]
    for corner, (z, (y, x)) in enumerate(product((0, 1), ring)):
        hexahedra[:, corner] = number[lowest + ((z * (rows + 1) + y) * (columns + 1) + x)]
    points = np.empty((int(number[-1]) + 1, 3))
    at = 0
    for z, layer in enumerate(used):
        corners = np.argwhere(layer)
        own = points[at : at + len(corners)]
        own[:, 0], own[:, 1], own[:, 2] = corners[:, 1], corners[:, 0], z
        at += len(corners)
    points -= 0.5
    points *= np.array(spacing[::-1], float)
    return points, hexahedra


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
    np.cumsum(ends, out=ends)
    corners = [block.reshape(-1) for _, block in blocks]
    connected: Arrays = {
        "connectivity": Column(
            corners[0] if len(corners) == 1 else np.concatenate(corners), dtype=np.int64
        ),
        "offsets": ends,
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
