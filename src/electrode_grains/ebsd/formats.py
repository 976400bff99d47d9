"""Formats of EBSD files: each is known by its suffix and by how its files begin."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import xarray as xr

from electrode_grains.ebsd import (
    ang,
    bruker_hdf5,
    crc,
    ctf,
    dream3d,
    h5oina,
    hdf5,
    images,
    oim_hdf5,
)
from electrode_grains.ebsd.points import ScanReader
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.errors import InputError

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
        Tells by the first bytes of a file, and if they do not decide by the file itself,
        whether it is of this kind.
    readers : callable
        Returns a reader for each scan in a file, by name, without reading them.
    """

    name: str
    suffixes: tuple[str, ...]
    recognize: Callable[[bytes, Path], bool]
    readers: Callable[[Path], dict[str, ScanReader]]


def _single(
    read: Callable[[Path, ReadingOptions], xr.Dataset],
) -> Callable[[Path], dict[str, ScanReader]]:
    """Readers of a file that holds one scan, which is called like the file."""
    return lambda file: {file.stem: ScanReader(partial(read, file))}


def _by_head(recognize: Callable[[bytes], bool]) -> Callable[[bytes, Path], bool]:
    """Recognition of formats that their first bytes give away."""
    return lambda head, _: recognize(head)


def _image_readers(file: Path) -> dict[str, ScanReader]:
    return {
        name: ScanReader(partial(images.read_image, file, page))
        for page, name in enumerate(images.list_images(file))
    }


FORMATS = (
    Format("EDAX/TSL .ang", ang.SUFFIXES, _by_head(ang.recognize), _single(ang.read_ang)),
    Format("Oxford .ctf", ctf.SUFFIXES, _by_head(ctf.recognize), ctf.readers),
    Format("Oxford .cpr with .crc", crc.SUFFIXES, _by_head(crc.recognize), _single(crc.read_crc)),
    Format("image", images.SUFFIXES, _by_head(images.recognize), _image_readers),
    Format("EDAX .oh5", oim_hdf5.SUFFIXES, oim_hdf5.recognize, oim_hdf5.readers),
    Format("Oxford .h5oina", h5oina.SUFFIXES, h5oina.recognize, h5oina.readers),
    Format("Bruker .h5", bruker_hdf5.SUFFIXES, bruker_hdf5.recognize, bruker_hdf5.readers),
    Format("DREAM.3D .dream3d", dream3d.SUFFIXES, dream3d.recognize, dream3d.readers),
)
# Kinds that no open specification describes well enough, and what to export instead.
OTHER_KINDS = {
    ".crc": "give the .cpr beside it, which says what the .crc holds",
    ".osc": "export the scan as .ang or .oh5 in OIM Analysis (File > Export > Scan Data)",
    ".edaxh5": "export the scan as .oh5 or .ang in APEX or OIM Analysis",
    ".up1": "these are patterns: export the indexed scan as .ang or .oh5",
    ".up2": "these are patterns: export the indexed scan as .ang or .oh5",
    ".bcf": "export the map as .h5 or .ctf in ESPRIT",
    ".oip": "export the map as .h5oina or .ctf in AZtec (Map > Export)",
    ".oipx": "export the map as .h5oina or .ctf in AZtec (Map > Export)",
    ".ebsp": "these are patterns: export the indexed map as .h5oina or .ctf in AZtec",
}
IMAGE_SUFFIXES = images.SUFFIXES
SUFFIXES = tuple(dict.fromkeys(suffix for known in FORMATS for suffix in known.suffixes))


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
    InputError
        If the file is of no known kind, or of another than its suffix says.
    """
    file = Path(path)
    _refuse_special(file)
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(
            "a file cannot be opened", where=str(file), found=str(error.strerror or error)
        ) from error
    named = [known for known in FORMATS if file.suffix.lower() in known.suffixes]
    # Formats share suffixes (.h5), so that the beginning decides among them.
    for known in named:
        if known.recognize(head, file):
            return known
    instead = OTHER_KINDS.get(file.suffix.lower())
    if instead:
        raise InputError(
            "a file of a kind that is not read",
            where=file.name,
            found=f"{file.suffix} file",
            expected=", ".join(known.name for known in FORMATS),
            remedy=instead,
        )
    likely = [known for known in FORMATS if known.recognize(head, file)]
    if named or not likely:
        raise InputError(
            "the content of a file is not of its kind" if named else "unknown kind of file",
            where=file.name,
            found=_describe(head, file, likely),
            expected=" or ".join(known.name for known in (named or FORMATS)) + " file",
            remedy="export the scan again, or give the file the suffix of its kind",
        )
    return likely[0]


def _refuse_special(file: Path) -> None:
    """Refuse what is there but no file: a pipe would be waited for without end."""
    if file.exists() and not file.is_file():
        raise InputError(
            "a scan is read from a file",
            where=str(file),
            found="a folder" if file.is_dir() else "a pipe, socket or device",
        )


def _describe(head: bytes, file: Path, likely: Iterable[Format]) -> str:
    names = [known.name for known in likely]
    if names:
        return f"what begins like {' or '.join(names)}"
    if hdf5.begins(head):
        with hdf5.opened(file) as root:
            return f"an HDF5 file that holds {', '.join(hdf5.names(root)[:8]) or 'nothing'}"
    return repr(head[:24]) if head else "an empty file"


def companions(file: Path) -> tuple[Path, ...]:
    """Files beside a scan that belong to it, such as the `.crc` of a `.cpr`."""
    if file.suffix.lower() not in crc.SUFFIXES:
        return ()
    try:
        return (crc.data_file(file),)
    except InputError:
        return ()  # refused when the scan is read


def export_instead(names: Iterable[str]) -> str | None:
    """What to export in the maker's program, for the first file of a kind that is not read."""
    suffixes = (Path(name).suffix.lower() for name in names)
    return next((OTHER_KINDS[suffix] for suffix in suffixes if suffix in OTHER_KINDS), None)


def scan_readers(path: str | os.PathLike[str]) -> dict[str, ScanReader]:
    """Readers of all scans in a file, by name; most files hold one.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to callable
        Each takes `ReadingOptions` and returns a scan as `read_scan` describes it, without
        warnings: what is doubtful is in the attribute `notes`.

    Raises
    ------
    InputError
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
        An EDAX `.ang`, `.h5` or `.oh5`, an Oxford `.ctf`, `.cpr` (with its `.crc`) or
        `.h5oina`, a Bruker `.h5`, a DREAM.3D `.dream3d`, or a grey image (PNG, TIFF);
        suffixes in any case.
    options : ReadingOptions
        What to accept, and the step of images. By default nothing doubtful is accepted.
    name : str, optional
        Which scan of a file that holds several.

    Returns
    -------
    xr.Dataset
        Dimensions `(y, x)` with coordinates in nm; variables `image_quality` (NaN where the
        file holds no finite value of at least 0), `confidence_index`, `euler_angles` (y, x,
        angle; radians, Bunge, in the frame of the map: x right, y down, z along milling; NaN
        where not indexed) and `phase`. Attributes: `source`, `step_nm` (dy, dx), `phases`,
        `notes` (also issued as warnings), `frames` (a `FrameChoice`; none for images), and
        `slice_spacing_nm` if the file holds it.

    Raises
    ------
    InputError
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
        raise InputError(
            "the file holds several scans",
            where=Path(path).name,
            found=f"{len(readers)}: {', '.join(list(readers)[:4])} ...",
            expected="the name of one",
            remedy="name one, or read the file as a stack",
        )
    if name is not None and name not in readers:
        raise InputError(
            "the file has no such scan",
            where=Path(path).name,
            found=repr(name),
            expected=", ".join(list(readers)[:8]),
        )
    scan = readers[name or next(iter(readers))](options)
    for note in scan.attrs["notes"]:
        warnings.warn(f"{Path(path).name}: {note}", UserWarning, stacklevel=2)
    return scan
