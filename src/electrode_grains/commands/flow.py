"""`electrode-grains flow`: steps and data of the project, in kedro-viz."""

from __future__ import annotations

import os
from pathlib import Path

import click

from electrode_grains.commands.console import echo
from electrode_grains.commands.project import open_project, project_options
from electrode_grains.commands.serving import PageCommand, port_option, refuse_taken
from electrode_grains.flow_page import HOST, PORT, serve


@click.command(cls=PageCommand)
@port_option(PORT)
@project_options
def command(project: Path | None, env: str | None, port: int) -> None:
    """Show the flow of steps and data, with previews, in kedro-viz.

    The page answers to this machine alone and changes nothing.
    """
    refuse_taken(HOST, port)
    opened = open_project(project, env)
    os.chdir(opened.path)  # where Kedro looks for the configuration
    echo(f"the flow is on http://{HOST}:{port} in a moment; Ctrl-C ends it")
    serve(opened.path, opened.environment, port)
