"""Grain maps of VTK: images (`.vti`) with labels as cell data."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import numpy as np
from numpy.typing import NDArray

from electrode_grains.ebsd.orientations import quaternions_from_euler
from electrode_grains.errors import InputError
from electrode_grains.grain_maps.grain_map import GrainMap, check_shape, checked_labels
from electrode_grains.grain_maps.headers import inflated

TYPES = {
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4",
    "Int64": "i8", "UInt64": "u8", "Float32": "f4", "Float64": "f8",
}  # fmt: skip
LABELS = ("GrainLabel", "FeatureIds", "labels", "label", "GrainId")
ANGLES = "EulerAngles"


def read_vti(path: Path) -> GrainMap:
    """Read labels, and Euler angles (radians) where there are any; lengths are taken as nm.

    Raises
    ------
    InputError
        If the file holds no labels for its cells.
    """
    content = path.read_bytes()
    head, appended, raw = content, b"", True
    if match := re.search(rb"<AppendedData[^>]*>\s*_", content):
        head = content[: match.start()] + b"</VTKFile>"
        appended = content[match.end() :]
        if b'encoding="base64"' in match.group():
            appended, raw = appended.partition(b"<")[0], False
    root = fromstring(head)  # expat resolves no external entity, and bounds internal ones
    image = root.find("ImageData")
    if image is None or root.get("type") != "ImageData":
        raise InputError("the file is no VTK image", where=str(path), found=root.get("type"))
    extent = [int(part) for part in image.attrib["WholeExtent"].split()]
    points = image.find("Piece/PointData")
    cells = image.find("Piece/CellData")
    arrays = {each.get("Name", ""): each for each in (cells if cells is not None else ())}
    sizes = [last - first for first, last in zip(extent[::2], extent[1::2], strict=True)]
    if not any(name in arrays for name in LABELS) and points is not None:
        arrays = {each.get("Name", ""): each for each in points}
        sizes = [size + 1 for size in sizes]
    name = next((name for name in LABELS if name in arrays), None)
    if name is None:
        integers = [key for key, each in arrays.items() if "Int" in each.get("type", "")]
        name = integers[0] if len(integers) == 1 else None
    if name is None:
        raise InputError(
            "the image holds no labels",
            where=str(path),
            found=", ".join(arrays) or "no array",
            expected=" or ".join(LABELS),
        )
    shape = (sizes[2], sizes[1], sizes[0])
    check_shape(shape, 0, str(path))
    reader = _Reader(root, appended, raw)
    labels = checked_labels(reader.values(arrays[name], shape), str(path))
    orientations = None
    if ANGLES in arrays:
        angles = reader.values(arrays[ANGLES], (*shape, 3)).astype(np.float64)
        orientations = np.moveaxis(quaternions_from_euler(angles), -1, 0).astype(np.float32)
    dx, dy, dz = (float(part) for part in image.attrib["Spacing"].split())
    notes = ("the voxel size of a .vti has no unit: it is taken as nm",)
    return GrainMap(labels, (dz, dy, dx), orientations, notes=notes)


class _Reader:
    """Decodes arrays as the head of a file says: byte order, header type, compressor."""

    def __init__(self, root: Element, appended: bytes, raw: bool) -> None:
        self._order = ">" if root.get("byte_order") == "BigEndian" else "<"
        self._head = self._order + TYPES[root.get("header_type", "UInt32")]
        self._compressed = root.get("compressor") is not None
        if self._compressed and root.get("compressor") != "vtkZLibDataCompressor":
            raise InputError(
                "unknown compressor", found=root.get("compressor"), remedy="save it with ZLib"
            )
        self._appended = appended
        self._raw = raw

    def values(self, array: Element, shape: tuple[int, ...]) -> NDArray[Any]:
        """Values of an array in this shape."""
        kind = self._order + TYPES[array.attrib["type"]]
        wanted = math.prod(shape)
        if array.get("format") == "ascii":
            return np.array((array.text or "").split(), kind).reshape(shape)
        if array.get("format") == "appended":
            data = self._appended[int(array.get("offset", "0")) :]
            raw = self._raw
        else:
            data, raw = (array.text or "").strip().encode("ascii"), False
        content = self._unpack(data, raw, wanted * np.dtype(kind).itemsize)
        return np.frombuffer(content, kind, wanted).reshape(shape)

    def _unpack(self, data: bytes, raw: bool, wanted: int) -> bytes:
        size = np.dtype(self._head).itemsize
        if not self._compressed:
            content = data if raw else base64.b64decode(data[: -(-(wanted + size) // 3) * 4])
            declared = int(np.frombuffer(content, self._head, 1)[0])
            _check_size(declared, wanted)
            return content[size : size + wanted]
        first = self._decode(data, raw, 3 * size)
        blocks = int(np.frombuffer(first, self._head, 3)[0])
        length = (3 + blocks) * size
        head = np.frombuffer(self._decode(data, raw, length), self._head, 3 + blocks)
        start = length if raw else -(-length // 3) * 4
        total = int(head[3:].sum())
        _check_size(max(blocks - bool(head[2]), 0) * int(head[1]) + int(head[2]), wanted)
        body = data[start : start + total] if raw else self._decode(data[start:], raw, total)
        whole, place = b"", 0
        for packed in head[3:].tolist():
            whole += inflated(body[place : place + packed], max(wanted - len(whole), 0))
            place += packed
        _check_size(len(whole), wanted)
        return whole

    @staticmethod
    def _decode(data: bytes, raw: bool, count: int) -> bytes:
        return data[:count] if raw else base64.b64decode(data[: -(-count // 3) * 4])[:count]


def _check_size(declared: int, wanted: int) -> None:
    """Refuse values of another number than the cells of the image."""
    if declared != wanted:
        raise InputError(
            "an array has another size than the image",
            found=f"{declared} bytes",
            expected=f"{wanted} bytes",
            remedy="save it again; it may have been cut short",
        )
