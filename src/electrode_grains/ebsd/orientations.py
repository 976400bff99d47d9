"""Crystal orientations: quaternions, symmetry, misorientation, colours.

Quaternions are scalar first, (w, x, y, z), in the last axis of an array. An orientation g
turns sample coordinates into crystal coordinates (Bunge), so symmetry acts from the left:
S g is the same crystal for every rotation S of its Laue group.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from electrode_grains.crystal import LAUE_GROUPS as LAUE_GROUPS
from electrode_grains.crystal import LaueGroup as LaueGroup
from electrode_grains.crystal import check_laue_group

Quaternions = NDArray[np.float64]

# Proper rotations of each Laue group, by the point group that scipy knows.
_ROTATION_GROUPS: dict[LaueGroup, str] = {
    "-1": "C1",
    "2/m": "C2",
    "mmm": "D2",
    "-3": "C3",
    "-3m": "D3",
    "4/m": "C4",
    "4/mmm": "D4",
    "6/m": "C6",
    "6/mmm": "D6",
    "m-3": "T",
    "m-3m": "O",
}


def _standard(quaternions: Quaternions) -> Quaternions:
    """Choose the sign that makes the scalar part non-negative."""
    return np.where(quaternions[..., :1] < 0, -quaternions, quaternions)


@cache
def _group(name: str) -> tuple[tuple[float, ...], ...]:
    rotations = Rotation.create_group(_ROTATION_GROUPS[check_laue_group(name)])
    quaternions = _standard(rotations.as_quat(scalar_first=True))
    return tuple(tuple(map(float, row)) for row in quaternions)


def laue_group(name: str) -> Quaternions:
    """Proper rotations of a Laue group.

    Parameters
    ----------
    name : str
        Such as "-3m" for NMC (space group R-3m) or "m-3m" for cubic metals.

    Returns
    -------
    ndarray of float64, shape (n, 4)
        Quaternions; the highest axis is along z.

    Raises
    ------
    SettingsError
        If the group is not known.

    Examples
    --------
    >>> len(laue_group("-3m")), len(laue_group("m-3m"))
    (6, 24)
    """
    return np.array(_group(name))


def multiply(first: ArrayLike, second: ArrayLike) -> Quaternions:
    """Hamilton product of two arrays of quaternions, broadcast over the leading axes."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    w1, x1, y1, z1 = np.moveaxis(a, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        axis=-1,
    )


def conjugate(quaternions: ArrayLike) -> Quaternions:
    """Inverse of unit quaternions."""
    inverse: Quaternions = np.asarray(quaternions, float) * np.array([1.0, -1.0, -1.0, -1.0])
    return inverse


def turn(direction: ArrayLike, rotations: ArrayLike) -> NDArray[np.float64]:
    """What a direction (x, y, z) becomes by rotations, shape (..., 4); shape (..., 3)."""
    pure = np.pad(np.asarray(direction, float), (1, 0))
    turned = multiply(multiply(rotations, pure), conjugate(rotations))
    return turned[..., 1:]


def quaternions_from_euler(euler: ArrayLike) -> Quaternions:
    """Turn Bunge angles into quaternions.

    Parameters
    ----------
    euler : array_like of float, shape (..., 3)
        phi1, Phi, phi2 in radians.

    Returns
    -------
    ndarray of float64, shape (..., 4)
        Unit quaternions of the passive rotation from sample to crystal coordinates.

    Notes
    -----
    The passive Bunge rotation is the inverse of the active rotation about z, x', z'' by
    phi1, Phi, phi2.

    Examples
    --------
    >>> quaternions_from_euler([0.0, 0.0, 0.0]).tolist()
    [1.0, -0.0, -0.0, -0.0]
    """
    phi1, phi, phi2 = np.moveaxis(np.asarray(euler, float), -1, 0)
    cosine, sine = np.cos(phi / 2), np.sin(phi / 2)
    plus, minus = (phi1 + phi2) / 2, (phi1 - phi2) / 2
    quaternions = np.stack(
        [
            cosine * np.cos(plus),
            -sine * np.cos(minus),
            -sine * np.sin(minus),
            -cosine * np.sin(plus),
        ],
        axis=-1,
    )
    return _standard(quaternions)


def euler_from_quaternions(quaternions: ArrayLike) -> NDArray[np.float64]:
    """Turn quaternions into Bunge angles, phi1 and phi2 in [0, 2 pi), Phi in [0, pi].

    Parameters
    ----------
    quaternions : array_like of float, shape (..., 4)

    Returns
    -------
    ndarray of float64, shape (..., 3)
        Radians. Where Phi is 0 or pi only a combination of phi1 and phi2 is defined; phi2
        is 0 there.
    """
    w, x, y, z = np.moveaxis(np.asarray(quaternions, float), -1, 0)
    cosine, sine = np.hypot(w, z), np.hypot(x, y)
    phi = 2 * np.arctan2(sine, cosine)
    plus = np.arctan2(-z, w)  # (phi1 + phi2) / 2
    minus = np.arctan2(-y, -x)  # (phi1 - phi2) / 2
    tiny = 1e-9
    plus = np.where(cosine < tiny, minus, plus)
    minus = np.where(sine < tiny, plus, minus)
    angles = np.stack([(plus + minus) % (2 * np.pi), phi, (plus - minus) % (2 * np.pi)], axis=-1)
    return angles


def random_orientations(count: int, rng: np.random.Generator) -> Quaternions:
    """Draw orientations uniformly from all rotations."""
    drawn = rng.standard_normal((count, 4))
    return _standard(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True))


def radial_orientations(
    radii: NDArray[np.float64], share: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Random orientations; a share of them has the c axis along the radius.

    Parameters
    ----------
    radii : ndarray of float64, shape (n, 3)
        From a centre to each grain (x, y, z), of any length.
    share : float
        Of the grains, each drawn by itself.
    rng : Generator

    Returns
    -------
    ndarray of float64, shape (n, 4)
        Unit quaternions from sample to crystal.
    """
    drawn = random_orientations(len(radii), rng)
    unit = radii / np.maximum(np.linalg.norm(radii, axis=1, keepdims=True), 1e-9)
    # The shortest rotation that takes the radius to z, then a turn about z.
    to_z = np.column_stack([1 + unit[:, 2], unit[:, 1], -unit[:, 0], np.zeros(len(unit))])
    to_z[~to_z.any(axis=1)] = [0, 1, 0, 0]  # along -z
    to_z /= np.linalg.norm(to_z, axis=1, keepdims=True)
    half = rng.uniform(0, np.pi, len(unit))
    about_z = np.column_stack([np.cos(half), np.zeros((len(half), 2)), np.sin(half)])
    radial = rng.random(len(unit)) < share
    return np.where(radial[:, None], multiply(about_z, to_z), drawn)


def reduce_to_fundamental_zone(quaternions: ArrayLike, laue: ArrayLike | str) -> Quaternions:
    """Replace each orientation by the equivalent one of the smallest rotation angle.

    Parameters
    ----------
    quaternions : array_like of float, shape (..., 4)
    laue : str or array_like, shape (n, 4)
        Laue group, by name or by its rotations.

    Returns
    -------
    ndarray of float64, shape (..., 4)
        Scalar part non-negative and as large as the symmetry allows.
    """
    given = np.asarray(quaternions, float)
    best = _standard(given)
    for rotation in _rotations(laue):
        candidate = _standard(multiply(rotation, given))
        better = candidate[..., 0] > best[..., 0] + 1e-12
        best = np.where(better[..., None], candidate, best)
    return best


def _rotations(laue: ArrayLike | str) -> Quaternions:
    return laue_group(laue) if isinstance(laue, str) else np.asarray(laue, float)


def misorientation_angle(
    first: ArrayLike, second: ArrayLike, laue: ArrayLike | str
) -> NDArray[np.float64]:
    """Smallest rotation angle between two crystals, over all equivalent orientations.

    Parameters
    ----------
    first, second : array_like of float, shape (..., 4)
        Orientations, broadcast against each other.
    laue : str or array_like, shape (n, 4)
        Laue group of the phase.

    Returns
    -------
    ndarray of float64, shape (...)
        Radians; NaN where either orientation is.

    Notes
    -----
    With g1 and g2 the angle is the least over S of that of S g1 g2^-1, since both sides
    carry the same group and conjugation leaves the angle alone.

    Examples
    --------
    >>> third = [np.cos(np.pi / 3), 0, 0, np.sin(np.pi / 3)]  # 120 degrees about the c axis
    >>> bool(misorientation_angle([1, 0, 0, 0], third, "-3m") < 1e-6)
    True
    """
    difference = multiply(np.asarray(first, float), conjugate(second))
    w, x, y, z = np.moveaxis(difference, -1, 0)
    largest = np.zeros(np.shape(w))
    for s0, s1, s2, s3 in _rotations(laue):
        np.maximum(largest, np.abs(s0 * w - s1 * x - s2 * y - s3 * z), out=largest)
    angle: NDArray[np.float64] = 2 * np.arccos(np.minimum(largest, 1.0))
    return np.where(np.isnan(w), np.nan, angle)


def neighbour_misorientation(orientations: ArrayLike, laue: ArrayLike | str) -> NDArray[np.float32]:
    """Largest misorientation of a voxel to its direct neighbours.

    Parameters
    ----------
    orientations : array_like of float, shape (z, y, x, 4) or (y, x, 4)
    laue : str or array_like

    Returns
    -------
    ndarray of float32, shape (z, y, x) or (y, x)
        Radians; 0 where no neighbour is indexed, NaN where the voxel itself is not.
    """
    field = np.asarray(orientations, float)
    largest = np.zeros(field.shape[:-1], np.float32)
    for axis in range(field.ndim - 1):
        low = (slice(None),) * axis + (slice(None, -1),)
        high = (slice(None),) * axis + (slice(1, None),)
        angle = misorientation_angle(field[low], field[high], laue).astype(np.float32)
        np.fmax(largest[low], angle, out=largest[low])
        np.fmax(largest[high], angle, out=largest[high])
    largest[np.isnan(field[..., 0])] = np.nan
    return largest


def kernel_average_misorientation(
    orientations: ArrayLike, laue: ArrayLike | str, threshold: float = np.radians(5.0)
) -> NDArray[np.float32]:
    """Mean misorientation to the direct neighbours of the same grain.

    Parameters
    ----------
    orientations : array_like of float, shape (z, y, x, 4) or (y, x, 4)
    laue : str or array_like
    threshold : float
        Neighbours misoriented beyond it, in radians, belong to another grain.

    Returns
    -------
    ndarray of float32, shape (z, y, x) or (y, x)
        Radians; NaN where there is no such neighbour.
    """
    field = np.asarray(orientations, float)
    total = np.zeros(field.shape[:-1])
    count = np.zeros(field.shape[:-1])
    for axis in range(field.ndim - 1):
        low = (slice(None),) * axis + (slice(None, -1),)
        high = (slice(None),) * axis + (slice(1, None),)
        angle = misorientation_angle(field[low], field[high], laue)
        near = angle < threshold
        for side in (low, high):
            total[side] += np.where(near, angle, 0.0)
            count[side] += near
    with np.errstate(invalid="ignore"):
        return (total / np.where(count > 0, count, np.nan)).astype(np.float32)


def mean_orientation(
    quaternions: ArrayLike, laue: ArrayLike | str, weights: ArrayLike | None = None
) -> Quaternions:
    """Mean of orientations of one grain.

    Parameters
    ----------
    quaternions : array_like of float, shape (n, 4)
        Orientations; those that are NaN are left out.
    laue : str or array_like
    weights : array_like of float, shape (n,), optional
        Trust in each, such as the confidence index.

    Returns
    -------
    ndarray of float64, shape (4,)
        Mean in the fundamental zone; NaN where there is nothing to average.

    Notes
    -----
    Every orientation is replaced by its equivalent nearest to a reference; the mean is the
    first eigenvector of the sum of q q^T. The reference is the medoid of up to 64
    orientations, so that wrongly indexed points do not decide it.
    """
    given = np.asarray(quaternions, float)
    trust = np.ones(len(given)) if weights is None else np.asarray(weights, float)
    valid = np.isfinite(given).all(axis=1) & np.isfinite(trust) & (trust > 0)
    given, trust = given[valid], trust[valid]
    if len(given) == 0:
        return np.full(4, np.nan)
    few = np.unique(np.linspace(0, len(given) - 1, min(64, len(given))).astype(int))
    apart = misorientation_angle(given[few, None], given[None, few], laue)
    reference = given[few[np.argmin((np.minimum(apart, 0.2) * trust[few]).sum(axis=1))]]
    near = misorientation_angle(given, reference, laue) < 0.2
    nearest = _nearest_equivalent(given[near], reference, laue)
    scatter = np.einsum("n,ni,nj->ij", trust[near], nearest, nearest)
    mean = np.linalg.eigh(scatter)[1][:, -1]
    return reduce_to_fundamental_zone(mean, laue)


def _nearest_equivalent(
    quaternions: Quaternions, reference: Quaternions, laue: ArrayLike | str
) -> Quaternions:
    equivalent = multiply(_rotations(laue)[:, None], quaternions[None])
    overlap = equivalent @ reference
    chosen = np.abs(overlap).argmax(axis=0)
    column = np.arange(len(quaternions))
    signs = np.sign(overlap[chosen, column])[:, None]
    nearest: Quaternions = equivalent[chosen, column] * signs
    return nearest


def ipf_colors(
    quaternions: ArrayLike, laue: ArrayLike | str, direction: Sequence[float] = (0.0, 0.0, 1.0)
) -> NDArray[np.float64]:
    """Colours of an inverse pole figure.

    Parameters
    ----------
    quaternions : array_like of float, shape (..., 4)
    laue : str or array_like
        Laue group.
    direction : sequence of 3 float
        Direction in the sample, (x, y, z).

    Returns
    -------
    ndarray of float64, shape (..., 3)
        Red, green, blue in [0, 1]; black where an orientation is NaN. The direction in
        crystal coordinates goes to red at the highest symmetry axis; green and blue mark
        the azimuth around it.

    Notes
    -----
    A direction and its opposite are one, since a Laue group holds the inversion. The azimuth
    is taken over one sector of the upper hemisphere, with the mirror across the twofold axis
    x as its edge, so that equivalent orientations have equal colours; groups without mirrors
    (-3, 4/m, 6/m) get the colours of the group that adds them. In -3m the colour jumps on the
    equator itself, where directions 60 degrees apart are the same. For cubic crystals the
    three axes sorted by size serve instead: red for <001>, green for <011>, blue for <111>.
    """
    given = np.asarray(quaternions, float)
    rotations = _rotations(laue)
    unit = np.asarray(direction, float) / np.linalg.norm(direction)
    pole = turn(unit, given)
    if _is_cubic(rotations):
        colors = _cubic_colors(pole)
    else:  # turns about z, the one by 0 among them
        colors = _axial_colors(pole, int((np.hypot(*rotations[:, 1:3].T) < 1e-9).sum()))
    shown: NDArray[np.float64] = np.nan_to_num(colors / colors.max(axis=-1, keepdims=True))
    return shown


def _is_cubic(rotations: Quaternions) -> bool:
    diagonal = np.array([0.5, 0.5, 0.5, 0.5])
    return bool(np.any(np.abs(rotations @ diagonal) > 1 - 1e-9))


def _cubic_colors(pole: NDArray[np.float64]) -> NDArray[np.float64]:
    small, middle, large = np.moveaxis(np.sort(np.abs(pole), axis=-1), -1, 0)
    return np.stack([large - middle, (middle - small) * np.sqrt(2), small * np.sqrt(3)], axis=-1)


def _axial_colors(pole: NDArray[np.float64], fold: int) -> NDArray[np.float64]:
    polar = np.arccos(np.minimum(np.abs(pole[..., 2]), 1)) / (np.pi / 2)
    upper = np.where(pole[..., 2:] < 0, -pole, pole)
    # Inversion times the twofold axis x is the mirror x -> -x: angles count from its plane.
    azimuth = np.arctan2(upper[..., 1], upper[..., 0]) - np.pi / 2
    sector = 2 * np.pi / fold
    within = np.abs((azimuth % sector) / sector * 2 - 1)  # 0 in the middle, 1 at both edges
    return np.stack([1 - polar, polar * (1 - within), polar * within], axis=-1)
