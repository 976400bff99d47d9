"""Console script `electrode-grains`: one module per command, each imported when it is called for.

Modules of this package import what is slow (Kedro, numerical libraries) inside functions, so
that `--help` and shell completion answer at once.
"""

from __future__ import annotations

import os
from importlib import import_module

import click

from electrode_grains import __version__
from electrode_grains.command_line import RefusingCommand as Command
from electrode_grains.threads import thread_variables

os.environ.update(thread_variables())  # before a library that computes is loaded

__all__ = ["Command", "main"]

NAMES = (
    *("init", "demo", "preview", "check", "settings", "annotate", "run", "proofread", "report"),
    *("export", "compare"),
)


class _Commands(click.Group):
    """The commands by name, in the order in which a particle needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NAMES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in NAMES:
            return None
        command: click.Command = import_module(f"electrode_grains.commands.{name}").command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """From FIB-EBSD slices of a particle to its grains in numbers.

    \b
    A new particle:   electrode-grains init PARTICLE --scans FOLDER
                      cd PARTICLE
                      electrode-grains annotate
                      kedro run
    After a run:      electrode-grains report, proofread, export, compare

    Exit codes: 0 done, 2 refused (input or settings, with the way out), 1 a fault.
    """
