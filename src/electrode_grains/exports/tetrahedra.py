"""Tetrahedra that fill all grains and share their faces, edges and corners between grains."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit
from electrode_grains.errors import SettingsError
from electrode_grains.exports.lattice import Lattice, find_interfaces, lattice_of
from electrode_grains.exports.mesh import InterfaceMesh, triangles
from electrode_grains.exports.smoothing import (
    Conflicts,
    GrainVolumes,
    Points,
    held_back,
    wanted_places,
)

LEAST_ANGLE = 10.0  # degrees, between two faces of a tetrahedron
BLOCK = 1 << 19  # tetrahedra that are judged at once


def _voxel_triangles() -> NDArray[np.int64]:
    """Two triangles on each face of a voxel, seen from outside counter-clockwise, shape (12, 3).

    Corner i of a voxel is (i & 1, i >> 1 & 1, i >> 2) in (x, y, z).
    """
    found = []
    for axis in range(3):
        one, two = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        for side in (0, 1 << axis):
            ring = [side, side + one, side + one + two, side + two]
            if not side:
                ring = [ring[0], *ring[:0:-1]]
            found += [ring[:3], [ring[0], *ring[2:]]]
    return np.array(found)


def _split_voxel() -> NDArray[np.int64]:
    """Six tetrahedra of a voxel without a vertex in its middle (Kuhn), shape (6, 4)."""
    found = []
    for one, two, _ in permutations((1, 2, 4)):
        odd = (one, two) in ((2, 1), (4, 2), (1, 4))
        path = [0, one, one + two, 7]
        found.append([path[0], path[2], path[1], path[3]] if odd else path)
    return np.array(found)


# Corner 8 is the middle of the voxel. Both ways cut each face along the same diagonal.
TWELVE = np.column_stack([np.full(12, 8), _voxel_triangles()])
SIX = _split_voxel()


@dataclass(frozen=True)
class TetrahedralMesh:
    """Grains as tetrahedra.

    Attributes
    ----------
    points : ndarray of float64, shape (n, 3)
        (x, y, z) in nm; the centre of the first voxel is the origin.
    cells : ndarray of int32, shape (m, 4)
        Points of each tetrahedron; the last one lies where the right-hand normal of the others
        points. Grain by grain, in the order of their labels.
    grains : ndarray of int64, shape (m,)
        Label of each tetrahedron.
    faces : ndarray of int32, shape (k, 3)
        Interfaces and outer surface; the right-hand normal points from the first grain to the
        second.
    sides : ndarray of int64, shape (k, 2)
        Labels on either side of each face, 0 where there is no grain.
    cohesive : ndarray of int32, shape (l, 6)
        Elements without thickness between grains: points of the first grain, then those of the
        second at the same places. Without them, grains share their points.
    """

    points: NDArray[np.float64]
    cells: NDArray[np.int32]
    grains: NDArray[Any]
    faces: NDArray[np.int32]
    sides: NDArray[Any]
    cohesive: NDArray[np.int32]


def tetrahedral_mesh(
    labels: NDArray[Any],
    spacing: tuple[float, float, float],
    smoothing_steps: int = 10,
    cohesive: bool = False,
) -> TetrahedralMesh:
    """Fill all grains with tetrahedra none of whose angles is small.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Any ids, 0 is no grain. Grains end at the window.
    spacing : (float, float, float)
        Distance of voxel centres (dz, dy, dx) in nm.
    smoothing_steps : int
        As of `interface_mesh`.
    cohesive : bool
        Whether each grain gets points of its own, and interfaces elements without thickness.

    Returns
    -------
    TetrahedralMesh

    Raises
    ------
    InputError
        If there is no grain, or a label is negative.
    SettingsError
        If the number of steps is negative.

    Notes
    -----
    A voxel is cut into the six tetrahedra of [1]_, or into twelve around its middle where these
    would be flat; both cut its faces alike. Corners at interfaces move as in `interface_mesh`, but
    go back until, among the twelve, no angle between two faces is below 10 degrees (half the least
    one of an undeformed voxel where voxels are so flat that this is less). Nothing can fail:
    undeformed voxels fulfil it. Interfaces are rougher than those of `interface_mesh`.

    References
    ----------
    .. [1] H. W. Kuhn, "Some combinatorial lemmas in topology", IBM Journal 4, 1960.

    Examples
    --------
    >>> mesh = tetrahedral_mesh(np.array([[[3, 8]]]), (50, 50, 50), smoothing_steps=0)
    >>> mesh.cells.shape, mesh.grains.tolist()
    ((12, 4), [3, 3, 3, 3, 3, 3, 8, 8, 8, 8, 8, 8])
    """
    if smoothing_steps < 0:
        raise SettingsError("steps cannot be undone", found=f"smoothing_steps {smoothing_steps}")
    lattice = lattice_of(labels)
    interfaces = find_interfaces(lattice)
    size = np.array(spacing[::-1], float)
    cosine = np.cos(_demanded_angle(size))
    places: Points = interfaces.places.astype(float)
    if smoothing_steps:
        volumes = GrainVolumes(interfaces)
        wanted = wanted_places(volumes, smoothing_steps)
        places = held_back(volumes, wanted, _angle_test(lattice, size, cosine))
    node_of, nodes = _number_nodes(lattice.numbers)
    count, middles = _cut(
        lattice.numbers, lattice.vertex_of, places, node_of, size, cosine, nodes, SIX, TWELVE,
        np.empty((0, 4), np.int32), np.empty(0, np.int32), np.empty((0, 3)),
    )  # fmt: skip
    cells, numbers = np.empty((count, 4), np.int32), np.empty(count, np.int32)
    points = np.empty((nodes + middles, 3))
    _cut(
        lattice.numbers, lattice.vertex_of, places, node_of, size, cosine, nodes, SIX, TWELVE,
        cells, numbers, points,
    )  # fmt: skip
    order = np.argsort(numbers, kind="stable")
    cells, numbers = cells[order], numbers[order]
    x, y, z = interfaces.places.T
    faces = node_of[z, y, x][triangles(interfaces.quads)]
    sides = np.tile(interfaces.pairs, (2, 1))
    wedges = np.empty((0, 6), np.int32)
    points = (points - 0.5) * size
    if cohesive:
        points, cells, faces, wedges = _separated(points, cells, numbers, faces, sides)
    ids = interfaces.ids
    return TetrahedralMesh(points, cells, ids[numbers], faces, ids[sides], wedges)


def without_cells(mesh: InterfaceMesh) -> TetrahedralMesh:
    """The faces of interfaces alone."""
    none = np.empty((0, 4), np.int32)
    return TetrahedralMesh(
        mesh.vertices, none, np.empty(0, mesh.grains.dtype), mesh.faces, mesh.grains,
        np.empty((0, 6), np.int32),
    )  # fmt: skip


def dihedral_angles(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles between the faces of tetrahedra, in degrees.

    Parameters
    ----------
    corners : ndarray of float64, shape (n, 4, 3)

    Returns
    -------
    ndarray of float64, shape (n, 6)
    """
    a, b, c, d = np.moveaxis(corners, 1, 0)
    opposite_a, opposite_b = np.cross(c - b, d - b), np.cross(d - a, c - a)
    normals = [opposite_a, opposite_b, np.cross(b - a, d - a), np.cross(c - a, b - a)]
    normals = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in normals]
    cosines = [
        -np.einsum("ij,ij->i", normals[i], normals[j]) for i in range(4) for j in range(i + 1, 4)
    ]
    angles: NDArray[np.float64] = np.degrees(np.arccos(np.clip(np.stack(cosines, 1), -1, 1)))
    return angles


def tetrahedron_volumes(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Volumes of tetrahedra, negative for those turned over; corners of shape (n, 4, 3)."""
    a, b, c, d = np.moveaxis(corners, 1, 0)
    volumes: NDArray[np.float64] = np.einsum("ij,ij->i", np.cross(b - a, c - a), d - a) / 6
    return volumes


def mesh_quality(
    mesh: TetrahedralMesh, labels: NDArray[Any], spacing: tuple[float, float, float]
) -> dict[str, Any]:
    """Tell how well a mesh fills the grains of which it was made.

    Returns
    -------
    dict
        Numbers of points, tetrahedra, grains and cohesive elements; least angle between faces in
        degrees and its percentiles over tetrahedra; least volume of a tetrahedron in nm3; greatest
        relative error of a grain's volume, and the label of that grain.
    """
    least, volumes = np.empty(len(mesh.cells)), np.empty(len(mesh.cells))
    for start in range(0, len(mesh.cells), BLOCK):
        block = slice(start, start + BLOCK)
        corners = mesh.points[mesh.cells[block]]
        least[block] = dihedral_angles(corners).min(axis=1)
        volumes[block] = tetrahedron_volumes(corners)
    grains, first = np.unique(mesh.grains, return_index=True)
    found = np.add.reduceat(volumes, first)
    ids, counts = np.unique(labels, return_counts=True)
    wanted = counts[np.searchsorted(ids, grains.astype(ids.dtype))] * float(np.prod(spacing))
    errors = np.abs(found / wanted - 1)
    return {
        "points": len(mesh.points),
        "tetrahedra": len(mesh.cells),
        "grains": len(grains),
        "cohesive_elements": len(mesh.cohesive),
        "least_angle_degrees": float(least.min()),
        "least_angle_percentiles_degrees": {
            str(share): float(np.percentile(least, share)) for share in (1, 10, 50)
        },
        "least_volume_nm3": float(volumes.min()),
        "greatest_volume_error": float(errors.max()),
        "grain_of_greatest_volume_error": int(grains[errors.argmax()]),
        "grains_with_volume_error_above_1_percent": int((errors > 0.01).sum()),
    }


def _demanded_angle(size: NDArray[np.float64]) -> float:
    """Least angle of tetrahedra, in rad, for voxels of a size (x, y, z)."""
    corners = np.array([(i & 1, i >> 1 & 1, i >> 2) for i in range(8)] + [(0.5, 0.5, 0.5)]) * size
    return float(np.radians(min(LEAST_ANGLE, 0.5 * dihedral_angles(corners[TWELVE]).min())))


def _angle_test(lattice: Lattice, size: NDArray[np.float64], cosine: float) -> Conflicts:
    """Test for voxels that cannot be cut into tetrahedra without small angles."""

    def conflicts(
        points: Points, moved: NDArray[np.bool_], settled: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        back: NDArray[np.bool_] = _flattening_vertices(
            points, moved, settled, lattice.vertex_of, size, cosine, TWELVE
        )
        return back

    return conflicts


def _separated(
    points: NDArray[np.float64],
    cells: NDArray[np.int32],
    numbers: NDArray[np.int32],
    faces: NDArray[np.int32],
    sides: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Give each grain its own points, and put elements without thickness between grains."""
    count = int(numbers.max()) + 1
    keys, own = np.unique(cells.astype(np.int64) * count + numbers[:, None], return_inverse=True)

    def of_side(which: int, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
        wanted = faces[chosen].astype(np.int64) * count + sides[chosen, which, None]
        return np.searchsorted(keys, wanted).astype(np.int32)

    between = (sides[:, 0] > 0) & (sides[:, 1] > 0)
    wedges = np.hstack([of_side(0, between), of_side(1, between)])
    first: NDArray[np.bool_] = sides[:, 0] > 0
    new_faces = np.empty_like(faces)
    new_faces[first], new_faces[~first] = of_side(0, first), of_side(1, ~first)
    return points[keys // count], own.reshape(-1, 4).astype(np.int32), new_faces, wedges


@njit(cache=True, nogil=True)
def _number_nodes(numbers: Any) -> Any:
    """Number the corners of all voxels of grains, shape (z + 1, y + 1, x + 1), -1 for others."""
    depth, rows, columns = numbers.shape
    node_of = np.full((depth - 1, rows - 1, columns - 1), -1, np.int32)
    count = 0
    for z in range(depth - 1):
        for y in range(rows - 1):
            for x in range(columns - 1):
                for corner in range(8):
                    if numbers[z + (corner >> 2), y + (corner >> 1 & 1), x + (corner & 1)] > 0:
                        node_of[z, y, x] = count
                        count += 1
                        break
    return node_of, count


@njit(cache=True, nogil=True)
def _load_voxel(points: Any, vertex_of: Any, k: int, j: int, i: int, size: Any, x: Any) -> None:
    """Places of the corners of a voxel and of its middle, in units of length."""
    for axis in range(3):
        x[8, axis] = 0.0
    for corner in range(8):
        dz, dy, dx = corner >> 2, corner >> 1 & 1, corner & 1
        vertex = vertex_of[k + dz, j + dy, i + dx]
        if vertex >= 0:
            for axis in range(3):
                x[corner, axis] = points[vertex, axis] * size[axis]
        else:
            x[corner, 0] = (i + dx) * size[0]
            x[corner, 1] = (j + dy) * size[1]
            x[corner, 2] = (k + dz) * size[2]
        for axis in range(3):
            x[8, axis] += x[corner, axis] / 8


@njit(cache=True, nogil=True)
def _flattening_vertices(
    points: Any, moved: Any, settled: Any, vertex_of: Any, size: Any, cosine: float, twelve: Any
) -> Any:
    """Vertices that must go back, since a tetrahedron beside a moved one is too flat."""
    back = np.zeros(len(points), np.bool_)
    depth, rows, columns = vertex_of.shape
    x = np.empty((9, 3))
    vertices = np.empty(8, np.int64)
    for k in range(depth - 1):
        for j in range(rows - 1):
            for i in range(columns - 1):
                stale = False
                for corner in range(8):
                    vertex = vertex_of[k + (corner >> 2), j + (corner >> 1 & 1), i + (corner & 1)]
                    vertices[corner] = vertex
                    if vertex >= 0 and moved[vertex]:
                        stale = True
                if not stale:
                    continue
                _load_voxel(points, vertex_of, k, j, i, size, x)
                for cell in range(12):
                    if not _is_flat(x, twelve[cell], cosine):
                        continue
                    still = True
                    for corner in twelve[cell, 1:]:
                        vertex = vertices[corner]
                        if vertex >= 0 and not settled[vertex]:
                            back[vertex] = True
                            still = False
                    if still:  # the middle went too far with the other corners
                        for corner in range(8):
                            if vertices[corner] >= 0:
                                back[vertices[corner]] = True
    return back


@njit(cache=True, nogil=True)
def _cut(
    numbers: Any, vertex_of: Any, points: Any, node_of: Any, size: Any, cosine: float, nodes: int,
    six: Any, twelve: Any, cells: Any, cell_numbers: Any, places: Any,
) -> Any:  # fmt: skip
    """Count tetrahedra and middles; fill `cells`, their grains and `places` unless empty."""
    depth, rows, columns = vertex_of.shape
    fill = len(cells) > 0
    x = np.empty((9, 3))
    count = middles = 0
    for k in range(depth - 1):
        for j in range(rows - 1):
            for i in range(columns - 1):
                number = numbers[k + 1, j + 1, i + 1]
                if number == 0:
                    continue
                _load_voxel(points, vertex_of, k, j, i, size, x)
                whole = True
                for cell in range(6):
                    whole = whole and not _is_flat(x, six[cell], cosine)
                cut = six if whole else twelve
                if fill:
                    for corner in range(8):
                        node = node_of[k + (corner >> 2), j + (corner >> 1 & 1), i + (corner & 1)]
                        for axis in range(3):
                            places[node, axis] = x[corner, axis] / size[axis]
                    if not whole:
                        for axis in range(3):
                            places[nodes + middles, axis] = x[8, axis] / size[axis]
                    for cell in range(len(cut)):
                        cell_numbers[count + cell] = number
                        for at in range(4):
                            corner = cut[cell, at]
                            if corner == 8:
                                cells[count + cell, at] = nodes + middles
                            else:
                                cells[count + cell, at] = node_of[
                                    k + (corner >> 2), j + (corner >> 1 & 1), i + (corner & 1)
                                ]
                count += len(cut)
                if not whole:
                    middles += 1
    return count, middles


@njit(cache=True, nogil=True)
def _is_flat(x: Any, cell: Any, cosine: float) -> bool:
    """Whether a tetrahedron has turned over or has a small angle between two faces."""
    a, b, c = np.empty(3), np.empty(3), np.empty(3)
    for axis in range(3):
        a[axis] = x[cell[1], axis] - x[cell[0], axis]
        b[axis] = x[cell[2], axis] - x[cell[0], axis]
        c[axis] = x[cell[3], axis] - x[cell[0], axis]
    normals, lengths = np.empty((4, 3)), np.empty(4)
    for axis in range(3):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        normals[0, axis] = c[one] * b[two] - c[two] * b[one]
        normals[1, axis] = a[one] * c[two] - a[two] * c[one]
        normals[2, axis] = b[one] * a[two] - b[two] * a[one]
        normals[3, axis] = -normals[0, axis] - normals[1, axis] - normals[2, axis]
    if a[0] * normals[0, 0] + a[1] * normals[0, 1] + a[2] * normals[0, 2] >= 0:
        return True
    for face in range(4):
        lengths[face] = np.sqrt(
            normals[face, 0] ** 2 + normals[face, 1] ** 2 + normals[face, 2] ** 2
        )
    for one in range(3):
        for two in range(one + 1, 4):
            product = (
                normals[one, 0] * normals[two, 0]
                + normals[one, 1] * normals[two, 1]
                + normals[one, 2] * normals[two, 2]
            )
            if -product > cosine * lengths[one] * lengths[two]:
                return True
    return False
