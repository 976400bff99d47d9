"""Kill -9 commands at their changes, repeat them, and compare with undisturbed ones.

By hand: python killed_commands.py PROJECT FOLDER KILLS [WORD], with a computed project of one's
own; a word picks the commands that hold it, such as reporting.
Prints each kill, and in the end how many files differ from those of undisturbed commands.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sys
from pathlib import Path

from forked_runs import Watcher, contents, fork, load_everything

SEED = 7
# Recorded rule: these name their run, or the moment of an export.
NAMES_ITS_RUN = ("report.html", ".viz", ".manifests", "mlruns", "mlflow.db", "mlflow.db-journal")
COMMANDS = (
    ("export", "--format", "all"),
    ("export", "-o", "OUT/exports", "--format", "all"),
    ("annotate", "--slices", "4", "--export", "OUT/to_paint"),
    ("annotate", "--import", "OUT/painted", "--replace"),
    ("proofread", "--count", "3", "--pictures", "OUT/pictures"),
    ("proofread", "--remove", "#1"),
    ("compare", "OUT/a.parquet", "OUT/b.parquet", "-o", "OUT/compared.csv", "--replace",
     "--replicates", "19"),
    ("preview", "--no-grains", "-o", "OUT/preview.png"),
    ("report", "--rebuild", "--no-open"),
    ("run", "--pipelines", "modelling,reporting", "--force"),
    ("run", "--pipelines", "modelling", "--force"),
    ("run", "--pipelines", "reporting", "--force"),
)  # fmt: skip


def call(words: tuple[str, ...], place: Path, at: int | None) -> tuple[int, int]:
    """Fork a command in a place; it dies at a change, if one is named. Exit code and changes."""
    here, there = os.pipe()
    child = fork(lambda: _work(words, place, at, there), place.with_suffix(".log"))
    os.close(there)
    with os.fdopen(here, "rb") as stream:
        count = len(stream.read())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count


def _work(words: tuple[str, ...], place: Path, at: int | None, there: int) -> None:
    count = 0

    def tell(_: str, __: str) -> None:
        nonlocal count
        count += 1
        os.write(there, b"!")
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    os.chdir(place / "project")
    Watcher(place, tell).begin()
    from electrode_grains.commands import main

    main([word.replace("OUT", str(place / "out")) for word in words])


def prepare(project: Path, place: Path) -> Path:
    """Copy a project, with labels to import and tables to compare beside it."""
    import numpy as np
    import pandas as pd

    from electrode_grains.datasets.label_images import read_classes, write_classes

    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(project, place / "project")
    (place / "out" / "painted").mkdir(parents=True)
    labelled = next((project / "data/01_raw/slice_annotations").glob("*.png"))
    drawn = np.ones(read_classes(labelled).shape, np.uint8)
    drawn[5:9] = 2
    for name in ("slice_002", "slice_006"):
        write_classes(drawn, place / "out" / "painted" / f"{name}.png")
    table = pd.read_parquet(project / "data/07_model_output/grain_table.parquet")
    for name in "ab":
        many = pd.concat([table] * 4).assign(touches_window=False)
        many.to_parquet(place / "out" / f"{name}.parquet")
    return place


def kept(place: Path) -> dict[str, bytes]:
    """Bytes of what is no name of a run; of dated folders the name is left out."""
    dated = re.compile(r"\d{4}-\d\d-\d\d_\d{6}_\d{6}")
    return {
        dated.sub("DATE", name): content
        for name, content in contents(place).items()
        if not any(part in NAMES_ITS_RUN for part in Path(name).parts)
    }


def main(project: Path, folder: Path, kills: int, word: str = "") -> None:
    """Kill in turn each command that holds a word, until as often as wanted."""
    commands = [words for words in COMMANDS if not word or word in words]
    load_everything(folder / "unused")
    chance, differing, killed, failures = random.Random(SEED), 0, 0, 0
    number = 0
    references: dict[tuple[str, ...], tuple[dict[str, bytes], int]] = {}
    while killed < kills:
        words = commands[number % len(commands)]
        number += 1
        if words not in references:
            place = prepare(project, folder / "case")
            code, changes = call(words, place, None)
            failures += code != 0
            references[words] = kept(place), changes
        right, changes = references[words]
        place = prepare(project, folder / "case")
        code, _ = call(words, place, at := chance.randint(1, changes))
        if code != -signal.SIGKILL:
            continue
        killed += 1
        again, _ = call(words, place, None)
        told = place.with_suffix(".log").read_text()
        found = kept(place)
        names = [name for name in right.keys() | found if right.get(name) != found.get(name)]
        differing += len(names)
        failures += again != 0
        sys.stdout.write(f"{killed}: {' '.join(words)} at {at} of {changes}: {again} {names}\n")
        if again:
            sys.stdout.write(told[-1500:])
        sys.stdout.flush()
    sys.stdout.write(f"{killed} kills, {differing} files differ, {failures} ended otherwise\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
