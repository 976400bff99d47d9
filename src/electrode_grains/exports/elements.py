"""Tetrahedra as files of finite-element programs: VTK, Gmsh, Abaqus."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.exports.particle import MAP_AXES, ExportedParticle
from electrode_grains.exports.tetrahedra import TetrahedralMesh
from electrode_grains.exports.tetrahedra_quality import mesh_quality
from electrode_grains.exports.vtk import frames_comment, write_unstructured_grid
from electrode_grains.text import printable

VTK_TETRAHEDRON, VTK_WEDGE = 10, 13
GMSH_TRIANGLE, GMSH_TETRAHEDRON, GMSH_PRISM = 2, 4, 6
# Points of the faces S1 to S4 of a C3D4 element; the fourth point lies above the first three.
ABAQUS_FACES = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])
LARGEST_LABEL = 2**63


def write_tetrahedra(mesh: TetrahedralMesh, particle: ExportedParticle, folder: Path) -> None:
    """Write `grains.vtu`, `grains.msh`, `grains.inp` and `quality.json` into a folder."""
    check_labels(mesh.grains, "finite elements")
    folder.mkdir(parents=True, exist_ok=True)
    write_tetrahedra_vtu(mesh, particle, folder / "grains.vtu")
    write_gmsh(mesh, folder / "grains.msh", particle.orientations)
    write_abaqus(mesh, particle, folder / "grains.inp")
    quality = mesh_quality(mesh, particle.labels, particle.spacing)
    (folder / "quality.json").write_text(json.dumps(quality, indent=2, sort_keys=True) + "\n")


def write_tetrahedra_vtu(mesh: TetrahedralMesh, particle: ExportedParticle, path: Path) -> None:
    """Write tetrahedra as `.vtu`, with label, phase, mean orientation and values of their grain.

    Cohesive elements are wedges with phase 0, and the label of the first of their grains.
    """
    between = mesh.sides[(mesh.sides != 0).all(axis=1)][: len(mesh.cohesive), 0]
    labels = np.concatenate([mesh.grains, between])
    numbers = np.searchsorted(particle.ids, labels) + 1
    count = len(mesh.cells)
    cells: dict[str, NDArray[Any]] = {
        "GrainLabel": labels,
        "Phase": (np.arange(len(labels)) < count).astype(np.uint8),
        "EulerAngles": particle.mean_euler_angles[numbers].astype(np.float32),
    }
    for name, values in particle.values.items():
        cells[name] = values.astype(np.float32)[numbers]
    blocks = [(VTK_TETRAHEDRON, mesh.cells), (VTK_WEDGE, mesh.cohesive)]
    write_unstructured_grid(path, mesh.points, blocks, cells, frames_comment(particle))


def write_gmsh(mesh: TetrahedralMesh, path: Path, orientations: str = "") -> None:
    """Write binary `.msh` (version 2.2), lengths in nm; comments name axes and orientations.

    Physical volumes are `grain_<label>`, physical surfaces `interface_<label>_<label>` and
    `surface_<label>`, cohesive elements the physical volume `cohesive`.
    """
    pairs, which = np.unique(np.sort(mesh.sides, axis=1), axis=0, return_inverse=True)
    grains, number = np.unique(mesh.grains, return_inverse=True)
    names = [
        f'2 {tag} "{f"surface_{b}" if a == 0 else f"interface_{a}_{b}"}"'
        for tag, (a, b) in enumerate(pairs.tolist(), 1)
    ]
    names += [f'3 {tag} "grain_{label}"' for tag, label in enumerate(grains.tolist(), 1)]
    blocks = [
        (GMSH_TRIANGLE, mesh.faces, which.ravel() + 1),
        (GMSH_TETRAHEDRON, mesh.cells, number + 1),
    ]
    if len(mesh.cohesive):
        names.append(f'3 {len(grains) + 1} "cohesive"')
        tags = np.full(len(mesh.cohesive), len(grains) + 1)
        blocks.append((GMSH_PRISM, mesh.cohesive, tags))
    told = f"lengths in nm, origin at the centre of the first voxel; axes: {MAP_AXES}"
    if orientations:
        told += f"\norientations: {printable(orientations, lines=False)}"
    with path.open("wb") as file:
        file.write(f"$Comments\n{told.replace('$', ' ')}\n$EndComments\n".encode())
        file.write(b"$MeshFormat\n2.2 1 8\n" + np.int32(1).tobytes() + b"\n$EndMeshFormat\n")
        file.write(f"$PhysicalNames\n{len(names)}\n".encode())
        file.write(("\n".join(names) + "\n$EndPhysicalNames\n").encode())
        rows = np.empty(len(mesh.points), [("id", "<i4"), ("place", "<f8", 3)])
        rows["id"], rows["place"] = np.arange(1, len(rows) + 1), mesh.points
        file.write(f"$Nodes\n{len(rows)}\n".encode() + rows.tobytes() + b"\n$EndNodes\n")
        file.write(f"$Elements\n{sum(len(each) for _, each, _ in blocks)}\n".encode())
        first = 1
        for kind, elements, tags in blocks:
            table = np.empty((len(elements), 3 + elements.shape[1]), "<i4")
            table[:, 0] = np.arange(first, first + len(elements))
            table[:, 1] = table[:, 2] = tags
            table[:, 3:] = elements + 1
            file.write(np.array([kind, len(elements), 2], "<i4").tobytes() + table.tobytes())
            first += len(elements)
        file.write(b"\n$EndElements\n")


def write_abaqus(mesh: TetrahedralMesh, particle: ExportedParticle, path: Path) -> None:
    """Write an Abaqus input file, lengths in nm.

    An element set `GRAIN_<label>` of C3D4 elements, a section and, where known, an orientation for
    each grain; element surfaces `I_<label>_<label>` of the first of two grains, and `OUTER`;
    cohesive elements COH3D6 in the set `COHESIVE`. Constants of the materials are to be added.
    """
    with path.open("wb") as file:
        name = printable(particle.name, lines=False)  # a second line would be a keyword
        file.write(
            f"*HEADING\n{name}: lengths in nm, origin at the centre of the first voxel\n"
            f"** axes: {MAP_AXES}\n{_orientations(particle)}*NODE, NSET=ALL\n".encode()
        )
        _write_rows(file, [np.arange(1, len(mesh.points) + 1), *mesh.points.T])
        grains, first = np.unique(mesh.grains, return_index=True)
        ends = [*first[1:].tolist(), len(mesh.cells)]
        for label, start, end in zip(grains.tolist(), first.tolist(), ends, strict=True):
            file.write(f"*ELEMENT, TYPE=C3D4, ELSET=GRAIN_{label}\n".encode())
            numbers = np.arange(start + 1, end + 1)
            _write_rows(file, [numbers, *(mesh.cells[start:end].T + 1)])
        if len(mesh.cohesive):
            file.write(b"*ELEMENT, TYPE=COH3D6, ELSET=COHESIVE\n")
            numbers = np.arange(len(mesh.cohesive)) + len(mesh.cells) + 1
            _write_rows(file, [numbers, *(mesh.cohesive.T + 1)])
        for name, elements, sides in _element_surfaces(mesh):
            file.write(f"*SURFACE, NAME={name}, TYPE=ELEMENT\n".encode())
            rows = zip(elements, sides, strict=True)
            file.write("".join(f"{element}, S{side}\n" for element, side in rows).encode())
        file.write(_sections(grains.tolist(), particle, bool(len(mesh.cohesive))).encode())


def _orientations(particle: ExportedParticle) -> str:
    """Comment lines on the frame of the orientations, which no keyword can begin."""
    text = printable(particle.orientations, lines=False)
    return "".join(f"** orientations: {part}\n" for part in wrap(text, 100))


def _sections(grains: list[int], particle: ExportedParticle, cohesive: bool) -> str:
    """Orientation and section of each grain, and the materials without constants."""
    material = "".join(c if c.isalnum() else "_" for c in particle.material) or "ACTIVE_MATERIAL"
    lines = []
    axes = _crystal_axes(particle.mean_euler_angles)
    for label in grains:
        a, b = axes[int(np.searchsorted(particle.ids, label)) + 1]
        oriented = ""
        if np.isfinite(a).all():
            values = ", ".join(f"{value:.9f}" for value in [*a, *b])
            lines.append(f"*ORIENTATION, NAME=ORI_{label}, SYSTEM=RECTANGULAR\n{values}\n3, 0.0")
            oriented = f", ORIENTATION=ORI_{label}"
        lines.append(f"*SOLID SECTION, ELSET=GRAIN_{label}, MATERIAL={material}{oriented}")
    if cohesive:
        lines.append(
            "*COHESIVE SECTION, ELSET=COHESIVE, MATERIAL=BOUNDARY, RESPONSE=TRACTION SEPARATION"
        )
    for name in [material, *(["BOUNDARY"] if cohesive else [])]:
        lines.append(f"*MATERIAL, NAME={name}\n** add its constants here")
    return "\n".join(lines) + "\n"


def _crystal_axes(euler: NDArray[np.float64]) -> NDArray[np.float64]:
    """First two axes of crystals in the frame of the map, shape (n, 2, 3), from Bunge angles."""
    (c1, c, c2), (s1, s, s2) = np.cos(euler).T, np.sin(euler).T
    first = np.stack([c1 * c2 - s1 * s2 * c, s1 * c2 + c1 * s2 * c, s2 * s], axis=1)
    second = np.stack([-c1 * s2 - s1 * c2 * c, -s1 * s2 + c1 * c2 * c, c2 * s], axis=1)
    return np.stack([first, second], axis=1)


def _element_surfaces(
    mesh: TetrahedralMesh,
) -> Iterator[tuple[str, list[int], list[int]]]:
    """Name, elements and their faces of each interface, on the side of its lower label."""
    on_surface = np.zeros(len(mesh.points), bool)
    on_surface[mesh.faces] = True
    marked = on_surface[mesh.cells]
    found: list[NDArray[np.int64]] = []
    for side, corners in enumerate(ABAQUS_FACES, 1):
        element = np.flatnonzero(marked[:, corners].all(axis=1))
        around = np.sort(mesh.cells[element][:, corners], axis=1)
        found.append(np.column_stack([around, element, np.full(len(element), side)]))
    candidates = np.concatenate(found)
    pairs = np.sort(mesh.sides, axis=1)
    faces = mesh.faces
    wanted = np.where(pairs[:, 0] == 0, pairs[:, 1], pairs[:, 0])
    keys = np.sort(faces, axis=1).astype(np.int64)
    # Each face belongs to one element of either grain: take that of the wanted one.
    _, code = np.unique(np.concatenate([keys, candidates[:, :3]]), axis=0, return_inverse=True)
    code = code.ravel()
    face_of_code = np.full(int(code.max()) + 1, -1)
    face_of_code[code[: len(keys)]] = np.arange(len(keys))
    face = face_of_code[code[len(keys) :]]
    own = face >= 0
    own[own] &= mesh.grains[candidates[own, 3]] == wanted[face[own]]
    rows, face = candidates[own], face[own]
    outer = pairs[face, 0] == 0
    yield "OUTER", (rows[outer, 3] + 1).tolist(), rows[outer, 4].tolist()
    inner, sides = rows[~outer], pairs[face[~outer]]
    names, which = np.unique(sides, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    starts = np.searchsorted(which.ravel()[order], np.arange(len(names) + 1))
    for (a, b), start, end in zip(names.tolist(), starts[:-1], starts[1:], strict=True):
        chosen = inner[order[start:end]]
        yield f"I_{a}_{b}", (chosen[:, 3] + 1).tolist(), chosen[:, 4].tolist()


def _write_rows(file: io.BufferedIOBase, columns: list[NDArray[Any]]) -> None:
    """Write columns of numbers as rows with commas."""
    table = pa.table({str(at): np.ascontiguousarray(each) for at, each in enumerate(columns)})
    pa_csv.write_csv(table, file, pa_csv.WriteOptions(include_header=False))


def check_labels(labels: NDArray[Any], format_name: str) -> None:
    """Refuse labels that a file of 64-bit signed integers cannot hold."""
    if labels.size and int(labels.max()) >= LARGEST_LABEL:
        raise InputError(
            f"a label is too great for {format_name}",
            found=str(int(labels.max())),
            expected=f"less than {LARGEST_LABEL}",
            remedy="renumber the grains",
        )
