"""From single scans to a stack: natural order, one grid, all issues reported at once."""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd.points import NOT_INDEXED, ScanReader
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.errors import InputError, SettingsError, UserError
from electrode_grains.volumes import spacing_notes

Scan = xr.Dataset | Callable[[], xr.Dataset]
STEP_TOLERANCE = 0.01
RENAME = "end the name in the slice number"
REMOVE = "remove it, or say by slice_pattern which number of a name counts the slices"
COPY_AGAIN = "copy the folder again, or renumber the slices; name lost ones in missing_slices"
PATTERN = "correct slice_pattern, whose group must be a number of its own in every name"
CROP = "crop all scans to their common window"
SAME_SCAN = "export the slice like the others, or leave it out"


class Issue(NamedTuple):
    """One problem of a stack: a row of the table that a refusal shows."""

    slice: str
    line: str
    problem: str
    found: str
    expected: str
    remedy: str


# Widths of the columns of the table; longer texts are wrapped.
WIDTHS = (28, 7, 30, 32, 32, 36)


class _Kind(NamedTuple):
    """What all slices of a stack must share."""

    shape: tuple[int, ...]
    step: tuple[float, ...]
    phases: tuple[tuple[int, str, str], ...]
    channels: tuple[str, ...]
    frames: str


def slice_number(name: str) -> int:
    """Last whole number in a name, which counts the slices.

    Raises
    ------
    InputError
        If the name holds no number.

    Examples
    --------
    >>> slice_number("NMC532_run2_slice_007")
    7
    """
    numbers = re.findall(r"\d+", name)
    if not numbers:
        raise InputError(
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
    options: ReadingOptions = STRICT,
    falling: bool = False,
) -> xr.Dataset:
    """Stack scans along the milling direction.

    Parameters
    ----------
    scans : mapping of str to Dataset or callable, or sequence of Dataset
        Scans, or functions that read them, by name. A sequence is taken in its order.
    slice_spacing_nm : float, optional
        Thickness milled away between two scans. By default what the first scan knows, as
        slices of volumes do; or else its step, so that voxels are as deep as they are high.
    first_slice : int, optional
        Number that the first slice must have, so that slices missing at the beginning are
        noticed too; without it the lowest number found is the first.
    options : ReadingOptions
        What readers of files may accept.
    falling : bool
        Slice numbers fall along milling: the stack begins with the highest.

    Returns
    -------
    xr.Dataset
        Variables of the scans with dimensions `(z, y, x)`, coordinates in nm; attributes
        `spacing_nm` (dz, dy, dx), `slices` (names), `phases`, `frames` (a `FrameChoice`, None
        for images) and `notes`.

    Raises
    ------
    InputError
        If slices are unnumbered, missing or doubled, or differ in grid, step or phases. All
        issues of the stack are reported at once, in a table; what most slices have is what is
        expected of the others.
    SettingsError
        If the spacing is no positive number, or not in the unit of the steps.
    """
    if slice_spacing_nm is not None and not (
        np.isfinite(slice_spacing_nm) and slice_spacing_nm > 0
    ):
        raise SettingsError(
            "the distance of slices must be positive",
            found=f"slice_spacing_nm = {slice_spacing_nm}",
            expected="nanometres milled away between two scans, such as 50",
        )
    if not isinstance(scans, Mapping):
        scans = {f"slice_{index:03d}": scan for index, scan in enumerate(scans)}
    if not scans:
        raise InputError("there are no slices to stack")
    stack, issues = inspect_scans(scans, first_slice, options)
    if issues:
        raise InputError(
            f"{len(issues)} problems in a stack of {len(scans)} slices:\n{issue_table(issues)}",
            remedy="put right or remove the files named; the stack is read only when all agree",
        )
    if falling:
        stack = stack.isel(z=slice(None, None, -1))
        stack.attrs["slices"] = stack.attrs["slices"][::-1]
    dy, dx = stack.attrs.pop("step_nm")
    volume_spacing = stack.attrs.pop("slice_spacing_nm")
    dz = float(slice_spacing_nm or volume_spacing or dy)
    stack.attrs["from_volume"] = (
        volume_spacing is not None
    )  # of slices, only a volume tells the spacing
    stack.attrs["spacing_nm"] = (dz, dy, dx)
    stack.attrs["notes"] += spacing_notes((dz, dy, dx), "slice_spacing_nm and step_nm")
    return stack.assign_coords(z=np.arange(len(stack.attrs["slices"])) * dz)


def inspect_scans(
    scans: Mapping[str, Scan],
    first_slice: int | None = None,
    options: ReadingOptions = STRICT,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[xr.Dataset, list[Issue]]:
    """Read all slices and list every problem instead of refusing.

    Parameters
    ----------
    scans, first_slice, options
        As in `stack_scans`.
    progress : callable, optional
        Called with the number of slices read, and their total.

    Returns
    -------
    stack : xr.Dataset
        As far as it could be read: of no use where there are issues, but for its attributes
        `step_nm`, `slice_spacing_nm` (None where the files do not hold it), `slices`,
        `phases` and `notes`, which are lacking where no slice could be read.
    issues : list of Issue
    """
    if options.slice_pattern is not None:
        scans, unnumbered = _named_by_pattern(scans, options.slice_pattern)
        if unnumbered:
            return xr.Dataset(attrs={"notes": ()}), unnumbered
    scans = {**scans, **_lost_slices(scans, options.missing_slices)}
    names = natural_order(name for name in scans if re.search(r"\d", name))
    issues = [
        Issue(name, "", "no slice number in the name", "", "a name like slice_007", RENAME)
        for name in scans
        if name not in names
    ]
    issues += _numbering_issues(names, first_slice)
    stack, further = _read_all(scans, names, options, progress)
    return stack, issues + further


def _named_by_pattern(
    scans: Mapping[str, Scan], pattern: str
) -> tuple[dict[str, Scan], list[Issue]]:
    """Scans called slice_007 and so on, by the number that a pattern finds in their names."""
    named: dict[str, Scan] = {}
    issues = []
    for name, scan in scans.items():
        match = re.search(pattern, name)
        digits = match[1] if match else ""
        called = f"slice_{int(digits):03d}" if digits.isdecimal() else ""
        if not called:
            found = f"{digits!r}" if match else "no match"
            issues.append(Issue(name, "", "no slice number in the name", found, pattern, PATTERN))
        elif called in named:
            issues.append(
                Issue(name, "", "doubled slice number", digits, "each number once", PATTERN)
            )
        else:
            named[called] = scan
    return named, issues


def _lost_slices(scans: Mapping[str, Scan], numbers: Sequence[int]) -> dict[str, _Lost]:
    """Stand-ins for slices that are known to be lost.

    Raises
    ------
    SettingsError
        If one of them is there.
    """
    taken = {slice_number(name): name for name in scans if re.search(r"\d", name)}
    for number in numbers:
        if number in taken or not (taken and min(taken) < number < max(taken)):
            raise SettingsError(
                "a slice that is said to be missing is there, or lies outside the stack",
                where=taken.get(number),
                found=f"missing_slices: {number}",
                expected="numbers between the first and the last slice that have no scan",
            )
    return {f"missing_{number:03d}": _Lost() for number in sorted(set(numbers))}


class _Lost:
    """Reader of a slice that nobody has: it stays without measurement."""

    def __call__(self) -> xr.Dataset:
        """A lost slice is never read."""
        raise AssertionError


def _read_all(
    scans: Mapping[str, Scan],
    names: Sequence[str],
    options: ReadingOptions,
    progress: Callable[[int, int], None] | None,
) -> tuple[xr.Dataset, list[Issue]]:
    """Read slice by slice into one set of arrays, so that no slice is held twice."""
    issues: list[Issue] = []
    kinds: dict[str, _Kind] = {}
    notes: list[str] = []
    lost: list[int] = []
    stack = xr.Dataset()
    for index, name in enumerate(names):
        if progress is not None:
            progress(index, len(names))
        if isinstance(scans[name], _Lost):
            lost.append(index)
            notes.append(f"slice {slice_number(name)} is missing and stays without measurement")
            continue
        try:
            scan = _read(scans[name], options)
        except InputError as problem:
            issues.append(issue_from(name, problem))
            continue
        kinds[name] = _kind_of(scan)
        if not stack.data_vars:
            stack = _room_for(scan, names)
        if kinds[name] == kinds[next(iter(kinds))]:
            for channel in stack.data_vars:
                stack[channel].to_numpy()[index] = scan[channel].to_numpy()
            if index and _is_copy(stack["image_quality"].to_numpy(), index):
                notes.append(f"{name}: the same image as the slice before")
        notes += [
            f"{scan.attrs.get('source', name)}: {note}" for note in scan.attrs.get("notes") or ()
        ]
    for channel, values in stack.data_vars.items():
        unmeasured = {"confidence_index": NOT_INDEXED}.get(str(channel), np.nan)
        values.to_numpy()[lost] = unmeasured if values.dtype.kind == "f" else 0
    stack.attrs["notes"] = tuple(notes)
    return stack, issues + _uniformity_issues(kinds)


def _is_copy(stack: NDArray[Any], index: int) -> bool:
    """Whether a slice equals the one before, and is an image at all."""
    here, before = stack[index], stack[index - 1]
    return bool(np.array_equal(here, before, equal_nan=True) and np.nanmin(here) < np.nanmax(here))


def _read(scan: Scan, options: ReadingOptions) -> xr.Dataset:
    if isinstance(scan, ScanReader):
        return scan(options)
    return scan() if callable(scan) else scan


def _room_for(scan: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Empty stack of slices like the given one."""
    return xr.Dataset(
        {
            name: (
                ("z", *values.dims),
                np.empty((len(names), *values.shape), values.dtype),
            )
            for name, values in scan.data_vars.items()
        },
        coords=scan.coords,
        attrs={
            "step_nm": tuple(map(float, scan.attrs["step_nm"])),
            "slice_spacing_nm": scan.attrs.get("slice_spacing_nm"),
            "slices": tuple(names),
            "phases": tuple(scan.attrs.get("phases") or ()),
            "frames": scan.attrs.get("frames"),
        },
    )


def _kind_of(scan: xr.Dataset) -> _Kind:
    return _Kind(
        shape=scan["image_quality"].shape,
        # To four digits: steps are printed numbers, and differences below 1 % are rounding.
        step=tuple(float(f"{step:.4g}") for step in scan.attrs["step_nm"]),
        phases=_phase_names(scan),
        channels=tuple(sorted(map(str, scan.data_vars))),
        frames=frames.describe() if (frames := scan.attrs.get("frames")) else "",
    )


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


def _numbering_issues(names: Sequence[str], first_slice: int | None) -> list[Issue]:
    numbers = [slice_number(name) for name in names]
    if first_slice is not None and numbers:
        numbers, names = [first_slice - 1, *numbers], ["", *names]
    issues = []
    for before, after, name in zip(numbers, numbers[1:], names[1:], strict=False):
        if first_slice is not None and after < first_slice:
            problem = ("before the first slice", str(after), f"from {first_slice} on", REMOVE)
        elif after == before:
            problem = ("doubled slice number", str(after), "each number once", REMOVE)
        elif after > before + 1:
            gap = f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}"
            problem = ("missing slices before it", f"no {gap}", "no gap", COPY_AGAIN)
        else:
            continue
        issues.append(Issue(name, "", *problem))
    return issues


def _uniformity_issues(kinds: Mapping[str, _Kind]) -> list[Issue]:
    """Slices that differ from what most slices have."""
    if not kinds:
        return []
    usual = _Kind(
        *(Counter(values).most_common(1)[0][0] for values in zip(*kinds.values(), strict=True))
    )
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


def _phase_names(scan: xr.Dataset) -> tuple[tuple[int, str, str], ...]:
    return tuple(
        (int(phase["id"]), str(phase.get("material_name", "")), str(phase.get("symmetry", "")))
        for phase in scan.attrs.get("phases") or ()
    )


def issue_from(name: str, problem: UserError) -> Issue:
    """Row of the table for something that was refused.

    Examples
    --------
    >>> issue_from("slice_003", InputError("a row is cut", where="slice_003.ang, line 89"))[:3]
    ('slice_003.ang', '89', 'a row is cut')
    """
    where, _, line = (problem.where or name).partition(", line ")
    return Issue(
        where,
        line,
        problem.message,
        problem.found or "",
        problem.expected or "",
        problem.remedy or "",
    )


def issue_table(issues: Sequence[Issue]) -> str:
    """Problems as a table with aligned columns and wrapped cells."""
    rows = [Issue(*Issue._fields), *issues]
    widths = [
        min(max(len(cell) for cell in column), widest)
        for column, widest in zip(zip(*rows, strict=True), WIDTHS, strict=True)
    ]
    lines = []
    for row in rows:
        cells = [textwrap.wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            line = "  ".join(f"{part:<{width}}" for part, width in zip(parts, widths, strict=True))
            lines.append("  " + line.rstrip())
    return "\n".join(lines)
