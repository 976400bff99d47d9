import numpy as np
import pytest
import xarray as xr

from electrode_grains.ebsd import ReadingOptions, read_scan, scan_readers, write_scan
from electrode_grains.errors import InputError

ROWS, COLUMNS, STEP = 4, 5, 0.05
HEADER = (
    "Channel Text File\n"
    "Prj\tparticle\nAuthor\t{author}\nJobMode\tGrid\n"
    f"XCells\t{COLUMNS}\nYCells\t{ROWS}\nXStep\t{STEP}\nYStep\t{STEP}\n"
    "AcqE1\t0\nAcqE2\t0\nAcqE3\t0\n"
    "Euler angles refer to Sample Coordinate system (CS0)!\tMag\t5000\tCoverage\t100\t"
    "Device\t0\tKV\t20\tTiltAngle\t70\tTiltAxis\t0\n"
    "Phases\t2\n"
    "2.870;2.870;14.260\t90;90;120\tNMC532\t7\t166\t\t\tSomebody [2020]\n"
    "3.524;3.524;3.524\t90;90;90\tNickel\t11\t225\t\t\tSomebody [2021]\n"
    "Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS\n"
)


def known_values():
    rng = np.random.default_rng(3)
    count = ROWS * COLUMNS
    values = {
        "phase": np.r_[1, 2, 0, rng.integers(1, 3, count - 3)],
        "bands": rng.integers(5, 10, count),
        "error": np.r_[0, 0, 3, 4, np.zeros(count - 4, int)],
        "euler": rng.uniform(0, 90, (count, 3)).round(4),
        "mad": rng.uniform(0.2, 1.5, count).round(4),
        "bc": rng.integers(40, 200, count),
    }
    return values


def text_of(values, author="somebody", separator="."):
    y, x = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    rows = [
        f"{values['phase'][i]}\t{x[i] * STEP:.4f}\t{y[i] * STEP:.4f}\t{values['bands'][i]}\t"
        f"{values['error'][i]}\t"
        + "\t".join(f"{angle:.4f}" for angle in values["euler"][i])
        + f"\t{values['mad'][i]:.4f}\t{values['bc'][i]}\t255\n"
        for i in range(ROWS * COLUMNS)
    ]
    return HEADER.format(author=author) + "".join(rows).replace(".", separator)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "slice_003.ctf"
    path.write_text(text_of(known_values()))
    return path


def test_every_value_finds_its_place(written):
    values, scan = known_values(), read_scan(written, ReadingOptions(frames="same"))
    shape = (ROWS, COLUMNS)
    indexed = (values["error"] == 0) & (values["phase"] > 0)

    np.testing.assert_array_equal(scan["image_quality"], values["bc"].reshape(shape))
    np.testing.assert_array_equal(scan["bands"], values["bands"].reshape(shape))
    np.testing.assert_array_equal(scan["phase"], values["phase"].reshape(shape))
    np.testing.assert_allclose(
        scan["mean_angular_deviation"], np.radians(values["mad"]).reshape(shape), rtol=1e-6
    )
    euler = np.where(indexed[:, None], np.radians(values["euler"]), np.nan)
    np.testing.assert_allclose(scan["euler_angles"], euler.reshape(*shape, 3), rtol=1e-6)
    np.testing.assert_array_equal(scan["confidence_index"], np.where(indexed, 1, -1).reshape(shape))
    assert scan.attrs["step_nm"] == (50.0, 50.0)
    assert scan.attrs["notes"] == ()


def test_phases_keep_their_names_and_symmetries(written):
    phases = read_scan(written).attrs["phases"]
    assert [(p["id"], p["material_name"], p["symmetry"]) for p in phases] == [
        (1, "NMC532", "32"),
        (2, "Nickel", "43"),
    ]
    assert phases[0]["lattice_constants"].split() == ["2.870", "2.870", "14.260", "90", "90", "120"]


def test_decimal_commas_windows_lines_and_latin_letters_are_read(written, tmp_path):
    path = tmp_path / "SLICE_003.CTF"
    text = text_of(known_values(), author="Müller", separator=",")
    text = text.replace(f"XStep\t{STEP}", f"XStep\t{STEP}".replace(".", ","))
    path.write_bytes(text.replace("\n", "\r\n").encode("latin-1"))
    xr.testing.assert_equal(read_scan(path), read_scan(written))


def test_a_scan_from_one_maker_can_be_written_as_the_other_writes_it(written, tmp_path):
    scan = read_scan(written)
    write_scan(scan, tmp_path / "slice_003.ang")
    again = read_scan(tmp_path / "slice_003.ang")
    np.testing.assert_allclose(again["euler_angles"], scan["euler_angles"], atol=1e-5)
    np.testing.assert_array_equal(again["image_quality"], scan["image_quality"])
    assert [p["symmetry"] for p in again.attrs["phases"]] == ["32", "43"]


def change(old, new):
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (change("XCells\t5", "XCells\t6"), r"points are missing(.|\n)*24 points"),
        (change("XCells\t5", "XCells\t-5"), r"impossible XCells(.|\n)*line 5(.|\n)*'-5'"),
        (change("YCells\t4\n", ""), r"incomplete(.|\n)*no YCells"),
        (change("XStep\t0.05", "XStep\tabc"), r"impossible XStep"),
        (change("JobMode\tGrid", "JobMode\tLine"), r"no map(.|\n)*line 4"),
        (change("\t7\t166", "\t12\t166"), r"no Laue group(.|\n)*line 14"),
        (change("Phases\t2", "Phases\ttwo"), r"impossible Phases"),
        (change("\tBC\tBS", "\tBS"), r"no BC"),
        (change("\t255\n", "\n"), r"line 17(.|\n)*10 values(.|\n)*11 numbers"),
        (lambda text: text[:-8], r"line 36(.|\n)*cut"),
        (lambda text: "\n".join(text.split("\n")[:-3]) + "\n", r"missing"),
        (change("\n2\t", "\n3\t"), r"no phase of the header(.|\n)*phase 3"),
        (lambda text: text[: text.index("Phase\tX")], r"incomplete"),
        (lambda text: "x" + text, r"not of its kind"),
    ],
)
def test_a_damaged_file_is_refused(written, damage, says):
    before = written.read_text()
    damaged = damage(before)
    assert damaged != before
    written.write_text(damaged)
    with pytest.raises(InputError, match=says):
        read_scan(written)


def test_angles_in_radians_are_doubted(written):
    values = known_values()
    values["euler"] = values["euler"] / 90 * 6
    big = np.tile(text_of(values).split("\n")[16:-1], 6)  # a hundred points and more
    rows = [
        "\t".join([w[0], f"{i % 20 * STEP:.4f}", f"{i // 20 * STEP:.4f}", *w[3:]])
        for i, w in enumerate(line.split("\t") for line in big)
    ]
    header = (
        HEADER.format(author="")
        .replace("XCells\t5", "XCells\t20")
        .replace("YCells\t4", "YCells\t6")
    )
    written.write_text(header + "\n".join(rows) + "\n")
    with pytest.warns(UserWarning, match="radians instead of degrees"):
        read_scan(written)


def test_a_cut_file_is_read_with_gaps_on_request(written):
    whole = read_scan(written)
    lines = written.read_text().splitlines(keepends=True)
    written.write_text("".join(lines[:-1])[:-20])  # and half of the row before
    with pytest.warns(UserWarning, match="row is cut|are missing") as told:
        scan = read_scan(written, ReadingOptions(accept_missing=True))
    assert any("2 of 20 points are missing" in str(warning.message) for warning in told)
    (row,) = [str(w.message) for w in told if "the last row is cut" in str(w.message)]
    assert row.endswith(f"cut: {lines[-2][:-20]!r}")
    missing = np.isnan(scan["image_quality"].to_numpy())
    assert np.flatnonzero(missing.ravel()).tolist() == [18, 19]
    assert (scan["confidence_index"].to_numpy()[missing] == -1).all()
    np.testing.assert_array_equal(
        scan["image_quality"].to_numpy()[~missing], whole["image_quality"].to_numpy()[~missing]
    )


@pytest.mark.parametrize("key", ["XStep", "YStep"])
def test_a_step_of_the_header_counts_unless_it_is_0(written, key):
    text = written.read_text()
    written.write_text(text.replace(f"{key}\t0.05", f"{key}\t0.07"))
    with pytest.warns(UserWarning, match="the coordinates are used"):
        assert read_scan(written).attrs["step_nm"] == (50.0, 50.0)
    written.write_text(text.replace(f"{key}\t0.05", f"{key}\t0"))
    assert read_scan(written).attrs["notes"] == ()


def test_the_job_mode_may_be_empty_and_lines_without_value_are_passed_over(written):
    whole = read_scan(written)
    for line in ("JobMode", "JobMode\t", "JobMode\tGRID", "JobMode\tgrid\nComment"):
        text = HEADER.format(author="x").replace("JobMode\tGrid", line)
        written.write_text(text_of(known_values()).replace(HEADER.format(author="somebody"), text))
        xr.testing.assert_equal(read_scan(written), whole)


def test_the_last_and_first_laue_groups_have_their_numbers(written):
    text = written.read_text().replace("\t7\t166", "\t1\t2").replace("\t11\t225", "\t2\t10")
    written.write_text(text)
    assert [p["symmetry"] for p in read_scan(written).attrs["phases"]] == ["1", "20"]
    written.write_text(text.replace("NMC532\t1\t2", "NMC532\t0\t2"))
    with pytest.raises(InputError, match="no Laue group"):
        read_scan(written)


def test_a_phase_list_of_lengths_alone_is_kept_as_it_stands(written):
    constants = read_scan(written).attrs["phases"][1]["lattice_constants"]
    assert constants == "3.524 3.524 3.524 90 90 90"
    assert read_scan(written).attrs["phases"][1]["formula"] == ""


@pytest.mark.parametrize(
    ("factor", "doubts"), [(1.0, 0), (0.6, 0), (0.5, 1)]
)  # of 12 degrees: 6.3 are 2 pi radians
def test_small_angles_are_doubted_at_a_hundred_indexed_points_and_more(tmp_path, factor, doubts):
    rng = np.random.default_rng(1)
    euler = rng.uniform(0.1, 1, (10, 15, 3)) * 12 * factor
    lines = [
        f"1\t{x * STEP:.2f}\t{y * STEP:.2f}\t6\t0\t"
        + "\t".join(f"{angle:.3f}" for angle in euler[y, x])
        + "\t0.5\t90\t255\n"
        for y in range(10)
        for x in range(15)
    ]
    header = HEADER.format(author="").replace("XCells\t5", "XCells\t15")
    header = header.replace("YCells\t4", "YCells\t10")
    path = tmp_path / "slice_1.ctf"
    path.write_text(header + "".join(lines))
    assert len(scan_readers(path)["slice_1"]().attrs["notes"]) == doubts
    path.write_text(header.replace("YCells\t10", "YCells\t6") + "".join(lines[:90]))
    assert scan_readers(path)["slice_1"]().attrs["notes"] == ()
