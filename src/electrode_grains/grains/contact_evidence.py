"""How probable a boundary between two regions is, from their sizes and the faces they share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.compiling import njit

EMBEDDED = Path(__file__).with_name("contact_model.json")
"""Coefficients, made by `python -m benchmarks.contact_model`; see docs/segmentation.md."""
FEATURES = (
    "quantile_05", "quantile_25", "mean", "share_between_slices", "log_smaller", "log_larger",
    "log_faces", "inside",
)  # fmt: skip
LARGEST_DEVIATION = 8.0  # standard deviations; squares run away beyond what was seen


@njit(cache=True)
def quantile_of(counts: NDArray[np.int64], share: float) -> float:
    """Quantile of values counted in equal bins over [0, 1], linear within a bin."""
    rank = share * counts.sum()
    level, summed = 0, counts[0]
    while summed < rank or counts[level] == 0:
        level += 1
        summed += counts[level]
    inside = (rank - summed) / counts[level] + 1
    return float((level + inside) / len(counts))


@njit(cache=True)
def contact_features(levels, between_slices, total, one, other, inside, reference):  # type: ignore[no-untyped-def]
    """Features of a contact, in the order of `FEATURES`.

    Parameters
    ----------
    levels : ndarray of int64, shape (n,)
        Faces by their boundary probability, in equal bins over [0, 1].
    between_slices : int
        Faces between two slices.
    total : float
        Sum of the boundary probability over the faces.
    one, other : float
        Voxels of the two regions.
    inside : float
        Mean boundary probability of the region where it is greater.
    reference : float
        Voxels of a region whose size is the unit of sizes and faces.

    Returns
    -------
    ndarray of float64, shape (8,)
    """
    faces = levels.sum()
    return np.array(
        [
            quantile_of(levels, 0.05),
            quantile_of(levels, 0.25),
            total / faces,
            between_slices / faces,
            np.log10(min(one, other) / reference),
            np.log10(max(one, other) / reference),
            np.log10(faces / reference ** (2 / 3)),
            inside,
        ]
    )


@njit(cache=True)
def _log_odds(features, center, scale, weights):  # type: ignore[no-untyped-def]
    """Constant, linear terms, then products i <= j."""
    count = len(features)
    deviation = (features - center) / scale
    for i in range(count):
        deviation[i] = min(max(deviation[i], -LARGEST_DEVIATION), LARGEST_DEVIATION)
    summed = weights[0]
    place = 1 + count
    for i in range(count):
        summed += weights[1 + i] * deviation[i]
        for j in range(i, count):
            summed += weights[place] * deviation[i] * deviation[j]
            place += 1
    return summed


@dataclass(frozen=True)
class ContactModel:
    r"""Logistic regression of what lies between two regions: a boundary, or nothing.

    Attributes
    ----------
    center, scale : ndarray of float64, shape (8,)
        Mean and standard deviation of the features in training.
    weights : ndarray of float64, shape (45,)
        Of the constant, the features and their products i <= j.

    Notes
    -----
    With standardised features :math:`f_i`, limited to eight deviations, the probability is
    :math:`1 / (1 + e^{-t})`, :math:`t = w_0 + \sum_i w_i f_i + \sum_{i \le j} w_{ij} f_i f_j`.
    Features and products add nothing that joins could not update: they are computed from
    sums over the two regions and their faces.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]

    def probability(self, features: NDArray[np.float64]) -> float:
        """Probability of a boundary.

        Parameters
        ----------
        features : ndarray of float64, shape (8,)
            Result of `contact_features`.
        """
        log_odds = _log_odds(features, self.center, self.scale, self.weights)
        return float(1 / (1 + np.exp(-log_odds)))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists by name."""
        return {
            "features": list(FEATURES),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "weights": self.weights.tolist(),
        }


def expand(features: NDArray[np.float64], model: ContactModel) -> NDArray[np.float64]:
    """Terms that the weights belong to, shape (n, 45), of features of shape (n, 8)."""
    deviation = (features - model.center) / model.scale
    deviation = np.clip(deviation, -LARGEST_DEVIATION, LARGEST_DEVIATION)
    one, other = np.triu_indices(deviation.shape[1])
    constant = np.ones((len(deviation), 1))
    return np.concatenate([constant, deviation, deviation[:, one] * deviation[:, other]], axis=1)


@cache
def embedded_contact_model() -> ContactModel:
    """The model that comes with the package, fitted to virtual particles."""
    kept = json.loads(EMBEDDED.read_text(encoding="utf-8"))
    return ContactModel(*(np.array(kept[name]) for name in ("center", "scale", "weights")))
