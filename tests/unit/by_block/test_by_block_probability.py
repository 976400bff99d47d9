"""Class probabilities of a volume on disk: the bytes of a prediction in core."""

import hashlib
import signal
import threading
import time

import numpy as np
import pytest
import torch

from dask_processes import scheduler
from electrode_grains.blocks import ExecutorSettings
from electrode_grains.boundary import UNet3D, network_state, predict_class_probabilities
from electrode_grains.boundary.settings import PredictionSettings
from electrode_grains.by_block import predict_by_block
from electrode_grains.classes import CHANNEL_NAMES
from electrode_grains.datasets.network import write_weights
from electrode_grains.datasets.volume import VolumeDataset, read_volume
from electrode_grains.errors import ComputationError, InputError, SettingsError
from electrode_grains.volumes import as_volume

SPACING = (50.0, 40.0, 40.0)
RAGGED = [None, (9, 13, 17), (30, 8, 26), (5, 40, 40)]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    made = UNet3D(in_channels=2, base_width=3, depth=1)
    made.train()(torch.randn(1, 2, 8, 8, 8))  # statistics of its own
    return made.eval()


@pytest.fixture(scope="module")
def contrast():
    values = np.random.default_rng(1).normal(size=(2, 29, 31, 37)).astype(np.float32)
    values[:, :3] = values[:, 20:, 25:, 11:19] = np.nan
    return as_volume(values, SPACING, "contrast_volume", channels=("image_quality", "other"))


@pytest.fixture
def stored(network, contrast, tmp_path):
    VolumeDataset(filepath=str(tmp_path / "contrast.ome.zarr")).save(contrast)
    write_weights(*network_state(network), tmp_path / "network")
    return tmp_path / "contrast.ome.zarr", tmp_path / "network"


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.parametrize("window", RAGGED, ids=str)
def test_the_bytes_are_those_in_core_for_ragged_windows(
    network, contrast, stored, tmp_path, window
):
    settings = PredictionSettings(window_shape=window, threads=1)

    made = predict_by_block(
        *stored, tmp_path / "out", compute=ExecutorSettings(block_edge=17), prediction=settings
    )

    found = read_volume(made.probability)
    expected = predict_class_probabilities(network, contrast.to_numpy(), settings=settings)
    assert digest(found.to_numpy()) == digest(expected)
    assert found.identical(as_volume(expected, SPACING, "class_probability_volume", CHANNEL_NAMES))
    assert made.windows == made.computed


@pytest.mark.parametrize("executor", ["threads", "dask"])
def test_the_bytes_are_those_in_core_whoever_computes(
    network, contrast, stored, tmp_path, executor
):
    settings = PredictionSettings(window_shape=(12, 12, 12), threads=1)
    compute = ExecutorSettings(executor=executor, n_workers=2)

    made = predict_by_block(*stored, tmp_path / "out", compute=compute, prediction=settings)

    expected = predict_class_probabilities(network, contrast.to_numpy(), settings=settings)
    assert digest(read_volume(made.probability).to_numpy()) == digest(expected)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_bytes_are_the_same_where_a_worker_is_killed(
    network, contrast, stored, tmp_path, share
):
    settings = PredictionSettings(window_shape=(8, 8, 12), threads=1)
    written = tmp_path / "out" / "kept"
    with scheduler() as (address, workers):

        def kill():
            while len(list(written.rglob("*.npz"))) < share * 64:
                time.sleep(0.002)
            workers[0].send_signal(signal.SIGKILL)

        killing = threading.Thread(target=kill)
        killing.start()
        made = predict_by_block(
            *stored, tmp_path / "out", prediction=settings,
            compute=ExecutorSettings(executor="dask", scheduler_address=address),
        )  # fmt: skip
        killing.join()
        assert workers[0].wait(10) == -signal.SIGKILL

    expected = predict_class_probabilities(network, contrast.to_numpy(), settings=settings)
    assert digest(read_volume(made.probability).to_numpy()) == digest(expected)
    assert made.windows == made.computed + made.kept == 64


def test_a_window_of_many_tiles_is_that_in_core(tmp_path):
    torch.manual_seed(4)
    wide = UNet3D(base_width=8, depth=2).eval()
    values = np.random.default_rng(2).normal(size=(1, 50, 70, 90)).astype(np.float32)
    settings = PredictionSettings(window_shape=(50, 70, 50), threads=1)
    path = tmp_path / "contrast.ome.zarr"
    VolumeDataset(filepath=str(path)).save(as_volume(values, SPACING, "contrast_volume", ["a"]))
    write_weights(*network_state(wide), tmp_path / "network")

    made = predict_by_block(path, tmp_path / "network", tmp_path / "out", prediction=settings)

    expected = predict_class_probabilities(wide, values, settings=settings)
    assert digest(read_volume(made.probability).to_numpy()) == digest(expected)
    assert made.windows == 2


def test_a_second_call_computes_lost_windows_and_those_of_another_network_alone(stored, tmp_path):
    settings = PredictionSettings(window_shape=(16, 16, 16))
    first = predict_by_block(*stored, tmp_path / "out", prediction=settings)
    chunk = next((first.probability / "0" / "c" / "1").rglob("1"))
    while chunk.is_dir():
        chunk = next(chunk.iterdir())
    chunk.unlink()
    mended = predict_by_block(*stored, tmp_path / "out", prediction=settings)
    other = UNet3D(in_channels=2, base_width=3, depth=1).eval()
    write_weights(*network_state(other), stored[1])
    changed = predict_by_block(*stored, tmp_path / "out", prediction=settings)

    assert (first.windows, first.kept) == (12, 0)
    assert (mended.computed, mended.digest) == (1, first.digest)
    assert (changed.computed, changed.digest == first.digest) == (12, False)


def test_what_cannot_be_predicted_is_refused(stored, contrast, tmp_path):
    path, network = stored
    with pytest.raises(SettingsError, match="symmetries"):
        predict_by_block(
            path, network, tmp_path / "out",
            prediction=PredictionSettings(test_time_augmentation="cube"),
        )  # fmt: skip
    with pytest.raises(InputError, match="no network"):
        predict_by_block(path, tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(InputError, match="no volume of contrast"):
        predict_by_block(tmp_path / "nothing", network, tmp_path / "out")
    VolumeDataset(filepath=str(path)).save(contrast[:1])
    with pytest.raises(InputError, match="differ in their channels"):
        predict_by_block(path, network, tmp_path / "out")


def test_a_network_that_returns_nonsense_leaves_no_volume(stored, network, tmp_path):
    weights, settings = network_state(network)
    weights["head.bias"] = weights["head.bias"] * np.nan
    write_weights(weights, settings, stored[1])

    with pytest.raises(ComputationError, match="not finite"):
        predict_by_block(*stored, tmp_path / "out")
    with pytest.raises(InputError):
        read_volume(tmp_path / "out" / "class_probability_volume.ome.zarr")


def test_group_normalisation_is_told_to_depend_on_windows(stored, tmp_path):
    group = UNet3D(in_channels=2, base_width=4, depth=1, norm="group")
    write_weights(*network_state(group), stored[1])

    with pytest.warns(UserWarning, match="group normalisation depends on the window"):
        predict_by_block(
            *stored, tmp_path / "out", prediction=PredictionSettings(window_shape=(16, 40, 40))
        )
