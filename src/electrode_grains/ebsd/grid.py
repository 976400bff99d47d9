"""Grids from coordinates: square and hexagonal, every point hit exactly once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from electrode_grains.errors import InputError

# Coordinates are printed with three decimals at least; a fifth of a step is far beyond rounding.
TOLERANCE = 0.2
# Beyond this many grid points per given point, a stray coordinate or count spans the grid.
SPARSEST = 100
HEXAGONAL_REMEDY = (
    "convert it to a square grid in OIM Analysis (File > Export > Scan Data), or set "
    "resample_hexagonal to take the nearest point for each pixel"
)


@dataclass(frozen=True)
class SquareGrid:
    """A grid: its size, its steps, and the flat position of each given point.

    `gaps` counts the grid points that nobody gave; `first` is the (row, column) from 0 of the
    first of them, or None.
    """

    rows: int
    columns: int
    dy: float
    dx: float
    position: NDArray[np.intp]
    gaps: int = 0
    first: tuple[int, int] | None = None


def square_grid(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    where: str,
    line_of: Callable[[int], int] | None = None,
    accept_gaps: bool = False,
) -> SquareGrid:
    """Find the grid that a list of coordinates forms.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
        Coordinates of the points, in any order and unit.
    where : str
        Name of the file, for refusals.
    line_of : callable, optional
        Line of the file that holds a point, for refusals; without it they count points.
    accept_gaps : bool
        Count missing points instead of refusing them.

    Returns
    -------
    SquareGrid
        Grid whose position `row * columns + column` is known for each point.

    Raises
    ------
    InputError
        If a point lies off the grid, is given twice, or is missing.

    Examples
    --------
    >>> grid = square_grid(np.array([0, 1, 0, 1.0]), np.array([0, 0, 2, 2.0]), "example")
    >>> grid.rows, grid.columns, grid.dy, grid.dx
    (2, 2, 2.0, 1.0)
    """
    place = place_of(where, line_of)
    column, columns, dx = _index(x, "x", place)
    row, rows, dy = _index(y, "y", place)
    if rows * columns > SPARSEST * len(x):
        far = int(np.argmax(np.abs(x - np.median(x)) / dx + np.abs(y - np.median(y)) / dy))
        raise InputError(
            "a point lies far from all others",
            where=place(far),
            found=f"x = {x[far]:g}, y = {y[far]:g}",
            expected=f"a grid of {len(x)} points",
            remedy="export the scan again",
        )
    position = row * columns + column
    count = np.bincount(position, minlength=rows * columns)
    if (count > 1).any():
        first_hits = np.unique(position, return_index=True)[1]
        twice = int(np.setdiff1d(np.arange(len(position)), first_hits)[0])
        raise InputError(
            "a grid point is given more than once",
            where=place(twice),
            found=f"x = {x[twice]:g}, y = {y[twice]:g} again",
            remedy="export the scan again; rows were repeated or swapped",
        )
    gaps = int((count == 0).sum())
    if gaps == 0:
        return SquareGrid(rows, columns, dy, dx, position)
    if np.ptp((row + column) % 2) == 0:  # of a single row never: its least gap is a step
        refuse_hexagonal(where, "rows that are shifted by half a step against each other")
    missing = int(np.flatnonzero(count == 0)[0])
    first = (missing // columns, missing % columns)
    if not accept_gaps:
        raise InputError(
            "grid points are missing",
            where=where,
            found=f"{len(x)} points; the first gap is row {first[0] + 1}, column {first[1] + 1}",
            expected=f"{rows} x {columns} = {rows * columns} points (y, x)",
            remedy="export or copy the file again; it may have been cut short, "
            "or set accept_missing to mask the gaps",
        )
    return SquareGrid(rows, columns, dy, dx, position, gaps, first)


def refuse_hexagonal(where: str, found: str) -> None:
    """Refuse a hexagonal grid, and say how to come by a square one."""
    raise InputError(
        "the scan was made on a hexagonal grid",
        where=where,
        found=found,
        expected="a square grid",
        remedy=HEXAGONAL_REMEDY,
    )


def hexagonal_to_square(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    where: str,
    line_of: Callable[[int], int] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Find the nearest point of a hexagonal grid for each point of a square one.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
        Coordinates of the points: rows that are shifted by half a step in turn.
    where, line_of
        As for `square_grid`.

    Returns
    -------
    source : ndarray of intp, shape (m,)
        Given point that each square point takes.
    square_x, square_y : ndarray of float, shape (m,)
        Coordinates of the square points, at the step of x in both directions.

    Raises
    ------
    InputError
        If a point is missing, given twice, or off the grid.

    Notes
    -----
    Twice as fine in x, a hexagonal grid is a square one of which every other point is given:
    those whose row and column add up to an even number, or all odd.
    """
    place = place_of(where, line_of)
    column, columns, half = _index(x, "x", place)
    row, rows, dy = _index(y, "y", place)
    taken = np.bincount(row * columns + column, minlength=rows * columns).reshape(rows, columns)
    parity = int((row[0] + column[0]) % 2)
    expected = (np.add.outer(np.arange(rows), np.arange(columns)) % 2) == parity
    wrong = (taken > 1) | ((taken > 0) != expected)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InputError(
            "the points do not form a complete hexagonal grid",
            where=where,
            found=f"{taken[at]} points at row {at[0] + 1}, half-step {at[1] + 1}",
            expected="rows that are shifted by half a step in turn, each point once",
            remedy="export or copy the file again; it may have been cut short",
        )
    step = 2 * half
    # The last half step of a row exists in every second row only; no pixel lies beyond it.
    across = np.arange(0.0, (columns - 1) * half + step / 4, step)
    down = np.arange(0.0, (rows - 1) * dy + step / 4, step)
    square_y, square_x = (grid.ravel() for grid in np.meshgrid(down, across, indexing="ij"))
    tree = cKDTree(np.column_stack([column * half, row * dy]))
    source = tree.query(np.column_stack([square_x, square_y]))[1]
    return np.asarray(source, np.intp), square_x, square_y


def place_of(where: str, line_of: Callable[[int], int] | None) -> Callable[[int], str]:
    """Words for the place of a point in its file."""

    def place(point: int) -> str:
        return f"{where}, " + (f"line {line_of(point)}" if line_of else f"point {point + 1}")

    return place


def _index(
    values: NDArray[np.float64], axis: str, place: Callable[[int], str]
) -> tuple[NDArray[np.intp], int, float]:
    """Index of each value on the regular axis that the values form."""
    if not np.isfinite(values).all():
        lost = int((~np.isfinite(values)).argmax())
        raise InputError(f"a coordinate {axis} is not finite", where=place(lost))
    distinct, hits = np.unique(values, return_counts=True)
    # A single misplaced point must not set the step by which all others are judged.
    populated = distinct[hits >= 0.5 * np.median(hits)]
    distinct = populated if populated.size > 1 else distinct
    gaps = np.diff(distinct)
    extent = float(distinct[-1] - distinct[0])
    significant = gaps[gaps > 1e-6 * max(extent, 1e-12)]
    if significant.size == 0:
        return np.zeros(len(values), np.intp), 1, 1.0
    typical = np.median(significant)
    # Their mean rounds away less than any of them, where steps are printed with few digits.
    step = float(significant[np.abs(significant - typical) < 0.5 * typical].mean())
    step = extent / max(round(extent / step), 1)
    exact = (values - distinct[0]) / step
    index = np.rint(exact).astype(np.intp)
    off = np.abs(exact - index)
    if off.max() > TOLERANCE:
        worst = int(off.argmax())
        raise InputError(
            f"a point lies off the grid in {axis}",
            where=place(worst),
            found=f"{axis} = {values[worst]:g}",
            expected=f"multiples of the step {step:g}",
            remedy="export the scan again on a square grid",
        )
    index -= index.min()
    return index, int(index.max()) + 1, step
