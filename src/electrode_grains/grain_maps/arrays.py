"""Grain maps as plain arrays: TIFF stacks, NumPy, OME-Zarr."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.image_files import opened_image
from electrode_grains.ebsd.tiff import count_pages, read_page
from electrode_grains.errors import InputError
from electrode_grains.grain_maps.grain_map import GrainMap, Spacing, check_shape, checked_labels
from electrode_grains.grain_maps.zarr_chunks import check_chunks

PLAIN_MODES = ("L", "P", "1", "I;16", "I")
NM_PER = {
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3,
    "micron": 1e3, "microns": 1e3, "micrometer": 1e3, "micrometre": 1e3, "mm": 1e6,
    "millimeter": 1e6, "millimetre": 1e6, "m": 1e9, "meter": 1e9, "metre": 1e9,
    "angstrom": 0.1, "å": 0.1,
}  # fmt: skip


def read_tiff(path: Path) -> GrainMap:
    """Read a stack of TIFF pages; the voxel size as ImageJ writes it."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        metadata: Mapping[str, Any] = tiff.imagej_metadata or {}
        first = tiff.pages.first
        resolution = [first.tags.get(name) for name in ("YResolution", "XResolution")]
    count = count_pages(path)
    if int(metadata.get("images", count)) != count:
        raise InputError(
            "the file holds another number of slices than it says",
            where=str(path),
            found=f"{count} pages, images={metadata['images']}",
            remedy="save it again; it may have been cut short",
        )
    check_shape((count, *first.shape), first.dtype.itemsize if first.dtype else 1, str(path))
    pages = [read_page(path, page)[0] for page in range(count)]
    labels = checked_labels(np.stack(pages), str(path))
    return GrainMap(labels, _imagej_spacing(metadata, resolution))


def _imagej_spacing(metadata: Mapping[str, Any], resolution: list[Any]) -> Spacing | None:
    scale = NM_PER.get(str(metadata.get("unit", "")).lower())
    if scale is None or "spacing" not in metadata or None in resolution:
        return None
    dy, dx = (tag.value[1] / tag.value[0] for tag in resolution if tag is not None)
    return float(metadata["spacing"]) * scale, dy * scale, dx * scale


def read_png(path: Path) -> GrainMap:
    """Read one plane of labels, of 8 or 16 bits."""
    with opened_image(path) as image:
        if image.mode not in PLAIN_MODES:
            raise InputError(
                "an image of labels must hold one number per pixel",
                where=str(path),
                found=f"colour mode {image.mode}",
                expected="grey values of 8 or 16 bits, or a palette",
                remedy="save the labels, not the picture of them",
            )
        check_shape((1, image.height, image.width), 2, str(path))
        values = np.asarray(image)
    return GrainMap(checked_labels(values[None], str(path)))


def read_npy_planes(path: Path) -> GrainMap:
    """Read an array that NumPy saved, of which two dimensions are one plane."""
    values = _saved_array(path)
    return GrainMap(checked_labels(values[None] if values.ndim == 2 else values, str(path)))


def read_npy(path: Path) -> GrainMap:
    """Read an array that NumPy saved."""
    return GrainMap(checked_labels(_saved_array(path), str(path)))


def _saved_array(path: Path) -> NDArray[Any]:
    """What NumPy saved, never a pickle."""
    with path.open("rb") as stream:
        values: NDArray[Any] = np.load(stream, allow_pickle=False)
        behind = len(stream.read())
    if behind:
        raise InputError(
            "the file holds more than its header says",
            where=str(path),
            found=f"{behind} bytes behind an array of shape {values.shape}",
            remedy="save it again",
        )
    return values


def read_zarr(path: Path) -> GrainMap:
    """Read the finest level of an OME-Zarr (0.4 or 0.5), or a plain zarr array."""
    import zarr

    node = zarr.open(str(path), mode="r")
    if isinstance(node, zarr.Array):
        return GrainMap(checked_labels(_whole(node, path), str(path)), notes=_unstored(node))
    attributes: dict[str, Any] = node.attrs.asdict()
    described = attributes.get("ome", attributes).get("multiscales")
    if not described:
        raise InputError(
            "the zarr group is no OME-Zarr", where=str(path), found="no multiscales",
            expected="an image of OME-Zarr 0.4 or 0.5, or an array",
        )  # fmt: skip
    level = described[0]["datasets"][0]
    array = cast("zarr.Array[Any]", node[level["path"]])
    scale = _scale(level, described[0])
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in described[0]["axes"]]
    names = [str(axis["name"]) for axis in axes]
    if names[-3:] != ["z", "y", "x"]:
        raise InputError(
            "the axes of the image are not z, y, x", where=str(path), found=", ".join(names)
        )
    units = [NM_PER.get(str(axis.get("unit", "")).lower()) for axis in axes[-3:]]
    spacing = None
    if scale is not None and None not in units:
        steps = [step * unit for step, unit in zip(scale[-3:], units, strict=True) if unit]
        spacing = (steps[0], steps[1], steps[2])
    return GrainMap(checked_labels(_whole(array, path), str(path)), spacing, notes=_unstored(array))


def _scale(*described: Mapping[str, Any]) -> list[float] | None:
    """Product of the scales of a level and of all levels."""
    scales = [
        transformation["scale"]
        for each in described
        for transformation in each.get("coordinateTransformations", ())
        if transformation.get("type") == "scale"
    ]
    if not scales:
        return None
    return [math.prod(steps) for steps in zip(*scales, strict=True)]


def _unstored(array: Any) -> tuple[str, ...]:
    """A note on chunks without a file: background is not stored, nor what a copy has lost."""
    stored, count = int(array.nchunks_initialized), int(array.nchunks)
    if stored >= count:
        return ()
    return (
        f"{count - stored} of {count} chunks are not stored and count as no grain: right where "
        "there is background only, wrong if a copy has lost them",
    )


def _whole(array: Any, path: Path) -> NDArray[Any]:
    """All values, after a look at what the metadata and the chunks declare."""
    for shape in (array.shape, array.chunks):
        check_shape(shape, array.dtype.itemsize, str(path))
    check_chunks(array, path)
    return np.asarray(array[...])
