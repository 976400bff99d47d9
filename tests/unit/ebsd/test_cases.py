"""Files that were once read wrong: the smallest of each kind, and its right answer."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from electrode_grains.ebsd import ReadingOptions, read_scan, scan_readers, stack_scans
from electrode_grains.errors import InputError

CASES = Path(__file__).parents[4] / "shared" / "cases" / "ebsd"


@pytest.fixture
def case():
    if not CASES.is_dir():
        pytest.skip("the collected cases are not on this machine")
    return lambda name: CASES / name


def write_oh5(path, phase, confidence, listed=(0, 1)):
    """EDAX HDF5 of 2 x n points with cubic phases of these numbers."""
    count = len(phase)
    with h5py.File(path, "w") as root:
        root["Manufacturer"] = "EDAX"
        data, header = (root.create_group(f"Scan 1/EBSD/{name}") for name in ("Data", "Header"))
        for name, value in (("Phi1", 0.1), ("Phi", 0.2), ("Phi2", 0.3), ("IQ", 100.0)):
            data[name] = np.full(count, value, np.float32)
        data["CI"] = np.array(confidence, np.float32)
        data["Phase"] = np.array(phase, np.int8)
        header["Grid Type"] = "SqrGrid"
        for name, value in (("nRows", 2), ("nColumns", count // 2)):
            header[name] = np.array([value], np.int32)
        for name in ("Step X", "Step Y"):
            header[name] = np.array([0.05], np.float32)
        for number in listed:
            group = header.create_group(f"Phase/{number}")
            group["MaterialName"] = f"phase {number}"
            group["Symmetry"] = np.array([43], np.int32)
            for name in ("a", "b", "c", "alpha", "beta", "gamma"):
                group[f"Lattice Constant {name}"] = np.array([3.0], np.float32)
    return path


def indexed(scan):
    return np.isfinite(scan["euler_angles"]).all("angle").to_numpy().ravel().tolist()


def test_a_listed_phase_0_is_indexed_beside_others(case):
    scan = read_scan(case("phase0.oh5"))
    assert indexed(scan) == [True] * 4
    assert sorted(np.unique(scan["phase"]).tolist()) == [0, 1]


@pytest.mark.parametrize(
    ("phase", "listed", "wanted"),
    [
        ([0, 0, 0, 1], (0, 1), [True] * 4),
        ([1, 1, 3, 3], (1, 3), [True] * 4),  # numbers with a gap
        ([0, 0, 0, 0], (1,), [True] * 4),  # a single phase that is called 0
        ([-1, -1, -1, -1], (1,), [True] * 4),
        ([0, 1, 2, 1], (1, 2), [False, True, True, True]),  # 0 is no phase beside two others
        ([-1, 1, 2, 1], (1, 2), [False, True, True, True]),
        ([0, 0, 0, 0], (1, 2), [True] * 4),  # nobody has a listed one: the number says nothing
    ],
)
def test_the_list_of_phases_and_the_confidence_decide_what_is_indexed(
    tmp_path, phase, listed, wanted
):
    file = write_oh5(tmp_path / "s_1.oh5", phase, [0.8] * 4, listed)
    scan = scan_readers(file)["s_1"]()
    assert indexed(scan) == wanted
    lost = wanted.count(False)
    assert scan.attrs["notes"] == (
        (f"{lost} points belong to no listed phase and are not indexed",) if lost else ()
    )
    doubtful = write_oh5(tmp_path / "s_2.oh5", phase, [0.8, -1, 0.8, 0.0], listed)
    assert indexed(scan_readers(doubtful)["s_2"]()) == [wanted[0], False, wanted[2], False]


def write_ang(path, rows, columns, quality, confidence, declared_rows=None):
    header = [
        "# Phase 1", "# MaterialName x", "# Symmetry 43", "# LatticeConstants 3 3 3 90 90 90",
        "# GRID: SqrGrid", "# XSTEP: 0.05", "# YSTEP: 0.05", f"# NCOLS_ODD: {columns}",
        f"# NCOLS_EVEN: {columns}", f"# NROWS: {declared_rows or rows}",
    ]  # fmt: skip
    lines = [
        f"0.1 0.2 0.3 {column * 0.05:.5f} {row * 0.05:.5f} {iq} {ci} 1"
        for (row, column), iq, ci in zip(
            np.ndindex(rows, columns), quality, confidence, strict=True
        )
    ]
    path.write_text("\n".join([*header, *lines]) + "\n")
    return path


def test_points_that_an_interrupted_scan_did_not_reach_are_not_measured(tmp_path):
    quality, confidence = [120.0] * 10 + [-1.0] * 2, [0.7] * 10 + [-2.0] * 2
    file = write_ang(tmp_path / "s_1.ang", 3, 4, quality, confidence)
    scan = scan_readers(file)["s_1"]()
    assert indexed(scan) == [True] * 10 + [False] * 2
    assert np.isnan(scan["image_quality"].to_numpy().ravel()[10:]).all()
    assert scan["confidence_index"].to_numpy().ravel()[10:].tolist() == [-1, -1]
    assert scan.attrs["notes"] == ("2 points were not measured",)

    longer = write_ang(tmp_path / "s_2.ang", 3, 4, quality, confidence, declared_rows=4)
    with pytest.raises(InputError, match="accept_missing"):
        scan_readers(longer)["s_2"]()
    scan = scan_readers(longer)["s_2"](ReadingOptions(accept_missing=True))
    assert scan["image_quality"].shape == (4, 4)
    assert indexed(scan) == [True] * 10 + [False] * 6


def test_a_scan_without_any_measured_point_is_refused(tmp_path):
    file = write_ang(tmp_path / "s_1.ang", 2, 2, [-1.0] * 4, [-2.0] * 4)
    with pytest.raises(InputError, match="no point of the scan was measured"):
        scan_readers(file)["s_1"]()


def test_a_three_dimensional_ctf_is_a_stack(case):
    readers = scan_readers(case("particle_3d.ctf"))
    assert list(readers) == [f"particle_3d_{z:04d}" for z in range(3)]
    stack = stack_scans(readers)
    assert stack["image_quality"].shape == (3, 12, 15)
    assert stack.attrs["spacing_nm"] == (50.0, 50.0, 50.0)
    assert stack.attrs["from_volume"]
    assert stack.attrs["notes"] == ()


def ctf_volume(layers, column="Z", declared=None):
    """Text of a `.ctf` of 2 x 2 points a layer, whose band contrast is 10 z + place."""
    head = ["Channel Text File", "JobMode\tGrid", "XCells\t2", "YCells\t2",
            f"ZCells\t{declared or layers}", "XStep\t0.05", "YStep\t0.05", "ZStep\t0.1",
            "Phases\t1", "3;3;3\t90;90;90\tiron\t11\t229",
            f"Phase\tX\tY\t{column}\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC"]  # fmt: skip
    rows = [
        f"1\t{x * 0.05}\t{y * 0.05}\t{z * 0.1}\t8\t0\t10\t20\t30\t0.5\t{10 * z + 2 * y + x}"
        for z in range(layers) for y in range(2) for x in range(2)
    ]  # fmt: skip
    return "\n".join([*head, *rows]) + "\n"


def test_layers_of_a_ctf_hold_their_own_points(tmp_path):
    file = tmp_path / "volume.ctf"
    file.write_text(ctf_volume(3))
    stack = stack_scans(scan_readers(file))
    wanted = [[[10 * z, 10 * z + 1], [10 * z + 2, 10 * z + 3]] for z in range(3)]
    assert stack["image_quality"].to_numpy().tolist() == wanted
    assert stack.attrs["spacing_nm"] == (100.0, 50.0, 50.0)
    file.write_text(ctf_volume(3, declared=4))
    with pytest.raises(InputError, match=r"3 values of Z(.|\n)*ZCells 4"):
        scan_readers(file)["volume_0000"]()
    file.write_text(ctf_volume(3, column="W"))
    with pytest.raises(InputError, match="no column Z"):
        scan_readers(file)["volume_0001"]()
