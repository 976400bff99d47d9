import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from electrode_grains.boundary import (
    PredictionSettings,
    UNet3D,
    plan_windows,
    predict_blocks,
    predict_class_probabilities,
)
from electrode_grains.errors import ComputationError


def lively_network(depth=1, norm="batch", seed=3):
    """Random weights and statistics, as after a training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = UNet3D(base_width=4, depth=depth, norm=norm)
        for _ in range(3):
            network(torch.randn(1, 1, 8, 16, 16))
    return network.eval()


def windows_of(shape):
    return PredictionSettings(window_shape=shape)


def noise_volume(shape, seed=9):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(16, 70, 64), (21, 37, 90)])
def test_windows_give_what_the_whole_volume_gives(shape):
    network, volume = lively_network(), noise_volume(shape)
    whole = predict_class_probabilities(network, volume, settings=windows_of(shape))

    windows = plan_windows(network, shape, window_shape=(24, 16, 12))
    tiled = predict_class_probabilities(network, volume, settings=windows_of((24, 16, 12)))

    assert len(windows) > 10
    np.testing.assert_allclose(tiled, whole, atol=1e-6)  # rounding of float32


def test_two_poolings_give_what_the_whole_volume_gives():
    network, volume = lively_network(depth=2), noise_volume((9, 30, 130))
    whole = predict_class_probabilities(network, volume, settings=windows_of((9, 30, 130)))

    tiled = predict_class_probabilities(network, volume, settings=windows_of((9, 30, 24)))

    np.testing.assert_allclose(tiled, whole, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 150)] * 3),
    window=st.tuples(*[st.integers(1, 150)] * 3),
)
def test_windows_cover_every_voxel_once_and_keep_to_the_lattice(shape, window):
    network = UNet3D(base_width=1, depth=2)
    covered = 0
    for read, predicted in plan_windows(network, shape, window_shape=window):
        covered += np.prod([side.stop - side.start for side in predicted])
        for outside, inside, length, most in zip(read, predicted, shape, window, strict=True):
            assert outside.start % network.pooling == 0
            assert inside.stop - inside.start < most + network.pooling
            assert outside.start == 0 or inside.start - outside.start >= network.receptive_radius
            assert outside.stop == length or outside.stop - inside.stop >= network.receptive_radius

    # Boxes of a product of partitions: the right number of voxels means no overlap.
    assert covered == np.prod(shape)


@pytest.mark.parametrize(("norm", "limit"), [("batch", 16e6), ("group", 3e6)])
def test_default_window_limits_the_memory(norm, limit):
    windows = plan_windows(UNet3D(base_width=1, norm=norm), (400, 900, 900))

    largest = max(np.prod([side.stop - side.start for side in read]) for read, _ in windows)
    assert largest < limit


def test_a_window_beyond_the_memory_is_halved_until_it_fits(limit_voxels):
    network, volume = lively_network(depth=2), noise_volume((16, 60, 130))
    whole = predict_class_probabilities(network, volume, settings=windows_of((16, 60, 130)))

    limit_voxels(network, 16 * 60 * 100)
    with pytest.warns(UserWarning, match=r"\(16, 60, 130\) voxels does not fit into memory"):
        halved = predict_class_probabilities(network, volume, settings=windows_of((16, 60, 130)))

    np.testing.assert_allclose(halved, whole, atol=1e-6)


def test_a_network_that_never_fits_is_refused(limit_voxels):
    network = lively_network()
    limit_voxels(network, 1)
    with (
        pytest.warns(UserWarning, match="in halves"),
        pytest.raises(ComputationError, match="single cell"),
    ):
        predict_class_probabilities(network, noise_volume((2, 4, 4)))


@pytest.fixture
def limit_voxels():
    """Let a network run out of memory where its input is larger than that of a small card."""

    def limit(network, voxels):
        def refuse(_module, images):
            if images[0].numel() > voxels:
                raise torch.OutOfMemoryError("CUDA out of memory")

        network.register_forward_pre_hook(refuse)

    return limit


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 17, 5), (8, 8, 8)])
def test_probabilities_sum_to_one_for_any_shape(shape):
    probability = predict_class_probabilities(lively_network(), noise_volume(shape))

    assert probability.shape == (3, *shape)
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize(("augmentation", "count"), [("in_plane", 16), (True, 48)])
def test_augmented_prediction_turns_with_the_volume(augmentation, count):
    network, volume = lively_network(), noise_volume((6, 8, 8))
    steps = []

    upright, turned = (
        predict_class_probabilities(
            network,
            image,
            settings=PredictionSettings(test_time_augmentation=augmentation),
            report_progress=lambda done, total: steps.append((done, total)),
        )
        for image in (volume, np.rot90(volume, axes=(1, 2)))
    )

    assert steps[count - 1] == (count, count)
    np.testing.assert_allclose(np.rot90(upright, axes=(2, 3)), turned, atol=1e-6)


def test_plain_prediction_does_not_turn_with_the_volume():
    network, volume = lively_network(), noise_volume((6, 8, 8))
    upright = predict_class_probabilities(network, volume)
    turned = predict_class_probabilities(network, np.rot90(volume, axes=(1, 2)))

    assert np.abs(np.rot90(upright, axes=(2, 3)) - turned).max() > 1e-3


def test_blocks_put_together_are_the_volume():
    network, volume = lively_network(), noise_volume((8, 20, 70))
    windows = plan_windows(network, volume.shape, window_shape=(8, 20, 14))

    assembled = np.full((3, 8, 20, 70), np.nan, dtype=np.float32)
    for box, block in predict_blocks(network, volume[None], windows):
        assembled[:, *box] = block

    np.testing.assert_allclose(assembled, predict_class_probabilities(network, volume), atol=1e-6)


def test_prediction_leaves_the_network_in_its_mode():
    network = lively_network().train()
    network.freeze_statistics()
    modes = [module.training for module in network.modules()]

    predict_class_probabilities(network, noise_volume((4, 4, 4)))

    assert [module.training for module in network.modules()] == modes


def test_bfloat16_stays_close_to_float32():
    network, volume = lively_network(), noise_volume((8, 16, 16))

    brief = predict_class_probabilities(
        network, volume, settings=PredictionSettings(precision="bfloat16")
    )

    # Eight bits of mantissa through nine convolutions.
    np.testing.assert_allclose(brief, predict_class_probabilities(network, volume), atol=0.05)
    np.testing.assert_allclose(brief.sum(axis=0), 1, atol=1e-6)


def test_group_normalisation_warns_when_cut_into_windows():
    with pytest.warns(UserWarning, match="division into 3 windows"):
        predict_class_probabilities(
            lively_network(norm="group"),
            noise_volume((4, 4, 48)),
            settings=windows_of((4, 4, 16)),
        )


def test_halo_below_the_receptive_radius_is_refused():
    with pytest.raises(ValueError, match=r"4 voxels[\s\S]*9 voxels or more"):
        plan_windows(UNet3D(base_width=1, depth=1), (50, 50, 50), halo=4)


def test_empty_window_is_refused():
    with pytest.raises(ValueError, match="0 voxels"):
        plan_windows(UNet3D(base_width=1, depth=1), (50, 50, 50), window_shape=(0, 50, 50))


def test_volume_with_other_channels_is_refused():
    with pytest.raises(ValueError, match="2 in the volume"):
        predict_class_probabilities(lively_network(), noise_volume((2, 4, 4, 4)))


def test_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="'sphere'"):
        PredictionSettings(test_time_augmentation="sphere")


def test_spoilt_network_is_refused_with_the_window():
    network = lively_network()
    with torch.no_grad():
        network.head.bias[0] = torch.nan

    with pytest.raises(ValueError, match=r"\(0, 0, 0\)"):
        predict_class_probabilities(network, noise_volume((4, 4, 4)))
