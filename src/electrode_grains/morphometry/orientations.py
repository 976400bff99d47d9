"""Lattice orientations of grains, and misorientations across their contacts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from electrode_grains.compiling import njit
from electrode_grains.ebsd.orientations import (
    conjugate,
    euler_from_quaternions,
    laue_group,
    multiply,
    reduce_to_fundamental_zone,
)
from electrode_grains.ebsd.region_orientations import (
    MINIMUM_SHARE,
    WIDE,
    as_points,
    region_orientations,
)
from electrode_grains.morphometry.radial_position import axis_angles, join_reasons

Floats = NDArray[np.float64]
QUATERNION = [f"orientation_{part}" for part in "wxyz"]
UNDECIDED = "c axis undecided between pseudo-symmetric variants"
TIE = 1e-9  # halves of angles alike within it have several axes, of which one is chosen


def describe_orientations(
    labels: NDArray[Any],
    names: NDArray[Any],
    orientations: NDArray[Any],
    laue: str,
    radial: Floats,
) -> dict[str, Any]:
    """Describe the lattice of each grain.

    Parameters
    ----------
    labels : ndarray of integer, shape (z, y, x)
    names : ndarray of integer, shape (n,)
        Labels of the grains, sorted, without 0.
    orientations : ndarray of float, shape (4, z, y, x), (5, z, y, x) or (z, y, x, 4)
        Quaternions from sample to crystal, scalar first, NaN where unknown; a fifth channel
        is the confidence index, used as weight.
    laue : str
        Laue group of the phase, such as "-3m".
    radial : ndarray of float64, shape (n, 3)
        Unit vector (x, y, z) from the particle's centre to each grain.

    Returns
    -------
    dict of ndarray, shape (n,)
        `orientation_w`, `_x`, `_y`, `_z`: mean orientation in the fundamental zone;
        `bunge_phi1`, `bunge_Phi`, `bunge_phi2`: the same in rad; `grain_orientation_spread`:
        mean misorientation to the mean, in rad; `orientation_share`: weight of the points
        that agree on the mean; `c_axis_radial_angle` in [0, pi/2]; `orientation_reason`.

    Notes
    -----
    The mean is robust (see `region_orientations`): wrongly indexed points decide neither
    it nor the spread, which takes points within 0.2 rad of it. Where the lattice has several
    equivalent c-axes, the one nearest to the radial direction counts.
    """
    ranks = _ranks(labels, names)
    regions = region_orientations(ranks, orientations, laue)
    mean, share = regions.mean[1:], regions.share[1:]
    unknown = ~np.isfinite(mean).all(axis=1)
    inconsistent = ~unknown & (share < MINIMUM_SHARE)
    mean = np.where(
        (unknown | inconsistent)[:, None], np.nan, reduce_to_fundamental_zone(mean, laue)
    )
    points, trust = as_points(orientations, ranks.shape, None)
    spread = _spreads(ranks.ravel(), points, trust, mean, laue_group(laue), np.cos(WIDE / 2))
    euler = euler_from_quaternions(mean)
    return {
        **{name: mean[:, i] for i, name in enumerate(QUATERNION)},
        **{f"bunge_{name}": euler[:, i] for i, name in enumerate(("phi1", "Phi", "phi2"))},
        "grain_orientation_spread": spread,
        "orientation_share": np.where(unknown, np.nan, share),
        "c_axis_radial_angle": _c_axis_angles(mean, laue, radial),
        "orientation_reason": join_reasons(
            (unknown, "no indexed point"),
            (inconsistent, f"less than {MINIMUM_SHARE:.0%} of the points agree"),
            (np.isnan(radial).any(axis=1), "centroid at the centre of the particle"),
        ),
    }


def without_c_axes(grains: pd.DataFrame, undecided: ArrayLike) -> pd.DataFrame:
    """The grain table without c-axis angles of grains whose c axis is undecided.

    Parameters
    ----------
    grains : DataFrame
        With `label`; one without orientations is returned as it is.
    undecided : array_like of int
        Labels of the grains whose points do not agree on one of the pseudo-symmetric variants.

    Returns
    -------
    DataFrame
        `c_axis_radial_angle` is NaN there, and `orientation_reason` says why.
    """
    if "c_axis_radial_angle" not in grains:
        return grains
    uncertain = grains["label"].isin(np.asarray(undecided)).to_numpy()
    reasons = grains["orientation_reason"]
    return grains.assign(
        c_axis_radial_angle=grains["c_axis_radial_angle"].mask(uncertain),
        orientation_reason=reasons.mask(
            uncertain, reasons.where(reasons == "", reasons + "; ") + UNDECIDED
        ),
    )


def _ranks(labels: NDArray[Any], names: NDArray[Any]) -> NDArray[np.int32]:
    """Place of each voxel's label in `names`, from 1; 0 for label 0."""
    ranks = np.zeros(labels.shape, np.int32)
    sorted_names = names.astype(labels.dtype)
    for plane, out in zip(labels, ranks, strict=True):
        out[...] = np.where(plane == 0, 0, np.searchsorted(sorted_names, plane) + 1)
    return ranks


def _c_axis_angles(mean: Floats, laue: str, radial: Floats) -> Floats:
    """Angle of the c-axis to a direction in the sample, the least over equivalent axes."""
    least = np.full(len(mean), np.inf)
    for rotation in laue_group(laue):
        turned = conjugate(multiply(rotation, mean))  # from crystal to sample
        axis = multiply(multiply(turned, np.array([0.0, 0.0, 0.0, 1.0])), conjugate(turned))
        least = np.minimum(least, axis_angles(axis[:, 1:], radial))
    return least


@njit(cache=True)
def _spreads(ranks, points, trust, mean, group, cosine):  # type: ignore[no-untyped-def]
    """Weighted mean angle of the points of each grain to its mean, in memory order."""
    total, weight = np.zeros(len(mean)), np.zeros(len(mean))
    for place in range(ranks.size):
        grain = ranks[place] - 1
        if grain < 0 or not trust[place] > 0 or np.isnan(mean[grain, 0]):
            continue
        # Difference of point and mean; its scalar part under each symmetry is half the angle.
        a, b, c, d = points[place]
        e, f, g, h = mean[grain]
        w, x = a * e + b * f + c * g + d * h, -a * f + b * e - c * h + d * g
        y, z = -a * g + b * h + c * e - d * f, -a * h - b * g + c * f + d * e
        largest, best = -1.0, 0
        for k in range(len(group)):
            scalar = abs(group[k, 0] * w - group[k, 1] * x - group[k, 2] * y - group[k, 3] * z)
            if scalar > largest:
                largest, best = scalar, k
        if largest > cosine:
            p, q, r, s = group[best]
            i = p * x + q * w + r * z - s * y
            j = p * y - q * z + r * w + s * x
            k = p * z + q * y - r * x + s * w
            # The vector part keeps small angles that the scalar part would round away.
            angle = 2 * np.arctan2(np.sqrt(i * i + j * j + k * k), largest)
            total[grain] += trust[place] * angle
            weight[grain] += trust[place]
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)


def disorientations(first: ArrayLike, second: ArrayLike, laue: str) -> tuple[Floats, Floats]:
    """Smallest rotation between crystals, and its axis in their coordinates.

    Parameters
    ----------
    first, second : array_like of float, shape (n, 4)
        Orientations, scalar first.
    laue : str

    Returns
    -------
    angles : ndarray of float64, shape (n,)
        In rad; NaN where an orientation is.
    axes : ndarray of float64, shape (n, 3)
        Unit vectors in crystal coordinates, of all equivalent ones that with the largest z,
        then x, then y. NaN where the angle is 0.

    Notes
    -----
    With D = g2 g1^-1 the rotation is S D S' over all S, S' of the group, or its inverse,
    since neither crystal comes first.

    Examples
    --------
    >>> tilted = [np.cos(0.1), 0, np.sin(0.1), 0]
    >>> angles, axes = disorientations([[1, 0, 0, 0]], [tilted], "-1")
    >>> angles.round(6).tolist(), axes.round(6).tolist()
    ([0.2], [[0.0, 1.0, 0.0]])
    """
    difference = multiply(np.asarray(second, float), conjugate(first))
    return _least_rotations(difference, laue_group(laue))  # type: ignore[no-any-return]


@njit(cache=True)
def _least_rotations(difference, group):  # type: ignore[no-untyped-def]
    angles, axes = np.full(len(difference), np.nan), np.full((len(difference), 3), np.nan)
    for n in range(len(difference)):
        a, b, c, d = difference[n]
        if np.isnan(a):
            continue
        most, z1, x1, y1 = -1.0, 0.0, 0.0, 0.0
        for i in range(len(group)):
            s = group[i]
            w = s[0] * a - s[1] * b - s[2] * c - s[3] * d
            x = s[0] * b + s[1] * a + s[2] * d - s[3] * c
            y = s[0] * c - s[1] * d + s[2] * a + s[3] * b
            z = s[0] * d + s[1] * c - s[2] * b + s[3] * a
            for j in range(len(group)):
                t = group[j]
                w2 = w * t[0] - x * t[1] - y * t[2] - z * t[3]
                if abs(w2) < most - TIE:
                    continue
                x2 = w * t[1] + x * t[0] + y * t[3] - z * t[2]
                y2 = w * t[2] - x * t[3] + y * t[0] + z * t[1]
                z2 = w * t[3] + x * t[2] - y * t[1] + z * t[0]
                if abs(w2) > most + TIE:
                    most, z1, x1, y1 = abs(w2), -2.0, 0.0, 0.0
                for sign in (1.0, -1.0):
                    x3, y3, z3 = sign * x2, sign * y2, sign * z2
                    if z3 > z1 + TIE or (
                        z3 > z1 - TIE and (x3 > x1 + TIE or (x3 > x1 - TIE and y3 > y1 + TIE))
                    ):
                        z1, x1, y1 = z3, x3, y3
        length = np.sqrt(x1 * x1 + y1 * y1 + z1 * z1)
        angles[n] = 2 * np.arctan2(length, most)
        if length > TIE:
            axes[n, 0], axes[n, 1], axes[n, 2] = x1 / length, y1 / length, z1 / length
    return angles, axes


def add_misorientations(contacts: pd.DataFrame, grains: pd.DataFrame, laue: str) -> pd.DataFrame:
    """Add the misorientation across each contact between grains.

    Parameters
    ----------
    contacts : DataFrame
        As from `measure_contacts`.
    grains : DataFrame
        With `label` and the mean orientation.
    laue : str

    Returns
    -------
    DataFrame
        With `misorientation_angle` in rad, `misorientation_axis_x`, `_y`, `_z` in crystal
        coordinates (see `disorientations`), and `misorientation_reason`, '' where defined.
    """
    known = grains.set_index("label")[QUATERNION]
    first, second = (known.reindex(contacts[side]).to_numpy() for side in ("label_a", "label_b"))
    angles, axes = disorientations(first, second, laue)
    outside = (contacts["label_a"] == 0).to_numpy()
    return contacts.assign(
        misorientation_angle=angles,
        **{f"misorientation_axis_{axis}": axes[:, i] for i, axis in enumerate("xyz")},
        misorientation_reason=join_reasons(
            (outside, "label 0 is no grain"),
            (~outside & np.isnan(angles), "a grain without orientation"),
            (np.isfinite(angles) & np.isnan(axes[:, 0]), "no axis at angle 0"),
        ),
    )


def low_angle_share(contacts: pd.DataFrame, low_angle: float) -> float | None:
    """Share of the area between grains that is a low-angle boundary.

    Parameters
    ----------
    contacts : DataFrame
        With `interface_area_nm2` and `misorientation_angle`.
    low_angle : float
        In rad; boundaries below it count.

    Returns
    -------
    float or None
        In [0, 1], of the area whose misorientation is known; None where there is none.
    """
    known = contacts.loc[contacts["misorientation_angle"].notna()]
    area = known["interface_area_nm2"]
    low = area[known["misorientation_angle"] < low_angle].sum()
    return float(low / area.sum()) if len(known) else None
