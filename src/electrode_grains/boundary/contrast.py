"""Bring the image quality of a stack onto one scale that a network can read."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError, SettingsError

Drift = Literal["gain", "offset", "slice", "none"]
DRIFTS = ("gain", "offset", "slice", "none")

_REFINEMENTS = 3  # passes that leave out pixels whose content changed
_OUTLIER_DEVIATIONS = 2.0  # in median absolute deviations


def normalize_contrast(
    image_quality: NDArray[np.floating],
    *,
    drift: Drift = "gain",
    quantiles: tuple[float, float] = (0.05, 0.95),
    clip: float = 4.0,
) -> NDArray[np.float32]:
    r"""Remove the drift of brightness along the stack and scale the volume.

    Parameters
    ----------
    image_quality : NDArray of float, shape (z, y, x)
        Aligned image quality in any unit; NaN where a voxel has no source.
    drift : {"gain", "offset", "slice", "none"}
        What changes from slice to slice: a factor, a summand, or both, the last
        judged by each slice's own median and quantiles. "slice" takes a slice of
        mere background for a dark one; the first two compare pixels with those
        of the slice before and so do not.
    quantiles : (float, float)
        The grey values that are brought a distance of two apart.
    clip : float
        Values beyond plus or minus this are cut, lest a hot pixel rule a window.

    Returns
    -------
    NDArray of float32, shape (z, y, x)
        Median 0; NaN where a voxel has no source.

    Raises
    ------
    InputError
        If the volume is not three-dimensional, or holds no contrast at all.
    SettingsError
        If `drift` is unknown, or `quantiles` or `clip` are out of range.

    Notes
    -----
    With slices :math:`I_z`, the factor from one to the next is the median of
    :math:`I_{z+1}(p) / I_z(p)` over the brighter half of the common pixels p,
    after pixels whose content changed are left out; the factors multiply up
    along the stack. Their error grows like a random walk: about 0.05 noise
    deviations after 91 slices of 221 x 235 pixels.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> scene = np.repeat(rng.uniform(50, 100, (1, 20, 20)), 5, axis=0)
    >>> fading = scene * np.linspace(1, 0.5, 5)[:, None, None]
    >>> bool(np.allclose(normalize_contrast(fading), normalize_contrast(scene), atol=1e-5))
    True
    """
    volume = _checked_volume(image_quality)
    _check_settings(drift, quantiles, clip)
    if drift == "gain":
        logarithm = np.log(volume, where=volume > 0, out=np.full(volume.shape, np.nan))
        volume = volume / np.exp(_drift(logarithm))[:, None, None]
    elif drift == "offset":
        volume = volume - _drift(volume)[:, None, None]
    whole = _center_and_scale(volume[np.isfinite(volume)], quantiles)
    if whole is None:
        raise InputError(
            "the image quality volume holds no contrast",
            found=f"equal quantiles {quantiles} over {np.isfinite(volume).sum()} finite voxels",
            expected="at least two different grey values",
        )
    result = np.empty(volume.shape, dtype=np.float32)
    for z, image in enumerate(volume):
        own = _center_and_scale(image[np.isfinite(image)], quantiles) if drift == "slice" else None
        center, scale = own or whole
        result[z] = np.clip((image - center) / scale, -clip, clip)
    return result


def standardize_channel(
    values: NDArray[np.floating], measured: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Bring a further channel, such as the confidence index, to mean 0 and deviation 1.

    Parameters
    ----------
    values : NDArray of float, shape (z, y, x)
        In any unit; NaN where a point was not indexed, which counts as 0 before the scaling.
    measured : NDArray of bool, shape (z, y, x), optional
        Voxels that have a source; all by default.

    Returns
    -------
    NDArray of float32, shape (z, y, x)
        NaN where nothing was measured. Zeros where all values are equal.

    Examples
    --------
    >>> standardize_channel(np.array([[[1.0, 3.0], [1.0, 3.0]]])).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    filled = np.where(np.isfinite(values), values, 0.0)
    known = filled if measured is None else filled[measured]
    spread = known.std() if known.size else 0.0
    scaled = (filled - known.mean()) / spread if spread > 0 else np.zeros_like(filled)
    return (scaled if measured is None else np.where(measured, scaled, np.nan)).astype(np.float32)


def _drift(volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """Robust level of each slice relative to the first, from slice to slice."""
    steps = np.zeros(len(volume))
    before = volume[0]
    for z in range(1, len(volume)):
        after = volume[z]
        if not np.isfinite(after).any():
            continue  # an empty slice: the next one is compared with the one before it
        common = np.isfinite(before) & np.isfinite(after)
        if common.any():
            total = before[common] + after[common]
            # Chosen by the sum of both slices, so that neither is favoured.
            bright = total >= np.median(total)
            steps[z] = _central_value((after - before)[common][bright])
        before = after
    return np.cumsum(steps)


def _central_value(values: NDArray[np.float64]) -> float:
    """Median, repeated without the values far from it."""
    center = float(np.median(values))
    for _ in range(_REFINEMENTS):
        distance = np.abs(values - center)
        near = distance <= _OUTLIER_DEVIATIONS * np.median(distance)
        center = float(np.median(values[near]))
    return center


def _center_and_scale(
    values: NDArray[np.float64], quantiles: tuple[float, float]
) -> tuple[float, float] | None:
    """Median and half the distance of the quantiles; None without contrast."""
    if values.size == 0:
        return None
    low, center, high = np.quantile(values, [quantiles[0], 0.5, quantiles[1]])
    return (float(center), float(high - low) / 2) if high > low else None


def _checked_volume(image_quality: NDArray[np.floating]) -> NDArray[np.float64]:
    volume = np.asarray(image_quality, dtype=np.float64)
    if volume.ndim != 3 or volume.size == 0:
        raise InputError(
            "contrast is normalised over a volume",
            found=f"an array of shape {volume.shape}",
            expected="three axes (z, y, x) without an empty one",
        )
    return np.where(np.isfinite(volume), volume, np.nan)


def _check_settings(drift: str, quantiles: tuple[float, float], clip: float) -> None:
    if drift not in DRIFTS:
        raise SettingsError(
            "unknown kind of brightness drift", found=repr(drift), expected=" or ".join(DRIFTS)
        )
    if not 0 <= quantiles[0] < quantiles[1] <= 1:
        raise SettingsError(
            "quantiles of the contrast are out of order",
            found=str(quantiles),
            expected="0 <= low < high <= 1",
        )
    if not clip > 0:
        raise SettingsError("clip of the contrast", found=str(clip), expected="a positive number")
