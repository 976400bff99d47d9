import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from orix import io as orix_io

from electrode_grains.ebsd import (
    ReadingOptions,
    check_symmetry,
    read_scan,
    scan_readers,
    stack_scans,
    write_scan,
)
from electrode_grains.ebsd.issues import Issue, issue_table
from electrode_grains.ebsd.scan import stack_fingerprint
from electrode_grains.errors import InputError, SettingsError

PHASE = {
    "id": 1,
    "material_name": "NMC532",
    "formula": "LiNiO2",
    "symmetry": "32",
    "lattice_constants": "2.870 2.870 14.260 90.000 90.000 120.000",
}


def make_scan(rows=4, columns=3, step=50.0, seed=0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    shape = (rows, columns)
    euler = rng.uniform(0, 3, (*shape, 3)).astype(np.float32)
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), rng.uniform(50, 300, shape).astype(np.float32)),
            "confidence_index": (("y", "x"), rng.uniform(0, 1, shape).astype(np.float32)),
            "euler_angles": (("y", "x", "angle"), euler),
            "phase": (("y", "x"), np.ones(shape, np.int16)),
        },
        attrs={"step_nm": (step, step), "phases": (PHASE,), "source": "made", "notes": ()},
    )


@pytest.fixture
def written(tmp_path) -> Path:
    path = tmp_path / "slice_007.ang"
    write_scan(make_scan(), path)
    return path


def replace_line(path: Path, begins: str, by: str | None) -> None:
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(begins)]
    if by is not None:
        position = next(i for i, line in enumerate(lines) if line.startswith(begins))
        kept.insert(position, by + "\n")
    path.write_text("".join(kept))


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 7), columns=st.integers(1, 7), step=st.sampled_from([50.0, 37.5, 400.0]))
def test_what_is_written_is_read_back(tmp_path_factory, rows, columns, step):
    scan = make_scan(rows, columns, step)
    path = tmp_path_factory.mktemp("scan") / "slice_1.ang"
    write_scan(scan, path)
    read = read_scan(path)

    np.testing.assert_allclose(read["image_quality"], scan["image_quality"], atol=6e-4)
    np.testing.assert_allclose(read["confidence_index"], scan["confidence_index"], atol=6e-4)
    np.testing.assert_allclose(read["euler_angles"], scan["euler_angles"], atol=6e-6)
    assert read.attrs["step_nm"] == pytest.approx((step, step))
    assert read.attrs["phases"][0]["symmetry"] == "32"


def test_orix_reads_the_same_values(written):
    scan = read_scan(written, ReadingOptions(frames="same"))
    theirs = orix_io.load(written)

    np.testing.assert_allclose(
        theirs.prop["iq"], scan["image_quality"].to_numpy().ravel(), atol=1e-3
    )
    np.testing.assert_allclose(theirs.x, np.tile(scan["x"].to_numpy() / 1000, 4), atol=1e-5)
    np.testing.assert_allclose(
        theirs.rotations.to_euler().reshape(4, 3, 3) % (2 * np.pi),
        scan["euler_angles"].to_numpy() % (2 * np.pi),
        atol=1e-4,
    )
    assert theirs.phases[1].point_group.name in {"32", "321"}


def test_windows_line_ends_latin_letters_and_capital_suffix_are_read(written, tmp_path):
    text = written.read_text().replace("electrode-grains", "Müller").replace("\n", "\r\n")
    path = tmp_path / "S07.ANG"
    path.write_bytes(text.encode("latin-1"))
    xr.testing.assert_equal(read_scan(path), read_scan(written))


@pytest.mark.parametrize(
    "operator", ['12" wafer', "O\x85Neil", "\u2028"], ids=["quote", "control", "separator"]
)
def test_names_in_the_header_never_shift_the_rows(written, tmp_path, operator):
    path = tmp_path / "slice_007.ang"
    text = written.read_text().replace("electrode-grains", operator)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    xr.testing.assert_equal(read_scan(path), read_scan(written))


def test_the_header_of_recent_versions_and_14_columns_are_read(tmp_path):
    rows = [
        f"{0.1 * i:.5f} 0.50000 0.20000 {0.05 * (i % 3):.5f} {0.05 * (i // 3):.5f} "
        f"{100 + i} 0.9 {1 + i % 2} 12 1.1 7.0 8.0 9.0 10.0"
        for i in range(6)
    ]
    phase = "# Phase {0}\n# MaterialName \t{1}\n# Formula \t{1}\n# Symmetry {2}\n# Info\n#\n"
    header = (
        "# HEADER: Start\n# TEM_PIXperUM 1.000000\n# VERSION 7\n#\n"
        + phase.format(2, "Carbon", 62)
        + phase.format(1, "NMC", 32)
        + "# GRID: SqrGrid\n# XSTEP: 0.050000\n# YSTEP: 0.050000\n# NCOLS_ODD: 3\n"
        "# NCOLS_EVEN: 3\n# NROWS: 2\n# COLUMN_COUNT: 14\n"
        "# COLUMN_HEADERS: phi1, PHI, phi2, x, y, IQ, CI, Phase index, SEM, FIT, a, b, c, d\n"
        "# NOTES: Start\n# XSTEP was checked: fine\n# NOTES: End\n# HEADER: End\n"
    )
    path = tmp_path / "run 2 - 0041.Ang"
    path.write_text(header + "\n".join(rows) + "\n")
    scan = read_scan(path)

    assert [(phase["id"], phase["symmetry"]) for phase in scan.attrs["phases"]] == [
        (2, "62"),
        (1, "32"),
    ]
    assert scan["phase"].to_numpy().tolist() == [[1, 2, 1], [2, 1, 2]]
    assert scan["image_quality"].to_numpy().tolist() == [[100, 101, 102], [103, 104, 105]]
    assert scan["x"].to_numpy() == pytest.approx([0, 50, 100])


def test_rows_in_any_order_find_their_place(written):
    before = read_scan(written)
    lines = written.read_text().splitlines(keepends=True)
    body = [line for line in lines if not line.startswith("#")]
    head = [line for line in lines if line.startswith("#")]
    written.write_text("".join(head + body[::-1]))
    xr.testing.assert_equal(read_scan(written), before)


@pytest.mark.parametrize(
    "edit",
    [
        lambda words: words.__setitem__(6, "nan"),
        lambda words: words.__setitem__(slice(0, 3), ["12.56637"] * 3),
        lambda words: words.__setitem__(1, "nan"),
    ],
    ids=["confidence not a number", "angles of 4 pi", "an angle not a number"],
)
def test_points_without_solution_have_no_orientation(written, edit):
    edit_row(written, 4, edit)
    euler = read_scan(written)["euler_angles"].to_numpy().reshape(-1, 3)
    assert np.flatnonzero(np.isnan(euler).all(axis=1)).tolist() == [4]


def test_a_failed_write_leaves_the_old_file_and_no_rest(written, monkeypatch):
    before = written.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_scan(make_scan(seed=1), written)
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_points_not_indexed_have_no_orientation(tmp_path):
    scan = make_scan()
    scan["confidence_index"][1, 2] = -1.0
    write_scan(scan, tmp_path / "s1.ang")
    read = read_scan(tmp_path / "s1.ang")
    assert np.isnan(read["euler_angles"][1, 2]).all()
    assert np.isfinite(read["euler_angles"]).sum() == 3 * 11


def test_complete_coordinates_win_over_a_contradicting_header_with_a_warning(written):
    replace_line(written, "# XSTEP", "# XSTEP: 0.0125")
    replace_line(written, "# NROWS", "# NROWS: 16")
    with pytest.warns(UserWarning, match="coordinates are used"):
        scan = read_scan(written)
    assert scan["image_quality"].shape == (4, 3)
    assert len(scan.attrs["notes"]) == 1


def cut_after_row(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]))


def cut_inside_row(path: Path) -> None:
    path.write_text(path.read_text()[:-30])


def cut_inside_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1])[:-20])


def repeat_row(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-1], lines[-2]]))


def damage_number(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-2], lines[-2].replace(".", "x", 1), lines[-1]]))


def edit_row(path: Path, row: int, edit) -> None:
    """Change the words of a row of numbers, counted from 0."""
    lines = path.read_text().splitlines(keepends=True)
    line = sum(line.startswith("#") for line in lines) + row
    words = lines[line].split()
    edit(words)
    lines[line] = " ".join(words) + "\n"
    path.write_text("".join(lines))


def lose_image_quality_of_a_point(path: Path) -> None:
    edit_row(path, 4, lambda words: words.pop(5))  # all that follows shifts by a column


def shorten_first_row(path: Path) -> None:
    edit_row(path, 0, lambda words: words.pop())


def make_phase_infinite(path: Path) -> None:
    edit_row(path, 4, lambda words: words.__setitem__(7, "inf"))


def turn_into_degrees(path: Path) -> None:
    for row in range(12):
        edit_row(
            path, row, lambda words: words.__setitem__(0, str(float(words[0]) * 180 / np.pi + 20))
        )


def move_point(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-1], lines[-1].replace("0.10000", "0.12345")]))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut_after_row, r"missing"),
        (cut_inside_row, r"line 43|missing|cannot be read"),
        (cut_inside_last_line, r"cannot be read|missing"),
        (repeat_row, r"more than once(.|\n)*line 40"),
        (damage_number, r"line \d+"),
        (lose_image_quality_of_a_point, r"line 33(.|\n)*9 values(.|\n)*10 numbers"),
        (shorten_first_row, r"line 29(.|\n)*9 values"),
        (make_phase_infinite, r"line 33(.|\n)*inf"),
        (turn_into_degrees, r"line 29(.|\n)*radians"),
        (
            lambda path: edit_row(path, 5, lambda w: w.__setitem__(3, "1e9")),
            r"line 34(.|\n)*1e\+09",
        ),
        (move_point, r"line 40(.|\n)*0\.12345"),
        (lambda path: path.write_text(""), r"an empty file"),
        (lambda path: path.write_text("# GRID: SqrGrid\n"), r"no points"),
        (lambda path: replace_line(path, "# GRID", "# GRID: HexGrid"), r"hexagonal"),
        (lambda path: replace_line(path, "# NROWS", "# NROWS: 9"), r"expected: 27 points"),
        (lambda path: path.write_text("# h\n1 2 3\n4 5 6\n"), r"3 columns"),
    ],
)
def test_a_damaged_file_is_refused(written, damage, says):
    damage(written)
    with pytest.raises(InputError, match=says):
        read_scan(written)


def test_useless_image_quality_is_masked_in_small_shares_only(tmp_path):
    scan = make_scan(20, 20)
    scan["image_quality"][0, 0] = -5.0
    write_scan(scan, tmp_path / "few.ang")
    with pytest.warns(UserWarning, match="1 points have no usable image quality"):
        read = read_scan(tmp_path / "few.ang")
    assert np.isnan(read["image_quality"][0, 0])

    scan["image_quality"][:5] = -5.0
    write_scan(scan, tmp_path / "many.ang")
    with pytest.raises(InputError, match=r"25\.0%"):
        read_scan(tmp_path / "many.ang")


def test_a_stack_takes_little_more_memory_than_its_arrays(tmp_path):
    for z in range(40):
        write_scan(make_scan(60, 60, seed=z), tmp_path / f"slice_{z}.ang")
    readers = {}
    for file in tmp_path.iterdir():
        readers |= scan_readers(file)
    stack_scans(dict(list(readers.items())[:1]), 50.0)  # what is loaded once is no part of it
    tracemalloc.start()
    stack = stack_scans(readers, 50.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * stack.nbytes


def test_points_of_confidence_zero_are_not_indexed(written):
    edit_row(written, 4, lambda words: words.__setitem__(6, "0.000"))
    scan = read_scan(written)
    assert np.flatnonzero(np.isnan(scan["euler_angles"][..., 0]).to_numpy()).tolist() == [4]


@pytest.mark.parametrize("kept", [11, 9, 7])
def test_a_killed_copy_is_read_with_gaps_on_request(written, kept):
    whole = read_scan(written)["image_quality"].to_numpy()
    lines = written.read_text().splitlines(keepends=True)
    written.write_text("".join(lines[: len(lines) - 12 + kept]))
    with pytest.raises(InputError, match="accept_missing"):
        read_scan(written)
    with pytest.warns(UserWarning, match=f"{12 - kept} of 12 points are missing"):
        scan = read_scan(written, ReadingOptions(accept_missing=True))
    quality = scan["image_quality"].to_numpy()
    assert np.flatnonzero(np.isnan(quality)).tolist() == list(range(kept, 12))
    np.testing.assert_array_equal(quality.ravel()[:kept], whole.ravel()[:kept])
    assert np.isnan(scan["euler_angles"].to_numpy()[np.isnan(quality)]).all()


def test_rows_missing_at_the_beginning_leave_their_place_empty(written):
    lines = written.read_text().splitlines(keepends=True)
    head = [line for line in lines if line.startswith("#")]
    written.write_text("".join(head + lines[len(head) + 3 :]))
    with pytest.warns(UserWarning, match="3 of 12"):
        scan = read_scan(written, ReadingOptions(accept_missing=True))
    assert np.flatnonzero(np.isnan(scan["image_quality"].to_numpy())).tolist() == [0, 1, 2]


def test_a_decimated_scan_that_was_cut_is_refused_though_its_rectangle_is_complete(written):
    replace_line(written, "# XSTEP", "# XSTEP: 0.0125")
    replace_line(written, "# YSTEP", "# YSTEP: 0.0125")
    replace_line(written, "# NCOLS_ODD", "# NCOLS_ODD: 12")
    replace_line(written, "# NCOLS_EVEN", "# NCOLS_EVEN: 12")
    replace_line(written, "# NROWS", "# NROWS: 16")
    with pytest.warns(UserWarning, match="coordinates are used"):
        assert read_scan(written)["image_quality"].shape == (4, 3)
    cut_after_row(written)
    with pytest.raises(InputError, match=r"9 points(.|\n)*12 points: 4 x 3"):
        read_scan(written)


@pytest.mark.parametrize(
    ("begins", "by", "says"),
    [
        ("# NROWS", "# NROWS: -4", r"impossible NROWS(.|\n)*line \d+(.|\n)*'-4'"),
        ("# NROWS", "# NROWS: many", r"impossible NROWS"),
        ("# XSTEP", "# XSTEP: -0.05", r"impossible XSTEP"),
        ("# XSTEP", "# XSTEP: 0.05\n# XSTEP: 0.06", r"XSTEP twice"),
        ("# XSTEP", "# XSTEP: 0.05\n# COLUMN_COUNT: 12", r"10 columns(.|\n)*12, as the header"),
        (
            "# XSTEP",
            "# XSTEP: 0.05\n# COLUMN_HEADERS: phi1, PHI, phi2, x, y, IQ, Phase, a, b, c",
            r"CI too",
        ),
    ],
)
def test_an_impossible_header_is_refused(written, begins, by, says):
    replace_line(written, begins, by)
    with pytest.raises(InputError, match=says):
        read_scan(written)


def test_columns_are_found_by_their_headings(written):
    before = read_scan(written)
    replace_line(
        written, "# XSTEP", "# XSTEP: 0.05\n# COLUMN_HEADERS: phi1, PHI, phi2, x, y, CI, IQ, "
        "Phase index, SEM, FIT"
    )  # fmt: skip
    for row in range(12):
        edit_row(written, row, lambda words: words.__setitem__(slice(5, 7), [words[6], words[5]]))
    xr.testing.assert_equal(read_scan(written), before)


@pytest.mark.parametrize("phase", ["7", "1.5", "nan"])
def test_a_point_of_a_phase_that_is_not_listed_is_refused(written, phase):
    edit_row(written, 4, lambda words: words.__setitem__(7, phase))
    with pytest.raises(InputError, match=r"line 33"):
        read_scan(written)


def test_slices_are_stacked_in_natural_order():
    scans = {f"slice_{n}": make_scan(seed=n) for n in (10, 9, 11)}
    stack = stack_scans(scans, 25.0)
    assert stack.attrs["slices"] == ("slice_9", "slice_10", "slice_11")
    assert stack.attrs["spacing_nm"] == (25.0, 50.0, 50.0)
    np.testing.assert_array_equal(stack["image_quality"][0], scans["slice_9"]["image_quality"])
    assert stack["z"].to_numpy().tolist() == [0.0, 25.0, 50.0]


def test_all_problems_of_a_stack_are_told_at_once():
    scans = {
        "slice_1": make_scan(),
        "slice_2": make_scan(rows=5),
        "slice_5": make_scan(step=60.0),
        "again_5": make_scan(),
    }
    with pytest.raises(InputError) as told:
        stack_scans(scans, 50.0)
    text = str(told.value)
    columns = ["slice", "line", "problem", "found", "expected", "remedy"]
    assert text.splitlines()[1].split() == columns
    assert "no 3 to 4" in text
    assert "doubled slice number" in text
    assert "(5, 3)" in text
    assert "60.0" in text


def test_the_odd_slice_is_named_even_if_it_is_the_first():
    scans = {f"s_{n}": make_scan(rows=5 if n == 1 else 4) for n in range(1, 5)}
    with pytest.raises(InputError, match="1 problems in a stack of 4 slices") as told:
        stack_scans(scans, 50.0)
    assert "s_1" in str(told.value)
    assert "s_2" not in str(told.value)


def test_files_that_cannot_be_read_join_the_table(written):
    lose_image_quality_of_a_point(written)
    scans = {
        "slice_006": make_scan(),
        "slice_007": lambda: read_scan(written),
        "notes": make_scan(),
    }
    with pytest.raises(InputError, match="2 problems") as told:
        stack_scans(scans, 50.0)
    assert re.search(r"slice_007\.ang +33 +a row cannot be read", str(told.value))
    assert "no slice number" in str(told.value)


@pytest.mark.parametrize(
    ("first_slice", "says"),
    [(1, "no 1 to 2"), (2, "no 2 +no gap"), (4, "before the first slice"), (3, None)],
)
def test_the_first_slice_can_be_demanded(first_slice, says):
    scans = {f"s_{n}": make_scan() for n in (3, 4)}
    if says is None:
        assert stack_scans(scans, 50.0, first_slice=first_slice).sizes["z"] == 2
    else:
        with pytest.raises(InputError, match=says):
            stack_scans(scans, 50.0, first_slice=first_slice)


@pytest.mark.parametrize("spacing", [0.0, -50.0, float("nan")])
def test_slices_lie_a_positive_distance_apart(spacing):
    with pytest.raises(SettingsError, match=str(spacing)):
        stack_scans([make_scan()], spacing)


def test_a_name_without_number_is_refused():
    with pytest.raises(InputError, match="no slice number"):
        stack_scans({"slice": make_scan()}, 50.0)


@pytest.mark.filterwarnings("ignore:.*coordinates are used")
def test_the_real_stack_of_iron_is_read():
    folder = os.environ.get("ELECTRODE_GRAINS_IRON_3D")
    if not folder:
        pytest.skip("ELECTRODE_GRAINS_IRON_3D does not name the folder of the real stack")
    files = {path.stem: path for path in Path(folder).glob("*.ANG")}
    stack = stack_scans({n: (lambda p=p: read_scan(p)) for n, p in files.items()}, 400.0)
    assert stack["image_quality"].shape == (59, 40, 35)
    assert float(stack["image_quality"][0].mean()) == pytest.approx(180.3814, abs=1e-3)
    assert stack.attrs["spacing_nm"] == pytest.approx((400.0, 400.0, 400.0))


def test_without_a_slice_spacing_voxels_are_as_deep_as_they_are_high():
    stack = stack_scans([make_scan(step=40.0), make_scan(step=40.0)])
    assert stack.attrs["spacing_nm"] == (40.0, 40.0, 40.0)
    assert stack["z"].to_numpy().tolist() == [0.0, 40.0]


def test_slices_may_lie_closer_than_points_but_not_in_another_unit():
    assert stack_scans([make_scan(), make_scan()], 4.0)["z"].to_numpy().tolist() == [0.0, 4.0]
    assert "12.5 times" in stack_scans([make_scan()], 4.0).attrs["notes"][-1]
    with pytest.raises(SettingsError, match=r"0\.05 x 50 x 50 nm"):
        stack_scans([make_scan(), make_scan()], 0.05)


@pytest.mark.parametrize(("laue", "doubts"), [("-3m", 0), ("m-3m", 1)])
def test_a_symmetry_that_contradicts_the_files_is_doubted(laue, doubts):
    told = check_symmetry(stack_scans([make_scan()]), laue)
    assert len(told) == doubts
    assert all("-3m" in doubt and "NMC532" in doubt for doubt in told)


def test_slices_of_other_channels_are_told():
    other = make_scan().assign(bands=(("y", "x"), np.zeros((4, 3), np.float32)))
    with pytest.raises(InputError, match=r"s_2(.|\n)*other channels"):
        stack_scans({"s_1": make_scan(), "s_2": other, "s_3": make_scan()}, 50.0)


def test_equal_stacks_have_one_fingerprint_and_others_another():
    stack = stack_scans([make_scan(), make_scan()], 50.0)
    known = stack_fingerprint(stack)
    assert known == stack_fingerprint(stack_scans([make_scan(), make_scan()], 50.0))
    assert len(known) == 16
    assert known != stack_fingerprint(stack_scans([make_scan(), make_scan()], 60.0))
    for name in stack.data_vars:
        changed = stack.copy(deep=True)
        values = changed[name].to_numpy()
        values[(0,) * values.ndim] = 3
        assert known != stack_fingerprint(changed), name


def test_the_table_of_troubles_is_177_characters_wide_and_loses_none():
    cells = [letter * 50 for letter in "abcdef"]
    lines = issue_table([Issue(*cells)]).splitlines()
    assert max(map(len, lines)) == 177
    assert lines[0].split() == ["slice", "line", "problem", "found", "expected", "remedy"]
    assert ["".join(lines[1:]).count(letter) for letter in "abcdef"] == [50] * 6
    narrow = issue_table([Issue("s_1", "7", "cut", "", "", "")]).splitlines()
    assert narrow[1] == "  s_1    7     cut"
