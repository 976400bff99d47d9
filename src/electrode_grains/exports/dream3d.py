"""Particles as `.dream3d` files in the layout of DREAM.3D 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from electrode_grains.crystal import DREAM3D_STRUCTURES, UNKNOWN_STRUCTURE, check_laue_group
from electrode_grains.descriptors import DESCRIPTORS
from electrode_grains.ebsd.orientations import quaternions_from_euler
from electrode_grains.exports.particle import ExportedParticle

NM_PER_UM = 1000.0
CONTAINER = "ImageDataContainer"
# Kinds of attribute matrices by their number.
CELL, FEATURE, ENSEMBLE = 3, 7, 11
C_TYPES = {"f4": "float", "f8": "double", "i4": "int32_t", "i8": "int64_t", "u4": "uint32_t",
           "u8": "uint64_t", "u1": "bool"}  # fmt: skip


class CellData(NamedTuple):
    """Data of voxels, which are only ever there a layer at a time.

    Attributes
    ----------
    dtype : dtype
    components : int
        Numbers of each voxel.
    layer : callable
        Values at a z, shape (y, x) or (y, x, components).
    """

    dtype: np.dtype[Any]
    components: int
    layer: Callable[[int], NDArray[Any]]


def write_dream3d(particle: ExportedParticle, path: Path) -> None:
    """Write labels, orientations and grain values for DREAM.3D.

    Parameters
    ----------
    particle : ExportedParticle
    path : Path
        File to write or to replace.

    Notes
    -----
    Lengths are micrometres, as DREAM.3D takes them; the centre of the first voxel is the origin.
    `FeatureIds` count from 1 without gaps; `GrainLabels` of the features are the labels of the
    grain table. Voxels of grains have phase 1, others 0. Voxels of a grain without orientation
    take its mean, with `Confidence Index` 0. Undefined grain values are 0. Orientations are in
    the frame of the geometry, as DREAM.3D has them once its filters have rotated sample and Euler
    frame: they are to be turned no further. The attribute `Orientations` of the file says so.
    """
    depth, rows, columns = particle.labels.shape
    structure = DREAM3D_STRUCTURES[check_laue_group(particle.laue_group)]
    with h5py.File(path, "w") as root:
        root.attrs["FileVersion"] = np.bytes_("7.0")
        root.attrs["DREAM3D Version"] = np.bytes_("6.5")
        root.attrs["Lengths"] = np.bytes_("um, origin at the centre of the first voxel")
        if particle.orientations:
            root.attrs["Orientations"] = np.bytes_(particle.orientations.encode("ascii", "replace"))
        root.create_group("DataContainerBundles")
        root.create_group("Pipeline")
        container = root.create_group(f"DataContainers/{CONTAINER}")
        _write_geometry(container, (columns, rows, depth), particle.spacing)
        _write_layers(container, (columns, rows, depth), _cells(particle))
        count = len(particle.ids) + 1
        _write_matrix(container, "CellFeatureData", FEATURE, (count,), _features(particle))
        ensembles: dict[str, NDArray[Any]] = {
            "CrystalStructures": np.array([UNKNOWN_STRUCTURE, structure], np.uint32),
            "MaterialName": np.array(["Invalid Phase", particle.material or "unknown"], object),
        }
        _write_matrix(container, "CellEnsembleData", ENSEMBLE, (2,), ensembles)


def write_xdmf(particle: ExportedParticle, path: Path, data: str) -> None:
    """Write an XDMF file with which ParaView opens a `.dream3d` file.

    Parameters
    ----------
    particle : ExportedParticle
    path : Path
    data : str
        Name of the `.dream3d` file, beside `path`.
    """
    depth, rows, columns = particle.labels.shape
    steps = [step / NM_PER_UM for step in particle.spacing]
    attributes = []
    for name, (dtype, components, _) in _cells(particle).items():
        kind = {"f": "Float", "i": "Int", "u": "UChar"}[dtype.kind]
        attributes.append(
            f'<Attribute Name={quoteattr(name)} Center="Cell" '
            f'AttributeType="{"Vector" if components == 3 else "Scalar"}">'
            f'<DataItem Format="HDF" NumberType="{kind}" Precision="{dtype.itemsize}" '
            f'Dimensions="{depth} {rows} {columns} {components}">'
            f"{escape(data)}:/DataContainers/{CONTAINER}/CellData/{escape(name)}"
            "</DataItem></Attribute>"
        )
    named = f'<Information Name="Orientations" Value={quoteattr(particle.orientations)}/>'
    orientations = named if particle.orientations else ""
    numbers = [" ".join(f"{value:.9g}" for value in each)
               for each in ([-step / 2 for step in steps], steps)]  # fmt: skip
    # without a precision readers take single numbers
    number = 'Format="XML" Dimensions="3" NumberType="Float" Precision="8"'
    path.write_text(
        '<?xml version="1.0"?>\n<Xdmf Version="2.0"><Domain>'
        '<Grid Name="grains" GridType="Uniform">'
        '<Information Name="Lengths" Value="um, origin at the centre of the first voxel"/>'
        f"{orientations}"
        f'<Topology TopologyType="3DCoRectMesh" Dimensions="{depth + 1} {rows + 1} {columns + 1}"/>'
        '<Geometry GeometryType="ORIGIN_DXDYDZ">'
        f"<DataItem {number}>{numbers[0]}</DataItem><DataItem {number}>{numbers[1]}</DataItem>"
        "</Geometry>"
        f"{''.join(attributes)}</Grid></Domain></Xdmf>\n",
        encoding="utf-8",
    )


def _cells(particle: ExportedParticle) -> dict[str, CellData]:
    """Data of voxels; those of a grain without orientation take its mean, with confidence 0."""
    numbers, quality = particle.feature_ids, particle.image_quality
    whole, real = np.dtype(np.int32), np.dtype(np.float32)
    cells = {
        "FeatureIds": CellData(whole, 1, lambda z: numbers[z]),
        "Phases": CellData(whole, 1, lambda z: numbers[z] > 0),
    }
    if quality is not None:
        cells["Image Quality"] = CellData(real, 1, lambda z: np.nan_to_num(quality[z]))
    if particle.euler_angles is not None:
        measured, means = particle.euler_angles, particle.mean_euler_angles

        def known(z: int) -> NDArray[np.bool_]:
            finite: NDArray[np.bool_] = np.isfinite(measured[z]).all(axis=-1)
            return finite

        def angles(z: int) -> NDArray[np.float64]:
            values = np.where(known(z)[..., None], measured[z], means[numbers[z]])
            filled: NDArray[np.float64] = np.nan_to_num(values)
            return filled

        cells["EulerAngles"] = CellData(real, 3, angles)
        cells["Confidence Index"] = CellData(real, 1, known)
    return cells


def _features(particle: ExportedParticle) -> dict[str, NDArray[Any]]:
    """Data of grains: what DREAM.3D calls by names of its own, and every column of the table."""
    grains = np.arange(len(particle.ids) + 1) > 0
    features: dict[str, NDArray[Any]] = {
        "Active": grains.astype(np.uint8),
        "Phases": grains.astype(np.int32),
        "GrainLabels": np.concatenate([np.zeros(1, particle.ids.dtype), particle.ids]),
    }
    if np.isfinite(particle.mean_euler_angles).any():
        angles = np.nan_to_num(particle.mean_euler_angles)
        features["AvgEulerAngles"] = angles.astype(np.float32)
        quaternions = quaternions_from_euler(angles)  # DREAM.3D has the scalar last
        features["AvgQuats"] = np.roll(quaternions, -1, axis=1).astype(np.float32)
    for name, column in particle.rows.items():
        known = DESCRIPTORS.get(str(name))
        called = known.export_name if known else str(name).replace("/", "_")
        kind = particle.grains[name].dtype
        if pd.api.types.is_numeric_dtype(kind):  # so are bool columns
            power = known.length_power if known else 0
            values = np.nan_to_num(column.astype(float).to_numpy()) / NM_PER_UM**power
            features[called] = np.concatenate([[0.0], values]).astype(np.float32)
        else:
            texts = ["", *("" if pd.isna(value) else str(value) for value in column)]
            features[called] = np.array(texts, object)
    return features


def _write_geometry(
    container: h5py.Group, sizes: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    """Write an image geometry; all triples are (x, y, z), the first voxel lies around 0."""
    geometry = container.create_group("_SIMPL_GEOMETRY")
    geometry.attrs["GeometryName"] = np.bytes_("ImageGeometry")
    geometry.attrs["GeometryTypeName"] = np.bytes_("ImageGeometry")
    geometry.attrs["GeometryType"] = np.uint32(0)
    geometry.attrs["SpatialDimensionality"] = np.uint32(3)
    geometry.attrs["UnitDimensionality"] = np.uint32(3)
    geometry["DIMENSIONS"] = np.array(sizes, np.int64)
    steps = [step / NM_PER_UM for step in reversed(spacing)]
    geometry["ORIGIN"] = np.array([-step / 2 for step in steps], np.float32)
    geometry["SPACING"] = np.array(steps, np.float32)


def _write_layers(
    container: h5py.Group, tuples: tuple[int, int, int], cells: Mapping[str, CellData]
) -> None:
    """Write the attribute matrix of voxels, a layer after another; x is fastest."""
    group = _create_matrix(container, "CellData", CELL, tuples)
    columns, rows, depth = tuples
    for called, (dtype, components, layer) in cells.items():
        shape = (rows, columns, components)
        dataset = group.create_dataset(
            called, (depth, *shape), dtype, chunks=(1, *shape), compression="gzip"
        )
        for z in range(depth):
            dataset[z] = layer(z).astype(dtype, copy=False).reshape(shape)
        _describe(dataset, f"DataArray<{C_TYPES[dtype.str[1:]]}>", tuples, (components,))


def _write_matrix(
    container: h5py.Group,
    name: str,
    kind: int,
    tuples: tuple[int],
    arrays: Mapping[str, NDArray[Any]],
) -> None:
    """Write an attribute matrix whose arrays have one tuple a grain or phase."""
    group = _create_matrix(container, name, kind, tuples)
    for called, values in arrays.items():
        components = values.shape[1:] or (1,)
        if values.dtype == object:  # DREAM3D-NX reads strings of variable length alone
            texts = group.create_dataset(called, data=values, dtype=h5py.string_dtype())
            _describe(texts, "StringDataArray", tuples, (1,))
            continue
        dataset = group.create_dataset(
            called, data=values.reshape(*tuples, *components), compression="gzip"
        )
        _describe(dataset, f"DataArray<{C_TYPES[values.dtype.str[1:]]}>", tuples, components)


def _create_matrix(
    container: h5py.Group, name: str, kind: int, tuples: tuple[int, ...]
) -> h5py.Group:
    group = container.create_group(name)
    group.attrs["AttributeMatrixType"] = np.uint32(kind)
    group.attrs["TupleDimensions"] = np.array(tuples, np.uint64)
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
