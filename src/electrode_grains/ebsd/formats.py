"""Formats of EBSD files: each is known by its suffix and by how its files begin."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import xarray as xr

from electrode_grains.ebsd import ang, ctf, images
from electrode_grains.ebsd.points import STRICT, ReadingOptions, ScanReader
from electrode_grains.problems import InputProblem

HEAD_BYTES = 64


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes
    ----------
    name : str
        What users call it.
    suffixes : tuple of str
        In lower case, with the dot.
    recognize : callable
        Tells by the first bytes of a file whether it is of this kind.
    readers : callable
        Returns a reader for each scan in a file, by name, without reading them.
    """

    name: str
    suffixes: tuple[str, ...]
    recognize: Callable[[bytes], bool]
    readers: Callable[[Path], dict[str, ScanReader]]


def _single(
    read: Callable[[Path, ReadingOptions], xr.Dataset],
) -> Callable[[Path], dict[str, ScanReader]]:
    """Readers of a file that holds one scan, which is called like the file."""
    return lambda file: {file.stem: ScanReader(partial(read, file))}


def _image_readers(file: Path) -> dict[str, ScanReader]:
    return {
        name: ScanReader(partial(images.read_image, file, page))
        for page, name in enumerate(images.list_images(file))
    }


FORMATS = (
    Format("EDAX/TSL .ang", ang.SUFFIXES, ang.recognize, _single(ang.read_ang)),
    Format("Oxford .ctf", ctf.SUFFIXES, ctf.recognize, _single(ctf.read_ctf)),
    Format("image", images.SUFFIXES, images.recognize, _image_readers),
)
SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)


def find_format(path: str | os.PathLike[str]) -> Format:
    """Tell the format of a file: by its suffix, checked against its beginning.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Format

    Raises
    ------
    InputProblem
        If the file is of no known kind, or of another than its suffix says.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise InputProblem(
            "a file cannot be opened", where=str(file), found=str(error.strerror or error)
        ) from error
    named = [known for known in FORMATS if file.suffix.lower() in known.suffixes]
    # Formats share suffixes (.h5), so that the beginning decides among them.
    for known in named:
        if known.recognize(head):
            return known
    likely = [known for known in FORMATS if known.recognize(head)]
    if named or not likely:
        raise InputProblem(
            "the content of a file is not of its kind" if named else "unknown kind of file",
            where=file.name,
            found="an empty file" if not head else _describe(head, likely),
            expected=" or ".join(known.name for known in (named or FORMATS)) + " file",
            remedy="export the scan again, or give the file the suffix of its kind",
        )
    return likely[0]


def _describe(head: bytes, likely: Iterable[Format]) -> str:
    names = [known.name for known in likely]
    return f"what begins like {' or '.join(names)}" if names else repr(head[:24])


def scan_readers(path: str | os.PathLike[str]) -> dict[str, ScanReader]:
    """Readers of all scans in a file, by name; most files hold one.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to callable
        Each takes `ReadingOptions` and returns a scan as `read_scan` describes it, without
        warnings: what it doubts is in the attribute `notes`.

    Raises
    ------
    InputProblem
        If the file is of no known kind, or its list of scans cannot be read.
    """
    return find_format(path).readers(Path(path))


def read_scan(
    path: str | os.PathLike[str],
    options: ReadingOptions = STRICT,
    name: str | None = None,
) -> xr.Dataset:
    """Read one EBSD scan.

    Parameters
    ----------
    path : path-like
        An EDAX `.ang`, an Oxford `.ctf`, or a grey image (PNG, TIFF); suffixes in any case.
    options : ReadingOptions
        What to accept, and the step of images. By default nothing doubtful is accepted.
    name : str, optional
        Which scan of a file that holds several.

    Returns
    -------
    xr.Dataset
        Dimensions `(y, x)` with coordinates in nm; variables `image_quality` (NaN where the
        file holds no finite value of at least 0), `confidence_index`, `euler_angles`
        (y, x, angle; radians, Bunge; NaN where not indexed) and `phase`. Attributes:
        `source`, `step_nm` (dy, dx), `phases`, `notes` (doubts, also issued as warnings).

    Raises
    ------
    InputProblem
        If the file contradicts itself: rows that are cut or no numbers, angles in degrees
        where radians are due, a hexagonal or incomplete grid, points hit twice, phases that
        the header does not list, too many useless image qualities.

    Notes
    -----
    The grid comes from the coordinates and is checked against the header. Where the
    coordinates form a complete rectangle at another step than the header says, as after
    decimation, they win, with a warning.
    """
    readers = scan_readers(path)
    if name is None and len(readers) > 1:
        raise InputProblem(
            "the file holds several scans",
            where=Path(path).name,
            found=f"{len(readers)}: {', '.join(list(readers)[:4])} ...",
            expected="the name of one",
            remedy="name one, or read the file as a stack",
        )
    if name is not None and name not in readers:
        raise InputProblem(
            "the file has no such scan",
            where=Path(path).name,
            found=repr(name),
            expected=", ".join(list(readers)[:8]),
        )
    scan = readers[name or next(iter(readers))](options)
    for note in scan.attrs["notes"]:
        warnings.warn(f"{Path(path).name}: {note}", UserWarning, stacklevel=2)
    return scan
