"""Command line: `kedro run` with refusals that read like sentences.

Kedro finds the group `cli` here and lets its commands replace its own of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines
from kedro.validation import DataValidationError, ParameterValidationError

from electrode_grains.problems import Problem, SettingsProblem

REFUSED = 2


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an error to the errors that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def refusal_in(error: BaseException) -> str | None:
    """Return the text to show a user, None where the error is not a refusal."""
    chain = list(causes(error))
    for kind in (Problem, ParameterValidationError, DataValidationError):
        for link in chain:
            if isinstance(link, kind):
                return str(link)
    return None


def check_pipelines(asked: Iterable[str]) -> None:
    """Refuse names that no pipeline has.

    Raises
    ------
    SettingsProblem
        With the names that exist.
    """
    unknown = sorted(set(asked) - set(pipelines))
    if unknown:
        raise SettingsProblem(
            "there is no such pipeline", found=", ".join(unknown), expected=", ".join(pipelines)
        )


class _RefusingCommand(click.Command):
    """A command that shows a refusal as one block and exits with code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        verbose = ctx.params.pop("verbose", False)
        try:
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
        click.Option(["--verbose"], is_flag=True, help="Show the traceback of a refusal."),
    ],
    help=kedro_run.help,
)


@click.group(name="electrode_grains")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
