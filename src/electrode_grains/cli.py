"""Command line: `kedro run` with refusals that read like sentences.

Kedro finds the group `cli` here and lets its commands replace its own of the same name.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines, settings
from kedro.utils import find_kedro_project
from kedro.validation import DataValidationError, ParameterValidationError

from electrode_grains.configuration import check_environment, data_folder
from electrode_grains.errors import RunError, SettingsError, UserError
from electrode_grains.runs import refuse_if_held
from electrode_grains.runs.session import FORCE
from electrode_grains.text import printable

REFUSED = 2
# What a disk says that takes nothing more; the data on it are whole.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
STORE_UNWRITABLE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an error to the errors that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def refusal_in(error: BaseException) -> str | None:
    """Return the text to show a user, None where the error is not a refusal."""
    chain = list(causes(error))
    for kind in (UserError, ParameterValidationError, DataValidationError):
        for link in chain:
            if isinstance(link, kind):
                return _without_links(str(link))
    for link in chain:
        if isinstance(link, OSError) and link.errno in UNWRITABLE:
            return _unwritable(link.filename and str(link.filename), str(link.strerror))
    for link in chain:
        if isinstance(link, sqlite3.Error) and _is_unwritable(link):
            return _unwritable("the store of MLflow", str(link))
    return None


def _is_unwritable(error: sqlite3.Error) -> bool:
    name = getattr(error, "sqlite_errorname", "")  # SQLite says no more than its code
    return name.startswith(STORE_UNWRITABLE)


def _unwritable(where: str | None, found: str) -> str:
    problem = RunError(
        "the disk takes no more data; what was there before is whole",
        where=where,
        found=found,
        remedy="make room, or the folder writable, and run again: it goes on from there",
    )
    return str(problem)


def _without_links(text: str) -> str:
    """Leave out the lines in which Pydantic points to its web pages."""
    lines = (line for line in text.split("\n") if "errors.pydantic.dev" not in line)
    return printable("\n".join(lines))


def check_pipelines(asked: Iterable[str]) -> None:
    """Refuse names that no pipeline has.

    Raises
    ------
    SettingsError
        With the names that exist.
    """
    unknown = sorted(set(asked) - set(pipelines))
    if unknown:
        raise SettingsError(
            "there is no such pipeline", found=", ".join(unknown), expected=", ".join(pipelines)
        )


def check_place(environment: str | None, conf_source: str | None) -> None:
    """Look at the data folder, before all that takes seconds to load.

    Raises
    ------
    SettingsError
        If the configuration has no such environment.
    RunError
        If a run is at work in the data folder.
    """
    project = find_kedro_project(Path.cwd()) or Path.cwd()
    conf = Path(conf_source or project / settings.CONF_SOURCE)
    environment = environment or os.environ.get("KEDRO_ENV")
    if environment and conf.is_dir():
        check_environment(conf, environment)
    configuration = settings.CONFIG_LOADER_CLASS(
        conf_source=str(conf), env=environment, **settings.CONFIG_LOADER_ARGS
    )
    refuse_if_held(data_folder(project, configuration))


class _RefusingCommand(click.Command):
    """A command that shows a refusal as one block and exits with code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        verbose = ctx.params.pop("verbose", False)
        if ctx.params.pop("force", False):
            ctx.params["params"] = {**(ctx.params.get("params") or {}), FORCE: True}
        try:
            check_place(ctx.params.get("env"), ctx.params.get("conf_source"))
            check_pipelines(ctx.params.get("pipelines") or ())
            return super().invoke(ctx)
        except Exception as error:
            text = refusal_in(error)
            if verbose or text is None:
                raise
            click.secho("\nRefused: " + text, fg="red", err=True)
            click.secho("  (--verbose shows where in the code)", dim=True, err=True)
            ctx.exit(REFUSED)


run = _RefusingCommand(
    name="run",
    callback=kedro_run.callback,
    params=[
        *kedro_run.params,
        click.Option(
            ["--force"],
            is_flag=True,
            help="Run all steps that were asked for, up to date or not, on files as they are.",
        ),
        click.Option(["--verbose"], is_flag=True, help="Show the traceback of a refusal."),
    ],
    help=kedro_run.help,
)


@click.group(name="electrode_grains")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
