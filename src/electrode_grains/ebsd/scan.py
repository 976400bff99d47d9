"""From single scans to a stack: natural order, one grid, all problems told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import xarray as xr

from electrode_grains.problems import InputProblem

Scan = xr.Dataset | Callable[[], xr.Dataset]
STEP_TOLERANCE = 0.01


def slice_number(name: str) -> int:
    """Last whole number in a name, which counts the slices.

    Raises
    ------
    InputProblem
        If the name holds no number.

    Examples
    --------
    >>> slice_number("NMC532_run2_slice_007")
    7
    """
    numbers = re.findall(r"\d+", name)
    if not numbers:
        raise InputProblem(
            "a slice has no number in its name",
            where=name,
            expected="a name that ends in the slice number, such as slice_007",
        )
    return int(numbers[-1])


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort names by slice number.

    Examples
    --------
    >>> natural_order(["slice_10", "slice_9"])
    ['slice_9', 'slice_10']
    """
    return sorted(names, key=lambda name: (slice_number(name), name))


def stack_scans(
    scans: Mapping[str, Scan] | Sequence[xr.Dataset], slice_spacing_nm: float
) -> xr.Dataset:
    """Stack scans along the milling direction.

    Parameters
    ----------
    scans : mapping of str to Dataset or callable, or sequence of Dataset
        Scans, or functions that read them, by name. A sequence is taken in its order.
    slice_spacing_nm : float
        Thickness milled away between two scans.

    Returns
    -------
    xr.Dataset
        Variables of the scans with dimensions `(z, y, x)`, coordinates in nm; attributes
        `spacing_nm` (dz, dy, dx), `slices` (names), `phases` and `notes`.

    Raises
    ------
    InputProblem
        If slices are missing or doubled, or differ in grid, step or phases. All problems
        of the stack are told at once, a line each.
    """
    if not isinstance(scans, Mapping):
        scans = {f"slice_{index:03d}": scan for index, scan in enumerate(scans)}
    if not scans:
        raise InputProblem("there are no slices to stack")
    names = natural_order(scans)
    problems = _numbering_problems(names)
    read: list[xr.Dataset] = []
    for name in names:
        scan = scans[name]
        try:
            read.append(scan() if callable(scan) else scan)
        except InputProblem as problem:
            problems.append(
                _row(problem.where or name, problem.message, problem.found, problem.expected)
            )
    if read:
        problems += _uniformity_problems(read, names)
    if problems:
        raise InputProblem(
            f"{len(problems)} problems in a stack of {len(names)} slices:\n"
            + "\n".join(f"  {line}" for line in problems),
            remedy="put right or remove the files named; the stack is read only when all agree",
        )
    return _concatenate(read, names, slice_spacing_nm)


def _numbering_problems(names: Sequence[str]) -> list[str]:
    numbers = [slice_number(name) for name in names]
    problems = []
    for before, after, name in zip(numbers, numbers[1:], names[1:], strict=False):
        if after == before:
            problems.append(_row(name, "doubled slice number", str(after), "each number once"))
        elif after > before + 1:
            gap = f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}"
            problems.append(_row(name, "missing slices before it", f"no {gap}", "no gap"))
    return problems


def _uniformity_problems(scans: Sequence[xr.Dataset], names: Sequence[str]) -> list[str]:
    first = scans[0]
    problems = []
    for name, scan in zip(names, scans, strict=False):
        source = str(scan.attrs.get("source", name))
        shape, expected = scan["image_quality"].shape, first["image_quality"].shape
        if shape != expected:
            problems.append(_row(source, "another grid", f"{shape} (y, x)", str(expected)))
        if not np.allclose(scan.attrs["step_nm"], first.attrs["step_nm"], rtol=STEP_TOLERANCE):
            problems.append(
                _row(
                    source,
                    "another step",
                    f"{scan.attrs['step_nm']} nm",
                    f"{first.attrs['step_nm']} nm",
                )
            )
        if _phase_names(scan) != _phase_names(first):
            problems.append(
                _row(
                    source,
                    "another list of phases",
                    str(_phase_names(scan)),
                    str(_phase_names(first)),
                )
            )
    return problems


def _phase_names(scan: xr.Dataset) -> list[tuple[int, str]]:
    return [
        (int(phase["id"]), str(phase.get("material_name", "")))
        for phase in scan.attrs.get("phases") or ()
    ]


def _row(where: str, what: str, found: str | None, expected: str | None) -> str:
    evidence = [f"found {found}" if found else "", f"expected {expected}" if expected else ""]
    return f"{where}: {what}; " + ", ".join(filter(None, evidence))


def _concatenate(
    scans: Sequence[xr.Dataset], names: Sequence[str], slice_spacing_nm: float
) -> xr.Dataset:
    first = scans[0]
    bare = [scan.drop_attrs(deep=False) for scan in scans]
    stack = xr.concat(bare, dim="z", join="override", coords="minimal", compat="override")
    stack = stack.assign_coords(z=np.arange(len(scans)) * float(slice_spacing_nm))
    stack.attrs = {
        "spacing_nm": (float(slice_spacing_nm), *map(float, first.attrs["step_nm"])),
        "slices": tuple(names),
        "phases": tuple(first.attrs.get("phases") or ()),
        "notes": tuple(
            f"{scan.attrs.get('source', name)}: {note}"
            for name, scan in zip(names, scans, strict=True)
            for note in scan.attrs.get("notes") or ()
        ),
    }
    return stack
