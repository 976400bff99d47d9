import numpy as np
import pytest
import xarray as xr
from kedro.io import DatasetError
from PIL import Image

from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.ebsd import ReadingOptions, read_scan, scan_readers
from electrode_grains.ebsd.formats import FORMATS, find_format
from electrode_grains.errors import InputError

ANG = "# GRID: SqrGrid\n# XSTEP: 0.05\n# YSTEP: 0.05\n# NCOLS_ODD: 2\n# NROWS: 1\n"
ANG_ROWS = "1 1 1 0.00 0 100 0.5 0\n1 1 1 0.05 0 101 0.5 0\n"


def test_no_two_formats_claim_one_suffix_without_telling_contents_apart():
    text = {"EDAX/TSL .ang", "Oxford .ctf", "image"}
    suffixes = [suffix for known in FORMATS if known.name in text for suffix in known.suffixes]
    assert len(suffixes) == len(set(suffixes))


def test_a_file_is_known_by_its_content_where_its_suffix_says_nothing(tmp_path):
    path = tmp_path / "slice_1.txt"
    path.write_text(ANG + ANG_ROWS)
    assert find_format(path).name == "EDAX/TSL .ang"
    assert read_scan(path)["image_quality"].to_numpy().tolist() == [[100, 101]]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("slice_1.ang", b"Channel Text File\n", r"not of its kind(.|\n)*begins like Oxford"),
        ("slice_1.ctf", b"# GRID: SqrGrid\n", r"begins like EDAX"),
        ("slice_1.png", b"II*\0" + bytes(60), r"cannot be read"),
        ("slice_1.ang", b"", r"an empty file"),
        ("slice_1.xyz", b"\x01\x02\x03", r"unknown kind(.|\n)*\\x01"),
    ],
)
def test_a_file_that_is_not_what_it_is_called_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_scan(tmp_path / name, ReadingOptions(step_nm=50.0))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        scan_readers(tmp_path / "slice_1.ang")


def test_a_scan_that_the_file_does_not_hold_is_refused(tmp_path):
    (tmp_path / "slice_1.ang").write_text(ANG + ANG_ROWS)
    with pytest.raises(InputError, match="'slice_2'"):
        read_scan(tmp_path / "slice_1.ang", name="slice_2")


def hexagonal(rows=6, columns=5, step=0.05):
    """Points (x, y, row, column) of a hexagonal scan: even rows start half a step later."""
    down = step * np.sqrt(3) / 2
    return [
        (step * (column + 0.5 * (row % 2)), down * row, row, column)
        for row in range(rows)
        for column in range(columns - row % 2)
    ]


def write_hexagonal(path, points, rows=6, columns=5, grid="HexGrid"):
    header = (
        f"# GRID: {grid}\n# XSTEP: 0.05\n# YSTEP: {0.05 * np.sqrt(3) / 2:.6f}\n"
        f"# NCOLS_ODD: {columns}\n# NCOLS_EVEN: {columns - 1}\n# NROWS: {rows}\n"
    )
    body = "".join(f"1 1 1 {x:.5f} {y:.5f} {10 * r + c} 0.5 0\n" for x, y, r, c in points)
    path.write_text(header + body)


@pytest.mark.parametrize("grid", ["HexGrid", "SqrGrid"])
def test_a_hexagonal_grid_is_refused_with_the_ways_out(tmp_path, grid):
    write_hexagonal(tmp_path / "slice_1.ang", hexagonal(), grid=grid)
    with pytest.raises(InputError, match=r"hexagonal(.|\n)*OIM Analysis(.|\n)*resample"):
        read_scan(tmp_path / "slice_1.ang")


def test_a_hexagonal_grid_is_resampled_to_its_nearest_points_on_request(tmp_path):
    points = hexagonal()
    write_hexagonal(tmp_path / "slice_1.ang", points)
    with pytest.warns(UserWarning, match="27 points resampled to 25 square ones"):
        scan = read_scan(tmp_path / "slice_1.ang", ReadingOptions(resample_hexagonal=True))
    given = np.array(points)
    assert scan.attrs["step_nm"] == (50.0, 50.0)
    for y in range(5):
        for x in range(5):
            distance = np.hypot(given[:, 0] - 0.05 * x, given[:, 1] - 0.05 * y)
            nearest = given[np.isclose(distance, distance.min(), atol=1e-5)]
            assert float(scan["image_quality"][y, x]) in 10 * nearest[:, 2] + nearest[:, 3]


def test_an_incomplete_hexagonal_grid_is_refused(tmp_path):
    points = hexagonal()
    for missing in (3, len(points) - 1):
        kept = [point for index, point in enumerate(points) if index != missing]
        write_hexagonal(tmp_path / "slice_1.ang", kept)
        with pytest.raises(InputError, match=r"hexagonal grid|26 points"):
            read_scan(tmp_path / "slice_1.ang", ReadingOptions(resample_hexagonal=True))


def test_scans_of_images_and_files_share_one_form(tmp_path):
    (tmp_path / "slice_1.ang").write_text(ANG + ANG_ROWS)
    Image.fromarray(np.array([[100, 101]], np.uint8)).save(tmp_path / "slice_1.png")
    scans = [
        read_scan(tmp_path / name, ReadingOptions(step_nm=50.0))
        for name in ("slice_1.ang", "slice_1.png")
    ]
    assert set(scans[0].data_vars) == set(scans[1].data_vars)
    xr.testing.assert_equal(scans[0]["image_quality"], scans[1]["image_quality"])
    assert [scans[0][name].dtype for name in scans[0]] == [
        scans[1][name].dtype for name in scans[0]
    ]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("a.osc", r"\.ang or \.oh5"), ("a.edaxh5", r"\.oh5 or \.ang"), ("a.bcf", "ESPRIT")],
)
def test_kinds_that_are_not_read_name_the_export_to_choose(tmp_path, name, wanted):
    (tmp_path / name).write_bytes(b"\x00" * 100)
    with pytest.raises(InputError, match=wanted):
        read_scan(tmp_path / name)
    with pytest.raises(DatasetError, match=rf"files of other kinds: {name}(.|\n)*{wanted}"):
        ScanFolderDataset(path=str(tmp_path)).load()
