"""The pseudo-cube of layered oxides: orientations that an indexer confuses.

The oxygen lattice of a layered oxide (R-3m) is nearly cubic: with c / a near 2 sqrt 6 the
c axis is one of four axes of threefold symmetry, 70.5 degrees apart. An indexer that sees
strong bands only takes one of the four, often the same one in a whole patch of points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from electrode_grains.ebsd.orientation_field import OrientationField
from electrode_grains.ebsd.orientations import (
    Quaternions,
    multiply,
)
from electrode_grains.ebsd.pseudo_group import (
    Operator,
    PseudoGroup,
    describe_operators,
    pseudo_group,
)
from electrode_grains.errors import SettingsError

IDEAL_RATIO = 2 * np.sqrt(6.0)  # c / a of a face-centred cube that is seen along [111]
TOLERANCE = 0.03  # relative, of c / a
FLIP = (float(np.radians(70.53)), float(np.radians(4.0)))  # angle of two variants, and its width
LEAST_EXCESS = 0.005  # of the faces, beyond which pseudo-symmetry is on


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
    >>> from electrode_grains.ebsd.orientations import laue_group
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


@cache
def pseudo_cube() -> PseudoGroup:
    """Group of the pseudo-cube, with its four variants.

    Examples
    --------
    >>> len(pseudo_cube().variants)
    4
    """
    return PseudoGroup.of("-3m", "m-3m", to_pseudo_cube())


def group_of_field(field: OrientationField) -> PseudoGroup:
    """What counts as one orientation: by the operators of a field, or else the pseudo-cube of -3m.

    Raises
    ------
    SettingsError
        If the field has no operators and another symmetry, or they make no group.
    """
    if field.operators:
        return pseudo_group(field.laue_group, field.operators)
    if field.laue_group != "-3m":
        raise SettingsError(
            "pseudo-symmetry of the cube is known for the Laue group -3m only",
            found=field.laue_group,
            remedy="set pseudo_symmetry to off, or give "
            "preprocessing.stack.pseudo_symmetry_operators",
        )
    return pseudo_cube()


def variants_as_one(field: OrientationField) -> OrientationField:
    """The same crystals with all symmetries of their pseudo-group: variants are equivalent.

    Parameters
    ----------
    field : OrientationField
        With operators, or of the Laue group -3m.

    Raises
    ------
    SettingsError
        As `group_of_field`.

    Examples
    --------
    >>> confused = OrientationField(
    ...     multiply([[1, 0, 0, 0], [0, 1, 0, 0]], [0.8, 0.6, 0, 0]),
    ...     laue_group="4/m", operators=((1.0, 0.0, 0.0, 180.0),))
    >>> alike = variants_as_one(confused)
    >>> alike.laue_group, bool(alike.misorientation(alike.at(np.array([0]))).max() < 1e-6)
    ('4/mmm', True)
    """
    group = group_of_field(field)
    turned = multiply(group.to_joint, field.quaternions).astype(field.quaternions.dtype)
    return OrientationField(turned, field.confidence, group.joint, field.frame)


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
    return variants_as_one(replace(field, operators=()))


def variants() -> Quaternions:
    """Rotations of crystal axes that an indexer confuses, the identity first, shape (4, 4)."""
    return pseudo_cube().variants


def flip_excess(field: OrientationField, region: NDArray[np.bool_] | None = None) -> float:
    """Excess of pairs of neighbouring points that are two variants of one orientation.

    Parameters
    ----------
    field : OrientationField, shape (z, y, x)
        Points without weight do not count.
    region : ndarray of bool, shape (z, y, x), optional
        Where to look; everywhere by default.

    Returns
    -------
    float
        For the pseudo-cube, the share of the faces within 4 degrees of 70.53 between the c axes,
        less that at the angles beside (8 to 16 degrees off, twice as many), which wrong indexing
        explains. For given operators, the share of the faces within 4 degrees of each other as
        variants, though not as they are, less what random orientations have there by what they
        have 8 to 16 degrees off.
    """
    return excess_of_counts(flip_counts(field, region))


def flip_counts(
    field: OrientationField, region: NDArray[np.bool_] | None = None, first: int = 0
) -> Iterator[NDArray[np.float64]]:
    """Faces of `flip_excess`, three counts for each kind of each slice from the first one on.

    Those to the slice before the first are among them, if there is one: the counts of parts of a
    stack, one after another, are those of the whole.
    """
    weight = np.array([1.0, flip_chance(field), 1.0])
    before: OrientationField | None = None
    for z in range(max(first - 1, 0), field.shape[0]):  # so that no volume of axes is held
        plane = field.at(z)
        known = np.ones(plane.shape, bool) if region is None else region[z]
        if plane.confidence is not None:
            known = known & (plane.confidence > 0)
        plane = plane.where(known)
        if z >= first:
            yield weight * count_flips(plane.at(slice(1, None)), plane.at(slice(None, -1)))
            yield weight * count_flips(plane.at(np.s_[:, 1:]), plane.at(np.s_[:, :-1]))
            if before is not None:
                yield weight * count_flips(plane, before)
        before = plane


def excess_of_counts(counts: Iterable[NDArray[np.float64]]) -> float:
    """`flip_excess` of its counts, added in their order."""
    total = np.zeros(3)
    for each in counts:
        total += each
    near, by_chance, faces = total
    return float((near - by_chance) / faces) if faces else 0.0


def flip_chance(field: OrientationField) -> float:
    """Share of the pairs at the angles beside that wrong indexing has at those of flips."""
    if not field.operators:
        return 0.5

    def ball(radius: float) -> float:
        return radius - float(np.sin(radius))  # its share of all rotations, times pi

    width = FLIP[1]
    return ball(width) / (ball(4 * width) - ball(2 * width))


def count_flips(one: OrientationField, other: OrientationField) -> NDArray[np.int64]:
    """Pairs that are two variants of one orientation, those at the angles beside, and all."""
    return _count_variants(one, other) if one.operators else _count_axes(one, other)


def _count_axes(one: OrientationField, other: OrientationField) -> NDArray[np.int64]:
    """By the angle between c axes."""
    axes = (each.directions((0.0, 0.0, 1.0)) for each in (one, other))
    cosine = np.abs(np.multiply(*axes).sum(axis=-1))
    off = np.abs(np.arccos(np.minimum(cosine[np.isfinite(cosine)], 1)) - FLIP[0])
    beside = ((off >= 2 * FLIP[1]) & (off < 4 * FLIP[1])).sum()
    return np.array([(off < FLIP[1]).sum(), beside, len(off)], np.int64)


def _count_variants(one: OrientationField, other: OrientationField) -> NDArray[np.int64]:
    """By the misorientation of variants that count as one, and of those that do not."""
    plain = one.misorientation(other)
    known = np.isfinite(plain)
    as_one = variants_as_one(one).misorientation(variants_as_one(other))[known]
    confused = plain[known] > as_one + FLIP[1]  # what is small as it is, is no flip
    width = FLIP[1]
    near, beside = (
        (confused & (as_one >= low) & (as_one < high)).sum()
        for low, high in ((0.0, width), (2 * width, 4 * width))
    )
    return np.array([near, beside, known.sum()], np.int64)


@dataclass(frozen=True)
class PseudoSymmetry:
    """What a stack shows of pseudo-symmetry.

    Attributes
    ----------
    c_over_a : float or None
        Of the lattice constants; None where neither files nor settings give them.
    excess : float
        See `flip_excess`.
    found : bool
        Whether variants are to count as one orientation.
    reason : str
        Why, with the numbers.
    operators : tuple of Operator
        What is confused: rotations of crystal axes, x along a and z along c, one of each kind.
        Empty where the lattice allows none.
    given : tuple of Operator
        Those of the settings; empty where they were found from the lattice.
    """

    c_over_a: float | None
    excess: float
    found: bool
    reason: str
    operators: tuple[Operator, ...] = ()
    given: tuple[Operator, ...] = ()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> PseudoSymmetry:
        """Rebuild from its fields."""
        lists = {name: tuple(map(tuple, content.get(name, ()))) for name in ("operators", "given")}
        return cls(**{**content, **lists})

    def describe(self) -> str:
        """One line for the log: why, and what is confused."""
        if not self.operators:
            return self.reason
        origin = "given" if self.given else "of the pseudo-cube"
        return f"{self.reason}; operators ({origin}): {describe_operators(self.operators)}"


def find_pseudo_symmetry(
    field: OrientationField,
    constants: tuple[float, float] | None,
    tolerance: float = TOLERANCE,
    measure: Callable[[OrientationField], float] = flip_excess,
) -> PseudoSymmetry | None:
    """Look for flips between the four c axes of the pseudo-cube, or those of given operators.

    Parameters
    ----------
    field : OrientationField, shape (z, y, x)
        With the operators, if any are given.
    constants : (float, float) or None
        Lattice constants a and c; without them the Laue group -3m counts as pseudo-cubic.
    tolerance : float
        Relative deviation of c / a from 2 sqrt 6.
    measure : callable
        Returns the excess of the field, where that is to be known.

    Returns
    -------
    PseudoSymmetry or None
        None for Laue groups other than -3m, where no operators are given.
    """
    if not field.operators and field.laue_group != "-3m":
        return None
    ratio = None if constants is None else constants[1] / constants[0]
    allowed = constants is None or is_pseudo_cubic(*constants, tolerance)
    if not (field.operators or allowed):
        reason = f"c / a {ratio:.3f} is more than {tolerance:.1%} from 2 sqrt 6: no pseudo-cube"
        return PseudoSymmetry(ratio, 0.0, False, reason)
    group = group_of_field(field)
    excess = measure(field)
    found = excess > LEAST_EXCESS
    lattice = "lattice constants unknown" if ratio is None else f"c / a {ratio:.3f}"
    pairs, ones = "with c axes 70.5 degrees apart", "the four c axes of the pseudo-cube"
    if field.operators:
        lattice = f"{group.crystal} as {group.joint}"
        pairs, ones = "that are variants of each other", f"its {len(group.variants)} variants"
    reason = (
        f"{lattice}; pairs of neighbours {pairs}: {excess:.2%} of all beyond chance, "
        f"{LEAST_EXCESS:.1%} decide: {ones} " + ("count as one" if found else "count as different")
    )
    return PseudoSymmetry(ratio, excess, found, reason, group.operators, field.operators)


def counts_as_one(finding: PseudoSymmetry | None, choice: Literal["auto", "on", "off"]) -> bool:
    """Whether variants count as one orientation; auto: where the data show flips."""
    return choice == "on" or (choice == "auto" and finding is not None and finding.found)


def hexagonal_constants(phases: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Lattice constants a and c of the first phase of a scan that gives them.

    Examples
    --------
    >>> hexagonal_constants([{"lattice_constants": "2.87 2.87 14.26 90 90 120"}])
    (2.87, 14.26)
    """
    for phase in phases:
        try:
            a, _, c = map(float, str(phase.get("lattice_constants", "")).split()[:3])
        except ValueError:
            continue
        if 0 < a < np.inf and 0 < c < np.inf:
            return a, c
    return None
