"""What every step on labelled volumes needs: compact ids, contacts, connected pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, sparse

from electrode_grains.compiling import njit
from electrode_grains.errors import InputError

LEVELS = 50  # bins of the values of faces, in [0, 1]
Labels = NDArray[np.int32]
Slices = tuple[slice, ...]


def checked_labels(labels: NDArray[Any], name: str = "the label volume") -> NDArray[Any]:
    """Return the array itself if it can be a volume of grain labels.

    Raises
    ------
    InputError
        If it is empty, not three-dimensional, not of integers, or has negative labels.
    """
    array = np.asarray(labels)
    if array.ndim != 3 or array.size == 0 or array.dtype.kind not in "iu":
        raise InputError(
            f"{name} cannot be read as grains",
            found=f"shape {array.shape} of {array.dtype}",
            expected="integers, shape (z, y, x)",
        )
    if array.dtype.kind == "i" and int(array.min()) < 0:
        raise InputError(
            f"{name} has negative labels", found=str(int(array.min())), expected="0 or more"
        )
    return array


def check_same_shape(name: str, one: NDArray[Any], other_name: str, other: NDArray[Any]) -> None:
    """Refuse two volumes of different shapes.

    Raises
    ------
    InputError
        Naming both.
    """
    if np.shape(one) != np.shape(other):
        raise InputError(
            f"{name} and {other_name} do not fit each other",
            found=f"shapes {np.shape(one)} and {np.shape(other)}",
            expected="one shape (z, y, x)",
        )


def compact_labels(labels: NDArray[Any]) -> tuple[Labels, NDArray[Any]]:
    """Number grains from 1 in the order of their first voxel; 0 stays 0.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Any ids.

    Returns
    -------
    compact : ndarray of int32, shape (z, y, x)
    ids : ndarray of int, shape (n + 1,)
        Former id of each new label; `ids[0]` is 0.

    Examples
    --------
    >>> compact, ids = compact_labels(np.array([[[0, 9, 9, 2**40, 9]]]))
    >>> compact.tolist(), ids.tolist()
    ([[[0, 1, 1, 2, 1]]], [0, 9, 1099511627776])
    """
    array = np.asarray(labels)
    codes, values = pd.factorize(array.ravel())
    number = np.zeros(len(values), np.int32)
    grains = values != 0
    number[grains] = np.arange(1, grains.sum() + 1)
    ids = np.concatenate([np.zeros(1, array.dtype), np.asarray(values)[grains]])
    return number[codes].reshape(array.shape), ids


def facing(ndim: int) -> Iterator[tuple[Slices, Slices]]:
    """Views of an array in which every voxel meets its next neighbour, axis by axis."""
    for axis in range(ndim):
        before = (slice(None),) * axis
        yield (*before, slice(None, -1)), (*before, slice(1, None))


def facing_forward(own: Sequence[int], shape: Sequence[int]) -> Iterator[tuple[Slices, Slices]]:
    """As `facing`, for the first `own` voxels of each axis and their next neighbours alone."""
    for axis in range(len(shape)):
        low, high = [slice(0, size) for size in own], [slice(0, size) for size in own]
        last = min(own[axis], shape[axis] - 1)
        low[axis], high[axis] = slice(0, last), slice(1, last + 1)
        yield tuple(low), tuple(high)


def touching_other_grains(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxels of a grain that share a face with a voxel of another grain."""
    touching = np.zeros(labels.shape, bool)
    for low, high in facing(labels.ndim):
        a, b = labels[low], labels[high]
        apart = (a != b) & (a > 0) & (b > 0)
        touching[low] |= apart
        touching[high] |= apart
    return touching


@dataclass(frozen=True)
class Contacts:
    """Pairs of labels that share voxel faces.

    Attributes
    ----------
    first, second : ndarray of int32, shape (n,)
        Labels, first < second, in lexicographic order; 0 takes no part.
    faces : ndarray of int64, shape (n,)
        Number of shared faces.
    between_slices : ndarray of int64, shape (n,)
        Those of the shared faces that lie between two slices.
    total : ndarray of float64, shape (n,)
        Sum over the shared faces of the value of each.
    levels : ndarray of int32, shape (n, LEVELS)
        Faces by their value, in equal bins over [0, 1].
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    faces: NDArray[np.int64]
    between_slices: NDArray[np.int64]
    total: NDArray[np.float64]
    levels: NDArray[np.int32]


def summable(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities as multiples of 2^-24, half a unit of float32 near 1.

    Up to 2^29 of them add up exactly in float64, so that a sum depends on no order and no blocks.
    """
    rounded: NDArray[np.float64] = np.round(np.asarray(values, np.float64) * 2.0**24) / 2.0**24
    return rounded


def measure_faces(
    labels: Labels, field: NDArray[np.floating] | None = None, own: Sequence[int] | None = None
) -> Contacts:
    """List all contacts of a volume with their faces.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Compact labels.
    field : ndarray of float, shape (z, y, x), optional
        Per voxel, in [0, 1]; a face counts the greater of its two voxels.
    own : sequence of 3 int, optional
        Only faces of the first so many voxels along each axis to their next neighbours count, as
        in a block that holds what lies behind it.

    Returns
    -------
    Contacts

    Examples
    --------
    >>> contacts = measure_faces(np.array([[[1, 1, 2, 0, 3]]], np.int32))
    >>> contacts.first.tolist(), contacts.second.tolist(), contacts.faces.tolist()
    ([1], [2], [1])
    """
    keys, of_faces = [], []
    scale = int(labels.max(initial=0)) + 1
    for low, high in facing_forward(own or labels.shape, labels.shape):
        a, b = labels[low], labels[high]
        apart = (a != b) & (a > 0) & (b > 0)
        one, other = a[apart].astype(np.int64), b[apart].astype(np.int64)
        keys.append(np.minimum(one, other) * scale + np.maximum(one, other))
        if field is not None:
            of_faces.append(np.maximum(field[low][apart], field[high][apart]))
    pairs, place = np.unique(np.concatenate(keys), return_inverse=True)
    count = len(pairs)
    values = summable(np.concatenate(of_faces)) if of_faces else np.zeros(len(place))
    level = np.clip(values * LEVELS, 0, LEVELS - 1).astype(np.int64)
    levels = np.bincount(place * LEVELS + level, minlength=count * LEVELS)
    return Contacts(
        first=(pairs // scale).astype(np.int32),
        second=(pairs % scale).astype(np.int32),
        faces=np.bincount(place, minlength=count).astype(np.int64),
        between_slices=np.bincount(place[: len(keys[0])], minlength=count).astype(np.int64),
        total=np.bincount(place, weights=values, minlength=count).astype(np.float64),
        levels=levels.reshape(count, LEVELS).astype(np.int32),
    )


@njit(cache=True, nogil=True)
def _pieces(labels, pieces):  # type: ignore[no-untyped-def]
    depth, rows, columns = labels.shape
    queue = np.empty((labels.size, 3), np.int32)
    count = 0
    for z in range(depth):
        for y in range(rows):
            for x in range(columns):
                if labels[z, y, x] == 0 or pieces[z, y, x] != 0:
                    continue
                count += 1
                pieces[z, y, x] = count
                queue[0] = (z, y, x)
                first, last = 0, 1
                while first < last:
                    k, j, i = queue[first]
                    first += 1
                    for dk, dj, di in (
                        (-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1),
                    ):  # fmt: skip
                        kk, jj, ii = k + dk, j + dj, i + di
                        if not (0 <= kk < depth and 0 <= jj < rows and 0 <= ii < columns):
                            continue
                        if labels[kk, jj, ii] == labels[z, y, x] and pieces[kk, jj, ii] == 0:
                            pieces[kk, jj, ii] = count
                            queue[last] = (kk, jj, ii)
                            last += 1
    return count


def connected_pieces(labels: NDArray[Any]) -> tuple[Labels, int]:
    """Number the pieces of equal label that hang together over voxel faces.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)

    Returns
    -------
    pieces : ndarray of int32, shape (z, y, x)
        From 1 in the order of the first voxel; 0 where the label is.
    count : int

    Examples
    --------
    >>> connected_pieces(np.array([[[4, 4, 0, 4, 7]]]))
    (array([[[1, 1, 0, 2, 3]]], dtype=int32), 3)
    """
    array = np.ascontiguousarray(labels)
    pieces = np.zeros(array.shape, np.int32)
    return pieces, int(_pieces(array, pieces))


def joined_groups(count: int, first: NDArray[Any], second: NDArray[Any]) -> Labels:
    """Group of each of `count` labels (0 included) under given links, shape (count,)."""
    links = sparse.coo_matrix((np.ones(len(first), bool), (first, second)), shape=(count, count))
    _, groups = sparse.csgraph.connected_components(links, directed=False)
    return np.asarray(groups, np.int32)


def label_sizes(labels: Labels) -> NDArray[np.int64]:
    """Voxels of each compact label, index 0 for what is no grain."""
    return np.bincount(labels.ravel()).astype(np.int64)


def centre_distance(labels: Labels, groups: NDArray[np.int32]) -> NDArray[np.float64]:
    """Distance of each group's centroid to the window's centre, in voxels.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
    groups : ndarray of int32, shape (n + 1,)
        Group of each label; that of label 0 is ignored.

    Returns
    -------
    ndarray of float64, shape (groups,)
    """
    volume = np.where(labels > 0, groups[labels] + 1, 0)
    numbers = np.arange(1, int(groups.max(initial=0)) + 2)
    empty = np.bincount(volume.ravel(), minlength=len(numbers) + 1)[1:] == 0
    distance = np.full(len(numbers), np.inf)
    if not empty.all():
        centres = np.array(ndimage.center_of_mass(volume > 0, volume, numbers[~empty]))
        middle = (np.array(labels.shape) - 1) / 2
        distance[~empty] = np.linalg.norm(centres - middle, axis=1)
    return distance
