"""Bruker ESPRIT `.h5`: EBSD scans in HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.crystal import laue_group_of_space_group, tsl_symmetry_of_laue_group
from electrode_grains.ebsd import hdf5
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import NOT_INDEXED, Points, ScanReader, points_to_scan
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.errors import InputError

SUFFIXES = (".h5ebsd", *hdf5.SUFFIXES)
_CHANNELS = {"bands": "NIndexedBands", "mean_angular_deviation": "MAD"}


def recognize(head: bytes, file: Path) -> bool:
    """Tell whether a file is of this kind: HDF5 that names Bruker as its maker."""
    if not hdf5.begins(head):
        return False
    with hdf5.opened(file) as root:
        maker = hdf5.find_name(root, "Manufacturer")
        return maker is not None and hdf5.read_text(root, maker).upper().startswith("BRUKER")


def readers(file: Path) -> dict[str, ScanReader]:
    """Readers of the scans in a file, called like the file if there is one, else also by group.

    Raises
    ------
    InputError
        If the file is damaged or holds no scan.
    """
    with hdf5.opened(file) as root:
        paths = [
            name
            for name in hdf5.names(root)
            if hdf5.holds_group(root, name)
            and hdf5.holds_group(hdf5.read_group(root, name), "EBSD")
        ]
    if not paths:
        raise InputError(
            "the file holds no EBSD scan",
            where=file.name,
            expected="a group of the scan with EBSD/Data and EBSD/Header",
            remedy="export the map with its EBSD data from ESPRIT",
        )
    return hdf5.named_readers(file, paths, read_bruker_hdf5)


def read_bruker_hdf5(
    file: Path, path: str, source: str, options: ReadingOptions = STRICT
) -> xr.Dataset:
    """Read one scan of a Bruker file.

    Parameters
    ----------
    file : Path
    path : str
        Group of the scan.
    source : str
        What the scan is called.
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
    The layout is that which orix and kikuchipy read: `RadonQuality` is the image quality, a
    point of phase 0 is not indexed, angles are degrees, and a region of interest gives row and
    column of each point in SEM/IY and SEM/IX.
    """
    with hdf5.opened(file) as root:
        scan = hdf5.read_group(root, path)
        ebsd = hdf5.read_group(scan, "EBSD")
        header = hdf5.read_group(ebsd, "Header")
        points = _points(hdf5.read_group(ebsd, "Data"), header, _microscope(scan, ebsd))
    return points_to_scan(points, f"{file.name}, {path}", source, options)


def _microscope(scan: h5py.Group, ebsd: h5py.Group) -> h5py.Group | None:
    """Group SEM, of the scan or of its EBSD data; None without one."""
    for parent in (scan, ebsd):
        if hdf5.holds_group(parent, "SEM"):
            return hdf5.read_group(parent, "SEM")
    return None


def _points(data: h5py.Group, header: h5py.Group, microscope: h5py.Group | None) -> Points:
    grid = hdf5.read_text(header, "Grid Type").lower()
    if grid != "isometric":
        raise InputError(
            "the scan was not made on a square grid",
            where=hdf5.place(header, "Grid Type"),
            found=repr(grid[:40]),
            expected="isometric",
        )
    count = hdf5.count_points(data, "phi1")
    dy, dx = (hdf5.read_step(header, name) for name in ("YSTEP", "XSTEP"))
    row, column, declared = _places(header, microscope, count, (dy, dx))
    euler = np.radians(
        np.column_stack([hdf5.read_points(data, name, count) for name in ("phi1", "PHI", "phi2")])
    )
    phase = hdf5.read_points(data, "Phase", count)
    indexed = (phase > 0) & np.isfinite(euler).all(axis=1)
    channels = {
        variable: hdf5.read_points(data, name, count)
        for variable, name in _CHANNELS.items()
        if hdf5.holds(data, name)
    }
    if "mean_angular_deviation" in channels:
        channels["mean_angular_deviation"] = np.radians(channels["mean_angular_deviation"])
    return Points(
        x=column * dx,
        y=row * dy,
        image_quality=hdf5.read_points(data, "RadonQuality", count),
        confidence_index=np.where(indexed, 1.0, NOT_INDEXED),
        euler_angles=euler,
        phase=phase,
        indexed=indexed,
        declared=declared,
        maker="bruker",
        phases=_read_phases(hdf5.read_group(header, "Phases")),
        channels=channels,
    )


def _places(
    header: h5py.Group, microscope: h5py.Group | None, count: int, steps: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], DeclaredGrid]:
    """Row and column of each point, and the grid that the header declares."""
    dy, dx = steps
    if not (dy and dx):
        raise InputError(
            "the header gives a step of 0",
            where=hdf5.place(header),
            found=f"XSTEP {dx:g}, YSTEP {dy:g}",
            expected="lengths in um",
        )
    names = [hdf5.find_name(microscope, wanted, f"SEM {wanted}") for wanted in ("IY", "IX")
             ] if microscope is not None else []  # fmt: skip
    if microscope is not None and len(names) == 2 and all(names):
        row, column = (hdf5.read_points(microscope, str(name), count) for name in names)
        return row - row.min(), column - column.min(), DeclaredGrid(dy=dy, dx=dx)
    rows, columns = (hdf5.read_count(header, name) for name in ("NROWS", "NCOLS"))
    cell_row, cell_column = np.divmod(np.arange(count, dtype=float), columns)
    return cell_row, cell_column, DeclaredGrid(rows=rows, columns=columns, dy=dy, dx=dx)


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
    return tuple(
        _read_phase(hdf5.read_group(group, key), int(key)) for key in sorted(keys, key=int)
    )


def _read_phase(group: h5py.Group, number: int) -> dict[str, Any]:
    lattice = hdf5.read_few(group, "LatticeConstants", 6)
    space_group = hdf5.read_count(group, "IT")
    laue = laue_group_of_space_group(space_group)
    if laue is None:
        raise InputError(
            "a phase has no known symmetry",
            where=hdf5.place(group, "IT"),
            found=str(space_group),
            expected="a space group from 1 to 230",
        )
    return {
        "id": number,
        "material_name": hdf5.read_text(group, "Name"),
        "formula": "",
        "symmetry": tsl_symmetry_of_laue_group(laue),
        "lattice_constants": " ".join(f"{value:.3f}" for value in lattice),
    }
