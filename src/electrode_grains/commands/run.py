"""`electrode-grains run`: the same as `kedro run`."""

from __future__ import annotations

import click


@click.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    },
    short_help="Compute: the same as kedro run.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def command(options: tuple[str, ...]) -> None:
    """Compute, with the options of kedro run."""
    from electrode_grains.__main__ import main

    main(list(options), prog_name="electrode-grains run")
