"""The grid that a header declares, held against the grid that the coordinates form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.grid import SPARSEST, SquareGrid
from electrode_grains.errors import InputError

Floats = NDArray[np.float64]
STEP_TOLERANCE = 0.02


@dataclass(frozen=True)
class DeclaredGrid:
    """What the header of a file says of its grid; None where it says nothing. Steps in µm."""

    rows: int | None = None
    columns: int | None = None
    columns_even: int | None = None
    dy: float | None = None
    dx: float | None = None
    hexagonal: bool = False


def fit_header(
    grid: SquareGrid,
    x: Floats,
    y: Floats,
    header: DeclaredGrid,
    file_name: str,
    accept_missing: bool,
    notes: list[str],
) -> SquareGrid:
    """Compare the grid of the coordinates with that of the header."""
    grid = _steps_of_single_lines(grid, header)
    steps_agree = all(
        step is None or abs(step - seen) <= STEP_TOLERANCE * seen
        for step, seen in ((header.dy, grid.dy), (header.dx, grid.dx))
    )
    counts_agree = all(
        count is None or count == seen
        for count, seen in (
            (header.rows, grid.rows),
            (header.columns, grid.columns),
            (header.columns_even, grid.columns),
        )
    )
    if steps_agree and counts_agree:
        return grid
    declared = f"{header.rows} x {header.columns} points at {header.dy} x {header.dx} um"
    seen = f"{grid.rows} x {grid.columns} points at {grid.dy:g} x {grid.dx:g} um"
    cut = steps_agree or _lost_after_decimation(grid, header)
    if cut and not accept_missing:
        raise InputError(
            "points are missing from the scan, or the header counts others",
            where=file_name,
            found=f"{grid.rows * grid.columns} points: {seen}",
            expected=_expected(grid, header, steps_agree, declared),
            remedy="export or copy the file again; it may have been cut short, "
            "or set accept_missing to mask what is missing",
        )
    if steps_agree:
        return _extend(grid, x, y, header, file_name, notes)
    notes.append(
        f"the header says {declared}, the coordinates {seen} (y, x); the coordinates are used"
    )
    return grid


def _expected(grid: SquareGrid, header: DeclaredGrid, steps_agree: bool, declared: str) -> str:
    if not steps_agree:
        rows, columns = _decimated_counts(grid, header) or (grid.rows, grid.columns)
        return f"{rows * columns} points: {rows} x {columns}, every so many of the header's"
    if header.rows is None or header.columns is None:
        return f"as the header says, {declared}"
    return f"{header.rows * header.columns} points: {declared}"


def _steps_of_single_lines(grid: SquareGrid, header: DeclaredGrid) -> SquareGrid:
    """A single row or column has no step of its own."""
    if grid.rows == 1:
        grid = replace(grid, dy=header.dy or grid.dx)
    if grid.columns == 1:
        grid = replace(grid, dx=header.dx or grid.dy)
    return grid


def _decimated_counts(grid: SquareGrid, header: DeclaredGrid) -> tuple[int, int] | None:
    """Rows and columns if every k-th point of the header's grid was kept; None where unknown."""
    rows = _every_so_many(header.rows, header.dy, grid.dy)
    columns = _every_so_many(header.columns, header.dx, grid.dx)
    return (rows, columns) if rows and columns else None


def _every_so_many(count: int | None, step: float | None, seen: float) -> int | None:
    if not (count and step):
        return None
    ratio = round(seen / step)
    is_whole = abs(ratio * step - seen) <= STEP_TOLERANCE * seen  # never of ratio 0
    return -(-count // ratio) if is_whole else None


def _lost_after_decimation(grid: SquareGrid, header: DeclaredGrid) -> bool:
    """A decimated scan that has as many columns as it should but fewer rows, or the reverse.

    Decimation that keeps the header explains another step and fewer points, and says how many
    there must be; where one side fits exactly and the other falls short, the file was cut.
    """
    expected = _decimated_counts(grid, header)
    if expected is None:
        return False
    rows, columns = expected
    return (grid.columns == columns and grid.rows < rows) or (
        grid.rows == rows and grid.columns < columns
    )


def _extend(
    grid: SquareGrid,
    x: Floats,
    y: Floats,
    header: DeclaredGrid,
    file_name: str,
    notes: list[str],
) -> SquareGrid:
    """Enlarge a grid to the size that the header gives; what lies outside is missing."""
    rows, columns = header.rows or grid.rows, header.columns or grid.columns
    if rows < grid.rows or columns < grid.columns:
        notes.append(
            f"the header counts {rows} x {columns} points, the coordinates "
            f"{grid.rows} x {grid.columns}; the coordinates are used"
        )
        return grid
    if rows * columns > SPARSEST * len(x):
        raise InputError(
            "the header counts far more points than there are",
            where=file_name,
            found=f"{len(x)} points",
            expected=f"{rows} x {columns} points",
            remedy="export the scan again",
        )
    down = _offset(float(y.min()), grid.dy, rows - grid.rows)
    right = _offset(float(x.min()), grid.dx, columns - grid.columns)
    row, column = np.divmod(grid.position, grid.columns)
    position = (row + down) * columns + column + right
    count = np.bincount(position, minlength=rows * columns)
    first = divmod(int(np.flatnonzero(count == 0)[0]), columns)
    return SquareGrid(rows, columns, grid.dy, grid.dx, position, int((count == 0).sum()), first)


def _offset(lowest: float, step: float, room: int) -> int:
    """Lines that are missing before the first, if scans begin at coordinate 0."""
    return int(np.clip(round(lowest / step), 0, room))


def check_hexagonal(header: DeclaredGrid, count: int, file_name: str) -> None:
    """Refuse a hexagonal scan of another number of points than its header counts."""
    if header.rows is None or header.columns is None:
        return
    even = header.columns if header.columns_even is None else header.columns_even
    expected = header.columns * ((header.rows + 1) // 2) + even * (header.rows // 2)
    if expected != count:
        raise InputError(
            "points are missing from the scan, or the header counts others",
            where=file_name,
            found=f"{count} points",
            expected=f"{expected}: {header.rows} rows of {header.columns} and {even} in turn",
            remedy="export or copy the file again; it may have been cut short",
        )
