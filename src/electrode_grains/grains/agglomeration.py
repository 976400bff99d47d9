"""Join regions of an over-segmentation that belong to one grain."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientations import laue_group, misorientation_angle
from electrode_grains.ebsd.region_orientations import RegionOrientations, region_orientations
from electrode_grains.grains.labelling import (
    Labels,
    checked_labels,
    compact_labels,
    joined_groups,
    measure_faces,
)
from electrode_grains.problems import InputProblem, SettingsProblem

MergeMode = Literal["none", "iq", "orientation", "combined"]
FIVE_DEGREES = float(np.radians(5.0))


@dataclass(frozen=True)
class MergeReport:
    """How regions were joined.

    Attributes
    ----------
    mode : str
    regions, grains : int
        Before and after.
    contacts : int
        Pairs of neighbouring regions before.
    merged_by_boundary, merged_by_orientation : int
        Joins that each criterion decided.
    kept_by_orientation : int
        Contacts of the regions given with a weak boundary, kept apart by orientation.
    regions_without_orientation : int
        Regions whose points do not agree on an orientation; None in mode "iq".
    """

    mode: str
    regions: int
    grains: int
    contacts: int
    merged_by_boundary: int
    merged_by_orientation: int
    kept_by_orientation: int
    regions_without_orientation: int | None


def merge_regions(
    labels: NDArray[Any],
    boundary: NDArray[np.floating],
    orientations: NDArray[np.floating] | None = None,
    *,
    mode: MergeMode = "combined",
    boundary_threshold: float = 0.3,
    misorientation_threshold: float = FIVE_DEGREES,
    laue: str = "-3m",
    weights: NDArray[np.floating] | None = None,
) -> tuple[Labels, MergeReport]:
    """Join neighbouring regions without a boundary between them.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        Regions, any ids; 0 takes no part.
    boundary : ndarray of float, shape (z, y, x)
        Probability of a grain boundary.
    orientations : ndarray of float, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4), optional
        Quaternions, scalar first, NaN where unknown; a fifth channel is the confidence
        index, used as weight where none is given.
    mode : {"none", "iq", "orientation", "combined"}
        "iq": join while the boundary probability, averaged over the faces of a contact,
        is below `boundary_threshold`. "orientation": join while the misorientation of mean
        orientations is below `misorientation_threshold`. "combined": decide by
        orientation where both regions have a reliable one, by boundary elsewhere.
    boundary_threshold : float
        In [0, 1].
    misorientation_threshold : float
        Radians.
    laue : str
        Laue group of the phase.
    weights : ndarray of float, shape (z, y, x), optional
        Trust in each orientation, such as the confidence index.

    Returns
    -------
    merged : ndarray of int32, shape (z, y, x)
        Labels from 1 in the order of the first voxel.
    report : MergeReport

    Raises
    ------
    InputProblem
        If shapes do not fit or a boundary probability is not finite.
    SettingsProblem
        If a threshold is out of range, the mode is unknown, or it needs orientations and
        there are none.

    Notes
    -----
    Average linkage: of all contacts that may be joined the weakest is joined first
    (smallest ratio to its threshold), and the contacts of the united region are averaged
    anew, over faces and over the weight of orientations. So a chain of small
    misorientations ends where its mean departs. A face counts the greater boundary
    probability of its two voxels. Ties are broken by the order of labels in memory.

    Examples
    --------
    >>> regions = np.array([[[5, 5, 8, 8, 9, 9]]])
    >>> boundary = np.array([[[0, 0.1, 0.1, 0.9, 0.9, 0]]])
    >>> merged, report = merge_regions(regions, boundary, mode="iq")
    >>> merged.tolist(), report.merged_by_boundary
    ([[[1, 1, 1, 1, 2, 2]]], 1)
    """
    array = checked_labels(labels)
    _check_evidence(array, boundary, orientations, mode)
    _check_thresholds(boundary_threshold, misorientation_threshold)
    compact, ids = compact_labels(array)
    known = None
    if orientations is not None and mode in ("orientation", "combined"):
        known = region_orientations(compact, orientations, laue, weights)
    linkage = _Linkage(
        compact, boundary, known, mode, boundary_threshold, misorientation_threshold, laue
    )
    contacts = linkage.contact_count
    kept = linkage.kept_by_orientation()
    if mode != "none":
        linkage.run()
    merged, remaining = compact_labels(linkage.groups()[compact])
    report = MergeReport(
        mode=mode,
        regions=len(ids) - 1,
        grains=len(remaining) - 1,
        contacts=contacts,
        merged_by_boundary=linkage.decided["boundary"],
        merged_by_orientation=linkage.decided["orientation"],
        kept_by_orientation=kept,
        regions_without_orientation=None if known is None else int((~known.reliable[1:]).sum()),
    )
    return merged, report


def _check_evidence(
    labels: NDArray[Any],
    boundary: NDArray[np.floating],
    orientations: NDArray[np.floating] | None,
    mode: str,
) -> None:
    if mode not in get_args(MergeMode):
        raise SettingsProblem(
            "unknown mode of merging", found=repr(mode), expected=", ".join(get_args(MergeMode))
        )
    if mode in ("orientation", "combined") and orientations is None:
        raise SettingsProblem(
            f"merging in mode {mode!r} needs orientations, and there are none",
            remedy='give orientations, or choose mode "iq" or "none"',
        )
    if np.shape(boundary) != labels.shape:
        raise InputProblem(
            "labels and boundary probability have different shapes",
            found=f"{labels.shape} and {np.shape(boundary)}",
        )
    if not np.isfinite(boundary).all():
        raise InputProblem(
            "the boundary probability is not finite everywhere",
            found=f"{int((~np.isfinite(boundary)).sum())} voxels that are not",
        )


def _check_thresholds(boundary_threshold: float, misorientation_threshold: float) -> None:
    if not 0 <= boundary_threshold <= 1:
        raise SettingsProblem(
            "the boundary threshold is out of range",
            found=str(boundary_threshold),
            expected="in [0, 1]",
        )
    if not 0 <= misorientation_threshold <= np.pi:
        raise SettingsProblem(
            "the misorientation threshold is out of range",
            found=str(misorientation_threshold),
            expected="radians, in [0, pi]",
        )


class _Linkage:
    """Average linkage on the adjacency graph of regions."""

    def __init__(
        self,
        labels: Labels,
        boundary: NDArray[np.floating],
        known: RegionOrientations | None,
        mode: MergeMode,
        boundary_threshold: float,
        misorientation_threshold: float,
        laue: str,
    ) -> None:
        contacts = measure_faces(labels, boundary)
        count = int(labels.max(initial=0)) + 1
        self.mode, self.group = mode, laue_group(laue)
        self.boundary_threshold = boundary_threshold
        self.misorientation_threshold = misorientation_threshold
        self.reliable = np.zeros(count, bool) if known is None else known.reliable
        self.mean = np.full((count, 4), np.nan) if known is None else known.mean.copy()
        self.weight = np.zeros(count) if known is None else known.weight.copy()
        self.first, self.second = contacts.first, contacts.second
        self.contact_count = len(contacts.first)
        angle = misorientation_angle(self.mean[self.first], self.mean[self.second], self.group)
        self.angle = angle.tolist()
        self.touching: list[dict[int, list[float]]] = [{} for _ in range(count)]
        rows = zip(
            self.first.tolist(), self.second.tolist(), contacts.faces.tolist(),
            contacts.total.tolist(), self.angle, strict=True,
        )  # fmt: skip
        for a, b, faces, total, apart in rows:
            self.touching[a][b] = self.touching[b][a] = [faces, total, apart]
        self.version = [0] * count
        self.alive = [True] * count
        self.joined: list[tuple[int, int]] = []
        self.decided = {"boundary": 0, "orientation": 0}

    def kept_by_orientation(self) -> int:
        """Contacts that boundary would join and orientation does not."""
        if self.mode != "combined":
            return 0
        pairs = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return sum(
            self.touching[a][b][1] < self.boundary_threshold * self.touching[a][b][0]
            and self._criterion(a, b) == "orientation"
            and self.touching[a][b][2] >= self.misorientation_threshold
            for a, b in pairs
        )

    def _criterion(self, a: int, b: int) -> str:
        if self.mode == "iq":
            return "boundary"
        both = bool(self.reliable[a] and self.reliable[b])
        if self.mode == "orientation":
            return "orientation" if both else "none"
        return "orientation" if both else "boundary"

    def _strength(self, a: int, b: int) -> tuple[float, str]:
        """Evidence for a boundary over its threshold, 1 where they are equal."""
        criterion = self._criterion(a, b)
        faces, total, angle = self.touching[a][b]
        if criterion == "boundary":
            found, limit = total / faces, self.boundary_threshold
        elif criterion == "orientation":
            found, limit = angle, self.misorientation_threshold
        else:
            return np.inf, criterion
        if limit <= 0:
            return np.inf, criterion
        return found / limit, criterion

    def run(self) -> None:
        """Join the weakest contact until all that remain are strong enough."""
        heap: list[tuple[float, int, int, int, int, str]] = []

        def offer(a: int, b: int) -> None:
            a, b = min(a, b), max(a, b)
            strength, criterion = self._strength(a, b)
            if strength < 1:
                heapq.heappush(heap, (strength, a, b, self.version[a], self.version[b], criterion))

        for a, b in zip(self.first.tolist(), self.second.tolist(), strict=True):
            offer(a, b)
        while heap:
            _, a, b, version_a, version_b, criterion = heapq.heappop(heap)
            if not (self.alive[a] and self.alive[b]):
                continue
            if (self.version[a], self.version[b]) != (version_a, version_b):
                continue
            self.decided[criterion] += 1
            self._join(a, b)
            for other in self.touching[a]:
                offer(a, other)

    def _join(self, a: int, b: int) -> None:
        """Unite region b with a."""
        self.joined.append((a, b))
        self.alive[b] = False
        self.version[a] += 1
        self._average(a, b)
        del self.touching[a][b]
        for other, (faces, total, _) in self.touching[b].items():
            if other == a:
                continue
            del self.touching[other][b]
            before = self.touching[a].get(other, [0.0, 0.0, 0.0])
            merged = [before[0] + faces, before[1] + total, 0.0]
            self.touching[a][other] = self.touching[other][a] = merged
        self.touching[b] = {}
        near = list(self.touching[a])
        if near and self.mode != "iq":
            angles = misorientation_angle(self.mean[a], self.mean[near], self.group)
            for other, angle in zip(near, angles.tolist(), strict=True):
                self.touching[a][other][2] = angle

    def _average(self, a: int, b: int) -> None:
        """Weighted mean of two orientations, the second by its equivalent nearest to the first."""
        if not self.reliable[b]:
            return
        if not self.reliable[a]:
            self.mean[a], self.weight[a] = self.mean[b], self.weight[b]
            self.reliable[a] = True
            return
        equivalent = _equivalents(self.mean[b], self.group)
        overlap = equivalent @ self.mean[a]
        best = int(np.abs(overlap).argmax())
        mean = self.weight[a] * self.mean[a]
        mean += self.weight[b] * np.copysign(1.0, overlap[best]) * equivalent[best]
        self.mean[a] = mean / np.linalg.norm(mean)
        self.weight[a] += self.weight[b]

    def groups(self) -> Labels:
        """Label of the united region of each region."""
        count = len(self.alive)
        pairs = np.array(self.joined, np.int64).reshape(-1, 2)
        groups = joined_groups(count, pairs[:, 0], pairs[:, 1])
        united = groups + 1
        united[groups == groups[0]] = 0
        return united


def _equivalents(
    quaternion: NDArray[np.float64], group: NDArray[np.float64]
) -> NDArray[np.float64]:
    """All S q of one quaternion, shape (n, 4)."""
    w, x, y, z = quaternion
    columns = np.array([[w, -x, -y, -z], [x, w, z, -y], [y, -z, w, x], [z, y, -x, w]])
    products: NDArray[np.float64] = group @ columns.T
    return products
