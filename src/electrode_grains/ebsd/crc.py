"""Oxford Instruments `.cpr` and `.crc`: the native pair of Channel 5 and AZtec."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.crystal import LAUE_GROUPS, tsl_symmetry_of_laue_group
from electrode_grains.ebsd.header_grid import DeclaredGrid
from electrode_grains.ebsd.points import NOT_INDEXED, Points, points_to_scan
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.ebsd.text_table import header_number
from electrode_grains.errors import InputError

SUFFIXES = (".cpr",)
# Fields of a record by the number that the .cpr gives them; the phase, a byte, comes first [1]_.
_FIELDS = {
    1: ("X", "<f4"),
    2: ("Y", "<f4"),
    3: ("Euler1", "<f4"),
    4: ("Euler2", "<f4"),
    5: ("Euler3", "<f4"),
    6: ("MAD", "<f4"),
    7: ("BC", "u1"),
    8: ("BS", "u1"),
    9: ("Unknown9", "u1"),
    10: ("Bands", "u1"),
    11: ("Error", "u1"),
    12: ("ReliabilityIndex", "<f4"),
}
_CELL_KEYS = {"rows": "yCells", "columns": "xCells"}
_LATTICE = ("a", "b", "c", "alpha", "beta", "gamma")
_READ = ("general", "job", "acquisitionsurface", "fields", "phases", "phase")
_Sections = dict[str, dict[str, str]]


def recognize(head: bytes) -> bool:
    """Tell by the first bytes of a file whether it is a `.cpr` file."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(b"[general]")


def data_file(file: Path) -> Path:
    """The `.crc` beside a `.cpr`, its suffix in any case.

    Raises
    ------
    InputError
        If there is none.
    """
    beside = [
        other
        for other in file.parent.glob("*")
        if other.stem == file.stem and other.suffix.lower() == ".crc"
    ]
    if not beside:
        raise InputError(
            "the data of a .cpr file are missing",
            where=file.name,
            found=f"no {file.stem}.crc beside it",
            expected="both files of the pair in one folder",
            remedy="copy the .crc there, or export the scan as .ctf or .h5oina",
        )
    return beside[0]


def read_crc(path: str | os.PathLike[str], options: ReadingOptions = STRICT) -> xr.Dataset:
    """Read the pair that a `.cpr` file names.

    Parameters
    ----------
    path : path-like
        The `.cpr`; the `.crc` of the same name holds the points.
    options : ReadingOptions

    Returns
    -------
    xr.Dataset
        As `electrode_grains.ebsd.read_scan` describes it, with the variables `bands` and
        `mean_angular_deviation` (radians) besides, where the records hold them.

    Raises
    ------
    InputError
        If the pair contradicts itself, see `electrode_grains.ebsd.read_scan`.

    Notes
    -----
    Band contrast serves as image quality, or else band slope. The format has no confidence
    index: it is 1 where a point is indexed (error 0 and a phase) and -1 elsewhere.

    References
    ----------
    .. [1] The readers of MTEX (loadEBSD_crc) and DefDAP agree on the records.
    """
    file = Path(path)
    sections = _read_sections(file)
    counts = {name: _count(sections, "job", key, file) for name, key in _CELL_KEYS.items()}
    dx, dy = (_step(sections, key, file) for key in ("GridDistX", "GridDistY"))
    records = _read_records(data_file(file), _record_type(sections, file), counts)
    notes = []
    surface = [sections.get("acquisitionsurface", {}).get(f"euler{n}", "0") for n in (1, 2, 3)]
    if any(_number(angle) not in (0.0, None) for angle in surface):
        turned = ", ".join(surface)
        notes.append(f"the acquisition surface is turned by {turned} degrees, which is not used")
    points = _points(records, counts, (dy, dx), _read_phases(sections, file), notes)
    return points_to_scan(points, file.name, file.stem, options, reader_notes=tuple(notes))


def _points(
    records: NDArray[Any],
    counts: dict[str, int],
    steps: tuple[float, float],
    phases: tuple[dict[str, Any], ...],
    notes: list[str],
) -> Points:
    names = records.dtype.names or ()
    euler = np.column_stack([records[f"Euler{n}"].astype(float) for n in (1, 2, 3)])
    phase = records["Phase"].astype(float)
    indexed = (phase > 0) & np.isfinite(euler).all(axis=1)
    if "Error" in names:
        indexed &= records["Error"] == 0
    quality = "BC" if "BC" in names else "BS"
    if quality == "BS":
        notes.append("the records hold no band contrast; band slope is the image quality")
    channels = {}
    if "Bands" in names:
        channels["bands"] = records["Bands"].astype(float)
    if "MAD" in names:
        channels["mean_angular_deviation"] = np.radians(records["MAD"].astype(float))
    row, column = np.divmod(np.arange(len(records)), counts["columns"])
    return Points(
        x=column * steps[1],
        y=row * steps[0],
        image_quality=records[quality].astype(float),
        confidence_index=np.where(indexed, 1.0, NOT_INDEXED),
        euler_angles=euler,
        phase=phase,
        indexed=indexed,
        declared=DeclaredGrid(counts["rows"], counts["columns"], dy=steps[0], dx=steps[1]),
        maker="oxford",
        phases=phases,
        channels=channels,
    )


def _read_sections(file: Path) -> _Sections:
    """Values by section and key, both in lower case without blanks."""
    sections: _Sections = {}
    current: dict[str, str] = {}
    section = ""
    for number, line in enumerate(file.read_bytes().decode("latin-1").split("\n"), 1):
        text = line.strip()
        key, sign, value = (part.strip() for part in text.partition("="))
        is_section = text.startswith("[") and text.endswith("]")
        if text and not sign and not is_section and section in _READ:
            raise InputError(
                "a line of the .cpr is no key with a value",
                where=f"{file.name}, line {number}",
                found=text[:80],
                remedy="copy the file again, or export the scan again",
            )
        if is_section and _bare(text[1:-1]) not in sections:
            section = _bare(text[1:-1])
            current = sections.setdefault(section, {})
            section = section.rstrip("0123456789")
        elif is_section or (sign and current.get(_bare(key), value) != value):
            raise InputError(
                "the .cpr says a thing twice",
                where=f"{file.name}, line {number}",
                found=text[:80],
                expected="each section, and each key of a section, once",
                remedy="copy the file again, or export the scan again",
            )
        elif sign:
            current[_bare(key)] = value
    mode = sections.get("general", {}).get("jobmode", "RegularGrid")
    if mode.lower() != "regulargrid":
        raise InputError(
            "the scan is no map", where=file.name, found=f"JobMode={mode}", expected="RegularGrid"
        )
    return sections


def _bare(name: str) -> str:
    return name.replace(" ", "").lower()


def _value(sections: _Sections, section: str, key: str, file: Path) -> str:
    found = sections.get(section, {}).get(_bare(key))
    if found is None:
        raise InputError(
            "the .cpr is incomplete",
            where=f"{file.name}, [{section}]",
            found=f"no {key}",
            remedy="export the scan again",
        )
    return found


def _count(sections: _Sections, section: str, key: str, file: Path) -> int:
    value = _value(sections, section, key, file)
    return int(header_number(key, value, f"{file.name}, [{section}]"))


def _step(sections: _Sections, key: str, file: Path) -> float:
    value = _value(sections, "job", key, file).replace(",", ".")
    step = header_number(key, value, f"{file.name}, [job]", is_step=True)
    if step == 0:
        raise InputError("the header gives a step of 0", where=file.name, found=f"{key}={value}")
    return step


def _record_type(sections: _Sections, file: Path) -> np.dtype[Any]:
    fields: list[tuple[str, str]] = [("Phase", "u1")]
    for number in range(1, _count(sections, "fields", "Count", file) + 1):
        code = _count(sections, "fields", f"Field{number}", file)
        fields.append(_FIELDS.get(code, (f"Unknown{code}", "<f4")))
    names = [name for name, _ in fields]
    needed = {"Euler1", "Euler2", "Euler3"} - set(names)
    if len(set(names)) < len(names) or needed or not {"BC", "BS"} & set(names):
        raise InputError(
            "the fields of the records do not make a scan",
            where=f"{file.name}, [Fields]",
            found=", ".join(names),
            expected="Euler angles, band contrast or slope, each field once",
            remedy="export the scan again",
        )
    return np.dtype(fields)


def _read_records(file: Path, record: np.dtype[Any], counts: dict[str, int]) -> NDArray[Any]:
    needed = counts["rows"] * counts["columns"] * record.itemsize
    size = file.stat().st_size
    if size != needed:
        raise InputError(
            "the .crc holds another number of points than the .cpr counts",
            where=file.name,
            found=f"{size} bytes, {size / record.itemsize:g} records of {record.itemsize}",
            expected=f"{needed} bytes: {counts['rows']} x {counts['columns']} records",
            remedy="copy both files again; one was cut short, or they are of different scans",
        )
    return np.frombuffer(file.read_bytes(), record)


def _read_phases(sections: _Sections, file: Path) -> tuple[dict[str, Any], ...]:
    return tuple(
        _read_phase(sections, number, file)
        for number in range(1, _count(sections, "phases", "Count", file) + 1)
    )


def _read_phase(sections: _Sections, number: int, file: Path) -> dict[str, Any]:
    section = f"phase{number}"
    group = _count(sections, section, "LaueGroup", file)
    if group > len(LAUE_GROUPS):
        raise InputError(
            "a phase has no Laue group",
            where=f"{file.name}, [{section}]",
            found=f"LaueGroup={group}",
            expected=f"a number from 1 to {len(LAUE_GROUPS)}",
            remedy="export the scan again",
        )
    constants = [_value(sections, section, key, file).replace(",", ".") for key in _LATTICE]
    if None in map(_number, constants):
        raise InputError(
            "a phase has impossible lattice constants",
            where=f"{file.name}, [{section}]",
            found=" ".join(constants)[:80],
        )
    return {
        "id": number,
        "material_name": sections[section].get("structurename", ""),
        "formula": "",
        "symmetry": tsl_symmetry_of_laue_group(LAUE_GROUPS[group - 1]),
        "lattice_constants": " ".join(constants),
    }


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if np.isfinite(value) else None
