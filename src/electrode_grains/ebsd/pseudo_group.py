"""Pseudo-symmetry: rotations of crystal axes that an indexer takes for symmetries.

With the rotations of the Laue group they make a larger group. Of a lattice that is nearly one of
higher symmetry this is, up to a turn of its axes, another Laue group, under which orientations
that are confused are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from electrode_grains.crystal import LAUE_GROUPS, LaueGroup
from electrode_grains.ebsd.orientations import (
    Quaternions,
    conjugate,
    laue_group,
    misorientation_angle,
    multiply,
    reduce_to_fundamental_zone,
)
from electrode_grains.errors import SettingsError

Operator = tuple[float, float, float, float]  # axis x, y, z in crystal coordinates, and degrees
SAME = float(np.radians(3.0))  # operators are given in round numbers
CLOSE = float(np.radians(10.0))  # products of these; members of a Laue group are 60 degrees apart
LARGEST = max(len(laue_group(name)) for name in LAUE_GROUPS)
# Symmetries of the crystal are exact, operators are not.
TRUSTED = 1e6
REMEDY = "correct preprocessing.stack.pseudo_symmetry_operators; [] takes those that are found"


@dataclass(frozen=True, eq=False)
class PseudoGroup:
    """A Laue group, and the larger one of which an indexer takes it.

    Attributes
    ----------
    crystal : LaueGroup
        Symmetry of the crystal.
    joint : LaueGroup
        Symmetry under which variants are equivalent.
    to_joint : ndarray of float64, shape (4,)
        Rotation from axes of the crystal to those in which the joint group is written.
    variants : ndarray of float64, shape (n, 4)
        Rotations of crystal axes that are confused, one of each kind, the identity first.
    """

    crystal: LaueGroup
    joint: LaueGroup
    to_joint: Quaternions
    variants: Quaternions

    @classmethod
    def of(cls, crystal: LaueGroup, joint: LaueGroup, to_joint: Quaternions) -> PseudoGroup:
        """Group whose variants follow from the two symmetries."""
        own = multiply(multiply(conjugate(to_joint), laue_group(joint)), to_joint)
        angle = misorientation_angle(own[:, None], own[None], crystal)
        distinct = [k for k in range(len(own)) if not (angle[k, :k] < SAME).any()]
        own = own[distinct]
        identity = int(misorientation_angle(own, [1.0, 0.0, 0.0, 0.0], crystal).argmin())
        order = [identity, *(k for k in range(len(own)) if k != identity)]
        return cls(crystal, joint, to_joint, own[order])

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Variants but the identity as axes and (whole) degrees, each by its least angle."""
        least = reduce_to_fundamental_zone(self.variants[1:], self.crystal)
        vectors = Rotation.from_quat(least, scalar_first=True).as_rotvec()
        angles = np.linalg.norm(vectors, axis=1)
        axes = vectors / angles[:, None]
        rounded = [
            (*(float(round(number, 4)) + 0.0 for number in axis), float(round(degrees)))
            for axis, degrees in zip(axes, np.degrees(angles), strict=True)
        ]
        return tuple((x, y, z, degrees) for x, y, z, degrees in rounded)


def describe_operators(operators: Sequence[Operator]) -> str:
    """Operators in words, for the log.

    Examples
    --------
    >>> describe_operators([(0.0, 0.0, 1.0, 60.0)])
    '60 degrees about (0, 0, 1)'
    """
    return ", ".join(
        f"{degrees:g} degrees about ({x:.3g}, {y:.3g}, {z:.3g})" for x, y, z, degrees in operators
    )


@cache
def pseudo_group(crystal: LaueGroup, operators: tuple[Operator, ...]) -> PseudoGroup:
    """Group that operators make with the symmetry of the crystal.

    Parameters
    ----------
    crystal : LaueGroup
    operators : tuple of (x, y, z, degrees)
        Rotations of crystal axes that an indexer confuses: axis of any length with x along a
        and z along c, and angle. Those that follow from others need not be given. They may be
        off by 3 degrees, so that round numbers do.

    Raises
    ------
    SettingsError
        If an operator has no axis, is a symmetry of the crystal already, or if all of them
        make no group that is a Laue group.

    Examples
    --------
    >>> quartz = pseudo_group("-3m", ((0.0, 0.0, 1.0, 60.0),))
    >>> quartz.joint, len(quartz.variants)
    ('6/mmm', 2)
    """
    rotations = np.array([_rotation(operator) for operator in operators])
    known = laue_group(crystal)
    trivial = _angles(rotations, known).min(axis=1) < SAME
    if trivial.any():
        first = operators[int(trivial.argmax())]
        raise SettingsError(
            f"a pseudo-symmetry operator is a symmetry of the Laue group {crystal} already",
            found=describe_operators([first]),
            expected="a rotation of crystal axes (x along a, z along c) that is no symmetry",
            remedy=REMEDY,
        )
    group = _closure(known, rotations)
    if group is not None:
        for joint in LAUE_GROUPS:
            if len(laue_group(joint)) == len(group):
                turn = _matching_turn(group, laue_group(joint), len(known))
                if turn is not None and _has_all(rotations, turn, joint):
                    return PseudoGroup.of(crystal, joint, turn)
    raise SettingsError(
        f"pseudo-symmetry operators and the Laue group {crystal} make no Laue group",
        found=describe_operators(operators)
        + (f": more than {LARGEST} rotations" if group is None else f": {len(group)} rotations"),
        expected="operators that turn the lattice into itself, nearly: for R-3m with c / a near "
        "2 sqrt 6 the 90 degrees about (0, 0.816, -0.577), not the angle between c axes",
        remedy=REMEDY,
    )


def _rotation(operator: Operator) -> Quaternions:
    *axis, degrees = operator
    length = float(np.linalg.norm(axis))
    if not (np.isfinite(length) and length > 0 and np.isfinite(degrees)):
        raise SettingsError(
            "a pseudo-symmetry operator has no axis or no angle",
            found=str(operator),
            expected="x, y, z of an axis and an angle in degrees, such as 0, 0, 1, 60",
            remedy=REMEDY,
        )
    half = np.radians(degrees) / 2
    return np.array([np.cos(half), *(np.sin(half) * np.array(axis) / length)])


def _angles(one: Quaternions, other: Quaternions) -> NDArray[np.float64]:
    """Angles in radians between all rotations of two lists, shape (n, m)."""
    angles: NDArray[np.float64] = 2 * np.arccos(np.minimum(np.abs(one @ other.T), 1.0))
    return angles


def _has_all(rotations: Quaternions, turn: Quaternions, joint: LaueGroup) -> bool:
    """Whether rotations of crystal axes are, nearly, those of a group in turned axes."""
    turned = multiply(multiply(turn, rotations), conjugate(turn))
    return bool(_angles(turned, laue_group(joint)).min(axis=1).max() < SAME)


def _closure(known: Quaternions, operators: Quaternions) -> Quaternions | None:
    """All products of rotations, those of the crystal first; None if they do not end."""
    generators = np.concatenate([known, operators])
    group = known.copy()
    done = 0
    while done < len(group):
        for new in multiply(generators, group[done]):
            if _angles(new[None], group).min() > CLOSE:
                group = np.concatenate([group, new[None]])
        done += 1
        if len(group) > LARGEST:
            return None
    return group


def _matching_turn(group: Quaternions, target: Quaternions, exact: int) -> Quaternions | None:
    """Turn of the axes that makes a group of rotations the target; None if there is none.

    Parameters
    ----------
    group, target : ndarray of float64, shape (n, 4)
    exact : int
        The first ones of the group are known exactly, others nearly.
    """
    vectors, aims = (
        Rotation.from_quat(each, scalar_first=True).as_rotvec() for each in (group, target)
    )
    weight = np.where(np.arange(len(group)) < exact, TRUSTED, 1.0)
    turning = np.linalg.norm(vectors, axis=1) > SAME
    vectors, weight = vectors[turning], weight[turning]
    aims = aims[np.linalg.norm(aims, axis=1) > SAME]
    aims = np.concatenate([aims, -aims])  # half turns have no sign
    across = np.linalg.norm(np.cross(vectors, vectors[0]), axis=1)
    second = int(across.argmax())
    planar = bool(across[second] > SAME)  # more than one axis
    best: Rotation | None = None
    for first, other in product(
        _as_long_as(vectors[0], aims), _as_long_as(vectors[second], aims) if planar else aims[:1]
    ):
        if planar and abs(first @ other - vectors[0] @ vectors[second]) > 4 * np.pi * CLOSE:
            continue
        guess = _turn_of_axes(vectors[[0, second]], np.array([first, other]), planar)
        if guess is None:
            continue
        apart = np.linalg.norm(guess.apply(vectors)[:, None] - aims[None], axis=2)
        if apart.min(axis=1).max() > CLOSE:
            continue
        if best is None or guess.magnitude() < best.magnitude() - SAME:
            best, matched = guess, aims[apart.argmin(axis=1)]
    if best is None:
        return None
    if planar:
        best, _ = Rotation.align_vectors(matched, vectors, weight)
    turn: Quaternions = best.as_quat(scalar_first=True)
    return turn


def _as_long_as(vector: NDArray[np.float64], aims: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(aims, axis=1)
    chosen: NDArray[np.float64] = aims[np.abs(length - np.linalg.norm(vector)) < CLOSE]
    return chosen


def _turn_of_axes(
    given: NDArray[np.float64], aims: NDArray[np.float64], planar: bool
) -> Rotation | None:
    """Rotation that takes one vector to another, and the plane of two to that of two others."""
    frames = []
    for first, second in (given, aims):
        z = first / np.linalg.norm(first)
        x = np.cross(second, z) if planar else np.cross(np.eye(3)[np.abs(z).argmin()], z)
        length = float(np.linalg.norm(x))
        if length < SAME:
            return None
        frames.append(np.column_stack([x / length, np.cross(z, x / length), z]))
    return Rotation.from_matrix(frames[1] @ frames[0].T)
