"""The particles of a study: a table that a person fills in, checked before anything runs."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from electrode_grains.configuration_size import refuse_oversized
from electrode_grains.errors import InputError, SettingsError, UserError
from electrode_grains.shipped import packaged_configuration
from electrode_grains.study.settings import StudySettings

TABLE, SETTINGS = "particles.csv", "study.yml"
PATHS = ("scans", "labels", "grain_map")
OPTIONS = ("slice_spacing_nm", "step_nm", "spacing_nm", "laue_group", "material")
COLUMNS = ("id", *PATHS, *OPTIONS)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # by Windows
SHOWN = 12


@dataclass(frozen=True)
class Particle:
    """A row of particles.csv.

    Attributes
    ----------
    name : str
        Its id, which names its folder.
    source : mapping of str to str
        Places of scans, labels or grain map, and what their files do not tell.
    settings : mapping
        Nested settings that differ from those of the study.
    groups : mapping of str to str
        Level of each group, such as batch.
    line : int
        In the file.
    """

    name: str
    source: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    line: int = 0

    def digest(self, study: StudySettings) -> str:
        """Digest of what the particle is computed from, as far as the study says it."""
        content = json.dumps([self.source, self.merged(study)], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()

    def merged(self, study: StudySettings) -> dict[str, Any]:
        """Settings of the study, with those of the particle over them."""
        return merge(study.settings, self.settings)


@dataclass(frozen=True)
class Study:
    """A folder with a table of particles and settings.

    Attributes
    ----------
    folder : Path
    settings : StudySettings
    particles : tuple of Particle
    """

    folder: Path
    settings: StudySettings
    particles: tuple[Particle, ...]

    def project(self, name: str) -> Path:
        """Folder of the project of a particle."""
        return self.folder / "particles" / name


def open_study(folder: Path) -> Study:
    """Read a study.

    Raises
    ------
    InputError
        If the folder is none, or rows of its table cannot be used; all of them are named.
    SettingsError
        If study.yml cannot be used.
    """
    for name in (TABLE, SETTINGS):
        if not (folder / name).is_file():
            raise InputError(
                "there is no study here",
                where=str(folder.absolute()),
                found=f"no {name}",
                remedy="electrode-grains study init DIR makes one; or name it by --study",
            )
    folder = folder.resolve()
    settings = read_settings(folder / SETTINGS)
    return Study(folder, settings, tuple(read_particles(folder / TABLE)))


def read_settings(file: Path) -> StudySettings:
    """Read study.yml.

    Raises
    ------
    SettingsError
        If it is no mapping or grows too large, or a setting in it is misspelt or impossible.
    """
    refuse_oversized([file])
    try:
        content = yaml.safe_load(file.read_text("utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingsError(
            "the settings of the study cannot be read",
            where=f"{file}, line {mark.line + 1}" if mark else str(file),
            found=str(getattr(error, "problem", None) or error),
        ) from None
    if not isinstance(content, dict):
        raise SettingsError("study.yml holds no settings by name", where=str(file))
    return StudySettings.checked(**{str(key): value for key, value in content.items()})


def read_particles(file: Path) -> list[Particle]:
    """Read the table of particles; separators may be commas, semicolons or tabs.

    Raises
    ------
    InputError
        Naming every row and column that cannot be used.
    """
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            "the table of particles is not text in UTF-8", where=str(file),
            remedy="save it as CSV in UTF-8",
        ) from None  # fmt: skip
    lines = text.splitlines()
    separator = max(",;\t", key=(lines[0] if lines else "").count)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    header = [name.strip() for name in next(reader, [])]
    problems = list(_header_problems(header))
    particles: list[Particle] = []
    names: dict[str, int] = {}
    for cells in [] if problems else reader:
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        try:
            particle = _particle(header, cells, reader.line_num, file.parent)
            before = names.setdefault(particle.name.casefold(), particle.line)
            if before != particle.line:
                raise InputError(f"the id {particle.name!r} is that of row {before}, too")
            particles.append(particle)
        except InputError as error:
            problems.append(f"row {reader.line_num}: {error.message}")
    refuse(problems, file)
    if not particles:
        raise InputError(
            "the table names no particle", where=str(file),
            remedy="add a row per particle: its id and the folder of its scans, or its grain map",
        )  # fmt: skip
    return particles


def refuse(problems: list[str], file: Path) -> None:
    """Refuse all that is wrong with a table in one block.

    Raises
    ------
    InputError
        If there is any.
    """
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise InputError(
            f"the table of particles has {len(problems)} problem{'s' * (len(problems) > 1)}; "
            "nothing was run",
            where=str(file),
            found="\n            ".join([*problems[:SHOWN], *more]),
            remedy="correct these rows, then give the same command again",
        )


def _header_problems(header: list[str]) -> Iterator[str]:
    if "id" not in header or not {"scans", "grain_map"} & set(header):
        yield "row 1: the header names no id, or neither scans nor grain_map"
    for name in header:
        if not name or header.count(name) > 1:
            yield f"row 1: column {name!r} is " + ("there twice" if name else "without a name")
        elif name in COLUMNS or "." in name:
            continue
        # What is no column of its own is a group; a misspelt one must not become one.
        elif near := get_close_matches(name, COLUMNS, n=1, cutoff=0.75):
            yield f"row 1: column {name!r}: did you mean {near[0]}?"


def _particle(header: list[str], cells: list[str], line: int, folder: Path) -> Particle:
    if len(cells) > len(header) and any(cells[len(header) :]):
        raise InputError(f"{len(cells)} cells below {len(header)} columns")
    values = dict(zip(header, cells, strict=False))
    name = values.get("id", "")
    if not NAME.fullmatch(name) or name.endswith(".") or RESERVED.fullmatch(name):
        raise InputError(
            f"the id {name!r} cannot name a folder: letters, digits, _ . - ; 100 at most"
        )
    source = {key: values[key] for key in (*PATHS, *OPTIONS) if values.get(key)}
    if ("scans" in source) == ("grain_map" in source):
        raise InputError(f"{name} starts either from scans or from a grain_map")
    for key in PATHS:
        if key in source:
            place = (folder / source[key]).resolve()
            if not place.exists():
                raise InputError(f"{name}: {key} does not exist: {place}")
            source[key] = str(place)
    for key in ("slice_spacing_nm", "step_nm"):
        if key in source and not _is_positive(source[key]):
            raise InputError(f"{name}: {key} is no positive number: {source[key]!r}")
    settings: dict[str, Any] = {}
    for key, text in values.items():
        if "." in key and text:
            settings = merge(settings, _nested(key, _value(key, text)))
    groups = {key: text for key, text in values.items() if key not in COLUMNS and "." not in key}
    return Particle(name, source, settings, groups, line)


def _is_positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def _value(key: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"{key}: {text!r} is no value of YAML") from None


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings, the second over the first.

    Examples
    --------
    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    merged = dict(first)
    for key, value in second.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = merge(before, value)
        merged[key] = value
    return merged


def check_settings(study: Study) -> None:
    """Refuse settings of the study or of a row that no step reads, or that it would refuse.

    Raises
    ------
    InputError
        Naming every such row.
    SettingsError
        If the settings of all particles are at fault.
    """
    check = _SettingsCheck()
    for problem in check.problems(study.settings.settings):
        raise SettingsError(problem, where=f"{study.folder / SETTINGS}, settings")
    refuse(
        [
            f"row {particle.line}: {particle.name}: {problem}"
            for particle in study.particles
            for problem in check.problems(particle.merged(study.settings))
        ],
        study.folder / TABLE,
    )


class _SettingsCheck:
    """Settings against the models of all steps; equal ones are checked once."""

    def __init__(self) -> None:
        # Kedro sets logging up when it is imported, and logs that it does so by its own file.
        logging_file = packaged_configuration() / "logging.yml"
        os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(logging_file))
        from kedro.framework.project import configure_project

        from electrode_grains.pipeline_registry import register_pipelines

        configure_project("electrode_grains")
        self._pipelines = register_pipelines()
        self._known: dict[str, list[str]] = {}

    def problems(self, settings: Mapping[str, Any]) -> list[str]:
        key = json.dumps(settings, sort_keys=True, default=str)
        if key not in self._known:
            self._known[key] = list(self._problems(settings)) if settings else []
        return self._known[key]

    def _problems(self, settings: Mapping[str, Any]) -> Iterable[str]:
        from electrode_grains.configuration import (
            RefusingConfigLoader,
            impossible_settings,
            unread_parameters,
        )
        from electrode_grains.settings import CONFIG_LOADER_ARGS

        unread = unread_parameters(settings, self._pipelines.values())
        yield from (f"no step reads {name}: {nearest}" for name, nearest in unread.items())
        if unread:
            return
        try:
            options: dict[str, Any] = dict(CONFIG_LOADER_ARGS)
            loader = RefusingConfigLoader(
                conf_source=str(packaged_configuration()), env="base",
                runtime_params=dict(settings), **options,
            )  # fmt: skip
            refusals, _ = impossible_settings(loader, self._pipelines)
        except UserError as error:
            refusals = [SettingsError(error.message, where=error.where, found=error.found)]
        for each in refusals:
            details = [f"found {each.found}" if each.found else "", each.expected or ""]
            yield ", ".join(filter(None, [f"{each.where}: {each.message}", *details]))
