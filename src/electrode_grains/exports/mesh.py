"""Surfaces of all grains as one mesh, in which neighbours share their interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.exports.lattice import find_interfaces, number_labels
from electrode_grains.exports.manifold import divided
from electrode_grains.exports.smoothing import (
    GrainVolumes,
    crossing_test,
    held_back,
    wanted_places,
)


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


@dataclass(frozen=True)
class SmoothedFaces:
    """Voxel faces between labels, smoothed: an `InterfaceMesh` in half of its memory.

    Attributes
    ----------
    vertices : ndarray of float64, shape (n, 3)
        As of `InterfaceMesh`.
    cells : ndarray of int32, shape (m, 4) or (m, 3)
        Vertices of each face; four of them are two triangles.
    pairs : ndarray of int32, shape (m, 2)
        Numbers of the labels on either side.
    ids : ndarray of int64 or uint64, shape (labels,)
        Label of each number, 0 first.
    """

    vertices: NDArray[np.float64]
    cells: NDArray[np.int32]
    pairs: NDArray[np.int32]
    ids: NDArray[Any]

    @property
    def count(self) -> int:
        """Number of triangles."""
        return len(self.cells) * int(self.cells.shape[1] - 2)

    def triangles(self, first: int = 0, last: int | None = None) -> NDArray[np.int32]:
        """Some triangles, shape (k, 3): first halves of all faces, then second ones."""
        one, two = self._halves(first, last)
        if self.cells.shape[1] == 3:
            return self.cells[one]
        return np.concatenate([self.cells[one, :3], self.cells[two][:, [0, 2, 3]]])

    def numbers(self, side: int, first: int = 0, last: int | None = None) -> NDArray[np.int32]:
        """Numbers of the labels on one side of some triangles, shape (k,)."""
        one, two = self._halves(first, last)
        return np.concatenate([self.pairs[one, side], self.pairs[two, side]])

    def _halves(self, first: int, last: int | None) -> tuple[slice, slice]:
        """Faces whose first, and those whose second halves are among some triangles."""
        size, last = len(self.cells), self.count if last is None else last
        return slice(min(first, size), min(last, size)), slice(
            max(first - size, 0), max(last - size, 0)
        )

    def mesh(self) -> InterfaceMesh:
        """All triangles, with their labels."""
        grains = np.empty((self.count, 2), self.ids.dtype)
        for part in np.split(grains, self.count // len(self.cells)):
            np.take(self.ids, self.pairs, out=part)
        return InterfaceMesh(self.vertices, self.triangles(), grains)


def faces_of(mesh: InterfaceMesh | SmoothedFaces) -> SmoothedFaces:
    """Mesh with numbers instead of labels."""
    if isinstance(mesh, SmoothedFaces):
        return mesh
    labels = np.append(mesh.grains, mesh.grains.dtype.type(0))
    ids, pairs = np.unique(labels, return_inverse=True)
    return SmoothedFaces(mesh.vertices, mesh.faces, pairs[:-1].reshape(-1, 2).astype(np.int32), ids)


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
    return smoothed_faces(labels, spacing, smoothing_steps).mesh()


def smoothed_faces(
    labels: NDArray[Any], spacing: tuple[float, float, float], smoothing_steps: int = 10
) -> SmoothedFaces:
    """Mesh interfaces as `interface_mesh` does, without triangles and labels of each of them."""
    if smoothing_steps < 0:
        raise SettingsError("steps cannot be undone", found=f"smoothing_steps {smoothing_steps}")
    interfaces, guides = find_interfaces(*number_labels(labels))
    if smoothing_steps:
        volumes = GrainVolumes(interfaces)
        points = wanted_places(volumes, guides, smoothing_steps)
        del guides  # would count in the peak of memory
        held_back(volumes, points, crossing_test(interfaces))
    else:
        points = interfaces.places.astype(float)
    points -= 0.5
    points *= np.array(spacing[::-1], float)
    return SmoothedFaces(points, interfaces.quads, interfaces.pairs, interfaces.ids)


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
    mesh: InterfaceMesh | SmoothedFaces,
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int32]]]:
    """Label, vertices and faces of one grain after another, as `grain_surface` gives them."""
    faces = faces_of(mesh)
    starts, order = sort_by_grain(faces.pairs, len(faces.ids))
    for label, start, end in zip(faces.ids.tolist(), starts[:-1], starts[1:], strict=True):
        own = order[start:end]
        if not len(own):
            continue
        outward, inward = faces.cells[own[own >= 0]], faces.cells[~own[own < 0]]
        parts = [outward[:, :3], inward[:, 2::-1]]
        if faces.cells.shape[1] == 4:
            parts = [parts[0], outward[:, [0, 2, 3]], parts[1], inward[:, [3, 2, 0]]]
        yield label, *_compact(faces.vertices, np.concatenate(parts))


@njit(cache=True, nogil=True)
def sort_by_grain(pairs: Any, count: int) -> Any:
    """List the faces of one grain after another.

    Parameters
    ----------
    pairs : ndarray of int32, shape (m, 2)
        Numbers of the labels on either side, 0 for no grain.
    count : int
        Of numbers.

    Returns
    -------
    starts : ndarray of int64, shape (count + 1,)
        First entry of each number.
    order : ndarray of int32, shape (k,)
        Faces that leave a grain, then the complements ~face of those that lead into it.
    """
    starts = np.zeros(count + 1, np.int64)
    for face in range(len(pairs)):
        for side in range(2):
            if pairs[face, side] > 0:
                starts[pairs[face, side] + 1] += 1
    for number in range(count):
        starts[number + 1] += starts[number]
    order, ends = np.empty(starts[count], np.int32), starts.copy()
    for side in range(2):
        for face in range(len(pairs)):
            number = pairs[face, side]
            if number > 0:
                order[ends[number]] = ~face if side else face
                ends[number] += 1
    return starts, order


def write_stl(mesh: InterfaceMesh | SmoothedFaces, folder: Path) -> None:
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
