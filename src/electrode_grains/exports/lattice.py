"""Interfaces between labels as faces of voxels: vertices, quads, and who follows whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit
from electrode_grains.errors import InputError

GREATEST_TABLE = 1 << 26  # labels up to here are counted by a table, greater ones by sorting


@dataclass(frozen=True)
class Lattice:
    """Numbered labels of voxels, and the corners around which they differ.

    Attributes
    ----------
    ids : ndarray of int64 or uint64, shape (grains + 1,)
    numbers : ndarray of int32, shape (z + 2, y + 2, x + 2)
        As `number_labels` returns them.
    vertex_of : ndarray of int32, shape (z + 1, y + 1, x + 1)
        Vertex at each corner of a voxel, -1 for none.
    vertex_count : int
    """

    ids: NDArray[Any]
    numbers: NDArray[np.int32]
    vertex_of: NDArray[np.int32]
    vertex_count: int


@dataclass(frozen=True)
class Interfaces:
    """Voxel faces between labels, and the corners of voxels that they join.

    Attributes
    ----------
    ids : ndarray of int64 or uint64, shape (grains + 1,)
        Labels, 0 first.
    voxel_counts : ndarray of int64, shape (grains + 1,)
    shape : (int, int, int)
        Corners of the lattice along (z, y, x).
    places : ndarray of int32, shape (n, 3)
        Lattice coordinates (x, y, z) of the vertices, in the order (z, y, x).
    quads : ndarray of int32, shape (m, 4)
    pairs : ndarray of int32, shape (m, 2)
        As `trace_interfaces` returns them.
    """

    ids: NDArray[Any]
    voxel_counts: NDArray[np.int64]
    shape: tuple[int, int, int]
    places: NDArray[np.int32]
    quads: NDArray[np.int32]
    pairs: NDArray[np.int32]

    @property
    def last(self) -> NDArray[np.int64]:
        """Greatest lattice coordinates (x, y, z): those of the window's far sides."""
        return np.array(self.shape[::-1]) - 1


@dataclass(frozen=True)
class Guides:
    """What vertices follow when they are smoothed; not needed any more afterwards.

    Attributes
    ----------
    followed : ndarray of int32, shape (n, 6)
        As `trace_interfaces` returns it.
    smallest : ndarray of float32, shape (n,)
        Voxels of the smallest grain around each vertex.
    """

    followed: NDArray[np.int32]
    smallest: NDArray[np.float32]


def lattice_of(labels: NDArray[Any]) -> Lattice:
    """Number labels and corners; the window is surrounded by what is no grain.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Any ids, 0 is no grain.

    Returns
    -------
    Lattice

    Raises
    ------
    InputError
        As `number_labels`.
    """
    ids, numbers = number_labels(labels)
    return Lattice(ids, numbers, *number_corners(numbers))


def find_interfaces(ids: NDArray[Any], numbers: NDArray[np.int32]) -> tuple[Interfaces, Guides]:
    """Find all voxel faces between two labels, and what smoothing must know of their corners.

    Parameters
    ----------
    ids : ndarray of int64 or uint64, shape (grains + 1,)
    numbers : ndarray of int32, shape (z + 2, y + 2, x + 2)
        As `number_labels` returns them.
    """
    counts = np.zeros(len(ids), np.int64)
    for layer in numbers:
        counts += np.bincount(layer.ravel(), minlength=len(counts))
    sizes = counts.astype(np.float32)
    sizes[0] = np.inf
    depth, rows, columns = (size - 1 for size in numbers.shape)
    places, followed, smallest, quads, pairs = trace_interfaces(numbers, sizes)
    interfaces = Interfaces(ids, counts, (depth, rows, columns), places, quads, pairs)
    return interfaces, Guides(followed, smallest)


def number_labels(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Number labels without gaps.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)

    Returns
    -------
    ids : ndarray of int64, or of uint64 where a label needs it, shape (n + 1,)
        Label of each number; 0 of 0, whether there is such a voxel or not.
    numbers : ndarray of int32, shape (z + 2, y + 2, x + 2)
        0 is no grain; a layer of it lies around the window.

    Raises
    ------
    InputError
        If there is no grain, or a label is negative.
    """
    if labels.ndim != 3 or not labels.size or not labels.any():
        raise InputError("there is no grain to mesh", found=f"shape {labels.shape}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        raise InputError("a label is negative", found=str(low), expected="0 or more")
    numbers = np.zeros(tuple(size + 2 for size in labels.shape), np.int32)
    kind = np.uint64 if high >= 2**63 else np.int64
    if high < GREATEST_TABLE:
        seen = np.zeros(high + 1, bool)
        for layer in labels:
            seen[layer] = True
        seen[0] = True
        ids = np.flatnonzero(seen).astype(kind)
        table = (np.cumsum(seen) - 1).astype(np.int32)
        for at, layer in enumerate(labels):
            numbers[at + 1, 1:-1, 1:-1] = table[layer]
        return ids, numbers
    ids = np.unique(
        np.concatenate([np.zeros(1, kind), *(np.unique(each).astype(kind) for each in labels)])
    )
    for at, layer in enumerate(labels):
        numbers[at + 1, 1:-1, 1:-1] = np.searchsorted(ids, layer.astype(kind))
    return ids, numbers


def number_corners(numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """Number the corners of voxels around which labels differ, in the order (z, y, x).

    Returns
    -------
    vertex_of : ndarray of int32, shape (z + 1, y + 1, x + 1)
        -1 where all eight voxels have one label.
    count : int
    """
    vertex_of = np.empty([size - 1 for size in numbers.shape], np.int32)
    count = 0
    for z, layer in enumerate(vertex_of):
        count = number_layer(numbers, z, count, layer)
    return vertex_of, count


@njit(cache=True, nogil=True)
def number_layer(numbers: Any, z: int, count: int, vertex_of: Any) -> int:
    """Number the corners of one layer from `count` on; return what comes next."""
    rows, columns = vertex_of.shape
    for y in range(rows):
        for x in range(columns):
            first = numbers[z, y, x]
            if (
                numbers[z, y, x + 1] != first
                or numbers[z, y + 1, x] != first
                or numbers[z, y + 1, x + 1] != first
                or numbers[z + 1, y, x] != first
                or numbers[z + 1, y, x + 1] != first
                or numbers[z + 1, y + 1, x] != first
                or numbers[z + 1, y + 1, x + 1] != first
            ):
                vertex_of[y, x] = count
                count += 1
            else:
                vertex_of[y, x] = -1
    return count


@njit(cache=True, nogil=True)
def count_interfaces(numbers: Any) -> Any:
    """Count the corners around which labels differ, and the voxel faces between two labels."""
    depth, rows, columns = numbers.shape[0] - 1, numbers.shape[1] - 1, numbers.shape[2] - 1
    corners = quads = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                first, differs = numbers[z, y, x], False
                for corner in range(1, 8):
                    number = numbers[z + (corner >> 2), y + (corner >> 1 & 1), x + (corner & 1)]
                    differs |= number != first
                corners += differs
                after = numbers[z + 1, y + 1, x + 1]
                quads += numbers[z + 1, y + 1, x] != after
                quads += numbers[z + 1, y, x + 1] != after
                quads += numbers[z, y + 1, x + 1] != after
    return corners, quads


def trace_interfaces(
    numbers: NDArray[np.int32], values: NDArray[np.float32]
) -> tuple[
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.float32],
    NDArray[np.int32],
    NDArray[np.int32],
]:
    """Corners and faces of voxels between labels, both in the order (z, y, x).

    Parameters
    ----------
    numbers : ndarray of int32, shape (z + 2, y + 2, x + 2)
    values : ndarray of float32, shape (labels,)

    Returns
    -------
    places : ndarray of int32, shape (n, 3)
        Lattice coordinates (x, y, z) of each vertex.
    followed : ndarray of int32, shape (n, 6)
        Vertices that each vertex follows when the mesh is smoothed, -1 for none: one on lines
        where three or more labels meet follows its neighbours on those lines, any other one its
        neighbours on the surface. On the sides -x, x, -y, y, -z, z.
    least : ndarray of float32, shape (n,)
        Least value of the labels around each vertex.
    quads : ndarray of int32, shape (m, 4)
        Vertices around a face, seen from the second label counter-clockwise; the first and the
        third are its lowest and its highest corner.
    pairs : ndarray of int32, shape (m, 2)
        Numbers of the labels before and after the face.

    Notes
    -----
    Numbers of vertices are kept for three layers of the lattice, not for all of it.
    """
    depth, rows, columns = (size - 1 for size in numbers.shape)
    vertices, faces = count_interfaces(numbers)
    places, least = np.empty((vertices, 3), np.int32), np.empty(vertices, np.float32)
    followed = np.full((vertices, 6), -1, np.int32)
    quads, pairs = np.empty((faces, 4), np.int32), np.empty((faces, 2), np.int32)
    near = np.empty((3, rows, columns), np.int32)  # of layer z at z % 3
    count = number_layer(numbers, 0, 0, near[0])
    first_quad = 0
    for z in range(depth):
        if z + 1 < depth:
            count = number_layer(numbers, z + 1, count, near[(z + 1) % 3])
        _trace_vertices(numbers, values, z, near, places, followed, least)
        first_quad = _trace_quads(numbers, z, near, quads, pairs, first_quad)
    return places, followed, least, quads, pairs


@njit(cache=True, nogil=True)
def _trace_vertices(
    numbers: Any, values: Any, z: int, near: Any, places: Any, followed: Any, least: Any
) -> None:
    """Fill what `trace_interfaces` returns of the vertices of one layer."""
    around, meeting = np.empty(8, np.int32), np.empty(6, np.int8)
    own = z % 3
    for y in range(near.shape[1]):
        for x in range(near.shape[2]):
            vertex = near[own, y, x]
            if vertex < 0:
                continue
            places[vertex, 0], places[vertex, 1], places[vertex, 2] = x, y, z
            smallest = np.float32(np.inf)
            for corner in range(8):
                number = numbers[z + (corner >> 2), y + (corner >> 1 & 1), x + (corner & 1)]
                around[corner] = number
                smallest = min(smallest, values[number])
            least[vertex] = smallest
            lines = 0
            for side in range(6):
                # the four voxels around the edge that leaves the vertex on this side
                one, two = 1 << (side // 2 + 1) % 3, 1 << (side // 2 + 2) % 3
                low = (side % 2) << side // 2
                a, b = around[low], around[low + one]
                c, d = around[low + two], around[low + one + two]
                most = 1 + (b != a) + (c != a and c != b) + (d != a and d != b and d != c)
                meeting[side] = most
                lines += most > 2
            for side in range(6):
                if meeting[side] > (2 if lines else 1):
                    axis, step = side // 2, 2 * (side % 2) - 1
                    followed[vertex, side] = near[
                        (z + 3 + step * (axis == 2)) % 3,
                        y + step * (axis == 1),
                        x + step * (axis == 0),
                    ]


@njit(cache=True, nogil=True)
def _trace_quads(numbers: Any, z: int, near: Any, quads: Any, pairs: Any, at: int) -> int:
    """Fill quads whose lowest corner lies in one layer from `at` on; return what comes next."""
    for y in range(near.shape[1]):
        for x in range(near.shape[2]):
            after = numbers[z + 1, y + 1, x + 1]
            for axis in range(3):
                dz, dy, dx = axis == 2, axis == 1, axis == 0
                before = numbers[z + 1 - dz, y + 1 - dy, x + 1 - dx]
                if before == after:
                    continue
                pairs[at, 0], pairs[at, 1] = before, after
                # the next axis first, so that the normal points along this one
                oz, oy, ox = axis == 1, axis == 0, axis == 2
                quads[at, 0] = near[z % 3, y, x]
                quads[at, 1] = near[(z + oz) % 3, y + oy, x + ox]
                quads[at, 2] = near[(z + 1 - dz) % 3, y + 1 - dy, x + 1 - dx]
                quads[at, 3] = near[(z + 1 - dz - oz) % 3, y + 1 - dy - oy, x + 1 - dx - ox]
                at += 1
    return at
