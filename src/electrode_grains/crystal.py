"""Laue groups: the one list of them, and how the makers of EBSD software number them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from electrode_grains.errors import SettingsError

# In the order in which Oxford Instruments numbers them, from 1. Settings take this type.
LaueGroup = Literal[
    "-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m"
]  # fmt: skip
LAUE_GROUPS: tuple[LaueGroup, ...] = get_args(LaueGroup)

# Symmetry code of EDAX/TSL headers.
_TSL_SYMMETRIES: dict[str, LaueGroup] = {
    "43": "m-3m",
    "23": "m-3",
    "62": "6/mmm",
    "6": "6/m",
    "32": "-3m",
    "3": "-3",
    "42": "4/mmm",
    "4": "4/m",
    "22": "mmm",
    "20": "2/m",
    "2": "2/m",
    "1": "-1",
}
# `CrystalStructures` of DREAM.3D, which gives 999 to what is no phase.
DREAM3D_STRUCTURES: dict[LaueGroup, int] = {
    "6/mmm": 0,
    "m-3m": 1,
    "6/m": 2,
    "m-3": 3,
    "-1": 4,
    "2/m": 5,
    "mmm": 6,
    "4/m": 7,
    "4/mmm": 8,
    "-3": 9,
    "-3m": 10,
}
UNKNOWN_STRUCTURE = 999
# Last space group, by its number in the International Tables, of each Laue group in turn.
_LAST_SPACE_GROUPS: tuple[tuple[int, LaueGroup], ...] = (
    (2, "-1"), (15, "2/m"), (74, "mmm"), (88, "4/m"), (142, "4/mmm"), (148, "-3"), (167, "-3m"),
    (176, "6/m"), (194, "6/mmm"), (206, "m-3"), (230, "m-3m"),
)  # fmt: skip


def check_laue_group(name: str) -> LaueGroup:
    """Return a Laue group that a user named, or refuse the name.

    Raises
    ------
    SettingsError
        If it is none of `LAUE_GROUPS`.

    Examples
    --------
    >>> check_laue_group("2/m")
    '2/m'
    """
    for known in LAUE_GROUPS:
        if name == known:
            return known
    raise SettingsError("unknown Laue group", found=repr(name), expected=", ".join(LAUE_GROUPS))


def laue_group_of_tsl_symmetry(code: str | int) -> LaueGroup:
    """Name of the Laue group behind the symmetry code of an `.ang` header.

    Raises
    ------
    SettingsError
        If the code is not known.

    Examples
    --------
    >>> laue_group_of_tsl_symmetry(43)
    'm-3m'
    """
    try:
        return _TSL_SYMMETRIES[str(code).strip()]
    except KeyError:
        raise SettingsError(
            "unknown symmetry code of the phase",
            found=repr(code),
            expected=", ".join(_TSL_SYMMETRIES),
        ) from None


def laue_group_of_phase(phase: Mapping[str, Any]) -> LaueGroup | None:
    """Laue group of a phase as readers describe it; None where its symmetry is not known."""
    return _TSL_SYMMETRIES.get(str(phase.get("symmetry", "")).strip())


def laue_group_of_space_group(number: int) -> LaueGroup | None:
    """Laue group of a space group by its number in the International Tables; None if unknown.

    Examples
    --------
    >>> laue_group_of_space_group(166)  # R-3m of layered oxides
    '-3m'
    """
    if number < 1:
        return None
    return next((group for last, group in _LAST_SPACE_GROUPS if number <= last), None)


def tsl_symmetry_of_laue_group(name: str) -> str:
    """Symmetry code of an `.ang` header for a Laue group.

    Raises
    ------
    SettingsError
        If the group is not known.

    Examples
    --------
    >>> tsl_symmetry_of_laue_group("-3m")
    '32'
    """
    codes = {group: code for code, group in reversed(_TSL_SYMMETRIES.items())}
    return codes[check_laue_group(name)]
