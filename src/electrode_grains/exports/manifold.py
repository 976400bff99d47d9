"""Surfaces of grains that touch themselves, as closed manifolds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

DRAWN_IN = 0.01  # share of the way to its neighbours by which a divided vertex moves


def divided(
    vertices: NDArray[np.float64], faces: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Divide the edges and vertices at which a closed surface touches itself.

    Parameters
    ----------
    vertices : ndarray of float64, shape (n, 3)
    faces : ndarray of int32, shape (m, 3)
        A closed surface whose normals point outwards.

    Returns
    -------
    vertices : ndarray of float64, shape (k, 3)
    faces : ndarray of int32, shape (l, 3)
        Every edge has two faces, every vertex one fan of them.

    Notes
    -----
    One rule: a body hangs together where its voxels share a face. Of the faces at an edge those
    are neighbours that bound one wedge of the body. Copies of a divided vertex move by a
    hundredth of the way to their neighbours, into the body, so that programs that join equal
    points leave them apart. Where two wedges at an edge hang together at both of its ends, no
    vertex is divided: one of them gets a vertex in the middle of the edge.
    """
    begins, ends = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    count = len(vertices)
    forward = begins < ends
    keys = np.where(forward, begins, ends).astype(np.int64) * count + np.maximum(begins, ends)
    order = np.argsort(2 * keys + forward, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    sizes = np.diff(starts, append=len(keys))
    plain = starts[sizes == 2]
    one, two = order[plain], order[plain + 1]
    pairs = [np.column_stack([one, two])]
    for start, size in zip(starts[sizes > 2], sizes[sizes > 2], strict=True):
        pairs.append(_wedges(vertices, faces, order[start : start + size], forward))
    sides = np.concatenate(pairs)
    # Side s of face s // 3 begins at its corner s and ends at the next one; neighbours run it in
    # opposite directions.
    after = sides - sides % 3 + (sides + 1) % 3
    joined = np.concatenate([
        np.column_stack([sides[:, 0], after[:, 1]]), np.column_stack([after[:, 0], sides[:, 1]])
    ])  # fmt: skip
    size = faces.size
    graph = coo_array((np.ones(len(joined), bool), joined.T), shape=(size, size))
    fans, fan_of_corner = connected_components(graph, directed=False)
    original = np.empty(fans, np.int64)
    original[fan_of_corner] = begins
    places = vertices[original]
    several = np.bincount(original, minlength=count)[original] > 1
    corners = np.flatnonzero(several[fan_of_corner])
    own_fans, neighbours = fan_of_corner[corners], vertices[ends[corners]]
    sums = np.column_stack([np.bincount(own_fans, each, fans) for each in neighbours.T])
    number = np.maximum(np.bincount(own_fans, minlength=fans), 1)
    drawn = DRAWN_IN * (sums / number[:, None] - places)
    places += np.where(several[:, None], drawn, 0.0)
    own = fan_of_corner.reshape(-1, 3).astype(np.int32)
    one, two = fan_of_corner[sides[:, 0]], fan_of_corner[after[:, 0]]
    keys = np.minimum(one, two).astype(np.int64) * fans + np.maximum(one, two)
    _, first = np.unique(keys, return_index=True)
    doubled = np.delete(sides, first, axis=0)
    if not len(doubled):
        return places, own
    return divided(*_with_middles(places, own, doubled))


def _with_middles(
    vertices: NDArray[np.float64], faces: NDArray[np.int32], pairs: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Cut pairs of faces through the middle of their common side; a face only once."""
    new_vertices, new_faces = list(vertices), faces.tolist()
    cut: set[int] = set()
    for pair in pairs.tolist():
        if cut & {side // 3 for side in pair}:
            continue
        middle, apex = len(new_vertices), np.zeros(3)
        for side in pair:
            face, at = divmod(side, 3)
            one, two, three = (int(faces[face, (at + k) % 3]) for k in range(3))
            new_faces[face] = [one, middle, three]
            new_faces.append([middle, two, three])
            apex += vertices[three] / 2
            cut.add(face)
        half = (vertices[one] + vertices[two]) / 2
        new_vertices.append(half + DRAWN_IN * (apex - half))
    return np.array(new_vertices), np.array(new_faces, np.int32)


def _wedges(
    vertices: NDArray[np.float64],
    faces: NDArray[np.int32],
    sides: NDArray[np.int64],
    forward: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Pair the faces at one edge so that each pair bounds a wedge of the body."""
    first = faces.ravel()[sides]
    last = faces.ravel()[sides - sides % 3 + (sides + 1) % 3]
    apex = vertices[faces.ravel()[sides - sides % 3 + (sides + 2) % 3]]
    begin, end = (first[0], last[0]) if forward[sides[0]] else (last[0], first[0])
    along = (vertices[end] - vertices[begin]) / np.linalg.norm(vertices[end] - vertices[begin])
    towards = apex - vertices[begin]
    across = towards[0] - along * (towards[0] @ along)
    angles = np.arctan2(towards @ np.cross(along, across) / np.linalg.norm(across),
                        towards @ across / np.linalg.norm(across))  # fmt: skip
    ring = np.argsort(angles)
    # The body lies below the angle of a face that runs the edge forward.
    return np.array([
        [sides[ring[at]], sides[ring[at - 1]]]
        for at in range(len(ring)) if forward[sides[ring[at]]]
    ])  # fmt: skip
