"""Oxford Instruments `.ctf` (Channel Text File): one EBSD scan."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.crystal import LAUE_GROUPS, tsl_symmetry_of_laue_group
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import (
    NM_PER_UM,
    NOT_INDEXED,
    Points,
    ScanReader,
    points_to_scan,
)
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.ebsd.text_table import TextTable, header_number, read_head, read_table
from electrode_grains.errors import InputError

SUFFIXES = (".ctf",)
_COLUMNS = ("Phase", "X", "Y", "Bands", "Error", "Euler1", "Euler2", "Euler3", "MAD", "BC")
_GRID_KEYS = ("XCells", "YCells", "XStep", "YStep")
_DEPTH_KEYS = ("ZCells", "ZStep")
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


def readers(file: Path) -> dict[str, ScanReader]:
    """Readers of the scans in a file: one, or a slice for each of the layers of a volume."""
    try:
        layers = int(_read_header(file).numbers.get("ZCells", 1))
    except InputError:
        layers = 1  # refused where the scan is read, so that a stack tells all its problems
    if layers == 1:
        return {file.stem: ScanReader(partial(read_ctf, file))}
    return {
        f"{file.stem}_{z:04d}": ScanReader(partial(read_ctf, file, layer=z)) for z in range(layers)
    }


def read_ctf(
    path: str | os.PathLike[str], options: ReadingOptions = STRICT, layer: int | None = None
) -> xr.Dataset:
    """Read a `.ctf` file, UTF-8 or Latin-1, with decimal points or commas.

    Parameters
    ----------
    path : path-like
    options : ReadingOptions
    layer : int, optional
        Slice of a volume (`ZCells` above 1), from 0.

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
    status = file.stat()
    table = _read_table(
        file,
        header.lines,
        options.accept_missing,
        header.decimal_commas,
        (status.st_mtime_ns, status.st_size),
    )
    notes = [f"the last row is cut: {table.dropped[:60]!r}"] if table.dropped else []
    if table.values.shape[1] != len(header.columns):
        raise InputError(
            "the rows have another number of values than there are headings",
            where=f"{file.name}, line {header.lines + 1}",
            found=f"{table.values.shape[1]} values",
            expected=f"{len(header.columns)}: {' '.join(header.columns)}",
        )
    source, rows, line_of = file.stem, np.arange(len(table.values)), table.line_of
    if layer is not None:
        source, rows = f"{file.stem}_{layer:04d}", _rows_of_layer(table, header, layer, file.name)

        def line_of(row: int) -> int:
            return table.line_of(int(rows[row]))

    points = _points(table.values[rows], header)
    angles = np.degrees(points.euler_angles[points.indexed])
    if len(angles) > 100 and np.abs(angles).max() <= RADIANS_UP_TO:
        notes.append("no angle exceeds 6.3 degrees: the file may hold radians instead of degrees")
    scan = points_to_scan(points, file.name, source, options, line_of, tuple(notes))
    if layer is not None and header.numbers.get("ZStep"):
        scan.attrs["slice_spacing_nm"] = round(header.numbers["ZStep"] * NM_PER_UM, 6)
    return scan


@lru_cache(maxsize=1)  # the layers of a volume share one table
def _read_table(
    file: Path, lines: int, accept_cut: bool, decimal_commas: bool, _state: tuple[int, int]
) -> TextTable:
    rewrite = (lambda text: text.replace(",", ".")) if decimal_commas else None
    return read_table(file, lines, accept_cut, rewrite)


def _rows_of_layer(
    table: TextTable, header: _Header, layer: int, file_name: str
) -> NDArray[np.intp]:
    """Rows of the table that lie at one of the levels of z."""
    if "Z" not in header.columns:
        raise InputError(
            "a volume has no column Z",
            where=file_name,
            found=" ".join(header.columns),
            remedy="export the volume again, or its slices one by one",
        )
    levels, index = np.unique(table.values[:, header.columns.index("Z")], return_inverse=True)
    if len(levels) != header.numbers["ZCells"]:
        raise InputError(
            "layers are missing from the volume, or the header counts others",
            where=file_name,
            found=f"{len(levels)} values of Z",
            expected=f"ZCells {header.numbers['ZCells']:g}",
            remedy="export or copy the file again; it may have been cut short",
        )
    return np.flatnonzero(index == layer)


def _points(rows: NDArray[np.float64], header: _Header) -> Points:
    values = {name: rows[:, header.columns.index(name)] for name in _COLUMNS}
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
        if key in _GRID_KEYS or (key in _DEPTH_KEYS and value):
            header.numbers[key] = header_number(key, value, where, is_step=key.endswith("Step"))
        elif key == "JobMode" and words[-1].strip().lower() not in ("grid", "jobmode", ""):
            raise InputError(
                "the scan is no map", where=where, found=line.strip(), expected="JobMode Grid"
            )
        elif key == "Phases":
            phases = int(header_number(key, value, where))
        elif len(header.phases) < phases:
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
