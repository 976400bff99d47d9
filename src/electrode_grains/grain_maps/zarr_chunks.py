"""Stored chunks of a zarr array: what they unpack to is counted before zarr unpacks them."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from electrode_grains.errors import InputError

MOST_CHUNKS = 10**6  # zarr makes an object for each; a cube of 6,400 voxels has so many of 64
PIECE = 1 << 20  # bytes unpacked at once, to be counted
STREAMED = {"zstd": "zstd", "gzip": "gzip", "zlib": "gzip"}  # as pyarrow calls them
SIZED = {"blosc": 4, "lz4": 0}  # where the head of a chunk says its unpacked size, 32 bits
HARMLESS = ("crc32", "crc32c", "adler32", "fletcher32", "delta", "shuffle", "transpose", "bytes")
UNPACKED = "none"
CHECKSUM = 64  # bytes that checksums add to a chunk


def check_chunks(array: Any, path: Path) -> None:
    """Refuse chunks that hold more than the array declares, whatever their compression.

    A file of some hundred bytes can unpack to gigabytes, which zarr would do before it looks at
    the size.

    Parameters
    ----------
    array : zarr.Array
        Of format 2 or 3, sharded or not.
    path : Path
        Folder of the store.

    Raises
    ------
    InputError
        If there are too many chunks, one is no plain file or unpacks to more than it should, or
        the compression is unknown, so that nobody can tell.
    """
    count = math.prod(-(-n // c) for n, c in zip(array.shape, array.chunks, strict=True))
    if count > MOST_CHUNKS:
        raise InputError(
            "the array has too many chunks",
            where=str(path),
            found=f"{count:,} of {array.chunks} voxels",
            expected=f"at most {MOST_CHUNKS:,}",
            remedy="save it in chunks of 64 x 64 x 64 voxels or more",
        )
    codec, behind, index = _packing(array, path)
    wanted = math.prod(array.chunks) * array.dtype.itemsize + CHECKSUM
    for file in _files(array, path):
        for packed in _inner_chunks(file, array, index):
            if _unpacked_size(packed[: len(packed) - behind], codec, wanted) > wanted:
                raise InputError(
                    "a chunk holds more than the array declares",
                    where=str(file),
                    found=f"{len(packed):,} bytes that unpack to more than {wanted:,}",
                    expected=f"{array.chunks} voxels of type {array.dtype}",
                    remedy="save it again",
                )


def _packing(array: Any, path: Path) -> tuple[str, int, dict[str, Any] | None]:
    """What packs a chunk, the bytes of a checksum behind that, and how shards keep their index."""
    index = None
    if array.metadata.zarr_format == 2:
        names = [str(codec.codec_id) for codec in (*(array.filters or ()), *array.compressors)]
    else:
        described = [codec.to_dict() for codec in array.metadata.codecs]
        if array.shards is not None:
            index = described[-1]["configuration"]
            packed = [each for each in index["index_codecs"] if each["name"] in STREAMED]
            described = [*described[:-1], *packed, *index["codecs"]]
        names = [str(each["name"]).removeprefix("numcodecs.") for each in described]
    packing = [name for name in names if name not in HARMLESS] or [UNPACKED]
    if len(packing) > 1 or packing[0] not in {UNPACKED, *STREAMED, *SIZED}:
        raise InputError(
            "unknown compression of the chunks",
            where=str(path),
            found=" and ".join(packing),
            expected=", ".join((UNPACKED, *STREAMED, *SIZED)),
            remedy="save it with one of these",
        )
    return packing[0], 4 if names[-1:] == ["crc32c"] else 0, index


def _files(array: Any, path: Path) -> Iterator[Path]:
    """Files of the chunks, or shards, that are stored."""
    sizes = array.shards or array.chunks
    counts = [-(-n // size) for n, size in zip(array.shape, sizes, strict=True)]
    for place in itertools.product(*map(range, counts)):
        file = path / array.path / array.metadata.encode_chunk_key(place)
        if file.is_file():
            yield file
        elif file.exists():
            raise InputError("a chunk is no file", where=str(file), remedy="save it again")


def _inner_chunks(file: Path, array: Any, index: dict[str, Any] | None) -> Iterator[bytes]:
    """Packed bytes of a chunk, or of all chunks of a shard."""
    content = file.read_bytes()
    if index is None:
        yield content
        return
    count = math.prod(s // c for s, c in zip(array.shards, array.chunks, strict=True))
    checksum = 4 * sum(each["name"] == "crc32c" for each in index["index_codecs"])
    at_end = index.get("index_location", "end") == "end"
    start = len(content) - 16 * count - checksum if at_end else 0
    if start < 0 or len(content) < 16 * count:
        raise InputError("a shard has been cut short", where=str(file), remedy="save it again")
    for offset, size in struct.iter_unpack("<QQ", content[start : start + 16 * count]):
        if offset < len(content):  # 2^64 - 1 where a chunk is not stored
            yield content[offset : offset + size]


def _unpacked_size(packed: bytes, name: str, most: int) -> int:
    """Bytes of a chunk when unpacked, counted up to a limit."""
    import pyarrow

    if name in SIZED:
        return int.from_bytes(packed[SIZED[name] : SIZED[name] + 4], "little")
    if name == UNPACKED:
        return len(packed)
    count = 0
    with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), STREAMED[name]) as stream:
        while count <= most and (piece := stream.read(PIECE)):
            count += len(piece)
    return count
