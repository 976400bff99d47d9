"""Where readers draw a line: digits that are kept, tolerances, sizes, codes of makers."""

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import xarray as xr
from PIL import Image

from electrode_grains.ebsd import (
    OrientationField,
    ReadingOptions,
    hdf5,
    hdf5_probe,
    hdf5_walk,
    read_scan,
    stack_scans,
)
from electrode_grains.ebsd.ctf import readers as ctf_readers
from electrode_grains.ebsd.depths import depths_of_names, read_depths, spacing_of_depths
from electrode_grains.ebsd.frames import FrameChoice, FrameRotations, frame_verdict, turns_over
from electrode_grains.ebsd.grid import square_grid
from electrode_grains.ebsd.header_grid import DeclaredGrid, fit_header
from electrode_grains.ebsd.orientations import misorientation_angle, radial_orientations, turn
from electrode_grains.ebsd.placement import check_classes
from electrode_grains.ebsd.pseudo_cube import (
    flip_excess,
    hexagonal_constants,
    is_pseudo_cubic,
    pseudo_cube,
    variants,
)
from electrode_grains.ebsd.pseudo_group import pseudo_group
from electrode_grains.ebsd.scan import stack_fingerprint
from electrode_grains.ebsd.settings import OrientationAnnotationSettings, StackSettings
from electrode_grains.ebsd.sizes import plausible_size
from electrode_grains.ebsd.text_table import header_number, read_table
from electrode_grains.ebsd.uniformity import Kind, uniformity_issues
from electrode_grains.errors import InputError, SettingsError

FINE = "0.0123456789"  # um, of which six digits of a nm are kept: 12.345679


def write_ctf(file, step=FINE, layers=2):
    head = ["Channel Text File", "JobMode\tGrid", "XCells\t3", "YCells\t2", f"ZCells\t{layers}",
            f"XStep\t{step}", f"YStep\t{step}", f"ZStep\t{step}",
            "Phases\t1", "3;3;3\t90;90;90\tiron\t11\t229",
            "Phase\tX\tY\tZ\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC"]  # fmt: skip
    rows = [
        f"1\t{x * float(step):.12f}\t{y * float(step):.12f}\t{z}\t8\t0\t10\t20\t30\t0.5\t{x}"
        for z in range(layers) for y in range(2) for x in range(3)
    ]  # fmt: skip
    file.write_text("\n".join([*head, *rows]) + "\n")
    return file


def test_lengths_are_kept_to_a_millionth_of_a_nanometre(tmp_path):
    (first, _) = ctf_readers(write_ctf(tmp_path / "v.ctf")).values()
    scan = first()
    assert scan.attrs["slice_spacing_nm"] == 12.345679
    assert scan.attrs["step_nm"] == (12.345679, 12.345679)
    depths, _ = depths_of_names(["z0.0123456789um"], r"z([\d.]+)")
    assert depths == {"z0.0123456789um": 12.345679}


def test_positions_are_kept_to_a_thousandth_of_a_nanometre(tmp_path):
    with h5py.File(tmp_path / "p.h5", "w") as root:
        root["x"], root["y"] = [0.1234567, 1.0], [0.0, 0.7654321]
        declared = DeclaredGrid(rows=1, columns=2, dy=1.0, dx=1.0)
        x, y = hdf5.read_positions(root, "x", "y", 2, declared)
    assert (x.tolist(), y.tolist()) == ([0.123457, 1.0], [0.0, 0.765432])


@pytest.mark.parametrize("lost", ["rows", "columns", "dy", "dx", "hexagonal"])
def test_positions_follow_from_rows_and_columns_only_where_all_are_known(tmp_path, lost):
    known = {"rows": 1, "columns": 1, "dy": 0.5, "dx": 0.25}
    with h5py.File(tmp_path / "p.h5", "w") as root:
        assert hdf5.read_positions(root, "x", "y", 1, DeclaredGrid(**known))[0] == [0.0]
        incomplete = DeclaredGrid(**{**known, lost: lost == "hexagonal" or None})
        with pytest.raises(InputError, match="no positions"):
            hdf5.read_positions(root, "x", "y", 1, incomplete)


def test_a_table_of_depths_may_be_parted_by_any_of_three_signs(tmp_path):
    for sign in ";,\t":
        file = tmp_path / "depths.csv"
        file.write_text(f"slice{sign}z_nm\nfirst{sign}50\n")
        assert read_depths(file) == {"first": 50.0}
    file.write_text("slice\tz_nm\n1,5\t50,5\n")  # the headings decide, not the rows
    assert read_depths(file) == {"1,5": 50.5}


def test_a_file_may_be_as_large_as_deflate_allows_or_64_mib():
    assert plausible_size(1, 64 * 1024**2)
    assert not plausible_size(1, 64 * 1024**2 + 1)
    assert plausible_size(2**20, 1032 * 2**20)
    assert not plausible_size(2**20, 1032 * 2**20 + 1)


@pytest.mark.parametrize(
    ("value", "is_step", "number"),
    [("0", True, 0.0), ("0.5", True, 0.5), ("1", False, 1.0), ("12", False, 12.0),
     ("x", True, None), ("-1", True, None), ("0", False, None), ("x", False, None),
     ("1.5", False, None), ("1e999", True, None)],
)  # fmt: skip
def test_steps_are_at_least_0_and_counts_whole_from_1(value, is_step, number):
    if number is None:
        with pytest.raises(InputError, match="impossible KEY"):
            header_number("KEY", value, "a.ang", is_step=is_step)
    else:
        assert header_number("KEY", value, "a.ang", is_step=is_step) == number


@pytest.mark.parametrize(("degrees", "over"), [(80, False), (100, True), (260, True), (280, False)])
def test_frames_turn_over_where_z_comes_to_point_the_other_way(degrees, over):
    assert turns_over(FrameRotations(euler=(1.0, 0.0, 0.0, degrees))) == over
    assert turns_over(FrameRotations(sample=(0.0, 1.0, 0.0, degrees))) == over
    assert not turns_over(FrameRotations(euler=(0.0, 0.0, 1.0, degrees)))


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [(8.1, ": fits"), (8.0, "cannot be told"), (-8.0, "cannot be told"), (-8.1, "another preset")],
)
def test_frames_are_told_by_more_than_the_clear_difference(votes, verdict):
    choice = FrameChoice.of("edax", None, None)
    assert verdict in frame_verdict(choice, votes, 8.0, 1.5)
    assert "no two slices" in frame_verdict(choice, votes, 8.0, np.nan)


def test_a_probe_may_take_half_a_minute_and_a_second_more_for_each_ten_megabytes(
    tmp_path, monkeypatch
):
    asked = []
    walker = SimpleNamespace(ask=lambda path, seconds: asked.append(seconds) or "end")
    monkeypatch.setattr(hdf5_probe, "_walker", lambda: walker)
    for size in (0, 10_000_000, 25_000_000):
        file = tmp_path / f"{size}.h5"
        with file.open("wb") as stream:
            stream.truncate(size)
        with hdf5_probe.probing_files():
            assert hdf5_probe.is_readable(file)
    assert asked == [30.0, 31.0, 32.5]


def test_every_field_of_a_record_has_its_number(tmp_path):
    """Numbers, names and types as in MTEX (loadEBSD_crc) and DefDAP."""
    names = ["x", "y", "phi1", "Phi", "phi2", "mad", "bc", "bs", "nine", "bands", "error", "index"]
    types = [*["<f4"] * 6, *["u1"] * 5, "<f4"]
    records = np.zeros(4, [("phase", "u1"), *zip(names, types, strict=True)])
    records["phase"], records["phi2"] = 1, [0.1, 0.2, 0.3, 0.4]
    records["bc"], records["bs"], records["bands"] = [10, 11, 12, 13], 99, [5, 6, 7, 8]
    records["error"], records["mad"] = [0, 0, 0, 1], [0.5, 0.6, 0.7, 0.8]
    fields = "\n".join(f"Field{n}={n}" for n in range(1, 13))
    (tmp_path / "s_1.cpr").write_text(
        "[General]\nJobMode=RegularGrid\n[Job]\nGridDistX=0.1\nGridDistY=0.1\nxCells=2\nyCells=2\n"
        f"[Fields]\nCount=12\n{fields}\n[Phases]\nCount=1\n[Phase1]\nStructureName=iron\na=3\nb=3\n"
        "c=3\nalpha=90\nbeta=90\ngamma=90\nLaueGroup=11\n"
    )
    (tmp_path / "s_1.crc").write_bytes(records.tobytes())
    scan = read_scan(tmp_path / "s_1.cpr", ReadingOptions(frames="same"))
    assert scan["image_quality"].to_numpy().tolist() == [[10, 11], [12, 13]]
    assert scan["bands"].to_numpy().tolist() == [[5, 6], [7, 8]]
    np.testing.assert_allclose(
        np.degrees(scan["mean_angular_deviation"]), [[0.5, 0.6], [0.7, 0.8]], rtol=1e-6
    )
    np.testing.assert_allclose(scan["euler_angles"][..., 2], [[0.1, 0.2], [0.3, np.nan]], rtol=1e-6)
    assert scan.attrs["notes"] == ()


def tilted(*degrees):
    """A row of crystals whose c axes are turned about x by these angles in turn."""
    half = np.radians(np.cumsum([0.0, *degrees])) / 2
    turns = np.column_stack([np.cos(half), np.sin(half), 0 * half, 0 * half])
    return OrientationField(turns[None, None])


@pytest.mark.parametrize(
    ("degrees", "excess"),
    [(70.53, 1), (66.6, 1), (74.4, 1), (66.4, 0), (74.6, 0), (62.6, 0), (78.4, 0),
     (62.4, -0.5), (78.7, -0.5), (54.7, -0.5), (86.4, -0.5), (54.4, 0), (86.6, 0), (5.0, 0)],
)  # fmt: skip
def test_flips_count_within_4_degrees_less_half_of_what_lies_8_to_16_beside(degrees, excess):
    assert flip_excess(tilted(degrees)) == pytest.approx(excess)
    assert flip_excess(tilted(degrees, 0.0, 0.0)) == pytest.approx(excess / 3)


def test_without_neighbours_there_are_no_flips():
    assert flip_excess(tilted()) == 0.0
    assert flip_excess(tilted(70.53), np.zeros((1, 1, 2), bool)) == 0.0


def test_the_pseudo_cube_is_left_beyond_three_percent():
    ideal = 2 * np.sqrt(6)
    for off in (-0.0299, 0.0299):
        assert is_pseudo_cubic(1.0, ideal * (1 + off))
    for off in (-0.0301, 0.0301):
        assert not is_pseudo_cubic(1.0, ideal * (1 + off))
    with pytest.raises(SettingsError, match="not positive"):
        is_pseudo_cubic(0.0, 1.0)
    with pytest.raises(SettingsError, match="not positive"):
        is_pseudo_cubic(1.0, 0.0)


def test_operators_may_be_three_degrees_off_and_no_more():
    quartz = ((0.0, 0.0, 1.0, 62.9),)
    assert pseudo_group("-3m", quartz).joint == "6/mmm"
    for degrees in (2.9, 117.2):  # nearly the identity, nearly a symmetry
        with pytest.raises(SettingsError, match="already"):
            pseudo_group("-3m", ((0.0, 0.0, 1.0, degrees),))
    with pytest.raises(SettingsError, match="make no Laue group"):
        pseudo_group("-3m", ((0.0, 0.0, 1.0, 63.2),))


def test_the_variants_of_the_cube_begin_with_the_identity():
    first, *others = misorientation_angle(variants(), [1.0, 0, 0, 0], "-3m")
    assert first < 1e-6
    assert all(other > np.radians(30) for other in others)


def test_fields_have_any_number_of_axes_before_that_of_the_quaternion():
    assert OrientationField([1.0, 0, 0, 0]).shape == ()
    assert OrientationField.from_channels(np.zeros((5, 3))).shape == (3,)
    for wrong in (1.0, [1.0, 0, 0]):
        with pytest.raises(InputError, match="no quaternions"):
            OrientationField(wrong)
    for wrong in (1.0, np.zeros(5), np.zeros((3, 2)), np.zeros((6, 2))):
        with pytest.raises(InputError, match="holds no orientations"):
            OrientationField.from_channels(wrong)


@pytest.mark.parametrize("name", ["Ni:Co", "Ni Co: 5 3", "5"])
def test_names_of_phases_keep_their_colons_and_blanks(tmp_path, name):
    file = tmp_path / "s_1.ang"
    head = f"# Phase 1\n# MaterialName: {name}\n# Formula\t{name}\n# Symmetry 62\n# GRID: SqrGrid\n"
    rows = "".join(f"0.1 0.2 0.3 {x} {y} 9 0.5 1\n" for y in range(2) for x in range(2))
    file.write_text(head + rows)
    (phase,) = read_scan(file).attrs["phases"]
    assert (phase["material_name"], phase["formula"], phase["symmetry"]) == (name, name, "62")


def test_of_many_unknown_classes_eight_are_told():
    drawn = np.repeat(np.arange(1, 14, dtype=np.uint8), 2).reshape(2, 13)
    with pytest.raises(InputError, match="unknown classes") as refusal:
        check_classes("s_1", drawn)
    told = ", ".join(f"{value} (2 points)" for value in range(4, 12))
    assert refusal.value.found == told


def test_a_line_of_points_with_a_gap_is_no_hexagon():
    x = np.array([0.0, 0.1, 0.3, 0.4])
    with pytest.raises(InputError, match="grid points are missing"):
        square_grid(x, np.zeros(4), "a.ang")
    grid = square_grid(x, np.zeros(4), "a.ang", accept_gaps=True)
    assert (grid.rows, grid.columns, grid.gaps, grid.first) == (1, 5, 1, (0, 2))


def test_links_are_followed_as_far_as_the_library_does(tmp_path):
    with h5py.File(tmp_path / "links.h5", "w") as root:
        root["link0"] = [2.0]
        for number in range(1, 18):
            root[f"link{number}"] = h5py.SoftLink(f"/link{number - 1}")
        assert root["link16"][0] == hdf5.read_numbers(root, "link16", [(1,)])[0] == 2.0
        with pytest.raises(RuntimeError, match="too many links"):
            root["link17"]
        with pytest.raises(InputError, match="16 links in turn"):
            hdf5.read_numbers(root, "link17", [(1,)])


def test_a_scan_thinned_out_in_one_direction_that_lost_lines_in_the_other_is_refused():
    def fitted(rows, columns):
        y, x = (axis.ravel() for axis in np.mgrid[:rows, :columns] * [[[0.05]], [[0.1]]])
        notes = []
        declared = DeclaredGrid(rows=4, columns=6, dy=0.05, dx=0.05)
        fit_header(square_grid(x, y, "a.ang"), x, y, declared, "a.ang", False, notes)
        return notes

    assert len(fitted(4, 3)) == len(fitted(3, 2)) == 1  # all there is, and a window of it
    with pytest.raises(InputError, match="points are missing") as refusal:
        fitted(3, 3)
    assert refusal.value.expected.startswith("12 points: 4 x 3")


def test_pixels_of_a_nanometre_are_no_trouble(tmp_path):
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(tmp_path / "s_1.png")
    scan = read_scan(tmp_path / "s_1.png", ReadingOptions(step_nm=1.0))
    assert scan.attrs["step_nm"] == (1.0, 1.0)
    assert scan["x"].to_numpy().tolist() == [0, 1, 2]


@pytest.mark.parametrize(("groups", "ends"), [(1, True), (2, False)])
def test_a_walk_ends_at_as_many_objects_as_no_file_has(tmp_path, monkeypatch, groups, ends):
    monkeypatch.setattr(hdf5_walk, "MOST_OBJECTS", 3)
    with h5py.File(tmp_path / "w.h5", "w") as root:
        for number in range(groups):
            root.create_group(f"group{number}")
    assert hdf5_walk.walk(str(tmp_path / "w.h5")) == ends


def test_radii_of_no_length_and_against_the_c_axis_have_orientations_too():
    radii = np.array([[0.0, 0, -2], [0, 0, 3], [0, 0, 0], [1e-9, 0, -1]])
    found = radial_orientations(radii, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
    axes = turn([0.0, 0, 1], found * [1, -1, -1, -1])
    np.testing.assert_allclose(axes[[0, 1, 3]], [[0, 0, -1], [0, 0, 1], [0, 0, -1]], atol=1e-8)


def test_a_field_shows_what_it_was_made_of():
    field = OrientationField([[1.0, 0, 0, 0]])
    field.means(np.ones(1, int))
    assert repr(field) == (
        "OrientationField(quaternions=array([[1., 0., 0., 0.]]), confidence=None, "
        "laue_group='-3m', frame='map', operators=())"
    )


def test_operators_are_shown_with_four_digits_and_no_negative_zeros():
    z, y, x = np.round(np.sqrt([1 / 3, 2 / 3, 1 / 2]), 4)
    half = round(np.sqrt(1 / 6), 4)
    expected = ((0, y, -z, 90), (0, -y, z, 90), (x, -half, -z, 90))
    assert pseudo_cube().operators == expected
    assert str(pseudo_cube().operators[0]).startswith("(0.0, 0.81")
    (tilted,) = pseudo_group("-1", ((1.0, 2.0, 3.0, 180.0),)).operators
    assert tilted == (*np.round(np.array([1, 2, 3]) / np.sqrt(14), 4), 180)
    sixth = pseudo_group("mmm", ((0.0, 0.0, 1.0, 120.0),)).operators
    assert sixth == ((0, 0, 1, 60), (0, 0, -1, 60))


@pytest.mark.parametrize(
    ("texts", "constants"),
    [(["2.87 2.87 14.26 90 90 120"], (2.87, 14.26)), (["0.5 9 0.25"], (0.5, 0.25)),
     (["0 0 14.2", "5 5 13"], (5, 13)), (["2.8 2.8 0", "5 5 13"], (5, 13)),
     (["inf 1 2", "1 1 inf", "1 x 2", "", "1 1"], None), (["1e9 1 2e9 3"], (1e9, 2e9))],
)  # fmt: skip
def test_lattice_constants_are_those_of_the_first_phase_that_has_some(texts, constants):
    assert hexagonal_constants([{"lattice_constants": text} for text in texts]) == constants
    assert hexagonal_constants([{}]) is None


@pytest.mark.parametrize(
    ("model", "name", "taken", "refused"),
    [
        (StackSettings, "largest_bad_share", (0, 1), (-0.01, 1.01)),
        (StackSettings, "slice_spacing_nm", (1.0, 1e5), (0, -1)),
        (StackSettings, "step_nm", (1.0, 1e5), (0, -1, np.inf, np.nan)),
        (StackSettings, "pseudo_cubic_tolerance", (0, 0.5), (-0.01,)),
        (OrientationAnnotationSettings, "slice_count", (1, 9), (0,)),
        (OrientationAnnotationSettings, "misorientation_degrees", (0.5, 180), (0, 180.5)),
        (OrientationAnnotationSettings, "minimum_confidence", (-1, 1), (-1.01, 1.01)),
    ],
)
def test_settings_are_taken_within_their_range(model, name, taken, refused):
    for value in taken:
        assert getattr(model(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(SettingsError, match=name):
            model.checked(**{name: value})


@pytest.mark.parametrize(("step", "differs"), [(50.45, False), (50.55, True), (100.0, True)])
def test_steps_that_differ_by_more_than_a_hundredth_are_others(step, differs):
    usual = Kind((20, 30), (50.0, 50.0), (), (), "same")
    kinds = {"a": usual, "b": usual, "c": usual._replace(step=(50.0, step))}
    assert [(each.slice, each.problem) for each in uniformity_issues(kinds)] == (
        [("c", "another step")] if differs else []
    )


def test_lines_of_a_table_are_told_by_their_number_in_the_file(tmp_path):
    file = tmp_path / "t.txt"
    file.write_text("head\n1 2\n\n3 4\n\n\n5 6\n")
    table = read_table(file, 1)
    assert table.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert [table.line_of(row) for row in range(3)] == [2, 4, 7]
    file.write_text("head\n1 2\n\n3 4\n5 6 7\n8\n")
    with pytest.raises(InputError, match="cannot be read") as refusal:
        read_table(file, 1, accept_cut=True)
    assert (refusal.value.where, refusal.value.expected) == ("t.txt, line 5", "2 numbers")
    file.write_text("head\n1 2\n3 4\n5\n")
    assert read_table(file, 1, accept_cut=True).dropped == "5"
    assert read_table(file, 1, accept_cut=True).values.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(InputError, match="cannot be read") as refusal:
        read_table(file, 1)
    assert refusal.value.where == "t.txt, line 4"
    file.write_text("head\n7\n")
    assert read_table(file, 1).values.tolist() == [[7]]
    for text in ("head\n", "head\nx y\n"):
        file.write_text(text)
        with pytest.raises(InputError):
            read_table(file, 1, accept_cut=True)


def image(value):
    grey = np.arange(6.0).reshape(2, 3) + value if np.ndim(value) == 0 else np.array(value)
    return xr.Dataset({"image_quality": (("y", "x"), grey)}, attrs={"step_nm": (20.0, 20.0)})


def test_a_copy_of_the_slice_before_is_told_unless_it_shows_nothing():
    lost = np.array([[np.nan, 1, 2], [3, 4, 5]])
    scans = [image(0), image(lost), image(lost), image(1), image(np.ones((2, 3))),
             image(np.ones((2, 3))), image(1)]  # fmt: skip
    stack = stack_scans(scans, 1.0)
    assert stack.attrs["stack_notes"] == ()
    copies = [note for note in stack.attrs["notes"] if "same image" in note]
    assert copies == ["slice_002: the same image as the slice before"]
    assert stack["z"].to_numpy().tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_a_stack_is_read_from_the_highest_number_on_request():
    stack = stack_scans([image(z) for z in range(4)], 50.0, falling=True)
    assert stack.attrs["slices"] == tuple(f"slice_00{z}" for z in (3, 2, 1, 0))
    assert stack["image_quality"][:, 0, 0].to_numpy().tolist() == [3, 2, 1, 0]
    assert stack["z"].to_numpy().tolist() == [0, 50, 100, 150]
    assert len(stack_fingerprint(stack)) == 16


@pytest.mark.parametrize("given", ["euler", "sample"])
def test_the_frame_that_is_not_turned_is_told_as_turned_by_0_about_z(given):
    turned = {"euler": (0.0, 0.0, 1.0, 0.0), "sample": (0.0, 0.0, 1.0, 0.0)}
    turned[given] = (0.0, 1.0, 0.0, 180.0)
    choice = FrameChoice.of("edax", FrameRotations(**{given: turned[given]}), None)
    expected = f"Euler {turned['euler']}, sample {turned['sample']} (as set)"
    assert choice.describe() == expected


@pytest.mark.parametrize(("given", "refused"), [(52.6, True), (52.4, False), (47.6, False),
                                                (47.4, True), (None, False)])  # fmt: skip
def test_a_spacing_may_differ_from_the_depths_by_a_twentieth(given, refused):
    if refused:
        with pytest.raises(SettingsError, match="depths of the slices"):
            spacing_of_depths(50.0, given)
    else:
        assert spacing_of_depths(50.0, given) == 50.0


def test_lost_positions_are_counted_from_the_origin_of_the_file(tmp_path):
    with h5py.File(tmp_path / "p.h5", "w") as root:
        root["x"] = [np.nan, 10.25, 10.5, 10.0, np.nan, 10.5]
        root["y"] = [np.nan, 7.0, 7.0, 7.5, 7.5, 7.5]
        declared = DeclaredGrid(rows=2, columns=3, dy=0.5, dx=0.25)
        x, y = hdf5.read_positions(root, "x", "y", 6, declared)
        assert x.tolist() == [10.0, 10.25, 10.5] * 2
        assert y.tolist() == [7.0] * 3 + [7.5] * 3
        root["lost"] = np.full(6, np.nan)
        x, y = hdf5.read_positions(root, "lost", "y", 6, declared)
        assert (x.tolist(), y.tolist()) == ([0, 0.25, 0.5] * 2, [0] * 3 + [0.5] * 3)


def test_counts_have_31_bits_and_are_whole(tmp_path):
    with h5py.File(tmp_path / "c.h5", "w") as root:
        root["largest"], root["larger"] = 2.0**31 - 1, 2.0**31
        root["least"], root["less"], root["half"] = 1, 0, 1.5
        assert hdf5.read_count(root, "largest") == 2**31 - 1
        assert hdf5.read_count(root, "least") == 1
        for name in ("larger", "less", "half"):
            with pytest.raises(InputError, match=f"impossible {name}"):
                hdf5.read_count(root, name)


def test_a_phase_of_a_ctf_needs_no_more_than_its_laue_group(tmp_path):
    file = write_ctf(tmp_path / "v.ctf")
    text = file.read_text()
    file.write_text(text.replace("iron\t11\t229", "iron\t11"))
    (phase,) = next(iter(ctf_readers(file).values()))().attrs["phases"]
    assert (phase["material_name"], phase["symmetry"]) == ("iron", "43")
    file.write_text(text.replace("iron\t11\t229", "iron"))
    with pytest.raises(InputError, match="no Laue group"):
        next(iter(ctf_readers(file).values()))()


def test_an_unknown_file_is_told_by_its_first_24_bytes(tmp_path):
    file = tmp_path / "s_1.ang"
    file.write_bytes(bytes(range(65, 90)) * 2)
    with pytest.raises(InputError, match="not of its kind") as refusal:
        read_scan(file)
    assert refusal.value.found == repr(bytes(range(65, 89)))
