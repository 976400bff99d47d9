"""One run at a time in a data folder."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from electrode_grains.errors import RunError

logger = logging.getLogger(__name__)

LOCK = ".run.lock"
HOLDER = ".run.json"  # who holds the lock


@contextmanager
def one_run(folder: Path) -> Iterator[None]:
    """Hold a data folder for this process, and refuse at once if another run holds it.

    The system frees the lock when its process ends in whatever way, so what a killed run left
    is taken over; the file beside it only tells who holds it.

    Raises
    ------
    RunError
        If another run is at work there, or nothing can be written there.
    """
    lock, holder = FileLock(folder / LOCK), folder / HOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        if before := _description(holder):
            logger.warning("a run was cut off here, %s; this one goes on after it", before)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        own = {"process": os.getpid(), "host": socket.gethostname(), "start": now}
        holder.write_text(json.dumps(own), "utf-8")
    except Timeout:
        raise _held(folder) from None
    except (OSError, NotImplementedError) as error:  # the latter where a disk knows no locks
        lock.release()
        raise RunError(
            "the data folder cannot be written",
            where=str(folder.absolute()),
            found=getattr(error, "strerror", None) or str(error),
            remedy="make it writable, or name another data_root in globals.yml",
        ) from None
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        with suppress(OSError):  # Windows keeps it; filelock sees where a lock was removed
            (folder / LOCK).unlink()
        lock.release()


def refuse_if_held(folder: Path) -> None:
    """Refuse a data folder in which a run is at work, without holding it oneself.

    A look that costs nothing, before all that a run has to load; `one_run` decides.

    Raises
    ------
    RunError
        If another run is at work there.
    """
    if not (folder / LOCK).exists():
        return
    try:
        FileLock(folder / LOCK).acquire(timeout=0).lock.release()
    except Timeout:
        raise _held(folder) from None
    except (OSError, NotImplementedError):  # a lock that cannot be read says nothing
        return


def _held(folder: Path) -> RunError:
    return RunError(
        "another run works in this data folder",
        where=str(folder.absolute()),
        found=_description(folder / HOLDER) or "a run that has just begun",
        remedy="wait for it or stop it; another particle has a data folder of its own",
    )


def _description(holder: Path) -> str | None:
    """Describe the run that holds a lock, None where it has not said so yet."""
    try:
        content = json.loads(holder.read_text("utf-8"))
        return "process {process} on {host}, begun at {start}".format(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None
