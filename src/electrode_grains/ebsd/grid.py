"""Square grids from coordinates: every point hit exactly once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from electrode_grains.problems import InputProblem

# Coordinates are printed with three decimals at least; a fifth of a step is far beyond rounding.
TOLERANCE = 0.2
# Beyond this many grid points per given point, a stray coordinate spans the grid.
SPARSEST = 100


@dataclass(frozen=True)
class SquareGrid:
    """A complete grid: its size, its steps, and the flat position of each point."""

    rows: int
    columns: int
    dy: float
    dx: float
    position: NDArray[np.intp]


def square_grid(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    where: str,
    line_of: Callable[[int], int] | None = None,
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

    Returns
    -------
    SquareGrid
        Grid whose position `row * columns + column` is known for each point.

    Raises
    ------
    InputProblem
        If a point lies off the grid, is given twice, or is missing.

    Examples
    --------
    >>> grid = square_grid(np.array([0, 1, 0, 1.0]), np.array([0, 0, 2, 2.0]), "example")
    >>> grid.rows, grid.columns, grid.dy, grid.dx
    (2, 2, 2.0, 1.0)
    """

    def place(point: int) -> str:
        return f"{where}, " + (f"line {line_of(point)}" if line_of else f"point {point + 1}")

    column, columns, dx = _index(x, "x", place)
    row, rows, dy = _index(y, "y", place)
    if rows * columns > SPARSEST * len(x):
        far = int(np.argmax(np.abs(x - np.median(x)) / dx + np.abs(y - np.median(y)) / dy))
        raise InputProblem(
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
        raise InputProblem(
            "a grid point is given more than once",
            where=place(twice),
            found=f"x = {x[twice]:g}, y = {y[twice]:g} again",
            remedy="export the scan again; rows were repeated or swapped",
        )
    if (count == 0).any():
        missing = int(np.flatnonzero(count == 0)[0])
        raise InputProblem(
            "grid points are missing",
            where=where,
            found=f"{len(x)} points; the first gap is row {missing // columns + 1}, "
            f"column {missing % columns + 1}",
            expected=f"{rows} x {columns} = {rows * columns} points (y, x)",
            remedy="export or copy the file again; it may have been cut short",
        )
    return SquareGrid(rows, columns, dy, dx, position)


def _index(
    values: NDArray[np.float64], axis: str, place: Callable[[int], str]
) -> tuple[NDArray[np.intp], int, float]:
    """Index of each value on the regular axis that the values form."""
    if not np.isfinite(values).all():
        lost = int((~np.isfinite(values)).argmax())
        raise InputProblem(f"a coordinate {axis} is not finite", where=place(lost))
    distinct, hits = np.unique(values, return_counts=True)
    # A single misplaced point must not set the step by which all others are judged.
    populated = distinct[hits >= 0.5 * np.median(hits)]
    distinct = populated if populated.size > 1 else distinct
    gaps = np.diff(distinct)
    extent = float(distinct[-1] - distinct[0])
    significant = gaps[gaps > 1e-6 * max(extent, 1e-12)]
    if significant.size == 0:
        return np.zeros(len(values), np.intp), 1, 1.0
    step = float(np.median(significant))
    step = extent / max(round(extent / step), 1)
    exact = (values - distinct[0]) / step
    index = np.rint(exact).astype(np.intp)
    off = np.abs(exact - index)
    if off.max() > TOLERANCE:
        worst = int(off.argmax())
        raise InputProblem(
            f"a point lies off the grid in {axis}",
            where=place(worst),
            found=f"{axis} = {values[worst]:g}",
            expected=f"multiples of the step {step:g}",
            remedy="export the scan again on a square grid",
        )
    index -= index.min()
    return index, int(index.max()) + 1, step
