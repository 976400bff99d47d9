"""`electrode-grains run`: the same as `kedro run`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from electrode_grains.commands import Command
from electrode_grains.commands.project import find_project


@click.command(
    cls=Command,
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    },
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, options: tuple[str, ...]) -> None:
    """Compute, with the options of kedro run."""
    if "--help" not in options:
        os.chdir(find_project(Path.cwd()))  # where Kedro looks for the configuration
    from electrode_grains.__main__ import main

    verbose = ["--verbose"] if ctx.meta["verbose"] else []
    main([*options, *verbose], prog_name="electrode-grains run")
