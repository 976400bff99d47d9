import json
from functools import partial

import numpy as np
import pytest
import torch

from electrode_grains.boundary import (
    TrainingSettings,
    TrainingStates,
    UNet3D,
    ValidationScores,
    ValidationSettings,
    boundary_scores,
    network_state,
    predict_class_probabilities,
    predict_unseen_slices,
    summarize_unseen_slices,
    threshold_f1,
    train_boundary_network,
)
from electrode_grains.boundary.compute import limited_threads, resolve_device
from electrode_grains.boundary.settings import learning_rate_at
from electrode_grains.datasets.results import plain
from electrode_grains.errors import ComputationError, InputError
from electrode_grains.threads import available_cores

TINY = TrainingSettings(
    window_shape=(8, 16, 16),
    epochs=3,
    steps_per_epoch=2,
    base_width=2,
    depth=1,
    seed=4,
    threads=1,
    precision="float32",
    initial_network=None,
)
ONE_EPOCH = ValidationSettings(epochs=1)


def changed(**values):
    """The tiny training with other settings, checked like a user's."""
    return TrainingSettings(**TINY.model_dump() | values)


def same_weights(first, second):
    one, other = network_state(first)[0], network_state(second)[0]
    return all(torch.equal(one[name], other[name]) for name in one)


def best_threshold_f1(contrast, annotation):
    """The best that any grey value threshold can do, chosen on the answer itself."""
    scores = []
    for threshold in np.linspace(-2, 2, 41):
        dark = contrast < threshold
        probability = np.stack([dark, ~dark, np.zeros_like(dark)]).astype(float)
        scores.append(boundary_scores(probability, annotation).boundary_f1)
    return max(scores)


def test_network_learns_boundaries_from_two_slices(phantom):
    settings = TrainingSettings(
        window_shape=(12, 32, 32),
        batch_size=1,
        initial_network=None,
        epochs=5,
        steps_per_epoch=25,
        base_width=8,
        learning_rate=1e-2,
        optimizer="adamw",
        gain_jitter=0.1,
        offset_jitter=0.1,
        noise_jitter=0.1,
        seed=0,
        threads=1,
        precision="float32",
    )

    result = train_boundary_network(
        phantom.contrast, phantom.annotation, settings=settings, held_out_slices=(12,)
    )

    baseline = best_threshold_f1(phantom.contrast[12], phantom.annotation[12])
    assert result.held_out_scores.boundary_f1 > baseline + 0.08
    # Slices that nobody annotated count as much as the held-out one.
    probability = predict_class_probabilities(result.network, phantom.contrast)
    unseen = boundary_scores(probability[:, 8:17], phantom.classes[8:17])
    assert unseen.boundary_f1 > baseline + 0.08
    assert result.history["loss"].iloc[-1] < 0.5 * result.history["loss"].iloc[0]


def test_same_seed_gives_the_same_network_to_the_last_bit(phantom):
    torch.manual_seed(1)
    first = train_boundary_network(phantom.contrast, phantom.annotation, settings=TINY)
    torch.manual_seed(2)  # the global generator has no say
    second = train_boundary_network(phantom.contrast, phantom.annotation, settings=TINY)

    assert same_weights(first.network, second.network)
    assert first.history.equals(second.history)


def test_another_seed_gives_another_network(phantom):
    results = [
        train_boundary_network(phantom.contrast, phantom.annotation, settings=changed(seed=seed))
        for seed in (1, 2)
    ]

    assert not same_weights(results[0].network, results[1].network)


@pytest.mark.parametrize("epoch", [1, 2])
def test_resumed_training_ends_with_the_network_of_an_uninterrupted_one(phantom, epoch):
    states = []
    train = partial(
        train_boundary_network,
        phantom.contrast,
        phantom.annotation,
        settings=changed(patience=3),
        held_out_slices=(12,),
    )
    uninterrupted = train(on_state=states.append)

    resumed = train(resume=states[epoch - 1])

    assert same_weights(resumed.network, uninterrupted.network)
    assert resumed.history.equals(uninterrupted.history)
    assert resumed.best_epoch == uninterrupted.best_epoch


def test_training_leaves_the_global_generator_alone(phantom):
    before = torch.random.get_rng_state()

    train_boundary_network(phantom.contrast, phantom.annotation, settings=TINY)

    assert torch.equal(torch.random.get_rng_state(), before)


def test_annotation_of_a_held_out_slice_has_no_influence(phantom):
    other = phantom.annotation.copy()
    other[12] = np.where(other[12] == 1, 2, 1)

    networks = [
        train_boundary_network(
            phantom.contrast, annotation, settings=TINY, held_out_slices=(12,)
        ).network
        for annotation in (phantom.annotation, other)
    ]

    assert same_weights(*networks)


def test_held_out_scores_are_those_of_the_whole_volume(phantom):
    result = train_boundary_network(
        phantom.contrast, phantom.annotation, settings=TINY, held_out_slices=(12, 6)
    )

    probability = predict_class_probabilities(result.network, phantom.contrast)
    expected = boundary_scores(probability[:, [12, 6]], phantom.annotation[[12, 6]])

    assert result.held_out_scores.log_loss == pytest.approx(expected.log_loss, rel=1e-5)
    assert result.held_out_scores.boundary_f1 == pytest.approx(expected.boundary_f1, abs=0.01)
    last = result.history.iloc[-1]
    assert last["held_out_loss"] == pytest.approx(expected.log_loss, rel=1e-5)


def test_each_epoch_and_step_is_reported(phantom):
    epochs, steps = [], []

    result = train_boundary_network(
        phantom.contrast,
        phantom.annotation,
        settings=TINY,
        on_epoch=lambda metrics, epoch: epochs.append((epoch, metrics["loss"])),
        report_progress=lambda done, total: steps.append((done, total)),
    )

    assert epochs == list(zip(result.history["epoch"], result.history["loss"], strict=True))
    assert steps == [(step, 6) for step in range(1, 7)]


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": "arbitrary"},
        {"rotation": "none", "batch_size": 2},
        {"optimizer": "adam", "schedule": "constant"},
        {"class_weights": (3.0, 1.0, 1.0)},
        {"norm": "group"},
        {"precision": "bfloat16"},
        {"precision": "auto"},
        {"window_shape": (5, 99, 7)},
    ],
    ids=str,
)
def test_every_choice_trains(phantom, change):
    settings = changed(epochs=1, **change)

    result = train_boundary_network(phantom.contrast, phantom.annotation, settings=settings)

    assert np.isfinite(result.history["loss"]).all()


def test_gradients_take_in_no_memory_that_nothing_was_written_to(phantom):
    """In bfloat16 they did, where the coarsest level is narrower than a convolution."""
    settings = changed(epochs=1, base_width=8, depth=2, batch_size=2, precision="bfloat16")
    for _ in range(20):
        junk = [torch.full((size,), float("nan")) for size in (300, 3_000, 30_000, 300_000)]
        del junk
        train_boundary_network(phantom.contrast, phantom.annotation, settings=settings)


def test_second_contrast_channel_is_read(phantom):
    contrast = np.stack([phantom.contrast, phantom.contrast])

    result = train_boundary_network(contrast, phantom.annotation, settings=TINY)

    assert result.network.settings["in_channels"] == 2


def test_initial_network_is_where_training_starts(phantom):
    start = UNet3D(base_width=4, depth=1)
    before, _ = network_state(start)

    result = train_boundary_network(
        phantom.contrast,
        phantom.annotation,
        settings=changed(learning_rate=1e-9),
        initial_network=start,
    )

    np.testing.assert_allclose(
        result.network.head.weight.detach(), start.head.weight.detach(), atol=1e-6
    )
    assert all(torch.equal(before[name], network_state(start)[0][name]) for name in before)


def test_patience_returns_the_best_epoch(phantom):
    settings = changed(epochs=6, learning_rate=0.3, patience=2)

    result = train_boundary_network(
        phantom.contrast, phantom.annotation, settings=settings, held_out_slices=(12,)
    )

    best = result.history["held_out_loss"].idxmin()
    assert result.best_epoch == result.history["epoch"][best]
    assert result.held_out_scores.log_loss == pytest.approx(
        result.history["held_out_loss"][best], rel=1e-5
    )


def test_infinite_loss_stops_with_step_and_window(phantom):
    spoilt = UNet3D(base_width=2, depth=1)
    with torch.no_grad():
        spoilt.head.bias[0] = torch.inf

    with pytest.raises(ComputationError, match=r"step 0, window around z, y, x = \(\d+, "):
        train_boundary_network(
            phantom.contrast, phantom.annotation, settings=TINY, initial_network=spoilt
        )


def test_every_annotated_slice_is_left_out_once(phantom):
    unseen = predict_unseen_slices(
        phantom.contrast, phantom.annotation, settings=TINY, validation=ONE_EPOCH
    )

    assert [one.index for one in unseen] == [6, 12, 18]


def test_many_annotated_slices_are_left_out_side_by_side_in_few_trainings(phantom):
    """Each slice is judged once, by a network that saw none of its own block."""
    annotation = np.zeros_like(phantom.annotation)
    annotation[3:8] = phantom.annotation[6]
    steps = []
    validate = partial(
        predict_unseen_slices, phantom.contrast, settings=TINY,
        validation=ONE_EPOCH.model_copy(update={"most_trainings": 2}),
    )  # fmt: skip
    unseen = list(validate(annotation, report_progress=lambda *counts: steps.append(counts)))
    assert [one.index for one in unseen] == [3, 4, 5, 6, 7]
    assert steps[-1] == (2 * TINY.steps_per_epoch, 2 * TINY.steps_per_epoch)

    changed = annotation.copy()
    changed[3:6] = np.where(annotation[3:6] == 1, 2, 1)  # the first block
    again = [one for one, _ in zip(validate(changed), range(3), strict=False)]
    for one, other in zip(again, unseen[:3], strict=True):
        assert np.array_equal(one.probability, other.probability)


def test_leaving_the_only_slice_out_is_refused(phantom):
    annotation = np.zeros_like(phantom.annotation)
    annotation[6] = phantom.annotation[6]

    with pytest.raises(ValueError, match=r"annotated slices \[6\]"):
        next(predict_unseen_slices(phantom.contrast, annotation))


def test_held_out_slice_without_annotation_is_refused(phantom):
    with pytest.raises(ValueError, match=r"slice 7[\s\S]*\[6, 12, 18\]"):
        train_boundary_network(
            phantom.contrast, phantom.annotation, settings=TINY, held_out_slices=(7,)
        )


def test_holding_out_every_slice_is_refused(phantom):
    with pytest.raises(ValueError, match=r"\[6, 12, 18\]"):
        train_boundary_network(
            phantom.contrast, phantom.annotation, settings=TINY, held_out_slices=(6, 12, 18)
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("learning_rate", -1.0),
        ("optimizer", "sgd"),
        ("precision", "float16"),
        ("rotation", "twist"),
        ("class_weights", (1.0, 0.0, 1.0)),
        ("frozen_statistics", 1.5),
        ("noise_jitter", -0.1),
        ("patience", 0),
    ],
)
def test_impossible_training_setting_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        TrainingSettings(**{name: value})


def test_patience_without_a_held_out_slice_trains_all_epochs(phantom):
    result = train_boundary_network(
        phantom.contrast, phantom.annotation, settings=changed(patience=1)
    )

    assert len(result.history) == TINY.epochs
    assert result.best_epoch == TINY.epochs - 1
    assert result.held_out_scores is None


def test_one_cycle_rises_to_the_largest_rate_and_falls_to_nearly_zero():
    settings = TrainingSettings(learning_rate=0.01)
    rates = [learning_rate_at(step, 200, settings) for step in range(200)]

    assert max(rates) == pytest.approx(0.01)
    assert np.argmax(rates) == 19
    assert 0 < rates[-1] < 1e-5


def test_threads_never_exceed_the_cores():
    before = torch.get_num_threads()

    with limited_threads(10_000) as count:
        assert count == torch.get_num_threads() == available_cores()

    assert torch.get_num_threads() == before


def test_unknown_device_is_refused():
    with pytest.raises(ValueError, match="'abacus'"):
        resolve_device("abacus")


def test_summary_of_unseen_slices_holds_mean_spread_and_gain(phantom):
    validation = ValidationSettings(epochs=1, test_time_augmentation="in_plane")
    unseen = list(
        predict_unseen_slices(
            phantom.contrast,
            phantom.annotation,
            settings=TINY,
            validation=validation,
        )
    )
    summary = summarize_unseen_slices(unseen, validation)

    f1 = [one.scores.boundary_f1 for one in unseen]
    augmented = [one.augmented_scores.boundary_f1 for one in unseen]
    assert summary.mean["boundary_f1"] == pytest.approx(np.mean(f1))
    assert summary.std["boundary_f1"] == pytest.approx(np.std(f1, ddof=1))
    assert summary.augmentation_gain["boundary_f1"] == pytest.approx(
        np.mean(augmented) - np.mean(f1)
    )
    assert sum(summary.reliability.count) == np.count_nonzero(phantom.annotation)
    kept = json.loads(json.dumps(plain(summary.to_dict()), allow_nan=False))
    assert plain(ValidationScores.from_dict(kept).to_dict()) == kept


def test_an_unseen_slice_has_no_influence_on_its_own_prediction(phantom):
    other = phantom.annotation.copy()
    other[6] = np.where(other[6] == 1, 2, 1)
    first, second = (
        next(
            predict_unseen_slices(phantom.contrast, annotation, settings=TINY, validation=ONE_EPOCH)
        )
        for annotation in (phantom.annotation, other)
    )
    assert first.index == second.index == 6
    assert np.array_equal(first.probability, second.probability)
    assert first.scores != second.scores


def test_folds_that_were_done_are_not_trained_again(phantom):
    states = TrainingStates("")
    validate = partial(
        predict_unseen_slices,
        phantom.contrast,
        phantom.annotation,
        settings=TINY,
        validation=ValidationSettings(epochs=2),
        states=states,
    )
    uninterrupted = list(validate(states=None))
    first = next(validate())  # and killed
    steps = []

    resumed = list(validate(report_progress=lambda done, total: steps.append((done, total))))

    assert steps[0] == (5, 12)  # two epochs of two steps for each of three slices
    assert np.array_equal(first.probability, resumed[0].probability)
    for one, other in zip(resumed, uninterrupted, strict=True):
        assert np.array_equal(one.probability, other.probability)


def test_nothing_is_learnt_from_what_was_not_measured(phantom):
    lost = np.zeros(phantom.contrast.shape, bool)
    lost[:, 10:30, 10:30] = True
    contrast = np.where(lost, np.float32(np.nan), phantom.contrast)
    other = np.where(lost & (phantom.annotation > 0), 3, phantom.annotation)

    first, second = (
        train_boundary_network(contrast, annotation, settings=TINY)
        for annotation in (phantom.annotation, other)
    )
    probability = predict_class_probabilities(first.network, contrast)

    assert same_weights(first.network, second.network)
    assert np.isfinite(probability).all()
    assert (probability[:, lost].T == [0, 0, 1]).all()


def test_a_voxel_of_which_only_a_channel_is_missing_is_refused(phantom):
    contrast = np.stack([phantom.contrast, phantom.contrast])
    contrast[1, 3, 4, 5] = np.nan

    with pytest.raises(InputError, match=r"\(1, 3, 4, 5\)"):
        train_boundary_network(contrast, phantom.annotation, settings=TINY)


def test_a_threshold_is_judged_on_the_slice_that_did_not_choose_it(phantom):
    score = threshold_f1(phantom.contrast, phantom.annotation, [6, 18], 12)
    best = best_threshold_f1(phantom.contrast[12], phantom.annotation[12])

    assert 0.3 < score <= best + 0.2
    flipped = phantom.annotation.copy()
    flipped[12] = np.where(flipped[12] == 1, 2, 1)
    assert threshold_f1(phantom.contrast, flipped, [6, 18], 12) < score


def test_a_network_worse_than_a_threshold_warns():
    scores = ValidationScores(epochs=1, mean={"boundary_f1": 0.6}, baseline_f1=0.7)

    assert "0.700 against 0.600" in scores.warnings()[0]
    assert not ValidationScores(epochs=1, mean={"boundary_f1": 0.8}, baseline_f1=0.7).warnings()
