"""Bodies of neighbouring points that have one orientation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit
from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.grains.labelling import Labels, connected_pieces
from electrode_grains.grains.settings import SegmentationSettings

LEAST_LINKED = 8  # points; fewer agree by chance or stand for nothing


def link_points(field: OrientationField, *, settings: SegmentationSettings) -> Labels:
    """Number the bodies of points linked over voxel faces by a small misorientation.

    Parameters
    ----------
    field : OrientationField, shape (z, y, x)
    settings : SegmentationSettings
        `merge_misorientation_degrees`: neighbours of a smaller one are linked.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        Bodies from 1 in the order of their first voxel; 0 where a point is not indexed or
        its body has fewer than 8 points. A wrongly indexed point is a body of its own, so
        that the points of bodies are those whose orientation is reliable.

    Examples
    --------
    >>> points = np.tile([1.0, 0, 0, 0], (1, 2, 12, 1))
    >>> points[:, :, 7:], points[0, 0, 2] = [0.8, 0.6, 0, 0], [0.6, 0, 0.8, 0]
    >>> link_points(OrientationField(points), settings=SegmentationSettings())[0, 0].tolist()
    [1, 1, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    """
    points, _ = field.points()
    return _numbered(body_roots(points, field, settings=settings)).reshape(field.shape)


def body_roots(
    points: NDArray[np.float32], field: OrientationField, *, settings: SegmentationSettings
) -> NDArray[np.int32]:
    """First point, in memory order, of the body of each point.

    Parameters
    ----------
    points : ndarray of float32, shape (n, 4)
        Those of the field, see `OrientationField.points`.
    field : OrientationField, shape (z, y, x)
    settings : SegmentationSettings
        As for `link_points`.

    Returns
    -------
    ndarray of int32, shape (n,)
        A point that is not indexed is a body of its own.
    """
    parent = np.arange(len(points)).astype(np.int32)
    cosine = np.cos(settings.misorientation / 2)
    _link(points, np.array(field.shape), field.symmetry, cosine, parent)
    return parent


def bodies_inside(mask: NDArray[np.bool_], linked: Labels) -> NDArray[np.int64]:
    """Bodies as they hang together within a mask, without those of fewer than 8 voxels."""
    pieces, _ = connected_pieces(np.where(mask, linked, 0))
    large = np.bincount(pieces.ravel()) >= LEAST_LINKED
    return np.where(large[pieces], pieces, 0).astype(np.int64)


def _numbered(parent: NDArray[np.int32]) -> Labels:
    """Bodies of 8 points and more from 1; each is named after its first voxel so far."""
    first = np.flatnonzero(np.bincount(parent, minlength=len(parent)) >= LEAST_LINKED)
    number = np.zeros(len(parent), np.int32)
    number[first] = np.arange(1, len(first) + 1)
    return number[parent]


@njit(cache=True, nogil=True)
def _root(parent, one):  # type: ignore[no-untyped-def]
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one


@njit(cache=True, nogil=True)
def _agree(points, group, one, other, cosine):  # type: ignore[no-untyped-def]
    """Whether an equivalent of a point is nearer to another than the threshold."""
    w, x, y, z = points[one, 0], points[one, 1], points[one, 2], points[one, 3]
    p, q, r, s = points[other, 0], points[other, 1], points[other, 2], points[other, 3]
    # The overlap of S a with b is that of S with b a*, which is the same for all S.
    u0 = p * w + q * x + r * y + s * z
    u1 = q * w - p * x - r * z + s * y
    u2 = r * w - p * y - s * x + q * z
    u3 = s * w - p * z - q * y + r * x
    for k in range(len(group)):
        overlap = group[k, 0] * u0 + group[k, 1] * u1 + group[k, 2] * u2 + group[k, 3] * u3
        if abs(overlap) > cosine:
            return True
    return False


@njit(cache=True, nogil=True)
def _link(points, shape, group, cosine, parent):  # type: ignore[no-untyped-def]
    """Union of all linked neighbours; in the end each voxel points to the first of its body."""
    depth, rows, columns = shape
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                one = (z * rows + y) * columns + x
                if np.isnan(points[one, 0]):
                    continue
                for axis in range(3):
                    if axis == 0 and z > 0:
                        other = one - rows * columns
                    elif axis == 1 and y > 0:
                        other = one - columns
                    elif axis == 2 and x > 0:
                        other = one - 1
                    else:
                        continue
                    first, second = _root(parent, one), _root(parent, other)
                    if first != second and _agree(points, group, one, other, cosine):
                        parent[max(first, second)] = min(first, second)
    for one in range(len(parent)):
        parent[one] = _root(parent, one)
