"""Run the tiny pipeline while every folder is listed in another order, drawn anew each time.

A program of `test_reliability.py`: python shuffled_runs.py FOLDER SEED [OPTIONS of kedro run].
It prints how many listings came in another order than that of their names.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from forked_runs import begin_run, load_everything


class Entries:
    """What `os.scandir` returns, in another order."""

    def __init__(self, entries: Iterable[os.DirEntry[str]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return self._entries

    def __next__(self) -> os.DirEntry[str]:
        return next(self._entries)

    def __enter__(self) -> Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open any more."""


def shuffle_listings(seed: int, tell: Callable[[], object]) -> None:
    """From now on this process lists folders in an order by chance."""
    chance = random.Random(seed)
    listdir, scandir = os.listdir, os.scandir

    def shuffled(items: list[Any], names: list[str]) -> list[Any]:
        order = list(range(len(items)))
        chance.shuffle(order)
        if [names[index] for index in order] != sorted(names):
            tell()
        return [items[index] for index in order]

    def listed(path: Any = ".") -> list[str]:
        names = listdir(path)
        return shuffled(names, names)

    def scanned(path: Any = ".") -> Entries:
        with scandir(path) as found:
            entries = list(found)
        return Entries(shuffled(entries, [os.fsdecode(entry.name) for entry in entries]))

    os.listdir, os.scandir = listed, scanned


def main(data: Path, seed: int, words: tuple[str, ...]) -> None:
    """Run the pipeline, end with its code."""
    load_everything(data)
    here, there = os.pipe()
    shown = data.with_name(data.name + "_shown")
    process = begin_run(words, shown, lambda: shuffle_listings(seed, lambda: os.write(there, b"!")))
    os.close(there)
    count = 0
    while told := os.read(here, 1000):
        count += len(told)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code:
        sys.exit(shown.read_text()[-5000:])
    sys.stdout.write(str(count))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:]))
