"""Plane sections of grains, as raw data."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from kedro.io import DatasetError

from electrode_grains.datasets.atomic import FileDataset
from electrode_grains.ebsd import IMAGE_SUFFIXES, SUFFIXES, scan_readers
from electrode_grains.errors import InputError
from electrode_grains.grain_maps import PLANE_KINDS, GrainMap, read_grain_map

SCANNED = tuple(suffix for suffix in SUFFIXES if suffix not in (*IMAGE_SUFFIXES, *PLANE_KINDS))


class SectionsDataset(FileDataset[None, dict[str, "GrainMap | xr.Dataset"]]):
    """Sections in a file or a folder, read only.

    Each plane of a label image or grain map is a section, and each EBSD map.
    """

    kind = "sections"

    def _read(self, path: Path) -> dict[str, GrainMap | xr.Dataset]:
        return read_sections(path)

    def save(self, data: None) -> None:
        """Refuse: another program writes these files."""
        raise DatasetError("sections are raw data, which no run writes")

    def _write(self, data: None, *paths: Path) -> None:
        """Never called."""


def read_sections(path: Path) -> dict[str, GrainMap | xr.Dataset]:
    """Label images and EBSD maps by name, in the order of their names.

    Raises
    ------
    InputError
        If there is none, or one cannot be read.
    """
    kinds = (*PLANE_KINDS, *SCANNED)
    if path.is_dir() and path.suffix.lower() not in PLANE_KINDS:
        found = sorted(each for each in path.iterdir() if each.suffix.lower() in kinds)
    else:
        found = [path]
    if not path.exists() or not found:
        raise InputError(
            "there are no sections",
            where=str(path),
            expected=f"label images or EBSD maps: {', '.join(kinds)}",
        )
    sections: dict[str, GrainMap | xr.Dataset] = {}
    for file in found:
        if file.suffix.lower() in PLANE_KINDS:
            sections[file.name] = read_grain_map(file, PLANE_KINDS)
        else:
            readers = scan_readers(file)
            for name, read in readers.items():
                sections[file.name if len(readers) == 1 else f"{file.name}, {name}"] = read()
    return sections
