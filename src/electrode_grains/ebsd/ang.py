"""EDAX/TSL OIM `.ang` text files: one EBSD scan on a square grid."""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd.grid import SquareGrid, square_grid
from electrode_grains.problems import InputProblem

NM_PER_UM = 1000.0
# phi1, Phi, phi2, x, y, IQ, CI, phase; SEM signal, fit and more may follow.
LEAST_COLUMNS, MOST_COLUMNS = 8, 14
BAD_QUALITY_SHARE = 0.01
# OIM writes 4 pi for each angle of a point without solution; no true angle comes near.
NO_SOLUTION = 4 * np.pi
ANGLE_ROUNDING = 1e-3


@dataclass
class Header:
    """What the header of a file says of its scan."""

    lines: int = 0
    grid: str = ""
    x_step: float | None = None
    y_step: float | None = None
    columns_odd: int | None = None
    columns_even: int | None = None
    rows: int | None = None
    phases: list[dict[str, Any]] = field(default_factory=list)


def read_scan(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read one EBSD scan.

    Parameters
    ----------
    path : path-like
        An `.ang` file, in any case, with 8 to 14 columns, UTF-8 or Latin-1.

    Returns
    -------
    xr.Dataset
        Dimensions `(y, x)` with coordinates in nm; variables `image_quality` (NaN where the
        file holds no finite value of at least 0), `confidence_index`, `euler_angles`
        (y, x, angle; radians, Bunge; NaN where not indexed, which EDAX marks by a
        confidence index below 0, or angles of 4 pi) and `phase`. Attributes: `source`,
        `step_nm` (dy, dx), `phases`, `notes` (doubts, also issued as warnings).

    Raises
    ------
    InputProblem
        If the file contradicts itself: rows that are cut or no numbers, angles in
        degrees, a hexagonal or incomplete grid, points hit twice, too many useless image
        qualities.

    Notes
    -----
    The grid comes from the coordinates and is checked against the header. Where the
    coordinates form a complete rectangle at another step than the header says, as after
    decimation, they win, with a warning.
    """
    file = Path(path)
    text = _decode(file)
    header = _read_header(text, file)
    table = _read_rows(text, header, file)
    _refuse_hexagonal(header, file)
    _refuse_degrees(table, text, header, file)
    grid = square_grid(
        table[:, 3], table[:, 4], file.name, line_of=lambda row: _line_of(text, header, row)
    )
    # A single row or column has no step of its own.
    if grid.rows == 1:
        grid = replace(grid, dy=header.y_step or grid.dx)
    if grid.columns == 1:
        grid = replace(grid, dx=header.x_step or grid.dy)
    notes = _compare_with_header(grid, header, file)
    quality = _clean_quality(table[:, 5], file, notes)
    for note in notes:
        warnings.warn(f"{file.name}: {note}", UserWarning, stacklevel=2)
    return _as_dataset(table, quality, grid, header, file, notes)


def write_scan(scan: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a scan as an `.ang` file, in one step.

    Parameters
    ----------
    scan : xr.Dataset
        As `read_scan` returns it; `phases` and `step_nm` come from its attributes.
    path : path-like
        File to write or to replace.

    Notes
    -----
    The format knows no missing value: an image quality that is NaN becomes 0, which is what
    OIM writes where no pattern was recorded, and angles that are NaN become 4 pi.
    """
    file = Path(path)
    rows, columns = scan["image_quality"].shape
    dy, dx = (float(step) / NM_PER_UM for step in scan.attrs["step_nm"])
    y, x = np.meshgrid(np.arange(rows) * dy, np.arange(columns) * dx, indexing="ij")
    euler = scan["euler_angles"].to_numpy().astype(float).reshape(-1, 3)
    confidence = scan["confidence_index"].to_numpy().astype(float).ravel()
    euler = np.where(np.isfinite(euler), euler, NO_SOLUTION)
    phase = scan["phase"].to_numpy().ravel()
    quality = np.nan_to_num(scan["image_quality"].to_numpy().astype(float).ravel())
    table = pd.DataFrame(
        {
            "phi1": euler[:, 0],
            "Phi": euler[:, 1],
            "phi2": euler[:, 2],
            "x": x.ravel(),
            "y": y.ravel(),
            "iq": quality,
            "ci": confidence,
            "phase": phase,
            "sem": np.zeros(phase.size, int),
            "fit": np.ones(phase.size),
        }
    )
    formats = ["%9.5f"] * 3 + ["%12.5f"] * 2 + ["%8.3f", "%7.3f", "%2d", "%4d", "%6.3f"]
    body = io.StringIO()
    np.savetxt(body, table.to_numpy(), fmt=formats)
    partial = file.with_name(f".{file.name}.part")
    try:
        partial.write_text(
            _format_header(scan, rows, columns, dy, dx) + body.getvalue(), encoding="utf-8"
        )
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _decode(file: Path) -> str:
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # names of operators and samples in older files
    # One kind of line end; str.splitlines would also split at the Latin-1 control characters.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_header(text: str, file: Path) -> Header:
    header = Header()
    number = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
    for line in text.split("\n"):
        if not line.lstrip().startswith("#"):
            break
        header.lines += 1
        content = line.lstrip("# \t").rstrip()
        key, _, value = (
            part.strip() for part in re.sub(r"[:\s]", " ", content, count=1).partition(" ")
        )
        value = value.lstrip(": ").strip()
        match key:
            case "GRID":
                header.grid = value
            case "XSTEP" | "YSTEP" if re.fullmatch(number, value):
                setattr(header, "x_step" if key == "XSTEP" else "y_step", float(value))
            case "NCOLS_ODD" | "NCOLS_EVEN" | "NROWS" if value.isdigit():
                name = {"NCOLS_ODD": "columns_odd", "NCOLS_EVEN": "columns_even", "NROWS": "rows"}
                setattr(header, name[key], int(value))
            case "Phase" if value.isdigit():
                header.phases.append({"id": int(value)})
            case "MaterialName" | "Formula" | "Symmetry" | "LatticeConstants" if header.phases:
                header.phases[-1][_snake(key)] = value
    if header.lines == 0:
        raise InputProblem(
            "the file does not begin with an .ang header",
            where=f"{file.name}, line 1",
            found=repr(text[:40]),
            expected="lines that begin with #",
        )
    return header


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _read_rows(text: str, header: Header, file: Path) -> NDArray[np.float64]:
    """Numbers of the file; the first row that is none is named with its line."""
    try:
        table = pd.read_csv(
            io.StringIO(text.split("\n", header.lines)[-1]),
            sep=r"\s+",
            header=None,
            dtype=float,
            quoting=csv.QUOTE_NONE,
        ).to_numpy()
    except pd.errors.EmptyDataError:
        table = np.empty((0, LEAST_COLUMNS))
    except (ValueError, pd.errors.ParserError):
        problem = _bad_row(text, header, file)
        raise problem or InputProblem("the rows are no numbers", where=file.name) from None
    if len(table) == 0:
        raise InputProblem("the file holds no points", where=file.name, expected="one row a point")
    if not LEAST_COLUMNS <= table.shape[1] <= MOST_COLUMNS:
        raise InputProblem(
            "the number of columns is not that of an .ang file",
            where=f"{file.name}, line {header.lines + 1}",
            found=f"{table.shape[1]} columns",
            expected=f"{LEAST_COLUMNS} to {MOST_COLUMNS}: phi1 Phi phi2 x y IQ CI phase ...",
        )
    # pandas fills short rows with NaN: a value lost inside a row would shift all after it.
    if np.isnan(table).any() and (problem := _bad_row(text, header, file)) is not None:
        raise problem
    lost = ~np.isfinite(table[:, [3, 4, 7]]).all(axis=1)
    if lost.any():
        row = int(lost.argmax())
        raise InputProblem(
            "a position or phase is not a finite number",
            where=f"{file.name}, line {_line_of(text, header, row)}",
            found=f"x, y, phase = {table[row, 3]}, {table[row, 4]}, {table[row, 7]}",
            remedy="export the scan again",
        )
    return table


def _line_of(text: str, header: Header, row: int) -> int:
    """Line number, from 1, of a row of the table; blank lines count as lines, not as rows."""
    filled = -1
    for number, line in enumerate(text.split("\n")[header.lines :], header.lines + 1):
        filled += bool(line.strip())
        if filled == row:
            return number
    return header.lines


def _bad_row(text: str, header: Header, file: Path) -> InputProblem | None:
    """Refusal of the first row that is cut or holds something else than numbers."""
    rows = [line.split() for line in text.split("\n")[header.lines :]]
    counts = Counter(len(words) for words in rows if words)
    expected = counts.most_common(1)[0][0] if counts else LEAST_COLUMNS
    for number, words in enumerate(rows, header.lines + 1):
        if words and (len(words) != expected or not all(map(_is_number, words))):
            return InputProblem(
                "a row cannot be read",
                where=f"{file.name}, line {number}",
                found=f"{len(words)} values: {' '.join(words)[:80]!r}",
                expected=f"{expected} numbers",
                remedy="export the scan again; the file may have been cut or edited",
            )
    return None


def _is_number(word: str) -> bool:
    try:
        return np.isfinite(float(word)) or word.lower() in {"nan", "inf", "-inf"}
    except ValueError:
        return False


def _refuse_degrees(table: NDArray[np.float64], text: str, header: Header, file: Path) -> None:
    beyond = (np.abs(table[:, :3]) > NO_SOLUTION + ANGLE_ROUNDING).any(axis=1)
    if beyond.any():
        row = int(beyond.argmax())
        raise InputProblem(
            "angles are too large for radians",
            where=f"{file.name}, line {_line_of(text, header, row)}",
            found="phi1, Phi, phi2 = " + ", ".join(f"{angle:g}" for angle in table[row, :3]),
            expected="Bunge angles in radians, at most 4 pi",
            remedy="export the scan with angles in radians",
        )


def _refuse_hexagonal(header: Header, file: Path) -> None:
    if header.grid.lower().startswith("hex"):
        raise InputProblem(
            "the scan was made on a hexagonal grid",
            where=f"{file.name}, header GRID",
            found=header.grid,
            expected="SqrGrid",
            remedy="convert it to a square grid in OIM Analysis (File > Export > Scan Data)",
        )


def _compare_with_header(grid: SquareGrid, header: Header, file: Path) -> list[str]:
    steps = (header.y_step, header.x_step)
    found = (grid.dy, grid.dx)
    steps_agree = all(
        said is None or said == 0 or abs(said - seen) <= 0.02 * seen
        for said, seen in zip(steps, found, strict=True)
    )
    counts = [
        (header.rows, grid.rows),
        (header.columns_odd, grid.columns),
        (header.columns_even, grid.columns),
    ]
    counts_agree = all(said is None or said == seen for said, seen in counts)
    said = f"{header.rows} x {header.columns_odd} points at {header.y_step} x {header.x_step} um"
    seen = f"{grid.rows} x {grid.columns} points at {grid.dy:g} x {grid.dx:g} um"
    if counts_agree and steps_agree:
        return []
    if steps_agree:
        raise InputProblem(
            "points are missing from the scan, or the header counts others",
            where=file.name,
            found=f"{grid.rows * grid.columns} points: {seen}",
            expected=f"{_count(header)}: {said}",
            remedy="export or copy the file again; it may have been cut short",
        )
    return [f"the header says {said}, the coordinates {seen} (y, x); the coordinates are used"]


def _count(header: Header) -> str:
    if header.rows is None or header.columns_odd is None:
        return "as the header says"
    return f"{header.rows * header.columns_odd} points"


def _clean_quality(
    quality: NDArray[np.float64], file: Path, notes: list[str]
) -> NDArray[np.float32]:
    useless = ~np.isfinite(quality) | (quality < 0)
    share = float(useless.mean())
    if share > BAD_QUALITY_SHARE:
        raise InputProblem(
            "too many points have no usable image quality",
            where=file.name,
            found=f"{share:.1%} of the points are not finite or negative",
            expected=f"at most {BAD_QUALITY_SHARE:.0%}",
        )
    if share > 0:
        notes.append(f"{int(useless.sum())} points have no usable image quality and are masked")
    return np.where(useless, np.nan, quality).astype(np.float32)


def _as_dataset(
    table: NDArray[np.float64],
    quality: NDArray[np.float32],
    grid: SquareGrid,
    header: Header,
    file: Path,
    notes: list[str],
) -> xr.Dataset:
    shape = (grid.rows, grid.columns)

    def place(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
        placed = np.empty((grid.rows * grid.columns, *values.shape[1:]), dtype)
        placed[grid.position] = values
        return placed.reshape(*shape, *values.shape[1:])

    angles = table[:, :3]
    solved = (np.abs(angles) < NO_SOLUTION - ANGLE_ROUNDING).all(axis=1)  # False for NaN too
    indexed = solved & (table[:, 6] >= 0)
    euler = np.where(indexed[:, None], angles, np.nan)
    # Coordinates are printed in um with a few decimals: what lies below 1e-6 nm is rounding.
    step_nm = (round(grid.dy * NM_PER_UM, 6), round(grid.dx * NM_PER_UM, 6))
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), place(quality, np.float32)),
            "confidence_index": (("y", "x"), place(table[:, 6], np.float32)),
            "euler_angles": (("y", "x", "angle"), place(euler, np.float32)),
            "phase": (("y", "x"), place(table[:, 7], np.int16)),
        },
        coords={
            "y": np.arange(grid.rows) * step_nm[0],
            "x": np.arange(grid.columns) * step_nm[1],
            "angle": ["phi1", "Phi", "phi2"],
        },
        attrs={
            "source": file.stem,
            "step_nm": step_nm,
            "phases": tuple(header.phases),
            "notes": tuple(notes),
        },
    )


def _format_header(scan: xr.Dataset, rows: int, columns: int, dy: float, dx: float) -> str:
    lines = ["TEM_PIXperUM          1.000000", "x-star                0.500000"]
    lines += ["y-star                0.700000", "z-star                0.600000"]
    lines += ["WorkingDistance       15.000000", ""]
    for phase in scan.attrs.get("phases") or ():
        lines += [
            f"Phase {phase['id']}",
            f"MaterialName  \t{phase.get('material_name', '')}",
            f"Formula     \t{phase.get('formula', '')}",
            "Info \t\t",
            f"Symmetry              {phase.get('symmetry', '1')}",
            f"LatticeConstants      {phase.get('lattice_constants', '1 1 1 90 90 90')}",
            "NumberFamilies        0",
            "Categories 0 0 0 0 0",
            "",
        ]
    lines += [
        "GRID: SqrGrid",
        f"XSTEP: {dx:.6f}",
        f"YSTEP: {dy:.6f}",
        f"NCOLS_ODD: {columns}",
        f"NCOLS_EVEN: {columns}",
        f"NROWS: {rows}",
        "",
        "OPERATOR: \telectrode-grains",
        "",
        f"SAMPLEID: \t{scan.attrs.get('source', '')}",
        "",
        "SCANID: \t",
        "",
    ]
    # A line end inside a name would end the header; orix and OIM split at any of them.
    return "".join(f"# {' '.join(line.splitlines())}".rstrip() + "\n" for line in lines)
