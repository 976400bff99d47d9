"""From points to a scan: what the header says against what the coordinates show."""

import numpy as np
import pytest

from electrode_grains.ebsd import ReadingOptions
from electrode_grains.ebsd.points import (
    STRICT,
    DeclaredGrid,
    Points,
    clean_quality,
    edax_indexed,
    points_to_scan,
)
from electrode_grains.errors import InputError

LENIENT = ReadingOptions(accept_missing=True)
DECLARED = DeclaredGrid(rows=4, columns=3, columns_even=3, dy=0.05, dx=0.1)


def points(rows=range(4), columns=range(3), declared=DECLARED, **changes):
    """Points of a grid whose image quality is their number in the grid of 4 x 3."""
    row, column = (axis.ravel() for axis in np.meshgrid(list(rows), list(columns), indexing="ij"))
    count = row.size
    values = {
        "x": column * 0.1,
        "y": row * 0.05,
        "image_quality": (row * 3 + column).astype(float),
        "confidence_index": np.ones(count),
        "euler_angles": np.ones((count, 3)),
        "phase": np.ones(count),
        "indexed": np.ones(count, bool),
        "declared": declared,
        "maker": "dream3d",
        "phases": ({"id": 1}, {"id": 3}),
        "channels": {"bands": np.arange(count, dtype=float)},
    }
    return Points(**{**values, **changes})


def scan_of(points, options=STRICT, notes=()):
    return points_to_scan(points, "a.ang", "a", options, lambda point: point + 100, notes)


WHOLE = np.arange(12.0).reshape(4, 3)


def test_a_complete_scan_has_no_notes():
    scan = scan_of(points())
    np.testing.assert_array_equal(scan["image_quality"], WHOLE)
    assert scan.attrs["notes"] == ()
    assert scan.attrs["step_nm"] == (50.0, 100.0)
    assert scan["y"].to_numpy().tolist() == [0, 50, 100, 150]
    assert scan["x"].to_numpy().tolist() == [0, 100, 200]
    assert scan["angle"].to_numpy().tolist() == ["phi1", "Phi", "phi2"]


def test_points_that_are_not_indexed_keep_their_quality_and_lose_their_angles():
    indexed = np.arange(12) != 7
    scan = scan_of(points(indexed=indexed), notes=("told before",))
    assert np.isnan(scan["euler_angles"]).all("angle").to_numpy().ravel().tolist() == [
        index == 7 for index in range(12)
    ]
    assert scan.attrs["notes"] == ("told before",)


@pytest.mark.parametrize(("lost", "told"), [(6, ()), (7, ("58% of the points are not indexed",))])
def test_more_than_half_without_orientation_is_told(lost, told):
    assert scan_of(points(indexed=np.arange(12) >= lost)).attrs["notes"] == told


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(range(1, 4), range(3)), (range(3), range(3)), (range(4), range(1, 3)), (range(2, 3), [1])],
)
def test_missing_rows_and_columns_are_refused_or_masked_at_their_place(rows, columns):
    given = points(rows, columns)
    with pytest.raises(InputError, match=r"12 points: 4 x 3 points at 0.05 x 0.1 um"):
        scan_of(given)
    scan = scan_of(given, LENIENT)
    expected = np.full((4, 3), np.nan)
    expected[np.ix_(list(rows), list(columns))] = WHOLE[np.ix_(list(rows), list(columns))]
    np.testing.assert_array_equal(scan["image_quality"], expected)
    missing = np.isnan(expected)
    assert (scan["confidence_index"].to_numpy()[missing] == -1).all()
    assert (scan["phase"].to_numpy()[missing] == 0).all()
    assert np.isnan(scan["euler_angles"].to_numpy()[missing]).all()
    assert np.isnan(scan["bands"].to_numpy()[missing]).all()
    told = f"{missing.sum()} of 12 points are missing and were masked"
    assert scan.attrs["notes"][0] == told


def test_a_header_that_counts_fewer_points_is_passed_over():
    fewer = DeclaredGrid(rows=4, columns=2, dy=0.05, dx=0.1)
    scan = scan_of(points(declared=fewer), LENIENT)
    np.testing.assert_array_equal(scan["image_quality"], WHOLE)
    assert scan.attrs["notes"] == (
        "the header counts 4 x 2 points, the coordinates 4 x 3; the coordinates are used",
    )
    with pytest.raises(InputError, match="8 points: 4 x 2"):
        scan_of(points(declared=fewer))


def test_a_header_that_counts_far_more_points_is_refused():
    just = DeclaredGrid(rows=400, columns=3, dy=0.05, dx=0.1)
    assert scan_of(points(declared=just), LENIENT).sizes["y"] == 400
    beyond = DeclaredGrid(rows=401, columns=3, dy=0.05, dx=0.1)
    with pytest.raises(InputError, match=r"far more points(.|\n)*12 points(.|\n)*401 x 3"):
        scan_of(points(declared=beyond), LENIENT)


def test_a_header_that_gives_no_counts_is_no_contradiction():
    assert scan_of(points(declared=DeclaredGrid(dy=0.05, dx=0.1))).attrs["notes"] == ()
    even = DeclaredGrid(columns_even=2, dy=0.05, dx=0.1)
    with pytest.raises(InputError, match="as the header says"):
        scan_of(points(declared=even))


@pytest.mark.parametrize("step", [{"dy": 0.05 * 1.019}, {"dx": 0.1 / 1.019}])
def test_steps_within_two_percent_agree(step):
    declared = DeclaredGrid(rows=4, columns=3, **{"dy": 0.05, "dx": 0.1, **step})
    assert scan_of(points(declared=declared)).attrs["notes"] == ()


@pytest.mark.parametrize("step", [{"dy": 0.05 * 1.03}, {"dx": 0.1 / 1.03}])
def test_coordinates_win_over_other_steps_with_a_note(step):
    declared = DeclaredGrid(rows=4, columns=3, **{"dy": 0.05, "dx": 0.1, **step})
    scan = scan_of(points(declared=declared))
    assert scan.attrs["step_nm"] == (50.0, 100.0)
    (note,) = scan.attrs["notes"]
    assert "the coordinates 4 x 3 points at 0.05 x 0.1 um (y, x)" in note


# A scan of which every second point was kept, while the header is the old one: 7 x 5 points.
FULL = DeclaredGrid(rows=7, columns=5, dy=0.025, dx=0.05)


def test_a_decimated_scan_is_read_with_a_note():
    (note,) = scan_of(points(declared=FULL)).attrs["notes"]
    assert "the coordinates are used" in note


@pytest.mark.parametrize(("rows", "columns"), [(range(3), range(3)), (range(4), range(2))])
def test_a_decimated_scan_that_lost_lines_is_refused(rows, columns):
    with pytest.raises(InputError, match=r"12 points: 4 x 3, every so many"):
        scan_of(points(rows, columns, FULL))
    assert len(scan_of(points(rows, columns, FULL), LENIENT).attrs["notes"]) == 1


def test_a_window_of_a_decimated_scan_is_read_with_a_note():
    assert len(scan_of(points(range(3), range(2), FULL)).attrs["notes"]) == 1


def test_other_steps_that_are_no_multiple_explain_nothing():
    other = DeclaredGrid(rows=7, columns=5, dy=0.03, dx=0.06)
    assert len(scan_of(points(range(3), range(3), other)).attrs["notes"]) == 1
    without = DeclaredGrid(rows=7, columns=5, dx=0.05)
    assert len(scan_of(points(range(3), range(3), without)).attrs["notes"]) == 1


def test_a_single_row_or_column_has_the_step_of_the_header_or_else_of_the_other_axis():
    row = DeclaredGrid(rows=1, columns=3, dy=0.2, dx=0.1)
    assert scan_of(points([0], declared=row)).attrs["step_nm"] == (200.0, 100.0)
    column = DeclaredGrid(rows=4, columns=1, dy=0.05, dx=0.3)
    assert scan_of(points(columns=[0], declared=column)).attrs["step_nm"] == (50.0, 300.0)
    silent = DeclaredGrid()
    assert scan_of(points([0], declared=silent)).attrs["step_nm"] == (100.0, 100.0)
    assert scan_of(points(columns=[0], declared=silent)).attrs["step_nm"] == (50.0, 50.0)


def test_angles_beyond_two_turns_are_refused_with_their_line():
    angles = np.ones((12, 3))
    angles[0] = angles[1, 1] = 4 * np.pi + 9e-4  # "no solution", as printed
    assert scan_of(points(euler_angles=angles)).attrs["notes"] == ()
    angles[5, 2] = -12.57
    with pytest.raises(InputError, match=r"line 105(.|\n)*phi2 = 1, 1, -12.57"):
        scan_of(points(euler_angles=angles))


@pytest.mark.parametrize("phase", [2.0, 1.5, 4.0, -0.5])
def test_phases_that_are_not_listed_are_refused_with_their_line_and_number(phase):
    phases = np.ones(12)
    phases[[4, 9]] = phase
    with pytest.raises(InputError, match=rf"line 104(.|\n)*phase {phase:g} at 2 points"):
        scan_of(points(phase=phases))


def test_listed_phases_none_and_minus_one_are_taken():
    phases = np.resize([1.0, 3.0, 0.0, -1.0], 12)
    np.testing.assert_array_equal(scan_of(points(phase=phases))["phase"], phases.reshape(4, 3))


@pytest.mark.parametrize(("phase", "is_taken"), [(7.0, True), (32767.0, True), (32768.0, False)])
def test_without_a_list_any_whole_number_of_16_bits_is_a_phase(phase, is_taken):
    given = points(phase=np.full(12, phase), phases=())
    if is_taken:
        assert (scan_of(given)["phase"] == phase).all()
    else:
        with pytest.raises(InputError, match="whole numbers"):
            scan_of(given)


def test_points_are_indexed_within_two_turns_and_above_confidence_0():
    two_turns = 4 * np.pi
    angles = [0, two_turns - 2e-3, -two_turns + 2e-3, two_turns - 5e-4, np.nan, 1, 1, 1, 1]
    confidence = [0.1, 0.1, 1, 0.1, 0.1, 0.0, -1.0, np.nan, np.inf]
    euler = np.ones((9, 3))
    euler[:, 2] = angles
    found = edax_indexed(euler, np.array(confidence))
    assert found.tolist() == [True, True, True] + [False] * 6


def test_useless_quality_is_masked_up_to_its_share_and_counted():
    quality = np.arange(200.0)
    quality[[3, 50]] = [-1, np.inf]
    told = []
    cleaned = clean_quality(quality, "a.ang", 0.01, told)
    assert np.flatnonzero(np.isnan(cleaned)).tolist() == [3, 50]
    assert told == ["2 points have no usable image quality and were masked"]
    quality[60] = np.nan
    with pytest.raises(InputError, match=r"1\.5%(.|\n)*at most 1\.0%"):
        clean_quality(quality, "a.ang", 0.01, told)
    told.clear()
    assert clean_quality(np.zeros(3), "a.ang", 0.0, told).tolist() == [0, 0, 0]
    assert told == []


def test_numbers_too_large_for_32_bits_are_useless_quality():
    told = []
    assert np.isnan(clean_quality(np.array([1e300, 1.0]), "a.ang", 0.5, told)).tolist() == [
        True,
        False,
    ]


def hexagonal(rows, columns, even, said_rows=None):
    """Points of a hexagonal grid, shifted rows with `even` points, and what the header says."""
    row = np.concatenate([np.full(columns if r % 2 == 0 else even, r) for r in range(rows)])
    column = np.concatenate([np.arange(columns if r % 2 == 0 else even) for r in range(rows)])
    declared = DeclaredGrid(
        rows=said_rows or rows, columns=columns, columns_even=even, hexagonal=True
    )
    count = row.size
    return points(
        declared=declared,
        x=(column + 0.5 * (row % 2)) * 0.1,
        y=row * 0.1 * 3**0.5 / 2,
        image_quality=np.arange(count, dtype=float),
        confidence_index=np.ones(count),
        euler_angles=np.ones((count, 3)),
        phase=np.ones(count),
        indexed=np.ones(count, bool),
        channels={"bands": np.arange(count, dtype=float)},
    )


@pytest.mark.parametrize("even", [2, 3])
@pytest.mark.parametrize("rows", [4, 5])
def test_a_hexagonal_grid_is_resampled_with_a_note(rows, even):
    given = hexagonal(rows, 3, even)
    with pytest.raises(InputError, match="hexagonal"):
        scan_of(given)
    scan = scan_of(given, ReadingOptions(resample_hexagonal=True))
    assert scan.attrs["step_nm"] == (100.0, 100.0)
    np.testing.assert_array_equal(scan["bands"], scan["image_quality"])
    (note,) = scan.attrs["notes"]
    assert note.startswith(
        f"hexagonal grid of {given.x.size} points resampled to {scan.x.size * scan.y.size} "
    )


@pytest.mark.parametrize(("rows", "expected"), [(4, 13), (5, 15)])
def test_a_hexagonal_grid_that_is_not_that_of_the_header_is_refused(rows, expected):
    given = hexagonal(rows, 3, 2, said_rows=rows + 1)
    with pytest.raises(InputError, match=rf"{expected}: {rows + 1} rows of 3 and 2 in turn"):
        scan_of(given, ReadingOptions(resample_hexagonal=True))
