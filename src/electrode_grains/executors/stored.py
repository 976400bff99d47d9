"""Volumes on disk that workers read and write block by block."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from electrode_grains.blocks import BlockExecutor, divide
from electrode_grains.blocks.boxes import Box, Shape
from electrode_grains.errors import InputError

LARGEST_CHUNK, SMALLEST_CHUNK = 64, 16


@dataclass(frozen=True)
class StoredVolume:
    """A volume (z, y, x) in a zarr array, or a channel of one; the same for every process.

    Attributes
    ----------
    path : str
        Folder of the array.
    shape : (int, int, int)
    dtype : dtype
    channel : int, optional
        Of an array (channel, z, y, x).
    content : str
        Digest of what it holds, where that is known: results are kept under it.
    """

    path: str
    shape: Shape
    dtype: np.dtype[Any]
    channel: int | None = None
    content: str = ""

    @classmethod
    def open(cls, path: Path | str, channel: int | None = None) -> Self:
        """Find an array on disk.

        Raises
        ------
        InputError
            If there is none, or it is no volume.
        """
        place = str(Path(path).absolute())
        try:
            array = _array(place, "r")
        except Exception as error:  # those of zarr have no common ancestor
            raise InputError(
                "the volume cannot be opened",
                where=place,
                found=f"{type(error).__name__}: {error}".splitlines()[0],
                expected="a zarr array",
            ) from None
        if array.ndim != 3 + (channel is not None):
            raise InputError(
                "the array is no volume", where=place, found=f"shape {array.shape}",
                expected="(z, y, x)" if channel is None else "(channel, z, y, x)",
            )  # fmt: skip
        depth, height, width = array.shape[-3:]
        return cls(place, (depth, height, width), np.dtype(array.dtype), channel)

    def with_content(self, content: str) -> Self:
        """The same volume, known to hold something."""
        return replace(self, content=content)

    def __getitem__(self, box: Box) -> NDArray[Any]:
        array = _array(self.path, "r")
        values = array[box] if self.channel is None else array[(self.channel, *box)]
        return np.asarray(values)

    def __setitem__(self, box: Box, values: NDArray[Any]) -> None:
        # An array that is opened again would leave out chunks of zeros, which then count as lost.
        _array(self.path, "r+").with_config({"write_empty_chunks": True})[box] = values


def _array(path: str, mode: str) -> zarr.Array[Any]:
    return zarr.open_array(path, mode=cast("Any", mode))


def chunk_edge(block_edge: int) -> int:
    """Edge of chunks of which blocks hold whole ones, so that no two tasks write the same.

    Examples
    --------
    >>> chunk_edge(256), chunk_edge(100), chunk_edge(31), chunk_edge(127)
    (64, 50, 31, 127)
    """
    if block_edge <= LARGEST_CHUNK:
        return block_edge
    fitting = (e for e in range(LARGEST_CHUNK, SMALLEST_CHUNK - 1, -1) if block_edge % e == 0)
    return next(fitting, block_edge)


def create_stored(
    path: Path | str, shape: Shape, dtype: DTypeLike, block_edge: int, *, anew: bool = False
) -> StoredVolume:
    """Make an empty volume for blocks of an edge; one of the same kind that is there stays.

    Parameters
    ----------
    path : Path
        Folder of the array.
    shape : (int, int, int)
    dtype : data-type
    block_edge : int
        Of the blocks that will be written at once.
    anew : bool
        Whether to empty what is there.
    """
    place, edge = Path(path).absolute(), chunk_edge(block_edge)
    chunks = tuple(max(1, min(edge, size)) for size in shape)
    if not anew and place.exists():
        try:
            array = _array(str(place), "r")
        except Exception:  # damaged, or another thing: made again below
            array = None
        if array is not None and (array.shape, array.dtype, array.chunks) == (shape, dtype, chunks):
            return StoredVolume.open(place)
    zarr.create_array(
        str(place), shape=shape, dtype=np.dtype(dtype), chunks=chunks, overwrite=True,
        dimension_names=["z", "y", "x"],
        compressors=[
            BloscCodec(cname="zstd", clevel=1, shuffle=BloscShuffle.shuffle), Crc32cCodec(),
        ],
        config={"write_empty_chunks": True},  # so that a lost chunk shows
    )  # fmt: skip
    return StoredVolume.open(place)


def digest_stored(volume: StoredVolume, executor: BlockExecutor, block_edge: int) -> StoredVolume:
    """The volume with the digest of its content, which takes one reading of all."""
    boxes = divide(volume.shape, block_edge)
    digests = executor.map(digest_block, [(volume, box) for box in boxes])
    return volume.with_content(hashlib.sha256("".join(digests).encode()).hexdigest())


def digest_block(volume: StoredVolume, box: Box) -> str:
    """SHA-256 of the bytes of a block."""
    return hashlib.sha256(np.ascontiguousarray(volume[box]).tobytes()).hexdigest()
