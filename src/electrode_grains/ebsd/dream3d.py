"""DREAM.3D `.dream3d`: volumes of EBSD data in HDF5, read slice by slice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.crystal import (
    DREAM3D_STRUCTURES,
    UNKNOWN_STRUCTURE,
    tsl_symmetry_of_laue_group,
)
from electrode_grains.ebsd import hdf5
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import (
    NM_PER_UM,
    NOT_INDEXED,
    Points,
    ScanReader,
    edax_indexed,
    points_to_scan,
)
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.errors import InputError

SUFFIXES = (".dream3d", *hdf5.SUFFIXES)
_LEGACY, _NX = "DataContainers", "DataStructure"
_EULER = ("EulerAngles", "Eulers")
_QUALITY = ("Image Quality", "IQ", "Band Contrast", "BC")
_CONFIDENCE = ("Confidence Index", "CI")
_NAMES = ("MaterialName", "PhaseName")
_LAUE_GROUPS = {number: group for group, number in DREAM3D_STRUCTURES.items()}
# Length units of DREAM3D-NX by number, in um; what is not listed is no length of a scan.
_UNITS_UM = {4: 1e-6, 5: 1e-3, 6: 1.0, 7: 1e3, 8: 1e4, 10: 1e6, 21: 1e-4}
_UNSPECIFIED = (100, 101)
_LARGEST_STEP_UM = 1000.0


@dataclass(frozen=True)
class _Volume:
    """A volume in an open file: shape (z, y, x), spacing (z, y, x) in um, and its groups."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    cells: h5py.Group
    ensembles: h5py.Group
    notes: tuple[str, ...]

    def shapes(self, components: int) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        """Shapes that an array may have: by layers first, or else with its cells in one row."""
        layers, rows, columns = self.shape
        tails: list[tuple[int, ...]] = [(components,)] + ([()] if components == 1 else [])
        layered = [(*self.shape, *tail) for tail in tails]
        listed = [(layers * rows * columns, *tail) for tail in tails]
        if layers == 1:
            listed += [(rows, columns, *tail) for tail in tails]
        return layered, listed

    def read(self, name: str, z: int, components: int = 1) -> NDArray[np.float64]:
        """Values of a slice, shape (n,) or (n, components)."""
        count = self.shape[1] * self.shape[2]
        layered, listed = self.shapes(components)
        by_layer = hdf5.shape_of(self.cells, name) in layered
        part = slice(z, z + 1) if by_layer else slice(z * count, (z + 1) * count)
        values = hdf5.read_numbers(self.cells, name, [*layered, *listed], part)
        return values.reshape((count, components) if components > 1 else count)


def recognize(head: bytes, file: Path) -> bool:
    """Tell whether a file is of this kind, of DREAM.3D 6 or of DREAM3D-NX."""
    if not hdf5.begins(head):
        return False
    with hdf5.opened(file) as root:
        return any(hdf5.holds_group(root, name) for name in (_LEGACY, _NX))


def readers(file: Path) -> dict[str, ScanReader]:
    """Readers of the slices of a volume, numbered from 0; called like the file if there is one.

    Raises
    ------
    InputError
        If the file is damaged, or does not hold exactly one volume of orientations.
    """
    with hdf5.opened(file) as root:
        layers = _find_volume(root).shape[0]
    names = [file.stem if layers == 1 else f"{file.stem}_{z:04d}" for z in range(layers)]
    return {name: ScanReader(partial(read_slice, file, z, name)) for z, name in enumerate(names)}


def read_slice(file: Path, z: int, source: str, options: ReadingOptions = STRICT) -> xr.Dataset:
    """Read one slice of a volume.

    Parameters
    ----------
    file : Path
    z : int
        From 0.
    source : str
        What the scan is called.
    options : ReadingOptions

    Returns
    -------
    xr.Dataset
        As `electrode_grains.ebsd.read_scan` describes it; the attribute `slice_spacing_nm` is
        the spacing of the volume along z.

    Raises
    ------
    InputError
        If the file contradicts itself, see `electrode_grains.ebsd.read_scan`, or holds no
        image quality.

    Notes
    -----
    Points of phase 0 are not indexed, nor are those whose confidence index, if the volume has
    one, is 0 or less: DREAM.3D reads phase 0 of `.ang` files as phase 1. Masks are not read.
    """
    with hdf5.opened(file) as root:
        volume = _find_volume(root)
        points = _points(volume, z)
    scan = points_to_scan(
        points, f"{file.name}, slice {z}", source, options, reader_notes=volume.notes
    )
    scan.attrs["slice_spacing_nm"] = round(volume.spacing[0] * NM_PER_UM, 6)
    return scan


def _points(volume: _Volume, z: int) -> Points:
    _, rows, columns = volume.shape
    _, dy, dx = volume.spacing
    euler = volume.read(_required(volume.cells, "Euler angles", _EULER), z, 3)
    quality = volume.read(_required(volume.cells, "image quality", _QUALITY), z)
    phase = volume.read("Phases", z)
    indexed = (phase > 0) & np.isfinite(euler).all(axis=1)
    confidence_name = hdf5.find_name(volume.cells, *_CONFIDENCE)
    if confidence_name:
        confidence = volume.read(confidence_name, z)
        indexed &= edax_indexed(euler, confidence)
    else:
        confidence = np.where(indexed, 1.0, NOT_INDEXED)
    row, column = np.divmod(np.arange(rows * columns, dtype=float), columns)
    return Points(
        x=column * dx,
        y=row * dy,
        image_quality=quality,
        confidence_index=confidence,
        euler_angles=euler,
        phase=phase,
        indexed=indexed,
        declared=DeclaredGrid(rows=rows, columns=columns, dy=dy, dx=dx),
        maker="dream3d",
        phases=_read_phases(volume.ensembles),
    )


def _required(cells: h5py.Group, what: str, wanted: tuple[str, ...]) -> str:
    """Name of an array that goes by several names."""
    name = hdf5.find_name(cells, *wanted)
    if name is None:
        raise InputError(
            f"the volume has no {what}",
            where=hdf5.place(cells),
            found=", ".join(hdf5.names(cells)[:12]),
            expected=" or ".join(wanted),
            remedy="keep this array in the DREAM.3D pipeline, and write the file again",
        )
    return name


def _find_volume(root: h5py.File) -> _Volume:
    """The volume of orientations and the list of its phases; arrays are not read."""
    legacy = hdf5.holds_group(root, _LEGACY)
    top = hdf5.read_group(root, _LEGACY if legacy else _NX)
    cells = _only_group(top, top, _EULER)
    shape, spacing, notes = (_legacy_geometry if legacy else _nx_geometry)(cells.parent)
    ensembles = _only_group(top, cells.parent, ("CrystalStructures",))
    volume = _Volume(shape, spacing, cells, ensembles, notes)
    layered, listed = volume.shapes(3)
    hdf5.find_dataset(cells, _required(cells, "Euler angles", _EULER), [*layered, *listed])
    return volume


def _only_group(top: h5py.Group, near: h5py.Group, wanted: tuple[str, ...]) -> h5py.Group:
    """The one group that holds an array: below a group, or else anywhere."""

    def holds(group: h5py.Group) -> bool:
        return hdf5.find_name(group, *wanted) is not None

    found = hdf5.find_groups(near, holds) or hdf5.find_groups(top, holds)
    if len(found) != 1:
        raise InputError(
            f"the file must hold {wanted[0]} once",
            where=hdf5.place(top),
            found=f"{len(found)} times" + "".join(f", {group.name}" for group in found[:4]),
            expected="one volume of EBSD data with its list of phases",
            remedy="write the file with one image geometry, its cell and its ensemble data",
        )
    return found[0]


_Geometry = tuple[tuple[int, int, int], tuple[float, float, float], tuple[str, ...]]


def _legacy_geometry(container: h5py.Group) -> _Geometry:
    """Shape, spacing and notes of a volume of DREAM.3D 6."""
    geometry = hdf5.read_group(container, "_SIMPL_GEOMETRY")
    sizes = hdf5.read_few(geometry, "DIMENSIONS", 3)
    spacing = hdf5.read_few(geometry, "SPACING", 3)
    return _geometry(sizes, spacing, None, hdf5.place(geometry))


def _nx_geometry(geometry: h5py.Group) -> _Geometry:
    """Shape, spacing and notes of a volume of DREAM3D-NX."""
    sizes, spacing = (
        hdf5.read_attribute(geometry, name, 3) for name in ("_DIMENSIONS", "_SPACING")
    )
    if sizes is None or spacing is None:
        raise InputError(
            "the orientations do not lie on an image geometry",
            where=hdf5.place(geometry),
            found="no _DIMENSIONS and _SPACING",
            expected="cell data of an image geometry",
            remedy="write the volume with its image geometry",
        )
    units = hdf5.read_attribute(geometry, "Units", 1)
    return _geometry(sizes, spacing, int(units[0]) if units else None, hdf5.place(geometry))


def _geometry(sizes: list[float], spacing: list[float], unit: int | None, where: str) -> _Geometry:
    """Shape (z, y, x) and spacing in um of a geometry that is given as x, y, z."""
    if not all(size == int(size) and 1 <= size < 2**31 for size in sizes) or min(spacing) <= 0:
        raise InputError(
            "the geometry of the volume is impossible",
            where=where,
            found=f"{sizes} cells at {spacing} (x, y, z)",
            expected="whole numbers from 1, and lengths above 0",
            remedy="write the file again; it was edited or damaged",
        )
    scale, notes = _unit_in_um(unit, max(spacing), where)
    shape = (int(sizes[2]), int(sizes[1]), int(sizes[0]))
    dz, dy, dx = (float(f"{step * scale:.9g}") for step in reversed(spacing))
    return shape, (dz, dy, dx), notes


def _unit_in_um(unit: int | None, step: float, where: str) -> tuple[float, tuple[str, ...]]:
    """Length of the unit of a file, and a note if it had to be guessed."""
    if unit is None or unit in _UNSPECIFIED:
        return 1.0, ("the file names no length unit; its spacing is taken as micrometres",)
    if unit not in _UNITS_UM:
        raise InputError(
            "the length unit is none of EBSD data",
            where=where,
            found=f"Units = {unit}",
            expected="micrometres (6), or " + ", ".join(map(str, _UNITS_UM)),
            remedy="set the length units of the image geometry in DREAM3D-NX",
        )
    scale = _UNITS_UM[unit]
    if step * scale > _LARGEST_STEP_UM:
        # DREAM3D-NX gives geometries metres unless told otherwise.
        return 1.0, (
            f"the length unit makes steps of {step * scale:g} um; they are taken as micrometres",
        )
    return scale, ()


def _read_phases(group: h5py.Group) -> tuple[dict[str, Any], ...]:
    """Phases from 1; the first entry stands for points without phase."""
    count = hdf5.count_points(group, "CrystalStructures")
    structures = hdf5.read_points(group, "CrystalStructures", count)
    name = hdf5.find_name(group, *_NAMES)
    names = hdf5.read_texts(group, name, count) if name else [""] * count
    lattices = [""] * count
    if hdf5.holds(group, "LatticeConstants"):
        lattices = [
            " ".join(f"{value:.3f}" for value in row)
            for row in hdf5.read_points(group, "LatticeConstants", count, 6)
        ]
    wrong = [s for s in structures if s not in _LAUE_GROUPS and s != UNKNOWN_STRUCTURE]
    if wrong or count < 2:
        raise InputError(
            "a phase has no known crystal structure",
            where=hdf5.place(group, "CrystalStructures"),
            found=f"{wrong[0]:g}" if wrong else "no phase",
            expected="0 to 10, or 999 for none; first that of no phase, then those of the phases",
            remedy="write the file again; it was edited or damaged",
        )
    return tuple(
        {
            "id": number,
            "material_name": names[number],
            "formula": "",
            "symmetry": tsl_symmetry_of_laue_group(_LAUE_GROUPS[int(structures[number])]),
            "lattice_constants": lattices[number],
        }
        for number in range(1, count)
        if structures[number] != UNKNOWN_STRUCTURE
    )
