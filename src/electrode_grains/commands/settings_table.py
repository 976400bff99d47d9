"""All settings in one table, made from the models that check them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from electrode_grains.configuration import GLOBALS

DEFAULT, COMMAND_LINE, MISSING = "default", "command line", "missing"
FORMATS = (".yml", ".yaml", ".json")
MARK = "<!-- table of all settings -->"


@dataclass(frozen=True)
class SettingRow:
    """A setting with its value and where the value comes from.

    Attributes
    ----------
    name : str
        Dotted, as in `--params`.
    value : Any
    origin : str
        "default", a folder such as "conf/local", or "command line".
    unit : str or None
    meaning : str
    allowed : str
        Values that are possible, where the model says so.
    """

    name: str
    value: Any
    origin: str
    unit: str | None
    meaning: str
    allowed: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return json.loads(json.dumps(asdict(self), default=str))  # type: ignore[no-any-return]


def settings_models() -> dict[str, type[BaseModel]]:
    """Models of all settings by the name of their group, in the order of the pipelines."""
    from kedro.validation import TypeExtractor

    from electrode_grains.pipeline_registry import STEPS, register_pipelines
    from electrode_grains.tracking import TrackingSettings

    # Hints that it cannot evaluate are no settings.
    logging.getLogger("kedro.validation").setLevel(logging.ERROR)
    models = TypeExtractor(register_pipelines()).extract_types_from_pipelines()
    order = [*STEPS, *sorted({name.partition(".")[0] for name in models} - STEPS.keys())]
    ordered = sorted(models, key=lambda name: order.index(name.partition(".")[0]))
    return {**{name: models[name] for name in ordered}, "mlflow": TrackingSettings}


def tabulate(
    models: Mapping[str, type[BaseModel]],
    values: Mapping[str, Any] | None = None,
    origins: Mapping[str, str] | None = None,
) -> list[SettingRow]:
    """Tabulate settings.

    Parameters
    ----------
    models : mapping of str to model
        By group, such as "segmentation.grains".
    values : mapping, optional
        Nested values of all groups; the defaults of the models where they name none.
    origins : mapping of str to str, optional
        Where a value is set, by dotted name.
    """
    values, origins = values or {}, origins or {}
    return [
        _row(name, field, values, origins)
        for group, model in models.items()
        for name, field in _leaves(group, model)
    ]


def _leaves(group: str, model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(f"{group}.{name}", kind)
        else:
            yield f"{group}.{name}", field


def _row(
    name: str, field: FieldInfo, values: Mapping[str, Any], origins: Mapping[str, str]
) -> SettingRow:
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    value: Any = values
    for part in name.split("."):
        value = value.get(part, MISSING) if isinstance(value, Mapping) else MISSING
    origin = origins.get(name) or next(
        (where for key, where in origins.items() if key.startswith(f"{name}.")), DEFAULT
    )
    if isinstance(value, str) and value == MISSING:
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        origin = MISSING if field.is_required() else DEFAULT
    return SettingRow(
        name,
        value,
        origin,
        str(unit) if unit else None,
        field.description or "",
        _allowed(field),
    )


def _allowed(field: FieldInfo) -> str:
    """Choices or limits of a setting in words."""
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(choices)
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in signs.items()
        if isinstance(getattr(limit, name, None), int | float)
    ]
    return ", ".join(limits)


def _choices(kind: Any) -> list[str]:
    """Values of a Literal, also of one that None or other types join."""
    if get_origin(kind) in (Union, UnionType):
        return [choice for each in get_args(kind) for choice in _choices(each)]
    if kind is bool:
        return ["true", "false"]
    arguments = get_args(kind)
    return (
        [plain(value) for value in arguments] if str(get_origin(kind)).endswith("Literal") else []
    )


def global_rows(values: Mapping[str, Any], origins: Mapping[str, str]) -> list[SettingRow]:
    """Rows of what an environment names beside its parameters."""
    return [
        SettingRow(name, value, origins.get(name, DEFAULT), None, GLOBALS.get(name, ""), "")
        for name, value in values.items()
        if not name.startswith("_")
    ]


def origins_in(folders: Iterable[Path], kind: str) -> dict[str, str]:
    """Folder that sets each dotted name, the last one where several do.

    Parameters
    ----------
    folders : iterable of Path
        Such as conf/base and conf/local.
    kind : str
        Beginning of the names of the files, such as "parameters".
    """
    found: dict[str, str] = {}
    for folder in folders:
        for file in sorted(folder.rglob(f"{kind}*")):
            if file.suffix in FORMATS:
                content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
                prefix = ("mlflow",) if kind == "mlflow" else ()
                where = f"{folder.parent.name}/{folder.name}"
                found |= dict.fromkeys(leaf_names(content, prefix), where)
    return found


def leaf_names(content: Any, within: tuple[str, ...] = ()) -> Iterator[str]:
    """Dotted names of the values of nested mappings."""
    if isinstance(content, Mapping) and content:
        for key, value in content.items():
            yield from leaf_names(value, (*within, str(key)))
    else:
        yield ".".join(within)


def plain(value: Any) -> str:
    """Value as it is written in YAML.

    Examples
    --------
    >>> plain(None), plain(True), plain((1, 2)), plain("auto")
    ('null', 'true', '[1, 2]', 'auto')
    """
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str)


def as_markdown(rows: Iterable[SettingRow]) -> str:
    """Tables of the documentation, one for each group."""
    groups: dict[str, list[SettingRow]] = {}
    for row in rows:
        groups.setdefault(row.name.rpartition(".")[0], []).append(row)
    return "\n\n".join(
        "\n".join(
            [
                f"## {group}",
                "",
                "| setting | default | unit | possible | meaning |",
                "| --- | --- | --- | --- | --- |",
                *(
                    "| "
                    + " | ".join(
                        text.replace("|", "\\|")
                        for text in (
                            f"`{row.name.rpartition('.')[2]}`",
                            f"`{plain(row.value)}`",
                            row.unit or "",
                            row.allowed,
                            row.meaning,
                        )
                    )
                    + " |"
                    for row in members
                ),
            ]
        )
        for group, members in groups.items()
    )
