"""Slices that a person should label: spread over the stack, of high boundary density."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, grey_closing

from electrode_grains.errors import InputError, SettingsError

SMOOTHING_PX = 0.7
FOOTPRINT_PX = 5  # wider than a boundary, narrower than a grain


def slice_information(
    image_quality: NDArray[np.floating], class_probability: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """How much a person would tell the network by labelling each slice.

    Parameters
    ----------
    image_quality : ndarray of float, shape (z, y, x)
        NaN where nothing was scanned.
    class_probability : ndarray of float, shape (channel, z, y, x), optional
        Prediction of an earlier network.

    Returns
    -------
    ndarray of float64, shape (z,)
        With a prediction, its mean entropy in nats a point: what the network is unsure of.
        Without, how much darker than their surroundings points are (a closing by 5 points
        less the image, smoothed by 0.7 points), averaged over the slice, in units of the
        interquartile range of the stack: thin dark lines are grain boundaries.

    Raises
    ------
    InputError
        If the stack is no volume, or the prediction covers another one.

    Examples
    --------
    >>> stack = np.ones((2, 9, 9))
    >>> stack[1, 4] = 0  # a dark line
    >>> information = slice_information(stack)
    >>> bool(information[1] > information[0])
    True
    """
    if image_quality.ndim != 3 or not image_quality.size:
        raise InputError(
            "slices are proposed from a volume",
            found=f"shape {image_quality.shape}",
            expected="(z, y, x)",
        )
    if class_probability is not None:
        if class_probability.shape[1:] != image_quality.shape:
            raise InputError(
                "the prediction does not cover the stack",
                found=f"shape {class_probability.shape[1:]}",
                expected=f"{image_quality.shape}",
            )
        known = np.maximum(class_probability, 1e-12)
        entropy: NDArray[np.float64] = -(known * np.log(known)).sum(axis=0).mean(axis=(1, 2))
        return entropy
    known = np.isfinite(image_quality)
    if not known.any():
        raise InputError("no point of the stack has an image quality")
    low, middle, high = np.percentile(image_quality[known], [25, 50, 75])
    scale = float(high - low) or 1.0
    filled = np.where(known, image_quality, middle).astype(float)
    information = np.empty(len(filled))
    for z, plane in enumerate(filled):
        smooth = gaussian_filter(plane, SMOOTHING_PX)
        darker = grey_closing(smooth, size=(FOOTPRINT_PX, FOOTPRINT_PX)) - smooth
        information[z] = darker[known[z]].sum() / plane.size / scale
    return information


def propose_slices(
    information: NDArray[np.floating],
    count: int,
    annotated: Collection[int] = (),
    avoided: Collection[int] = (),
) -> list[int]:
    """Choose slices to label.

    Parameters
    ----------
    information : ndarray of float, shape (z,)
        See `slice_information`.
    count : int
        Slices wanted.
    annotated : collection of int
        Slices that are labelled already.
    avoided : collection of int
        Slices that are no good, such as those that alignment flagged.

    Returns
    -------
    list of int
        Slice indices in rising order; fewer than wanted where the stack has no more.

    Raises
    ------
    SettingsError
        If `count` is not positive.

    Notes
    -----
    Spread comes first, information second. The stack is divided into as many bands of equal
    depth as there are labelled and wanted slices together. Of each band that holds no labelled
    slice, the middle half competes (all of it, where that is empty), so that two proposals are
    never closer than half a band; the slice with the most information wins, the first among
    equals. If more bands than wanted slices are free, those with the richest winners count.

    Examples
    --------
    >>> information = np.array([0, 0, 1, 2, 0, 0, 0, 5, 0, 3, 0, 0.])
    >>> propose_slices(information, 2)
    [3, 7]
    >>> propose_slices(information, 1, annotated=[7])
    [3]
    """
    if count < 1:
        raise SettingsError(
            "at least one slice must be wanted", found=f"count = {count}", expected="1 or more"
        )
    depth = len(information)
    edges = np.linspace(0, depth, min(depth, count + len(set(annotated))) + 1)
    excluded = {*annotated, *avoided}
    winners = []
    for begin, end in pairwise(edges):
        band = [z for z in range(depth) if begin <= z + 0.5 < end]
        if any(z in annotated for z in band):
            continue
        free = [z for z in band if z not in excluded]
        quarter = (end - begin) / 4
        middle = [z for z in free if begin + quarter <= z + 0.5 <= end - quarter]
        if free:
            winners.append(max(middle or free, key=lambda z: (information[z], -z)))
    richest = sorted(winners, key=lambda z: (-information[z], z))[:count]
    return sorted(richest)
