"""What all slices of a stack share, and what is done where they differ on request."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mode
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from electrode_grains.ebsd.issues import Issue

STEP_TOLERANCE = 0.01
LEAST_WINDOW = 0.5  # of the usual rows and columns; what is smaller is another area
CROP = (
    "set crop to common if all are of one area; leave out overviews by scan_pattern or scan_shape"
)
SAME_SCAN = "export the slice like the others, or leave it out"
Phases = tuple[dict[str, Any], ...]


class Kind(NamedTuple):
    """What all slices of a stack must share."""

    shape: tuple[int, ...]
    step: tuple[float, ...]
    phases: tuple[tuple[int, str, str], ...]
    channels: tuple[str, ...]
    frames: str


def kind_of(scan: xr.Dataset) -> Kind:
    """What a scan should share with the others."""
    return Kind(
        shape=scan["image_quality"].shape,
        # To four digits: steps are printed numbers, and differences below 1 % are rounding.
        step=tuple(float(f"{step:.4g}") for step in scan.attrs["step_nm"]),
        phases=tuple(sorted(_phase_names(scan.attrs.get("phases") or ()))),
        channels=tuple(sorted(map(str, scan.data_vars))),
        frames=frames.describe() if (frames := scan.attrs.get("frames")) else "",
    )


def _phase_names(phases: Phases) -> list[tuple[int, str, str]]:
    return [
        (int(phase["id"]), str(phase.get("material_name", "")), str(phase.get("symmetry", "")))
        for phase in phases
    ]


def renumber_phases(scan: xr.Dataset, phases: Phases) -> tuple[xr.Dataset, str]:
    """Give the phases of a scan the numbers that they have in another list.

    Parameters
    ----------
    scan : Dataset
    phases : tuple of dict
        Of the first slice.

    Returns
    -------
    scan : Dataset
        As it was, unless it lists the same phases under the same numbers in another order.
    note : str
        Empty, or what was done.
    """
    own = _phase_names(tuple(scan.attrs.get("phases") or ()))
    wanted = {(name, symmetry): number for number, name, symmetry in _phase_names(phases)}
    number_of = {number: wanted.get((name, symmetry)) for number, name, symmetry in own}
    same = set(number_of) == set(number_of.values()) == set(wanted.values())
    if len(wanted) < len(phases) or not same or all(a == b for a, b in number_of.items()):
        return scan, ""
    given = scan["phase"].to_numpy()
    renumbered = given.copy()
    for number, other in number_of.items():
        renumbered[given == number] = other
    listed = ", ".join(f"{name} is {other}" for (name, _), other in wanted.items())
    return (
        scan.assign(phase=(scan["phase"].dims, renumbered)).assign_attrs(phases=phases),
        f"phases are listed in another order than in the first slice; renumbered: {listed}",
    )


def cut_to_window(stack: xr.Dataset, scan: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """A stack and a scan, cut to their common rows and columns from the first on."""
    shapes = zip(stack["image_quality"].shape[1:], scan["image_quality"].shape, strict=True)
    rows, columns = map(min, shapes)
    window = {"y": slice(rows), "x": slice(columns)}
    return stack.isel(window), scan.isel(window)


def describe_cut(kinds: Mapping[str, Kind]) -> tuple[dict[str, Kind], str]:
    """Kinds of slices that were cut to their common window, and a note that says so.

    Slices of less than half, or more than twice, the usual rows or columns are none of the same
    area: they keep their shape, by which they are refused.
    """
    usual = mode(kind.shape for kind in kinds.values())
    near = {
        name: kind
        for name, kind in kinds.items()
        if all(LEAST_WINDOW <= own / size <= 1 / LEAST_WINDOW
               for own, size in zip(kind.shape, usual, strict=True))
    }  # fmt: skip
    others = [name for name, kind in near.items() if kind.shape != usual]
    if not others:
        return dict(kinds), ""
    common = tuple(int(size) for size in np.min([kind.shape for kind in near.values()], axis=0))
    note = (
        f"{len(others)} slices have another size than the {usual} points (y, x) of most: "
        f"{', '.join(others[:4])}{' ...' if len(others) > 4 else ''}; all slices are cut to "
        f"{common} points, from the first row and column on"
    )
    return {**kinds, **{name: kind._replace(shape=usual) for name, kind in near.items()}}, note


def uniformity_issues(kinds: Mapping[str, Kind]) -> list[Issue]:
    """Slices that differ from what most slices have."""
    if not kinds:
        return []
    usual = Kind(*map(mode, zip(*kinds.values(), strict=True)))
    issues = []
    for name, kind in kinds.items():
        if kind.shape != usual.shape:
            found, expected = f"{kind.shape} (y, x)", f"{usual.shape}"
            issues.append(Issue(name, "", "another grid", found, expected, CROP))
        if not np.allclose(kind.step, usual.step, rtol=STEP_TOLERANCE):
            found, expected = f"{kind.step} nm (y, x)", f"{usual.step} nm"
            issues.append(Issue(name, "", "another step", found, expected, SAME_SCAN))
        if kind.phases != usual.phases:
            found, expected = str(kind.phases), str(usual.phases)
            issues.append(Issue(name, "", "another list of phases", found, expected, SAME_SCAN))
        if kind.channels != usual.channels:
            found, expected = ", ".join(kind.channels), ", ".join(usual.channels)
            issues.append(Issue(name, "", "other channels", found, expected, SAME_SCAN))
        if kind.frames != usual.frames:
            issues.append(Issue(name, "", "other frames", kind.frames, usual.frames, SAME_SCAN))
    return issues
