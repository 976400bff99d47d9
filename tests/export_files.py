"""What other programs read from exported files."""

import base64
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np


def vtk_array(file, name):
    """Read an array of a VTK XML file as its specification says."""
    kinds = {"Int32": "<i4", "Int64": "<i8", "UInt8": "u1", "Float32": "<f4", "Float64": "<f8"}
    (found,) = [e for e in ElementTree.parse(file).iter("DataArray") if e.get("Name") == name]
    text = found.text
    (blocks,) = struct.unpack("<Q", base64.b64decode(text[:12])[:8])
    size = 8 * (3 + blocks)
    characters = 4 * -(-size // 3)
    header = np.frombuffer(base64.b64decode(text[:characters]), "<u8")
    body, start, raw = base64.b64decode(text[characters:]), 0, b""
    for length in header[3:].astype(int):
        raw += zlib.decompress(body[start : start + length])
        start += length
    values = np.frombuffer(raw, kinds[found.get("type")])
    components = int(found.get("NumberOfComponents"))
    return values if components == 1 else values.reshape(-1, components)


def volume_of(vertices, faces):
    corners = vertices[faces]
    return np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
