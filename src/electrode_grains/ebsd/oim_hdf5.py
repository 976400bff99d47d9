"""EDAX OIM Analysis and APEX `.h5` and `.oh5`: EBSD scans in HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from electrode_grains.crystal import laue_group_of_tsl_symmetry
from electrode_grains.ebsd import hdf5
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import (
    Points,
    ScanReader,
    edax_indexed,
    edax_measured,
    points_to_scan,
)
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.errors import InputError, SettingsError

SUFFIXES = (".oh5", *hdf5.SUFFIXES)
_LATTICE = ("a", "b", "c", "alpha", "beta", "gamma")


def recognize(head: bytes, file: Path) -> bool:
    """Tell whether a file is of this kind: EDAX made it, or its scans hold `Phi1`."""
    if not hdf5.begins(head):
        return False
    with hdf5.opened(file) as root:
        maker = hdf5.find_name(root, "Manufacturer")
        if maker is not None and hdf5.read_text(root, maker).upper().startswith("EDAX"):
            return True
        return any(hdf5.holds(data, "Phi1") for data in _find_data(root))


def _find_data(root: h5py.File) -> list[h5py.Group]:
    """Groups `EBSD/Data` of all scans, at any depth below projects and areas."""
    return hdf5.find_groups(root, lambda group: str(group.name).endswith("/EBSD/Data"))


def readers(file: Path) -> dict[str, ScanReader]:
    """Readers of the scans in a file, called like the file if there is one, else also by group.

    Raises
    ------
    InputError
        If the file is damaged or holds no scan.
    """
    with hdf5.opened(file) as root:
        paths = [str(data.name).removesuffix("EBSD/Data").strip("/") for data in _find_data(root)]
    if not paths:
        raise InputError(
            "the file holds no EBSD scan",
            where=file.name,
            expected="a group of the scan with EBSD/Data and EBSD/Header",
            remedy="export the scan with its EBSD data",
        )
    return hdf5.named_readers(file, paths, read_oim_hdf5)


def read_oim_hdf5(
    file: Path, path: str, source: str, options: ReadingOptions = STRICT
) -> xr.Dataset:
    """Read one scan of an EDAX file.

    Parameters
    ----------
    file : Path
    path : str
        Group of the scan, such as "Scan 1".
    source : str
        What the scan is called.
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
    Points are indexed as in `.ang` files, see `electrode_grains.ebsd.ang.read_ang`, but for
    those of `Valid` 0 beside others: some programs write 0 for all points, which then says
    nothing.
    """
    with hdf5.opened(file) as root:
        ebsd = hdf5.read_group(hdf5.read_group(root, path or "/"), "EBSD")
        points = _points(hdf5.read_group(ebsd, "Data"), hdf5.read_group(ebsd, "Header"))
    return points_to_scan(points, f"{file.name}, {path or '/'}", source, options)


def _points(data: h5py.Group, header: h5py.Group) -> Points:
    count = hdf5.count_points(data, "Phi1")
    declared = _declared(header, count)
    x, y = hdf5.read_positions(data, "X Position", "Y Position", count, declared)
    euler = np.column_stack(
        [hdf5.read_points(data, name, count) for name in ("Phi1", "Phi", "Phi2")]
    )
    confidence = hdf5.read_points(data, "CI", count)
    phase, quality = (hdf5.read_points(data, name, count) for name in ("Phase", "IQ"))
    indexed = edax_indexed(euler, confidence)
    if hdf5.holds(data, "Valid"):
        valid = hdf5.read_points(data, "Valid", count) != 0
        indexed &= valid | (not valid.any())
    return Points(
        x=x,
        y=y,
        image_quality=quality,
        confidence_index=confidence,
        euler_angles=euler,
        phase=phase,
        indexed=indexed,
        declared=declared,
        maker="edax",
        phases=_read_phases(hdf5.read_group(header, "Phase")),
        measured=edax_measured(quality, confidence),
    )


def _declared(header: h5py.Group, count: int) -> DeclaredGrid:
    grid = hdf5.read_text(header, "Grid Type").lower()
    if not grid.startswith(("sqr", "hex")):
        raise InputError(
            "the grid is of no known type",
            where=hdf5.place(header, "Grid Type"),
            found=repr(grid[:40]),
            expected="SqrGrid or HexGrid",
        )
    hexagonal = grid.startswith("hex")
    rows, columns = (hdf5.read_count(header, name) for name in ("nRows", "nColumns"))
    # The header does not say whether the shifted rows of a hexagonal grid hold a point less.
    shorter = hexagonal and count != rows * columns
    return DeclaredGrid(
        rows=rows,
        columns=columns,
        columns_even=columns - 1 if shorter else columns,
        dy=hdf5.read_step(header, "Step Y") or None,
        dx=hdf5.read_step(header, "Step X") or None,
        hexagonal=hexagonal,
    )


def _read_phases(group: h5py.Group) -> tuple[dict[str, Any], ...]:
    keys = hdf5.names(group)
    wrong = [key for key in keys if not key.isdecimal()]
    if wrong or not keys:
        raise InputError(
            "the list of phases is damaged",
            where=hdf5.place(group),
            found=", ".join(map(repr, wrong)) or "no phase",
            expected="groups called by the numbers of the phases",
        )
    return tuple(_read_phase(group, key) for key in sorted(keys, key=int))


def _read_phase(phases: h5py.Group, key: str) -> dict[str, Any]:
    group = hdf5.read_group(phases, key)
    formula = hdf5.find_name(group, "Formula")
    lattice = [hdf5.read_number(group, f"Lattice Constant {name}") for name in _LATTICE]
    material = hdf5.find_name(group, "MaterialName") or "MaterialName"
    return {
        "id": int(key),
        "material_name": hdf5.read_text(group, material),
        "formula": hdf5.read_text(group, formula) if formula else "",
        "symmetry": _read_symmetry(group),
        "lattice_constants": " ".join(f"{value:.3f}" for value in lattice),
    }


def _read_symmetry(group: h5py.Group) -> str:
    """TSL code of the Laue group: LGsymID in newer files, whose Symmetry is something else."""
    name = hdf5.find_name(group, "LGsymID") or "Symmetry"
    code = f"{hdf5.read_number(group, name):g}"
    try:
        laue_group_of_tsl_symmetry(code)
    except SettingsError as problem:
        raise InputError(
            "a phase has no known symmetry",
            where=hdf5.place(group, name),
            found=code,
            expected=problem.expected,
        ) from problem
    return code
