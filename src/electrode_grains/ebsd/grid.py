"""Square grids from coordinates: every point hit exactly once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from electrode_grains.problems import InputProblem

# Coordinates are printed with three decimals at least; a fifth of a step is far beyond rounding.
TOLERANCE = 0.2


@dataclass(frozen=True)
class SquareGrid:
    """A complete grid: its size, its steps, and the flat position of each point."""

    rows: int
    columns: int
    dy: float
    dx: float
    position: NDArray[np.intp]


def square_grid(x: NDArray[np.float64], y: NDArray[np.float64], where: str) -> SquareGrid:
    """Find the grid that a list of coordinates forms.

    Parameters
    ----------
    x, y : ndarray of float, shape (n,)
        Coordinates of the points, in any order and unit.
    where : str
        Name of the file, for refusals.

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
    column, columns, dx = _index(x, "x", where)
    row, rows, dy = _index(y, "y", where)
    position = row * columns + column
    count = np.bincount(position, minlength=rows * columns)
    if (count > 1).any():
        twice = int(np.flatnonzero(count[position] > 1)[1])
        raise InputProblem(
            "a grid point is given more than once",
            where=f"{where}, point {twice + 1}",
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
    values: NDArray[np.float64], axis: str, where: str
) -> tuple[NDArray[np.intp], int, float]:
    """Index of each value on the regular axis that the values form."""
    if not np.isfinite(values).all():
        raise InputProblem(f"a coordinate {axis} is not finite", where=where)
    distinct = np.unique(values)
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
            where=f"{where}, point {worst + 1}",
            found=f"{axis} = {values[worst]:g}",
            expected=f"multiples of the step {step:g}",
        )
    return index, int(index.max()) + 1, step
