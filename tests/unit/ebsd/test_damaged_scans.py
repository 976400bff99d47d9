"""Damaged pairs of Oxford and files of Bruker, and oracles that judge what is made of them.

As in `test_malformed.py`: what a reader accepts must be what the changed file says, which the
oracles read by other code: the pair by `configparser` and `struct`, HDF5 by h5py alone.
"""

import configparser
import random
import struct
import warnings

import h5py
import numpy as np
import pytest

from electrode_grains.ebsd import ReadingOptions, probing_files, read_scan
from electrode_grains.errors import InputError

SAME = ReadingOptions(frames="same")
ROWS, COLUMNS = 3, 4
FIELDS = (3, 4, 5, 6, 7, 10, 11)  # three angles, MAD, band contrast, bands, error
SIZES = {1: "f", 2: "f", 3: "f", 4: "f", 5: "f", 6: "f", 7: "B", 8: "B", 9: "B", 10: "B",
         11: "B", 12: "f"}  # fmt: skip
CPR = """[General]
Version=5.0
JobMode=RegularGrid
[Job]
GridDistX=0.1
GridDistY=0.05
xCells=4
yCells=3
[Fields]
Count=7
{fields}
[Phases]
Count=2
[Phase1]
StructureName=NMC
a=2.87
b=2.87
c=14.26
alpha=90
beta=90
gamma=120
LaueGroup=7
[Phase2]
StructureName=Pt
a=3.92
b=3.92
c=3.92
alpha=90
beta=90
gamma=90
LaueGroup=11
"""


def write_pair(path):
    chance = random.Random(1)
    rows = [
        struct.pack("<BffffBBB", chance.choice([0, 1, 2]), *(chance.uniform(0.1, 3) for _ in "123"),
                    0.5, chance.randrange(30, 200), 8, chance.choice([0, 0, 0, 3]))
        for _ in range(ROWS * COLUMNS)
    ]  # fmt: skip
    path.write_text(CPR.format(fields="\n".join(f"Field{n}={f}" for n, f in enumerate(FIELDS, 1))))
    path.with_suffix(".crc").write_bytes(b"".join(rows))


def write_bruker(path):
    chance = np.random.default_rng(1)
    count = ROWS * COLUMNS
    with h5py.File(path, "w") as root:
        root["Manufacturer"] = "Bruker Nano"
        data, header = (root.create_group(f"Scan 1/EBSD/{name}") for name in ("Data", "Header"))
        for name in ("phi1", "PHI", "phi2"):
            data[name] = chance.uniform(1, 90, count).astype(np.float32)
        data["Phase"] = chance.integers(0, 2, count).astype(np.int32)
        data["RadonQuality"] = chance.uniform(0.1, 1, count).astype(np.float32)
        header["Grid Type"] = "isometric"
        for name, value in (("NROWS", ROWS), ("NCOLS", COLUMNS), ("XSTEP", 0.1), ("YSTEP", 0.05)):
            header[name] = value
        header["Phases/1/Name"], header["Phases/1/IT"] = "NMC", 166
        header["Phases/1/LatticeConstants"] = np.array([2.87, 2.87, 14.26, 90, 90, 120], "f4")


def change_bytes(content, chance):
    content = bytearray(content)
    for _ in range(chance.randrange(1, 5)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def change_pair(path, chance):
    text, records = path.read_text(), path.with_suffix(".crc").read_bytes()
    lines = text.splitlines()
    at = chance.randrange(len(lines))
    kind = chance.randrange(8)
    if kind == 0:
        path.write_bytes(change_bytes(text.encode(), chance))
        return
    if kind == 1:
        lines.insert(chance.randrange(len(lines)), lines[at])
    elif kind == 2:
        del lines[at]
    elif kind == 3 and "=" in lines[at]:
        value = chance.choice(
            ["0", "1", "3", "4", "7", "12", "-1", "0.05", "1e9", "", "abc", "nan"]
        )
        lines[at] = lines[at].partition("=")[0] + "=" + value
    elif kind == 4:
        other = chance.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 5:
        records = records[: chance.randrange(len(records))]
    elif kind == 6:
        size = len(records) // (ROWS * COLUMNS)
        start = chance.randrange(ROWS * COLUMNS) * size
        extra = records[start : start + size] if chance.random() < 0.5 else b"?"
        records = records[:start] + extra + records[start:]
    else:
        records = change_bytes(records, chance)
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".crc").write_bytes(records)


def change_bruker(path, chance):
    if chance.random() < 0.5:
        path.write_bytes(change_bytes(path.read_bytes(), chance))
        return
    with h5py.File(path, "r+") as root:
        names = []
        root.visititems(lambda name, node: names.append(name) if hasattr(node, "shape") else None)
        name = chance.choice(names)
        values, kind = root[name][()], chance.randrange(7)
        del root[name]
        changed = np.asarray(values)
        if kind == 0:
            return
        if kind == 1:
            root[name + "_"] = values
        elif kind == 2 and changed.ndim:
            root[name] = np.concatenate([changed, changed[: chance.randrange(1, 3)]])
        elif kind == 3 and changed.ndim:
            root[name] = changed[: chance.randrange(changed.size)]
        elif kind == 4 and changed.dtype.kind in "iuf":
            root[name] = changed.astype(chance.choice(["u1", "i8", "f8", ">f4", "f2"]))
        elif kind == 5 and changed.dtype.kind in "iuf":
            with np.errstate(all="ignore"):
                root[name] = changed * chance.choice([-1, 0, 1000, 0.5, np.nan, np.inf])
        else:
            root[name] = chance.choice(["x", 7, [1, 2], np.full((4, 3), 2), 0.25])


def told_by_pair(path):
    """Grid, steps (um), quality, angles (rad) and indexed of a pair, by other code."""
    parser = configparser.ConfigParser(
        strict=False, delimiters=("=",), interpolation=None, comment_prefixes=()
    )
    text = path.read_bytes().decode("latin-1")
    parser.read_string(text)
    heads = [line.strip() for line in text.split("\n") if line.strip().startswith("[")]
    assert len({head.replace(" ", "") for head in heads}) == len(heads), "a section comes twice"
    names = {name.replace(" ", "").lower(): name for name in parser.sections()}

    def value(section, key):
        pairs = {k.replace(" ", ""): v for k, v in parser[names[section]].items()}
        return pairs[key.lower()].replace(",", ".")

    grid = int(value("job", "yCells")), int(value("job", "xCells"))
    codes = [int(value("fields", f"Field{n}")) for n in range(1, int(value("fields", "Count")) + 1)]
    layout = struct.Struct("<B" + "".join(SIZES.get(code, "f") for code in codes))
    rows = list(layout.iter_unpack(path.with_suffix(".crc").read_bytes()))
    at = {code: place for place, code in enumerate(codes, 1)}
    quality = [row[at[7] if 7 in at else at[8]] for row in rows]
    angles = [[row[at[code]] for code in (3, 4, 5)] for row in rows]
    listed = range(1, int(value("phases", "Count")) + 1)
    indexed = [
        row[0] in listed and (11 not in at or row[at[11]] == 0) and np.isfinite(angle).all()
        for row, angle in zip(rows, angles, strict=True)
    ]
    steps = float(value("job", "GridDistY")), float(value("job", "GridDistX"))
    return grid, steps, quality, angles, indexed


def told_by_bruker(path):
    with h5py.File(path) as root:
        (scan,) = [node for node in root.values() if isinstance(node, h5py.Group)]
        data, header = scan["EBSD/Data"], scan["EBSD/Header"]
        grid = int(header["NROWS"][()]), int(header["NCOLS"][()])
        steps = float(header["YSTEP"][()]), float(header["XSTEP"][()])
        angles = np.radians(
            np.stack([data[n][()] for n in ("phi1", "PHI", "phi2")], -1, dtype="f8")
        )
        indexed = (data["Phase"][()] > 0) & np.isfinite(angles).all(axis=1)
        return grid, steps, data["RadonQuality"][()].astype(float), angles, indexed


def misreading(scan, grid, steps, quality, angles, indexed):
    """What is wrong with a scan; None if nothing is."""
    if scan["image_quality"].shape != grid:
        return f"a grid of {grid} became {scan['image_quality'].shape}"
    if not np.allclose(np.array(scan.attrs["step_nm"]), np.array(steps) * 1000, rtol=1e-3):
        return f"steps of {steps} um became {scan.attrs['step_nm']} nm"
    wanted = np.array(quality, np.float64)
    wanted = np.where((wanted >= 0) & (wanted < 3e38), wanted, np.nan).reshape(grid)
    if not np.allclose(scan["image_quality"], wanted, rtol=1e-6, equal_nan=True):
        return "image quality differs"
    known = np.isfinite(scan["euler_angles"].to_numpy()).all(axis=-1)
    if not np.array_equal(known, np.reshape(indexed, grid)):
        return "other points are indexed"
    turned = np.reshape(angles, (*grid, 3))[known]
    return (
        None if np.allclose(scan["euler_angles"].to_numpy()[known], turned, atol=1e-4) else "angles"
    )


KINDS = {
    "slice_1.cpr": (write_pair, change_pair, told_by_pair),
    "slice_1.h5": (write_bruker, change_bruker, told_by_bruker),
}


def outcome(path):
    """The scan, or None if it was refused; anything else is an error."""
    with warnings.catch_warnings(), probing_files():
        warnings.simplefilter("ignore")
        try:
            return read_scan(path, SAME)
        except InputError:
            return None


@pytest.mark.parametrize("name", KINDS)
def test_the_oracle_accepts_the_file_itself_and_sees_misreadings(tmp_path, name):
    write, _, told = KINDS[name]
    write(tmp_path / name)
    scan = outcome(tmp_path / name)
    assert misreading(scan, *told(tmp_path / name)) is None
    wrong = scan.copy(deep=True)
    wrong["image_quality"][0, :2] = wrong["image_quality"].to_numpy()[0, 1::-1]
    assert "quality" in misreading(wrong, *told(tmp_path / name))
    assert "grid" in misreading(scan.transpose("x", "y", ...), *told(tmp_path / name))


@pytest.mark.parametrize("count", [60, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_are_refused_or_read_as_they_stand(tmp_path, name, count):
    write, change, told = KINDS[name]
    path = tmp_path / name
    write(path)
    sound = {file: file.read_bytes() for file in tmp_path.iterdir()}
    read = refused = 0
    for seed in range(count):
        for file, content in sound.items():
            file.write_bytes(content)
        change(path, random.Random(seed))
        scan = outcome(path)
        refused += scan is None
        read += scan is not None
        if scan is not None:
            try:
                wrong = misreading(scan, *told(path))
            except Exception as error:  # the oracle finds no scan in it
                wrong = f"the oracle says {type(error).__name__}: {error}"
            assert wrong is None, f"seed {seed}: {wrong}"
    assert read > count / 20
    assert refused > count / 5
