"""Which scans fill which planes of a stack: by their names, depths and, on request, sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import xarray as xr

from electrode_grains.ebsd.depths import Plane, depth_issues, depths_of_names, planes_of_depths
from electrode_grains.ebsd.issues import Issue
from electrode_grains.ebsd.points import ScanReader
from electrode_grains.ebsd.settings import ReadingOptions
from electrode_grains.ebsd.slice_names import (
    RENAME,
    chosen_scans,
    left_out,
    lost_slices,
    named_by_pattern,
    natural_order,
    numbering_issues,
    slice_number,
)
from electrode_grains.errors import InputError, SettingsError

Scan = xr.Dataset | Callable[[], xr.Dataset]


class Choice(NamedTuple):
    """Which scans fill which planes."""

    scans: Mapping[str, Scan]
    planes: list[Plane]
    spacing_nm: float | None  # of planes, where depths are known
    notes: list[str]
    issues: list[Issue]


def choose_scans(
    scans: Mapping[str, Scan], first_slice: int | None, options: ReadingOptions
) -> Choice:
    """Tell which scans fill which planes.

    Parameters
    ----------
    scans : mapping of str to Dataset or callable
    first_slice : int, optional
        Number that the first slice must have.
    options : ReadingOptions
        Patterns, sizes and lost slices.

    Returns
    -------
    Choice
        With all problems of names, numbers and depths.

    Raises
    ------
    SettingsError
        If an option fits no scan, or contradicts another one.
    """
    notes: list[str] = []
    issues: list[Issue] = []
    if options.scan_pattern is not None:
        scans, notes = chosen_scans(scans, options.scan_pattern)
    if options.scan_shape is not None:
        kept = [name for name, scan in scans.items() if _may_have_shape(scan, options)]
        if not kept:
            raise SettingsError(
                "no scan has the size that is wanted", found=f"scan_shape: {options.scan_shape}"
            )
        notes += left_out([name for name in scans if name not in kept], "scan_shape")
        scans = {name: scans[name] for name in kept}
    depths: dict[str, float] = {
        name: scan.depth_nm
        for name, scan in scans.items()
        if isinstance(scan, ScanReader) and scan.depth_nm is not None
    }
    if options.depth_pattern is not None:
        if depths:
            raise SettingsError(
                "depths come from a table and from names",
                found=f"depth_pattern: {options.depth_pattern}",
                remedy="depth_pattern: null, or take the table out of the folder",
            )
        depths, issues = depths_of_names(scans, options.depth_pattern)
    if options.slice_pattern is not None:
        called, unnumbered = named_by_pattern(scans, options.slice_pattern)
        if unnumbered:
            return Choice({}, [], None, notes, issues + unnumbered)
        depths = {new: depths[old] for new, old in zip(called, scans, strict=True) if old in depths}
        scans = called
    issues += [
        Issue(name, "", "no slice number in the name", "", "a name like slice_007", RENAME)
        for name in scans
        if not re.search(r"\d", name)
    ]
    names = natural_order(name for name in scans if re.search(r"\d", name))
    if depths:
        return _choose_by_depth(scans, names, depths, notes, issues, options)
    lost = lost_slices(names, options.missing_slices)
    names = natural_order([*names, *lost])
    issues += numbering_issues(names, first_slice)
    planes = [Plane(name, None if name in lost else name) for name in names]
    notes += [
        f"slice {slice_number(name)} is missing and stays without measurement" for name in lost
    ]
    return Choice(scans, planes, None, notes, issues)


def _choose_by_depth(
    scans: Mapping[str, Scan],
    names: list[str],
    depths: Mapping[str, float],
    notes: list[str],
    issues: list[Issue],
    options: ReadingOptions,
) -> Choice:
    if options.missing_slices:
        raise SettingsError(
            "depths say already where slices are missing",
            found=f"missing_slices: {list(options.missing_slices)}",
            remedy="missing_slices: []",
        )
    issues += numbering_issues(names, None, gaps=True)
    if not issues:
        issues += depth_issues(depths, names)
    if issues:
        return Choice(scans, [Plane(name, name) for name in names], None, notes, issues)
    planes, spacing, found = planes_of_depths({name: depths[name] for name in names})
    return Choice(scans, planes, spacing, notes + found, issues)


def _may_have_shape(scan: Scan, options: ReadingOptions) -> bool:
    """Whether a scan has the wanted size; what cannot be read is refused later."""
    try:
        return read_one(scan, options)["image_quality"].shape == options.scan_shape
    except InputError:
        return True


def read_one(scan: Scan, options: ReadingOptions) -> xr.Dataset:
    """Read a scan, or take it as it is."""
    if isinstance(scan, ScanReader):
        return scan(options)
    return scan() if callable(scan) else scan
