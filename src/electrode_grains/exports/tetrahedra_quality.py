"""Angles and volumes of tetrahedra, and how well they fill the grains of which they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from electrode_grains.exports.tetrahedra import TetrahedralMesh

BLOCK = 1 << 19  # tetrahedra that are judged at once


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
