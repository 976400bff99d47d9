"""Stripes and dead lines of the detector, which stand still and pull registration to no motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from electrode_grains.alignment.planes import Planes, finite_median

Stack = NDArray[np.float64]

# A line is compared with the median of as many points across it; half as many dead neighbours
# are bridged.
WIDTH_PX = 15
# Lines are looked for in parts of a stack, which must agree: as many ranges of slices, of at most
# so many slices each, and ranges along the line of at least so many points.
RANGES, SLICES_EACH, POINTS_EACH, FEWEST_RANGES = 8, 4, 12, 4
# Share of the spread of the image, and standard errors of the mean over the parts, for each pass:
# virtual cells and particles, iron and confocal cells reach 5.5 without any such line; once strong
# lines are found and taken out, weaker ones are likely.
LEAST_SHARE = 0.05
LEAST_ERRORS = (6.0, 4.5, 4.5)
# A line of less response than this shows nothing of what lies there.
LEAST_RESPONSE = 0.3


def without_fixed_lines(stack: Stack) -> tuple[Stack, str | None]:
    """Take out of a stack, as scanned, the rows and columns that differ from those beside them.

    Parameters
    ----------
    stack : ndarray of float64, shape (z, y, x)
        NaN where there is no value.

    Returns
    -------
    stack : ndarray of float64, shape (z, y, x)
        The same where no line is significant.
    note : str or None
        How many lines are.

    Notes
    -----
    The value of a point less the median across the line is, in every part of a stack, another one
    for grains, which end and drift, and the same for a line of the detector. Its offset and its
    response (the slope over the median) are subtracted; dead lines become the median.
    """
    missing = ~np.isfinite(stack)
    measured = np.flatnonzero(~missing.all(axis=(1, 2)))
    if not len(measured):
        return stack, None
    filled = stack
    if missing.any():
        filled = np.where(missing, np.median(stack[~missing]), stack)
    cleaned, columns = _without_columns(filled, measured)
    turned, rows = _without_columns(cleaned.swapaxes(1, 2), measured)
    if not (rows or columns):
        return stack, None
    cleaned = turned.swapaxes(1, 2)
    return np.where(missing, np.nan, cleaned), _note(columns, rows)


def _note(columns: int, rows: int) -> str:
    return (
        f"{columns} columns and {rows} rows stand still in the frame of all slices, as "
        "stripes and dead lines of a detector do: they do not count in the registration"
    )


def planes_without_fixed_lines(planes: Planes) -> tuple[Planes, str | None]:
    """The same for a stack that is read slice by slice.

    Held are the slices in which lines are looked for, 32 at most, and of each line what it has
    in all slices, with the median beside it.
    """
    measured, is_missing = [], False
    for z, plane in enumerate(planes):
        finite = np.isfinite(plane)
        is_missing = is_missing or not finite.all()
        if finite.any():
            measured.append(z)
    if not measured:
        return planes, None
    filled = planes
    if is_missing:
        value = finite_median(planes)
        filled = planes.changed(lambda _, image: np.where(np.isfinite(image), image, value))
    cleaned, columns = _planes_without_lines(filled, np.array(measured), turned=False)
    cleaned, rows = _planes_without_lines(cleaned, np.array(measured), turned=True)
    if not (rows or columns):
        return planes, None
    if is_missing:
        lines = cleaned
        cleaned = planes.changed(lambda z, image: np.where(np.isfinite(image), lines[z], np.nan))
    return cleaned, _note(columns, rows)


def _planes_without_lines(
    planes: Planes, measured: NDArray[np.int_], turned: bool
) -> tuple[Planes, int]:
    """`_without_columns` of a stack, or of all its slices with rows for columns."""
    found: set[int] = set()
    for errors in LEAST_ERRORS:
        chosen = np.stack([planes[z] for z in measured[_sample(len(measured))]])
        if turned:  # laid out as in core, since sums of floating point depend on their order
            chosen = chosen.swapaxes(1, 2)
            chosen = chosen.copy() if found else chosen
        lines = _fixed_lines(chosen, np.arange(len(chosen)), errors)
        if not len(lines):
            break
        found.update(lines.tolist())
        planes = _corrected_planes(planes, lines.tolist(), turned)
    return planes, len(found)


def _sample(count: int) -> NDArray[np.int_]:
    """Which of so many slices lines are looked for in."""
    sampled: NDArray[np.int_] = (
        np.linspace(0, count - 1, min(count, RANGES * SLICES_EACH)).round().astype(int)
    )
    return sampled


def _corrected_planes(planes: Planes, lines: list[int], turned: bool) -> Planes:
    """`_corrected` of planes, each when it is read."""
    beside = np.empty((len(lines), len(planes), planes.shape[2 if turned else 1]))
    own = np.empty_like(beside)
    for z, plane in enumerate(planes):
        image = plane.T if turned else plane
        for place, x in enumerate(lines):
            own[place, z], beside[place, z] = image[:, x], _beside(image, x)
    fits = [_fit_line(values, around) for values, around in zip(own, beside, strict=True)]

    def correct(_: int, plane: NDArray[np.float64]) -> NDArray[np.float64]:
        cleaned = plane.copy()
        for x, fit in zip(lines, fits, strict=True):
            before, after = (plane.T, cleaned.T) if turned else (plane, cleaned)
            after[:, x] = _apply_fit(fit, before[:, x], _beside(before, x))
        return cleaned

    return planes.changed(correct)


def _without_columns(stack: Stack, measured: NDArray[np.int_]) -> tuple[Stack, int]:
    """Correct columns until none stands out; return how many did."""
    found: set[int] = set()
    for errors in LEAST_ERRORS:
        columns = _fixed_lines(stack, measured, errors)
        if not len(columns):
            break
        found.update(columns.tolist())
        stack = _corrected(stack, columns)
    return stack, len(found)


def _fixed_lines(stack: Stack, measured: NDArray[np.int_], least_errors: float) -> NDArray[np.int_]:
    """Columns that differ from those beside them in all parts of the stack alike."""
    count = min(len(measured), RANGES * SLICES_EACH)
    depths, lengths = min(RANGES, count // 3), min(RANGES, stack.shape[1] // POINTS_EACH)
    if min(depths, lengths) < FEWEST_RANGES:
        return np.array([], int)
    chosen = stack[measured[_sample(len(measured))]]
    offsets = np.array(
        [
            [np.median(part, axis=(0, 1)) for part in np.array_split(rest, lengths, axis=1)]
            for slices in np.array_split(chosen, depths)
            for rest in (slices - _medians_across(slices),)
        ]
    )  # (ranges of slices, ranges along the line, columns)
    mean = np.abs(offsets.mean(axis=(0, 1)))
    significant = mean > LEAST_SHARE * chosen.std()
    for axis in (0, 1):
        means = offsets.mean(axis=1 - axis)
        error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
        # Of few parts the error is small by chance where that of most columns is not.
        significant &= mean > least_errors * np.maximum(error, np.median(error))
    return np.flatnonzero(significant)


def _medians_across(stack: Stack) -> Stack:
    """Running median of the rows.

    All rows as one, mirrored at their ends: scipy's filter in one dimension is six times as fast.
    """
    reach = WIDTH_PX // 2
    rows = np.pad(stack, ((0, 0), (0, 0), (reach, reach)), mode="reflect")
    medians: Stack = ndimage.median_filter(rows.ravel(), WIDTH_PX).reshape(rows.shape)
    return medians[:, :, reach:-reach]


def _corrected(stack: Stack, columns: NDArray[np.int_]) -> Stack:
    """Subtract what each column adds to the median of those beside it, as a line of that median."""
    cleaned = stack.copy()
    for x in columns.tolist():
        beside = _beside(stack, x)
        cleaned[:, :, x] = _apply_fit(_fit_line(stack[:, :, x], beside), stack[:, :, x], beside)
    return cleaned


def _beside(images: Stack, x: int) -> NDArray[np.float64]:
    """Median of the columns around one, shape (..., y)."""
    reach = WIDTH_PX // 2
    medians: NDArray[np.float64] = np.median(
        images[..., max(0, x - reach) : x + reach + 1], axis=-1
    )
    return medians


def _fit_line(
    values: NDArray[np.float64], beside: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Offset and slope of a line over the median beside it, of all slices; None if it is dead."""
    rest = values - beside
    low, high = np.quantile(beside, [0.25, 0.75])
    dark, bright = beside <= low, beside >= high
    change = np.median(rest[bright]) - np.median(rest[dark])
    slope = change / max(np.median(beside[bright]) - np.median(beside[dark]), 1e-12)
    if slope < LEAST_RESPONSE - 1:
        return None
    return float(np.median(rest - slope * beside)), float(slope)


def _apply_fit(
    fit: tuple[float, float] | None, values: NDArray[np.float64], beside: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A line without its offset and slope, or the median beside a dead one."""
    if fit is None:
        return beside
    offset, slope = fit
    corrected: NDArray[np.float64] = values - (offset + slope * beside)
    return corrected
