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
    followed : ndarray of int32, shape (n, 6)
        As `followed_corners` returns it.
    smallest : ndarray of float32, shape (n,)
        Voxels of the smallest grain around each vertex.
    quads : ndarray of int32, shape (m, 4)
    pairs : ndarray of int32, shape (m, 2)
        As `find_quads` returns them.
    """

    ids: NDArray[Any]
    voxel_counts: NDArray[np.int64]
    shape: tuple[int, int, int]
    places: NDArray[np.int32]
    followed: NDArray[np.int32]
    smallest: NDArray[np.float32]
    quads: NDArray[np.int32]
    pairs: NDArray[np.int32]

    @property
    def last(self) -> NDArray[np.int64]:
        """Greatest lattice coordinates (x, y, z): those of the window's far sides."""
        return np.array(self.shape[::-1]) - 1


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


def find_interfaces(lattice: Lattice) -> Interfaces:
    """Find all voxel faces between two labels, and what smoothing must know of their corners."""
    numbers, vertex_of = lattice.numbers, lattice.vertex_of
    places = place_corners(vertex_of, lattice.vertex_count)
    counts = np.zeros(len(lattice.ids), np.int64)
    for layer in numbers:
        counts += np.bincount(layer.ravel(), minlength=len(counts))
    sizes = counts.astype(np.float32)
    sizes[0] = np.inf
    depth, rows, columns = vertex_of.shape
    return Interfaces(
        lattice.ids,
        counts,
        (depth, rows, columns),
        places,
        followed_corners(numbers, vertex_of, places),
        least_around(numbers, places, sizes),
        *find_quads(numbers, vertex_of),
    )


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


@njit(cache=True, nogil=True)
def number_corners(numbers: Any) -> Any:
    """Number the corners of voxels around which labels differ, in the order (z, y, x).

    Returns
    -------
    vertex_of : ndarray of int32, shape (z + 1, y + 1, x + 1)
        -1 where all eight voxels have one label.
    count : int
    """
    depth, rows, columns = numbers.shape
    vertex_of = np.full((depth - 1, rows - 1, columns - 1), -1, np.int32)
    count = 0
    for z in range(depth - 1):
        for y in range(rows - 1):
            for x in range(columns - 1):
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
                    vertex_of[z, y, x] = count
                    count += 1
    return vertex_of, count


@njit(cache=True, nogil=True)
def place_corners(vertex_of: Any, count: int) -> Any:
    """Lattice coordinates (x, y, z) of each vertex, shape (n, 3)."""
    places = np.empty((count, 3), np.int32)
    depth, rows, columns = vertex_of.shape
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                vertex = vertex_of[z, y, x]
                if vertex >= 0:
                    places[vertex, 0], places[vertex, 1], places[vertex, 2] = x, y, z
    return places


@njit(cache=True, nogil=True)
def find_quads(numbers: Any, vertex_of: Any) -> Any:
    """Voxel faces between two labels, in the order (z, y, x) of their lowest corners.

    Returns
    -------
    quads : ndarray of int32, shape (n, 4)
        Vertices around a face, seen from the second label counter-clockwise; the first and the
        third are its lowest and its highest corner.
    pairs : ndarray of int32, shape (n, 2)
        Numbers of the labels before and after the face.
    """
    depth, rows, columns = vertex_of.shape
    count = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                after = numbers[z + 1, y + 1, x + 1]
                count += numbers[z + 1, y + 1, x] != after
                count += numbers[z + 1, y, x + 1] != after
                count += numbers[z, y + 1, x + 1] != after
    quads = np.empty((count, 4), np.int32)
    pairs = np.empty((count, 2), np.int32)
    at = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                after = numbers[z + 1, y + 1, x + 1]
                for axis in range(3):
                    dz, dy, dx = axis == 2, axis == 1, axis == 0
                    before = numbers[z + 1 - dz, y + 1 - dy, x + 1 - dx]
                    if before == after:
                        continue
                    pairs[at, 0], pairs[at, 1] = before, after
                    # the next axis first, so that the normal points along this one
                    oz, oy, ox = axis == 1, axis == 0, axis == 2
                    quads[at, 0] = vertex_of[z, y, x]
                    quads[at, 1] = vertex_of[z + oz, y + oy, x + ox]
                    quads[at, 2] = vertex_of[z + 1 - dz, y + 1 - dy, x + 1 - dx]
                    quads[at, 3] = vertex_of[z + 1 - dz - oz, y + 1 - dy - oy, x + 1 - dx - ox]
                    at += 1
    return quads, pairs


@njit(cache=True, nogil=True)
def followed_corners(numbers: Any, vertex_of: Any, places: Any) -> Any:
    """Vertices that each vertex follows when the mesh is smoothed, shape (n, 6), -1 for none.

    A vertex on lines where three or more labels meet follows its neighbours on those lines,
    any other one its neighbours on the surface.
    """
    count = len(places)
    followed = np.full((count, 6), -1, np.int32)
    around, meeting = np.empty(8, np.int32), np.empty(6, np.int8)
    for vertex in range(count):
        x, y, z = places[vertex]
        for corner in range(8):
            around[corner] = numbers[z + (corner >> 2), y + (corner >> 1 & 1), x + (corner & 1)]
        lines = 0
        for side in range(6):
            # the four voxels around the edge that leaves the vertex on this side
            one, two = 1 << (side // 2 + 1) % 3, 1 << (side // 2 + 2) % 3
            near = (side % 2) << side // 2
            a, b = around[near], around[near + one]
            c, d = around[near + two], around[near + one + two]
            most = 1 + (b != a) + (c != a and c != b) + (d != a and d != b and d != c)
            meeting[side] = most
            lines += most > 2
        for side in range(6):
            if meeting[side] > (2 if lines else 1):
                axis, step = side // 2, 2 * (side % 2) - 1
                followed[vertex, side] = vertex_of[
                    z + step * (axis == 2), y + step * (axis == 1), x + step * (axis == 0)
                ]
    return followed


@njit(cache=True, nogil=True)
def least_around(numbers: Any, places: Any, values: Any) -> Any:
    """Least value of the labels around each vertex, shape (n,)."""
    least = np.empty(len(places), np.float32)
    for vertex in range(len(places)):
        x, y, z = places[vertex]
        found = np.float32(np.inf)
        for corner in range(8):
            number = numbers[z + (corner >> 2), y + (corner >> 1 & 1), x + (corner & 1)]
            found = min(found, values[number])
        least[vertex] = found
    return least
