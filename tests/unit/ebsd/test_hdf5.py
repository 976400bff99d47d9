"""HDF5 layouts as their makers document them, written from a known scan and read back."""

import os
import random
import re
import struct
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from orix import io as orix_io

from damaged_files import places_of_refusals
from electrode_grains.ebsd import (
    ReadingOptions,
    hdf5_probe,
    probing_files,
    read_scan,
    scan_readers,
    stack_scans,
    write_scan,
)
from electrode_grains.ebsd import hdf5 as hdf5_files
from electrode_grains.errors import InputError

ROWS, COLUMNS, LAYERS = 4, 3, 3
DY, DX, DZ = 0.05, 0.1, 0.025  # um
NOT_INDEXED = (1, 2)  # row, column
TEXT = h5py.string_dtype()


SAME = ReadingOptions(frames="same")  # angles as the file holds them


@dataclass(frozen=True)
class Phase:
    name: str
    laue: str
    tsl: int
    oxford: int
    dream3d: int
    lengths: tuple[float, ...]
    angles: tuple[float, ...]

    @property
    def lattice(self) -> str:
        return " ".join(f"{value:.3f}" for value in (*self.lengths, *self.angles))


PHASES = (
    Phase("NMC532", "-3m", 32, 7, 10, (2.87, 2.87, 14.26), (90, 90, 120)),
    Phase("Kohlenstoff", "6/mmm", 62, 9, 0, (2.46, 2.46, 6.71), (90, 90, 120)),
)


@dataclass(frozen=True)
class Truth:
    """What a scan must be read as; arrays (y, x)."""

    quality: np.ndarray
    confidence: np.ndarray
    euler: np.ndarray
    phase: np.ndarray
    bands: np.ndarray
    deviation: np.ndarray
    indexed: np.ndarray


def make_truth(seed=0, rows=ROWS, columns=COLUMNS) -> Truth:
    rng = np.random.default_rng(seed)
    shape = (rows, columns)
    indexed = np.ones(shape, bool)
    indexed[NOT_INDEXED] = False
    phase = np.where(indexed, rng.integers(1, 3, shape), 0)
    return Truth(
        quality=rng.integers(1, 255, shape).astype(np.uint8),
        confidence=np.where(indexed, rng.uniform(0.1, 1, shape), -1).astype(np.float32),
        euler=rng.uniform(0, 3, (*shape, 3)).astype(np.float32),
        phase=phase.astype(np.uint8),
        bands=rng.integers(4, 12, shape).astype(np.uint8),
        deviation=rng.uniform(0, 0.02, shape).astype(np.float32),
        indexed=indexed,
    )


def positions(rows=ROWS, columns=COLUMNS):
    row, column = np.divmod(np.arange(rows * columns), columns)
    return (column * DX).astype(np.float32), (row * DY).astype(np.float32)


def fixed(text: str) -> np.ndarray:
    """Text as EDAX stores it: an array of one, of fixed length, ended by a zero."""
    return np.array([text.encode("latin-1") + b"\0"])


def write_oim(path: Path, truths: dict[str, Truth]) -> None:
    with h5py.File(path, "w") as root:
        root[" Manufacturer"] = fixed("EDAX")
        root[" Version"] = fixed("OIM Analysis 8.6")
        for name, truth in truths.items():
            add_oim_scan(root.create_group(name), truth)


def add_oim_scan(scan: h5py.Group, truth: Truth) -> None:
    x, y = positions(*truth.phase.shape)
    data = scan.create_group("EBSD/Data")
    for number, name in enumerate(("Phi1", "Phi", "Phi2")):
        data[name] = truth.euler[..., number].ravel()
    data["IQ"] = truth.quality.ravel().astype(np.float32)
    data["CI"] = truth.confidence.ravel()
    data["Phase"] = truth.phase.ravel().astype(np.int8)
    data["X Position"], data["Y Position"] = x, y
    data["Fit"] = np.ones(len(x), np.float32)
    data["Valid"] = np.zeros(len(x), np.int8)
    data["Pattern"] = np.zeros((len(x), 2, 2), np.uint8)
    header = scan.create_group("EBSD/Header")
    header["Grid Type"] = fixed("SqrGrid")
    header["nRows"] = np.array([truth.phase.shape[0]], np.int32)
    header["nColumns"] = np.array([truth.phase.shape[1]], np.int32)
    header["Step X"], header["Step Y"] = np.array([DX], np.float32), np.array([DY], np.float32)
    header["Pattern Center Calibration/x-star"] = np.array([0.5])
    for number, phase in enumerate(PHASES, 1):
        group = header.create_group(f"Phase/{number}")
        group["MaterialName"] = fixed(phase.name)
        group["Formula"] = fixed("")
        group["Symmetry"] = np.array([phase.tsl], np.int32)
        lattice = zip(
            ("a", "b", "c", "alpha", "beta", "gamma"), (*phase.lengths, *phase.angles), strict=True
        )
        for constant, value in lattice:
            group[f"Lattice Constant {constant}"] = np.array([value], np.float32)


def write_h5oina(path: Path, truths: dict[str, Truth]) -> None:
    with h5py.File(path, "w") as root:
        root.create_dataset("Manufacturer", data=[["Oxford Instruments"]], dtype=TEXT)
        root.create_dataset("Format Version", data=[["5.0"]], dtype=TEXT)
        root.create_dataset("Index", data=[[name] for name in truths], dtype=TEXT)
        for name, truth in truths.items():
            add_h5oina_slice(root.create_group(name), truth)


def add_h5oina_slice(group: h5py.Group, truth: Truth) -> None:
    rows, columns = truth.phase.shape
    x, y = positions(rows, columns)
    data = group.create_group("EBSD/Data")
    data["Phase"] = truth.phase.reshape(-1, 1)
    data["X"], data["Y"] = x[:, None], y[:, None]
    data["Euler"] = truth.euler.reshape(-1, 3)
    data["Bands"] = truth.bands.reshape(-1, 1)
    data["Error"] = np.where(truth.indexed, 1, 2).astype(np.uint8).reshape(-1, 1)
    data["Mean Angular Deviation"] = truth.deviation.reshape(-1, 1)
    data.create_dataset("Band Contrast", data=truth.quality.reshape(-1, 1), compression="lzf")
    header = group.create_group("EBSD/Header")
    header["X Cells"], header["Y Cells"] = np.array([[columns]], np.int32), np.array([[rows]])
    header["X Step"] = np.array([[DX]], np.float32)
    header["Y Step"] = np.array([[DY]], np.float32)
    header.create_dataset("Project Label", data=[["Über"]], dtype=TEXT)
    for number, phase in enumerate(PHASES, 1):
        part = header.create_group(f"Phases/{number}")
        part.create_dataset("Phase Name", data=[[phase.name]], dtype=TEXT)
        part["Lattice Dimensions"] = np.array([phase.lengths], np.float32)
        part["Lattice Angles"] = np.radians(np.array([phase.angles], np.float32))
        part["Laue Group"] = np.array([[phase.oxford]], np.int32)
        part["Laue Group"].attrs["Symbol"] = phase.laue


def write_dream3d(path: Path, truths: dict[str, Truth], nx: bool = False) -> None:
    """All truths as slices of one volume: of DREAM.3D 6, or of DREAM3D-NX."""
    slices = list(truths.values())
    shape = (len(slices), *slices[0].phase.shape)
    with h5py.File(path, "w") as root:
        root.attrs["FileVersion"] = "8.0" if nx else np.bytes_("7.0")
        container = root.create_group(
            "DataStructure/DataContainer" if nx else "DataContainers/ImageDataContainer"
        )
        sizes, spacing = shape[::-1], np.array([DX, DY, DZ], np.float32)
        if nx:
            container.attrs["ObjectType"] = "ImageGeom"
            container.attrs["_DIMENSIONS"] = np.array(sizes, np.uint64)
            container.attrs["_SPACING"] = spacing
            container.attrs["_ORIGIN"] = np.zeros(3, np.float32)
            container.attrs["Units"] = np.uint32(6)
        else:
            geometry = container.create_group("_SIMPL_GEOMETRY")
            geometry.attrs["GeometryTypeName"] = np.bytes_("ImageGeometry")
            geometry["DIMENSIONS"] = np.array(sizes, np.int64)
            geometry["SPACING"] = spacing
            geometry["ORIGIN"] = np.zeros(3, np.float32)
        cells = container.create_group("CellData")
        arrays = {
            "EulerAngles": np.stack([truth.euler for truth in slices]),
            "Phases": np.stack([truth.phase for truth in slices])[..., None].astype(np.int32),
            "Image Quality": np.stack([truth.quality for truth in slices])[..., None].astype("f4"),
            "Confidence Index": np.stack([truth.confidence for truth in slices])[..., None],
        }
        for name, values in arrays.items():
            cells[name] = values
            cells[name].attrs["TupleDimensions"] = np.array(shape if nx else sizes, np.uint64)
        ensembles = container.create_group("CellEnsembleData")
        structures = np.array([999, *(phase.dream3d for phase in PHASES)], np.uint32)
        ensembles["CrystalStructures"] = structures[:, None]
        names = ["Invalid Phase", *(phase.name for phase in PHASES)]
        ensembles.create_dataset("MaterialName", data=names, dtype=TEXT)
        ensembles["LatticeConstants"] = np.array(
            [[0] * 6, *((*phase.lengths, *phase.angles) for phase in PHASES)], np.float32
        )
        container.create_dataset("CellFeatureData/AvgEulerAngles", data=np.zeros((2, 3), "f4"))


def write_dream3d_nx(path: Path, truths: dict[str, Truth]) -> None:
    write_dream3d(path, truths, nx=True)


WRITERS = {
    "oim": (write_oim, ".oh5"),
    "h5oina": (write_h5oina, ".h5oina"),
    "dream3d": (write_dream3d, ".dream3d"),
    "dream3d_nx": (write_dream3d_nx, ".dream3d"),
}
# Facts that a file may lack, and what of the scan they decide.
OPTIONAL = {
    "Confidence Index": "confidence_index",
    "Bands": "bands",
    "Mean Angular Deviation": "mean_angular_deviation",
    "MaterialName": "material_name",
    "LatticeConstants": "lattice_constants",
}
every_layout = pytest.mark.parametrize("layout", WRITERS)


def write(layout: str, folder: Path, stem="slice_007", **truths) -> Path:
    writer, suffix = WRITERS[layout]
    path = folder / f"{stem}{suffix}"
    writer(path, truths or {"1": make_truth()})
    return path


def read_quietly(path: Path, *args) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_scan(path, *(args or (SAME,)))


def assert_equals_truth(scan: xr.Dataset, truth: Truth, layout: str, lacking=frozenset()) -> None:
    scores = layout != "h5oina" and "confidence_index" not in lacking
    confidence = truth.confidence if scores else np.where(truth.indexed, 1, -1)
    expected = {
        "image_quality": truth.quality,
        "confidence_index": confidence,
        "euler_angles": np.where(truth.indexed[..., None], truth.euler, np.nan),
        "phase": truth.phase,
    }
    if layout == "h5oina":
        expected |= {"bands": truth.bands, "mean_angular_deviation": truth.deviation}
    for name in lacking - {"confidence_index"}:
        expected.pop(name, None)
    assert set(scan.data_vars) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(scan[name], values, err_msg=name)
    assert scan.attrs["step_nm"] == pytest.approx((50.0, 100.0), rel=1e-7)
    np.testing.assert_allclose(scan["y"], np.arange(truth.phase.shape[0]) * 50.0)
    np.testing.assert_allclose(scan["x"], np.arange(truth.phase.shape[1]) * 100.0)
    assert len(scan.attrs["phases"]) == len(PHASES)
    for number, (phase, read) in enumerate(zip(PHASES, scan.attrs["phases"], strict=True), 1):
        assert read == {
            "id": number,
            "material_name": "" if "material_name" in lacking else phase.name,
            "formula": "",
            "symmetry": str(phase.tsl),
            "lattice_constants": "" if "lattice_constants" in lacking else phase.lattice,
        }


def group_of(root: h5py.File, name: str) -> h5py.Group:
    """Group that holds an object of a name."""
    found = []
    root.visit(lambda path: found.append(path) if path.split("/")[-1] == name else None)
    return root[found[0]].parent


def replace(path: Path, name: str, values, **how) -> None:
    """Write another dataset in place of one, found by its name."""
    with h5py.File(path, "r+") as root:
        group = group_of(root, name)
        del group[name]
        group.create_dataset(name, data=values, **how)


def remove(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as root:
        del group_of(root, name)[name]


def edit(path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with h5py.File(path) as root:
        values = group_of(root, name)[name][()]
    replace(path, name, change(values))


def put(index, value) -> Callable[[np.ndarray], np.ndarray]:
    def change(values):
        values = values.copy()
        values[index] = value
        return values

    return change


@every_layout
def test_a_scan_is_read_as_it_was_written(layout, tmp_path):
    scan = read_quietly(write(layout, tmp_path))
    assert_equals_truth(scan, make_truth(), layout)
    assert scan.attrs["source"] == "slice_007"


@every_layout
def test_only_a_volume_without_length_unit_leaves_a_doubt(layout, tmp_path):
    notes = scan_readers(write(layout, tmp_path))["slice_007"](SAME).attrs["notes"]
    assert (notes != ()) == (layout == "dream3d")
    assert all("micrometres" in note for note in notes)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("variable", [True, False])
@every_layout
def test_single_values_may_have_any_shape_and_texts_any_length(layout, tmp_path, shape, variable):
    path = write(layout, tmp_path)
    with h5py.File(path, "r+") as root:
        single = []
        root.visititems(
            lambda name, node: single.append(name) if getattr(node, "size", 0) == 1 else None
        )
        for name in single:
            value, attributes = np.ravel(root[name][()])[0], dict(root[name].attrs)
            del root[name]
            if isinstance(value, bytes):
                text = value.rstrip(b"\0").decode("latin-1").encode()
                root.create_dataset(name, shape, TEXT if variable else f"S{len(text) + 2}")
                root[name][...] = text
            else:
                root[name] = np.full(shape, value)
            root[name].attrs.update(attributes)
        assert len(single) > 3 or layout.startswith("dream3d")
    assert_equals_truth(read_quietly(path), make_truth(), layout)


@every_layout
def test_the_suffix_of_any_hdf5_file_serves(layout, tmp_path):
    path = write(layout, tmp_path)
    for suffix in (".h5", ".HDF5", ".unknown"):
        path = path.rename(path.with_suffix(suffix))
        assert_equals_truth(read_quietly(path), make_truth(), layout)


@every_layout
def test_several_scans_of_a_file_are_a_stack(layout, tmp_path):
    truths = {name: make_truth(seed) for seed, name in enumerate(("1", "2", "3"))}
    path = write(layout, tmp_path, **truths)
    readers = scan_readers(path)
    numbers = ("0000", "0001", "0002") if layout.startswith("dream3d") else ("1", "2", "3")
    assert list(readers) == [f"slice_007_{number}" for number in numbers]
    for name, truth in zip(readers, truths.values(), strict=True):
        scan = read_quietly(path, SAME, name)
        assert_equals_truth(scan, truth, layout)
        assert scan.attrs["source"] == name
    with pytest.raises(InputError, match="several scans"):
        read_scan(path, SAME)
    stack = stack_scans(readers)
    depth = 25.0 if layout.startswith("dream3d") else 50.0
    assert stack.attrs["spacing_nm"] == pytest.approx((depth, 50.0, 100.0))


def test_edax_scans_are_found_below_projects_and_areas(tmp_path):
    path = tmp_path / "project.oh5"
    write_oim(path, {"Particle/Area 1/OIM Map 1": make_truth(0), "Particle/Area 2": make_truth(1)})
    names = ["project_Particle_Area 1_OIM Map 1", "project_Particle_Area 2"]
    assert list(scan_readers(path)) == names
    assert_equals_truth(read_scan(path, SAME, names[1]), make_truth(1), "oim")


def test_an_ang_file_of_the_same_scan_says_the_same(tmp_path):
    scan = read_scan(write("oim", tmp_path))
    write_scan(scan, tmp_path / "slice_007.ang")
    text = read_scan(tmp_path / "slice_007.ang")
    for name, tolerance in (("image_quality", 0), ("confidence_index", 6e-4), ("phase", 0)):
        np.testing.assert_allclose(text[name], scan[name], atol=tolerance)
    np.testing.assert_allclose(text["euler_angles"], scan["euler_angles"], atol=6e-6)
    assert text.attrs["step_nm"] == scan.attrs["step_nm"]
    assert text.attrs["phases"] == scan.attrs["phases"]


def test_orix_reads_the_same_from_the_layout_of_edax(tmp_path):
    """EMsoft writes this layout too; orix wants its refined angles and number of matches."""
    path = tmp_path / "dot_products.h5"
    truth = make_truth()
    write_oim(path, {"Scan 1": truth})
    with h5py.File(path, "r+") as root:
        data, phase = root["Scan 1/EBSD/Data"], root["Scan 1/EBSD/Header/Phase/1"]
        data["RefinedEulerAngles"] = truth.euler.reshape(-1, 3)
        phase["Point Group"] = fixed("Trigonal [-3m]")
        root["NMLparameters/EBSDIndexingNameListType/nnk"] = np.array([1])
        data["Phase"][...] = np.minimum(data["Phase"][...], 1)
        del root[" Manufacturer"]
        root["Manufacturer"] = fixed("EMEBSDDictionaryIndexing.f90")
    scan, theirs = read_scan(path, SAME), orix_io.load(path, refined=True)

    assert theirs.shape == scan["phase"].shape
    assert theirs.dx * 1000 == pytest.approx(scan.attrs["step_nm"][1])
    assert theirs.dy * 1000 == pytest.approx(scan.attrs["step_nm"][0])
    np.testing.assert_array_equal(theirs.prop["IQ"], scan["image_quality"].to_numpy().ravel())
    np.testing.assert_array_equal(theirs.prop["CI"], scan["confidence_index"].to_numpy().ravel())
    indexed = truth.indexed.ravel()
    ours = scan["euler_angles"].to_numpy().reshape(-1, 3)[indexed]
    np.testing.assert_allclose(
        theirs.rotations.to_euler()[indexed] % (2 * np.pi), ours % (2 * np.pi), atol=1e-5
    )
    lattice = theirs.phases[0].structure.lattice
    read = scan.attrs["phases"][0]
    np.testing.assert_allclose(
        lattice.abcABG(), [float(value) for value in read["lattice_constants"].split()], atol=1e-3
    )
    assert theirs.phases[0].point_group.laue.name == "-3m"


def write_hexagonal(path: Path, drop: int = 0, shifted: int = 2) -> np.ndarray:
    """Rows of 3 points and of `shifted` by half a step in turn; `drop` points lack at the end."""
    lengths = [3, shifted, 3, shifted]
    count = sum(lengths) - drop
    x = np.concatenate([np.arange(n) + row % 2 / 2 for row, n in enumerate(lengths)])[:count] * 0.1
    y = np.repeat([0, 1, 2, 3], lengths)[:count] * 0.1 * np.sqrt(3) / 2
    write_oim(path, {"1": make_truth(rows=2, columns=6)})
    for name, values in (("X Position", x), ("Y Position", y)):
        replace(path, name, values.astype(np.float32))
    for name in ("Phi1", "Phi", "Phi2", "IQ", "CI", "Phase"):
        edit(path, name, lambda values: values[:count])
    remove(path, "Valid")
    replace(path, "Grid Type", fixed("HexGrid"))
    replace(path, "nRows", [4])
    replace(path, "nColumns", [3])
    with h5py.File(path) as root:
        return np.ravel(root["1/EBSD/Data/IQ"][()])


def test_hexagonal_grids_are_resampled_if_the_user_wants_it(tmp_path):
    path = tmp_path / "hex.h5"
    quality = write_hexagonal(path)
    with pytest.raises(InputError, match="hexagonal"):
        read_scan(path, SAME)
    scan = read_quietly(path, ReadingOptions(resample_hexagonal=True))
    assert scan.attrs["step_nm"] == pytest.approx((100.0, 100.0), rel=1e-5)
    np.testing.assert_array_equal(scan["image_quality"][0], quality[:3])
    assert "10 points resampled" in scan.attrs["notes"][0]

    quality = write_hexagonal(path, shifted=3)
    scan = read_quietly(path, ReadingOptions(resample_hexagonal=True))
    np.testing.assert_array_equal(scan["image_quality"][0][:3], quality[:3])
    assert "12 points resampled" in scan.attrs["notes"][0]

    write_hexagonal(path, drop=2)
    with pytest.raises(InputError, match="10: 4 rows of 3 and 2"):
        read_scan(path, ReadingOptions(resample_hexagonal=True))


@pytest.mark.parametrize(
    ("dataset", "change", "lost"),
    [
        ("CI", put(4, 0.0), [4, 5]),
        ("CI", put(4, np.nan), [4, 5]),
        ("Phi", put(4, 4 * np.pi), [4, 5]),
        ("Phi2", put(4, np.nan), [4, 5]),
        ("Phase", put(4, 0), [4, 5]),
        ("Phase", lambda values: np.zeros_like(values), [5]),
        ("Valid", lambda values: np.ones_like(values), [5]),
        ("Valid", lambda values: np.arange(len(values)) != 4, [4, 5]),
    ],
)
def test_points_that_edax_did_not_index_have_no_orientation(tmp_path, dataset, change, lost):
    path = write("oim", tmp_path)
    edit(path, dataset, change)
    euler = read_quietly(path)["euler_angles"].to_numpy().reshape(-1, 3)
    assert np.flatnonzero(np.isnan(euler).all(axis=1)).tolist() == lost


def test_newer_edax_files_name_the_laue_group_apart_from_the_symmetry(tmp_path):
    path = write("oim", tmp_path)
    with h5py.File(path, "r+") as root:
        root["1/EBSD/Header/Phase/1/LGsymID"] = np.array([43])
        root["1/EBSD/Header/Phase/1/Symmetry"][...] = 131
    assert read_scan(path, SAME).attrs["phases"][0]["symmetry"] == "43"


@pytest.mark.parametrize(
    ("change", "lost", "doubt"),
    [
        (put(4, 2), [4, 5], False),
        (put(4, 0), [4, 5], False),
        (put(4, 7), [5], False),  # replaced by cleaning
        (lambda error: np.where(error == 1, 0, 3), [5], True),  # as in .ctf files
        (lambda error: np.where(np.arange(12)[:, None] == 4, 1, 0), [4, 5], True),
    ],
)
def test_points_that_oxford_did_not_index_have_no_orientation(tmp_path, change, lost, doubt):
    path = write("h5oina", tmp_path)
    edit(path, "Error", change)
    scan = read_quietly(path)
    euler = scan["euler_angles"].to_numpy().reshape(-1, 3)
    assert np.flatnonzero(np.isnan(euler).all(axis=1)).tolist() == lost
    assert (scan["confidence_index"].to_numpy().ravel() < 0).nonzero()[0].tolist() == lost
    assert any("Error is 0" in note for note in scan.attrs["notes"]) == doubt


def test_without_error_codes_the_phase_tells_what_is_indexed(tmp_path):
    path = write("h5oina", tmp_path)
    remove(path, "Error")
    assert_equals_truth(read_scan(path, SAME), make_truth(), "h5oina")


@pytest.mark.parametrize("lost", [[5], [0, 1, 2, 3], [11]])  # the first known gives the origin
@pytest.mark.parametrize(
    ("layout", "x", "y"), [("h5oina", "X", "Y"), ("oim", "X Position", "Y Position")]
)
def test_positions_that_lack_follow_from_rows_and_columns(tmp_path, layout, x, y, lost):
    path = write(layout, tmp_path)
    for name in (x, y):  # outside an irregular area positions are NaN
        edit(path, name, put(lost, np.nan))
        edit(path, name, lambda values: values + 3.5)
    assert_equals_truth(read_scan(path, SAME), make_truth(), layout)
    for name in (x, y):
        edit(path, name, lambda values: np.full_like(values, np.nan))
    assert_equals_truth(read_scan(path, SAME), make_truth(), layout)
    for name in (x, y):
        remove(path, name)
    assert_equals_truth(read_scan(path, SAME), make_truth(), layout)


def test_missing_points_are_masked_if_the_user_wants_it(tmp_path):
    path = write("h5oina", tmp_path)
    with h5py.File(path) as root:
        names = list(root["1/EBSD/Data"])
    for name in names:
        edit(path, name, lambda values: values[:-2])
    with pytest.raises(InputError, match="missing"):
        read_scan(path, SAME)
    scan = read_quietly(path, ReadingOptions(accept_missing=True, frames="same"))
    missing = np.isnan(scan["image_quality"].to_numpy()).ravel()
    assert np.flatnonzero(missing).tolist() == [10, 11]


@pytest.mark.parametrize("nx", [False, True])
def test_volumes_may_list_their_cells_in_one_row(tmp_path, nx):
    path = tmp_path / "volume.dream3d"
    truths = {str(seed): make_truth(seed) for seed in range(LAYERS)}
    write_dream3d(path, truths, nx)
    for name in ("EulerAngles", "Phases", "Image Quality", "Confidence Index"):
        edit(path, name, lambda values: values.reshape(-1, values.shape[-1]))
    edit(path, "Phases", np.ravel)
    for z, truth in enumerate(truths.values()):
        scan = read_quietly(path, SAME, f"volume_{z:04d}")
        assert_equals_truth(scan, truth, "dream3d")


def test_without_confidences_indexed_points_of_a_volume_are_certain(tmp_path):
    path = write("dream3d", tmp_path)
    remove(path, "Confidence Index")
    truth = make_truth()
    np.testing.assert_array_equal(
        read_quietly(path)["confidence_index"], np.where(truth.phase > 0, 1, -1)
    )


def test_a_volume_of_one_layer_may_have_two_axes(tmp_path):
    path = write("dream3d", tmp_path)
    for name in ("EulerAngles", "Phases", "Image Quality"):
        edit(path, name, lambda values: values[0])
    assert_equals_truth(read_quietly(path), make_truth(), "dream3d")


@pytest.mark.parametrize("name", ["IQ", "image_quality", "BC", "Band Contrast"])
def test_the_image_quality_of_a_volume_goes_by_several_names(tmp_path, name):
    path = write("dream3d", tmp_path)
    with h5py.File(path, "r+") as root:
        cells = group_of(root, "Phases")
        cells.move("Image Quality", name)
    assert_equals_truth(read_quietly(path), make_truth(), "dream3d")


@pytest.mark.parametrize(
    ("unit", "factor", "doubt"),
    [
        (4, 1e-6, ""),
        (5, 1e-3, ""),
        (6, 1.0, ""),
        (7, 1e3, ""),
        (21, 1e-4, ""),
        (8, 1e4, ""),  # to steps of a millimetre
        (100, 1.0, "no length unit"),
        (101, 1.0, "no length unit"),
    ],
)
def test_the_length_unit_of_a_volume_counts(tmp_path, unit, factor, doubt):
    path = write("dream3d_nx", tmp_path)
    with h5py.File(path, "r+") as root:
        root["DataStructure/DataContainer"].attrs["Units"] = np.uint32(unit)
    scan = read_quietly(path)
    assert scan.attrs["step_nm"] == pytest.approx((50.0 * factor, 100.0 * factor))
    assert scan.attrs["slice_spacing_nm"] == pytest.approx(25.0 * factor)
    assert doubt in " ".join(scan.attrs["notes"])
    assert bool(doubt) == bool(scan.attrs["notes"])


def test_metres_that_nobody_chose_are_taken_as_micrometres_with_a_doubt(tmp_path):
    path = write("dream3d_nx", tmp_path)
    with h5py.File(path, "r+") as root:
        root["DataStructure/DataContainer"].attrs["Units"] = np.uint32(10)
    with pytest.warns(UserWarning, match="taken as micrometres"):
        scan = read_scan(path, SAME)
    assert scan.attrs["step_nm"] == pytest.approx((50.0, 100.0))


def test_phases_of_a_volume_may_lie_beside_it(tmp_path):
    path = write("dream3d_nx", tmp_path)
    with h5py.File(path, "r+") as root:
        root.move("DataStructure/DataContainer/CellEnsembleData", "DataStructure/Phases of all")
    assert_equals_truth(read_scan(path, SAME), make_truth(), "dream3d_nx")


def test_truth_values_serve_as_numbers(tmp_path):
    """Attributes and single values of type bool never end in a traceback."""
    path = write("dream3d_nx", tmp_path)
    set_geometry(path, "_DIMENSIONS", np.array([True, True, True]))
    with pytest.raises(InputError, match=r"EulerAngles\n.*\(1, 4, 3, 3\)"):
        read_scan(path, SAME)
    path = write("oim", tmp_path)
    replace(path, "nRows", [True])
    with pytest.raises(InputError, match="3 points"):
        read_scan(path, SAME)


def test_every_crystal_structure_of_dream3d_has_its_laue_group(tmp_path):
    path = write("dream3d_nx", tmp_path)
    replace(path, "CrystalStructures", [999, *range(11), 999])
    remove(path, "MaterialName")
    remove(path, "LatticeConstants")
    symmetries = [phase["symmetry"] for phase in read_scan(path, SAME).attrs["phases"]]
    assert symmetries == ["62", "43", "6", "23", "1", "20", "22", "4", "42", "3", "32"]


# What must be refused: layout, damage, and what the refusal must say.
DAMAGES = [
    ("oim", lambda p: remove(p, "Phi1"), r"1/EBSD/Data/Phi1\n.*nothing"),
    ("oim", lambda p: remove(p, "IQ"), r"1/EBSD/Data/IQ"),
    ("oim", lambda p: remove(p, "CI"), r"1/EBSD/Data/CI"),
    ("oim", lambda p: remove(p, "Phase"), r"1/EBSD/Data/Phase\n.*nothing|Header/Phase"),
    ("oim", lambda p: remove(p, "X Position"), r"X Position\n.*nothing"),
    ("oim", lambda p: remove(p, "Header"), r"1/EBSD/Header\n.*nothing(.|\n)*a group"),
    ("oim", lambda p: remove(p, "Data"), r"no EBSD scan"),
    ("oim", lambda p: remove(p, "Grid Type"), r"Grid Type"),
    ("oim", lambda p: replace(p, "Grid Type", fixed("Radial")), r"radial(.|\n)*HexGrid"),
    ("oim", lambda p: replace(p, "Grid Type", [3]), r"Grid Type(.|\n)*text"),
    ("oim", lambda p: replace(p, "nRows", [0]), r"impossible nRows(.|\n)*found: +0"),
    ("oim", lambda p: replace(p, "nRows", [4.5]), r"impossible nRows(.|\n)*4\.5"),
    ("oim", lambda p: replace(p, "nRows", [4, 4]), r"nRows\n.*shape \(2,\)"),
    ("oim", lambda p: replace(p, "nRows", [9]), r"27 points"),
    ("oim", lambda p: replace(p, "nRows", fixed("4")), r"nRows(.|\n)*numbers"),
    ("oim", lambda p: replace(p, "Step X", [-0.1]), r"Step X(.|\n)*a length in um"),
    ("oim", lambda p: replace(p, "Step X", [np.nan]), r"Step X(.|\n)*nan"),
    ("oim", lambda p: edit(p, "IQ", lambda v: v[:-1]), r"Data/IQ\n.*\(11,\)(.|\n)*\(12,\)"),
    ("oim", lambda p: edit(p, "IQ", lambda v: v.reshape(4, 3)), r"Data/IQ\n.*\(4, 3\)"),
    ("oim", lambda p: edit(p, "IQ", lambda v: v + 1j), r"Data/IQ\n.*complex"),
    ("oim", lambda p: edit(p, "IQ", lambda v: np.full(12, b"x")), r"Data/IQ\n.*\|S1"),
    ("oim", lambda p: edit(p, "IQ", lambda v: np.full(12, np.nan)), r"100\.0% NaN"),
    ("oim", lambda p: edit(p, "Phi1", lambda v: v[:0]), r"no points"),
    ("oim", lambda p: edit(p, "Phi1", lambda v: v + 20), r"point 1\n.*(.|\n)*radians"),
    ("oim", lambda p: edit(p, "CI", lambda v: v[0]), r"Data/CI\n.*shape \(\)"),
    ("oim", lambda p: edit(p, "Valid", lambda v: v[:3]), r"Data/Valid\n.*\(3,\)"),
    ("oim", lambda p: edit(p, "X Position", put(3, np.inf)), r"x is not finite|no positions"),
    ("oim", lambda p: edit(p, "X Position", put(3, 0.123)), r"point 4\n.*0\.123"),
    ("oim", lambda p: edit(p, "X Position", put(3, 0.1)), r"more than once(.|\n)*point"),
    ("oim", lambda p: replace(p, "Symmetry", [99]), r"Phase/1/Symmetry\n.*99(.|\n)*32"),
    ("oim", lambda p: replace(p, "MaterialName", [1.0]), r"Phase/1/MaterialName"),
    ("oim", lambda p: remove(p, "Lattice Constant c"), r"Phase/1/Lattice Constant c"),
    (
        "h5oina",
        lambda p: remove(p, "Band Contrast"),
        r"1/EBSD/Data\n(.|\n)*Band Contrast or Pattern",
    ),
    ("h5oina", lambda p: remove(p, "Index"), r"Index\n.*nothing"),
    ("h5oina", lambda p: remove(p, "EBSD"), r"no EBSD data"),
    ("h5oina", lambda p: replace(p, "Index", [["1"], ["2"]], dtype=TEXT), r", /2\n.*nothing"),
    ("h5oina", lambda p: edit(p, "Euler", np.transpose), r"Euler\n.*\(3, 12\)(.|\n)*\(12, 3\)"),
    ("h5oina", lambda p: edit(p, "Euler", np.ravel), r"Euler\n.*\(36,\)"),
    ("h5oina", lambda p: edit(p, "Phase", lambda v: v[:-3]), r"\(12, 1\)(.|\n)*\(9,\)"),
    ("h5oina", lambda p: edit(p, "Phase", put(2, 5)), r"point 3\n.*phase 5"),
    ("h5oina", lambda p: edit(p, "Error", lambda v: v[:-1]), r"Data/Error\n.*\(11, 1\)"),
    ("h5oina", lambda p: replace(p, "Laue Group", [[12]]), r"1/Laue Group\n.*number 12"),
    ("h5oina", lambda p: replace(p, "Phase Name", [[7]]), r"1/Phase Name(.|\n)*text"),
    ("h5oina", lambda p: replace(p, "Lattice Angles", [[1, 2]]), r"Lattice Angles\n.*\(1, 2\)"),
    ("h5oina", lambda p: replace(p, "X Step", [[0.0]]), r"a step of 0(.|\n)*X Step 0"),
    ("h5oina", lambda p: replace(p, "X Cells", [[5]]), r"20 points"),
    ("h5oina", lambda p: replace(p, "X Cells", [[-3]]), r"impossible X Cells(.|\n)*-3"),
    ("h5oina", lambda p: (remove(p, "X"), remove(p, "Y"), replace(p, "X Cells", [[5]])), "no pos"),
    ("h5oina", lambda p: (replace(p, "Y Cells", [[1]]), replace(p, "Y Step", [[0.0]])), "a line"),
    ("dream3d", lambda p: remove(p, "EulerAngles"), r"EulerAngles once(.|\n)*0 times"),
    ("dream3d", lambda p: remove(p, "Image Quality"), r"no image quality(.|\n)*Phases"),
    ("dream3d", lambda p: remove(p, "Phases"), r"CellData/Phases\n.*nothing"),
    ("dream3d", lambda p: remove(p, "CrystalStructures"), r"CrystalStructures once"),
    ("dream3d", lambda p: remove(p, "_SIMPL_GEOMETRY"), r"_SIMPL_GEOMETRY\n.*nothing"),
    ("dream3d", lambda p: replace(p, "DIMENSIONS", [3, 4]), r"DIMENSIONS\n.*\(2,\)"),
    ("dream3d", lambda p: replace(p, "DIMENSIONS", [3, 0, 1]), r"geometry(.|\n)*impossible|imposs"),
    ("dream3d", lambda p: replace(p, "DIMENSIONS", [4, 3, 1]), r"EulerAngles\n.*\(1, 4, 3, 3\)"),
    ("dream3d", lambda p: replace(p, "SPACING", [0.1, -1.0, 1.0]), r"impossible"),
    ("dream3d", lambda p: replace(p, "CrystalStructures", [999, 11, 0]), r"structure(.|\n)*11"),
    ("dream3d", lambda p: replace(p, "CrystalStructures", [999, 999, 0]), r"phase 1 at"),
    ("dream3d_nx", lambda p: no_phases(p), r"CrystalStructures\n.*no phase"),
    ("h5oina", lambda p: no_phases(p), r"Header/Phases\n.*no phase"),
    ("oim", lambda p: no_phases(p), r"Header/Phase\n.*no phase"),
    ("dream3d", lambda p: replace(p, "MaterialName", ["a"], dtype=TEXT), r"MaterialName\n.*\(1,\)"),
    ("dream3d", lambda p: edit(p, "EulerAngles", lambda v: v * 57.3), r"radians"),
    ("dream3d_nx", lambda p: set_geometry(p, "_SPACING", None), r"no _DIMENSIONS and _SPACING"),
    ("dream3d_nx", lambda p: set_geometry(p, "_SPACING", [1.0]), r"_SPACING\n.*1 values"),
    ("dream3d_nx", lambda p: set_geometry(p, "_DIMENSIONS", "large"), r"_DIMENSIONS"),
    ("dream3d_nx", lambda p: set_geometry(p, "Units", 24), r"length unit(.|\n)*24"),
]


def set_geometry(path: Path, name: str, value) -> None:
    with h5py.File(path, "r+") as root:
        attributes = root["DataStructure/DataContainer"].attrs
        del attributes[name]
        if value is not None:
            attributes[name] = value


def no_phases(path: Path) -> None:
    with h5py.File(path, "r+") as root:
        if "DataStructure" in root:
            del root["DataStructure/DataContainer/CellEnsembleData"]
            root["DataStructure/DataContainer/Phases/CrystalStructures"] = [999]
        else:
            header = root["1/EBSD/Header"]
            name = "Phase" if "Phase" in header else "Phases"
            del header[name]
            header.create_group(name)


@pytest.mark.parametrize(("layout", "damage", "says"), DAMAGES)
def test_a_damaged_file_is_refused_by_name(tmp_path, layout, damage, says):
    path = write(layout, tmp_path)
    damage(path)
    with pytest.raises(InputError, match=says) as told:
        read_scan(path, SAME)
    assert path.name in str(told.value)


def test_the_formula_of_a_phase_is_kept_where_there_is_one(tmp_path):
    path = write("oim", tmp_path)
    replace(path, "Formula", fixed("LiNiO2"))
    with h5py.File(path, "r+") as root:
        del root["1/EBSD/Header/Phase/2/Formula"]
    assert [phase["formula"] for phase in read_scan(path, SAME).attrs["phases"]] == ["LiNiO2", ""]


def test_every_laue_group_of_oxford_has_its_symmetry(tmp_path):
    symmetries = ["1", "20", "22", "4", "42", "3", "32", "6", "62", "23", "43"]
    for number, symmetry in enumerate(symmetries, 1):
        path = write("h5oina", tmp_path)
        replace(path, "Laue Group", [[number]])
        assert read_scan(path, SAME).attrs["phases"][0]["symmetry"] == symmetry


def test_two_laue_groups_of_a_phase_are_refused(tmp_path):
    path = write("h5oina", tmp_path)
    with h5py.File(path, "r+") as root:
        root["1/EBSD/Header/Phases/1/Laue Group"].attrs["Symbol"] = "m-3m"
    with pytest.raises(InputError, match="number 7, symbol m-3m"):
        read_scan(path, SAME)


def test_a_volume_of_two_geometries_is_refused(tmp_path):
    path = write("dream3d", tmp_path)
    with h5py.File(path, "r+") as root:
        root.copy("DataContainers/ImageDataContainer", "DataContainers/Second")
    with pytest.raises(InputError, match=r"2 times(.|\n)*Second"):
        read_scan(path, SAME)


@every_layout
def test_sizes_that_a_file_only_announces_are_never_allocated(layout, tmp_path):
    """Ten million million points, for which no byte is stored."""
    path = write(layout, tmp_path)
    side = 10**6
    volume = layout.startswith("dream3d")
    with h5py.File(path, "r+") as root:
        data = group_of(root, "Phases" if volume else "Data")
        data = data if volume else data["Data"]
        for name, old in list(data.items()):
            lead = (10, side, side) if volume else (10 * side**2,)
            tail = old.shape[-1:] if old.ndim > 1 else ()
            del data[name]
            data.create_dataset(name, (*lead, *tail), old.dtype, chunks=True)
    if layout == "dream3d":
        replace(path, "DIMENSIONS", [side, side, 10])
    elif layout == "dream3d_nx":
        set_geometry(path, "_DIMENSIONS", [side, side, 10])
    else:
        rows, columns = ("nRows", "nColumns") if layout == "oim" else ("Y Cells", "X Cells")
        replace(path, rows, [10 * side])
        replace(path, columns, [side])
    with pytest.raises(InputError, match="announces more values than the file holds"):
        read_scan(path, SAME)


@every_layout
def test_a_file_that_was_cut_anywhere_is_refused(layout, tmp_path):
    path = write(layout, tmp_path)
    whole = path.read_bytes()
    for share in np.linspace(0, 0.999, 12):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(InputError, match=re.escape(path.name)):
            read_scan(path, SAME)


def test_other_hdf5_files_are_refused_with_what_they_hold(tmp_path):
    for name in ("other.h5", "other.h5oina", "other.dream3d", "other.oh5", "other.dat"):
        with h5py.File(tmp_path / name, "w") as root:
            root["Manufacturer"] = "Somebody else"
            root["Scan/EBSD/Data/phi1"] = np.zeros(4)
        with pytest.raises(InputError, match="holds Manufacturer, Scan"):
            read_scan(tmp_path / name)


@every_layout
def test_the_content_must_be_of_the_kind_that_the_suffix_names(layout, tmp_path):
    path = write(layout, tmp_path)
    for suffix in {suffix for _, suffix in WRITERS.values()} - {path.suffix}:
        with pytest.raises(InputError, match=r"not of its kind(.|\n)*what begins like"):
            read_scan(path.rename(path.with_suffix(suffix)))
        path.with_suffix(suffix).rename(path)
    text = tmp_path / f"text{path.suffix}"
    text.write_text("# GRID: SqrGrid\n")
    with pytest.raises(InputError, match=r"not of its kind(.|\n)*\.ang"):
        read_scan(text)


MUTATIONS = {
    "cut": lambda values: values[: len(values) // 2] if np.ndim(values) else values,
    "extend": lambda values: np.concatenate([values, values]) if np.ndim(values) else values,
    "flatten": np.ravel,
    "transpose": np.transpose,
    "nest": lambda values: np.asarray(values)[None],
    "halve": lambda values: values.reshape(2, -1) if np.size(values) % 2 == 0 else np.ravel(values),
    "widen": lambda values: np.asarray(values).astype(float),
    "become text": lambda values: np.full(np.shape(values), b"seven"),
    "become a group": None,
    "vanish": None,
}


def mutate(root: h5py.File, name: str, mutation: str) -> None:
    node = root[name]
    values = node[()] if isinstance(node, h5py.Dataset) else None
    attributes = dict(node.attrs)
    if mutation not in ("vanish", "become a group"):
        numbers = np.asarray(values).dtype.kind in "iuf"
        if values is None or (mutation in ("widen", "become text") and not numbers):
            return
        values = MUTATIONS[mutation](values)
    del root[name]
    if mutation == "become a group":
        root.create_group(name)
    elif mutation != "vanish":
        text = np.asarray(values).dtype.kind == "O"
        root.create_dataset(name, data=values, dtype=TEXT if text else None)
        root[name].attrs.update(attributes)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), layout=st.sampled_from(sorted(WRITERS)))
def test_a_mutated_file_is_read_as_the_truth_or_refused(tmp_path_factory, data, layout):
    path = write(layout, tmp_path_factory.mktemp("mutated"))
    lacking, mutated = set(), set()
    with h5py.File(path, "r+") as root:
        for _ in range(data.draw(st.integers(1, 2))):
            nodes: list[str] = []
            root.visit(nodes.append)
            if not set(nodes) - mutated:  # the first mutation took all
                break
            name = data.draw(st.sampled_from(sorted(set(nodes) - mutated)))
            mutated.add(name)  # transposed and flattened, values are others that nothing betrays
            mutation = data.draw(st.sampled_from(sorted(MUTATIONS)))
            mutate(root, name, mutation)
            if mutation == "vanish" and name.split("/")[-1] in OPTIONAL:
                lacking.add(OPTIONAL[name.split("/")[-1]])
    refusal = ""
    try:
        scan = read_quietly(path)
    except InputError as problem:
        refusal = str(problem)
    if refusal:
        assert path.name in refusal
    else:
        assert_equals_truth(scan, make_truth(), layout, frozenset(lacking))


def change_bytes(sound: bytes, chance: random.Random) -> bytes:
    """Flip bits, change bytes, or lead a pointer of the library elsewhere."""
    content = bytearray(sound)
    for _ in range(chance.randrange(1, 4)):
        kind, at = chance.randrange(3), chance.randrange(len(content) - 8)
        if kind == 0:
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            content[at] = chance.randrange(256)
        else:
            content[at : at + 8] = struct.pack("<Q", chance.randrange(len(content)))
    return bytes(content)


@pytest.mark.parametrize("count", [20, pytest.param(5_000, marks=pytest.mark.slow)])
@every_layout
def test_a_file_of_other_bytes_is_read_or_refused(tmp_path, layout, count):
    """Values carry no checksum, so other ones may be read; a traceback or a hang may not come."""
    path = write(layout, tmp_path)
    sound = path.read_bytes()
    damaged = ((path, change_bytes(sound, random.Random(seed))) for seed in range(count))
    with probing_files():
        places = places_of_refusals(
            damaged, lambda file: [read(SAME) for read in scan_readers(file).values()]
        )
    assert len(places) > count / 10
    assert [place for place in places if path.name not in place] == []


def test_a_file_over_which_the_library_hangs_is_refused_by_the_probe(tmp_path, monkeypatch):
    """A heap of texts whose objects have no size: the library looks for the next one for ever."""
    monkeypatch.setattr(hdf5_probe, "SECONDS", 3.0)
    path = write("h5oina", tmp_path)
    content = path.read_bytes()
    heap = content.index(b"GCOL") + 16
    path.write_bytes(content[:heap] + bytes(4096 - 16) + content[heap + 4096 - 16 :])
    with probing_files(), pytest.raises(InputError, match="hangs or crashes") as refusal:
        scan_readers(path)
    assert refusal.value.where == path.name
    sound = write("h5oina", tmp_path)  # another process goes on with the next file
    with probing_files():
        assert list(scan_readers(sound)) == [sound.stem]


def replace_by(kind: str, root: h5py.File, name: str, other: Path) -> None:
    """Put values of another file in the place of a dataset."""
    values = root[name][()]
    del root[name]
    if kind == "external link":
        root[name] = h5py.ExternalLink(other.name, "/values")
    elif kind == "soft link through an external one":
        root["elsewhere"] = h5py.ExternalLink(other.name, "/")
        root[name] = h5py.SoftLink("/elsewhere/values")
    elif kind == "external storage":
        bytes_of = [(str(other), 0, values.nbytes)]
        root.create_dataset(name, values.shape, values.dtype, external=bytes_of)
    else:
        layout = h5py.VirtualLayout(values.shape, values.dtype)
        layout[...] = h5py.VirtualSource(str(other), "values", values.shape)
        root.create_virtual_dataset(name, layout)


OUTSIDE = (
    "external link",
    "soft link through an external one",
    "external storage",
    "virtual dataset",
)


@pytest.mark.parametrize("kind", OUTSIDE)
@every_layout
def test_values_of_another_file_are_refused(tmp_path, layout, kind):
    path = write(layout, tmp_path)
    secret = tmp_path / "secret.h5"
    with h5py.File(path, "r+") as root:
        found: list[str] = []
        root.visititems(lambda name, node: found.append(name) if is_values(node) else None)
        with h5py.File(secret, "w") as other:
            other["values"] = root[found[0]][()]
        replace_by(kind, root, found[0], secret)
    for probe in (False, True):
        with probing_files() if probe else nullcontext(), pytest.raises(InputError) as refusal:
            [read() for read in scan_readers(path).values()]
        assert refusal.value.message == "an HDF5 file holds values of another file"
        assert found[0].split("/")[-1] in refusal.value.where


def is_values(node: h5py.HLObject) -> bool:
    """Whether a node is an array that every reader reads."""
    name = str(node.name).split("/")[-1]
    return isinstance(node, h5py.Dataset) and name in ("IQ", "Band Contrast", "Image Quality")


def test_a_link_to_a_pipe_is_refused_and_not_waited_for(tmp_path):
    path = write("h5oina", tmp_path)
    os.mkfifo(tmp_path / "pipe.h5")
    with h5py.File(path, "r+") as root:
        del root["1/EBSD/Data"]
        root["1/EBSD/Data"] = h5py.ExternalLink("pipe.h5", "/")
    with pytest.raises(InputError, match=r"a link to 'pipe\.h5'"):
        read_scan(path)


@pytest.mark.parametrize("suffix", [".ang", ".ctf", ".h5oina", ".tif"])
def test_a_pipe_is_no_scan(tmp_path, suffix):
    pipe = tmp_path / f"slice_1{suffix}"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="a pipe, socket or device"):
        scan_readers(pipe)


def secret_truth() -> Truth:
    """Values that no sound file holds, in the same layout, so that a reader would not notice."""
    truth = make_truth(5)
    return replace_fields(
        truth,
        quality=truth.quality + np.float32(5000),
        confidence=truth.confidence + np.float32(50),
        euler=truth.euler + np.float32(5),
        bands=truth.bands + np.uint8(200),
        deviation=truth.deviation + np.float32(5),
    )


def is_foreign(scan: xr.Dataset, kinds: list[str]) -> bool:
    """Whether a value of `secret_truth` was read, or bytes of its file as such a value.

    A link within the file may show image quality as confidence: then the very values count.
    """
    least = {"image_quality": 5000, "confidence_index": 45, "euler_angles": 4.9, "bands": 200}
    if set(kinds) <= set(FROM_OUTSIDE):
        values = {name: scan[name] for name in least if name in scan}
        return any(bool((values[name] >= least[name]).any()) for name in values)
    own, secret = (
        np.concatenate([np.ravel(each).astype(np.float32) for each in vars(truth).values()])
        for truth in (make_truth(), secret_truth())
    )
    read = [np.ravel(values).astype(np.float32) for values in scan.data_vars.values()]
    return bool(np.isin(np.concatenate(read), np.setdiff1d(secret, own)).any())


def virtual(source: str):
    def put_there(group, name, node, path, _):
        layout = h5py.VirtualLayout(node.shape, node.dtype)
        layout[...] = h5py.VirtualSource(source, path, node.shape)
        group.create_virtual_dataset(name, layout)

    return put_there


def external(*segments: str):
    def put_there(group, name, node, _, chance):
        size = node.size * node.dtype.itemsize
        first = chance.randrange(4096)
        lengths = [size // len(segments) + 1] * len(segments)
        places = [(file, first, length) for file, length in zip(segments, lengths, strict=True)]
        group.create_dataset(name, node.shape, node.dtype, external=places)

    return put_there


def link(target: str, path: str | None = None):
    def put_there(group, name, node, own_path, _):
        group[name] = h5py.ExternalLink(target, own_path if path is None else path)

    return put_there


def soft_to_outside(group, name, node, path, _):
    group.file.require_group("/elsewhere")
    if "there" not in group.file["elsewhere"]:
        group.file["elsewhere/there"] = h5py.ExternalLink("secret.h5", "/")
    group[name] = h5py.SoftLink(f"/elsewhere/there{path}")


def chain(group, name, node, path, chance):
    """Soft links that lead to each other, at last outside."""
    length = chance.randrange(2, 40)
    for number in range(length):
        group.file[f"/link_{number}_{name}"] = h5py.SoftLink(f"/link_{number + 1}_{name}")
    group.file[f"/link_{length}_{name}"] = h5py.ExternalLink("secret.h5", path)
    group[name] = h5py.SoftLink(f"/link_0_{name}")


# What may stand in the place of a dataset or group, and takes its values from elsewhere.
FROM_OUTSIDE = {
    "external link": link("secret.h5"),
    "link to a root": link("secret.h5", "/"),
    "link to a pipe": link("pipe"),
    "link to a folder": link("."),
    "link to a device": link("/dev/zero"),
    "link to nothing": link("missing.h5"),
    "link to itself": link("slice_007.h5"),
    "soft link to outside": soft_to_outside,
    "chain": chain,
    "external storage": external("secret.h5"),
    "external storage, a device": external("/dev/zero"),
    "external storage, a pipe": external("pipe"),
    "external storage, in parts": external("secret.h5", "secret.h5", "/dev/zero"),
    "virtual": virtual("secret.h5"),
    "virtual of nothing": virtual("missing.h5"),
    "virtual of a pipe": virtual("pipe"),
    "virtual of itself": virtual("."),
}


def values_as_references(group, name, node, path, chance):
    if chance.random() < 0.5:
        group.create_dataset(name, node.shape, dtype=h5py.regionref_dtype)
    else:
        referring = np.full(node.shape, group.ref, dtype=object)
        group.create_dataset(name, data=referring, dtype=h5py.ref_dtype)


def attribute_as_reference(group, name, node, path, chance):
    group[name] = node
    for owner in (group, group[name]):
        for key in list(owner.attrs):
            owner.attrs[key] = chance.choice((group.ref, group.file.ref))


def dangling_reference(group, name, node, path, chance):
    gone = group.file.create_group("gone")
    group.create_dataset(name, data=gone.ref, dtype=h5py.ref_dtype)
    del group.file["gone"]


def soft(path_of):
    def put_there(group, name, node, path, chance):
        group[name] = h5py.SoftLink(path_of(group, path, chance))

    return put_there


def any_path(group, _, chance):
    paths: list[str] = []
    group.file.visit(paths.append)
    return "/" + chance.choice(["", *paths])


WITHIN = {
    "references": values_as_references,
    "attributes": attribute_as_reference,
    "reference to nothing": dangling_reference,
    "soft link to nothing": soft(lambda *_: "/nowhere/at/all"),
    "soft link to itself": soft(lambda group, path, _: path),
    "soft link to its group": soft(lambda group, *_: group.name),
    "soft link to any": soft(any_path),
    "hard link to its group": lambda group, name, *_: group.__setitem__(name, group),
    "hard link to the root": lambda group, name, *_: group.__setitem__(name, group.file["/"]),
    "hard link to any": lambda group, name, node, path, chance: group.__setitem__(
        name, group.file[any_path(group, path, chance)]
    ),
    "a type": lambda group, name, *_: group.__setitem__(name, np.dtype("f8")),
    "an empty space": lambda group, name, *_: group.__setitem__(name, h5py.Empty("f4")),
}


KINDS = (*FROM_OUTSIDE, *WITHIN)
OF_ARRAYS = tuple(kind for kind in KINDS if kind.startswith(("external storage", "virtual", "ref")))


def refer(root: h5py.File, chance: random.Random) -> list[str]:
    """Put a reference in the place of an object, if one is left; its kind."""
    paths: list[str] = []
    root.visit(paths.append)
    if not paths:
        return []
    path, kind = chance.choice(paths), chance.choice(KINDS)
    group, name, node = root[path].parent, path.split("/")[-1], root[path]
    is_array = isinstance(node, h5py.Dataset) and node.dtype.kind in "iufb" and node.shape
    if kind in OF_ARRAYS and not is_array:
        kind = "external link"
    if isinstance(node, h5py.Datatype):
        return []
    del root[path]
    {**FROM_OUTSIDE, **WITHIN}[kind](group, name, node, f"/{path}", chance)
    return [kind]


@pytest.mark.parametrize("count", [25, pytest.param(5_000, marks=pytest.mark.slow)])
@every_layout
def test_no_reference_of_any_kind_brings_values_of_another_file(tmp_path, layout, count):
    """Refused, or read as the truth where the object is none that a reader needs."""
    sound = write(layout, tmp_path)
    writer = WRITERS[layout][0]
    writer(tmp_path / "secret.h5", {"1": secret_truth()})
    os.mkfifo(tmp_path / "pipe")
    path, chance = tmp_path / "slice_007.h5", random.Random(count)
    refused, unnamed = dict.fromkeys(KINDS, 0), 0
    with probing_files() if count < 100 else nullcontext():
        for _ in range(count):
            path.write_bytes(sound.read_bytes())
            with h5py.File(path, "r+") as root:
                times = range(chance.choice((1, 1, 2)))
                kinds = [kind for _ in times for kind in refer(root, chance)]
            try:
                scan = read_quietly(path)
            except InputError as refusal:
                unnamed += path.name not in str(refusal)
                for kind in kinds:
                    refused[kind] += 1
                continue
            assert not is_foreign(scan, kinds), kinds
            if set(kinds) <= set(FROM_OUTSIDE):
                assert_equals_truth(scan, make_truth(), layout)
    assert unnamed == 0
    assert sum(refused.values()) > count / 3, refused


def test_links_within_the_file_are_followed(tmp_path):
    path = write("h5oina", tmp_path)
    with h5py.File(path, "r+") as root:
        root.move("1/EBSD/Data", "kept")
        root["1/EBSD/Data"] = h5py.SoftLink("/kept")
    assert_equals_truth(read_scan(path, SAME), make_truth(), "h5oina")
    with h5py.File(path, "r+") as root:
        root["round"] = h5py.SoftLink("/round")
        del root["1/EBSD/Data"]
        root["1/EBSD/Data"] = h5py.SoftLink("/round")
    with pytest.raises(InputError):
        read_scan(path, SAME)


def test_scans_that_would_share_a_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="share a name"):
        hdf5_files.named_readers(tmp_path / "map.h5", ["/a/b", "/a_b"], lambda *_: None)
