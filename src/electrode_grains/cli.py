"""`kedro run`: as Kedro has it, but for what this project refuses, resumes and forces.

Kedro finds the group `cli` here and lets its commands replace its own of the same name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines, settings
from kedro.utils import find_kedro_project

from electrode_grains.command_line import RefusingCommand
from electrode_grains.configuration import check_environment, data_folder
from electrode_grains.errors import SettingsError
from electrode_grains.runs import refuse_if_held
from electrode_grains.runs.session import FORCE


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


class RunCommand(RefusingCommand):
    """`kedro run`, which looks at once whether it can run at all."""

    advice = "What is done is kept; the same command goes on from there."

    def call(self, ctx: click.Context) -> Any:
        """Run, once the environment, the data folder and the pipelines are known."""
        if ctx.params.pop("force", False):
            ctx.params["params"] = {**(ctx.params.get("params") or {}), FORCE: True}
        check_place(ctx.params.get("env"), ctx.params.get("conf_source"))
        check_pipelines(ctx.params.get("pipelines") or ())
        return super().call(ctx)


run = RunCommand(
    name="run",
    callback=kedro_run.callback,
    params=[
        *kedro_run.params,
        click.Option(
            ["--force"],
            is_flag=True,
            help="Run all steps that were asked for, up to date or not, on files as they are.",
        ),
    ],
    help=kedro_run.help,
)


@click.group(name="electrode_grains")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
