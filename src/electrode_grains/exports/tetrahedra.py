"""Tetrahedra that fill all grains and share their faces, edges and corners between grains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from electrode_grains.exports.tetrahedra_quality import dihedral_angles
from electrode_grains.exports.voxel_cutting import (
    SIX,
    TWELVE,
    cut_voxels,
    flattening_vertices,
    number_nodes,
)

LEAST_ANGLE = 10.0  # degrees, between two faces of a tetrahedron


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
    interfaces, guides = find_interfaces(lattice.ids, lattice.numbers)
    size = np.array(spacing[::-1], float)
    cosine = np.cos(_demanded_angle(size))
    places: Points = interfaces.places.astype(float)
    if smoothing_steps:
        volumes = GrainVolumes(interfaces)
        wanted = wanted_places(volumes, guides, smoothing_steps)
        places = held_back(volumes, wanted, _angle_test(lattice, size, cosine))
    node_of, nodes = number_nodes(lattice.numbers)
    count, middles = cut_voxels(
        lattice.numbers, lattice.vertex_of, places, node_of, size, cosine, nodes, SIX, TWELVE,
        np.empty((0, 4), np.int32), np.empty(0, np.int32), np.empty((0, 3)),
    )  # fmt: skip
    cells, numbers = np.empty((count, 4), np.int32), np.empty(count, np.int32)
    points = np.empty((nodes + middles, 3))
    cut_voxels(
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


def _demanded_angle(size: NDArray[np.float64]) -> float:
    """Least angle of tetrahedra, in rad, for voxels of a size (x, y, z)."""
    corners = np.array([(i & 1, i >> 1 & 1, i >> 2) for i in range(8)] + [(0.5, 0.5, 0.5)]) * size
    return float(np.radians(min(LEAST_ANGLE, 0.5 * dihedral_angles(corners[TWELVE]).min())))


def _angle_test(lattice: Lattice, size: NDArray[np.float64], cosine: float) -> Conflicts:
    """Test for voxels that cannot be cut into tetrahedra without small angles."""

    def conflicts(
        points: Points, moved: NDArray[np.bool_], settled: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        back: NDArray[np.bool_] = flattening_vertices(
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
