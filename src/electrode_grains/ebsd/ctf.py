"""Oxford Instruments `.ctf` (Channel Text File): one EBSD scan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from electrode_grains.crystal import LAUE_GROUPS, tsl_symmetry_of_laue_group
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import NOT_INDEXED, Points, points_to_scan
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.ebsd.text_table import TextTable, header_number, read_head, read_table
from electrode_grains.errors import InputError

SUFFIXES = (".ctf",)
_COLUMNS = ("Phase", "X", "Y", "Bands", "Error", "Euler1", "Euler2", "Euler3", "MAD", "BC")
_GRID_KEYS = ("XCells", "YCells", "XStep", "YStep")
# No map but a single crystal near the cube orientation has all angles below 2 pi degrees.
RADIANS_UP_TO = 2 * np.pi


@dataclass
class _Header:
    lines: int = 0
    numbers: dict[str, float] = field(default_factory=dict)
    phases: list[dict[str, Any]] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    decimal_commas: bool = False


def recognize(head: bytes) -> bool:
    """Tell by the first bytes of a file whether it is a `.ctf` file."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"Channel Text File")


def read_ctf(path: str | os.PathLike[str], options: ReadingOptions = STRICT) -> xr.Dataset:
    """Read a `.ctf` file, UTF-8 or Latin-1, with decimal points or commas.

    Parameters
    ----------
    path : path-like
    options : ReadingOptions

    Returns
    -------
    xr.Dataset
        As `electrode_grains.ebsd.read_scan` describes it, with the variables `bands` and
        `mean_angular_deviation` (radians) besides.

    Raises
    ------
    InputError
        If the file contradicts itself, see `electrode_grains.ebsd.read_scan`.

    Notes
    -----
    Band contrast serves as image quality. The format has no confidence index: it is 1 where a
    point is indexed (`Error` 0 and a phase) and -1 elsewhere.
    """
    file = Path(path)
    header = _read_header(file)
    table = read_table(
        file,
        header.lines,
        options.accept_missing,
        (lambda text: text.replace(",", ".")) if header.decimal_commas else None,
    )
    notes = [f"the last row is cut: {table.dropped[:60]!r}"] if table.dropped else []
    if table.values.shape[1] != len(header.columns):
        raise InputError(
            "the rows have another number of values than there are headings",
            where=f"{file.name}, line {header.lines + 1}",
            found=f"{table.values.shape[1]} values",
            expected=f"{len(header.columns)}: {' '.join(header.columns)}",
        )
    points = _points(table, header)
    angles = np.degrees(points.euler_angles[points.indexed])
    if len(angles) > 100 and np.abs(angles).max() <= RADIANS_UP_TO:
        notes.append("no angle exceeds 6.3 degrees: the file may hold radians instead of degrees")
    return points_to_scan(points, file.name, file.stem, options, table.line_of, tuple(notes))


def _points(table: TextTable, header: _Header) -> Points:
    values = {name: table.values[:, header.columns.index(name)] for name in _COLUMNS}
    euler = np.radians(np.column_stack([values[f"Euler{number}"] for number in (1, 2, 3)]))
    indexed = (values["Error"] == 0) & (values["Phase"] > 0) & np.isfinite(euler).all(axis=1)
    counts = {key: int(header.numbers[key]) for key in ("XCells", "YCells")}
    return Points(
        x=values["X"],
        y=values["Y"],
        image_quality=values["BC"],
        confidence_index=np.where(indexed, 1.0, NOT_INDEXED),
        euler_angles=euler,
        phase=values["Phase"],
        indexed=indexed,
        declared=DeclaredGrid(
            rows=counts["YCells"],
            columns=counts["XCells"],
            dy=header.numbers["YStep"] or None,
            dx=header.numbers["XStep"] or None,
        ),
        maker="oxford",
        phases=tuple(header.phases),
        channels={
            "bands": values["Bands"],
            "mean_angular_deviation": np.radians(values["MAD"]),
        },
    )


def _until_columns(lines: Iterator[str]) -> list[str]:
    """Lines up to the headings of the columns, and the first row."""
    head = []
    for line in lines:
        head.append(line)
        if line.startswith("Phase\t"):
            return head + list(islice(lines, 1))
    return head


def _read_header(file: Path) -> _Header:
    header = _Header()
    phases = 0
    for number, line in enumerate(read_head(file, _until_columns), 1):
        where = f"{file.name}, line {number}"
        if header.columns:  # the first row
            header.decimal_commas = "," in line
            break
        words = line.split("\t")
        key = words[0].strip()
        value = words[1].strip().replace(",", ".") if len(words) > 1 else ""
        if key in _GRID_KEYS:
            header.numbers[key] = header_number(key, value, where, is_step=key.endswith("Step"))
        elif key == "JobMode" and words[-1].strip().lower() not in ("grid", "jobmode", ""):
            raise InputError(
                "the scan is no map", where=where, found=line.strip(), expected="JobMode Grid"
            )
        elif key == "Phases":
            phases = int(header_number(key, value, where))
        elif phases and len(header.phases) < phases:
            header.phases.append(_read_phase(len(header.phases) + 1, words, where))
        elif key == "Phase":
            header.lines = number
            header.columns = tuple(line.split())
    lacking = [key for key in _GRID_KEYS if key not in header.numbers]
    lacking += [name for name in _COLUMNS if name not in header.columns]
    if lacking:
        raise InputError(
            "the .ctf header is incomplete",
            where=file.name,
            found="no " + ", ".join(lacking),
            expected="XCells, YCells, XStep, YStep and the headings of the columns",
            remedy="export the scan again",
        )
    return header


def _read_phase(number: int, words: Sequence[str], where: str) -> dict[str, Any]:
    """A phase: axes, angles, name, number of the Laue group from 1, space group."""
    group = words[3].strip() if len(words) > 3 else ""
    if not (group.isdigit() and 1 <= int(group) <= len(LAUE_GROUPS)):
        raise InputError(
            "a phase has no Laue group",
            where=where,
            found=repr("\t".join(words)[:60]),
            expected=f"axes, angles, name and a Laue group from 1 to {len(LAUE_GROUPS)}",
            remedy="export the scan again",
        )
    constants = [part.replace(",", ".") for part in ";".join(words[:2]).split(";")]
    return {
        "id": number,
        "material_name": words[2].strip(),
        "formula": "",
        "symmetry": tsl_symmetry_of_laue_group(LAUE_GROUPS[int(group) - 1]),
        "lattice_constants": " ".join(constants),
    }
