"""Run the tiny pipeline on a disk that fills up or is read-only: a file system of its own.

A program of `test_reliability.py`, run in a namespace where it may mount:
unshare --map-root-user --mount python starved_runs.py FOLDER SOURCE filling|full|growing|read_only.
SOURCE holds all results. What each run showed and did to the data is printed as JSON; what the
last one left is copied to FOLDER/made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from forked_runs import begin_run, contents, dataset_of, load_everything

from electrode_grains.runs import file_digests

ALL = ("--pipelines", "demo")
SOME = ("--pipelines", "segmentation,characterization")
ANEW = (*SOME, "--force", "--params", "segmentation.grains.minimum_voxels=12")
KILOBYTE = 1024
# Kilobytes beside what is there. The lock wants 4, MLflow's run 56 to 64, tables 72 to 96 by how
# the pages of the store fall, MLflow's artifacts the rest: every kind of writer is met.
ROOMS = (0, 8, 48, 72, 80, 88, 96, 140)
SIZES = (4, *range(400, 33_000, 2500))  # kilobytes in all
NO_DATA = {"mlflow.db", "mlflow.db-journal", "mlruns", ".run.lock", ".run.json", ".manifests"}
AMPLE = 200_000
LAYERS = {
    "02_intermediate": "read_stack",
    "07_model_output": "select_grains",
    "06_models/training_states": "begin_training,train_network",
}


class SmallDisk:
    """A file system in memory whose size and mode can be changed."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "disk"
        self._shown = folder / "shown"
        self.data.mkdir()
        mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", self.data)
        self.resize(AMPLE)

    def resize(self, kilobytes: int) -> None:
        """Give the disk a size."""
        mount("-o", f"remount,size={kilobytes}k", self.data)

    def used(self) -> int:
        """Kilobytes that are taken."""
        found = os.statvfs(self.data)
        return (found.f_blocks - found.f_bfree) * found.f_frsize // KILOBYTE

    def run(self, words: tuple[str, ...]) -> dict[str, Any]:
        """Run the pipeline and return its code, what it showed, and what became of the data."""
        before = contents(self.data)
        code = os.waitstatus_to_exitcode(os.waitpid(begin_run(words, self._shown), 0)[1])
        after = contents(self.data)
        changed = {name for name in before.keys() | after if before.get(name) != after.get(name)}
        data = {name for name in changed if not NO_DATA.intersection(Path(name).parts)}
        return {
            "code": code,
            "shown": self._shown.read_text(),
            "changed": sorted(changed),
            "unrecorded": sorted({dataset_of(name) for name in data - recorded(self.data)}),
        }


def recorded(data: Path) -> set[str]:
    """Files that are what a manifest says."""
    found = set()
    for manifest in data.rglob(".manifests/*.json"):
        files = json.loads(manifest.read_text())["files"]
        for name, digest in files.items():
            file = manifest.parents[1] / name
            if file.is_file() and file_digests([file])[file.name] == digest:
                found.add(str(file.relative_to(data)))
    return found


def mount(*words: str | Path) -> None:
    """Mount as the command does."""
    subprocess.run(["mount", *map(str, words)], check=True)


def run_on_a_full_disk(disk: SmallDisk, rooms: tuple[int, ...]) -> list[dict[str, Any]]:
    """Begin anew with another setting, with ever more room; then go on with ample room."""
    found = []
    for room in rooms:
        disk.resize(disk.used() + room)
        found.append({"room": room, **disk.run(ANEW)})
    disk.resize(AMPLE)
    return [*found, {"room": AMPLE, **disk.run(SOME)}]


def run_on_a_growing_disk(disk: SmallDisk) -> list[dict[str, Any]]:
    """Run on an empty disk that grows until all fits in."""
    found = []
    for size in SIZES:
        disk.resize(size)
        found.append({"room": size, **disk.run(ALL)})
    disk.resize(AMPLE)
    return [*found, {"room": AMPLE, **disk.run(ALL)}]


def run_in_read_only_folders(disk: SmallDisk) -> list[dict[str, Any]]:
    """Run with one folder read-only at a time, and at last with the whole disk so."""
    found = []
    for layer, steps in LAYERS.items():
        folder = disk.data / layer
        mount("--bind", folder, folder)
        mount("-o", "remount,bind,ro", folder)
        found.append({"folder": layer, **disk.run((*ALL, "--nodes", steps, "--force"))})
        subprocess.run(["umount", str(folder)], check=True)
    mount("-o", "remount,ro", disk.data)
    return [*found, {"folder": disk.data.name, **disk.run((*ALL, "--force"))}]


def main(folder: Path, source: Path, how: str) -> None:
    """Prepare the disk, run on it, print what happened."""
    disk = SmallDisk(folder)
    if how != "growing":
        shutil.copytree(source, disk.data, dirs_exist_ok=True)
    load_everything(disk.data)
    if how in ("filling", "full"):
        found = run_on_a_full_disk(disk, ROOMS if how == "full" else ROOMS[::2])
    elif how == "growing":
        found = run_on_a_growing_disk(disk)
    else:
        found = run_in_read_only_folders(disk)
    shutil.copytree(disk.data, folder / "made")
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
