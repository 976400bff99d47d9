"""Program that walks HDF5 files: one path as JSON a line of its input, one answer a line.

It runs in a process of its own, since a damaged byte inside the library's structures can send
the library round in circles or crash it, where no exception reaches Python.
"""

import json
import sys

import h5py

MOST_OBJECTS = 200_000  # files of EBSD software hold some hundred; a circle of groups has no end


def walk(path: str) -> bool:
    """Visit all objects of a file, their attributes and texts; whether that came to an end."""
    left = MOST_OBJECTS

    def visit(_: str, node: h5py.HLObject) -> bool | None:
        nonlocal left
        left -= 1
        for key in node.attrs:
            try:
                node.attrs[key]
            except Exception:  # read and refused where the file is used
                continue
        if isinstance(node, h5py.Dataset) and not (node.external or node.is_virtual):
            if node.chunks:
                node.id.get_num_chunks()
            if node.dtype.kind == "O":
                node[()]
        return None if left else True

    with h5py.File(path, "r", locking="best-effort") as root:
        visit("/", root)
        root.visititems(visit)
    return left > 0


def answer(text: str) -> None:
    """Send a line to the process that asks."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    answer("ready")
    for line in sys.stdin:
        try:
            ended = walk(json.loads(line))
        except Exception:  # errors are raised, and refused, where the file is read
            ended = True
        answer("end" if ended else "no end")
