"""Grids of coordinates whose rows, columns, steps and gaps are known."""

import numpy as np
import pytest

from electrode_grains.ebsd.grid import hexagonal_to_square, place_of, square_grid
from electrode_grains.errors import InputError


def rectangle(rows=4, columns=3, dy=0.05, dx=0.1, y0=0.0, x0=0.0):
    row, column = np.divmod(np.arange(rows * columns), columns)
    return x0 + column * dx, y0 + row * dy


def hexagon(rows=4, columns=3, step=0.1, shifted_first=False, shorter=True):
    """Rows half a step apart in turn, shifted ones with a point less; height sqrt(3) / 2."""
    x, y = [], []
    for row in range(rows):
        shifted = row % 2 != int(shifted_first)
        count = columns - (shifted and shorter)
        x.append(np.arange(count) * step + (step / 2 if shifted else 0.0))
        y.append(np.full(count, row * step * 3**0.5 / 2))
    return np.concatenate(x), np.concatenate(y)


def test_points_in_any_order_find_their_place():
    x, y = rectangle(x0=-3.0, y0=7.0)
    order = np.random.default_rng(1).permutation(12)
    grid = square_grid(x[order], y[order], "scan")
    assert grid.position.tolist() == order.tolist()
    assert (grid.rows, grid.columns, grid.gaps, grid.first) == (4, 3, 0, None)
    assert (grid.dy, grid.dx) == pytest.approx((0.05, 0.1))


@pytest.mark.parametrize("noise", [0.15, -0.15])
def test_points_within_a_fifth_of_a_step_are_on_the_grid(noise):
    x, y = rectangle()
    x[4] += noise * 0.1
    assert square_grid(x, y, "scan").position.tolist() == list(range(12))
    x[4] += noise * 0.1
    with pytest.raises(InputError, match=r"off the grid in x(.|\n)*scan, point 5"):
        square_grid(x, y, "scan")


def test_steps_follow_from_the_extent_where_coordinates_are_rounded():
    x, y = rectangle(rows=1, columns=301, dx=1 / 3)
    grid = square_grid(np.round(x, 2), y, "scan")
    assert (grid.rows, grid.columns) == (1, 301)
    assert grid.dx == pytest.approx(1 / 3)
    assert grid.dy == 1.0


def test_rounding_errors_of_coordinates_make_no_lines():
    x, y = rectangle()
    x[::2] += 1e-9
    y[::3] -= 1e-9
    grid = square_grid(x, y, "scan")
    assert (grid.rows, grid.columns, grid.gaps) == (4, 3, 0)


def test_gaps_are_counted_and_the_first_is_named():
    x, y = rectangle()
    kept = np.array([0, 1, 2, 3, 4, 6, 7, 8, 9, 11])
    with pytest.raises(InputError, match=r"row 2, column 3(.|\n)*4 x 3 = 12 points"):
        square_grid(x[kept], y[kept], "scan")
    grid = square_grid(x[kept], y[kept], "scan", accept_gaps=True)
    assert (grid.gaps, grid.first) == (2, (1, 2))
    assert grid.position.tolist() == kept.tolist()


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_a_line_that_lacks_as_a_whole_does_not_widen_the_step(scale):
    x, y = rectangle(columns=6, dx=0.1 * scale, dy=0.05 * scale)
    kept = np.flatnonzero(np.arange(24) % 6 != 2)
    grid = square_grid(x[kept], y[kept], "scan", accept_gaps=True)
    assert (grid.rows, grid.columns, grid.gaps, grid.first) == (4, 6, 4, (0, 2))
    assert grid.dx == pytest.approx(0.1 * scale)


def test_a_point_far_off_in_rows_is_named_whatever_the_steps():
    x, y = rectangle(30, 30, dy=50.0, dx=0.01)
    with pytest.raises(InputError, match=r"far from all others(.|\n)*point 901(.|\n)*x = 40"):
        square_grid(np.append(x, 40.0), np.append(y, 750.0), "scan")


@pytest.mark.parametrize("rows", [2, 5])
@pytest.mark.parametrize("shifted_first", [True, False])
def test_shifted_rows_are_a_hexagon(shifted_first, rows):
    with pytest.raises(InputError, match="hexagonal"):
        square_grid(*hexagon(rows, 4, shifted_first=shifted_first), "scan")


def test_a_point_given_twice_is_named_by_its_second_place():
    x, y = rectangle()
    x, y = np.insert(x, 7, x[2]), np.insert(y, 7, y[2])
    with pytest.raises(InputError, match=r"more than once(.|\n)*scan, line 18(.|\n)*x = 0.2"):
        square_grid(x, y, "scan", line_of=lambda point: point + 11)


def test_a_point_far_from_all_others_is_named():
    x, y = rectangle(30, 30, 1.0, 1.0)
    for far, shift in ((4000.0, 0.0), (-4000.0, 0.0), (-3500.0, 4000.0)):
        far_x, far_y = np.append(x, far) + shift, np.append(y, 40.0)
        says = r"far from all others(.|\n)*point 901(.|\n)*"
        with pytest.raises(InputError, match=rf"{says}x = {far + shift:g}"):
            square_grid(far_x, far_y, "scan")
        with pytest.raises(InputError, match=rf"{says}y = {far + shift:g}"):
            square_grid(far_y, far_x, "scan")


def test_a_hundred_grid_points_for_a_given_one_are_not_too_many():
    # A diagonal of n points has n x n grid points; one pair is swapped, lest it be hexagonal.
    for count in (100, 101):
        x = np.arange(float(count))
        y = x.copy()
        y[[3, 4]] = y[[4, 3]]
        if count == 100:
            grid = square_grid(x, y, "scan", accept_gaps=True)
            assert (grid.rows, grid.columns, grid.gaps) == (100, 100, 9900)
        else:
            with pytest.raises(InputError, match="far from all others"):
                square_grid(x, y, "scan", accept_gaps=True)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_coordinates_that_are_not_finite_are_named(axis):
    coordinates = dict(zip("xy", rectangle(), strict=True))
    coordinates[axis][5] = np.nan
    with pytest.raises(InputError, match=rf"coordinate {axis} is not finite(.|\n)*point 6"):
        square_grid(coordinates["x"], coordinates["y"], "scan")


def test_a_point_is_named_by_its_line_where_the_file_has_lines():
    assert place_of("scan", None)(0) == "scan, point 1"
    assert place_of("scan", lambda point: 10 + point)(2) == "scan, line 12"


@pytest.mark.parametrize("shifted_first", [True, False])
@pytest.mark.parametrize("shorter", [True, False])
@pytest.mark.parametrize(("rows", "columns"), [(4, 3), (9, 6), (2, 5)])
def test_each_square_point_takes_the_nearest_hexagonal_one(rows, columns, shifted_first, shorter):
    x, y = hexagon(rows, columns, 0.1, shifted_first, shorter)
    order = np.random.default_rng(3).permutation(x.size)  # rows may come in any order
    x, y = x[order], y[order]
    source, square_x, square_y = hexagonal_to_square(x + 2.0, y, "scan")

    # Pixels reach to the last whole step of x, and to within a quarter of a step of the last row.
    x, y = x - x.min(), y - y.min()
    across = np.arange(0, x.max() + 1e-9, 0.1)
    down = np.arange(0, y.max() + 0.025, 0.1)
    np.testing.assert_allclose(square_x, np.tile(across, len(down)), atol=1e-9)
    np.testing.assert_allclose(square_y, np.repeat(down, len(across)), atol=1e-9)
    distance = np.hypot(np.subtract.outer(square_x, x), np.subtract.outer(square_y, y))
    np.testing.assert_allclose(
        distance[np.arange(len(source)), source], distance.min(axis=1), atol=1e-9
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda x, y: (np.delete(x, 6), np.delete(y, 6)), "0 points at row 2, half-step 4"),
        (lambda x, y: (np.append(x, x[5]), np.append(y, y[5])), "2 points at row 2, half-step 2"),
        (lambda x, y: (np.append(x, 0.05), np.append(y, 0.0)), "1 points at row 1, half-step 2"),
    ],
)
def test_an_incomplete_hexagon_is_refused(spoil, says):
    with pytest.raises(InputError, match=says):
        hexagonal_to_square(*spoil(*hexagon(6, 5)), "scan")
