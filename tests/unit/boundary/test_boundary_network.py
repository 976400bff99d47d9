import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from electrode_grains.boundary import (
    TrainingSettings,
    UNet3D,
    boundary_scores,
    embedded_network,
    network_from_state,
    network_state,
    normalize_contrast,
    predict_class_probabilities,
    select_channels,
    train_boundary_network,
)


def test_default_network_has_about_a_third_of_a_million_weights():
    network = UNet3D()

    assert network.parameter_count == pytest.approx(3.4e5, rel=0.01)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_pooling_lattice_doubles_with_depth(depth):
    assert UNet3D(base_width=2, depth=depth).pooling == 2**depth


@pytest.mark.parametrize("depth", [1, 2])
def test_receptive_radius_is_the_farthest_voxel_that_matters(depth):
    network = UNet3D(base_width=2, depth=depth, norm="none")
    network.eval()
    with torch.no_grad():  # positive weights let no influence cancel or be rectified away
        for parameter in network.parameters():
            parameter.abs_().add_(0.1)
    half = 10 * network.pooling
    along_x = torch.rand(1, 1, network.pooling, network.pooling, 2 * half) + 1
    farthest = 0
    for position in range(half, half + network.pooling):
        source = along_x.clone().requires_grad_()
        # Max pooling passes the gradient of one voxel in eight: perturb instead.
        with torch.no_grad():
            base = network(source)[..., position]
            for x in range(2 * half):
                changed = source.detach().clone()
                changed[..., x] += 100
                if not torch.equal(network(changed)[..., position], base):
                    farthest = max(farthest, abs(x - position))

    assert farthest == network.receptive_radius


def test_input_off_the_pooling_lattice_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 1, 8, 8, 6\)[\s\S]*multiples of 4"):
        UNet3D(base_width=2)(torch.zeros(1, 1, 8, 8, 6))


def test_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="'layer'"):
        UNet3D(norm="layer")


@pytest.mark.parametrize("setting", ["in_channels", "base_width", "depth"])
def test_empty_architecture_is_refused(setting):
    with pytest.raises(ValueError, match=setting):
        UNet3D(**{setting: 0})


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_network_is_rebuilt_from_weights_and_settings(norm):
    network = UNet3D(in_channels=2, base_width=4, depth=1, norm=norm)
    network(torch.randn(1, 2, 4, 4, 4))  # moves running statistics
    image = torch.randn(1, 2, 4, 6, 8)

    rebuilt = network_from_state(*network_state(network))

    assert rebuilt.settings == network.settings
    assert torch.equal(rebuilt(image), network.eval()(image))


def test_stored_weights_do_not_follow_further_training():
    network = UNet3D(base_width=2, depth=1)
    weights, _ = network_state(network)
    before = weights["head.bias"].clone()
    with torch.no_grad():
        network.head.bias.add_(1)

    assert torch.equal(weights["head.bias"], before)


def test_weights_of_another_architecture_are_refused():
    weights, _ = network_state(UNet3D(base_width=2, depth=1))

    with pytest.raises(ValueError, match="'base_width': 4"):
        network_from_state(weights, UNet3D(base_width=4, depth=1).settings)


def test_settings_of_something_else_are_refused():
    with pytest.raises(ValueError, match="heads"):
        network_from_state({}, {"heads": 8})


def test_frozen_statistics_stay_while_weights_train():
    network = UNet3D(base_width=2, depth=1)
    network.train()
    network.freeze_statistics()
    before = network.encoder[0][1].running_mean.clone()

    network(torch.randn(1, 1, 4, 4, 4) + 5)

    assert torch.equal(network.encoder[0][1].running_mean, before)


def test_the_embedded_network_finds_boundaries_of_particles_made_another_way(phantom):
    """Voronoi cells of another generator, none of them labelled: far better than a threshold."""
    probability = predict_class_probabilities(
        embedded_network(["image_quality"]), normalize_contrast(phantom.contrast + 5)
    )
    scores = boundary_scores(probability, phantom.classes)

    smooth = gaussian_filter(phantom.contrast, 1)
    by_threshold = [
        boundary_scores(np.stack([smooth < level, smooth >= level, 0 * smooth]), phantom.classes)
        for level in np.quantile(smooth, np.linspace(0.1, 0.9, 9))
    ]
    assert scores.boundary_f1 > 0.75
    assert max(each.boundary_f1 for each in by_threshold) < 0.6


def test_channels_left_out_are_channels_that_are_zero():
    network = UNet3D(in_channels=3, base_width=4, depth=1).eval()
    image = torch.randn(1, 3, 4, 6, 8, generator=torch.Generator().manual_seed(2))
    image[:, 1] = 0

    fewer = select_channels(network, ["iq", "ci", "mis"], ["mis", "iq", "new"])
    turned = torch.cat([image[:, [2]], image[:, [0]], torch.ones(1, 1, 4, 6, 8)], dim=1)

    assert torch.allclose(fewer(turned), network(image), atol=1e-6)


def test_settings_name_the_embedded_network_as_the_start(phantom):
    settings = TrainingSettings(
        initial_network="embedded",
        window_shape=(4, 16, 16),
        epochs=1,
        steps_per_epoch=1,
        learning_rate=1e-9,
        frozen_statistics=1.0,
        precision="float32",
    )
    result = train_boundary_network(phantom.contrast, phantom.annotation, settings=settings)

    start = embedded_network(["image_quality"])
    torch.testing.assert_close(result.network.head.weight, start.head.weight, atol=1e-6, rtol=0)


def test_a_network_elsewhere_must_be_passed(phantom):
    settings = TrainingSettings(initial_network="./network")
    with pytest.raises(ValueError, match="pass it as initial_network"):
        train_boundary_network(phantom.contrast, phantom.annotation, settings=settings)
