"""Stacks as microscopes leave them: depths, sizes, overviews, phases, folders in folders."""

import re

import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.ebsd import ReadingOptions, inspect_scans, stack_scans, write_scan
from electrode_grains.ebsd.depths import planes_of_depths, read_depths
from electrode_grains.ebsd.placement import place_annotations
from electrode_grains.errors import InputError, SettingsError


def scan(value, shape=(2, 3), phases=(), phase=1):
    values = np.arange(float(np.prod(shape))).reshape(shape) + value
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), values),
            "confidence_index": (("y", "x"), np.full(shape, 0.5)),
            "euler_angles": (("y", "x", "angle"), np.full((*shape, 3), 0.1)),
            "phase": (("y", "x"), np.full(shape, phase, np.int16)),
        },
        attrs={"step_nm": (50.0, 50.0), "phases": phases},
    )


def at(*depths, unit=""):
    return {f"z{depth:05d}{unit}": scan(float(depth)) for depth in depths}


def values(stack):
    return stack["image_quality"][:, 0, 0].to_numpy().tolist()


def test_depths_in_names_order_the_slices_and_give_their_spacing():
    options = ReadingOptions(depth_pattern=r"z(\d+)")
    stack = stack_scans(at(100, 0, 200, 300), options=options)
    assert values(stack) == [0, 100, 200, 300]
    assert stack.attrs["spacing_nm"] == (100.0, 50.0, 50.0)
    assert stack.attrs["notes"] == ()
    assert not stack.attrs["from_volume"]


def test_a_unit_behind_the_depth_counts():
    options = ReadingOptions(depth_pattern=r"z(\d+)")
    assert stack_scans(at(1, 2, 3, unit="um"), options=options).attrs["spacing_nm"][0] == 1000
    fractions = {"s1_z=0.05um": scan(1), "s2_z=0.10um": scan(2)}
    options = ReadingOptions(depth_pattern=r"z=([\d.]+)", slice_pattern=r"s(\d+)_")
    assert stack_scans(fractions, options=options).attrs["spacing_nm"][0] == 50


def test_a_gap_of_depths_is_a_plane_without_measurement():
    options = ReadingOptions(depth_pattern=r"z(\d+)")
    stack = stack_scans(at(0, 50, 100, 200, 250), options=options)
    assert values(stack)[:3] == [0, 50, 100]
    assert np.isnan(stack["image_quality"][3]).all()
    assert (stack["confidence_index"][3] == -1).all()
    assert values(stack)[4:] == [200, 250]
    assert stack.attrs["slices"][3] == "missing_at_150nm"
    assert stack.attrs["stack_notes"] == (
        "planes without a slice stay without measurement: 1, at 150 nm",
    )


def test_uneven_slices_fill_even_planes_with_the_nearest_one():
    depths = {"a": 0.0, "b": 40.0, "c": 105.0, "d": 150.0, "e": 200.0}
    planes, spacing, notes = planes_of_depths(depths)
    assert spacing == pytest.approx(50.0)
    assert [plane.scan for plane in planes] == ["a", "b", "c", "d", "e"]
    assert notes == [
        "slices lie 40 to 65 nm apart: the volume has planes 50 nm apart, each with its nearest "
        "slice, at most 10 nm away"
    ]


@settings(deadline=None)
@given(st.lists(st.floats(20, 90), min_size=3, max_size=40), st.floats(-1e4, 1e4))
def test_planes_lie_evenly_and_hold_the_nearest_slice_or_none(steps, first):
    depths = {
        f"s{n}": first + depth for n, depth in enumerate(np.concatenate([[0], np.cumsum(steps)]))
    }
    planes, spacing, notes = planes_of_depths(depths)
    told = " ".join(notes)
    for index, plane in enumerate(planes):
        depth = first + index * spacing
        nearest = min(abs(other - depth) for other in depths.values())
        if plane.scan is None:
            assert nearest > 0.75 * spacing * (1 - 1e-9)
            assert "without measurement" in told
        else:
            assert abs(depths[plane.scan] - depth) == pytest.approx(nearest, abs=1e-6)
    own = [plane.name for plane in planes if plane.name == plane.scan]
    assert len(own) == len(set(own)) == len({plane.scan for plane in planes} - {None})
    assert ("left out, since" in told) == (len(own) < len(depths))
    assert [depths[name] for name in own] == sorted(depths[name] for name in own)


def test_a_repeated_slice_takes_its_label_once():
    planes, _, notes = planes_of_depths(
        {"s1": 0.0, "s2": 50.0, "s3": 100.0, "s4": 170.0, "s5": 235.0, "s6": 285.0}
    )
    names = [plane.name for plane in planes]
    assert len(set(names)) == len(names)
    label = np.array([[1, 2, 2]], np.uint8)
    placed = place_annotations({"s4": label}, names, (len(names), 1, 3))
    assert placed.any(axis=(1, 2)).sum() == 1
    assert [planes[z].name for z in np.flatnonzero(placed.any(axis=(1, 2)))] == ["s4"]
    assert notes


def test_a_label_of_a_lost_slice_has_no_place():
    label = np.array([[1, 2, 2]], np.uint8)
    with pytest.raises(InputError, match="no slice of the stack"):
        place_annotations({"s4": label}, ["s3", "missing_004", "s5"], (3, 1, 3))


def test_a_spacing_that_contradicts_the_depths_is_refused():
    options = ReadingOptions(depth_pattern=r"z(\d+)")
    with pytest.raises(SettingsError, match=r"slice_spacing_nm: 50(.|\n)*about 100 nm"):
        stack_scans(at(0, 100, 200), 50.0, options=options)
    assert stack_scans(at(0, 100, 200), 101.0, options=options).attrs["spacing_nm"][0] == 100


@pytest.mark.parametrize(
    ("scans", "pattern", "problem"),
    [
        (at(0, 100) | {"overview_3": scan(1)}, r"z(\d+)", "no depth in the name"),
        ({"a1_z50": scan(0), "a2_z50": scan(1)}, r"z(\d+)", "a depth of another slice"),
    ],
)
def test_names_without_a_depth_of_their_own_are_told(scans, pattern, problem):
    options = ReadingOptions(depth_pattern=pattern, slice_pattern=r"[azw](\d+)")
    _, issues = inspect_scans(scans, options=options)
    assert problem in {issue.problem for issue in issues}


def test_a_depth_in_another_unit_is_refused():
    with pytest.raises(InputError, match="far away from the others"):
        planes_of_depths({"a": 0.0, "b": 50.0, "c": 100.0, "d": 150000.0})


def write_slices(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        write_scan(scan(10.0 * number), folder / f"{name}.ang")


@pytest.mark.parametrize(
    "table",
    [
        "slice,z_um\nslice_1,0\nslice_2,0.05\nslice_3,0.15\n",
        "z_nm;slice;by\n0;1;me\n50;2;\n150;3;\n",
        "\ufeffslice\tz_nm\n1\t0\n2\t50,0\n3\t150\n",
    ],
)
def test_a_table_beside_the_scans_says_where_they_lie(tmp_path, table):
    write_slices(tmp_path, "slice_1", "slice_2", "slice_3")
    (tmp_path / "depths.csv").write_text(table, encoding="utf-8")
    dataset = ScanFolderDataset(path=str(tmp_path))
    stack = stack_scans(dataset.load())
    assert stack.attrs["spacing_nm"][0] == 50
    assert stack.attrs["slices"] == ("slice_1", "slice_2", "missing_at_100nm", "slice_3")
    assert tmp_path / "depths.csv" in dataset.paths()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name,z\n1,2\n", r"line 1(.|\n)*slice, and one of z_nm"),
        ("slice,z_nm\n1,0\n2,deep\n3,100\n", r"line 3(.|\n)*2,deep"),
        ("slice,z_nm\n1,0\n1,50\n3,100\n", "line 3"),
        ("slice,z_nm\n1,0\n3,100\n", "no row for slice_2"),
        ("", "an empty file"),
    ],
)
def test_a_table_that_says_too_little_is_refused_with_its_line(tmp_path, table, words):
    write_slices(tmp_path, "slice_1", "slice_2", "slice_3")
    (tmp_path / "depths.csv").write_text(table)
    dataset = ScanFolderDataset(path=str(tmp_path))
    with pytest.raises(DatasetError) as refusal:
        dataset.load()
    assert isinstance(refusal.value.__cause__, InputError)
    assert re.search(words, str(refusal.value.__cause__))


def test_numbers_of_a_table_count_slices_by_their_value(tmp_path):
    (tmp_path / "d.csv").write_text("slice,z_nm\n001,0\n002,50\n")
    assert read_depths(tmp_path / "d.csv") == {"001": 0.0, "002": 50.0}


def test_slices_of_other_sizes_are_cut_to_what_all_have():
    scans = {"s1": scan(0, (4, 5)), "s2": scan(100, (4, 6)), "s3": scan(200, (3, 5))}
    with pytest.raises(InputError, match="another grid"):
        stack_scans(scans, 50.0)
    stack = stack_scans(scans, 50.0, options=ReadingOptions(crop="common"))
    assert stack["image_quality"].shape == (3, 3, 5)
    for z, name in enumerate(scans):
        np.testing.assert_array_equal(
            stack["image_quality"][z], scans[name]["image_quality"][:3, :5]
        )
    (note,) = stack.attrs["stack_notes"]
    assert note.startswith("2 slices have another size than the (4, 5) points (y, x) of most: s2")
    assert note.endswith("cut to (3, 5) points, from the first row and column on")


@pytest.mark.parametrize("shape", [(1, 5), (40, 50)])
def test_an_overview_is_no_slice_to_cut(shape):
    scans = {"s1": scan(0, (4, 5)), "s2": scan(100, shape), "s3": scan(200, (4, 5))}
    with pytest.raises(InputError, match=r"s2 +another grid"):
        stack_scans(scans, 50.0, options=ReadingOptions(crop="common"))


def test_overviews_are_left_out_by_name_or_size_and_named():
    scans = {"overview": scan(0, (9, 9)), "s1": scan(0), "s2": scan(100)}
    for options in (ReadingOptions(scan_pattern="^s"), ReadingOptions(scan_shape=(2, 3))):
        stack = stack_scans(scans, 50.0, options=options)
        assert stack.attrs["slices"] == ("s1", "s2")
        setting = "scan_pattern" if options.scan_pattern else "scan_shape"
        assert stack.attrs["stack_notes"] == (f"1 scan is left out by {setting}: overview",)
    for options in (ReadingOptions(scan_pattern="map"), ReadingOptions(scan_shape=(7, 7))):
        with pytest.raises(SettingsError, match="no scan has"):
            stack_scans(scans, 50.0, options=options)


NMC = {"id": 1, "material_name": "NMC", "symmetry": "32"}
GOLD = {"id": 2, "material_name": "Pt", "symmetry": "43"}


def test_the_same_phases_in_another_order_get_the_numbers_of_the_first_slice():
    swapped = ({**GOLD, "id": 1}, {**NMC, "id": 2})
    scans = {"s1": scan(0, phases=(NMC, GOLD), phase=1), "s2": scan(1, phases=swapped, phase=2),
             "s3": scan(2, phases=(GOLD, NMC), phase=1)}  # fmt: skip
    stack = stack_scans(scans, 50.0)
    assert (stack["phase"] == 1).all()
    (note,) = stack.attrs["notes"]
    assert "listed in another order" in note
    assert "NMC is 1, Pt is 2" in note


def test_other_phases_stay_refused():
    other = ({**NMC, "material_name": "LCO"}, GOLD)
    scans = {"s1": scan(0, phases=(NMC, GOLD)), "s2": scan(1, phases=other)}
    with pytest.raises(InputError, match="another list of phases"):
        stack_scans(scans, 50.0)
    gap = ({**NMC, "id": 3}, GOLD)  # a point of phase 1 would have become NMC
    with pytest.raises(InputError, match="another list of phases"):
        stack_scans({"s1": scan(0, phases=(NMC, GOLD)), "s2": scan(1, phases=gap)}, 50.0)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("NMC_{:03d}_20kV", r"^NMC_(\d+)_20kV$"), ("slice{}_50nm", r"^slice(\d+)_50nm$")],
)
def test_a_number_that_is_not_the_slice_is_named_with_the_pattern_that_takes_the_right_one(
    name, pattern
):
    scans = {name.format(number): scan(number) for number in (1, 2, 3)}
    _, issues = inspect_scans(scans)
    assert {issue.problem for issue in issues} == {"doubled slice number"}
    taken = "20" if "20kV" in name else "50"
    assert issues[0].found == f"{taken}, the last number of {name.format(1)} and others"
    assert issues[0].remedy == f"say which number counts: slice_pattern: '{pattern}'"
    assert values(stack_scans(scans, options=ReadingOptions(slice_pattern=pattern))) == [1, 2, 3]


def test_folders_with_one_scan_each_are_slices_called_like_the_folders(tmp_path):
    for number in (1, 2, 10):
        write_slices(tmp_path / f"slice_{number}", "Map 1")
    dataset = ScanFolderDataset(path=str(tmp_path))
    assert dataset.exists()
    assert sorted(dataset.load()) == ["slice_1", "slice_10", "slice_2"]
    assert len(dataset.paths()) == 3
    with pytest.raises(InputError, match="missing slices"):
        stack_scans(dataset.load(), 50.0)
    write_slices(tmp_path / "slice_2", "Map 2")
    with pytest.raises(DatasetError, match="several scans"):
        dataset.load()


def test_files_in_folders_of_their_own_keep_names_that_differ(tmp_path):
    for number in (1, 2):
        write_slices(tmp_path / f"2026-11-0{3 - number}", f"slice_{number}")
    assert sorted(ScanFolderDataset(path=str(tmp_path)).load()) == ["slice_1", "slice_2"]


def test_a_table_beside_one_file_says_where_its_pages_lie(tmp_path):
    pages = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    tifffile.imwrite(tmp_path / "s.tif", pages, photometric="minisblack")
    (tmp_path / "s.depths.csv").write_text("slice,z_nm\n0,0\n1,30\n2,90\n")
    dataset = ScanFolderDataset(path=str(tmp_path / "s.tif"))
    stack = stack_scans(dataset.load(), options=ReadingOptions(step_nm=30))
    assert stack.attrs["slices"] == ("s_0000", "s_0001", "missing_at_60nm", "s_0002")
    np.testing.assert_array_equal(stack["image_quality"][3], pages[2])
    assert dataset.paths() == (tmp_path / "s.tif", tmp_path / "s.depths.csv")
