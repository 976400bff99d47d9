"""What the commands that serve a page share."""

from __future__ import annotations

import socket
from typing import Any

import click

from electrode_grains.command_line import RefusingCommand
from electrode_grains.errors import SettingsError


class PageCommand(RefusingCommand):
    """A command that serves a page until a signal ends it."""

    advice = "The page is closed; give the same command to open it again."


def port_option(default: int) -> Any:
    """Option that chooses the port of a page."""
    return click.option("--port", default=default, show_default=True, type=click.IntRange(1, 65535),
                        help="Port of the page on this machine.")  # fmt: skip


def refuse_taken(host: str, port: int) -> None:
    """Refuse a port that another program serves.

    Raises
    ------
    SettingsError
        If it is taken.
    """
    with socket.socket() as probe:
        if probe.connect_ex((host, port)):
            return
    raise SettingsError(
        "another program serves this port",
        found=f"{host}:{port}",
        remedy=f"open http://{host}:{port}, or name another by --port",
    )
