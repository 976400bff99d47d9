"""Read a grain map, whatever the program that wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from electrode_grains.errors import InputError
from electrode_grains.grain_maps.arrays import (
    read_npy,
    read_npy_planes,
    read_png,
    read_tiff,
    read_zarr,
)
from electrode_grains.grain_maps.grain_map import GrainMap, check_memory, piece_notes
from electrode_grains.grain_maps.hdf5 import read_hdf5
from electrode_grains.grain_maps.headers import read_meta_image, read_nrrd
from electrode_grains.grain_maps.vti import read_vti

KINDS: dict[str, Callable[[Path], GrainMap]] = {
    ".tif": read_tiff,
    ".tiff": read_tiff,
    ".npy": read_npy,
    ".zarr": read_zarr,
    ".nrrd": read_nrrd,
    ".mha": read_meta_image,
    ".dream3d": read_hdf5,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".vti": read_vti,
}
# A volume may be one plane only where sections are asked for.
PLANE_KINDS = {**KINDS, ".npy": read_npy_planes, ".png": read_png}


def read_grain_map(path: Path, kinds: Mapping[str, Callable[[Path], GrainMap]] = KINDS) -> GrainMap:
    """Read a grain map.

    Parameters
    ----------
    path : Path
        A file, or the folder of an OME-Zarr; its suffix says its kind.
    kinds : mapping of str to callable
        Readers by suffix; `PLANE_KINDS` takes images of single planes, too.

    Raises
    ------
    InputError
        If there is none, its kind is unknown, or it is damaged or something else.
    """
    read = kinds.get(path.suffix.lower())
    if not path.exists() or read is None:
        raise InputError(
            "there is no grain map" if read else "unknown kind of grain map",
            where=str(path),
            found=None if read else path.suffix or "no suffix",
            expected=", ".join(kinds),
            remedy="save the labels as a TIFF stack",
        )
    try:
        size = path.stat().st_size
        check_memory(size, f"a file of {size:,} bytes", str(path))
        found = read(path)
    except InputError as problem:
        if problem.where is not None:
            raise
        raise InputError(
            problem.message,
            where=str(path),
            found=problem.found,
            expected=problem.expected,
            remedy=problem.remedy,
        ) from None
    # What the libraries of nine formats raise over damaged bytes has no common ancestor.
    except Exception as error:
        raise InputError(
            "the grain map cannot be read",
            where=str(path),
            found=f"{type(error).__name__}: {error}".splitlines()[0][:200],
            remedy="export it again; it may have been cut short",
        ) from error
    return replace(found, notes=found.notes + piece_notes(found.labels))
