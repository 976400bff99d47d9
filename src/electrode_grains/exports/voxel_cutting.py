"""How a voxel is cut into tetrahedra, and which of its corners make one of them too flat."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit


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


@njit(cache=True, nogil=True)
def number_nodes(numbers: Any) -> Any:
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
def flattening_vertices(
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
def cut_voxels(
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
