"""The configuration that comes with the package, of which every project holds a copy."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from shlex import quote

import electrode_grains
from electrode_grains.errors import InputError, SettingsError

ENTRY = re.compile(r"^(\w+):", re.MULTILINE)
SHOWN = 5


def packaged_configuration() -> Path:
    """Folder of the configuration that comes with the package.

    Raises
    ------
    InputError
        If the installation lacks it.
    """
    paths = [
        Path(electrode_grains.__file__).parents[2] / "conf",
        Path(sysconfig.get_path("data")) / "share" / "electrode_grains" / "conf",
    ]
    for path in paths:
        if (path / "base" / "parameters.yml").is_file():
            return path
    raise InputError(
        "the configuration that comes with the package is missing",
        where=" or ".join(map(str, paths)),
        remedy="install electrode-grains again",
    )


def renewing_command() -> str:
    """Command that brings the configuration of a project up to that of the package."""
    return f"cp {quote(str(packaged_configuration()))}/base/*.yml conf/base/"


def refuse_earlier_configuration(unknown: Iterable[str]) -> None:
    """Refuse a project whose conf/base was copied from an earlier version of the package.

    Parameters
    ----------
    unknown : iterable of str
        Datasets and parameters that a run reads or writes and nobody has configured.

    Raises
    ------
    SettingsError
        If the package configures some of them: such a dataset would not be kept, such a
        parameter would be missing in the middle of a run.
    """
    names = sorted(unknown)
    if not names:
        return
    base = packaged_configuration() / "base"
    shipped = {
        name
        for file in base.glob("catalog*.yml")
        for name in ENTRY.findall(file.read_text("utf-8"))
    }
    lacking = [name for name in names if name in shipped or name.startswith("params:")]
    if lacking:
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        raise SettingsError(
            "the configuration of the project is that of an earlier version",
            where="conf/base",
            found=f"no {', no '.join(lacking[:SHOWN])}{more}",
            remedy=f"{renewing_command()} brings it up to date; what differs from it belongs into "
            "conf/local, which stays",
        )
