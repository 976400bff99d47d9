"""`electrode-grains report`: open the page that tells the story of the particle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from electrode_grains.commands import Command
from electrode_grains.commands.project import project_options

if TYPE_CHECKING:
    from electrode_grains.commands.project import Project

TOLD = ("grain_table", "marginal_fits", "copula_fits", "segmentation_log")


@click.command(cls=Command, short_help="Open the report, or build it anew.")
@project_options
@click.option("--rebuild", is_flag=True, help="Draw figures, tables and page from the results.")
@click.option("--no-open", is_flag=True, help="Only print where the report is.")
def command(project: Path | None, env: str | None, rebuild: bool, no_open: bool) -> None:
    """Open the report of the last run in the browser.

    In continuous integration and without a screen its path is printed only.
    """
    from electrode_grains.commands.console import tell, watched
    from electrode_grains.commands.project import open_project

    opened = open_project(project, env)
    if rebuild:
        _run_reporting(opened)
    opened.load("report", "reporting")
    page = opened.file_of("report")
    tell(f"{page} ({page.stat().st_size / 1e6:.1f} MB)")
    newer = newer_results(opened)
    if newer:
        tell(f"older than {', '.join(newer)}: electrode-grains report --rebuild draws it anew")
    if watched() and not no_open:
        click.launch(str(page))


def newer_results(project: Project) -> list[str]:
    """Results that were written after the report."""
    written = project.file_of("report").stat().st_mtime
    return [
        name
        for name in TOLD
        if project.exists(name) and project.file_of(name).stat().st_mtime > written
    ]


def _run_reporting(project: Project) -> None:
    from kedro.framework.session import KedroSession

    with KedroSession.create(project_path=project.path, env=project.environment) as session:
        session.run(pipeline_names=["reporting"])
