"""Files of VTK's XML formats, whose arrays are compressed and written block by block."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import DTypeLike, NDArray

from electrode_grains.errors import InputError

BLOCK = 1 << 20  # bytes
TYPES = {
    "i1": "Int8", "u1": "UInt8", "i4": "Int32", "u4": "UInt32", "i8": "Int64", "f4": "Float32",
    "f8": "Float64",
}  # fmt: skip


@dataclass(frozen=True)
class Computed:
    """An array that is never there as a whole.

    Attributes
    ----------
    length : int
    dtype : dtype
    entries : callable
        Gives the entries from a first to before a last one.
    """

    length: int
    dtype: np.dtype[Any]
    entries: Callable[[int, int], NDArray[Any]]

    def __len__(self) -> int:
        """Count the entries."""
        return self.length

    def __getitem__(self, part: slice) -> NDArray[Any]:
        """Make some entries."""
        first, last, _ = part.indices(self.length)
        return self.entries(first, last)


@dataclass(frozen=True)
class Column:
    """An array of a file; only a block of it is ever there in the form of the file.

    Attributes
    ----------
    values : ndarray, shape (n,) or (n, k), or Computed
    table : ndarray, optional
        What is written are its entries, of which `values` are the numbers.
    dtype : dtype, optional
        Type in the file; by default that of the values.
    """

    values: NDArray[Any] | Computed
    table: NDArray[Any] | None = None
    dtype: DTypeLike | None = None

    @property
    def kind(self) -> np.dtype[Any]:
        """Type in the file, little-endian."""
        source = self.values if self.table is None else self.table
        wanted = np.dtype(self.dtype or source.dtype)
        if wanted.str[1:] not in TYPES:  # uint16, uint64: no reader should have to guess
            wanted = np.dtype(np.int64)
        return wanted.newbyteorder("<")

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Pieces of about `BLOCK` bytes, all but the last of one size."""
        for start in range(0, len(self.values), self.block_length):
            part = self.values[start : start + self.block_length]
            if self.table is not None:
                part = self.table[part]
            yield np.ascontiguousarray(part, self.kind)

    @property
    def components(self) -> int:
        """Numbers in each entry."""
        if isinstance(self.values, Computed) or self.values.ndim == 1:
            return 1
        return int(self.values.shape[1])

    @property
    def block_length(self) -> int:
        """Entries of a block."""
        return BLOCK // (self.components * self.kind.itemsize)

    def check(self) -> None:
        """Refuse what a signed integer cannot hold."""
        held = self.values if self.table is None else self.table
        if not isinstance(held, Computed) and held.dtype == np.uint64 and held.size:
            greatest = int(held.max())
            if greatest >= 2**63:
                raise InputError(
                    "a label is too great for VTK",
                    found=str(greatest),
                    expected=f"less than {2**63}",
                    remedy="renumber the grains",
                )


Arrays = Mapping[str, "NDArray[Any] | Column"]
Piece = str | tuple[str, Column]


def section(name: str, arrays: Arrays, active: str | None = None) -> list[Piece]:
    """Element with arrays, as pieces of a file."""
    chosen = f" Scalars={quoteattr(active)}" if active else ""
    pieces: list[Piece] = [f"<{name}{chosen}>"]
    for called, values in arrays.items():
        pieces.append((called, values if isinstance(values, Column) else Column(values)))
    return [*pieces, f"</{name}>"]


def write_file(path: Path, kind: str, pieces: Iterable[Piece]) -> None:
    """Write texts and arrays as a file of one kind."""
    with path.open("wb") as file:
        _write_text(
            file,
            f'<?xml version="1.0"?>\n<VTKFile type="{kind}" version="1.0" '
            'byte_order="LittleEndian" header_type="UInt64" compressor="vtkZLibDataCompressor">\n',
        )
        for piece in pieces:
            if isinstance(piece, str):
                _write_text(file, piece)
            else:
                _write_array(file, *piece)
        file.write(b"\n</VTKFile>\n")


def _write_text(file: BinaryIO, text: str) -> None:
    file.write(text.encode("ascii", "xmlcharrefreplace"))


def _write_array(file: BinaryIO, name: str, column: Column) -> None:
    """Write an array in base64: lengths of its compressed blocks, then these."""
    column.check()
    _write_text(
        file,
        f'<DataArray type="{TYPES[column.kind.str[1:]]}" Name={quoteattr(name)} '
        f'NumberOfComponents="{column.components}" format="binary">',
    )
    length = column.block_length
    count, entry = -(-len(column.values) // length), column.components * column.kind.itemsize
    header = [count, length * entry, len(column.values) % length * entry]
    place, sizes, rest = file.tell(), [], b""
    file.write(_header([*header, *[0] * count]))  # lengths are known at the end
    for block in column.blocks():
        packed = zlib.compress(block.tobytes())
        sizes.append(len(packed))
        packed = rest + packed
        whole = len(packed) - len(packed) % 3  # what base64 writes without padding
        file.write(base64.b64encode(packed[:whole]))
        rest = packed[whole:]
    file.write(base64.b64encode(rest))
    end = file.tell()
    file.seek(place)
    file.write(_header([*header, *sizes]))
    file.seek(end)
    file.write(b"</DataArray>")


def _header(numbers: list[int]) -> bytes:
    return base64.b64encode(np.array(numbers, "<u8").tobytes())
