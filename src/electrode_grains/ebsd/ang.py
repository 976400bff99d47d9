"""EDAX/TSL OIM `.ang` text files: one EBSD scan."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd.frames import FrameChoice, Frames, from_map_frame
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import (
    NM_PER_UM,
    NO_SOLUTION,
    Points,
    edax_indexed,
    edax_measured,
    points_to_scan,
)
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.ebsd.text_table import TextTable, header_number, read_head, read_table
from electrode_grains.errors import InputError

SUFFIXES = (".ang",)
COLUMNS = ("phi1", "Phi", "phi2", "x", "y", "IQ", "CI", "phase")
# SEM signal, fit and more may follow.
MOST_COLUMNS = 14
# What OIM calls the columns in headers that name them, in lower case without blanks.
_HEADINGS = {
    "phi1": ("phi1",),
    "Phi": ("phi",),
    "phi2": ("phi2",),
    "x": ("x", "xposition"),
    "y": ("y", "yposition"),
    "IQ": ("iq",),
    "CI": ("ci",),
    "phase": ("phase", "phaseindex"),
}
_GRID_KEYS = ("XSTEP", "YSTEP", "NCOLS_ODD", "NCOLS_EVEN", "NROWS", "COLUMN_COUNT")


@dataclass
class _Header:
    """What the header of a file says of its scan."""

    lines: int = 0
    grid: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    headings: tuple[str, ...] = ()
    phases: list[dict[str, Any]] = field(default_factory=list)

    def count(self, key: str) -> int | None:
        return int(self.numbers[key]) if key in self.numbers else None

    def declared(self) -> DeclaredGrid:
        # A step of 0 is what some exporters write for the direction that has a single line.
        return DeclaredGrid(
            rows=self.count("NROWS"),
            columns=self.count("NCOLS_ODD"),
            columns_even=self.count("NCOLS_EVEN"),
            dy=self.numbers.get("YSTEP") or None,
            dx=self.numbers.get("XSTEP") or None,
            hexagonal=self.grid.lower().startswith("hex"),
        )


def recognize(head: bytes) -> bool:
    """Tell by the first bytes of a file whether it is an `.ang` file."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"#")


def read_ang(path: str | os.PathLike[str], options: ReadingOptions = STRICT) -> xr.Dataset:
    """Read an `.ang` file: 8 to 14 columns, UTF-8 or Latin-1, OIM 5 to 9.

    Parameters
    ----------
    path : path-like
    options : ReadingOptions

    Returns
    -------
    xr.Dataset
        As `electrode_grains.ebsd.read_scan` describes it.

    Raises
    ------
    InputError
        If the file contradicts itself, see `electrode_grains.ebsd.read_scan`.

    Notes
    -----
    Points with a confidence index of 0 or less are not indexed: EDAX gives -1 where no
    solution was found, 0 where two had equally many votes; and angles of 4 pi.
    """
    file = Path(path)
    header = _read_header(file)
    table = read_table(file, header.lines, options.accept_missing)
    notes = [f"the last row is cut: {table.dropped[:60]!r}"] if table.dropped else []
    columns = _find_columns(table, header, file.name)
    values = {name: table.values[:, index] for name, index in columns.items()}
    _refuse_lost_places(values, table, file.name)
    euler = np.column_stack([values["phi1"], values["Phi"], values["phi2"]])
    points = Points(
        x=values["x"],
        y=values["y"],
        image_quality=values["IQ"],
        confidence_index=values["CI"],
        euler_angles=euler,
        phase=values["phase"],
        indexed=edax_indexed(euler, values["CI"]),
        declared=header.declared(),
        maker="edax",
        phases=tuple(header.phases),
        measured=edax_measured(values["IQ"], values["CI"]),
    )
    return points_to_scan(points, file.name, file.stem, options, table.line_of, tuple(notes))


def write_scan(
    scan: xr.Dataset, path: str | os.PathLike[str], frames: Frames | None = None
) -> None:
    """Write a scan as an `.ang` file, in one step.

    Parameters
    ----------
    scan : xr.Dataset
        As `read_scan` returns it; `phases` and `step_nm` come from its attributes.
    path : path-like
        File to write or to replace.
    frames : Frames, optional
        Frames of the file, whose orientations are turned back into them from the frame of the
        map. By default the attribute `file_frames` of the scan, or else EDAX's default.

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
    choice = FrameChoice.of("edax", frames or scan.attrs.get("file_frames"), None)
    known = np.isfinite(euler).all(axis=1)
    euler[known] = from_map_frame(euler[known], choice, np.zeros(int(known.sum()), bool))
    euler[~known] = NO_SOLUTION
    phase = scan["phase"].to_numpy().ravel()
    quality = np.nan_to_num(scan["image_quality"].to_numpy().astype(float).ravel())
    # No SEM signal, and a fit of one degree, follow the columns that we know.
    columns_known = [*euler.T, x.ravel(), y.ravel(), quality, confidence, phase]
    table = np.column_stack([*columns_known, np.zeros(phase.size), np.ones(phase.size)])
    formats = ["%9.5f"] * 3 + ["%12.5f"] * 2 + ["%8.3f", "%7.3f", "%2d", "%4d", "%6.3f"]
    body = io.StringIO()
    np.savetxt(body, table, fmt=formats)
    partial = file.with_name(f".{file.name}.part")
    try:
        partial.write_text(
            _format_header(scan, choice, rows, columns, dy, dx) + body.getvalue(), encoding="utf-8"
        )
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _read_header(file: Path) -> _Header:
    def comments(lines: Iterator[str]) -> list[str]:
        return list(takewhile(lambda line: recognize(line.encode("latin-1")), lines))

    header = _Header()
    in_notes = False
    for number, line in enumerate(read_head(file, comments), 1):
        header.lines = number
        content = line.lstrip("# \t").rstrip()
        in_notes = (in_notes or content.startswith("NOTES: Start")) and content != "NOTES: End"
        if not in_notes:
            _read_header_line(content, header, f"{file.name}, line {number}")
    return header


def _read_header_line(content: str, header: _Header, where: str) -> None:
    named = re.match(r"(\w+)\s*:\s*(.*)", content)
    key, value = named.groups() if named else ("", "")
    if key == "GRID":
        header.grid = value
    elif key in _GRID_KEYS:
        number = header_number(key, value, where, is_step=key.endswith("STEP"))
        if header.numbers.setdefault(key, number) != number:
            raise InputError(
                f"the header gives {key} twice",
                where=where,
                found=f"{number:g} after {header.numbers[key]:g}",
                remedy="export the scan again",
            )
    elif key == "COLUMN_HEADERS":
        header.headings = tuple(re.sub(r"\s", "", name).lower() for name in value.split(","))
    else:
        # Blanks, tabs or a colon part the keys of phases from their values.
        key, _, value = re.sub(r"[:\s]", " ", content, count=1).partition(" ")
        value = value.lstrip(": \t").strip()
        if key == "Phase" and value.isdigit():
            header.phases.append({"id": int(value)})
        elif header.phases and key in _PHASE_KEYS:
            header.phases[-1][_PHASE_KEYS[key]] = value


_PHASE_KEYS = {
    "MaterialName": "material_name",
    "Formula": "formula",
    "Symmetry": "symmetry",
    "LatticeConstants": "lattice_constants",
}


def _find_columns(table: TextTable, header: _Header, file_name: str) -> dict[str, int]:
    """Index of each column: by its heading if the header names them, else by custom."""
    found = table.values.shape[1]
    where = f"{file_name}, line {header.lines + 1}"
    expected = header.count("COLUMN_COUNT") or len(header.headings) or found
    if not len(COLUMNS) <= found <= MOST_COLUMNS or found != expected:
        span = f"{len(COLUMNS)} to {MOST_COLUMNS}: {' '.join(COLUMNS)} ..."
        raise InputError(
            "the number of columns is not that of the header, or of any .ang file",
            where=where,
            found=f"{found} columns",
            expected=span if found == expected else f"{expected}, as the header says",
        )
    if not header.headings:
        return {name: index for index, name in enumerate(COLUMNS)}
    columns = {
        name: header.headings.index(heading)
        for name, headings in _HEADINGS.items()
        for heading in headings
        if heading in header.headings
    }
    lacking = [name for name in COLUMNS if name not in columns]
    if lacking:
        raise InputError(
            "the header names columns, but not all that are needed",
            where=f"{file_name}, header COLUMN_HEADERS",
            found=", ".join(header.headings),
            expected=", ".join(lacking) + " too",
            remedy="export the scan with these columns",
        )
    return columns


def _refuse_lost_places(
    values: dict[str, NDArray[np.float64]], table: TextTable, file_name: str
) -> None:
    lost = ~np.isfinite(np.column_stack([values[name] for name in ("x", "y", "phase")])).all(axis=1)
    if lost.any():
        row = int(lost.argmax())
        x, y, phase = (values[name][row] for name in ("x", "y", "phase"))
        raise InputError(
            "a position or phase is not a finite number",
            where=f"{file_name}, line {table.line_of(row)}",
            found=f"x, y, phase = {x}, {y}, {phase}",
            remedy="export the scan again",
        )


def _format_header(
    scan: xr.Dataset, choice: FrameChoice, rows: int, columns: int, dy: float, dx: float
) -> str:
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
        f"OPERATOR: \telectrode-grains, frames of the Euler angles: {choice.describe()}",
        "",
        f"SAMPLEID: \t{scan.attrs.get('source', '')}",
        "",
        "SCANID: \t",
        "",
    ]
    # A line end inside a name would end the header; orix and OIM split at any of them.
    return "".join(f"# {' '.join(line.splitlines())}".rstrip() + "\n" for line in lines)
