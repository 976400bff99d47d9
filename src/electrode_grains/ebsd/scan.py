"""From single scans to a stack: natural order, one grid, all problems told at once."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import xarray as xr

from electrode_grains.problems import InputProblem, SettingsProblem

Scan = xr.Dataset | Callable[[], xr.Dataset]
Row = tuple[str, str, str, str]  # slice, problem, found, expected
STEP_TOLERANCE = 0.01
WIDEST_COLUMN = 48


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
    scans: Mapping[str, Scan] | Sequence[xr.Dataset],
    slice_spacing_nm: float | None = None,
    first_slice: int | None = None,
) -> xr.Dataset:
    """Stack scans along the milling direction.

    Parameters
    ----------
    scans : mapping of str to Dataset or callable, or sequence of Dataset
        Scans, or functions that read them, by name. A sequence is taken in its order.
    slice_spacing_nm : float, optional
        Thickness milled away between two scans. By default what the first scan tells, as
        slices of volumes do; or else its step, so that voxels are as deep as they are high.
    first_slice : int, optional
        Number that the first slice must have, so that slices missing at the beginning are
        noticed too; without it the lowest number found is the first.

    Returns
    -------
    xr.Dataset
        Variables of the scans with dimensions `(z, y, x)`, coordinates in nm; attributes
        `spacing_nm` (dz, dy, dx), `slices` (names), `phases` and `notes`.

    Raises
    ------
    InputProblem
        If slices are unnumbered, missing or doubled, or differ in grid, step or phases. All
        problems of the stack are told at once, in a table; what most slices have is what is
        expected of the others.
    SettingsProblem
        If the spacing is no positive number.
    """
    if slice_spacing_nm is not None and not (
        np.isfinite(slice_spacing_nm) and slice_spacing_nm > 0
    ):
        raise SettingsProblem(
            "the distance of slices must be positive",
            found=f"slice_spacing_nm = {slice_spacing_nm}",
            expected="nanometres milled away between two scans, such as 50",
        )
    if not isinstance(scans, Mapping):
        scans = {f"slice_{index:03d}": scan for index, scan in enumerate(scans)}
    if not scans:
        raise InputProblem("there are no slices to stack")
    numbered = [name for name in scans if re.search(r"\d", name)]
    problems = [
        (name, "no slice number in the name", "", "a name like slice_007")
        for name in scans
        if name not in numbered
    ]
    names = natural_order(numbered)
    problems += _numbering_problems(names, first_slice)
    read: dict[str, xr.Dataset] = {}
    for name in names:
        scan = scans[name]
        try:
            read[name] = scan() if callable(scan) else scan
        except InputProblem as problem:
            where = problem.where or name
            problems.append((where, problem.message, problem.found or "", problem.expected or ""))
    problems += _uniformity_problems(read)
    if problems:
        raise InputProblem(
            f"{len(problems)} problems in a stack of {len(scans)} slices:\n{_table(problems)}",
            remedy="put right or remove the files named; the stack is read only when all agree",
        )
    ordered = list(read.values())
    told = ordered[0].attrs.get("slice_spacing_nm", ordered[0].attrs["step_nm"][0])
    return _concatenate(ordered, names, slice_spacing_nm or float(told))


def stack_fingerprint(stack: xr.Dataset) -> str:
    """Digest of all that was scanned, equal for equal data whatever the files are called.

    Parameters
    ----------
    stack : xr.Dataset
        Result of `stack_scans`.

    Returns
    -------
    str
        First 16 hexadecimal digits of SHA-256 over the variables, their shapes and spacing.

    Examples
    --------
    >>> scan = xr.Dataset({"image_quality": (("y", "x"), np.ones((2, 3)))},
    ...                   attrs={"step_nm": (50.0, 50.0)})
    >>> stack_fingerprint(stack_scans([scan, scan], 50.0))
    '...'
    """
    digest = hashlib.sha256(repr(stack.attrs["spacing_nm"]).encode())
    for name in sorted(map(str, stack.data_vars)):
        values = np.ascontiguousarray(stack[name].to_numpy())
        digest.update(f"{name} {values.shape} {values.dtype}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]


def _numbering_problems(names: Sequence[str], first_slice: int | None) -> list[Row]:
    numbers = [slice_number(name) for name in names]
    problems = []
    if first_slice is not None and numbers:
        numbers, names = [first_slice - 1, *numbers], ["", *names]
    for before, after, name in zip(numbers, numbers[1:], names[1:], strict=False):
        if first_slice is not None and after < first_slice:
            problems.append((name, "before the first slice", str(after), f"from {first_slice} on"))
        elif after == before:
            problems.append((name, "doubled slice number", str(after), "each number once"))
        elif after > before + 1:
            gap = f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}"
            problems.append((name, "missing slices before it", f"no {gap}", "no gap"))
    return problems


def _uniformity_problems(scans: Mapping[str, xr.Dataset]) -> list[Row]:
    """Slices that differ from what most slices have."""
    if not scans:
        return []
    shapes = {name: scan["image_quality"].shape for name, scan in scans.items()}
    steps = {name: tuple(map(float, scan.attrs["step_nm"])) for name, scan in scans.items()}
    phases = {name: _phase_names(scan) for name, scan in scans.items()}
    shape = Counter(shapes.values()).most_common(1)[0][0]
    step = Counter(steps.values()).most_common(1)[0][0]
    phase = Counter(phases.values()).most_common(1)[0][0]
    problems = []
    for name in scans:
        if shapes[name] != shape:
            problems.append((name, "another grid", f"{shapes[name]} (y, x)", str(shape)))
        if not np.allclose(steps[name], step, rtol=STEP_TOLERANCE):
            problems.append((name, "another step", f"{steps[name]} nm (y, x)", f"{step} nm"))
        if phases[name] != phase:
            problems.append((name, "another list of phases", str(phases[name]), str(phase)))
    return problems


def _phase_names(scan: xr.Dataset) -> tuple[tuple[int, str, str], ...]:
    return tuple(
        (int(phase["id"]), str(phase.get("material_name", "")), str(phase.get("symmetry", "")))
        for phase in scan.attrs.get("phases") or ()
    )


def _table(problems: Sequence[Row]) -> str:
    """Problems as lines of a table with aligned columns."""
    rows = [("slice", "problem", "found", "expected"), *problems]
    widths = [min(max(map(len, column)), WIDEST_COLUMN) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  "
        + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


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
