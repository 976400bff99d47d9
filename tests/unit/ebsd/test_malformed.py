"""Damaged `.ang` files, and an oracle that judges what a reader makes of them.

A mutation changes the text of a file as disks, copies and editors do. The oracle reads the
mutated text anew, row by row and without any of the code that it judges: a file that a reader
accepts must have every grid point once, as many as its header says, and the values of each row
at the place that the row names.
"""

import re
import warnings

import numpy as np
import pytest
import xarray as xr

from electrode_grains.ebsd import read_scan, write_scan
from electrode_grains.problems import InputProblem


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
    return sum(line.startswith("#") for line in lines_of(text))


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
    lines = lines_of(text)
    a, b = (int(i) for i in rng.integers(header_lines(text), len(lines) - 1, 2))
    words = [lines[a].split(), lines[b].split()]
    column = int(rng.integers(3, 5))
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
    key = str(rng.choice(["XSTEP", "YSTEP", "NCOLS_ODD", "NCOLS_EVEN", "NROWS"]))
    value = str(rng.choice(["0", "1", "2", "7", "-3", "0.1", "0.05", "1e9", "abc", "", "nan"]))
    return re.sub(rf"# {key}: .*", f"# {key}: {value}", text)


def drop_header_line(text, rng):
    lines = lines_of(text)
    del lines[int(rng.integers(header_lines(text)))]
    return "\n".join(lines)


def shift_columns(text, rng):
    """Insert a column in all rows, as where two exports were pasted together."""
    at = int(rng.integers(0, 10))
    return "\n".join(
        line
        if line.startswith("#") or not line.strip()
        else " ".join([*line.split()[:at], "1", *line.split()[at:]])
        for line in lines_of(text)
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


def misreading(text, scan):
    """What is wrong with a scan that was read from a text; None if nothing is."""
    rows = [
        [float(word) for word in line.split()]
        for line in lines_of(text)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len({len(row) for row in rows}) != 1:
        return "rows of different lengths were accepted"
    quality, shape = scan["image_quality"].to_numpy(), scan["image_quality"].shape
    if len(rows) != quality.size:
        return f"{len(rows)} rows became {quality.size} points"
    said = {
        key: int(value) for key, value in re.findall(r"# (NROWS|NCOLS_ODD): (\d+)\s*(?:\n|$)", text)
    }
    counts = {"NROWS": shape[0], "NCOLS_ODD": shape[1]}
    if any(counts[key] != value for key, value in said.items()) and not scan.attrs["notes"]:
        return f"the header says {said}, the scan has {counts}, and nobody was told"
    dy, dx = scan.attrs["step_nm"]
    x0, y0 = min(row[3] for row in rows), min(row[4] for row in rows)
    hit = set()
    for row in rows:
        at = round((row[4] - y0) * 1000 / dy), round((row[3] - x0) * 1000 / dx)
        if at in hit:
            return f"point {at} was given twice"
        hit.add(at)
        expected = row[5] if np.isfinite(row[5]) and row[5] >= 0 else np.nan
        if not np.array_equal(quality[at], np.float32(expected), equal_nan=True):
            return f"image quality {row[5]} became {quality[at]}"
        euler = scan["euler_angles"].to_numpy()[at]
        solved = all(abs(angle) < 12.565 for angle in row[:3]) and row[6] > 0
        if solved != bool(np.isfinite(euler).all()):
            return f"a point of confidence {row[6]} is {'not ' * (not solved)}indexed"
        if solved and not np.allclose(euler, row[:3], atol=1e-5):
            return f"angles {row[:3]} became {euler}"
    return None


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "slice_1.ang"
    write_scan(some_scan(7, 6), path)
    return path.read_text()


def outcome(path):
    """The scan, or None if it was refused; anything else is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_scan(path)
        except InputProblem:
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


def test_the_oracle_accepts_the_file_itself_and_sees_every_kind_of_misreading(whole, tmp_path):
    (tmp_path / "slice_1.ang").write_text(whole)
    scan = outcome(tmp_path / "slice_1.ang")
    assert misreading(whole, scan) is None
    wrong = scan.copy(deep=True)
    wrong["image_quality"][:, :2] = wrong["image_quality"].to_numpy()[:, 1::-1]
    assert "image quality" in misreading(whole, wrong)
    wrong = scan.copy(deep=True)
    wrong["euler_angles"] += 0.1
    assert "angles" in misreading(whole, wrong)
    assert "points" in misreading(whole, scan.isel(y=slice(3)))


def test_damaged_files_are_refused_or_read_as_they_stand(whole, tmp_path):
    read, refused = survivors(whole, tmp_path / "slice_1.ang", range(600), largest=3)
    assert read > 50
    assert refused > 300


@pytest.mark.slow
def test_twenty_thousand_damaged_files_are_refused_or_read_as_they_stand(whole, tmp_path):
    read, refused = survivors(whole, tmp_path / "slice_1.ang", range(1000, 21000), largest=4)
    assert read + refused == 20000


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_every_mutation_changes_the_file(whole, mutation):
    changed = [mutation(whole, np.random.default_rng(seed)) != whole for seed in range(10)]
    assert sum(changed) >= 5
