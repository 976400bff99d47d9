"""`electrode-grains settings`: every setting with its value, and where the value comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from electrode_grains.commands import Command
from electrode_grains.commands.console import echo, show_table
from electrode_grains.commands.project import open_project, project_options
from electrode_grains.commands.settings_table import (
    COMMAND_LINE,
    SettingRow,
    global_rows,
    leaf_names,
    origins_in,
    plain,
    settings_models,
    tabulate,
)
from electrode_grains.errors import InputError, SettingsError


def _read_params(_: click.Context, option: click.Parameter, text: str | None) -> dict[str, Any]:
    """Values of `--params` as kedro run reads them."""
    if not text:
        return {}
    from kedro.framework.cli.utils import _split_params

    read: Callable[..., dict[str, Any]] = _split_params
    return read(_, option, text)


@click.command(cls=Command)
@click.argument("name", required=False)
@project_options
@click.option("--params", callback=_read_params, metavar="NAME=VALUE,...",
              help="Values that kedro run would get by --params.")  # fmt: skip
@click.option("--changed", is_flag=True, help="Only those that conf/base does not set so.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(
    name: str | None,
    project: Path | None,
    env: str | None,
    params: dict[str, Any],
    changed: bool,
    as_json: bool,
) -> None:
    """Print all settings, or those whose name begins with NAME.

    The origin of a value is "default" (the code), a folder of configuration, or "command
    line". Outside of a project the defaults are printed.

    \b
    electrode-grains settings segmentation
    electrode-grains settings --changed
    electrode-grains settings --params segmentation.grains.minima_depth=0.03 --json
    """
    rows = _selected(read_settings(project, env, params), name)
    if changed:
        rows = [row for row in rows if row.origin not in ("default", "conf/base")]
    if as_json:
        echo(json.dumps([row.to_dict() for row in rows], indent=1, ensure_ascii=False))
        return
    show_table(
        f"{len(rows)} settings",
        ("setting", "value", "unit", "origin", "meaning"),
        [(row.name, plain(row.value), row.unit or "", row.origin, row.meaning) for row in rows],
    )


def read_settings(
    project: Path | None, env: str | None, params: dict[str, Any] | None = None
) -> list[SettingRow]:
    """All settings of a project, or the defaults of the package outside of any.

    Raises
    ------
    InputError
        If a project was named and is none.
    SettingsError
        If the configuration cannot be read, or lacks the environment.
    """
    models = settings_models()
    try:
        opened = open_project(project, env, params)
    except InputError:
        if project is not None or env is not None:
            raise
        return tabulate(models)
    conf = opened.path / "conf"
    folders = [conf / "base", conf / (opened.environment or "local")]
    origins = {
        **origins_in(folders, "parameters"),
        **origins_in(folders, "mlflow"),
        **{leaf: COMMAND_LINE for leaf in leaf_names(params or {}) if leaf},
    }
    values = {**opened.config["parameters"], "mlflow": opened.config["mlflow"]}
    return [
        *global_rows(opened.config["globals"], origins_in(folders, "globals")),
        *tabulate(models, values, origins),
    ]


def _selected(rows: list[SettingRow], name: str | None) -> list[SettingRow]:
    if not name:
        return rows
    chosen = [row for row in rows if row.name == name or row.name.startswith(f"{name}.")]
    chosen = chosen or [row for row in rows if row.name.rpartition(".")[2] == name]
    if not chosen:
        names = [row.name for row in rows]
        groups = {group.rpartition(".")[0] for group in names}
        near = get_close_matches(name, [*names, *groups], n=3, cutoff=0.4)
        raise SettingsError(
            "there is no setting of this name",
            found=name,
            expected=", ".join(near) or "a name such as segmentation.grains",
        )
    return chosen
