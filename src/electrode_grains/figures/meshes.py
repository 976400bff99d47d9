"""Surfaces of grains as triangles, light enough to turn in a browser."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter
from skimage.measure import marching_cubes

from electrode_grains.errors import InputError, SettingsError

SMOOTHING_PER_STEP = 0.4
LEVEL = 0.5
LARGEST_INDEX = 65535
SECTION_VOXELS = 6_000_000  # of larger volumes every second (third, ...) voxel is kept


def particle_mesh(
    labels: NDArray[Any],
    spacing: tuple[float, float, float],
    step: int = 2,
    maximum_grains: int = 1500,
    maximum_faces: int = 450_000,
) -> dict[str, NDArray[Any]]:
    """Mesh every grain by marching cubes on a coarsened grid.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Grain labels, 0 = no grain; any set of ids.
    spacing : (float, float, float)
        Voxel size (dz, dy, dx) in nm.
    step : int
        Voxels a cell of marching cubes spans along each axis; raised where the mesh would
        have more than `maximum_faces` triangles.
    maximum_grains : int
        Largest grains that are meshed.
    maximum_faces : int
        Triangles that a page should hold.

    Returns
    -------
    dict of ndarrays
        ``vertices`` float32 (n, 3), (x, y, z) in nm, where the first voxel's centre is the
        origin; ``faces`` int32 (m, 3), vertex numbers over all grains; ``labels`` int64 (g,);
        ``vertex_start`` and ``face_start`` int64 (g + 1,), so that grain i owns
        ``faces[face_start[i]:face_start[i + 1]]``; ``grain_count`` int64 (), grains in the
        volume; ``step`` int64 (), the step that was used; ``index`` uint16 (z, y, x), the
        place of each voxel's grain in ``labels`` plus 1, 0 for none, and ``voxel_nm`` float64
        (3,), its voxel size (dz, dy, dx), for sections through the particle.

    Raises
    ------
    InputError
        If the labels are not a volume of integers.
    SettingsError
        If a number is not positive, or there are more grains than 16 bits can number.

    Notes
    -----
    A grain is smoothed by 0.4 steps before it is cut, so that its surface does not show
    single voxels; a grain too small to survive is meshed voxel by voxel. The mesh is for
    looking at: areas are measured elsewhere.

    Examples
    --------
    >>> labels = np.zeros((9, 9, 9), dtype=int)
    >>> labels[2:7, 2:7, 2:7] = 4_000_000_000
    >>> mesh = particle_mesh(labels, (50, 50, 50), step=1)
    >>> mesh["labels"].tolist(), mesh["vertices"].mean(axis=0).round(3).tolist()
    ([4000000000], [200.0, 200.0, 200.0])
    """
    array = np.asarray(labels)
    if array.ndim != 3 or array.dtype.kind not in "iu":
        raise InputError(
            "labels are not a volume of integers",
            found=f"shape {array.shape}, {array.dtype}",
            expected="integers of shape (z, y, x)",
        )
    if min(step, maximum_grains, maximum_faces) < 1 or maximum_grains > LARGEST_INDEX:
        raise SettingsError(
            "a mesh needs at least one voxel a step, one grain and one triangle",
            found=f"step {step}, {maximum_grains} grains, {maximum_faces} triangles",
            expected=f"positive numbers, at most {LARGEST_INDEX} grains",
        )
    ids, compact = np.unique(array, return_inverse=True)
    compact = compact.reshape(array.shape)
    if ids.size and ids[0] != 0:  # no background: every id counts
        ids, compact = np.concatenate([[0], ids]), compact + 1
    counts = np.bincount(compact.ravel(), minlength=len(ids))
    counts[0] = 0
    kept = np.sort(np.argsort(counts, kind="stable")[::-1][: min(maximum_grains, len(ids) - 1)])
    boxes = find_objects(compact.astype(np.int32), max_label=len(ids) - 1)
    while True:
        surfaces = [_grain_surface(compact, int(i), boxes[i - 1], spacing, step) for i in kept]
        if sum(len(faces) for _, faces in surfaces) <= maximum_faces or step >= max(array.shape):
            break
        step += 1
    place = np.zeros(len(ids), dtype=np.uint16)
    place[kept] = np.arange(1, len(kept) + 1)
    thin = max(1, int(np.ceil((array.size / SECTION_VOXELS) ** (1 / 3))))
    return {
        **_join(surfaces),
        "index": place[compact[::thin, ::thin, ::thin]],
        "voxel_nm": np.asarray(spacing, dtype=float) * thin,
        "labels": ids[kept].astype(np.int64),
        "grain_count": np.asarray(len(ids) - 1, dtype=np.int64),
        "step": np.asarray(step, dtype=np.int64),
    }


def _grain_surface(
    compact: NDArray[Any],
    grain: int,
    box: tuple[slice, slice, slice],
    spacing: tuple[float, float, float],
    step: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (x, y, z) in nm and triangles of one grain."""
    crop = (compact[box] == grain).astype(np.float32)
    starts = np.array([part.start for part in box], dtype=np.float64)
    # Coarse points lie on one grid for all grains, so that neighbours fit together.
    before = [2 * step + int(start % step) for start in starts]
    after = [2 * step + (-(n + b)) % step for n, b in zip(crop.shape, before, strict=True)]
    padded = np.pad(crop, list(zip(before, after, strict=True)))
    if step > 1:
        smooth = gaussian_filter(padded, SMOOTHING_PER_STEP * step, mode="constant")
        coarse = smooth[::step, ::step, ::step]
        if coarse.max() > LEVEL:
            return _cut(coarse, starts - before, spacing, step)
    return _cut(padded, starts - before, spacing, 1)


def _cut(
    field: NDArray[np.float32],
    origin: NDArray[np.float64],
    spacing: tuple[float, float, float],
    step: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    cut: Any = marching_cubes  # scikit-image ships no types
    vertices, faces, _, _ = cut(field, level=LEVEL, allow_degenerate=False)
    placed = (vertices * step + origin) * np.asarray(spacing, dtype=float)
    # Corners come in an order that looks outward once the axes are (x, y, z).
    return placed[:, ::-1], faces.astype(np.int64)


def _join(
    surfaces: list[tuple[NDArray[np.float64], NDArray[np.int64]]],
) -> dict[str, NDArray[Any]]:
    vertex_start = np.cumsum([0, *(len(vertices) for vertices, _ in surfaces)])
    face_start = np.cumsum([0, *(len(faces) for _, faces in surfaces)])
    if not surfaces:
        vertices, faces = np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    else:
        vertices = np.concatenate([part for part, _ in surfaces])
        faces = np.concatenate(
            [part + first for (_, part), first in zip(surfaces, vertex_start, strict=False)]
        )
    return {
        "vertices": vertices.astype(np.float32),
        "faces": faces.astype(np.int32),
        "vertex_start": vertex_start.astype(np.int64),
        "face_start": face_start.astype(np.int64),
    }
