"""Depths of slices, from their names or a table, and the planes of the volume that they fill."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from electrode_grains.ebsd.issues import Issue
from electrode_grains.ebsd.slice_names import MISSING, REPEATED
from electrode_grains.errors import InputError, SettingsError

TABLE = "depths.csv"
UNITS = {"nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "mm": 1e6}
# Slices a plane apart leave no plane empty; where one is lost, the plane between is.
REACH = 0.75
EVEN = 0.01  # of the spacing: rounding of depths that are written down
OTHER_SPACING = 0.05
MOST_PLANES = 10  # of the volume for each slice
# Steps beyond this times the median lie across lost slices, and do not count for the mean.
LOST = 1.5


@dataclass(frozen=True)
class Plane:
    """A plane of the volume: what it is called, and the scan that fills it."""

    name: str
    scan: str | None


def read_depths(table: Path) -> dict[str, float]:
    """Read the depths of slices from a CSV file.

    Parameters
    ----------
    table : Path
        With a row of headings: `slice`, and `z_nm`, `z_um` or `z_mm`.

    Returns
    -------
    dict of str to float
        Depth in nm by name, or number, of the slice.

    Raises
    ------
    InputError
        With the line that is wrong.
    """
    text = table.read_bytes().decode("utf-8-sig", "replace")
    lines = text.splitlines()
    headings = next(iter(lines), "")
    delimiter = next((sign for sign in (";", ",") if sign in headings), "\t")
    rows = csv.reader(lines, delimiter=delimiter)
    head = [cell.strip().lower() for cell in next(rows, [])]
    units = [cell for cell in head if cell.startswith("z_") and cell[2:] in UNITS]
    if "slice" not in head or len(units) != 1:
        raise InputError(
            "the table of depths has other columns",
            where=f"{table}, line 1",
            found=", ".join(head) or "an empty file",
            expected="slice, and one of z_nm, z_um and z_mm",
            remedy="name its columns like this, or take the file out of the folder",
        )
    name_at, depth_at = head.index("slice"), head.index(units[0])
    depths: dict[str, float] = {}
    for line, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = [cell.strip() for cell in row]
        name = cells[name_at] if len(cells) == len(head) else ""
        depth = _number(cells[depth_at].replace(",", ".")) if name else None
        if depth is None or name in depths:
            raise InputError(
                "a row of the table of depths says no depth of a slice of its own",
                where=f"{table}, line {line}",
                found=delimiter.join(row)[:80],
                expected=f"a name or number that comes once, and {units[0]}",
            )
        depths[name] = depth * UNITS[units[0][2:]]
    return depths


def depth_of(name: str, depths: Mapping[str, float]) -> float | None:
    """Depth of a scan in a table, by its name, or else by the last number in it."""
    if name in depths:
        return depths[name]
    numbers = re.findall(r"\d+", name)
    by_number = {int(key): depth for key, depth in depths.items() if key.isdecimal()}
    return by_number.get(int(numbers[-1])) if numbers else None


def depths_of_names(names: Iterable[str], pattern: str) -> tuple[dict[str, float], list[Issue]]:
    r"""Depths in nm that a pattern finds in names; a unit behind the number counts.

    Examples
    --------
    >>> depths_of_names(["s_1_z=0.05um", "s_2_z=0.1um"], r"z=([\d.]+)")[0]
    {'s_1_z=0.05um': 50.0, 's_2_z=0.1um': 100.0}
    """
    depths, issues = {}, []
    for name in names:
        match = re.search(pattern, name)
        value = _number(match[1] or "") if match else None
        if match is None or value is None:
            found = repr(match[1]) if match else "no match"
            issues.append(
                Issue(name, "", "no depth in the name", found, pattern, "correct depth_pattern")
            )
            continue
        unit = re.match(r"(nm|[uµμ]m|mm)(?![a-z])", name[match.end(1) :])
        depths[name] = round(value * (UNITS[unit[1]] if unit else 1.0), 6)
    return depths, issues


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def depth_issues(depths: Mapping[str, float], names: Sequence[str]) -> list[Issue]:
    """Slices without a depth, and slices at one depth."""
    issues = [
        Issue(name, "", "no depth in the table", "", "a row of the slice", f"add it to {TABLE}")
        for name in names
        if name not in depths
    ]
    taken: dict[float, str] = {}
    for name in names:
        if name in depths and depths[name] in taken:
            found = f"{depths[name]:g} nm, as {taken[depths[name]]}"
            problem = ("a depth of another slice", found, "each depth once", "correct the depths")
            issues.append(Issue(name, "", *problem))
        elif name in depths:
            taken[depths[name]] = name
    return issues


def planes_of_depths(
    depths: Mapping[str, float],
) -> tuple[list[Plane], float | None, list[str]]:
    """Equally spaced planes, each with the slice nearest to it.

    Parameters
    ----------
    depths : mapping of str to float
        Depth of each slice in nm.

    Returns
    -------
    planes : list of Plane
        From the least depth on. One that lies more than .75 spacings from every slice is
        without measurement.
    spacing_nm : float
        Their distance: the mean of the steps, but for those across lost slices.
    notes : list of str
        What was repeated, left out or lost, and how far slices were moved.

    Raises
    ------
    InputError
        If most of the volume would lie far away from every slice.

    Examples
    --------
    >>> planes, spacing, notes = planes_of_depths({"a": 0.0, "b": 50.0, "c": 150.0})
    >>> [plane.scan for plane in planes], spacing
    (['a', 'b', None, 'c'], 50.0)
    """
    names = sorted(depths, key=lambda name: depths[name])
    at = np.array([depths[name] for name in names])
    if len(names) < 2:
        return [Plane(name, name) for name in names], None, []
    steps = np.diff(at)
    spacing = float(steps[steps <= LOST * np.sort(steps)[(len(steps) - 1) // 2]].mean())
    count = round(float(at[-1] - at[0]) / spacing) + 1
    if count > MOST_PLANES * len(names):
        far = int(steps.argmax())
        raise InputError(
            "slices lie far away from the others",
            where=names[far + 1],
            found=f"{steps[far]:g} nm behind {names[far]}",
            expected=f"about {spacing:g} nm between two slices",
            remedy="correct the depths, or their unit",
        )
    centres = at[0] + spacing * np.arange(count)
    nearest = np.abs(centres[:, None] - at).argmin(axis=1)
    distance = np.abs(centres - at[nearest])
    planes, used = [], set()
    for index, (which, away) in enumerate(zip(nearest.tolist(), distance.tolist(), strict=True)):
        own = [k for k in np.flatnonzero(nearest == which) if distance[k] <= REACH * spacing]
        if away > REACH * spacing:
            planes.append(Plane(f"{MISSING}at_{spacing * index:.0f}nm", None))
        elif index == min(own, key=lambda k: (distance[k], k)):
            planes.append(Plane(names[which], names[which]))
            used.add(which)
        else:
            planes.append(Plane(f"{REPEATED}{names[which]}", names[which]))
    return planes, spacing, _notes(planes, names, used, steps, spacing, distance)


def spacing_of_depths(known: float, given: float | None) -> float:
    """Spacing that the depths of slices have, if the user says no other.

    Raises
    ------
    SettingsError
        If the two differ by more than 5 %.

    Examples
    --------
    >>> spacing_of_depths(50.2, 50.0)
    50.2
    """
    if given is not None and abs(given / known - 1) > OTHER_SPACING:
        raise SettingsError(
            "the depths of the slices are not those of the setting",
            found=f"slice_spacing_nm: {given:g}",
            expected=f"about {known:.4g} nm, the mean distance of the depths",
            remedy="slice_spacing_nm: null takes it from the depths; or correct them",
        )
    return known


def _notes(
    planes: Sequence[Plane],
    names: Sequence[str],
    used: set[int],
    steps: np.ndarray[tuple[int], np.dtype[np.float64]],
    spacing: float,
    distance: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> list[str]:
    notes = []
    filled = [plane.scan is not None for plane in planes]
    if float(distance[filled].max()) > EVEN * spacing:
        notes.append(
            f"slices lie {steps.min():g} to {steps.max():g} nm apart: the volume has planes "
            f"{spacing:.4g} nm apart, each with its nearest slice, at most "
            f"{distance[filled].max():.3g} nm away"
        )
    repeated = [plane.scan for plane in planes if plane.name.startswith(REPEATED)]
    unused = [name for index, name in enumerate(names) if index not in used]
    empty = [f"{index * spacing:.4g}" for index, plane in enumerate(planes) if plane.scan is None]
    for found, words in (
        (repeated, "used for a second plane, since their neighbours lie far away"),
        (unused, "left out, since their neighbours lie nearer to every plane"),
    ):
        if found:
            notes.append(f"slices {words}: {_few([str(each) for each in found])}")
    if empty:
        notes.append(
            f"planes without a slice stay without measurement: {len(empty)}, at {_few(empty)} nm"
        )
    return notes


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")
