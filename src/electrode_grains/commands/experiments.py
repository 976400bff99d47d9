"""`electrode-grains experiments`: runs, trainings and families of the project, in MLflow."""

from __future__ import annotations

from pathlib import Path

import click

from electrode_grains import tracking
from electrode_grains.commands.console import echo
from electrode_grains.commands.project import open_project, project_options
from electrode_grains.commands.serving import PageCommand, port_option, refuse_taken
from electrode_grains.errors import SettingsError
from electrode_grains.tracking.page import HOST, PORT


@click.command(cls=PageCommand)
@port_option(PORT)
@project_options
@click.pass_context
def command(ctx: click.Context, project: Path | None, env: str | None, port: int) -> None:
    """Show runs, trainings and fitted families side by side in MLflow.

    The addresses that are printed open each experiment with its columns chosen. The page answers
    to this machine alone.
    """
    opened = open_project(project, env)
    settings = tracking.TrackingSettings(**opened.config["mlflow"])
    if not settings.enabled:
        raise SettingsError(
            "this project keeps no experiments",
            where="mlflow.yml",
            found="enabled: false",
            remedy="set enabled: true, then kedro run logs to MLflow",
        )
    if settings.tracking_uri.startswith(("http://", "https://")):
        echo(f"a server keeps the experiments: {settings.tracking_uri}")
        return
    refuse_taken(HOST, port)
    page = f"http://{HOST}:{port}"
    found = tracking.addresses(settings, opened.path, page)
    width = max(map(len, found), default=0)
    for name, address in found.items():
        echo(f"{name:{width}}   {address}")
    echo(f"the page is on {page} in a moment; Ctrl-C ends it" if found
         else f"no run yet: kedro run makes one; the page is on {page}")  # fmt: skip
    ctx.exit(tracking.serve(settings, opened.path, port))
