"""Which grains a proofreader should look at first, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.ebsd.orientation_field import OrientationField, as_orientation_field
from electrode_grains.ebsd.orientations import misorientation_angle
from electrode_grains.ebsd.region_means import RegionOrientations
from electrode_grains.errors import InputError
from electrode_grains.grains.labelling import Contacts, Labels, compact_labels, measure_faces
from electrode_grains.grains.settings import SegmentationSettings
from electrode_grains.morphometry import characterize_grains
from electrode_grains.volumes import Spacing

DEFAULTS = SegmentationSettings()
SIZE_DEVIATIONS = 3.0  # of ln volume from its median, in robust standard deviations
WEAK_SURROUNDINGS = 0.15  # one minus the mean boundary probability over the faces of a grain
NEIGHBOUR_SHARE = 0.6  # of the median number of neighbours
SAME_DEGREES = 3.0  # misorientation to a neighbour at which the suspicion has fallen to 1 / e
DISAGREEING_SHARE = 0.2  # of a grain's trusted points that do not agree on its orientation
WEAK_FACES = 20  # smaller contacts say little of the weakest boundary
SECOND_SHARE = 0.1  # of a grain's trusted points that agree on another orientation
LOW_CONVEXITY = 0.7
LARGEST_PART = 2.0  # of any criterion, so that none dominates
MENTION_THRESHOLD = 0.5
UNNAMED = "a little of several"
SUSPECT_COLUMNS = (
    "rank", "label", "suspicion", "reason", "z", "y", "x", "voxel_count", "size_deviations",
    "convexity", "surrounding_boundary", "neighbour_count", "nearest_misorientation_degrees",
    "disagreeing_share", "second_orientation_share", "weakest_boundary", "weakest_neighbour",
    "touches_window",
)  # fmt: skip


def rank_suspects(
    labels: NDArray[Any],
    boundary: NDArray[np.floating],
    spacing: Spacing,
    orientations: OrientationField | NDArray[np.floating] | None = None,
    *,
    settings: SegmentationSettings = DEFAULTS,
    least_suspicion: float = 1.0,
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
    settings : SegmentationSettings
        `laue_group`; `merge_misorientation_degrees`, beyond which a point has another
        orientation than its grain.
    least_suspicion : float
        Grains of no greater suspicion are left out.

    Returns
    -------
    DataFrame
        One row per suspect, the most suspicious first: `rank`, `label`, `suspicion`,
        `reason` (the criteria that count for a half or more), a voxel `z`, `y`, `x` of the
        grain that an edit can name, and what the criteria are made of. NaN where unknown.

    Raises
    ------
    InputError
        If shapes do not fit.

    Notes
    -----
    The suspicion is the sum of these, each at least 0 and at most 2:

    - small: deviation of ln volume below the median, over 3 robust standard deviations;
    - weak boundaries: one less the mean boundary probability over all faces to other
      grains, over 0.15;
    - few neighbours: one less their number over 0.6 of the median number;
    - a neighbour of the same orientation: exp(-misorientation / 3 degrees);
    - no common orientation: share of points off the mean orientation, over 0.2;
    - large, two orientations, low convexity: how far 3 deviations, a share of 0.1 for the
      second orientation, and 1 - 0.7 are exceeded, in their units.

    The first five find the pieces and specks that most wrong grains are, the last three the
    rarer unions. Size and convexity do not count for grains that the window cuts.

    Examples
    --------
    >>> grains = np.repeat([1, 2], 40).reshape(2, 5, 8)
    >>> weak = np.full(grains.shape, 0.1)
    >>> table = rank_suspects(grains, weak, (50, 50, 50))
    >>> table["reason"].tolist()
    ['weak boundaries', 'weak boundaries']
    """
    compact, ids = compact_labels(labels)
    if np.shape(boundary) != compact.shape:
        raise InputError(
            "labels and boundary probability have different shapes",
            found=f"{compact.shape} and {np.shape(boundary)}",
        )
    if len(ids) == 1:
        return pd.DataFrame({name: [] for name in SUSPECT_COLUMNS})
    table = characterize_grains(compact, spacing).sort_values("label").reset_index(drop=True)
    whole = ~table["touches_window"].to_numpy(bool)
    grains = pd.DataFrame(
        {
            "label": ids[1:],
            **dict(zip("zyx", _inner_voxels(compact).T, strict=True)),
            "voxel_count": table["voxel_count"],
            "size_deviations": _robust_deviations(np.log(table["voxel_count"]), whole),
            "convexity": table["convexity"],
            **_surroundings(compact, boundary, ids),
            **_orientation_warnings(compact, orientations, settings),
            "touches_window": ~whole,
        }
    )
    parts = _parts(grains)
    grains["suspicion"] = parts.sum(axis=1)
    grains["reason"] = [
        ", ".join(parts.columns[row >= MENTION_THRESHOLD]) or UNNAMED for row in parts.to_numpy()
    ]
    suspects = grains.loc[grains["suspicion"] > least_suspicion].sort_values(
        ["suspicion", "label"], ascending=[False, True]
    )
    suspects.insert(0, "rank", np.arange(1, len(suspects) + 1))
    return suspects[list(SUSPECT_COLUMNS)].reset_index(drop=True)


def _parts(grains: pd.DataFrame) -> pd.DataFrame:
    """What each criterion adds to the suspicion, 0 where unknown."""
    deviations = grains["size_deviations"] / SIZE_DEVIATIONS
    typical = NEIGHBOUR_SHARE * grains["neighbour_count"].median() or np.nan
    convexity = grains["convexity"].mask(grains["touches_window"])
    parts = {
        "small": -deviations,
        "weak boundaries": (1 - grains["surrounding_boundary"]) / WEAK_SURROUNDINGS,
        "few neighbours": 1 - grains["neighbour_count"] / typical,
        "orientation of a neighbour": np.exp(
            -grains["nearest_misorientation_degrees"] / SAME_DEGREES
        ),
        "no common orientation": grains["disagreeing_share"] / DISAGREEING_SHARE,
        "large": deviations - 1,
        "two orientations": grains["second_orientation_share"] / SECOND_SHARE - 1,
        "low convexity": (1 - convexity) / (1 - LOW_CONVEXITY) - 1,
    }
    return pd.DataFrame(parts).fillna(0.0).clip(0.0, LARGEST_PART)


def _surroundings(
    labels: Labels, boundary: NDArray[np.floating], ids: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """What lies along the faces of each grain to other grains."""
    contacts = measure_faces(labels, boundary)
    count = int(labels.max()) + 1
    sides = np.concatenate([contacts.first, contacts.second])
    faces = np.bincount(sides, np.tile(contacts.faces, 2), count)
    total = np.bincount(sides, np.tile(contacts.total, 2), count)
    weakest, neighbour = _weakest_contacts(contacts, count)
    return {
        "surrounding_boundary": np.divide(
            total, faces, out=np.full(count, np.nan), where=faces > 0
        )[1:],
        "neighbour_count": np.bincount(sides, minlength=count)[1:],
        "weakest_boundary": weakest,
        "weakest_neighbour": ids[neighbour],
    }


def _orientation_warnings(
    labels: Labels,
    orientations: OrientationField | NDArray[np.floating] | None,
    settings: SegmentationSettings,
) -> dict[str, NDArray[np.float64]]:
    """What the orientations say against each grain; NaN without any."""
    count = int(labels.max()) + 1
    unknown = np.full(count - 1, np.nan)
    if orientations is None:
        names = ("nearest_misorientation_degrees", "disagreeing_share", "second_orientation_share")
        return dict.fromkeys(names, unknown)
    field = as_orientation_field(orientations, settings.laue_group, labels.shape)
    known = field.means(labels)
    mean = np.where(known.reliable[:, None], known.mean, np.nan)
    contacts = measure_faces(labels)
    angle = misorientation_angle(mean[contacts.first], mean[contacts.second], field.symmetry)
    nearest = np.full(count, np.nan)
    for side in (contacts.first, contacts.second):
        np.fmin.at(nearest, side, np.degrees(angle))
    return {
        "nearest_misorientation_degrees": nearest[1:],
        "disagreeing_share": 1 - np.asarray(known.share[1:], np.float64),
        "second_orientation_share": second_orientation_share(labels, field, settings=settings),
    }


def _robust_deviations(values: pd.Series[float], judged: NDArray[np.bool_]) -> NDArray[np.float64]:
    if judged.sum() < 3:
        return np.full(len(values), np.nan)
    median = np.median(values[judged])
    spread = 1.4826 * np.median(np.abs(values[judged] - median))
    deviations = (values - median) / spread if spread > 0 else np.zeros(len(values))
    return np.where(judged, deviations, np.nan)


def _weakest_contacts(
    contacts: Contacts, count: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Least mean boundary probability of each grain's contacts, and with whom; NaN, 0 if none."""
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
    grains = np.arange(1, count)
    return (
        least["mean"].reindex(grains).to_numpy(float),
        least["with"].reindex(grains).fillna(0).to_numpy(np.int32),
    )


def second_orientation_share(
    labels: Labels,
    orientations: OrientationField | NDArray[np.floating],
    *,
    settings: SegmentationSettings = DEFAULTS,
) -> NDArray[np.float64]:
    """Share of each grain's trusted points that agree on another orientation than its mean.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Compact labels 1 to n.
    orientations, settings
        See `rank_suspects`.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 where all others disagree among themselves, as wrongly indexed points do.
    """
    field = as_orientation_field(orientations, settings.laue_group, labels.shape)
    points, first = field.points()[0], field.means(labels)
    flat = labels.ravel()
    judged = np.flatnonzero((flat > 0) & np.isfinite(points[:, 0]))
    angle = misorientation_angle(points[judged], first.mean[flat[judged]], field.symmetry)
    rest = np.zeros_like(flat)
    apart = judged[angle >= settings.misorientation]
    rest[apart] = flat[apart]
    count = len(first.weight)
    second = _padded(field.means(rest.reshape(labels.shape)), count)
    total = np.divide(first.weight, first.share, out=np.zeros(count), where=first.share > 0)
    share = np.divide(second, total, out=np.zeros(count), where=total > 0)
    return np.asarray(share[1:], np.float64)


def _padded(found: RegionOrientations, count: int) -> NDArray[np.float64]:
    weight = np.zeros(count)
    weight[: len(found.weight)] = np.where(found.reliable, found.weight, 0)
    return weight


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
