"""Console script `electrode-grains`: one module per command, each imported when it is called for.

Packages of the domain export lazily, so that modules name them at the top and pay when they
use them. Inside functions stands Kedro, with what imports it: it is slow, and sets logging up
once, when it is imported, by a file that the project names; so do pandas, SciPy and napari,
which a command may not need.
"""

from __future__ import annotations

import os
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from electrode_grains import __version__
from electrode_grains.command_line import RefusingCommand as Command
from electrode_grains.interrupts import interruptible
from electrode_grains.threads import thread_variables

os.environ.update(thread_variables())  # before a library that computes is loaded

__all__ = ["Command", "main"]

COMMANDS = {
    "init": "Make a project folder from your own slices or labels.",
    "demo": "Make a project with a virtual particle to try it on.",
    "preview": "Look at a stack: table of facts and a picture.",
    "check": "List all problems of scans, labels, edits and settings.",
    "settings": "Print all settings with value, origin, unit, meaning.",
    "annotate": "Choose slices to label, export them, import labels.",
    "run": "Compute: the same as kedro run.",
    "proofread": "List likely segmentation errors; record corrections.",
    "report": "Open the report, or rebuild it.",
    "flow": "Show steps and data in kedro-viz.",
    "experiments": "Show runs, trainings and fits in MLflow.",
    "export": "Write grains for ParaView, ImageJ, DREAM.3D, meshes.",
    "compare": "Compare the grains of two particles.",
    "by-block": "Compute the grains of a particle larger than memory.",
    "study": "Compute, pool and compare many particles.",
}
"""Commands in the order in which a particle needs them, and what each is for."""


class _Commands(click.Group):
    """The commands by name; help and completion of names import none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        with interruptible(Command.advice):  # what a command imports takes a while
            command: click.Command = import_module(
                f"electrode_grains.commands.{name.replace('-', '_')}"
            ).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        options = click.Command.shell_complete(self, ctx, incomplete)
        named = {name: text for name, text in COMMANDS.items() if name.startswith(incomplete)}
        return [CompletionItem(name, help=text) for name, text in named.items()] + options


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
