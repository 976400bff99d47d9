"""HDF5 files of EBSD software: checked before they are read, refused by dataset."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd.hdf5_probe import SECONDS, is_readable
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import ScanReader
from electrode_grains.ebsd.settings import ReadingOptions
from electrode_grains.ebsd.sizes import plausible_size
from electrode_grains.errors import InputError

SUFFIXES = (".h5", ".hdf5")
_MARK = b"\x89HDF\r\n\x1a\n"
_NUMBERS = "biuf"
_MOST_LINKS = 16  # what the library follows too
# Positions are float32 in um; what lies below a thousandth of a nm is rounding.
_POSITION_DECIMALS = 6
# What h5py raises on damage, by the place of the damage.
_DAMAGE = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError)
_REMEDY = "export or copy the file again; it may have been cut short or edited"


def begins(head: bytes) -> bool:
    """Tell by the first bytes of a file whether it is an HDF5 file."""
    return head.startswith(_MARK)


@contextmanager
def opened(file: Path) -> Iterator[h5py.File]:
    """Open a file to read it.

    Raises
    ------
    InputError
        If it is damaged or cut short.
    """
    with _refusing(file.name):
        if not is_readable(file):
            raise InputError(
                "an HDF5 file is damaged: reading hangs or crashes",
                where=file.name,
                found=f"no end after {SECONDS:g} s, or a crash of the library",
                remedy="export or copy the file again",
            )
        root = h5py.File(file, "r", locking="best-effort")
    with root:
        yield root


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    """Turn what h5py raises into a refusal."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(
            "an HDF5 file is damaged or cut short",
            where=where,
            found=" ".join(str(error).split())[:120],
            remedy="export or copy the file again",
        ) from error


def named_readers(
    file: Path, paths: Sequence[str], read: Callable[[Path, str, str, ReadingOptions], xr.Dataset]
) -> dict[str, ScanReader]:
    """Readers of scans by name: that of the file if there is one, else with that of its group.

    Raises
    ------
    InputError
        If two scans would share a name.
    """
    named = {
        file.stem if len(paths) == 1 else f"{file.stem}_{path.replace('/', '_')}": path
        for path in paths
    }
    if len(named) < len(paths):
        raise InputError(
            "scans of a file share a name",
            where=file.name,
            found=", ".join(paths),
            expected="names that differ by more than / and _",
            remedy="rename the scans in the software that wrote them",
        )
    return {name: ScanReader(partial(read, file, path, name)) for name, path in named.items()}


def place(parent: h5py.Group, name: str = "") -> str:
    """Words for the place of an object: its file and its path in there."""
    # A name that is no UTF-8, as in a damaged file, comes as bytes.
    path = posixpath.join(*(str(part) for part in (parent.name, name) if part))
    return f"{Path(parent.file.filename).name}, {path}"


def names(parent: h5py.Group) -> list[str]:
    """Names of what a group holds."""
    with _refusing(place(parent)):
        return [str(name) for name in parent]


def find_name(parent: h5py.Group, *wanted: str) -> str | None:
    """Name in a group that equals one of those wanted but for case, blanks and underscores."""
    held = {_bare(name): name for name in names(parent)}
    return next((held[_bare(name)] for name in wanted if _bare(name) in held), None)


def _bare(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "")


def holds(parent: h5py.Group, name: str) -> bool:
    """Tell whether a group holds something of exactly this name."""
    return name in names(parent)


def find_groups(root: h5py.Group, accept: Callable[[h5py.Group], bool]) -> list[h5py.Group]:
    """All groups below a group, at any depth, that a test accepts."""
    found: list[h5py.Group] = []

    def visit(_: str, node: h5py.HLObject) -> None:
        if isinstance(node, h5py.Group) and accept(node):
            found.append(node)

    with _refusing(place(root)):
        root.visititems(visit)
    return found


def holds_group(parent: h5py.Group, name: str) -> bool:
    """Tell whether a group holds a group of a name."""
    return isinstance(_get(parent, name), h5py.Group)


def read_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Group in a group.

    Raises
    ------
    InputError
        If it is missing or no group.
    """
    return _member(parent, name, h5py.Group, "group")


def _get(parent: h5py.Group, name: str) -> h5py.HLObject | None:
    """Object of a group, reached without leaving the file; None if there is none."""
    with _refusing(place(parent, name)):
        _refuse_links_outside(parent, name, place(parent, name))
        return parent.get(name)


def _refuse_links_outside(parent: h5py.Group, path: str, where: str, depth: int = 0) -> None:
    """Follow a path link by link, as the library would, and refuse a link to another file."""
    group = parent.file if path.startswith("/") else parent
    for name in filter(None, path.split("/")):
        if not isinstance(group, h5py.Group) or name not in names(
            group
        ):  # `in group` follows links
            return
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            _refuse_outside(where, f"a link to {link.filename!r}")
        if isinstance(link, h5py.SoftLink):
            if depth >= _MOST_LINKS:
                _refuse_outside(where, f"{depth} links in turn")
            _refuse_links_outside(group, link.path, where, depth + 1)
        group = group.get(name)


def _refuse_outside(where: str, found: str) -> NoReturn:
    raise InputError(
        "an HDF5 file holds values of another file",
        where=where,
        found=found,
        expected="all values in the file itself",
        remedy="copy what it refers to into one file (h5repack, or export the scan again)",
    )


def _member(parent: h5py.Group, name: str, kind: type, noun: str) -> Any:
    node = _get(parent, name)
    if not isinstance(node, kind):
        raise InputError(
            f"a {noun} is missing",
            where=place(parent, name),
            found="nothing" if node is None else f"a {type(node).__name__.lower()}",
            expected=f"a {noun}",
            remedy=_REMEDY,
        )
    return node


def find_dataset(
    parent: h5py.Group, name: str, shapes: Sequence[tuple[int, ...]], kinds: str = _NUMBERS
) -> h5py.Dataset:
    """Dataset of one of the shapes and kinds that are expected; nothing is read yet.

    Raises
    ------
    InputError
        If it is missing, of another shape or kind, or larger than the file can hold.
    """
    dataset = _member(parent, name, h5py.Dataset, "dataset")
    with _refusing(place(parent, name)):
        shape, kind, dtype = dataset.shape, dataset.dtype.kind, dataset.dtype
        needed = dataset.size * dtype.itemsize if dataset.size else 0
        stored = dataset.id.get_storage_size()
        if dataset.external or dataset.is_virtual:
            kept = "external" if dataset.external else "virtual"
            _refuse_outside(place(parent, name), f"a dataset whose storage is {kept}")
    if kind not in kinds:
        raise InputError(
            "a dataset holds something else than it should",
            where=place(parent, name),
            found=f"values of type {dtype}",
            expected="numbers" if kinds == _NUMBERS else "text",
            remedy=_REMEDY,
        )
    if shape not in shapes:
        raise InputError(
            "a dataset has another number of values than it should",
            where=place(parent, name),
            found=f"shape {shape}",
            expected="shape " + " or ".join(map(str, shapes)),
            remedy=_REMEDY,
        )
    if not plausible_size(stored, needed):
        raise InputError(
            "a dataset announces more values than the file holds",
            where=place(parent, name),
            found=f"{stored} bytes",
            expected=f"{needed} bytes before compression",
            remedy=_REMEDY,
        )
    return dataset


def read_numbers(
    parent: h5py.Group, name: str, shapes: Sequence[tuple[int, ...]], rows: slice = slice(None)
) -> NDArray[np.float64]:
    """Numbers of a dataset, which must have one of several shapes.

    Parameters
    ----------
    parent : h5py.Group
    name : str
    shapes : sequence of tuple of int
        Compared before anything is read.
    rows : slice
        Part of the first axis to read.

    Raises
    ------
    InputError
        If the dataset is missing, holds no numbers, has another shape or cannot be read.
    """
    dataset = find_dataset(parent, name, shapes)
    with _refusing(place(parent, name)):
        return np.asarray(dataset[rows], np.float64)


def read_points(
    parent: h5py.Group, name: str, count: int, components: int | None = None
) -> NDArray[np.float64]:
    """One number a point, shape (count,), or several, shape (count, components)."""
    if components is not None:
        return read_numbers(parent, name, [(count, components)])
    return read_numbers(parent, name, [(count,), (count, 1)]).reshape(count)


def shape_of(parent: h5py.Group, name: str) -> tuple[int, ...]:
    """Shape of a dataset."""
    dataset = _member(parent, name, h5py.Dataset, "dataset")
    with _refusing(place(parent, name)):
        return tuple(dataset.shape or ())


def count_points(parent: h5py.Group, name: str) -> int:
    """Length of a dataset that holds one number a point; the others must agree with it."""
    shape = shape_of(parent, name)
    if not shape or shape[0] == 0:
        raise InputError(
            "the scan holds no points", where=place(parent, name), found=f"shape {shape}"
        )
    return shape[0]


def _few(count: int) -> list[tuple[int, ...]]:
    """Shapes in which makers store a few values; a single one may have no axis."""
    return [(count,), (count, 1), (1, count)] + [()] * (count == 1)


def read_few(parent: h5py.Group, name: str, count: int) -> list[float]:
    """A few finite numbers; float32 as the decimal numbers that were meant, such as 0.05.

    Raises
    ------
    InputError
        If they are missing, more or fewer, or not finite.
    """
    dataset = find_dataset(parent, name, _few(count))
    with _refusing(place(parent, name)):
        values = np.ravel(dataset[()])
    return _finite(values, parent, name)


def read_attribute(parent: h5py.Group, name: str, count: int) -> list[float] | None:
    """List of finite numbers in an attribute of a group; None if it is missing."""
    with _refusing(place(parent, name)):
        value = np.ravel(parent.attrs[name]) if name in parent.attrs else None
    if value is None:
        return None
    if value.dtype.kind not in _NUMBERS or value.size != count:
        raise InputError(
            "an attribute holds something else than it should",
            where=place(parent, name),
            found=f"{value.size} values of type {value.dtype}",
            expected=f"{count} numbers",
            remedy=_REMEDY,
        )
    return _finite(value, parent, name)


def read_text_attribute(parent: h5py.Group, name: str, attribute: str) -> str | None:
    """Text in an attribute of a dataset; None if it is missing or no text."""
    with _refusing(place(parent, name)):
        values = np.ravel(_member(parent, name, h5py.Dataset, "dataset").attrs.get(attribute, ()))
    if values.size != 1:
        return None
    (text,) = values
    return _text(text) if isinstance(text, bytes | str) else None


def _finite(values: NDArray[np.generic], parent: h5py.Group, name: str) -> list[float]:
    numbers = as_written(values)
    for number in numbers:
        if not np.isfinite(number):
            raise _impossible(parent, name, number, "a finite number")
    return numbers


def as_written(values: NDArray[np.generic]) -> list[float]:
    """Shortest decimal numbers that the precision given cannot tell from those given.

    Examples
    --------
    >>> as_written(np.array([0.05, 1.0], np.float32))
    [0.05, 1.0]
    """
    numbers = values.astype(int) if values.dtype.kind == "b" else values
    return [float(str(number)) for number in numbers]


def read_number(parent: h5py.Group, name: str) -> float:
    """Single finite number, as `read_few` gives them."""
    (number,) = read_few(parent, name, 1)
    return number


def read_count(parent: h5py.Group, name: str) -> int:
    """Whole number of at least 1."""
    number = read_number(parent, name)
    if number != int(number) or not 1 <= number < 2**31:
        raise _impossible(parent, name, number, "a whole number from 1")
    return int(number)


def read_step(parent: h5py.Group, name: str) -> float:
    """Length of at least 0, in um."""
    number = read_number(parent, name)
    if number < 0:
        raise _impossible(parent, name, number, "a length in um")
    return number


def _impossible(parent: h5py.Group, name: str, number: float, expected: str) -> InputError:
    return InputError(
        f"the header gives an impossible {name}",
        where=place(parent, name),
        found=f"{number:g}",
        expected=expected,
        remedy=_REMEDY,
    )


def read_text(parent: h5py.Group, name: str) -> str:
    """Single text, of fixed or variable length."""
    (text,) = read_texts(parent, name, 1)
    return text


def read_texts(parent: h5py.Group, name: str, count: int | None = None) -> list[str]:
    """List of texts, of fixed or variable length."""
    if count is None:
        count = next(iter(shape_of(parent, name)), 1)
    dataset = find_dataset(parent, name, _few(count), "SO")
    with _refusing(place(parent, name)):
        values = np.ravel(dataset[()])
    if not all(isinstance(value, bytes | str) for value in values):
        raise InputError(
            "a dataset holds no text", where=place(parent, name), found=f"{dataset.dtype}"
        )
    return [_text(value) for value in values]


def _text(value: bytes | str) -> str:
    if isinstance(value, str):
        text = value
    else:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
    return text.rstrip("\0").strip()


def read_positions(
    data: h5py.Group, x_name: str, y_name: str, count: int, declared: DeclaredGrid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions of the points in um: as the file gives them, else from rows and columns.

    Parameters
    ----------
    data : h5py.Group
    x_name, y_name : str
        Datasets; both may be missing, and single positions may be NaN, if the points are as
        many as rows times columns, which then follow one another row by row.
    count : int
    declared : DeclaredGrid
        Rows, columns and steps.

    Returns
    -------
    x, y : ndarray of float64, shape (count,)
    """
    if not (holds(data, x_name) or holds(data, y_name)):
        return _cells(data, count, declared)
    x, y = (
        np.round(read_points(data, name, count), _POSITION_DECIMALS) for name in (x_name, y_name)
    )
    lost = np.isnan(x) | np.isnan(y)
    if lost.any():
        cell_x, cell_y = _cells(data, count, declared)
        if lost.all():
            return cell_x, cell_y
        known = int((~lost).argmax())
        # The origin of the file, so that given and missing positions lie on one grid.
        x = np.where(lost, cell_x + (x[known] - cell_x[known]), x)
        y = np.where(lost, cell_y + (y[known] - cell_y[known]), y)
    return x, y


def _cells(
    data: h5py.Group, count: int, declared: DeclaredGrid
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, columns, dy, dx = declared.rows, declared.columns, declared.dy, declared.dx
    if not (rows and columns and dy and dx) or declared.hexagonal or rows * columns != count:
        raise InputError(
            "the file gives no positions, and rows and columns do not give them either",
            where=place(data),
            found=f"{count} points, {rows} x {columns} at {dy} x {dx} um (y, x)"
            + (", hexagonal" if declared.hexagonal else ""),
            expected="positions, or rows x columns points on a square grid",
            remedy=_REMEDY,
        )
    row, column = np.divmod(np.arange(count), columns)
    return column * dx, row * dy
