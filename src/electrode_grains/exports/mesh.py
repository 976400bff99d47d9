"""Surfaces of all grains as one mesh, in which neighbours share their interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from electrode_grains.errors import InputError, SettingsError

# A smoothing step and its undoing, which together keep volumes (Taubin 1995).
SHRINK, GROW = 0.5, -0.53


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
        Pairs of a smoothing step and its counter-step; 0 leaves the faces of the voxels.

    Returns
    -------
    InterfaceMesh

    Raises
    ------
    InputError
        If there is no grain.
    SettingsError
        If the number of steps is negative.

    Notes
    -----
    Every voxel face between two labels becomes two triangles. Vertices then move towards the
    mean of their neighbours and back (Taubin smoothing). A vertex where more grains meet pulls
    those where fewer meet and not the other way round, so that triple lines are smoothed along
    themselves. On the window vertices move within it alone.

    References
    ----------
    .. [1] G. Taubin, "A signal processing approach to fair surface design", SIGGRAPH 1995.

    Examples
    --------
    >>> mesh = interface_mesh(np.array([[[3, 8]]]), (50, 50, 50), smoothing_steps=0)
    >>> len(mesh.vertices), len(mesh.faces), sorted({tuple(pair) for pair in mesh.grains.tolist()})
    (12, 22, [(0, 3), (0, 8), (3, 0), (3, 8), (8, 0)])
    """
    if labels.ndim != 3 or not (labels != 0).any():
        raise InputError("there is no grain to mesh", found=f"shape {labels.shape}")
    if smoothing_steps < 0:
        raise SettingsError("steps cannot be undone", found=f"smoothing_steps {smoothing_steps}")
    padded = np.pad(labels.astype(np.int64), 1)
    corners = np.array(padded.shape) - 1  # vertices of the lattice along each axis
    quads, pairs = zip(*(_faces_across(padded, axis, corners) for axis in range(3)), strict=True)
    used, compact = np.unique(np.concatenate(quads), return_inverse=True)
    compact = compact.reshape(-1, 4)
    faces = np.concatenate([compact[:, [0, 1, 2]], compact[:, [0, 2, 3]]]).astype(np.int32)
    grains = np.tile(np.concatenate(pairs), (2, 1))
    lattice = np.stack(np.unravel_index(used, tuple(corners)), axis=1)
    places = (lattice - 0.5) * np.array(spacing, float)
    if smoothing_steps:
        places = _smoothed(places, faces, lattice, padded, smoothing_steps)
    return InterfaceMesh(np.ascontiguousarray(places[:, ::-1]), faces, grains)


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


def write_ply(mesh: InterfaceMesh, path: Path) -> None:
    """Write a mesh as binary PLY; faces carry `grain_a` and `grain_b`.

    Raises
    ------
    InputError
        If a label does not fit into 32 bits.
    """
    if mesh.grains.max(initial=0) >= 2**31:
        raise InputError("a label is too great for PLY", found=str(mesh.grains.max()))
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment lengths in nm\n"
        f"element vertex {len(mesh.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\n"
        "property int grain_a\nproperty int grain_b\nend_header\n"
    )
    rows = np.empty(
        len(mesh.faces), [("count", "u1"), ("vertices", "<i4", 3), ("grains", "<i4", 2)]
    )
    rows["count"], rows["vertices"], rows["grains"] = 3, mesh.faces, mesh.grains
    path.write_bytes(header.encode() + mesh.vertices.astype("<f4").tobytes() + rows.tobytes())


def write_stl(mesh: InterfaceMesh, folder: Path) -> None:
    """Write one binary STL a grain, `grain_<label>.stl`, lengths in nm; others are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("grain_*.stl"):
        old.unlink()
    for label, vertices, faces in grain_surfaces(mesh):
        rows = np.zeros(
            len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")]
        )
        corners = vertices[faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        rows["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
        rows["corners"] = corners
        head = f"grain {label}, lengths in nm".ljust(80).encode()
        count = np.uint32(len(faces)).astype("<u4").tobytes()
        (folder / f"grain_{label}.stl").write_bytes(head + count + rows.tobytes())


def _compact(
    vertices: NDArray[np.float64], faces: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Vertices that faces use, and faces that count from the first of them."""
    used, compact = np.unique(faces, return_inverse=True)
    return vertices[used], compact.reshape(-1, 3).astype(np.int32)


def _faces_across(
    padded: NDArray[np.int64], axis: int, corners: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners (n, 4) and labels (n, 2) of the voxel faces across an axis."""
    moved = np.moveaxis(padded, axis, 0)
    before, after = moved[:-1], moved[1:]
    differ = np.argwhere(before != after)
    pairs = np.stack([before[tuple(differ.T)], after[tuple(differ.T)]], axis=1)
    others = [other for other in range(3) if other != axis]
    first = np.empty_like(differ)
    # A face lies at the lower corner of the voxel after it; the padding shifts corners by one.
    first[:, axis] = differ[:, 0]
    first[:, others[0]], first[:, others[1]] = differ[:, 1] - 1, differ[:, 2] - 1
    steps = np.zeros((4, 3), np.int64)
    steps[1, others[0]] = steps[2, others[0]] = steps[2, others[1]] = steps[3, others[1]] = 1
    # In (x, y, z), the order of corners that looks along the axis.
    if axis != 1:
        steps = steps[::-1]
    places = first[:, None, :] + steps
    return np.ravel_multi_index(tuple(np.moveaxis(places, -1, 0)), tuple(corners)), pairs


def _smoothed(
    places: NDArray[np.float64],
    faces: NDArray[np.int32],
    lattice: NDArray[np.int64],
    padded: NDArray[np.int64],
    steps: int,
) -> NDArray[np.float64]:
    """Move vertices (z, y, x) by Taubin's pairs of steps."""
    meeting = _labels_meeting(lattice, padded)
    count = len(places)
    begins, ends = faces.astype(np.int64), np.roll(faces, -1, axis=1).astype(np.int64)
    edges = np.unique(np.concatenate([begins * count + ends, ends * count + begins]))
    pulled, pulling = np.divmod(edges, count)
    kept = meeting[pulling] >= meeting[pulled]
    pulled, pulling = pulled[kept], pulling[kept]
    sums = csr_array((np.ones(len(pulled)), (pulled, pulling)), shape=(count, count))
    degree = np.asarray(sums.sum(axis=1)).reshape(-1, 1)
    free = degree > 0
    last = np.array(padded.shape) - 2
    within = (lattice > 0) & (lattice < last)
    moved = places.copy()
    for _ in range(steps):
        for factor in (SHRINK, GROW):
            mean = np.divide(sums @ moved, degree, out=moved.copy(), where=free)
            moved += np.where(within, factor * (mean - moved), 0.0)
    return moved


def _labels_meeting(lattice: NDArray[np.int64], padded: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of labels around each vertex."""
    around = np.stack(
        [
            padded[lattice[:, 0] + dz, lattice[:, 1] + dy, lattice[:, 2] + dx]
            for dz in (0, 1)
            for dy in (0, 1)
            for dx in (0, 1)
        ],
        axis=1,
    )
    around.sort(axis=1)
    counted: NDArray[np.int64] = 1 + (np.diff(around, axis=1) != 0).sum(axis=1)
    return counted
