"""From the points that a file lists to a scan: the checks that all formats share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from electrode_grains.ebsd.grid import (
    SPARSEST,
    SquareGrid,
    hexagonal_to_square,
    place_of,
    refuse_hexagonal,
    square_grid,
)
from electrode_grains.errors import InputError

NM_PER_UM = 1000.0
STEP_TOLERANCE = 0.02
BAD_QUALITY_SHARE = 0.01
NOT_INDEXED = -1.0
# Angles of an orientation beyond two turns are no radians; EDAX marks "no solution" by 4 pi.
NO_SOLUTION = 4 * np.pi
ANGLE_ROUNDING = 1e-3


@dataclass(frozen=True)
class ReadingOptions:
    """What a reader may accept, and what an image cannot tell of itself.

    Attributes
    ----------
    accept_missing : bool
        Mask points that are missing from a file, as after a killed copy, instead of refusing it.
    resample_hexagonal : bool
        Bring hexagonal grids to square ones, each pixel from its nearest point.
    largest_bad_share : float
        Share of the points of a slice whose image quality may be NaN, infinite or negative.
    step_nm : float, optional
        Distance of the pixels of plain images, in nm.
    """

    accept_missing: bool = False
    resample_hexagonal: bool = False
    largest_bad_share: float = BAD_QUALITY_SHARE
    step_nm: float | None = None


STRICT = ReadingOptions()


@dataclass(frozen=True)
class ScanReader:
    """Reads one scan when it is called; what it doubts is among the `notes` of the scan."""

    read: Callable[[ReadingOptions], xr.Dataset]

    def __call__(self, options: ReadingOptions = STRICT) -> xr.Dataset:
        """Read the scan."""
        return self.read(options)


@dataclass(frozen=True)
class DeclaredGrid:
    """What the header of a file says of its grid; None where it says nothing. Steps in µm."""

    rows: int | None = None
    columns: int | None = None
    columns_even: int | None = None
    dy: float | None = None
    dx: float | None = None
    hexagonal: bool = False


@dataclass(frozen=True)
class Points:
    """The points of one scan, in the order of its file.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n,)
        Positions in µm.
    image_quality, confidence_index : ndarray of float64, shape (n,)
    euler_angles : ndarray of float64, shape (n, 3)
        Bunge angles in radians.
    phase : ndarray of float64, shape (n,)
        Number of the phase.
    indexed : ndarray of bool, shape (n,)
        Points whose orientation the software has found.
    declared : DeclaredGrid
        What the header says.
    phases : tuple of dict
        `id`, `material_name`, `formula`, `symmetry` (TSL code), `lattice_constants`.
    channels : mapping of str to ndarray of float64, shape (n,)
        What else the format tells, by the name of its variable.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    image_quality: NDArray[np.float64]
    confidence_index: NDArray[np.float64]
    euler_angles: NDArray[np.float64]
    phase: NDArray[np.float64]
    indexed: NDArray[np.bool_]
    declared: DeclaredGrid
    phases: tuple[dict[str, Any], ...] = ()
    channels: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def take(self, index: NDArray[np.intp], **changes: Any) -> Points:
        """Points of an index, with other fields exchanged."""
        names = ("x", "y", "image_quality", "confidence_index", "euler_angles", "phase", "indexed")
        taken = {name: getattr(self, name)[index] for name in names}
        taken["channels"] = {name: values[index] for name, values in self.channels.items()}
        return replace(self, **{**taken, **changes})


def edax_indexed(
    euler_angles: NDArray[np.float64], confidence_index: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Points that EDAX software has indexed, shape (n,).

    Parameters
    ----------
    euler_angles : ndarray of float64, shape (n, 3)
        Radians; 4 pi or NaN where there is no solution.
    confidence_index : ndarray of float64, shape (n,)
        -1 where no solution was found, 0 where two had equally many votes.
    """
    solved = (np.abs(euler_angles) < NO_SOLUTION - ANGLE_ROUNDING).all(axis=1)  # NaN: False
    return solved & (confidence_index > 0) & np.isfinite(confidence_index)


def scan_of_points(
    points: Points,
    file_name: str,
    source: str,
    options: ReadingOptions = STRICT,
    line_of: Callable[[int], int] | None = None,
    notes: tuple[str, ...] = (),
) -> xr.Dataset:
    """Put points on their grid, or refuse them.

    Parameters
    ----------
    points : Points
    file_name : str
        For refusals.
    source : str
        Name of the scan.
    options : ReadingOptions
    line_of : callable, optional
        Line of the file that holds a point, for refusals.
    notes : tuple of str
        Doubts that the reader had already.

    Returns
    -------
    xr.Dataset
        As `read_scan` describes it.

    Raises
    ------
    InputError
        If points lie off the grid, are doubled or missing, contradict the header, belong to
        no phase, carry angles that are no radians, or too many useless image qualities.
    """
    told = list(notes)
    place = place_of(file_name, line_of)
    _refuse_degrees(points, file_name, place)
    _check_phases(points, file_name, place)
    if points.declared.hexagonal:
        points = _resample(points, file_name, options, line_of, told)
        line_of = None
    grid = square_grid(points.x, points.y, file_name, line_of, options.accept_missing)
    grid = _fit_declared(grid, points, file_name, options, told)
    quality = clean_quality(points.image_quality, file_name, options.largest_bad_share, told)
    if grid.gaps:
        total = grid.rows * grid.columns
        told.append(f"{grid.gaps} of {total} points are missing and were masked")
    share = 1 - points.indexed.mean()
    if share > 0.5:
        told.append(f"{share:.0%} of the points are not indexed")
    return _as_dataset(points, quality, grid, source, told)


def _refuse_degrees(points: Points, file_name: str, place: Callable[[int], str]) -> None:
    beyond = (np.abs(points.euler_angles) > NO_SOLUTION + ANGLE_ROUNDING).any(axis=1)
    if beyond.any():
        row = int(beyond.argmax())
        angles = ", ".join(f"{angle:g}" for angle in points.euler_angles[row])
        raise InputError(
            "angles are too large for radians",
            where=place(row),
            found=f"phi1, Phi, phi2 = {angles}",
            expected="Bunge angles in radians, at most 4 pi",
            remedy="export the scan with angles in radians",
        )


def _check_phases(points: Points, file_name: str, place: Callable[[int], str]) -> None:
    """A phase is a whole number, listed in the header or at most 0 (single or no phase)."""
    known = [int(phase["id"]) for phase in points.phases]
    whole = (points.phase == np.rint(points.phase)) & (np.abs(points.phase) < 2**15)
    # Headers without any phase are legal; then there is nothing to compare with.
    listed = (points.phase <= 0) | np.isin(points.phase, known) if known else whole
    wrong = ~(whole & listed)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            "a point belongs to no phase of the header",
            where=place(row),
            found=f"phase {points.phase[row]:g} at {int(wrong.sum())} points",
            expected="one of " + (", ".join(map(str, [0, *known])) if known else "whole numbers"),
            remedy="export the scan again with its phase list",
        )


def _resample(
    points: Points,
    file_name: str,
    options: ReadingOptions,
    line_of: Callable[[int], int] | None,
    told: list[str],
) -> Points:
    """Square points from hexagonal ones, if the user wants that."""
    if not options.resample_hexagonal:
        refuse_hexagonal(file_name, "HexGrid")
    source, x, y = hexagonal_to_square(points.x, points.y, file_name, line_of)
    _compare_hexagonal(points, file_name)
    told.append(
        f"hexagonal grid of {len(points.x)} points resampled to {len(x)} square ones, "
        "each from its nearest point"
    )
    return points.take(source, x=x, y=y, declared=DeclaredGrid())


def _compare_hexagonal(points: Points, file_name: str) -> None:
    said = points.declared
    if said.rows is None or said.columns is None:
        return
    even = said.columns if said.columns_even is None else said.columns_even
    expected = said.columns * ((said.rows + 1) // 2) + even * (said.rows // 2)
    if expected != len(points.x):
        raise InputError(
            "points are missing from the scan, or the header counts others",
            where=file_name,
            found=f"{len(points.x)} points",
            expected=f"{expected}: {said.rows} rows of {said.columns} and {even} in turn",
            remedy="export or copy the file again; it may have been cut short",
        )


def _fit_declared(
    grid: SquareGrid, points: Points, file_name: str, options: ReadingOptions, told: list[str]
) -> SquareGrid:
    """Compare the grid of the coordinates with that of the header."""
    said = points.declared
    grid = _steps_of_single_lines(grid, said)
    steps_agree = all(
        step is None or abs(step - seen) <= STEP_TOLERANCE * seen
        for step, seen in ((said.dy, grid.dy), (said.dx, grid.dx))
    )
    counts_agree = all(
        count is None or count == seen
        for count, seen in (
            (said.rows, grid.rows),
            (said.columns, grid.columns),
            (said.columns_even, grid.columns),
        )
    )
    if steps_agree and counts_agree:
        return grid
    header = f"{said.rows} x {said.columns} points at {said.dy} x {said.dx} um"
    seen = f"{grid.rows} x {grid.columns} points at {grid.dy:g} x {grid.dx:g} um"
    cut = steps_agree or _lost_after_decimation(grid, said)
    if cut and not options.accept_missing:
        raise InputError(
            "points are missing from the scan, or the header counts others",
            where=file_name,
            found=f"{grid.rows * grid.columns} points: {seen}",
            expected=_expected(grid, said, steps_agree, header),
            remedy="export or copy the file again; it may have been cut short, "
            "or set accept_missing to mask what is missing",
        )
    if steps_agree:
        return _extend(grid, points, said, file_name, told)
    told.append(
        f"the header says {header}, the coordinates {seen} (y, x); the coordinates are used"
    )
    return grid


def _expected(grid: SquareGrid, said: DeclaredGrid, steps_agree: bool, header: str) -> str:
    if not steps_agree:
        rows, columns = _decimated_counts(grid, said)
        return f"{rows * columns} points: {rows} x {columns}, every so many of the header's"
    if said.rows is None or said.columns is None:
        return f"as the header says, {header}"
    return f"{said.rows * said.columns} points: {header}"


def _steps_of_single_lines(grid: SquareGrid, said: DeclaredGrid) -> SquareGrid:
    """A single row or column has no step of its own."""
    if grid.rows == 1:
        grid = replace(grid, dy=said.dy or grid.dx)
    if grid.columns == 1:
        grid = replace(grid, dx=said.dx or grid.dy)
    return grid


def _decimated_counts(grid: SquareGrid, said: DeclaredGrid) -> tuple[int, int]:
    """Rows and columns if every k-th point of the header's grid was kept; 0 where unknown."""
    counts = []
    for count, step, seen in (
        (said.rows, said.dy, grid.dy),
        (said.columns, said.dx, grid.dx),
    ):
        ratio = round(seen / step) if step else 0
        whole = step is not None and ratio > 1 and abs(ratio * step - seen) <= STEP_TOLERANCE * seen
        counts.append(-(-count // ratio) if count and whole else 0)
    return counts[0], counts[1]


def _lost_after_decimation(grid: SquareGrid, said: DeclaredGrid) -> bool:
    """A decimated scan that has as many columns as it should but fewer rows, or the reverse.

    Decimation that keeps the header explains another step and fewer points, and says how many
    there must be; where one side fits exactly and the other falls short, the file was cut.
    """
    rows, columns = _decimated_counts(grid, said)
    if not (rows and columns):
        return False
    return (grid.columns == columns and grid.rows < rows) or (
        grid.rows == rows and grid.columns < columns
    )


def _extend(
    grid: SquareGrid, points: Points, said: DeclaredGrid, file_name: str, told: list[str]
) -> SquareGrid:
    """Enlarge a grid to the size that the header gives; what lies outside is missing."""
    rows, columns = said.rows or grid.rows, said.columns or grid.columns
    if rows < grid.rows or columns < grid.columns:
        told.append(
            f"the header counts {rows} x {columns} points, the coordinates "
            f"{grid.rows} x {grid.columns}; the coordinates are used"
        )
        return grid
    if rows * columns > SPARSEST * len(points.x):
        raise InputError(
            "the header counts far more points than there are",
            where=file_name,
            found=f"{len(points.x)} points",
            expected=f"{rows} x {columns} points",
            remedy="export the scan again",
        )
    down = _offset(float(points.y.min()), grid.dy, rows - grid.rows)
    right = _offset(float(points.x.min()), grid.dx, columns - grid.columns)
    row, column = np.divmod(grid.position, grid.columns)
    position = (row + down) * columns + column + right
    count = np.bincount(position, minlength=rows * columns)
    first = divmod(int(np.flatnonzero(count == 0)[0]), columns)
    return SquareGrid(rows, columns, grid.dy, grid.dx, position, int((count == 0).sum()), first)


def _offset(lowest: float, step: float, room: int) -> int:
    """Lines that are missing before the first, if scans begin at coordinate 0."""
    return int(np.clip(round(lowest / step), 0, room))


def clean_quality(
    quality: NDArray[np.float64], file_name: str, largest_share: float, told: list[str]
) -> NDArray[np.float32]:
    """Mask what is NaN, infinite or negative, shape (n,); refuse more than a share of it."""
    with np.errstate(over="ignore"):
        kept = quality.astype(np.float32)
    bad = ~np.isfinite(kept) | (quality < 0)
    share = float(bad.mean())
    if share > largest_share:
        raise InputError(
            "too many points have no usable image quality",
            where=file_name,
            found=f"{share:.1%} NaN, infinite or negative",
            expected=f"at most {largest_share:.1%}",
            remedy="export the scan again; check that the image quality is in its column, or "
            "raise largest_bad_share",
        )
    if share > 0:
        told.append(f"{int(bad.sum())} points have no usable image quality and were masked")
    kept[bad] = np.nan
    return kept


def _as_dataset(
    points: Points, quality: NDArray[np.float32], grid: SquareGrid, source: str, told: list[str]
) -> xr.Dataset:
    shape = (grid.rows, grid.columns)

    def place(values: NDArray[Any], dtype: DTypeLike, missing: float) -> NDArray[Any]:
        placed = np.full((grid.rows * grid.columns, *values.shape[1:]), missing, dtype)
        placed[grid.position] = values
        return placed.reshape(*shape, *values.shape[1:])

    euler = np.where(points.indexed[:, None], points.euler_angles, np.nan)
    # Coordinates are printed in um with a few decimals: what lies below 1e-6 nm is rounding.
    step_nm = (round(grid.dy * NM_PER_UM, 6), round(grid.dx * NM_PER_UM, 6))
    channels = {
        name: (("y", "x"), place(values, np.float32, np.nan))
        for name, values in points.channels.items()
    }
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), place(quality, np.float32, np.nan)),
            "confidence_index": (
                ("y", "x"),
                place(points.confidence_index, np.float32, NOT_INDEXED),
            ),
            "euler_angles": (("y", "x", "angle"), place(euler, np.float32, np.nan)),
            "phase": (("y", "x"), place(points.phase, np.int16, 0)),
            **channels,
        },
        coords={
            "y": np.arange(grid.rows) * step_nm[0],
            "x": np.arange(grid.columns) * step_nm[1],
            "angle": ["phi1", "Phi", "phi2"],
        },
        attrs={
            "source": source,
            "step_nm": step_nm,
            "phases": points.phases,
            "notes": tuple(told),
        },
    )
