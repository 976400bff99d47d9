"""Whether the HDF5 library comes back from a file, tried in a process that ends if it does not.

A damaged byte inside the library's own structures can send it round in circles, where neither
an exception nor a signal handler of Python reaches it. So one process walks each file first.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from threading import Lock

from electrode_grains.errors import RunError

# Of the processor, for one object of a file: neither a slow disk nor a busy machine counts.
SECONDS = 3
# Files of EBSD software hold some hundred objects; a circle of groups has no end.
MOST_OBJECTS = 200_000

# The alarm has no handler: the system ends the process, wherever it is.
_WALK = """
import json, signal, sys
import h5py

seconds, most = map(int, sys.argv[1:])

def walk(path):
    left = most
    def visit(_, node):
        nonlocal left
        left -= 1
        signal.setitimer(signal.ITIMER_PROF, seconds)
        for key in node.attrs:
            try:
                node.attrs[key]
            except Exception:
                pass
        if isinstance(node, h5py.Dataset):
            if node.chunks:
                node.id.get_num_chunks()
            if node.dtype.kind == "O":
                node[()]
        return None if left else True
    signal.setitimer(signal.ITIMER_PROF, seconds)
    with h5py.File(path, "r", locking="best-effort") as root:
        visit("/", root)
        root.visititems(visit)
    return left > 0

print("ready", flush=True)
for line in sys.stdin:
    try:
        ended = walk(json.loads(line))
    except Exception:
        ended = True
    signal.setitimer(signal.ITIMER_PROF, 0)
    print("end" if ended else "no end", flush=True)
"""


def comes_back(file: Path) -> bool:
    """Whether the library can walk a file, its attributes and its texts to the end.

    Errors on the way do not count: they are raised, and refused, where the file is read.

    Parameters
    ----------
    file : Path

    Returns
    -------
    bool
        False if one object takes more than `SECONDS`, the library crashes, or there is no end.
        The answer is kept as long as the file has the same time and size.
    """
    status = file.stat()
    with _ONE_AT_A_TIME:
        return _walked(str(file.absolute()), status.st_mtime_ns, status.st_size)


_ONE_AT_A_TIME = Lock()


@lru_cache(maxsize=4096)
def _walked(path: str, _changed: int, _size: int) -> bool:
    walker = _walker()
    said = walker.ask(path)
    if not said:
        walker.stop()
        _walker.cache_clear()
    return said == "end"


class _Walker:
    """The process; it lives as long as this one, unless a file ends it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _WALK, str(SECONDS), str(MOST_OBJECTS)],
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

    def ask(self, path: str) -> str:
        """What the process says of a file; nothing if it came to its end over it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(path) + "\n")
        self._process.stdin.flush()
        return self._hear()

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
