import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from electrode_grains.datasets.report_tables import ReportTableDataset
from electrode_grains.datasets.results import ResultDataset
from electrode_grains.datasets.tables import ParquetDataset, TextDataset
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.runs import writing as atomic
from electrode_grains.runs.writing import atomic_write
from electrode_grains.volumes import as_volume


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_writer_killed_at_any_moment_leaves_the_old_data_or_the_new(tmp_path, kills):
    program = Path(__file__).with_name("killed_writers.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), str(kills)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seen 6" in done.stdout


def test_an_error_while_writing_leaves_all_targets_as_they_were(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("old")
    with pytest.raises(TypeError), atomic_write(first, second) as (partial, _):
        partial.write_text(partial.write_bytes(b"new"))
    assert first.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced_whole_with_and_without_exchange(tmp_path, monkeypatch, exchange):
    if not exchange:  # as on a file system that cannot swap
        monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    folder = tmp_path / "folder"
    for name in ("old", "new"):
        with atomic_write(folder) as (partial,):
            partial.mkdir()
            (partial / name).touch()
    assert [file.name for file in folder.iterdir()] == ["new"]
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_a_replacement_cut_between_its_two_steps_is_undone_by_the_next_writer(tmp_path):
    (tmp_path / ".folder.77.old").mkdir()
    (tmp_path / ".folder.77.old" / "old").touch()
    (tmp_path / ".folder.77.part").mkdir()
    atomic.remove_leftovers(tmp_path / "folder")
    assert [file.name for file in tmp_path.rglob("*")] == ["folder", "old"]


def test_leftovers_of_a_killed_writer_are_swept_and_others_stay(tmp_path):
    for name in (".r.json.1.part", ".r.json.2.old", ".other.json.1.part", "r.json.part"):
        (tmp_path / name).touch()
    ResultDataset(filepath=str(tmp_path / "r.json")).save({})
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == [".other.json.1.part", "r.json", "r.json.part"]


@contextmanager
def full_disk(room):
    """No file can grow beyond some bytes, as on a disk with as much room left."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


NOISE = np.random.default_rng(0).integers(0, 2**31, (40, 40, 40))
KINDS = {
    "volume": (VolumeDataset, "v.ome.zarr", as_volume(NOISE, (1, 1, 1), "v")),
    "table": (ParquetDataset, "t.parquet", pd.DataFrame({"a": NOISE.ravel()})),
    "result": (ResultDataset, "r.json", {"a": NOISE[0]}),
    "text": (TextDataset, "t.html", "a" * 100_000),
    "report": (ReportTableDataset, "t", pd.DataFrame({"a": NOISE[0, 0]})),
}
SMALL = {
    "volume": as_volume(np.ones((2, 2, 2)), (1, 1, 1), "v"),
    "table": pd.DataFrame({"a": [1]}),
    "result": {"a": 1},
    "text": "a",
    "report": pd.DataFrame({"a": [1]}),
}


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_an_error_and_the_old_data_stay(tmp_path, kind):
    make, name, large = KINDS[kind]
    dataset = make(filepath=str(tmp_path / name))
    dataset.save(SMALL[kind])
    before = contents(tmp_path)
    with full_disk(100), pytest.raises((DatasetError, OSError)):
        dataset.save(large)
    assert contents(tmp_path) == before


def test_a_writer_in_another_thread_leaves_nothing_after_an_error(tmp_path):
    """As those of zarr, which are not told that one of them has met a full disk."""

    def write(folder):
        last = time.monotonic() + 0.3
        while time.monotonic() < last:
            with suppress(OSError):  # the folder may go between two looks, in mkdir as well
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{time.monotonic_ns()}").write_bytes(b"chunk")

    threads = []

    def fail():
        with atomic_write(tmp_path / "v.ome.zarr") as (partial,):
            threads.append(threading.Thread(target=write, args=(partial,)))
            threads[0].start()
            while not partial.exists():
                time.sleep(0.001)
            raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        fail()
    threads[0].join()
    assert list(tmp_path.iterdir()) == []


@contextmanager
def plain_user():
    """Give up the rights of root, for whom no folder is read-only."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_only_folder_is_an_error_and_the_old_data_stay(kind):
    make, name, large = KINDS[kind]
    folder = Path(tempfile.mkdtemp())  # where another user may pass, unlike tmp_path
    try:
        dataset = make(filepath=str(folder / name))
        dataset.save(SMALL[kind])
        before = contents(folder)
        folder.chmod(0o555)
        with plain_user(), pytest.raises((DatasetError, PermissionError)):
            dataset.save(large)
        folder.chmod(0o755)
        assert contents(folder) == before
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["volume", "table"])
def test_no_flipped_bit_of_the_data_is_read_in_silence(tmp_path, kind):
    """Every 97th byte: refused, or the data are those that were saved."""
    make, name, large = KINDS[kind]
    if kind == "table":
        large = large.head(2000)
    dataset = make(filepath=str(tmp_path / name))
    dataset.save(large)
    truth = dataset.load()
    refused = 0
    for file, sound in contents(tmp_path).items():
        if file.suffix == ".json":
            continue  # metadata: the manifest of the run guards them
        for place in range(0, len(sound), max(97, len(sound) // 100)):
            damaged = bytearray(sound)
            damaged[place] ^= 1 << place % 8
            file.write_bytes(damaged)
            try:
                assert dataset.load().equals(truth), place
            except DatasetError:
                refused += 1
        file.write_bytes(sound)
    assert refused > 90
    assert dataset.load().equals(truth)


def test_a_volume_that_lost_a_chunk_is_refused_not_read_as_background(tmp_path):
    dataset = VolumeDataset(filepath=str(tmp_path / "v.ome.zarr"))
    dataset.save(as_volume(np.ones((70, 70, 70), np.uint8), (1, 1, 1), "v"))
    (tmp_path / "v.ome.zarr" / "0" / "c" / "1" / "0" / "1").unlink()
    with pytest.raises(DatasetError, match="chunks of the volume are lost"):
        dataset.load()


def test_a_declared_size_beyond_the_memory_is_refused_before_it_is_allocated(tmp_path):
    dataset = VolumeDataset(filepath=str(tmp_path / "v.ome.zarr"))
    dataset.save(as_volume(np.ones((2, 3, 4), np.uint8), (1, 1, 1), "v"))
    metadata = tmp_path / "v.ome.zarr" / "0" / "zarr.json"
    text = metadata.read_text()
    start = text.index("[", text.index('"shape"'))
    end = text.index("]", start)
    metadata.write_text(text[:start] + "[2000000, 200000, 200000" + text[end:])
    with pytest.raises(DatasetError, match="does not fit into memory"):
        dataset.load()


def test_a_folder_is_forced_to_the_disk_with_all_that_it_holds(tmp_path, monkeypatch):
    for name in ("a/b/one", "a/two", "three"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    forced = []
    sync = atomic._sync
    monkeypatch.setattr(atomic, "_sync", lambda path: forced.append(path) or sync(path))
    atomic.force_to_disk(tmp_path)
    assert sorted(forced) == sorted([tmp_path, *tmp_path.rglob("*")])
    forced.clear()
    atomic.force_to_disk(tmp_path / "three")
    assert forced == [tmp_path / "three"]
