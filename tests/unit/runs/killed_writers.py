"""Kill -9 writers at random moments; after each kill all datasets must load, old or new.

Run as a program by `test_atomic.py`: it forks before any library has started a thread.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from electrode_grains.datasets.folders import AnnotationFolderDataset
from electrode_grains.datasets.report_tables import ReportTableDataset
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.datasets.tables import ParquetDataset, TextDataset
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.volumes import as_volume


def datasets(folder):
    return {
        "volume": VolumeDataset(filepath=f"{folder}/v.ome.zarr"),
        "table": ParquetDataset(filepath=f"{folder}/t.parquet"),
        "result": ResultDataset(filepath=f"{folder}/r.json"),
        "text": TextDataset(filepath=f"{folder}/t.html"),
        "report": ReportTableDataset(filepath=f"{folder}/t"),
        "slices": AnnotationFolderDataset(path=f"{folder}/slices"),
    }


def data(kind, number):
    if kind == "volume":
        return as_volume(np.full((70, 70, 70), number, np.int32), (1, 1, 1), "v")
    if kind == "text":
        return str(number) * 100_000
    if kind == "result":
        return {"values": [number] * 10_000}
    if kind == "slices":
        return {f"s_{z}": np.full((40, 40), number % 3 + 1, np.uint8) for z in range(3)}
    return pd.DataFrame({"values": [number] * 10_000})


def values(kind, loaded):
    if kind == "volume":
        return loaded.to_numpy()
    if kind == "text":
        assert len(loaded) == 100_000
        return np.array(list(loaded))
    if kind == "slices":
        return np.concatenate([np.unique(part) for part in loaded.values()])[:1]
    return np.asarray(loaded["values"])


def write_for_ever(folder):
    for number in range(1, 10**9):
        for kind, dataset in datasets(folder).items():
            dataset.save(data(kind, number % 10))


def check(folder):
    for kind, dataset in datasets(folder).items():
        if dataset.exists():
            assert len(np.unique(values(kind, dataset.load()))) == 1, kind
    left = [file for file in Path(folder).rglob(".*") if file.suffix in (".part", ".old")]
    assert len(left) <= 6, left


def in_child(function, folder):
    child = os.fork()
    if child:
        return child
    try:
        function(folder)
    except BaseException as error:
        os.write(1, repr(error).encode())
        os._exit(1)
    os._exit(0)


def main(folder, kills):
    chance = random.Random(4)
    for number in range(kills):
        writer = in_child(write_for_ever, folder)
        time.sleep(chance.uniform(0.05, 0.25))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        _, status = os.waitpid(in_child(check, folder), 0)
        assert status == 0, f"after kill {number}"
    for kind, dataset in datasets(folder).items():
        dataset.save(data(kind, 5))
    left = [file for file in Path(folder).rglob(".*") if file.suffix in (".part", ".old")]
    assert not left, left
    sys.stdout.write(f"seen {sum(dataset.exists() for dataset in datasets(folder).values())}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
