"""`python -m electrode_grains`: a pipeline, or with a first word that command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:
    """Run a pipeline, with the options of `kedro run`."""
    configure_project(Path(__file__).parent.name)
    from electrode_grains.cli import run

    kwargs.setdefault("standalone_mode", not hasattr(sys, "ps1"))
    return run(*args, **kwargs)


if __name__ == "__main__":
    if sys.argv[1:] and not sys.argv[1].startswith("-"):
        from electrode_grains.commands import main as command

        command(prog_name="python -m electrode_grains")
    main()
