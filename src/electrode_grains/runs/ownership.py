"""Whose files are these: a step replaces and removes only what a run of this project has written.

A manifest records what a run has written. A *claim* says that a run is about to write, so that
the files of a run that was killed before its manifest are known as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from electrode_grains.errors import RunError
from electrode_grains.runs.content import file_digests, named_files
from electrode_grains.runs.manifest import FOLDER, Manifest
from electrode_grains.runs.writing import atomic_write

CLAIMED = ".claim"


@dataclass(frozen=True)
class Claim:
    """A dataset that a run began to write; noted in the data folder until its manifest is there.

    Attributes
    ----------
    dataset : str
    parts : sequence of str or None
        Names of its parts, where it has several by name; None where all its files belong to it.
    """

    dataset: str
    parts: Sequence[str] | None = None

    def covers(self, file: str) -> bool:
        """Whether a file may have been written by that run."""
        return self.parts is None or Path(file).stem in self.parts

    @classmethod
    def of(cls, dataset: str, data: Any, *, by_parts: bool) -> Claim:
        """Claim for data that are about to be saved, of several parts if they are a mapping."""
        parts = sorted(map(str, data)) if by_parts and isinstance(data, Mapping) else None
        return cls(dataset, parts)

    def write(self, folder: Path) -> None:
        """Write the claim into a data folder."""
        with atomic_write(_claim_path(folder, self.dataset)) as (partial,):
            partial.write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def read(cls, folder: Path, dataset: str) -> Claim | None:
        """Claim on a dataset, None where there is none that can be read."""
        try:
            content = json.loads(_claim_path(folder, dataset).read_text("utf-8"))
            return cls(content["dataset"], content["parts"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove(self, folder: Path) -> None:
        """Remove the claim once the manifest is written."""
        _claim_path(folder, self.dataset).unlink(missing_ok=True)


def _claim_path(folder: Path, dataset: str) -> Path:
    return folder / FOLDER / f"{dataset}{CLAIMED}"


def refuse_replacing(
    name: str,
    existing: Sequence[Path],
    manifest: Manifest | None,
    *,
    folder: Path,
    changed_too: bool,
) -> None:
    """Refuse to write over files that are not of this project's making.

    Parameters
    ----------
    name : str
        Of the dataset.
    existing : sequence of Path
        Those of its files and folders that exist.
    manifest : Manifest or None
    folder : Path
        The data folder, where claims lie.
    changed_too : bool
        Protect also what was changed since a run wrote it, as raw data are: a person's work. A
        changed result is a damaged one.

    Raises
    ------
    RunError
        Naming the first file that no manifest records, that a person put there, or that changed.
    """
    claim = Claim.read(folder, name)
    if manifest is not None and manifest.recipe is None:
        raise _refusal(name, existing[0], "a person put it there, and --force took it as it was")
    recorded = {} if manifest is None else manifest.own_files()
    # Of what the last run did not write, another content is somebody's work in any case.
    kept = {} if manifest is None or changed_too else manifest.files
    digests = file_digests(existing) if recorded.keys() - kept.keys() else {}
    for file, place in sorted(named_files(existing)):
        if claim is not None and claim.covers(file):
            continue
        if file not in recorded:
            raise _refusal(name, place, "a file that no run of this project has recorded")
        if file not in kept and recorded[file] != digests[file]:
            raise _refusal(name, place, "it was changed since a run wrote it")


def refuse_outside(name: str, paths: Sequence[Path], folder: Path) -> None:
    """Refuse to write raw data anywhere but in the data folder.

    Raises
    ------
    RunError
        If one of the paths is outside.
    """
    root = folder.resolve()
    for path in paths:
        if not path.resolve().is_relative_to(root):
            raise RunError(
                f"{name} lies outside the data folder, where nothing is ever written",
                where=str(path.absolute()),
                expected=f"a path in {root}, the data_root of this environment",
                remedy="leave out the pipeline that makes it (kedro run takes the files as they "
                "are); a virtual particle has an environment of its own, such as --env demo",
            )


def _refusal(name: str, place: Path, found: str) -> RunError:
    return RunError(
        f"{name} is not replaced: it may be somebody's work",
        where=str(place.absolute()),
        found=found,
        expected="nothing, or what a run of this project has written there",
        remedy="move it to another folder to have it computed, or leave out the pipeline that "
        "makes it to use it as it is; no option overwrites it",
    )
