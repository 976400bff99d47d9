"""Average linkage of regions on the graph of their contacts."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.orientations import misorientation_angle
from electrode_grains.ebsd.region_means import RegionOrientations
from electrode_grains.grains.contact_evidence import (
    contact_features,
    embedded_contact_model,
    quantile_of,
)
from electrode_grains.grains.labelling import (
    Contacts,
    Labels,
    facing_forward,
    joined_groups,
    label_sizes,
    measure_faces,
    summable,
)
from electrode_grains.grains.settings import SegmentationSettings

Criterion = Literal["boundary", "orientation", "none"]
# Of the misorientation threshold; beyond it steps from point to point are equal.
STEP_RANGE = 2.0
STEP_LEVELS = 40
BENDING = 2.0  # times the threshold: means farther apart are two grains, whatever the steps
LEAST_STEPS = 4  # faces; the median of fewer says little


@dataclass
class Contact:
    """What is known of a contact; all but the angle adds up where contacts unite."""

    faces: int
    between_slices: int
    total: float
    levels: NDArray[np.int64]
    steps: NDArray[np.int64]
    angle: float

    def united_with(self, other: Contact | None) -> Contact:
        """Both as one contact, whose angle is not known yet."""
        if other is None:
            return self
        return Contact(
            self.faces + other.faces,
            self.between_slices + other.between_slices,
            self.total + other.total,
            self.levels + other.levels,
            self.steps + other.steps,
            np.nan,
        )


@dataclass(frozen=True)
class RegionGraph:
    """Regions and their contacts.

    Attributes
    ----------
    sizes : ndarray of int64, shape (n + 1,)
        Voxels of each region; 0 is none.
    contacts : Contacts
    boundary_sums : ndarray of float64, shape (n + 1,)
        Boundary probability of each region, summed over its voxels.
    known : RegionOrientations, optional
        Mean orientations; None where orientations take no part.
    symmetry : ndarray, shape (m, 4)
        Rotations of the crystal.
    steps : ndarray of int64, shape (contacts, STEP_LEVELS), optional
        See `measure_steps`.
    """

    sizes: NDArray[np.int64]
    contacts: Contacts
    boundary_sums: NDArray[np.float64]
    known: RegionOrientations | None = None
    symmetry: NDArray[np.float64] = field(default_factory=lambda: np.eye(4)[:1])
    steps: NDArray[np.int64] | None = None

    @classmethod
    def of_labels(
        cls,
        labels: Labels,
        boundary: NDArray[np.floating],
        orientations: OrientationField | None,
        settings: SegmentationSettings,
    ) -> RegionGraph:
        """Measure a volume of compact labels."""
        contacts = measure_faces(labels, boundary)
        count = int(labels.max(initial=0)) + 1
        sizes = np.pad(label_sizes(labels), (0, count))[:count]
        values = summable(boundary).ravel()
        sums = np.bincount(labels.ravel(), values, count).astype(np.float64)
        if orientations is None:
            return cls(sizes, contacts, sums)
        top = STEP_RANGE * settings.misorientation
        return cls(
            sizes,
            contacts,
            sums,
            orientations.means(labels),
            orientations.symmetry,
            measure_steps(labels, contacts, orientations, top),
        )


class Linkage:
    """Average linkage on the adjacency graph of regions."""

    def __init__(self, graph: RegionGraph, settings: SegmentationSettings) -> None:
        contacts, known, count = graph.contacts, graph.known, len(graph.sizes)
        self.settings, self.mode = settings, settings.merge_mode
        self.boundary_threshold = (
            settings.number("merge_boundary") if self.mode in ("iq", "combined") else np.inf
        )
        self.group = graph.symmetry
        self.unreliable = 0 if known is None else int((~known.reliable[1:]).sum())
        self.size = graph.sizes.tolist()
        self.boundary_sum = graph.boundary_sums.tolist()
        by_model = settings.merge_evidence == "contacts"
        self.model = embedded_contact_model() if by_model else None
        self.misorientation_threshold = settings.misorientation
        self.reliable = np.zeros(count, bool) if known is None else known.reliable
        self.mean = np.full((count, 4), np.nan) if known is None else known.mean.copy()
        self.weight = np.zeros(count) if known is None else known.weight.copy()
        self.first, self.second = contacts.first, contacts.second
        self.contact_count = len(contacts.first)
        angle = misorientation_angle(self.mean[self.first], self.mean[self.second], self.group)
        self.step_range = STEP_RANGE * self.misorientation_threshold
        steps = graph.steps
        if steps is None:
            steps = np.zeros((self.contact_count, STEP_LEVELS), np.int64)
        self.touching: list[dict[int, Contact]] = [{} for _ in range(count)]
        rows = zip(
            self.first.tolist(), self.second.tolist(), contacts.faces.tolist(),
            contacts.between_slices.tolist(), contacts.total.tolist(),
            contacts.levels.astype(np.int64), steps, angle.tolist(), strict=True,
        )  # fmt: skip
        for a, b, *measured in rows:
            self.touching[a][b] = self.touching[b][a] = Contact(*measured)
        self.version = [0] * count
        self.alive = [True] * count
        self.joined: list[tuple[int, int]] = []
        self.decided: dict[Criterion, int] = {"boundary": 0, "orientation": 0}

    def kept_by_orientation(self) -> int:
        """Contacts that boundary would join and orientation does not."""
        if self.mode != "combined":
            return 0
        pairs = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return sum(
            self._criterion(a, b) == "orientation"
            and self.orientation_score(a, b) >= self.misorientation_threshold
            and self.boundary_score(a, b) < self.boundary_threshold
            for a, b in pairs
        )

    def _criterion(self, a: int, b: int) -> Criterion:
        if self.mode == "iq":
            return "boundary"
        if self.reliable[a] and self.reliable[b]:
            return "orientation"
        return "none" if self.mode == "orientation" else "boundary"

    def boundary_score(self, a: int, b: int) -> float:
        """How strong the boundary between two regions is, see `merge_regions`."""
        contact, settings = self.touching[a][b], self.settings
        if self.model is not None:
            return self.model.probability(self.features(a, b))
        if settings.merge_quantile is None:
            score = contact.total / contact.faces
        else:
            score = quantile_of(contact.levels, settings.merge_quantile)
        smaller = min(self.size[a], self.size[b])
        score += settings.merge_size_weight * math.log10(smaller / settings.merge_reference_voxels)
        return score + settings.merge_slice_weight * (
            contact.between_slices / contact.faces - 1 / 3
        )

    def features(self, a: int, b: int) -> NDArray[np.float64]:
        """What a contact model sees of two regions, see `contact_features`."""
        contact, sizes = self.touching[a][b], (self.size[a], self.size[b])
        inside = max(self.boundary_sum[a] / sizes[0], self.boundary_sum[b] / sizes[1])
        values: NDArray[np.float64] = contact_features(
            contact.levels, contact.between_slices, contact.total, float(sizes[0]),
            float(sizes[1]), inside, self.settings.merge_reference_voxels,
        )  # fmt: skip
        return values

    def orientation_score(self, a: int, b: int) -> float:
        """Misorientation of the means, or the median step from point to point if it is less."""
        contact = self.touching[a][b]
        if (
            contact.steps.sum() < LEAST_STEPS
            or contact.angle >= BENDING * self.misorientation_threshold
        ):
            return contact.angle
        return min(contact.angle, self.step_range * quantile_of(contact.steps, 0.5))

    def _priority(self, a: int, b: int) -> tuple[float, Criterion]:
        """Score of a contact over its threshold, 1 where they are equal."""
        criterion = self._criterion(a, b)
        if criterion == "boundary":
            score, limit = self.boundary_score(a, b), self.boundary_threshold
        elif criterion == "orientation":
            score, limit = self.orientation_score(a, b), self.misorientation_threshold
        else:
            return np.inf, criterion
        if limit <= 0:
            return np.inf, criterion
        return score / limit, criterion

    def run(self) -> None:
        """Join the weakest contact until all that remain are strong enough."""
        heap: list[tuple[float, int, int, int, int, Criterion]] = []

        def offer(a: int, b: int) -> None:
            a, b = min(a, b), max(a, b)
            priority, criterion = self._priority(a, b)
            if priority < 1:
                heapq.heappush(heap, (priority, a, b, self.version[a], self.version[b], criterion))

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
        self.boundary_sum[a] += self.boundary_sum[b]
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


def measure_steps(
    labels: Labels,
    contacts: Contacts,
    orientations: OrientationField | None,
    top: float,
    own: Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """Misorientations from point to point across each contact.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
    contacts : Contacts
        Of these labels.
    orientations : OrientationField, optional
    top : float
        Radians; the last bin holds all greater ones.
    own : sequence of 3 int, optional
        Only these faces count, see `measure_faces`.

    Returns
    -------
    ndarray of int64, shape (contacts, STEP_LEVELS)
        Faces by misorientation, in equal bins over [0, top].
    """
    count = len(contacts.first)
    if orientations is None or not top:
        return np.zeros((count, STEP_LEVELS), np.int64)
    scale = int(labels.max(initial=0)) + 1
    points, group = orientations.points()[0], orientations.symmetry
    keys = contacts.first.astype(np.int64) * scale + contacts.second
    index = np.arange(labels.size).reshape(labels.shape)
    steps = np.zeros(count * STEP_LEVELS, np.int64)
    for low, high in facing_forward(own or labels.shape, labels.shape):
        a, b = labels[low], labels[high]
        apart = (a != b) & (a > 0) & (b > 0)
        angle = misorientation_angle(points[index[low][apart]], points[index[high][apart]], group)
        known = np.isfinite(angle)
        one, other = a[apart][known].astype(np.int64), b[apart][known]
        pair = np.searchsorted(keys, np.minimum(one, other) * scale + np.maximum(one, other))
        level = np.minimum(angle[known] / top * STEP_LEVELS, STEP_LEVELS - 1).astype(np.int64)
        steps += np.bincount(pair * STEP_LEVELS + level, minlength=steps.size)
    return steps.reshape(count, STEP_LEVELS)
