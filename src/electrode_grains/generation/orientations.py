"""Orientations of virtual grains whose neighbours are misoriented as in the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from electrode_grains.ebsd.orientations import (
    Quaternions,
    conjugate,
    euler_from_quaternions,
    laue_group,
    misorientation_angle,
    multiply,
    random_orientations,
    turn,
)

Floats = NDArray[np.float64]
ANGLE_BINS, RADIAL_BINS = 36, 10
PROPOSALS = 150  # for each grain
TEMPERATURES = (1e-5, 1e-10)  # first and last, of the sum of squares that is annealed
LEAST_CONTACTS = 20
C_AXIS = (0.0, 0.0, 1.0)
QUATERNION = tuple(f"orientation_{part}" for part in "wxyz")


@dataclass(frozen=True)
class OrientationStatistics:
    """How lattices lie along the radius and to their neighbours.

    Attributes
    ----------
    turns : ndarray of float64, shape (n, 4)
        From one grain to its neighbour, one for each contact.
    areas : ndarray of float64, shape (n,)
        Of the contacts.
    radial_cosines : ndarray of float64, shape (m,)
        Absolute cosine between c axis and radius, one for each grain.
    laue : str
    """

    turns: Quaternions
    areas: Floats
    radial_cosines: Floats
    laue: str

    @classmethod
    def of_tables(
        cls, grains: pd.DataFrame, contacts: pd.DataFrame, laue: str
    ) -> OrientationStatistics | None:
        """Statistics of a particle.

        Parameters
        ----------
        grains, contacts : DataFrame
            As from `measure_particle`.
        laue : str

        Returns
        -------
        OrientationStatistics or None
            None where fewer than 20 contacts lie between grains of known orientations.
        """
        if not {*QUATERNION, "c_axis_radial_angle"} <= set(grains):
            return None
        known = grains.dropna(subset=[*QUATERNION]).set_index("label")
        lattice = known[list(QUATERNION)]
        between = contacts[
            contacts["label_a"].isin(lattice.index) & contacts["label_b"].isin(lattice.index)
        ]
        if len(between) < LEAST_CONTACTS:
            return None
        first = lattice.loc[between["label_a"]].to_numpy()
        second = lattice.loc[between["label_b"]].to_numpy()
        return cls(
            multiply(second, conjugate(first)),
            between["interface_area_nm2"].to_numpy(float),
            np.abs(np.cos(known["c_axis_radial_angle"].dropna().to_numpy(float))),
            laue,
        )

    @property
    def angles(self) -> Floats:
        """Misorientation across each contact in rad."""
        return misorientation_angle(self.turns, [1.0, 0, 0, 0], self.laue)


def assign_orientations(
    statistics: OrientationStatistics,
    contacts: pd.DataFrame,
    labels: NDArray[np.integer],
    radii: Floats,
    rng: np.random.Generator,
) -> Quaternions:
    """Draw orientations with the misorientations and the radial alignment of the data.

    Parameters
    ----------
    statistics : OrientationStatistics
        What is aimed at.
    contacts : DataFrame
        Of the virtual grains, as from `measure_particle`.
    labels : ndarray of int, shape (n,)
        Of the grains, rising.
    radii : ndarray of float64, shape (n, 3)
        From the centre of the particle to each grain (x, y, z).
    rng : Generator

    Returns
    -------
    ndarray of float64, shape (n, 4)
        Unit quaternions from sample to crystal.

    Notes
    -----
    Simulated annealing of the squared differences between two cumulative distributions and those
    of the data: misorientation angles by contact area (36 classes), and cosines between c axis
    and radius (10). A proposal gives one grain a random orientation, that of another grain, or
    one that lies to a neighbour as one of the data's grains lies to its own.
    """
    count = len(radii)
    inner = contacts[contacts["label_a"] > 0]
    first, second = _places(inner, labels)
    areas = inner["interface_area_nm2"].to_numpy(float)
    quaternions = random_orientations(count, rng)
    if not len(first):
        return quaternions
    group = laue_group(statistics.laue)
    wanted = np.histogram(statistics.angles, ANGLE_BINS, (0, np.pi), weights=statistics.areas)[0]
    radial = np.histogram(statistics.radial_cosines, RADIAL_BINS, (0, 1))[0]
    steps = PROPOSALS * count
    drawn = rng.choice(len(statistics.turns), steps, p=statistics.areas / statistics.areas.sum())
    starts, order = _by_grain(first, second, count)
    _anneal(
        quaternions,
        _unit(radii),
        np.stack([first, second], axis=1),
        areas / max(areas.sum(), 1e-300),
        starts,
        order,
        group,
        turn(C_AXIS, group),
        np.cumsum(wanted) / wanted.sum(),
        np.cumsum(radial) / max(radial.sum(), 1.0),
        statistics.turns[drawn],
        random_orientations(steps, rng),
        rng.random((steps, 4)),
        *TEMPERATURES,
    )
    return quaternions


def describe_lattice(quaternions: Quaternions, radii: Floats, laue: str) -> dict[str, Floats]:
    """Columns of a grain table that follow from orientations.

    Parameters
    ----------
    quaternions : ndarray of float64, shape (n, 4)
    radii : ndarray of float64, shape (n, 3)
        From the centre of the particle to each grain (x, y, z).
    laue : str

    Returns
    -------
    dict of ndarray, shape (n,)
        `quaternion_w` ... `quaternion_z`; `bunge_phi1`, `bunge_Phi`, `bunge_phi2` in rad;
        `c_axis_radial_angle` in [0, pi / 2], of the nearest of equivalent axes.
    """
    euler = euler_from_quaternions(quaternions)
    pure = np.column_stack([np.zeros(len(radii)), _unit(radii)])
    radial = multiply(multiply(quaternions, pure), conjugate(quaternions))[:, 1:]
    cosines = np.abs(radial @ turn(C_AXIS, laue_group(laue)).T).max(axis=1)  # of the crystal
    return {
        **{f"quaternion_{part}": quaternions[:, n] for n, part in enumerate("wxyz")},
        **{f"bunge_{name}": euler[:, n] for n, name in enumerate(("phi1", "Phi", "phi2"))},
        "c_axis_radial_angle": np.arccos(np.minimum(cosines, 1.0)),
    }


def describe_contacts(
    contacts: pd.DataFrame, labels: NDArray[np.integer], quaternions: Quaternions, laue: str
) -> pd.DataFrame:
    """Contacts between grains, with `misorientation_angle` in rad.

    Parameters
    ----------
    contacts : DataFrame
        As from `measure_particle`; those with label 0 are left out.
    labels : ndarray of int, shape (n,)
        Of the grains, rising.
    quaternions : ndarray of float64, shape (n, 4)
    laue : str
    """
    inner = contacts[contacts["label_a"] > 0].reset_index(drop=True)
    first, second = _places(inner, labels)
    angles = misorientation_angle(quaternions[first], quaternions[second], laue)
    return inner.assign(misorientation_angle=angles)


def _unit(radii: Floats) -> Floats:
    length: Floats = np.linalg.norm(radii, axis=1, keepdims=True)
    return radii / np.maximum(length, 1e-9)


def _places(
    contacts: pd.DataFrame, labels: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in the list of grains of those on both sides of each contact."""
    first, second = (np.searchsorted(labels, contacts[f"label_{side}"]) for side in "ab")
    return first, second


def _by_grain(
    first: NDArray[np.int64], second: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Contacts of each grain: where its list begins, and all lists one after the other."""
    ends = np.concatenate([first, second])
    order = np.argsort(ends, kind="stable") % len(first)
    starts = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=count))])
    return starts, order


@njit(cache=True)
def _angle(p, q, group):  # type: ignore[no-untyped-def]
    # scalar part of S p conj(q), the greatest over the group
    w = p[0] * q[0] + p[1] * q[1] + p[2] * q[2] + p[3] * q[3]
    x = -p[0] * q[1] + p[1] * q[0] - p[2] * q[3] + p[3] * q[2]
    y = -p[0] * q[2] + p[2] * q[0] - p[3] * q[1] + p[1] * q[3]
    z = -p[0] * q[3] + p[3] * q[0] - p[1] * q[2] + p[2] * q[1]
    largest = 0.0
    for s in group:
        largest = max(largest, abs(s[0] * w - s[1] * x - s[2] * y - s[3] * z))
    return 2 * np.arccos(min(largest, 1.0))


@njit(cache=True)
def _radial_class(q, radius, axes):  # type: ignore[no-untyped-def]
    w, x, y, z = q
    a, b, c = radius
    # the radius in the frame of the crystal
    u = (w * w + x * x - y * y - z * z) * a + 2 * (x * y - w * z) * b + 2 * (x * z + w * y) * c
    v = 2 * (x * y + w * z) * a + (w * w - x * x + y * y - z * z) * b + 2 * (y * z - w * x) * c
    t = 2 * (x * z - w * y) * a + 2 * (y * z + w * x) * b + (w * w - x * x - y * y + z * z) * c
    cosine = 0.0
    for axis in axes:
        cosine = max(cosine, abs(axis[0] * u + axis[1] * v + axis[2] * t))
    return min(int(cosine * RADIAL_BINS), RADIAL_BINS - 1)


@njit(cache=True)
def _away(shares, wanted):  # type: ignore[no-untyped-def]
    total, away = 0.0, 0.0
    for n in range(len(shares)):
        total += shares[n]
        away += (total - wanted[n]) ** 2
    return away / len(shares)


@njit(cache=True)
def _anneal(  # type: ignore[no-untyped-def]
    quaternions,
    unit,
    pairs,
    areas,
    starts,
    order,
    group,
    axes,
    wanted,
    radial,
    turns,
    fresh,
    chances,
    first,
    last,
):
    count, width = len(quaternions), np.pi / ANGLE_BINS
    own = np.empty(len(pairs), np.int64)
    shares, lying = np.zeros(ANGLE_BINS), np.zeros(RADIAL_BINS)
    for n in range(len(pairs)):
        angle = _angle(quaternions[pairs[n, 0]], quaternions[pairs[n, 1]], group)
        own[n] = min(int(angle / width), ANGLE_BINS - 1)
        shares[own[n]] += areas[n]
    for grain in range(count):
        lying[_radial_class(quaternions[grain], unit[grain], axes)] += 1.0 / count
    energy = _away(shares, wanted) + _away(lying, radial)
    proposed = np.empty(len(pairs), np.int64)
    quaternion = np.empty(4)
    for step in range(len(turns)):
        kind, which, other, chance = chances[step]
        grain = int(which * count)
        quaternion[:] = fresh[step]
        if kind > 0.8:
            quaternion[:] = quaternions[int(other * count)]
        elif kind > 0.4 and starts[grain + 1] > starts[grain]:
            place = starts[grain] + int(other * (starts[grain + 1] - starts[grain]))
            a, b = pairs[order[place]]
            t, q = turns[step], quaternions[b if a == grain else a]
            quaternion[0] = t[0] * q[0] - t[1] * q[1] - t[2] * q[2] - t[3] * q[3]
            quaternion[1] = t[0] * q[1] + t[1] * q[0] + t[2] * q[3] - t[3] * q[2]
            quaternion[2] = t[0] * q[2] - t[1] * q[3] + t[2] * q[0] + t[3] * q[1]
            quaternion[3] = t[0] * q[3] + t[1] * q[2] - t[2] * q[1] + t[3] * q[0]
        before = _radial_class(quaternions[grain], unit[grain], axes)
        after = _radial_class(quaternion, unit[grain], axes)
        lying[before] -= 1.0 / count
        lying[after] += 1.0 / count
        for place in range(starts[grain], starts[grain + 1]):
            contact = order[place]
            a, b = pairs[contact]
            angle = _angle(quaternion, quaternions[b if a == grain else a], group)
            proposed[contact] = min(int(angle / width), ANGLE_BINS - 1)
            shares[own[contact]] -= areas[contact]
            shares[proposed[contact]] += areas[contact]
        now = _away(shares, wanted) + _away(lying, radial)
        temperature = first * (last / first) ** (step / len(turns))
        if now - energy < -temperature * np.log(chance + 1e-300):
            energy = now
            quaternions[grain] = quaternion
            for place in range(starts[grain], starts[grain + 1]):
                own[order[place]] = proposed[order[place]]
        else:
            lying[before] += 1.0 / count
            lying[after] -= 1.0 / count
            for place in range(starts[grain], starts[grain + 1]):
                contact = order[place]
                shares[own[contact]] += areas[contact]
                shares[proposed[contact]] -= areas[contact]
    return energy
