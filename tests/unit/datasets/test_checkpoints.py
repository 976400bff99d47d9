from dataclasses import replace

import numpy as np
import pytest
import torch

from electrode_grains.boundary import (
    TrainingSettings,
    TrainingStates,
    WindowSampler,
    network_state,
    train_boundary_network,
    training_fingerprint,
)
from electrode_grains.datasets.checkpoints import CheckpointDataset
from electrode_grains.datasets.network import read_network
from electrode_grains.errors import ComputationError, InputError

SETTINGS = TrainingSettings(
    batch_size=1,
    initial_network=None,
    window_shape=(8, 16, 16),
    epochs=4,
    steps_per_epoch=2,
    base_width=2,
    depth=1,
    patience=4,
    threads=1,
    optimizer="adamw",
    precision="float32",
)
JUDGED = (5,)
RNG = np.random.default_rng(3)
CONTRAST = RNG.normal(size=(8, 16, 16)).astype(np.float32)
ANNOTATION = np.zeros((8, 16, 16), np.uint8)
ANNOTATION[[2, 5]] = np.where(CONTRAST[[2, 5]] < 0, 1, 2)


def states_of(folder, settings=SETTINGS):
    dataset = CheckpointDataset(path=str(folder))
    dataset.save(
        TrainingStates(training_fingerprint(CONTRAST, ANNOTATION, settings, held_out_slices=JUDGED))
    )
    return dataset.load()


def train(**options):
    chosen = {"settings": SETTINGS, "held_out_slices": JUDGED, **options}
    return train_boundary_network(CONTRAST, ANNOTATION, **chosen)


def test_every_state_on_disk_leads_to_the_uninterrupted_network(tmp_path):
    states, read = states_of(tmp_path), []

    def keep(state):
        states.save(state)
        read.append(states.latest())

    uninterrupted = train(on_state=keep)

    expected, _ = network_state(uninterrupted.network)
    for state in read[:-1]:
        resumed = train(resume=state)
        found, _ = network_state(resumed.network)
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert resumed.history.equals(uninterrupted.history)


def test_the_last_two_states_are_kept_until_the_training_is_done(tmp_path):
    states = states_of(tmp_path)
    train(on_state=states.save)
    assert [folder.name for folder in sorted(tmp_path.glob("epoch_*"))] == [
        "epoch_00003",
        "epoch_00004",
    ]
    states.clear()
    assert states.latest() is None


@pytest.mark.parametrize("change", [{"learning_rate": 0.01}, {"seed": 2}, {"epochs": 9}], ids=str)
def test_states_of_other_settings_are_not_used_and_go_with_the_first_new_one(tmp_path, change):
    train(on_state=states_of(tmp_path).save)
    settings = SETTINGS.model_copy(update=change)
    states = states_of(tmp_path, settings)
    assert states.latest() is None

    saved = []
    train(settings=settings, on_state=lambda state: saved or saved.append(states.save(state)))
    assert [folder.name for folder in tmp_path.glob("epoch_*")] == ["epoch_00001"]


def test_a_state_of_other_data_is_refused():
    states = TrainingStates("")
    train(on_state=states.save)
    other = CONTRAST.copy()
    other[0, 0, 0] += 1e-6
    with pytest.raises(InputError, match="other data or settings"):
        train_boundary_network(
            other, ANNOTATION, settings=SETTINGS, held_out_slices=JUDGED, resume=states.latest()
        )


def test_an_infinite_loss_leaves_the_last_good_state(tmp_path, monkeypatch):
    states, draw, drawn = states_of(tmp_path), WindowSampler.draw, []

    def spoilt_after_two_epochs(sampler, rng):
        window = draw(sampler, rng)
        drawn.append(window)
        return replace(window, image=window.image * np.inf) if len(drawn) > 5 else window

    monkeypatch.setattr(WindowSampler, "draw", spoilt_after_two_epochs)
    with pytest.raises(ComputationError, match=r"step 5, window around z, y, x = \(\d"):
        train(on_state=states.save)

    kept = states.latest()
    assert kept.epochs_done == 2
    assert all(torch.isfinite(tensor).all() for tensor in kept.weights.values())
    assert read_network(tmp_path / "epoch_00002").settings["base_width"] == 2


def test_weights_that_are_not_finite_stop_before_a_state_of_them_is_kept():
    # Decay takes weights to 3.39e38, and the step beyond the largest float32.
    overflow = {"learning_rate": 3e37, "weight_decay": 11.3, "schedule": "constant"}
    states = TrainingStates("")
    with pytest.raises(ComputationError, match=r"weights[\s\S]*step 0"):
        train(
            settings=SETTINGS.model_copy(update=overflow),
            on_state=states.save,
        )
    assert states.latest() is None


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(InputError, match="no network to start from"):
        read_network(tmp_path)
