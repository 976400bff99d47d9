"""Grain maps with a header of text and the voxels behind it: NRRD and MetaImage."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from electrode_grains.errors import InputError
from electrode_grains.grain_maps.arrays import NM_PER
from electrode_grains.grain_maps.grain_map import GrainMap, Spacing, check_shape, checked_labels

LONGEST_HEADER = 1 << 16
META_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i8", "MET_ULONG": "u8", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}


def read_nrrd(path: Path) -> GrainMap:
    """Read an NRRD with its voxels in the same file; the voxel size where it names a unit."""
    content = path.read_bytes()
    head, _, body = content.partition(b"\n\n")
    lines = head.decode("ascii", "replace").splitlines()
    if not lines or not lines[0].startswith("NRRD"):
        raise _refusal(path, "the file is no NRRD", lines[0][:20] if lines else "nothing")
    fields = dict(_pair(line, ":") for line in lines[1:] if not line.startswith("#"))
    if "data file" in fields or "datafile" in fields:
        raise _refusal(path, "the voxels are in another file", "data file", "save it as one .nrrd")
    encoding = fields.get("encoding", "")
    packed: dict[str, Literal["raw", "gzip"]] = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
    if encoding not in packed:
        raise _refusal(path, "unknown encoding", encoding, "save it with encoding raw or gzip")
    kind = NRRD_TYPES.get(fields["type"])
    order = _byte_order(path, kind, fields.get("endian"), {"little": "<", "big": ">"}, "endian")
    sizes = fields["sizes"].split()
    if int(fields["dimension"]) != len(sizes):
        raise _refusal(
            path, "the header contradicts itself", f"{len(sizes)} sizes, another dimension"
        )
    values = _voxels(path, body, kind, order, sizes, packed[encoding])
    return GrainMap(checked_labels(values, str(path)), _nrrd_spacing(fields))


def _nrrd_spacing(fields: dict[str, str]) -> Spacing | None:
    units = [unit.strip('"').lower() for unit in fields.get("space units", "").split()]
    units = units or [unit.strip('"').lower() for unit in fields.get("units", "").split()]
    if "space directions" in fields:
        vectors = [
            [float(part) for part in vector.strip("()").split(",")]
            for vector in fields["space directions"].split()
            if vector != "none"
        ]
        steps = [math.hypot(*vector) for vector in vectors]
    else:
        steps = [float(step) for step in fields.get("spacings", "").split()]
    scales = [NM_PER.get(unit) for unit in units[-3:]]
    if len(steps) < 3 or len(scales) < 3 or None in scales:
        return None
    dx, dy, dz = (step * scale for step, scale in zip(steps[-3:], scales, strict=True) if scale)
    return dz, dy, dx


def read_meta_image(path: Path) -> GrainMap:
    """Read a MetaImage with its voxels in the same file; it names no unit of length."""
    content = path.read_bytes()
    fields: dict[str, str] = {}
    place = 0
    while place < min(len(content), LONGEST_HEADER):
        end = content.index(b"\n", place)
        name, value = _pair(content[place:end].decode("ascii", "replace"), "=")
        fields[name] = value
        place = end + 1
        if name == "elementdatafile":
            break
    if fields.get("elementdatafile") != "LOCAL":
        found = fields.get("elementdatafile", "no ElementDataFile")
        raise _refusal(path, "the voxels are in another file", found, "save it as one .mha")
    if int(fields.get("elementnumberofchannels", "1")) != 1:
        raise _refusal(path, "a voxel has several values", fields["elementnumberofchannels"])
    orders = {fields[name].lower() for name in
              ("binarydatabyteordermsb", "elementbyteordermsb") if name in fields}  # fmt: skip
    if int(fields.get("ndims", "3")) != len(fields["dimsize"].split()):
        raise _refusal(
            path, "the header contradicts itself", f"DimSize {fields['dimsize']}, another NDims"
        )
    kind = META_TYPES.get(fields["elementtype"])
    word = " and ".join(sorted(orders)) or None
    words = {"false": "<", "true": ">"}
    order = _byte_order(path, kind, word, words, "BinaryDataByteOrderMSB")
    compressed = fields.get("compresseddata", "false").lower()
    if compressed not in ("true", "false") or fields.get("binarydata", "true").lower() != "true":
        found = f"CompressedData {compressed}, BinaryData {fields.get('binarydata', 'True')}"
        raise _refusal(path, "unknown form of the voxels", found, "save them in binary form")
    packed: Literal["raw", "zlib"] = "zlib" if compressed == "true" else "raw"
    size = fields.get("compresseddatasize")
    if packed == "zlib" and size is not None and int(size) != len(content) - place:
        raise _refusal(
            path,
            "the file is cut short, or longer",
            f"{len(content) - place} bytes, {size} declared",
        )
    values = _voxels(
        path,
        content[place:],
        kind,
        order,
        fields["dimsize"].split(),
        packed,
    )
    return GrainMap(checked_labels(values, str(path)))


def _byte_order(
    path: Path, kind: str | None, word: str | None, orders: Mapping[str, str], field: str
) -> str:
    """Sign of the byte order, which a header names wherever a voxel has several bytes."""
    if word in orders:
        return orders[str(word)]
    if word is None and kind is not None and kind.endswith("1"):
        return "<"
    raise _refusal(
        path,
        "the byte order of the voxels is unknown",
        f"{field} {word or 'missing'}",
        f"save it again, or add the line {field} with {' or '.join(orders)}",
    )


def _pair(line: str, sign: str) -> tuple[str, str]:
    name, _, value = line.partition(sign)
    return name.strip().lower(), value.lstrip("=").strip()


def _voxels(
    path: Path,
    body: bytes,
    kind: str | None,
    order: str,
    sizes: list[str],
    packed: Literal["raw", "gzip", "zlib"],
) -> NDArray[Any]:
    """Voxels (z, y, x) of a file that counts x fastest; never more than its header declares."""
    if kind is None:
        raise _refusal(path, "the type of the voxels is unknown", "another type")
    shape = tuple(int(size) for size in reversed(sizes))
    if min(shape, default=0) < 1:
        raise _refusal(path, "the size of the volume is impossible", " ".join(sizes)[:60])
    check_shape(shape, int(kind[1:]), str(path))
    wanted = math.prod(shape) * int(kind[1:])
    if packed != "raw":
        body = inflated(body, wanted, 31 if packed == "gzip" else 15)
    if len(body) != wanted:
        raise _refusal(
            path,
            "the file is cut short" if len(body) < wanted else "the file holds more voxels",
            f"{len(body)} bytes of voxels, {wanted} declared",
        )
    return np.frombuffer(body, order + kind, math.prod(shape)).reshape(shape)


def inflated(packed: bytes, wanted: int, window: int = 15) -> bytes:
    """Unpack deflated bytes: a byte more than wanted at most, to the checksum at their end.

    Parameters
    ----------
    packed : bytes
    wanted : int
        Bytes expected; a bomb ends beyond them.
    window : int
        As `zlib.decompressobj` takes it: 15 for zlib, 31 for gzip.

    Raises
    ------
    zlib.error
        If the bytes are damaged.
    """
    stream = zlib.decompressobj(window)
    content = stream.decompress(packed, wanted + 1)
    while not stream.eof and len(content) <= wanted and stream.unconsumed_tail:
        content += stream.decompress(stream.unconsumed_tail, wanted + 1 - len(content))
    if not stream.eof and len(content) == wanted:
        raise zlib.error("the end of the stream is missing")
    return content


def _refusal(path: Path, message: str, found: str, remedy: str = "export it again") -> InputError:
    return InputError(message, where=str(path), found=found, remedy=remedy)
