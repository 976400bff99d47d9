"""Particles as `.dream3d` files in the layout of DREAM.3D 6."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from electrode_grains.crystal import DREAM3D_STRUCTURES, UNKNOWN_STRUCTURE, check_laue_group
from electrode_grains.descriptors import EXPORTED
from electrode_grains.exports.particle import ExportedParticle

NM_PER_UM = 1000.0
CONTAINER = "ImageDataContainer"
# Kinds of attribute matrices by their number.
CELL, FEATURE, ENSEMBLE = 3, 7, 11
C_TYPES = {"f4": "float", "f8": "double", "i4": "int32_t", "i8": "int64_t", "u4": "uint32_t",
           "u1": "bool"}  # fmt: skip


def write_dream3d(particle: ExportedParticle, path: Path) -> None:
    """Write labels, orientations and grain values for DREAM.3D.

    Parameters
    ----------
    particle : ExportedParticle
    path : Path
        File to write or to replace.

    Notes
    -----
    Lengths are micrometres, as DREAM.3D takes them. `FeatureIds` count from 1 without gaps;
    `GrainLabels` of the features are the labels of the grain table. Points without orientation
    have phase 0. DREAM.3D shows undefined grain values as 0.
    """
    depth, rows, columns = particle.labels.shape
    cells: dict[str, NDArray[Any]] = {"FeatureIds": particle.feature_ids}
    if particle.image_quality is not None:
        cells["Image Quality"] = np.nan_to_num(particle.image_quality).astype(np.float32)
    if particle.euler_angles is not None:
        known = np.isfinite(particle.euler_angles).all(axis=-1)
        cells["EulerAngles"] = np.nan_to_num(particle.euler_angles).astype(np.float32)
        cells["Phases"] = known.astype(np.int32)
    features: dict[str, NDArray[Any]] = {
        "Active": (np.arange(len(particle.ids) + 1) > 0).astype(np.uint8),
        "GrainLabels": np.concatenate([[0], particle.ids]),
    }
    for name, values in particle.values.items():
        known = EXPORTED[name]
        scaled = np.nan_to_num(values) / NM_PER_UM**known.length_power
        features[known.export_name] = scaled.astype(np.float32)
    structure = DREAM3D_STRUCTURES[check_laue_group(particle.laue_group)]
    with h5py.File(path, "w") as root:
        root.attrs["FileVersion"] = np.bytes_("7.0")
        root.attrs["DREAM3D Version"] = np.bytes_("6.5")
        root.create_group("DataContainerBundles")
        root.create_group("Pipeline")
        container = root.create_group(f"DataContainers/{CONTAINER}")
        _write_geometry(container, (columns, rows, depth), particle.spacing)
        _write_matrix(container, "CellData", CELL, (columns, rows, depth), cells)
        _write_matrix(container, "CellFeatureData", FEATURE, (len(particle.ids) + 1,), features)
        ensembles = {"CrystalStructures": np.array([UNKNOWN_STRUCTURE, structure], np.uint32)}
        group = _write_matrix(container, "CellEnsembleData", ENSEMBLE, (2,), ensembles)
        names = np.array([b"Invalid Phase", (particle.material or "unknown").encode()])
        _describe(group.create_dataset("MaterialName", data=names), "StringDataArray", (2,), (1,))


def _write_geometry(
    container: h5py.Group, sizes: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    """Write an image geometry; all triples are (x, y, z), and the first voxel begins at 0."""
    geometry = container.create_group("_SIMPL_GEOMETRY")
    geometry.attrs["GeometryName"] = np.bytes_("ImageGeometry")
    geometry.attrs["GeometryTypeName"] = np.bytes_("ImageGeometry")
    geometry.attrs["GeometryType"] = np.uint32(0)
    geometry.attrs["SpatialDimensionality"] = np.uint32(3)
    geometry.attrs["UnitDimensionality"] = np.uint32(3)
    geometry["DIMENSIONS"] = np.array(sizes, np.int64)
    geometry["ORIGIN"] = np.zeros(3, np.float32)
    geometry["SPACING"] = np.array([step / NM_PER_UM for step in reversed(spacing)], np.float32)


def _write_matrix(
    container: h5py.Group,
    name: str,
    kind: int,
    tuples: tuple[int, ...],
    arrays: Mapping[str, NDArray[Any]],
) -> h5py.Group:
    """Write an attribute matrix whose arrays have one tuple a cell, x fastest."""
    group = container.create_group(name)
    group.attrs["AttributeMatrixType"] = np.uint32(kind)
    group.attrs["TupleDimensions"] = np.array(tuples, np.uint64)
    shape = tuple(reversed(tuples))
    for called, values in arrays.items():
        components = values.shape[len(shape) :] or (1,)
        dataset = group.create_dataset(
            called, data=values.reshape(*shape, *components), compression="gzip"
        )
        _describe(dataset, f"DataArray<{C_TYPES[values.dtype.str[1:]]}>", tuples, components)
    return group


def _describe(
    dataset: h5py.Dataset, kind: str, tuples: tuple[int, ...], components: tuple[int, ...]
) -> None:
    axes = ",".join(f"{axis}={size}" for axis, size in zip("xyz", tuples, strict=False))
    dataset.attrs["ObjectType"] = np.bytes_(kind)
    dataset.attrs["DataArrayVersion"] = np.int32(2)
    dataset.attrs["TupleDimensions"] = np.array(tuples, np.uint64)
    dataset.attrs["ComponentDimensions"] = np.array(components, np.uint64)
    dataset.attrs["Tuple Axis Dimensions"] = np.bytes_(axes)
