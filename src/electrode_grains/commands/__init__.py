"""Console script `electrode-grains`: one module per command, each imported when it is called for.

Modules of this package import what is slow (Kedro, numerical libraries) inside functions, so
that `--help` and shell completion answer at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from electrode_grains import __version__
from electrode_grains.errors import UserError
from electrode_grains.text import printable

REFUSED, FAILED = 2, 1
NAMES = (
    *("init", "check", "settings", "annotate", "run", "proofread", "report", "export", "compare"),
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


class Command(click.Command):
    """A command that tells a refusal in one block (exit code 2) and a fault in one line (1)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(["--verbose"], is_flag=True, help="Show the traceback of an error.")
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        verbose = ctx.meta["verbose"] = ctx.params.pop("verbose", False)
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if verbose:
                raise
            text = _refusal_in(error)
            if text is not None:
                click.secho(f"\nRefused: {text}", fg="red", err=True)
            else:
                fault = printable(f"{type(error).__name__}: {error}")
                click.secho(f"\nFailed: {fault}", fg="red", err=True)
            click.secho("  (--verbose shows where in the code)", dim=True, err=True)
            ctx.exit(REFUSED if text is not None else FAILED)


def _refusal_in(error: Exception) -> str | None:
    """Text of a refusal, also of one that Kedro has wrapped; None for a fault."""
    if isinstance(error, UserError):  # without importing Kedro for it
        return str(error)
    from electrode_grains.cli import refusal_in

    return refusal_in(error)


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
