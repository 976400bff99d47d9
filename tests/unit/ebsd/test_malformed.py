"""Damaged `.ang` and `.ctf` files, and an oracle that judges what a reader makes of them.

A mutation changes the text of a file as disks, copies and editors do. The oracle reads the
mutated text anew, row by row and without any of the code that it judges: a file that a reader
accepts must have every grid point once, as many as its header says, and the values of each row
at the place that the row names.
"""

import math
import re
import warnings

import numpy as np
import pytest
import xarray as xr

from electrode_grains.ebsd import ReadingOptions, read_scan, write_scan
from electrode_grains.errors import InputError


def some_scan(rows, columns):
    rng = np.random.default_rng(0)
    shape = (rows, columns)
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), rng.uniform(50, 300, shape).astype(np.float32)),
            "confidence_index": (("y", "x"), rng.uniform(0.1, 1, shape).astype(np.float32)),
            "euler_angles": (("y", "x", "angle"), rng.uniform(0, 3, (*shape, 3))),
            "phase": (("y", "x"), np.ones(shape, np.int16)),
        },
        attrs={"step_nm": (50.0, 50.0), "phases": ({"id": 1, "symmetry": "32"},)},
    )


def lines_of(text):
    return text.split("\n")


def header_lines(text):
    """Lines of the header: those with a mark in `.ang`, all up to the headings in `.ctf`."""
    if not text.startswith("Channel"):
        return sum(line.startswith("#") for line in lines_of(text))
    return next((n for n, line in enumerate(lines_of(text), 1) if line.startswith("Phase\t")), 0)


def drop_rows(text, rng):
    lines, head = lines_of(text), header_lines(text)
    start = int(rng.integers(head, len(lines) - 2))
    del lines[start : start + int(rng.integers(1, 4))]
    return "\n".join(lines)


def repeat_row(text, rng):
    lines = lines_of(text)
    row = int(rng.integers(header_lines(text), len(lines) - 1))
    lines.insert(int(rng.integers(header_lines(text), len(lines) - 1)), lines[row])
    return "\n".join(lines)


def overwrite_row(text, rng):
    lines = lines_of(text)
    a, b = rng.integers(header_lines(text), len(lines) - 1, 2)
    lines[a] = lines[b]
    return "\n".join(lines)


def swap_rows(text, rng):
    lines = lines_of(text)
    a, b = rng.integers(header_lines(text), len(lines) - 1, 2)
    lines[a], lines[b] = lines[b], lines[a]
    return "\n".join(lines)


def swap_coordinates(text, rng):
    """Exchange x, or y, of two rows: their points land elsewhere, on or off each other."""
    lines, first = lines_of(text), 1 if text.startswith("Channel") else 3
    a, b = (int(i) for i in rng.integers(header_lines(text), len(lines) - 1, 2))
    words = [lines[a].split(), lines[b].split()]
    column = first + int(rng.integers(2))
    if min(map(len, words)) < 5:  # an earlier mutation has cut them
        return text
    words[0][column], words[1][column] = words[1][column], words[0][column]
    lines[a], lines[b] = (" ".join(w) for w in words)
    return "\n".join(lines)


def cut(text, rng):
    return text[: int(rng.integers(1, len(text)))]


def drop_characters(text, rng):
    start = int(rng.integers(0, len(text) - 1))
    return text[:start] + text[start + int(rng.integers(1, 30)) :]


def change_character(text, rng):
    at = int(rng.integers(0, len(text)))
    return text[:at] + str(rng.choice(list("0123456789.-+eE#x ,\t\nna"))) + text[at + 1 :]


def lose_word(text, rng):
    lines = lines_of(text)
    row = int(rng.integers(header_lines(text), len(lines) - 1))
    words = lines[row].split()
    lost = int(rng.integers(max(len(words), 1)))
    lines[row] = " ".join(words[:lost] + words[lost + 1 :])
    return "\n".join(lines)


def change_header_number(text, rng):
    value = str(rng.choice(["0", "1", "2", "7", "-3", "0.1", "0.05", "1e9", "abc", "", "nan"]))
    if text.startswith("Channel"):
        key = str(rng.choice(["XCells", "YCells", "XStep", "YStep", "Phases"]))
        return re.sub(rf"{key}\t.*", f"{key}\t{value}", text)
    key = str(rng.choice(["XSTEP", "YSTEP", "NCOLS_ODD", "NCOLS_EVEN", "NROWS"]))
    return re.sub(rf"# {key}: .*", f"# {key}: {value}", text)


def drop_header_line(text, rng):
    lines = lines_of(text)
    del lines[int(rng.integers(header_lines(text)))]
    return "\n".join(lines)


def shift_columns(text, rng):
    """Insert a column in all rows, as where two exports were pasted together."""
    at = int(rng.integers(0, 10))
    head = header_lines(text)
    return "\n".join(
        line
        if number < head or not line.strip()
        else " ".join([*line.split()[:at], "1", *line.split()[at:]])
        for number, line in enumerate(lines_of(text))
    )


MUTATIONS = (
    drop_rows,
    repeat_row,
    overwrite_row,
    swap_rows,
    swap_coordinates,
    cut,
    drop_characters,
    change_character,
    lose_word,
    change_header_number,
    drop_header_line,
    shift_columns,
)


def mutate(text, rng, count=1):
    """Apply some mutations, and name them."""
    names = []
    for _ in range(count):
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        if header_lines(text) and len(lines_of(text)) > header_lines(text) + 3:
            text = mutation(text, rng)
            names.append(mutation.__name__)
    return text, names


def told_by_ang(text):
    """Counts of the header, and (x, y, quality, angles, indexed) of every row."""
    rows = [
        [float(word) for word in line.split()]
        for line in lines_of(text)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    counts = re.findall(r"# (NROWS|NCOLS_ODD): (\d+)\s*(?:\n|$)", text)
    names = {"NROWS": "rows", "NCOLS_ODD": "columns"}
    points = [(row[3], row[4], row[5], row[:3], row[6] > 0) for row in rows]
    return {names[key]: int(value) for key, value in counts}, points, {len(row) for row in rows}


def told_by_ctf(text):
    """As of an `.ang` file; columns go by their headings, angles are degrees."""
    head = header_lines(text)
    body = [line for line in lines_of(text)[head:] if line.strip()]
    if "," in lines_of(text)[head]:
        body = [line.replace(",", ".") for line in body]
    rows = [[float(word) for word in line.split()] for line in body]
    headings = lines_of(text)[head - 1].split()
    at = {name: headings.index(name) for name in headings}
    points = [
        (
            row[at["X"]],
            row[at["Y"]],
            row[at["BC"]],
            [math.radians(row[at[f"Euler{n}"]]) for n in (1, 2, 3)],
            row[at["Error"]] == 0 and row[at["Phase"]] > 0,
        )
        for row in rows
    ]
    counts = re.findall(r"^(XCells|YCells)\t(\d+)\s*$", text, flags=re.MULTILINE)
    names = {"YCells": "rows", "XCells": "columns"}
    return {names[key]: int(value) for key, value in counts}, points, {len(row) for row in rows}


def misreading(text, scan):
    """What is wrong with a scan that was read from a text; None if nothing is."""
    told = told_by_ctf if text.startswith("Channel") else told_by_ang
    said, points, lengths = told(text)
    if len(lengths) != 1:
        return "rows of different lengths were accepted"
    quality, shape = scan["image_quality"].to_numpy(), scan["image_quality"].shape
    if len(points) != quality.size:
        return f"{len(points)} rows became {quality.size} points"
    counts = {"rows": shape[0], "columns": shape[1]}
    if any(counts[key] != value for key, value in said.items()) and not scan.attrs["notes"]:
        return f"the header says {said}, the scan has {counts}, and nobody was told"
    dy, dx = scan.attrs["step_nm"]
    x0, y0 = min(point[0] for point in points), min(point[1] for point in points)
    hit = set()
    for x, y, told_quality, angles, indexed in points:
        at = round((y - y0) * 1000 / dy), round((x - x0) * 1000 / dx)
        if at in hit:
            return f"point {at} was given twice"
        hit.add(at)
        expected = told_quality if np.isfinite(told_quality) and told_quality >= 0 else np.nan
        if not np.array_equal(quality[at], np.float32(expected), equal_nan=True):
            return f"image quality {told_quality} became {quality[at]}"
        euler = scan["euler_angles"].to_numpy()[at]
        solved = indexed and all(abs(angle) < 12.565 for angle in angles)
        if solved != bool(np.isfinite(euler).all()):
            return f"a point {'not ' * (not indexed)}indexed of angles {angles} became {euler}"
        if solved and not np.allclose(euler, angles, atol=1e-5):
            return f"angles {angles} became {euler}"
    return None


CTF_HEADER = (
    "Channel Text File\nPrj\tparticle\nJobMode\tGrid\n"
    "XCells\t6\nYCells\t7\nXStep\t0.05\nYStep\t0.05\nPhases\t1\n"
    "2.870;2.870;14.260\t90;90;120\tNMC532\t7\t166\t\t\tSomebody [2020]\n"
    "Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS\n"
)


def ctf_text(scan):
    rows = [
        f"1\t{column * 0.05:.4f}\t{row * 0.05:.4f}\t8\t0\t"
        + "\t".join(f"{math.degrees(angle):.4f}" for angle in point["euler_angles"].to_numpy())
        + f"\t0.5\t{float(point['image_quality']):.0f}\t255\n"
        for row in range(7)
        for column in range(6)
        for point in [scan.isel(y=row, x=column)]
    ]
    return CTF_HEADER + "".join(rows)


@pytest.fixture(scope="module", params=["ang", "ctf"])
def whole(request, tmp_path_factory):
    if request.param == "ctf":
        return ctf_text(some_scan(7, 6))
    path = tmp_path_factory.mktemp("whole") / "slice_1.ang"
    write_scan(some_scan(7, 6), path)
    return path.read_text()


@pytest.fixture
def path(whole, tmp_path):
    return tmp_path / ("slice_1.ctf" if whole.startswith("Channel") else "slice_1.ang")


def outcome(path):
    """The scan, or None if it was refused; anything else is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_scan(path, ReadingOptions(frames="same"))
        except InputError:
            return None


def survivors(whole, path, seeds, largest):
    """Numbers of mutants read and refused; fails at the first that was misread."""
    read = refused = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        text, names = mutate(whole, rng, int(rng.integers(1, largest + 1)))
        path.write_text(text)
        scan = outcome(path)
        wrong = None if scan is None else misreading(text, scan)
        assert wrong is None, f"seed {seed} ({', '.join(names)}): {wrong}"
        read, refused = read + (scan is not None), refused + (scan is None)
    return read, refused


def test_the_oracle_accepts_the_file_itself_and_sees_every_kind_of_misreading(whole, path):
    path.write_text(whole)
    scan = outcome(path)
    assert misreading(whole, scan) is None
    wrong = scan.copy(deep=True)
    wrong["image_quality"][:, :2] = wrong["image_quality"].to_numpy()[:, 1::-1]
    assert "image quality" in misreading(whole, wrong)
    wrong = scan.copy(deep=True)
    wrong["euler_angles"] += 0.1
    assert "angles" in misreading(whole, wrong)
    assert "points" in misreading(whole, scan.isel(y=slice(3)))


def test_damaged_files_are_refused_or_read_as_they_stand(whole, path):
    read, refused = survivors(whole, path, range(600), largest=3)
    assert read > 30
    assert refused > 300


@pytest.mark.slow
def test_twenty_thousand_damaged_files_are_refused_or_read_as_they_stand(whole, path):
    read, refused = survivors(whole, path, range(1000, 21000), largest=4)
    assert read + refused == 20000


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_every_mutation_changes_the_file(whole, mutation):
    changed = [mutation(whole, np.random.default_rng(seed)) != whole for seed in range(10)]
    assert sum(changed) >= 5
