"""Oxford Instruments `.h5oina`: EBSD maps in HDF5, format versions 1 to 8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.crystal import LAUE_GROUPS, tsl_symmetry_of_laue_group
from electrode_grains.ebsd import hdf5
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import NOT_INDEXED, Points, ScanReader, points_to_scan
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.errors import InputError

SUFFIXES = (".h5oina", *hdf5.SUFFIXES)
# Codes of the dataset Error: solved, or replaced by cleaning; 0 is "not analyzed".
_SUCCESS = (1, 7)
# In the order of preference; all are optional in the specification.
_QUALITY = ("Band Contrast", "Pattern Quality", "Band Slope")
_OPTIONAL_CHANNELS = {"bands": "Bands", "mean_angular_deviation": "Mean Angular Deviation"}


def recognize(head: bytes, file: Path) -> bool:
    """Tell whether a file is of this kind: an HDF5 file that names its format version."""
    if not hdf5.begins(head):
        return False
    with hdf5.opened(file) as root:
        return hdf5.find_name(root, "Format Version") is not None


def readers(file: Path) -> dict[str, ScanReader]:
    """Readers of the EBSD maps in a file, called like the file if there is one, else also by slice.

    Raises
    ------
    InputError
        If the file is damaged or holds no EBSD data, such as one with only EDS or images.
    """
    with hdf5.opened(file) as root:
        listed = hdf5.read_texts(root, "Index")
        slices = [name for name in listed if hdf5.holds_group(hdf5.read_group(root, name), "EBSD")]
    if not slices:
        raise InputError(
            "the file holds no EBSD data",
            where=file.name,
            found=f"acquisitions {', '.join(listed[:8])} without a group EBSD",
            expected="an EBSD map",
            remedy="export the map data with EBSD from AZtec",
        )
    return hdf5.named_readers(file, slices, read_h5oina)


def read_h5oina(file: Path, name: str, source: str, options: ReadingOptions = STRICT) -> xr.Dataset:
    """Read one EBSD map.

    Parameters
    ----------
    file : Path
    name : str
        Slice of the file, which is how the format calls an acquisition; mostly "1".
    source : str
        What the scan is called.
    options : ReadingOptions

    Returns
    -------
    xr.Dataset
        As `electrode_grains.ebsd.read_scan` describes it, with the variables `bands` and
        `mean_angular_deviation` (radians) besides if the file has them.

    Raises
    ------
    InputError
        If the file contradicts itself, see `electrode_grains.ebsd.read_scan`, or holds a line
        scan.

    Notes
    -----
    Band contrast serves as image quality. The format has no confidence index: it is 1 where a
    point is indexed and -1 elsewhere. A point is indexed if it has a phase and its `Error` is
    success: 1, or 7 after cleaning [1]_. In `.ctf` files success is 0; where most points that
    have a phase carry 0, as other programs write it, that is taken, with a warning. The data
    are those acquired, not those of the group Data Processing.

    References
    ----------
    .. [1] Oxford Instruments NanoAnalysis, "H5OINA file specification", version 8.0.
    """
    notes: list[str] = []
    with hdf5.opened(file) as root:
        ebsd = hdf5.read_group(hdf5.read_group(root, name), "EBSD")
        points = _points(hdf5.read_group(ebsd, "Data"), hdf5.read_group(ebsd, "Header"), notes)
    return points_to_scan(
        points, f"{file.name}, {name}", source, options, reader_notes=tuple(notes)
    )


def _points(data: h5py.Group, header: h5py.Group, notes: list[str]) -> Points:
    declared = _declared(header)
    count = hdf5.count_points(data, "Phase")
    x, y = hdf5.read_positions(data, "X", "Y", count, declared)
    euler = hdf5.read_points(data, "Euler", count, 3)
    phase = hdf5.read_points(data, "Phase", count)
    indexed = (phase > 0) & np.isfinite(euler).all(axis=1)
    if hdf5.holds(data, "Error"):
        indexed &= _succeeded(hdf5.read_points(data, "Error", count), phase > 0, notes)
    return Points(
        x=x,
        y=y,
        image_quality=hdf5.read_points(data, _quality_name(data, notes), count),
        confidence_index=np.where(indexed, 1.0, NOT_INDEXED),
        euler_angles=euler,
        phase=phase,
        indexed=indexed,
        declared=declared,
        maker="oxford",
        phases=_read_phases(hdf5.read_group(header, "Phases")),
        channels={
            variable: hdf5.read_points(data, name, count)
            for variable, name in _OPTIONAL_CHANNELS.items()
            if hdf5.holds(data, name)
        },
    )


def _quality_name(data: h5py.Group, notes: list[str]) -> str:
    """Channel that serves as image quality; the specification leaves each of them to choice."""
    name = next((name for name in _QUALITY if hdf5.holds(data, name)), None)
    if name is None:
        raise InputError(
            "the map has no image quality",
            where=hdf5.place(data),
            found=", ".join(hdf5.names(data)[:12]),
            expected=" or ".join(_QUALITY),
            remedy="export the map from AZtec with its band contrast",
        )
    if name != _QUALITY[0]:
        notes.append(f"the map has no {_QUALITY[0]}; {name} is the image quality")
    return name


def _declared(header: h5py.Group) -> DeclaredGrid:
    rows, columns = (hdf5.read_count(header, name) for name in ("Y Cells", "X Cells"))
    dy, dx = (hdf5.read_step(header, name) for name in ("Y Step", "X Step"))
    if rows == 1 and dy == 0:
        raise InputError(
            "the scan is a line, no map",
            where=hdf5.place(header),
            found=f"{columns} x 1 cells with a Y Step of 0",
            expected="an EBSD map",
        )
    if not (dy and dx):
        raise InputError(
            "the header gives a step of 0",
            where=hdf5.place(header),
            found=f"X Step {dx:g}, Y Step {dy:g}",
            expected="lengths in um",
            remedy="export the map again; the header was edited or damaged",
        )
    return DeclaredGrid(rows=rows, columns=columns, dy=dy, dx=dx)


def _succeeded(
    error: NDArray[np.float64], has_phase: NDArray[np.bool_], notes: list[str]
) -> NDArray[np.bool_]:
    """Points whose error code means success, in the convention that most solved points follow."""
    success: NDArray[np.bool_] = np.isin(error, _SUCCESS)
    zero: NDArray[np.bool_] = error == 0
    if (zero & has_phase).sum() <= (success & has_phase).sum():
        return success
    notes.append("Error is 0 at most points that have a phase, which is taken for success")
    return zero


def _read_phases(group: h5py.Group) -> tuple[dict[str, Any], ...]:
    keys = hdf5.names(group)
    if not keys or not all(key.isdecimal() for key in keys):
        raise InputError(
            "the list of phases is damaged",
            where=hdf5.place(group),
            found=", ".join(map(repr, keys[:8])) or "no phase",
            expected="groups called by the numbers of the phases",
        )
    return tuple(
        _read_phase(hdf5.read_group(group, key), int(key)) for key in sorted(keys, key=int)
    )


def _read_phase(group: h5py.Group, number: int) -> dict[str, Any]:
    lengths = hdf5.read_few(group, "Lattice Dimensions", 3)
    angles = np.degrees(hdf5.read_few(group, "Lattice Angles", 3))
    return {
        "id": number,
        "material_name": hdf5.read_text(group, "Phase Name"),
        "formula": "",
        "symmetry": tsl_symmetry_of_laue_group(_read_laue_group(group)),
        "lattice_constants": " ".join(f"{value:.3f}" for value in (*lengths, *angles)),
    }


def _read_laue_group(group: h5py.Group) -> str:
    """Name of the Laue group, by its number and, where it has one, by its symbol."""
    number = hdf5.read_count(group, "Laue Group")
    named = LAUE_GROUPS[number - 1] if number <= len(LAUE_GROUPS) else None
    symbol = hdf5.read_text_attribute(group, "Laue Group", "Symbol")
    if named is None or (symbol in LAUE_GROUPS and symbol != named):
        raise InputError(
            "a phase has no Laue group, or two",
            where=hdf5.place(group, "Laue Group"),
            found=f"number {number}" + (f", symbol {symbol}" if symbol else ""),
            expected=f"a number from 1 to {len(LAUE_GROUPS)}"
            + (f", of {symbol} {LAUE_GROUPS.index(symbol) + 1}" if symbol in LAUE_GROUPS else ""),
            remedy="export the map again",
        )
    return named
