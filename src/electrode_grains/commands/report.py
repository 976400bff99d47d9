"""`electrode-grains report`: open the page about the particle."""

from __future__ import annotations

from pathlib import Path

import click

from electrode_grains.commands import Command, printing
from electrode_grains.commands.console import echo, is_interactive, size_text
from electrode_grains.commands.outputs import refuse_existing
from electrode_grains.commands.project import Project, open_project, project_options
from electrode_grains.errors import InputError

RESULTS = ("grain_table", "marginal_fits", "copula_fits", "segmentation_log")


@click.command(cls=Command)
@project_options
@click.option("--rebuild", is_flag=True, help="Draw figures, tables and page from the results.")
@click.option("--no-open", is_flag=True, help="Only print where the report is.")
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Print it as a PDF too, by Chromium, Chrome or Edge.")  # fmt: skip
@click.option("--replace", is_flag=True, help="With --pdf: replace a file of that name.")
def command(
    project: Path | None,
    env: str | None,
    rebuild: bool,
    no_open: bool,
    pdf: Path | None,
    replace: bool,
) -> None:
    """Open the report of the last run in the browser.

    In continuous integration and without a screen its path is printed only.
    """
    if pdf is not None:
        refuse_existing(pdf, replace=replace)
        printing.find_browser()
    opened = open_project(project, env)
    if rebuild:
        opened.run("reporting")
    opened.load("report", "reporting" if opened.exists("marginal_fits") else "")
    page = opened.file_of("report")
    echo(f"{page} ({size_text(page.stat().st_size)})")
    newer = newer_results(opened)
    if newer:
        echo(
            f"older than {', '.join(newer)}: electrode-grains report --rebuild draws it from these"
        )
    else:
        _warn_outdated(opened)
    if pdf is not None:
        printing.print_page(page, pdf)
        echo(f"{pdf} ({size_text(pdf.stat().st_size)})")
    elif is_interactive() and not no_open:
        click.launch(str(page))


def _warn_outdated(project: Project) -> None:
    """Say that today's settings would give another report."""
    try:
        project.check(["report"])
    except InputError as error:
        echo(f"outdated ({error.found}): kedro run computes it again")


def newer_results(project: Project) -> list[str]:
    """Results that were written after the report."""
    written = project.file_of("report").stat().st_mtime
    return [
        name
        for name in RESULTS
        if project.exists(name) and project.file_of(name).stat().st_mtime > written
    ]
