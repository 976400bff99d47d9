"""Pseudo-symmetry: orientations that an indexer confuses, and the vote that decides them.

The oxygen lattice of a layered oxide (R-3m) is nearly cubic: with c / a near 2 sqrt 6 the
c axis is one of four axes of threefold symmetry, 70.5 degrees apart. An indexer that sees
strong bands only takes one of the four, often the same one in a whole patch of points.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.orientations import laue_group, misorientation_angle, multiply
from electrode_grains.errors import SettingsError
from electrode_grains.grains.labelling import Labels, facing
from electrode_grains.grains.variant_choice import choose_variants

IDEAL_RATIO = 2 * np.sqrt(6.0)  # c / a of a face-centred cube that is seen along [111]
TOLERANCE = 0.03  # relative, of c / a
VARIANT_WIDTH = float(np.radians(10.0))  # a point is of the variant that is nearer than this
LEAST_PROBABILITY = 0.99  # of a variant that is taken for the grain's own
FLIP = (float(np.radians(70.53)), float(np.radians(4.0)))  # angle of two variants, and its width
LEAST_EXCESS = 0.005  # of the faces inside grains, beyond which pseudo-symmetry is on
VARIANT_COLUMNS = ("label", "flipped_share", "probability", "decided")


class VariantVote(TypedDict):
    """Outcome of the vote on variants, one entry per grain 1 to n."""

    flipped_share: NDArray[np.float64]
    probability: NDArray[np.float64]
    decided: NDArray[np.bool_]


def is_pseudo_cubic(a: float, c: float, tolerance: float = TOLERANCE) -> bool:
    """Whether hexagonal lattice constants describe a nearly cubic lattice.

    Parameters
    ----------
    a, c : float
        Lattice constants, in one unit.
    tolerance : float
        Relative deviation of c / a from 2 sqrt 6.

    Examples
    --------
    >>> is_pseudo_cubic(2.87, 14.26), is_pseudo_cubic(2.5, 4.1)
    (True, False)
    """
    if not (a > 0 and c > 0):
        raise SettingsError("lattice constants are not positive", found=f"a {a}, c {c}")
    return bool(abs(c / a / IDEAL_RATIO - 1) <= tolerance)


def to_pseudo_cube() -> NDArray[np.float64]:
    """Rotation from trigonal to cubic crystal axes, a quaternion.

    The trigonal c axis is a threefold axis of the cube, [111], and the twofold axis along x
    becomes [1 -1 0], so that all symmetries of -3m are symmetries of the cube.

    Examples
    --------
    >>> cubic = multiply(multiply(to_pseudo_cube(), laue_group("-3m")),
    ...                  to_pseudo_cube() * [1, -1, -1, -1])
    >>> overlap = np.abs(cubic @ laue_group("m-3m").T).max(axis=1)
    >>> bool(np.allclose(overlap, 1))
    True
    """
    z = np.array([1.0, 1.0, 1.0]) / np.sqrt(3.0)
    x = np.array([1.0, -1.0, 0.0]) / np.sqrt(2.0)
    axes = np.column_stack([x, np.cross(z, x), z])
    quaternion: NDArray[np.float64] = Rotation.from_matrix(axes).as_quat(scalar_first=True)
    return quaternion


def pseudo_cubic(field: OrientationField) -> OrientationField:
    """The same crystals with all symmetries of the pseudo-cube: variants are equivalent.

    Parameters
    ----------
    field : OrientationField
        Of the Laue group -3m.

    Raises
    ------
    SettingsError
        If the field has another symmetry.

    Examples
    --------
    >>> flipped = OrientationField(multiply(variants(), [0.8, 0.6, 0, 0]))
    >>> cube = pseudo_cubic(flipped)
    >>> bool(cube.misorientation(cube.at(np.array([0]))).max() < 1e-6)
    True
    """
    if field.laue_group != "-3m":
        raise SettingsError(
            "pseudo-symmetry of the cube is known for the Laue group -3m only",
            found=field.laue_group,
            remedy="set segmentation.grains.pseudo_symmetry to off",
        )
    turned = multiply(to_pseudo_cube(), field.quaternions).astype(field.quaternions.dtype)
    return OrientationField(turned, field.confidence, "m-3m", field.frame)


def variants() -> NDArray[np.float64]:
    """Rotations of crystal axes that an indexer confuses, the identity first, shape (4, 4)."""
    cube, back = to_pseudo_cube(), to_pseudo_cube() * np.array([1.0, -1.0, -1.0, -1.0])
    operators = multiply(multiply(back, laue_group("m-3m")), cube)
    angle = misorientation_angle(operators[:, None], operators[None], "-3m")
    distinct = [k for k in range(len(operators)) if not (angle[k, :k] < np.radians(1)).any()]
    operators = operators[distinct]
    identity = int(misorientation_angle(operators, np.array([1.0, 0, 0, 0]), "-3m").argmin())
    order = [identity, *(k for k in range(len(operators)) if k != identity)]
    chosen: NDArray[np.float64] = operators[order]
    return chosen


def flip_excess(labels: Labels, field: OrientationField) -> float:
    """Excess of pairs of neighbouring points whose c axes are those of two variants.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Grains or regions; faces within one count.
    field : OrientationField, shape (z, y, x)

    Returns
    -------
    float
        Share of the faces within 4 degrees of 70.53 between the c axes, less that at the
        angles beside (8 to 16 degrees off, twice as many), which wrong indexing explains.
    """
    axes = field.directions((0.0, 0.0, 1.0))
    near = beside = total = 0
    for low, high in facing(3):
        inside = (labels[low] == labels[high]) & (labels[low] > 0)
        cosine = np.abs((axes[low][inside] * axes[high][inside]).sum(axis=-1))
        angle = np.arccos(np.clip(cosine[np.isfinite(cosine)], 0, 1))
        off = np.abs(angle - FLIP[0])
        near += int((off < FLIP[1]).sum())
        beside += int(((off >= 2 * FLIP[1]) & (off < 4 * FLIP[1])).sum())
        total += len(angle)
    return (near - beside / 2) / total if total else 0.0


def uses_pseudo_symmetry(
    choice: Literal["auto", "on", "off"], particle: NDArray[np.bool_], field: OrientationField
) -> bool:
    """Whether variants count as one orientation.

    Parameters
    ----------
    choice : {"auto", "on", "off"}
        "auto": for the Laue group -3m, where flips are more than 0.5 % of the faces.
    particle : ndarray of bool, shape (z, y, x)
        Where to look.
    field : OrientationField, shape (z, y, x)
    """
    if choice != "auto":
        return choice == "on"
    return (
        field.laue_group == "-3m" and flip_excess(particle.astype(np.int32), field) > LEAST_EXCESS
    )


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
    The mean of a grain under the symmetry of the cube is one orientation up to that symmetry.
    Each point has the variant of this mean that it is nearest to, if any is within 10 degrees;
    `choose_variants` finds the grain's own from them, from their confidence, and from the
    points of its neighbours.
    """
    cube = pseudo_cubic(field)
    back = to_pseudo_cube() * np.array([1.0, -1.0, -1.0, -1.0])
    mean = multiply(variants()[:, None], multiply(back, cube.means(labels).mean)[None])
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
        labels, variant.reshape(labels.shape), weight.reshape(labels.shape)
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
    """Turn points to the variant that won: of their four, the one nearest to it."""
    quaternions = field.quaternions.reshape(-1, 4).copy()
    target = mean[winner, labels[moving]]
    tried = multiply(variants()[:, None], quaternions[moving][None])
    best = misorientation_angle(tried, target[None], field.symmetry).argmin(axis=0)
    quaternions[moving] = tried[best, np.arange(len(moving))]
    return replace(field, quaternions=quaternions.reshape(field.quaternions.shape))
