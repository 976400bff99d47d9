"""Join regions of an over-segmentation that belong to one grain."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientations import laue_group, misorientation_angle
from electrode_grains.ebsd.region_orientations import RegionOrientations, region_orientations
from electrode_grains.errors import InputError, SettingsError
from electrode_grains.grains.labelling import (
    Labels,
    checked_labels,
    compact_labels,
    joined_groups,
    label_sizes,
    measure_faces,
)

MergeMode = Literal["none", "iq", "orientation", "combined"]
FIVE_DEGREES = float(np.radians(5.0))


@dataclass(frozen=True)
class BoundaryEvidence:
    r"""How the boundary probabilities along a contact become one number.

    Attributes
    ----------
    quantile : float, optional
        In (0, 1]: lower quantile of the probability over the faces of a contact; the mean
        where None.
    size_weight, reference_voxels : float
        A contact whose smaller region has a tenth of `reference_voxels` counts for less by
        `size_weight`: most basins that small are pieces of a grain.
    slice_weight : float
        A contact between slices counts for more than one within slices, since interfaces
        parallel to the slices are never drawn, and a network taught by slices hardly sees
        them.

    Notes
    -----
    With quantile :math:`q`, smaller region of :math:`v` voxels, and a share :math:`z` of
    faces between slices, the evidence is

    .. math:: q + w_v \log_{10}(v / v_0) + w_z (z - 1/3).

    A quantile finds the gap in a boundary that a mean hides.

    Examples
    --------
    >>> grains = np.array([[[1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2]]])
    >>> half = np.ones(grains.shape)
    >>> half[0, :2] = 0
    >>> [merge_regions(grains, half, mode="iq", evidence=BoundaryEvidence(quantile))[1].grains
    ...  for quantile in (None, 0.25)]
    [2, 1]
    """

    quantile: float | None = None
    size_weight: float = 0.0
    reference_voxels: float = 300.0
    slice_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.quantile is not None and not 0 < self.quantile <= 1:
            raise SettingsError(
                "the quantile of a boundary is out of range",
                found=str(self.quantile),
                expected="in (0, 1], or None for the mean",
            )
        if not self.reference_voxels > 0:
            raise SettingsError(
                "the reference size is not positive", found=f"{self.reference_voxels} voxels"
            )


MEAN_EVIDENCE = BoundaryEvidence()


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

    def followed_by(self, later: MergeReport) -> MergeReport:
        """Of both together, where the later one began with the grains of this one."""
        return replace(
            self,
            grains=later.grains,
            merged_by_boundary=self.merged_by_boundary + later.merged_by_boundary,
            merged_by_orientation=self.merged_by_orientation + later.merged_by_orientation,
        )


def merge_regions(
    labels: NDArray[Any],
    boundary: NDArray[np.floating],
    orientations: NDArray[np.floating] | None = None,
    *,
    mode: MergeMode = "combined",
    boundary_threshold: float = 0.3,
    evidence: BoundaryEvidence = MEAN_EVIDENCE,
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
        "iq": join while the evidence for a boundary along a contact is below
        `boundary_threshold`. "orientation": join while the misorientation of mean
        orientations is below `misorientation_threshold`. "combined": decide by
        orientation where both regions have a reliable one, by boundary elsewhere.
    boundary_threshold : float
        In [0, 1].
    evidence : BoundaryEvidence
        What is compared with it; by default the mean boundary probability over the faces
        of a contact.
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
    InputError
        If shapes do not fit or a boundary probability is not finite.
    SettingsError
        If a threshold is out of range, the mode is unknown, or it needs orientations and
        there are none.

    Notes
    -----
    Average linkage: of all contacts that may be joined the weakest is joined first
    (smallest ratio to its threshold), and the contacts of the united region are judged
    anew, over all their faces and by the weighted mean of orientations. So a chain of small
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
        compact, boundary, known, mode, boundary_threshold, evidence, misorientation_threshold, laue
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
        raise SettingsError(
            "unknown mode of merging", found=repr(mode), expected=", ".join(get_args(MergeMode))
        )
    if mode in ("orientation", "combined") and orientations is None:
        raise SettingsError(
            f"merging in mode {mode!r} needs orientations, and there are none",
            remedy='give orientations, or choose mode "iq" or "none"',
        )
    if np.shape(boundary) != labels.shape:
        raise InputError(
            "labels and boundary probability have different shapes",
            found=f"{labels.shape} and {np.shape(boundary)}",
        )
    if not np.isfinite(boundary).all():
        raise InputError(
            "the boundary probability is not finite everywhere",
            found=f"{int((~np.isfinite(boundary)).sum())} voxels that are not",
        )


def _check_thresholds(boundary_threshold: float, misorientation_threshold: float) -> None:
    if not 0 <= boundary_threshold <= 1:
        raise SettingsError(
            "the boundary threshold is out of range",
            found=str(boundary_threshold),
            expected="in [0, 1]",
        )
    if not 0 <= misorientation_threshold <= np.pi:
        raise SettingsError(
            "the misorientation threshold is out of range",
            found=str(misorientation_threshold),
            expected="radians, in [0, pi]",
        )


@dataclass
class _Contact:
    """What is known of a contact; all but the angle adds up where contacts unite."""

    faces: int
    between_slices: int
    total: float
    levels: NDArray[np.int64]
    angle: float

    def united_with(self, other: _Contact | None) -> _Contact:
        if other is None:
            return self
        return _Contact(
            self.faces + other.faces,
            self.between_slices + other.between_slices,
            self.total + other.total,
            self.levels + other.levels,
            np.nan,
        )

    def quantile(self, share: float) -> float:
        """Linear within the bins."""
        wanted = share * self.faces
        summed = np.cumsum(self.levels)
        level = int(np.searchsorted(summed, wanted))
        inside = (wanted - summed[level]) / self.levels[level] + 1
        return float((level + inside) / len(summed))


class _Linkage:
    """Average linkage on the adjacency graph of regions."""

    def __init__(
        self,
        labels: Labels,
        boundary: NDArray[np.floating],
        known: RegionOrientations | None,
        mode: MergeMode,
        boundary_threshold: float,
        evidence: BoundaryEvidence,
        misorientation_threshold: float,
        laue: str,
    ) -> None:
        contacts = measure_faces(labels, boundary)
        count = int(labels.max(initial=0)) + 1
        self.mode, self.group = mode, laue_group(laue)
        self.boundary_threshold, self.evidence = boundary_threshold, evidence
        self.size = np.pad(label_sizes(labels), (0, count))[:count].tolist()
        self.misorientation_threshold = misorientation_threshold
        self.reliable = np.zeros(count, bool) if known is None else known.reliable
        self.mean = np.full((count, 4), np.nan) if known is None else known.mean.copy()
        self.weight = np.zeros(count) if known is None else known.weight.copy()
        self.first, self.second = contacts.first, contacts.second
        self.contact_count = len(contacts.first)
        angle = misorientation_angle(self.mean[self.first], self.mean[self.second], self.group)
        self.touching: list[dict[int, _Contact]] = [{} for _ in range(count)]
        rows = zip(
            self.first.tolist(), self.second.tolist(), contacts.faces.tolist(),
            contacts.between_slices.tolist(), contacts.total.tolist(),
            contacts.levels.astype(np.int64), angle.tolist(), strict=True,
        )  # fmt: skip
        for a, b, *known_of in rows:
            self.touching[a][b] = self.touching[b][a] = _Contact(*known_of)
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
            self._criterion(a, b) == "orientation"
            and self.touching[a][b].angle >= self.misorientation_threshold
            and self._boundary(a, b) < self.boundary_threshold
            for a, b in pairs
        )

    def _criterion(self, a: int, b: int) -> str:
        if self.mode == "iq":
            return "boundary"
        both = bool(self.reliable[a] and self.reliable[b])
        if self.mode == "orientation":
            return "orientation" if both else "none"
        return "orientation" if both else "boundary"

    def _boundary(self, a: int, b: int) -> float:
        """Evidence for a boundary between two regions."""
        contact, rule = self.touching[a][b], self.evidence
        if rule.quantile is None:
            found = contact.total / contact.faces
        else:
            found = contact.quantile(rule.quantile)
        smaller = min(self.size[a], self.size[b])
        found += rule.size_weight * math.log10(smaller / rule.reference_voxels)
        return found + rule.slice_weight * (contact.between_slices / contact.faces - 1 / 3)

    def _strength(self, a: int, b: int) -> tuple[float, str]:
        """Evidence for a boundary over its threshold, 1 where they are equal."""
        criterion = self._criterion(a, b)
        if criterion == "boundary":
            found, limit = self._boundary(a, b), self.boundary_threshold
        elif criterion == "orientation":
            found, limit = self.touching[a][b].angle, self.misorientation_threshold
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
        self.size[a] += self.size[b]
        self._average(a, b)
        del self.touching[a][b]
        for other, contact in self.touching[b].items():
            if other == a:
                continue
            del self.touching[other][b]
            united = contact.united_with(self.touching[a].get(other))
            self.touching[a][other] = self.touching[other][a] = united
        self.touching[b] = {}
        near = list(self.touching[a])
        if near and self.mode != "iq":
            angles = misorientation_angle(self.mean[a], self.mean[near], self.group)
            for other, angle in zip(near, angles.tolist(), strict=True):
                self.touching[a][other].angle = angle

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
