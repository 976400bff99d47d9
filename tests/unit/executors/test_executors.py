"""Executors: what is kept, what is refused, and workers of dask that are killed."""

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import zarr
from scipy import ndimage

from dask_processes import scheduler
from electrode_grains.blocks import ExecutorSettings, SerialExecutor, divide
from electrode_grains.errors import InputError, RunError, SettingsError
from electrode_grains.executors import (
    KeepingExecutor,
    StoredVolume,
    create_stored,
    digest_stored,
    open_executor,
    within_reach,
)
from electrode_grains.executors.arrays import from_arrays, to_arrays
from electrode_grains.grains import flood_by_block, flood_from_minima
from electrode_grains.grains.block_basins import BlockBasins, Known

EDGE = 20  # 8 blocks


def landscape(size=40):
    noise = ndimage.gaussian_filter(np.random.default_rng(2).random((size, size, size)), 2)
    return np.float32((noise - noise.min()) / np.ptp(noise))


def stored(folder, array, name="image"):
    volume = create_stored(folder / name, array.shape, array.dtype, EDGE)
    volume[tuple(slice(0, size) for size in array.shape)] = array
    return digest_stored(volume, SerialExecutor(), EDGE)


def flood(image, folder, executor, name="labels"):
    labels = create_stored(folder / name, image.shape, np.int32, EDGE)
    flood_by_block(image, 0.05, labels, executor=executor, block_edge=EDGE)
    return labels[:, :, :]


def test_kept_results_are_not_computed_again(tmp_path):
    image = stored(tmp_path, landscape())
    first = KeepingExecutor(SerialExecutor(), tmp_path / "kept", "1")
    second = KeepingExecutor(SerialExecutor(), tmp_path / "kept", "1")

    labels = flood(image, tmp_path, first)
    again = flood(image, tmp_path, second)

    np.testing.assert_array_equal(labels, flood_from_minima(landscape(), 0.05))
    np.testing.assert_array_equal(again, labels)
    assert (first.kept, second.computed) == (0, 0)
    assert second.kept == first.computed == 24


def test_other_code_and_other_content_are_computed(tmp_path):
    image = stored(tmp_path, landscape())
    flood(image, tmp_path, KeepingExecutor(SerialExecutor(), tmp_path / "kept", "1"))
    other = KeepingExecutor(SerialExecutor(), tmp_path / "kept", "2")
    flood(image, tmp_path, other)
    changed = KeepingExecutor(SerialExecutor(), tmp_path / "kept", "1")
    flood(stored(tmp_path, 1 - landscape(), "turned"), tmp_path, changed)

    assert other.kept == changed.kept == 0


def test_a_block_that_was_lost_or_damaged_after_it_was_written_is_written_again(tmp_path):
    image = stored(tmp_path, landscape())
    labels = flood(image, tmp_path, KeepingExecutor(SerialExecutor(), tmp_path / "kept", "1"))
    StoredVolume.open(tmp_path / "labels")[0:20, 0:20, 0:20] = np.zeros((20, 20, 20), np.int32)
    damaged = next((tmp_path / "kept").rglob("*.npz"))
    damaged.write_bytes(damaged.read_bytes()[:50])
    repairing = KeepingExecutor(SerialExecutor(), tmp_path / "kept", "1")

    np.testing.assert_array_equal(flood(image, tmp_path, repairing), labels)
    assert 1 <= repairing.computed <= 2


def test_results_are_not_kept_of_a_volume_without_a_digest(tmp_path):
    image = stored(tmp_path, landscape()).with_content("")

    with pytest.raises(InputError, match="digest_stored"):
        flood(image, tmp_path, KeepingExecutor(SerialExecutor(), tmp_path / "kept", "1"))


def test_results_come_back_from_arrays_as_they_were():
    known = Known(np.arange(3), np.arange(3) / 2)
    result = BlockBasins(np.arange(2), np.float32([1, 2]), known, Known.nothing())

    def produce() -> tuple[BlockBasins, str, int]:
        return result, "text", 3

    back, text, number = from_arrays(produce, to_arrays(produce()))

    assert (text, number) == ("text", 3)
    assert back.ends.equals(known)
    assert back.layers.equals(Known.nothing())
    assert back.depths.dtype == np.float32


def test_dask_on_this_machine_gives_the_same_labels(tmp_path):
    image = landscape()
    settings = ExecutorSettings(executor="dask", n_workers=2, block_edge=EDGE)

    with (
        open_executor(settings) as executor,
        within_reach(executor, settings, image, np.zeros(image.shape, np.int32)) as (near, labels),
    ):
        flood_by_block(near, 0.05, labels, executor=executor, block_edge=EDGE)
        found = labels[:, :, :]

    np.testing.assert_array_equal(found, flood_from_minima(image, 0.05))


@pytest.mark.parametrize(
    "share",
    [pytest.param(0.1, marks=pytest.mark.slow), 0.5, pytest.param(0.9, marks=pytest.mark.slow)],
)
def test_labels_are_the_same_where_a_worker_is_killed(tmp_path, share):
    image, total = stored(tmp_path, landscape()), 3 * 8
    with scheduler() as (address, workers):
        settings = ExecutorSettings(executor="dask", scheduler_address=address, block_edge=EDGE)
        with open_executor(settings) as executor:
            keeping = KeepingExecutor(executor, tmp_path / "kept", "1")

            def kill() -> None:
                while keeping.computed < share * total:
                    time.sleep(0.002)
                workers[0].send_signal(signal.SIGKILL)

            killing = threading.Thread(target=kill)
            killing.start()
            labels = flood(image, tmp_path, keeping)
            killing.join()
        assert workers[0].wait(10) == -signal.SIGKILL

    np.testing.assert_array_equal(labels, flood_from_minima(landscape(), 0.05))
    assert keeping.computed + keeping.kept == total  # some were kept, and lost on their way


def test_a_client_that_is_killed_loses_no_finished_block(tmp_path):
    stored(tmp_path, landscape())
    script = (
        "import sys, os, pathlib\n"
        "from electrode_grains.blocks import SerialExecutor\n"
        "from electrode_grains.executors import *\n"
        "from electrode_grains.grains import flood_by_block\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "class Ending(SerialExecutor):\n"
        "    def map(self, function, tasks):\n"
        "        for place, result in enumerate(super().map(function, tasks)):\n"
        "            if keeping.computed == 10: os.kill(os.getpid(), 9)\n"
        "            yield result\n"
        "keeping = KeepingExecutor(Ending(), folder / 'kept', '1')\n"
        "image = digest_stored(StoredVolume.open(folder / 'image'), SerialExecutor(), 20)\n"
        "labels = create_stored(folder / 'labels', image.shape, 'int32', 20)\n"
        "flood_by_block(image, 0.05, labels, executor=keeping, block_edge=20)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    rest = KeepingExecutor(SerialExecutor(), tmp_path / "kept", "1")
    image = digest_stored(StoredVolume.open(tmp_path / "image"), SerialExecutor(), EDGE)

    labels = flood(image, tmp_path, rest)

    assert ended.returncode == -signal.SIGKILL
    np.testing.assert_array_equal(labels, flood_from_minima(landscape(), 0.05))
    assert rest.kept == 11  # one was kept and not handed over yet


def test_a_scheduler_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("electrode_grains.executors.dask_client.CONNECT_SECONDS", 1)
    settings = ExecutorSettings(executor="dask", scheduler_address="tcp://127.0.0.1:9")

    with pytest.raises(RunError, match=r"tcp://127\.0\.0\.1:9"), open_executor(settings):
        pass


def test_a_scheduler_without_workers_is_refused(monkeypatch):
    monkeypatch.setattr("electrode_grains.executors.dask_executor.CONNECT_SECONDS", 1)
    with scheduler(workers=0) as (address, _):
        settings = ExecutorSettings(executor="dask", scheduler_address=address)
        with pytest.raises(RunError, match="has no worker"), open_executor(settings):
            pass


def test_a_worker_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr("electrode_grains.executors.dask_executor.__version__", "9.9")
    with scheduler(workers=1) as (address, _):
        settings = ExecutorSettings(executor="dask", scheduler_address=address)
        with pytest.raises(RunError, match=r"9\.9"), open_executor(settings):
            pass


def test_a_limit_below_a_block_is_refused_before_anything_starts():
    settings = ExecutorSettings(executor="dask", memory_limit=0.1)

    with pytest.raises(SettingsError, match="block_edge"), open_executor(settings):
        pass


def test_an_array_that_is_no_volume_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        StoredVolume.open(tmp_path / "nothing")
    create_stored(tmp_path / "volume", (2, 2, 2), np.int32, EDGE)
    with pytest.raises(InputError, match="channel"):
        StoredVolume.open(tmp_path / "volume", channel=0)


def test_blocks_of_zeros_are_written_as_all_others(tmp_path):
    volume = create_stored(tmp_path / "volume", (40, 40, 40), np.int32, EDGE)
    for box in divide(volume.shape, EDGE):
        volume[box] = np.zeros((EDGE,) * 3, np.int32)

    assert zarr.open_array(volume.path, mode="r").nchunks_initialized == 8
