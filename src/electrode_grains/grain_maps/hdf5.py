"""Grain maps in HDF5: DREAM.3D, DREAM3D-NX, and GrainMapper3D of laboratory DCT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from electrode_grains.crystal import DREAM3D_STRUCTURES
from electrode_grains.ebsd.hdf5 import find_groups, holds, opened
from electrode_grains.ebsd.orientations import quaternions_from_euler
from electrode_grains.errors import InputError
from electrode_grains.grain_maps.grain_map import (
    GrainMap,
    Spacing,
    check_shape,
    checked_labels,
    quaternions_of_rodrigues,
)

NM_PER_UM, NM_PER_MM = 1e3, 1e6
LARGEST_RATIO, FREE_BYTES = 1100, 1 << 24  # deflate packs no better
# Laue group by the greatest number of the space groups that have it.
SPACE_GROUPS = (
    (2, "-1"), (15, "2/m"), (74, "mmm"), (88, "4/m"), (142, "4/mmm"), (148, "-3"), (167, "-3m"),
    (176, "6/m"), (194, "6/mmm"), (206, "m-3"), (230, "m-3m"),
)  # fmt: skip


def read_hdf5(path: Path) -> GrainMap:
    """Read the grain map of an HDF5 file by what it holds.

    Raises
    ------
    InputError
        If it holds none, or several.
    """
    with opened(path) as root:
        found = find_groups(root, lambda group: holds(group, "FeatureIds"))
        if not found and "LabDCT/Data/GrainId" in root:
            return _grain_mapper(root, path.name)
        if len(found) != 1:
            raise InputError(
                "the file holds no grain map" if not found else "the file holds several grain maps",
                where=path.name,
                found=", ".join(group.name for group in found) or None,
                expected="FeatureIds of DREAM.3D, or LabDCT/Data/GrainId of GrainMapper3D",
                remedy="save the labels as a TIFF stack",
            )
        return _dream3d(found[0], path.name)


def _dream3d(cells: h5py.Group, where: str) -> GrainMap:
    labels = checked_labels(_voxels(cells, "FeatureIds")[..., 0], where)
    spacing = _dream3d_spacing(cells)
    _check_dimensions(cells, labels.shape, where)
    names = [name for name in ("EulerAngles", "Eulers") if name in cells]
    orientations = None
    known = labels > 0
    if "Phases" in cells:
        known &= _voxels(cells, "Phases")[..., 0] > 0
    if names:
        angles = np.asarray(_voxels(cells, names[0]), np.float64)
        orientations = np.moveaxis(quaternions_from_euler(angles), -1, 0).astype(np.float32)
        orientations[:, ~known] = np.nan
    group, material = _dream3d_phase(cells.parent)
    return GrainMap(labels, spacing, orientations, group, material)


def _dream3d_spacing(cells: h5py.Group) -> Spacing | None:
    geometry = cells.parent.get("_SIMPL_GEOMETRY")
    steps = None
    if geometry is not None and "SPACING" in geometry:
        steps = geometry["SPACING"][()]
    elif "_SPACING" in cells.parent.attrs:  # of DREAM3D-NX
        steps = cells.parent.attrs["_SPACING"]
    if steps is None:
        return None
    dx, dy, dz = (float(step) * NM_PER_UM for step in steps)
    return dz, dy, dx


def _check_dimensions(cells: h5py.Group, shape: tuple[int, ...], where: str) -> None:
    """Refuse labels of another shape than the geometry says."""
    geometry = cells.parent.get("_SIMPL_GEOMETRY")
    if geometry is not None and "DIMENSIONS" in geometry:
        declared = geometry["DIMENSIONS"][()]
    elif "_DIMENSIONS" in cells.parent.attrs:
        declared = cells.parent.attrs["_DIMENSIONS"]
    else:
        return
    if tuple(int(size) for size in np.ravel(declared)[::-1]) != shape:
        raise InputError(
            "the labels have another shape than the volume",
            where=where,
            found=f"{shape} voxels (z, y, x)",
            expected=f"{tuple(np.ravel(declared)[::-1].tolist())}",
            remedy="export the file again",
        )


def _dream3d_phase(container: h5py.Group) -> tuple[str | None, str | None]:
    """Laue group and name of the first phase."""
    for ensemble in container.values():
        if isinstance(ensemble, h5py.Group) and "CrystalStructures" in ensemble:
            numbers = np.ravel(ensemble["CrystalStructures"][()]).tolist()
            by_number = {number: group for group, number in DREAM3D_STRUCTURES.items()}
            known = "MaterialName" in ensemble
            names = np.ravel(ensemble["MaterialName"][()]).tolist() if known else []
            texts = [_text(name) for name in names]
            if len(numbers) > 1:
                return by_number.get(numbers[1]), texts[1] if len(texts) > 1 else None
    return None, None


def _grain_mapper(root: h5py.File, where: str) -> GrainMap:
    """Read what GrainMapper3D exports; its Rodrigues vectors turn the crystal to the sample.

    The direction was found by the colours (IPF001) in the file, which follow from the other one
    of the two with a correlation of 0.98, from this one with 0.79.
    """
    data = root["LabDCT/Data"]
    labels = checked_labels(_voxels(data, "GrainId"), where)
    orientations = None
    if "Rodrigues" in data:
        orientations = quaternions_of_rodrigues(_voxels(data, "Rodrigues"))
        orientations[1:] *= -1
        orientations[:, labels == 0] = np.nan
    spacing = None
    if "LabDCT/Spacing" in root:
        dx, dy, dz = (float(step) * NM_PER_MM for step in root["LabDCT/Spacing"][()])
        spacing = (dz, dy, dx)
    phases = [each for each in root.get("PhaseInfo", {}).values() if isinstance(each, h5py.Group)]
    group = material = None
    notes: tuple[str, ...] = ()
    if phases:
        material = _first_text(phases[0], "Name")
        number = int(np.ravel(phases[0]["SpaceGroup"][()])[0]) if "SpaceGroup" in phases[0] else 0
        group = laue_group_of_space_group(number)
    if len(phases) > 1:
        notes = (f"{len(phases)} phases; the symmetry of the first one is used for all",)
    return GrainMap(labels, spacing, orientations, group, material, notes)


def laue_group_of_space_group(number: int) -> str | None:
    """Laue group of a space group by its number, None where there is none.

    Examples
    --------
    >>> [laue_group_of_space_group(number) for number in (166, 225, 0)]
    ['-3m', 'm-3m', None]
    """
    if number < 1:
        return None
    return next((group for last, group in SPACE_GROUPS if number <= last), None)


def _voxels(group: h5py.Group, name: str) -> NDArray[Any]:
    """Values of all voxels, refused where a header declares far more than the file holds."""
    dataset = group[name]
    if dataset.nbytes > LARGEST_RATIO * dataset.id.get_storage_size() + FREE_BYTES:
        raise InputError(
            "a dataset declares more voxels than the file holds",
            where=dataset.name,
            found=f"shape {dataset.shape}, {dataset.id.get_storage_size()} bytes stored",
            remedy="export the file again; it may have been cut short",
        )
    check_shape(dataset.shape, dataset.dtype.itemsize, dataset.name)
    return np.asarray(dataset[()])


def _first_text(parent: h5py.Group, name: str) -> str | None:
    if name not in parent:
        return None
    values: NDArray[Any] = np.ravel(parent[name][()])
    return _text(values[0]) if values.size else None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
