"""The native pair of Oxford Instruments: a real one, one written here, and damaged ones."""

import random
from pathlib import Path

import numpy as np
import pytest

from damaged_files import places_of_refusals
from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.ebsd import ReadingOptions, read_scan, scan_readers
from electrode_grains.errors import InputError

REAL = Path(__file__).parents[4] / "shared" / "data" / "ebsd_formats" / "oxford_pair.cpr"
SAME = ReadingOptions(frames="same")
RECORD = np.dtype(
    [("phase", "u1"), ("phi1", "<f4"), ("Phi", "<f4"), ("phi2", "<f4"), ("mad", "<f4"),
     ("contrast", "u1"), ("bands", "u1"), ("error", "u1")]
)  # fmt: skip
FIELDS = (3, 4, 5, 6, 7, 10, 11)
CPR = """[General]
Version=5.0
JobMode=RegularGrid
[Job]
GridDistX=0.1000
GridDistY=0,0500
xCells=3
yCells=2
[Acquisition Surface]
Euler1=0.0
Euler2=0.0
Euler3=0.0
[Fields]
Count=7
{fields}
[Phases]
Count=1
[Phase1]
StructureName=NMC
a=2.87
b=2.87
c=14.26
alpha=90
beta=90
gamma=120
LaueGroup=7
"""


def write_pair(folder, name="slice_1"):
    records = np.zeros(6, RECORD)
    records["phase"] = [1, 1, 0, 1, 1, 1]
    records["error"] = [0, 0, 3, 0, 3, 0]
    records["phi1"], records["Phi"], records["phi2"] = 0.1, 0.2, np.arange(6) / 10
    records["contrast"], records["mad"], records["bands"] = np.arange(100, 106), 0.5, 8
    text = CPR.format(fields="\n".join(f"Field{n}={code}" for n, code in enumerate(FIELDS, 1)))
    (folder / f"{name}.cpr").write_text(text)
    (folder / f"{name}.crc").write_bytes(records.tobytes())
    return folder / f"{name}.cpr"


def test_every_value_finds_its_place(tmp_path):
    scan = read_scan(write_pair(tmp_path), SAME)
    assert scan["image_quality"].to_numpy().tolist() == [[100, 101, 102], [103, 104, 105]]
    assert scan.attrs["step_nm"] == (50.0, 100.0)
    indexed = np.isfinite(scan["euler_angles"]).all("angle").to_numpy()
    assert indexed.tolist() == [[True, True, False], [True, False, True]]
    np.testing.assert_allclose(scan["euler_angles"][1, 2], [0.1, 0.2, 0.5], rtol=1e-6)
    assert scan["confidence_index"].to_numpy()[indexed].tolist() == [1] * 4
    np.testing.assert_allclose(scan["mean_angular_deviation"], np.radians(0.5), rtol=1e-6)
    (phase,) = scan.attrs["phases"]
    assert (phase["material_name"], phase["symmetry"]) == ("NMC", "32")
    assert scan.attrs["notes"] == ()


def test_the_frames_are_those_of_oxford(tmp_path):
    described = read_scan(write_pair(tmp_path)).attrs["frames"].describe()
    assert described == "oxford (the maker's default); x of hexagonal crystals turned from a* to a"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_any_turn_of_the_acquisition_surface_is_told(tmp_path, n):
    pair = write_pair(tmp_path)
    pair.write_text(pair.read_text().replace(f"Euler{n}=0.0", f"Euler{n}=90.0"))
    angles = ", ".join("90.0" if k == n else "0.0" for k in (1, 2, 3))
    with pytest.warns(UserWarning, match=f"turned by {angles} degrees"):
        read_scan(pair)


def test_without_a_column_of_errors_the_phase_decides_what_is_indexed(tmp_path):
    pair = write_pair(tmp_path)
    fields = "\n".join(f"Field{n}={code}" for n, code in enumerate(FIELDS[:-1], 1))
    header = pair.read_text().split("[Fields]")[0] + "[Fields]\nCount=6\n" + fields
    pair.write_text(header + "\n[Phases]" + pair.read_text().split("[Phases]")[1])
    records = np.frombuffer(pair.with_suffix(".crc").read_bytes(), RECORD)
    kept = np.zeros(6, [(name, RECORD[name]) for name in RECORD.names[:-1]])
    for name in kept.dtype.names:
        kept[name] = records[name]
    pair.with_suffix(".crc").write_bytes(kept.tobytes())
    indexed = np.isfinite(read_scan(pair, SAME)["euler_angles"]).all("angle").to_numpy()
    assert indexed.tolist() == [[True, True, False], [True, True, True]]


def test_both_files_belong_to_the_folder_and_the_pair_is_one_scan(tmp_path):
    for name in ("slice_1", "slice_2"):
        write_pair(tmp_path, name)
    dataset = ScanFolderDataset(path=str(tmp_path))
    assert list(dataset.load()) == ["slice_1", "slice_2"]
    assert sorted(path.name for path in dataset.paths()) == [
        f"slice_{n}.{suffix}" for n in (1, 2) for suffix in ("cpr", "crc")
    ]


@pytest.mark.skipif(not REAL.is_file(), reason="the real pair is not on this machine")
def test_a_real_pair_is_read_point_by_point():
    scan = read_scan(REAL, SAME)
    assert scan["image_quality"].shape == (243, 359)
    assert scan.attrs["step_nm"] == (120.0, 120.0)
    # Its header says that 94.1 % were covered.
    assert np.isfinite(scan["euler_angles"]).all("angle").mean() == pytest.approx(0.941, abs=1e-3)
    raw = np.fromfile(REAL.with_suffix(".crc"), np.uint8).reshape(243, 359, 25)
    np.testing.assert_array_equal(scan["image_quality"], raw[..., 17])
    euler = raw[..., 1:13].copy().view("<f4")
    known = np.isfinite(scan["euler_angles"].to_numpy())
    np.testing.assert_array_equal(scan["euler_angles"].to_numpy()[known], euler[known])
    assert scan.attrs["phases"][0]["symmetry"] == "43"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("xCells=3", "xCells=4"), "another number of points"),
        (lambda t: t.replace("xCells=3", "xCells=x"), "impossible xCells"),
        (lambda t: t.replace("GridDistX=0.1000", "GridDistX=0"), "step of 0"),
        (lambda t: t.replace("yCells=2\n", ""), "no yCells"),
        (lambda t: t.replace("RegularGrid", "Interactive"), "no map"),
        (lambda t: t.replace("LaueGroup=7", "LaueGroup=12"), "LaueGroup=12"),
        (lambda t: t.replace("c=14.26", "c=long"), "lattice constants"),
        (lambda t: t.replace("Field5=7", "Field5=9"), "do not make a scan"),
        (lambda t: t.replace("Field3=5", "Field3=4"), "do not make a scan"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(tmp_path, change, message):
    file = write_pair(tmp_path)
    file.write_text(change(file.read_text()))
    with pytest.raises(InputError, match=message):
        read_scan(file)


def test_a_pair_that_is_cut_or_alone_is_refused(tmp_path):
    file = write_pair(tmp_path)
    data = file.with_suffix(".crc")
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(InputError, match="another number of points") as refusal:
        read_scan(file)
    assert refusal.value.where == "slice_1.crc"
    with pytest.raises(InputError, match=r"give the \.cpr beside it"):
        scan_readers(data)
    data.unlink()
    with pytest.raises(InputError, match=r"no slice_1\.crc beside it"):
        read_scan(file)


def test_band_slope_serves_where_there_is_no_contrast(tmp_path):
    file = write_pair(tmp_path)
    file.write_text(file.read_text().replace("Field5=7", "Field5=8"))
    with pytest.warns(UserWarning, match="band slope is the image quality"):
        assert read_scan(file)["image_quality"][0, 0] == 100


@pytest.mark.parametrize("count", [200, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_changed_header_is_refused_or_read_as_it_stands(tmp_path, count):
    """No traceback; what is read of the sound records is never put at another place."""
    file = write_pair(tmp_path)
    sound = file.read_bytes()

    def changed(seed):
        chance, content = random.Random(seed), bytearray(sound)
        for _ in range(chance.randrange(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        return bytes(content)

    def read(path):
        scan = read_scan(path, SAME)
        assert scan["image_quality"].size == 6
        assert set(np.unique(scan["image_quality"])) <= {*range(100, 106), 8.0}

    places = places_of_refusals(((file, changed(seed)) for seed in range(count)), read)
    assert len(places) > count / 20
