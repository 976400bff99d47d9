"""Volumes as OME-Zarr 0.5, written with zarr alone."""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
import zarr
from kedro_datasets._typing import ImagePreview
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from electrode_grains.datasets.atomic import FileDataset
from electrode_grains.datasets.pyramid import FINEST, Level, write_pyramid
from electrode_grains.errors import InputError
from electrode_grains.volumes import AXES, as_volume

CHUNK = 64
REMEDY = "make it again: kedro run with the pipeline that makes it"
COMPLETE = "every_chunk_is_written"


class VolumeDataset(FileDataset[xr.DataArray, xr.DataArray | None]):
    """A volume on disk, which napari and other OME-Zarr viewers open with right proportions.

    Parameters
    ----------
    filepath : str
        Folder of the zarr group, by custom ending in `.ome.zarr`.
    optional : bool
        Whether a missing volume loads as None (ground truth exists for virtual
        particles only) instead of being an error.
    metadata : dict, optional
        For Kedro-Viz.
    """

    kind = "volume"

    def __init__(
        self, *, filepath: str, optional: bool = False, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._optional = optional

    def load(self) -> xr.DataArray | None:
        """Read the volume with its spacing and channel names; None if optional and missing."""
        if self._optional and not self._exists():
            return None
        return super().load()

    def _read(self, path: Path) -> xr.DataArray:
        return read_volume(path)

    def _write(self, data: xr.DataArray, *paths: Path) -> None:
        group = zarr.open_group(paths[0], mode="w", zarr_format=3)
        array = group.create_array(
            FINEST,
            shape=data.shape,
            dtype=data.dtype,
            chunks=tuple(
                1 if axis == "channel" else min(CHUNK, size)
                for axis, size in zip(data.dims, data.shape, strict=True)
            ),
            compressors=[
                BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.shuffle),
                Crc32cCodec(),
            ],
            # A chunk that is not there would read as zeros: so that a lost one shows, all exist.
            config={"write_empty_chunks": True},
            dimension_names=[str(axis) for axis in data.dims],
        )
        array[...] = data.to_numpy()
        channels = data["channel"].to_numpy() if "channel" in data.dims else None
        attributes = volume_attributes(
            str(data.name), data.attrs["spacing_nm"], channels, levels=write_pyramid(group)
        )
        group.attrs.update(attributes)

    def preview(self) -> ImagePreview:
        """Middle slice as a PNG for the side panel of Kedro-Viz."""
        volume = self.load()
        if volume is None:
            return ImagePreview("")
        slices = volume.to_numpy()
        return ImagePreview(
            _png_of(slices[..., slices.shape[-3] // 2, :, :].reshape(-1, *slices.shape[-2:])[0])
        )

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "optional": self._optional}


def volume_attributes(
    name: str,
    spacing_nm: Sequence[float],
    channels: Iterable[Any] | None = None,
    *,
    levels: Iterable[Level],
) -> dict[str, Any]:
    """Attributes of the zarr group of a volume whose chunks are all written.

    Parameters
    ----------
    name : str
    spacing_nm : sequence of 3 float
        (dz, dy, dx).
    channels : iterable of str, optional
        Names, of a volume (channel, z, y, x).
    levels : iterable of Level
        Of `write_pyramid`.
    """
    spacing = [float(step) for step in spacing_nm]
    axes: list[dict[str, str]] = [
        {"name": axis, "type": "space", "unit": "nanometer"} for axis in AXES
    ]
    front: list[float] = []  # of axes before z, y, x
    own: dict[str, Any] = {"name": name, "spacing_nm": spacing, COMPLETE: True}
    if channels is not None:
        axes.insert(0, {"name": "channel", "type": "channel"})
        front = [1.0]
        own["channels"] = [str(channel) for channel in channels]
    multiscale = {
        "name": name,
        "axes": axes,
        "datasets": [
            {"path": level.path, "coordinateTransformations": _placed(level, spacing, front)}
            for level in levels
        ],
    }
    return {"ome": {"version": "0.5", "multiscales": [multiscale]}, "electrode_grains": own}


def _placed(level: Level, spacing: Sequence[float], front: list[float]) -> list[dict[str, Any]]:
    """Where the voxels of a level lie, in nm: the finest without a translation, as before."""
    scale = [step * factor for step, factor in zip(spacing, level.factors, strict=True)]
    placed: list[dict[str, Any]] = [{"type": "scale", "scale": front + scale}]
    if any(level.offsets):
        shift = [step * offset for step, offset in zip(spacing, level.offsets, strict=True)]
        placed.append({"type": "translation", "translation": [0.0] * len(front) + shift})
    return placed


def read_volume(folder: Path) -> xr.DataArray:
    """Read a volume, having checked that it fits into memory and that no chunk is lost.

    Raises
    ------
    InputError
        If the folder is no such volume, is damaged, lacks chunks, or is too large.
    """
    try:
        group = zarr.open_group(folder, mode="r")
        array = cast("zarr.Array[Any]", group[FINEST])
        attributes = dict(cast("dict[str, Any]", group.attrs["electrode_grains"]))
        check_memory(math.prod(array.shape) * array.dtype.itemsize, str(folder))
        if attributes.get(COMPLETE) and array.nchunks_initialized < array.nchunks:
            raise InputError(
                "chunks of the volume are lost",
                where=str(folder),
                found=f"{array.nchunks_initialized} chunks",
                expected=f"{array.nchunks}",
                remedy=REMEDY,
            )
        return as_volume(
            cast("NDArray[Any]", array[...]),
            attributes["spacing_nm"],
            attributes["name"],
            channels=attributes.get("channels"),
        )
    # What zarr, its codecs and its metadata raise over damaged bytes has no common ancestor.
    except Exception as error:
        if isinstance(error, InputError) and error.where:
            raise
        raise InputError(
            "the volume is damaged",
            where=str(folder),
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            remedy=REMEDY,
        ) from error


def check_memory(declared_bytes: int, where: str) -> None:
    """Refuse a size that a file declares, and this machine cannot hold, before it is allocated.

    Raises
    ------
    InputError
        If the size is beyond the memory of the machine.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if not 0 <= declared_bytes <= memory:
        raise InputError(
            "the volume does not fit into memory",
            where=where,
            found=f"{declared_bytes / 2**30:.4g} GiB declared",
            expected=f"at most {memory / 2**30:.4g} GiB",
            remedy="look whether the file is damaged; else take a larger machine",
        )


def _png_of(plane: NDArray[Any]) -> str:
    """Encode a plane as base64 PNG: labels in scattered colours, the rest in grey."""
    from PIL import Image

    if np.issubdtype(plane.dtype, np.integer) and plane.max() > 3:
        scattered = plane.astype(np.uint64) * np.uint64(2654435761) % np.uint64(1 << 24)
        channels = [(scattered >> np.uint64(shift)) & np.uint64(255) for shift in (0, 8, 16)]
        pixels = np.stack(channels, axis=-1).astype(np.uint8) * (plane > 0)[..., None]
    else:
        values = np.nan_to_num(plane.astype(float), nan=np.nanmin(plane) if plane.size else 0.0)
        low, high = np.percentile(values, [1, 99])
        pixels = (np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()
