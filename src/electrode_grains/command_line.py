"""How every command ends: done, refused in one block (2), failed (1), or stopped by a signal.

`kedro run`, `electrode-grains run` and `python -m electrode_grains` are one command, and it and all
other commands are `RefusingCommand`. Kedro is not imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

import click

from electrode_grains.errors import RunError, UserError
from electrode_grains.interrupts import interruptible
from electrode_grains.text import printable

REFUSED, FAILED = 2, 1
WORDS = f"{__name__}.words"
# What a disk says that takes nothing more; the data on it are whole.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
STORE_UNWRITABLE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN")


class RefusingCommand(click.Command):
    """A command that shows a refusal as one block, and ends soon when it is asked to.

    Attributes
    ----------
    advice : str
        How to go on after Ctrl-C.
    """

    advice = "Nothing is left half written; give the same command to begin again."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(["--verbose"], is_flag=True, help="Show the traceback of an error.")
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, and keep the words for a remedy."""
        ctx.meta[WORDS] = [*ctx.command_path.split(), *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        verbose = ctx.meta["verbose"] = ctx.params.pop("verbose", False)
        try:
            with interruptible(self.advice):
                return self.call(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if verbose:
                raise
            text = refusal_in(error)
            shown = f"Refused: {text}" if text is not None else f"Failed: {fault(error)}"
            click.secho(f"\n{shown}", fg="red", err=True)
            click.secho("  (--verbose shows where in the code)", dim=True, err=True)
            ctx.exit(FAILED if text is None else REFUSED)

    def call(self, ctx: click.Context) -> Any:
        """Do the work, with refusals and faults as exceptions."""
        return super().invoke(ctx)


def same_command(*more: str) -> str:
    """The command that was given, with more words, to be pasted into a shell."""
    return shlex.join([*click.get_current_context().meta[WORDS], *more])


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an error to the errors that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def fault(error: BaseException) -> str:
    """Kind and text of an error that is no refusal, and of what led to it first."""
    first = list(causes(error))[-1]
    told = [f"{type(each).__name__}: {each}" for each in dict.fromkeys((error, first))]
    return printable("\n  first: ".join(told))


def refusal_in(error: BaseException) -> str | None:
    """Return the text to show a user, None where the error is not a refusal."""
    chain = list(causes(error))
    kinds: tuple[type[Exception], ...] = (UserError, *_refusals_of_kedro())
    for kind in kinds:
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


def _refusals_of_kedro() -> tuple[type[Exception], ...]:
    """Errors of Kedro over parameters and data; none can be there if it was not imported."""
    if "kedro.validation" not in sys.modules:
        return ()
    from kedro.validation import DataValidationError, ParameterValidationError

    return ParameterValidationError, DataValidationError


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
