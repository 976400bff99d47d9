"""Pseudo-symmetry: whether an indexer confused orientations, and the vote that decides them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.orientations import conjugate, misorientation_angle, multiply
from electrode_grains.ebsd.pseudo_cube import (
    LEAST_EXCESS,
    flip_excess,
    group_of_field,
    variants_as_one,
)
from electrode_grains.grains.labelling import Labels
from electrode_grains.grains.variant_choice import choose_variants

VARIANT_WIDTH = float(np.radians(10.0))  # a point is of the variant that is nearer than this
LEAST_PROBABILITY = 0.99  # of a variant that is taken for the grain's own
VARIANT_COLUMNS = ("label", "flipped_share", "probability", "decided")


class VariantVote(TypedDict):
    """Outcome of the vote on variants, one entry per grain 1 to n."""

    flipped_share: NDArray[np.float64]
    probability: NDArray[np.float64]
    decided: NDArray[np.bool_]


def uses_pseudo_symmetry(
    choice: Literal["auto", "on", "off"], particle: NDArray[np.bool_], field: OrientationField
) -> bool:
    """Whether variants count as one orientation.

    Parameters
    ----------
    choice : {"auto", "on", "off"}
        "auto": for the Laue group -3m and fields with operators, where flips are more than
        0.5 % of the faces.
    particle : ndarray of bool, shape (z, y, x)
        Where to look.
    field : OrientationField, shape (z, y, x)
    """
    if choice != "auto":
        return choice == "on"
    possible = bool(field.operators) or field.laue_group == "-3m"
    return possible and flip_excess(field, particle) > LEAST_EXCESS


def vote_on_variants(
    labels: Labels, field: OrientationField
) -> tuple[OrientationField, VariantVote]:
    """Decide the c axis of each grain, and turn its points to it.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Compact labels 1 to n.
    field : OrientationField, shape (z, y, x)
        As scanned.

    Returns
    -------
    corrected : OrientationField
        Points of a grain that have one of the other variants, turned to the one which won;
        points of undecided grains, and of no variant, stay.
    vote : VariantVote
        `flipped_share`: weight of the points that lost over that of all variants, NaN where
        none has one; `probability` of the variant that won; `decided`: whether it is .99 or more.

    Notes
    -----
    The mean of a grain under the symmetry of the cube, or of that which given operators make, is
    one orientation up to that symmetry.
    Each point has the variant of this mean that it is nearest to, if any is within 10 degrees;
    `choose_variants` finds the grain's own from them, from their confidence, and from the
    points of its neighbours.
    """
    group = group_of_field(field)
    alike = variants_as_one(field).means(labels).mean
    mean = multiply(group.variants[:, None], multiply(conjugate(group.to_joint), alike)[None])
    points, weight = field.points()
    flat = labels.ravel()
    voters = np.flatnonzero((flat > 0) & (weight > 0))
    angle = misorientation_angle(mean[:, flat[voters]], points[voters][None], field.symmetry)
    nearest = np.nan_to_num(angle, nan=np.inf).argmin(axis=0)
    near = np.nan_to_num(angle, nan=np.inf).min(axis=0) < VARIANT_WIDTH
    voters, nearest = voters[near], nearest[near]
    variant = np.full(flat.size, -1, np.int8)
    variant[voters] = nearest
    winner, probabilities, _ = choose_variants(
        labels, variant.reshape(labels.shape), weight.reshape(labels.shape), len(mean)
    )
    count, probability = len(winner), probabilities.max(axis=1)
    total, lost = (
        np.bincount(flat[chosen], weight[chosen], count)
        for chosen in (voters, voters[nearest != winner[flat[voters]]])
    )
    share = np.divide(lost, total, out=np.full(count, np.nan), where=total > 0)
    decided = probability >= LEAST_PROBABILITY
    moving = decided[flat[voters]] & (nearest != winner[flat[voters]])
    corrected = _with_variant(field, voters[moving], mean, winner[flat[voters[moving]]], flat)
    return corrected, {
        "flipped_share": share[1:], "probability": probability[1:], "decided": decided[1:]
    }  # fmt: skip


def _with_variant(
    field: OrientationField,
    moving: NDArray[np.intp],
    mean: NDArray[np.float64],
    winner: NDArray[np.intp],
    labels: Labels,
) -> OrientationField:
    """Turn points to the variant that won: of their own, the one nearest to it."""
    quaternions = field.quaternions.reshape(-1, 4).copy()
    target = mean[winner, labels[moving]]
    tried = multiply(group_of_field(field).variants[:, None], quaternions[moving][None])
    best = misorientation_angle(tried, target[None], field.symmetry).argmin(axis=0)
    quaternions[moving] = tried[best, np.arange(len(moving))]
    return replace(field, quaternions=quaternions.reshape(field.quaternions.shape))
