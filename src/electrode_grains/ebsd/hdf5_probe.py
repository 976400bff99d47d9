"""Whether an HDF5 file can be read without a hang or a crash, tried in another process.

About one in 2,700 randomly damaged files is of that kind, so that only the commands which look
at new files probe them: inside `probing_files`.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from threading import Lock, Timer

from electrode_grains.ebsd import hdf5_walk
from electrode_grains.errors import RunError

# On the clock, so that a file that waits for ever ends too; large files may take longer.
SECONDS = 30.0
BYTES_PER_SECOND = 1e7
_PROBING: ContextVar[bool] = ContextVar("probing", default=False)
_ONE_AT_A_TIME = Lock()


@contextmanager
def probing_files() -> Iterator[None]:
    """Probe every HDF5 file before it is opened, as `check` and `init` do with new ones."""
    token = _PROBING.set(True)
    try:
        yield
    finally:
        _PROBING.reset(token)


def is_readable(file: Path) -> bool:
    """Whether the library walks a file, its attributes and its texts to the end.

    Parameters
    ----------
    file : Path

    Returns
    -------
    bool
        False if that takes more than `SECONDS`, crashes, or has no end. True outside
        `probing_files`. The answer is kept as long as the file has the same time and size.
    """
    if not _PROBING.get():
        return True
    status = file.stat()
    with _ONE_AT_A_TIME:
        return _walked(str(file.absolute()), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _walked(path: str, _changed: int, size: int) -> bool:
    walker = _walker()
    answer = walker.ask(path, SECONDS + size / BYTES_PER_SECOND)
    if not answer:
        walker.stop()
        _walker.cache_clear()
    return answer == "end"


class _Walker:
    """The process; it lives as long as this one, unless a file ends it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", hdf5_walk.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        atexit.register(self.stop)
        if self._hear() != "ready":
            raise RunError(
                "the process in which HDF5 files are tried does not start",
                found=f"exit code {self._process.wait()} of {sys.executable}",
                remedy=f"look whether {sys.executable} -c 'import h5py' works",
            )

    def ask(self, path: str, seconds: float) -> str:
        """What the process says of a file; nothing if it came to its end over it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(path) + "\n")
        self._process.stdin.flush()
        limit = Timer(seconds, self._process.kill)
        limit.start()
        try:
            return self._hear()
        finally:
            limit.cancel()

    def stop(self) -> None:
        """End the process, if it has not come to its end."""
        atexit.unregister(self.stop)
        self._process.kill()
        self._process.communicate()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@lru_cache(maxsize=1)
def _walker() -> _Walker:
    return _Walker()
