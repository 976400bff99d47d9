"""VTK's XML files, for ParaView and everything that reads what it reads."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.exports.mesh import InterfaceMesh
from electrode_grains.exports.particle import ExportedParticle

BLOCK = 1 << 20
HEXAHEDRON = 12
TYPES = {
    "i1": "Int8", "u1": "UInt8", "i4": "Int32", "u4": "UInt32", "i8": "Int64", "f4": "Float32",
    "f8": "Float64",
}  # fmt: skip
Arrays = Mapping[str, NDArray[Any]]
LENGTHS = "<!-- lengths in nm, origin at the centre of the first voxel -->"


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
    cells: dict[str, NDArray[Any]] = {
        "GrainLabel": particle.labels.ravel(),
        **_grain_values(particle),
    }
    if particle.image_quality is not None:
        cells["ImageQuality"] = particle.image_quality.astype(np.float32).ravel()
    if particle.euler_angles is not None:
        cells["EulerAngles"] = particle.euler_angles.astype(np.float32).reshape(-1, 3)
    body = (
        f'<ImageData WholeExtent="{extent}" Origin="{origin}" '
        f'Spacing="{" ".join(f"{step:.17g}" for step in steps)}">'
        f'{LENGTHS}{_frames(particle)}<Piece Extent="{extent}">'
        f"{_data('CellData', cells, 'GrainLabel')}</Piece></ImageData>"
    )
    _write(path, "ImageData", body)


def _frames(particle: ExportedParticle) -> str:
    """Comment on the orientations, where there are any."""
    text = particle.frames.replace("--", "- -")  # which ends a comment
    return "" if particle.euler_angles is None else f"<!-- orientations: {text} -->"


def write_surfaces(mesh: InterfaceMesh, particle: ExportedParticle, path: Path) -> None:
    """Write interfaces as `.vtp`; faces carry the labels and values of both grains."""
    sides: dict[str, NDArray[Any]] = {"GrainA": mesh.grains[:, 0], "GrainB": mesh.grains[:, 1]}
    for letter, labels in zip("AB", mesh.grains.T, strict=True):
        number = np.where(labels == 0, 0, np.searchsorted(particle.ids, labels) + 1)
        for name in ("equivalent_diameter_nm", "sphericity"):
            if name in particle.values:
                sides[f"{name}_{letter}"] = particle.values[name][number].astype(np.float32)
    count = len(mesh.faces)
    polygons: Arrays = {
        "connectivity": mesh.faces.ravel().astype(np.int64),
        "offsets": np.arange(1, count + 1, dtype=np.int64) * 3,
    }
    body = (
        f'<PolyData>{LENGTHS}<Piece NumberOfPoints="{len(mesh.vertices)}" NumberOfPolys="{count}">'
        f"{_data('Points', {'Points': mesh.vertices})}{_data('Polys', polygons)}"
        f"{_data('CellData', sides, 'GrainA')}</Piece></PolyData>"
    )
    _write(path, "PolyData", body)


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
    cells: dict[str, NDArray[Any]] = {
        "GrainLabel": particle.labels[mask],
        **_grain_values(particle, mask),
    }
    write_unstructured_grid(path, places[:, ::-1], [(HEXAHEDRON, compact.reshape(-1, 8))], cells)


def write_unstructured_grid(
    path: Path,
    points: NDArray[np.float64],
    blocks: Sequence[tuple[int, NDArray[np.integer]]],
    cells: Arrays,
) -> None:
    """Write a `.vtu` of blocks of cells, each of one type of VTK, with data of all cells."""
    ends = np.concatenate([np.full(len(block), block.shape[1], np.int64) for _, block in blocks])
    connected: Arrays = {
        "connectivity": np.concatenate([block.ravel() for _, block in blocks]).astype(np.int64),
        "offsets": np.cumsum(ends),
        "types": np.concatenate([np.full(len(block), kind, np.uint8) for kind, block in blocks]),
    }
    body = (
        f"<UnstructuredGrid>{LENGTHS}"
        f'<Piece NumberOfPoints="{len(points)}" NumberOfCells="{len(ends)}">'
        f"{_data('Points', {'Points': points})}{_data('Cells', connected)}"
        f"{_data('CellData', cells, 'GrainLabel')}</Piece></UnstructuredGrid>"
    )
    _write(path, "UnstructuredGrid", body)


def _grain_values(
    particle: ExportedParticle, mask: NDArray[np.bool_] | None = None
) -> dict[str, NDArray[np.float32]]:
    """Values of the grain that each voxel, or each voxel of the mask, belongs to."""
    numbers = particle.feature_ids.ravel() if mask is None else particle.feature_ids[mask]
    return {name: values.astype(np.float32)[numbers] for name, values in particle.values.items()}


def _write(path: Path, kind: str, body: str) -> None:
    head = (
        f'<?xml version="1.0"?>\n<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" '
        'header_type="UInt64" compressor="vtkZLibDataCompressor">\n'
    )
    path.write_text(f"{head}{body}\n</VTKFile>\n", encoding="ascii", errors="xmlcharrefreplace")


def _data(section: str, arrays: Arrays, active: str | None = None) -> str:
    inner = "".join(_array(name, values) for name, values in arrays.items())
    chosen = f" Scalars={quoteattr(active)}" if active else ""
    return f"<{section}{chosen}>{inner}</{section}>"


def _array(name: str, values: NDArray[Any]) -> str:
    """Element of an array, compressed block by block and written in base64."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    kind = little.dtype.str[1:]
    if kind == "u8" and little.size and int(little.max()) >= 2**63:
        raise InputError(
            "a label is too great for VTK",
            found=str(int(little.max())),
            expected=f"less than {2**63}",
            remedy="renumber the grains",
        )
    if kind not in TYPES:  # uint16, uint64: no reader should have to guess
        little, kind = little.astype("<i8"), "i8"
    raw = little.tobytes()
    blocks = [zlib.compress(raw[start : start + BLOCK]) for start in range(0, len(raw), BLOCK)]
    header = [len(blocks), BLOCK, len(raw) % BLOCK, *map(len, blocks)]
    text = base64.b64encode(np.array(header, "<u8").tobytes()) + base64.b64encode(b"".join(blocks))
    components = 1 if little.ndim == 1 else little.shape[1]
    return (
        f'<DataArray type="{TYPES[kind]}" Name={quoteattr(name)} '
        f'NumberOfComponents="{components}" format="binary">{text.decode()}</DataArray>'
    )
