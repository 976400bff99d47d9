"""The layout of Bruker that orix documents, written from known values and read back."""

import h5py
import numpy as np
import pytest

from electrode_grains.ebsd import ReadingOptions, read_scan
from electrode_grains.errors import InputError

SAME = ReadingOptions(frames="same")


def write_map(path, region=False):
    """2 x 3 points at 50 x 100 nm; with a region of interest in the order of columns."""
    with h5py.File(path, "w") as root:
        root["Manufacturer"] = "Bruker Nano"
        ebsd = root.create_group("Scan 1/EBSD")
        data, header = ebsd.create_group("Data"), ebsd.create_group("Header")
        data["phi1"] = np.full(6, 10.0, np.float32)
        data["PHI"] = np.full(6, 20.0, np.float32)
        data["phi2"] = np.arange(6, dtype=np.float32)
        data["Phase"] = np.array([1, 1, 0, 1, 1, 1], np.int32)
        data["RadonQuality"] = np.arange(6, dtype=np.float32) / 10
        data["NIndexedBands"] = np.full(6, 8, np.int32)
        data["MAD"] = np.full(6, 0.5, np.float32)
        header["Grid Type"] = "isometric"
        for name, value in (("NROWS", 2), ("NCOLS", 3)):
            header[name] = value
        for name, value in (("XSTEP", 0.1), ("YSTEP", 0.05)):
            header[name] = value
        phase = header.create_group("Phases/1")
        phase["Name"] = "NMC"
        phase["IT"] = 166
        phase["LatticeConstants"] = np.array([2.87, 2.87, 14.26, 90, 90, 120], np.float32)
        if region:
            row, column = np.tile([7, 8], 3), np.repeat([4, 5, 6], 2)
            root["Scan 1/SEM/SEM IY"], root["Scan 1/SEM/SEM IX"] = row, column
    return path


def test_every_value_finds_its_place(tmp_path):
    scan = read_scan(write_map(tmp_path / "slice_1.h5"), SAME)
    np.testing.assert_allclose(scan["image_quality"], [[0, 0.1, 0.2], [0.3, 0.4, 0.5]])
    assert scan.attrs["step_nm"] == (50.0, 100.0)
    known = np.isfinite(scan["euler_angles"]).all("angle").to_numpy()
    assert known.tolist() == [[True, True, False], [True, True, True]]
    np.testing.assert_allclose(scan["euler_angles"][1, 2], np.radians([10, 20, 5]), rtol=1e-6)
    np.testing.assert_allclose(scan["mean_angular_deviation"], np.radians(0.5), rtol=1e-6)
    (phase,) = scan.attrs["phases"]
    assert (phase["material_name"], phase["symmetry"]) == ("NMC", "32")
    described = read_scan(tmp_path / "slice_1.h5").attrs["frames"].describe()
    assert described == "bruker (the maker's default)"


def test_a_region_of_interest_says_where_its_points_lie(tmp_path):
    scan = read_scan(write_map(tmp_path / "slice_1.h5", region=True), SAME)
    np.testing.assert_allclose(scan["image_quality"], [[0, 0.2, 0.4], [0.1, 0.3, 0.5]])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Scan 1/EBSD/Header/Grid Type", "hexagonal", "square grid"),
        ("Scan 1/EBSD/Header/XSTEP", 0.0, "step of 0"),
        ("Scan 1/EBSD/Header/NROWS", 3, "points are missing"),
        ("Scan 1/EBSD/Header/Phases/1/IT", 231, "231"),
        ("Scan 1/EBSD/Data/Phase", np.full(6, 2), "no phase of the header"),
        ("Scan 1/EBSD/Data/PHI", np.zeros(5), "another number of values"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, name, value, message):
    path = write_map(tmp_path / "slice_1.h5")
    with h5py.File(path, "r+") as root:
        del root[name]
        root[name] = value
    with pytest.raises(InputError, match=message):
        read_scan(path)
