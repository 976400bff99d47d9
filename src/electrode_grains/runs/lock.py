"""One run at a time in a data folder."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from electrode_grains.errors import RunError

logger = logging.getLogger(__name__)

LOCK = ".run.lock"


@contextmanager
def one_run(folder: Path) -> Iterator[None]:
    """Hold a data folder for this process, and refuse at once if another run holds it.

    The system frees the lock when its process ends in whatever way, so what a killed run left
    is taken over; the file only tells who holds it.

    Raises
    ------
    RunError
        If another run is at work there, or nothing can be written there.
    """
    path = folder / LOCK
    try:
        descriptor = _acquire(path)
    except BlockingIOError:
        raise _held(folder) from None
    except OSError as error:
        raise RunError(
            "the data folder cannot be written",
            where=str(folder.absolute()),
            found=error.strerror,
            remedy="make it writable, or name another data_root in globals.yml",
        ) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def refuse_if_held(folder: Path) -> None:
    """Refuse a data folder in which a run is at work, without holding it oneself.

    A look that costs nothing, before all that a run has to load; `one_run` decides.

    Raises
    ------
    RunError
        If another run is at work there.
    """
    try:
        with (folder / LOCK).open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _held(folder) from None
    except OSError:  # no lock there, or none that can be read
        return


def _held(folder: Path) -> RunError:
    return RunError(
        "another run works in this data folder",
        where=str(folder.absolute()),
        found=_holder(folder / LOCK) or "a run that has just begun",
        remedy="wait for it or stop it; another particle has a data folder of its own",
    )


def _acquire(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder removed the file in between
    if before := _holder(path):
        logger.warning("a run was cut off here, %s; this one goes on after it", before)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    own = {"process": os.getpid(), "host": socket.gethostname(), "start": now}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(own).encode(), 0)
    return descriptor


def _holder(path: Path) -> str | None:
    """Describe the run that wrote a lock, None where it is not written yet."""
    try:
        content = json.loads(path.read_text("utf-8"))
        return "process {process} on {host}, begun at {start}".format(**content)
    except (OSError, ValueError, KeyError, TypeError):
        return None
