"""Profiles: the figures that a plane section shows of grains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from skimage.measure import label as connected

from electrode_grains.errors import InputError
from electrode_grains.morphometry.edges import inclusion_weights

Floats = NDArray[np.float64]
# Half of the eight neighbours of a pixel, (y, x); the other half points the other way.
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def measure_profiles(
    labels: ArrayLike, spacing: Sequence[float], *, least_pixels: int = 10
) -> pd.DataFrame:
    """Measure the profiles of grains in a plane section.

    Parameters
    ----------
    labels : array_like of int, shape (y, x)
        Grain of each pixel, 0 where there is none.
    spacing : sequence of 2 float
        (dy, dx) in nm.
    least_pixels : int
        Smaller profiles are left out: they have no shape.

    Returns
    -------
    DataFrame
        One row per connected profile: `label`, `pixel_count`, `equivalent_diameter_nm` (of the
        circle of equal area), `perimeter_nm`, `circularity` (perimeter of that circle over that
        of the profile), `aspect_ratio` (shortest over longest axis of the ellipse of equal
        second moments), `touches_window` and `edge_weight` (inverse chance of being seen whole,
        NaN where the window cuts the profile).

    Raises
    ------
    InputError
        If the labels are no plane, or no grain is in them.

    Notes
    -----
    Perimeters by the formula of Cauchy and Crofton on four lattice directions, weighted by the
    angles nearest to each: 2 P is the integral of intersections over all lines. A second
    moment has that of its pixels, so that a row of pixels has a width.

    Examples
    --------
    >>> y, x = np.mgrid[:101, :101] - 50
    >>> disc = measure_profiles(x**2 + y**2 < 40**2, (1, 1))
    >>> disc[["equivalent_diameter_nm", "circularity", "aspect_ratio"]].round(2).values.tolist()
    [[79.89, 1.01, 1.0]]
    """
    given = np.asarray(labels)
    if given.ndim != 2 or not (given > 0).any():
        raise InputError(
            "a section is a plane of labels of grains",
            found=f"shape {given.shape}, {int((given > 0).sum())} pixels of grains",
            expected="two dimensions, 0 where there is no grain",
        )
    pieces = connected(given, background=0, connectivity=1)  # type: ignore[no-untyped-call]
    count = int(pieces.max())
    lengths = _line_lengths((float(spacing[0]), float(spacing[1])))
    perimeters = np.zeros(count + 1)
    for (dy, dx), length in zip(DIRECTIONS, lengths, strict=True):
        one, other = _pairs(pieces, dy, dx)
        apart = one != other
        for side in (one, other):
            perimeters += length * np.bincount(side[apart], minlength=count + 1)
    owner = np.zeros(count + 1, given.dtype)
    owner[pieces.ravel()] = given.ravel()
    pixels, lower, upper, axes = _moments(pieces, count, spacing)
    area = pixels * float(spacing[0] * spacing[1])
    profiles = pd.DataFrame(
        {
            "label": owner[1:].astype(np.int64),
            "pixel_count": pixels.astype(np.int64),
            "equivalent_diameter_nm": 2 * np.sqrt(area / np.pi),
            "perimeter_nm": perimeters[1:],
            "circularity": 2 * np.sqrt(np.pi * area) / perimeters[1:],
            "aspect_ratio": np.sqrt(axes[:, 0] / axes[:, 1]),
        }
    )
    weights = inclusion_weights(lower, upper, given.shape)
    profiles["touches_window"] = np.isnan(weights)
    profiles["edge_weight"] = weights
    return profiles[profiles["pixel_count"] >= least_pixels].reset_index(drop=True)


def _line_lengths(spacing: tuple[float, float]) -> Floats:
    """Length of boundary that one crossing of a lattice direction stands for, shape (4,)."""
    steps = np.array(DIRECTIONS) * np.array(spacing)
    angles = np.arctan2(steps[:, 0], steps[:, 1]) % np.pi
    order = np.argsort(angles)
    turned = angles[order]
    gaps = np.diff(np.append(turned, turned[0] + np.pi))
    width = np.empty(len(angles))
    width[order] = (gaps + np.roll(gaps, 1)) / 2
    lengths: Floats = 0.5 * width * spacing[0] * spacing[1] / np.linalg.norm(steps, axis=1)
    return lengths


def _pairs(pieces: NDArray[np.int64], dy: int, dx: int) -> tuple[NDArray[np.int64], ...]:
    """Labels at both ends of all pairs of pixels along a direction; outside the window is 0."""
    wide = np.pad(pieces, 1)
    height, width = wide.shape
    left = slice(max(0, -dx), width - max(0, dx))
    right = slice(max(0, dx), width - max(0, -dx))
    return wide[: height - dy, left].ravel(), wide[dy:, right].ravel()


def _moments(
    pieces: NDArray[np.int64], count: int, spacing: Sequence[float]
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64], Floats]:
    """Pixels, boxes (upper end excluded) and rising squared axes of each piece."""
    y, x = np.nonzero(pieces)
    own = pieces[y, x] - 1
    pixels = np.bincount(own, minlength=count).astype(float)
    lower = np.full((count, 2), max(pieces.shape), np.int64)
    upper = np.zeros((count, 2), np.int64)
    for axis, place in enumerate((y, x)):
        np.minimum.at(lower[:, axis], own, place)
        np.maximum.at(upper[:, axis], own, place + 1)
    # Places are taken from each piece's own corner, so that large images lose no digits.
    v, u = (y - lower[own, 0]) * float(spacing[0]), (x - lower[own, 1]) * float(spacing[1])

    sums = np.array([np.bincount(own, values, count) for values in (v, u, v * v, u * u, u * v)])
    middle_v, middle_u, square_v, square_u, product = sums / pixels
    spread = np.empty((count, 2, 2))
    spread[:, 0, 0] = square_v - middle_v**2 + spacing[0] ** 2 / 12
    spread[:, 1, 1] = square_u - middle_u**2 + spacing[1] ** 2 / 12
    spread[:, 0, 1] = spread[:, 1, 0] = product - middle_u * middle_v
    axes = np.linalg.eigvalsh(spread).astype(float)
    return pixels, lower, upper, axes
