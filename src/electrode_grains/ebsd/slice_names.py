"""What the names of scans say of a stack: which slice a scan is, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from electrode_grains.ebsd.issues import Issue
from electrode_grains.errors import InputError, SettingsError

T = TypeVar("T")

RENAME = "end the name in the slice number"
REMOVE = "remove it, or say by slice_pattern which number of a name counts the slices"
COPY_AGAIN = "copy the folder again, or renumber the slices; name lost ones in missing_slices"
PATTERN = "correct slice_pattern, whose group must be a number of its own in every name"
# Planes of a stack that no scan of their own fills.
MISSING, REPEATED = "missing_", "repeated_"


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


def is_scan(name: str) -> bool:
    """Whether a plane of a stack has a scan of its own, by its name.

    Examples
    --------
    >>> [is_scan(name) for name in ("slice_003", "missing_004", "repeated_005")]
    [True, False, False]
    """
    return not name.startswith((MISSING, REPEATED))


def named_by_pattern(scans: Mapping[str, T], pattern: str) -> tuple[dict[str, T], list[Issue]]:
    """Scans called slice_007 and so on, by the number that a pattern finds in their names."""
    named: dict[str, T] = {}
    issues = []
    for name, scan in scans.items():
        match = re.search(pattern, name)
        digits = (match[1] or "") if match else ""
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


def chosen_scans(scans: Mapping[str, T], pattern: str) -> tuple[dict[str, T], list[str]]:
    """Scans whose names a pattern finds, and notes on the others.

    Raises
    ------
    SettingsError
        If it finds none.
    """
    chosen = {name: scan for name, scan in scans.items() if re.search(pattern, name)}
    if not chosen:
        raise SettingsError(
            "no scan has a name that scan_pattern finds",
            found=f"scan_pattern: {pattern}",
            expected=f"a part of names such as {', '.join(list(scans)[:4])}",
        )
    return chosen, left_out([name for name in scans if name not in chosen], "scan_pattern")


def left_out(names: Sequence[str], setting: str) -> list[str]:
    """Note on scans that a setting leaves out."""
    if not names:
        return []
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    count = f"{len(names)} scan{'s are' if len(names) > 1 else ' is'}"
    return [f"{count} left out by {setting}: {', '.join(names[:4])}{more}"]


def lost_slices(names: Iterable[str], numbers: Sequence[int]) -> list[str]:
    """Names of the planes of slices that are known to be lost.

    Raises
    ------
    SettingsError
        If one of them is there.
    """
    taken = {slice_number(name): name for name in names if re.search(r"\d", name)}
    for number in numbers:
        if number in taken or not (taken and min(taken) < number < max(taken)):
            raise SettingsError(
                "a slice that is said to be missing is there, or lies outside the stack",
                where=taken.get(number),
                found=f"missing_slices: {number}",
                expected="numbers between the first and the last slice that have no scan",
            )
    return [f"{MISSING}{number:03d}" for number in sorted(set(numbers))]


def numbering_issues(
    names: Sequence[str], first_slice: int | None, gaps: bool = False
) -> list[Issue]:
    """Slices that are doubled, missing, or come before the first.

    Parameters
    ----------
    names : sequence of str
        In natural order.
    first_slice : int, optional
        Number that the first slice must have.
    gaps : bool
        Whether numbers may be missing, since depths say where the slices lie.
    """
    numbers = [slice_number(name) for name in names]
    if first_slice is not None and numbers and not gaps:
        numbers, names = [first_slice - 1, *numbers], ["", *names]
    doubled = f"the last number of {names[0]} and others" if names else ""
    advice = suggested_pattern(names)
    remedy = f"say which number counts: slice_pattern: '{advice}'" if advice else REMOVE
    issues = []
    for before, after, name in zip(numbers, numbers[1:], names[1:], strict=False):
        if first_slice is not None and after < first_slice:
            problem = ("before the first slice", str(after), f"from {first_slice} on", REMOVE)
        elif after == before:
            found = f"{after}, {doubled}" if advice else str(after)
            problem = ("doubled slice number", found, "each number once", remedy)
        elif after > before + 1 and not gaps:
            gap = f"{before + 1}" if after == before + 2 else f"{before + 1} to {after - 1}"
            problem = ("missing slices before it", f"no {gap}", "no gap", COPY_AGAIN)
        else:
            continue
        issues.append(Issue(name, "", *problem))
    return issues


def suggested_pattern(names: Sequence[str]) -> str | None:
    r"""Expression for the only number that differs in all names, if it is not the last.

    Examples
    --------
    >>> suggested_pattern(["NMC_001_20kV", "NMC_002_20kV", "NMC_003_20kV"])
    '^NMC_(\\d+)_20kV$'
    >>> suggested_pattern(["slice_1", "slice_2"]) is None
    True
    """
    parts = [re.split(r"(\d+)", name) for name in names]
    if len(parts) < 2 or len({len(each) for each in parts}) != 1:
        return None
    columns = list(zip(*parts, strict=True))
    if any(len(set(column)) > 1 for column in columns[::2]):
        return None
    differing = [
        place
        for place, column in enumerate(columns)
        if place % 2 and len({int(text) for text in column}) == len(column)
    ]
    if len(differing) != 1 or differing[0] == len(columns) - 2:
        return None
    pieces = [
        r"(\d+)" if place == differing[0]
        else r"\d+" if len(set(column)) > 1
        else re.escape(column[0])
        for place, column in enumerate(columns)
    ]  # fmt: skip
    return f"^{''.join(pieces)}$"
