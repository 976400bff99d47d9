"""Volumes of several channels that are written block by block, and what stands beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from electrode_grains.blocks import BlockExecutor, write_blocks
from electrode_grains.blocks.boxes import Box, Shape
from electrode_grains.datasets.pyramid import FINEST, write_pyramid
from electrode_grains.datasets.volume import volume_attributes
from electrode_grains.errors import InputError
from electrode_grains.executors import KeepingExecutor, StoredVolume, digest_stored
from electrode_grains.executors.stored import chunk_edge
from electrode_grains.runs.sources import BESIDE, ProjectCode
from electrode_grains.volumes import AXES, Spacing

LIBRARIES = ("numpy", "scipy", "numba")
KEPT, SCRATCH = "kept", "scratch"
SOURCES = (".py", *BESIDE)

Volume = TypeVar("Volume", bound=StoredVolume)


@dataclass(frozen=True)
class StoredChannels(StoredVolume):
    """All channels of a stored volume at once; its shape is that of one."""

    @classmethod
    def open(cls, path: Path | str, channel: int | None = None) -> Self:
        """Find an array (channel, z, y, x) on disk; refused as by `StoredVolume`."""
        first = StoredVolume.open(path, channel=channel or 0)
        return cls(first.path, first.shape, first.dtype)

    def __getitem__(self, box: Box) -> NDArray[Any]:
        return np.asarray(zarr.open_array(self.path, mode="r")[(slice(None), *box)])

    def __setitem__(self, box: Box, values: NDArray[Any]) -> None:
        array = zarr.open_array(self.path, mode="r+")
        # An array that is opened again would leave out chunks of zeros, which then count as lost.
        array.with_config({"write_empty_chunks": True})[(slice(None), *box)] = values

    def one(self, channel: int) -> StoredVolume:
        """A channel, whose content is known where that of all is."""
        return StoredVolume(self.path, self.shape, self.dtype, channel, self.content)

    def each(self, count: int) -> list[StoredVolume]:
        """The first channels."""
        return [self.one(channel) for channel in range(count)]


@dataclass(frozen=True)
class MeasuredVoxels(StoredVolume):
    """Where a stored volume has a value."""

    @classmethod
    def of(cls, volume: StoredVolume) -> Self:
        """Of a volume whose content is known, or not."""
        return cls(volume.path, volume.shape, np.dtype(bool), volume.channel, volume.content)

    def __getitem__(self, box: Box) -> NDArray[Any]:
        measured: NDArray[np.bool_] = np.isfinite(super().__getitem__(box))
        return measured


@dataclass(frozen=True)
class Described:
    """What stands beside a volume of the pipeline.

    Attributes
    ----------
    channels : tuple of str
        Empty for a volume (z, y, x).
    spacing : (float, float, float)
        In nm.
    """

    channels: tuple[str, ...]
    spacing: Spacing

    @classmethod
    def of(cls, path: Path, problem: str, expected: str) -> Self:
        """Of an OME-Zarr volume of the pipeline.

        Raises
        ------
        InputError
            With the problem and what is expected, if there is none.
        """
        try:
            own = cast("dict[str, Any]", zarr.open_group(path, mode="r").attrs["electrode_grains"])
            dz, dy, dx = (float(step) for step in own["spacing_nm"])
            return cls(tuple(own.get("channels") or ()), (dz, dy, dx))
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise InputError(
                problem, where=str(path), found=f"{type(error).__name__}: {error}".splitlines()[0],
                expected=expected,
            ) from None  # fmt: skip


def keeping(
    executor: BlockExecutor, folder: Path, libraries: Sequence[str] = LIBRARIES
) -> KeepingExecutor:
    """Executor that keeps results of this version of the package in a folder of results.

    All of the package counts: which modules a task reaches takes longer to find than small blocks.
    """
    return KeepingExecutor(executor, folder / KEPT, code_version(libraries))


def code_version(libraries: Sequence[str] = LIBRARIES) -> str:
    """Text that differs between versions of the package and of libraries."""
    code, total = ProjectCode.of("electrode_grains", libraries), hashlib.sha256()
    for file in sorted(each for each in code.root.rglob("*") if each.suffix in SOURCES):
        total.update(file.relative_to(code.root).as_posix().encode() + b"\0")
        total.update(file.read_bytes())
    return total.hexdigest() + json.dumps(code.library_versions(), sort_keys=True)


def begin_volume(path: Path) -> zarr.Group:
    """Group that is no volume until `finish_volume`, when every block is written."""
    group = zarr.open_group(path, mode="a", zarr_format=3)
    group.attrs.clear()
    return group


def finish_volume(
    group: zarr.Group, name: str, spacing: Spacing, channels: Sequence[str] | None = None
) -> None:
    """Add coarser levels, and tell what the volume is."""
    group.attrs.update(volume_attributes(name, spacing, channels, levels=write_pyramid(group)))


def write_volume(
    executor: BlockExecutor,
    path: Path,
    shape: Shape,
    dtype: DTypeLike,
    block: Shape,
    spacing: Spacing,
    function: Callable[..., NDArray[Any]],
    tasks: Sequence[tuple[Box, tuple[Any, ...]]],
    *,
    channels: Sequence[str] = (),
    chunks: Shape | None = None,
) -> str:
    """Write a whole volume block by block; SHA-256 of the digests of its blocks.

    Parameters
    ----------
    executor : BlockExecutor
    path : Path
        Ends with `.ome.zarr`; no volume until every block is written.
    shape, dtype, block, chunks
        As for `create_volume`.
    spacing : (float, float, float)
        In nm.
    function : callable
        Gives the values of a block.
    tasks : sequence of (box, arguments)
        As `write_blocks` takes them.
    channels : sequence of str
        Empty for a volume (z, y, x).
    """
    group = begin_volume(path)
    target = create_volume(path / FINEST, shape, dtype, block, len(channels), chunks)
    digest = write_blocks(executor, target, function, tasks)
    finish_volume(group, path.name.removesuffix(".ome.zarr"), spacing, channels or None)
    return digest


def create_volume(
    path: Path,
    shape: Shape,
    dtype: DTypeLike,
    block: Shape,
    n_channels: int,
    chunks: Shape | None = None,
) -> StoredVolume:
    """Make an empty volume for blocks of a shape; one of the same kind that is there stays.

    Parameters
    ----------
    path : Path
        Folder of the array.
    shape : (int, int, int)
    dtype : data-type
    block : (int, int, int)
        Voxels that will be written at once, of all channels.
    n_channels : int
        0 for a volume (z, y, x).
    chunks : (int, int, int), optional
        Voxels in a chunk, of which blocks must hold whole ones; by default those that fit best.
    """
    front = (n_channels,) if n_channels else ()
    sides = zip(chunks or map(chunk_edge, block), shape, strict=True)
    chunked = (*(1 for _ in front), *(min(edge, size) for edge, size in sides))
    names = ["channel", *AXES] if front else list(AXES)
    try:
        array = zarr.open_array(path, mode="r")
        kind = (array.shape, array.dtype, array.chunks)
        is_same = kind == ((*front, *shape), np.dtype(dtype), chunked)
    except Exception:  # none, a damaged one, or another thing
        is_same = False
    if not is_same:
        zarr.create_array(
            str(path), shape=(*front, *shape), dtype=np.dtype(dtype), chunks=chunked,
            overwrite=True, dimension_names=names,
            compressors=[
                BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.shuffle), Crc32cCodec(),
            ],
            config={"write_empty_chunks": True},  # so that a lost chunk shows
        )  # fmt: skip
    return StoredChannels.open(path) if front else StoredVolume.open(path)


def open_volume(path: Path, what: str) -> tuple[StoredVolume, Described]:
    """A volume (z, y, x) of the pipeline, and what stands beside it.

    Raises
    ------
    InputError
        If there is none, or it has channels.
    """
    described = _described(path, what, "a volume (z, y, x) without channels")
    if described.channels:
        raise _other(path, what, described, "a volume (z, y, x) without channels")
    return StoredVolume.open(path.absolute() / FINEST), described


def open_channels(
    path: Path, what: str, channels: Sequence[str] = ()
) -> tuple[StoredChannels, Described]:
    """A volume (channel, z, y, x) of the pipeline, and what stands beside it.

    Parameters
    ----------
    path : Path
    what : str
        It must hold, for what is told.
    channels : sequence of str, optional
        It must have, in their order; any by default.

    Raises
    ------
    InputError
        If there is none, or it has others.
    """
    expected = ", ".join(channels) or "channels"
    described = _described(path, what, expected)
    if not described.channels or (channels and described.channels != tuple(channels)):
        raise _other(path, what, described, expected)
    return StoredChannels.open(path.absolute() / FINEST), described


def check_shape(path: Path, found: Shape, expected: Shape) -> None:
    """Refuse a volume of another shape.

    Raises
    ------
    InputError
        Naming it.
    """
    if found != expected:
        raise InputError(
            "two volumes do not fit each other", where=str(path), found=f"shape {found}",
            expected=f"shape {expected}",
        )  # fmt: skip


def _described(path: Path, what: str, expected: str) -> Described:
    return Described.of(path, f"this is no volume of {what}", f"an OME-Zarr volume of {expected}")


def _other(path: Path, what: str, described: Described, expected: str) -> InputError:
    found = ", ".join(described.channels) or "a volume (z, y, x) without channels"
    return InputError(
        f"this is no volume of {what}", where=str(path), found=found, expected=expected
    )


def digested(volume: Volume, executor: BlockExecutor, block_edge: int) -> Volume:
    """The same volume with the digest of its content, which takes one reading of all."""
    return volume.with_content(digest_stored(volume, executor, block_edge).content)


__all__ = [
    "FINEST",
    "KEPT",
    "LIBRARIES",
    "SCRATCH",
    "Described",
    "MeasuredVoxels",
    "StoredChannels",
    "begin_volume",
    "check_shape",
    "code_version",
    "create_volume",
    "digested",
    "finish_volume",
    "keeping",
    "open_channels",
    "open_volume",
    "write_volume",
]
