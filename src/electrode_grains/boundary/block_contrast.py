"""The contrast of a volume larger than memory, equal to that of the volume in core bit for bit.

Slices tell the drift one after another. Quantiles are found exactly by histograms of the bits of
the values, and means by the tree of partial sums that numpy builds; so nothing but a block or a
slab of slices is held, and the results do not depend on their size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains.blocks import BlockExecutor, BlockSource, Box, divide
from electrode_grains.blocks.boxes import shape_of
from electrode_grains.boundary.contrast import _drift  # its steps, by the same arithmetic
from electrode_grains.errors import InputError

QUANTILES = (0.05, 0.95)  # of `normalize_contrast`, as is the next
CLIP = 4.0
DIGITS = 12  # bits of a value that one reading of the volume decides
LEAF = 1 << 20  # values that are summed at once
# Voxels of a slab, which is held as it is stored, for one of a block, on which more is computed.
SLAB_VOXELS = 6
CHUNK = 64  # slices that a file holds together, and that are best read together

Planes = tuple[int, int]


@dataclass(frozen=True)
class ContrastScale:
    """What `normalize_contrast` takes from the whole of a volume.

    Attributes
    ----------
    gain : NDArray of float64, shape (z,)
        Brightness of each slice by that of the first.
    center, scale : float
        Median, and half the distance of the quantiles, of what is divided by the gain.
    """

    gain: NDArray[np.float64]
    center: float
    scale: float

    def apply(self, values: NDArray[np.floating[Any]], first: int) -> NDArray[np.float32]:
        """Normalised contrast of slices from the first on; NaN where a voxel has no source."""
        even = _even(values, self.gain[first : first + len(values), None, None])
        return np.clip((even - self.center) / self.scale, -CLIP, CLIP).astype(np.float32)


@dataclass(frozen=True)
class ChannelScale:
    """What `standardize_channel` takes from the whole of a volume.

    Attributes
    ----------
    mean, spread : float
        Of the voxels that have a source, where those without a value count as 0.
    is_known : bool
        Whether any of them has a value.
    """

    mean: float
    spread: float
    is_known: bool

    def apply(
        self, values: NDArray[np.floating[Any]], measured: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Standardised values; NaN where nothing was measured."""
        filled = np.where(np.isfinite(values), values, 0.0)
        scaled = (filled - self.mean) / self.spread if self.spread > 0 else np.zeros_like(filled)
        return np.where(measured, scaled, np.nan).astype(np.float32)


def planes_of(shape: tuple[int, ...], voxels: int) -> list[Planes]:
    """Slabs of whole slices of at most so many voxels, but of one slice at least.

    Examples
    --------
    >>> planes_of((5, 10, 10), 200), planes_of((2, 10, 10), 1)
    ([(0, 2), (2, 4), (4, 5)], [(0, 1), (1, 2)])
    """
    depth = int(shape[0])
    thickness = max(1, voxels // int(shape[1] * shape[2]))
    if thickness > CHUNK:
        thickness -= thickness % CHUNK
    return [(start, min(start + thickness, depth)) for start in range(0, depth, thickness)]


def scale_contrast(
    image_quality: BlockSource, *, executor: BlockExecutor, block_edge: int
) -> ContrastScale:
    """Find what `normalize_contrast` would of the whole volume.

    Parameters
    ----------
    image_quality : BlockSource of float, shape (z, y, x)
        Aligned; NaN where a voxel has no source. May be larger than memory.
    executor : BlockExecutor
        Gets blocks, and slabs of whole slices.
    block_edge : int
        Voxels of a block along each axis. The result does not depend on it.

    Returns
    -------
    ContrastScale

    Raises
    ------
    InputError
        If the volume holds no contrast at all.

    Examples
    --------
    >>> from electrode_grains.blocks import SerialExecutor
    >>> from electrode_grains.boundary import normalize_contrast
    >>> volume = np.random.default_rng(1).uniform(1, 2, (4, 8, 8))
    >>> scale = scale_contrast(volume, executor=SerialExecutor(), block_edge=5)
    >>> bool((scale.apply(volume, 0) == normalize_contrast(volume)).all())
    True
    """
    slabs = planes_of(image_quality.shape, SLAB_VOXELS * block_edge**3)
    steps = executor.map(drift_steps, ((image_quality, slab) for slab in slabs))
    gain = np.exp(np.cumsum(np.concatenate(list(steps))))
    boxes = divide(shape_of(image_quality), block_edge)

    def count(prefixes: NDArray[np.uint64], decided: int) -> NDArray[np.int64]:
        parts = executor.map(
            count_digits, ((image_quality, box, gain[box[0]], prefixes, decided) for box in boxes)
        )
        return sum(parts, np.zeros((len(prefixes), 1 << DIGITS), np.int64))

    found = exact_quantiles((QUANTILES[0], 0.5, QUANTILES[1]), count)
    if found is None or not found[2] > found[0]:
        raise InputError(
            "the image quality volume holds no contrast",
            found=f"equal quantiles {QUANTILES}",
            expected="at least two different grey values",
        )
    low, center, high = found
    return ContrastScale(gain, center, (high - low) / 2)


def scale_channel(
    values: BlockSource, image_quality: BlockSource, *, executor: BlockExecutor, block_edge: int
) -> ChannelScale:
    """Find what `standardize_channel` would of the whole volume.

    Parameters
    ----------
    values : BlockSource of float, shape (z, y, x)
    image_quality : BlockSource of float, shape (z, y, x)
        NaN where nothing was measured.
    executor, block_edge
        As in `scale_contrast`; the sums are one task, since their order counts.

    Returns
    -------
    ChannelScale
    """
    (found,) = executor.map(moments, [(values, image_quality, SLAB_VOXELS * block_edge**3)])
    return found


def drift_steps(image_quality: BlockSource, slab: Planes) -> NDArray[np.float64]:
    """Logarithm of the gain of each slice by that of the last one before it that holds anything."""
    start, stop = slab
    planes = _planes(image_quality, slab)
    before = _logarithm(planes[0])
    for z in range(start - 1, -1, -1):
        before = _logarithm(_planes(image_quality, (z, z + 1))[0])
        if np.isfinite(before).any():
            break
    steps = np.zeros(stop - start)
    for place, plane in enumerate(planes):
        after = _logarithm(plane)
        if start + place > 0:
            steps[place] = _drift(np.stack([before, after]))[1]
        if start + place == 0 or np.isfinite(after).any():
            before = after
    return steps


def count_digits(
    image_quality: BlockSource,
    box: Box,
    gain: NDArray[np.float64],
    prefixes: NDArray[np.uint64],
    decided: int,
) -> NDArray[np.int64]:
    """Count the next bits, twelve at most, of the values of a block that begin with given bits.

    Parameters
    ----------
    image_quality : BlockSource
    box : (slice, slice, slice)
    gain : NDArray of float64
        Of its slices.
    prefixes : NDArray of uint64, shape (n,)
        First bits of values, see `ordered_bits`.
    decided : int
        Number of these bits.

    Returns
    -------
    NDArray of int64, shape (n, 4096)
    """
    counts = np.zeros((len(prefixes), 1 << DIGITS), np.int64)
    for plane, own_gain in zip(np.asarray(image_quality[box]), gain, strict=True):
        even = _even(plane, own_gain)
        bits = ordered_bits(even[np.isfinite(even)])
        digits = (bits << np.uint64(decided)) >> np.uint64(64 - _digits(decided))
        for prefix, own in zip(prefixes, counts, strict=True):
            chosen = digits if not decided else digits[bits >> np.uint64(64 - decided) == prefix]
            own += np.bincount(chosen.astype(np.int64), minlength=1 << DIGITS)
    return counts


def exact_quantiles(
    quantiles: tuple[float, ...],
    count: Callable[[NDArray[np.uint64], int], NDArray[np.int64]],
) -> tuple[float, ...] | None:
    """Quantiles of values that are only ever counted, as `numpy.quantile` gives them.

    Parameters
    ----------
    quantiles : tuple of float
    count : callable
        Given prefixes and their number of bits, counts the values by their next bits, twelve at
        most.

    Returns
    -------
    tuple of float, or None
        None where there is no value.
    """
    first = count(np.zeros(1, np.uint64), 0)
    total = int(first.sum())
    if total == 0:
        return None
    places = np.asarray(quantiles) * (total - 1)  # numpy's "linear"
    below = np.floor(places).astype(np.int64)
    ranks = np.concatenate([below, np.minimum(below + 1, total - 1)])
    found = np.zeros(len(ranks), np.uint64)
    rest = ranks.copy()
    for decided in range(0, 64, DIGITS):
        prefixes, own = np.unique(found, return_inverse=True)
        counts = first if decided == 0 else count(prefixes, decided)
        for place, row in enumerate(own):
            until = np.cumsum(counts[row])
            digit = int(np.searchsorted(until, rest[place], side="right"))
            rest[place] -= until[digit - 1] if digit else 0
            found[place] = (found[place] << np.uint64(_digits(decided))) | np.uint64(digit)
    low, high = np.split(_values(found), 2)
    weight = places - below
    # Numpy's interpolation, which comes from the nearer side.
    between = np.where(
        weight < 0.5, low + (high - low) * weight, high - (high - low) * (1 - weight)
    )
    return tuple(float(value) for value in between)


def _digits(decided: int) -> int:
    return min(DIGITS, 64 - decided)


def ordered_bits(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Whole numbers in the order of the values.

    Examples
    --------
    >>> np.diff(ordered_bits(np.array([-2.0, -1.0, 0.0, 1e-300, 3.0])).astype(float)) > 0
    array([ True,  True,  True,  True])
    """
    bits = np.ascontiguousarray(values, np.float64).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def _values(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, bits ^ sign, ~bits).view(np.float64)


def moments(values: BlockSource, image_quality: BlockSource, voxels: int) -> ChannelScale:
    """Mean and deviation of the measured voxels of a volume that is read slab by slab."""
    slabs = planes_of(shape_of(values), voxels)
    count, is_known = 0, False
    for slab in slabs:
        measured = np.isfinite(_planes(image_quality, slab))
        count += int(np.count_nonzero(measured))
        is_known = is_known or bool((np.isfinite(_planes(values, slab)) & measured).any())
    if count == 0:
        return ChannelScale(0.0, 0.0, is_known=False)
    kind = values.dtype.type

    def known() -> Iterator[NDArray[Any]]:
        for slab in slabs:
            part = _planes(values, slab)
            filled = np.where(np.isfinite(part), part, 0.0)
            yield filled[np.isfinite(_planes(image_quality, slab))]

    # Rounded where numpy's mean and std round.
    mean = kind(np.float64(streamed_sum(known(), count)) / count)
    squares = (np.square(part - mean) for part in known())
    spread = np.sqrt(kind(np.float64(streamed_sum(squares, count)) / count))
    return ChannelScale(float(mean), float(spread), is_known)


def streamed_sum(parts: Iterable[NDArray[Any]], count: int) -> np.floating[Any]:
    """Sum of arrays end to end, with the rounding of `numpy.sum` over all at once.

    Parameters
    ----------
    parts : iterable of NDArray of float, shape (n,)
    count : int
        Values in all, 1 at least.

    Notes
    -----
    Numpy halves what it sums, at multiples of eight, and adds up the sums of both halves.

    Examples
    --------
    >>> values = np.random.default_rng(1).random(5_000_000, np.float32)
    >>> bool(streamed_sum(np.array_split(values, 7), values.size) == values.sum())
    True
    """
    arrays = iter(parts)
    waiting = np.zeros(0)

    def take(number: int) -> NDArray[Any]:
        nonlocal waiting
        have, held = [waiting], len(waiting)
        while held < number:
            have.append(next(arrays))
            held += len(have[-1])
        joined = np.concatenate([part for part in have if len(part)])
        waiting = joined[number:]
        return joined[:number]

    def total(number: int) -> Any:
        if number <= LEAF:
            return np.add.reduce(take(number))
        half = number // 2
        half -= half % 8
        first = total(half)
        return first + total(number - half)

    result: np.floating[Any] = total(count)
    return result


def _planes(source: BlockSource, slab: Planes) -> NDArray[Any]:
    _, height, width = shape_of(source)
    box: Box = (slice(*slab), slice(0, height), slice(0, width))
    return np.asarray(source[box])


def _logarithm(image_quality: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    values = image_quality.astype(np.float64)
    finite = np.where(np.isfinite(values), values, np.nan)
    return np.log(finite, where=finite > 0, out=np.full(finite.shape, np.nan))


def _even(
    image_quality: NDArray[np.floating[Any]], gain: NDArray[np.float64] | np.float64
) -> NDArray[np.float64]:
    values = image_quality.astype(np.float64)
    even: NDArray[np.float64] = np.where(np.isfinite(values), values, np.nan) / gain
    return even
