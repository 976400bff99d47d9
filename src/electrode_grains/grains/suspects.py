"""Which grains a proofreader should look at first, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.ebsd.orientations import laue_group, misorientation_angle
from electrode_grains.ebsd.region_orientations import (
    RegionOrientations,
    as_points,
    region_orientations,
)
from electrode_grains.grains.labelling import Labels, compact_labels, measure_faces
from electrode_grains.morphometry import characterize_grains
from electrode_grains.problems import InputProblem
from electrode_grains.volumes import Spacing

SIZE_DEVIATIONS = 3.0  # of ln volume from its median, in robust standard deviations
LOW_CONVEXITY = 0.7
WEAK_BOUNDARY = 0.7  # mean boundary probability over the faces of a contact
WEAK_FACES = 20  # smaller contacts say little
SECOND_SHARE = 0.1  # of a grain's trusted points that agree on another orientation
SUSPECT_COLUMNS = (
    "rank", "label", "suspicion", "reason", "z", "y", "x", "voxel_count", "size_deviations",
    "convexity", "weakest_boundary", "weakest_neighbour", "second_orientation_share",
    "touches_window",
)  # fmt: skip


def rank_suspects(
    labels: NDArray[Any],
    boundary: NDArray[np.floating],
    spacing: Spacing,
    orientations: NDArray[np.floating] | None = None,
    *,
    laue: str = "-3m",
    misorientation_threshold: float = float(np.radians(5.0)),
) -> pd.DataFrame:
    """Rank the grains that look wrong.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Grains, any ids, 0 is no grain.
    boundary : ndarray of float, shape (z, y, x)
        Probability of a grain boundary.
    spacing : (float, float, float)
        Distance of voxel centres (dz, dy, dx) in nm.
    orientations : ndarray of float, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4), optional
        Quaternions, NaN where unknown; a fifth channel is the confidence index.
    laue : str
        Laue group of the phase.
    misorientation_threshold : float
        Radians, beyond which a point has another orientation than its grain.

    Returns
    -------
    DataFrame
        One row per suspect, the most suspicious first: `rank`, `label`, `suspicion` (each
        criterion over its limit, the greatest), `reason` (all that exceed their limit),
        a voxel `z`, `y`, `x` of the grain that an edit can name, and the criteria:
        `size_deviations` (of ln volume from the median, in robust standard deviations),
        `convexity`, `weakest_boundary` (least mean boundary probability over the faces to
        another grain) and `weakest_neighbour`, `second_orientation_share`. Grains that the
        window cuts are not judged by size and convexity.

    Raises
    ------
    InputProblem
        If shapes do not fit.

    Examples
    --------
    >>> grains = np.repeat([1, 2], 40).reshape(2, 5, 8)
    >>> weak = np.full(grains.shape, 0.1)
    >>> table = rank_suspects(grains, weak, (50, 50, 50))
    >>> table["reason"].tolist()
    ['weak boundary to grain 2', 'weak boundary to grain 1']
    """
    compact, ids = compact_labels(labels)
    if np.shape(boundary) != compact.shape:
        raise InputProblem(
            "labels and boundary probability have different shapes",
            found=f"{compact.shape} and {np.shape(boundary)}",
        )
    if len(ids) == 1:
        return pd.DataFrame({name: [] for name in SUSPECT_COLUMNS})
    table = characterize_grains(compact, spacing).sort_values("label").reset_index(drop=True)
    whole = ~table["touches_window"].to_numpy(bool)
    size = _robust_deviations(np.log(table["voxel_count"].to_numpy(float)), whole)
    convexity = np.where(whole, table["convexity"].to_numpy(float), np.nan)
    weakest, neighbour = _weakest_contacts(compact, boundary)
    second = np.full(len(table), np.nan)
    if orientations is not None:
        second = second_orientation_share(compact, orientations, laue, misorientation_threshold)
    parts = np.column_stack(
        [
            np.abs(size) / SIZE_DEVIATIONS,
            (1 - convexity) / (1 - LOW_CONVEXITY),
            (1 - weakest) / (1 - WEAK_BOUNDARY),
            second / SECOND_SHARE,
        ]
    )
    suspicion = np.nanmax(np.column_stack([parts, np.zeros(len(parts))]), axis=1)
    reasons = [
        _reasons(row, size[i], ids[neighbour[i]]) for i, row in enumerate(np.nan_to_num(parts))
    ]
    found = pd.DataFrame(
        {
            "label": ids[1:],
            "suspicion": suspicion,
            "reason": reasons,
            **dict(zip("zyx", _inner_voxels(compact).T, strict=True)),
            "voxel_count": table["voxel_count"],
            "size_deviations": size,
            "convexity": table["convexity"],
            "weakest_boundary": weakest,
            "weakest_neighbour": ids[neighbour],
            "second_orientation_share": second,
            "touches_window": ~whole,
        }
    )
    found = found.loc[found["suspicion"] > 1].sort_values(
        ["suspicion", "label"], ascending=[False, True]
    )
    found.insert(0, "rank", np.arange(1, len(found) + 1))
    return found[list(SUSPECT_COLUMNS)].reset_index(drop=True)


def _robust_deviations(values: NDArray[np.float64], judged: NDArray[np.bool_]) -> Any:
    if judged.sum() < 3:
        return np.full(len(values), np.nan)
    median = np.median(values[judged])
    spread = 1.4826 * np.median(np.abs(values[judged] - median))
    deviations = (values - median) / spread if spread > 0 else np.zeros(len(values))
    return np.where(judged, deviations, np.nan)


def _weakest_contacts(
    labels: Labels, boundary: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Least mean boundary probability of each grain's contacts, and with whom; NaN, 0 if none."""
    contacts = measure_faces(labels, boundary)
    large = contacts.faces >= WEAK_FACES
    one, other = contacts.first[large], contacts.second[large]
    mean = contacts.total[large] / contacts.faces[large]
    pairs = pd.DataFrame(
        {
            "grain": np.concatenate([one, other]),
            "with": np.concatenate([other, one]),
            "mean": np.concatenate([mean, mean]),
        }
    ).sort_values(["mean", "with"])
    least = pairs.drop_duplicates("grain").set_index("grain")
    grains = np.arange(1, int(labels.max()) + 1)
    return (
        least["mean"].reindex(grains).to_numpy(float),
        least["with"].reindex(grains).fillna(0).to_numpy(np.int32),
    )


def second_orientation_share(
    labels: Labels,
    orientations: NDArray[np.floating],
    laue: str = "-3m",
    misorientation_threshold: float = float(np.radians(5.0)),
) -> NDArray[np.float64]:
    """Share of each grain's trusted points that agree on another orientation than its mean.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Compact labels 1 to n.
    orientations, laue, misorientation_threshold
        See `rank_suspects`.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 where all others disagree among themselves, as wrongly indexed points do.
    """
    points, _ = as_points(orientations, labels.shape, None)
    first = region_orientations(labels, orientations, laue)
    flat = labels.ravel()
    judged = np.flatnonzero((flat > 0) & np.isfinite(points[:, 0]))
    angle = misorientation_angle(points[judged], first.mean[flat[judged]], laue_group(laue))
    rest = np.zeros_like(flat)
    apart = judged[angle >= misorientation_threshold]
    rest[apart] = flat[apart]
    count = len(first.weight)
    second = _padded(region_orientations(rest.reshape(labels.shape), orientations, laue), count)
    total = np.divide(first.weight, first.share, out=np.zeros(count), where=first.share > 0)
    share = np.divide(second, total, out=np.zeros(count), where=total > 0)
    return np.asarray(share[1:], np.float64)


def _padded(found: RegionOrientations, count: int) -> NDArray[np.float64]:
    weight = np.zeros(count)
    weight[: len(found.weight)] = np.where(found.reliable, found.weight, 0)
    return weight


def _reasons(parts: NDArray[np.float64], size: float, neighbour: int) -> str:
    named = (
        "small" if size < 0 else "large",
        "low convexity",
        f"weak boundary to grain {neighbour}",
        "two orientations",
    )
    return ", ".join(name for part, name in zip(parts, named, strict=True) if part > 1)


def _inner_voxels(labels: Labels) -> NDArray[np.int64]:
    """Voxel of each grain that is nearest to its centroid, shape (n, 3)."""
    flat = labels.ravel()
    members = np.flatnonzero(flat)
    grains = flat[members]
    place = np.column_stack(np.unravel_index(members, labels.shape)).astype(float)
    count = int(flat.max()) + 1
    sizes = np.bincount(grains, minlength=count)
    sums = np.column_stack([np.bincount(grains, axis, count) for axis in place.T])
    centres = sums / np.maximum(sizes, 1)[:, None]
    distance = ((place - centres[grains]) ** 2).sum(axis=1)
    order = np.lexsort((members, distance, grains))
    first = order[np.flatnonzero(np.diff(grains[order], prepend=0))]
    return place[first].astype(np.int64)
