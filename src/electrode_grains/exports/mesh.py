"""Surfaces of all grains as one mesh, in which neighbours share their interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError, SettingsError
from electrode_grains.exports.lattice import find_interfaces, lattice_of
from electrode_grains.exports.manifold import divided
from electrode_grains.exports.smoothing import smooth_interfaces


@dataclass(frozen=True)
class InterfaceMesh:
    """Triangles between grains, and between grains and what is no grain.

    Attributes
    ----------
    vertices : ndarray of float64, shape (n, 3)
        (x, y, z) in nm; the centre of the first voxel is the origin.
    faces : ndarray of int32, shape (m, 3)
        Vertex numbers; the right-hand normal points from the first grain to the second.
    grains : ndarray of int64, shape (m, 2)
        Labels on either side, 0 where there is no grain.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    grains: NDArray[np.int64]


def interface_mesh(
    labels: NDArray[Any], spacing: tuple[float, float, float], smoothing_steps: int = 10
) -> InterfaceMesh:
    """Mesh the interfaces of all grains once, so that no gap or overlap can be.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Any ids, 0 is no grain. Grains end at the window.
    spacing : (float, float, float)
        Distance of voxel centres (dz, dy, dx) in nm.
    smoothing_steps : int
        Each moves a vertex half of the way to the mean of its neighbours; 0 leaves the faces of
        the voxels.

    Returns
    -------
    InterfaceMesh

    Raises
    ------
    InputError
        If there is no grain, or a label is negative.
    SettingsError
        If the number of steps is negative.

    Notes
    -----
    Every voxel face between two labels becomes two triangles. Smoothed, a vertex follows its
    neighbours along edges of voxels; one on a line where three or more labels meet follows
    those on the line alone. After each step the interfaces move along their normals until all
    grains have the volume of their voxels again, as pressures in them would do it. At the end,
    vertices whose triangles cut, touch or fold onto each other, or are nearly lines, go back
    towards the corner of the voxels from which they came, until no triangle does: at the latest
    when they are there. A vertex stays within the voxels around its corner, on the window
    within it, and the order of the axes does not matter.

    Examples
    --------
    >>> mesh = interface_mesh(np.array([[[3, 8]]]), (50, 50, 50), smoothing_steps=0)
    >>> len(mesh.vertices), len(mesh.faces), sorted({tuple(pair) for pair in mesh.grains.tolist()})
    (12, 22, [(0, 3), (0, 8), (3, 0), (3, 8), (8, 0)])
    """
    if smoothing_steps < 0:
        raise SettingsError("steps cannot be undone", found=f"smoothing_steps {smoothing_steps}")
    interfaces = find_interfaces(lattice_of(labels))
    if smoothing_steps:
        points = smooth_interfaces(interfaces, smoothing_steps)
    else:
        points = interfaces.places.astype(float)
    points -= 0.5
    points *= np.array(spacing[::-1], float)
    ids, pairs, quads = interfaces.ids, interfaces.pairs, interfaces.quads
    del interfaces  # what only smoothing needs would count in the peak of memory
    grains = np.empty((2 * len(pairs), 2), ids.dtype)
    np.take(ids, pairs, out=grains[: len(pairs)])
    grains[len(pairs) :] = grains[: len(pairs)]
    return InterfaceMesh(points, triangles(quads), grains)


def triangles(quads: NDArray[np.int32]) -> NDArray[np.int32]:
    """First halves of all quads, then second ones, shape (2 m, 3)."""
    count = len(quads)
    faces = np.empty((2 * count, 3), np.int32)
    faces[:count], faces[count:, 0], faces[count:, 1:] = quads[:, :3], quads[:, 0], quads[:, 2:]
    return faces


def grain_surface(mesh: InterfaceMesh, label: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Closed surface of one grain, its normals outwards.

    Returns
    -------
    vertices : ndarray of float64, shape (n, 3)
    faces : ndarray of int32, shape (m, 3)

    Raises
    ------
    InputError
        If the mesh has no such grain.
    """
    outward, inward = mesh.grains[:, 0] == label, mesh.grains[:, 1] == label
    faces = np.concatenate([mesh.faces[outward], mesh.faces[inward][:, ::-1]])
    if not len(faces):
        raise InputError("the mesh has no such grain", found=str(label))
    return _compact(mesh.vertices, faces)


def grain_surfaces(
    mesh: InterfaceMesh,
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int32]]]:
    """Label, vertices and faces of one grain after another, as `grain_surface` gives them."""
    faces = np.concatenate([mesh.faces, mesh.faces[:, ::-1]])
    labels = mesh.grains.T.ravel()
    order = np.argsort(labels, kind="stable")
    found, first = np.unique(labels[order], return_index=True)
    for label, own in zip(found.tolist(), np.split(order, first[1:]), strict=True):
        if label != 0:
            yield label, *_compact(mesh.vertices, faces[own])


def write_stl(mesh: InterfaceMesh, folder: Path) -> None:
    """Write one binary STL a grain, `grain_<label>.stl`, lengths in nm; others are removed.

    Each is a closed manifold: where a grain touches itself it is divided, see `manifold.divided`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("grain_*.stl"):
        old.unlink()
    for label, shared, joined in grain_surfaces(mesh):
        vertices, faces = divided(shared, joined)
        rows = np.zeros(
            len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")]
        )
        corners = vertices[faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        rows["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
        rows["corners"] = corners
        head = f"grain {label}, nm, origin: centre of first voxel; x right, y down, z milling"
        count = np.uint32(len(faces)).astype("<u4").tobytes()
        (folder / f"grain_{label}.stl").write_bytes(
            head[:80].ljust(80).encode() + count + rows.tobytes()
        )


def _compact(
    vertices: NDArray[np.float64], faces: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices that faces use, and faces that count from the first of them."""
    used, compact = np.unique(faces, return_inverse=True)
    return vertices[used], compact.reshape(-1, 3).astype(np.int32)
