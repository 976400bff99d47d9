"""What the commands print: tables, and progress with the time left where somebody watches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from electrode_grains.text import printable

WIDTH_UNWATCHED = 140  # of tables that go to a file, unless COLUMNS says otherwise


def is_interactive() -> bool:
    """Whether a person sits before this terminal, rather than continuous integration."""
    return Console(stderr=True).is_terminal and not os.environ.get("CI")


def echo(text: str = "") -> None:
    """Print text, control characters made visible."""
    Console(highlight=False, markup=False, soft_wrap=True).print(printable(text))


def size_text(size: int) -> str:
    """Size of a file in words.

    Examples
    --------
    >>> size_text(420), size_text(7_581_560)
    ('0.4 kB', '7.6 MB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right."""
    rows = [list(row) for row in rows]
    table = Table(
        header_style="bold",
        show_edge=False,
        show_header=any(columns),
        show_lines=any("\n" in str(value) for row in rows for value in row),
    )
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    shown = Console(highlight=False, markup=False)
    if not (shown.is_terminal or os.environ.get("COLUMNS")):
        shown = Console(highlight=False, markup=False, width=WIDTH_UNWATCHED)
    echo(title)
    shown.print(table)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else printable(str(value))


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a callback that takes the number done and their total, and shows the time left."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not is_interactive()
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
